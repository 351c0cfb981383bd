"""The table of a search and its best run, against what one computes by hand."""

import sys
from dataclasses import replace
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import MLP, EarlyStopping, TrainSpec, grid_search, halving_search, sweep, table
from jaxnets.data import Dataset
from jaxnets.sweeps import SearchResult
from jaxnets.sweeps.axes import Candidate
from jaxnets.sweeps.programs import Program
from jaxnets.training.loop import State

RNG = np.random.default_rng(0)
X = RNG.normal(size=(18, 2)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
DATA = Dataset({"x": X[:12], "y": Y[:12]}, {"x": X[12:], "y": Y[12:]})
SPEC = TrainSpec(MLP((4,)), "binary_cross_entropy", 3)
KEYS = jax.random.split(jax.random.key(0), 2)


def found(history, steps=3):
    """A result of two candidates and two seeds, with this history `[4, records]`."""
    candidates = [Candidate({"rate": rate}, SPEC, {"learning_rate": rate}) for rate in (0.1, 0.2)]
    step = jnp.broadcast_to(jnp.array(steps), (4,))
    state = State({"w": jnp.arange(4.0)}, (), step, jax.random.split(KEYS[0], 4))
    numbers = {"learning_rate": np.array([0.1, 0.1, 0.2, 0.2])}
    history = {name: np.array(values) for name, values in history.items()}
    program = Program(SPEC, np.arange(4), numbers, state, history)
    return SearchResult(candidates, KEYS, [program], samples=12)


LOSSES = [[3.0, 1.0, 2.0], [3.0, 2.0, 4.0], [9.0, 4.0, 1.0], [9.0, 8.0, 4.0]]


def test_a_row_has_choices_seed_and_the_last_and_best_of_each_metric():
    accuracy = [[0.1, 0.3, 0.2]] * 4
    score = [[5.0, 7.0, 6.0]] * 4
    row = found({"valid_loss": LOSSES, "valid_accuracy": accuracy, "valid_f1": score}).table()[1]
    assert row == {
        **{"rate": 0.1, "seed": 1, "trained_epochs": 3},
        **{"valid_loss": 4.0, "best_valid_loss": 2.0},
        **{"valid_accuracy": 0.2, "best_valid_accuracy": 0.3},
        **{"valid_f1": 6.0, "min_valid_f1": 5.0, "max_valid_f1": 7.0},
    }
    assert [*row][:3] == ["rate", "seed", "trained_epochs"]


def test_the_best_is_the_mean_over_seeds_then_the_best_seed():
    result = found({"valid_loss": LOSSES, "valid_f1": LOSSES})
    run = result.best()  # means of the last: 3.0 and 2.5
    assert (run.choices, run.seed) == ({"rate": 0.2}, 0)
    assert run.state.params["w"] == 2
    run = result.best("best_valid_loss")  # 1.5 and 2.5
    assert (run.choices, run.seed) == ({"rate": 0.1}, 0)
    run = result.best("valid_f1", higher_is_better=True)
    assert (run.choices, run.seed) == ({"rate": 0.1}, 1)


def test_a_candidate_of_which_a_seed_diverged_is_not_the_best():
    losses = [*LOSSES[:2], [0.1, 0.1, np.nan], [0.1, 0.1, 0.1]]
    assert found({"valid_loss": losses}).best().choices == {"rate": 0.1}


def test_runs_that_ended_early_are_cut_off_and_padded():
    losses = [[*row[:2], np.nan] for row in LOSSES]
    result = found({"valid_loss": losses}, steps=[2, 2, 2, 2])
    assert [row["valid_loss"] for row in result.table()] == [1.0, 2.0, 4.0, 8.0]
    np.testing.assert_array_equal(result[-1].history["valid_loss"], [9.0, 8.0])
    assert np.isnan(result.history["valid_loss"][:, 2]).all()


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("valid_los", "did you mean 'valid_loss'"),
        ("valid_f1", "higher_is_better"),
        ("train_loss", "no candidate has a train_loss that is finite"),
    ],
)
def test_a_best_that_cannot_be_told_is_refused(metric, message):
    nothing = np.full((4, 3), np.nan)
    result = found({"valid_loss": LOSSES, "valid_f1": LOSSES, "train_loss": nothing})
    with pytest.raises(ValueError, match=message):
        result.best(metric)


def test_rows_are_a_sequence():
    result = found({"valid_loss": LOSSES})
    assert len(result) == len([*result]) == len(result.state) == 4
    assert result[-1].seed == 1
    assert repr(result) == "SearchResult(2 candidates, 2 seeds)"
    with pytest.raises(IndexError):
        result[4]


def test_the_frame_has_the_rows_of_the_table(monkeypatch):
    result = found({"valid_loss": LOSSES})
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=lambda rows: rows))
    assert result.frame() == result.table()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r"jaxnets\[pandas\]', or use table\(\)"):
        result.frame()


def test_a_frame_of_pandas_keeps_types():
    pytest.importorskip("pandas", reason="pandas is an option")
    frame = found({"valid_loss": LOSSES}).frame()
    assert frame.groupby("rate")["valid_loss"].mean().to_dict() == {0.1: 3.0, 0.2: 2.5}


def test_the_table_of_a_sweep_is_that_of_the_search(key):
    grid = grid_search(SPEC, key, DATA, {"learning_rate": [0.1, 0.2]}, hparams={"l2": 0.1})
    keys = jax.random.split(key, 1)[np.zeros(2, int)]
    hparams = {"learning_rate": np.array([0.1, 0.2]), "l2": 0.1}
    _, history = sweep(SPEC, keys, DATA, hparams)
    for ours, theirs in zip(table(hparams, history), grid.table(), strict=True):
        assert ours.pop("l2") == 0.1
        assert ours == {name: theirs[name] for name in ours}
    assert len(ours) == 9


@pytest.mark.parametrize(
    ("hparams", "history", "message"),
    [
        ({"l2": [1, 2, 3]}, {"train_loss": np.ones((2, 4))}, r"l2 has shape \(3,\).* 2 networks"),
        ({}, {"a": np.ones((2, 4)), "b": np.ones((3, 4))}, r"metrics of \[2, 3\] networks"),
    ],
)
def test_a_table_of_other_networks_is_refused(hparams, history, message):
    with pytest.raises(ValueError, match=message):
        table(hparams, history)


def test_a_network_alone_has_a_table_of_one_row():
    assert table({}, {"train_loss": np.array([2.0, 1.0])}) == [
        {"train_loss": 1.0, "best_train_loss": 1.0}
    ]


def test_an_early_stopped_row_counts_min_delta():
    from jaxnets import EarlyStopping
    from jaxnets.sweeps.result import best_record

    values = np.array([5.0, 4.5, 3.0, 2.9, np.nan])
    assert best_record(values, EarlyStopping(min_delta=0.6)) == 2
    assert best_record(-values, replace(EarlyStopping(), higher_is_better=True)) == 3
    assert best_record(np.full(3, np.nan), EarlyStopping()) == -1


MOSTLY_0 = np.arange(60) % 10 == 0
DIVERGING = [1e30, 1e-3]


def test_a_network_that_diverged_is_never_the_best(key):
    """Its outputs are NaN, whose largest is class 0: nine of ten samples."""
    x = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    part = {"x": x, "y": MOSTLY_0.astype(np.int32)}
    spec = TrainSpec(MLP((8,), 2, "relu"), "softmax_cross_entropy", 4, 20, optax.sgd)
    axes, data = {"learning_rate": DIVERGING}, Dataset(part, part)
    for metric in ("valid_accuracy", "best_valid_accuracy", "best_valid_loss"):
        found = grid_search(spec, key, data, axes).best(metric)
        assert found.choices["learning_rate"] == 1e-3, metric
    halved = halving_search(spec, key, data, axes, metric="valid_accuracy", eta=2)
    assert halved.best("valid_accuracy").choices["learning_rate"] == 1e-3
    stopping = replace(spec, stopping=EarlyStopping("valid_accuracy", patience=2))
    rates = {"learning_rate": np.array(DIVERGING)}
    states, history = sweep(stopping, jax.random.split(key, 2), data, rates)
    assert np.isnan(history["valid_accuracy"][0, 0])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(states.params))
