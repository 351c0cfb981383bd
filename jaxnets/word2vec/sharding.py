"""A batch shared among devices: each computes its positions' gradients, all apply all of them."""

from collections.abc import Callable, Sequence

import jax
from jax import Array, lax
from jax.sharding import AxisType, Mesh
from jax.sharding import PartitionSpec as P

from jaxnets.word2vec.batch import TextBatch
from jaxnets.word2vec.gradients import Gradients
from jaxnets.word2vec.reference_loss import Params

AXIS = "positions"
Compute = Callable[[Params, TextBatch], tuple[Array, Gradients]]


def mesh_of(devices: Sequence[jax.Device]) -> Mesh:
    """The devices in a row."""
    shape = (len(devices),)
    return jax.make_mesh(shape, (AXIS,), axis_types=(AxisType.Auto,), devices=tuple(devices))


def among(mesh: Mesh, gradients: Compute) -> Compute:
    """The same losses and gradients, computed in equal parts by the devices of a mesh.

    Only rows travel, never a whole table: about `(2 positions + noise words) x dimensions` floats.
    A word that two parts name occurs in both.
    """

    def part(params: Params, words: Array, pairs: Array, noise: Array) -> tuple[Array, Gradients]:
        n = pairs.shape[1]
        edges = len(words) - mesh.size * n
        own = lax.dynamic_slice(words, (lax.axis_index(AXIS) * n,), (n + edges,))
        found = gradients(params, TextBatch(own, pairs, noise))
        return jax.tree.map(lambda leaf: lax.all_gather(leaf, AXIS, tiled=True), found)

    shared = jax.shard_map(
        part,
        mesh=mesh,
        in_specs=(P(), P(), P(None, AXIS), P(AXIS)),
        out_specs=P(),
        check_vma=False,
    )
    return lambda params, batch: shared(params, batch.words, batch.pairs, batch.noise)
