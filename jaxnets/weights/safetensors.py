"""The safetensors format: a length, a header in JSON, then the bytes of all arrays."""

import json
import math
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

TYPES: dict[str, Any] = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": jnp.bfloat16},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"},
}
LONGEST_HEADER = 100_000_000
"""Bytes of a header, as in the format's own reader."""


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a safetensors file, in the order of their bytes.

    Raises:
        ValueError: the header is not as the format has it, or has arrays that the file cannot hold.
    """
    content = np.fromfile(path, np.uint8)
    try:
        header, data = _divide(content)
        entries = sorted(header.items(), key=lambda entry: entry[1]["data_offsets"])
        return {name: _array(name, entry, data) for name, entry in entries}
    except (KeyError, TypeError, AttributeError, RecursionError, ValueError) as error:
        raise ValueError(f"{path} is not an intact safetensors file: {error}") from error


def _divide(content: np.ndarray) -> tuple[dict[str, Any], np.ndarray]:
    """The header without its remarks, and the bytes behind it."""
    if len(content) < 8:
        raise ValueError(f"it has {len(content)} bytes")
    length = int(content[:8].view("<u8")[0])
    if length > min(len(content) - 8, LONGEST_HEADER):
        raise ValueError(f"its header would have {length} bytes, the file has {len(content)}")
    header = json.loads(content[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    return header, content[8 + length :]


def _array(name: str, entry: dict[str, Any], data: np.ndarray) -> np.ndarray:
    start, end = entry["data_offsets"]
    if entry["dtype"] not in TYPES:
        raise ValueError(f"{name} is of the type {entry['dtype']}, which is not supported")
    dtype, shape = np.dtype(TYPES[entry["dtype"]]), tuple(entry["shape"])
    if not 0 <= start <= end <= len(data) or end - start != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} of shape {shape} would be bytes {start} to {end} of {len(data)}")
    return data[start:end].copy().view(dtype).reshape(shape)
