"""Folded normalisation against the unfolded network, and against PyTorch's fused weights."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.models import (
    CNN,
    MLP,
    Activate,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GroupNorm,
    MaxPool,
    Parallel,
    Residual,
    fold_normalisation,
)
from jaxnets.models.published import NETWORKS

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(2, 8, 8, 3))


def unit(features, size=3):
    return Conv(features, size, padding="SAME", bias=False), BatchNorm(1e-3), Activate("relu")


def drawn(model, x):
    """Variables of which no scale, bias, mean or variance is 0 or 1."""
    variables = jax.jit(model.init)(jax.random.key(0), x)

    def draw(path, leaf):
        name = path[-1].key
        if name in ("scale", "var"):
            return jnp.asarray(RNG.uniform(0.5, 1.5, leaf.shape), leaf.dtype)
        if name in ("bias", "mean"):
            return jnp.asarray(RNG.normal(scale=0.2, size=leaf.shape), leaf.dtype)
        return leaf

    return jax.tree_util.tree_map_with_path(draw, variables)


def normalisations(layer):
    """How many batch normalisations a layer has within, counted by its description."""
    return str(layer).count("BatchNorm(")


CHAINS = {
    "convolution with a bias": (Conv(4, 3), BatchNorm()),
    "dense": (Flatten(), Dense(5), BatchNorm(), Activate("relu"), Dense(2)),
    "residual": (
        *unit(4),
        Residual((*unit(4), *unit(6)), (Conv(6, 1, bias=False), BatchNorm())),
        MaxPool(2),
    ),
    "parallel": (Parallel((unit(4, 1), (*unit(2, 1), *unit(3)), (MaxPool(1), *unit(2, 1)))),),
    "a chain in a chain": (CNN(unit(4)), *unit(2)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_outputs_are_those_of_the_unfolded_network(x64, name):
    model = CNN(CHAINS[name])
    variables = drawn(model, IMAGES)
    folded, fewer = fold_normalisation(model, variables)
    assert normalisations(model) > 0 == normalisations(folded)
    assert set(fewer) == {"params"}
    expected = model.apply(variables, IMAGES)
    chex.assert_trees_all_close(folded.apply(fewer, IMAGES), expected, rtol=1e-12, atol=1e-12)
    chex.assert_trees_all_equal_shapes(fewer, folded.init(jax.random.key(0), IMAGES))


def test_normalisations_that_follow_no_linear_layer_stay(x64):
    model = CNN((BatchNorm(), *unit(4), BatchNorm(), Conv(8, 3), GroupNorm(2), MaxPool(2)))
    variables = drawn(model, IMAGES)
    folded, fewer = fold_normalisation(model, variables)
    assert normalisations(folded) == 2
    assert set(fewer["batch_stats"]) == {"layers_0", "layers_3"}
    expected = model.apply(variables, IMAGES)
    chex.assert_trees_all_close(folded.apply(fewer, IMAGES), expected, rtol=1e-12)


@pytest.mark.parametrize("network", ["resnet18", "googlenet"])
def test_published_networks_in_single_precision(network):
    model, x = NETWORKS[network].build(), jnp.asarray(RNG.normal(size=(2, 33, 33, 3)), jnp.float32)
    variables = drawn(model, x)
    folded, fewer = fold_normalisation(model, variables)
    expected = np.asarray(jax.jit(model.apply)(variables, x))
    got = np.asarray(jax.jit(folded.apply)(fewer, x))
    assert normalisations(folded) == 0
    assert np.abs(got - expected).max() < 1e-5 * np.abs(expected).max()


def test_weights_are_those_that_pytorch_fuses(x64):
    fusion = pytest.importorskip("torch.nn.utils.fusion")
    from torch import tensor

    model = CNN((Conv(4, 3), BatchNorm(1e-3)))
    variables = drawn(model, IMAGES)
    conv, norm = (variables["params"][f"layers_{i}"] for i in range(2))
    statistics = variables["batch_stats"]["layers_1"]
    parts = (statistics["mean"], statistics["var"], norm["scale"], norm["bias"])
    mean, var, scale, bias = (tensor(np.array(part)) for part in parts)
    kernel = tensor(np.array(conv["kernel"]).transpose(3, 2, 0, 1))
    weight, shift = fusion.fuse_conv_bn_weights(
        kernel, tensor(np.array(conv["bias"])), mean, var, 1e-3, scale, bias
    )
    got = fold_normalisation(model, variables)[1]["params"]["layers_0"]
    chex.assert_trees_all_close(
        got["kernel"], weight.detach().numpy().transpose(2, 3, 1, 0), rtol=1e-12
    )
    chex.assert_trees_all_close(got["bias"], shift.detach().numpy(), rtol=1e-12)


def test_bad_input_is_refused():
    model = CNN((*unit(4), Flatten(), Dense(2)))
    variables = model.init(jax.random.key(0), IMAGES)
    with pytest.raises(TypeError, match="model is MLP; fold_normalisation takes a CNN"):
        fold_normalisation(MLP((3,), 2), variables)
    with pytest.raises(ValueError, match="with 'params'"):
        fold_normalisation(model, variables["params"])
    with pytest.raises(ValueError, match="variables lack those of 'layers_1'"):
        fold_normalisation(model, {"params": variables["params"]})
    with pytest.raises(ValueError, match="'layers_1' follows 5 features"):
        fold_normalisation(CNN((*unit(5), Flatten(), Dense(2))), variables)
    with pytest.raises(ValueError, match="have 'layers_4', which the model does not have"):
        fold_normalisation(CNN(model.layers[:-1]), variables)
