"""The linear support vector machine, minimised in the primal (row A7)."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg
from jax import Array, lax
from jax.scipy.linalg import solve_triangular

from jaxnets.classical.checked import checked
from jaxnets.classical.scaling import doubles, is_traced, linear_scores
from jaxnets.classical.threshold import signs
from jaxnets.host import checks

Params = dict[str, Array]

_RHO = 0.1  # in units of the hinge, which is dimensionless: suits any scale of x
_RELAXATION = 1.6
_UNUSABLE = 1e15  # a penalty beyond it leaves no weight in any precision
_EASIER = (1e-3, 1e-5, 1e-7)  # penalties of scaled features from which a smaller one starts


@checked
def linear_svm_loss(params: Params, x: Array, y: Array, l2: float) -> Array:
    r"""Computes $\lambda \|w\|^2 + \frac{1}{N} \sum_n \max(0, 1 - y_n (w \cdot x_n + b))$.

    For samples x `[samples, features]` of classes y `[samples]`, 0 or 1, which are -1 and 1 here.

    Example:
        >>> import jax.numpy as jnp
        >>> params = {"w": jnp.zeros(1), "b": jnp.zeros(())}
        >>> float(linear_svm_loss(params, jnp.array([[1.0]]), jnp.array([1]), 0.1))
        1.0
    """
    margins = signs(y) * linear_scores(params, x)
    w, l2 = doubles(params["w"], l2)
    return l2 * (w @ w) + jnp.mean(jnp.maximum(0, 1 - margins))


@checked
def linear_svm(
    x: Array, y: Array, *, l2: float, steps: int = 1000, init: Params | None = None
) -> tuple[Params, dict[str, Array]]:
    r"""Trains a linear SVM by minimising `linear_svm_loss`, which is convex (L2, row A7).

    Cortes and Vapnik (1995). scikit-learn's `SVC(kernel="linear")` minimises the same loss with
    `C = 1 / (2 l2 N)`. The alternating direction method of multipliers (Boyd et al., 2011) splits
    off the kink of the hinge: it minimises $\max(0, z)$ and $\lambda \|w\|^2$ in turn, subject to
    $z = 1 - A v$ with $v = (w, b)$ and the rows $y_n (x_n, 1)$ of $A$. Each step is a product with
    a matrix factored once and one shrinkage. That matrix is factored for scaled features, in double
    precision on the host, so neither badly scaled nor equal features harm.

    Args:
        x: `[samples, features]`.
        y: class indices 0 or 1, `[samples]`.
        l2: lambda, above 0; the bias is not penalised.
        steps: iterations; 1000 come within 1e-3 of the optimal loss. Without `init`, a tiny lambda
            starts from the solutions of up to three larger ones, with as many steps each.
        init: `{"w": [features], "b": []}` to start from, zeros if None.

    Returns:
        `{"w": [features], "b": []}` of the lowest loss found, and the lowest `loss` up to each
        step, `[steps]`.

    Raises:
        ValueError: a lambda that is not above 0, or a feature so small that lambda leaves it no
            weight. Nothing is checked under a trace.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets.classical import linear_predict
        >>> x, y = jnp.array([[-2.0], [-1.0], [1.0], [2.0]]), jnp.array([0, 0, 1, 1])
        >>> params, _ = linear_svm(x, y, l2=0.01, steps=100)
        >>> linear_predict(params, x).tolist()
        [0, 0, 1, 1]
    """
    if not is_traced(l2):
        checks.require_positive(l2, "l2")
        _require_weight(x, l2)
    if init is None and not is_traced(x, y, l2):
        init = _easier_solution(x, y, l2, steps)
    return _train(x, y, l2, steps, init)


def _require_weight(x: Array, l2: float) -> None:
    """Refuses features whose share of any margin is below 1e-9, as `|w| <= mean |x| / (2 l2)`."""
    if is_traced(x):
        return
    (x,) = doubles(x)
    distances = np.abs(x - x.mean(axis=0))
    largest = distances.max(axis=0)
    share = largest * distances.mean(axis=0) / (2 * l2)
    for j in np.flatnonzero((largest > 0) & (share < 1e-9)):
        raise ValueError(
            f"feature {j} differs from its mean by only {largest[j]:.3g}, and l2={l2} leaves it no "
            f"weight: divide it by its standard deviation first, or lower l2"
        )


def _easier_solution(x: Array, y: Array, l2: float, steps: int) -> Params | None:
    """Solves for larger penalties first: of a tiny one, a thousand steps feel little."""
    (x,) = doubles(x)
    largest = np.abs(x - x.mean(axis=0)).max()
    params = None
    for penalty in _EASIER:
        if penalty * largest**2 > 2 * l2:
            params, _ = _train(x, y, penalty * largest**2, steps, params)
    return params


def _train(
    x: Any, y: Any, l2: Any, steps: int, init: Params | None
) -> tuple[Params, dict[str, Array]]:
    problem = _factor(x, l2)
    q, b = jnp.zeros(problem.to_w.shape[1]), jnp.zeros(())
    if init is not None:
        w, b, centre = doubles(init["w"], init["b"], problem.centre)
        q, b = problem.from_w @ w, b + w @ centre
    q, b, losses = _minimise(problem.rows, problem.penalty, y, q, b, steps)
    if not (is_traced(x, y, l2, q) or losses.size == 0):
        q, b = doubles(q, b)
        factor, loss = _best_multiple(problem, y, q, b)
        q, b, losses = factor * q, factor * b, losses.at[-1].set(loss)
    to_w, centre, q, b = doubles(problem.to_w, problem.centre, q, b)
    w = to_w @ q
    return {"w": w, "b": b - w @ centre}, {"loss": losses}


@partial(jax.jit, static_argnames="steps")
def _minimise(
    rows: Array, penalty: Array, y: Array, q: Array, b: Array, steps: int
) -> tuple[Array, Array, Array]:
    targets = signs(y)

    def loss(q, b):
        margins = targets * (rows @ q + b)
        return jnp.sum((penalty @ q) ** 2) + jnp.mean(jnp.maximum(0, 1 - margins)), margins

    def step(state, _):
        z, u, best, lowest = state
        wanted = targets * (1 - z - u)
        v = wanted @ rows / _RHO, jnp.mean(wanted)
        now, margins = loss(*v)
        best = jax.tree.map(lambda new, old: jnp.where(now < lowest, new, old), v, best)
        lowest = jnp.minimum(now, lowest)
        r = _RELAXATION * (1 - margins) + (1 - _RELAXATION) * z
        z = jnp.maximum(r - u - 1 / _RHO, jnp.minimum(r - u, 0))
        return (z, u + z - r, best, lowest), lowest

    start = jnp.asarray(q), jnp.asarray(b)
    first, margins = loss(*start)
    state = 1 - margins, jnp.zeros(len(rows)), start, first
    (_, _, best, _), losses = lax.scan(step, state, length=steps)
    return *best, losses


def _best_multiple(problem: "_Problem", y: Array, q: Array, b: Array) -> tuple[float, float]:
    """Finds the factor of `(q, b)` with the lowest loss, in double precision, and that loss.

    Along it the loss is a parabola between the factors at which a margin is 1; at those, sums of
    sorted margins give the loss.
    """
    rows, penalty, q, b = doubles(problem.rows, problem.penalty, q, b)
    margins = np.sort(np.where(np.asarray(y) > 0, 1, -1) * (rows @ q + b))
    factors = np.append(1 / margins[margins > 1e-30], 1.0)
    active = np.searchsorted(margins, 1 / factors)
    sums = np.append(0, np.cumsum(margins))[active]
    square = np.sum((penalty @ q) ** 2)
    losses = factors**2 * square + (active - factors * sums) / len(margins)
    best = int(np.argmin(losses))
    return float(factors[best]), float(losses[best])


class _Problem(NamedTuple):
    """The same problem for `q`, whose matrices have entries of size 1 whatever the features."""

    centre: Any
    to_w: Any
    """`w = to_w @ q`, `[features, features]`."""
    from_w: Any
    rows: Any
    """The margins are `y (rows @ q + b)`, `[samples, features]`."""
    penalty: Any
    """`l2 |w|^2 = |penalty @ q|^2`, `[features, features]`."""


def _factor(x: Any, l2: Any) -> _Problem:
    r"""Changes variables so that the quadratic of each step has its minimum at a projection.

    With centred features, the matrix $\rho X^T X + 2 \lambda N$ of the step does not mix weights
    and bias. For features scaled to deviation 1 it is $L L^T$, and $q = L^T w / \rho$. What makes
    equal features definite is of the size of rounding.
    """
    x, l2 = doubles(x, l2)
    xp = jnp if is_traced(x, l2) else np
    solve = solve_triangular if xp is jnp else scipy.linalg.solve_triangular
    samples, features = x.shape
    centre = xp.mean(x, axis=0)
    x = x - centre[None]
    largest = xp.max(xp.abs(x), axis=0)
    largest = largest + (largest == 0)
    scale = largest * xp.sqrt(xp.mean((x / largest[None]) ** 2, axis=0))
    scale = scale + (scale == 0)
    scaled = x / scale[None]
    rounding = 16 * features * float(np.finfo(x.dtype).eps)
    with np.errstate(over="ignore"):
        diagonal = xp.minimum(2 * l2 / scale / scale, _UNUSABLE) + _RHO * rounding
    lower = xp.linalg.cholesky(_RHO * scaled.T @ scaled / samples + xp.diag(diagonal))
    inverse = solve(lower, xp.eye(features), lower=True).T / xp.sqrt(samples)
    to_w = _RHO * inverse / scale[:, None]
    return _Problem(
        centre,
        to_w,
        xp.sqrt(samples) / _RHO * lower.T * scale[None],
        _RHO * scaled @ inverse,
        xp.sqrt(l2) * to_w,
    )
