"""Data parallelism by a drop-in for `value_and_grad`; the training step is unchanged."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding

from jaxnets.host import checks
from jaxnets.parallel.mesh import (
    DATA_AXIS,
    REPLICATED,
    SHARDED,
    ShardedDataset,
    replicate,
    require_same_everywhere,
    shard_dataset,
)

Gradient = Callable[..., Callable]


def data_parallel(
    mesh: Mesh, spec: Any, key: Array, data: Any, hparams: Any, samples: int | None = None
) -> tuple[Any, Array, ShardedDataset, Any]:
    """Prepares the spec, key, data and hyper-parameters of one run for the devices of a mesh.

    Every device computes its share of each batch, and all get the sum of the gradients. If the last
    batch of an epoch is smaller and cannot be divided, every device computes all of it.

    Args:
        mesh: the devices, on an axis `data`.
        spec: the static choices, a `jaxnets.TrainSpec`.
        key: the key of the run.
        data: valid arrays on the host, parts `{"x": [samples, ...], "y": targets}`.
        hparams: the hyper-parameters.
        samples: as in `jaxnets.fit`.

    Raises:
        ValueError: a mesh with other axes, a batch that cannot be divided, weights of samples in
            micro-shards, or processes whose keys, hyper-parameters or data differ.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets import parallel
        >>> from jaxnets.data import load
        >>> spec = jn.TrainSpec(jn.MLP((4,), 10), "softmax_cross_entropy", 1, 64)
        >>> run = spec, jax.random.key(0), load("digits"), {"learning_rate": 1e-2}
        >>> divided, *_ = data_parallel(parallel.all_devices(), *run)
        >>> divided.epochs
        1
    """
    if mesh.axis_names != (DATA_AXIS,) or mesh.axis_types != (AxisType.Auto,):
        raise ValueError(
            f"the mesh has the axes {mesh.axis_names} of types {mesh.axis_types}; training needs "
            f"one axis, {DATA_AXIS!r}, of type Auto: make it with jaxnets.parallel.all_devices()"
        )
    n = len(data.train["x"]) if samples is None else samples
    _check_batch(spec, n, mesh)
    if "weight" in data.train and isinstance(spec.value_and_grad, FixedOrderGradients):
        raise ValueError("micro-shards count alike, so samples cannot have weights: leave them out")
    common = data.valid if samples is not None else (data.train, data.valid)
    require_same_everywhere(((key, hparams), common), "key, hyper-parameter or data set")
    changes: dict[str, Any] = {"value_and_grad": DataParallel(spec.value_and_grad, mesh)}
    if spec.augment is not None:
        changes["augment"] = DataParallelSamples(spec.augment, mesh)
    key, hparams = replicate((key, hparams), mesh)
    return replace(spec, **changes), key, shard_dataset(data, mesh, samples), hparams


def _check_batch(spec: Any, n: int, mesh: Mesh) -> None:
    """Raises a ValueError unless a full batch is a multiple of the devices, or micro-shards."""
    fixed = isinstance(spec.value_and_grad, FixedOrderGradients)
    parts, kind = (spec.value_and_grad.shards, "micro-shards") if fixed else (mesh.size, "devices")
    size = spec.batch_size or n
    if size % parts == 0:
        return
    below = size - size % parts
    fitting = " or ".join(str(s) for s in (below, below + parts) if 0 < s <= n)
    what = f"batch_size {size}" if spec.batch_size else f"one batch of all {n} training samples"
    advice = f"use batch_size {fitting}" if fitting else "use fewer devices"
    raise ValueError(f"{what} cannot be divided among {parts} {kind}: {advice}")


@dataclass(frozen=True)
class DataParallel:
    """Divides the samples of a batch for a `value_and_grad`; equal ones share a program.

    Args:
        value_and_grad: the gradient to compute.
        mesh: the devices.
    """

    value_and_grad: Gradient
    mesh: Mesh

    def __call__(self, objective: Any, has_aux: bool = True) -> Callable:
        """Builds the wrapped function; its results are replicated on the mesh."""
        differentiate = self.value_and_grad(objective, has_aux=has_aux)

        def evaluate(params: Any, batch: Any, key: Array | None = None) -> Any:
            found = differentiate(params, _shard_batch(self.mesh, batch), key)
            return lax.with_sharding_constraint(found, NamedSharding(self.mesh, REPLICATED))

        return evaluate


@dataclass(frozen=True)
class DataParallelSamples:
    """Augments each sample of a batch on the device that computes with it.

    Args:
        augment: `(key, x) -> x`, or `(key, x, y) -> (x, y)`.
        mesh: the devices.
    """

    augment: Callable[..., Any]
    mesh: Mesh

    def __post_init__(self) -> None:
        object.__setattr__(self, "__wrapped__", self.augment)  # whose signature this one has

    def __call__(self, key: Array, *arrays: Array) -> Any:
        """Augments the samples, and their targets if there are any."""
        return self.augment(key, *_shard_batch(self.mesh, arrays))


def _shard_batch(mesh: Mesh, batch: Any) -> Any:
    """Shards arrays `[batch, ...]` over all devices, if the batch can be divided."""
    if len(jax.tree.leaves(batch)[0]) % mesh.size:
        return batch
    return lax.with_sharding_constraint(batch, NamedSharding(mesh, SHARDED))


def fixed_order_gradients(
    value_and_grad: Gradient, mesh: Mesh, shards: int
) -> "FixedOrderGradients":
    """Builds a `TrainSpec.value_and_grad` with the same bits for any number of devices.

    A batch is cut into `shards` micro-shards of equal size. The gradient of each is computed
    separately, with `fold_in(key, index of the shard)`, by the same loop on every device; all are
    gathered and added in the order of the shards. The number of devices thus changes who computes,
    but not what is computed. A batch that is not a multiple of `shards`, such as the last of an
    epoch, is computed in full by every device.

    Requirements: at least 2 shards per device (XLA would unroll a loop of one, and might round
    differently); one version of XLA with default options, on one kind of processor with the same
    number of threads; losses that are means over the batch, as all in this package are; no layer
    with statistics of the batch, such as `BatchNorm`, which is refused. XLA
    partitions the optimizer, the augmentation and a smaller last batch itself: their bits were the
    same in all tests with default options, but not with `JAX_DISABLE_MOST_OPTIMIZATIONS`.
    Dropout masks differ from those of ordinary training, since each shard has its own key, and
    `shards` is part of the result. Every device stores and receives `shards` gradients at a time:
    use this to verify a run, not to train fast.

    Args:
        value_and_grad: `jax.value_and_grad` or `jaxnets.backprop.value_and_grad`.
        mesh: the devices, as for `fit`.
        shards: the number of micro-shards, a multiple of the devices, at least two per device.

    Raises:
        ValueError: any other number of shards.

    Example:
        >>> import jax, jaxnets as jn
        >>> from jaxnets import parallel
        >>> mesh = parallel.all_devices()
        >>> exact = fixed_order_gradients(jax.value_and_grad, mesh, shards=2 * mesh.size)
        >>> model = jn.MLP((4,), 10)
        >>> spec = jn.TrainSpec(model, "softmax_cross_entropy", 1, 64, value_and_grad=exact)
        >>> spec.value_and_grad.shards == 2 * mesh.size
        True
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
    """Implements `fixed_order_gradients`; equal ones share a program.

    Example:
        >>> import jax
        >>> from jaxnets import parallel
        >>> mesh = parallel.all_devices()
        >>> exact = fixed_order_gradients(jax.value_and_grad, mesh, shards=2 * mesh.size)
        >>> exact == fixed_order_gradients(jax.value_and_grad, mesh, shards=2 * mesh.size)
        True
    """

    value_and_grad: Gradient
    mesh: Mesh
    shards: int

    def __call__(self, objective: Any, has_aux: bool = True) -> Callable:
        """Builds the wrapped function."""
        differentiate = self.value_and_grad(objective, has_aux=has_aux)

        def own(params: Any, pieces: Any, numbers: Array, key: Array | None) -> Any:
            def one(piece_and_number: tuple) -> Any:
                piece, number = piece_and_number
                folded = None if key is None else jax.random.fold_in(key, number)
                found = differentiate(params, piece, folded)
                _refuse_statistics(found)
                return found

            found = lax.map(one, (pieces, numbers))
            gathered = lax.all_gather(found, DATA_AXIS, tiled=True)
            return _ordered_mean(gathered, self.shards)

        def full(params: Any, batch: Any, key: Array | None) -> Any:
            return differentiate(params, batch, key)

        def evaluate(params: Any, batch: Any, key: Array | None = None) -> Any:
            if len(jax.tree.leaves(batch)[0]) % self.shards:
                return self._on_mesh(full, (REPLICATED,) * 3)(params, batch, key)
            pieces = jax.tree.map(lambda a: a.reshape(self.shards, -1, *a.shape[1:]), batch)
            specs = (REPLICATED, SHARDED, SHARDED, REPLICATED)
            return self._on_mesh(own, specs)(params, pieces, jnp.arange(self.shards), key)

        return evaluate

    def _on_mesh(self, function: Callable, specs: tuple) -> Callable:
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=specs, out_specs=REPLICATED, check_vma=False
        )


def _refuse_statistics(found: Any) -> None:
    """Raises a ValueError if a micro-shard changes collections, such as statistics of a batch."""
    metrics = found[0][1] if isinstance(found[0], tuple) else {}
    if "collections" in metrics:
        raise ValueError(
            f"the model changes {', '.join(metrics['collections'])}: each micro-shard would "
            "normalise by its own statistics, not by the batch's; train without fixed order"
        )


def _ordered_mean(gathered: Any, shards: int) -> Any:
    """Averages over the leading axis, adding from the first to the last."""
    first, rest = (jax.tree.map(lambda a, s=s: a[s], gathered) for s in (0, slice(1, None)))

    def add(total: Any, one: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, one), None

    total, _ = lax.scan(add, first, rest)
    return jax.tree.map(lambda a: a / shards, total)
