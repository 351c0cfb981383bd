"""Weights of samples by their classes."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnets.host import checks


def class_weights(y: Any, weights: str | Mapping[int, float] | Any = "balanced") -> np.ndarray:
    """Gives each sample the weight of its class, for `from_arrays(x, y, weight=class_weights(y))`.

    Args:
        y: labels `[samples]`.
        weights: "balanced" for `n / (k n_c)` with n samples, k classes and n_c samples of the
            class, so that all classes count alike (King and Zeng, 2001); or one number a class, as
            an array `[classes]`, or by class, where classes without one count as 1.

    Returns:
        `[samples]`, floats.

    Raises:
        ValueError: labels that are none, weights that are negative or of too few classes, a class
            that no sample has, or another word.
        TypeError: labels or weights that are no numbers.

    Example:
        >>> import numpy as np
        >>> from jaxnets.data import class_weights
        >>> class_weights(np.array([0, 0, 0, 1])).round(2).tolist()
        [0.67, 0.67, 0.67, 2.0]
    """
    y = np.atleast_1d(checks.as_numpy(y, "y"))
    y = checks.as_labels(y, int(y.max(initial=0)) + 1)
    if isinstance(weights, str):
        checks.require_known([weights], ["balanced"], "kind of class weights")
        counts = np.bincount(y)
        return (len(y) / (np.count_nonzero(counts) * np.maximum(counts, 1)))[y]
    table = np.ones(int(y.max()) + 1)
    if isinstance(weights, Mapping):
        odd = [label for label in weights if label not in np.unique(y)]
        if odd:
            raise ValueError(f"there is a weight of class {odd[0]!r}, but no sample of that class")
        for label, weight in weights.items():
            table[int(label)] = checks.as_number(weight, f"weights[{label!r}]")
    else:
        table = checks.as_finite(weights, "weights")
        if table.ndim != 1 or len(table) <= y.max():
            raise ValueError(
                f"weights have shape {table.shape}; expected one for each of {y.max() + 1} classes"
            )
    return checks.as_weights(table[y], "weights of the samples")
