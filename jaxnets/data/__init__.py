"""Data: named sets, your own arrays, and toy problems in the plane."""

from jaxnets.data.class_weights import class_weights
from jaxnets.data.dataset import (
    Dataset,
    folds,
    from_arrays,
    from_npz,
    hold_out,
    split,
    standardise,
)
from jaxnets.data.folders import from_folder
from jaxnets.data.named import load
from jaxnets.data.tables import from_columns, from_csv
from jaxnets.data.toy import TOY

__all__ = [
    "TOY",
    "Dataset",
    "class_weights",
    "folds",
    "from_arrays",
    "from_columns",
    "from_csv",
    "from_folder",
    "from_npz",
    "hold_out",
    "load",
    "split",
    "standardise",
]
