"""Runs of `overfitting` against single ones; what it measures on made-up results."""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from experiments.lab import run
from experiments.optimisation import overfitting
from experiments.optimisation.overfitting import Config
from jaxnets.analysis.evaluate import accuracy
from jaxnets.objective import l2_penalty

CONFIG = Config(widths=(2, 4), seeds=3, samples=16, updates=64)


def draw(keys):
    return jax.jit(jax.vmap(partial(overfitting._draw, CONFIG)))(keys)


def test_every_point_is_a_run_of_its_own(key):
    """Against `fit` on the same draw."""
    l2, keys = 0.05, jax.random.split(key, 3)
    model = jn.MLP((4,))
    hparams = {"width": np.asarray([2.0, 4.0]), "l2": np.asarray([0.0, l2])}
    data = draw(keys)
    found = overfitting._train(CONFIG, keys, data, model, **hparams)
    data = jax.tree.map(lambda a: a[2], data)
    spec = jn.TrainSpec(model, overfitting.LOSS, 64, record_every=64)
    one = {"learning_rate": CONFIG.learning_rate, "width": 4, "l2": l2}
    state, history = jn.fit(spec, keys[2], data, one)
    assert int(state.step) == CONFIG.updates
    np.testing.assert_allclose(found["valid"][2, 1], history["valid_loss"][-1], rtol=1e-3)
    for part in ("train", "test"):
        right = accuracy(model, overfitting.LOSS, state.params, getattr(data, part))
        assert found[part][2, 1] == pytest.approx(1 - float(right), abs=0.002)


@pytest.mark.parametrize(
    ("budget", "optimiser", "updates", "optimizer", "rate"),
    [
        ("equal steps", "Adam", 64, optax.adam, 0.02),
        ("equal epochs", "gradient descent", 256, optax.sgd, 0.5),
    ],
)
def test_batches_have_the_budget_and_the_optimiser(
    key, budget, optimiser, updates, optimizer, rate
):
    """Against `fit` on the same draw, in four batches of 4."""
    keys, model = jax.random.split(key, 3), jn.MLP((4,))
    config, data = replace(CONFIG, budget=budget, optimiser=optimiser), draw(keys)
    found = overfitting._train_in_batches(config, keys, data, model, 4)
    epochs = updates // 4
    spec = jn.TrainSpec(model, overfitting.LOSS, epochs, 4, optimizer, epochs)
    state, history = jn.fit(
        spec, keys[2], jax.tree.map(lambda a: a[2], data), {"learning_rate": rate}
    )
    assert int(state.step) == updates
    np.testing.assert_allclose(found["valid"][2, 0], history["valid_loss"][-1], rtol=1e-3)


def test_decay_shrinks_the_weights(key):
    hparams = {"l2": np.asarray([0.0, 0.1])}
    keys = jax.random.split(key, 3)
    found = overfitting._train(CONFIG, keys, draw(keys), jn.MLP((4,)), **hparams)
    penalty = jax.vmap(jax.vmap(l2_penalty))(found["params"])
    assert (penalty[:, 1] < penalty[:, 0] / 2).all()


def test_the_noise_is_where_it_should_be(key):
    """A fifth of the labels flipped in training and validation, none in the test."""
    config = Config(samples=4000, noise=0.0)
    data = jax.jit(overfitting._draw, static_argnums=0)(config, key)
    for part, share in (("train", 0.2), ("valid", 0.2), ("test", 0.0)):
        flipped = np.mean(_moon(getattr(data, part)["x"]) != getattr(data, part)["y"])
        assert flipped == pytest.approx(share, abs=0.03)
    assert (data.train["x"] != data.valid["x"]).any()


def _moon(x):
    """1 for the lower of the two half circles, whose centres are (0, 0) and (1, 1/2)."""
    x = np.asarray(x, np.float64)
    return (np.abs(np.hypot(x[:, 0] - 1, x[:, 1] - 0.5) - 1) < 1e-5).astype(int)


def test_the_lowest_validation_loss_is_chosen():
    fields = {
        "valid_lambda": np.asarray([[3.0, 1.0, 2.0], [np.nan, 5.0, 4.0]]),
        "test_lambda": np.asarray([[0.3, 0.1, 0.2], [0.9, 0.5, 0.4]]),
    }
    np.testing.assert_array_equal(overfitting.choose(fields, "lambda", "test"), [0.1, 0.4])


def test_trends_are_rank_correlations():
    widths = np.asarray([1, 2, 4, 16])
    errors = np.asarray([[0.1, 0.2, 0.2, 0.9], [0.4, 0.3, 0.2, 0.1], [0.2, 0.2, 0.2, 0.2]])
    found = overfitting.trends({"widths": widths, "test_width": errors}, "test")
    tied = 4.5 / np.sqrt(5 * 4.5)  # of the ranks 1, 2, 3, 4 and 1, 2.5, 2.5, 4
    np.testing.assert_allclose(found, [tied, -1, 0])


JITTER = np.linspace(-0.005, 0.005, 6)[:, None]
REVERSED = np.asarray([[0.15, 0.1, 0.05]]) + JITTER


def result(**changes):
    """Six seeds: the second width and the second lambda have the lowest validation loss."""
    fields = {
        "widths": np.asarray([1, 4, 64]),
        "lambdas": np.asarray([0.0, 1e-3, 1e-1]),
        "sizes": np.asarray([4, 16, 64]),
        "train_width": np.asarray([[0.25, 0.2, 0.1]]) + JITTER,
        "test_width": np.asarray([[0.05, 0.1, 0.2]]) + JITTER,
        "test_lambda": np.asarray([[0.2, 0.1, 0.15]]) - JITTER,
        "test_dropout": 0.1 - JITTER,
        "test_clean": 0.02 + JITTER,
    }
    for axis in ("width", "lambda"):
        fields[f"valid_{axis}"] = np.tile([[2.0, 1.0, 3.0]], (6, 1))
    for name in overfitting.NETWORKS:
        fields[f"test_size_{name}"] = np.asarray([[0.05, 0.1, 0.15]]) + JITTER
    return fields | changes


def judged(**changes):
    """The verdicts on all parts, and those of them that are not reproduced."""
    rows = run.claims_of("overfitting", result(**changes))
    parts = {(row["claim"], part["part"]): part["verdict"] for row in rows for part in row["parts"]}
    assert len(parts) == 12
    return {name: verdict for name, verdict in parts.items() if verdict != "reproduced"}


def test_every_claim_holds_for_good_numbers():
    assert judged() == {}


NO, OPEN = "refuted", "inconclusive"
CONTRARY = {
    "the widest is as good": (
        {"test_width": np.asarray([[0.1, 0.2, 0.2]]) + JITTER},
        {("can_overfit", "test error"): NO},
    ),
    "and has not learned more": (
        {"train_width": np.asarray([[0.3, 0.2, 0.2]]) + JITTER},
        {("can_overfit", "training error"): NO},
    ),
    "training errors rise": (
        {"train_width": np.asarray([[0.1, 0.2, 0.3]]) + JITTER},
        {
            ("can_overfit", "training error"): NO,
            ("more_neurons", "training trend"): NO,
            ("more_neurons", "training gain"): NO,
        },
    ),
    "test errors fall at first": (
        {"test_width": np.asarray([[0.1, 0.05, 0.2]]) + JITTER},
        {("more_neurons", "test trend"): OPEN},
    ),
    "test errors fall": (
        {"test_width": np.asarray([[0.3, 0.05, 0.15]]) + JITTER},
        {("more_neurons", "test trend"): NO, ("more_neurons", "test gain"): NO},
    ),
    "test errors rise by a point": (
        {"test_width": np.asarray([[0.19, 0.195, 0.2]]) + JITTER},
        {("can_overfit", "test error"): NO, ("more_neurons", "test gain"): NO},
    ),
    "clean points overfit too": (
        {"test_clean": 0.15 + JITTER},
        {("without_noise", "test error"): NO, ("without_noise", "below flipped"): NO},
    ),
    "batches are worse": (
        {"test_size_10": REVERSED},
        {("randomness_10", "gain"): NO, ("without_noise", "below flipped"): OPEN},
    ),
    "so with two layers": ({"test_size_10_10": REVERSED}, {("randomness_10_10", "gain"): NO}),
    "no use of decay": (
        {"test_lambda": np.asarray([[0.1, 0.1, 0.0]]) - JITTER},
        {("decay_helps", "gain"): NO},
    ),
    "no use of dropout": ({"test_dropout": 0.2 + JITTER}, {("dropout_helps", "gain"): NO}),
}


@pytest.mark.parametrize(("changes", "expected"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_numbers_fail_their_own_parts(changes, expected):
    assert judged(**changes) == expected
