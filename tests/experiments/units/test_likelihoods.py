"""The known distributions, the equalities and the claims of `likelihoods`."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, special, stats
from sklearn.calibration import calibration_curve

from experiments.lab import run
from experiments.units import known_distributions as known
from experiments.units import likelihood_identities as identities
from experiments.units import likelihoods
from experiments.units.known_distributions import KNOWN, X
from jaxnets.losses import LOSSES
from jaxnets.output_units import OUTPUT_UNITS

N = 40_000
AT = 0.3
SHARES = {
    "sigmoid": special.expit(2 * np.sin(0.3 * np.pi)),
    "softmax": special.softmax(2 * np.array([np.sin(0.3 * np.pi), np.cos(0.3 * np.pi), -0.3])),
    "multilabel": special.expit(2 * np.array([np.sin(0.3 * np.pi), np.cos(0.3 * np.pi), -0.3])),
}


def test_every_output_unit_has_a_known_distribution():
    assert list(KNOWN) == list(OUTPUT_UNITS)


def drawn(name):
    x = np.full((N, 1), AT)
    return KNOWN[name].draw(np.random.default_rng(0), x), KNOWN[name].truth(x[0])


@pytest.mark.parametrize("name", SHARES)
def test_labels_are_as_frequent_as_the_truth_says(name):
    y, truth = drawn(name)
    np.testing.assert_allclose(truth, np.atleast_1d(SHARES[name]), rtol=1e-5)
    found = (y[:, None] == np.arange(3)).mean(axis=0) if name == "softmax" else y.mean(axis=0)
    assert (np.abs(found - truth) < 5 * np.sqrt(truth * (1 - truth) / N)).all()


def test_labels_of_a_sample_are_independent():
    y, truth = drawn("multilabel")
    error = 5 * np.sqrt(np.outer(truth, truth) / N)
    together = y.T @ y / N
    off = ~np.eye(3, dtype=bool)
    assert (np.abs(together - np.outer(truth, truth)) < error)[off].all()


@pytest.mark.parametrize("name", ["linear", "gaussian"])
def test_real_targets_are_gaussian(name):
    y, truth = drawn(name)
    mean, deviation = np.sin(AT * np.pi), 0.25 + 0.2 * np.cos(AT * np.pi)
    np.testing.assert_allclose(truth, [mean, deviation][: len(truth)], rtol=1e-5)
    assert stats.kstest(y[:, 0], stats.norm(mean, deviation).cdf).pvalue > 1e-4


# Parameters to the raw outputs that stand for them.
OUTPUTS = {
    "linear": np.copy,
    "gaussian": lambda p: np.column_stack([p[:, 0], np.log(np.expm1(p[:, 1] ** 2))]),
    "sigmoid": special.logit,
    "softmax": np.log,
    "multilabel": special.logit,
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_truth_has_the_least_expected_loss(name, x64):
    """Of the unit's loss on 40,000 samples, against the truth moved a little each way."""
    random = np.random.default_rng(0)
    x = random.uniform(-1, 1, (N, 1))
    y, truth = jnp.asarray(KNOWN[name].draw(random, x)), KNOWN[name].truth(x)
    outputs = OUTPUTS[name](truth)
    read = KNOWN[name].read(OUTPUT_UNITS[name].link(jnp.asarray(outputs)))
    np.testing.assert_allclose(read, truth, atol=1e-4)

    def loss(outputs):
        return float(LOSSES[OUTPUT_UNITS[name].loss].value(jnp.asarray(outputs), y).mean())

    for column in range(outputs.shape[1]):
        for change in (-0.3, 0.3):
            moved = outputs.copy()
            moved[:, column] += change
            assert loss(moved) > loss(outputs)


def test_networks_approach_the_truth(key):
    config = SimpleNamespace(
        seeds=2, samples=400, units=10, epochs=60, batch_size=50, learning_rate=0.03
    )
    learned = known.learn(config, "sigmoid", key, np.random.default_rng(0))
    assert learned.shape == (2, len(X), 1)
    assert (learned[0] != learned[1]).any()
    truth = KNOWN["sigmoid"].truth(X)
    assert np.abs(learned - truth).mean() < 0.5 * np.abs(truth - truth.mean()).mean()


def test_reliability_agrees_with_scikit_learn():
    """Whose true values are labels: groups of equal size, `strategy="quantile"`."""
    rng = np.random.default_rng(0)
    predicted, labels = rng.uniform(size=(3, 200, 1)), rng.integers(0, 2, (200, 1))
    first, second = known.reliability(predicted, labels)
    for i in range(3):
        theirs = calibration_curve(labels[:, 0], predicted[i, :, 0], n_bins=10, strategy="quantile")
        np.testing.assert_allclose(second[i], theirs[0])
        np.testing.assert_allclose(first[i], theirs[1])


# The equalities.


def test_losses_agree_and_a_wrong_variance_is_noticed(x64, monkeypatch):
    pair = np.random.default_rng(0).normal(size=(2, 20, 2))
    assert max(identities.loss_differences(*pair).values()) < 1e-12
    monkeypatch.setattr(identities, "VARIANCE_FLOOR", 2e-6)
    assert identities.loss_differences(*pair)["least_squares"] > 1e-7


def test_objectives_are_those_of_scipy(x64):
    labels = identities.draw_labels(np.random.default_rng(0), 1, 300)[0]
    theta = np.array([0.4, -0.9])
    q = np.bincount(labels, minlength=6) / 300
    angles = np.arange(6) * np.pi / 3
    p = special.softmax(np.cos(angles) * theta[0] + np.sin(angles) * theta[1])
    expected = {
        "likelihood": -np.log(p)[labels].mean(),
        "cross_entropy": stats.entropy(q) + stats.entropy(q, p),
        "kl": stats.entropy(q, p),
        "reversed_kl": stats.entropy(p, q),
    }
    of = identities.objectives(labels)
    assert tuple(of) == identities.OBJECTIVES
    for name, value in expected.items():
        assert float(of[name](theta)) == pytest.approx(value, rel=1e-12), name


def test_descent_finds_the_minimum_that_scipy_finds(x64):
    """At it the mean direction of the model is that of the sample."""
    random = np.random.default_rng(0)
    labels, start = identities.draw_labels(random, 1)[0], random.normal(size=2)
    found = jax.jit(identities.descend, static_argnames="steps")(labels, start, steps=500)
    assert found["values"].shape == (4, 500)
    for i, name in enumerate(("likelihood", "cross_entropy", "kl")):
        values = found["values"][i]
        assert (np.diff(values) <= 1e-14).all(), name
    of = identities.objectives(labels)
    for i, name in ((0, "cross_entropy"), (3, "reversed_kl")):
        value = jax.jit(jax.value_and_grad(of[name]))
        best = optimize.minimize(value, np.zeros(2), jac=True, options={"gtol": 1e-10}).x
        np.testing.assert_allclose(found["minimisers"][i], best, atol=1e-7)
    p = special.softmax(identities.DIRECTIONS @ found["minimisers"][2])
    np.testing.assert_allclose(
        (p - identities.shares(labels)) @ identities.DIRECTIONS, 0, atol=1e-9
    )


# What is measured.


SMALL = dict.fromkeys(KNOWN, 0.01) | {"softmax": [0.005, -0.01, 0.005]}
"""Errors that are small; those of the shares of three classes add up to 0."""


def made_up(**errors):
    """Eight seeds whose parameters miss the truth by 0.01, or by the given amount for a unit."""
    sizes = 1 + 0.1 * np.linspace(-1, 1, 8)[:, None, None]
    result = {}
    for name, unit in KNOWN.items():
        true = unit.truth(X).astype(float)
        result[f"true_{name}"] = true
        result[f"learned_{name}"] = true[None] + sizes * np.asarray(errors.get(name, SMALL[name]))
    for name in ("least_squares", "two_classes"):
        result[name] = np.full(8, errors.get(name, 1e-15))
    values = np.tile(np.linspace(2, 1, 20), (8, 4, 1))
    values[:, 2] -= 0.5 + errors.get("gap", 0)
    values[:, 0] += errors.get("likelihood", 0)
    moved = np.array([0, 0, errors.get("minimisers", 0), 0.3])[None, :, None]
    turned = np.array([errors.get("gradients", 0), 0, 0, 1.0])[None, :, None]
    return result | {
        "values": values,
        "entropy": np.full(8, 0.5),
        "minimisers": np.ones((8, 4, 2)) + moved,
        "gradients": np.ones((8, 4, 20, 2)) + turned[..., None],
    }


def judged(result):
    rows = run.claims_of("likelihoods", result)
    return {row["claim"]: row for row in rows}


def verdicts(result):
    return {claim: row["status"] for claim, row in judged(result).items()}


def test_every_claim_holds_for_good_numbers():
    assert set(verdicts(made_up()).values()) == {"reproduced"}


CONTRARY = {
    "mean": ({"linear": 0.2}, "regression", "error"),
    "Gaussian mean": ({"gaussian": [0.2, 0.01]}, "gaussian", "mean"),
    "deviation": ({"gaussian": [0.01, 0.045]}, "gaussian", "deviation"),
    "least squares": ({"least_squares": 1e-11}, "least_squares", "difference"),
    "sigmoid": ({"sigmoid": 0.1}, "sigmoid", "error"),
    "one of three classes": ({"softmax": [0.0, -0.1, 0.1]}, "softmax", "error"),
    "shares that do not add up": ({"softmax": [0.0, 0.01, 0.01]}, "softmax", "sum"),
    "one of three labels": ({"multilabel": [0.01, 0.01, 0.1]}, "multilabel", "error"),
    "more than certain": ({"multilabel": [0.2, 0.0, 0.0]}, "multilabel", "in [0, 1]"),
    "two classes": ({"two_classes": 1e-11}, "two_classes", "difference"),
    "gradients": ({"gradients": 1e-11}, "one_objective", "gradients"),
    "minimisers": ({"minimisers": 1e-8}, "one_objective", "minimisers"),
    "a gap that is not the entropy": (
        {"gap": 1e-11},
        "one_objective",
        "cross entropy minus KL minus entropy",
    ),
    "another likelihood": (
        {"likelihood": 1e-11},
        "one_objective",
        "likelihood minus cross entropy",
    ),
}


@pytest.mark.parametrize(("errors", "claim", "part"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_numbers_fail_their_own_claim_only(errors, claim, part):
    rows = judged(made_up(**errors))
    failed = {name for name, row in rows.items() if row["status"] != "reproduced"}
    assert failed == {claim}
    found = {one["part"]: one["verdict"] for one in rows[claim]["parts"]}
    assert found[part] == "refuted"


def test_a_deviation_no_better_than_a_constant_is_noticed():
    result = made_up()
    result["learned_gaussian"][..., 1] = 0.9 * likelihoods.constant_deviation(result)[:, None]
    parts = {part["part"]: part["verdict"] for part in judged(result)["gaussian"]["parts"]}
    assert parts["against a constant"] == "refuted"


def test_a_negative_deviation_fails_whatever_the_error():
    result = made_up()
    result["learned_gaussian"][0, 0, 1] *= -0.01
    parts = {part["part"]: part["verdict"] for part in judged(result)["gaussian"]["parts"]}
    assert parts == {
        "mean": "reproduced",
        "deviation": "reproduced",
        "against a constant": "reproduced",
        "positive": "refuted",
    }


def test_the_best_constant_deviation_is_that_of_the_residuals():
    """Of targets drawn at random, once around the true mean and once with a bias of 0.3."""
    result = made_up(linear=0.3)
    result["learned_linear"][0] = result["true_linear"]
    noise = np.random.default_rng(0).normal(size=(4000, len(X)))
    y = result["true_linear"][:, 0] + result["true_gaussian"][:, 1] * noise
    for i in (0, 4):
        residuals = y - result["learned_linear"][i, :, 0]
        found = likelihoods.constant_deviation(result)[i]
        assert found == pytest.approx(np.sqrt((residuals**2).mean()), rel=5e-3)


def test_calibration_error_by_hand():
    result = {"true_sigmoid": np.linspace(0.1, 0.7, 200)[:, None]}
    result["learned_sigmoid"] = np.stack(
        [result["true_sigmoid"] + shift for shift in (0, 0.1, -0.1)]
    )
    np.testing.assert_allclose(
        likelihoods.calibration(result, "sigmoid"), [0, 0.1, 0.1], atol=1e-12
    )
