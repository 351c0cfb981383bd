"""The verdicts of `computational_graph` on made-up results, and the graphs it draws."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.gradients import computational_graph
from experiments.lab import run
from jaxnets.backprop import graph


def graph_result(**changes):
    """A made-up result that agrees with every claim."""
    labels = np.arange(1.0, 7.0)
    stages = np.arange(1, 21)
    inputs = np.asarray([1, 2, 4])
    return {
        **{f"error_{way}": np.full(5, 1e-16) for way in computational_graph.WAYS},
        "lecture": np.full(3, 5.0),
        "lecture_products": np.asarray([2.0, 3.0]),
        "labels": labels,
        "products": np.outer(labels[3:], labels[:3]).ravel(),
        "paths": 3.0**stages,
        "pass_visits": 8 * stages + 1,
        "inputs": inputs,
        "forward_visits": inputs * (3 * inputs),
        "reverse_visits": 3 * inputs,
        "mode_gaps": np.zeros(3),
    } | changes


stages = np.arange(1, 21)
CLAIMS = (*computational_graph.CLAIMS,)
WRONG = {
    "agreeing": (None, {}),
    "another derivative": ("lecture_number", {"lecture": np.asarray([5.0, 4.0, 5.0])}),
    "other paths": ("lecture_number", {"lecture_products": np.asarray([5.0])}),
    "other products": ("lecture_number", {"lecture_products": np.asarray([1.0, 4.0])}),
    "paths wrong": ("derivatives_agree", {"error_paths": np.asarray([0, 1e-8])}),
    "forward wrong": ("derivatives_agree", {"error_forward": np.asarray([0, 1e-8])}),
    "reverse wrong": ("derivatives_agree", {"error_reverse": np.asarray([1e-8, 0])}),
    "eight products": ("nine_products", {"products": np.arange(8.0)}),
    "nine others": ("nine_products", {"products": np.arange(9.0)}),
    "few paths": ("paths_are_intractable", {"paths": 3.0 * stages}),
    "passes grow too": ("paths_are_intractable", {"pass_visits": 2**stages}),
    "reverse as expensive": ("one_reverse_pass", {"reverse_visits": np.asarray([3, 12, 48])}),
    "modes apart": ("one_reverse_pass", {"mode_gaps": np.asarray([0, 1e-8, 0])}),
}


def statuses(result):
    return {row["claim"]: row["status"] for row in run.claims_of("computational_graph", result)}


@pytest.mark.parametrize(("wrong", "changes"), WRONG.values(), ids=WRONG)
def test_each_claim_fails_on_its_own(wrong, changes):
    expected = {claim: "refuted" if claim == wrong else "reproduced" for claim in CLAIMS}
    assert statuses(graph_result(**changes)) == expected


def test_derivatives_that_are_nan_are_not_judged():
    """Also where a comparison with the largest error would skip them."""
    found = statuses(graph_result(error_reverse=np.asarray([0, np.nan])))
    assert found == dict.fromkeys(CLAIMS, "reproduced") | {"derivatives_agree": "not judged"}


def test_parallel_edges_carry_their_labels(x64):
    """Two stages have a path for each pair of labels, and the derivative is a product of sums."""
    (x,) = graph.inputs(1)
    first, second = (2.0, 3.0, 5.0), (7.0, 11.0, 13.0)
    z = computational_graph.parallel(computational_graph.parallel(x, first), second)
    edges = graph.local_derivatives(z, {x: 1.0})
    products = sorted(math.prod(path) for path in graph.paths(edges, x))
    assert products == sorted(np.outer(first, second).ravel())
    assert graph.reverse(edges)[x] == sum(first) * sum(second)


def test_the_recurrence_is_the_one_written_down(x64, key):
    values = jax.random.normal(key, (5,))
    sources, output = computational_graph.recurrence(5)

    def by_loop(x):
        h = jnp.tanh(x[0])
        for i in range(1, 5):
            h = jnp.tanh(h * x[i] + x[i])
        return h

    edges = graph.local_derivatives(output, dict(zip(sources, values, strict=True)))
    down = graph.reverse(edges)
    expected = jax.grad(by_loop)(values)
    np.testing.assert_allclose([down[source] for source in sources], expected, rtol=1e-12)


@pytest.mark.parametrize("operations", [1, 5, 30])
def test_random_graphs_have_the_requested_number_of_operations(operations):
    """The output never depends on more; over many graphs some depend on all."""
    used = []
    for seed in range(200):
        sources = graph.inputs(3)
        output = computational_graph.random_graph(np.random.default_rng(seed), sources, operations)
        nodes = graph.topological_order(output)
        assert all(node in sources for node in nodes if node.operation is None)
        used.append(sum(node.operation is not None for node in nodes))
    assert max(used) <= operations
    assert max(used) > 0.7 * operations


def test_relative_error_by_hand():
    expected = np.asarray([[1.0, -4.0], [2.0, 0.0]])
    found = [np.asarray([1.0, -3.0]), 2.0]
    assert computational_graph.relative(found, expected) == 0.5
    assert computational_graph.relative([1e-16], np.zeros((1, 3))) == 1e-16


def test_jax_differentiates_the_same_function(x64):
    """The reference's Jacobian of a product, by hand."""
    a, b = graph.inputs(2)
    point = {a: np.asarray([2.0, 3.0]), b: np.asarray([5.0, 7.0])}
    jvp, vjp = computational_graph._by_jax(a * b, point)
    np.testing.assert_array_equal(jvp, [[5, 7], [2, 3]])
    np.testing.assert_array_equal(vjp, jvp)
