"""The sweep of planar networks by hand in C++, compiled for this processor when the race starts."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).with_name("planar.cpp")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp-simd", "-shared", "-fPIC", "-pthread")
NO_COMPILER = "" if shutil.which("g++") else "needs g++"
"""Why it cannot run here, if so."""

Train = Callable[[list[np.ndarray], int], tuple[list[np.ndarray], np.ndarray]]


def trainer(x: np.ndarray, y: np.ndarray, rate: float, threads: int) -> Train:
    """Returns `train(params, epochs) -> (params, losses)` of stacked networks 2-10-1.

    `params` are `W1 [n, 10, 2], b1 [n, 10], W2 [n, 1, 10], b2 [n, 1]`.
    """
    library, points, targets = _compiled(), np.ascontiguousarray(x.T), y.astype(np.float32)

    def train(params: list[np.ndarray], epochs: int) -> tuple[list[np.ndarray], np.ndarray]:
        networks = len(params[0])
        flat = [np.asarray(p, np.float32).reshape(networks, -1) for p in params]
        trained, losses = np.concatenate(flat, axis=1), np.empty(networks, np.float32)
        numbers = (len(y), networks, epochs, ctypes.c_float(rate), threads)
        library.planar(
            *map(_pointer, (points, targets)), *numbers, *map(_pointer, (trained, losses))
        )
        parts = np.split(trained, np.cumsum([p.shape[1] for p in flat])[:-1], axis=1)
        return [a.reshape(p.shape) for a, p in zip(parts, params, strict=True)], losses

    return train


def _compiled() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planar.so"
        subprocess.run(["g++", *FLAGS, str(SOURCE), "-o", str(path)], check=True)
        return ctypes.CDLL(str(path))


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return array.ctypes.data_as(ctypes.c_void_p)
