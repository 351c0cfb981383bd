"""What a loss is, and what it asks of outputs and targets."""

from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxnets.host import checks


class Loss(NamedTuple):
    """Pairs a loss per example with its derivative with respect to the outputs.

    Args:
        value: `(outputs [batch, k], targets) -> [batch]`.
        grad: `(outputs [batch, k], targets) -> [batch, k]`.
        check: `(targets, k, name) -> targets` of the right shape, dtype and range, on the host; it
            raises an error that contains the name.
        predict: `outputs [batch, k]` to the most likely targets.
        classifies: whether the targets are labels, so that there is an accuracy.
    """

    value: Callable[[Array, Array], Array]
    grad: Callable[[Array, Array], Array]
    check: Callable[[Any, int, str], Any]
    predict: Callable[[Array], Array]
    classifies: bool = True


def as_binary_labels(targets: Any, outputs: int, name: str = "y") -> Any:
    """Checks labels 0 and 1 of a network with one output."""
    if outputs != 1:
        raise ValueError(f"a binary loss takes one output, the network has {outputs}")
    return checks.as_labels(targets, 2, name)


def as_bits(targets: Any, outputs: int, name: str = "y") -> Any:
    """Checks targets 0 or 1, as many as there are outputs."""
    targets = checks.as_targets(targets, outputs, name)
    if not checks.is_traced(targets) and ((targets != 0) & (targets != 1)).any():
        raise ValueError(f"multi-label targets must be 0 or 1, {name} has other values")
    return targets


def as_half_as_many(targets: Any, outputs: int, name: str = "y") -> Any:
    """Checks targets of which each has two outputs, a mean and a variance."""
    if outputs % 2:
        raise ValueError(
            f"gaussian takes a mean and a variance per target, the network has {outputs} outputs"
        )
    return checks.as_targets(targets, outputs // 2, name)


def _per_sample(batch: int, k: int) -> tuple[int, ...]:
    return (batch,)


def _per_sample_of_one(batch: int, k: int) -> tuple[int, ...] | None:
    return (batch,) if k == 1 else None


def _per_output(batch: int, k: int) -> tuple[int, ...]:
    return batch, k


def _per_pair(batch: int, k: int) -> tuple[int, ...] | None:
    return None if k % 2 else (batch, k // 2)


Check = Callable[[Any, int, str], Any]
Rule = Callable[[Array, Array], Array]
SHAPES: dict[Check, Callable[[int, int], tuple[int, ...] | None]] = {
    checks.as_labels: _per_sample,
    as_binary_labels: _per_sample_of_one,
    as_bits: _per_output,
    checks.as_targets: _per_output,
    as_half_as_many: _per_pair,
}
"""The check of targets to their shape, given that of the outputs; None where no target fits."""
LABELS = (checks.as_labels, as_binary_labels)
"""The checks of class indices."""


def with_checks(rule: Rule, check: Check) -> Rule:
    """Makes a function of outputs and targets refuse targets that would broadcast silently.

    Known targets are checked as `fit` does, traced ones by their shape and type. The function
    computes in single precision or more; the result has the type of the outputs and float targets.
    """

    @wraps(rule)
    def checked(outputs: Array, targets: Array) -> Array:
        outputs, targets = checks.as_array(outputs, "outputs"), checks.as_array(targets, "targets")
        if not checks.is_float(outputs.dtype):
            raise TypeError(f"outputs have dtype {outputs.dtype}; they must be floats")
        expected = SHAPES[check](*outputs.shape) if outputs.ndim == 2 and outputs.shape[1] else None
        if expected is None or targets.shape != expected:
            raise ValueError(
                f"outputs have shape {outputs.shape} and targets {targets.shape}; expected "
                f"[batch, k] and {expected or 'another k for this loss'}"
            )
        dtype = jnp.result_type(*[a for a in (outputs, targets) if checks.is_float(a.dtype)])
        wide = jnp.promote_types(dtype, jnp.float32)
        return rule(jnp.asarray(outputs, wide), _typed(targets, outputs, check)).astype(dtype)

    return checked


def _typed(targets: Any, outputs: Any, check: Check) -> Array:
    """Checks targets as far as they are known; labels of any integer type become int32."""
    if not checks.is_traced(targets):
        known = check(targets, outputs.shape[1], "targets")
        return jnp.asarray(known if checks.is_integer(targets.dtype) else targets)
    if check not in LABELS:
        return targets
    if not checks.is_integer(targets.dtype):
        raise TypeError(f"targets have dtype {targets.dtype}; class labels are integers")
    return checks.as_int32(targets)


def build(value: Rule, grad: Rule, check: Check, predict: Callable, **rest: bool) -> Loss:
    """Builds a loss of which both functions refuse targets that do not fit."""
    return Loss(with_checks(value, check), with_checks(grad, check), check, predict, **rest)
