"""Gradients by hand against jax.grad, central differences and PyTorch, and without any of them."""

import ast
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

import jaxnets
from jaxnets import MLP, Objective, ResidualMLP, backprop
from jaxnets.activations import ACTIVATIONS, Activation
from jaxnets.losses import LOSSES, Loss
from tests.support.truths import ACTIVATION_TRUTHS, LOSS_TRUTHS

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
DIFFERENTIABLE = [name for name, row in ACTIVATIONS.items() if row.smoothness != -1]


class Problem(NamedTuple):
    objective: Objective
    params: Any
    batch: dict


def draw_problem(model, loss, features, samples, seed=0, l1=0.0, l2=0.0) -> Problem:
    """Params and a batch at random, in JAX's default precision, biases included."""
    rng = np.random.default_rng(seed)
    sizes = [features, *model.widths, model.outputs]
    names = [*(f"hidden_{i}" for i in range(len(model.widths))), "output"]
    params = {
        name: {
            "weight": jnp.array(rng.normal(size=(fan_out, fan_in)) / np.sqrt(fan_in)),
            "bias": jnp.array(rng.normal(size=fan_out) / 2),
        }
        for name, fan_in, fan_out in zip(names, sizes, sizes[1:], strict=False)
    }
    x = rng.normal(size=(samples, features))
    y = LOSS_TRUTHS[loss].targets(rng, samples, model.outputs)
    batch = {"x": jnp.array(x), "y": jnp.array(y)}
    return Problem(Objective(model, loss, l1, l2), {"params": params}, batch)


def both(objective, params, batch):
    """`((value, metrics), gradients)` by hand and by JAX."""
    by_hand = backprop.value_and_grad(objective, has_aux=True)
    by_jax = jax.value_and_grad(objective, has_aux=True)
    return by_hand(params, batch), by_jax(params, batch)


def norm(tree):
    return float(jnp.linalg.norm(ravel_pytree(tree)[0]))


def assert_equal_gradients(ours, truth, tolerance):
    chex.assert_trees_all_equal_structs(ours, truth)
    chex.assert_trees_all_equal_shapes_and_dtypes(ours, truth)
    assert norm(jax.tree.map(jnp.subtract, ours, truth)) <= tolerance * norm(truth)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_with_every_loss(x64, activation, loss):
    """Row D1: three features, so that every hidden layer carries a bypass; both penalties."""
    model = ResidualMLP((3, 3), LOSS_TRUTHS[loss].outputs[0], activation)
    problem = draw_problem(model, loss, features=3, samples=5, l1=0.01, l2=0.02)
    (value, grads), (true_value, true_grads) = both(*problem)
    chex.assert_trees_all_close(value, true_value, rtol=1e-14)
    assert_equal_gradients(grads, true_grads, 1e-12)


@st.composite
def problems(draw):
    """Arguments of `draw_problem`, which needs the precision set first."""
    loss = draw(st.sampled_from(list(LOSSES)))
    model = draw(st.sampled_from([MLP, ResidualMLP]))(
        draw(st.lists(st.integers(1, 8), max_size=6)),
        draw(st.sampled_from(LOSS_TRUTHS[loss].outputs)),
        draw(st.sampled_from(DIFFERENTIABLE)),
    )
    penalties = st.sampled_from([0.0, 0.01, 0.3])
    return {
        "model": model,
        "loss": loss,
        "features": draw(st.integers(1, 8)),
        "samples": draw(st.integers(1, 9)),
        "seed": draw(st.integers(0, 2**16)),
        "l1": draw(penalties),
        "l2": draw(penalties),
    }


@pytest.mark.parametrize("precision", TOLERANCE)
@hypothesis.settings(max_examples=12)
@hypothesis.given(arguments=problems())
def test_random_networks(precision, arguments):
    with jax.enable_x64(precision == "float64"):
        problem = draw_problem(**arguments)
        chex.assert_type(jax.tree.leaves(problem.params), np.dtype(precision))

        compare = jax.jit(partial(both, problem.objective))
        (value, grads), (true_value, true_grads) = compare(problem.params, problem.batch)
        chex.assert_trees_all_close(value, true_value, rtol=TOLERANCE[precision])
        assert_equal_gradients(grads, true_grads, TOLERANCE[precision])


SMOOTH = {
    "softmax_cross_entropy": ("tanh", MLP),
    "binary_cross_entropy": ("sigmoid", ResidualMLP),
    "multilabel_cross_entropy": ("softplus", MLP),
    "hinge": ("gaussian", MLP),
    "perceptron": ("elu", ResidualMLP),
    "squared_error": ("leaky_relu", ResidualMLP),
    "gaussian": ("relu", MLP),
    "clamped_l1": ("tanh", ResidualMLP),
    "huber": ("silu", MLP),
    "focal": ("gelu", ResidualMLP),
    "smoothed_cross_entropy": ("tanh", MLP),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_central_differences(x64, loss):
    activation, model = SMOOTH[loss]
    model = model((4, 4), LOSS_TRUTHS[loss].outputs[0], activation)
    problem = draw_problem(model, loss, features=2, samples=6, l1=0.01, l2=0.02)
    flat, unravel = ravel_pytree(problem.params)
    h = 1e-6

    @jax.jit
    @jax.vmap
    def value(flat):
        return problem.objective(unravel(flat), problem.batch)[0]

    shifts = h * jnp.eye(flat.size)
    differences = (value(flat[None] + shifts) - value(flat[None] - shifts)) / (2 * h)
    _, grads = backprop.value_and_grad(problem.objective)(problem.params, problem.batch)
    error = jnp.linalg.norm(ravel_pytree(grads)[0] - differences)
    assert error <= 1e-7 * jnp.linalg.norm(differences)


def in_torch(torch, problem: Problem):
    """The same objective and its gradients by PyTorch's autograd."""
    model, loss = problem.objective.model, problem.objective.loss
    params = jax.tree.map(
        lambda a: torch.tensor(np.asarray(a), requires_grad=True), problem.params["params"]
    )
    h, y = (torch.tensor(np.asarray(problem.batch[name])) for name in ("x", "y"))
    *hidden, last = params.values()
    for layer in hidden:
        s = torch.nn.functional.linear(h, layer["weight"], layer["bias"])
        value = ACTIVATION_TRUTHS[model.activation].torch(torch, s)
        h = h + value if model.residual and h.shape == value.shape else value
    outputs = torch.nn.functional.linear(h, last["weight"], last["bias"])
    value = LOSS_TRUTHS[loss].torch(torch, outputs, y).mean()
    for layer in params.values():
        value = value + problem.objective.l1 * layer["weight"].abs().sum()
        value = value + problem.objective.l2 * (layer["weight"] ** 2).sum()
    value.backward()
    return value.item(), {"params": jax.tree.map(lambda t: jnp.array(t.grad.numpy()), params)}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", DIFFERENTIABLE)
def test_equals_pytorch(x64, activation, loss):
    torch = pytest.importorskip("torch")
    model = ResidualMLP((3, 3), LOSS_TRUTHS[loss].outputs[0], activation)
    problem = draw_problem(model, loss, features=3, samples=5, l1=0.01, l2=0.02)
    (value, _), grads = backprop.value_and_grad(problem.objective)(problem.params, problem.batch)
    true_value, true_grads = in_torch(torch, problem)
    np.testing.assert_allclose(value, true_value, rtol=1e-12)
    assert_equal_gradients(grads, true_grads, 1e-10)


def test_under_jit_and_vmap(x64):
    problem = draw_problem(MLP((4,)), "binary_cross_entropy", features=2, samples=6)
    sets = jax.tree.map(lambda a: jnp.stack([a, a[::-1], jnp.roll(a, 1, axis=0)]), problem.batch)
    sets["x"] = sets["x"] * jnp.array([1.0, 2.0, 3.0])[:, None, None]
    by_hand = jax.jit(jax.vmap(backprop.value_and_grad(problem.objective), (None, 0)))
    by_jax = jax.vmap(jax.value_and_grad(problem.objective, has_aux=True), (None, 0))
    chex.assert_trees_all_close(
        by_hand(problem.params, sets), by_jax(problem.params, sets), rtol=1e-12
    )


def test_without_metrics():
    problem = draw_problem(MLP((4,)), "squared_error", features=2, samples=6)
    (value, _), grads = backprop.value_and_grad(problem.objective)(problem.params, problem.batch)
    plain = backprop.value_and_grad(problem.objective, has_aux=False)
    chex.assert_trees_all_equal(plain(problem.params, problem.batch), (value, grads))


def not_differentiable(f):
    """The same function, with a derivative that raises."""
    f = jax.custom_jvp(f)

    @f.defjvp
    def derivative(primals, tangents):
        raise AssertionError("JAX differentiated")

    return f


def test_nothing_is_differentiated_by_jax():
    """Whatever the call, JAX would meet the derivatives of the activation and of the loss."""
    tanh, squared = ACTIVATIONS["tanh"], LOSSES["squared_error"]
    plain = draw_problem(ResidualMLP((4, 4)), "squared_error", features=2, samples=6)
    sealed = Objective(
        ResidualMLP((4, 4), activation=tanh._replace(f=not_differentiable(tanh.f))),
        squared._replace(value=not_differentiable(squared.value)),
    )
    with pytest.raises(AssertionError, match="JAX differentiated"):
        jax.value_and_grad(sealed, has_aux=True)(plain.params, plain.batch)
    chex.assert_trees_all_equal(
        backprop.value_and_grad(sealed)(plain.params, plain.batch),
        backprop.value_and_grad(plain.objective)(plain.params, plain.batch),
    )


DIFFERENTIATE = {
    "grad",
    "value_and_grad",
    "vjp",
    "jvp",
    "linearize",
    "linear_transpose",
    "jacfwd",
    "jacrev",
    "hessian",
    "vjp3",
}


@pytest.mark.parametrize("loss", LOSSES)
def test_no_public_differentiation_is_called(monkeypatch, loss):
    problem = draw_problem(
        MLP((4, 3), LOSS_TRUTHS[loss].outputs[0]), loss, features=2, samples=6, l1=0.1, l2=0.1
    )
    for name in DIFFERENTIATE & set(dir(jax)):
        monkeypatch.setattr(jax, name, None)
    with pytest.raises(TypeError):
        jax.grad(problem.objective)
    jax.make_jaxpr(backprop.value_and_grad(problem.objective))(problem.params, problem.batch)


def names_from_jax(source):
    """Every `jax.name` and every name imported from a module of JAX."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="jax"), attr=name):
                yield name
            case ast.ImportFrom(module=str(module), names=aliases) if module.startswith("jax"):
                yield from (a.name for a in aliases if not module.startswith("jaxnets"))


BY_HAND = [
    "activations.py",
    "losses.py",
    "objective.py",
    "backprop/__init__.py",
    "backprop/cnn.py",
    "backprop/coded_shapes.py",
    "backprop/graph.py",
    "backprop/highway.py",
    "backprop/mlp.py",
    "backprop/word_net.py",
    "ops/blocks.py",
    "ops/convolution.py",
    "ops/one_by_one.py",
    "ops/pooling.py",
    "ops/softplus.py",
    "ops/windows.py",
    "ops/winograd.py",
]


@pytest.mark.parametrize("file", BY_HAND)
def test_no_source_names_a_differentiation(file):
    source = (Path(jaxnets.__file__).parent / file).read_text()
    assert not DIFFERENTIATE & set(names_from_jax(source))


def test_the_list_of_sources_is_complete():
    folder = Path(jaxnets.__file__).parent
    found = {
        str(path.relative_to(folder))
        for path in [*(folder / "backprop").glob("*.py"), *(folder / "ops").glob("[!_]*.py")]
    }
    assert found <= set(BY_HAND)
    assert set(names_from_jax("import jax; jax.grad(f)\nfrom jax import vjp")) == {"grad", "vjp"}


class Variant(MLP):
    """A subclass, whose forward pass may differ."""


@pytest.mark.parametrize("model", [nn.Dense(1), Variant((4,))], ids=["Dense", "Variant"])
def test_unknown_models_are_refused(model):
    name = type(model).__name__
    with pytest.raises(TypeError, match=f"no backward pass by hand for {name}.*MLP, ResidualMLP"):
        backprop.value_and_grad(Objective(model, "squared_error"))


def test_own_activation_and_own_loss(x64):
    """Rows of one's own, given as values instead of names."""
    cube = Activation(lambda s: s**3, lambda s, x: 3 * s**2, (-jnp.inf, jnp.inf), None)
    absolute = Loss(
        lambda outputs, t: jnp.sum(jnp.abs(outputs - t), axis=-1),
        lambda outputs, t: jnp.sign(outputs - t),
        LOSSES["squared_error"].check,
        lambda outputs: outputs,
        classifies=False,
    )
    problem = draw_problem(MLP((4,), 3, cube), "squared_error", features=2, samples=6)
    problem = problem._replace(objective=Objective(problem.objective.model, absolute))
    (value, grads), (true_value, true_grads) = both(*problem)
    chex.assert_trees_all_close(value, true_value, rtol=1e-12)
    assert_equal_gradients(grads, true_grads, 1e-12)
