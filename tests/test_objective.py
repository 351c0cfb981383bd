"""The objective against its formula, and sums of gradients over parts of a batch."""

from itertools import pairwise

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from jaxnets import MLP, Objective
from jaxnets.losses import LOSSES, get_loss
from jaxnets.models import CNN, Activate, Conv, GlobalAverage, MaxPool
from jaxnets.objective import (
    BLOCK,
    l1_penalty,
    l2_penalty,
    metrics_of,
    outputs_of,
    penalty_grad,
)
from tests.support.truths import LOSS_TRUTHS

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 2)).astype(np.float32)
MODEL = MLP((3,))
BATCH = {"x": jnp.array(X), "y": jnp.array((X[:, 0] > 0).astype(np.int32))}


def random_params(model=MODEL):
    shapes = jax.eval_shape(model.init, jax.random.key(0), X)
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda a: jnp.array(rng.normal(size=a.shape), jnp.float32), shapes)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.2), (0.3, 0.2)])
def test_mean_loss_plus_penalties(loss, l1, l2):
    truth = LOSS_TRUTHS[loss]
    model = MLP((3,), outputs=truth.outputs[0])
    params = random_params(model)
    targets = truth.targets(np.random.default_rng(2), len(X), truth.outputs[0])
    value, row = Objective(model, loss, l1, l2)(params, {"x": X, "y": jnp.array(targets)})
    mean = truth.numpy(np.asarray(model.apply(params, X), np.float64), targets).mean()
    matrices = [np.asarray(layer["weight"]) for layer in params["params"].values()]
    penalty = sum(l1 * np.abs(w).sum() + l2 * (w**2).sum() for w in matrices)
    np.testing.assert_allclose(row["loss"], mean, rtol=1e-5)
    np.testing.assert_allclose(value, mean + penalty, rtol=1e-5)
    chex.assert_shape([value, *row.values()], ())


WEIGHTS = [np.array([[1.0, -2.0], [0.0, 3.0], [-0.5, 1.5]]), np.array([[2.0, -1.0, 0.0]])]
PARAMS = {
    "params": {
        "hidden_0": {"weight": WEIGHTS[0], "bias": np.array([5.0, -6.0, 7.0])},
        "output": {"weight": WEIGHTS[1], "bias": np.array([8.0])},
    }
}


def test_penalties_are_norms_of_the_weights_without_the_biases(x64):
    params = jax.tree.map(jnp.array, PARAMS)
    l1 = sum(np.linalg.norm(w.ravel(), 1) for w in WEIGHTS)
    l2 = sum(np.linalg.norm(w) ** 2 for w in WEIGHTS)
    np.testing.assert_allclose(l1_penalty(params), l1)
    np.testing.assert_allclose(l2_penalty(params), l2)


@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.7, 0.0), (0.0, 0.3), (0.7, 0.3)])
def test_penalty_gradient_by_hand_equals_jax(x64, l1, l2):
    """At a weight of exactly 0 both take the subgradient 0."""
    params = jax.tree.map(jnp.array, PARAMS)
    by_jax = jax.grad(lambda p: l1 * l1_penalty(p) + l2 * l2_penalty(p))(params)
    by_hand = penalty_grad(params, l1, l2)
    chex.assert_trees_all_close(by_hand, by_jax, rtol=1e-14)
    weight, bias = (by_hand["params"]["hidden_0"][name] for name in ("weight", "bias"))
    np.testing.assert_allclose(weight, l1 * np.sign(WEIGHTS[0]) + 2 * l2 * WEIGHTS[0])
    np.testing.assert_array_equal(bias, np.zeros(3))


@pytest.mark.parametrize("traced", [False, True])
def test_a_traced_coefficient_gives_the_same(traced):
    params = random_params()

    def value(l2):
        return Objective(MODEL, "binary_cross_entropy", l2=l2)(params, BATCH)[0]

    evaluate = jax.jit(value) if traced else value
    plain = Objective(MODEL, "binary_cross_entropy")(params, BATCH)[0]
    np.testing.assert_allclose(evaluate(0.0), plain, rtol=1e-6)
    assert evaluate(0.5) > plain


def test_a_coefficient_of_zero_costs_nothing():
    without = Objective(MODEL, "binary_cross_entropy", l1=0.0, l2=0)
    assert not without.penalised
    assert Objective(MODEL, "binary_cross_entropy", l1=jnp.zeros(())).penalised
    params = random_params()
    operations = [
        str(jax.make_jaxpr(objective)(params, BATCH)).count("\n")
        for objective in (without, Objective(MODEL, "binary_cross_entropy", l2=0.1))
    ]
    assert operations[0] < operations[1]


def test_accuracy_is_scikit_learns():
    outputs = RNG.normal(size=(12, 3)).astype(np.float32)
    labels = RNG.integers(0, 3, 12)
    several = metrics_of(LOSSES["softmax_cross_entropy"], outputs, labels)["accuracy"]
    np.testing.assert_allclose(several, metrics.accuracy_score(labels, outputs.argmax(1)))
    two = metrics_of(LOSSES["hinge"], outputs[:, :1], labels % 2)["accuracy"]
    np.testing.assert_allclose(two, metrics.accuracy_score(labels % 2, outputs[:, 0] > 0))
    bits = RNG.integers(0, 2, (12, 3))
    many = metrics_of(LOSSES["multilabel_cross_entropy"], outputs, bits)["accuracy"]
    np.testing.assert_allclose(many, 1 - metrics.hamming_loss(bits, outputs > 0), rtol=1e-6)


@pytest.mark.parametrize("loss", [name for name, row in LOSSES.items() if not row.classifies])
def test_a_regression_has_no_accuracy(loss):
    truth = LOSS_TRUTHS[loss]
    targets = truth.targets(RNG, 12, truth.outputs[0])
    assert set(metrics_of(get_loss(loss), jnp.ones((12, truth.outputs[0])), targets)) == {"loss"}


def gradients(batch):
    objective = Objective(MODEL, "binary_cross_entropy")
    return jax.grad(objective, has_aux=True)(random_params(), batch)[0]


@pytest.mark.parametrize("sizes", [(4, 4, 4), (1,) * 12, (5, 5, 2)], ids=str)
def test_gradients_of_parts_add_up_to_that_of_the_whole(sizes):
    """Row E1: accumulated mini-batches, weighted by their sizes, are the full gradient."""
    edges = np.cumsum((0, *sizes))
    parts = [gradients(jax.tree.map(lambda a, i=i, j=j: a[i:j], BATCH)) for i, j in pairwise(edges)]
    mean = jax.tree.map(lambda *g: sum(n / 12 * a for n, a in zip(sizes, g, strict=True)), *parts)
    chex.assert_trees_all_close(mean, gradients(BATCH), rtol=1e-4, atol=1e-7)


def test_a_replicated_set_has_the_same_gradient():
    """Row E1: copies of a set say nothing new (L2), so a step on one copy does the work of all."""
    copies = jax.tree.map(lambda a: jnp.concatenate([a] * 4), BATCH)
    chex.assert_trees_all_close(gradients(copies), gradients(BATCH), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("samples", [1, BLOCK - 1, BLOCK, 2 * BLOCK, 2 * BLOCK + 1, 3 * BLOCK - 1])
def test_outputs_in_blocks_are_the_outputs(key, samples):
    model = MLP((3,), 2)
    x = jax.random.normal(key, (samples, 4))
    params = model.init(key, x)
    blocked = jax.jit(lambda params, x: outputs_of(model, params, x))(params, x)
    chex.assert_trees_all_close(blocked, model.apply(params, x), atol=1e-6)


@pytest.mark.parametrize("side", [28, 40, 400])
@pytest.mark.parametrize("samples", [15, 16, 33, 501])
def test_images_in_blocks_have_their_outputs(side, samples):
    """A model that reads a pixel costs nothing, so that large images can be tried."""
    model = Corner()
    x = np.broadcast_to(np.arange(samples, dtype=np.float32)[:, None, None], (samples, side, side))
    blocked = jax.jit(lambda x: outputs_of(model, {}, x))(x)
    np.testing.assert_array_equal(blocked, x[:, :1, 0])


class Corner:
    """Returns the first pixel of each image."""

    def init(self, key, x):
        return {}

    def apply(self, params, x):
        return x[:, :1, 0]


def bytes_to_evaluate(samples, side):
    """What XLA allocates for values between the layers of a network of 3x3 convolutions."""
    layers = [
        layer for n in (64, 64, 128) for layer in (Conv(n, 3, padding="SAME"), Activate("relu"))
    ]
    model = CNN((*layers, MaxPool(2), GlobalAverage()))
    shape = (samples, side, side, 3)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, *shape[1:])))
    evaluate = jax.jit(lambda params, x: outputs_of(model, params, x))
    program = evaluate.lower(params, jax.ShapeDtypeStruct(shape, jnp.float32)).compile()
    return program.memory_analysis().temp_size_in_bytes


def test_evaluation_takes_bounded_memory():
    """Of all samples at once 10,000 pictures would need 7.5 GB; also those that fill no block."""
    assert bytes_to_evaluate(1_000, 32) < 200 * 2**20
    assert bytes_to_evaluate(10_050, 32) < 200 * 2**20


def test_evaluation_of_large_images_takes_bounded_memory():
    """A block as for small ones, of 500, would need 18 GB."""
    assert bytes_to_evaluate(500, 224) < 2**30


@pytest.mark.parametrize("outputs", [1, 3])
def test_outputs_that_are_not_finite_have_no_accuracy(outputs):
    """They are of some class too, and may be right by chance."""
    loss = get_loss("binary_cross_entropy" if outputs == 1 else "softmax_cross_entropy")
    y = jnp.zeros(4, jnp.int32)
    found = metrics_of(loss, jnp.full((4, outputs), jnp.nan), y)
    assert np.isnan(found["accuracy"])
    one = jnp.zeros((4, outputs)).at[2].set(jnp.nan)
    assert np.isnan(metrics_of(loss, one, y, jnp.ones(4))["accuracy"])
    zeros = metrics_of(loss, jnp.zeros((4, outputs)), y)  # of class 1 by sign, of class 0 by size
    assert zeros["accuracy"] == (outputs == 3)
