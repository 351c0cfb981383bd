"""Hyper-parameters and data on the device, once all of it has been checked on the host."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass, replace
from functools import lru_cache, partial
from operator import attrgetter
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.host import checks
from jaxnets.host.augmenting import require_augmented
from jaxnets.losses import get_loss
from jaxnets.metrics import as_metrics, require_numbers
from jaxnets.objective import (
    PENALTIES,
    RECORDED,
    Hparams,
    apply_in_training,
    as_part,
    calls_of,
    empty_history,
    own_hparams,
)
from jaxnets.training.fingerprint import state_of
from jaxnets.training.optimizers import Built, Scheduled, require_schedule
from jaxnets.training.spec import TrainSpec
from jaxnets.training.stopping import EarlyStopping

PACKAGES = ("flax", "jax", "jaxnets", "numpy", "optax")
"""Their functions and classes stay as they are while a program runs."""
BOUNDS = {"learning_rate": (np.greater, "it must be above 0")} | dict.fromkeys(
    PENALTIES, (np.greater_equal, "a penalty is 0 or more")
)
"""How a hyper-parameter must compare with 0, and what to say if it does not."""
OWN = ("hparam_names", "traced_fields")
"""Where a model names its own hyper-parameters."""


def program_state(spec: TrainSpec) -> str:
    """Returns a digest of what a spec refers to that may have changed since it was compiled."""
    return "" if is_fixed(spec) and is_fixed(get_loss(spec.loss)) else state_of(spec)


def is_fixed(value: Any) -> bool:
    """Tells whether a choice refers only to values and functions that nobody changes."""
    if value is None or type(value) in (bool, float, int, str):
        return True
    package = str(getattr(value, "__module__", None)).partition(".")[0]
    parts: Sequence[Any] = ()
    if type(value) is partial:
        parts = value.func, *value.args, *value.keywords.values()
    elif type(value) is not tuple and package not in PACKAGES:
        return False
    elif isinstance(value, tuple):
        parts = value
    elif is_dataclass(value) and not isinstance(value, type):
        parts = [*map(partial(getattr, value), value.__dataclass_fields__.keys() - {"parent"})]
    elif isinstance(value, FunctionType):
        parts = [*map(attrgetter("cell_contents"), value.__closure__ or ())]
    elif not isinstance(value, type):
        return False
    return all(map(is_fixed, parts))


def bind_schedules(spec: TrainSpec, hparams: Any) -> tuple[TrainSpec, Any]:
    """Moves hyper-parameters that are schedules, functions of the step, into the optimizer.

    Raises:
        ValueError, TypeError: a function that cannot be the learning rate.
    """
    given = hparams if isinstance(hparams, Mapping) else {}
    schedules = {name: value for name, value in given.items() if callable(value)}
    if not schedules:
        return spec, hparams
    for name, schedule in schedules.items():
        require_schedule(schedule, name)
    checks.require_known(schedules, inspect.signature(spec.optimizer).parameters, "argument")
    optimizer = Scheduled(spec.optimizer, tuple(schedules.items()))
    rest = {name: value for name, value in given.items() if name not in schedules}
    return replace(spec, optimizer=optimizer), rest


def prepare(
    spec: TrainSpec,
    data: Any,
    hparams: Any,
    *,
    networks: int | None = None,
    samples: int | None = None,
    on_host: bool = False,
) -> tuple[Any, Hparams]:
    """Returns data and hyper-parameters as device arrays, once all of it has been checked.

    Args:
        spec: the static choices.
        data: parts `train` and `valid`, as for `fit`.
        hparams: a dict of scalars, or for many `networks` of scalars and arrays `[networks]`.
        networks: how many a sweep trains; None for one that `fit` trains.
        samples: how many training samples there are where `data` has only some of them.
        on_host: whether the data stay there, as they are yet to be spread over devices.

    Raises:
        ValueError, TypeError: what does not fit, where, and what to do.
    """
    hparams = {} if hparams is None else hparams
    _require_hparams(spec, hparams, networks)
    _require_parts(data)
    train = as_part(spec.model, spec.loss, data.train, "train")
    valid = None if data.valid is None else as_part(spec.model, spec.loss, data.valid, "valid")
    if valid and valid["x"].shape[1:] != train["x"].shape[1:]:
        raise ValueError(
            f"train samples have shape {train['x'].shape[1:]}, validation samples "
            f"{valid['x'].shape[1:]}: both go through the same first layer"
        )
    if spec.stopping:
        require_metric(spec, spec.stopping, valid is not None)
    if spec.metrics:
        _require_metrics(spec, [part for part in (train, valid) if part])
    own = own_hparams(spec.model, hparams, OWN[0]) | own_hparams(spec.model, hparams, OWN[1])
    names = {*hparams} - {*PENALTIES, *own}
    sample = train["x"].shape[1:], train["x"].dtype
    params = _require_updates(spec.model, spec.optimizer, tuple(sorted(names)), *sample)
    count = len(train["x"]) if samples is None else samples
    size = checks.as_batch_size(spec.batch_size, count)
    if spec.augment:
        require_augmented(spec.augment, train, size)
    if isinstance(params, dict) and "params" in params and len(params) > 1:
        _require_statistics(spec.model, params, (count % size or size, *sample[0]), sample[1])
    data = type(data)(**(dict.fromkeys(data._fields) | {"train": train, "valid": valid}))
    if not on_host:
        data = jax.tree.map(jnp.asarray, data)
    dtype = jnp.result_type(float)
    return data, {name: jax.device_put(np.array(value, dtype)) for name, value in hparams.items()}


def require_metric(spec: TrainSpec, stopping: EarlyStopping, validated: bool) -> None:
    """Raises a ValueError unless a run records the metric to stop by, which rises or falls."""
    known = [*jax.eval_shape(partial(empty_history, spec, validated, 0))]
    checks.require_known([stopping.metric], known, "metric to stop by")
    if stopping.higher_is_better is None and stopping.metric.partition("_")[2] not in RECORDED:
        raise ValueError(
            f"say whether {stopping.metric} should rise: "
            f"EarlyStopping({stopping.metric!r}, higher_is_better=True)"
        )


def _require_metrics(spec: TrainSpec, parts: Sequence[Mapping[str, Any]]) -> None:
    drawn = jax.eval_shape(calls_of(spec.model).init, jax.random.key(0), parts[0]["x"][:1])
    for part in parts:
        outputs = jax.eval_shape(calls_of(spec.model).evaluate, drawn, part["x"])
        require_numbers(as_metrics(spec.metrics), outputs, part["y"], part.get("weight"))


def _require_hparams(spec: TrainSpec, hparams: Any, networks: int | None) -> None:
    if not isinstance(hparams, Mapping):
        raise TypeError(
            f"hparams is {hparams!r}; it must be a dict, such as {{'learning_rate': 0.1}}"
        )
    arguments = inspect.signature(spec.optimizer).parameters
    own = [*getattr(spec.model, OWN[0], ()), *getattr(spec.model, OWN[1], ())]
    if isinstance(spec.optimizer, Built) and "learning_rate" in hparams:
        raise ValueError(
            "the optimizer is already built, with its learning rate: leave learning_rate out of "
            "hparams, or give the function that builds it, such as optax.adam itself"
        )
    checks.require_known(hparams, [*arguments, *PENALTIES, *own], "hyper-parameter")
    for name, argument in arguments.items():
        variadic = argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
        if argument.default is argument.empty and not variadic and name not in hparams:
            raise ValueError(f"missing hyper-parameter {name!r}: the optimizer needs it")
    for name, value in hparams.items():
        if value is None or getattr(value, "dtype", type(value)) in (bool, np.bool_):
            raise TypeError(
                f"{name} is {value!r}; a hyper-parameter is a number that may be traced: fix a "
                f"flag or None by functools.partial(optimizer, {name}={value!r}), and leave it out"
            )
        number = checks.as_finite(value, name)
        shape = number.shape
        if networks is None and shape and name not in own:
            raise ValueError(
                f"{name} has shape {shape}; one network takes a scalar: for many, use sweep"
            )
        if networks is not None and shape not in ((), (networks,)):
            raise ValueError(
                f"{name} has shape {shape}; expected a scalar or [{networks}], one a key"
            )
        if name in BOUNDS:
            within, rule = BOUNDS[name]
            wrong = number[~within(number, 0)]
            if wrong.size:
                raise ValueError(f"{name} is {wrong[0]}; {rule}")
    for name in set(own) & set(hparams):
        for value in [hparams[name]] if networks is None else np.unique(hparams[name]):
            spec.model.check_hparams(**{name: value})


@lru_cache(maxsize=32)
def _require_updates(
    model: Any,
    optimizer: Any,
    names: tuple[str, ...],
    shape: tuple[int, ...],
    dtype: np.dtype,
) -> Any:
    """Raises a TypeError unless the optimizer can be used with numbers that are traced.

    Returns:
        The shapes of the params.
    """
    x = jax.ShapeDtypeStruct((1, *shape), dtype)
    params = jax.eval_shape(calls_of(model).init, jax.eval_shape(jax.random.key, 0), x)
    if _updates(optimizer, params, names, names):
        return params
    wrong = [name for name in names if not _updates(optimizer, params, names, (name,))]
    raise TypeError(
        f"the optimizer cannot use a traced {' and '.join(wrong or names)}: fix what is a flag or "
        f"a size by functools.partial(optimizer, {(wrong or names)[0]}=...), and leave it out of "
        "hparams"
    )


def _updates(optimizer: Any, params: Any, names: tuple[str, ...], traced: tuple[str, ...]) -> bool:
    """Whether the optimizer takes a step while some of its arguments are traced."""

    def step(params: Any, numbers: dict[str, Any]) -> Any:
        built = optimizer(**(dict.fromkeys(names, 0.5) | numbers))
        if not (hasattr(built, "init") and hasattr(built, "update")):
            raise TypeError(
                f"the optimizer built a {type(built).__name__}; it must build an optax "
                "transformation, with init and update"
            )
        value = jnp.zeros(())
        update = optax.with_extra_args_support(built).update
        more = {"value": value, "grad": params, "value_fn": lambda params: value}
        return update(params, built.init(params), params, **more)[0]

    number = jax.ShapeDtypeStruct((), jnp.result_type(float))
    try:
        jax.eval_shape(step, params, dict.fromkeys(traced, number))
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError):
        return False
    return True


def _require_statistics(model: Any, params: Any, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Raises what a layer that needs the whole batch says of the smallest one."""
    x, key = jax.ShapeDtypeStruct(shape, dtype), jax.eval_shape(jax.random.key, 0)
    jax.eval_shape(partial(apply_in_training, model), params, x, key)


def _require_parts(data: Any) -> None:
    for name in ("train", "valid"):
        part = getattr(data, name, "missing")
        if (name == "valid" and part is None) or (isinstance(part, Mapping) and {*"xy"} <= {*part}):
            continue
        raise TypeError(
            f"data is a {type(data).__name__} without a part {name!r} of x and y: make it with "
            'jaxnets.data.from_arrays(x, y), or Dataset({"x": x, "y": y}); a stream of batches is '
            "for jaxnets.fit_stream"
        )


def batch_hint(spec: TrainSpec, samples: int) -> tuple[str, str]:
    """Describes what a batch needs memory for, and what to lower where that does not suffice."""
    if spec.batch_size is None:
        batch = f"batch_size=None, all {samples} training samples in one batch,"
        remedy = f"set a batch_size, such as {min(128, samples)}"
    else:
        batch = f"batches of {spec.batch_size} of {samples} training samples"
        remedy = "lower batch_size"
    remedy = f"{remedy}, narrow the network, or, in a sweep, lower group"
    return f"the network and {batch}", remedy
