"""Trees of arrays and random keys as files, through orbax."""

import errno
import math
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets.storage.atomic import FULL
from jaxnets.storage.manifest import CorruptCheckpoint

REASONS = ("EACCES", "EIO", "EMFILE", "ENFILE", "ENOENT", "ENOTDIR", "EPERM", "EROFS", "ESTALE")
NUMBERS = (*FULL, *(getattr(errno, name) for name in REASONS if hasattr(errno, name)))
TEXTS = {os.strerror(number): number for number in NUMBERS}
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError)
"""What orbax raises for files that it did not write."""


def describe_leaves(tree: Any) -> dict[str, dict[str, Any]]:
    """Returns shape and dtype of every leaf by its path; for keys the implementation too."""
    rows = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if not hasattr(leaf, "dtype"):
            name = jax.tree_util.keystr(path)
            raise TypeError(f"tree{name} is {type(leaf).__name__}; every leaf must be an array")
        shape, dtype = np.shape(leaf), str(leaf.dtype)
        if is_key(leaf):
            shape = jax.eval_shape(jax.random.key_data, leaf).shape
        rows[jax.tree_util.keystr(path)] = {"shape": list(shape), "dtype": dtype}
    return rows


def write(path: Path, tree: Any) -> None:
    """Writes the leaves into a new directory.

    Raises:
        OSError: the disk is full, gone or not writable, for which orbax has other errors.
    """
    plain = (_plain(leaf) for leaf in jax.tree.leaves(tree))
    arrays = {f"{i:06d}": np.atleast_1d(leaf) for i, leaf in enumerate(plain) if leaf.size}
    try:
        with _orbax() as orbax:
            orbax.save(path.absolute(), arrays)
    except (ValueError, RuntimeError) as error:
        number = next((number for text, number in TEXTS.items() if text in str(error)), None)
        if number is None and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        number = number or errno.ENOSPC
        raise OSError(number, os.strerror(number), str(path)) from error


def read(path: Path, rows: list[dict[str, Any]], like: Any, files: list[str]) -> Any:
    """Reads the tree of which `describe_leaves` gave the rows, onto the devices of `like`.

    Orbax sees nothing but the files. Names, shapes, dtypes and chunks of all stored arrays are
    compared with the rows before memory is allocated for any of them.

    Raises:
        CorruptCheckpoint: other arrays, or what orbax cannot read.
    """
    places, structure = jax.tree.flatten(like)
    try:
        with _only(path, files) as folder, _orbax() as orbax:
            _require_as_described(orbax.handler.metadata(folder), rows, places)
            arrays = orbax.restore(folder)
            values = [
                arrays[f"{i:06d}"].reshape(row["shape"])
                if 0 not in row["shape"]
                else np.zeros(row["shape"], row["dtype"])
                for i, row in enumerate(rows)
            ]
    except UNREADABLE as error:
        reason = str(error).strip().partition("\n")[0]
        raise CorruptCheckpoint(f"{path.name} cannot be read ({reason})") from error
    leaves = [_put(value, place) for value, place in zip(values, places, strict=True)]
    return jax.tree.unflatten(structure, leaves)


@contextmanager
def _only(path: Path, files: list[str]) -> Iterator[Path]:
    """Yields a folder that has these files alone: links or copies where the path has more."""
    there = {file.relative_to(path).as_posix() for file in path.rglob("*") if not file.is_dir()}
    if there == set(files):
        yield path.absolute()
        return
    with tempfile.TemporaryDirectory() as view:
        for name in files:
            (Path(view) / name).parent.mkdir(parents=True, exist_ok=True)
            try:
                (Path(view) / name).symlink_to((path / name).absolute())
            except OSError:  # Windows asks for a privilege
                shutil.copyfile(path / name, Path(view) / name)
        yield Path(view)


def _require_as_described(found: Any, rows: list[dict[str, Any]], places: list[Any]) -> None:
    """Raises a ValueError unless exactly the arrays of the rows are stored, in no larger chunks."""
    stored = found.tree if hasattr(found, "tree") else found
    wanted = {
        f"{i:06d}": (tuple(row["shape"]) or (1,), _plain_dtype(row, place))
        for i, (row, place) in enumerate(zip(rows, places, strict=True))
        if 0 not in row["shape"]
    }
    if set(stored) != set(wanted):
        raise ValueError(f"it has the arrays {sorted(stored)}, not {sorted(wanted)}")
    for name, (shape, dtype) in wanted.items():
        array = stored[name]
        chunk = array.storage.chunk_shape
        if tuple(array.shape) != shape or np.dtype(array.dtype) != dtype:
            raise ValueError(f"array {name} is {array.dtype}{array.shape}, not {dtype}{shape}")
        if math.prod(chunk) > math.prod(shape):
            raise ValueError(f"array {name} of shape {shape} has chunks of {chunk}")


def _plain_dtype(row: dict[str, Any], place: Any) -> np.dtype:
    return np.dtype(np.uint32) if is_key(place) else jax.numpy.dtype(row["dtype"])


def _put(value: np.ndarray, like: Any) -> Any:
    """The value as an array or key like `like`, on its devices."""
    if not isinstance(like, jax.Array):
        return value
    if is_key(like):
        data = _put(value, jax.random.key_data(like))
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(like))
    if not like.committed:
        return jax.numpy.asarray(value)
    return jax.make_array_from_callback(value.shape, like.sharding, lambda index: value[index])


def is_key(leaf: Any) -> bool:
    """Tells whether a leaf is an array of typed random keys."""
    return isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _plain(leaf: Any) -> np.ndarray:
    return np.asarray(jax.device_get(jax.random.key_data(leaf) if is_key(leaf) else leaf))


def _orbax() -> Any:
    """A checkpointer of this process alone, even where several run."""
    import orbax.checkpoint as ocp

    alone = {}
    if jax.process_count() > 1:
        only = jax.process_index()
        alone["multiprocessing_options"] = ocp.options.MultiprocessingOptions(
            primary_host=only, active_processes={only}, barrier_sync_key_prefix=f"only{only}"
        )
    handler = ocp.PyTreeCheckpointHandler(**alone)
    return ocp.Checkpointer(handler, **alone)
