"""Data: named sets, your own arrays, and toy problems in the plane."""

from jaxnets.data.dataset import (
    Dataset,
    class_weights,
    from_arrays,
    from_npz,
    hold_out,
    split,
    standardise,
)
from jaxnets.data.named import load
from jaxnets.data.toy import TOY

__all__ = [
    "TOY",
    "Dataset",
    "class_weights",
    "from_arrays",
    "from_npz",
    "hold_out",
    "load",
    "split",
    "standardise",
]
