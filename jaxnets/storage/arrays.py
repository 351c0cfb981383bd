"""Trees of arrays and random keys as files, through orbax."""

import errno
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets.storage.atomic import FULL

FULL_TEXTS = {os.strerror(number): number for number in FULL}


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
        OSError: the disk is full, for which orbax has other errors.
    """
    plain = (_plain(leaf) for leaf in jax.tree.leaves(tree))
    arrays = {f"{i:06d}": np.atleast_1d(leaf) for i, leaf in enumerate(plain) if leaf.size}
    try:
        with _orbax() as orbax:
            orbax.save(path.absolute(), arrays)
    except (ValueError, RuntimeError) as error:
        full = next((number for text, number in FULL_TEXTS.items() if text in str(error)), None)
        if full is None and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise OSError(full or errno.ENOSPC, str(error).partition("\n")[0]) from error


def read(path: Path, rows: list[dict[str, Any]], like: Any) -> Any:
    """Reads the tree of which `describe_leaves` gave the rows, onto the devices of `like`."""
    places, structure = jax.tree.flatten(like)
    with _orbax() as orbax:
        arrays = orbax.restore(path.absolute())
    values = [
        arrays[f"{i:06d}"].reshape(row["shape"])
        if 0 not in row["shape"]
        else np.zeros(row["shape"], row["dtype"])
        for i, row in enumerate(rows)
    ]
    leaves = [_put(value, place) for value, place in zip(values, places, strict=True)]
    return jax.tree.unflatten(structure, leaves)


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
