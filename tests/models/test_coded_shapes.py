"""Coded shapes: the outputs by hand, gradients of codes, training by `fit`, and bad input."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import MLP, Objective, backprop, shapes
from jaxnets.data import from_arrays
from jaxnets.models import CodedShapes
from jaxnets.models.mlp import ResidualMLP

MODEL = CodedShapes(4, 2, MLP((5, 6), activation="relu"))


def drawn(model, batch=9):
    """Params at random, and numbered points."""
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.integers(0, 3, (batch, 1)), rng.normal(size=(batch, 3))], axis=1)
    params = model.init(jax.random.key(0), x)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(size=leaf.shape)), params), x


def test_outputs_are_those_of_the_decoder_with_the_code_before_the_point(x64):
    params, x = drawn(MODEL)
    tree = jax.tree.map(np.asarray, params["params"])
    for row, output in zip(x, MODEL.apply(params, x), strict=True):
        h = np.concatenate([tree["codes"][int(row[0])], row[1:]])
        for name in ("hidden_0", "hidden_1"):
            layer = tree["decoder"][name]
            h = np.maximum(layer["weight"] @ h + layer["bias"], 0)
        layer = tree["decoder"]["output"]
        np.testing.assert_allclose(output, layer["weight"] @ h + layer["bias"], atol=1e-12)


def test_distances_of_a_code_of_the_table_are_the_outputs(x64):
    params, x = drawn(MODEL)
    for number, code in enumerate(params["params"]["codes"]):
        numbered = np.concatenate([np.full((len(x), 1), number), x[:, 1:]], axis=1)
        found = MODEL.distances(params, code, x[:, 1:])
        np.testing.assert_allclose(found, MODEL.apply(params, numbered)[:, 0], atol=1e-12)


@pytest.mark.parametrize("loss", ["clamped_l1", "squared_error"])
@pytest.mark.parametrize("kind", [MLP, ResidualMLP])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradients_by_hand_are_those_of_jax(x64, loss, kind, activation):
    """In float64; the shape that no sample is of has the gradient 0."""
    model = CodedShapes(4, 2, kind((5, 5, 6), activation=activation))
    params, x = drawn(model)
    y = np.random.default_rng(1).normal(scale=0.1, size=(len(x), 1))
    batch = {"x": jnp.asarray(x), "y": jnp.asarray(y)}
    objective = Objective(model, loss, l2=0.01 * (loss == "squared_error"))
    (value, _), ours = backprop.value_and_grad(objective)(params, batch, None)
    (expected, _), theirs = jax.value_and_grad(objective, has_aux=True)(params, batch, None)
    assert value == pytest.approx(float(expected), abs=1e-12)
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for one, other in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    if loss == "clamped_l1":
        np.testing.assert_array_equal(ours["params"]["codes"][3], 0)
        assert np.abs(ours["params"]["codes"][:3]).min() > 0


def spheres(n=1500):
    rng = np.random.default_rng(2)
    points = rng.uniform(-1, 1, size=(n, 3)).astype(np.float32)
    numbers = rng.integers(0, 2, n)
    distances = np.where(numbers == 0, shapes.sphere(points, 0.3), shapes.sphere(points, 0.7))
    x = np.concatenate([numbers[:, None], points], axis=1).astype(np.float32)
    return from_arrays(x, distances.astype(np.float32)[:, None])


@pytest.mark.parametrize("gradients", [jax.value_and_grad, backprop.value_and_grad])
def test_fit_learns_codes_and_weights_together(gradients):
    model, data = CodedShapes(2, 2, MLP((32, 32), activation="relu")), spheres()
    spec = jn.TrainSpec(model, "clamped_l1", 60, 64, value_and_grad=gradients)
    state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 3e-3})
    # The best constant for both shapes leaves about 0.09, each shape's own 0.04.
    assert history["valid_loss"][-1] < 0.025
    start = model.init(jax.random.split(jax.random.key(0), 3)[0], data.train["x"][:1])
    assert np.abs(state.params["params"]["codes"] - start["params"]["codes"]).max() > 0.05


BAD = {
    "no shapes": (lambda: CodedShapes(0, 2, MLP((4,))), ValueError, "shapes is 0"),
    "half a number": (lambda: CodedShapes(2, 1.5, MLP((4,))), TypeError, "dimensions is 1.5"),
    "no decoder": (lambda: CodedShapes(2, 2, (4, 4)), TypeError, "must be an MLP"),
    "no points": (lambda: MODEL.init(jax.random.key(0), np.zeros((3, 1))), ValueError, r"\(3, 1\)"),
    "third shape": (lambda: MODEL.check_samples([[4.0, 0, 0]], "x"), ValueError, "4.0 as the num"),
    "half a shape": (
        lambda: MODEL.check_samples([[1.0, 0, 0], [0.5, 0, 0]], "x"),
        ValueError,
        "in sample 1; there are 4",
    ),
    "one column": (lambda: MODEL.check_samples([[1.0], [2.0]], "x"), ValueError, "1 \\+ axes"),
    "long code": (
        lambda: MODEL.distances(drawn(MODEL)[0], np.zeros(3), np.zeros((2, 3))),
        ValueError,
        r"code has shape \(3,\)",
    ),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_fit_refuses_numbers_of_shapes_that_do_not_exist():
    spec = jn.TrainSpec(CodedShapes(1, 2, MLP((4,))), "clamped_l1", 1, 64)
    with pytest.raises(ValueError, match="as the number of a shape in sample"):
        jn.fit(spec, jax.random.key(0), spheres(), {"learning_rate": 1e-3})
