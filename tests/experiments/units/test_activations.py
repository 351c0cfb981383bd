"""What `activations` measures for its claims, on its own result with entries changed."""

import numpy as np
import pytest

from experiments.lab import run
from experiments.units import activations


@pytest.fixture(scope="module")
def result():
    return activations.run(activations.SMOKE, None)


def verdicts(result):
    return {row["claim"]: row["status"] for row in run.claims_of("activations", result)}


def test_every_claim_holds(result):
    assert set(verdicts(result).values()) == {"reproduced"}


def slope(name, s, value):
    """The slope of an activation at a point of the smoke result."""

    def change(result):
        slopes = result["slopes"].copy()
        slopes[list(result["names"]).index(name), np.abs(result["s"] - s).argmin()] = value
        return {"slopes": slopes}

    return change


def entry(name, at, value):
    def change(result):
        array = result[name].copy()
        array[at] = value
        return {name: array}

    return change


CONTRARY = {
    "the sigmoid keeps a slope on the left": (slope("sigmoid", -8, 0.1), "gradients_vanish"),
    "tanh keeps a slope on the right": (slope("tanh", 10, 0.2), "gradients_vanish"),
    "a second bump": (slope("tanh", 2, 0.6), "gradients_vanish"),
    "ReLU falls": (slope("relu", 9, 0.5), "gradients_vanish"),
    "one derivative is wrong": (entry("errors", 3, 1e-3), "derivatives"),
    "a jump at a = 1": (entry("elu_jumps", 1, 0.1), "elu_smooth"),
    "none at a = 0.5": (entry("elu_jumps", 0, 0.0), "elu_smooth"),
    "none at a = 2": (entry("elu_jumps", 2, 0.0), "elu_smooth"),
    "clipping lets through": (entry("clipped_gradient", 2, 1e-3), "clipping_kills"),
    "the sigmoid dies": (entry("sigmoid_gradient", 3, 0.01), "clipping_kills"),
}


@pytest.mark.parametrize(("change", "claim"), CONTRARY.values(), ids=CONTRARY)
def test_one_contrary_number_refutes_its_own_claim_only(result, change, claim):
    found = verdicts(result | change(result))
    assert found.pop(claim) == "refuted"
    assert set(found.values()) == {"reproduced"}
