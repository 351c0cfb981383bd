"""Image networks against plain Flax layers, hand-worked examples of lecture L2, and invariances."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import Objective
from jaxnets.models import (
    CNN,
    Activate,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAverage,
    GroupNorm,
    MaxPool,
    Parallel,
    Residual,
    count_parameters,
    layers,
    lenet5,
    residual_cnn,
    small_cnn,
)
from tests.backprop.test_mlp import assert_equal_gradients

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(3, 8, 8, 3)).astype(np.float32)
FLAX_ACTIVATIONS = {
    "relu": nn.relu,
    "tanh": nn.tanh,
    "sigmoid": nn.sigmoid,
    "elu": nn.elu,
    "softplus": nn.softplus,
    "leaky_relu": partial(nn.leaky_relu, negative_slope=0.2),
}


class PlainResidual(nn.Module):
    layers: tuple
    shortcut: tuple

    def __call__(self, x):
        value = bypass = x
        for layer in self.layers:
            value = layer(value)
        for layer in self.shortcut:
            bypass = layer(bypass)
        return value + bypass


class PlainParallel(nn.Module):
    branches: tuple

    def __call__(self, x):
        maps = []
        for branch in self.branches:
            value = x
            for layer in branch:
                value = layer(value)
            maps.append(value)
        return jnp.concatenate(maps, -1)


def two(value):
    return (value, value) if isinstance(value, int) else value


def pooling(pool, layer):
    size = two(layer.size)
    return partial(
        pool, window_shape=size, strides=two(layer.strides or size), padding=layer.padding
    )


PLAIN = {
    BatchNorm: lambda a: nn.BatchNorm(use_running_average=True, epsilon=a.epsilon),
    Conv: lambda a: nn.Conv(a.features, two(a.size), a.strides, a.padding, use_bias=a.bias),
    Dense: lambda a: nn.Dense(a.features),
    Dropout: lambda a: nn.Dropout(a.rate, deterministic=True),
    GroupNorm: lambda a: nn.GroupNorm(a.groups, use_fast_variance=False),
    MaxPool: partial(pooling, nn.max_pool),
    AveragePool: partial(pooling, nn.avg_pool),
    Activate: lambda a: FLAX_ACTIVATIONS[a.activation],
    Flatten: lambda a: lambda x: x.reshape(x.shape[0], -1),
    GlobalAverage: lambda a: partial(jnp.mean, axis=(1, 2)),
    Parallel: lambda a: PlainParallel(tuple(tuple(map(plain, b)) for b in a.branches)),
    Residual: lambda a: PlainResidual(tuple(map(plain, a.layers)), tuple(map(plain, a.shortcut))),
}


def plain(layer):
    """Flax's own layer or function of the same meaning."""
    return PLAIN[type(layer)](layer)


def plain_model(model):
    return nn.Sequential([plain(layer) for layer in model.layers])


def plain_params(params):
    """The same parameters as Flax names and lays them out: weights are transposed."""
    if not isinstance(params, dict):
        return params
    if "weight" in params:
        return {"kernel": params["weight"].T, "bias": params["bias"]}
    return {name: plain_params(value) for name, value in params.items()}


def random_params(model, x, seed=1):
    """In JAX's default precision, of the size an initialisation gives; no bias is zero."""
    rng = np.random.default_rng(seed)

    def leaf(path, shape):
        scale = 0.5 if len(shape.shape) == 1 else 1 / np.sqrt(max(np.prod(shape.shape[:-1]), 1))
        value = jnp.asarray(rng.normal(size=shape.shape) * scale, float)
        return 0.5 + value**2 if path[-1].key == "var" else value

    shapes = jax.eval_shape(model.init, jax.random.key(0), x)
    return jax.tree_util.tree_map_with_path(leaf, shapes)


def number_of_parameters(model, shape):
    return count_parameters(
        jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))
    )


def of_residual(features, channels, outputs):
    """A convolution has rows x columns x in x out + out, a normalisation 2 for each channel."""

    def conv(size, inputs, maps):
        return size * size * inputs * maps + maps

    first, *_ = features
    total = conv(3, channels, first) + 2 * first
    for before, n in zip((first, *features), features, strict=False):
        total += conv(3, before, n) + conv(3, n, n) + 4 * n
        total += 0 if n is first else conv(1, before, n) + 2 * n
    return total + features[-1] * outputs + outputs


COUNTS = {
    "L2, row C4": (small_cnn(), (1, 28, 28, 1), 120_458),
    "LeNet-5, row C5": (lenet5(), (1, 28, 28, 1), 61_706),
    "LeNet-5 by its layers": (
        lenet5(7),
        (1, 28, 28, 1),
        (25 + 1) * 6 + (25 * 6 + 1) * 16 + 401 * 120 + 121 * 84 + 85 * 7,
    ),
    "residual": (residual_cnn(), (1, 28, 28, 1), of_residual((16, 32, 64), 1, 10)),
    "residual, any size": (residual_cnn(3, (8, 24)), (1, 9, 5, 4), of_residual((8, 24), 4, 3)),
    "a layer between images": (
        CNN((Flatten(), Dense(256 * 256 * 3))),
        (1, 256, 256, 3),
        (256 * 256 * 3) ** 2 + 256 * 256 * 3,
    ),
    "a convolution between images": (
        CNN((Conv(3, 5, padding="SAME"),)),
        (1, 256, 256, 3),
        5 * 5 * 3 * 3 + 3,
    ),
}


@pytest.mark.parametrize(("model", "shape", "parameters"), COUNTS.values(), ids=COUNTS)
def test_parameter_counts(model, shape, parameters):
    assert number_of_parameters(model, shape) == parameters


def test_a_linear_layer_between_images_is_as_large_as_the_lecture_says():
    """Row C3: 3.87e10 weights."""
    weights, biases = (256 * 256 * 3) ** 2, 256 * 256 * 3
    assert number_of_parameters(*COUNTS["a layer between images"][:2]) - biases == weights
    assert f"{weights:.2e}" == "3.87e+10"


MIXED = CNN(
    [
        *(Conv(8, (3, 2), (1, 2), "SAME"), GroupNorm(4), Activate("elu")),
        *(MaxPool((3, 2), 1), Conv(5, 2, padding=((1, 0), (0, 2))), AveragePool(3, 2, "SAME")),
        *(Residual((Conv(6, 1), Activate("tanh")), (Conv(6, 1),)), GlobalAverage(), Dense(2)),
    ]
)
MODELS = {
    "small": (small_cnn(), (2, 28, 28, 1)),
    "lenet5": (lenet5(), (2, 28, 28, 1)),
    "residual": (residual_cnn(4, (8, 16)), (2, 7, 8, 2)),
    "mixed": (MIXED, (2, 6, 8, 3)),
}


@pytest.mark.parametrize(("model", "shape"), MODELS.values(), ids=MODELS)
def test_equals_plain_flax_layers(model, shape):
    x = jnp.asarray(RNG.normal(size=shape), jnp.float32)
    params, theirs = random_params(model, x), plain_model(model)
    chex.assert_trees_all_equal_shapes(
        jax.eval_shape(theirs.init, jax.random.key(0), x), plain_params(params)
    )

    @jax.jit
    def both(params, x):
        def energy(apply, params):
            outputs = apply(params, x)
            return jnp.sum(jnp.sin(outputs)), outputs

        differentiate = partial(jax.grad, has_aux=True)
        ours = differentiate(partial(energy, model.apply))(params)
        return ours, differentiate(partial(energy, theirs.apply))(plain_params(params))

    (grads, outputs), (true_grads, true_outputs) = both(params, x)
    chex.assert_trees_all_close(outputs, true_outputs, rtol=1e-5, atol=1e-5)
    assert_equal_gradients(plain_params(grads), true_grads, 1e-5)


@pytest.mark.parametrize(("gain", "variance"), [("he", 2 / 144), ("lecun", 1 / 144)])
def test_kernels_have_the_variance_that_their_fan_in_asks_for(key, gain, variance):
    """A window of 3 x 3 over 16 channels; 4 standard deviations of an estimate from 36,864."""
    layer = Conv(256, 3, gain=gain).init(key, jnp.zeros((1, 3, 3, 16)))["params"]
    assert np.var(layer["kernel"]) == pytest.approx(variance, rel=0.03)
    np.testing.assert_array_equal(layer["bias"], 0)


def test_glorot_kernels_are_uniform(key):
    """Glorot and Bengio (2010): up to sqrt(6 / (fan in + fan out))."""
    kernel = Conv(48, 3, gain="glorot").init(key, jnp.zeros((1, 3, 3, 16)))["params"]["kernel"]
    limit = np.sqrt(6 / (9 * 16 + 9 * 48))
    assert 0.98 * limit < np.abs(kernel).max() <= limit


def test_maps_are_the_values_of_all_layers(key):
    model = CNN((Conv(4, 3), Activate("tanh"), MaxPool(2), Flatten(), Dense(2)))
    params = model.init(key, IMAGES)
    maps = model.apply(params, IMAGES, method="maps")
    assert [m.shape[1:] for m in maps] == [(6, 6, 4), (6, 6, 4), (3, 3, 4), (36,), (2,)]
    np.testing.assert_array_equal(maps[-1], model.apply(params, IMAGES))
    np.testing.assert_allclose(maps[1], np.tanh(maps[0]), rtol=1e-5, atol=1e-6)
    blocks = np.asarray(maps[1]).reshape(3, 3, 2, 3, 2, 4)
    np.testing.assert_array_equal(maps[2], blocks.max((2, 4)))
    np.testing.assert_array_equal(maps[3], np.reshape(maps[2], (3, 36)))


def conv_with(kernel, x, **options):
    kernel = jnp.asarray(kernel, jnp.float32)
    layer = Conv(kernel.shape[3], kernel.shape[:2], **options)
    return layer.apply({"params": {"kernel": kernel, "bias": jnp.zeros(kernel.shape[3])}}, x)


def test_differences_of_a_sequence():
    """Row C3: lecture L2's (0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4) with (-1, 1)."""
    sequence = jnp.array([0.0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4])[None, None, :, None]
    y = conv_with(np.reshape([-1, 1], (1, 2, 1, 1)), sequence)
    np.testing.assert_array_equal(y[0, 0, :, 0], [0, 0, 0, 1, 1, 1, 1, 0, 0, 0])


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 2), (5, 5), (8, 8)])
def test_size_of_the_maps(rows, columns):
    """Row C3: D kernels of C x h x w make D maps of (H - h + 1) x (W - w + 1)."""
    maps = jax.eval_shape(conv_with, jnp.ones((rows, columns, 3, 7)), IMAGES)
    assert maps.shape == (3, 8 - rows + 1, 8 - columns + 1, 7)


def test_pooling_over_blocks():
    x = jnp.array([[1.0, 5, 2, 0], [3, 3, -1, -2], [0, 0, 9, 1], [0, 4, 1, 1]])[None, ..., None]
    largest, mean = (layer(2).apply({}, x)[0, ..., 0] for layer in (MaxPool, AveragePool))
    np.testing.assert_array_equal(largest, [[5, 2], [4, 9]])
    np.testing.assert_array_equal(mean, [[3, -0.25], [1, 3]])


SHIFTED = CNN(
    (
        *(Conv(4, 3, padding="SAME"), Activate("relu"), MaxPool(2)),
        *(Conv(5, 3, (1, 2), "SAME"), Activate("relu"), AveragePool((2, 1))),
    )
)


def test_shifting_the_images_shifts_the_maps(key):
    """Row C3: by one entry for the strides' product, 4 here; where padding is not seen."""
    x = jax.random.normal(key, (2, 32, 32, 1))
    params = SHIFTED.init(key, x)
    apply = jax.jit(SHIFTED.apply)
    maps, moved = apply(params, x), apply(params, jnp.roll(x, (8, 4), (1, 2)))
    assert maps.shape == (2, 8, 8, 5)
    np.testing.assert_allclose(
        moved[:, 4:-2, 3:-2], jnp.roll(maps, (2, 1), (1, 2))[:, 4:-2, 3:-2], atol=1e-5
    )
    other = apply(params, jnp.roll(x, (1, 0), (1, 2)))
    assert not np.allclose(other[:, 4:-2, 3:-2], maps[:, 4:-2, 3:-2], atol=0.1)


def test_group_norm_against_numpy():
    """Every group of an image has mean 0 and variance 1, whatever the others hold."""
    x = IMAGES[..., [0, 1, 2, 0, 2, 1]] * 10 + 3
    scale, bias = RNG.normal(size=(2, 6)).astype(np.float32)
    y = GroupNorm(2).apply({"params": {"scale": scale, "bias": bias}}, x)
    for image, normal in zip(x, np.asarray(y), strict=True):
        for group in (np.s_[:3], np.s_[3:]):
            entries = image[..., group].astype(float)
            truth = (entries - entries.mean()) / np.sqrt(entries.var() + 1e-6)
            np.testing.assert_allclose(
                normal[..., group], truth * scale[group] + bias[group], atol=1e-4
            )


def dropped(key, rate=0.25, x=None):
    x = jnp.ones((50, 4, 4, 5)) if x is None else x
    return Dropout(rate).apply({}, x, rngs=None if key is None else {"dropout": key})


def test_dropout_keeps_a_share_and_the_mean(key):
    """4,000 entries; within 4 standard deviations."""
    y = np.asarray(dropped(key))
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert (y == 0).mean() == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / y.size))
    assert y.mean() == pytest.approx(1, abs=4 * np.sqrt(0.25 / 0.75 / y.size))


def test_dropout_without_a_key_changes_nothing(key):
    np.testing.assert_array_equal(dropped(None, x=IMAGES), IMAGES)
    np.testing.assert_array_equal(dropped(key, 0.0, IMAGES), IMAGES)


def test_dropout_follows_its_key(key):
    one, again, other = (dropped(k) for k in (key, jax.random.key(0), jax.random.key(1)))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("rate", [-0.1, 1.0, 2, float("nan")])
def test_dropout_refuses_rates_outside_0_to_1(rate):
    with pytest.raises(ValueError, match=rf"dropout rate is {rate}; it must be (in|finite)"):
        Dropout(rate)


def test_an_objective_drops_only_with_a_key(key):
    model = CNN((Dropout(0.5), Flatten(), Dense(3)))
    without = Objective(CNN((Activate("identity"), Flatten(), Dense(3))), "softmax_cross_entropy")
    objective = Objective(model, "softmax_cross_entropy")
    params = jax.jit(model.init)(key, IMAGES)
    batch = {"x": IMAGES, "y": jnp.array([0, 1, 2])}
    plain, one, again, other = (
        jax.jit(objective)(params, batch, k)[0]
        for k in (None, key, jax.random.key(0), jax.random.key(1))
    )
    np.testing.assert_allclose(plain, without(params, batch)[0], rtol=1e-6)
    assert one == again
    assert len({float(plain), float(one), float(other)}) == 3


CHANNELS = CNN((Conv(4, 3), GroupNorm(2), Residual((Conv(4, 1),)), Flatten(), Dense(2)))
CLASH = r"map \(8, 8, 3\) to \(6, 6, 4\), the shortcut to \(8, 8, 3\).*Conv\(features, 1\)"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Residual((Conv(4, 3),)), CLASH),
        (Residual((Conv(4, 3),), (Conv(5, 3),)), r"map .* to \(6, 6, 4\), .* to \(6, 6, 5\)"),
        (GroupNorm(2), r"channels \(3\) must be a multiple of groups \(2\)"),
        (Conv(2, 9), "smaller than the window of 9 x 9"),
        (Conv(2, 3, 0), "a window's stride is 0"),
    ],
)
def test_layers_that_do_not_fit_are_refused(key, model, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(model.init, key, IMAGES)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 8, 8, 1), r"'layers_0' was initialised for 3 channels, its input has 1 .*8, 8, 1"),
        ((1, 9, 8, 3), r"'layers_4' was initialised for 144 features, its input has 168"),
    ],
)
def test_images_of_another_size_are_refused_naming_the_layer(key, shape, message):
    params = jax.eval_shape(CHANNELS.init, key, IMAGES)
    with pytest.raises(ValueError, match=f"layer {message}"):
        jax.eval_shape(CHANNELS.apply, params, jnp.zeros(shape))


def test_the_path_of_a_layer_in_a_block_is_named(key):
    """The block's convolution got the params of a different network."""
    params = jax.jit(CHANNELS.init)(key, IMAGES)
    params["params"]["layers_2"]["layers_0"]["kernel"] = jnp.ones((1, 1, 7, 4))
    with pytest.raises(ValueError, match="layer 'layers_2/layers_0' was initialised for 7 ch"):
        jax.eval_shape(CHANNELS.apply, params, IMAGES)


def test_unknown_activation():
    with pytest.raises(ValueError, match="unknown activation 'rely'; did you mean 'relu'"):
        Activate("rely")


def test_every_initialisation_has_its_name():
    assert set(layers.KERNEL_INITIALISERS) == set(layers.INITIALISERS)


def test_a_layer_twice_is_refused():
    layer = Activate("relu")
    with pytest.raises(ValueError, match="a layer occurs twice"):
        CNN((Conv(2, 3), layer, Conv(2, 3), layer))
