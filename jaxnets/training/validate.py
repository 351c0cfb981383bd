"""Hyper-parameters and data on the device, once all of it has been checked on the host."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import lru_cache, partial
from types import FunctionType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets.host import checks
from jaxnets.losses import get_loss
from jaxnets.objective import PENALTIES, Hparams, as_part
from jaxnets.training.fingerprint import state_of
from jaxnets.training.loop import TrainSpec, own_hparams

PACKAGES = ("flax", "jax", "jaxnets", "numpy", "optax")
"""Their functions and classes stay as they are while a program runs."""


def program_state(spec: TrainSpec) -> str:
    """Returns a digest of what a spec refers to that may have changed since it was compiled."""
    return "" if is_fixed(spec) and is_fixed(get_loss(spec.loss)) else state_of(spec)


def is_fixed(value: Any) -> bool:
    """Tells whether a choice refers only to values and functions that nobody changes."""
    if value is None or type(value) in (bool, float, int, str):
        return True
    if type(value) is partial:
        return is_fixed((value.func, *value.args, *value.keywords.values()))
    package = str(getattr(value, "__module__", None)).partition(".")[0]
    if type(value) is not tuple and package not in PACKAGES:
        return False
    if isinstance(value, tuple):
        return all(is_fixed(part) for part in value)
    if isinstance(value, type):
        return True
    if is_dataclass(value):
        names = (field.name for field in fields(value) if field.name != "parent")
        return all(is_fixed(getattr(value, name)) for name in names)
    cells = value.__closure__ or () if isinstance(value, FunctionType) else None
    return cells is not None and all(is_fixed(cell.cell_contents) for cell in cells)


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
    _require_hashable(spec)
    hparams = checks.as_mapping({} if hparams is None else hparams, "hparams")
    _require_hparams(spec, hparams, networks)
    _require_parts(data)
    train = as_part(spec.model, spec.loss, data.train, "train")
    valid = None if data.valid is None else as_part(spec.model, spec.loss, data.valid, "valid")
    if valid and valid["x"].shape[1:] != train["x"].shape[1:]:
        raise ValueError(
            f"train samples have shape {train['x'].shape[1:]}, validation samples "
            f"{valid['x'].shape[1:]}: both go through the same first layer"
        )
    names = {*hparams} - {*PENALTIES, *own_hparams(spec.model, hparams)}
    sample = train["x"].shape[1:], train["x"].dtype
    _require_updates(spec.model, spec.optimizer, tuple(sorted(names)), *sample)
    checks.as_batch_size(spec.batch_size, len(train["x"]) if samples is None else samples)
    data = type(data)(**(dict.fromkeys(data._fields) | {"train": train, "valid": valid}))
    if not on_host:
        data = jax.tree.map(jnp.asarray, data)
    return data, {name: jnp.asarray(value, float) for name, value in hparams.items()}


def _require_hparams(spec: TrainSpec, hparams: Mapping[str, Any], networks: int | None) -> None:
    arguments = inspect.signature(spec.optimizer).parameters
    own = getattr(spec.model, "hparam_names", ())
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
        checks.as_finite(value, name)
        shape = np.shape(value)
        if networks is None and shape and name not in own:
            raise ValueError(
                f"{name} has shape {shape}; one network takes a scalar: for many, use sweep"
            )
        if networks is not None and shape not in ((), (networks,)):
            raise ValueError(
                f"{name} has shape {shape}; expected a scalar or [{networks}], one a key"
            )
    if "learning_rate" in hparams:
        checks.require_positive(hparams["learning_rate"], "learning_rate")
    for name in set(PENALTIES) & set(hparams):
        penalty = np.asarray(hparams[name])
        if not (penalty >= 0).all():
            raise ValueError(f"{name} is {penalty}; a penalty is 0 or more")
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
) -> None:
    """Raises a TypeError unless the optimizer can be used with numbers that are traced."""
    x = jax.ShapeDtypeStruct((1, *shape), dtype)
    params = jax.eval_shape(lambda x: model.init(jax.random.key(0), x), x)
    if _updates(optimizer, params, names, names):
        return
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


def _require_hashable(spec: TrainSpec) -> None:
    for field in fields(spec):
        value = getattr(spec, field.name)
        try:
            hash(value)
        except TypeError as error:
            raise TypeError(
                f"{field.name} is a {type(value).__name__} that cannot be hashed ({error}): use "
                "@dataclass(frozen=True) for a dataclass, and tuples instead of lists"
            ) from error


def _require_parts(data: Any) -> None:
    for name in ("train", "valid"):
        part = getattr(data, name, "missing")
        if (name == "valid" and part is None) or (isinstance(part, Mapping) and {*"xy"} <= {*part}):
            continue
        raise TypeError(
            f"data is a {type(data).__name__} without a part {name!r} of x and y: make it with "
            'jaxnets.data.from_arrays(x, y), or Dataset({"x": x, "y": y})'
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
