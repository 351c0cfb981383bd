"""Runs on streams and on arrays in files against `fit` on the same arrays, bit for bit."""

import gc
import itertools
import subprocess
import sys
import threading
import weakref
from dataclasses import replace

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import CNN, MLP, DivergedError, EarlyStopping, TrainSpec, fit, fit_stream
from jaxnets.augment import shift
from jaxnets.data import Dataset
from jaxnets.metrics import f1
from jaxnets.models import Conv, Dense, Dropout, Flatten
from jaxnets.training.loop import split_key
from jaxnets.training.permutation import permutation
from tests.support.bits import bits_of

RNG = np.random.default_rng(0)
N, SIZE = 300, 32
STEPS = -(-N // SIZE)
X = RNG.normal(size=(N + 50, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
WEIGHT = RNG.uniform(size=N + 50).astype(np.float32)
IMAGES = RNG.integers(0, 256, (N + 50, 6, 6, 1), np.uint8)
HPARAMS = {"learning_rate": 0.05, "l2": 0.001}
SPEC = TrainSpec(MLP((8,), 2), "softmax_cross_entropy", 4, SIZE)
MOVED = CNN((Conv(4, 3), Flatten(), Dropout(0.3), Dense(2)))


def parts(x=X, **more):
    """A training part of N samples, and a validation part of the rest."""
    both = {"x": x, "y": Y, **more}
    train, valid = ({name: a[s] for name, a in both.items()} for s in (np.s_[:N], np.s_[N:]))
    return Dataset(train, valid)


DATA = parts()


def shuffled(part, key, size=SIZE, first=0):
    """A function that makes the batches of one epoch after another, in the order of `fit`."""
    epochs, n = itertools.count(first), len(part["x"])

    def batches():
        order = permutation(jax.random.fold_in(split_key(key).order, next(epochs)), n)
        for start in range(0, n, size):
            rows = np.asarray(order)[start : start + size]
            yield {name: array[rows] for name, array in part.items()}

    return batches


RUNS = {
    "MLP": (SPEC, DATA),
    "weights, records of two epochs": (replace(SPEC, record_every=2), parts(weight=WEIGHT)),
    "single samples, SGD": (replace(SPEC, batch_size=1, epochs=1, optimizer=optax.sgd), DATA),
    "pixels, augmented, dropout": (replace(SPEC, model=MOVED, augment=shift), parts(IMAGES)),
}


@pytest.mark.parametrize("as_stream", [True, False], ids=["stream", "arrays"])
@pytest.mark.parametrize("run", RUNS)
def test_a_stream_gives_what_the_array_gives(key, run, as_stream):
    spec, data = RUNS[run]
    truth, history = fit(spec, key, data, HPARAMS)
    source = shuffled(data.train, key, spec.batch_size) if as_stream else data.train
    found, streamed = fit_stream(spec, key, Dataset(source, data.valid), HPARAMS)
    assert bits_of(found) == bits_of(truth)
    chex.assert_trees_all_close(streamed, history, rtol=1e-6)


def test_one_batch_of_everything_is_the_array(key):
    spec = replace(SPEC, batch_size=None)
    assert bits_of(fit_stream(spec, key, DATA, HPARAMS)[0]) == bits_of(
        fit(spec, key, DATA, HPARAMS)[0]
    )


def test_double_precision(key, x64):
    data = parts(X.astype(np.float64))
    truth, _ = fit(SPEC, key, data, HPARAMS)
    assert jax.tree.leaves(truth.params)[0].dtype == np.float64
    for source in (data.train, shuffled(data.train, key)):
        found, _ = fit_stream(SPEC, key, Dataset(source, data.valid), HPARAMS)
        assert bits_of(found.params) == bits_of(truth.params)


def test_an_array_in_a_file_gives_what_the_array_gives(key, tmp_path):
    np.save(tmp_path / "x.npy", X[:N])
    X[:N].tofile(tmp_path / "x.raw")
    truth, _ = fit(SPEC, key, DATA, HPARAMS)
    for x in (
        np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False),
        np.load(tmp_path / "x.npy", mmap_mode="c", allow_pickle=False),
        np.memmap(tmp_path / "x.raw", np.float32, "r", shape=(N, 4)),
    ):
        found, _ = fit_stream(SPEC, key, {"x": x, "y": Y[:N]}, HPARAMS)
        assert bits_of(found) == bits_of(truth)


BIG = """
import re, sys
from pathlib import Path
import jax, numpy as np
import jaxnets as jn

x = np.load(sys.argv[1], mmap_mode="r", allow_pickle=False)
spec = jn.TrainSpec(jn.MLP((), 1), "squared_error", 1, 10_000)
train = {"x": x, "y": np.zeros((len(x), 1), np.float32)}
state, history = jn.fit_stream(spec, jax.random.key(0), train, {"learning_rate": 1e-20})
w = next(leaf for leaf in jax.tree.leaves(state.params) if leaf.ndim == 2)
print(*np.ravel(w), history["train_loss"][0])
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 2**20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the largest memory from /proc")
def test_a_million_rows_in_a_file_train_within_a_gibibyte(tmp_path):
    """The mean of `(w x)^2` over all rows of an array of 800 MB, with params that stay as they are.

    Row i is noise plus i / n, so that no part of the array has the mean of all.
    """
    n, block = 10**6, 10**5
    noise, ramp = np.random.default_rng(0).normal(size=(block, 100)), np.arange(n) / n
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float64, (n, 100))
    for start in range(0, n, block):
        x[start : start + block] = noise + ramp[start : start + block, None]
    del x
    command = [sys.executable, "-c", BIG, tmp_path / "x.npy"]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    *w, loss = map(float, run.stdout.splitlines()[0].split())
    outputs = np.tile(noise @ w, n // block) + ramp * np.sum(w)
    np.testing.assert_allclose(loss, np.mean(outputs**2), rtol=1e-4)
    assert float(run.stdout.splitlines()[1]) < 1


def test_at_most_three_batches_are_in_memory(key):
    """Batches are told apart by their first entry, on the host and on the device."""
    made, most = [], 0

    def batches():
        nonlocal most
        for number in range(12):
            x = np.full((7, 3), number, np.float32)
            made.append(weakref.ref(x))
            on_device = [a for a in jax.live_arrays() if a.shape == (7, 3)]
            alive = [a for a in (ref() for ref in made) if a is not None]
            most = max(most, len({float(a[0, 0]) for a in alive + on_device}))
            del alive, on_device
            yield {"x": x, "y": np.zeros(7, int)}

    gc.collect()
    fit_stream(replace(SPEC, batch_size=None), key, batches, HPARAMS)
    assert 2 <= most <= 3


def test_a_buffer_that_is_filled_again_does_not_change_a_batch(key):
    def reused():
        x, y = np.empty((SIZE, 4), np.float32), np.empty(SIZE, np.int32)
        for start in range(0, N - SIZE, SIZE):
            x[:], y[:] = X[start : start + SIZE], Y[start : start + SIZE]
            yield x, y

    def fresh():
        for x, y in reused():
            yield x.copy(), y.copy()

    states = [fit_stream(SPEC, key, source, HPARAMS)[0] for source in (reused, fresh)]
    assert bits_of(states[0]) == bits_of(states[1])


@pytest.mark.parametrize("kind", ["list", "function", "pairs", "triples"])
def test_kinds_of_streams(key, kind):
    batches = [{"x": X[i : i + SIZE], "y": Y[i : i + SIZE]} for i in range(0, N, SIZE)]
    if kind == "triples":
        batches = [b | {"weight": WEIGHT[: len(b["x"])]} for b in batches]
    source = {
        "list": batches,
        "function": lambda: iter(batches),
        "pairs": [(b["x"].tolist(), b["y"].tolist()) for b in batches],
        "triples": [[*b.values()] for b in batches],
    }[kind]
    found, truth = (
        fit_stream(SPEC, key, data, HPARAMS, steps_per_epoch=steps)[0]
        for data, steps in ((source, None), (itertools.cycle(batches), STEPS))
    )
    assert bits_of(found) == bits_of(truth)


def test_an_endless_stream_goes_on_from_epoch_to_epoch_and_from_run_to_run(key):
    """And nothing is taken from it that is not used."""
    order = list(RNG.permutation(STEPS * 4))
    endless = ((X[:SIZE] + i, Y[:SIZE]) for i in itertools.cycle(order))
    half, _ = fit_stream(replace(SPEC, epochs=2), key, endless, HPARAMS, steps_per_epoch=STEPS)
    ended, second = fit_stream(
        SPEC, key, Dataset(endless, DATA.valid), HPARAMS, steps_per_epoch=STEPS, state=half
    )
    batches = Dataset([(X[:SIZE] + i, Y[:SIZE]) for i in order], DATA.valid)
    whole, history = fit_stream(SPEC, key, batches, HPARAMS, steps_per_epoch=STEPS)
    assert bits_of(ended) == bits_of(whole)
    chex.assert_trees_all_equal(second, {name: rows[2:] for name, rows in history.items()})


def test_arrays_go_on_from_a_state(key):
    whole, history = fit(SPEC, key, DATA, HPARAMS)
    half, _ = fit_stream(replace(SPEC, epochs=1), key, DATA, HPARAMS)
    ended, rest = fit_stream(SPEC, key, DATA, HPARAMS, state=half)
    assert bits_of(ended) == bits_of(whole)
    chex.assert_trees_all_close(rest, {k: rows[1:] for k, rows in history.items()}, rtol=1e-6)


def test_early_stopping_is_that_of_fit(key):
    spec = replace(SPEC, epochs=40, stopping=EarlyStopping("valid_loss", patience=2))
    truth, history = fit(spec, key, DATA, {"learning_rate": 0.2})
    found, streamed = fit_stream(spec, key, DATA, {"learning_rate": 0.2})
    assert 2 < len(history["valid_loss"]) < 40
    assert bits_of(found.params) == bits_of(truth.params)
    np.testing.assert_array_equal(streamed["valid_loss"], history["valid_loss"])


def threads():
    return [t for t in threading.enumerate() if t.name.startswith("jaxnets-prefetch")]


def test_the_thread_ends_with_the_run(key):
    seen = []

    def batches():
        seen.extend(threads())
        yield from [(X[:SIZE], Y[:SIZE])] * 10

    fit_stream(SPEC, key, batches, HPARAMS)
    assert seen
    assert not threads()
    with pytest.raises(KeyError):
        fit_stream(SPEC, key, broken, HPARAMS)
    assert not threads()


def broken():
    yield X[:SIZE], Y[:SIZE]
    yield X[:SIZE], Y[:SIZE]
    raise KeyError("a file is missing")


def test_an_error_of_the_stream_arrives_as_it_is(key):
    with pytest.raises(KeyError, match="a file is missing") as error:
        fit_stream(SPEC, key, broken, HPARAMS)
    assert [entry.name for entry in error.traceback][-1] == "broken"


def test_a_metric_that_a_stream_does_not_record_stops_nothing(key, compilations):
    stopping = EarlyStopping("train_f1", higher_is_better=True)
    spec, before = replace(SPEC, stopping=stopping, metrics={"f1": f1}), compilations()
    with pytest.raises(ValueError, match="f1 is of the validation samples: stop by valid_f1"):
        fit_stream(spec, key, DATA, HPARAMS)
    assert compilations() == before


def test_divergence_is_found_at_its_step(key):
    """The same step and reason as `fit` says, and the state before it."""
    hparams = {"learning_rate": 1e30}
    spec = replace(SPEC, optimizer=optax.sgd, model=MLP((8,), 2, "relu"))
    errors = []
    for train in (fit, fit_stream):
        with pytest.raises(DivergedError, match=r"in epoch 1 of 4: .* smaller learning") as error:
            train(spec, key, DATA, hparams)
        errors.append(error.value)
    assert str(errors[0]) == str(errors[1])
    assert bits_of(errors[0].state) == bits_of(errors[1].state)


def test_divergence_in_validation(key):
    large = [(X[:SIZE], Y[:SIZE])] * 3
    valid = {"x": np.full((5, 4), 3e38, np.float32), "y": Y[:5]}
    with pytest.raises(DivergedError, match="epoch 1 of 4: the loss of the validation") as error:
        fit_stream(replace(SPEC, model=MLP((), 2)), key, Dataset(large, valid), HPARAMS)
    assert len(error.value.history["train_loss"]) == 0
    assert error.value.state.step == 3


def test_a_gradient_that_overflows_is_named(key):
    def clipped(learning_rate):
        return optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(learning_rate))

    spec = replace(SPEC, model=MLP((), 1), loss="squared_error", optimizer=clipped)
    batches = [(X[:SIZE] * 1e18, X[:SIZE, :1] * 1e18)] * 3
    with pytest.raises(DivergedError, match="the norm of the gradient overflows"):
        fit_stream(spec, key, batches, {"learning_rate": 0.1})


def test_the_bar_counts_epochs(key, capsys):
    fit_stream(SPEC, key, DATA, HPARAMS, progress=True)
    assert "4/4" in capsys.readouterr().err


def test_a_second_run_compiles_nothing(key, compilations):
    fit_stream(SPEC, key, DATA, HPARAMS)
    before = compilations()
    fit_stream(SPEC, key, DATA, HPARAMS)
    assert compilations() == before


def grain_batches(part):
    grain = pytest.importorskip("grain")

    class Samples:
        def __len__(self):
            return N

        def __getitem__(self, i):
            return {name: a[i] for name, a in part.items()}

    return grain.MapDataset.source(Samples()).batch(SIZE).to_iter_dataset()


def tensorflow_batches(part):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((part["x"], part["y"])).batch(SIZE)


def hugging_face_batches(part):
    datasets = pytest.importorskip("datasets")
    columns = {"x": list(part["x"]), "label": part["y"].tolist(), "id": list(range(N))}
    table = datasets.Dataset.from_dict(columns).rename_column("label", "y")
    table = table.select_columns(["x", "y"]).with_format("numpy")
    return lambda: table.iter(SIZE)


def torch_batches(part):
    data = pytest.importorskip("torch.utils.data")
    torch = pytest.importorskip("torch")
    tensors = (torch.from_numpy(part[name].copy()) for name in "xy")
    return data.DataLoader(data.TensorDataset(*tensors), SIZE)


@pytest.mark.parametrize(
    "library", [grain_batches, tensorflow_batches, hugging_face_batches, torch_batches]
)
def test_batches_of_other_libraries(key, library):
    batches = [(X[i : i + SIZE], Y[i : i + SIZE]) for i in range(0, N, SIZE)]
    batches[-1] = tuple(a[: N % SIZE] for a in batches[-1])
    truth, _ = fit_stream(SPEC, key, batches, HPARAMS)
    found, _ = fit_stream(SPEC, key, library(DATA.train), HPARAMS)
    assert bits_of(found) == bits_of(truth)


def test_the_objective_of_a_batch_falls(key):
    """Samples that are drawn for every step, so that none is seen twice."""

    def draw():
        rng = np.random.default_rng(1)
        while True:
            x = rng.normal(size=(64, 4)).astype(np.float32)
            yield x, (x.sum(axis=1) > 0).astype(np.int32)

    _, history = fit_stream(
        replace(SPEC, batch_size=64), key, draw, {"learning_rate": 0.02}, steps_per_epoch=50
    )
    assert history["train_accuracy"][-1] > 0.95
    assert jnp.all(jnp.diff(history["train_loss"]) < 0)


def test_an_epoch_whose_weights_are_all_zero_is_named(key):
    """It was said to have diverged."""
    batch = {"x": np.ones((4, 2), np.float32), "y": np.zeros(4, np.int32), "weight": np.zeros(4)}
    spec = TrainSpec(MLP((3,), 2), "softmax_cross_entropy", 2, 4)
    with pytest.raises(ValueError, match="the weights of epoch 1 are all zero"):
        fit_stream(spec, key, lambda: iter([batch]), {"learning_rate": 0.1})
