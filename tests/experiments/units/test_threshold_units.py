"""The verdicts of `threshold_units` against Python's logic and linear programming."""

import numpy as np
import pytest
from scipy.optimize import linprog

from experiments.units import threshold_units as experiment
from jaxnets.classical import AND, NOT, OR


@pytest.fixture(scope="module")
def result():
    """One run with up to three inputs, where weights up to 2 are enough."""
    return experiment.run(experiment.Config(inputs=(1, 2, 3), largest=2), None)


def statuses(result):
    return [claim.judge(result).status for claim in experiment.CLAIMS]


def test_every_claim_holds_for_up_to_three_inputs(result):
    assert statuses(result) == ["reproduced"] * 3


def flip(result, name, entry=0):
    changed = result[name].copy()
    changed[entry] = 1 - changed[entry]
    return result | {name: changed}


CONTRARY = {
    "or of 00 is 1": ("or", 0, 0),
    "and of 01 is 1": ("and", 1, 0),
    "not of 1 is 1": ("not", 1, 0),
    "a table missed by two layers": ("network_2", 6, 1),
    "a table missed by the gates": ("gates_3", 200, 1),
    "a unit computes xor": ("single_2", 6, 2),
    "a unit misses or": ("single_2", 14, 2),
    "no proof for xor": ("impossible_2", 6, 2),
    "a proof too many": ("impossible_1", 0, 2),
}


@pytest.mark.parametrize(("name", "entry", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_one_contrary_entry_fails_its_own_claim_only(result, name, entry, failing):
    judged = statuses(flip(result, name, entry))
    assert judged.pop(failing) == "not reproduced"
    assert set(judged) == {"reproduced"}


def test_agreement_on_a_wrong_count_fails():
    """Both sides say that one input has three tables only."""
    wrong = {
        "inputs": np.asarray([1]),
        "single_1": np.asarray([True, True, True, False]),
        "impossible_1": np.asarray([False, False, False, True]),
    }
    assert experiment.CLAIMS[2].judge(wrong).status == "not reproduced"


@pytest.mark.parametrize("n", [1, 2, 3])
def test_what_one_unit_computes_is_what_linear_programming_separates(result, n):
    """Is there a (w, b) with y (w.x + b) >= 1 for every row?"""
    rows = np.asarray([[r >> i & 1 for i in reversed(range(n))] for r in range(2**n)])
    rows = np.column_stack([rows, np.ones(2**n)])
    for code, single in enumerate(result[f"single_{n}"]):
        signs = np.asarray([2 * (code >> r & 1) - 1 for r in range(2**n)])
        found = linprog(
            np.zeros(n + 1), -signs[:, None] * rows, -np.ones(2**n), bounds=(None, None)
        )
        assert found.success == single, code


@pytest.mark.parametrize("n", [1, 2, 3])
def test_equal_weights_compute_thresholds_of_the_number_of_ones(result, n):
    """At least k ones, k = 0 to n + 1, and the opposite of each: 2 n + 2 without the constants."""
    ones = np.asarray([r.bit_count() for r in range(2**n)])
    expected = {
        sum(int(bit) << r for r, bit in enumerate(side))
        for k in range(n + 2)
        for side in (ones >= k, ones < k)
    }
    assert set(np.flatnonzero(result[f"shared_{n}"])) == expected
    assert len(expected) == 2 * n + 2


def test_four_inputs_have_the_known_number_of_threshold_functions():
    found = experiment.one_unit(4, 3)["single"]
    assert found.sum() == experiment.KNOWN[4]
    np.testing.assert_array_equal(experiment.prove_impossible(experiment.all_tables(4)), ~found)


@pytest.mark.parametrize(
    "function", [lambda a, b, c: a ^ b ^ c, lambda a, b, c: a & (b | 1 - c), lambda a, b, c: 0]
)
def test_gates_compute_pythons_logic(function):
    rows = np.asarray([[r >> 2 & 1, r >> 1 & 1, r & 1] for r in range(8)])
    expected = np.asarray([function(*map(int, row)) for row in rows])
    np.testing.assert_array_equal(experiment.gates(expected, rows), expected)
    shuffled = np.random.default_rng(0).permutation(8)
    outputs = experiment.gates(expected, rows[shuffled])
    np.testing.assert_array_equal(outputs, expected[shuffled])


def test_tables_of_two_inputs_that_no_unit_computes_are_xor_and_its_opposite():
    (names,) = np.nonzero(experiment.prove_impossible(experiment.all_tables(2)))
    assert [experiment.all_tables(2)[code].tolist() for code in names] == [
        [0, 1, 1, 0],
        [1, 0, 0, 1],
    ]


def test_units_have_the_lectures_weights():
    for gate, w, b in ((OR, [1, 1], -0.5), (AND, [1, 1], -1.5), (NOT, [-1], 0.5)):
        assert gate["w"].tolist() == w
        assert gate["b"] == b


@pytest.mark.parametrize("inputs", [(5,), (1, 2, 6)])
def test_too_many_inputs_are_refused(inputs):
    with pytest.raises(ValueError, match="too many tables"):
        experiment.run(experiment.Config(inputs=inputs), None)
