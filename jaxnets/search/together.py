"""Many runs in few programs: those of equal specs and similar sizes share one.

Runs on the same data go through the program in chunks. If they also have the same key, as those of
the candidates of a fold do with an integer `random_state`, they see the same batches, and the first
layers of all networks of a chunk are one matrix product.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding

from jaxnets.data import Dataset
from jaxnets.estimator.network import Run, Trained
from jaxnets.host.checks import require_not_forked
from jaxnets.objective import apply_in_training, calls_of
from jaxnets.parallel.rows import ROWS, layout, map_in_groups
from jaxnets.training.driver import DivergedError
from jaxnets.training.loop import train
from jaxnets.training.padded import pad, train_padded
from jaxnets.training.permutation import kind_of
from jaxnets.training.stopping import EarlyStopping
from jaxnets.training.sweep import cached_group
from jaxnets.training.validate import prepare, program_state

CHUNK = 8
"""Networks that one device trains side by side, at most."""
START = 1.5
"""What a chunk costs on a CPU beside its networks, in networks."""


class Name(NamedTuple):
    """What makes two runs the same."""

    data: bytes
    spec: Any
    key: bytes
    hparams: str


class Program(NamedTuple):
    """What runs have in common that share a compiled program."""

    spec: Any
    padded: bool
    """Whether their data may have different numbers of samples."""
    rest: tuple[Any, ...]
    """Hyper-parameters, shapes of samples and targets, and how orders are drawn; or all sizes."""


class Sizes(NamedTuple):
    """How many rows each part of a data set is padded to, and how many networks are a chunk."""

    samples: int
    held_out: int
    chunk: int
    same_key: bool
    padded: bool


class Asked:
    """Runs that were asked for, and what they have found; equal data are stored once."""

    def __init__(self) -> None:
        self.runs: dict[Name, Run] = {}
        self.found: dict[Name, Trained | Exception] = {}
        self.data: dict[bytes, Dataset] = {}
        self.checked: dict[tuple[int, Any], Dataset] = {}
        self.sizes: dict[Program, Sizes] = {}

    def add(self, run: Run) -> Trained:
        """Takes note of a run; returns params of zeros."""
        name = _name(run)
        data = self.data.setdefault(name.data, run.data)
        self.runs[name] = run._replace(data=data)
        return Trained(_zeros(run.spec.model, samples_like(run.data.train["x"], 1)), {})

    def train(self, more: int) -> None:
        """Trains all runs.

        Args:
            more: by how many samples a later run, see `train_one`, may exceed these.
        """
        require_not_forked()
        programs: dict[Program, dict[Name, Run]] = defaultdict(dict)
        for name, run in self.runs.items():
            try:
                ready = self._ready(run)
            except (ValueError, TypeError) as error:
                self.found[name] = error
                continue
            programs[_program(ready)][name] = ready
        for program, runs in programs.items():
            self.sizes[program] = _sizes(list(runs.values()), more, program.padded)
            results = _train(self.sizes[program], list(runs.values()))
            self.found.update(zip(runs, results, strict=True))
        self.runs, self.data, self.checked = {}, {}, {}

    def answer(self, run: Run) -> Trained:
        """Returns what a run has found; one that nobody asked for is trained now.

        Raises:
            ValueError, TypeError: what `fit` raises of the run.
            DivergedError: what it has found is not finite.
        """
        found = self.found.get(_name(run))
        if found is None:
            return self.train_one(run)
        if isinstance(found, Exception):
            raise found
        params, history, _ = found
        if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((params, history))):
            message = "the loss is not finite; try a smaller learning rate"
            raise DivergedError(message, params, history)
        return found

    def train_one(self, run: Run) -> Trained:
        """Trains another run in the program of the others, if it fits there."""
        ready = self._ready(run)
        self.checked.clear()
        sizes = self.sizes.get(_program(ready))
        held_out = 0 if ready.data.valid is None else len(ready.data.valid["x"])
        if sizes is None or held_out > sizes.held_out or _count(ready) > sizes.samples:
            return run.fit()
        return _train(sizes, [ready])[0]

    def _ready(self, run: Run) -> Run:
        """Checks a run, the same data once; raises what `fit` raises."""
        place = id(run.data), run.spec
        known = self.checked.get(place)
        few = run.data if known is None else _first_samples(run.data)
        n = _count(run)
        data, hparams = prepare(run.spec, few, run.hparams, samples=n, on_host=True)
        return run._replace(data=self.checked.setdefault(place, data), hparams=dict(hparams))


def _count(run: Run) -> int:
    return len(run.data.train["x"])


def _first_samples(data: Any) -> Any:
    """Returns the first sample of each part, without its weight, which may be 0."""
    return type(data)(*(part and {name: part[name][:1] for name in "xy"} for part in data))


def _name(run: Run) -> Name:
    return Name(_digest(run.data), run.spec, _bits(run.key), repr(sorted(run.hparams.items())))


@lru_cache(maxsize=32)
def _zeros(model: Any, x: jax.ShapeDtypeStruct) -> Any:
    """Returns params of zeros, for samples like x."""
    shapes = jax.eval_shape(model.init, jax.eval_shape(jax.random.key, 0), x)
    return jax.tree.map(lambda s: np.zeros(s.shape, s.dtype), shapes)


def _digest(data: Any) -> bytes:
    found = hashlib.sha256()
    for path, leaf in jax.tree.leaves_with_path(data):
        found.update(f"{path} {leaf.shape} {leaf.dtype}".encode())
        found.update(np.ascontiguousarray(leaf).data)
    return found.digest()


def samples_like(x: Any, count: int) -> jax.ShapeDtypeStruct:
    """Describes so many samples like those of an array, in the precision that JAX gives them."""
    dtype = jax.dtypes.canonicalize_dtype(x.dtype)
    return jax.ShapeDtypeStruct((count, *x.shape[1:]), dtype)


def _program(run: Run) -> Program:
    leaves = jax.tree.leaves_with_path(run.data)
    shapes = [(str(path), leaf.shape[1:], str(leaf.dtype)) for path, leaf in leaves]
    padded = _stays_the_same(run)
    size = (kind_of(_count(run)),) if padded else tuple(len(leaf) for _, leaf in leaves)
    return Program(run.spec, padded, (*sorted(run.hparams), *shapes, *size))


def _stays_the_same(run: Run) -> bool:
    """Whether padding changes nothing: no statistics of a batch, no draws of a batch's shape."""
    x = run.data.train["x"]
    return "dropout" not in run.hparams and _is_fixed(run.spec.model, samples_like(x, 2))


@lru_cache(maxsize=64)
def _is_fixed(model: Any, x: jax.ShapeDtypeStruct) -> bool:
    key = jax.eval_shape(jax.random.key, 0)
    params = jax.eval_shape(calls_of(model).init, key, x)

    def outputs(params: Any, x: Array, key: Array) -> Any:
        return apply_in_training(model, params, x, key)[0]

    traced = jax.make_jaxpr(outputs)(params, x, key).jaxpr
    used = {id(value) for equation in traced.eqns for value in equation.invars}
    return set(params) == {"params"} and id(traced.invars[-1]) not in used


def _sizes(runs: list[Run], more: int, padded: bool) -> Sizes:
    cells = _cells(runs)
    held_out = max(0 if run.data.valid is None else len(run.data.valid["x"]) for run in runs)
    same_key = all(len({_bits(run.key) for _, run in cell}) == 1 for cell in cells)
    largest = max(map(_count, runs)) + more
    kind = kind_of(_count(runs[0]))
    samples = largest if kind_of(largest) == kind else max(map(_count, runs))
    held_out += more if held_out else 0
    return Sizes(samples, held_out, _chunk(runs[0], cells), same_key, padded)


def _chunk(run: Run, cells: list[list[Any]]) -> int:
    """Chooses how many networks are a chunk: rounds are short, and few chunks are padded."""
    most = max(map(len, cells))
    if jax.default_backend() != "cpu":
        return most
    devices, x = len(jax.local_devices()), jax.typeof(run.data.train["x"])
    fits = cached_group(run.spec, program_state(run.spec), x)

    def cost(size: int) -> float:
        rounds = -(-sum(-(-len(cell) // size) for cell in cells) // devices)
        return (rounds + 1) * (size + START)

    return min(range(1, min(most, CHUNK, fits) + 1), key=cost)


def _bits(key: Array) -> bytes:
    return np.asarray(jax.random.key_data(key)).tobytes()


def _cells(runs: Iterable[Run]) -> list[list[tuple[int, Run]]]:
    """Gathers the runs on each data set."""
    cells: dict[int, list[tuple[int, Run]]] = defaultdict(list)
    for i, run in enumerate(runs):
        cells[id(run.data)].append((i, run))
    return list(cells.values())


def _train(sizes: Sizes, runs: list[Run]) -> list[Trained]:
    """Trains runs of one program, a chunk a device at a time."""
    devices = len(jax.local_devices())
    mesh = layout(devices, 1).mesh
    one: Any = _Chunk(runs[0].spec, sizes.same_key, sizes.padded)
    chunks = []
    for cell in _cells(runs):
        data: Any = cell[0][1].data
        if sizes.padded:
            data = pad(data, sizes.samples, sizes.held_out)
        chunks += [(data, cell[i : i + sizes.chunk]) for i in range(0, len(cell), sizes.chunk)]
    found: list[Any] = [None] * len(runs)
    for i in range(0, len(chunks), devices):
        now = chunks[i : i + devices]
        rows = [_rows(sizes.chunk, *chunk) for chunk in (now * devices)[:devices]]
        stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *rows)
        placed = jax.device_put(stacked, NamedSharding(mesh, ROWS))
        results = jax.device_get(_side_by_side(one, mesh, placed))
        for place, (_, cell) in enumerate(now):
            for j, (run_number, run) in enumerate(cell):
                params, history = jax.tree.map(lambda a, at=(place, j): a[at], results)
                found[run_number] = Trained(params, _cut(run.spec.stopping, history))
    return found


@partial(jax.jit, static_argnums=(0, 1))
def _side_by_side(one: Any, mesh: Mesh, rows: Any) -> Any:
    return map_in_groups(mesh, 1, one, rows)


def _rows(size: int, data: Any, cell: list[tuple[int, Run]]) -> tuple[Any, ...]:
    """Stacks keys and hyper-parameters of a chunk; the last is repeated to fill it."""
    runs = [run for _, run in cell]
    runs += runs[-1:] * (size - len(runs))
    keys = np.stack([np.asarray(jax.random.key_data(run.key)) for run in runs])
    hparams = {name: np.stack([run.hparams[name] for run in runs]) for name in runs[0].hparams}
    return data, keys, hparams


class _Chunk(NamedTuple):
    """Trains the networks of a chunk; equal ones share a program."""

    spec: Any
    same_key: bool
    padded: bool

    def __call__(self, row: tuple[Any, Array, dict[str, Array]]) -> Any:
        """Returns params and histories, with a leading axis."""
        data, bits, hparams = row
        keys = jax.random.wrap_key_data(bits)
        if self.same_key:
            return jax.vmap(partial(self._one, data, keys[0]))(hparams)
        return jax.vmap(partial(self._one, data))(keys, hparams)

    def _one(self, data: Any, key: Array, hparams: dict[str, Array]) -> Any:
        state, history = (train_padded if self.padded else train)(self.spec, key, data, hparams)
        return state.params, history


def _cut(stopping: EarlyStopping | None, history: dict[str, Any]) -> dict[str, np.ndarray]:
    """Removes the rows after an early stop; those of a run that diverged stay."""
    if stopping is None:
        return history
    best, waited = np.inf, 0
    for i, value in enumerate(stopping.sign * history[stopping.metric]):
        better = value < best - stopping.min_delta
        best, waited = (value, 0) if better else (best, waited + 1)
        if waited >= stopping.patience:
            return {name: rows[: i + 1] for name, rows in history.items()}
    return history
