"""Losses against SciPy, optax, scikit-learn and PyTorch; gradients by hand against jax.grad."""

from functools import partial
from itertools import product

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special
from sklearn import metrics

from jaxnets import losses
from jaxnets.losses import LOSSES, Loss, get_loss
from tests.support.truths import LOSS_TRUTHS

EACH = pytest.mark.parametrize("name", LOSSES)
N = 12
BITS = np.arange(N) % 2


def outputs_for(name, scale=2.0):
    return scale * np.random.default_rng(0).normal(size=(N, LOSS_TRUTHS[name].outputs[0]))


def targets_for(name, n=N):
    truth = LOSS_TRUTHS[name]
    return truth.targets(np.random.default_rng(1), n, truth.outputs[0])


def gradient_by_jax(loss, outputs, targets):
    return jax.grad(lambda outputs: loss.value(outputs, targets).sum())(outputs)


@EACH
def test_value(x64, name):
    outputs, targets = outputs_for(name), targets_for(name)
    ours = LOSSES[name].value(jnp.array(outputs), jnp.array(targets))
    chex.assert_shape(ours, (N,))
    np.testing.assert_allclose(ours, LOSS_TRUTHS[name].numpy(outputs, targets), rtol=1e-12)


@EACH
def test_value_and_gradient_equal_pytorch(x64, name):
    torch = pytest.importorskip("torch")
    loss, s = LOSSES[name], torch.tensor(outputs_for(name), requires_grad=True)
    values = LOSS_TRUTHS[name].torch(torch, s, torch.tensor(targets_for(name)))
    values.sum().backward()
    ours = jnp.array(outputs_for(name)), jnp.array(targets_for(name))
    np.testing.assert_allclose(loss.value(*ours), values.detach(), rtol=1e-12)
    np.testing.assert_allclose(loss.grad(*ours), s.grad, rtol=1e-10)


def test_means_equal_scikit_learn():
    y = np.arange(N) % 2
    s = outputs_for("hinge").astype(np.float32)
    hinge, logistic = (
        LOSSES[name].value(s, y).mean() for name in ("hinge", "binary_cross_entropy")
    )
    np.testing.assert_allclose(hinge, metrics.hinge_loss(y, s[:, 0]), rtol=1e-6)
    np.testing.assert_allclose(logistic, metrics.log_loss(y, special.expit(s[:, 0])), rtol=1e-6)
    labels = np.arange(N) % 4
    s = outputs_for("softmax_cross_entropy").astype(np.float32)
    softmax = LOSSES["softmax_cross_entropy"].value(s, labels).mean()
    np.testing.assert_allclose(
        softmax, metrics.log_loss(labels, special.softmax(s, axis=1)), rtol=1e-5
    )


@EACH
@pytest.mark.parametrize("scale", [0.1, 2.0, 30.0])
def test_gradient_by_hand_equals_jax(x64, name, scale):
    loss, targets = LOSSES[name], jnp.array(targets_for(name))
    outputs = jnp.array(outputs_for(name, scale))
    by_hand = loss.grad(outputs, targets)
    chex.assert_equal_shape([by_hand, outputs])
    np.testing.assert_allclose(
        by_hand, gradient_by_jax(loss, outputs, targets), rtol=1e-12, atol=1e-14
    )


@EACH
def test_gradient_by_hand_equals_central_differences(x64, name):
    loss, targets, h = LOSSES[name], jnp.array(targets_for(name)), 1e-6
    outputs = jnp.array(outputs_for(name))
    columns = [
        (loss.value(outputs + shift, targets) - loss.value(outputs - shift, targets)) / (2 * h)
        for shift in h * np.eye(outputs.shape[1])[:, None, :]
    ]
    np.testing.assert_allclose(
        loss.grad(outputs, targets), np.stack(columns, axis=1), rtol=1e-7, atol=1e-8
    )


@EACH
def test_finite_at_extreme_outputs(name):
    """Row B3: stable to |output| = 1e4, for every target, in single precision."""
    loss = LOSSES[name]
    corners = list(product([-1e4, 0, 1e4], repeat=LOSS_TRUTHS[name].outputs[0]))
    outputs = jnp.array(np.repeat(corners, 16, axis=0), jnp.float32)
    targets = jnp.array(targets_for(name, len(outputs)))
    chex.assert_tree_all_finite(
        [
            loss.value(outputs, targets),
            loss.grad(outputs, targets),
            gradient_by_jax(loss, outputs, targets),
        ]
    )


@pytest.mark.parametrize("output", [-1e4, 1e4])
@pytest.mark.parametrize("label", [0, 1])
def test_cross_entropies_far_away_are_the_margin(output, label):
    """Where exp overflows, log(1 + exp(-m)) is max(0, -m) to the last digit."""
    truth = max(0.0, -output * (2 * label - 1))
    y = jnp.array([label])
    binary = LOSSES["binary_cross_entropy"].value(jnp.array([[output]]), y)
    softmax = LOSSES["softmax_cross_entropy"].value(jnp.array([[0.0, output]]), y)
    multilabel = LOSSES["multilabel_cross_entropy"].value(jnp.array([[output]]), 1.0 * y[:, None])
    np.testing.assert_array_equal([binary, softmax, multilabel], np.full((3, 1), truth))


@pytest.mark.parametrize(("name", "kink"), [("hinge", 1.0), ("perceptron", 0.0)])
def test_the_rule_on_the_boundary(name, kink):
    """The hinge stops at margin 1; Rosenblatt's rule still updates at margin 0."""
    on_it = LOSSES[name].grad(jnp.array([[kink]]), jnp.array([1]))
    inside = LOSSES[name].grad(jnp.array([[kink - 1e-3]]), jnp.array([1]))
    outside = LOSSES[name].grad(jnp.array([[kink + 1e-3]]), jnp.array([1]))
    assert (inside, outside) == (-1, 0)
    assert on_it == {"hinge": 0, "perceptron": -1}[name]


def test_gaussian_at_variance_one_is_half_the_squared_error(x64):
    """Row B2: at identity covariance the likelihood is the mean squared error, up to a constant."""
    s_of_one = np.log(np.expm1(1 - losses.VARIANCE_FLOOR))
    means, targets = outputs_for("squared_error"), targets_for("squared_error")
    outputs = np.concatenate([means, np.full_like(means, s_of_one)], axis=1)
    gaussian = LOSSES["gaussian"].value(jnp.array(outputs), jnp.array(targets))
    squared = LOSSES["squared_error"].value(jnp.array(means), jnp.array(targets))
    np.testing.assert_allclose(gaussian, squared / 2 + 1.5 * np.log(2 * np.pi), rtol=1e-12)


def test_a_class_that_is_ruled_out_is_left_out(x64):
    loss, outputs = LOSSES["softmax_cross_entropy"], jnp.array([[2.0, -jnp.inf, 1.0]])
    without, label = outputs[:, ::2], jnp.array([2])
    for of in (loss.value, loss.grad, partial(gradient_by_jax, loss)):
        found, expected = of(outputs, label), of(without, label // 2)
        np.testing.assert_allclose(found[..., ::2] if found.ndim == 2 else found, expected)
    assert loss.value(outputs, jnp.array([1]))[0] == jnp.inf


def test_softmax_of_two_is_the_logistic_loss_of_the_difference(x64):
    outputs = jnp.array(outputs_for("softmax_cross_entropy")[:, :2])
    two = LOSSES["softmax_cross_entropy"].value(outputs, jnp.array(BITS))
    one = LOSSES["binary_cross_entropy"].value(outputs[:, 1:] - outputs[:, :1], jnp.array(BITS))
    np.testing.assert_allclose(two, one, rtol=1e-12)


@EACH
def test_no_other_targets_are_more_likely_than_the_predicted(name):
    loss = LOSSES[name]
    outputs = jnp.array(outputs_for(name), jnp.float32)
    chosen = loss.value(outputs, loss.predict(outputs))
    for candidate in targets_for(name, 60):
        other = jnp.broadcast_to(jnp.array(candidate), (N, *np.shape(candidate)))
        assert jnp.all(chosen <= loss.value(outputs, other))


@EACH
def test_good_targets_pass_the_check(name):
    targets = targets_for(name)
    checked = LOSSES[name].check(targets, LOSS_TRUTHS[name].outputs[0])
    np.testing.assert_allclose(checked, targets, rtol=1e-6)
    assert checked.dtype in (np.int32, np.float32)


BAD_TARGETS = {
    "class beyond the last": ("softmax_cross_entropy", 3, [0, 3], ValueError, r"y\[1\] is 3"),
    "negative class": ("softmax_cross_entropy", 3, [-1, 0], ValueError, r"y\[0\] is -1"),
    "float classes": ("softmax_cross_entropy", 3, [0.0, 1.0], TypeError, "dtype float64"),
    "column of classes": ("softmax_cross_entropy", 3, [[0], [1]], ValueError, r"y\.ravel\(\)"),
    "one-hot classes": ("softmax_cross_entropy", 2, [[0, 1], [1, 0]], ValueError, r"\(2, 2\)"),
    "label 2": ("binary_cross_entropy", 1, [0, 2], ValueError, r"y\[1\] is 2"),
    "label -1": ("hinge", 1, [-1, 1], ValueError, r"y\[0\] is -1"),
    "two outputs": ("perceptron", 2, [0, 1], ValueError, "takes one output, the network has 2"),
    "half a label": ("multilabel_cross_entropy", 2, [[0.5, 1.0]], ValueError, "0 or 1"),
    "labels for one column": ("multilabel_cross_entropy", 2, [0, 1], ValueError, r"\[samples, 2\]"),
    "no column": ("squared_error", 1, [0.5, 1.5], ValueError, r"y\.reshape\(-1, 1\)"),
    "a column too many": ("squared_error", 1, [[0.5, 1.5]], ValueError, r"shape \(1, 2\)"),
    "NaN": ("squared_error", 1, [[0.5], [np.nan]], ValueError, "nan at row 1, column 0"),
    "strings": ("squared_error", 1, [["a"], ["b"]], TypeError, "dtype <U1"),
    "odd outputs": ("gaussian", 3, [[0.5]], ValueError, "a mean and a variance per target"),
    "means and variances": ("gaussian", 4, np.ones((2, 4)), ValueError, r"\[samples, 2\]"),
}


@pytest.mark.parametrize(
    ("name", "outputs", "targets", "error", "message"), BAD_TARGETS.values(), ids=BAD_TARGETS
)
def test_bad_targets(name, outputs, targets, error, message):
    with pytest.raises(error, match=message):
        LOSSES[name].check(np.array(targets), outputs)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.bool_])
def test_labels_of_any_integer_type(dtype):
    checked = LOSSES["softmax_cross_entropy"].check(np.array([0, 1, 1], dtype), 3)
    np.testing.assert_array_equal(checked, np.array([0, 1, 1], np.int32), strict=True)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_whole_numbers_are_regression_targets_not_pixels(dtype):
    checked = LOSSES["squared_error"].check(np.array([[0], [255]], dtype), 1)
    np.testing.assert_array_equal(checked, np.array([[0], [255]], np.float32), strict=True)


def far_outputs(loss, outputs):
    targets = jnp.asarray([[-0.3], [0.02], [0.3]])
    return loss.value(outputs, targets), loss.grad(outputs, targets)[:, 0]


def test_only_the_loss_of_the_paper_has_no_gradient_where_all_outputs_are_far():
    """Row C9: the value there is that of a constant, which such a network remains."""
    outputs = jnp.full((3, 1), 0.5)
    value, slopes = far_outputs(losses.clamped_l1(outputs_too=True), outputs)
    np.testing.assert_allclose(value, [0.2, 0.08, 0], atol=1e-7)
    np.testing.assert_array_equal(slopes, 0)
    _, slopes = far_outputs(losses.clamped_l1(), outputs)
    np.testing.assert_array_equal(slopes, 1)


def test_both_clamped_losses_agree_where_the_outputs_are_near(x64):
    outputs = jnp.asarray(np.random.default_rng(0).uniform(-0.1, 0.1, size=(3, 1)))
    ours, paper = (far_outputs(losses.clamped_l1(outputs_too=t), outputs) for t in (False, True))
    np.testing.assert_array_equal(ours[0], paper[0])
    np.testing.assert_array_equal(ours[1], paper[1])


@pytest.mark.parametrize("outputs_too", [False, True])
def test_clamped_gradient_by_hand_equals_jax(x64, outputs_too):
    loss = losses.clamped_l1(0.3, outputs_too)
    outputs, targets = np.random.default_rng(1).normal(scale=0.4, size=(2, 40, 3))
    expected = gradient_by_jax(loss, jnp.asarray(outputs), jnp.asarray(targets))
    np.testing.assert_allclose(loss.grad(outputs, targets), expected, atol=1e-15)
    assert loss is losses.clamped_l1(0.3, outputs_too)


@pytest.mark.parametrize("delta", [0, -1.0, np.nan])
def test_the_limit_of_a_clamped_loss_is_above_0(delta):
    with pytest.raises(ValueError, match=r"delta is|must be finite"):
        losses.clamped_l1(delta)


def test_lookup_by_name_or_itself():
    own = Loss(*LOSSES["hinge"])
    assert get_loss(own) is own
    assert get_loss("hinge") is LOSSES["hinge"]
    with pytest.raises(ValueError, match="unknown loss 'hing'; did you mean 'hinge'"):
        get_loss("hing")


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_the_focal_loss_of_what_is_known_has_a_derivative(gamma):
    """Where p is 1 in single precision, a power below 1 has none by itself."""
    loss, labels = losses.focal(gamma), jnp.array([0, 1])
    outputs = jnp.array([[40.0, 0.0], [0.3, 0.1]])
    found = jax.grad(lambda o: jnp.sum(loss.value(o, labels)))(outputs)
    np.testing.assert_allclose(found, loss.grad(outputs, labels), rtol=1e-5, atol=1e-7)
