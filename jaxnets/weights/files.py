"""Weight files by their endings."""

from collections.abc import Callable
from os import PathLike
from pathlib import Path

import numpy as np

from jaxnets.data.npz import read_npz
from jaxnets.host.arrays import is_number
from jaxnets.host.files import require_file
from jaxnets.host.paths import as_path
from jaxnets.weights.safetensors import read_safetensors
from jaxnets.weights.torch_files import read_torch

Arrays = dict[str, np.ndarray]
READERS: dict[str, Callable[[Path], Arrays]] = {
    ".npz": read_npz,
    ".safetensors": read_safetensors,
    **dict.fromkeys((".pt", ".pth", ".bin"), read_torch),
}


def read(path: str | PathLike[str]) -> Arrays:
    """Reads the arrays of a weight file by their names.

    All but `.safetensors` keep the order in which they were written.

    Args:
        path: of an `.npz`, `.safetensors`, `.pt`, `.pth` or `.bin` file.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a file of another kind, one that is cut short or damaged, or one that holds
            anything but arrays of numbers.

    Example:
        >>> import tempfile, numpy as np
        >>> path = tempfile.mkdtemp() + "/weights.npz"
        >>> np.savez(path, bias=np.zeros(3))
        >>> read(path)["bias"].shape
        (3,)
    """
    path = as_path(path)
    require_file(path)
    if path.suffix not in READERS:
        known = ", ".join(READERS)
        raise ValueError(f"{path} has the ending {path.suffix!r}; weight files end with {known}")
    arrays = READERS[path.suffix](path)
    odd = next((name for name, array in arrays.items() if not is_number(array.dtype)), None)
    if odd is not None:
        raise ValueError(f"{path} has {odd!r} of {arrays[odd].dtype}; weights are numbers")
    return arrays
