"""Augmentation of samples alone or with their targets: in the step, on many devices, refused."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import CNN, MLP, Objective, State, TrainSpec, fit, fit_stream, make_step, sweep
from jaxnets.augment import InTurn, affine_points, crop, cutout, flip_left_right, mixup, shift
from jaxnets.data import Dataset
from jaxnets.host.augmenting import takes_targets
from jaxnets.models import Conv, Dense, Flatten
from jaxnets.parallel import all_devices
from jaxnets.parallel.data_parallel import DataParallelSamples
from jaxnets.soft_targets import soft_cross_entropy
from tests.support.bits import bits_of

RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(48, 8, 8, 1)).astype(np.float32)
LABELS = RNG.integers(0, 3, 48)
POINTS = RNG.uniform(0, 7, (48, 4)).astype(np.float32)
NET = CNN((Conv(4, 3), Flatten(), Dense(3)))
RATE = {"learning_rate": 0.01}
ALL = InTurn((flip_left_right, partial(crop, padding=1), partial(cutout, size=3), mixup))


def moved(key, x, y):
    return x + jax.random.normal(key, x.shape), y - 1.0


class Moved:
    """An object whose call takes targets."""

    def __call__(self, key, x, y):
        return moved(key, x, y)


TAKES = {
    "shift": (shift, False),
    "shift by 3": (partial(shift, pixels=3), False),
    "a lambda": (lambda key, x: x, False),
    "any arguments": (lambda *arguments: arguments[1], False),
    "mixup": (mixup, True),
    "mixup with alpha": (partial(mixup, alpha=1.0), True),
    "a function": (moved, True),
    "an object": (Moved(), True),
    "several": (ALL, True),
    "points": (partial(affine_points, coordinates="picture"), True),
}


@pytest.mark.parametrize("name", TAKES)
def test_the_signature_tells_whether_it_takes_targets(name):
    augment, expected = TAKES[name]
    assert takes_targets(augment) == expected
    assert takes_targets(DataParallelSamples(augment, all_devices())) == expected


@pytest.mark.parametrize("augment", [moved, Moved()], ids=["function", "object"])
def test_a_step_uses_the_new_samples_and_targets(key, augment):
    """The gradient of a linear model at them, by hand."""
    model, optimizer = MLP((), 1), optax.sgd(0.1)
    x, y = IMAGES[:, :2, 0, 0], POINTS[:, :1]
    params = model.init(key, x)
    state = State(params, optimizer.init(params), jnp.zeros((), jnp.int32), key)
    step = make_step(Objective(model, "squared_error"), optimizer, augment=augment)
    after, metrics = step(state, {"x": x, "y": y, "weight": np.ones(48, np.float32)})
    augment_key, _ = jax.random.split(jax.random.fold_in(key, 0))
    new_x = x + np.asarray(jax.random.normal(augment_key, x.shape))
    residual = np.asarray(model.apply(params, new_x)) - (y - 1)
    np.testing.assert_allclose(metrics["loss"], np.mean(residual**2), rtol=1e-5)
    before, found = (
        next(a for a in jax.tree.leaves(p) if a.ndim == 2) for p in (params, after.params)
    )
    np.testing.assert_allclose(found, before - 0.1 * 2 * residual.T @ new_x / 48, atol=1e-5)


RUNS = {
    "mixup and others": (soft_cross_entropy, ALL, LABELS, 3),
    "points": ("squared_error", affine_points, POINTS, 4),
}


@pytest.mark.parametrize("run", RUNS)
def test_runs_agree_on_many_devices_in_sweeps_and_on_streams(key, run):
    loss, augment, y, outputs = RUNS[run]
    net = CNN((Conv(4, 3), Flatten(), Dense(outputs)))
    spec = TrainSpec(net, loss, 2, 16, augment=augment)
    data = Dataset({"x": IMAGES, "y": y})
    alone, history = fit(spec, key, data, RATE)
    spread, _ = fit(spec, key, data, RATE, mesh=all_devices())
    streamed, _ = fit_stream(spec, key, data, RATE)
    swept, _ = sweep(spec, jnp.stack([key, key]), data, RATE)
    assert bits_of(streamed) == bits_of(alone)
    for a, b, c in zip(
        *map(jax.tree.leaves, (alone.params, spread.params, swept.params)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=3e-5)
        np.testing.assert_allclose(a, c[0], atol=3e-5)
    plain, _ = fit(TrainSpec(net, loss, 2, 16), key, data, RATE)
    assert bits_of(plain.params) != bits_of(alone.params)
    assert np.isfinite(history["train_loss"]).all()


REFUSED = {
    "no function": (3, TypeError, "augment is 3; it must be a function"),
    "four arguments": (
        lambda key, x, y, strength: (x, y),
        TypeError,
        "augment can be called neither .* fix them by functools",
    ),
    "one argument": (lambda x: x, TypeError, "augment can be called neither"),
    "targets that are forgotten": (
        lambda key, x, y: x,
        TypeError,
        r"augment takes x and y but returns a .*; it must return both",
    ),
    "fewer samples": (
        lambda key, x: x[1:],
        ValueError,
        r"augment returns x of shape \(15, 8, 8, 1\) for \(16, 8, 8, 1\)",
    ),
    "fewer targets": (
        lambda key, x, y: (x, y[1:]),
        ValueError,
        r"augment returns y of shape \(15,\) for \(16,\)",
    ),
    "labels to mix": (mixup, TypeError, "labels .* cannot be mixed"),
    "points that are labels": (affine_points, ValueError, "expected the points of 16 images"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_an_augmentation_is_refused_before_anything_compiles(key, compilations, fault):
    augment, kind, message = REFUSED[fault]
    before = compilations()
    with pytest.raises(kind, match=message):
        fit(
            TrainSpec(NET, "softmax_cross_entropy", 1, 16, augment=augment),
            key,
            Dataset({"x": IMAGES, "y": LABELS}),
            RATE,
        )
    assert compilations() == before
