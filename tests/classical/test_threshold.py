"""Threshold units against Python's own logic, and networks of them against every truth table."""

import itertools

import jax
import numpy as np
import pytest

from jaxnets.classical import (
    AND,
    NOT,
    OR,
    linear_predict,
    signs,
    threshold_network,
    threshold_unit,
    truth_table_network,
)


@pytest.mark.parametrize(
    ("gate", "truth"),
    [
        (OR, lambda u, v: u or v),
        (AND, lambda u, v: u and v),
        (NOT, lambda u: 1 - u),
    ],
    ids=["or", "and", "not"],
)
def test_the_lectures_weights_compute_the_gate(gate, truth):
    for inputs in itertools.product([0, 1], repeat=len(gate["w"])):
        assert threshold_unit(np.array(inputs), **gate) == truth(*inputs)


def test_a_unit_fires_on_its_hyperplane():
    np.testing.assert_array_equal(threshold_unit([[2.0], [1.9]], np.array([1.0]), -2.0), [1, 0])


@pytest.mark.parametrize("inputs", [1, 2, 3, 4])
def test_every_truth_table_is_computed(inputs):
    rows = np.array(list(itertools.product([0, 1], repeat=inputs)))
    tables = np.arange(2**2**inputs)[:, None] >> np.arange(2**inputs) & 1
    assert len({tuple(t) for t in tables}) == 2**2**inputs

    @jax.jit
    @jax.vmap
    def outputs(table):
        return threshold_network(truth_table_network(table), rows)[:, 0]

    np.testing.assert_array_equal(outputs(tables), tables)


def test_parity_of_seven_inputs():
    rows = np.array(list(itertools.product([0, 1], repeat=7)))
    parity = rows.sum(axis=1) % 2
    outputs = threshold_network(truth_table_network(parity), rows)
    np.testing.assert_array_equal(outputs[:, 0], parity)


@pytest.mark.parametrize("table", [[0, 1, 1], [1], [], [[0, 1], [1, 0]]])
def test_a_table_of_the_wrong_shape_is_refused(table):
    with pytest.raises(ValueError, match=r"2\*\*n entries"):
        truth_table_network(np.array(table))


@pytest.mark.parametrize("dtype", [np.int32, np.uint8, np.bool_])
def test_signs_of_any_label_dtype(dtype):
    np.testing.assert_array_equal(signs(np.array([0, 1], dtype)), [-1.0, 1.0])


def test_linear_predict_is_the_side_of_the_hyperplane():
    params = {"w": np.array([1.0, -1.0]), "b": np.array(0.5)}
    np.testing.assert_array_equal(linear_predict(params, [[0.0, 1.0], [1.0, 0.0]]), [0, 1])
