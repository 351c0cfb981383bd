"""How far one has to walk to follow a run: the files and functions that it enters."""

import os
import sys
from dataclasses import replace

import jax
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.data import Dataset

FOLDER = os.path.dirname(jn.__file__)
RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(700, 8)).astype(np.float32), RNG.integers(0, 3, 700)
DATA = Dataset({"x": X[:600], "y": Y[:600]}, {"x": X[600:], "y": Y[600:]})
SPEC = jn.TrainSpec(jn.MLP((16,), 3, "relu"), "softmax_cross_entropy", 2, 32)
UNSEEN = replace(SPEC, model=jn.MLP((17,), 3, "relu"))
"""So that nothing is remembered of its model from another test."""
RATE = {"learning_rate": 0.01}


def entered(call):
    """The files of the package that a call enters, and its functions by file and name."""
    found = set()

    def profile(frame, event, _):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(FOLDER):
            found.add((os.path.relpath(code.co_filename, FOLDER), code.co_name))

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(before)
    return {file for file, _ in found}, found


def fit(key, **options):
    return jn.fit(SPEC, key, DATA, RATE, **options)


def sweep(key):
    return jn.sweep(UNSEEN, jax.random.split(key, 4), DATA, RATE)


@pytest.mark.parametrize(("run", "files", "functions"), [(fit, 12, 83), (sweep, 13, 91)])
def test_a_new_run_is_a_short_walk(key, run, files, functions):
    """Compilation included: every function of the model and the loss is entered."""
    jax.clear_caches()
    seen, found = entered(lambda: run(key))
    assert len(seen) <= files, sorted(seen)
    assert len(found) <= functions, sorted(found)


def test_a_resumed_run_is_a_short_walk(key, tmp_path):
    checkpoints = jn.CheckpointConfig(tmp_path)
    fit(key, checkpoints=checkpoints)
    seen, found = entered(lambda: fit(key, checkpoints=checkpoints))
    assert len(seen) <= 22, sorted(seen)
    assert len(found) <= 121, sorted(found)
