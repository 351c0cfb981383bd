"""Gradients batch by batch, and optimizers written out alongside optax's (rows E1 and E2)."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from jax.flatten_util import ravel_pytree

import jaxnets as jn
from jaxnets import data


class Problem(NamedTuple):
    """A network's loss as a function of flat weights `[weights]`, and its samples."""

    start: Callable[[Array], Array]
    """`start(key) -> w`."""
    loss: Callable[[Array, dict[str, Array]], Array]
    """`loss(w, batch)`, the mean over a batch."""
    data: dict[str, Array]


def digits_problem(samples: int, hidden: int, source: str = "digits") -> Problem:
    """Builds the problem of one tanh layer on the first `samples` of scikit-learn's digits.

    The source may be MNIST too, as `data.load` names it.
    """
    model = jn.MLP((hidden,), 10)
    part = jax.tree.map(lambda a: jnp.asarray(a[:samples]), data.load(source.lower()).train)
    objective = jn.Objective(model, "softmax_cross_entropy")
    shapes = jax.eval_shape(model.init, jax.random.key(0), part["x"])
    unravel = ravel_pytree(jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), shapes))[1]
    return Problem(
        lambda key: ravel_pytree(model.init(key, part["x"]))[0],
        lambda w, batch: objective(unravel(w), batch)[0],
        part,
    )


def accumulate_gradients(problem: Problem, w: Array, size: int) -> Array:
    """Adds up the gradient of the summed loss over batches of `size`, the last one smaller."""

    def add(total: Array, batch: dict[str, Array]) -> tuple[Array, None]:
        return total + len(batch["y"]) * jax.grad(problem.loss)(w, batch), None

    full = len(problem.data["y"]) // size * size
    batches = jax.tree.map(lambda a: a[:full].reshape(-1, size, *a.shape[1:]), problem.data)
    total, _ = lax.scan(add, jnp.zeros_like(w), batches)
    rest = jax.tree.map(lambda a: a[full:], problem.data)
    return add(total, rest)[0] if len(rest["y"]) else total


def batch_gradients(
    problem: Problem, sizes: tuple[int, ...], draws: int, row: dict[str, Array]
) -> tuple[Array, Array, Array]:
    """Computes how far accumulated gradients are from the full one, relative to it, `[sizes]`.

    Also the `relative_moments` of single batches' gradients. `row` has the weights `w` and a `key`
    for the draws.
    """
    w, n = row["w"], len(problem.data["y"])
    full = n * jax.grad(problem.loss)(w, problem.data)
    gaps = [jnp.linalg.norm(accumulate_gradients(problem, w, size) - full) for size in sizes]

    def slope(x: Array, y: Array) -> Array:
        return jax.grad(problem.loss)(w, {"x": x[None], "y": y[None]})

    slopes = jax.vmap(slope)(problem.data["x"], problem.data["y"])
    moments = relative_moments(slopes, sizes, draws, row["key"])
    return jnp.stack(gaps) / jnp.linalg.norm(full), *moments


def relative_moments(
    slopes: Array, sizes: tuple[int, ...], draws: int, key: Array
) -> tuple[Array, Array]:
    """Estimates the variances and the squared biases of batch means, `[sizes]` each.

    Variances are over that of one row, biases over the variance of the same size; both estimates
    are right on average. Batches are the first rows of `draws` random orders of `slopes [samples,
    weights]`.
    """
    centred = slopes - slopes.mean(axis=0, keepdims=True)
    rows = jnp.asarray(sizes)

    def means(key: Array) -> Array:
        sums = jnp.cumsum(jax.random.permutation(key, centred), axis=0)[rows - 1]
        return sums / rows[:, None]

    drawn = lax.map(means, jax.random.split(key, draws))
    squares = jnp.sum(drawn**2, axis=2).mean(axis=0)
    pairs = draws * jnp.sum(drawn.mean(axis=0) ** 2, axis=1) - squares
    return squares / jnp.sum(centred**2, axis=1).mean(), pairs / (draws - 1) / squares


def _shuffled(keys: Array, n: int) -> Array:
    return jax.vmap(lambda key: jax.random.permutation(key, n))(keys)


def _in_turn(keys: Array, n: int) -> Array:
    return jnp.tile(jnp.arange(n)[None], (len(keys), 1))


ORDERS = {"shuffled copies": _shuffled, "one copy after the other": _in_turn}
"""Orders `[epochs, samples]` of repeated samples, from a key for each epoch and their number."""


def samples_seen(
    problem: Problem,
    copies: int,
    steps: int,
    rate: float,
    target: float,
    row: dict[str, Array],
    order: str = "shuffled copies",
) -> Array:
    """Counts samples until the loss is at the target, `[2]`, with the data repeated `copies` times.

    The first by steps on the full set, the second by mini-batches of one copy's size in an `order`.
    Infinite if `steps` are not enough. `row` has the weights `w` and a `key` for the batches.
    """
    n = len(problem.data["y"])
    full = jnp.tile(jnp.arange(copies * n)[None], (steps, 1))
    epochs = jax.random.split(row["key"], -(-steps // copies))
    orders = ORDERS[order](epochs, copies * n)
    parts = orders.reshape(-1, n)[:steps]

    def until_low(rows: Array) -> Array:
        def step(w: Array, chosen: Array) -> tuple[Array, Array]:
            batch = jax.tree.map(lambda a: a[chosen % n], problem.data)
            w = w - rate * jax.grad(problem.loss)(w, batch)
            return w, problem.loss(w, problem.data)

        low = lax.scan(step, row["w"], rows)[1] <= target
        return jnp.where(low.any(), (1.0 + jnp.argmax(low)) * rows.shape[1], jnp.inf)

    return jnp.stack([until_low(full), until_low(parts)])


Memory = tuple[Array, Array]
"""The moments m and v, zero before the first step."""


def descent(w: Array, g: Array, memory: Memory, t: Array, rate: Array) -> tuple[Array, Memory]:
    """Steps by `w -= rate g`."""
    return w - rate * g, memory


def momentum(w: Array, g: Array, memory: Memory, t: Array, rate: Array) -> tuple[Array, Memory]:
    """Steps by `v = 0.9 v + g`, `w -= rate v`."""
    m, v = memory
    v = 0.9 * v + g
    return w - rate * v, (m, v)


def adam(w: Array, g: Array, memory: Memory, t: Array, rate: Array) -> tuple[Array, Memory]:
    """Steps by Adam as in lecture L0: epsilon, 1e-8, inside the square root; t is 1 at first."""
    m = 0.9 * memory[0] + 0.1 * g
    v = 0.999 * memory[1] + 0.001 * g**2
    m_hat, v_hat = m / (1 - 0.9**t), v / (1 - 0.999**t)
    return w - rate * m_hat / jnp.sqrt(v_hat + 1e-8), (m, v)


class Rule(NamedTuple):
    """An optimizer written out, the same by optax, and the rate at which they are compared."""

    by_hand: Callable[..., tuple[Array, Memory]]
    by_optax: Callable[..., optax.GradientTransformation]
    rate: float


RULES = {
    "gradient descent": Rule(descent, optax.sgd, 0.1),
    "momentum": Rule(momentum, partial(optax.sgd, momentum=0.9), 0.1),
    "Adam": Rule(adam, partial(optax.adam, eps=0.0, eps_root=1e-8), 0.001),
}
EPSILON_OUTSIDE = Rule(adam, optax.adam, 0.001)
"""A different rule: Kingma and Ba (2015), and optax, add epsilon to the root."""


BATCHES: dict[str, Callable[[int], int]] = {
    "full set": lambda n: n,
    "mini-batches": lambda n: min(n, 16),
}
"""Samples of a step on a problem of n."""


def _batch(problem: Problem, size: int, t: Array) -> dict[str, Array]:
    """The samples of step t: all, or `size` of them in turn."""
    n = len(problem.data["y"])
    if size == n:
        return problem.data
    return jax.tree.map(lambda a: a[(t * size + jnp.arange(size)) % n], problem.data)


def side_by_side(
    problem: Problem, rule: Rule, steps: int, row: dict[str, Any], batch: str = "full set"
) -> Any:
    """Runs an optimizer by hand and by optax: losses `[steps]` and their largest distance.

    `row` has the first weights `w` and the `rate`. The loss of all samples is taken before each
    step, whatever its `batch`, the distance after it: the largest of any weight, relative to the
    largest weight.
    """
    tx = rule.by_optax(row["rate"])
    size = BATCHES[batch](len(problem.data["y"]))

    def step(carry: tuple, t: Array) -> tuple[tuple, tuple[Array, Array]]:
        ours, memory, theirs, state = carry
        value, samples = problem.loss(ours, problem.data), _batch(problem, size, t)
        slope = jax.grad(problem.loss)(ours, samples)
        ours, memory = rule.by_hand(ours, slope, memory, t, row["rate"])
        updates, state = tx.update(jax.grad(problem.loss)(theirs, samples), state, theirs)
        theirs = theirs + updates
        gap = jnp.abs(ours - theirs).max() / jnp.abs(theirs).max()
        return (ours, memory, theirs, state), (value, gap)

    w = row["w"]
    carry = (w, (jnp.zeros_like(w), jnp.zeros_like(w)), w, tx.init(w))
    _, (losses, gaps) = lax.scan(step, carry, jnp.arange(1, steps + 1))
    return losses, gaps.max()
