"""Image networks' gradients by hand against jax.grad, and against plain Flax layers under it."""

from pathlib import Path
from typing import NamedTuple

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
from jaxnets import Objective, backprop
from jaxnets.activations import ACTIVATIONS
from jaxnets.backprop import cnn
from jaxnets.losses import LOSSES
from jaxnets.models import (
    CNN,
    Activate,
    AveragePool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAverage,
    GroupNorm,
    MaxPool,
    Parallel,
    Residual,
    lenet5,
    residual_cnn,
    small_cnn,
)
from tests.backprop.test_mlp import (
    DIFFERENTIATE,
    assert_equal_gradients,
    names_from_jax,
    not_differentiable,
)
from tests.models.test_cnn import FLAX_ACTIVATIONS, IMAGES, plain_model, plain_params, random_params


class Problem(NamedTuple):
    objective: Objective
    params: dict
    batch: dict


def draw_problem(model, shape, seed=0, l1=0.0, l2=0.0):
    rng = np.random.default_rng(seed)
    x = jnp.asarray(rng.normal(size=shape), float)
    params = random_params(model, x, seed)
    outputs = jax.eval_shape(model.apply, params, x).shape[-1]
    batch = {"x": x, "y": jnp.asarray(rng.integers(0, outputs, len(x)))}
    return Problem(Objective(model, "softmax_cross_entropy", l1, l2), params, batch)


def three_ways(problem):
    """`((value, metrics), gradients)` by hand, by JAX, and of Flax's own layers by JAX."""
    objective, params, batch = problem
    theirs = Objective(plain_model(objective.model), objective.loss, objective.l1, objective.l2)

    @jax.jit
    def compute(params, batch):
        by_hand = backprop.value_and_grad(objective)(params, batch)
        by_jax = jax.value_and_grad(objective, has_aux=True)(params, batch)
        flax = jax.value_and_grad(theirs, has_aux=True)(plain_params(params), batch)
        return by_hand, by_jax, flax

    return compute(params, batch)


def assert_all_equal(problem, tolerance=1e-12):
    (value, grads), (jax_value, jax_grads), (flax_value, flax_grads) = three_ways(problem)
    chex.assert_trees_all_close(value, jax_value, rtol=tolerance)
    chex.assert_trees_all_close(value, flax_value, rtol=tolerance)
    assert_equal_gradients(grads, jax_grads, tolerance)
    assert_equal_gradients(plain_params(grads), flax_grads, tolerance)


MODELS = {
    "small": (small_cnn(), (2, 28, 28, 1)),
    "lenet5": (lenet5(), (2, 28, 28, 1)),
    "residual": (residual_cnn(3, (8, 16)), (3, 7, 8, 2)),
}


@pytest.mark.parametrize(("model", "shape"), MODELS.values(), ids=MODELS)
def test_networks_of_the_lectures(x64, model, shape):
    """Row D1: convolution, max and average pooling; penalties on kernels and weights alone."""
    assert_all_equal(draw_problem(model, shape, l1=0.01, l2=0.02))


def test_single_precision():
    assert_all_equal(draw_problem(residual_cnn(3, (8,)), (3, 5, 5, 1)), 1e-5)


EVERY_KIND = CNN(
    (
        *(Conv(4, 2), MaxPool(2, 1), Activate("tanh"), GroupNorm(2), AveragePool(2, (2, 1))),
        *(Conv(4, 1, bias=False), BatchNorm(1e-3), Parallel(((Conv(2, 1),), (MaxPool(1),), ()))),
        *(Residual((Conv(10, 1), Residual((Activate("elu"),)))), GlobalAverage(), Dense(3)),
        *(Activate("sigmoid"), Dropout(0.3), Dense(2), Flatten()),
    )
)


def test_penalties(x64):
    l1, l2 = 0.3, 0.2
    problem = draw_problem(EVERY_KIND, (3, 6, 5, 2), l1=l1, l2=l2)
    assert_all_equal(problem)
    value, plain = (
        jax.jit(Objective(EVERY_KIND, "softmax_cross_entropy", **penalties))(*problem[1:])[0]
        for penalties in ({"l1": l1, "l2": l2}, {})
    )
    weights = [a for a in map(np.asarray, jax.tree.leaves(problem.params)) if a.ndim > 1]
    assert {w.ndim for w in weights} == {2, 4}
    penalty = sum(l1 * np.abs(w).sum() + l2 * (w**2).sum() for w in weights)
    np.testing.assert_allclose(value - plain, penalty, rtol=1e-10)


PADDINGS = st.sampled_from(["VALID", "SAME", ((1, 0), (0, 2)), ((2, 1), (1, 1))])


@st.composite
def layers(draw, depth=1):
    """Layers that leave images of 2 x 2 or more as such, for any input of 6 x 6 or more."""
    pairs = st.tuples(st.integers(1, 2), st.integers(1, 2))
    size = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    activation = Activate(draw(st.sampled_from(list(FLAX_ACTIVATIONS))))
    features = draw(st.sampled_from([2, 4, 6]))
    options = [
        (Conv(features, size, draw(pairs), "SAME"), activation),
        (Conv(features, draw(pairs), 1, draw(PADDINGS)), GroupNorm(2)),
        (MaxPool(size, draw(st.one_of(st.none(), pairs)), "SAME"), activation),
        (AveragePool(size, draw(st.one_of(st.none(), pairs)), "SAME"),),
        (MaxPool((2, draw(st.integers(2, 3))), 1, ((1, 0), (1, 1))),),
    ]
    if depth:
        inner = (*draw(layers(depth=0)), Conv(4, 1, 1, "SAME"))
        same = tuple(a.clone() for a in inner if not isinstance(a, Activate | GroupNorm))
        options.append((Residual(inner, same),))
        options.append((Residual((activation, activation)), activation))
    return draw(st.sampled_from(options))


@st.composite
def models(draw):
    body = [layer for _ in range(draw(st.integers(1, 3))) for layer in draw(layers())]
    head = draw(st.sampled_from([GlobalAverage(), Flatten()]))
    last = draw(st.sampled_from([(), (Dense(5), Activate("tanh"))]))
    return CNN((*body, head, *last, Dense(3)))


@hypothesis.settings(max_examples=6, phases=[hypothesis.Phase.generate])
@hypothesis.given(
    model=models(),
    shape=st.tuples(*map(st.integers, (1, 6, 6, 1), (3, 8, 8, 5))),
    seed=st.integers(0, 2**16),
)
def test_random_chains(model, shape, seed):
    with jax.enable_x64(True):
        assert_all_equal(draw_problem(model, shape, seed))


def test_central_differences(x64):
    """Of a network that is smooth, along 20 directions that leave the statistics as they are."""
    model = CNN(
        (Conv(4, 2, padding="SAME"), Activate("tanh"), GroupNorm(1), *EVERY_KIND.layers[4:])
    )
    objective, params, batch = draw_problem(model, (3, 4, 4, 2), l2=0.1)
    _, grads = jax.jit(backprop.value_and_grad(objective, has_aux=False))(params, batch)
    flat, unravel = ravel_pytree(params)
    moves = {
        name: jax.tree.map(lambda a, m=name == "params": jnp.full_like(a, m), tree)
        for name, tree in params.items()
    }
    directions = (
        np.random.default_rng(3).normal(size=(20, flat.size)) * ravel_pytree(moves)[0][None]
    )
    h = 1e-5

    @jax.jit
    @jax.vmap
    def value(flat):
        return objective(unravel(flat), batch)[0]

    differences = (value(flat[None] + h * directions) - value(flat[None] - h * directions)) / h / 2
    slopes = directions @ ravel_pytree(grads)[0]
    np.testing.assert_allclose(slopes, differences, rtol=1e-6, atol=1e-8)


def test_there_is_a_rule_for_every_kind_tested():
    kinds = set(map(type, EVERY_KIND.layers))
    assert kinds == set(cnn.RULES)


def test_under_vmap(x64):
    """A sweep's networks: stacked parameters on one batch."""
    problem = draw_problem(EVERY_KIND, (3, 6, 5, 2))
    stacked = jax.tree.map(lambda a: jnp.stack([a, a[::-1] / 2]), problem.params)
    by_hand, by_jax = (
        jax.jit(jax.vmap(f(problem.objective, has_aux=True), (0, None)))(stacked, problem.batch)
        for f in (backprop.value_and_grad, jax.value_and_grad)
    )
    chex.assert_trees_all_close(by_hand, by_jax, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    "layers", [(nn.LayerNorm(),), (Residual((nn.LayerNorm(),)),)], ids=["chain", "block"]
)
def test_layers_without_a_rule_are_named(key, layers):
    model = CNN((*layers, Flatten(), Dense(2)))
    params = jax.jit(model.init)(key, IMAGES)
    batch = {"x": jnp.asarray(IMAGES), "y": jnp.array([0, 1, 1])}
    differentiate = backprop.value_and_grad(Objective(model, "softmax_cross_entropy"))
    with pytest.raises(
        TypeError, match=r"for a LayerNorm layer .*Conv, Dense.*jax\.value_and_grad"
    ):
        differentiate(params, batch)


class Variant(Conv):
    """A subclass, whose forward pass may differ."""


def test_subclasses_are_refused(key):
    model = CNN((Variant(2, 3), Flatten(), Dense(2)))
    params = jax.eval_shape(model.init, key, IMAGES)
    batch = {"x": IMAGES, "y": np.array([0, 1, 1])}
    differentiate = backprop.value_and_grad(Objective(model, "softmax_cross_entropy"))
    with pytest.raises(TypeError, match="for a Variant layer"):
        jax.eval_shape(differentiate, params, batch)


def sealed_against_jax(layers):
    """The same chain, whose activations have a derivative that raises."""
    return tuple(
        Activate(
            ACTIVATIONS[a.activation]._replace(f=not_differentiable(ACTIVATIONS[a.activation].f))
        )
        if isinstance(a, Activate)
        else a
        for a in layers
    )


def test_nothing_is_differentiated_by_jax():
    """Whatever the call, JAX would meet the derivatives of an activation and of the loss."""
    loss = LOSSES["softmax_cross_entropy"]
    objective, params, batch = draw_problem(EVERY_KIND, (3, 6, 5, 2))
    sealed = Objective(
        CNN(sealed_against_jax(EVERY_KIND.layers)),
        loss._replace(value=not_differentiable(loss.value)),
    )
    with pytest.raises(AssertionError, match="JAX differentiated"):
        jax.make_jaxpr(jax.value_and_grad(sealed, has_aux=True))(params, batch)
    chex.assert_trees_all_equal(
        *(jax.jit(backprop.value_and_grad(o))(params, batch) for o in (sealed, objective))
    )


@pytest.mark.parametrize(("model", "shape"), MODELS.values(), ids=MODELS)
def test_no_public_differentiation_is_called(monkeypatch, model, shape):
    objective, params, batch = draw_problem(model, shape, l1=0.1, l2=0.1)
    for name in DIFFERENTIATE & set(dir(jax)):
        monkeypatch.setattr(jax, name, None)
    with pytest.raises(TypeError):
        jax.grad(objective)
    jax.make_jaxpr(backprop.value_and_grad(objective))(params, batch)


FOLDER = Path(jaxnets.__file__).parent
BY_HAND = ["backprop/cnn.py", "models/layers.py", "models/cnn.py"]
BY_HAND += sorted(str(path.relative_to(FOLDER)) for path in (FOLDER / "ops").glob("*.py"))


@pytest.mark.parametrize("file", BY_HAND)
def test_no_source_names_a_differentiation(file):
    assert not DIFFERENTIATE & set(names_from_jax((FOLDER / file).read_text()))
