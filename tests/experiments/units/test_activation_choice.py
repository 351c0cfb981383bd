"""The verdicts of `activation_choice` on made-up results, and its splits of the data."""

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.shared import image_data
from experiments.units import activation_choice
from experiments.units.activation_choice import NAMES, Config
from jaxnets.data import Dataset

JITTER = np.linspace(-0.001, 0.001, 8)
AS_CLAIMED = {"relu": 0.965, "tanh": 0.955, "sigmoid": 0.94, "leaky_relu": 0.96, "elu": 0.968}


def made_up(test=None, valid=None):
    """Two rates, of which validation prefers the second; the first has the better test."""
    test = AS_CLAIMED | {"softplus": 0.95} | (test or {})
    valid = test | (valid or {})
    wobble = {name: JITTER if name == "relu" else -JITTER for name in NAMES}
    last = np.asarray([[valid[n] - 0.2 + wobble[n], valid[n] + wobble[n]] for n in NAMES])
    return {
        "names": np.asarray(NAMES),
        "rates": np.asarray([0.001, 0.01]),
        "valid": np.stack([last - 0.1, last], axis=-1),
        "test": np.asarray([[0.999 + 0 * JITTER, test[n] + wobble[n]] for n in NAMES]),
    }


CASES = {
    "as claimed": ({}, set()),
    "elu above within the spread": ({"test": {"elu": 0.966}}, {1}),
    "elu clearly above": ({"test": {"elu": 0.98}}, {2}),
    "elu above but not chosen": ({"test": {"elu": 0.98}, "valid": {"elu": 0.9}}, {1}),
    "sigmoid as good": ({"test": {"sigmoid": 0.965}}, {0}),
    "tanh as good": ({"test": {"tanh": 0.965}}, {0}),
    "tanh far better": ({"test": {"tanh": 0.99}}, {0, 2}),
    "no better alternative": ({"test": {"elu": 0.95}}, {1}),
}


@pytest.mark.parametrize(("changes", "failing"), CASES.values(), ids=CASES)
def test_contrary_numbers_fail_their_own_claims_only(changes, failing):
    result = made_up(**changes)
    judged = [claim.judge(result).status for claim in activation_choice.CLAIMS]
    assert judged == ["not reproduced" if i in failing else "reproduced" for i in range(3)]


def test_rates_are_chosen_by_validation_at_the_last_epoch():
    result = made_up()
    result["valid"][1, 0, :, 0] = 1.0
    result["valid"][2, 0, :, 1] = 1.0
    assert activation_choice.chosen_rates(result).tolist() == [1, 1, 0, 1, 1, 1]
    valid, test = activation_choice.accuracies(result)
    np.testing.assert_array_equal(valid["tanh"], result["valid"][1, 1])
    np.testing.assert_array_equal(test["sigmoid"], result["test"][2, 0])


def test_every_digit_is_in_one_part(key):
    samples = activation_choice.digits()
    assert samples["x"].shape == (1797, 64)
    data = jax.jit(activation_choice.random_split)(key, samples)
    assert [len(part["y"]) for part in data] == [1079, 359, 359]
    joined = np.concatenate([part["x"] for part in data])
    order = np.lexsort(joined.T)
    expected = np.lexsort(samples["x"].T)
    np.testing.assert_array_equal(joined[order], samples["x"][expected])
    other = jax.jit(activation_choice.random_split)(jax.random.fold_in(key, 1), samples)
    assert (np.asarray(other.test["y"]) != np.asarray(data.test["y"])).any()


def test_labels_stay_with_their_images(key):
    samples = {"x": np.arange(800.0)[:, None] * np.ones((1, 3)), "y": np.arange(800)}
    for part in activation_choice.random_split(key, samples):
        np.testing.assert_array_equal(part["x"][:, 1], part["y"])


def test_accuracies_are_those_of_single_runs(monkeypatch, key):
    rng = np.random.default_rng(0)
    small = {"x": rng.normal(size=(40, 3)).astype(np.float32), "y": np.arange(40) % 10}
    monkeypatch.setattr(image_data, "HELD_OUT", 10)
    monkeypatch.setattr(activation_choice, "digits", lambda: small)
    config = Config(layers=1, units=4, rates=(0.01, 0.3), seeds=2, epochs=3, batch_size=10)
    keys = jax.random.split(key, 2)
    valid, test = activation_choice._train(config, keys, "elu")
    assert valid.shape == (2, 2, 3)
    split_key, train_key = jax.random.split(keys[1])
    data = Dataset(*jax.device_get(activation_choice.random_split(split_key, small)))
    model = jn.MLP((4,), 10, "elu")
    spec = jn.TrainSpec(model, activation_choice.LOSS, 3, 10)
    single = data._replace(test=None)
    state, history = jn.fit(spec, train_key, single, {"learning_rate": 0.3})
    np.testing.assert_allclose(valid[1, 1], history["valid_accuracy"], atol=1e-6)
    predicted = np.asarray(model.apply(state.params, data.test["x"])).argmax(axis=1)
    assert test[1, 1] == pytest.approx(np.mean(predicted == data.test["y"]))
