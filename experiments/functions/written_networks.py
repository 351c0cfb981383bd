"""Numbers and formulas of networks: weights, layers as matrices, Jacobians, memory of a step."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, ShapeDtypeStruct, lax

from jaxnets import MLP, Objective
from jaxnets.activations import get_activation
from jaxnets.analysis import linear_regions
from jaxnets.backprop.mlp import forward
from jaxnets.models.mlp import compact, count_parameters

NETWORKS = {
    "1 x 100": (100,),
    "1 x 125": (125,),
    "2 x 10": (10, 10),
    "2 x 20": (20, 20),
    "3 x 14": (14, 14, 14),
    "3 x 15": (15, 15, 15),
    "3 x 19": (19, 19, 19),
    "10/20/10": (10, 20, 10),
}
"""The slides' networks from the plane to one number."""
RESIDUAL = MLP((10, 20, 10, 10), residual=True)
"""The slide's 10/20/10/10: only its last hidden layer is as wide as its input."""
DIGITS = MLP((16, 16), outputs=10, activation="sigmoid")
SMOOTH = ("tanh", "sigmoid", "relu", "softplus")
"""The activations of which the Jacobians are compared."""


def count(model: MLP, features: int = 2) -> int:
    """Counts the weights and biases of a network."""
    x = ShapeDtypeStruct((1, features), jnp.float32)
    return count_parameters(jax.eval_shape(model.init, jax.random.key(0), x))


def draw(model: MLP, features: int, random: np.random.Generator) -> Any:
    """Draws weights and biases, none of which is 0."""
    x = ShapeDtypeStruct((1, features), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    return jax.tree.map(lambda leaf: jnp.asarray(random.normal(size=leaf.shape) / 2), shapes)


def relative(found: Any, expected: Any) -> float:
    """Computes the largest difference over the largest number that is expected."""
    expected = np.asarray(expected)
    return float(np.abs(np.asarray(found) - expected).max() / np.abs(expected).max())


def compact_errors(random: np.random.Generator, samples: int) -> np.ndarray:
    """Compares `[W | b] [x; 1]` with `W x + b`, `[layers]`, in a network of two hidden layers."""
    model = MLP((20, 20))
    params = draw(model, 2, random)
    _, traces = forward(model, params, jnp.asarray(random.normal(size=(samples, 2))))
    layers = [params["params"][name] for name in ("hidden_0", "hidden_1", "output")]
    return np.asarray(
        [
            relative(compact(layer) @ np.vstack([trace.x, np.ones(samples)]), trace.s)
            for layer, trace in zip(layers, traces, strict=True)
        ]
    )


def linear_errors(random: np.random.Generator, samples: int) -> np.ndarray:
    """Compares networks of 1 to 4 affine layers with the one affine map that they are, `[4]`."""
    return np.asarray([_linear_error(random, samples, (7, 5, 6)[:n]) for n in range(4)])


def _linear_error(random: np.random.Generator, samples: int, widths: tuple[int, ...]) -> float:
    model = MLP(widths, outputs=2, activation="identity")
    params = draw(model, 3, random)
    x = random.normal(size=(samples, 3))

    def after(first: linear_regions.Layer, second: linear_regions.Layer) -> linear_regions.Layer:
        return second[0] @ first[0], second[0] @ first[1] + second[1]

    weight, bias = reduce(after, linear_regions.layers_of(params))
    return relative(model.apply(params, jnp.asarray(x)), x @ weight.T + bias)


def residual_error(random: np.random.Generator, samples: int) -> float:
    """Compares the residual network with its formula in NumPy."""
    params = draw(RESIDUAL, 2, random)
    x = random.normal(size=(samples, 2))
    *plain, (last, shift), (readout, offset) = linear_regions.layers_of(params)
    h = reduce(lambda h, layer: np.tanh(h @ layer[0].T + layer[1]), plain, x)
    h = h + np.tanh(h @ last.T + shift)
    return relative(RESIDUAL.apply(params, jnp.asarray(x)), h @ readout.T + offset)


def jacobians(random: np.random.Generator, samples: int) -> dict[str, np.ndarray]:
    """Compares the product of the layers' Jacobians with those by JAX.

    Returns `reverse` and `forward [activations]`, and `reversed`: how far the product in L2's
    order is off, which exists for layers of one width only.
    """
    rows = [_jacobian_errors(name, random, samples, (6, 5, 4)) for name in SMOOTH]
    square = [_jacobian_errors(name, random, samples, (3, 3), 3) for name in SMOOTH]
    reverse, forwards = np.asarray([row[:2] for row in rows]).T
    return {
        "reverse": reverse,
        "forward": forwards,
        "reversed": np.asarray([row[2] for row in square]),
    }


def _jacobian_errors(
    name: str, random: np.random.Generator, samples: int, widths: tuple[int, ...], features: int = 7
) -> tuple[float, float, float]:
    model = MLP(widths, outputs=3, activation=name)
    params = draw(model, features, random)
    x = jnp.asarray(random.normal(size=(samples, features)))
    factors = layer_jacobians(model, params, x)

    def network(x: Array) -> Array:
        return model.apply(params, x[None])[0]

    by_reverse, by_forward = (jax.vmap(mode(network))(x) for mode in (jax.jacrev, jax.jacfwd))
    found = reduce(np.matmul, reversed(factors))
    wrong = np.nan if len(set(widths)) > 1 else relative(reduce(np.matmul, factors), by_reverse)
    return relative(found, by_reverse), relative(found, by_forward), wrong


def layer_jacobians(model: MLP, params: Any, x: Array) -> list[np.ndarray]:
    """Computes `diag(sigma'(s)) W` of each layer, `[samples, out, in]`; the output layer's is W."""
    _, traces = forward(model, params, x)
    *hidden, (last, _) = linear_regions.layers_of(params)
    slope = get_activation(model.activation).df
    factors = [
        np.asarray(slope(trace.s, trace.value)).T[:, :, None] * weight
        for trace, (weight, _) in zip(traces, hidden, strict=False)
    ]
    return [*factors, np.broadcast_to(last, (len(x), *last.shape))]


def memory(sizes: tuple[int, ...], batch_size: int) -> dict[str, np.ndarray]:
    """Returns the bytes that the gradient of N samples allocates beside samples and weights.

    `full [sizes]` for all samples at once, `batches [sizes]` for L2's sum over mini-batches. It is
    what XLA plans for the compiled program, which is not run.
    """
    model = MLP((100,), outputs=10, activation="relu")
    objective = Objective(model, "softmax_cross_entropy")

    def gradient(params: Any, data: Any) -> Any:
        return jax.grad(lambda params: objective(params, data)[0])(params)

    def accumulate(params: Any, data: Any) -> Any:
        def add(total: Any, part: Any) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, gradient(params, part)), None

        parts = jax.tree.map(lambda a: a.reshape(-1, batch_size, *a.shape[1:]), data)
        return lax.scan(add, jax.tree.map(jnp.zeros_like, params), parts)[0]

    params = jax.eval_shape(model.init, jax.random.key(0), ShapeDtypeStruct((1, 784), jnp.float32))
    return {
        "full": np.asarray([_planned(gradient, params, n) for n in sizes]),
        "batches": np.asarray([_planned(accumulate, params, n) for n in sizes]),
    }


def _planned(step: Callable, params: Any, samples: int) -> float:
    data = {
        "x": ShapeDtypeStruct((samples, 784), jnp.float32),
        "y": ShapeDtypeStruct((samples,), jnp.int32),
    }
    plan = jax.jit(step).lower(params, data).compile().memory_analysis()
    return float(plan.temp_size_in_bytes)
