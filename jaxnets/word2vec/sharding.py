"""Batches sharded over devices: each computes its positions' gradients, and all apply all."""

from collections.abc import Callable, Sequence

import jax
from jax import Array, lax
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jaxnets.parallel.mesh import POSITION_AXIS
from jaxnets.word2vec.batch import TextBatch
from jaxnets.word2vec.gradients import Gradients
from jaxnets.word2vec.reference_loss import Params

Compute = Callable[[Params, TextBatch], tuple[Array, Gradients]]


def make_mesh(devices: Sequence[jax.Device]) -> Mesh:
    """Makes a mesh of the devices with one axis, `positions`."""
    return jax.make_mesh((len(devices),), (POSITION_AXIS,), (AxisType.Auto,), devices=devices)


def shard_gradients(mesh: Mesh, gradients: Compute) -> Compute:
    """Builds a function that computes the same losses and gradients in equal parts on a mesh.

    Only rows are communicated, never an entire table: about
    `(2 positions + noise words) x dimensions` floats. A word may occur in several parts.
    """

    def part(params: Params, words: Array, pairs: Array, noise: Array) -> tuple[Array, Gradients]:
        n = pairs.shape[1]
        edges = len(words) - mesh.size * n
        own = lax.dynamic_slice(words, (lax.axis_index(POSITION_AXIS) * n,), (n + edges,))
        found = gradients(params, TextBatch(own, pairs, noise))
        return jax.tree.map(lambda leaf: lax.all_gather(leaf, POSITION_AXIS, tiled=True), found)

    sharded = jax.shard_map(
        part,
        mesh=mesh,
        in_specs=(P(), P(), P(None, POSITION_AXIS), P(POSITION_AXIS)),
        out_specs=P(),
        check_vma=False,
    )
    return lambda params, batch: sharded(params, batch.words, batch.pairs, batch.noise)
