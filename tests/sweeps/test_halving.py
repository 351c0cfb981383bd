"""Successive halving: scikit-learn's schedule, and the runs of the slow way, bit for bit."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV

from jaxnets import MLP, TrainSpec, fit, halving_search
from jaxnets.data import Dataset
from jaxnets.sweeps.halving import halving_rounds

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2)).astype(np.float32)
Y = (X[:, 0] * X[:, 1] > 0).astype(np.int32)
DATA = Dataset({"x": X[:40], "y": Y[:40]}, {"x": X[40:], "y": Y[40:]})
KEY = jax.random.key(1)
SPEC = TrainSpec(MLP((4,)), "binary_cross_entropy", 9, 16)
RATES = [0.001, 0.01, 0.1, 0.3]


class Budgeted(ClassifierMixin, BaseEstimator):
    """An estimator whose score is the number of the candidate."""

    def __init__(self, candidate=0, budget=1):
        self.candidate, self.budget = candidate, budget

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def score(self, X, y):
        return float(self.candidate)


@pytest.mark.parametrize("first", [None, 1, 2, 5])
@pytest.mark.parametrize(("n", "most"), [(4, 9), (9, 18), (10, 81), (27, 20), (30, 4), (2, 7)])
@pytest.mark.parametrize("eta", [2, 3, 4])
def test_rounds_are_those_of_scikit_learn(n, most, eta, first):
    """But for the last round, which has all epochs here."""
    if first is not None and first > most:
        return
    search = HalvingGridSearchCV(
        Budgeted(),
        {"candidate": list(range(n))},
        resource="budget",
        max_resources=most,
        min_resources="exhaust" if first is None else first,
        factor=eta,
        cv=2,
        refit=False,
    )
    search.fit(X[:20], Y[:20])
    candidates, resources = zip(*halving_rounds(n, most, eta, first), strict=True)
    assert list(candidates) == search.n_candidates_
    assert list(resources[:-1]) == search.n_resources_[:-1]
    assert resources[-1] == most >= search.n_resources_[-1]


def test_powers_are_counted_exactly():
    """Where a logarithm is rounded down, 243 = 3^5 would get a round too few."""
    assert [candidates for candidates, _ in halving_rounds(243, 243)] == [243, 81, 27, 9, 3, 1]


def size(outputs, targets):
    return jnp.mean(outputs**2)


def slowly(spec, data, candidates, keys, rounds, value):
    """Trains every candidate by `fit` from the beginning in each round; returns who got how far."""
    reached, going = {}, list(candidates)
    for i, (count, epochs) in enumerate(rounds):
        assert len(going) == count
        scores = {}
        for rate in going:
            short = TrainSpec(spec.model, spec.loss, epochs, spec.batch_size)
            runs = [fit(short, key, data, {"learning_rate": rate}) for key in keys]
            scores[rate] = np.mean([value(history) for _, history in runs])
            reached[rate] = epochs
        if i + 1 < len(rounds):
            going = sorted(going, key=scores.get)[: rounds[i + 1][0]]
    return reached


@pytest.mark.parametrize("metric", ["valid_loss", "train_accuracy"])
def test_the_same_survive_as_if_each_were_trained_by_itself(metric):
    found = halving_search(SPEC, KEY, DATA, {"learning_rate": RATES}, metric=metric, eta=2, seeds=2)
    assert found.rounds == [(4, 2), (2, 4), (1, 9)]
    sign = -1 if metric.endswith("accuracy") else 1
    keys = jax.random.split(KEY, 2)
    expected = slowly(SPEC, DATA, RATES, keys, found.rounds, lambda h: sign * h[metric][-1])
    assert {row["learning_rate"]: row["trained_epochs"] for row in found.table()} == expected
    best = next(rate for rate, epochs in expected.items() if epochs == 9)
    assert found.best(metric).choices == {"learning_rate": best}


@pytest.mark.parametrize(
    "axes",
    [
        {"learning_rate": RATES, "activation": ["relu", "tanh"]},
        {"learning_rate": (0.01, 0.3), "momentum": [None, 0.9]},
    ],
    ids=["two activations", "random, with momentum"],
)
def test_every_run_is_the_uninterrupted_one_bit_for_bit(axes):
    sgd = "momentum" in axes
    spec = TrainSpec(MLP((4,)), SPEC.loss, 9, 16, optax.sgd) if sgd else SPEC
    found = halving_search(spec, KEY, DATA, axes, n=6 if sgd else None)
    whole = {}
    for row, run in zip(found.table(), found, strict=True):
        state, history = fit(run.spec, run.key, DATA, run.hparams)
        epochs = row["trained_epochs"]
        for name, values in run.history.items():
            np.testing.assert_array_equal(values, history[name][:epochs])
        whole[epochs] = whole.get(epochs, 0) + 1
        if epochs == 9:
            chex.assert_trees_all_equal(run.state.params, state.params)
            chex.assert_trees_all_equal(run.state.opt_state, state.opt_state)
            assert run.state.key == state.key
    counts = [count for count, _ in found.rounds]
    ended = [a - b for a, b in zip(counts, [*counts[1:], 0], strict=True)]
    assert [whole[epochs] for _, epochs in found.rounds] == ended


def test_what_diverges_is_eliminated():
    spec = TrainSpec(MLP((4,)), "squared_error", 4, None, optax.sgd)
    data = Dataset({"x": X, "y": X[:, :1] ** 2}, {"x": X, "y": X[:, :1] ** 2})
    axes = {"learning_rate": [1e30, 0.1, 1e20]}
    found = halving_search(spec, KEY, data, axes, eta=2, min_epochs=2)
    reached = {row["learning_rate"]: row["trained_epochs"] for row in found.table()}
    assert reached[0.1] == 4
    assert found.best().choices == {"learning_rate": 0.1}
    assert np.isnan([row["valid_loss"] for row in found.table()]).sum() == 2


def test_a_metric_of_ones_own_decides():
    spec = TrainSpec(MLP((4,)), SPEC.loss, 4, 16, metrics={"size": size})
    sizes = {}
    for rises in (True, False):
        options = {"metric": "valid_size", "higher_is_better": rises, "eta": 4}
        found = halving_search(spec, KEY, DATA, {"learning_rate": RATES}, **options)
        first = dict(zip(RATES, found.history["valid_size"][:, 0], strict=True))
        best = (max if rises else min)(first, key=first.get)
        run = found.best("valid_size", higher_is_better=rises)
        assert run.choices == {"learning_rate": best}
        row = found.table()[RATES.index(best)]
        assert row["max_valid_size"] == run.history["valid_size"].max()
        sizes[rises] = best
    assert sizes[True] != sizes[False]
    with pytest.raises(ValueError, match="higher_is_better"):
        halving_search(spec, KEY, DATA, {"learning_rate": RATES}, metric="valid_size")


def test_records_are_divided_not_epochs():
    spec = TrainSpec(MLP((4,)), SPEC.loss, 8, 16, record_every=2)
    found = halving_search(spec, KEY, DATA, {"learning_rate": RATES}, eta=2)
    assert found.rounds == [(4, 2), (2, 4), (1, 8)]
    assert found.history["valid_loss"].shape == (4, 4)
    recorded = np.isfinite(found.history["valid_loss"]).sum(axis=1)
    np.testing.assert_array_equal(2 * recorded, [row["trained_epochs"] for row in found.table()])
