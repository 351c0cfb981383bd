"""Examples and formulas of the plane: ReLU units, hyperplanes, distances, a small table, ROC."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.stats import norm
from scipy import linalg, stats

from jaxnets import MLP
from jaxnets.analysis import linear_regions
from jaxnets.backprop.mlp import forward
from jaxnets.classical import logistic_probabilities, logistic_regression
from jaxnets.classical.scaling import linear_scores
from jaxnets.losses import LOSSES

from .written_networks import relative

FOLD = np.asarray([[0.5, -0.5], [-0.5, 0.5]])
"""The slide's W1."""
READOUTS = ((1.0, 1.0, 0.0), (1.0, -1.0, 0.5), (2.0, -0.5, -1.0))
"""Values for the slide's w2 and b2, which it leaves open."""
LINES = np.asarray([[1.0, 0.5], [-0.6, 1.0], [-0.4, -1.0]])
OFFSETS = np.asarray([-1.0, -1.0, -1.0])
HEIGHTS = np.asarray([1.0, -1.2, 0.8])
"""Three units of which any two hyperplanes cross, and their weights in y."""
REACH = 4.0
"""Of the pictures, to either side; all crossings are within."""
DIMENSIONS = (2, 3, 10)
DEVIATIONS = (0.1, 1.0, 10.0)
CARS = np.asarray([[11, 8], [20, 7], [4, 8], [8, 7], [11, 5]], float)
"""The slide's salaries, in hundred thousands of rupees a year (LPA), and sizes of families."""
BOUGHT = np.asarray([1, 1, 0, 0, 1])


def grid(points: int, reach: float = REACH) -> np.ndarray:
    """Lists the points of a square grid, `[points**2, 2]`, row by row from below."""
    axis = np.linspace(-reach, reach, points)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def relu_network(weight: Any, bias: Any, readout: Any, offset: float) -> tuple[MLP, Any]:
    """Builds `y = readout . max(0, W x + b) + offset` and its parameters."""
    layers = {"hidden_0": (weight, bias), "output": ([readout], [offset])}
    tree = {
        name: {"weight": jnp.asarray(w), "bias": jnp.asarray(b)} for name, (w, b) in layers.items()
    }
    return MLP((len(bias),), activation="relu"), {"params": tree}


def relu_example(points: int) -> dict[str, np.ndarray]:
    """Compares the slide's example with the same by hand, on a grid, and counts its regions."""
    x = grid(points)
    difference = (x[:, 0] - x[:, 1]) / 2
    up, down = np.maximum(difference, 0), np.maximum(-difference, 0)
    result = {"regions": np.asarray([linear_regions.count([(FOLD, np.zeros(2))])], float)}
    errors = []
    for *readout, offset in READOUTS:
        model, params = relu_network(FOLD, np.zeros(2), readout, offset)
        y, traces = forward(model, params, jnp.asarray(x))
        by_hand = readout[0] * up + readout[1] * down + offset
        errors.append(np.abs(np.asarray(y)[:, 0] - by_hand).max())
    hidden = np.asarray(traces[0].value) - np.stack([up, down])
    return result | {"hidden": np.abs(hidden).max(axis=1), "y": np.asarray(errors)}


def hyperplanes(points: int) -> dict[str, np.ndarray]:
    """Counts the regions of 1, 2, 3 units, exactly and on a grid, and compares y on them.

    Returns `regions` and `patterns [3]`, `edges [3]`, the largest distance of y at a region's
    corners from the affine map at its centre, and `maps [3, points, points]`, y on the grid.
    """
    rows = [_hyperplanes(n, grid(points)) for n in (1, 2, 3)]
    regions, patterns, edges, maps = zip(*rows, strict=True)
    return {
        "regions": np.asarray(regions, float),
        "patterns": np.asarray(patterns, float),
        "edges": np.asarray(edges),
        "maps": np.asarray(maps).reshape(3, points, points),
    }


def _hyperplanes(units: int, x: np.ndarray) -> tuple[int, int, float, np.ndarray]:
    weight, bias, readout = LINES[:units], OFFSETS[:units], HEIGHTS[:units]
    model, params = relu_network(weight, bias, readout, 0.0)

    def y(x: np.ndarray) -> np.ndarray:
        return np.asarray(model.apply(params, jnp.asarray(x)))[:, 0]

    worst = 0.0
    for corners in linear_regions.on_rectangle([(weight, bias)], (-REACH, REACH, -REACH, REACH)):
        centre = corners.mean(axis=0)
        slope = (readout * (weight @ centre + bias > 0)) @ weight
        affine = y(centre[None]) + (corners - centre) @ slope
        worst = max(worst, float(np.abs(y(corners) - affine).max()))
    signs = np.unique(x @ weight.T + bias > 0, axis=0)
    return linear_regions.count([(weight, bias)]), len(signs), worst, y(x)


def distance_errors(random: np.random.Generator, samples: int) -> np.ndarray:
    """Compares w.x + w0, |w| = 1, with the distance to the nearest point, `[DIMENSIONS]`."""
    return np.asarray([_distance_error(random, samples, n) for n in DIMENSIONS])


def _distance_error(random: np.random.Generator, samples: int, dimensions: int) -> float:
    w = random.normal(size=dimensions)
    w /= np.linalg.norm(w)
    w0 = random.normal()
    x = 3 * random.normal(size=(samples, dimensions))
    away = x - nearest(x, w, w0)
    signed = np.linalg.norm(away, axis=1) * np.sign(away @ w)
    return relative(linear_scores({"w": jnp.asarray(w), "b": jnp.asarray(w0)}, x), signed)


def nearest(x: np.ndarray, w: np.ndarray, w0: float) -> np.ndarray:
    """Finds the nearest point of the hyperplane w.x + w0 = 0 by least squares on a basis of it."""
    on = linalg.lstsq(w[None], [-w0])[0]
    basis = linalg.null_space(w[None])
    return on + (basis @ linalg.lstsq(basis, (x - on).T)[0]).T


def noise_errors(random: np.random.Generator, samples: int) -> dict[str, np.ndarray]:
    """Compares least squares with the greatest likelihood under Gaussian noise, `[DEVIATIONS]`.

    `weights` are those of a linear model, `gradients` those of a logistic curve.
    """
    x = jnp.asarray(np.column_stack([np.ones(samples), random.normal(size=(samples, 2))]))
    w = random.normal(size=3)
    rows = [
        _noise_errors(x, jnp.asarray(x @ w + deviation * random.normal(size=samples)), deviation)
        for deviation in DEVIATIONS
    ]
    weights, gradients = np.asarray(rows).T
    return {"weights": weights, "gradients": gradients}


def _noise_errors(x: Array, t: Array, deviation: float) -> tuple[float, float]:
    """Maximises a linear model's log-likelihood, which is quadratic, by one step of Newton's."""

    def likelihood(w: Array, curve: Callable) -> Array:
        return jnp.sum(norm.logpdf(t, curve(x @ w), deviation))

    def squares(w: Array, curve: Callable) -> Array:
        return jnp.sum(LOSSES["squared_error"].value(curve(x @ w)[:, None], t[:, None]))

    start = jnp.asarray([0.5, -1.0, 2.0])
    slope, curvature = (d(likelihood)(start, jnp.asarray) for d in (jax.grad, jax.hessian))
    best = start - jnp.linalg.solve(curvature, slope)
    uphill, downhill = (jax.grad(f)(start, jax.nn.sigmoid) for f in (likelihood, squares))
    return (
        relative(best, np.linalg.lstsq(x, t)[0]),
        relative(2 * deviation**2 * uphill, -downhill),
    )


def buys_car(steps: int) -> dict[str, np.ndarray]:
    """Fits a sigmoid unit to the slide's table, whose columns are standardised for the descent.

    Returns the probabilities `y [5]`, the same by the formula, and the unit's `w [2]` and `b` for
    the columns as they are.
    """
    centre, scale = CARS.mean(axis=0), CARS.std(axis=0)
    x = (CARS - centre) / scale
    params, _ = logistic_regression(jnp.asarray(x), jnp.asarray(BOUGHT), steps=steps)
    w = np.asarray(params["w"]) / scale
    b = float(params["b"]) - w @ centre
    y = np.asarray(logistic_probabilities(params, jnp.asarray(x)))
    return {"y": y, "formula": 1 / (1 + np.exp(-(CARS @ w + b))), "w": w, "b": np.asarray(b)}


def roc_curve(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Computes the rates `[points, 2]` of false and of true alarms, as the threshold falls.

    Samples of the same score pass the threshold together.
    """
    order = np.argsort(-scores, kind="stable")
    last = np.append(np.diff(scores[order]) != 0, True)
    true, false = np.cumsum(labels[order])[last], np.cumsum(1 - labels[order])[last]
    curve = np.column_stack([false / false[-1], true / true[-1]])
    return np.vstack([[0.0, 0.0], curve])


def areas(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Computes the area under the curve in four ways.

    By trapezoids, by the Mann-Whitney statistic, pair by pair, and by scikit-learn.
    """
    from sklearn.metrics import roc_auc_score

    false, true = roc_curve(scores, labels).T
    positive, negative = scores[labels == 1], scores[labels == 0]
    pairs = len(positive) * len(negative)
    gap = positive[:, None] - negative[None]
    return np.asarray(
        [
            np.trapezoid(true, false),
            stats.mannwhitneyu(positive, negative).statistic / pairs,
            np.mean((gap > 0) + (gap == 0) / 2),
            roc_auc_score(labels, scores),
        ]
    )


def roc(random: np.random.Generator, samples: int) -> dict[str, np.ndarray]:
    """Scores samples of two overlapping classes by logistic regression, also rounded, with ties.

    Returns the `areas [2, 4]`, and the curves of the scores and of the rounded ones.
    """
    labels = np.arange(samples) % 2
    x = random.normal(size=(samples, 2)) + labels[:, None]
    params, _ = logistic_regression(jnp.asarray(x), jnp.asarray(labels), steps=200)
    scores = np.asarray(logistic_probabilities(params, jnp.asarray(x)))
    sets = {"curve": scores, "curve_ties": np.round(scores * 8) / 8}
    curves = {name: roc_curve(values, labels) for name, values in sets.items()}
    return curves | {"areas": np.asarray([areas(values, labels) for values in sets.values()])}
