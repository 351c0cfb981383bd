"""AdaBoost over hyperplanes: the best weighted hyperplane per round, found exactly (row A6)."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.classical.checked import checked
from jaxnets.classical.scaling import doubles, is_traced
from jaxnets.classical.threshold import signs

Params = dict[str, Array]


def even_directions(count: int) -> Array:
    """Returns unit normals `[count, 2]` at equal angles over a half-turn from the first axis.

    Example:
        >>> even_directions(2).round(3).tolist()
        [[1.0, 0.0], [-0.0, 1.0]]
    """
    angles = jnp.arange(count) * (jnp.pi / count)
    return jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)


def random_directions(key: Array, count: int, features: int) -> Array:
    """Draws unit normals `[count, features]` uniformly on the sphere.

    Example:
        >>> import jax
        >>> random_directions(jax.random.key(0), 5, 3).shape
        (5, 3)
    """
    normals = jax.random.normal(key, (count, features))
    return normals / jnp.linalg.norm(normals, axis=1, keepdims=True)


def _project(directions: Any, x: Any) -> Any:
    directions, x = doubles(directions, x)
    if x.shape[-1] != directions.shape[-1]:
        raise ValueError(
            f"x has shape {x.shape}, but the hyperplanes have {directions.shape[-1]} features"
        )
    if isinstance(x, np.ndarray):
        return directions @ x.T
    return jnp.matmul(directions, x.T, precision="highest")


def _rounding(directions: Any, x: Any, centred: Any, epsilons: tuple[float, float]) -> Any:
    """Bounds the rounding error of every projection, `[directions, samples]`.

    The directions and samples may have been rounded before, relative to `epsilons`. Along an axis
    that changes no order, so there only neighbours at the end of the precision count as equal.
    """
    sizes, distances = _project(abs(directions), abs(x)), _project(abs(directions), abs(centred))
    oblique = (directions != 0).sum(axis=1)[:, None] > 1
    own = float(np.finfo(sizes.dtype).eps)
    given = 8 * (max(own, epsilons[1]) * sizes + max(own, epsilons[0]) * distances)
    return own * sizes + oblique * given


def _epsilon(x: Any) -> float:
    """Returns the relative precision of an array's numbers; single precision is the lowest."""
    dtype = getattr(x, "dtype", np.float64)
    rounded = jnp.issubdtype(dtype, jnp.floating) and dtype != np.float64
    return float(np.finfo(np.float32 if rounded else np.float64).eps)


def _thresholds(directions: Any, x: Any) -> tuple[Any, Any, Any]:
    """Sorts the samples along each direction, and computes the threshold just below each.

    The first threshold is minus infinity. The last array tells which thresholds lie between
    projections that are different, and not equal up to rounding. Each direction is judged by its
    own samples: others may have any scale.
    """
    xp = jnp if is_traced(directions, x) else np
    epsilons = _epsilon(directions), _epsilon(x)
    directions, x = doubles(directions, x)
    centre = xp.sort(x, axis=0)[len(x) // 2]
    centred = x - centre[None]
    projections = _project(directions, centred)
    order = xp.argsort(projections, axis=1)
    p = xp.take_along_axis(projections, order, axis=1)
    rounding = xp.take_along_axis(_rounding(directions, x, centred, epsilons), order, axis=1)
    different = p[:, 1:] - p[:, :-1] > rounding[:, 1:] + rounding[:, :-1]
    middle = (p[:, 1:] + p[:, :-1]) / 2 + _project(directions, centre)[:, None]
    first = xp.full((len(p), 1), -xp.inf)
    return (
        order,
        xp.concatenate([first, middle], axis=1),
        xp.concatenate([first < 0, different], axis=1),
    )


def _best_hyperplane(
    weights: Array, targets: Array, order: Array, distinct: Array
) -> tuple[Array, Array, Array]:
    """Finds the direction, position and sign of the split with the least weighted error.

    Predicting positive from sorted position i upwards costs the weight of all negatives plus that
    of the positives before i, minus that of the negatives before i: one cumulative sum of
    `weights * targets`. The opposite sign costs the rest, so the best split has the largest edge.
    """
    steps = (weights * targets)[order]
    before = jnp.cumsum(steps, axis=1) - steps
    error = jnp.sum(jnp.where(targets < 0, weights, 0)) + before
    edge = jnp.where(distinct, 0.5 - error, 0)
    direction, position = jnp.unravel_index(jnp.argmax(jnp.abs(edge)), edge.shape)
    return direction, position, jnp.where(edge[direction, position] < 0, -1.0, 1.0)


@partial(jax.jit, static_argnames="rounds")
def _boost(order: Array, distinct: Array, y: Array, rounds: int) -> tuple[Any, Array, Any]:
    """Chooses splits `(direction, position, sign)`; the order of the samples is all it needs."""
    targets = signs(y)
    ranks = jnp.argsort(order, axis=1)
    tiny = jnp.finfo(targets.dtype).eps

    def boost(state, _):
        weights, scores = state
        k, i, sign = _best_hyperplane(weights, targets, order, distinct)
        h = sign * signs(ranks[k] >= i)
        error = jnp.sum(jnp.where(h != targets, weights, 0))
        bounded = jnp.clip(error, tiny, 1 - tiny)
        alpha = 0.5 * jnp.log((1 - bounded) / bounded)
        weights = weights * jnp.exp(-alpha * targets * h)
        scores = scores + alpha * h
        row = {"weak_error": error, "train_error": jnp.mean(signs(scores >= 0) != targets)}
        return (weights / weights.sum(), scores), ((k, i, sign), alpha, row)

    start = jnp.full(len(y), 1 / len(y)), jnp.zeros(len(y))
    return lax.scan(boost, start, length=rounds)[1]


@checked
def adaboost(
    x: Array, y: Array, directions: Array, *, rounds: int = 100
) -> tuple[Params, dict[str, Array]]:
    r"""Trains AdaBoost with linear weak classifiers (Freund and Schapire, 1997; L0, L1, row A6).

    Each round takes $h_t = \operatorname{argmin}_h \epsilon_t(h)$, the least weighted error, over
    hyperplanes with the given normals, every distinguishable offset and both signs, by one sort,
    and a cumulative sum per round. Then
    $\alpha_t = \frac{1}{2} \log((1 - \epsilon_t) / \epsilon_t)$, and the weights become
    $w_{t+1} = w_t \exp(-\alpha_t y h_t) / Z$. The output is the sign of $\sum_t \alpha_t h_t$. An
    error of 0 counts as the machine epsilon, so that alpha stays finite.

    Only the order of the samples along each direction matters, so stumps do not depend on the units
    of the features. Directions are compared and `w` and `b` computed in double precision on the
    host, or in JAX's precision under a trace.

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

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[0.0], [1.0], [2.0], [3.0]]), jnp.array([0, 1, 1, 0])
        >>> params, history = adaboost(x, y, jnp.array([[1.0]]), rounds=10)
        >>> adaboost_predict(params, x).tolist()
        [0, 1, 1, 0]
    """
    order, thresholds, distinct = _thresholds(directions, x)
    splits, alpha, history = _boost(order, distinct, y, rounds)
    k, i, sign = splits if is_traced(splits) else map(np.asarray, splits)
    directions, thresholds, sign = doubles(directions, thresholds, sign)
    params = {"w": sign[:, None] * directions[k], "b": -sign * thresholds[k, i], "alpha": alpha}
    return params, history


@checked
def adaboost_votes(params: Params, x: Array) -> Array:
    r"""Computes each weak classifier's vote $\alpha_t h_t(x)$, `[rounds, samples]`.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[0.0], [1.0], [2.0]]), jnp.array([0, 1, 0])
        >>> params, _ = adaboost(x, y, jnp.array([[1.0]]), rounds=4)
        >>> adaboost_votes(params, x).shape
        (4, 3)
    """
    w, b, x = doubles(params["w"], params["b"], x)
    return jnp.asarray(params["alpha"])[:, None] * signs(_project(w, x) + b[:, None] >= 0)


@checked
def adaboost_staged(params: Params, x: Array) -> Array:
    """Predicts class indices after each round, `[rounds, samples]`.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[0.0], [1.0], [2.0]]), jnp.array([0, 1, 0])
        >>> params, _ = adaboost(x, y, jnp.array([[1.0]]), rounds=4)
        >>> adaboost_staged(params, x)[-1].tolist() == adaboost_predict(params, x).tolist()
        True
    """
    return (jnp.cumsum(adaboost_votes(params, x), axis=0) >= 0).astype(jnp.int32)


@checked
def adaboost_predict(params: Params, x: Array) -> Array:
    """Predicts class indices after the last round, `[samples]`.

    Example:
        >>> import jax.numpy as jnp
        >>> x, y = jnp.array([[0.0], [1.0]]), jnp.array([0, 1])
        >>> params, _ = adaboost(x, y, jnp.array([[1.0]]), rounds=1)
        >>> adaboost_predict(params, x).tolist()
        [0, 1]
    """
    return (jnp.sum(adaboost_votes(params, x), axis=0) >= 0).astype(jnp.int32)
