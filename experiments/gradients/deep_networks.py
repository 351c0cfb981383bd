"""Networks of many equal layers, run by one scan, whose deltas can be read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

import jaxnets as jn
from jaxnets.data import Dataset, load
from jaxnets.losses import get_loss
from jaxnets.models.mlp import affine
from jaxnets.objective import metrics_of

LOSS, CLASSES = "softmax_cross_entropy", 10
UNITS: dict[str, Callable[[Array, Array], Array]] = {
    "sigmoid": lambda s, h: jax.nn.sigmoid(s),
    "tanh": lambda s, h: jnp.tanh(s),
    "relu": lambda s, h: jax.nn.relu(s),
    "residual": lambda s, h: h + jax.nn.relu(s),
}
"""A layer's value from its pre-activation and its input."""
DEVIATIONS: dict[str, Callable[[int, int], float]] = {
    "small": lambda fan_in, fan_out: 0.05,
    "Glorot": lambda fan_in, fan_out: (2 / (fan_in + fan_out)) ** 0.5,
    "He": lambda fan_in, fan_out: (2 / fan_in) ** 0.5,
}
"""The deviation of the hidden layers' weights."""


def draw(
    choice: np.random.Generator, networks: int, layers: int, width: int, features: int
) -> dict[str, np.ndarray]:
    """Draws parameters `[networks, ...]`: standard normal hidden weights `[out, in]`, zero biases.

    The output's weights have their final deviation, `1 / sqrt(width)`.
    """
    return {
        "first": choice.normal(size=(networks, width, features)),
        "hidden": choice.normal(size=(networks, layers - 1, width, width)),
        "output": choice.normal(size=(networks, CLASSES, width)) / width**0.5,
        "biases": np.zeros((networks, layers, width)),
        "last_bias": np.zeros((networks, CLASSES)),
    }


def scale(params: dict[str, Array], deviations: Array) -> dict[str, Array]:
    """Scales drawn weights to the deviations `[2]`: of the first layer, and of the others."""
    first, hidden = deviations[0] * params["first"], deviations[1] * params["hidden"]
    return params | {"first": first, "hidden": hidden}


def load_standardised(name: str, samples: int) -> Dataset:
    """Loads up to `samples` images a part; all training pixels have mean 0 and variance 1."""
    data = load(name)
    mean, std = data.train["x"].mean(), data.train["x"].std()
    parts = ({"x": (part["x"] - mean) / std, "y": part["y"]} for part in data)
    return Dataset(*(jax.tree.map(lambda a: a[:samples], part) for part in parts))


@dataclass(frozen=True, eq=False)
class Deep:
    """Equal hidden layers in one scan, as many as the parameters have."""

    unit: Any
    """The index of a row of `UNITS`; may be traced."""

    def apply(self, params: Any, x: Array, rngs: Any = None) -> Array:
        """Computes the outputs `[batch, classes]` of samples `[batch, features]`."""
        layers, width = params["biases"].shape
        return self.apply_shifted(params, x, jnp.zeros((layers, width, len(x))), layers)

    def apply_shifted(self, params: Any, x: Array, shifts: Array, depth: Array | int) -> Array:
        """Computes the outputs of the first `depth` layers with `shifts [layers, width, batch]`.

        These are added to the pre-activations, so the derivative by them is delta (L0).
        """

        def unit(weight: Array, bias: Array, shift: Array, h: Array, bypass: Array) -> Array:
            s = affine(weight, bias, h) + shift
            return lax.switch(self.unit, tuple(UNITS.values()), s, bypass)

        def layer(h: Array, of: Any) -> tuple[Array, None]:
            index, weight, bias, shift = of
            return jnp.where(index < depth, unit(weight, bias, shift, h, h), h), None

        biases = params["biases"]
        h = unit(params["first"], biases[0], shifts[0], x.T, jnp.zeros_like(shifts[0]))
        rest = (jnp.arange(1, len(biases)), params["hidden"], biases[1:], shifts[1:])
        h, _ = lax.scan(layer, h, rest)
        return affine(params["output"], params["last_bias"], h).T


def deltas(model: Deep, params: Any, batch: dict[str, Any], depth: Array | int) -> Array:
    """Computes the norm of `dE/ds` over a batch in every layer of a network, `[layers]`.

    Layers above `depth` are left out of the network; their norm is 0.
    """

    def objective(shifts: Array) -> Array:
        outputs = model.apply_shifted(params, batch["x"], shifts, depth)
        return get_loss(LOSS).value(outputs, batch["y"]).mean()

    delta = jax.grad(objective)(jnp.zeros((*params["biases"].shape, len(batch["x"]))))
    return jnp.sqrt(jnp.sum(delta**2, axis=(1, 2)))


OPTIMISERS = {"gradient descent": optax.sgd, "Adam": optax.adam}


def clipped_descent(
    learning_rate: Array, norm: Array, optimiser: str = "gradient descent"
) -> optax.GradientTransformation:
    """Builds an optimizer of `OPTIMISERS` for gradients clipped to a global norm."""
    return optax.chain(optax.clip_by_global_norm(norm), OPTIMISERS[optimiser](learning_rate))


def trained_accuracies(
    model: Deep, params: Any, order: Array, tx: optax.GradientTransformation, data: Dataset
) -> Array:
    """Trains on batches of rows `order [steps, batch]`: validation and test accuracy `[2]`."""
    step = jn.make_step(jn.Objective(model, LOSS), tx)
    start = jn.State(params, tx.init(params), jnp.zeros((), jnp.int32), jax.random.key(0))

    def on(state: jn.State, rows: Array) -> tuple[jn.State, None]:
        return step(state, jax.tree.map(lambda a: a[rows], data.train))[0], None

    state, _ = lax.scan(on, start, order)
    parts = (data.valid, data.test)
    outputs = [model.apply(state.params, part["x"]) for part in parts]
    return jnp.stack(
        [
            metrics_of(get_loss(LOSS), out, part["y"])["accuracy"]
            for out, part in zip(outputs, parts, strict=True)
        ]
    )
