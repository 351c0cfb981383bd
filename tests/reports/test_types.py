"""Types of numbers: half and double precision, in and out of jit, other libraries, extremes."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import ops
from jaxnets.analysis import evaluate
from jaxnets.backprop import value_and_grad
from jaxnets.data import from_arrays
from jaxnets.models import CNN, AveragePool, Conv, Dense, Flatten, MaxPool
from jaxnets.output_units import OUTPUT_UNITS
from tests.reports.test_samples_and_labels import KEY, RNG
from tests.support.truths import LOSS_TRUTHS

NET = CNN((Conv(4, 3), MaxPool(2), Conv(3, 2), AveragePool(2), Flatten(), Dense(3)))
IMAGES = RNG.normal(size=(2, 10, 10, 1)).astype(np.float32)


@pytest.mark.parametrize(
    ("x_type", "p_type", "wide"),
    [
        (jnp.bfloat16, np.float32, False),
        (np.float32, jnp.bfloat16, False),
        (np.float16, jnp.bfloat16, True),
        (np.float64, np.float32, True),
    ],
)
def test_case_20_half_precision_cnn_under_jit(x_type, p_type, wide):
    with jax.enable_x64(wide):
        params = jax.tree.map(lambda a: jnp.asarray(a, p_type), NET.init(KEY, IMAGES))
        x = jnp.asarray(IMAGES, x_type) if x_type != np.float64 else IMAGES.astype(x_type)
        plain, jitted = NET.apply(params, x), jax.jit(NET.apply)(params, x)
        assert plain.dtype == jitted.dtype == jnp.result_type(x, p_type)
        np.testing.assert_allclose(plain.astype(float), jitted.astype(float), atol=0.05)
        exact = NET.apply(jax.tree.map(lambda a: a.astype(float), params), x.astype(float))
        np.testing.assert_allclose(plain.astype(float), exact, atol=0.08)
        predicted = evaluate.predictions(NET, "softmax_cross_entropy", params, x)
        assert predicted.shape == (2,)


@pytest.mark.parametrize("p_type", [jnp.bfloat16, np.float16])
def test_gradients_by_hand_of_half_precision_equal_jax(p_type):
    params = jax.tree.map(lambda a: a.astype(p_type), NET.init(KEY, IMAGES))
    batch = {"x": IMAGES, "y": np.array([0, 2])}
    objective = jn.Objective(NET, "softmax_cross_entropy")
    ours = jax.jit(value_and_grad(objective))(params, batch)
    theirs = jax.jit(jax.value_and_grad(objective, has_aux=True))(params, batch)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.astype(float), b.astype(float), atol=0.05)


def test_the_gradients_of_convolution_promote_under_jit():
    x, kernel = jnp.asarray(IMAGES, jnp.bfloat16), np.ones((3, 3, 1, 2), np.float32)
    g = np.ones((2, 8, 8, 2), np.float16)
    at = (1, "VALID")
    one = jax.jit(lambda g, k: ops.convolve_input_grad(g, k, IMAGES.shape, *at))(g, kernel)
    other = jax.jit(lambda x, g: ops.convolve_kernel_grad(x, g, (3, 3), *at))(x, g)
    assert one.dtype == other.dtype == jnp.float32


LIKELY = {
    "sigmoid": ([[0.0], [1.0], [0.0], [1.0]], [0, 1, 1, 0], [0, 0, -np.inf, -np.inf]),
    "softmax": ([[1.0, 0.0], [1.0, 0.0]], [0, 1], [0, -np.inf]),
    "multilabel": ([[0.0, 1.0], [1.0, 1.0]], [[0, 1], [0, 1]], [0, -np.inf]),
}


@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16, np.float32])
@pytest.mark.parametrize("name", LIKELY)
def test_likelihoods_of_probabilities_0_and_1(name, dtype):
    p, y, truth = LIKELY[name]
    p, likelihood = jnp.asarray(p, dtype), OUTPUT_UNITS[name].log_likelihood
    for labels in (np.array(y), np.array(y, np.uint8)):
        np.testing.assert_array_equal(likelihood(p, labels).astype(float), truth)
        slope = jax.grad(lambda p, labels=labels: likelihood(p, labels).sum())(p)
        assert not np.isnan(slope.astype(float)).any()


def test_far_targets_of_a_gaussian_have_a_finite_likelihood():
    mean, target = jnp.zeros((1, 1)), jnp.full((1, 1), 40.0)
    found = OUTPUT_UNITS["gaussian"].log_likelihood((mean, mean + 1), target)
    np.testing.assert_allclose(found, -800 - 0.5 * np.log(2 * np.pi), rtol=1e-6)


@pytest.mark.parametrize("name", jn.LOSSES)
@pytest.mark.parametrize("dtype", [np.float16, jnp.bfloat16])
def test_losses_of_half_precision_have_no_nan(name, dtype):
    ends = jnp.asarray([-6e4, -20, -1, 0, 1, 20, 6e4], dtype)
    truth, y = LOSS_TRUTHS[name], np.arange(7) % 2
    k = min(truth.outputs)
    outputs = jnp.stack([ends, ends[::-1]], 1)[:, :k]
    if np.ndim(truth.targets(RNG, 7, k)) == 2:
        y = y.astype(dtype)[:, None]
    loss = jn.LOSSES[name]
    for wrap in (lambda f: f, jax.jit):
        found = wrap(loss.value)(outputs, y), wrap(loss.grad)(outputs, y)
        assert [a.dtype for a in found] == [dtype, dtype]
        assert not any(np.isnan(a.astype(float)).any() for a in found)


# other libraries


def test_case_33_bfloat16_and_requires_grad():
    y = np.arange(10) % 2
    made = from_arrays(jnp.full((10, 2), 1.5, jnp.bfloat16), y, fractions=(1, 0, 0))
    np.testing.assert_array_equal(made.train["x"], np.full((10, 2), 1.5, np.float32), strict=True)
    with pytest.raises(TypeError, match=r"y has dtype timedelta64\[s\]"):
        from_arrays(np.ones((10, 2)), np.arange(10).astype("m8[s]"))
    with pytest.raises(
        TypeError, match=r"x is a tensor that requires gradients: use x\.detach\(\)"
    ):
        from_arrays(SimpleNamespace(requires_grad=True), y)


def test_case_33_tensors():
    torch = pytest.importorskip("torch")
    y = np.arange(10) % 2
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        x = torch.full((10, 2), 0.5, dtype=dtype)
        made = from_arrays(x, torch.tensor(y), fractions=(1, 0, 0)).train
        np.testing.assert_array_equal(made["x"], np.full((10, 2), 0.5, np.float32), strict=True)
    with pytest.raises(TypeError, match=r"x\.detach\(\)"):
        from_arrays(torch.ones(10, 2, requires_grad=True), y)
    with pytest.raises(TypeError, match="detach"):
        from_arrays([*torch.ones(10, 2, requires_grad=True)], y)
