"""Where arrays lie: samples spread over all devices of all processes, the rest on each of them."""

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

AXIS = "data"
ROWS, COPIES = PartitionSpec(AXIS), PartitionSpec()


def all_devices() -> Mesh:
    """A mesh of all devices of all processes, its one axis called `data`."""
    return jax.make_mesh((jax.device_count(),), (AXIS,), (AxisType.Auto,))


def device_put(tree: Any, sharding: NamedSharding) -> Any:
    """Arrays that every process has whole, laid out so; each process keeps what its devices need.

    Unlike `jax.device_put` it takes random keys too, and sends nothing between processes.
    """
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)

    def place(leaf: Any) -> Array:
        typed = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        whole = leaf if typed else np.asarray(leaf)
        return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])

    return jax.tree.map(place, tree)


def replicate(tree: Any, mesh: Mesh) -> Any:
    """The arrays, on every device of the mesh."""
    return device_put(tree, NamedSharding(mesh, COPIES))


def on_first_device(tree: Any) -> Any:
    """Copies on every device as arrays on this process's first, so that no use communicates."""
    return jax.tree.map(lambda leaf: leaf.addressable_data(0), tree)


def own_rows(samples: int, mesh: Mesh) -> np.ndarray:
    """Which of the training samples this process's devices hold: read these and no others."""
    places = _places(samples, mesh)
    return places[places < samples]


def _places(samples: int, mesh: Mesh) -> np.ndarray:
    """The places of this process's devices in the padded array, those after the samples included.

    Every device has as many places, so that the last ones may be empty.
    """
    total = -(-samples // mesh.size) * mesh.size
    indices = NamedSharding(mesh, ROWS).addressable_devices_indices_map((total,))
    parts = [np.arange(total)[index] for index in indices.values()]
    return np.unique(np.concatenate(parts))


@partial(
    jax.tree_util.register_dataclass,
    data_fields=("padded", "valid"),
    meta_fields=("samples",),
)
@dataclass(frozen=True)
class Spread:
    """A data set whose training samples are spread over devices, the validation set on each."""

    padded: dict[str, Array]
    """Arrays `[places, ...]`: the samples, then rows of zeros that nothing looks at."""
    valid: dict[str, Array] | None
    samples: int

    @property
    def train(self) -> dict[str, Array]:
        """The samples without the padding, `[samples, ...]`; within a compiled program."""
        return {name: rows[: self.samples] for name, rows in self.padded.items()}


def spread(data: Any, mesh: Mesh, samples: int | None) -> Spread:
    """The data set on the devices of a mesh.

    Args:
        data: the parts `train` and `valid` as checked arrays on the host. `train` is the whole set,
            or this process's `own_rows(samples, mesh)` of it.
        mesh: the devices.
        samples: how many training samples all processes have together, where each has but its own.

    Raises:
        ValueError: not as many samples as are this process's own.
    """
    n = len(data.train["x"]) if samples is None else samples
    own, given = own_rows(n, mesh), len(data.train["x"])
    if samples is not None and given != len(own):
        raise ValueError(
            f"data.train has {given} samples in process {jax.process_index()}, whose devices hold "
            f"{len(own)} of the {samples}: give it the rows own_rows({samples}, mesh)"
        )
    local = data.train if samples is not None else _rows(data.train, own)
    sharding, places = NamedSharding(mesh, ROWS), len(_places(n, mesh))
    total = -(-n // mesh.size) * mesh.size

    def place(rows: np.ndarray) -> Array:
        filled = np.pad(rows, [(0, places - len(rows)), *[(0, 0)] * (rows.ndim - 1)])
        return jax.make_array_from_process_local_data(sharding, filled, (total, *rows.shape[1:]))

    valid = None if data.valid is None else replicate(data.valid, mesh)
    return Spread({name: place(rows) for name, rows in local.items()}, valid, n)


def _rows(part: Mapping[str, np.ndarray], rows: np.ndarray) -> Mapping[str, np.ndarray]:
    return {name: values[rows] for name, values in part.items()}


def require_same_everywhere(tree: Any, what: str) -> None:
    """A ValueError unless all processes have the same arrays; the first that differs is named."""
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
            f"process {differs[0]} has another {what} than process 0: give every process the same"
        )


def largest(number: int) -> int:
    """The largest of all processes' numbers, which all must ask for at the same point."""
    if jax.process_count() == 1:
        return number
    return int(np.max(multihost_utils.process_allgather(np.int32(number))))
