"""Trained networks in one file each: params, the model, and what else belongs to it.

    jn.save("digits.safetensors", model, state.params, {"classes": names})
    model, params, extra = jn.load("digits.safetensors")

The file is in the safetensors format, so that other programs can read its arrays; nothing in it is
executed.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import models
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import atomic_write
from jaxnets.weights.safetensors import read_safetensors, remarks, write_safetensors

FORMAT = 1
KINDS: dict[str, type] = {
    name: kind
    for name, kind in vars(models).items()
    if isinstance(kind, type) and issubclass(kind, nn.Module)
}
"""The models and layers that a file can describe."""


class Saved(NamedTuple):
    """What a file holds."""

    model: Any
    params: dict[str, Any]
    extra: dict[str, Any]


def save(
    path: str | PathLike[str], model: Any, params: Any, extra: Mapping[str, Any] | None = None
) -> None:
    """Saves a network in one file, which replaces an older one only once it is complete.

    Args:
        path: of the file, such as "digits.safetensors".
        model: its model. Those of `jaxnets.models` are described in the file, unless they have
            functions of your own; any other is to be given to `load`.
        params: its params, dicts of arrays, such as `state.params`.
        extra: what else belongs to it, as far as JSON has it: names of classes, the mean and the
            deviation by which samples were standardised.

    Raises:
        TypeError: params that are no dicts of arrays, or an extra that JSON has not.
        ValueError: names with a slash, which separates them in the file.
        DiskFullError, OSError: the file cannot be written.

    Example:
        >>> import jax, jaxnets as jn
        >>> model = jn.MLP((8,), 3)
        >>> params = model.init(jax.random.key(0), jax.numpy.ones((1, 2)))
        >>> folder = getfixture("tmp_path")
        >>> jn.save(folder / "net.safetensors", model, params, {"classes": ["a", "b", "c"]})
        >>> jn.load(folder / "net.safetensors").model == model
        True
    """
    arrays = {}
    for place, leaf in jax.tree.leaves_with_path(params):
        keys: list[Any] = [getattr(step, "key", None) for step in place]
        if not (keys and all(isinstance(key, str) for key in keys) and hasattr(leaf, "dtype")):
            raise TypeError(
                f"params{jax.tree_util.keystr(place)} is a {type(leaf).__name__}; params are dicts "
                "of arrays, with names as keys"
            )
        if any("/" in key for key in keys):
            raise ValueError(f"params{jax.tree_util.keystr(place)} has a slash in its name")
        arrays["/".join(keys)] = np.asarray(leaf)
    _require_names(extra or {}, "extra")
    try:
        note = {
            "format": str(FORMAT),
            "jaxnets": version("jaxnets"),
            "model": json.dumps(_described(model)),
            "extra": json.dumps(dict(extra or {}), allow_nan=False),
        }
    except (TypeError, ValueError) as error:
        raise TypeError(f"extra cannot be written as JSON: {error}") from error
    with atomic_write(as_path(path)) as file:
        write_safetensors(file, arrays, note)


def _require_names(value: Any, place: str) -> None:
    if isinstance(value, Mapping):
        for key, within in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{place} has the key {key!r}; keys in JSON are texts, as '{key}'")
            _require_names(within, f"{place}[{key!r}]")
    if isinstance(value, list | tuple):
        for i, within in enumerate(value):
            _require_names(within, f"{place}[{i}]")


def load(path: str | PathLike[str], model: Any = None) -> Saved:
    """Loads a network that `save` has written.

    Args:
        path: of the file.
        model: its model, which is needed if the file does not describe it.

    Returns:
        The model, its params and what else was saved with it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a damaged file, one of another program or of a newer version, or a model that is
            neither described nor given.

    Example:
        >>> import tempfile, jax, jax.numpy as jnp, jaxnets as jn
        >>> model, path = jn.MLP((4,), 2), tempfile.mkdtemp() + "/net.safetensors"
        >>> params = model.init(jax.random.key(0), jnp.ones((1, 3)))
        >>> jn.save(path, model, params, {"classes": ["a", "b"]})
        >>> model, params, extra = jn.load(path)
        >>> extra["classes"]
        ['a', 'b']
    """
    path = as_path(path)
    arrays, note = read_safetensors(path), remarks(path)
    if "format" not in note or "model" not in note:
        raise ValueError(
            f"{path} was not written by jaxnets.save: read its arrays with jaxnets.weights.read"
        )
    if note["format"] != str(FORMAT):
        raise ValueError(
            f"{path} has format {note['format']}, from jaxnets {note.get('jaxnets')}; this version "
            f"reads {FORMAT}: install a newer one"
        )
    described = json.loads(note["model"])
    if model is None:
        if described is None:
            raise ValueError(f"{path} does not describe its model: load(path, model) takes it")
        model = _built(described, path)
    params: dict[str, Any] = {}
    for name, array in arrays.items():
        *outer, last = name.split("/")
        place = params
        for key in outer:
            place = place.setdefault(key, {})
        place[last] = jnp.asarray(array)
    return Saved(model, params, json.loads(note["extra"]))


def _described(value: Any) -> Any:
    """A model as JSON has it, or None where it refers to something else."""
    try:
        return _plain(value) if type(value) in KINDS.values() else None
    except TypeError:
        return None


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.integer | np.floating):
        return value.item()
    if type(value) in (tuple, list):
        return [_plain(item) for item in value]
    if type(value) in KINDS.values() and is_dataclass(value):
        own = [f.name for f in fields(value) if f.init and f.name not in ("parent", "name")]
        return {"class": type(value).__name__, **{n: _plain(getattr(value, n)) for n in own}}
    raise TypeError(f"{value!r} is not a number, name or model")


def _built(described: Any, path: Path) -> Any:
    if isinstance(described, list):
        return tuple(_built(item, path) for item in described)
    if not isinstance(described, dict):
        return described
    values = {name: _built(value, path) for name, value in described.items() if name != "class"}
    try:
        return KINDS[described["class"]](**values)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} describes a model that this version has not: {error}") from error
