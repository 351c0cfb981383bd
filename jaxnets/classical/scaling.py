"""Double precision on the host, and the centre and spread of features, whatever their units."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.host import checks

Params = dict[str, Array]

UNLIKE = 1e4
"""Gradient descent cannot serve features whose spreads differ more: curvatures differ by 1e8."""
_RANGE = (1e-18, 1e18)  # squares of these numbers fit in single precision


def is_traced(*values: Any) -> bool:
    """Checks whether JAX is tracing any of these arrays, whose entries are then unknown."""
    return any(map(checks.is_traced, jax.tree.leaves(values)))


def doubles(*values: Any) -> tuple[Any, ...]:
    """Converts arrays to NumPy's double precision, or to JAX's arrays if one is traced."""
    if is_traced(*values):
        return tuple(map(jnp.asarray, values))
    return tuple(np.asarray(value, np.float64) for value in values)


def exact_features(x: Any, name: str = "x") -> Any:
    """Checks features `[samples, ...]` as `checks.as_features`, but preserves double precision."""
    found = checks.as_features(x, name, exact=True)
    if is_traced(x):
        return found
    given = checks.as_numpy(x, name)
    return given if given.dtype == np.float64 else found


def linear_scores(params: Params, x: Any) -> Any:
    """Computes `w.x + b`, `[samples]`, in double precision on the host unless JAX is tracing.

    In single precision, a feature far from 0 relative to its spread would lose its digits.
    """
    x, w, b = doubles(x, params["w"], params["b"])
    if x.shape[-1] != w.shape[-1]:
        raise ValueError(f"x has shape {x.shape}, but there are {w.shape[-1]} weights")
    return x @ w + b


class Scaling(NamedTuple):
    """The centre and the scale of every feature, `[features]` each, in double precision."""

    centre: np.ndarray
    """The upper median: a value of the data, so that shifted data give the same differences."""
    scale: np.ndarray
    """The standard deviation; 1 for a constant feature."""
    typical: np.ndarray
    """The median of the distances above 0, which ignores outliers; 1 for a constant feature."""
    constant: np.ndarray

    def apply(self, x: Any) -> np.ndarray:
        """Computes `(x - centre) / scale`, `[samples, features]`."""
        return (np.asarray(x, np.float64) - self.centre) / self.scale

    def restore(self, params: Params) -> Params:
        """Converts linear params for scaled features, `w [..., features]`, to those of the data."""
        w, b = doubles(params["w"], params["b"])
        w = w / self.scale
        return {**params, "w": w, "b": b - w @ self.centre}


def measure(x: Any) -> Scaling:
    """Measures the features of finite samples `[samples, features]`.

    Raises:
        ValueError: a feature whose values differ by less than double precision can divide by.
    """
    x = np.asarray(x, np.float64)
    centre = np.partition(x, len(x) // 2, axis=0)[len(x) // 2]
    differences = x - centre
    distances = np.abs(differences)
    largest = distances.max(axis=0)
    constant = largest == 0
    if (tiny := np.flatnonzero((largest < 1e-300) & ~constant)).size:
        j = int(tiny[0])
        raise ValueError(f"feature {j} varies by only {largest[j]:.3g}: multiply it by 1e300")
    safe = np.where(constant, 1, largest)
    scale = np.where(constant, 1, safe * (differences / safe).std(axis=0))
    typical = np.ones(x.shape[1])
    for k in np.flatnonzero(~constant):
        typical[k] = np.median(distances[:, k][distances[:, k] > 0])
    return Scaling(centre, scale, typical, constant)


def require_single(x: Any) -> None:
    """Checks that single precision holds every feature, and the products of its values.

    For algorithms that are defined on the data as they are. Nothing is checked under a trace.

    Raises:
        ValueError: the first feature that is too large, too small, or too far from 0.
    """
    if is_traced(x):
        return
    x = np.asarray(x, np.float64)
    sizes, spread = np.abs(x).max(axis=0, initial=0), np.ptp(x, axis=0)
    for j in np.flatnonzero((sizes > 0) & ((sizes < _RANGE[0]) | (sizes > _RANGE[1]))):
        raise ValueError(
            f"feature {j} has values up to {sizes[j]:.3g}, whose squares do not fit in single "
            f"precision: change its unit, for example divide it by {sizes[j]:.1g}"
        )
    for j in np.flatnonzero((spread > 0) & (spread < 16 * np.finfo(np.float32).eps * sizes)):
        raise ValueError(
            f"feature {j} varies by only {spread[j]:.3g} around {x[0, j]:.9g}, which single "
            f"precision cannot tell apart: subtract {x[0, j]:.9g} first"
        )


def largest_feature(x: Any) -> tuple[int, float]:
    """Returns the number of the feature with the largest value, and that value without its sign."""
    sizes = np.abs(np.asarray(x)).max(axis=0)
    j = int(np.argmax(sizes))
    return j, float(sizes[j])


def unlike_features(x: Any) -> str | None:
    """Describes two features whose sizes and spreads differ by more than `UNLIKE`, if any do.

    The size of a feature is its distance from 0, or its spread if that is larger. Constant features
    do not count.
    """
    if is_traced(x):
        return None
    found = measure(x)
    varies = np.flatnonzero(~found.constant)
    if not varies.size:
        return None
    sizes = np.maximum(np.abs(found.centre), found.typical)[varies]
    large, small = int(np.argmax(sizes)), int(np.argmin(found.typical[varies]))
    if sizes[large] <= UNLIKE * found.typical[varies[small]]:
        return None
    return (
        f"feature {varies[large]} has values of about {sizes[large]:.3g}, and feature "
        f"{varies[small]} varies by about {found.typical[varies[small]]:.3g}: remove outliers, "
        "subtract the mean of every feature and divide by its standard deviation first"
    )


def require_alike(x: Any) -> None:
    """Checks that gradient descent can learn from every feature with one learning rate.

    Raises:
        ValueError: the features that differ too much, or as `require_single`.
    """
    require_single(x)
    if unlike := unlike_features(x):
        raise ValueError(f"gradient descent cannot learn from features so unlike: {unlike}")
