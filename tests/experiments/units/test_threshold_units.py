"""The claims of `threshold_units` against Python's logic and linear programming."""

import numpy as np
import pytest
from scipy.optimize import linprog

from experiments.lab import run
from experiments.units import threshold_units as experiment
from jaxnets.classical import AND, NOT, OR


@pytest.fixture(scope="module")
def result():
    """One run with up to three inputs, where weights up to 2 are enough."""
    return experiment.run(experiment.Config(inputs=(1, 2, 3), largest=2), None)


@pytest.fixture(scope="module")
def everything(result):
    """The same with four inputs, whose tables are all computed as they should be."""
    single = experiment.one_unit(4, 3)["single"]
    built = dict.fromkeys(("network_4", "gates_4"), np.ones(2**16, bool))
    four = built | {"single_4": single, "impossible_4": ~single}
    return result | four | {"inputs": np.asarray([1, 2, 3, 4])}


def verdicts(result):
    return {row["claim"]: row["status"] for row in run.claims_of("threshold_units", result)}


def test_every_claim_holds_for_up_to_four_inputs(everything):
    assert set(verdicts(everything).values()) == {"reproduced"}


def test_three_inputs_do_not_decide_about_four(result):
    assert verdicts(result) == {
        "gates_hold": "reproduced",
        "builds_all": "not judged",
        "one_unit": "not judged",
    }


CONTRARY = {
    "or of 00 is 1": ("or", 0, "gates_hold"),
    "and of 01 is 1": ("and", 1, "gates_hold"),
    "not of 1 is 1": ("not", 1, "gates_hold"),
    "a table missed by two layers": ("network_2", 6, "builds_all"),
    "a table missed by the gates": ("gates_3", 200, "builds_all"),
    "a unit computes xor": ("single_2", 6, "one_unit"),
    "a unit misses or": ("single_2", 14, "one_unit"),
    "no proof for xor": ("impossible_2", 6, "one_unit"),
    "a proof too many": ("impossible_1", 0, "one_unit"),
}


@pytest.mark.parametrize(("name", "entry", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_one_contrary_entry_refutes_its_own_claim_only(everything, name, entry, failing):
    changed = everything[name].copy()
    changed[entry] = 1 - changed[entry]
    found = verdicts(everything | {name: changed})
    assert found.pop(failing) == "refuted"
    assert set(found.values()) == {"reproduced"}


def test_agreement_on_a_wrong_count_fails(everything):
    """Both sides say that one input has three tables only."""
    single = np.asarray([True, True, True, False])
    found = verdicts(everything | {"single_1": single, "impossible_1": ~single})
    assert found["one_unit"] == "refuted"


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
