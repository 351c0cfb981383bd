"""The peers of the races do the same work: from the same params they reach the same params."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.training.loop import split_key
from jaxnets.training.permutation import permutation

pytest.importorskip("torch")
NETWORKS = 3


def arrays(params):
    """`W1, b1, W2, b2` of a perceptron's params."""
    hidden, output = params["params"]["hidden_0"], params["params"]["output"]
    parts = (hidden["weight"], hidden["bias"], output["weight"], output["bias"])
    return [np.array(part) for part in parts]


def ours(spec, x, y, rate):
    """The first and last params of a sweep, its losses, and the keys of its orders."""
    keys = jax.random.split(jax.random.key(0), NETWORKS)
    split = jax.vmap(split_key)(keys)
    first = jax.vmap(lambda key: spec.model.init(key, jnp.asarray(x[:1])))(split.init)
    state, history = jn.sweep(spec, keys, Dataset({"x": x, "y": y}, None), {"learning_rate": rate})
    return arrays(first), arrays(state.params), history["train_loss"][:, -1], split.order


@pytest.fixture(scope="module")
def planar():
    from benchmarks.sweep import RATE, points

    x, y = points("planar")
    spec = jn.TrainSpec(jn.MLP((10,)), "binary_cross_entropy", 60, record_every=60)
    return (x, y), *ours(spec, x, y, RATE["planar"])[:3]


def assert_close(found, truth):
    for a, b in zip(found, truth, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4)


def test_stacked_planar_networks(planar):
    from benchmarks.peers.stacked import trainer

    data, first, last, losses = planar
    params, loss = trainer("planar", *data, 1e-2)(first, [None] * 60)
    assert_close(params, last)
    assert loss == pytest.approx(losses.mean(), rel=1e-4)


def test_planar_networks_in_cplusplus(planar):
    from benchmarks.peers import cplusplus

    if cplusplus.NO_COMPILER:
        pytest.skip(cplusplus.NO_COMPILER)
    data, first, last, losses = planar
    params, found = cplusplus.trainer(*data, 1e-2, threads=2)(first, 60)
    assert_close(params, last)
    np.testing.assert_allclose(found, losses, rtol=1e-4)


def images(samples):
    from benchmarks.sweep import points

    x, y = points("image")
    return x[:samples], y[:samples]


def order_of(key, samples, epoch=0):
    return np.asarray(permutation(jax.random.fold_in(key, epoch), samples))


def test_stacked_image_networks_on_batches_of_their_own():
    import torch

    from benchmarks.peers.stacked import trainer

    x, y = images(640)
    spec = jn.TrainSpec(jn.MLP((64,), 10, "relu"), "softmax_cross_entropy", 1, 64)
    first, last, _, keys = ours(spec, x, y, 1e-3)
    order = torch.tensor(np.stack([order_of(key, 640) for key in keys]))
    params, _ = trainer("image", x, y, 1e-3)(first, order.split(64, dim=1))
    assert_close(params, last)


def test_the_perceptron_by_hand():
    pytest.importorskip("numba")
    from benchmarks.peers.by_hand import Perceptron

    x, y = images(600)  # the last batch is smaller
    spec = jn.TrainSpec(jn.MLP((100,), 10, "relu"), "softmax_cross_entropy", 1, 64)
    first, last, losses, keys = ours(spec, x, y, 1e-3)
    for i in range(NETWORKS):
        network, order = Perceptron([p[i] for p in first], 64, 1e-3), order_of(keys[i], 600)
        total = sum(network.step(x, y, order[at : at + 64]) for at in range(0, 600, 64))
        assert_close(network.params, [p[i] for p in last])
        assert total / 600 == pytest.approx(losses[i], rel=1e-4)


def flax_to_torch(params, model):
    """Copies a CNN's params into PyTorch's, whose maps come first, also where flattened."""
    import torch

    layers = [params["params"][name] for name in sorted(params["params"], key=number)]
    modules = [module for module in model if hasattr(module, "weight")]
    maps = modules[0].out_channels
    with torch.no_grad():
        for layer, module in zip(layers, modules, strict=True):
            kernel = np.array(layer["kernel" if "kernel" in layer else "weight"])
            if kernel.ndim == 4:
                kernel, maps = kernel.transpose(3, 2, 0, 1), kernel.shape[3]
            elif module is first_dense(modules):
                side = round((kernel.shape[1] / maps) ** 0.5)
                kernel = kernel.reshape(-1, side, side, maps).transpose(0, 3, 1, 2)
            module.weight.copy_(torch.from_numpy(kernel.reshape(module.weight.shape).copy()))
            module.bias.copy_(torch.from_numpy(np.array(layer["bias"])))


def number(name):
    return int(name.partition("_")[2])


def first_dense(modules):
    return next(module for module in modules if module.weight.ndim == 2)


@pytest.mark.parametrize("network", ["small", "wide"])
def test_convolutional_networks_have_the_same_outputs(network):
    import torch

    from benchmarks import cnn

    x, model, peer = cnn.images(network)[0][:3], cnn.own_model(network), cnn.torch_model(network)
    params = jax.jit(model.init)(jax.random.key(0), x)
    flax_to_torch(params, peer)
    with torch.no_grad():
        truth = peer(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(jax.jit(model.apply)(params, x), truth, rtol=1e-3, atol=1e-4)
    size = sum(p.numel() for p in peer.parameters())
    assert size == sum(p.size for p in jax.tree.leaves(params))
