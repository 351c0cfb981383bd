"""A training divided among devices, by a drop-in for `value_and_grad`: the step stays as it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding

from jaxnets.host import checks
from jaxnets.parallel.mesh import (
    AXIS,
    COPIES,
    ROWS,
    Spread,
    replicate,
    require_same_everywhere,
    spread,
)

Gradient = Callable[..., Callable]


def data_parallel(
    mesh: Mesh, spec: Any, key: Array, data: Any, hparams: Any, samples: int | None = None
) -> tuple[Any, Array, Spread, Any]:
    """Prepares the spec, key, data and hyper-parameters of one run for the devices of a mesh.

    Every device computes its share of each batch and all get the sum of the gradients. A last,
    partial batch that does not divide is computed whole by every device.

    Args:
        mesh: the devices, on an axis `data`.
        run: the static choices, a `jaxnets.Run`.
        key: the key of the training.
        hparams: its hyper-parameters.
        data: its data, checked, on the host.
        samples: as in `jaxnets.fit`.

    Raises:
        ValueError: another mesh, a batch that does not divide, or processes whose keys,
            hyper-parameters or data differ.
    """
    if mesh.axis_names != (AXIS,) or mesh.axis_types != (AxisType.Auto,):
        raise ValueError(
            f"the mesh has the axes {mesh.axis_names} of types {mesh.axis_types}; a training needs "
            f"one, {AXIS!r}, of type Auto: make it with jaxnets.parallel.all_devices()"
        )
    n = len(data.train["x"]) if samples is None else samples
    _check_batch(spec, n, mesh)
    common = data.valid if samples is not None else (data.train, data.valid)
    require_same_everywhere(((key, hparams), common), "key, hyper-parameter or data set")
    changes: dict[str, Any] = {"value_and_grad": DataParallel(spec.value_and_grad, mesh)}
    if spec.augment is not None:
        changes["augment"] = DataParallelSamples(spec.augment, mesh)
    key, hparams = replicate((key, hparams), mesh)
    return replace(spec, **changes), key, spread(data, mesh, samples), hparams


def _check_batch(spec: Any, n: int, mesh: Mesh) -> None:
    """The micro-shards of an audit, or the devices, must divide a whole batch."""
    audit = isinstance(spec.value_and_grad, FixedOrderGradients)
    parts, kind = (spec.value_and_grad.shards, "micro-shards") if audit else (mesh.size, "devices")
    size = spec.batch_size or n
    if size % parts == 0:
        return
    below = size - size % parts
    fitting = " or ".join(str(s) for s in (below, below + parts) if 0 < s <= n)
    what = f"batch_size {size}" if spec.batch_size else f"one batch of all {n} training samples"
    advice = f"use batch_size {fitting}" if fitting else "use fewer devices"
    raise ValueError(f"{what} does not divide among {parts} {kind}: {advice}")


@dataclass(frozen=True)
class DataParallel:
    """A `value_and_grad` that divides the samples of a batch; equal ones share a program."""

    value_and_grad: Gradient
    mesh: Mesh

    def __call__(self, objective: Any, has_aux: bool = True) -> Callable:
        """As the `value_and_grad` within, with results that are the same on every device."""
        differentiate = self.value_and_grad(objective, has_aux=has_aux)

        def evaluate(params: Any, batch: Any, key: Array | None = None) -> Any:
            found = differentiate(params, _among(self.mesh, batch), key)
            return lax.with_sharding_constraint(found, NamedSharding(self.mesh, COPIES))

        return evaluate


@dataclass(frozen=True)
class DataParallelSamples:
    """Changes to the samples of a batch, each made by the device that computes with it."""

    augment: Callable[[Array, Array], Array]
    mesh: Mesh

    def __call__(self, key: Array, x: Array) -> Array:
        """The changed samples."""
        return self.augment(key, _among(self.mesh, x))


def _among(mesh: Mesh, batch: Any) -> Any:
    """Arrays `[batch, ...]` with their rows on all devices, if they divide."""
    if len(jax.tree.leaves(batch)[0]) % mesh.size:
        return batch
    return lax.with_sharding_constraint(batch, NamedSharding(mesh, ROWS))


def fixed_order_gradients(
    value_and_grad: Gradient, mesh: Mesh, shards: int
) -> "FixedOrderGradients":
    """A drop-in for `Run.value_and_grad` with the same bits for any number of devices.

    A batch is cut into `shards` micro-shards of equal size. Each has its gradient computed alone,
    with `fold_in(key, number of the shard)`, by the same loop on every device; all are gathered and
    added in the order of the shards. So devices change who computes, and not what is computed.
    A batch that `shards` does not divide, such as the last of an epoch, is computed whole by every
    device.

    What it takes: 2 shards a device or more (XLA would unroll a loop of one, and may then round
    otherwise); one version of XLA with its default options, on one kind of processor with as many
    threads; losses that are means over the batch, as all here are. The optimizer, the augmentation
    and what a last, partial batch computes are programs of XLA's own cutting: they have come out
    the same wherever it was tried with default options, and did not with
    `JAX_DISABLE_MOST_OPTIMIZATIONS`. Dropout draws other masks than without the audit, since each
    shard has a key of its own, and `shards` is part of the result. Every device keeps `shards`
    gradients at a time, and as much travels: an audit, not the fastest way to train.

    Args:
        value_and_grad: `jax.value_and_grad` or `jaxnets.backprop.value_and_grad`.
        mesh: the devices, as for `fit`.
        shards: how many, a multiple of the devices, two for each of them or more.

    Raises:
        ValueError: any other number of shards.
    """
    checks.require_count(shards, "shards")
    if shards % mesh.size or shards < 2 * mesh.size:
        raise ValueError(
            f"{shards} micro-shards for {mesh.size} devices: use a multiple of {mesh.size}, "
            f"{2 * mesh.size} or more"
        )
    return FixedOrderGradients(value_and_grad, mesh, shards)


@dataclass(frozen=True)
class FixedOrderGradients:
    """What `audited` returns; equal ones share a program."""

    value_and_grad: Gradient
    mesh: Mesh
    shards: int

    def __call__(self, objective: Any, has_aux: bool = True) -> Callable:
        """As the `value_and_grad` within."""
        differentiate = self.value_and_grad(objective, has_aux=has_aux)

        def own(params: Any, pieces: Any, numbers: Array, key: Array | None) -> Any:
            def one(piece_and_number: tuple) -> Any:
                piece, number = piece_and_number
                folded = None if key is None else jax.random.fold_in(key, number)
                return differentiate(params, piece, folded)

            found = lax.map(one, (pieces, numbers))
            gathered = lax.all_gather(found, AXIS, tiled=True)
            return _mean_in_order(gathered, self.shards)

        def whole(params: Any, batch: Any, key: Array | None) -> Any:
            return differentiate(params, batch, key)

        def evaluate(params: Any, batch: Any, key: Array | None = None) -> Any:
            if len(jax.tree.leaves(batch)[0]) % self.shards:
                return self._on_mesh(whole, (COPIES, COPIES, COPIES))(params, batch, key)
            pieces = jax.tree.map(lambda a: a.reshape(self.shards, -1, *a.shape[1:]), batch)
            specs = (COPIES, ROWS, ROWS, COPIES)
            return self._on_mesh(own, specs)(params, pieces, jnp.arange(self.shards), key)

        return evaluate

    def _on_mesh(self, function: Callable, specs: tuple) -> Callable:
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=specs, out_specs=COPIES, check_vma=False
        )


def _mean_in_order(gathered: Any, shards: int) -> Any:
    """The mean over the leading axis, added from the first to the last."""
    first, rest = (jax.tree.map(lambda a, s=s: a[s], gathered) for s in (0, slice(1, None)))

    def add(total: Any, one: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, one), None

    total, _ = lax.scan(add, first, rest)
    return jax.tree.map(lambda a: a / shards, total)
