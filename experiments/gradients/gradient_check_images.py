"""Image networks for the gradient check: gradients by hand, and differences away from kinks.

`jax.grad` of a `CNN` runs the functions of its backward pass by hand (`jaxnets.ops`), so it is
compared with that of the same network in Flax (`flax_reference`).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.flatten_util import ravel_pytree

from jaxnets import backprop
from jaxnets.activations import get_activation
from jaxnets.models import CNN, BatchNorm, layers, lenet5, residual_cnn, small_cnn
from jaxnets.objective import Batch, Objective, Params

from .flax_reference import flax_maps, max_pool, merged, reference


def parallel_cnn() -> CNN:
    """Builds a small network with the layers of GoogLeNet and ResNet."""
    branches = (
        (layers.Conv(6, 1), layers.Activate("relu")),
        (layers.Conv(6, 3, padding="SAME", bias=False), BatchNorm(1e-3), layers.Activate("relu")),
        (layers.MaxPool(3, 1, "SAME"), layers.Conv(4, 1)),
    )
    first = (layers.Conv(8, 5, 2, bias=False), BatchNorm(), layers.Activate("relu"))
    last = (layers.GlobalAverage(), layers.Dense(CLASSES, "lecun"))
    return CNN((*first, layers.Parallel(branches), *last))


def batch_norm_cnn() -> CNN:
    """Builds a small residual network that normalises by the batch."""
    block = (
        layers.Conv(8, 3, padding="SAME", bias=False),
        BatchNorm(1e-3),
        layers.Activate("relu"),
    )
    first = (layers.Conv(8, 5, 2, bias=False), BatchNorm(), layers.Activate("relu"))
    last = (layers.GlobalAverage(), layers.Dense(CLASSES, "lecun"))
    return CNN((*first, layers.Residual(block), *last))


NETWORKS: dict[str, Callable[[], CNN]] = {
    "lenet5": lenet5,
    "small_cnn": small_cnn,
    "residual_cnn": residual_cnn,
    "parallel_cnn": parallel_cnn,
    "batch_norm_cnn": batch_norm_cnn,
}
IN_TRAINING = ("batch_norm_cnn",)
"""Networks that get a key, as in training; the others normalise by running statistics."""
LOSS, CLASSES = "softmax_cross_entropy", 10
IMAGES = (4, 28, 28, 1)
DIRECTIONS, SINGLES = 16, 8
"""Random directions over all parameters, and single parameters of every leaf."""
DRAWS = 10
"""At most this many times the wanted directions, or networks, are drawn."""


def key_of(name: str) -> Array | None:
    """The key with which the objective of a network is called."""
    return jax.random.key(0) if name in IN_TRAINING else None


def facts(name: str) -> dict[str, Any]:
    """Describes a network in the columns of the others; depth counts hidden layers with weights."""
    chain = NETWORKS[name]().layers
    activation = next(layer for layer in chain if isinstance(layer, layers.Activate)).activation
    return {
        "depth": _weight_layers(chain) - 1,
        "loss": LOSS,
        "model": name,
        "activation": str(activation),
    }


def _weight_layers(chain: Sequence[nn.Module]) -> int:
    return sum(
        _weight_layers(getattr(layer, "layers", None) or layer.branches[0])
        if isinstance(layer, layers.Residual | layers.Parallel)
        else isinstance(layer, layers.Conv | layers.Dense)
        for layer in chain
    )


def draw(model: CNN, choice: np.random.Generator) -> tuple[Params, Batch]:
    """Draws weights of variance 1 / fan-in, standard normal biases, scales and pixels, labels.

    Variances of batch normalisation are squares of such numbers, and a half.
    """

    def leaf(path: Any, shape: Any) -> np.ndarray:
        value = choice.standard_normal(shape.shape) / np.sqrt(_fan_in(shape.shape))
        return 0.5 + value**2 if path[-1].key == "var" else value

    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros(IMAGES))
    params = jax.tree_util.tree_map_with_path(leaf, shapes)
    x, y = choice.standard_normal(IMAGES), choice.integers(0, CLASSES, IMAGES[0])
    return jax.tree.map(jnp.asarray, (params, {"x": x, "y": y}))


def _fan_in(shape: tuple[int, ...]) -> int:
    return {1: 1, 2: shape[-1], 4: int(np.prod(shape[:-1]))}[len(shape)]


@partial(jax.jit, static_argnums=0)
def gradients(
    model: CNN, params: Params, batch: Batch, key: Array | None = None
) -> tuple[Array, Array, Array]:
    """Computes the gradient by hand and that of the reference, and whether a kink is between.

    Rounding may change a ReLU's sign or a pooling's winner from one network to the other: then the
    two gradients, which are vectors, differ and both are correct.
    """
    _, by_hand = backprop.value_and_grad(Objective(model, LOSS))(params, batch, key)

    def loss(params: Params) -> Array:
        outputs = reference(model, seen(params, key), batch["x"])
        return optax.softmax_cross_entropy_with_integer_labels(outputs, batch["y"]).mean()

    ways = (partial(own_maps, training=key is not None), flax_maps)
    apart = _differ(*(pattern(maps, model, seen(params, key), batch["x"]) for maps in ways))
    return ravel_pytree(by_hand)[0], ravel_pytree(jax.grad(loss)(params))[0], apart


def seen(params: Params, key: Array | None) -> Params:
    """The variables on which the outputs depend: in training, none of the running statistics."""
    return params if key is None else {"params": params["params"]}


def directional_derivatives(
    model: CNN,
    params: Params,
    batch: Batch,
    grads: Sequence[Array],
    step: float,
    choice: np.random.Generator,
    key: Array | None = None,
) -> tuple[np.ndarray, int]:
    """Computes derivatives along unit vectors `[directions, 1 + grads]`: central, then by `grads`.

    The second value counts the directions drawn again because a kink was between the two points.

    Raises:
        RuntimeError: too many kinks for this step.
    """
    rows: list[list[float]] = []
    crossed = 0
    vectors = [np.asarray(grad) for grad in grads]
    for directions, n in _candidates(params, choice):
        wanted = len(rows) + n
        for direction in directions:
            value, kink = jax.device_get(difference(model, params, batch, direction, step, key))
            if kink:
                crossed += 1
                continue
            rows.append([value, *(vector @ direction for vector in vectors)])
            if len(rows) == wanted:
                break
        else:
            raise RuntimeError(f"kinks within {step} in nearly every direction: use a smaller step")
    return np.asarray(rows), crossed


def _candidates(
    params: Params, choice: np.random.Generator
) -> Iterator[tuple[Iterator[np.ndarray], int]]:
    """Directions to try and how many of them are wanted: of all parameters, then of each leaf.

    A leaf's are single parameters and, if they do not suffice, random directions of them all.
    Statistics of batch normalisation are no parameters: no direction changes them.
    """
    leaves = jax.tree.leaves_with_path(params)
    sizes = [leaf.size for _, leaf in leaves]
    trained = [path[0].key == "params" for path, _ in leaves]
    total, free = sum(sizes), np.repeat(trained, sizes)
    yield (_random_unit(free, choice) for _ in range(DRAWS * DIRECTIONS)), DIRECTIONS
    for end, size, is_trained in zip(np.cumsum(sizes), sizes, trained, strict=True):
        if not is_trained:
            continue
        yield _in_leaf(total, range(end - size, end), choice), min(SINGLES, size)


def _in_leaf(total: int, places: range, choice: np.random.Generator) -> Iterator[np.ndarray]:
    for i in choice.permutation(len(places))[: DRAWS * SINGLES]:
        yield _axis(total, places[i])
    free = np.isin(np.arange(total), places)
    for _ in range(DRAWS * SINGLES):
        yield _random_unit(free, choice)


def _random_unit(free: np.ndarray, choice: np.random.Generator) -> np.ndarray:
    direction = choice.standard_normal(len(free)) * free
    return direction / np.linalg.norm(direction)


def _axis(n: int, place: int) -> np.ndarray:
    direction = np.zeros(n)
    direction[place] = 1
    return direction


@partial(jax.jit, static_argnums=0)
def difference(
    model: CNN,
    params: Params,
    batch: Batch,
    direction: Array,
    step: float,
    key: Array | None = None,
) -> tuple[Array, Array]:
    """Computes `(E(w + h v) - E(w - h v)) / 2h`, and whether a kink lies between the points."""
    w, unravel = ravel_pytree(params)
    ends = [unravel(w + h * direction) for h in (step, -step)]
    ahead, behind = (Objective(model, LOSS)(end, batch, key)[0] for end in ends)
    maps = partial(own_maps, training=key is not None)
    kink = _differ(*(pattern(maps, model, seen(end, key), batch["x"]) for end in ends))
    return (ahead - behind) / (2 * step), kink


def _differ(one: list[Array], other: list[Array]) -> Array:
    changes = [jnp.any(a != b) for a, b in zip(one, other, strict=True)]
    return jnp.any(jnp.asarray(changes, bool))


Maps = Callable[[Sequence[nn.Module], Any, Array, str], list[Array]]
"""`(layers, params, x, name) -> values of all layers`, with `params[f"{name}_{i}"]` of layer i."""


def pattern(maps: Maps, model: CNN, params: Params, x: Array) -> list[Array]:
    """Computes the linear piece of every ReLU and max pooling, also of layers within layers."""
    return _pattern(maps, model.layers, merged(*params.values()), x, "layers")


def _pattern(
    maps: Maps, chain: Sequence[nn.Module], params: Any, x: Array, name: str
) -> list[Array]:
    if not chain:
        return []
    pieces = []
    inputs = [x, *maps(chain, params, x, name)[:-1]]
    for i, (layer, value) in enumerate(zip(chain, inputs, strict=False)):
        if isinstance(layer, layers.Residual):
            inner = params.get(f"{name}_{i}", {})
            pieces += _pattern(maps, layer.layers, inner, value, "layers")
            pieces += _pattern(maps, layer.shortcut, inner, value, "shortcut")
        elif isinstance(layer, layers.Parallel):
            inner = params.get(f"{name}_{i}", {})
            for j, branch in enumerate(layer.branches):
                pieces += _pattern(maps, branch, inner, value, f"branches_{j}")
        elif isinstance(layer, layers.MaxPool):
            pieces.append(_winners(layer, value))
        elif isinstance(layer, layers.Activate) and _has_kink(layer):
            pieces.append(value > 0)
    return pieces


def _has_kink(layer: layers.Activate) -> bool:
    return get_activation(layer.activation).smoothness == 0


def _winners(layer: layers.MaxPool, x: Array) -> Array:
    """The number of windows in which each entry is the largest."""
    return jax.grad(lambda x: max_pool(layer, {}, x).sum())(x)


def own_maps(
    chain: Sequence[nn.Module], params: Any, x: Array, name: str, training: bool = False
) -> list[Array]:
    """Computes the values of our layers; each takes what it needs from either collection."""
    named = {f"layers_{i}": params.get(f"{name}_{i}", {}) for i in range(len(chain))}
    variables = {"params": named, "batch_stats": named}
    if not training:
        return CNN(tuple(chain)).apply(variables, x, method="maps")
    return CNN(tuple(chain)).apply(variables, x, method="maps", mutable=["batch_stats"])[0]
