"""Any pure function for every row of some arrays: one program, spread over all devices."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxnets import parallel
from jaxnets.host import checks

ROWS, COPIES = PartitionSpec("row"), PartitionSpec()


def parallel_map(one: Callable[..., Any], rows: Any, *same: Any, group: int = 8) -> Any:
    """`one(row, *same)` for every row of a pytree of arrays `[n, ...]`, stacked to `[n, ...]`.

    Where `sweep` trains many networks on one data set, `one` may draw data of its own from a key,
    try several learning rates, and return no more than an accuracy:
    `parallel_map(accuracy_of, jax.random.split(key, 32))`.

    Args:
        one: a pure function. Calls with the same `one` and shapes share one compiled program.
        rows: an array or a pytree of arrays, all `[n, ...]`, keys included.
        same: arrays that every row sees; every device has a copy.
        group: rows computed side by side on a device: enough to be worth a `vmap`, few enough to
            stay in its cache.

    Returns:
        What `one` returns, with a leading axis `[n]`, on the first device; of all processes'
        devices, where there are several, and the whole in each of them.

    Raises:
        ValueError: no rows, arrays of different lengths, or a group below 1.
    """
    lengths = {len(leaf) for leaf in jax.tree.leaves(rows)}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"rows have lengths {sorted(lengths)}: expected arrays of one length, 1 or more"
        )
    at = layout(lengths.pop(), group)
    return at.collect(_mapped(one, at.group, at.mesh, *at.place(rows, same)))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _mapped(one: Callable[..., Any], group: int, mesh: Mesh, rows: Any, same: tuple) -> Any:
    return in_groups(mesh, group, one, rows, *same)


class Layout(NamedTuple):
    """Where n rows lie: on which devices, and how many side by side."""

    n: int
    mesh: Mesh
    group: int
    places: np.ndarray
    """The row at each place, `[devices * rounds * group]`; some come twice to fill the last."""

    def place(self, rows: Any, same: Any) -> tuple[Any, Any]:
        """Spreads arrays `[n, ...]` as `[places, ...]`, and copies the others to every device."""
        put = parallel.device_put if self.mesh.is_multi_process else jax.device_put
        dealt = jax.tree.map(lambda a: a[self.places], rows)
        return (
            put(dealt, NamedSharding(self.mesh, ROWS)),
            put(same, NamedSharding(self.mesh, COPIES)),
        )

    def collect(self, found: Any) -> Any:
        """Arrays `[places, ...]` as `[n, ...]` on the first device, so that no use communicates."""
        if self.mesh.is_multi_process:
            found = parallel.on_first_device(_gather(found, self.mesh))
        else:
            found = jax.device_put(found, self.mesh.devices[0])
        return jax.tree.map(lambda a: a[: self.n], found)


def layout(n: int, group: int) -> Layout:
    """Rows on all devices of all processes, up to `group` side by side, in equal groups.

    Every process has a part even of few rows, so that all can take the same steps.
    """
    checks.require_count(group, "group")
    devices = jax.local_devices()[:n] if jax.process_count() == 1 else jax.devices()
    share = -(-n // len(devices))
    rounds = -(-share // group)
    group = -(-share // rounds)
    places = np.arange(len(devices) * rounds * group) % n
    mesh = jax.make_mesh((len(devices),), ("row",), (AxisType.Auto,), devices=devices)
    return Layout(n, mesh, group, places)


def in_groups(mesh: Mesh, group: int, one: Callable[..., Any], rows: Any, *same: Any) -> Any:
    """`one(row, *same)` for rows that were dealt: each device takes its share, in groups."""

    def share(rows: Any, *same: Any) -> Any:
        size = group if group > 1 else None
        return lax.map(lambda row: one(row, *same), rows, batch_size=size)

    specs = (ROWS, *[COPIES] * len(same))
    return jax.shard_map(share, mesh=mesh, in_specs=specs, out_specs=ROWS, check_vma=False)(
        rows, *same
    )


def on_every_device(found: Any, mesh: Mesh) -> Any:
    """Rows of all devices as copies on each, within a compiled program."""
    return lax.with_sharding_constraint(found, NamedSharding(mesh, COPIES))


_gather = jax.jit(on_every_device, static_argnums=1)
