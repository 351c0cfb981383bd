"""Published networks for ImageNet's 1,000 classes, as chains of layers (row C6; L2, L4).

Each takes images `[batch, rows, columns, 3]`, and is the network whose weights PyTorch's model zoo
has: `jaxnets.weights` reads them. `NETWORKS` has the published counts and the size of the images.
"""

from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn

from jaxnets.models.cnn import CNN
from jaxnets.models.layers import (
    Activate,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAverage,
    MaxPool,
    Parallel,
    Residual,
)
from jaxnets.models.normalisation import BatchNorm
from jaxnets.ops.windows import Padding

CLASSES = 1000
Layers = tuple[nn.Module, ...]


def _around(size: int) -> Padding:
    """The padding with which stride 1 leaves rows and columns as they are."""
    return (size // 2, size // 2), (size // 2, size // 2)


def _conv(features: int, size: int, strides: int = 1, padding: Padding | None = None) -> Layers:
    """Convolution, then ReLU."""
    around = _around(size) if padding is None else padding
    return Conv(features, size, strides, around), Activate("relu")


def _normalised(features: int, size: int, strides: int = 1, epsilon: float = 1e-5) -> Layers:
    """Convolution without a bias, then batch normalisation."""
    return Conv(features, size, strides, _around(size), bias=False), BatchNorm(epsilon)


def alexnet(outputs: int = CLASSES) -> CNN:
    """Builds AlexNet with one tower, 61,100,840 parameters (Krizhevsky, 2014; row C6).

    Five convolutions and three dense layers, for images of 224 x 224. The network of 2012 divides
    its maps into two groups, one a GPU, and normalises across channels.
    """
    return CNN(
        (
            *(*_conv(64, 11, 4, ((2, 2), (2, 2))), MaxPool(3, 2)),
            *(*_conv(192, 5), MaxPool(3, 2)),
            *(*_conv(384, 3), *_conv(256, 3), *_conv(256, 3), MaxPool(3, 2)),
            Flatten(),
            *(Dropout(0.5), Dense(4096), Activate("relu")),
            *(Dropout(0.5), Dense(4096), Activate("relu")),
            Dense(outputs, "lecun"),
        )
    )


VGG19 = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Maps and convolutions between two poolings."""


def vgg19(outputs: int = CLASSES) -> CNN:
    """Builds VGG-19, 143,667,240 parameters (Simonyan and Zisserman, 2015, configuration E).

    Sixteen convolutions of 3 x 3 in five blocks, each halved by max pooling, and three dense
    layers, for images of 224 x 224.
    """
    layers: list[nn.Module] = []
    for features, convolutions in VGG19:
        for _ in range(convolutions):
            layers += _conv(features, 3)
        layers.append(MaxPool(2))
    return CNN(
        (
            *layers,
            Flatten(),
            *(Dense(4096), Activate("relu"), Dropout(0.5)),
            *(Dense(4096), Activate("relu"), Dropout(0.5)),
            Dense(outputs, "lecun"),
        )
    )


class Widths(NamedTuple):
    """The maps of an Inception module's branches."""

    one: int
    three_before: int
    three: int
    five_before: int
    five: int
    pooled: int


INCEPTIONS = (
    (Widths(64, 96, 128, 16, 32, 32), Widths(128, 128, 192, 32, 96, 64)),
    (
        Widths(192, 96, 208, 16, 48, 64),
        Widths(160, 112, 224, 24, 64, 64),
        Widths(128, 128, 256, 24, 64, 64),
        Widths(112, 144, 288, 32, 64, 64),
        Widths(256, 160, 320, 32, 128, 128),
    ),
    (Widths(256, 160, 320, 32, 128, 128), Widths(384, 192, 384, 48, 128, 128)),
)
"""Modules between two poolings."""


def googlenet(outputs: int = CLASSES) -> CNN:
    """Builds GoogLeNet with batch normalisation, 6,624,904 parameters (Szegedy et al., 2015).

    Nine Inception modules: 1 x 1, 3 x 3 and two times 3 x 3 after 1 x 1, and pooling, side by side.
    As PyTorch has it: 3 x 3 in place of 5 x 5, normalisation after every convolution, and none of
    the auxiliary classifiers. Images of 224 x 224.
    """
    first = (*_inception_unit(64, 7, 2), MaxPool(3, 2, "SAME"))
    second = (*_inception_unit(64, 1), *_inception_unit(192, 3), MaxPool(3, 2, "SAME"))
    blocks = [[_inception(widths) for widths in block] for block in INCEPTIONS]
    return CNN(
        (
            *first,
            *second,
            *(*blocks[0], MaxPool(3, 2, "SAME")),
            *(*blocks[1], MaxPool(2)),
            *blocks[2],
            *(GlobalAverage(), Dropout(0.2), Dense(outputs, "lecun")),
        )
    )


def _inception_unit(features: int, size: int, strides: int = 1) -> Layers:
    return *_normalised(features, size, strides, epsilon=1e-3), Activate("relu")


def _inception(widths: Widths) -> Parallel:
    return Parallel(
        (
            _inception_unit(widths.one, 1),
            (*_inception_unit(widths.three_before, 1), *_inception_unit(widths.three, 3)),
            (*_inception_unit(widths.five_before, 1), *_inception_unit(widths.five, 3)),
            (MaxPool(3, 1, _around(3)), *_inception_unit(widths.pooled, 1)),
        )
    )


def resnet18(outputs: int = CLASSES) -> CNN:
    """Builds ResNet-18, 11,689,512 parameters (He et al., 2016; row C6).

    Four stages of two blocks of two convolutions of 3 x 3, for images of 224 x 224.
    """
    return _resnet((2, 2, 2, 2), _basic, 1, outputs)


def resnet50(outputs: int = CLASSES) -> CNN:
    """Builds ResNet-50, 25,557,032 parameters (He et al., 2016; row C6).

    Four stages of 3, 4, 6 and 3 blocks of 1 x 1, 3 x 3 and 1 x 1 to four times as many maps. The
    stride is that of the 3 x 3 convolution, as in PyTorch, not of the first. Images of 224 x 224.
    """
    return _resnet((3, 4, 6, 3), _bottleneck, 4, outputs)


def _resnet(
    blocks: tuple[int, ...], build: Callable[[int, int], Layers], expansion: int, outputs: int
) -> CNN:
    layers = [*_normalised(64, 7, 2), Activate("relu"), MaxPool(3, 2, _around(3))]
    inputs = 64
    for stage, count in enumerate(blocks):
        for i in range(count):
            features, strides = 64 * 2**stage, 2 if stage and not i else 1
            reshapes = strides > 1 or inputs != features * expansion
            shortcut = _normalised(features * expansion, 1, strides) if reshapes else ()
            layers += [Residual(build(features, strides), shortcut), Activate("relu")]
            inputs = features * expansion
    return CNN((*layers, GlobalAverage(), Dense(outputs, "lecun")))


def _basic(features: int, strides: int) -> Layers:
    first = (*_normalised(features, 3, strides), Activate("relu"))
    return *first, *_normalised(features, 3)


def _bottleneck(features: int, strides: int) -> Layers:
    first = (*_normalised(features, 1), Activate("relu"))
    second = (*_normalised(features, 3, strides), Activate("relu"))
    return *first, *second, *_normalised(4 * features, 1)


FIRES = (
    ((16, 64), (16, 64), (32, 128)),
    ((32, 128), (48, 192), (48, 192), (64, 256)),
    ((64, 256),),
)
"""Maps of a Fire module, squeezed and in each of its branches, between two poolings."""


def squeezenet(outputs: int = CLASSES) -> CNN:
    """Builds SqueezeNet 1.0, 1,248,424 parameters (Iandola et al., 2016; row C6).

    Eight Fire modules, 1 x 1 then 1 x 1 and 3 x 3 side by side, and no dense layer: the scores are
    means over all positions. Images of 227 x 227. The last convolution pads by 1, as in the
    authors' own files, so that the scores average a border of biases too.
    """
    blocks = [tuple(layer for widths in block for layer in _fire(*widths)) for block in FIRES]
    return CNN(
        (
            *(*_conv(96, 7, 2, "VALID"), MaxPool(3, 2)),
            *(*blocks[0], MaxPool(3, 2)),
            *(*blocks[1], MaxPool(3, 2)),
            *(*blocks[2], Dropout(0.5)),
            *(*_conv(outputs, 1, padding=((1, 1), (1, 1))), GlobalAverage()),
        )
    )


def _fire(squeezed: int, expanded: int) -> Layers:
    return *_conv(squeezed, 1), Parallel((_conv(expanded, 1), _conv(expanded, 3)))


class Published(NamedTuple):
    """A published network."""

    build: Callable[[], CNN]
    parameters: int
    """As published; statistics of batch normalisation do not count."""
    side: int
    """Rows and columns of its images."""


NETWORKS = {
    "alexnet": Published(alexnet, 61_100_840, 224),
    "vgg19": Published(vgg19, 143_667_240, 224),
    "googlenet": Published(googlenet, 6_624_904, 224),
    "resnet18": Published(resnet18, 11_689_512, 224),
    "resnet50": Published(resnet50, 25_557_032, 224),
    "squeezenet": Published(squeezenet, 1_248_424, 227),
}
