"""Items that are made in a thread of their own while the program uses earlier ones."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import jax
import numpy as np

T = TypeVar("T")
AHEAD = 2
"""Items that are made or waiting while one is in use: three in memory, if it is dropped then."""
END: Any = object()


def prefetch(items: Iterator[T]) -> Generator[T, None, None]:
    """Yields items that a thread makes ahead, at most `AHEAD`; close it, and the thread ends.

    An error that is raised while an item is made arrives where that item would have. Whoever takes
    an item should drop it before asking for the next.
    """
    precise = jax.dtypes.canonicalize_dtype(np.float64) == np.float64

    def make() -> T:
        with jax.enable_x64(precise):  # it is a choice of each thread
            return next(items, END)

    with ThreadPoolExecutor(1, "jaxnets-prefetch") as pool:
        waiting: deque[Future[T]] = deque(pool.submit(make) for _ in range(AHEAD))
        try:
            while (item := waiting.popleft().result()) is not END:
                yield item
                del item
                waiting.append(pool.submit(make))
        finally:
            for future in waiting:
                future.cancel()
