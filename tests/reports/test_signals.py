"""A signal is never swallowed: the state is saved, then the program ends with 128 + signal."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.host.signals import STOP_SIGNALS, Interrupted, defer_signals, interrupt_on_signals
from jaxnets.storage import checkpoints
from jaxnets.storage.run_folder import FolderInUseError, RunWriter, lock_folder

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(0)
DATA = Dataset({"x": RNG.normal(size=(12, 3)).astype(np.float32), "y": np.arange(12) % 2}, None)
SPEC = jn.TrainSpec(jn.MLP((4,), 2), "softmax_cross_entropy", epochs=3, batch_size=4)
RATE = {"learning_rate": 0.01}
STEPS = 9
EACH_SIGNAL = pytest.mark.parametrize("number", STOP_SIGNALS, ids=lambda number: number.name)
TRAIN = """
import sys
import jaxnets as jn, jax, numpy as np
from jaxnets.data import Dataset
x = np.random.default_rng(0).normal(size=(2000, 50)).astype(np.float32)
data = Dataset({"x": x, "y": np.arange(2000) % 3})
spec = jn.TrainSpec(jn.MLP((64,), 3), "softmax_cross_entropy", epochs=600, batch_size=20)
for i in range(3):
    config = jn.CheckpointConfig(f"{sys.argv[1]}/{i}", steps=10**6)
    print("begin", i, flush=True)
    jn.fit(spec, jax.random.key(i), data, {"learning_rate": 1e-3}, checkpoints=config)
"""


@pytest.fixture(autouse=True)
def handlers_are_restored():
    before, hook = [signal.getsignal(number) for number in STOP_SIGNALS], sys.excepthook
    yield
    assert [signal.getsignal(number) for number in STOP_SIGNALS] == before
    sys.excepthook = hook


def fit(folder, key, steps=None):
    config = jn.CheckpointConfig(folder, seconds=1e6, steps=steps)
    return jn.fit(SPEC, key, DATA, RATE, checkpoints=config)


def saved_steps(folder):
    return sorted(int(path.name.removeprefix("step_")) for path in folder.glob("step_*"))


def send_after(monkeypatch, owner, name, number, at=lambda *_: True):
    """Sends the signal to this process once `owner.name` has returned."""
    real = getattr(owner, name)

    def call(*args, **options):
        result = real(*args, **options)
        if at(*args):
            signal.raise_signal(number)
        return result

    monkeypatch.setattr(owner, name, call)


@pytest.mark.parametrize(
    "number",
    [signal.SIGTERM, *(pytest.param(n, marks=pytest.mark.slow_faults) for n in STOP_SIGNALS)],
)
def test_attack_signal_swallowed(tmp_path, number):
    """Each training is one piece: the signal comes within the last, and the next never starts."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, tmp_path],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lock = tmp_path / "0" / "lock.pid"
    while process.poll() is None and not lock.exists():
        time.sleep(0.01)
    process.send_signal(number)
    out, errors = process.communicate(timeout=100)
    assert out == "begin 0\n"
    assert f"Interrupted: stopped by signal {number.value} after step 60000 of 60000" in errors
    assert saved_steps(tmp_path / "0") == [60000]
    assert process.returncode == 128 + number


MOMENTS = {
    "within the last piece": (jax, "block_until_ready", None),
    "while the last state is saved": (checkpoints, "save", STEPS),
    "after the last state is saved": (RunWriter, "stop_if_asked", STEPS),
}


@EACH_SIGNAL
@pytest.mark.parametrize(("owner", "name", "step"), MOMENTS.values(), ids=MOMENTS)
def test_a_signal_at_the_end_is_heard(tmp_path, monkeypatch, key, owner, name, step, number):
    expected = fit(tmp_path / "undisturbed", key)
    steps = [STEPS, 4][name == "save"]

    def at(*args):
        if step is None:
            return hasattr(args[0], "state") and (args[0].state.step == STEPS).all()
        return args[1] == step

    with monkeypatch.context() as patch:
        send_after(patch, owner, name, number, at)
        with pytest.raises(Interrupted, match=f"stopped by signal {number.value}") as caught:
            fit(tmp_path / "cut", key, steps)
    assert caught.value.code == 128 + number
    assert saved_steps(tmp_path / "cut")[-1] == STEPS
    state, history = fit(tmp_path / "cut", key)
    jax.tree.map(np.testing.assert_array_equal, state.params, expected[0].params)
    np.testing.assert_array_equal(history["train_loss"], expected[1]["train_loss"])


def test_a_signal_while_a_complete_run_is_read(tmp_path, monkeypatch, key):
    fit(tmp_path, key)
    send_after(monkeypatch, checkpoints, "restore", signal.SIGTERM)
    with pytest.raises(Interrupted, match="stopped by signal 15; all is saved") as caught:
        fit(tmp_path, key)
    assert caught.value.code == 143


def test_a_signal_in_the_last_piece_of_a_sweep(tmp_path, monkeypatch, key):
    send_after(monkeypatch, checkpoints, "save", signal.SIGTERM)
    config = jn.CheckpointConfig(tmp_path, seconds=1e6, steps=STEPS)
    with pytest.raises(Interrupted) as caught:
        jn.sweep(SPEC, jax.random.split(key, 2), DATA, RATE, checkpoints=config)
    assert caught.value.code == 143
    assert saved_steps(tmp_path) == [STEPS]


def test_a_signal_before_a_divergence_is_heard_too(tmp_path, monkeypatch, key):
    """A script that expects divergence would go on with its next run otherwise."""
    y = np.full((12, 1), 1e30, np.float32)
    spec = jn.TrainSpec(jn.MLP((4,)), "squared_error", epochs=3, batch_size=4)
    send_after(monkeypatch, checkpoints, "save", signal.SIGTERM)
    config = jn.CheckpointConfig(tmp_path, seconds=1e6, steps=STEPS)
    data = DATA._replace(train={"x": DATA.train["x"], "y": y})
    with pytest.raises(Interrupted, match="stopped by signal 15 after DivergedError: ") as caught:
        jn.fit(spec, key, data, {"learning_rate": 1e30}, checkpoints=config)
    assert isinstance(caught.value.__cause__, jn.DivergedError)


def test_a_refused_folder_leaves_the_handlers_alone(tmp_path, key):
    before = signal.getsignal(signal.SIGTERM)
    with lock_folder(tmp_path), pytest.raises(FolderInUseError):
        fit(tmp_path, key)
    assert signal.getsignal(signal.SIGTERM) is before


@EACH_SIGNAL
def test_a_handler_of_the_program_is_called_once_all_is_saved(tmp_path, monkeypatch, key, number):
    calls = []
    send_after(monkeypatch, jax, "block_until_ready", number, lambda tree: hasattr(tree, "state"))
    before = signal.signal(number, lambda *args: calls.append((args[0], saved_steps(tmp_path))))
    try:
        with pytest.raises(Interrupted, match="saved in"):
            fit(tmp_path, key, steps=STEPS)
    finally:
        signal.signal(number, before)
    assert calls == [(number, [STEPS])]


def test_a_handler_of_the_program_may_end_it(tmp_path, monkeypatch, key):
    send_after(monkeypatch, checkpoints, "save", signal.SIGTERM)
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    try:
        with pytest.raises(SystemExit) as left:
            fit(tmp_path, key)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert left.value.code == 7
    assert saved_steps(tmp_path)[-1] == STEPS


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs SIGHUP")
def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with defer_signals() as pending, interrupt_on_signals():
            signal.raise_signal(signal.SIGHUP)
        assert pending.signal is None
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("second", STOP_SIGNALS, ids=lambda number: number.name)
def test_a_second_signal_ends_at_once(second):
    code = (
        "import signal, sys; from jaxnets.host.signals import defer_signals\n"
        "with defer_signals():\n"
        "    signal.raise_signal(signal.SIGTERM); print('goes on', flush=True)\n"
        "    signal.raise_signal(int(sys.argv[1])); print('not reached', flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(int(second))],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (-second, "goes on\n")


def test_handlers_are_restored_though_one_is_called_meanwhile(monkeypatch):
    """SIGTERM is restored first: its handler raises before the others are restored."""
    real, calls = signal.signal, []

    def boom(*_):
        raise ZeroDivisionError

    def restore(number, handler):
        found = real(number, handler)
        if handler is boom and calls:
            signal.raise_signal(number)
        calls.append(number)
        return found

    before = real(signal.SIGTERM, boom)
    with monkeypatch.context() as patch:
        patch.setattr(signal, "signal", restore)
        with pytest.raises(ZeroDivisionError), defer_signals():
            pass
    assert signal.getsignal(signal.SIGTERM) is boom
    real(signal.SIGTERM, before)


def test_a_run_in_another_thread_needs_no_handlers(tmp_path, key):
    seen = []

    def work():
        seen.append(int(fit(tmp_path, key)[0].step))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [STEPS]


@pytest.mark.parametrize("number", [n for n in STOP_SIGNALS if n != signal.SIGINT])
def test_a_command_ends_with_128_and_the_signal(number):
    with pytest.raises(Interrupted) as caught, interrupt_on_signals():
        signal.raise_signal(number)
    assert caught.value.code == 128 + number


@EACH_SIGNAL
def test_without_checkpoints_a_signal_is_pythons(monkeypatch, key, number):
    """The program's own handler is called as soon as Python runs, and the run goes on."""
    calls = []
    send_after(monkeypatch, jax, "block_until_ready", number, lambda tree: hasattr(tree, "state"))
    before = signal.signal(number, lambda *_: calls.append(number))
    try:
        state, _ = jn.fit(SPEC, key, DATA, RATE)
    finally:
        signal.signal(number, before)
    assert set(calls) == {number}
    assert int(state.step) == STEPS
