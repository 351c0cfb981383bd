"""An experiment's configuration, changed by `field=value` settings."""

import dataclasses
import typing
from typing import Any

from jaxnets.host import checks


def configure(config: Any, settings: list[str]) -> Any:
    """Returns the configuration with `field=value` settings applied.

    Raises:
        ValueError: no `=`, an unknown field (the nearest is suggested) or a value of another type.
    """
    types = typing.get_type_hints(type(config))
    changes = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set takes field=value, got {setting!r}")
        checks.require_known([name], types, "config field")
        try:
            changes[name] = _parse(types[name], text)
        except ValueError as error:
            raise ValueError(f"--set {name}: expected {types[name]}, got {text!r}") from error
    return dataclasses.replace(config, **changes)


def _parse(kind: Any, text: str) -> Any:
    if typing.get_origin(kind) is tuple:
        return tuple(typing.get_args(kind)[0](item) for item in text.split(","))
    return kind(text)
