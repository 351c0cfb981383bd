"""A program is used again only for what it was compiled from, and nothing holds on to old runs."""

import gc
import types
import weakref
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import LOSSES, MLP, Loss, TrainSpec, fit, sweep
from jaxnets.data import Dataset
from jaxnets.training.fingerprint import describe
from tests.reports.test_identity import DATA, RATE, Noise, X

plain_with = partial(TrainSpec, MLP((), 2), "softmax_cross_entropy", epochs=3)


def losses_of(spec, train=fit):
    key = jax.random.key(0)
    return np.asarray(train(spec, key if train is fit else key[None], DATA, RATE)[1]["train_loss"])


def changing_attribute():
    noise = Noise(0.1)
    return plain_with(augment=noise), lambda: setattr(noise, "s", 9.0)


def changing_class():
    class Own(Noise):
        unit = 1.0

    return plain_with(augment=Own(0.1)), lambda: setattr(Own, "unit", 90.0)


def changing_closure():
    scale = [0.1]
    spec = plain_with(augment=lambda key, x: x + scale[0] * jax.random.normal(key, x.shape))
    return spec, lambda: scale.append(scale.pop() * 90)


def changing_array():
    mask = np.ones(4, np.float32)
    return plain_with(augment=lambda key, x: x * mask[None]), lambda: mask.__setitem__(0, 0)


def changing_global():
    def scale(key, x):
        return x * S  # noqa: F821

    space = {"S": 1.0}
    augment = types.FunctionType(scale.__code__, space)
    return plain_with(augment=augment), lambda: space.update(S=9.0)


def changing_model():
    class Plain:
        factor = 1.0

        def init(self, key, x):
            return {"w": jnp.ones((x.shape[1], 2)) * jnp.arange(2.0)[None]}

        def apply(self, params, x, rngs=None):
            return self.factor * x @ params["w"]

    model = Plain()
    spec = TrainSpec(model, "softmax_cross_entropy", epochs=2)
    return spec, lambda: setattr(model, "factor", 9.0)


def changing_optimizer():
    rates = {"b1": 0.1}
    spec = plain_with(optimizer=lambda learning_rate: optax.adam(learning_rate, **rates))
    return spec, lambda: rates.update(b1=0.9)


def changing_loss():
    LOSSES["own"] = LOSSES["softmax_cross_entropy"]
    double = Loss(lambda o, y: 2 * LOSSES["softmax_cross_entropy"].value(o, y), *LOSSES["own"][1:])
    spec = TrainSpec(MLP((), 2), "own", epochs=2)
    return spec, lambda: LOSSES.update(own=double)


STALE = {
    function.__name__: (function, fit)
    for function in (
        changing_attribute,
        changing_class,
        changing_closure,
        changing_array,
        changing_global,
        changing_model,
        changing_optimizer,
        changing_loss,
    )
} | {"sweep": (changing_attribute, sweep)}


@pytest.mark.parametrize(("make", "train"), STALE.values(), ids=STALE)
def test_no_program_outlives_what_it_was_compiled_from(make, train, compilations):
    """The run after a change equals that of a process which has never compiled the other one."""
    try:
        spec, change = make()
        before = losses_of(spec, train)
        seen = compilations()
        np.testing.assert_array_equal(losses_of(spec, train), before)
        assert compilations() == seen
        change()
        after = losses_of(spec, train)
        jax.clear_caches()
        fresh = losses_of(spec, train)
    finally:
        LOSSES.pop("own", None)
    assert (after != before).any()
    np.testing.assert_array_equal(after, fresh)


def test_labels_are_checked_for_the_model_as_it_is_now(key):
    class Plain:
        classes = 3

        def init(self, key, x):
            return {"w": jnp.zeros((x.shape[1], self.classes))}

        def apply(self, params, x, rngs=None):
            return x @ params["w"]

    model = Plain()
    spec = TrainSpec(model, "softmax_cross_entropy", epochs=1)
    data = Dataset({"x": X, "y": np.arange(8) % 3})
    fit(spec, key, data, RATE)
    model.classes = 2
    with pytest.raises(ValueError, match="is 2, but 2 classes are labelled"):
        fit(spec, key, data, RATE)


def test_fields_that_are_equal_but_compute_otherwise_share_no_program(key):
    """`0.0 == -0.0` and `1 == True`, so that Flax takes the two modules for equal."""

    class Inverse(nn.Module):
        zero: float

        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(x) * jnp.sign(1 / jnp.float32(self.zero))

    assert Inverse(0.0) == Inverse(-0.0)
    first, second = (
        losses_of(TrainSpec(Inverse(zero), "softmax_cross_entropy", 2)) for zero in (0.0, -0.0)
    )
    assert (first != second).any()


def test_large_arrays_are_digested_without_a_copy():
    """A view against memory order of 64 MB: the peak of Python's memory stays far below that."""
    import tracemalloc

    array = np.zeros((2000, 8000), np.float32)
    tracemalloc.start()
    try:
        describe(array)
        describe(array.T)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < array.nbytes / 4


def test_attack_misc2_many_fits_leave_nothing(key):
    """Case attack_misc2: neither arrays of one run, nor objects of runs whose programs are gone."""
    spec = plain_with(augment=Noise(0.1))
    fit(spec, key, DATA, RATE)
    arrays = len(jax.live_arrays())
    for _ in range(100):
        fit(spec, key, DATA, RATE)
    assert len(jax.live_arrays()) <= arrays
    noise = weakref.ref(spec.augment)
    del spec
    jax.clear_caches()
    gc.collect()
    assert noise() is None
