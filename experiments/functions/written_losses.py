"""The losses as the slides print them, with 120 digits, for outputs at which float64 overflows."""

from collections.abc import Callable, Iterator, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from itertools import product
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from jaxnets.losses import DELTA, LOSSES, VARIANCE_FLOOR

DIGITS = Context(prec=120, Emin=MIN_EMIN, Emax=MAX_EMAX)
"""Densities here have exponents far below those that Decimal allows unless asked."""
STEP = Decimal("1e-40")
"""Of the central differences, whose error is about its square."""
LEVELS = (-1e4, -100.0, -1.5, 0.25, 30.0, 1e4)
"""Outputs; none is where a loss has a kink."""
PI = Decimal("3.14159265358979323846264338327950288419716939937510")
Outputs = Sequence[Decimal]


def _probability(s: Decimal) -> Decimal:
    """`1 / (1 + exp(-s))`; that of the other class, 1 minus this one, is the same of -s."""
    return 1 / (1 + (-s).exp())


def _binary_cross_entropy(outputs: Outputs, t: int) -> Decimal:
    return -_probability(outputs[0] if t else -outputs[0]).ln()


def _softmax_cross_entropy(outputs: Outputs, t: int) -> Decimal:
    return -(outputs[t].exp() / sum(y.exp() for y in outputs)).ln()


def _multilabel_cross_entropy(outputs: Outputs, targets: Sequence[float]) -> Decimal:
    pairs = zip(outputs, targets, strict=True)
    return sum((_binary_cross_entropy([y], int(t)) for y, t in pairs), Decimal(0))


def _margin(outputs: Outputs, t: int) -> Decimal:
    return outputs[0] if t else -outputs[0]


def _squared_error(outputs: Outputs, targets: Sequence[float]) -> Decimal:
    pairs = zip(outputs, targets, strict=True)
    return sum(((y - Decimal(t)) ** 2 for y, t in pairs), Decimal(0))


def _clamped_l1(outputs: Outputs, targets: Sequence[float]) -> Decimal:
    near = (Decimal(max(-DELTA, min(t, DELTA))) for t in targets)
    return sum((abs(y - t) for y, t in zip(outputs, near, strict=True)), Decimal(0))


def _gaussian(outputs: Outputs, targets: Sequence[float]) -> Decimal:
    """Minus the logarithm of the normal density; the variance is that of the library's unit."""
    mean, s = outputs
    variance = (1 + s.exp()).ln() + Decimal(VARIANCE_FLOOR)
    density = (-((Decimal(targets[0]) - mean) ** 2) / (2 * variance)).exp()
    return -(density / (2 * PI * variance).sqrt()).ln()


class Printed(NamedTuple):
    """A loss as the slides print it, the number of outputs that it is tried with, and targets."""

    formula: Callable[[Outputs, Any], Decimal]
    outputs: int
    targets: Sequence[Any]


PRINTED = {
    "softmax_cross_entropy": Printed(_softmax_cross_entropy, 3, (0, 1, 2)),
    "binary_cross_entropy": Printed(_binary_cross_entropy, 1, (0, 1)),
    "multilabel_cross_entropy": Printed(
        _multilabel_cross_entropy, 2, tuple(product((0.0, 1.0), repeat=2))
    ),
    "hinge": Printed(lambda y, t: max(Decimal(0), 1 - _margin(y, t)), 1, (0, 1)),
    "perceptron": Printed(lambda y, t: max(Decimal(0), -_margin(y, t)), 1, (0, 1)),
    "squared_error": Printed(_squared_error, 2, ((0.5, -2.0), (1e4, 1e4))),
    "gaussian": Printed(_gaussian, 2, ((0.5,), (-1e4,))),
    "clamped_l1": Printed(_clamped_l1, 2, ((0.5, -2.0), (0.05, -1e4))),
}
"""The losses of `LOSSES`, by name."""


def errors(name: str) -> dict[str, np.ndarray]:
    """Compares a loss and its gradient by hand in float64 with the printed formula.

    Returns `value [cases]` and `slope [cases, outputs]`, for all outputs from `LEVELS` and all
    targets: the difference over the exact number, or over 1 where that is less.
    """
    formula, count, targets = PRINTED[name]
    cases = list(product(product(LEVELS, repeat=count), targets))
    outputs = jnp.asarray([y for y, _ in cases], jnp.float64)
    wanted = jnp.asarray([t for _, t in cases])
    with localcontext(DIGITS):
        pairs = [([Decimal(y) for y in outputs], t) for outputs, t in cases]
        values = [float(formula(y, t)) for y, t in pairs]
        slopes = [[float(s) for s in _slopes(formula, y, t)] for y, t in pairs]
    return {
        "value": _relative(LOSSES[name].value(outputs, wanted), np.asarray(values)),
        "slope": _relative(LOSSES[name].grad(outputs, wanted), np.asarray(slopes)),
    }


def _slopes(formula: Callable, outputs: Outputs, targets: Any) -> Iterator[Decimal]:
    for i, y in enumerate(outputs):
        above, below = ([*outputs[:i], y + h, *outputs[i + 1 :]] for h in (STEP, -STEP))
        yield (formula(above, targets) - formula(below, targets)) / (2 * STEP)


def _relative(found: Any, exact: np.ndarray) -> np.ndarray:
    return np.abs(np.asarray(found) - exact) / np.maximum(np.abs(exact), 1)


def overflowing(s: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Computes `-ln(1 - y)`, y = sigmoid(s), as printed and from the output s, for the figure."""
    with np.errstate(divide="ignore"):
        printed = -np.log(1 - 1 / (1 + np.exp(-s)))
    labels = jnp.zeros(len(s), int)
    return printed, np.asarray(
        LOSSES["binary_cross_entropy"].value(jnp.asarray(s)[:, None], labels)
    )
