"""The compiled programs of the playground: one a static choice, compiled ahead in a thread."""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.playground import frames, networks
from jaxnets.playground.config import MOST_CLASSES
from jaxnets.playground.networks import Choice, Rates, Shape
from jaxnets.playground.problems import FEATURES, MOST_POINTS

GROUP = 16
"""Networks of one program call, side by side."""
WORKERS = 2
"""Threads that compile."""
QUICK = {"xla_backend_optimization_level": 0}
"""What runs once is compiled without optimising."""


def _float(*dims: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(dims, jnp.float32)


def _int(*dims: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(dims, jnp.int32)


CHOICE = Choice(_int(), _int(), _int(), _int(), _float(len(FEATURES)))
DATA = {
    "x": _float(MOST_POINTS, len(FEATURES)),
    "y": _float(MOST_POINTS),
    "n": _int(),
    "train": _int(),
    "valid": _int(),
}


def rates_shape(shape: Shape) -> Rates:
    """Returns the shapes of the rates of a group."""
    return Rates(_float(GROUP), _float(GROUP), _float(GROUP), _int(GROUP, shape.depth))


def keys_of(seeds: jax.Array) -> jax.Array:
    """Makes keys `[n]` of seeds `[n, 2]`: of all networks, and of one."""
    return jax.vmap(lambda row: jax.random.fold_in(jax.random.key(row[0]), row[1]))(seeds)


def begin(shape: Shape, seeds: jax.Array, choice: Choice, rates: Rates) -> Any:
    """Draws a group of networks."""
    return jax.vmap(lambda key, own: networks.initial(shape, key, choice, own))(
        keys_of(seeds), rates
    )


class Programs:
    """Compiles programs on demand or ahead, and says which are ready.

    Shared by all sessions; every method may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done: dict[Any, Any] = {}
        self._locks: dict[Any, threading.Lock] = {}
        self._since: dict[Any, float] = {}
        self._waiting: list[Any] = []
        self._threads: set[threading.Thread] = set()
        self.compiled = 0
        """Programs compiled so far."""

    def begin(self, shape: Shape) -> Callable:
        """Returns the program that draws a group of networks."""
        return self._get(("begin", shape))

    def advance(self, shape: Shape, batch: int) -> Callable:
        """Returns the program that trains a group."""
        return self._get(("advance", shape, batch))

    def frame(self, shape: Shape) -> Callable:
        """Returns the program that computes what is drawn of a group."""
        return self._get(("frame", shape))

    def passes(self, shape: Shape) -> Callable:
        """Returns the program that walks one sample."""
        return self._get(("passes", shape))

    def are_ready(self, shape: Shape, batch: int, trained: bool = True) -> bool:
        """Says whether nothing must compile to draw, show and, unless told, train networks."""
        keys = needed(shape, batch) if trained else needed(shape, batch)[:2]
        return all(key in self._done for key in keys)

    def ahead(self, wanted: list[tuple[Shape, int]], first: bool = False) -> None:
        """Compiles these in two threads, in their order, unless they are ready or waiting."""
        with self._lock:
            new = [
                key
                for shape, batch in wanted
                for key in (*needed(shape, batch), ("passes", shape))
                if key not in self._done and (first or key not in self._waiting)
            ]
            rest = [key for key in self._waiting if key not in new]
            self._waiting = [*dict.fromkeys(new), *rest] if first else [*rest, *dict.fromkeys(new)]
            while self._waiting and len(self._threads) < WORKERS:
                thread = threading.Thread(target=self._work, daemon=False)
                self._threads.add(thread)
                thread.start()

    def state(self, first: Sequence[Any] = ()) -> dict[str, Any]:
        """Returns what is compiling, for how many seconds, and how many programs wait.

        Args:
            first: the keys of programs that are named before others.
        """
        with self._lock:
            now = time.monotonic()
            since = sorted(self._since.items(), key=lambda item: item[0] not in first)
            busy = [[named(key), round(now - began, 1)] for key, began in since]
            return {"busy": busy, "waiting": len(self._waiting), "compiled": self.compiled}

    def wait(self) -> None:
        """Waits until nothing is waiting to be compiled."""
        for thread in [*self._threads]:
            thread.join()

    def _work(self) -> None:
        """Compiles what waits; a program that ends waits for the current one, not for the rest."""
        while True:
            with self._lock:
                if not self._waiting or not threading.main_thread().is_alive():
                    self._threads.discard(threading.current_thread())
                    return
                key = self._waiting.pop(0)
            self._get(key)

    def _get(self, key: Any) -> Callable:
        found = self._done.get(key)
        if found is not None:
            return found
        with self._lock:
            own = self._locks.setdefault(key, threading.Lock())
        with own:
            if key not in self._done:
                with self._lock:
                    self._since[key] = time.monotonic()
                try:
                    program = compile_program(key)
                finally:
                    with self._lock:
                        del self._since[key]
                with self._lock:
                    self._done[key] = program
                    self.compiled += 1
            return self._done[key]


def needed(shape: Shape, batch: int) -> list[Any]:
    """Returns the keys of the programs without which such networks cannot be shown."""
    return [("begin", shape), ("frame", shape), ("advance", shape, batch)]


def named(key: Any) -> str:
    """Names a program for the page, such as `3 hidden layers, batch 16`."""
    kind, shape, *batch = key
    layers = f"{shape.depth} hidden layer{'s' * (shape.depth != 1)}"
    layers += f" of up to {shape.wide} units" if shape.wide > 8 else ""
    layers += " with bypasses" if shape.residual else ""
    what = {"begin": "first weights", "frame": "picture", "passes": "walk"}.get(kind)
    return f"{layers}: {what or f'training, batch {batch[0]}'}"


def compile_program(key: Any) -> Callable:
    """Compiles one program for its shapes; calling it never compiles."""
    kind, shape, *batch = key
    rates = rates_shape(shape)
    seeds = jax.ShapeDtypeStruct((GROUP, 2), jnp.uint32)
    start = jax.jit(partial(begin, shape), compiler_options=QUICK)
    if kind == "begin":
        return start.lower(seeds, CHOICE, rates).compile()
    states = jax.eval_shape(partial(begin, shape), seeds, CHOICE, rates)
    if kind == "advance":
        program = jax.jit(partial(networks.advance, shape, batch[0]))
        return program.lower(states, CHOICE, rates, DATA, _int()).compile()
    if kind == "frame":
        program = jax.jit(partial(frames.frame, shape))
        return program.lower(states, CHOICE, DATA, _int(), _int()).compile()
    walk = jax.jit(partial(frames.passes, shape), compiler_options=QUICK)
    sample = (_int(), _float(len(FEATURES)), _float())
    return walk.lower(states, CHOICE, rates, *sample).compile()


def as_numpy(tree: Any) -> Any:
    """Fetches arrays to the host."""
    return jax.tree.map(np.asarray, jax.device_get(tree))


assert MOST_CLASSES == 6
