"""A checkpoint resumes wherever the run's functions live, and whichever Python runs it."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.training.fingerprint import describe

ROOT = Path(__file__).parents[2]
# Other Pythons with this package installed, such as those of `make install PYTHON=python3.12`.
OTHERS = [path for path in os.environ.get("JAXNETS_OTHER_PYTHONS", "").split(os.pathsep) if path]
AUGMENT = '''
import jax

SHIFT = 0.1


def noisy(scale):
    """Adds noise."""

    def augment(key, x):
        return x + scale * jax.random.normal(key, x.shape)  # of every feature

    return augment
'''
SAME = AUGMENT.replace('    """Adds noise."""\n', "").replace("  # of every feature", "")
CHANGED = AUGMENT.replace("x + scale", "x - scale")
PROGRAM = """
import sys
import jax, numpy as np
import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.storage import run_folder

x = np.random.default_rng(0).normal(size=(60, 3)).astype(np.float32)
data = Dataset({"x": x, "y": (x[:, 0] > 0).astype(np.int32)})


def clipped(learning_rate):
    name = f"rate {learning_rate!r:>5}"
    return jn.training.optimizers.adam_cosine(24)(learning_rate) if name else None


spec = jn.TrainSpec(jn.MLP((4,)), "binary_cross_entropy", 4, 10, clipped,
                    augment=lambda key, x, noise=(lambda: 0.01), label=lambda s: f"{s}{s!r}":
                    x + noise() * jax.random.normal(key, x.shape))
config = jn.CheckpointConfig(sys.argv[1], seconds=0, steps=5)
real, stop = run_folder.checkpoints.save, int(sys.argv[2])


def save(folder, step, *rest):
    path = real(folder, step, *rest)
    print("saved", step, flush=True)
    if step == stop:
        sys.exit(0)
    return path


run_folder.checkpoints.save = save
import jaxnets.training.optimizers
jn.fit(spec, jax.random.key(0), data, {"learning_rate": 0.01}, checkpoints=config)
"""


def load(path, name, text):
    """The module of that name at that path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_function_is_its_source_not_its_place(tmp_path):
    here = load(tmp_path / "a" / "first.py", "first", AUGMENT).noisy(0.1)
    there = load(tmp_path / "b" / "second.py", "package.second", "\n\n" + SAME).noisy(0.1)
    other = load(tmp_path / "c" / "third.py", "third", CHANGED).noisy(0.1)
    assert describe(here) == describe(there)
    assert describe(here) != describe(other)
    assert describe(here) != describe(load(tmp_path / "a.py", "d", AUGMENT).noisy(0.2))


def test_lambdas_on_a_line_are_told_apart():
    pairs = [(lambda: 1, lambda: 2), (lambda x: lambda: x, lambda x: lambda: -x)]
    for one, other in pairs:
        assert describe(one) != describe(other)
        assert "Lambda(" in describe(one)


def test_a_checkpoint_resumes_after_its_function_was_moved(tmp_path, key):
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    data = Dataset({"x": x, "y": (x[:, 0] > 0).astype(np.int32)})
    config = jn.CheckpointConfig(tmp_path / "run")

    def fit(augment):
        spec = jn.TrainSpec(jn.MLP((4,)), "binary_cross_entropy", 2, 10, augment=augment)
        return jn.fit(spec, key, data, {"learning_rate": 0.01}, checkpoints=config)

    first, _ = fit(load(tmp_path / "first.py", "first", AUGMENT).noisy(0.1))
    again, _ = fit(load(tmp_path / "moved" / "second.py", "moved.second", SAME).noisy(0.1))
    jax.tree.map(np.testing.assert_array_equal, again.params, first.params)
    with pytest.raises(jn.storage.checkpoints.CheckpointMismatch, match=r"mismatch: spec\)"):
        fit(load(tmp_path / "third.py", "third", CHANGED).noisy(0.1))


def run(python, folder, stop):
    """The numbers of the steps that a process of that Python saves."""
    program = folder.parent / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [python, str(program), str(folder), str(stop)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [int(line.split()[1]) for line in done.stdout.splitlines() if "saved" in line]


@pytest.mark.parametrize("python", [sys.executable, *OTHERS])
def test_a_checkpoint_resumes_under_another_python(tmp_path, python):
    """Stopped here after step 10, it continues there with the next one."""
    assert run(sys.executable, tmp_path / "run", 10) == [5, 10]
    assert run(python, tmp_path / "run", -1) == [15, 20, 24]
