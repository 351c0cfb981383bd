"""Input checks on the host, before anything compiles: what is wrong, where, and what to do."""

import difflib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.host.arrays import as_array as as_array
from jaxnets.host.arrays import as_features as as_features
from jaxnets.host.arrays import as_inputs as as_inputs
from jaxnets.host.arrays import as_int32 as as_int32
from jaxnets.host.arrays import as_labels as as_labels
from jaxnets.host.arrays import as_numbers as as_numbers
from jaxnets.host.arrays import as_numpy as as_numpy
from jaxnets.host.arrays import as_rows as as_rows
from jaxnets.host.arrays import as_targets as as_targets
from jaxnets.host.arrays import as_weights as as_weights
from jaxnets.host.arrays import is_float as is_float
from jaxnets.host.arrays import is_integer as is_integer
from jaxnets.host.arrays import is_number as is_number
from jaxnets.host.arrays import is_traced as is_traced
from jaxnets.host.arrays import require_part as require_part
from jaxnets.host.arrays import require_same_length as require_same_length

T = TypeVar("T")
HABITS = {
    **dict.fromkeys(("lr", "eta", "learning_rate_init", "step_size"), "learning_rate"),
    **dict.fromkeys(("beta_1", "beta1"), "b1"),
    **dict.fromkeys(("beta_2", "beta2"), "b2"),
    **dict.fromkeys(("epsilon", "eps_root"), "eps"),
    **dict.fromkeys(("alpha", "kernel_regularizer", "reg"), "l2"),
    **dict.fromkeys(("hidden", "hidden_sizes", "layer_sizes", "depth"), "widths"),
    **dict.fromkeys(("hidden_size", "units", "hidden_layer_sizes"), "width"),
    **dict.fromkeys(
        (
            *("categorical_crossentropy", "sparse_categorical_crossentropy", "cross_entropy"),
            *("CrossEntropyLoss", "cross_entropy_loss", "nll_loss", "NLLLoss", "log_loss"),
            *("softmax_cross_entropy_with_integer_labels", "multinomial"),
        ),
        "softmax_cross_entropy",
    ),
    **dict.fromkeys(
        (
            *("binary_crossentropy", "bce", "BCELoss", "BCEWithLogitsLoss", "logistic"),
            *("sigmoid_binary_cross_entropy", "binary_log_loss"),
        ),
        "binary_cross_entropy",
    ),
    **dict.fromkeys(
        ("mse", "MSE", "MSELoss", "mse_loss", "mean_squared_error", "l2_loss"), "squared_error"
    ),
    **dict.fromkeys(("HuberLoss", "SmoothL1Loss", "huber_loss"), "huber"),
    **dict.fromkeys(("GaussianNLLLoss", "gaussian_nll_loss"), "gaussian"),
    **dict.fromkeys(("linear", "none", "None"), "identity"),
    **dict.fromkeys(("swish", "SiLU"), "silu"),
    "logistic_sigmoid": "sigmoid",
}
"""What Keras, PyTorch, scikit-learn and optax call it, to the name here."""


def lookup(table: Mapping[str, T], name: str, kind: str) -> T:
    """Looks up a row of a table; raises a ValueError that suggests the nearest name."""
    require_known([name], table, kind)
    return table[name]


def require_known(names: Iterable[str], known: Iterable[str], kind: str) -> None:
    """Raises a ValueError for the first unknown name, with what is meant or nearest."""
    known = list(known)
    for name in names:
        if name in known:
            continue
        habit = HABITS.get(str(name))
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.4)
        near = [habit] if habit in known else near
        hint = f" did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown {kind} {name!r};{hint} known: {', '.join(known) or 'none'}")


def as_finite(value: Any, name: str) -> np.ndarray:
    """Converts to a NumPy array of finite real numbers.

    Raises:
        TypeError: anything but real numbers.
        ValueError: a NaN or infinity.
    """
    try:
        found = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} is {value!r}; it must be a number or an array") from error
    if not (np.isrealobj(found) and is_number(found.dtype)):
        raise TypeError(f"{name} is {value!r}; it must be a number")
    wrong = ~np.isfinite(found)
    if wrong.any():
        raise ValueError(f"{name} is {found[wrong].ravel()[0]}; it must be finite")
    return found


def as_number(value: Any, name: str) -> float:
    """Converts a finite real scalar to a float; raises as `as_finite` does."""
    scalar = as_finite(value, name)
    if scalar.shape:
        raise TypeError(f"{name} has shape {scalar.shape}; it must be a single number")
    return float(scalar)


def require_positive(value: Any, name: str) -> None:
    """Raises a ValueError unless every entry is positive, and as `as_finite` does."""
    value = as_finite(value, name)
    wrong = ~(value > 0)
    if wrong.any():
        raise ValueError(f"{name} is {value[wrong].ravel()[0]}; it must be finite and above 0")


def require_at_least_0(value: Any, name: str) -> None:
    """Raises a ValueError unless the value is a number of 0 or more, and as `as_number` does."""
    number = as_number(value, name)
    if number < 0:
        raise ValueError(f"{name} is {number}; it must be 0 or more")


def require_share(value: Any, name: str) -> None:
    """Raises a ValueError unless the value is a number in [0, 1), and as `as_finite` does."""
    number = as_finite(value, name)
    if number.shape or not 0 <= number < 1:
        raise ValueError(f"{name} is {value}; it must be in [0, 1)")


def require_keys(value: Any, axes: int, name: str) -> None:
    """Raises a TypeError unless the value is an array of random keys with `axes` axes."""
    typed = isinstance(value, jax.Array) and jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key)
    old = getattr(value, "dtype", None) == np.uint32 and np.ndim(value) == axes + 1
    if not old and not (typed and value.ndim == axes):
        call = "jax.random.split(jax.random.key(seed), n)" if axes else "jax.random.key(seed)"
        shape = f" of shape {np.shape(value)}" if typed or np.ndim(value) else ""
        raise TypeError(f"{name} is {type(value).__name__}{shape}; it must be {call}")


def as_counts(values: Any, name: str) -> tuple[int, ...]:
    """Converts a list of integers, each 1 or more, to ints; raises as `require_count` does."""
    try:
        values = tuple(values)
    except TypeError as error:
        raise TypeError(f"{name} is {values!r}; it must be a list of integers") from error
    for value in values:
        require_count(value, f"an entry of {name}")
    return tuple(map(int, values))


def require_count(value: Any, name: str) -> None:
    """Raises a TypeError unless the value is an integer, a ValueError unless in 1 .. 2^31 - 1."""
    if not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; it must be an integer")
    if value < 1:
        raise ValueError(f"{name} is {value}; it must be 1 or more")
    if value >= 2**31:
        raise ValueError(f"{name} is {value}; it must be below 2^31, the range of JAX's int32")


def as_batch_size(size: int | None, samples: int) -> int:
    """Returns the size of a batch, all samples for None; raises a ValueError if it is larger."""
    if size is not None and size > samples:
        raise ValueError(
            f"batch_size {size} is larger than the {samples} training samples: "
            "use batch_size=None for the full set"
        )
    return size or samples


def require_callable(value: Any, name: str, example: str) -> None:
    """Raises a TypeError unless the value can be called."""
    if not callable(value):
        raise TypeError(f"{name} is {value!r}; it must be a function, such as {example}")


ADAPTERS = {
    "flax.nnx": "build it by jaxnets.models.NNX(lambda rngs: Net(rngs=rngs))",
    "equinox": "build it by jaxnets.models.Equinox(lambda key: Net(key=key))",
}
"""Packages of which networks need an adapter, and how to make it."""


def require_model(value: Any) -> None:
    """Raises a TypeError unless the value has `init` and `apply` and is not a class."""
    if isinstance(value, type):
        raise TypeError(f"model is the class {value.__name__}; make one of it, such as MLP((16,))")
    if hasattr(value, "init") and hasattr(value, "apply"):
        return
    for name, adapter in ADAPTERS.items():
        if any(cls.__module__.startswith(name) for cls in type(value).__mro__):
            raise TypeError(f"model is a network of {name}, which has its params inside: {adapter}")
    raise TypeError(f"model must have init and apply, as Flax modules do, got {value!r}")


def as_binary_labels(targets: Any, outputs: int, name: str = "y") -> Any:
    """Converts labels 0 and 1 for a network with one output; raises as `as_labels` does."""
    if outputs != 1:
        raise ValueError(f"a binary loss takes one output, the network has {outputs}")
    return as_labels(targets, 2, name)


def as_bits(targets: Any, outputs: int, name: str = "y") -> Any:
    """Converts targets 0 or 1, one an output; raises as `as_targets` does."""
    targets = as_targets(targets, outputs, name)
    if not is_traced(targets) and ((targets != 0) & (targets != 1)).any():
        raise ValueError(f"multi-label targets must be 0 or 1, {name} has other values")
    return targets


def as_half(targets: Any, outputs: int, name: str = "y") -> Any:
    """Converts targets of which each has two outputs, a mean and a variance."""
    if outputs % 2:
        raise ValueError(
            f"gaussian takes a mean and a variance per target, the network has {outputs} outputs"
        )
    return as_targets(targets, outputs // 2, name)


def as_any(targets: Any, outputs: int, name: str = "y") -> Any:
    """Converts targets of any shape `[samples, ...]` to finite floats or int32."""
    targets = targets if is_traced(targets) else as_numpy(targets, name)
    return as_int32(targets) if is_integer(targets.dtype) else as_numbers(targets, name)


def _per_sample(batch: int, k: int) -> tuple[int, ...]:
    return (batch,)


def _per_sample_of_one(batch: int, k: int) -> tuple[int, ...] | None:
    return (batch,) if k == 1 else None


def _per_output(batch: int, k: int) -> tuple[int, ...]:
    return batch, k


def _per_pair(batch: int, k: int) -> tuple[int, ...] | None:
    return None if k % 2 else (batch, k // 2)


_TARGET_SHAPES: dict[
    Callable[[Any, int, str], Any], Callable[[int, int], tuple[int, ...] | None]
] = {
    as_labels: _per_sample,
    as_binary_labels: _per_sample_of_one,
    as_bits: _per_output,
    as_targets: _per_output,
    as_half: _per_pair,
}
"""The check of targets to their shape, given that of the outputs; None where no target fits."""
_LABELS = (as_labels, as_binary_labels)
"""The checks of class indices."""


def with_checks(rule: Callable[[Any, Any], Any], check: Callable) -> Callable[[Any, Any], Any]:
    """Makes a function of outputs and targets refuse targets that would broadcast silently.

    Known targets are checked as `fit` does, traced ones by their shape and type. The function
    computes in single precision or more; the result has the type of the outputs and float targets.
    """

    @wraps(rule)
    def checked(outputs: jax.Array, targets: jax.Array) -> jax.Array:
        outputs, targets = as_array(outputs, "outputs"), as_array(targets, "targets")
        if not is_float(outputs.dtype):
            raise TypeError(f"outputs have dtype {outputs.dtype}; they must be floats")
        expected = (
            _TARGET_SHAPES[check](*outputs.shape)
            if outputs.ndim == 2 and outputs.shape[1]
            else None
        )
        if expected is None or targets.shape != expected:
            raise ValueError(
                f"outputs have shape {outputs.shape} and targets {targets.shape}; expected "
                f"[batch, k] and {expected or 'another k for this loss'}"
            )
        both = is_float(targets.dtype)
        dtype = jnp.result_type(outputs, targets) if both else outputs.dtype
        wide = jnp.promote_types(dtype, jnp.float32)
        return rule(jnp.asarray(outputs, wide), _typed(targets, outputs, check)).astype(dtype)

    return checked


def _typed(targets: Any, outputs: Any, check: Callable) -> jax.Array:
    """Checks targets as far as they are known; labels of any integer type become int32."""
    if not is_traced(targets):
        known = check(targets, outputs.shape[1], "targets")
        return jnp.asarray(known if is_integer(targets.dtype) else targets)
    if check not in _LABELS:
        return targets
    if not is_integer(targets.dtype):
        raise TypeError(f"targets have dtype {targets.dtype}; class labels are integers")
    return as_int32(targets)


_after_use = False


def require_not_forked() -> None:
    """Raises a RuntimeError in a process that was forked after JAX was used."""
    if _after_use:
        raise RuntimeError(
            "this process was forked from one that had used JAX, whose threads a fork does not "
            "copy: it would wait for them forever. Start processes by "
            "multiprocessing.get_context('spawn'), or before the first computation"
        )


def _remember() -> None:
    """Notes in a forked process whether its parent had started JAX's backends.

    JAX has no public way to ask without starting them; if this one ends, forks are not noticed.
    """
    global _after_use
    _after_use = bool(getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember)
