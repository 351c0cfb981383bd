"""The safetensors format: a length, a header in JSON, then the bytes of all arrays."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import jax.numpy as jnp
import numpy as np

TYPES: dict[str, Any] = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": jnp.bfloat16},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"},
}
LONGEST_HEADER = 100_000_000
"""Bytes of a header, as in the format's own reader."""
REMARKS = "__metadata__"
"""The entry of the header with texts about the file."""


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a safetensors file, in the order of their bytes.

    Raises:
        ValueError: the header is not as the format has it, or has arrays that the file cannot hold.
    """
    content = np.fromfile(path, np.uint8)
    try:
        header, data = _divide(content)
        header.pop(REMARKS, None)
        entries = sorted(header.items(), key=lambda entry: entry[1]["data_offsets"])
        return {name: _array(name, entry, data) for name, entry in entries}
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{path} is not an intact safetensors file: {error}") from error


def remarks(path: Path) -> dict[str, str]:
    """Reads what a safetensors file says about itself, texts by name.

    Raises:
        ValueError: as in `read_safetensors`.
    """
    try:
        header, _ = _divide(np.memmap(path, np.uint8, "r"))
        return {str(name): str(text) for name, text in header.get(REMARKS, {}).items()}
    except (TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{path} is not an intact safetensors file: {error}") from error


def write_safetensors(
    file: BinaryIO, arrays: Mapping[str, np.ndarray], remarks: Mapping[str, str]
) -> None:
    """Writes arrays and remarks as a safetensors file, whose arrays begin at a multiple of 8.

    Raises:
        TypeError: an array of a type that the format has not.
    """
    header: dict[str, Any] = {REMARKS: dict(remarks)}
    names = {np.dtype(dtype): name for name, dtype in TYPES.items()}
    start = 0
    for name, array in arrays.items():
        if array.dtype not in names:
            raise TypeError(f"{name} has dtype {array.dtype}, which safetensors has not")
        offsets = [start, start + array.nbytes]
        entry = {"dtype": names[array.dtype], "shape": array.shape, "data_offsets": offsets}
        header[name], start = entry, offsets[1]
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write(len(text).to_bytes(8, "little") + text)
    for array in arrays.values():
        file.write(np.ascontiguousarray(array).tobytes())


def _divide(content: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """The header, and the bytes behind it."""
    if len(content) < 8:
        raise ValueError(f"it has {len(content)} bytes")
    length = int(content[:8].view("<u8")[0])
    if length > min(len(content) - 8, LONGEST_HEADER):
        raise ValueError(f"its header would have {length} bytes, the file has {len(content)}")
    header = json.loads(content[8 : 8 + length].tobytes())
    return header, content[8 + length :]


def _array(name: str, entry: dict[str, Any], data: np.ndarray) -> np.ndarray:
    start, end = entry["data_offsets"]
    if entry["dtype"] not in TYPES:
        raise ValueError(f"{name} is of the type {entry['dtype']}, which is not supported")
    dtype, shape = np.dtype(TYPES[entry["dtype"]]), tuple(entry["shape"])
    if not 0 <= start <= end <= len(data) or end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} of shape {shape} would be bytes {start} to {end} of {len(data)}")
    return data[start:end].copy().view(dtype).reshape(shape)
