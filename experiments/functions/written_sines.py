"""Sines and bumps as ReLU networks whose weights are written down, in double precision (row F8)."""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import jax
import numpy as np

import jaxnets as jn
from jaxnets.analysis import evaluate
from jaxnets.analysis.constructions import Params, add, relu_bump, relu_interpolation, ridge, widen

FLANK = 0.1
"""Half the width of a flank of `row_of_bumps`, in bumps."""


def sine(x: np.ndarray) -> np.ndarray:
    """Computes the product of the sines of `x [points, features]`, `[points]`."""
    return np.sin(x).prod(axis=1)


def polygon(units: int) -> Params:
    """Writes down the polygon of sin x through K + 1 even knots of [-pi, pi]."""
    knots = np.linspace(-np.pi, np.pi, units + 1)
    return relu_interpolation(knots, np.sin(knots))


def row_of_bumps(units: int) -> Params:
    """Writes down the steps of sin x on [-pi, pi] as K / 4 bumps; neighbours share a flank."""
    borders = np.linspace(-np.pi, np.pi, units // 4 + 1)
    flank = FLANK * (borders[1] - borders[0])
    return add(
        [
            relu_bump((a - flank, a + flank, b - flank, b + flank), np.sin((a + b) / 2))
            for a, b in pairwise(borders)
        ]
    )


def two_ridges(units: int) -> Params:
    """Writes down sin x1 sin x2 = cos(x1 - x2) / 2 - cos(x1 + x2) / 2, a polygon per cosine."""
    knots = np.linspace(-2 * np.pi, 2 * np.pi, units // 2 + 1)
    cosine = relu_interpolation(knots, np.cos(knots))
    return add([ridge(cosine, (1, -1)), ridge(cosine, (1, 1))], (0.5, -0.5))


class Written(NamedTuple):
    """A way to write down the sine of `features` variables with K units."""

    write: Callable[[int], Params]
    features: int
    target: str
    name: str


WRITTEN = {
    "polygon": Written(polygon, 1, "sin x", "a polygon"),
    "bumps": Written(row_of_bumps, 1, "sin x", "a row of bumps"),
    "ridges": Written(two_ridges, 2, "sin x1 sin x2", "two ridges"),
}


def outputs(networks: list[Params], x: np.ndarray) -> np.ndarray:
    """Evaluates networks on `x [points, features]`, `[networks, points]`, in one program."""
    widest = max(len(params["params"]["hidden_0"]["bias"]) for params in networks)
    stacked = jax.tree.map(lambda *a: np.stack(a), *(widen(params, widest) for params in networks))
    with jax.enable_x64(True):
        model = jn.MLP((widest,), activation="relu")
        return evaluate.all_predictions(model, "squared_error", stacked, x)[..., 0]


def bump_errors(random: np.random.Generator, x: np.ndarray, bumps: int) -> np.ndarray:
    """Computes the largest error at `x [points, 1]` of each of many random bumps, in heights."""
    edges, heights = (
        np.sort(random.uniform(x.min(), x.max(), (bumps, 4))),
        random.normal(size=bumps),
    )
    drawn = list(zip(edges, heights, strict=True))
    exact = np.stack([np.interp(x[:, 0], e, [0, h, h, 0]) for e, h in drawn])
    found = outputs([relu_bump(e, h) for e, h in drawn], x)
    return np.abs(found - exact).max(axis=1) / np.abs(heights)
