"""The peak of this machine as a program in Python can reach it: products, and copies in memory.

The roofline of a unit of work is the larger of its arithmetic over the one and its bytes over the
other (Williams, Waterman and Patterson, 2009).
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

SIZE, ENTRIES, TRIES = 2_048, 2**25, 7


def flops() -> float:
    """Measures float32 operations a second: the best of some products of large matrices."""
    a = np.ones((SIZE, SIZE), np.float32)
    out = np.empty_like(a)
    return 2 * SIZE**3 / _fastest(lambda: np.matmul(a, a, out=out))


def bandwidth() -> float:
    """Measures bytes a second, read and written: the best of some copies by all cores."""
    a, b = np.ones(ENTRIES, np.float32), np.zeros(ENTRIES, np.float32)
    cores = os.cpu_count() or 1
    parts = list(zip(np.array_split(b, cores), np.array_split(a, cores), strict=True))
    with ThreadPoolExecutor(cores) as pool:
        return 2 * a.nbytes / _fastest(lambda: list(pool.map(lambda pair: np.copyto(*pair), parts)))


def _fastest(call: Callable[[], object]) -> float:
    times = []
    for _ in range(TRIES):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def bound(work: float, moved: float, peak: float, speed: float) -> float:
    """Computes the least seconds of `work` operations that move `moved` bytes."""
    return max(work / peak, moved / speed)
