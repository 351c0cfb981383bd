"""Perceptrons trained to convergence, beside those that an experiment trains as a lecture would."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import Array

import jaxnets as jn
from jaxnets.analysis import evaluate
from jaxnets.converge import Converged, converge
from jaxnets.data import Dataset

LOSS = "binary_cross_entropy"
SLOPE = 1e-5
"""The norm of the gradient at which L-BFGS stops."""


def train(
    widths: Sequence[int],
    key: Array,
    sets: Sequence[Dataset],
    starts: int,
    iterations: int,
    grid: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Trains perceptrons of every width on every data set by full-batch L-BFGS, in float64.

    Samples are standardised. Of the random starts that with the lowest validation loss counts.

    Returns:
        `mlp_converged [sets, widths]`, the accuracy on the test part, and `converged_slope`, the
        norm of the last gradient; with a grid of points also `maps [widths, points]`, the last
        set's classes there.
    """
    limits: dict[str, Any] = {"starts": starts, "steps": iterations, "tolerance": SLOPE, "group": 1}
    rows = []
    with jax.enable_x64(True):
        for set_key, data in zip(jax.random.split(key, len(sets)), sets, strict=True):
            scaled = standardise(data)
            models = [jn.MLP((width,)) for width in widths]
            found = [converge(model, LOSS, set_key, scaled, **limits) for model in models]
            tested = [
                evaluate.accuracy(model, LOSS, one.params, scaled.test)
                for model, one in zip(models, found, strict=True)
            ]
            rows.append([np.asarray(tested), [one.gradient_norm for one in found]])
        maps = {} if grid is None else {"maps": _maps(models, found, sets[-1], grid)}
    accuracies, slopes = np.asarray(rows, np.float64).transpose(1, 0, 2)
    return {"mlp_converged": accuracies, "converged_slope": slopes} | maps


def _maps(
    models: Sequence[jn.MLP], found: Sequence[Converged], data: Dataset, grid: np.ndarray
) -> np.ndarray:
    scaled = standardise(data._replace(test={"x": grid, "y": np.zeros(len(grid))})).test["x"]
    outputs = [
        model.apply(one.params, scaled)[:, 0] for model, one in zip(models, found, strict=True)
    ]
    return np.asarray(outputs) > 0


def standardise(data: Dataset) -> Dataset:
    """Scales the samples to the training part's mean 0 and deviation 1, in float64."""
    x = np.asarray(data.train["x"], np.float64)
    center, scale = x.mean(axis=0), x.std(axis=0)
    return Dataset(
        *(
            {"x": (np.asarray(part["x"], np.float64) - center) / scale, "y": np.asarray(part["y"])}
            for part in data
        )
    )
