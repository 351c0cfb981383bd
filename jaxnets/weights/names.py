"""The names that PyTorch's files give to the layers of published networks, in our order."""

from collections.abc import Callable, Iterator

from jaxnets.host import checks


def _sequential(features: tuple[int, ...], classifier: tuple[int, ...]) -> Iterator[str]:
    yield from (f"features.{i}" for i in features)
    yield from (f"classifier.{i}" for i in classifier)


def _googlenet() -> Iterator[str]:
    units = ["conv1", "conv2", "conv3"]
    for block in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"):
        branches = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
        units += [f"inception{block}.{branch}" for branch in branches]
    yield from (f"{unit}.{part}" for unit in units for part in ("conv", "bn"))
    yield "fc"


def _resnet(blocks: tuple[int, ...], convolutions: int) -> Iterator[str]:
    yield from ("conv1", "bn1")
    for stage, count in enumerate(blocks, 1):
        for i in range(count):
            block = f"layer{stage}.{i}"
            for k in range(1, convolutions + 1):
                yield from (f"{block}.conv{k}", f"{block}.bn{k}")
            if i == 0 and (stage > 1 or convolutions == 3):
                yield from (f"{block}.downsample.0", f"{block}.downsample.1")
    yield "fc"


def _squeezenet() -> Iterator[str]:
    yield "features.0"
    for i in (3, 4, 5, 7, 8, 9, 10, 12):
        yield from (f"features.{i}.{part}" for part in ("squeeze", "expand1x1", "expand3x3"))
    yield "classifier.1"


VGG19 = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)
NAMES: dict[str, Callable[[], Iterator[str]]] = {
    "alexnet": lambda: _sequential((0, 3, 6, 8, 10), (1, 4, 6)),
    "vgg19": lambda: _sequential(VGG19, (0, 3, 6)),
    "googlenet": _googlenet,
    "resnet18": lambda: _resnet((2, 2, 2, 2), 2),
    "resnet50": lambda: _resnet((3, 4, 6, 3), 3),
    "squeezenet": _squeezenet,
}


def torch_names(network: str) -> tuple[str, ...]:
    """Lists the names of a published network's layers with weights, in the order of `CNN.layers`.

    Args:
        network: one of `jaxnets.models.published.NETWORKS`.

    Raises:
        ValueError: no such network; the nearest name is suggested.

    Example:
        >>> len(torch_names("alexnet"))
        8
    """
    checks.require_known([network], NAMES, "network")
    return tuple(NAMES[network]())
