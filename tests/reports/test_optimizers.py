"""An optimizer that is built, a name or a flag is refused with what to give instead."""

from dataclasses import dataclass
from functools import partial

import chex
import jax
import numpy as np
import optax
import pytest

from jaxnets import MLP, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.estimator import MLPClassifier, MLPRegressor

X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
Y = np.arange(20) % 2
DATA = Dataset({"x": X, "y": Y})
spec_with = partial(TrainSpec, MLP((4,), 2), "softmax_cross_entropy", epochs=1)

NOT_BUILDERS = {
    "built": (optax.adam(1e-3), "already built.*optax.adam itself.*hparams.*functools.partial"),
    "built of several": (optax.chain(optax.clip(1.0), optax.sgd(0.1)), "already built"),
    "built, with state": (optax.MultiSteps(optax.sgd(0.1), 2), "already built"),
    "name": ("adam", "optimizer is 'adam'; give the function"),
    "none": (None, "optimizer is None; give the function"),
    "rate": (0.1, "optimizer is 0.1; give the function"),
    "settings": ({"learning_rate": 0.1}, "optimizer is {'learning_rate': 0.1}; give the function"),
}


@pytest.mark.parametrize(("optimizer", "message"), NOT_BUILDERS.values(), ids=NOT_BUILDERS)
def test_what_builds_no_optimizer_is_refused_by_the_spec(optimizer, message):
    with pytest.raises(TypeError, match=message):
        spec_with(optimizer=optimizer)


OTHERS = {
    "gradient": ({"value_and_grad": None}, "value_and_grad is None; it must be a function"),
    "augment": ({"augment": "shift"}, "augment is 'shift'; it must be a function"),
    "class": ({"model": MLP}, r"model is the class MLP; make one of it, such as MLP\(\(16,\)\)"),
    "model": ({"model": "mlp"}, "model must have init and apply"),
}


@pytest.mark.parametrize(("choice", "message"), OTHERS.values(), ids=OTHERS)
def test_other_choices_of_another_kind_are_refused_by_the_spec(choice, message):
    choices = {"model": MLP((4,), 2), "loss": "softmax_cross_entropy", "epochs": 1} | choice
    with pytest.raises(TypeError, match=message):
        TrainSpec(**choices)


class Class:
    def __init__(self, learning_rate):
        self.learning_rate = learning_rate


def needs_a_number(learning_rate, size):
    return optax.sgd(learning_rate, momentum=0.9 if size > 3 else 0.5)


SGD = {"learning_rate": 0.1, "momentum": 0.9}
HPARAMS = {
    "flag": (optax.sgd, SGD | {"nesterov": True}, r"nesterov is True.*partial\(optimizer, nester"),
    "flag of NumPy": (optax.sgd, SGD | {"nesterov": np.True_}, "nesterov is .*True.*a flag"),
    "flag as a number": (optax.sgd, SGD | {"nesterov": 1}, "cannot use a traced nesterov: fix"),
    "none": (optax.sgd, {"learning_rate": 0.1, "momentum": None}, "momentum is None.*leave it out"),
    "size": (needs_a_number, {"learning_rate": 0.1, "size": 4}, "cannot use a traced size: fix"),
    "class": (Class, {"learning_rate": 0.1}, "the optimizer built a Class; it must build"),
    "returns nothing": (lambda learning_rate: None, {"learning_rate": 0.1}, "built a NoneType"),
}


@pytest.mark.parametrize(("optimizer", "hparams", "message"), HPARAMS.values(), ids=HPARAMS)
def test_hparams_that_no_optimizer_can_be_built_from(
    key, compilations, optimizer, hparams, message
):
    spec, keys, before = spec_with(optimizer=optimizer), key[None], compilations()
    for train, own in ((fit, key), (sweep, keys)):
        with pytest.raises(TypeError, match=message):
            train(spec, own, DATA, hparams)
    assert compilations() == before


@dataclass
class Unhashable:
    by: float

    def __call__(self, key, x):
        return x + self.by


def test_what_cannot_be_hashed_is_named(key):
    message = r"augment is a Unhashable that cannot be hashed .* use @dataclass\(frozen=True\)"
    with pytest.raises(TypeError, match=message):
        fit(spec_with(augment=Unhashable(1.0)), key, DATA, {"learning_rate": 0.1})


def test_a_flag_by_partial_is_that_flag(key):
    """As optax itself takes it, and other than without."""
    nesterov, plain, by_hand = (
        fit(spec_with(epochs=3, optimizer=optimizer), key, DATA, SGD)[0].params
        for optimizer in (
            partial(optax.sgd, nesterov=True),
            optax.sgd,
            lambda learning_rate, momentum: optax.sgd(learning_rate, momentum, nesterov=True),
        )
    )
    chex.assert_trees_all_equal(nesterov, by_hand)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_equal(nesterov, plain)


ESTIMATORS = {
    "optimizer by name": ({"optimizer": "adam"}, TypeError, "optimizer is 'adam'"),
    "optimizer built": ({"optimizer": optax.adam(1e-3)}, TypeError, "already built"),
    "batch_size auto": ({"batch_size": "auto"}, TypeError, "batch_size is 'auto'"),
    "batch_size NaN": ({"batch_size": float("nan")}, TypeError, "batch_size is nan"),
    "batch_size 0": ({"batch_size": 0}, ValueError, "batch_size is 0"),
    "no fraction": ({"validation_fraction": None}, TypeError, "validation_fraction is None"),
    "fraction as text": ({"validation_fraction": "0.1"}, TypeError, "validation_fraction is '0.1'"),
    "fraction NaN": ({"validation_fraction": float("nan")}, ValueError, "validation_fraction is n"),
    "all held out": ({"validation_fraction": 1.0}, ValueError, "validation_fraction is 1.0"),
}


@pytest.mark.parametrize(("options", "error", "message"), ESTIMATORS.values(), ids=ESTIMATORS)
def test_estimators_name_a_parameter_of_another_kind(options, error, message):
    for estimator in (MLPClassifier, MLPRegressor):
        with pytest.raises(error, match=message):
            estimator(epochs=1, **options).fit(X, Y)


def test_case_22_optimizer_already_built(key):
    """Case 22_optimizer_already_built: what was a raw error or accepted names what to give."""
    for optimizer in (optax.adam(1e-3), "adam"):
        with pytest.raises(TypeError, match=r"give the function that builds it.*functools.partial"):
            fit(spec_with(optimizer=optimizer), key, DATA, {"learning_rate": 0.1})
    with pytest.raises(TypeError, match=r"nesterov is True.*functools.partial"):
        fit(spec_with(optimizer=optax.sgd), key, DATA, SGD | {"nesterov": True})
    for options, error, message in ESTIMATORS.values():
        with pytest.raises(error, match=message):
            MLPClassifier(epochs=1, **options).fit(X, Y)
    assert MLPClassifier(epochs=1, batch_size=1000).fit(X, Y).n_iter_ == 1
    assert jax.tree.leaves(MLPClassifier(epochs=1, batch_size=None).fit(X, Y).params_)
