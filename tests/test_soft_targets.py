"""The cross entropy of distributions against optax, PyTorch, labels and central differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import MLP, TrainSpec, backprop, fit
from jaxnets.data import Dataset
from jaxnets.losses import LOSSES
from jaxnets.soft_targets import as_distributions, soft_cross_entropy
from tests.support.bits import bits_of

RNG = np.random.default_rng(0)
N, CLASSES = 12, 5
OUTPUTS = RNG.normal(scale=3, size=(N, CLASSES))
TARGETS = RNG.dirichlet(np.ones(CLASSES), N)
LABELS = RNG.integers(0, CLASSES, N)


def test_value_and_gradient_equal_optax_and_pytorch(x64):
    torch = pytest.importorskip("torch")
    value, grad = soft_cross_entropy.value, soft_cross_entropy.grad
    ours = value(jnp.array(OUTPUTS), jnp.array(TARGETS))
    np.testing.assert_allclose(
        ours, optax.losses.softmax_cross_entropy(OUTPUTS, TARGETS), rtol=1e-12
    )
    s = torch.tensor(OUTPUTS, requires_grad=True)
    theirs = torch.nn.functional.cross_entropy(s, torch.tensor(TARGETS), reduction="none")
    theirs.sum().backward()
    np.testing.assert_allclose(ours, theirs.detach(), rtol=1e-12)
    np.testing.assert_allclose(grad(jnp.array(OUTPUTS), jnp.array(TARGETS)), s.grad, rtol=1e-9)


def test_the_gradient_is_the_derivative_beyond_distributions_too(x64):
    targets = jnp.array(RNG.normal(size=(N, CLASSES)))
    truth = jax.grad(lambda s: soft_cross_entropy.value(s, targets).sum())(jnp.array(OUTPUTS))
    ours = soft_cross_entropy.grad(jnp.array(OUTPUTS), targets)
    np.testing.assert_allclose(ours, truth, atol=1e-12)


@pytest.mark.parametrize("differentiate", [jax.value_and_grad, backprop.value_and_grad])
def test_labels_train_as_with_the_cross_entropy_of_labels(key, differentiate):
    x = RNG.normal(size=(40, 3)).astype(np.float32)
    data = Dataset({"x": x, "y": RNG.integers(0, 3, 40)})
    found, truth = (
        fit(
            TrainSpec(MLP((6,), 3), loss, 5, 8, value_and_grad=differentiate),
            key,
            data,
            {"learning_rate": 0.05},
        )
        for loss in (soft_cross_entropy, "softmax_cross_entropy")
    )
    for ours, theirs in zip(*map(jax.tree.leaves, (found[0].params, truth[0].params)), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    one_hot = Dataset({"x": x, "y": np.eye(3)[data.train["y"]]})
    spec = TrainSpec(MLP((6,), 3), soft_cross_entropy, 5, 8, value_and_grad=differentiate)
    assert bits_of(fit(spec, key, one_hot, {"learning_rate": 0.05})[0]) == bits_of(found[0])


def test_far_outputs_stay_finite():
    far = jnp.array([[1e4, -1e4], [-1e4, 1e4]])
    soft = jnp.array([[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_allclose(soft_cross_entropy.value(far, soft), [1e4, 1e4])
    assert np.isfinite(soft_cross_entropy.grad(far, soft)).all()


def test_labels_become_distributions():
    labels = as_distributions(LABELS, CLASSES)
    np.testing.assert_array_equal(labels.argmax(axis=1), LABELS)
    np.testing.assert_array_equal(labels.sum(axis=1), 1)
    outputs = OUTPUTS.astype(np.float32)
    ours = soft_cross_entropy.value(outputs, labels)
    truth = LOSSES["softmax_cross_entropy"].value(outputs, LABELS)
    np.testing.assert_allclose(ours, truth, rtol=1e-5)


@pytest.mark.parametrize(
    ("y", "kind", "message"),
    [
        (np.array([0, 5]), ValueError, r"y\[1\] is 5, but 5 classes"),
        (TARGETS[:, :4], ValueError, r"y has shape \(12, 4\); expected \[samples, 5\]"),
        (TARGETS * 2, ValueError, r"y\[0\] is .* their sum is 1"),
        (TARGETS - 0.3, ValueError, "0 or more"),
        (np.array(["a", "b"]), (TypeError, ValueError), "y has"),
    ],
    ids=["a label out of range", "four classes", "sums of 2", "negative shares", "strings"],
)
def test_what_is_not_a_distribution_is_named(y, kind, message):
    with pytest.raises(kind, match=message):
        as_distributions(y, CLASSES)
