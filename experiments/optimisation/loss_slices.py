"""Losses of a linear classifier and of a network along segments, slices and a plane."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jax.flatten_util import ravel_pytree

import jaxnets as jn
from jaxnets.analysis.landscape import Loss, along, excess, filter_normalise
from jaxnets.losses import get_loss
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result

LOSS, FEATURES, CLASSES = "softmax_cross_entropy", 10, 10
NETWORK = jn.MLP((32, 32, 32), CLASSES, "relu")
MODELS = {"linear": jn.MLP((), CLASSES), "network": NETWORK}
LENGTHS, REACHES = (0.01, 1.0), (0.1, 2.0)
"""Lower and upper limits: of segments in distances between two random networks, of slices in norms
to either side of a network."""
NETWORKS = ("network", "trained", "between")
"""Slices of networks: random ones, trained ones, and between two of these."""
AROUND, BEYOND = 1.0, 0.5
"""How far the surface extends in norms, and a line beyond two networks in their distances."""
TRAINED, LEARNING_RATE = 3, 1e-2
"""Networks trained per seed, and the rate of Adam."""


@dataclass(frozen=True)
class Config:
    """How much is measured."""

    seeds: int = 32
    samples: int = 128
    segments: int = 200
    slices: int = 12
    points: int = 61
    steps: int = 200
    grid: int = 41
    scales: tuple[float, ...] = (0.25, 2.0)
    """The lowest and the highest of random parameters, in He's deviations."""
    judged: tuple[str, ...] = NETWORKS
    """The slices that claims about networks are judged by."""
    starts: int = 8
    """Searches for a minimum per seed."""
    penalty: float = 1e-3
    """Of the squared parameters there, without which there need not be a minimum."""
    hidden: tuple[int, ...] = (8, 8)
    """Of the network there, of tanh units, so that minima are smooth."""
    seed: int = 1


def measure(config: Config, key: Array) -> Result:
    """Measures excess `[seeds, segments]`, slices `[seeds, slices, points]`, a `surface`.

    Slices go through random parameters of each model, through trained networks and through pairs
    of them; the surface `[grid, grid]` is that around the first seed's first network.
    """
    keys = jax.random.split(key, config.seeds)
    with jax.enable_x64(True):
        found, data, plane = parallel_map(partial(of_seed, config), keys, group=1)
        first = jax.tree.map(lambda a: a[0], (data, plane))
        return jax.tree.map(np.asarray, found | {"surface": surface(config, *first)})


def blobs(key: Array, samples: int) -> dict[str, Array]:
    """Draws samples of ten normal classes in random places, `x [samples, 10]`, `y [samples]`."""
    drawn = jax.random.normal(key, (CLASSES + samples, FEATURES))
    y = jnp.arange(samples) % CLASSES
    return {"x": drawn[y] + drawn[CLASSES:], "y": y}


def space(model: jn.MLP) -> tuple[Array, Callable[[Array], Any]]:
    """Returns deviations of random parameters as a vector, and the function back to parameters.

    Weights have He's deviation, `sqrt(2 / in)`, biases 0.05.
    """
    x = jnp.zeros((1, FEATURES))
    shapes = jax.eval_shape(model.init, jax.random.key(0), x)

    def deviation(leaf: Any) -> Array:
        return jnp.full(leaf.shape, 0.05 if leaf.ndim < 2 else (2 / leaf.shape[1]) ** 0.5)

    return ravel_pytree(jax.tree.map(deviation, shapes))


def loss_of(model: jn.MLP, data: dict[str, Array]) -> Loss:
    """Returns the mean loss of a model as a function of its parameters, given as a vector."""
    _, unravel = space(model)

    def loss(vector: Array) -> Array:
        outputs = model.apply(unravel(vector), data["x"])
        return get_loss(LOSS).value(outputs, data["y"]).mean()

    return loss


def of_seed(config: Config, key: Array) -> tuple[dict[str, Array], dict[str, Array], Array]:
    """Measures excess and slices of a seed; also its data, a trained network, two directions."""
    data_key, *keys = jax.random.split(key, 3)
    data = blobs(data_key, config.samples)
    found: dict[str, Array] = {}
    reaches = _log_steps(REACHES, config.slices)
    for (name, model), model_key in zip(MODELS.items(), keys, strict=True):
        ends, around, spare = _random(config, model, model_key)
        lengths = _log_steps(LENGTHS, config.segments)
        found[f"excess_{name}"] = lax.map(partial(_excess, model, data), (ends, lengths))
        found[f"slice_{name}"] = lax.map(partial(_slice, config, model, data), (around, reaches))
    starts, directions = spare[:TRAINED, 0], spare[: config.slices, 1]
    trained = lax.map(partial(_train, config, data), starts)
    through = jnp.stack([trained[np.arange(config.slices) % TRAINED], directions], axis=1)
    found["slice_trained"] = lax.map(partial(_slice, config, NETWORK, data), (through, reaches))
    pairs = trained[np.asarray(list(combinations(range(TRAINED), 2)))]
    found["slice_between"] = lax.map(partial(_between, config, data), pairs)
    return found, data, jnp.concatenate([trained[:1], spare[:2, 1]])


def _random(config: Config, model: jn.MLP, key: Array) -> list[Array]:
    """Random pairs of parameters: ends, centres with directions, and spare, each `[n, 2, p]`.

    The scale of ends and centres rises along the rows; that of the spare ones is He's.
    """
    deviations, _ = space(model)
    sizes = (config.segments, config.slices, max(config.slices, TRAINED))
    drawn = deviations[None, None] * jax.random.normal(key, (sum(sizes), 2, len(deviations)))
    ends, around, spare = jnp.split(drawn, np.cumsum(sizes)[:-1])
    low, high = config.scales
    return [*(p * jnp.geomspace(low, high, len(p))[:, None, None] for p in (ends, around)), spare]


def _log_steps(limits: tuple[float, float], count: int) -> np.ndarray:
    """`count` numbers between the limits, evenly on a log scale, in an order without a trend."""
    return np.random.default_rng(0).permutation(np.geomspace(*limits, count))


def _excess(model: jn.MLP, data: dict[str, Array], row: tuple[Array, Array]) -> Array:
    """The excess on a part, from one end, of the segment between `ends [2, p]`."""
    ends, length = row
    t = jnp.linspace(0, 1, 11)
    return excess(along(loss_of(model, data), ends[0], length * (ends[1] - ends[0]), t), t)


def _normalise(model: jn.MLP, direction: Array, centre: Array) -> Array:
    _, unravel = space(model)
    return ravel_pytree(filter_normalise(unravel(direction), unravel(centre)))[0]


def _slice(config: Config, model: jn.MLP, data: dict[str, Array], row: Any) -> Array:
    """Losses `[points]` through a centre in a direction, `[2, p]`, as far as the reach."""
    (centre, direction), reach = row
    positions = reach * jnp.linspace(-1, 1, config.points)
    return along(loss_of(model, data), centre, _normalise(model, direction, centre), positions)


def _between(config: Config, data: dict[str, Array], pair: Array) -> Array:
    """Losses `[points]` on the line through two networks."""
    positions = jnp.linspace(-BEYOND, 1 + BEYOND, config.points)
    return along(loss_of(NETWORK, data), pair[0], pair[1] - pair[0], positions)


def _train(config: Config, data: dict[str, Array], start: Array) -> Array:
    """The parameters of a network after `config.steps` of full-batch Adam."""
    optimizer, loss = optax.adam(LEARNING_RATE), loss_of(NETWORK, data)

    def step(state: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        params, opt_state = state
        updates, opt_state = optimizer.update(jax.grad(loss)(params), opt_state)
        return (params + updates, opt_state), None

    (params, _), _ = lax.scan(step, (start, optimizer.init(start)), None, length=config.steps)
    return params


@partial(jax.jit, static_argnums=0)
def surface(config: Config, data: dict[str, Array], plane: Array) -> Array:
    """Computes the loss `[rows, columns]` around a network in two directions, `plane [3, p]`."""
    loss, (centre, *directions) = loss_of(NETWORK, data), plane
    across, up = (_normalise(NETWORK, direction, centre) for direction in directions)
    positions = jnp.linspace(-AROUND, AROUND, config.grid)
    return lax.map(lambda s: along(loss, centre + s * up, across, positions), positions)
