"""The verdicts on random wirings, and the contenders' units and weights."""

import jax
import numpy as np
import pytest

from experiments.functions import random_wiring
from jaxnets.data import Dataset
from jaxnets.models import count_parameters
from jaxnets.models.random_wiring import wiring

JITTER = np.linspace(-0.01, 0.01, 8)


def made_up(images=(0.96, 0.98, 0.98), board=(0.5, 0.9, 0.9), spread=JITTER):
    """Accuracies of the linear, the layered and the randomly wired network."""
    result = {"data": np.asarray("digits")}
    for problem, means in zip(random_wiring.PROBLEMS, (images, board), strict=True):
        for contender, mean in zip(random_wiring.CONTENDERS, means, strict=True):
            wobble = spread if contender == "random" else 0.5 * JITTER
            result[f"{problem}_{contender}"] = mean + wobble
    return result


def statuses(result):
    return [claim.judge(result).status for claim in random_wiring.CLAIMS]


HOLDS, FAILS = "reproduced", "not reproduced"
CASES = {
    "as good": ({}, [HOLDS, HOLDS]),
    "better": ({"board": (0.5, 0.8, 0.9)}, [HOLDS, HOLDS]),
    "half a point less": ({"images": (0.96, 0.98, 0.975)}, [HOLDS, HOLDS]),
    "one point less": ({"images": (0.96, 0.98, 0.97)}, [FAILS, HOLDS]),
    "worse on the board": ({"board": (0.5, 0.9, 0.85)}, [HOLDS, FAILS]),
    "no better than a linear model": ({"images": (0.98, 0.98, 0.98)}, [FAILS, HOLDS]),
    "too uncertain": ({"spread": 10 * JITTER}, [FAILS, FAILS]),
}


@pytest.mark.parametrize(("changes", "expected"), CASES.values(), ids=CASES)
def test_claims_can_hold_and_fail(changes, expected):
    assert statuses(made_up(**changes)) == expected


def test_gaps_are_paired():
    """What seeds have in common does not widen the interval."""
    result = made_up()
    common = np.linspace(-0.2, 0.2, 8)
    for contender in random_wiring.CONTENDERS:
        result[f"images_{contender}"] = result[f"images_{contender}"] + common
    assert statuses(result) == [HOLDS, HOLDS]
    np.testing.assert_allclose(random_wiring.gap(result, "images", "layered"), 0.5 * JITTER)


def problem(layers, levels):
    data = Dataset({"x": np.zeros((4, 5), np.float32), "y": np.zeros(4, np.int32)})
    return random_wiring.Problem(data, "softmax_cross_entropy", 3, "relu", 1, layers, levels)


@pytest.mark.parametrize(("layers", "levels"), [((6, 4), (2,) * 5), ((7,), (3, 4))])
def test_contenders_have_equally_many_units_and_weights(key, layers, levels):
    models = problem(layers, levels).models()
    x = np.zeros((1, 5), np.float32)
    layered = count_parameters(jax.eval_shape(models["layered"].init, key, x))
    params = jax.jit(models["random"].init)(key, x)
    assert int(wiring(params).sum()) + len(params["params"]["bias"]) == layered


def test_contenders_must_have_equally_many_units():
    with pytest.raises(ValueError, match="differ in units"):
        problem((6, 4), (2,) * 4).models()
