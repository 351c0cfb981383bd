"""The problems of the playground: points of the plane, their labels or heights, and features.

All draw `MOST_POINTS` points of which the first n are used, so that no number that the page may
change is the shape of an array, and nothing compiles when it changes.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.data import toy

MOST_POINTS = 512
EDGE = 1.25
"""The plane is drawn from -EDGE to EDGE."""
LARGEST_OWN = 4095
STEPS_PER_UNIT = 1600
"""Own points lie on a grid of so many steps a unit, with (0, 0) in its middle."""
LABELS = 60
"""A multiple of 2 to 6: random labels below it are random classes once divided."""

FEATURES: dict[str, Callable[[Any, Any], Any]] = {
    "x1": lambda a, b: a,
    "x2": lambda a, b: b,
    "x1_squared": lambda a, b: a * a,
    "x2_squared": lambda a, b: b * b,
    "x1_x2": lambda a, b: a * b,
    "sin_x1": lambda a, b: np.sin(np.pi * a),
    "sin_x2": lambda a, b: np.sin(np.pi * b),
}
"""Name to a function of the two coordinates; the sines have period 2."""


class Problem(NamedTuple):
    """Names a problem, its kind, and how its points are drawn.

    Args:
        kind: binary, classes, curve or surface.
        draw: `(key, noise, flip) -> {"x": [MOST_POINTS, 2], "y": [MOST_POINTS]}`; None for points
            that the page sends.
        centred: whether to move and scale the points into the middle of the plane.
    """

    kind: str
    draw: Callable[..., dict[str, jax.Array]] | None
    centred: bool = True


def features_of(x: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Computes all features `[..., FEATURES]` of points `[..., 2]`; those not named are 0."""
    columns = [
        f(x[..., 0], x[..., 1]) if name in names else np.zeros(x.shape[:-1])
        for name, f in FEATURES.items()
    ]
    return np.stack(columns, axis=-1).astype(np.float32)


def sample(name: str, seed: int, noise: float, flip: float) -> tuple[np.ndarray, np.ndarray]:
    """Draws `x [MOST_POINTS, 2]` and `y [MOST_POINTS]` of a problem, within the drawn plane."""
    problem = PROBLEMS[name]
    points = jax.device_get(_program(name)(np.uint32(seed), np.float32(noise), np.float32(flip)))
    x, y = points["x"], points["y"].astype(np.float32).reshape(-1)
    if problem.centred:
        low, high = (np.quantile(x, q, axis=0) for q in (0.005, 0.995))
        x = (x - (low + high) / 2) / max(np.max(high - low) / 2, 1e-6)
    return np.clip(x, -EDGE, EDGE).astype(np.float32), y


def own_points(rows: tuple[tuple[int, int, int], ...]) -> tuple[np.ndarray, np.ndarray]:
    """Places the page's points in the plane: `x [n, 2]` and `y [n]`."""
    table = np.array(rows, np.float32).reshape(-1, 3)
    return (table[:, :2] - (LARGEST_OWN + 1) / 2) / STEPS_PER_UNIT, table[:, 2]


@cache
def _program(name: str) -> Callable:
    draw = PROBLEMS[name].draw
    assert draw is not None

    def points(seed: jax.Array, noise: jax.Array, flip: jax.Array) -> dict[str, jax.Array]:
        return draw(jax.random.key(seed), noise, flip)

    options = {"xla_backend_optimization_level": 0}
    return jax.jit(points, compiler_options=options)


def _toy(name: str, key: jax.Array, noise: jax.Array, flip: jax.Array) -> dict[str, jax.Array]:
    return toy.TOY[name](key, MOST_POINTS, noise=noise, flip=flip)


def _random(key: jax.Array, noise: jax.Array, flip: jax.Array) -> dict[str, jax.Array]:
    return toy.random_points(key, MOST_POINTS, classes=LABELS)


def _arms(key: jax.Array, noise: jax.Array, flip: jax.Array) -> dict[str, jax.Array]:
    """Draws radius and place of points on the arms of a galaxy; `arms` turns them to their arm."""
    radius_key, noise_key, label_key = jax.random.split(key, 3)
    r = jax.random.uniform(radius_key, (MOST_POINTS,), minval=0.1, maxval=1.0)
    angle = 2.5 * r + noise * 2 * jax.random.normal(noise_key, (MOST_POINTS,))
    y = jax.random.randint(label_key, (MOST_POINTS,), 0, LABELS)
    return {"x": jnp.stack([r, angle], axis=1), "y": y}


def turn_arms(polar: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """Turns points `(radius, angle)` to the arm of their class, equally spaced round the centre."""
    angle = polar[:, 1] + 2 * np.pi * y / classes
    return (polar[:, :1] * np.stack([np.cos(angle), np.sin(angle)], axis=1)).astype(np.float32)


def _heights(
    function: Callable, key: jax.Array, noise: jax.Array, flip: jax.Array
) -> dict[str, jax.Array]:
    point_key, noise_key = jax.random.split(key)
    x = jax.random.uniform(point_key, (MOST_POINTS, 2), minval=-1.0, maxval=1.0)
    return {"x": x, "y": function(x) + noise * jax.random.normal(noise_key, (MOST_POINTS,))}


def _valley(x: jax.Array) -> jax.Array:
    """Rosenbrock's function of lecture L0 on the square, from -1 to 1."""
    return toy.rosenbrock(x) / 202 - 1


PROBLEMS: dict[str, Problem] = {
    **{name: Problem("binary", partial(_toy, name)) for name in toy.TOY if name != "random_points"},
    "random_points": Problem("classes", _random, centred=False),
    "arms": Problem("classes", _arms, centred=False),
    "sine": Problem(
        "curve", partial(_heights, lambda x: 0.8 * jnp.sin(2 * jnp.pi * x[:, 0])), centred=False
    ),
    "steps": Problem(
        "curve", partial(_heights, lambda x: jnp.floor(2 * x[:, 0]) / 2 + 0.25), centred=False
    ),
    "rosenbrock": Problem("surface", partial(_heights, _valley), centred=False),
    "waves": Problem(
        "surface",
        partial(_heights, lambda x: 0.9 * jnp.sin(jnp.pi * x[:, 0]) * jnp.cos(jnp.pi * x[:, 1])),
        centred=False,
    ),
    "own": Problem("binary", None, centred=False),
}
"""Name to problem: those of `jaxnets.data.toy.TOY` in two classes, then with up to six classes,
curves and surfaces to regress, and the points that a user draws."""
