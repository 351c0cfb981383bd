"""Local minima of a small network's loss, found by L-BFGS from several starts (row E5)."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxnets as jn
from jaxnets.converge import minimise
from jaxnets.ops import one_by_one
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result
from .loss_slices import CLASSES, Config, blobs, loss_of, space

STEPS, TOLERANCE = 5_000, 1e-7
"""The most steps of L-BFGS, and the norm of the gradient at which it ends."""
SAME = 1e-5
"""Minima with losses that differ by less, relatively, count as one: units can be exchanged."""


def search(config: Config, key: Array) -> Result:
    """Searches for minima from every start: `end_loss`, `end_slope`, `end_bend` `[seeds, starts]`.

    Slopes are norms of gradients, bends the smallest eigenvalues of Hessians.
    """
    with jax.enable_x64(True):
        found = parallel_map(
            partial(_of_seed, config), jax.random.split(key, config.seeds), group=1
        )
    return {f"end_{name}": np.asarray(values) for name, values in found.items()}


def _of_seed(config: Config, key: Array) -> dict[str, Array]:
    data_key, start_key = jax.random.split(key)
    network = jn.MLP(config.hidden, CLASSES)
    deviations, _ = space(network)
    loss = loss_of(network, blobs(data_key, config.samples))

    def penalised(w: Array) -> Array:
        return loss(w) + config.penalty * jnp.sum(w**2)

    def end(start: Array) -> dict[str, Array]:
        found = minimise(penalised, start, steps=STEPS, tolerance=TOLERANCE)
        bends = one_by_one(jnp.linalg.eigvalsh)(jax.hessian(penalised)(found.params))
        return {"loss": found.loss, "slope": found.gradient_norm, "bend": bends[0]}

    drawn = jax.random.normal(start_key, (config.starts, len(deviations)))
    return jax.vmap(end)(deviations[None] * drawn)


def are_minima(result: Result) -> np.ndarray:
    """Returns which ends are flat and curved upwards, `[seeds, starts]`."""
    return (result["end_slope"] <= TOLERANCE) & (result["end_bend"] > 0)


def different_pairs(result: Result) -> np.ndarray:
    """Computes the share of pairs of minima that differ in loss, `[seeds]`; NaN without a pair."""
    return np.asarray(
        [
            _share(losses[is_one])
            for losses, is_one in zip(result["end_loss"], are_minima(result), strict=True)
        ]
    )


def _share(losses: np.ndarray) -> float:
    if len(losses) < 2:
        return np.nan
    first, second = np.triu_indices(len(losses), 1)
    return float(np.mean(~np.isclose(losses[first], losses[second], rtol=SAME, atol=0)))
