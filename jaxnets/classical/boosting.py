"""AdaBoost over hyperplanes: the best weighted hyperplane per round, found exactly (row A6)."""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.classical.checked import checked
from jaxnets.classical.threshold import signs

Params = dict[str, Array]


def even_directions(count: int) -> Array:
    """Returns unit normals `[count, 2]` at equal angles over a half-turn from the first axis."""
    angles = jnp.arange(count) * (jnp.pi / count)
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def random_directions(key: Array, count: int, features: int) -> Array:
    """Draws unit normals `[count, features]` uniformly on the sphere."""
    normals = jax.random.normal(key, (count, features))
    return normals / jnp.linalg.norm(normals, axis=1, keepdims=True)


def _project(directions: Array, x: Array) -> Array:
    if x.shape[-1] != directions.shape[-1]:
        raise ValueError(
            f"x has shape {x.shape}, but the hyperplanes have {directions.shape[-1]} features"
        )
    return jnp.matmul(directions, x.T, precision="highest")


def _thresholds(projections: Array) -> tuple[Array, Array]:
    """Sorts the samples along each direction, and computes the threshold just below each.

    The first threshold is minus infinity; it is NaN between projections that are equal up to
    rounding.
    """
    order = jnp.argsort(projections, axis=1)
    p = jnp.take_along_axis(projections, order, axis=1)
    gap = 16 * jnp.finfo(p.dtype).eps * jnp.max(jnp.abs(p))
    middle = jnp.where(p[:, 1:] - p[:, :-1] > gap, (p[:, 1:] + p[:, :-1]) / 2, jnp.nan)
    return order, jnp.concatenate([jnp.full((len(p), 1), -jnp.inf), middle], axis=1)


def _best_hyperplane(
    weights: Array, targets: Array, order: Array, thresholds: Array
) -> tuple[Array, Array, Array]:
    """Finds the direction, position and sign of the split with the least weighted error.

    Predicting positive from sorted position i upwards costs the weight of all negatives plus that
    of the positives before i, minus that of the negatives before i: one cumulative sum of
    `weights * targets`. The opposite sign costs the rest, so the best split has the largest edge.
    """
    steps = (weights * targets)[order]
    before = jnp.cumsum(steps, axis=1) - steps
    error = jnp.sum(jnp.where(targets < 0, weights, 0)) + before
    edge = jnp.where(jnp.isnan(thresholds), 0, 0.5 - error)
    direction, position = jnp.unravel_index(jnp.argmax(jnp.abs(edge)), edge.shape)
    return direction, position, jnp.where(edge[direction, position] < 0, -1.0, 1.0)


@checked
@partial(jax.jit, static_argnames="rounds")
def adaboost(
    x: Array, y: Array, directions: Array, *, rounds: int = 100
) -> tuple[Params, dict[str, Array]]:
    r"""Trains AdaBoost with linear weak classifiers (Freund and Schapire, 1997; L0, L1, row A6).

    Each round takes $h_t = \arg\min_h \epsilon_t(h)$, the least weighted error, over hyperplanes
    with the given normals, every distinguishable offset and both signs, by one sort, and a
    cumulative sum per round. Then $\alpha_t = \frac{1}{2} \log((1 - \epsilon_t) / \epsilon_t)$, and
    the weights become $w_{t+1} = w_t \exp(-\alpha_t y h_t) / Z$. The output is the sign of
    $\sum_t \alpha_t h_t$. An error of 0 counts as the machine epsilon, so that alpha stays finite.

    Args:
        x: `[samples, features]`.
        y: class indices 0 or 1, `[samples]`.
        directions: unit normals `[directions, features]`: `even_directions` in the plane,
            `random_directions` above, `jnp.eye(features)` for decision stumps.
        rounds: the number of weak classifiers.

    Returns:
        `{"w": [rounds, features], "b": [rounds], "alpha": [rounds]}`, where $h_t$ is 1 if
        $w_t \cdot x + b_t \geq 0$ and -1 otherwise (an infinite `b` is a constant); and a history,
        `weak_error` ($\epsilon_t$) and `train_error` after each round, both `[rounds]`.
    """
    targets = signs(y)
    projections = _project(directions, x)
    order, thresholds = _thresholds(projections)
    tiny = jnp.finfo(projections.dtype).eps

    def boost(state, _):
        weights, scores = state
        k, i, sign = _best_hyperplane(weights, targets, order, thresholds)
        h = sign * signs(projections[k] >= thresholds[k, i])
        error = jnp.sum(jnp.where(h != targets, weights, 0))
        bounded = jnp.clip(error, tiny, 1 - tiny)
        alpha = 0.5 * jnp.log((1 - bounded) / bounded)
        weights = weights * jnp.exp(-alpha * targets * h)
        scores = scores + alpha * h
        params = {"w": sign * directions[k], "b": -sign * thresholds[k, i], "alpha": alpha}
        row = {"weak_error": error, "train_error": jnp.mean(signs(scores >= 0) != targets)}
        return (weights / weights.sum(), scores), (params, row)

    start = jnp.full(len(x), 1 / len(x)), jnp.zeros(len(x))
    _, (params, history) = lax.scan(boost, start, length=rounds)
    return params, history


@checked
@jax.jit
def adaboost_votes(params: Params, x: Array) -> Array:
    r"""Computes each weak classifier's vote $\alpha_t h_t(x)$, `[rounds, samples]`."""
    sides = _project(params["w"], x) + params["b"][:, None] >= 0
    return params["alpha"][:, None] * signs(sides)


@checked
@jax.jit
def adaboost_staged(params: Params, x: Array) -> Array:
    """Predicts class indices after each round, `[rounds, samples]`."""
    return (jnp.cumsum(adaboost_votes(params, x), axis=0) >= 0).astype(jnp.int32)


@checked
@jax.jit
def adaboost_predict(params: Params, x: Array) -> Array:
    """Predicts class indices after the last round, `[samples]`."""
    return (jnp.sum(adaboost_votes(params, x), axis=0) >= 0).astype(jnp.int32)
