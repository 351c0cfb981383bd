"""Classification of images with a convolutional network."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import numpy as np
import optax
from jax import Array

from jaxnets.activations import Activation
from jaxnets.estimator.classifier import Classifier
from jaxnets.estimator.inputs import readable
from jaxnets.estimator.network import own_name
from jaxnets.host import checks
from jaxnets.models import CNN, Activate, Conv, Dense, MaxPool

MAPS = (16, 32)
"""Of the convolutions, unless layers are given."""


class CNNClassifier(Classifier):
    """Classifies images with a convolutional network that minimises the softmax cross entropy.

    Images are `[samples, rows, columns]` or `[samples, rows, columns, channels]`, or flat columns
    with an `image_shape`. Pixels of type uint8 are divided by 255; others should be about as large.

    Args:
        layers: Flax modules such as those of `jaxnets.models`, up to the outputs: a dense layer
            with one output a class follows. By default two convolutions of 3 x 3, to 16 and 32
            maps, each with the activation and max pooling of 2 x 2.
        image_shape: `(rows, columns)` or `(rows, columns, channels)` of a sample of flat columns,
            of which one may be -1, as in `numpy.reshape`.
        activation: of the default layers, a name in `jaxnets.ACTIVATIONS` or of scikit-learn, or an
            `Activation`.
        learning_rate: passed to `optimizer`.
        epochs: passes over the training samples, at most.
        batch_size: samples per step; None, or more than there are, for all of them.
        l2: the coefficient of the sum of squared weights, added to the mean loss.
        optimizer: builds any optax optimizer from a `learning_rate`.
        class_weight: as for `MLPClassifier`, as are the next six.
        early_stopping: whether to end when the accuracy on held-out samples gets no better.
        validation_fraction: of the samples, held out.
        n_iter_no_change: the patience of early stopping.
        tol: by how much an accuracy must be better.
        warm_start: whether `fit` begins with the params of the last call.
        verbose: whether to show a bar with the newest metrics.
        random_state: decides the first weights, the batches and the held-out samples.

    Attributes:
        image_shape_: `(rows, columns, channels)` of a sample.
        n_features_in_: their product.
        classes_, history_, loss_curve_, validation_scores_, model_, params_, n_iter_: as for
            `MLPClassifier`.

    Examples:
        >>> from sklearn.datasets import load_digits
        >>> from jaxnets.estimator import CNNClassifier
        >>> digits = load_digits()
        >>> images, y = digits.images / 16, digits.target
        >>> net = CNNClassifier(learning_rate=0.003, epochs=5, random_state=0)
        >>> net.fit(images, y).score(images, y) > 0.9
        True

    See Also:
        MLPClassifier: a network for tables.
        jaxnets.CNN: the network itself.
    """

    def __init__(
        self,
        layers: Sequence[nn.Module] | None = None,
        *,
        image_shape: Sequence[int] | None = None,
        activation: str | Activation = "relu",
        learning_rate: float = 1e-3,
        epochs: int = 20,
        batch_size: int | None = 64,
        l2: float = 0.0,
        optimizer: Callable[..., optax.GradientTransformation] = optax.adam,
        class_weight: str | Mapping[Any, float] | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.0,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        verbose: bool = False,
        random_state: int | np.random.RandomState | None = None,
    ):
        self._assign(locals())

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Any, np.ndarray]:
        if first:
            self.image_shape_ = self._shape(readable(X, "X"))
        return super()._checked(X, y, first)

    def _shape(self, x: Any) -> tuple[int, ...]:
        """Finds rows, columns and channels of the images."""
        given = np.shape(x)[1:]
        if len(given) < 2 and self.image_shape is None and given:
            raise ValueError(
                f"X has shape {np.shape(x)}: give images [samples, rows, columns], or image_shape, "
                "the rows and columns of a sample"
            )
        if self.image_shape is None:
            return _with_channels(given)
        shape = checks.as_counts([abs(n) for n in _sizes(self.image_shape)], "image_shape")
        pixels, known = math.prod(given), math.prod(shape)
        if -1 in self.image_shape and pixels % known == 0:
            shape = tuple(pixels // known if n == -1 else n for n in self.image_shape)
        shape, flat = _with_channels(shape), len(given) < 2
        if given and (math.prod(shape) != pixels or not (flat or _with_channels(given) == shape)):
            raise ValueError(f"image_shape is {self.image_shape}, but a sample has shape {given}")
        return shape

    def _columns(self, x: Any) -> Any:
        shape = np.shape(x)[1:]
        if len(shape) > 1 and _with_channels(shape) != self.image_shape_:
            raise ValueError(f"images have shape {shape}; those of fit had {self.image_shape_}")
        if _has_pixels(x):
            x = x / np.float32(255)
        return x.reshape(len(x), -1) if len(shape) > 1 else x

    def _inputs(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(-1, *self.image_shape_)

    def _model(self, outputs: int) -> CNN:
        layers: Any = self.layers
        if layers is None:
            layers = _default_layers(self.image_shape_, own_name(self.activation))
        return CNN((*CNN(layers).layers, _Flat(), Dense(outputs, "lecun")))


class _Flat(nn.Module):
    """Flattens maps; columns stay."""

    def __call__(self, x: Array) -> Array:
        return x.reshape(len(x), -1)


def _has_pixels(x: Any) -> bool:
    """Whether an array, or every column of a table, is of uint8."""
    kinds = x.dtypes if hasattr(x, "columns") else [getattr(x, "dtype", None)]
    return all(kind == np.uint8 for kind in kinds)


def _sizes(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, Sequence) or len(shape) not in (2, 3):
        raise ValueError(
            f"image_shape is {shape!r}; it must be (rows, columns) or (rows, columns, channels)"
        )
    if list(shape).count(-1) > 1:
        raise ValueError(f"image_shape is {shape}; only one entry may be -1")
    return tuple(shape)


def _with_channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(shape) > 3:
        raise ValueError(f"a sample has shape {shape}; an image is [rows, columns, channels]")
    return (*shape, 1) if len(shape) == 2 else shape


def _default_layers(shape: tuple[int, ...], activation: Any) -> list[nn.Module]:
    """Builds convolutions with pooling, as long as there are two rows or columns to pool."""
    layers: list[nn.Module] = []
    rows, columns = shape[:2]
    for maps in MAPS:
        window = min(rows, 2), min(columns, 2)
        layers += [Conv(maps, 3, padding="SAME"), Activate(activation), MaxPool(window)]
        rows, columns = rows // window[0], columns // window[1]
    return layers
