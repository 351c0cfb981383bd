"""Pytrees as bytes, for comparisons bit for bit."""

import jax
import numpy as np

from jaxnets.storage import arrays


def bits_of(tree):
    """The dtype, shape and bytes of every leaf; of a key those of its data."""
    plain = [
        jax.random.key_data(leaf) if arrays.is_key(leaf) else leaf for leaf in jax.tree.leaves(tree)
    ]
    return [(a.dtype, np.shape(a), np.asarray(a).tobytes()) for a in plain]
