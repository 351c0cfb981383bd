"""Perceptrons against loops, Flax's own layers and the counts on the slides; narrow networks."""

from functools import partial

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import special

from jaxnets import MLP, ResidualMLP, TrainSpec
from jaxnets.activations import ACTIVATIONS, elu
from jaxnets.data import Dataset
from jaxnets.models import compact, count_parameters
from jaxnets.models.mlp import FEW, LARGE, MANY, WIDE, affine
from jaxnets.training.loop import advance, begin

X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)
RELU = partial(np.maximum, 0)
# Each model with its activation in NumPy.
MODELS = {
    "linear": (MLP(()), None),
    "one hidden": (MLP((5,)), np.tanh),
    "deep": (MLP((5, 3, 4), outputs=2, activation="sigmoid"), special.expit),
    "own activation": (
        MLP((3,), activation=elu(0.5)),
        lambda s: np.where(s > 0, s, np.expm1(s) / 2),
    ),
    "residual": (ResidualMLP((4, 4, 3, 3), outputs=2, activation="relu"), RELU),
    "residual from the input": (ResidualMLP((2, 2)), np.tanh),
}
EACH = pytest.mark.parametrize(("model", "sigma"), MODELS.values(), ids=MODELS)


def random_params(model, key, features=2):
    """Params whose biases are not zero either."""
    shapes = jax.eval_shape(model.init, key, jax.ShapeDtypeStruct((1, features), jnp.float32))
    rng = np.random.default_rng(4)
    return jax.tree.map(lambda leaf: jnp.array(rng.normal(size=leaf.shape), jnp.float32), shapes)


def by_loops(model, sigma, params, x):
    """The lectures' network, a sample and a unit at a time, in double precision."""
    *hidden, last = (
        [(*w, b) for w, b in zip(layer["weight"].tolist(), layer["bias"].tolist(), strict=True)]
        for layer in params["params"].values()
    )

    def affine(units, h):
        return [b + sum(w * z for w, z in zip(ws, h, strict=True)) for *ws, b in units]

    rows = []
    for h in x.tolist():
        for units in hidden:
            value = [float(sigma(np.float64(s))) for s in affine(units, h)]
            bypass = h if model.residual and len(h) == len(value) else [0] * len(value)
            h = [a + b for a, b in zip(bypass, value, strict=True)]
        rows.append(affine(last, h))
    return np.array(rows)


def widths_of(value):
    return "-".join(map(str, value.widths)) if isinstance(value, MLP) else ""


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (MLP((100,)), 401),
        (MLP((125,)), 501),
        (MLP((10,) * 2), 151),
        (MLP((20,) * 2), 501),
        (MLP((14,) * 3), 477),
        (MLP((15,) * 3), 541),
        (MLP((19,) * 3), 837),
        (MLP((10, 20, 10)), 471),
        (ResidualMLP((10, 20, 10, 10)), 581),
    ],
    ids=widths_of,
)
def test_parameter_counts_on_the_slides(key, model, parameters):
    """Rows C1 and C2: two inputs, one output."""
    assert count_parameters(jax.eval_shape(model.init, key, X)) == parameters


@EACH
def test_params_are_a_plain_tree_of_weights_and_biases(key, model, sigma):
    sizes = [2, *model.widths, model.outputs]
    names = [*(f"hidden_{i}" for i in range(len(model.widths))), "output"]
    shapes = {
        "params": {
            name: {"weight": (fan_out, fan_in), "bias": (fan_out,)}
            for name, fan_in, fan_out in zip(names, sizes, sizes[1:], strict=False)
        }
    }
    params = jax.eval_shape(model.init, key, X)
    assert jax.tree.map(lambda leaf: leaf.shape, params) == shapes


@EACH
def test_outputs_equal_loops(key, model, sigma):
    params = random_params(model, key)
    outputs = model.apply(params, X)
    chex.assert_shape(outputs, (len(X), model.outputs))
    np.testing.assert_allclose(outputs, by_loops(model, sigma, params, X), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2, FEW, FEW + 1])
@pytest.mark.parametrize("inputs", [512, 511])
def test_few_samples_of_a_large_weight_are_columns(key, inputs, batch):
    """Values and gradients against NumPy, on both sides of the limits."""
    outputs = LARGE // 512
    of = {"weight": (outputs, inputs), "bias": (outputs,), "x": (inputs, batch)}
    drawn = zip(of, jax.random.split(key, 3), strict=True)
    weight, bias, x = (jax.random.normal(k, of[name]) for name, k in drawn)
    slope = jax.random.normal(key, (outputs, batch))
    value, back = jax.vjp(affine, weight, bias, x)
    w, b, columns, g = (np.asarray(a, np.float64) for a in (weight, bias, x, slope))
    np.testing.assert_allclose(value, w @ columns + b[:, None], atol=1e-3)
    expected = g @ columns.T, g.sum(axis=1), w.T @ g
    for found, true in zip(back(slope), expected, strict=True):
        np.testing.assert_allclose(found, true, atol=1e-3)
    held = "optimization_barrier" in str(jax.make_jaxpr(affine)(weight, bias, x))
    assert held == (inputs == 512 and batch <= FEW)


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("features", [2, WIDE - 1, WIDE, 2 * WIDE])
def test_equals_a_stack_of_flax_layers(key, features, batch):
    """Values and gradients, for inputs on both sides of where the product is written on rows."""
    model = MLP((5, 3), outputs=2)
    x = jax.random.normal(key, (batch, features))
    stack = nn.Sequential([nn.Dense(5), jnp.tanh, nn.Dense(3), jnp.tanh, nn.Dense(2)])
    params = model.init(key, x)

    def flax_layers(params):
        theirs = {
            f"layers_{2 * i}": {"kernel": layer["weight"].T, "bias": layer["bias"]}
            for i, layer in enumerate(params["params"].values())
        }
        return stack.apply({"params": theirs}, x)

    values = (model.apply(params, x), flax_layers(params))
    chex.assert_trees_all_close(*values, atol=1e-5)
    slope = jax.random.normal(key, values[0].shape)
    gradients = (
        jax.grad(lambda p, f=f: jnp.sum(slope * f(p)))(params)
        for f in (lambda p: model.apply(p, x), flax_layers)
    )
    chex.assert_trees_all_close(*gradients, atol=1e-5)


def test_compact_form(key):
    """Row C1: [W | b] times [x; 1] is W x + b."""
    params = random_params(MLP((), outputs=3), key)
    matrix = compact(params["params"]["output"])
    chex.assert_shape(matrix, (3, 3))
    with_ones = np.column_stack([X, np.ones(len(X))])
    np.testing.assert_allclose(
        MLP((), outputs=3).apply(params, X), with_ones @ np.asarray(matrix).T, atol=1e-6
    )


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_without_an_activation_every_network_is_affine(key, depth):
    """Row C1: "no activation function: a linear classifier", the product of the matrices."""
    model = MLP((3,) * depth, activation="identity")
    params = random_params(model, key)
    product = np.eye(3)
    for layer in params["params"].values():
        matrix = np.asarray(compact(layer), np.float64)
        product = np.vstack([matrix, np.eye(1, matrix.shape[1], matrix.shape[1] - 1)]) @ product
    truth = np.column_stack([X, np.ones(len(X))]) @ product[:-1].T
    np.testing.assert_allclose(model.apply(params, X), truth, rtol=1e-4, atol=1e-4)


def test_initial_params_follow_the_key(key):
    model = MLP((5, 4))
    init = jax.jit(model.init)
    first, again, other = init(key, X), init(key, X), init(jax.random.key(1), X)
    chex.assert_trees_all_equal(first, again)
    chex.assert_trees_all_close(first, model.init(key, X), atol=1e-6)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(other), strict=True):
        assert a.ndim == 1 or not np.isclose(a, b).any()


VARIANCES = {
    "glorot": lambda fan_in, fan_out: 2 / (fan_in + fan_out),
    "he": lambda fan_in, fan_out: 2 / fan_in,
    "lecun": lambda fan_in, fan_out: 1 / fan_in,
}


def test_every_activation_has_one_of_these():
    assert {row.gain for row in ACTIVATIONS.values()} == set(VARIANCES)


def assert_variance(draws, variance):
    """Zero mean and that variance, within five standard errors of both."""
    draws = np.asarray(draws, np.float64).ravel()
    kurtosis = np.mean(draws**4) / np.mean(draws**2) ** 2
    assert abs(draws.mean()) < 5 * np.sqrt(variance / len(draws))
    assert abs(draws.var() / variance - 1) < 5 * np.sqrt((kurtosis - 1) / len(draws))


@pytest.mark.parametrize("name", ["tanh", "relu", "identity"])
def test_initial_variance_is_the_published_formula(key, name):
    model = MLP((90, 150), outputs=60, activation=name)
    layers = jax.jit(model.init)(key, np.zeros((1, 120), np.float32))["params"]
    variance = VARIANCES[ACTIVATIONS[name].gain]
    assert_variance(layers["hidden_0"]["weight"], variance(120, 90))
    assert_variance(layers["hidden_1"]["weight"], variance(90, 150))
    assert_variance(layers["output"]["weight"], VARIANCES["lecun"](150, 60))
    chex.assert_trees_all_equal(*(jnp.sum(abs(layers[k]["bias"])) for k in layers), jnp.zeros(()))


def test_vmap_over_networks_and_over_sets(key):
    model = MLP((4,), outputs=2)
    params = jax.jit(jax.vmap(model.init, (0, None)))(jax.random.split(key, 3), X)
    sets = jnp.stack([X, 2 * X, 3 * X])
    each = [model.apply(jax.tree.map(lambda a, i=i: a[i], params), sets[i]) for i in range(3)]
    chex.assert_trees_all_close(jax.vmap(model.apply)(params, sets), jnp.stack(each), atol=1e-6)


@pytest.mark.parametrize("widths", [(), (5, 3)], ids=str)
def test_features_that_do_not_fit_name_the_layer_and_both_numbers(key, widths):
    model = MLP(widths)
    layer = (*(f"hidden_{i}" for i in range(len(widths))), "output")[0]
    with pytest.raises(ValueError, match=f"'{layer}' was initialised for 2 features, x has 3"):
        model.apply(random_params(model, key), jnp.ones((4, 3)))


@pytest.mark.parametrize("shape", [(2,), (5, 28, 28), (5, 3, 28, 28)], ids=str)
def test_other_layouts_than_rows_are_refused(key, shape):
    with pytest.raises(ValueError, match=r"takes \[batch, features\].*x\.reshape\(len\(x\), -1\)"):
        MLP((4,)).init(key, jnp.ones(shape))


@pytest.mark.parametrize(("widths", "outputs"), [((0,), 1), ((4, -1), 1), ((4,), 0), ((), 0)])
def test_sizes_below_one_are_refused(widths, outputs):
    with pytest.raises(ValueError, match="must be 1 or more"):
        MLP(widths, outputs)


# A wide network, a width (one number, or one a layer), and the narrow network that it stands for.
NARROWED = {
    "tanh": (MLP((6, 6), 2), 3, MLP((3, 3), 2)),
    "relu, a width a layer": (MLP((8, 5), activation="relu"), (2, 4), MLP((2, 4), 1, "relu")),
    "residual": (ResidualMLP((6, 6, 6), 1, "sigmoid"), 4, ResidualMLP((4, 4, 4), 1, "sigmoid")),
}
NARROW = pytest.mark.parametrize(
    ("wide", "width", "narrow"), NARROWED.values(), ids=NARROWED.keys()
)


def cut(params, narrow):
    """The params of a narrow network out of those of a wide one."""
    sizes = [2, *narrow.widths, narrow.outputs]
    return {
        "params": {
            name: {"weight": layer["weight"][:rows, :columns], "bias": layer["bias"][:rows]}
            for (name, layer), columns, rows in zip(
                params["params"].items(), sizes, sizes[1:], strict=False
            )
        }
    }


@NARROW
def test_mask_has_a_one_for_every_param_of_the_narrow_network(key, wide, width, narrow):
    mask = wide.gradient_mask(random_params(wide, key), jnp.array(width))
    assert {float(v) for v in np.unique(np.concatenate(jax.tree.leaves(mask), axis=None))} <= {0, 1}
    unmasked = sum(float(leaf.sum()) for leaf in jax.tree.leaves(mask))
    assert unmasked == count_parameters(jax.eval_shape(narrow.init, key, X))


def test_the_full_width_changes_nothing(key):
    model = MLP((4, 3), 2, "relu")
    params = random_params(model, key)
    chex.assert_trees_all_close(model.narrow(params, (4, 3)), params, rtol=1e-6)
    ones = jax.tree.map(jnp.ones_like, params)
    chex.assert_trees_all_equal(model.gradient_mask(params, (4, 3)), ones)


@NARROW
def test_masked_network_equals_the_narrow_one(key, wide, width, narrow):
    params = wide.narrow(random_params(wide, key), jnp.array(width))
    chex.assert_trees_all_close(
        wide.apply(params, X), narrow.apply(cut(params, narrow), X), atol=1e-5
    )


@NARROW
def test_a_masked_run_equals_the_narrow_one(key, wide, width, narrow):
    """Row F18, after six epochs of mini-batches with Adam and an L2 penalty."""
    data = Dataset({"x": jnp.array(X), "y": jnp.sin(jnp.tile(X[:, :1], narrow.outputs))})
    hparams = {"learning_rate": 0.01, "l2": 0.1}
    masked = hparams | {"width": jnp.array(width)}
    spec, narrow_spec = (TrainSpec(model, "squared_error", 6, 3) for model in (wide, narrow))
    start = jax.jit(begin, static_argnums=(0, 4))
    carry, order_key = start(spec, key, X, masked, False)
    first = cut(carry.state.params, narrow)
    narrow_carry, _ = start(narrow_spec, key, X, hparams, False)
    narrow_state = carry.state._replace(params=first, opt_state=optax.adam(0.0).init(first))
    narrow_carry = narrow_carry._replace(state=narrow_state)
    program, steps = jax.jit(advance, static_argnums=0), 6 * -(-len(X) // 3)
    state, _, history, *_ = program(spec, carry, 0, steps, data, masked, order_key)
    narrow_state, _, narrow_history, *_ = program(
        narrow_spec, narrow_carry, 0, steps, data, hparams, order_key
    )
    moved = jax.tree.map(lambda a, b: jnp.abs(a - b).max(), narrow_state.params, first)
    assert min(jax.tree.leaves(moved)) > 1e-3
    assert state.step == narrow_state.step == steps
    chex.assert_trees_all_close(cut(state.params, narrow), narrow_state.params, atol=1e-5)
    chex.assert_trees_all_close(history, narrow_history, atol=1e-5)
    mask = wide.gradient_mask(state.params, jnp.array(width))
    padding = jax.tree.map(lambda a, m: jnp.abs(a * (1 - m)).max(), state.params, mask)
    assert max(jax.tree.leaves(padding)) == 0


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_narrowed_draws_have_the_variance_of_the_narrow_network(key, activation):
    """The three initialisers, 40 units cut to 7: padding alone would give a different variance."""
    model = MLP((40, 40), outputs=3, activation=activation)

    def draw(key):
        return cut(model.narrow(model.init(key, X), 7), MLP((7, 7), 3))["params"]

    layers = jax.jit(jax.vmap(draw))(jax.random.split(key, 300))
    variance = VARIANCES[ACTIVATIONS[activation].gain]
    assert_variance(layers["hidden_0"]["weight"], variance(2, 7))
    assert_variance(layers["hidden_1"]["weight"], variance(7, 7))
    assert_variance(layers["output"]["weight"], VARIANCES["lecun"](7, 3))


@pytest.mark.parametrize("width", [1, 4, (4, 3), np.array([2, 1]), 3.0], ids=str)
def test_widths_that_fit_are_accepted(width):
    MLP((4, 5)).check_hparams(width=width)


WRONG_WIDTHS = {
    "zero": ((4, 5), 0, "width is 0; the model has 1 to 4 units"),
    "too wide": ((4, 5), 5, "width is 5; the model has 1 to 4 units"),
    "half a unit": ((4, 5), 2.5, "width is 2.5"),
    "one of too many": ((4, 5), (1, 2, 3), r"shape \(3,\); one network takes .* \[2\]: .* sweep"),
    "no hidden layer": ((), 1, "the model has no hidden layer to narrow"),
}


@pytest.mark.parametrize(("widths", "width", "message"), WRONG_WIDTHS.values(), ids=WRONG_WIDTHS)
def test_widths_that_do_not_fit_are_refused(widths, width, message):
    with pytest.raises(ValueError, match=message):
        MLP(widths).check_hparams(width=width)


def test_widths_are_integers():
    with pytest.raises(TypeError, match=r"an entry of widths is 2\.7"):
        MLP((2.7,))


@pytest.mark.parametrize("widths", [(6, 4), (3, 3)], ids=["unequal", "as wide as the features"])
def test_residual_models_with_other_bypasses_refuse_to_be_narrowed(key, widths):
    model = ResidualMLP(widths)
    params = model.init(key, jnp.ones((1, 3)))
    with pytest.raises(ValueError, match="residual model"):
        model.narrow(params, 2)


def test_a_bias_of_many_samples_has_the_sum_of_their_derivatives(x64):
    """The product with ones against the sum, one network and a stack of them."""
    rng = np.random.default_rng(0)
    weight, bias, x, g = (
        jnp.asarray(rng.normal(size=shape)) for shape in ((4, 3), (4,), (3, MANY), (4, MANY))
    )

    def total(bias):
        return jnp.sum(g * affine(weight, bias, x))

    np.testing.assert_allclose(affine(weight, bias, x), weight @ x + bias[:, None], rtol=1e-13)
    np.testing.assert_allclose(jax.jit(jax.grad(total))(bias), g.sum(1), rtol=1e-12)
    stacked = jax.vmap(jax.grad(total))(jnp.stack([bias, 2 * bias]))
    np.testing.assert_allclose(stacked, jnp.stack([g.sum(1)] * 2), rtol=1e-12)
    text = jax.export.export(jax.jit(jax.grad(total)), platforms=["cuda"])(bias).mlir_module()
    assert "dot_general" not in text


@pytest.mark.parametrize("features", [3, WIDE])
def test_a_network_is_exported_for_any_number_of_samples(key, features):
    model, x = MLP((4,), 2), np.ones((5, features), np.float32)
    params = model.init(key, x)
    (samples,) = jax.export.symbolic_shape("samples")
    of_any = jax.ShapeDtypeStruct((samples, features), x.dtype)
    exported = jax.export.export(jax.jit(model.apply))(params, of_any)
    np.testing.assert_allclose(exported.call(params, x), model.apply(params, x), rtol=1e-6)
