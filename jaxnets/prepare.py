"""Hyper-parameters and data on the device, once all of it has been checked on the host."""

import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import checks
from jaxnets.losses import get_loss
from jaxnets.train import PENALTIES, Hparams, Run


def prepare(
    run: Run,
    data: Any,
    hparams: Mapping[str, Any],
    *,
    samples: int | None = None,
    on_host: bool = False,
) -> tuple[Hparams, Any]:
    """Hyper-parameters and data as device arrays, once all of it has been checked.

    `samples` is how many training samples there are where `data` has but a part of them; the data
    stay `on_host` if they are yet to be spread over devices.

    Raises:
        ValueError, TypeError: what does not fit, where, and what to do.
    """
    _check_hparams(run, hparams)
    _check_parts(data)
    train = _check_part(run, data.train, "train")
    valid = None if data.valid is None else _check_part(run, data.valid, "valid")
    if valid and valid["x"].shape[1:] != train["x"].shape[1:]:
        raise ValueError(
            f"train samples have shape {train['x'].shape[1:]}, validation samples "
            f"{valid['x'].shape[1:]}: both go through the same first layer"
        )
    n = len(train["x"]) if samples is None else samples
    if run.batch_size is not None and run.batch_size > n:
        raise ValueError(
            f"batch_size {run.batch_size} is larger than the {n} training samples: "
            "use batch_size=None for the full set"
        )
    data = type(data)(**(dict.fromkeys(data._fields) | {"train": train, "valid": valid}))
    data = data if on_host else jax.tree.map(jnp.asarray, data)
    return {k: jnp.asarray(v, float) for k, v in hparams.items()}, data


def _check_hparams(run: Run, hparams: Mapping[str, Any]) -> None:
    arguments = inspect.signature(run.optimizer).parameters
    checks.known_names(hparams, [*arguments, *PENALTIES, "width"], "hyper-parameter")
    for name, argument in arguments.items():
        variadic = argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
        if argument.default is argument.empty and not variadic and name not in hparams:
            raise ValueError(f"missing hyper-parameter {name!r}: the optimizer needs it")
    for name, value in hparams.items():
        checks.finite(value, name)
    if "learning_rate" in hparams:
        checks.positive(hparams["learning_rate"], "learning_rate")
    for name in set(PENALTIES) & set(hparams):
        penalty = np.asarray(hparams[name])
        if not (penalty >= 0).all():
            raise ValueError(f"{name} is {penalty}; a penalty is 0 or more")
    if "width" in hparams:
        if not getattr(run.model, "widths", ()):
            raise ValueError("there is no hidden layer for the hyper-parameter width to narrow")
        width, widest = np.asarray(hparams["width"]), min(run.model.widths)
        if not ((width >= 1) & (width <= widest) & (width == np.round(width))).all():
            raise ValueError(f"width is {width}; the model has 1 to {widest} units")


def _check_parts(data: Any) -> None:
    for name in ("train", "valid"):
        part = getattr(data, name, "missing")
        if (name == "valid" and part is None) or (isinstance(part, Mapping) and {*"xy"} <= {*part}):
            continue
        raise TypeError(
            f"data is a {type(data).__name__} without a part {name!r} of x and y: make it with "
            'jaxnets.data.from_arrays(x, y), or Dataset({"x": x, "y": y})'
        )


def _check_part(run: Run, part: Mapping[str, Any], name: str) -> dict[str, np.ndarray]:
    x = getattr(run.model, "check_samples", checks.as_features)(part["x"], f"{name} x")
    shapes = jax.eval_shape(lambda x: run.model.init_with_output(jax.random.key(0), x), x[:1])
    y = get_loss(run.loss).check(part["y"], shapes[0].shape[-1], f"{name} y")
    checks.same_length(x, y, (f"{name} x", f"{name} y"))
    return {"x": x, "y": y}
