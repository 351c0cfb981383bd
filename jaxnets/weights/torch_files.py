"""PyTorch's files of weights, in the zip format and the older one, without PyTorch.

Both are pickles. Unpickling calls what a file names, so only the few names that a dict of tensors
consists of are known here, and none of them runs code: a file with any other is refused.
"""

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, ClassVar

import jax.numpy as jnp
import numpy as np

BROKEN = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, EOFError, KeyError, TypeError, IndexError),
    *(AttributeError, NotImplementedError, RuntimeError, StopIteration, OverflowError, OSError),
)
MAGIC = 0x1950A86A20F9469CFC6C
"""The first number of a file in the older format."""


@dataclass
class _Storage:
    """Numbers that tensors are views of."""

    dtype: np.dtype
    size: int
    values: np.ndarray | None = None


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage: its first entry, its shape, and the entries between neighbours."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """Copies the entries; none may lie outside the storage."""
        values = self.storage.values
        if values is None:
            raise ValueError("a tensor without numbers")
        reach = sum((n - 1) * step for n, step in zip(self.shape, self.strides, strict=True))
        fits = min((self.offset, *self.strides, *self.shape), default=0) >= 0
        if math.prod(self.shape) and not (fits and self.offset + reach < len(values)):
            raise ValueError(
                f"a tensor of shape {self.shape} lies outside its {len(values)} numbers"
            )
        strides = [step * values.itemsize for step in self.strides]
        view = np.lib.stride_tricks.as_strided(values[self.offset :], self.shape, strides)
        return view.copy()


def read_torch(path: Path) -> dict[str, np.ndarray]:
    """Reads a dict of tensors that `torch.save` wrote: a `state_dict`, or one in `state_dict`.

    Raises:
        ValueError: it is damaged, or holds anything else; nothing of it is executed.
    """
    try:
        found = _from_zip(path) if zipfile.is_zipfile(path) else _from_stream(path)
        return _arrays(found)
    except BROKEN as error:
        raise ValueError(f"{path} is not an intact file of tensors: {error!r}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _arrays(found: Any) -> dict[str, np.ndarray]:
    if isinstance(found, dict) and isinstance(found.get("state_dict"), dict):
        found = found["state_dict"]
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, not a dict of tensors")
    odd = [name for name, value in found.items() if not isinstance(value, _Tensor)]
    if odd:
        raise ValueError(f"{odd[0]!r} is a {type(found[odd[0]]).__name__}, not a tensor")
    return {str(name): tensor.array() for name, tensor in found.items()}


class _Tensors(pickle.Unpickler):
    """Knows what a dict of tensors consists of; a file with any other name is refused."""

    TYPES: ClassVar[dict[str, Any]] = {
        **{"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2"},
        **{"LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1"},
        **{"ByteStorage": "u1", "BoolStorage": "?", "BFloat16Storage": jnp.bfloat16},
    }

    def __init__(self, file: IO[bytes], storages: dict[str, _Storage]) -> None:
        super().__init__(file)
        self.storages = storages

    def find_class(self, module: str, name: str) -> Any:
        """Finds one of the known names."""
        if (module, name) in KNOWN:
            return KNOWN[module, name]
        if module == "torch" and name in self.TYPES:
            return np.dtype(self.TYPES[name])
        raise ValueError(f"it asks for {module}.{name}, which no dict of tensors needs: not loaded")

    def persistent_load(self, pid: Any) -> _Storage:
        """Notes a storage, whose numbers follow elsewhere in the file."""
        _, dtype, key, _, size, *_ = pid
        return self.storages.setdefault(str(key), _Storage(dtype, int(size)))


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise ValueError("a tensor without a storage")
    return _Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
}


def _from_zip(path: Path) -> Any:
    """The zip format: a pickle `data.pkl`, and a member for each storage."""
    storages: dict[str, _Storage] = {}
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        found = _Tensors(io.BytesIO(archive.read(name)), storages).load()
        folder = name.removesuffix("data.pkl")
        for key, storage in storages.items():
            info = archive.getinfo(f"{folder}data/{key}")
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > path.stat().st_size:
                raise ValueError(f"{info.filename} is packed, which torch.save never does")
            storage.values = _numbers(archive.read(info), storage)
    return found


def _from_stream(path: Path) -> Any:
    """The older format: pickles of its version, the tensors and the storages' order, then these."""
    storages: dict[str, _Storage] = {}
    with path.open("rb") as file:
        if _Tensors(file, {}).load() != MAGIC:
            raise ValueError("it is of neither of torch.save's formats")
        for _ in ("version", "sizes of integers"):
            _Tensors(file, {}).load()
        found = _Tensors(file, storages).load()
        for key in _Tensors(file, {}).load():
            storage = storages[str(key)]
            if file.read(8) != storage.size.to_bytes(8, "little"):
                raise ValueError(f"the storage {key} does not have its {storage.size} numbers")
            storage.values = _numbers(file.read(storage.size * storage.dtype.itemsize), storage)
    return found


def _numbers(content: bytes, storage: _Storage) -> np.ndarray:
    if len(content) != storage.size * storage.dtype.itemsize:
        raise ValueError(f"a storage of {storage.size} numbers has {len(content)} bytes")
    return np.frombuffer(content, storage.dtype)
