"""Meshes and arrays on them: samples are sharded over all devices, the rest is replicated."""

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

DATA_AXIS, ROW_AXIS, POSITION_AXIS = "data", "row", "positions"
"""The axes of meshes: samples of a batch, rows of a sweep, positions of a text (word2vec)."""
SHARDED, REPLICATED = PartitionSpec(DATA_AXIS), PartitionSpec()


def all_devices() -> Mesh:
    """Makes a mesh of all devices of all processes, with one axis, `data`.

    Example:
        >>> all_devices().size == len(jax.devices())
        True
    """
    return jax.make_mesh((jax.device_count(),), (DATA_AXIS,), (AxisType.Auto,))


def device_put(tree: Any, sharding: NamedSharding) -> Any:
    """Puts arrays that every process has in full on devices, as `sharding` says.

    Unlike `jax.device_put` it also accepts random keys, and sends nothing between processes.

    Example:
        >>> import numpy as np
        >>> from jax.sharding import NamedSharding, PartitionSpec
        >>> mesh = all_devices()
        >>> rows = NamedSharding(mesh, PartitionSpec("data"))
        >>> placed = device_put({"x": np.ones((4 * mesh.size, 2))}, rows)
        >>> len(placed["x"].sharding.device_set) == mesh.size
        True
    """
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def put(leaf: Any) -> Array:
        typed = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        full = leaf if typed else np.asarray(leaf)
        return jax.make_array_from_callback(full.shape, sharding, lambda index: full[index])

    return jax.tree.map(put, tree)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Copies the arrays to every device of the mesh.

    Example:
        >>> mesh = all_devices()
        >>> replicate({"w": np.ones(3)}, mesh)["w"].sharding.is_fully_replicated
        True
    """
    return device_put(tree, NamedSharding(mesh, REPLICATED))


def on_first_device(tree: Any) -> Any:
    """Returns the copy of replicated arrays on this process's first device, free of collectives.

    Example:
        >>> copied = replicate({"w": np.ones(3)}, all_devices())
        >>> len(on_first_device(copied)["w"].sharding.device_set)
        1
    """
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def own_rows(samples: int, mesh: Mesh) -> np.ndarray:
    """Returns the numbers `[own]` of the training samples that this process's devices hold.

    It needs to read only these.

    Example:
        >>> len(own_rows(100, all_devices()))  # all of them, if there is one process
        100
    """
    rows = _padded_rows(samples, mesh)
    return rows[rows < samples]


def _padded_rows(samples: int, mesh: Mesh) -> np.ndarray:
    """Returns the rows of the padded array on this process's devices, padding included.

    Every device has the same number of rows, so the last ones may be padding only.
    """
    total = -(-samples // mesh.size) * mesh.size
    indices = NamedSharding(mesh, SHARDED).addressable_devices_indices_map((total,))
    parts = [np.arange(total)[index] for index in indices.values()]
    return np.unique(np.concatenate(parts))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("padded", "valid"),
    meta_fields=("samples",),
)
@dataclass(frozen=True)
class ShardedDataset:
    """Holds sharded training samples and a replicated validation set."""

    padded: dict[str, Array]
    """Arrays `[samples + padding, ...]`: the samples, then rows of zeros, which are never used."""
    valid: dict[str, Array] | None
    samples: int

    @property
    def train(self) -> dict[str, Array]:
        """The samples without the padding, `[samples, ...]`; for use in compiled programs."""
        return {name: rows[: self.samples] for name, rows in self.padded.items()}


def shard_dataset(data: Any, mesh: Mesh, samples: int | None) -> ShardedDataset:
    """Shards the training samples over the devices of a mesh, and replicates the validation set.

    Args:
        data: the parts `train` and `valid` as valid arrays on the host. `train` is the full set,
            or this process's `own_rows(samples, mesh)` of it.
        mesh: the devices.
        samples: the training samples of all processes together, if each has only its own.

    Raises:
        ValueError: a number of samples that differs from this process's rows.
    """
    n = len(data.train["x"]) if samples is None else samples
    own, given = own_rows(n, mesh), len(data.train["x"])
    if samples is not None and given != len(own):
        raise ValueError(
            f"data.train has {given} samples in process {jax.process_index()}, whose devices hold "
            f"{len(own)} of the {samples}: pass the rows own_rows({samples}, mesh)"
        )
    local = data.train if samples is not None else _take(data.train, own)
    sharding, size = NamedSharding(mesh, SHARDED), len(_padded_rows(n, mesh))
    total = -(-n // mesh.size) * mesh.size

    def shard(rows: np.ndarray) -> Array:
        padded = np.pad(rows, [(0, size - len(rows)), *[(0, 0)] * (rows.ndim - 1)])
        return jax.make_array_from_process_local_data(sharding, padded, (total, *rows.shape[1:]))

    valid = None if data.valid is None else replicate(data.valid, mesh)
    return ShardedDataset({name: shard(rows) for name, rows in local.items()}, valid, n)


def _take(part: Mapping[str, np.ndarray], rows: np.ndarray) -> Mapping[str, np.ndarray]:
    return {name: values[rows] for name, values in part.items()}


def require_same_everywhere(tree: Any, what: str) -> None:
    """Raises a ValueError that names the first process whose arrays differ from process 0's.

    Example:
        >>> require_same_everywhere({"x": np.ones(3)}, "data")
    """
    if jax.process_count() == 1:
        return
    found = 0
    for leaf in jax.tree.leaves(tree):
        typed = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        values = np.ascontiguousarray(jax.random.key_data(leaf) if typed else leaf)
        found = zlib.crc32(values.tobytes(), found)
        found = zlib.crc32(repr(values.shape).encode(), found)
    all_found = multihost_utils.process_allgather(np.uint32(found))
    differs = np.flatnonzero(all_found != all_found[0])
    if differs.size:
        raise ValueError(
            f"process {differs[0]} has a different {what} than process 0: pass the same to all"
        )


def digest_of_all(digest: str) -> str:
    """Digests the digests of all processes, in order; that of a single process is its own.

    All processes must call this at the same point, with texts of one length.

    Example:
        >>> digest_of_all("6f1d")
        '6f1d'
    """
    if jax.process_count() == 1:
        return digest
    own = np.frombuffer(digest.encode(), np.uint8)
    return hashlib.sha256(multihost_utils.process_allgather(own).tobytes()).hexdigest()[:32]


def max_over_processes(number: int) -> int:
    """Returns the maximum over all processes, which must all call this at the same point.

    Example:
        >>> max_over_processes(3)
        3
    """
    if jax.process_count() == 1:
        return number
    return int(np.max(multihost_utils.process_allgather(np.int32(number))))
