"""Each run of a search is the single run of its choices; numbers share a program."""

from dataclasses import replace
from functools import cache
from itertools import product

import chex
import jax
import numpy as np
import optax
import pytest

from jaxnets import CNN, MLP, EarlyStopping, TrainSpec, fit, grid_search, random_search
from jaxnets.data import Dataset
from jaxnets.models import Activate, Dense, Dropout, Flatten

RNG = np.random.default_rng(0)
X = RNG.normal(size=(18, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
DATA = Dataset({"x": X[:12], "y": Y[:12]}, {"x": X[12:], "y": Y[12:]})
PIXELS = Dataset(
    {"x": X[:12, None, :, None], "y": Y[:12]}, {"x": X[12:, None, :, None], "y": Y[12:]}
)
KEY = jax.random.key(1)
SPEC = TrainSpec(MLP((4,)), "binary_cross_entropy", 2, 5)
IMAGES = TrainSpec(CNN((Flatten(), Dense(1))), "binary_cross_entropy", 2, 5)
RATE = {"learning_rate": 0.05}


def dropping(rate):
    return CNN((Flatten(), Dense(4), Activate("relu"), Dropout(rate), Dense(1)))


# The spec, the data, the axes, the other hyper-parameters, and how many programs are needed.
SEARCHES = {
    "numbers": (SPEC, DATA, {"learning_rate": [0.01, 0.1], "l2": [0, 0.1], "width": [2, 4]}, {}, 1),
    "fields of model and spec": (
        SPEC,
        DATA,
        {"activation": ["relu", "tanh"], "widths": [[4, 3]], "batch_size": [4]},
        RATE,
        2,
    ),
    "optimizer": (SPEC, DATA, {"optimizer": ["adam", optax.sgd]}, RATE, 2),
    "a schedule": (
        SPEC,
        DATA,
        {"b1": [0.8, 0.9]},
        {"learning_rate": optax.cosine_decay_schedule(0.05, 6)},
        1,
    ),
    "None, numbers and a flag": (
        replace(SPEC, optimizer=optax.sgd),
        DATA,
        {"momentum": [None, 0.5, 0.9], "nesterov": [True]},
        RATE,
        2,
    ),
    "dropout of a perceptron": (SPEC, DATA, {"dropout": [0.0, 0.5]}, RATE, 1),
    "dropout of an image network": (
        IMAGES,
        PIXELS,
        {"model": {"half": dropping(0.5)}, "learning_rate": [0.01, 0.1]},
        {},
        1,
    ),
}
EACH = pytest.mark.parametrize("name", SEARCHES)


@cache
def search(name, **options):
    spec, data, axes, hparams, _ = SEARCHES[name]
    return grid_search(spec, KEY, data, axes, hparams=hparams, seeds=2, **options)


def single(run, data):
    return fit(run.spec, run.key, data, run.hparams)


@EACH
def test_each_run_is_the_single_one_bit_for_bit_if_alone(name):
    data = SEARCHES[name][1]
    for run in search(name, group=1):
        state, history = single(run, data)
        chex.assert_trees_all_equal(run.state._replace(key=()), state._replace(key=()))
        assert run.state.key == state.key
        chex.assert_trees_all_equal(run.history, history)


@pytest.mark.parametrize("name", ["numbers", "dropout of a perceptron"])
def test_each_run_is_the_single_one_side_by_side(name):
    data = SEARCHES[name][1]
    for run in search(name):
        state, history = single(run, data)
        found = run.state.params, run.history
        chex.assert_trees_all_close(found, (state.params, history), rtol=0, atol=3e-6)


@EACH
def test_rows_are_the_product_of_the_axes_and_seeds(name):
    axes = SEARCHES[name][2]
    found = search(name, group=1)
    labels = [list(values) for values in axes.values()]
    expected = [(*point, seed) for point in product(*labels) for seed in (0, 1)]
    shown = [(*run.choices.values(), run.seed) for run in found]
    assert len(shown) == len(expected) == len(found)
    for ours, theirs in zip(shown, expected, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert a == (tuple(b) if isinstance(b, list) else getattr(b, "__name__", b))
    assert [row["seed"] for row in found.table()] == [run.seed for run in found]


@EACH
def test_as_many_programs_as_must_be_compiled(name):
    found = search(name, group=1)
    assert len(found.programs) == SEARCHES[name][-1]
    rows = np.sort(np.concatenate([program.rows for program in found.programs]))
    np.testing.assert_array_equal(rows, np.arange(len(found)))


def test_all_candidates_have_the_same_keys():
    keys = jax.random.split(KEY, 2)
    assert [bool(run.key == keys[run.seed]) for run in search("numbers")] == [True] * 16


def test_a_choice_that_is_drawn_trains_as_the_same_choice_of_a_grid():
    axes = {"learning_rate": [0.01, 0.1], "activation": ["relu", "tanh"]}
    drawn = random_search(SPEC, KEY, DATA, axes, n=4, group=1)
    listed = grid_search(SPEC, KEY, DATA, axes, group=1)
    by_choice = {tuple(run.choices.values()): run for run in listed}
    assert len(by_choice) == 4
    for run in drawn:
        same = by_choice.pop(tuple(run.choices.values()))
        chex.assert_trees_all_equal(run.state.params, same.state.params)


def test_runs_of_different_lengths_and_losses_are_padded():
    axes = {"epochs": [1, 3], "loss": ["binary_cross_entropy", "hinge"]}
    found = grid_search(SPEC, KEY, DATA, axes, hparams=RATE)
    assert [len(run.history["train_loss"]) for run in found] == [1, 1, 3, 3]
    assert np.isnan(found.history["train_loss"][:2, 1:]).all()
    assert np.isfinite(found.history["train_loss"][2:]).all()
    assert [row["trained_epochs"] for row in found.table()] == [1, 1, 3, 3]


def test_the_table_shows_what_early_stopping_returned():
    spec = TrainSpec(MLP((8,)), SPEC.loss, 30, None, stopping=EarlyStopping(patience=2))
    found = grid_search(spec, KEY, DATA, {"learning_rate": [0.3, 1.0]}, seeds=3)
    stopped = 0
    for row, run in zip(found.table(), found, strict=True):
        logits = np.asarray(run.spec.model.apply(run.state.params, X[12:]), float)[:, 0]
        loss = np.mean(np.log1p(np.exp(-np.where(Y[12:] == 1, 1, -1) * logits)))
        np.testing.assert_allclose(row["valid_loss"], loss, rtol=1e-5)
        assert row["valid_loss"] == row["best_valid_loss"]
        assert row["trained_epochs"] == len(run.history["valid_loss"])
        stopped += row["trained_epochs"] < 30
    assert stopped
