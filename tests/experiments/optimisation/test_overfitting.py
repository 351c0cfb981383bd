"""Runs of `overfitting` against single ones; its judges on made-up results."""

from functools import partial

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.optimisation import overfitting
from experiments.optimisation.overfitting import Config
from jaxnets.analysis.evaluate import accuracy
from jaxnets.objective import l2_penalty

CONFIG = Config(widths=(2, 4), seeds=3, samples=16, updates=64)


def draw(keys):
    return jax.jit(jax.vmap(partial(overfitting._draw, CONFIG)))(keys)


@pytest.mark.parametrize(("size", "l2"), [(None, 0.05), (4, 0.0)])
def test_every_point_is_a_run_of_its_own(key, size, l2):
    """Against `fit` on the same draw: as many updates, on all points or on some."""
    keys = jax.random.split(key, 3)
    model = jn.MLP((4,))
    hparams = {"width": np.asarray([2.0, 4.0]), "l2": np.asarray([0.0, l2])}
    data = draw(keys)
    found = overfitting._train(CONFIG, keys, data, model, size, **hparams)
    data = jax.tree.map(lambda a: a[2], data)
    epochs = 64 if size is None else 16
    spec = jn.TrainSpec(model, overfitting.LOSS, epochs, size, record_every=epochs)
    one = {"learning_rate": CONFIG.learning_rate, "width": 4, "l2": l2}
    state, history = jn.fit(spec, keys[2], data, one)
    assert int(state.step) == CONFIG.updates
    np.testing.assert_allclose(found["valid"][2, 1], history["valid_loss"][-1], rtol=1e-3)
    for part in ("train", "test"):
        right = accuracy(model, overfitting.LOSS, state.params, getattr(data, part))
        assert found[part][2, 1] == pytest.approx(1 - float(right), abs=0.002)


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


def test_slopes_are_those_of_least_squares():
    widths = np.asarray([1, 2, 4, 16])
    errors = np.random.default_rng(0).uniform(size=(3, 4))
    found = overfitting.slopes({"widths": widths, "test_width": errors}, "test")
    design = np.stack([np.log2(widths), np.ones(4)], axis=1)
    expected = np.linalg.lstsq(design, errors.T, rcond=None)[0][0]
    np.testing.assert_allclose(found, expected)


JITTER = np.linspace(-0.01, 0.01, 6)[:, None]


def result(**changes):
    """Six seeds: the second width and the second lambda have the lowest validation loss."""
    fields = {
        "widths": np.asarray([1, 4, 64]),
        "lambdas": np.asarray([0.0, 1e-3, 1e-1]),
        "sizes": np.asarray([4, 16, 64]),
        "train_width": np.asarray([[0.25, 0.2, 0.1]]) + JITTER,
        "test_width": np.asarray([[0.1, 0.05, 0.2]]) + JITTER,
        "test_lambda": np.asarray([[0.2, 0.1, 0.15]]) - JITTER,
        "test_dropout": 0.1 - JITTER,
    }
    for axis in ("width", "lambda"):
        fields[f"valid_{axis}"] = np.tile([[2.0, 1.0, 3.0]], (6, 1))
    for name in overfitting.NETWORKS:
        fields[f"test_size_{name}"] = np.asarray([[0.05, 0.1, 0.15]]) + JITTER
    return fields | changes


def test_every_claim_holds_for_good_numbers():
    judged = [claim.judge(result()).status for claim in overfitting.CLAIMS]
    assert judged == ["reproduced"] * 6


REVERSED = np.asarray([[0.15, 0.1, 0.05]]) + JITTER
CONTRARY = {
    "the widest is as good": ({"test_width": np.asarray([[0.1, 0.2, 0.2]]) + JITTER}, {0}),
    "and has not learned more": ({"train_width": np.asarray([[0.9, 0.2, 0.2]]) + JITTER}, {0}),
    "errors fall": ({"test_width": np.asarray([[0.3, 0.05, 0.15]]) + JITTER}, {1}),
    "batches are no better": ({"test_size_10": REVERSED}, {2}),
    "nor with two layers": ({"test_size_10_10": REVERSED}, {3}),
    "no use of decay": ({"test_lambda": np.asarray([[0.1, 0.1, 0.0]]) - JITTER}, {4}),
    "no use of dropout": ({"test_dropout": 0.2 + JITTER}, {5}),
}


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_numbers_fail_their_own_claim(changes, failing):
    judged = [claim.judge(result(**changes)).status for claim in overfitting.CLAIMS]
    assert {i for i, status in enumerate(judged) if status != "reproduced"} == failing
