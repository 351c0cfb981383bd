"""Problems in the plane, drawn from a key: each returns `{"x": [n, 2], "y": [n]}`.

Every function is pure and compiles with `jax.jit(..., static_argnames="n")`. `x` has JAX's default
float type, `y` is int32. Where present, `noise` is the deviation of a Gaussian added to the
positions after labelling, and `flip` is the probability that a label is then changed.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.host import checks

LARGEST = 1e30
"""The upper limit of noise and similar options, so that no point is infinite."""
Points = dict[str, jax.Array]
Domain = tuple[tuple[float, float], tuple[float, float]]
"""`((x1_low, x1_high), (x2_low, x2_high))`."""

SQUARE: Domain = ((-1.0, 1.0), (-1.0, 1.0))


def rosenbrock(x: jax.Array) -> jax.Array:
    """Computes Rosenbrock's valley, `[..., 2] -> [...]`: r(x) = 100 (x2 - x1^2)^2 + (1 - x1)^2.

    Zero at (1, 1) and positive elsewhere (Rosenbrock 1960; lecture L0, rows F1 and F5).
    """
    x1, x2 = x[..., 0], x[..., 1]
    return 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2


def rosenbrock_region(
    key: jax.Array,
    n: int,
    *,
    threshold: float = 0.5,
    domain: Domain = ((0.0, 2.0), (0.0, 3.0)),
    inside: float = 0.4,
    noise: float = 0.0,
    flip: float = 0.0,
) -> Points:
    """Draws points labelled 1 where r(x) < threshold, a thin banana (lecture L0, row F1).

    The region is the disc u^2 + v^2 < threshold in u = 1 - x1, v = 10 (x2 - x1^2), a map with
    constant Jacobian 10. So its area is pi threshold / 10, 0.157 at 0.5, and a uniform
    point of the disc is a uniform point of the region. The lecture does not print its domain:
    this one contains the entire region, which is 2.6 % of it. A share `inside` of the points is
    therefore drawn from the region, and the others from the entire domain: 41.6 % of the labels
    are 1 by default, 2.6 % with `inside=0`.

    Raises:
        ValueError: n < 1, an empty domain, or a threshold, share, noise or flip out of range.
    """
    _check(n, noise, flip)
    _require_range("threshold", threshold, 0, LARGEST)
    _require_range("inside", inside, 0, 1)
    anywhere_key, disc_key, choice_key, noise_key = jax.random.split(key, 4)
    anywhere = _uniform(anywhere_key, n, domain)
    banana = _banana(disc_key, n, threshold)
    (low1, high1), (low2, high2) = domain
    low, high = jnp.array([[low1, low2]]), jnp.array([[high1, high2]])
    within = ((banana >= low) & (banana <= high)).all(axis=1)
    chosen = within & (jax.random.uniform(choice_key, (n,)) < inside)
    x = jnp.where(chosen[:, None], banana, anywhere)
    return _add_noise(noise_key, x, rosenbrock(x) < threshold, noise, flip)


def rosenbrock_surface(key: jax.Array, n: int, *, domain: Domain = SQUARE) -> Points:
    """Draws heights to regress, y = r(x) as floats `[n, 1]`, x uniform on the domain.

    The heights reach 404 on the default square. Lecture L0, row F5 prints neither domain nor scale.
    """
    _check(n)
    x = _uniform(key, n, domain)
    return {"x": x, "y": rosenbrock(x)[:, None]}


def checkerboard(
    key: jax.Array, n: int, *, cells: int = 4, noise: float = 0.0, flip: float = 0.0
) -> Points:
    """Draws uniform points on [-1, 1]^2, labelled by the parity of column + row (L0, row F2).

    There are `cells` columns and rows; the cell at the corner (-1, -1) has label 0. Half of the
    labels are 1 when `cells` is even.
    """
    _check(n, noise, flip)
    checks.require_count(cells, "cells")
    point_key, noise_key = jax.random.split(key)
    x = _uniform(point_key, n, SQUARE)
    column_row = jnp.floor((x + 1) * (cells / 2)).astype(jnp.int32)
    return _add_noise(noise_key, x, column_row.sum(axis=1) % 2, noise, flip)


def xor_table() -> Points:
    """Returns the corners of the unit square and their XOR, 0, 1, 1, 0 (lecture L1, row F10)."""
    x = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    return {"x": x, "y": jnp.array([0, 1, 1, 0], jnp.int32)}


def xor(key: jax.Array, n: int, *, noise: float = 0.2, flip: float = 0.0) -> Points:
    """Draws Gaussian clusters at the corners of the unit square, labelled by exclusive or.

    Each point's corner is drawn at random, so half of the labels are 1 on average.
    """
    _check(n, noise, flip)
    corner_key, noise_key = jax.random.split(key)
    table = xor_table()
    corner = jax.random.randint(corner_key, (n,), 0, 4)
    return _add_noise(noise_key, table["x"][corner], table["y"][corner], noise, flip)


def two_moons(key: jax.Array, n: int, *, noise: float = 0.0, flip: float = 0.0) -> Points:
    """Draws two interleaving half circles, with alternating labels 0, 1, 0, 1, ...

    Label 0: (cos t, sin t); label 1: (1 - cos t, 1/2 - sin t); t uniform on [0, pi].
    """
    _check(n, noise, flip)
    angle_key, noise_key = jax.random.split(key)
    t = jax.random.uniform(angle_key, (n,), maxval=np.pi)
    upper = jnp.stack([jnp.cos(t), jnp.sin(t)], axis=1)
    y = _alternating_labels(n)
    x = jnp.where(y[:, None] == 0, upper, jnp.array([[1.0, 0.5]]) - upper)
    return _add_noise(noise_key, x, y, noise, flip)


def spirals(
    key: jax.Array, n: int, *, turns: float = 1.5, noise: float = 0.0, flip: float = 0.0
) -> Points:
    """Draws two Archimedean spirals in the unit disc, half a turn apart, with alternating labels.

    Label 0: r (cos 2 pi turns r, sin 2 pi turns r); label 1: its negative; r uniform on [0.1, 1],
    so the arms stay 1 / (2 turns) apart along each ray.
    """
    _check(n, noise, flip)
    _require_range("turns", turns, 0, LARGEST)
    radius_key, noise_key = jax.random.split(key)
    r = jax.random.uniform(radius_key, (n,), minval=0.1, maxval=1.0)
    angle = 2 * np.pi * turns * r
    arm = r[:, None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=1)
    y = _alternating_labels(n)
    return _add_noise(noise_key, jnp.where(y[:, None] == 0, arm, -arm), y, noise, flip)


def circles(
    key: jax.Array, n: int, *, factor: float = 0.5, noise: float = 0.0, flip: float = 0.0
) -> Points:
    """Draws two concentric circles, labelled in turn 0 (radius 1) and 1 (radius `factor`)."""
    _check(n, noise, flip)
    _require_range("factor", factor, 0, 1)
    angle_key, noise_key = jax.random.split(key)
    t = jax.random.uniform(angle_key, (n,), maxval=2 * np.pi)
    y = _alternating_labels(n)
    radius = jnp.where(y == 0, 1.0, factor)[:, None]
    x = radius * jnp.stack([jnp.cos(t), jnp.sin(t)], axis=1)
    return _add_noise(noise_key, x, y, noise, flip)


def random_points(key: jax.Array, n: int, *, classes: int = 2) -> Points:
    """Draws uniform points on [-1, 1]^2 with random labels, which can only be memorised.

    Lecture L0, row F3.
    """
    _check(n)
    checks.require_count(classes, "classes")
    if classes < 2:
        raise ValueError(f"classes is {classes}; random labels need at least 2")
    point_key, label_key = jax.random.split(key)
    y = jax.random.randint(label_key, (n,), 0, classes, jnp.int32)
    return {"x": _uniform(point_key, n, SQUARE), "y": y}


TOY: dict[str, Callable[..., Points]] = {
    "rosenbrock_region": rosenbrock_region,
    "checkerboard": checkerboard,
    "xor": xor,
    "two_moons": two_moons,
    "spirals": spirals,
    "circles": circles,
    "random_points": random_points,
}
"""Problems of the plane by name, each `(key, n) -> {"x": [n, 2], "y": [n]}`."""


def _banana(key: jax.Array, n: int, threshold: float) -> jax.Array:
    """Draws uniform points `[n, 2]` of the region r(x) < threshold."""
    radius_key, angle_key = jax.random.split(key)
    radius = jnp.sqrt(threshold * jax.random.uniform(radius_key, (n,)))
    angle = jax.random.uniform(angle_key, (n,), maxval=2 * np.pi)
    x1 = 1 - radius * jnp.cos(angle)
    return jnp.stack([x1, x1**2 + radius * jnp.sin(angle) / 10], axis=1)


def _uniform(key: jax.Array, n: int, domain: Domain) -> jax.Array:
    low, high = np.asarray(domain, np.float64).T
    if not (low < high).all():
        raise ValueError(f"domain is {domain}; expected ((x1_low, x1_high), (x2_low, x2_high))")
    return jax.random.uniform(key, (n, 2), minval=low[None], maxval=high[None])


def _alternating_labels(n: int) -> jax.Array:
    return jnp.arange(n, dtype=jnp.int32) % 2


def _add_noise(key: jax.Array, x: jax.Array, y: jax.Array, noise: float, flip: float) -> Points:
    """Adds Gaussian noise of deviation `noise`, and flips labels with probability `flip`."""
    position_key, flip_key = jax.random.split(key)
    flipped = jax.random.uniform(flip_key, y.shape) < flip
    y = y.astype(jnp.int32)
    return {
        "x": x + noise * jax.random.normal(position_key, x.shape),
        "y": jnp.where(flipped, 1 - y, y),
    }


def _check(n: int, noise: float = 0.0, flip: float = 0.0) -> None:
    checks.require_count(n, "n")
    _require_range("noise", noise, 0, LARGEST)
    _require_range("flip", flip, 0, 0.5)


def _require_range(name: str, value: float, low: float, high: float) -> None:
    """Raises a ValueError unless low <= value <= high; traced values are not checked."""
    if isinstance(value, jax.core.Tracer):
        return
    if not low <= checks.as_number(value, name) <= high:
        raise ValueError(f"{name} is {value}; it must be finite and between {low:g} and {high:g}")
