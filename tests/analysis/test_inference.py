"""`inference` against `model.apply` on all samples at once."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.analysis import inference as room
from jaxnets.analysis.inference import inference
from jaxnets.models import (
    CNN,
    MLP,
    Activate,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAverage,
    lenet5,
    residual_cnn,
)

KEY = jax.random.key(0)
IMAGES = np.random.default_rng(0).normal(size=(40, 28, 28, 1)).astype(np.float32)
DEVICES = len(jax.devices())
SEEN: list[tuple[str, int]] = []


class Doubled:
    """A model that is not of Flax."""

    def init(self, key, x):
        return {"w": jax.random.normal(key, (x.shape[-1], 3))}

    def apply(self, params, x):
        return 2 * x @ params["w"]


MODELS = {
    "mlp": (MLP((5,), 3), IMAGES.reshape(40, -1)),
    "plain": (Doubled(), IMAGES[:, 0, :, 0]),
    "lenet5": (lenet5(), IMAGES),
    "residual": (residual_cnn(4, (8,)), IMAGES),
    "normalised": (CNN((Conv(4, 3), BatchNorm(), Activate("relu"), Flatten(), Dense(2))), IMAGES),
    "convolutions": (CNN((Conv(4, 3, 2), Activate("tanh"), Conv(3, 5), GlobalAverage())), IMAGES),
    "maps": (CNN((Conv(2, 3, padding="SAME"),)), IMAGES),
    "no weights": (CNN((Activate("relu"), GlobalAverage())), IMAGES),
    "dense first": (CNN((Flatten(), Dense(4), Activate("relu"), Dense(2))), IMAGES),
    "dense only": (CNN((Dense(4), Activate("relu"), Dense(2))), IMAGES.reshape(40, -1)),
}


@pytest.mark.parametrize(("model", "x"), MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("n", [1, DEVICES - 1, DEVICES, 4 * DEVICES + 1])
def test_outputs_are_those_of_the_model(model, x, n):
    params = model.init(KEY, x[:1])
    outputs = inference(model, params)(x[:n])
    assert isinstance(outputs, np.ndarray)
    np.testing.assert_allclose(outputs, model.apply(params, x[:n]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", [9, 16, 40])
@pytest.mark.parametrize(("entries", "most"), [(784, 10**9), (3 * 784, 10**9), (784, 2 * 784)])
def test_blocks_and_calls_change_nothing(monkeypatch, n, entries, most):
    monkeypatch.setattr(room, "BLOCK_ENTRIES", entries)
    monkeypatch.setattr(room, "MOST_ENTRIES", most)
    model, x = MODELS["lenet5"]
    params = model.init(KEY, x[:1])
    outputs = inference(model, params)(x[:n])
    np.testing.assert_allclose(outputs, model.apply(params, x[:n]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("samples", [4, 5, 8, 1000, 1001, 100_003])
@pytest.mark.parametrize("shape", [(2,), (28, 28, 1), (224, 224, 3), (5000, 5000, 3)])
def test_a_plan_has_room_for_all_and_wastes_little(samples, shape):
    share, block = room._plan(samples, shape, 4)
    calls, blocks = -(-samples // (4 * share)), share // block
    assert share == blocks * block
    assert block == 1 or block * np.prod(shape) <= room.BLOCK_ENTRIES
    assert 4 * share * calls - samples < 4 * (calls * (blocks + 1) + 1)


class Seeing(nn.Module):
    """Notes how many samples it is traced for."""

    place: str

    def __call__(self, x):
        SEEN.append((self.place, x.shape[0]))
        return x


LIGHT = (Seeing("images"), Conv(2, 3))


def batches_seen(model, n):
    """What the marked layers of a network see, when each device has n images, one in a block."""
    jax.clear_caches()
    params, x = model.init(KEY, IMAGES[:1]), IMAGES[: n * DEVICES]
    expected = model.apply(params, x)
    SEEN.clear()
    np.testing.assert_allclose(inference(model, params)(x), expected, rtol=1e-5, atol=1e-5)
    return {*SEEN}


@pytest.mark.parametrize(
    ("n", "several", "seen"), [(4, 1, 1), (4, 2, 2), (4, 3, 4), (5, 2, 5), (4, 1000, 4)]
)
def test_images_are_computed_alone_until_a_layer_has_many_weights(monkeypatch, n, several, seen):
    """The second has 3 x 3 x 2 x 3 and 3 biases; dense layers take all that a device has."""
    monkeypatch.setattr(room, "BLOCK_ENTRIES", 784)
    monkeypatch.setattr(room, "MANY_WEIGHTS", 56)
    monkeypatch.setattr(room, "SEVERAL", several)
    model = CNN((*LIGHT, Conv(3, 3, 4), Seeing("heavy"), Flatten(), Dense(3), Seeing("outputs")))
    assert batches_seen(model, n) == {("images", 1), ("heavy", seen), ("outputs", n)}


def test_images_are_computed_alone_to_the_end(monkeypatch):
    """One weight fewer, and no dense layer."""
    monkeypatch.setattr(room, "BLOCK_ENTRIES", 784)
    monkeypatch.setattr(room, "MANY_WEIGHTS", 57)
    model = CNN((*LIGHT, Conv(3, 3, 4), Seeing("last")))
    assert batches_seen(model, 4) == {("images", 1), ("last", 1)}


def test_samples_of_dense_layers_alone_are_computed_in_blocks(monkeypatch):
    """All at once, hidden layers would take the memory of a share."""
    monkeypatch.setattr("jaxnets.objective.BLOCK", 2)
    model, x = CNN((Dense(4), Seeing("hidden"), Dense(2))), IMAGES.reshape(40, -1)[: 4 * DEVICES]
    params = model.init(KEY, x[:1])
    SEEN.clear()
    inference(model, params)(x)
    assert {*SEEN} == {("hidden", 2)}


@pytest.mark.parametrize(("n", "size"), [(40, 4), (10, 4), (4, 4), (1, 1)])
def test_a_single_device_takes_few_images_at_a_time(monkeypatch, n, size):
    monkeypatch.setattr(room.jax, "local_devices", lambda: jax.devices()[:1])
    monkeypatch.setattr(room, "MOST_ALONE", 4 * 784 + 783)
    model = CNN((Seeing(f"of {n}"), Conv(2, 3), Flatten(), Dense(3)))
    params = model.init(KEY, IMAGES[:1])
    SEEN.clear()
    outputs = inference(model, params)(IMAGES[:n])
    np.testing.assert_allclose(outputs, model.apply(params, IMAGES[:n]), rtol=1e-5, atol=1e-5)
    assert [count for _, count in SEEN] == [size, n]  # traced once, then for all at once


def test_the_params_are_on_every_device_and_are_placed_once(monkeypatch):
    model, x = MODELS["lenet5"]
    placed, replicate = [], room.replicate
    monkeypatch.setattr(room, "replicate", lambda *args: placed.append(1) or replicate(*args))
    outputs = inference(model, model.init(KEY, x[:1]))
    first = outputs(x[:8])
    np.testing.assert_array_equal(outputs(x[:8]), first)
    assert placed == [1]


def test_pixels_are_scaled_as_by_fit():
    pixels = np.random.default_rng(1).integers(0, 256, (8, 28, 28, 1), np.uint8)
    model = lenet5()
    params = model.init(KEY, IMAGES[:1])
    expected = model.apply(params, jnp.asarray(pixels / np.float32(255)))
    np.testing.assert_allclose(inference(model, params)(pixels), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.full((8, 28, 28, 1), np.nan), ValueError, "x"),
        (np.ones((8, 28, 28, 3)), ValueError, "layers_0"),
        (np.ones((1, 28, 28, 3)), ValueError, "layers_0"),
        (np.ones((8, 20, 20, 1)), ValueError, "initialised for"),
        (np.asarray(["a"] * 8), (TypeError, ValueError), "x"),
    ],
)
def test_samples_that_do_not_fit_are_refused(x, error, words):
    model = lenet5()
    with pytest.raises(error, match=words):
        inference(model, model.init(KEY, IMAGES[:1]))(x)


def test_sections_of_a_network_are_its_layers():
    model, x = MODELS["lenet5"]
    params = model.init(KEY, x[:1])
    maps = model.apply(params, x[:2], method="maps")
    for start, stop in ((0, 1), (2, 5), (3, len(maps))):
        before = maps[start - 1] if start else x[:2]
        found = model.apply(params, before, start, stop, method="section")
        np.testing.assert_array_equal(found, maps[stop - 1])
