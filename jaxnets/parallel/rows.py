"""Maps a pure function over the rows of arrays in one program, spread over all devices."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxnets.host import checks
from jaxnets.host.checks import require_not_forked
from jaxnets.parallel.mesh import REPLICATED, ROW_AXIS, device_put, on_first_device

ROWS = PartitionSpec(ROW_AXIS)


def parallel_map(one: Callable[..., Any], rows: Any, *same: Any, group: int = 8) -> Any:
    """Computes `one(row, *same)` for every row of a pytree of arrays `[n, ...]`, and stacks them.

    While `sweep` trains many networks on one data set, `one` may draw its own data from a key, try
    several learning rates, and return only an accuracy:
    `parallel_map(accuracy_of, jax.random.split(key, 32))`.

    Args:
        one: a pure function. Calls with the same `one` and shapes share one compiled program.
        rows: an array or a pytree of arrays, all `[n, ...]`; keys are allowed.
        same: arrays that every row sees, replicated on every device.
        group: rows computed at a time on a device: enough for an efficient `vmap`, few enough to
            fit in its cache.

    Returns:
        What `one` returns, with a leading axis `[n]`, on the first device. If there are several
        processes, they share the work, and each has the full result.

    Raises:
        ValueError: no rows, arrays of different lengths, or a group below 1.

    Example:
        >>> import jax.numpy as jnp
        >>> parallel_map(lambda row, scale: scale * row.sum(), jnp.ones((5, 3)), 2.0).tolist()
        [6.0, 6.0, 6.0, 6.0, 6.0]
    """
    require_not_forked()
    lengths = {len(leaf) for leaf in jax.tree.leaves(rows)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"rows have lengths {sorted(lengths)}: expected arrays of one length, 1 or more"
        )
    at = layout(lengths.pop(), group)
    return at.collect(_map(one, at.group, at.mesh, *at.place(rows, same)))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _map(one: Callable[..., Any], group: int, mesh: Mesh, rows: Any, same: tuple) -> Any:
    return map_in_groups(mesh, group, one, rows, *same)


class Layout(NamedTuple):
    """Assigns n rows to devices, and to groups that are computed at a time."""

    n: int
    mesh: Mesh
    group: int
    places: np.ndarray
    """The row at each place, `[devices * rounds * group]`; some occur twice to fill the last."""

    def place(self, rows: Any, same: Any) -> tuple[Any, Any]:
        """Shards `rows [n, ...]` as `[places, ...]`, and replicates `same`."""
        put = device_put if self.mesh.is_multi_process else jax.device_put
        by_place = jax.tree.map(partial(take_rows, index=self.places), rows)
        return (
            put(by_place, NamedSharding(self.mesh, ROWS)),
            put(same, NamedSharding(self.mesh, REPLICATED)),
        )

    def collect(self, found: Any) -> Any:
        """Gathers arrays `[places, ...]` as `[n, ...]` on the first device."""
        if self.mesh.is_multi_process:
            found = on_first_device(_gather(found, self.mesh))
        else:
            found = jax.device_put(found, self.mesh.devices[0])
        if len(self.places) == self.n:
            return found
        return take_rows(found, np.arange(self.n))


def layout(n: int, group: int) -> Layout:
    """Lays out n rows over all devices of all processes, in equal groups of at most `group`.

    Every process gets a part even of few rows, so that all can take the same steps.
    """
    checks.require_count(group, "group")
    devices = jax.local_devices()[:n] if jax.process_count() == 1 else jax.devices()
    share = -(-n // len(devices))
    rounds = -(-share // group)
    group = -(-share // rounds)
    places = np.arange(len(devices) * rounds * group) % n
    mesh = jax.make_mesh((len(devices),), (ROW_AXIS,), (AxisType.Auto,), devices=devices)
    return Layout(n, mesh, group, places)


def map_in_groups(mesh: Mesh, group: int, one: Callable[..., Any], rows: Any, *same: Any) -> Any:
    """Computes `one(row, *same)` for sharded rows: each device maps over its own, in groups."""

    def map_own(rows: Any, *same: Any) -> Any:
        size = group if group > 1 else None
        return lax.map(lambda row: one(row, *same), rows, batch_size=size)

    specs = (ROWS, *[REPLICATED] * len(same))
    return jax.shard_map(map_own, mesh=mesh, in_specs=specs, out_specs=ROWS, check_vma=False)(
        rows, *same
    )


@jax.jit
def take_rows(tree: Any, index: Any) -> Any:
    """Takes rows of all leaves in one program, not in several a leaf that each must compile."""
    return jax.tree.map(lambda a: a[index], tree)


@partial(jax.jit, static_argnums=1)
def _gather(found: Any, mesh: Mesh) -> Any:
    return lax.with_sharding_constraint(found, NamedSharding(mesh, REPLICATED))
