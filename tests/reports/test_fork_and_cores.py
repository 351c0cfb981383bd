"""Training in forked processes, and runs that are resumed on other devices."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import AxisType

import jaxnets as jn
from jaxnets import parallel
from jaxnets.data import Dataset
from jaxnets.storage.checkpoints import CheckpointMismatch

ROOT = Path(__file__).parents[2]
FORKS = pytest.mark.skipif(not hasattr(os, "register_at_fork"), reason="needs fork")
CALLS = {
    "fit": "jn.fit(spec, key, data, rate)",
    "sweep": "jn.sweep(spec, keys, data, rate)",
    "estimator": "MLPClassifier((4,), epochs=2).fit(data.train['x'], data.train['y'])",
    "parallel_map": "jn.parallel_map(jax.random.normal, keys)",
    "word2vec": "word2vec.train(settings, key, text)",
}
PROGRAM = """
import os, sys, warnings
warnings.filterwarnings("ignore")
import multiprocessing
import jax
import numpy as np
import jaxnets as jn
from jaxnets import word2vec
from jaxnets.data import Dataset
from jaxnets.estimator import MLPClassifier
from jaxnets.text import corpus, tiny_language

data = Dataset({"x": np.random.default_rng(0).normal(size=(60, 3)), "y": np.arange(60) % 2})
spec = jn.TrainSpec(jn.MLP((4,), 2), "softmax_cross_entropy", epochs=4, batch_size=16)
rate = {"learning_rate": 1e-2}
text = corpus.read(tiny_language.sentences(300), min_count=1)
settings = word2vec.Word2Vec(epochs=1, sample=0, batch_size=32)

made = None

def one(call):
    key = jax.random.key(0)
    keys = jax.random.split(key, 2) if made is None else made
    try:
        eval(call)
    except RuntimeError as error:
        return str(error)
    return "trained"

if __name__ == "__main__":
    if sys.argv[2] == "used":
        made = jax.random.split(jax.random.key(0), 2)  # in a fork, this alone would wait for ever
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        for call in sys.argv[3:]:
            print(pool.apply_async(one, [call]).get(timeout=60), flush=True)
"""


def answers(tmp_path, method, before, *calls):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, program, method, before, *calls],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@FORKS
def test_case_31_fork_after_use(tmp_path):
    """JAX would wait for ever: every way to train says so instead, and what to do."""
    found = answers(tmp_path, "fork", "used", *CALLS.values())
    assert len(found) == len(CALLS)
    assert all("multiprocessing.get_context('spawn')" in answer for answer in found)


@pytest.mark.slow_faults
@pytest.mark.parametrize(("method", "before"), [("spawn", "used"), ("fork", "unused")])
def test_the_ways_out_train(tmp_path, method, before):
    assert answers(tmp_path, method, before, *CALLS.values()) == ["trained"] * len(CALLS)


RNG = np.random.default_rng(0)
DATA = Dataset({"x": RNG.normal(size=(64, 5)).astype(np.float32), "y": np.arange(64) % 3}, None)
SPEC = jn.TrainSpec(jn.MLP((8,), 3), "softmax_cross_entropy", epochs=2, batch_size=16)
RATE = {"learning_rate": 0.01}


def mesh(devices):
    return jax.make_mesh((devices,), ("data",), (AxisType.Auto,), devices=jax.devices()[:devices])


def fit(key, folder, devices, spec=SPEC):
    """Trains on so many devices; without a mesh where that is None."""
    at = None if devices is None else mesh(devices)
    return jn.fit(spec, key, DATA, RATE, mesh=at, checkpoints=jn.CheckpointConfig(folder, steps=2))


@pytest.fixture
def cut(monkeypatch):
    """Ends a run after its first checkpoint."""
    real = jn.storage.checkpoints.save

    def cut(*args):
        def save(*saved):
            real(*saved)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(jn.storage.checkpoints, "save", save)
            patch.setattr(jn.storage.run_folder.RunWriter, "must_save", lambda *_: True)
            with pytest.raises(KeyboardInterrupt):
                fit(*args)

    return cut


OTHER = [(2, 1), (2, None), (None, 2), (1, 4), (4, 2)]


@pytest.mark.parametrize(("before", "after"), OTHER)
def test_attack_cores(tmp_path, key, cut, before, after):
    """Sums over another number of devices round otherwise: refused, by the name of the cause."""
    cut(key, tmp_path, before)
    with pytest.raises(CheckpointMismatch, match=r"mismatch: devices\)"):
        fit(key, tmp_path, after)


@pytest.mark.parametrize(("before", "after"), [(2, 2), (1, None), (None, 1)])
def test_the_same_number_of_devices_resumes_bit_for_bit(tmp_path, key, cut, before, after):
    expected, _ = fit(key, tmp_path / "whole", before)
    cut(key, tmp_path / "cut", before)
    found, _ = fit(key, tmp_path / "cut", after)
    jax.tree.map(np.testing.assert_array_equal, found.params, expected.params)


def test_fixed_order_gradients_resume_on_any_number_of_devices(tmp_path, key, cut):
    def spec(devices):
        exact = parallel.fixed_order_gradients(jax.value_and_grad, mesh(devices), 8)
        return jn.TrainSpec(SPEC.model, SPEC.loss, 2, 16, value_and_grad=exact)

    expected, _ = fit(key, tmp_path / "whole", 1, spec(1))
    cut(key, tmp_path / "cut", 4, spec(4))
    found, _ = fit(key, tmp_path / "cut", 2, spec(2))
    jax.tree.map(np.testing.assert_array_equal, found.params, expected.params)
