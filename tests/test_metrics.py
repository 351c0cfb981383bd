"""Metrics against scikit-learn's, and recorded by runs."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sklearn.metrics

import jaxnets as jn
from jaxnets import metrics
from jaxnets.data import Dataset
from jaxnets.objective import outputs_of

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(90, 5)).astype(np.float32), RNG.integers(0, 3, 90)
WEIGHT = RNG.uniform(0, 2, 90).astype(np.float32)
TRAIN = {"x": X[:60], "y": Y[:60], "weight": WEIGHT[:60]}
DATA = Dataset(TRAIN, {"x": X[60:], "y": Y[60:]})
SPEC = jn.TrainSpec(
    jn.MLP((8,), 3),
    "softmax_cross_entropy",
    epochs=4,
    batch_size=16,
    record_every=2,
    metrics={"f1": metrics.f1},
)
RATE = {"learning_rate": 0.01}


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("classes", [1, 3, 5])
def test_f1_is_that_of_scikit_learn(classes, weight):
    outputs = RNG.normal(size=(90, classes)).astype(np.float32)
    y = Y % max(classes, 2)
    best = outputs.argmax(axis=1) if classes > 1 else outputs[:, 0] > 0
    expected = sklearn.metrics.f1_score(y, best, average="macro", sample_weight=weight)
    found = metrics.f1(jnp.asarray(outputs), jnp.asarray(y), weight)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_top_5_accuracy_is_that_of_scikit_learn(weight):
    outputs, y = RNG.normal(size=(90, 9)).astype(np.float32), RNG.integers(0, 9, 90)
    expected = sklearn.metrics.top_k_accuracy_score(
        y, outputs, k=5, labels=np.arange(9), sample_weight=weight
    )
    found = metrics.top_5_accuracy(jnp.asarray(outputs), jnp.asarray(y), weight)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("name", ["mean_absolute_error", "r2"])
def test_metrics_of_numbers_are_those_of_scikit_learn(name, weight):
    outputs, y = RNG.normal(size=(2, 90, 3)).astype(np.float32)
    theirs = {"r2": sklearn.metrics.r2_score}.get(name, sklearn.metrics.mean_absolute_error)
    expected = theirs(y, outputs, sample_weight=weight)
    found = getattr(metrics, name)(jnp.asarray(outputs), jnp.asarray(y), weight)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_top_5_accuracy_of_equal_outputs_and_of_nan():
    """A network that says the same of all classes finds five of a hundred."""
    y, same = np.arange(100), np.zeros((100, 100), np.float32)
    expected = sklearn.metrics.top_k_accuracy_score(y, same, k=5)
    assert float(metrics.top_5_accuracy(jnp.asarray(same), jnp.asarray(y))) == pytest.approx(
        expected
    )
    assert float(metrics.top_5_accuracy(jnp.full((100, 100), jnp.nan), jnp.asarray(y))) == 0
    few = RNG.integers(0, 4, (200, 9)).astype(np.float32)
    labels = RNG.integers(0, 9, 200)
    expected = sklearn.metrics.top_k_accuracy_score(labels, few, k=5, labels=np.arange(9))
    found = metrics.top_5_accuracy(jnp.asarray(few), jnp.asarray(labels))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("weight", [None, WEIGHT[:4]])
def test_r2_of_a_constant_number_is_that_of_scikit_learn(weight):
    y = np.array([[1, 2.1], [2, 2.1], [3, 2.1], [5, 2.1]], np.float32)
    for outputs in (y, y + np.float32(0.5), y * [[1, 0]]):
        expected = sklearn.metrics.r2_score(y, outputs, sample_weight=weight)
        found = metrics.r2(jnp.asarray(outputs, jnp.float32), jnp.asarray(y), weight)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_f1_and_accuracy_predict_the_same_at_0():
    outputs = jnp.array([[0.0], [-1.0], [2.0]])
    predict = jn.LOSSES["binary_cross_entropy"].predict
    np.testing.assert_array_equal(metrics.predicted(outputs), predict(outputs))


def test_a_run_records_metrics_with_the_params_after_the_epoch(key):
    state, history = jn.fit(SPEC, key, DATA, RATE)
    assert {*history} == {
        f"{part}_{name}" for part in ("train", "valid") for name in ("loss", "accuracy", "f1")
    }
    for part, samples in (("train", DATA.train), ("valid", DATA.valid)):
        best = outputs_of(SPEC.model, state.params, samples["x"]).argmax(axis=1)
        expected = sklearn.metrics.f1_score(
            samples["y"], best, average="macro", sample_weight=samples.get("weight")
        )
        assert history[f"{part}_f1"].shape == (2,)
        np.testing.assert_allclose(history[f"{part}_f1"][-1], expected, rtol=1e-5)


def test_metrics_change_nothing_else(key):
    plain, before = jn.fit(replace(SPEC, metrics={}), key, DATA, RATE)
    state, history = jn.fit(SPEC, key, DATA, RATE)
    jax.tree.map(np.testing.assert_array_equal, plain.params, state.params)
    for name, rows in before.items():
        np.testing.assert_array_equal(history[name], rows)


def test_train_and_sweep_record_them_too(key):
    keys = jax.random.split(key, 2)
    _, swept = jn.sweep(SPEC, keys, DATA, RATE)
    for i in range(2):
        _, one = jn.fit(SPEC, keys[i], DATA, RATE)
        _, traced = jax.jit(jn.train, static_argnums=0)(SPEC, keys[i], DATA, RATE)
        for name in ("train_f1", "valid_f1"):
            np.testing.assert_allclose(swept[name][i], one[name], rtol=1e-5)
            np.testing.assert_allclose(traced[name], one[name], rtol=1e-5)


def test_a_run_stops_by_a_metric(key):
    stopping = jn.EarlyStopping("valid_f1", patience=1, min_delta=2.0, higher_is_better=True)
    _, history = jn.fit(replace(SPEC, epochs=8, stopping=stopping), key, DATA, RATE)
    assert len(history["valid_f1"]) == 2


def test_a_metric_that_is_not_finite_ends_no_run(key):
    def undefined(outputs, targets):
        return jnp.nan * outputs.sum()

    _, history = jn.fit(replace(SPEC, metrics={"f1": undefined}), key, DATA, RATE)
    assert np.isnan(history["valid_f1"]).all()
    assert np.isfinite(history["valid_loss"]).all()


def test_equal_metrics_share_a_program():
    assert hash(SPEC) == hash(replace(SPEC, metrics={"f1": metrics.f1}))
    assert replace(SPEC, metrics=(("f1", metrics.f1),)) == SPEC


WRONG = {
    "not a dict": ([metrics.f1], TypeError, "dict of functions"),
    "no function": ({"f1": "f1"}, TypeError, "metric 'f1' is 'f1'"),
    "a name of our own": ({"loss": metrics.f1}, ValueError, "'loss' of a metric is recorded"),
    "no name": ({"F 1": metrics.f1}, ValueError, "must be a name"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_metrics_are_refused(case):
    given, kind, text = WRONG[case]
    with pytest.raises(kind, match=text):
        replace(SPEC, metrics=given)


def of_scikit_learn(outputs, targets):
    return sklearn.metrics.f1_score(targets, outputs.argmax(axis=1), average="macro")


def one_a_sample(outputs, targets):
    return outputs[:, 0]


FAILS = {
    "traced": (of_scikit_learn, TypeError, "use functions of jax.numpy"),
    "shape": (one_a_sample, ValueError, r"shape \(60,\); it must be one number"),
}


@pytest.mark.parametrize("case", FAILS)
def test_metrics_that_give_no_number_are_refused(key, case):
    function, kind, text = FAILS[case]
    with pytest.raises(kind, match=text):
        jn.fit(replace(SPEC, metrics={"mine": function}), key, DATA, RATE)


def test_whether_a_metric_should_rise_must_be_said(key):
    spec = replace(SPEC, stopping=jn.EarlyStopping("valid_f1"))
    with pytest.raises(ValueError, match="say whether valid_f1 should rise"):
        jn.fit(spec, key, DATA, RATE)


@pytest.mark.parametrize("outputs", [[1.0, 1.0, 2.0], [1.5, 1.0, 2.0]])
@pytest.mark.parametrize("targets", [[1.0, 1.0, 2.0], [1.0, 1.0, 5.0]])
def test_r2_of_targets_that_are_the_same_where_they_count(outputs, targets):
    weight = [1.0, 1.0, 0.0]
    found = metrics.r2(*(jnp.array(a)[:, None] for a in (outputs, targets)), jnp.array(weight))
    assert found == sklearn.metrics.r2_score(targets, outputs, sample_weight=weight)
