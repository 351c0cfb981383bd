"""Activations against SciPy and PyTorch; derivatives by hand against jax.grad and differences."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.activations import ACTIVATIONS, elu, get_activation, leaky_relu
from tests.support.truths import ACTIVATION_TRUTHS

# The table, and the families that it holds one member of.
ALL = ACTIVATIONS | {
    "leaky_relu(0.01)": leaky_relu(0.01),
    "elu(0.5)": elu(0.5),
    "elu(2)": elu(2.0),
}
EACH_NAME = pytest.mark.parametrize("name", ACTIVATIONS)
EACH = pytest.mark.parametrize("activation", ALL.values(), ids=ALL)

GRID = np.linspace(-8, 8, 161)  # holds 0 and the ends of hard tanh, where pieces meet
WITHIN = GRID[(GRID != 0) & ~np.isclose(np.abs(GRID), 1)]
FAR = np.geomspace(1e-4, 1e8, 199)
WIDE = np.unique(np.concatenate([-FAR, FAR, np.linspace(-2, 2, 8001)]))


def derivative_by_hand(activation, s):
    return activation.df(s, activation.f(s))


@EACH_NAME
def test_value(x64, name):
    np.testing.assert_allclose(
        ACTIVATIONS[name].f(jnp.array(GRID)), ACTIVATION_TRUTHS[name].numpy(GRID), atol=1e-14
    )


@EACH_NAME
def test_value_in_single_precision(name):
    s = GRID.astype(np.float32)
    truth = ACTIVATION_TRUTHS[name].numpy(s.astype(np.float64))
    np.testing.assert_allclose(ACTIVATIONS[name].f(jnp.array(s)), truth, rtol=1e-5, atol=2e-7)


@EACH_NAME
def test_value_and_derivative_equal_pytorch(x64, name):
    torch = pytest.importorskip("torch")
    s = torch.tensor(WITHIN)
    torch_df = torch.func.vmap(torch.func.jacrev(lambda s: ACTIVATION_TRUTHS[name].torch(torch, s)))
    activation, ours = ACTIVATIONS[name], jnp.array(s.numpy())
    np.testing.assert_allclose(
        activation.f(ours), ACTIVATION_TRUTHS[name].torch(torch, s), atol=1e-14
    )
    np.testing.assert_allclose(derivative_by_hand(activation, ours), torch_df(s), atol=1e-14)


@EACH
def test_derivative_by_hand_equals_jax(x64, activation):
    s = jnp.array(GRID)
    by_jax = jax.vmap(jax.grad(activation.f))(s)
    np.testing.assert_allclose(derivative_by_hand(activation, s), by_jax, atol=1e-14)


@EACH
def test_derivative_by_hand_equals_central_differences(x64, activation):
    s, h = jnp.array(WITHIN), 1e-5
    differences = (activation.f(s + h) - activation.f(s - h)) / (2 * h)
    np.testing.assert_allclose(derivative_by_hand(activation, s), differences, atol=1e-9)


@EACH
def test_limits_are_the_infimum_and_the_supremum(x64, activation):
    values = np.asarray(activation.f(jnp.array(WIDE)))
    low, high = activation.limits
    assert low <= values.min() <= max(low + 1e-6, -50)
    assert min(high - 1e-6, 50) <= values.max() <= high


@EACH
def test_finite_far_away(activation):
    s = jnp.array([-1e4, 1e4], jnp.float32)
    for values in (
        activation.f(s),
        derivative_by_hand(activation, s),
        jax.vmap(jax.grad(activation.f))(s),
    ):
        chex.assert_tree_all_finite(values)


@EACH
def test_derivatives_are_continuous_up_to_the_smoothness_and_no_further(x64, activation):
    known = 2 if activation.smoothness is None else activation.smoothness
    jumps, f = [], activation.f
    at = max(activation.kinks, default=0.0)
    for _ in range(known + 2):
        left, right = f(jnp.array(at - 1e-7)), f(jnp.array(at + 1e-7))
        jumps.append(abs(float(right - left)))
        f = jax.grad(f)
    assert max(jumps[: known + 1], default=0) < 1e-5
    assert (jumps[-1] > 1e-2) == (activation.smoothness is not None)


@EACH
def test_kinks_are_where_the_derivative_jumps(x64, activation):
    s, h = GRID, 1e-6
    left, right = (np.asarray(derivative_by_hand(activation, jnp.array(s + d))) for d in (-h, h))
    steps = np.abs(np.diff([np.asarray(activation.f(jnp.array(s + d))) for d in (-h, h)], axis=0))
    found = s[(np.abs(right - left) > 1e-2) | (steps[0] > 1e-2)]
    np.testing.assert_allclose(found, activation.kinks, atol=1e-12)


@pytest.mark.parametrize(("a", "smoothness"), [(0.5, 0), (1.0, 1), (2.0, 0)])
def test_elu_is_smooth_only_at_one(x64, a, smoothness):
    """Row B1: below zero the derivative is g(s) + a, which meets 1 at zero only for a = 1."""
    s = jnp.array([-1e-9, 1e-9])
    below, above = derivative_by_hand(elu(a), s)
    assert abs(float(below) - a) < 1e-8
    assert (abs(float(above - below)) < 1e-8) == (smoothness == 1)
    assert elu(a).smoothness == smoothness


def test_gradients_of_sigmoid_and_tanh_vanish_away_from_zero():
    """Row B1, for the lectures' argument against them in deep networks."""
    s = jnp.array([-10.0, 10.0])
    assert jnp.all(derivative_by_hand(ACTIVATIONS["sigmoid"], s) < 1e-4)
    assert jnp.all(derivative_by_hand(ACTIVATIONS["tanh"], s) < 1e-4)
    assert derivative_by_hand(ACTIVATIONS["relu"], s)[1] == 1


@EACH
def test_nan_stays_nan(activation):
    np.testing.assert_array_equal(activation.f(jnp.array([jnp.nan])), [np.nan])


@EACH
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_dtype_is_kept(activation, dtype):
    s = jnp.array([-2.0, 0.0, 2.0], dtype)
    chex.assert_type([activation.f(s), derivative_by_hand(activation, s)], dtype)
    chex.assert_shape([activation.f(s), derivative_by_hand(activation, s)], (3,))


def test_lookup_by_name_or_itself():
    assert get_activation("relu") is ACTIVATIONS["relu"]
    own = elu(0.3)
    assert get_activation(own) is own


@pytest.mark.parametrize(
    ("typed", "meant"), [("rleu", "relu"), ("Tanh", "tanh"), ("soft_plus", "softplus")]
)
def test_unknown_name_suggests_the_nearest(typed, meant):
    with pytest.raises(ValueError, match=f"unknown activation '{typed}'; did you mean '{meant}'"):
        get_activation(typed)


def test_a_name_like_no_other_lists_them_all():
    with pytest.raises(ValueError, match="known: " + ", ".join(ACTIVATIONS)):
        get_activation("qqqqqqqq")
