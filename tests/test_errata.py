"""docs/errata.md: each slip of the slides that can be computed, beside what is right."""

import itertools
import re
from math import comb
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import optimize

import jaxnets as jn
from jaxnets.analysis import linear_regions as regions

PAGE = (Path(__file__).parents[1] / "docs" / "errata.md").read_text(encoding="utf-8")


def test_the_page_names_every_test_here_and_no_other():
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    written = {name for name in globals() if name.startswith("test_")}
    assert named == written - {"test_the_page_names_every_test_here_and_no_other"}


def sigmoid(a):
    return 1 / (1 + np.exp(-np.asarray(a, float)))


# L0: Multi-Layer Perceptrons


def test_l0_first_delta_sums_over_the_next_layer(x64):
    """Of three hidden layers of four units h, i, j; the printed sum runs over j and w_jh."""
    choice = np.random.default_rng(0)
    w_h, w_i, w_j, w_k = (jnp.asarray(choice.normal(size=(4, 4))) for _ in range(4))
    x = jnp.asarray(choice.normal(size=4))

    def loss(shifts):
        a_h = w_h @ x + shifts[0]
        a_i = w_i @ jnp.tanh(a_h) + shifts[1]
        a_j = w_j @ jnp.tanh(a_i) + shifts[2]
        return jnp.sum((w_k @ jnp.tanh(a_j)) ** 2)

    delta_h, delta_i, delta_j = jax.grad(loss)(jnp.zeros((3, 4)))
    slope = 1 - jnp.tanh(w_h @ x) ** 2
    np.testing.assert_allclose(slope * (w_i.T @ delta_i), delta_h, rtol=1e-10)
    assert jnp.linalg.norm(slope * (w_j.T @ delta_j) - delta_h) > 0.1 * jnp.linalg.norm(delta_h)


def test_l0_gradients_vanish_with_the_derivative_of_the_activation():
    """And tanh's value is 0 where its derivative is largest, 1 where it is 0."""
    slope = jax.vmap(jax.grad(jnp.tanh))(jnp.asarray([0.0, 20.0]))
    np.testing.assert_array_equal(jnp.tanh(jnp.asarray([0.0, 20.0])), [0, 1])
    np.testing.assert_array_equal(slope, [1, 0])


def test_l0_factors_are_multiplied_not_deltas(x64):
    """Through a_{n+1} = 3 tanh(a_n), from a delta of 5: its multiples by each 3 tanh'(a_n)."""
    slopes, a = [], jnp.asarray(0.1)
    for _ in range(4):
        slopes.append(3 * (1 - jnp.tanh(a) ** 2))
        a = 3 * jnp.tanh(a)
    deltas = 5 * np.cumprod(slopes[::-1])

    def loss(a):
        for _ in range(4):
            a = 3 * jnp.tanh(a)
        return 5 * a

    np.testing.assert_allclose(jax.grad(loss)(jnp.asarray(0.1)), deltas[-1], rtol=1e-12)
    assert abs(np.prod(deltas) / deltas[-1] - 1) > 0.5


def test_l0_weights_have_a_row_for_each_output():
    """As `W x + b` needs them, and as `nn.Linear(nIn, n1)` keeps them too; L3 has it twice."""
    model = jn.MLP((10,), 1)
    params = model.init(jax.random.key(0), jnp.zeros((1, 2)))["params"]
    assert params["hidden_0"]["weight"].shape == (10, 2)
    assert params["output"]["weight"].shape == (1, 10)
    with pytest.raises(ValueError, match="matmul"):
        np.zeros((2, 10)) @ np.zeros(2)


def test_l0_cross_entropy_of_one_output_is_always_zero():
    """The default `nOut=1` leaves a network of two classes nothing to learn."""
    outputs, classes = jnp.asarray([[-3.0], [0.0], [40.0]]), jnp.zeros(3, int)

    def loss(outputs):
        return optax.softmax_cross_entropy_with_integer_labels(outputs, classes).sum()

    value, gradient = jax.value_and_grad(loss)(outputs)
    assert value == 0
    assert not gradient.any()


def test_l0_adams_correction_counts_from_one():
    """The mean of equal gradients is that gradient if step tau has the exponent tau + 1."""
    beta, gradient, m = 0.9, 7.0, 0.0
    for tau in range(5):
        m = beta * m + (1 - beta) * gradient
        assert m / (1 - beta ** (tau + 1)) == pytest.approx(gradient)
    assert 1 - beta**0 == 0, "the first step would divide by this"


def test_l0_adams_epsilon_is_within_the_root(x64):
    """A variant: first steps on a gradient of 1e-4 are 0.71 of those of Kingma and Ba (2015)."""
    gradient = jnp.asarray(1e-4)
    steps = {}
    for name, options in {"L0": {"eps": 0.0, "eps_root": 1e-8}, "paper": {"eps": 1e-8}}.items():
        tx = optax.adam(1e-3, **options)
        steps[name] = -float(tx.update(gradient, tx.init(gradient))[0])
    assert steps["L0"] == pytest.approx(1e-3 * 1e-4 / np.sqrt(1e-4**2 + 1e-8))
    assert steps["L0"] / steps["paper"] == pytest.approx(0.5**0.5, rel=1e-3)


def test_l0_a_sum_of_units_without_weights_is_convex():
    """Also L2: the best plain sum of ReLUs misses sin by 1/2 or more; with signs it need not.

    A factor above 0 goes into w and b, so plain sums are the combinations that are not negative.
    """
    x = np.linspace(-np.pi, np.pi, 201)
    knots = x[::5]
    units = np.maximum(0, np.concatenate([x[:, None] - knots, knots - x[:, None]], axis=1))
    units = np.column_stack([units, np.ones_like(x)])
    plain, _ = optimize.nnls(units, np.sin(x))
    signed, *_ = np.linalg.lstsq(units, np.sin(x), rcond=None)
    assert np.abs(units @ plain - np.sin(x)).max() >= 0.5
    assert np.abs(units @ signed - np.sin(x)).max() < 0.01


# L1: From ML to deep learning


def test_l1_relu_is_not_differentiable_at_zero():
    slopes = [max(0.0, h) / h for h in (1e-3, -1e-3)]
    assert slopes == [1, 0]


POINTS = np.asarray([[0, 0], [0, 1], [1, 0], [1, 1]])
PRINTED = np.asarray([0, 0, 0, 1])


def is_separable(labels):
    """Whether a line has the points of each class on its own side, by a linear program."""
    signs = np.where(labels, 1, -1)[:, None]
    rows = -signs * np.column_stack([POINTS, np.ones(4)])
    return optimize.linprog(np.zeros(3), rows, -np.ones(4), bounds=(None, None)).success


def test_l1_table_of_xor_is_that_of_and():
    """Three of its four rows are wrong for xor, and one unit without a hidden layer computes it."""
    hidden = np.maximum(0, POINTS @ np.ones((2, 2)) + np.asarray([0, -1]))
    solution = hidden @ np.asarray([1, -2])
    np.testing.assert_array_equal(solution, POINTS[:, 0] ^ POINTS[:, 1])
    np.testing.assert_array_equal(PRINTED, POINTS[:, 0] & POINTS[:, 1])
    assert (solution != PRINTED).sum() == 3
    np.testing.assert_array_equal(POINTS.sum(axis=1) - 1.5 >= 0, PRINTED)
    assert is_separable(PRINTED)
    assert not is_separable(solution)


def test_l1_sigmoid_negates_the_bias_too():
    logits, bias = np.asarray([-1.0, 0.0, 2.0]), 3.0
    printed = 1 / (1 + np.exp(-logits + bias))
    np.testing.assert_allclose(printed, sigmoid(logits - bias))
    assert (np.abs(printed - sigmoid(logits + bias)) > 0.7).all()


@pytest.mark.parametrize("slope", [1.0, 1e3, 1e6])
def test_l1_only_continuous_functions_are_approximated(slope):
    """Also L3: just beside a step from 0 to 1 each network is 1/2 off, on one side or the other."""
    off = max(sigmoid(slope * -1e-12 + 0.1), 1 - sigmoid(slope * 1e-12 + 0.1))
    assert off >= 0.5 - 1e-6


def printed_regions(width, depth, inputs):
    return comb(width, inputs) ** (inputs * (depth - 1)) * width**inputs


def random_layers(choice, width, depth):
    inputs = [2] + [width] * (depth - 1)
    return [(choice.normal(size=(width, n)), choice.normal(size=width)) for n in inputs]


def test_l1_regions_have_a_fraction_for_the_binomial():
    """As a number the binomial exceeds what any network can have: the product of its layers'."""
    most = regions.max_regions(6, 2) ** 2
    built = regions.count(regions.folding(6, 2, 2))
    assert regions.montufar(6, 2, 2) <= built <= most < printed_regions(6, 2, 2)
    assert printed_regions(10, 3, 2) > 2_000 * regions.max_regions(10, 2) ** 3


def test_l1_regions_are_bounded_from_below_not_above():
    """Two units a layer: either formula says 4 at each depth, and the counted regions grow."""
    choice = np.random.default_rng(0)
    most = [
        max(regions.count(random_layers(choice, 2, depth)) for _ in range(50))
        for depth in (1, 2, 4, 8)
    ]
    assert [printed_regions(2, depth, 2) for depth in (1, 2, 4, 8)] == [4] * 4
    assert most[0] == 4
    assert (np.diff(most) > 4).all()
    assert most[-1] > 20


def test_l1_the_gradient_points_uphill():
    def f(theta):
        return theta[0] ** 2 + 3 * theta[1] ** 2

    theta = np.asarray([1.0, -2.0])
    gradient = np.asarray([2.0, -12.0])
    unit = gradient / np.linalg.norm(gradient)
    circle = np.linspace(0, 2 * np.pi, 721)
    around = [f(theta + 1e-4 * np.asarray([np.cos(t), np.sin(t)])) for t in circle]
    assert f(theta - 1e-4 * unit) <= min(around) < f(theta) < max(around) <= f(theta + 1e-4 * unit)


def test_l1_perceptron_loss_is_zero_for_a_sample_on_its_side():
    """Without max(0, .) it falls for ever on data that are separated."""
    x, t, w = np.asarray([[1.0, 2.0], [-1.0, -1.0]]), np.asarray([1, -1]), np.asarray([1.0, 1.0])
    printed = [-(t * (x @ (scale * w))).sum() for scale in (1, 10, 1e6)]
    assert printed[0] > printed[1] > printed[2]
    assert printed[2] < -1e6
    assert np.maximum(0, -t * (x @ w)).sum() == 0


# L2: The Multi-Layer Perceptron


def test_l2_jacobians_are_multiplied_from_the_last(x64):
    """J of g(f(x)) is J_g J_f; reversed its shapes differ, and where they do not, its value."""

    def layer(weight):
        return lambda x: jnp.tanh(weight @ x)

    choice = np.random.default_rng(0)
    for shape_f, shape_g in (((3, 2), (4, 3)), ((3, 3), (3, 3))):
        f, g = (layer(jnp.asarray(choice.normal(size=shape))) for shape in (shape_f, shape_g))
        x = jnp.asarray(choice.normal(size=shape_f[1]))
        of_f, of_g = jax.jacobian(f)(x), jax.jacobian(g)(f(x))
        expected = jax.jacobian(lambda x, f=f, g=g: g(f(x)))(x)
        np.testing.assert_allclose(of_g @ of_f, expected, rtol=1e-10)
        if shape_f == (3, 3):
            assert jnp.linalg.norm(of_f @ of_g - expected) > 0.1 * jnp.linalg.norm(expected)
        else:
            with pytest.raises(TypeError, match="dot_general"):
                of_f @ of_g


def test_l2_two_halves_of_xi_make_xi():
    """A function half of xi above sin, and an interpolation of sin half of xi below it."""
    x, knots = np.linspace(0, 1, 2001), np.linspace(0, 1, 5)
    interpolated = np.interp(x, knots, np.sin(np.pi * knots))
    half = (np.sin(np.pi * x) - interpolated).max()
    function = np.sin(np.pi * x) + half
    assert np.abs(function - interpolated).max() == pytest.approx(2 * half)


def test_l2_partial_sums_are_unbiased_once_scaled():
    """Over all batches of 2 of 5 gradients the mean is 2/5 of the full sum."""
    gradients = np.asarray([1.0, -2.0, 4.0, 8.0, 3.0])
    sums = [sum(batch) for batch in itertools.combinations(gradients, 2)]
    assert np.mean(sums) == pytest.approx(2 / 5 * gradients.sum())


def descend(x, y, rows, steps_inside):
    """One epoch on the squared error of `w x`: `(w, steps taken)`."""
    w, steps = 0.0, 0
    for b in range(0, len(x), rows):
        gradient = (x[b : b + rows] * (w * x[b : b + rows] - y[b : b + rows])).sum()
        if steps_inside or b + rows >= len(x):
            w, steps = w - 0.01 * gradient, steps + 1
    return w, steps


def test_l2_a_step_is_taken_for_each_batch():
    """Printed outside of the inner loop it uses the last batch alone, once an epoch."""
    choice = np.random.default_rng(0)
    x = choice.normal(size=20)
    y = 2 * x
    others = np.r_[np.zeros(16), y[16:]]
    assert descend(x, y, 4, True)[1] == 5
    assert descend(x, y, 4, False)[1] == 1
    assert descend(x, y, 4, False) == descend(x, others, 4, False)
    assert abs(descend(x, y, 4, True)[0] - 2) < abs(descend(x, y, 4, False)[0] - 2)


def test_l2_the_loss_of_a_batch_takes_its_own_targets():
    y, output = np.zeros(20), np.zeros(4)
    with pytest.raises(ValueError, match="broadcast"):
        output - y
    assert (output - y[4:8]).shape == (4,)


def test_l2_convolution_there_is_correlation():
    """As usual with networks; a convolution turns the kernel, and here the sign."""
    signal = np.asarray([0, 0, 0, 0, 1, 2, 3, 4, 4, 4, 4])
    printed = [0, 0, 0, 1, 1, 1, 1, 0, 0, 0]
    np.testing.assert_array_equal(np.correlate(signal, [-1, 1], "valid"), printed)
    np.testing.assert_array_equal(np.convolve(signal, [-1, 1], "valid"), -np.asarray(printed))


# L3: Neural Network/Multilayer Perceptron


def test_l3_the_outer_matrix_comes_first():
    """W2 (W1 x + b1) + b2 = (W2 W1) x + W2 b1 + b2."""
    choice = np.random.default_rng(0)
    w_1, w_2 = choice.normal(size=(2, 5, 5))
    x, b_1, b_2 = choice.normal(size=(3, 5))
    expected = w_2 @ (w_1 @ x + b_1) + b_2
    np.testing.assert_allclose((w_2 @ w_1) @ x + (w_2 @ b_1 + b_2), expected)
    assert np.abs((w_1 @ w_2) @ x + (w_2 @ b_1 + b_2) - expected).max() > 0.1
    with pytest.raises(ValueError, match="matmul"):
        np.zeros((7, 3)) @ np.zeros((2, 7))  # H x D times C x H


# L4: Deep Learning Crash Course


def test_l4_a_softmax_of_sigmoids_is_never_sure():
    """Of ten classes the right one gets e / (e + 9) at most; without the sigmoid as much as 1."""
    logits = jnp.asarray([50.0] + [-50.0] * 9)
    sure = jax.nn.softmax(jnp.stack([jax.nn.sigmoid(logits), logits]), axis=-1)[:, 0]
    np.testing.assert_allclose(sure, [np.e / (np.e + 9), 1], rtol=1e-5)


def test_l4_the_likelihood_is_not_minimised():
    """Without the minus sign the best output for a positive sample is the most negative one."""
    outputs = np.linspace(-5, 5, 11)
    printed = np.log(sigmoid(outputs))
    assert outputs[printed.argmin()] == -5
    assert outputs[(-printed).argmin()] == 5
