"""Metrics that a run records besides its loss: functions of all outputs and targets at once.

    spec = TrainSpec(..., metrics={"f1": metrics.f1})

records `train_f1` and, with validation samples, `valid_f1`, both with the params after the epoch.
Any function `(outputs [samples, k], targets) -> number` of jax.numpy is a metric; one that has an
argument `weight` gets the weights of the samples, or None.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks
from jaxnets.objective import RECORDED, Metric, MetricPairs, measure, shares


def as_metrics(metrics: Mapping[str, Metric] | Iterable[tuple[str, Metric]]) -> MetricPairs:
    """Converts metrics by name to pairs that can be hashed.

    Raises:
        TypeError: not a dict of functions.
        ValueError: a name that a run records already, or that cannot be a column.

    Example:
        >>> as_metrics({"f1": f1})[0][0]
        'f1'
    """
    try:
        pairs = tuple(dict(metrics).items())
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"metrics is {metrics!r}; it must be a dict of functions (outputs, targets) -> number, "
            "such as {'f1': jaxnets.metrics.f1}"
        ) from error
    for name, function in pairs:
        if not isinstance(name, str) or not name.isidentifier() or name in RECORDED:
            taken = "is recorded anyway" if name in RECORDED else "must be a name, such as 'f1'"
            raise ValueError(f"the name {name!r} of a metric {taken}")
        checks.require_callable(function, f"metric {name!r}", "jaxnets.metrics.f1")
    return pairs


def require_numbers(metrics: MetricPairs, outputs: Any, targets: Any, weight: Any) -> None:
    """Raises an error unless each metric gives a number for outputs and targets of these shapes.

    Raises:
        TypeError: the function fails for arrays that are traced; its own error is the cause.
        ValueError: it returns something else than one number.

    Example:
        >>> import jax.numpy as jnp
        >>> require_numbers(as_metrics({"f1": f1}), jnp.zeros((4, 2)), jnp.zeros(4, int), None)
    """
    for pair in metrics:
        try:
            found = jax.eval_shape(partial(measure, (pair,)), outputs, targets, weight)[pair[0]]
        except Exception as error:
            raise TypeError(
                f"metric {pair[0]!r} cannot be computed for outputs {outputs.shape} and targets "
                f"{targets.shape} inside a compiled program ({type(error).__name__}: {error}): "
                "use functions of jax.numpy"
            ) from error
        if found.shape != ():
            raise ValueError(
                f"metric {pair[0]!r} returns an array of shape {found.shape}; it must be one "
                "number for all samples, such as a mean"
            )


def f1(outputs: Array, targets: Array, weight: Array | None = None) -> Array:
    """Computes the mean over the classes of F1, `2 TP / (2 TP + FP + FN)` (van Rijsbergen, 1979).

    A class that is neither there nor predicted does not count, as in scikit-learn.

    Args:
        outputs: `[samples, classes]`, the largest is the prediction; or `[samples, 1]`, 0 or more
            for class 1.
        targets: labels `[samples]`.
        weight: `[samples]`.

    Examples:
        >>> import jax.numpy as jnp
        >>> float(f1(jnp.array([[2.0, 1.0], [0.0, 1.0]]), jnp.array([0, 1])))
        1.0
    """
    classes = max(outputs.shape[-1], 2)
    share = jnp.ones(len(targets)) if weight is None else weight
    found, true = (jax.nn.one_hot(y, classes) for y in (predicted(outputs), _labels(targets)))
    hits = share @ (found * true)
    all_of_them = share @ (found + true)
    seen = all_of_them > 0
    return jnp.sum(2 * hits / jnp.where(seen, all_of_them, 1)) / jnp.sum(seen)


def top_5_accuracy(outputs: Array, targets: Array, weight: Array | None = None) -> Array:
    """Computes the share of samples whose class is among the five with the largest outputs.

    Of equal outputs the last count as larger, as in scikit-learn; NaN is among none.

    Args:
        outputs: `[samples, classes]`, with six classes or more to mean something.
        targets: labels `[samples]`.
        weight: `[samples]`.

    Examples:
        >>> import jax.numpy as jnp
        >>> float(top_5_accuracy(jnp.arange(12.0)[None], jnp.array([8])))
        1.0
    """
    label = _labels(targets)[:, None]
    own = jnp.take_along_axis(outputs, label, axis=1)
    later = jnp.arange(outputs.shape[1])[None] > label
    ahead = jnp.sum((outputs > own) | ((outputs == own) & later), axis=1)
    return _mean((ahead < 5) & ~jnp.isnan(own[:, 0]), weight)


def mean_absolute_error(outputs: Array, targets: Array, weight: Array | None = None) -> Array:
    """Computes the mean of `|outputs - targets|` over samples and numbers.

    Args:
        outputs: `[samples, k]`.
        targets: `[samples, k]`, or `[samples]` for one.
        weight: `[samples]`.

    Examples:
        >>> import jax.numpy as jnp
        >>> float(mean_absolute_error(jnp.array([[1.0], [4.0]]), jnp.array([[2.0], [2.0]])))
        1.5
    """
    return _mean(jnp.abs(outputs - targets.reshape(outputs.shape)).mean(axis=1), weight)


def r2(outputs: Array, targets: Array, weight: Array | None = None) -> Array:
    """Computes `1 - sum (y - o)^2 / sum (y - mean y)^2`, the mean over the numbers of a sample.

    A number that is the same in all targets counts as in scikit-learn: 1 if it is found, else 0.

    Args:
        outputs: `[samples, k]`.
        targets: `[samples, k]`, or `[samples]` for one.
        weight: `[samples]`.

    Examples:
        >>> import jax.numpy as jnp
        >>> y = jnp.array([[1.0], [2.0], [3.0]])
        >>> float(r2(y, y))
        1.0
    """
    y = targets.reshape(outputs.shape)
    share = shares(jnp.ones(len(y)) if weight is None else weight)
    left, total = share @ (y - outputs) ** 2, share @ (y - (share @ y)[None]) ** 2
    first = y[jnp.argmax(share > 0)]
    constant = jnp.all((y == first[None]) | (share == 0)[:, None], axis=0)
    found = 1 - left / jnp.where(constant, 1, total)
    return jnp.mean(jnp.where(constant, 1.0 * (left == 0), found))


def predicted(outputs: Array) -> Array:
    """Returns the labels `[samples]` of outputs `[samples, classes]`, or `[samples, 1]` by sign.

    As for the losses of one output, 0 is class 1.

    Example:
        >>> import jax.numpy as jnp
        >>> predicted(jnp.array([[0.1, 2.0], [3.0, -1.0]])).tolist()
        [1, 0]
    """
    return jnp.argmax(outputs, axis=1) if outputs.shape[-1] > 1 else 1 * (outputs[:, 0] >= 0)


def _labels(targets: Array) -> Array:
    return targets.reshape(len(targets)).astype(int)


def _mean(values: Array, weight: Array | None) -> Array:
    return jnp.average(values, weights=weight)
