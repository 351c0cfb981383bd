"""What one page asks for: its networks behind a lock, and the answer to each request."""

import json
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxnets.playground.arguments import shape_of
from jaxnets.playground.config import BATCHES, DEEPEST, OPTIMIZERS, Config, RefusedError, from_json
from jaxnets.playground.ensemble import Ensemble
from jaxnets.playground.frames import packed
from jaxnets.playground.networks import Shape
from jaxnets.playground.programs import Programs, needed
from jaxnets.playground.script import script
from jaxnets.playground.weights import (
    columns_of,
    json_of,
    narrowed,
    nested,
    npz_of,
    read_npz,
    read_tree,
)

MOST_UPDATES = 5000
LONGEST = 0.4
"""Seconds that one answer may train; the page is told how many steps were taken."""
PIECE = 50
"""Steps between two looks at the clock."""
MOST_SESSIONS = 16
LARGEST_WEIGHT = 1e6


class GoneError(RefusedError):
    """The networks of a page were dropped for those of newer pages."""


class Session:
    """Holds one page's networks; whoever calls a method holds `lock`.

    Args:
        programs: the compiled programs, which all sessions share.
    """

    def __init__(self, programs: Programs) -> None:
        self.lock, self.programs = threading.Lock(), programs
        self.networks: Ensemble | None = None
        self.generation = 0

    def frame(self, asked: Mapping[str, Any]) -> bytes:
        """Trains and draws: `{config, generation, step, updates, member, known, sample}` to bytes.

        While programs compile that the answer needs, it only says so.
        """
        config = from_json(asked.get("config"))
        updates = integer(asked, "updates", 0, MOST_UPDATES)
        wanted = (shape_of(config), config.batch)
        if not self.programs.are_ready(*wanted, updates > 0):
            self.programs.ahead([wanted], first=True)
            return packed({"compiling": self.programs.state(needed(*wanted))}, {})
        self.programs.ahead(neighbours(config))
        started = time.perf_counter()
        networks = self._networks(config, asked)
        train(networks, updates)
        trained = time.perf_counter()
        member = integer(asked, "member", 0, config.networks - 1)
        head, blobs = networks.frame(member, asked.get("known"))
        if asked.get("sample") is not None:
            head["pass"] = walk(networks, member, asked)
        head["train_ms"] = round(1e3 * (trained - started), 2)
        head["frame_ms"] = round(1e3 * (time.perf_counter() - trained), 2)
        head["programs"] = self.programs.state()
        return packed(head, blobs)

    def edit(self, asked: Mapping[str, Any]) -> bytes:
        """Sets one weight: `{member, layer, row, column, value}`; a column of null is the bias."""
        networks, value = self._drawn(), asked.get("value")
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise RefusedError("value is not a number")
        if not abs(value) <= LARGEST_WEIGHT:
            raise RefusedError(
                f"value is {str(value)[:9]}; it is a number up to {LARGEST_WEIGHT:g}"
            )
        member = integer(asked, "member", 0, networks.config.networks - 1)
        column = None if asked.get("column") is None else integer(asked, "column", 0, 1000)
        row = integer(asked, "row", 0, 1000)
        networks.edit(member, str(asked.get("layer"))[:20], row, column, float(value))
        return b""

    def weights(self, asked: Mapping[str, Any]) -> bytes:
        """Writes the weights of all networks, `{format: "npz" or "json"}`."""
        networks = self._drawn()
        params = networks.params()
        return npz_of(params) if asked.get("format") == "npz" else json_of(networks.config, params)

    def load(self, asked: Mapping[str, Any]) -> bytes:
        """Puts weights back: `{npz: base64}` or `{params: {layer: {weight, bias}}}`."""
        read = read_npz(asked["npz"]) if "npz" in asked else read_tree(asked.get("params"))
        self._drawn().load(read)
        return b""

    def python(self, asked: Mapping[str, Any]) -> bytes:
        """Writes the script that trains the page's networks again."""
        networks = self._drawn()
        return script(networks.config, networks.log).encode()

    def passes(self, asked: Mapping[str, Any]) -> bytes:
        """Walks one sample, `{member, sample}`, to every number of its passes, as JSON."""
        networks = self._drawn()
        member = integer(asked, "member", 0, networks.config.networks - 1)
        return json.dumps(walk(networks, member, asked), allow_nan=False).encode()

    def _drawn(self) -> Ensemble:
        if self.networks is None:
            raise GoneError("the server has no networks of this page: reload it")
        return self.networks

    def _networks(self, config: Config, asked: Mapping[str, Any]) -> Ensemble:
        """The page's networks for this configuration, drawn again if it asks for that."""
        generation = integer(asked, "generation", 0, 2**31)
        if self.networks is None:
            if integer(asked, "step", 0, 2**31):
                raise GoneError("newer pages took the place of this one's networks: press Reset")
            self.networks = Ensemble(config, self.programs)
        elif not self.networks.change(config) and generation != self.generation:
            self.networks.restart()
        self.generation = generation
        return self.networks


class Sessions:
    """Holds the sessions of the pages, the most recent ones: `MOST_SESSIONS` at most.

    Args:
        programs: the compiled programs, which all sessions share.
    """

    def __init__(self, programs: Programs) -> None:
        self.programs, self._lock = programs, threading.Lock()
        self._found: OrderedDict[str, Session] = OrderedDict()

    def get(self, name: str) -> Session:
        """Returns the session of that name, a new one if there is none."""
        with self._lock:
            found = self._found.pop(name, None) or Session(self.programs)
            self._found[name] = found
            while len(self._found) > MOST_SESSIONS:
                self._found.popitem(last=False)
            return found

    def __len__(self) -> int:
        return len(self._found)


def train(networks: Ensemble, updates: int) -> None:
    """Takes so many steps, or those that an answer has time for."""
    until = time.perf_counter() + LONGEST
    while updates > 0 and time.perf_counter() < until:
        networks.advance(min(updates, PIECE))
        updates -= PIECE


def neighbours(config: Config) -> list[tuple[Shape, int]]:
    """Lists what one click would compile: a layer more or fewer, the next batch sizes."""
    shape, batch = shape_of(config), config.batch
    at = BATCHES.index(batch)
    sizes = BATCHES[at + 1 : at + 2] + BATCHES[max(at - 1, 0) : at]
    depths = [d for d in (shape.depth + 1, shape.depth - 1) if 0 <= d <= DEEPEST]
    deeper = [(shape._replace(depth=d), batch) for d in depths if shape.wide == 8]
    bypassed = shape._replace(residual=not shape.residual)
    same = [(bypassed, batch)] if len(set(config.widths)) == 1 else []
    return [(shape, batch), *deeper, *((shape, size) for size in sizes), *same]


def walk(networks: Ensemble, member: int, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Takes a sample through a network, and writes every number as JSON can."""
    config = networks.config
    sample = integer(asked, "sample", 0, int(networks.data["n"]) - 1)
    found = networks.passes(member, sample)
    for name in ("params", "grads", "penalty", "after"):
        found[name] = narrowed(config, found[name])
    found["optimizer"] = {
        name: narrowed(config, tree["params"]) if isinstance(tree, dict) else tree
        for name, tree in _numbers(
            found["optimizer"][1][OPTIMIZERS.index(config.optimizer)]
        ).items()
    }
    shown = found | {"y": networks.data["y"][sample], "sample": sample}
    return _plain(shown | {"columns": columns_of(config)})


def integer(asked: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """Returns the integer of that name, 0 or the lowest if it is missing.

    Raises:
        RefusedError: not an integer, or out of range.
    """
    value = asked.get(name, low)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise RefusedError(f"{name} is {str(value)[:40]!r}; it is an integer from {low} to {high}")
    return value


def _numbers(state: Any) -> dict[str, Any]:
    """The named parts of an optimizer's state, such as count, mu and nu."""
    if hasattr(state, "_fields") and state._fields:
        return state._asdict()
    parts = state if isinstance(state, tuple) else ()
    return {name: value for part in parts for name, value in _numbers(part).items()}


def _plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _plain(value) for name, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [_plain(value) for value in tree]
    return nested(np.asarray(tree).tolist())
