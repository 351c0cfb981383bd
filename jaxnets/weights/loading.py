"""Arrays of a weight file as the variables of a network, layer by layer."""

import re
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.models.cnn import CNN
from jaxnets.models.layers import Dense, Flatten, Parallel, Residual
from jaxnets.weights.files import read

Layer = dict[str, np.ndarray]
IGNORED = ("num_batches_tracked",)
"""Parts of a layer that no network here needs."""
AUXILIARY = re.compile(r"(^|\.)aux\d*\.")
"""Classifiers beside GoogLeNet's, which help to train it only."""


def load(
    model: CNN,
    path: str | PathLike[str],
    side: int,
    names: Sequence[str] | None = None,
    *,
    channels: int = 3,
) -> Any:
    """Reads a weight file of PyTorch's layout as the variables of a network (row C6).

    Kernels there are `[out, in, rows, columns]`, and flattened maps have their channels first: the
    columns of the dense layer behind `Flatten` are put in our order.

    Args:
        model: whose layers follow each other as those of the file.
        path: as for `read`.
        side: rows and columns of the images.
        names: of the file's layers, in the order of the network's, such as `torch_names("vgg19")`;
            by default the file's own order, which `.safetensors` does not keep.
        channels: of the images; 1 for levels of grey.

    Returns:
        Variables for `model.apply`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file that cannot be read, that lacks a layer or has one more, or whose arrays
            have other shapes; the layer and both shapes are named.

    Example:
        >>> import tempfile, numpy as np
        >>> from jaxnets.models import CNN, Conv
        >>> path = tempfile.mkdtemp() + "/weights.npz"
        >>> kernel = np.zeros((4, 3, 5, 5), np.float32)  # [out, in, rows, columns], as in PyTorch
        >>> np.savez(path, **{"conv.weight": kernel, "conv.bias": np.zeros(4, np.float32)})
        >>> load(CNN((Conv(4, 5),)), path, side=8)["params"]["layers_0"]["kernel"].shape
        (5, 5, 3, 4)
    """
    if str(path).endswith(".safetensors") and names is None:
        raise ValueError(f"{path} does not keep the order of the layers: pass their names")
    return assign(model, read(path), side, names, channels=channels)


def assign(
    model: CNN,
    arrays: Mapping[str, np.ndarray],
    side: int,
    names: Sequence[str] | None = None,
    *,
    channels: int = 3,
) -> Any:
    """Gives arrays of PyTorch's layout to a network, as `load` does.

    Raises:
        ValueError: layers that do not fit.

    Example:
        >>> import numpy as np
        >>> from jaxnets.models import CNN, Conv
        >>> kernel = np.zeros((4, 3, 5, 5), np.float32)  # [out, in, rows, columns], as in PyTorch
        >>> arrays = {"conv.weight": kernel, "conv.bias": np.zeros(4, np.float32)}
        >>> assign(CNN((Conv(4, 5),)), arrays, side=8)["params"]["layers_0"]["kernel"].shape
        (5, 5, 3, 4)
    """
    groups = _groups(arrays)
    chosen = list(groups) if names is None else list(names)
    _require_same_layers(groups, chosen)
    image = jax.ShapeDtypeStruct((1, side, side, channels), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), image)
    places = list(_places(variables["params"]))
    if len(places) != len(chosen):
        raise ValueError(f"the file has {len(chosen)} layers, the network {len(places)}")
    flat = _flattened(model, image)
    found: dict[str, Any] = {collection: {} for collection in variables}
    for place, name in zip(places, chosen, strict=True):
        value = _converted(name, groups[name], flat.get(place[0]))
        for collection, tree in variables.items():
            expected = _at(tree, place)
            if expected is not None:
                own = {part: value.pop(part) for part in expected if part in value}
                _require_shapes(name, place, expected, own)
                _put(found[collection], place, own)
        if value:
            raise ValueError(f"layer {name!r} of the file has {', '.join(value)} too")
    return jax.tree.map(jnp.asarray, found)


def _groups(arrays: Mapping[str, np.ndarray]) -> dict[str, Layer]:
    """The arrays of each layer: `conv1.weight` is the weight of `conv1`."""
    groups: dict[str, Layer] = {}
    for name, value in arrays.items():
        layer, _, part = name.rpartition(".")
        if part not in IGNORED and not AUXILIARY.search(name):
            groups.setdefault(layer, {})[part] = np.asarray(value)
    return groups


def _require_same_layers(groups: Mapping[str, Layer], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in groups]
    extra = [name for name in groups if name not in set(names)]
    if missing or extra:
        raise ValueError(
            f"the file lacks {', '.join(missing[:5]) or 'nothing'} and has "
            f"{', '.join(extra[:5]) or 'nothing'} besides, of {len(names)} layers"
        )


ORDER = {"layers": 0, "branches": 1, "shortcut": 2}


def _places(tree: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every layer's path in the tree of parameters, in the order of the network."""
    if not any(isinstance(value, Mapping) for value in tree.values()):
        yield place
        return
    for name in sorted(tree, key=_rank):
        yield from _places(tree[name], (*place, name))


def _rank(name: str) -> tuple[int, list[int]]:
    kind, *numbers = name.split("_")
    return ORDER[kind], [int(number) for number in numbers]


def _flattened(model: CNN, image: Any) -> dict[str, tuple[int, ...]]:
    """The maps `[rows, columns, channels]` that are flattened, by the layers that see the columns.

    These are all up to the first dense one.
    """
    found: dict[str, tuple[int, ...]] = {}
    for i, layer in enumerate(model.layers):
        maps = _seen_by(model.layers[:i], image) if isinstance(layer, Flatten) else ()
        if len(maps) != 3 or maps[:2] == (1, 1):
            continue
        for k, later in enumerate(model.layers[i + 1 :], i + 1):
            if isinstance(later, Residual | Parallel):
                raise ValueError(
                    f"layers_{k} of the network has layers within behind Flatten: the columns of "
                    "none but its dense and normalising layers can be put in order"
                )
            found[f"layers_{k}"] = maps
            if isinstance(later, Dense):
                break
    return found


def _seen_by(before: tuple[Any, ...], image: Any) -> tuple[int, ...]:
    """The shape of what comes out of these layers, without the batch."""
    if before:
        image, _ = jax.eval_shape(CNN(before).init_with_output, jax.random.key(0), image)
    return image.shape[1:]


def _converted(name: str, group: Layer, maps: tuple[int, ...] | None) -> Layer:
    """A layer of PyTorch's by our names, its axes in our order."""
    value = dict(group)
    if "running_mean" in value:
        names = {"weight": "scale", "running_mean": "mean", "running_var": "var"}
        return {names.get(part, part): _reordered(array, maps) for part, array in value.items()}
    if "weight" not in value:
        raise ValueError(f"layer {name!r} of the file has {', '.join(value)}, but no weight")
    if value["weight"].ndim == 4:
        return {"kernel": value.pop("weight").transpose(2, 3, 1, 0)} | value
    return {"weight": _reordered(value.pop("weight"), maps)} | value


def _reordered(array: np.ndarray, maps: tuple[int, ...] | None) -> np.ndarray:
    """Columns `[..., features]` of flattened maps with the channels last, where they were first."""
    if maps is None or array.shape[-1] != np.prod(maps):
        return array
    rows, columns, channels = maps
    split = array.reshape(*array.shape[:-1], channels, rows, columns)
    return np.moveaxis(split, -3, -1).reshape(array.shape)


def _require_shapes(
    name: str, place: Sequence[str], expected: Mapping[str, Any], own: Layer
) -> None:
    wanted, have = ({k: v.shape for k, v in tree.items()} for tree in (expected, own))
    if wanted != have:
        raise ValueError(
            f"layer {name!r} of the file has {have}, {'/'.join(place)} of the network {wanted}"
        )


def _at(tree: Any, place: Sequence[str]) -> Any:
    for name in place:
        tree = tree.get(name) if isinstance(tree, Mapping) else None
        if tree is None:
            return None
    return tree


def _put(tree: dict[str, Any], place: Sequence[str], value: Any) -> None:
    for name in place[:-1]:
        tree = tree.setdefault(name, {})
    tree[place[-1]] = value
