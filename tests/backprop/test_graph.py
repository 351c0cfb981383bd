"""Derivatives on expression graphs against JAX's, and against themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.gradients.computational_graph import random_graph
from jaxnets.backprop import graph as ex


def by_jax(output, point):
    """The gradient by `jax.grad` of the same Python function, one number an input."""

    def function(values):
        return ex.evaluate(output, dict(zip(point, values, strict=True)))[output]

    return jax.grad(function)(list(point.values()))


def all_ways(output, point):
    """The gradient by paths, forward passes and one reverse pass, `[3, inputs]`."""
    edges = ex.local_derivatives(output, point)
    down = ex.reverse(edges)
    return np.asarray(
        [
            [ex.sum_over_paths(edges, source) for source in point],
            [ex.forward(edges, source)[output] for source in point],
            [down[source] for source in point],
        ]
    )


@pytest.mark.parametrize("name", ex.OPERATIONS)
def test_local_derivatives_are_jaxs(x64, name):
    operation = ex.OPERATIONS[name]
    operands = (0.7, 1.9)[: operation.operands]
    expected = jax.grad(operation.f, range(operation.operands))(*operands)
    np.testing.assert_allclose(operation.partials(*operands), expected, rtol=1e-13)


def quotient(a, b):
    return 1 / a - 2 / (3 - b) + (a - 1) / b


def shared(a, b):
    """Every value is used twice."""
    c = a * b
    d = c * c + c
    return ex.apply("log", d * d) - d / (d + 2)


EXPRESSIONS = {
    "lecture": lambda a, b: (a + b) * (b + 1),
    "same operand twice": lambda a, b: a * a + b - b,
    "numbers on either side": quotient,
    "shared values": shared,
    "functions": lambda a, b: ex.apply("exp", ex.apply("sin", a)) * ex.apply("tanh", a * b),
}


@pytest.mark.parametrize("build", EXPRESSIONS.values(), ids=EXPRESSIONS)
def test_three_ways_agree_with_jax(x64, build):
    a, b = ex.inputs(2)
    output = build(a, b)
    point = {a: 0.8, b: 1.7}
    expected = np.broadcast_to(by_jax(output, point), (3, 2))
    np.testing.assert_allclose(all_ways(output, point), expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("seed", range(4))
def test_random_graphs_agree_with_jax(x64, seed):
    choice = np.random.default_rng(seed)
    sources = ex.inputs(3)
    output = random_graph(choice, sources, 12)
    edges = ex.local_derivatives(output, dict.fromkeys(sources, 0.5))
    point = {s: v for s, v in zip(sources, (0.3, -0.9, 1.4), strict=True) if s in edges}
    expected = np.broadcast_to(by_jax(output, point), (3, len(point)))
    np.testing.assert_allclose(all_ways(output, point), expected, rtol=1e-9, atol=1e-12)


def test_the_lectures_paths():
    """Two paths lead from b to e: 2 x 1 over a + b, 3 x 1 over b + 1."""
    a, b = ex.inputs(2)
    c, d = a + b, b + 1
    e = c * d
    edges = ex.local_derivatives(e, {a: 2.0, b: 1.0})
    assert sorted(ex.paths(edges, b)) == [(2.0, 1.0), (3.0, 1.0)]
    assert ex.sum_over_paths(edges, b) == 5
    assert ex.reverse(edges)[c] == ex.forward(edges, c)[e] == 2
    assert ex.forward(edges, b)[a] == 0


def test_arrays_are_taken_elementwise_and_compiled(x64):
    a, b = ex.inputs(2)
    output = EXPRESSIONS["functions"](a, b)

    @jax.jit
    def gradient(x, y):
        down = ex.reverse(ex.local_derivatives(output, {a: x, b: y}))
        return down[a], down[b]

    x, y = jnp.linspace(0.1, 1, 5), jnp.linspace(-1, 1, 5)
    expected = [by_jax(output, {a: u, b: v}) for u, v in zip(x, y, strict=True)]
    np.testing.assert_allclose(np.stack(gradient(x, y), axis=1), expected, rtol=1e-12)


def test_paths_are_counted_without_walking_them():
    (x,) = ex.inputs(1)
    node = x
    for stage in range(1, 8):
        node = 0.5 * node + 0.25 * node
        edges = ex.local_derivatives(node, {x: 1.0})
        assert ex.count_paths(edges, x) == 2**stage == len(list(ex.paths(edges, x)))
    for _ in range(93):
        node = node + node
    assert ex.count_paths(ex.local_derivatives(node, {x: 1.0}), x) == 2**100


def test_a_deep_graph_needs_no_deep_stack():
    (x,) = ex.inputs(1)
    node = x
    for _ in range(5000):
        node = node + 1
    edges = ex.local_derivatives(node, {x: 1.0})
    assert ex.reverse(edges)[x] == ex.forward(edges, x)[node] == ex.sum_over_paths(edges, x) == 1


def test_each_node_is_visited_once():
    a, b = ex.inputs(2)
    output = shared(a, b)
    edges = ex.local_derivatives(output, {a: 1.0, b: 2.0})
    seen = set()
    for node in edges:
        assert seen.issuperset(node.parents)
        seen.add(node)
    assert len(seen) == 11
    assert node is output


WRONG = {
    "operation": (lambda a, b: ex.apply("tan", a), "did you mean 'tanh'"),
    "operands": (lambda a, b: ex.apply("tanh", a, b), "takes 1 operand"),
    "input without value": (lambda a, b: ex.evaluate(a + b, {a: 1.0}), "needs one for each"),
    "other graph": (lambda a, b: ex.forward({a: ()}, b), "not in this graph"),
    "no path": (lambda a, b: ex.sum_over_paths({a: ()}, b), "not in this graph"),
}


@pytest.mark.parametrize(("build", "message"), WRONG.values(), ids=WRONG)
def test_errors_say_what_is_wrong(build, message):
    with pytest.raises(ValueError, match=message):
        build(*ex.inputs(2))


@pytest.mark.parametrize(("a", "b"), [(1e-20, 1e-25), (1.0, 70_000), (1e30, 1e25)])
def test_a_quotient_has_a_derivative_where_the_square_of_b_is_out_of_range(a, b):
    number = jnp.asarray(b)  # 70,000 is an int32, whose square wraps
    slope = ex.OPERATIONS["divide"].partials(jnp.asarray(a), number)[1]
    assert float(slope) == pytest.approx(-(a / b) / b, rel=1e-5)
