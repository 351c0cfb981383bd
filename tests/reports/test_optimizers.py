"""Optimizers by name, built or scheduled; a flag or a number is refused with what to give."""

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
from jaxnets.objective import Objective
from jaxnets.training.loop import init_state

X = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
Y = np.arange(20) % 2
DATA = Dataset({"x": X, "y": Y})
spec_with = partial(TrainSpec, MLP((4,), 2), "softmax_cross_entropy", epochs=1)

NOT_BUILDERS = {
    "none": (None, "optimizer is None; give the function"),
    "rate": (0.1, "optimizer is 0.1; give the function"),
    "settings": ({"learning_rate": 0.1}, "optimizer is {'learning_rate': 0.1}; give the function"),
}


@pytest.mark.parametrize(("optimizer", "message"), NOT_BUILDERS.values(), ids=NOT_BUILDERS)
def test_what_builds_no_optimizer_is_refused_by_the_spec(optimizer, message):
    with pytest.raises(TypeError, match=message):
        spec_with(optimizer=optimizer)


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown optimizer 'Adam'; did you mean 'adam'\?"):
        spec_with(optimizer="Adam")


BUILT = {
    "one": optax.adam(0.1),
    "several": optax.chain(optax.clip(0.05), optax.sgd(0.1)),
    "accumulating": optax.MultiSteps(optax.sgd(0.1), 2),
}


@pytest.mark.parametrize("optimizer", BUILT.values(), ids=BUILT)
def test_a_built_optimizer_takes_the_steps_of_optax(key, optimizer):
    """By a loop of its own over the same batches, all of the samples."""
    spec = spec_with(epochs=5, optimizer=optimizer)
    objective = Objective(spec.model, spec.loss)
    params = init_state(spec, key, jax.numpy.asarray(X), {}).params
    state = optimizer.init(params)
    for _ in range(5):
        grads = jax.grad(lambda p: objective(p, {"x": X, "y": Y})[0])(params)
        updates, state = optimizer.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    chex.assert_trees_all_close(fit(spec, key, DATA)[0].params, params, rtol=1e-5)
    swept = sweep(spec, key[None], DATA, {})[0].params
    chex.assert_trees_all_close(jax.tree.map(lambda a: a[0], swept), params, rtol=1e-5)


def test_a_built_optimizer_takes_no_rate(key, compilations):
    before = compilations()
    with pytest.raises(ValueError, match=r"already built, with its learning rate.*optax\.adam"):
        fit(spec_with(optimizer=optax.adam(0.1)), key, DATA, {"learning_rate": 0.1})
    assert compilations() == before


def test_a_name_is_the_optimizer_of_optax():
    assert spec_with(optimizer="adamw") == spec_with(optimizer=optax.adamw)


SCHEDULE = optax.cosine_decay_schedule(0.1, 6)


def test_a_schedule_is_a_rate(key):
    """As optax takes it, and other than its first rate; equal runs share a program."""
    spec = spec_with(epochs=6, optimizer=optax.sgd)
    scheduled, plain = (
        fit(spec, key, DATA, {"learning_rate": rate, "momentum": 0.5})[0].params
        for rate in (SCHEDULE, 0.1)
    )
    built = optax.sgd(SCHEDULE, momentum=0.5)
    of_optax = fit(spec_with(epochs=6, optimizer=built), key, DATA)[0].params
    chex.assert_trees_all_close(scheduled, of_optax, rtol=1e-6)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(scheduled, plain, rtol=1e-2)


def test_a_sweep_takes_a_schedule(key):
    spec, hparams = spec_with(epochs=6, optimizer=optax.sgd), {"learning_rate": SCHEDULE}
    keys = jax.random.split(key, 3)
    states, _ = sweep(spec, keys, DATA, hparams | {"momentum": [0.0, 0.5, 0.9]})
    one, _ = fit(spec, keys[2], DATA, hparams | {"momentum": 0.9})
    chex.assert_trees_all_close(jax.tree.map(lambda a: a[2], states.params), one.params, rtol=1e-5)


def test_runs_with_the_same_schedule_share_a_program(key, compilations):
    hparams = {"learning_rate": SCHEDULE}
    fit(spec_with(epochs=7), key, DATA, hparams)
    before = compilations()
    fit(spec_with(epochs=7), key, DATA, hparams)
    assert compilations() == before


NO_SCHEDULES = {
    "another": ({"learning_rate": 0.1, "b1": SCHEDULE}, ValueError, "only learning_rate may be"),
    "no step": ({"learning_rate": lambda: 0.1}, TypeError, "fails for a traced step"),
    "an array": ({"learning_rate": lambda step: X[0] * step}, TypeError, "must return a number"),
    "branching": ({"learning_rate": lambda t: 0.1 if t > 3 else 1}, TypeError, "a traced step"),
}


@pytest.mark.parametrize(("hparams", "error", "text"), NO_SCHEDULES.values(), ids=NO_SCHEDULES)
def test_what_is_no_schedule_is_refused(key, compilations, hparams, error, text):
    before = compilations()
    for run, own in ((fit, key), (sweep, key[None])):
        with pytest.raises(error, match=text):
            run(spec_with(), own, DATA, hparams)
    assert compilations() == before


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
    "optimizer by another name": ({"optimizer": "Adam"}, ValueError, "did you mean 'adam'"),
    "optimizer built": ({"optimizer": optax.adam(1e-3)}, ValueError, "already built"),
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
    """Case 22_optimizer_already_built: what was a raw error trains, or names what to give."""
    for optimizer, hparams in ((optax.adam(0.1), {}), ("adam", {"learning_rate": 0.1})):
        params = fit(spec_with(epochs=3, optimizer=optimizer), key, DATA, hparams)[0].params
        expected = fit(spec_with(epochs=3), key, DATA, {"learning_rate": 0.1})[0].params
        chex.assert_trees_all_close(params, expected, rtol=1e-6)
    with pytest.raises(TypeError, match=r"nesterov is True.*functools.partial"):
        fit(spec_with(optimizer=optax.sgd), key, DATA, SGD | {"nesterov": True})
    for options, error, message in ESTIMATORS.values():
        with pytest.raises(error, match=message):
            MLPClassifier(epochs=1, **options).fit(X, Y)
    assert MLPClassifier(epochs=1, batch_size=1000).fit(X, Y).n_iter_ == 1
    assert jax.tree.leaves(MLPClassifier(epochs=1, batch_size=None).fit(X, Y).params_)
