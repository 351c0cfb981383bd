"""Batch normalisation against PyTorch and Flax, by hand against JAX, and through whole runs."""

from dataclasses import replace

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

import jaxnets as jn
from jaxnets import CNN, Objective, backprop
from jaxnets.converge import METHODS, converge
from jaxnets.data import Dataset
from jaxnets.models import Activate, BatchNorm, Conv, Dense, Flatten, Parallel, Residual
from jaxnets.training.loop import train

RNG = np.random.default_rng(0)
LOSS = "softmax_cross_entropy"
SHAPES = {"features": (7, 3), "maps": (4, 5, 6, 3)}
EACH_SHAPE = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
MOMENTUM, EPSILON = 0.8, 1e-3


def batches(shape, count=4):
    return [2 + 3 * RNG.normal(size=shape) for _ in range(count)]


def drawn(layer, x):
    """Variables with a scale and a bias that are neither 1 nor 0."""
    variables = layer.init(jax.random.key(0), x)
    scale, bias = RNG.normal(size=(2, x.shape[-1]))
    return variables | {"params": {"scale": jnp.asarray(scale), "bias": jnp.asarray(bias)}}


def in_training(layer, variables, x):
    outputs, changed = layer.apply(variables, x, mutable=["batch_stats"])
    return outputs, variables | changed


@EACH_SHAPE
def test_steps_and_evaluation_equal_pytorch(x64, shape):
    """Outputs of four steps, running statistics after them, and outputs in evaluation."""
    torch = pytest.importorskip("torch")
    layer = BatchNorm(EPSILON, MOMENTUM)
    kind = torch.nn.BatchNorm1d if len(shape) == 2 else torch.nn.BatchNorm2d
    theirs = kind(3, eps=EPSILON, momentum=1 - MOMENTUM, dtype=torch.float64)
    variables = drawn(layer, jnp.zeros(shape))
    theirs.load_state_dict(
        {
            "weight": torch.tensor(np.array(variables["params"]["scale"])),
            "bias": torch.tensor(np.array(variables["params"]["bias"])),
        },
        strict=False,
    )

    def there(x):
        return np.moveaxis(theirs(torch.tensor(np.moveaxis(x, -1, 1))).detach().numpy(), 1, -1)

    for x in batches(shape):
        outputs, variables = in_training(layer, variables, x)
        np.testing.assert_allclose(outputs, there(x), rtol=1e-10, atol=1e-12)
    statistics = variables["batch_stats"]
    np.testing.assert_allclose(statistics["mean"], theirs.running_mean, rtol=1e-12)
    np.testing.assert_allclose(statistics["var"], theirs.running_var, rtol=1e-12)
    theirs.eval()
    x = batches(shape)[0]
    np.testing.assert_allclose(layer.apply(variables, x), there(x), rtol=1e-10, atol=1e-12)


@EACH_SHAPE
def test_steps_equal_flax_but_for_the_recorded_variance(x64, shape):
    """Flax records the variance that normalises, a mean of squares, not `n / (n - 1)` of it."""
    layer = BatchNorm(EPSILON, MOMENTUM)
    theirs = nn.BatchNorm(
        use_running_average=False, momentum=MOMENTUM, epsilon=EPSILON, use_fast_variance=False
    )
    ours = flax = drawn(layer, jnp.zeros(shape))
    chex.assert_trees_all_equal_shapes(flax, theirs.init(jax.random.key(0), jnp.zeros(shape)))
    for x in batches(shape):
        outputs, ours = in_training(layer, ours, x)
        truth, flax = in_training(theirs, flax, x)
        np.testing.assert_allclose(outputs, truth, rtol=1e-10, atol=1e-12)
    (mean, var), (true_mean, true_var) = (
        (found["batch_stats"]["mean"], found["batch_stats"]["var"]) for found in (ours, flax)
    )
    np.testing.assert_allclose(mean, true_mean, rtol=1e-12)
    n, start = np.prod(shape[:-1]), MOMENTUM**4
    np.testing.assert_allclose(var - start, (true_var - start) * n / (n - 1), rtol=1e-12)
    fixed = theirs.clone(use_running_average=True)
    np.testing.assert_allclose(layer.apply(ours, x), fixed.apply(ours, x), rtol=1e-12)


@EACH_SHAPE
def test_derivatives_equal_pytorch(x64, shape):
    """Of a sum of outputs with random factors, in training."""
    torch = pytest.importorskip("torch")
    layer, x, factors = BatchNorm(EPSILON), batches(shape)[0], RNG.normal(size=shape)
    variables = drawn(layer, x)
    rule = backprop.cnn.RULES[BatchNorm]
    together = variables["params"] | variables["batch_stats"]

    def forward(bound):
        return rule.forward(bound, together, jnp.asarray(x))

    (_, saved), _ = nn.apply(forward, layer, mutable=["batch_stats"])(variables)
    dx, grads = rule.backward(layer, together, saved, jnp.asarray(factors))
    inputs = torch.tensor(np.moveaxis(x, -1, 1), requires_grad=True)
    scale, bias = (
        torch.tensor(np.array(variables["params"][name]), requires_grad=True)
        for name in ("scale", "bias")
    )
    y = torch.nn.functional.batch_norm(inputs, None, None, scale, bias, training=True, eps=EPSILON)
    (y * torch.tensor(np.moveaxis(factors, -1, 1))).sum().backward()
    np.testing.assert_allclose(dx, np.moveaxis(inputs.grad.numpy(), 1, -1), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(grads["scale"], scale.grad, rtol=1e-10)
    np.testing.assert_allclose(grads["bias"], bias.grad, rtol=1e-10)


BRANCHES = (
    (Conv(2, 3, padding="SAME", bias=False), BatchNorm(), Activate("tanh")),
    (BatchNorm(1e-2, 0.5),),
)
NETWORKS = {
    "maps": (
        CNN(
            (
                *(Conv(3, 2, bias=False), BatchNorm(), Activate("gelu"), Parallel(BRANCHES)),
                *(Residual((Conv(5, 1, bias=False), BatchNorm(EPSILON))), Flatten(), Dense(3)),
            )
        ),
        (5, 4, 4, 2),
    ),
    "features": (
        CNN((Dense(6), BatchNorm(), Activate("tanh"), Residual((BatchNorm(),)), Dense(3))),
        (8, 4),
    ),
}
EACH_NETWORK = pytest.mark.parametrize(("model", "shape"), NETWORKS.values(), ids=NETWORKS)


def problem(model, shape):
    x = jnp.asarray(RNG.normal(size=shape) + 0.5)
    batch = {"x": x, "y": jnp.asarray(RNG.integers(0, 3, len(x)))}
    variables = model.init(jax.random.key(0), x)
    flat, unravel = ravel_pytree(variables["params"])
    return variables | {"params": unravel(jnp.asarray(RNG.normal(size=flat.size) / 2))}, batch


@EACH_NETWORK
@pytest.mark.parametrize("mode", ["training", "evaluation"])
def test_gradients_by_hand_equal_jax(x64, key, model, shape, mode):
    """Values, metrics and new statistics too; without a key, the running ones are fixed."""
    params, batch = problem(model, shape)
    objective = Objective(model, LOSS, l1=0.01, l2=0.02)
    by_hand, by_jax = (
        jax.jit(differentiate(objective, has_aux=True))(
            params, batch, key if mode == "training" else None
        )
        for differentiate in (backprop.value_and_grad, jax.value_and_grad)
    )
    chex.assert_trees_all_equal_structs(by_hand, by_jax)
    chex.assert_trees_all_close(by_hand, by_jax, rtol=1e-9, atol=1e-13)
    ((_, metrics), grads) = by_hand
    assert ("collections" in metrics) == (mode == "training")
    assert not ravel_pytree(grads["batch_stats"])[0].any()
    assert np.abs(ravel_pytree(grads["params"])[0]).max() > 0.01


@EACH_NETWORK
def test_central_differences(x64, key, model, shape):
    """In training, along random directions of all params."""
    params, batch = problem(model, shape)
    objective, (flat, unravel) = Objective(model, LOSS), ravel_pytree(params["params"])
    directions, h = RNG.normal(size=(12, flat.size)), 1e-6
    value = jax.jit(jax.vmap(lambda w: objective(params | {"params": unravel(w)}, batch, key)[0]))
    shifts = h * directions
    differences = (value(flat[None] + shifts) - value(flat[None] - shifts)) / (2 * h)
    _, grads = backprop.value_and_grad(objective)(params, batch, key)
    slopes = directions @ ravel_pytree(grads["params"])[0]
    np.testing.assert_allclose(slopes, differences, rtol=1e-5, atol=1e-8)


X, Y = RNG.normal(size=(19, 4)).astype(np.float32), RNG.integers(0, 3, 19)
DATA = Dataset({"x": X[:14], "y": Y[:14]}, {"x": X[14:], "y": Y[14:]})
MODEL = CNN((Dense(6), BatchNorm(), Activate("tanh"), Dense(3)))
SPEC = jn.TrainSpec(MODEL, LOSS, 4, 4, optax.sgd)
RATE = {"learning_rate": 0.1}
DIFFERENTIATE = pytest.mark.parametrize(
    "differentiate", [jax.value_and_grad, backprop.value_and_grad]
)


@DIFFERENTIATE
def test_a_run_equals_pytorchs(key, differentiate):
    """Six steps of gradient descent: params, running statistics, outputs in evaluation."""
    torch = pytest.importorskip("torch")
    spec = replace(SPEC, batch_size=None, epochs=6, value_and_grad=differentiate)
    state, history = jn.fit(spec, key, DATA, RATE)
    start = jn.fit(replace(spec, epochs=1), key, DATA, {"learning_rate": 1e-30})[0].params["params"]
    theirs = torch.nn.Sequential(
        torch.nn.Linear(4, 6), torch.nn.BatchNorm1d(6), torch.nn.Tanh(), torch.nn.Linear(6, 3)
    )
    with torch.no_grad():
        for module, name in ((theirs[0], "layers_0"), (theirs[3], "layers_3")):
            module.weight.copy_(torch.tensor(np.array(start[name]["weight"])))
            module.bias.copy_(torch.tensor(np.array(start[name]["bias"])))
    descent, x, y = torch.optim.SGD(theirs.parameters(), 0.1), torch.tensor(X), torch.tensor(Y)
    for _ in range(6):
        descent.zero_grad()
        torch.nn.functional.cross_entropy(theirs(x[:14]), y[:14]).backward()
        descent.step()
    theirs.eval()
    found, statistics = state.params["params"], state.params["batch_stats"]["layers_1"]
    pairs = [
        (found["layers_0"]["weight"], theirs[0].weight),
        (found["layers_1"]["scale"], theirs[1].weight),
        (statistics["mean"], theirs[1].running_mean),
        (statistics["var"], theirs[1].running_var),
        (MODEL.apply(state.params, X), theirs(x)),
    ]
    for ours, truth in pairs:
        np.testing.assert_allclose(ours, truth.detach().numpy(), rtol=1e-4, atol=1e-5)
    valid = torch.nn.functional.cross_entropy(theirs(x[14:]), y[14:]).item()
    np.testing.assert_allclose(history["valid_loss"][-1], valid, rtol=1e-4)


def test_both_gradients_train_the_same_network(key):
    one, other = (
        jn.fit(replace(SPEC, value_and_grad=differentiate), key, DATA, RATE)[0].params
        for differentiate in (jax.value_and_grad, backprop.value_and_grad)
    )
    chex.assert_trees_all_close(one, other, rtol=1e-4, atol=1e-5)


def test_a_sweep_has_the_statistics_of_each_network(key):
    keys = jax.random.split(key, 3)
    states, _ = jn.sweep(SPEC, keys, DATA, RATE)
    alone, _ = jn.fit(SPEC, keys[1], DATA, RATE)
    row = jax.tree.map(lambda a: a[1], states.params)
    chex.assert_trees_all_close(row, alone.params, rtol=1e-4, atol=1e-5)
    assert np.ptp(states.params["batch_stats"]["layers_1"]["mean"], axis=0).min() > 0


def test_a_run_continues_bit_for_bit(key):
    half, _ = jn.fit(replace(SPEC, epochs=2), key, DATA, RATE)
    continued, _ = jn.fit(SPEC, key, DATA, RATE, state=half)
    chex.assert_trees_all_equal(continued, jn.fit(SPEC, key, DATA, RATE)[0])


@pytest.mark.parametrize("optimizer", [optax.adamw, optax.lbfgs], ids=["adamw", "lbfgs"])
def test_no_optimizer_moves_the_statistics(key, optimizer):
    """Nor weight decay: after a step they are a tenth of the batch's."""

    def build(learning_rate):
        more = {"weight_decay": 10.0} if optimizer is optax.adamw else {}
        return optimizer(learning_rate, **more)

    spec = replace(SPEC, optimizer=build, batch_size=None, epochs=1)
    state, _ = jn.fit(spec, key, DATA, RATE | {"l2": 0.5})
    start = jn.fit(replace(SPEC, epochs=1), key, DATA, {"learning_rate": 1e-30})[0].params["params"]
    inputs = X[:14] @ np.asarray(start["layers_0"]["weight"]).T
    statistics = state.params["batch_stats"]["layers_1"]
    np.testing.assert_allclose(statistics["mean"], 0.1 * inputs.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(statistics["var"], 0.9 + 0.1 * inputs.var(0, ddof=1), rtol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_what_trains_by_the_running_statistics_leaves_them(key, method):
    model = CNN((Dense(2), BatchNorm(), Dense(1, "lecun")))
    data = Dataset({"x": X, "y": X[:, :1] * 2 + 1})
    found = converge(model, "squared_error", key, data, starts=1, method=method, steps=3)
    start = model.init(key, X)["batch_stats"]
    chex.assert_trees_all_equal(found.params["batch_stats"], start)
    assert found.train_loss < np.var(X[:, 0])


def test_samples_count_alike_whatever_their_weights(key):
    one = replace(SPEC, batch_size=None, epochs=1)
    weighted = DATA._replace(train=DATA.train | {"weight": np.arange(14.0)})
    runs = [jn.fit(one, key, data, RATE)[0].params for data in (DATA, weighted)]
    chex.assert_trees_all_close(runs[0]["batch_stats"], runs[1]["batch_stats"], rtol=1e-6)
    assert not np.allclose(*(ravel_pytree(run["params"])[0] for run in runs), rtol=1e-4)


def test_training_can_be_differentiated(x64, key):
    """By the learning rate, on which the running statistics depend too."""
    data = jax.tree.map(lambda a: jnp.asarray(a, float) if a.ndim > 1 else jnp.asarray(a), DATA)

    @jax.jit
    def last(rate):
        return train(SPEC, key, data, {"learning_rate": rate})[1]["valid_loss"][-1]

    h = 1e-6
    difference = (last(0.1 + h) - last(0.1 - h)) / (2 * h)
    np.testing.assert_allclose(jax.grad(last)(0.1), difference, rtol=1e-5)


def test_the_summary_counts_statistics_apart():
    """And the kernel alone of a convolution without a bias."""
    found = jn.summary(MODEL, X)
    assert (found.parameters, found.statistics) == (4 * 6 + 6 + 12 + 6 * 3 + 3, 12)
    assert found.layers[2].kind == "BatchNorm"
    model = CNN((Conv(4, 3, bias=False), BatchNorm()))
    found = jn.summary(model, jnp.ones((1, 5, 5, 2)))
    assert [layer.parameters for layer in found.layers] == [72 + 8, 72, 8]


def test_a_saved_network_has_its_statistics(key, tmp_path):
    state, _ = jn.fit(SPEC, key, DATA, RATE)
    jn.save(tmp_path / "net.safetensors", MODEL, state.params)
    model, params, _ = jn.load(tmp_path / "net.safetensors")
    assert model == MODEL
    chex.assert_trees_all_equal(params, state.params)


SINGLE = r"one value a channel \(shape \(1, 6\)\).*batch_size that leaves two or more samples"


@DIFFERENTIATE
@pytest.mark.parametrize("batch_size", [1, 13], ids=["each", "last"])
def test_a_batch_of_one_sample_is_refused(key, batch_size, differentiate):
    spec = replace(SPEC, batch_size=batch_size, value_and_grad=differentiate)
    for call in (
        lambda: jn.fit(spec, key, DATA, RATE),
        lambda: jn.sweep(spec, key[None], DATA, RATE),
    ):
        with pytest.raises(ValueError, match=SINGLE):
            call()


def test_one_image_has_many_values_a_channel(key):
    model = CNN((Conv(2, 2), BatchNorm(), Flatten(), Dense(3)))
    images = Dataset({"x": X[:12].reshape(3, 4, 4, 1), "y": Y[:3]})
    state, _ = jn.fit(replace(SPEC, model=model, batch_size=1), key, images, RATE)
    assert np.isfinite(ravel_pytree(state.params)[0]).all()


@pytest.mark.parametrize("momentum", [-0.1, 1, 2.5, float("nan"), "slow"])
def test_momentum_outside_0_to_1_is_refused(momentum):
    with pytest.raises((ValueError, TypeError), match="momentum"):
        BatchNorm(momentum=momentum)


def test_other_axes_are_refused():
    with pytest.raises(ValueError, match=r"\[batch, features\], x has shape \(2, 3, 4\)"):
        jax.eval_shape(BatchNorm().init, jax.random.key(0), jnp.ones((2, 3, 4)))


@DIFFERENTIATE
def test_micro_shards_are_refused(key, differentiate):
    mesh = jax.make_mesh((1,), ("data",), (jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    exact = jn.parallel.fixed_order_gradients(differentiate, mesh, 2)
    spec = replace(SPEC, value_and_grad=exact)
    with pytest.raises(
        ValueError, match="batch_stats: each micro-shard would normalise by its own"
    ):
        jn.fit(spec, key, DATA, RATE, mesh=mesh)
