"""Metrics, hooks and schedules of runs on streams are those of runs on arrays."""

from dataclasses import replace

import chex
import numpy as np
import optax
import pytest

from jaxnets import MLP, TrainSpec, fit, fit_stream, metrics
from jaxnets.data import Dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(140, 4)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
DATA = Dataset({"x": X[:100], "y": Y[:100]}, {"x": X[100:], "y": Y[100:]})
SPEC = TrainSpec(
    *(MLP((8,), 2), "softmax_cross_entropy", 4, 32),
    optimizer="sgd",
    record_every=2,
    metrics={"f1": metrics.f1},
)
HPARAMS = {"learning_rate": optax.cosine_decay_schedule(0.5, 12)}


def test_metrics_of_validation_hooks_and_schedules_are_those_of_arrays(key):
    seen = {fit: [], fit_stream: []}
    found = {
        run: run(SPEC, key, DATA, HPARAMS, on_record=lambda *row, rows=rows: rows.append(row))
        for run, rows in seen.items()
    }
    (truth, history), (state, streamed) = found[fit], found[fit_stream]
    chex.assert_trees_all_equal(state.params, truth.params)
    assert history.keys() - streamed.keys() == {"train_f1"}
    for name, rows in streamed.items():
        np.testing.assert_allclose(rows, history[name], rtol=1e-6)
    assert [epoch for epoch, _ in seen[fit_stream]] == [2, 4]
    for (_, before), (_, after) in zip(*seen.values(), strict=True):
        for name, value in after.items():
            np.testing.assert_allclose(value, before[name], rtol=1e-6)


def test_a_metric_that_is_not_finite_ends_no_stream(key):
    spec = replace(SPEC, metrics={"f1": lambda outputs, targets: np.nan * outputs.sum()})
    _, history = fit_stream(spec, key, DATA, HPARAMS)
    assert np.isnan(history["valid_f1"]).all()


def test_what_is_no_hook_is_refused(key, compilations):
    before = compilations()
    with pytest.raises(TypeError, match="on_record is 3; it must be a function"):
        fit_stream(SPEC, key, DATA, HPARAMS, on_record=3)
    assert compilations() == before
