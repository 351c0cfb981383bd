"""What `activation_choice` measures, on made-up results, and its splits of the data."""

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.lab import run
from experiments.shared import image_data
from experiments.units import activation_choice
from experiments.units.activation_choice import NAMES, Config
from jaxnets.data import Dataset

JITTER = np.linspace(-0.001, 0.001, 8)
AS_CLAIMED = {"relu": 0.965, "tanh": 0.945, "sigmoid": 0.93, "leaky_relu": 0.96, "elu": 0.964}


def made_up(test=None, valid=None):
    """Two rates, of which validation prefers the second."""
    test = AS_CLAIMED | {"softplus": 0.95} | (test or {})
    valid = test | (valid or {})
    wobble = {name: JITTER if name == "relu" else -JITTER for name in NAMES}
    last = np.asarray([[valid[n] - 0.2 + wobble[n], valid[n] + wobble[n]] for n in NAMES])
    return {
        "names": np.asarray(NAMES),
        "rates": np.asarray([0.001, 0.01]),
        "valid": np.stack([last - 0.1, last], axis=-1),
        "test": np.asarray([test[n] + wobble[n] for n in NAMES]),
    }


def judged(result):
    rows = run.claims_of("activation_choice", result)
    return {row["claim"]: {part["part"]: part["verdict"] for part in row["parts"]} for row in rows}


YES, NO, OPEN = "reproduced", "refuted", "inconclusive"
CASES = {
    "as claimed": ({}, {}),
    "sigmoid as good": ({"sigmoid": 0.965}, {"relu_boosts": {"above sigmoid": NO}}),
    "half a point above tanh": ({"tanh": 0.96}, {"relu_boosts": {"above tanh": NO}}),
    "a point above tanh": ({"tanh": 0.955}, {"relu_boosts": {"above tanh": OPEN}}),
    "ELU far better": (
        {"elu": 0.99},
        {"good_default": {"ELU": NO}, "alternatives": {"gain": YES}},
    ),
    "ELU a point better": (
        {"elu": 0.975},
        {"good_default": {"ELU": OPEN}, "alternatives": {"gain": OPEN}},
    ),
    "softplus far better": (
        {"softplus": 0.99},
        {"good_default": {"softplus": NO}, "alternatives": {"gain": YES}},
    ),
    "tanh far better": (
        {"tanh": 0.99},
        {"good_default": {"tanh": NO}, "relu_boosts": {"above tanh": NO}},
    ),
}


@pytest.mark.parametrize(("test", "expected"), CASES.values(), ids=CASES)
def test_numbers_decide_about_their_own_parts_only(test, expected):
    default = dict.fromkeys(("tanh", "sigmoid", "leaky ReLU", "ELU", "softplus"), YES)
    claimed = {
        "relu_boosts": {"above sigmoid": YES, "above tanh": YES},
        "alternatives": {"gain": NO},
        "good_default": default,
    }
    wanted = {claim: parts | expected.get(claim, {}) for claim, parts in claimed.items()}
    assert judged(made_up(test)) == wanted


def test_the_alternative_is_chosen_by_validation():
    found = judged(made_up({"elu": 0.99}, {"elu": 0.9}))
    assert found["alternatives"] == {"gain": NO}


def test_the_picture_of_other_data_is_not_comparable():
    rows = {row["claim"]: row["status"] for row in run.claims_of("activation_choice", made_up())}
    assert rows["alternatives"] == "not comparable"


def test_rates_are_chosen_by_validation_at_the_last_epoch():
    result = made_up()
    result["valid"][1, 0, :, 0] = 1.0
    result["valid"][2, 0, :, 1] = 1.0
    chosen = [activation_choice.best_rate(valid) for valid in result["valid"]]
    assert chosen == [1, 1, 0, 1, 1, 1]
    valid, test = activation_choice.accuracies(result)
    np.testing.assert_array_equal(valid["tanh"], result["valid"][1, 1])
    np.testing.assert_array_equal(test["sigmoid"], result["test"][2])


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
    monkeypatch.setitem(activation_choice.SAMPLES, "digits", lambda: small)
    config = Config(("elu",), 1, 4, rates=(0.01, 0.3), seeds=2, starts=3, epochs=3, batch_size=10)
    result = activation_choice.run(config, key)
    assert result["valid"].shape == (1, 2, 2, 3)
    keys = jax.random.split(key, (2, 4))[1]
    data = Dataset(*jax.device_get(activation_choice.random_split(keys[0], small)))
    spec = jn.TrainSpec(jn.MLP((4,), 10, "elu"), activation_choice.LOSS, 3, 10)
    rate = config.rates[activation_choice.best_rate(result["valid"][0])]

    def single(start, rate):
        state, history = jn.fit(spec, start, data._replace(test=None), {"learning_rate": rate})
        predicted = np.asarray(spec.model.apply(state.params, data.test["x"])).argmax(axis=1)
        return history["valid_accuracy"], np.mean(predicted == data.test["y"])

    np.testing.assert_allclose(result["valid"][0, 1, 1], single(keys[1], 0.3)[0], atol=1e-6)
    tested = [single(start, rate)[1] for start in keys[1:]]
    assert result["test"][0, 1] == pytest.approx(np.mean(tested))


def test_mnist_is_as_large_as_the_digits(monkeypatch):
    """With random pixels in its place, since MNIST itself is not everywhere."""
    rng = np.random.default_rng(0)
    train = {"x": rng.random((3000, 784)), "y": rng.integers(0, 10, 3000)}
    whole = image_data.data.load
    monkeypatch.setattr(
        image_data.data, "load", lambda name: Dataset(train) if name == "mnist" else whole(name)
    )
    samples = activation_choice.SAMPLES["mnist"]()
    np.testing.assert_array_equal(samples["x"], train["x"][:1797])
    np.testing.assert_array_equal(samples["y"], train["y"][:1797])
