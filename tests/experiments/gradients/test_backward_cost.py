"""The judge and the arithmetic of the experiment on the backward pass."""

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.gradients import backward_cost
from experiments.lab import run
from jaxnets.models.cnn import lenet5, residual_cnn, small_cnn

PRODUCTS = {
    "linear": (jn.MLP((), 10), 7840, 7840, 1),
    "one hidden layer": (jn.MLP((100,), 10), 78_400 + 1000, 78_400, 2),
    "lenet5": (
        lenet5(),
        28 * 28 * 25 * 6 + 10 * 10 * 25 * 6 * 16 + 400 * 120 + 120 * 84 + 840,
        28 * 28 * 25 * 6,
        5,
    ),
    "small_cnn": (
        small_cnn(),
        24 * 24 * 25 * 32 + 4 * 4 * 25 * 32 * 64 + 256 * 256 + 2560,
        24 * 24 * 25 * 32,
        4,
    ),
    "residual_cnn": (
        residual_cnn(features=(8, 16)),
        28 * 28 * (9 * 8 + 2 * 9 * 8 * 8) + 14 * 14 * (9 * 8 * 16 + 9 * 16 * 16 + 8 * 16) + 160,
        28 * 28 * 9 * 8,
        7,
    ),
}


@pytest.mark.parametrize(("model", "total", "first", "layers"), PRODUCTS.values(), ids=PRODUCTS)
def test_products_by_hand(model, total, first, layers):
    found = backward_cost.products(model)
    assert found == (total, first, layers)
    assert found.ratio == pytest.approx(2 - first / total)


COUNTED = ["784-256-256-10", "LeNet-5"]


@pytest.mark.parametrize("name", COUNTED)
def test_operations_that_xla_counts_are_the_products_and_little_else(name, key):
    """A product of weights is two operations; what acts on single entries is below a tenth."""
    model = backward_cost.NETWORKS[name]
    forward, by_grad, by_hand = backward_cost._flops(key, model, 16)
    found = backward_cost.products(model)
    assert 1 <= forward / (2 * found.total) <= 1.1
    for flops in (by_grad, by_hand):
        assert 1 <= flops / (2 * found.total * (1 + found.ratio)) <= 1.1


def test_programs_time_the_same_loss_and_gradients(key):
    model = backward_cost.NETWORKS["784-100-10"]
    loss, by_grad, by_hand = (
        f(*backward_cost._arguments(key, model, 4)) for f in backward_cost._programs(model)
    )
    np.testing.assert_allclose([by_grad[0], by_hand[0]], loss, rtol=1e-6)
    for one, other in zip(jax.tree.leaves(by_grad[1]), jax.tree.leaves(by_hand[1]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


NETWORKS = (*backward_cost.NETWORKS,)
DEEP = NETWORKS[1:]
TIMED = ("twice_the_time_1", "twice_the_time_64", "twice_the_time_512")


def cost_result(flops=2.0, times=(2.0, 2.0, 2.0), **changes):
    """Made-up costs of one shallow network, which must not count, and of the deep ones.

    `times` of each batch; `changes` by network, its ratio of operations and of times.
    """
    found = dict.fromkeys(DEEP, (flops, times)) | changes
    jitter = np.exp(np.linspace(-0.1, 0.1, 21))
    forward = np.full((3, len(NETWORKS), 21), 2e-3)
    ratios = np.asarray([(9.0, 9.0, 9.0), *(found[name][1] for name in DEEP)]).T
    gradient = forward * (1 + ratios[..., None] * jitter)
    counted = 4.0 * (1 + np.asarray([9.0, *(found[name][0] for name in DEEP)]))
    return {
        "networks": np.asarray(NETWORKS),
        "batches": np.asarray([1, 64, 512]),
        "layers": np.asarray([2, 3, 9, 4, 4, 5, 10]),
        "products_ratio": np.full(7, 1.8),
        "flops": np.asarray([np.full(7, 4.0), counted, counted]),
        "seconds": np.stack([forward, gradient, gradient]),
    }


def verdicts(result):
    """Of each claim, whether all its parts are reproduced, or why nothing was judged."""
    rows = run.claims_of("backward_cost", result)
    return {
        row["claim"]: all(part["verdict"] == "reproduced" for part in row["parts"])
        if row["parts"]
        else row["ours"]
        for row in rows
    }


ALL = dict.fromkeys(("twice_the_operations", *TIMED), True)
NONE = dict.fromkeys(ALL, False)
COSTS = {
    "twice": ({}, ALL),
    "near the edges": ({"flops": 1.65, "times": (1.7, 2.4, 2.0)}, ALL),
    "as expensive as forward": ({"flops": 1.0, "times": (1.0, 1.0, 1.0)}, NONE),
    "three times": ({"flops": 3.0, "times": (3.0, 3.0, 3.0)}, NONE),
    "only large batches": (
        {"times": (0.8, 1.4, 2.0)},
        ALL | {"twice_the_time_1": False, "twice_the_time_64": False},
    ),
    "twice on average only": (
        {
            name: (ratio, (ratio,) * 3)
            for name, ratio in zip(DEEP, (0.5, 0.5, 0.5, 3.5, 3.5, 3.5), strict=True)
        },
        NONE,
    ),
}


@pytest.mark.parametrize(("made_up", "expected"), COSTS.values(), ids=COSTS)
def test_claims_on_cost_can_fail(made_up, expected):
    assert verdicts(cost_result(**made_up)) == expected


def test_every_network_of_three_layers_is_judged_and_none_of_two():
    for row in run.claims_of("backward_cost", cost_result()):
        assert [part["part"] for part in row["parts"]] == list(DEEP)
        assert {part["n"] for part in row["parts"]} == {2 if "operations" in row["claim"] else 21}


def test_operations_by_hand_count_as_those_of_jax_grad_do():
    result = cost_result()
    result["flops"][2] = 4.0 * (1 + 3.0)
    assert verdicts(result) == ALL | {"twice_the_operations": False}


def test_a_round_in_which_the_gradient_was_the_quicker_is_not_judged():
    result = cost_result()
    result["seconds"][1, 0, 3, 4] = 1e-3
    found = {row["claim"]: row["status"] for row in run.claims_of("backward_cost", result)}
    assert found == dict.fromkeys(ALL, "reproduced") | {"twice_the_time_1": "not judged"}


def test_times_of_a_batch_that_was_not_measured_are_not_judged():
    result = cost_result() | {"batches": np.asarray([1, 64, 128])}
    assert verdicts(result) == ALL | {"twice_the_time_512": "needs batches of 512"}
