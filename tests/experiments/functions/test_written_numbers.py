"""The claims of `written_numbers`, and its formulas against small cases by hand."""

import math
from decimal import Decimal
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.functions import written_losses as losses
from experiments.functions import written_networks as networks
from experiments.functions import written_numbers as experiment
from experiments.functions import written_planes as planes
from experiments.lab import run
from jaxnets import LOSSES, MLP


@pytest.fixture(scope="module")
def result():
    """A small run; the memory is made up, since tests compile without XLA's optimisations."""
    found = experiment.run(experiment.SMOKE, jax.random.key(0))
    sizes = found["sizes"]
    return found | {"memory_full": 800.0 * sizes, "memory_batches": np.full(len(sizes), 5e5)}


def verdicts(result):
    return {row["claim"]: row["status"] for row in run.claims_of("written_numbers", result)}


def test_every_claim_holds(result):
    assert verdicts(result) == dict.fromkeys(experiment.CLAIMS, "reproduced")


CONTRARY = {
    "an odd count": ("weights", 3, 1, {"parameter_counts"}),
    "10/20/10 has one more": ("weights", 7, 1, {"parameter_counts", "residual_layer"}),
    "no bias in the product": ("compact", 1, 0.1, {"compact_form"}),
    "four layers are not linear": ("linear", 3, 0.1, {"no_activation"}),
    "a wider residual layer": ("residual_weights", (), 11, {"residual_layer"}),
    "no bypass": ("residual", (), 0.5, {"residual_layer"}),
    "a slope of hinge": ("loss_hinge_slope", (3, 0), 1, {"losses_stable"}),
    "a value that overflows far": ("loss_gaussian_value", 5, 1e300, {"losses_stable"}),
    "a hidden value": ("relu_hidden", 1, 0.5, {"relu_example"}),
    "a third readout": ("relu_y", 2, 0.5, {"relu_example"}),
    "two folds": ("relu_regions", 0, 2, {"relu_example"}),
    "6 pieces of 3": ("lines_regions", 2, -1, {"hyperplanes"}),
    "a grid that shows 3 of 4": ("lines_patterns", 1, -1, {"hyperplanes"}),
    "a jump": ("lines_edges", 0, 1e-3, {"hyperplanes"}),
    "13,003": ("digit_weights", (), 1, {"all_weights"}),
    "another order by reverse mode": ("jacobian_reverse", 2, 0.7, {"jacobian_chain"}),
    "another order by forward mode": ("jacobian_forward", 0, 0.7, {"jacobian_chain"}),
    "all memory at the largest": ("memory_full", 2, 4e5, {"batch_memory"}),
    "memory of batches grows": ("memory_batches", 2, 1e5, {"batch_memory"}),
    "a distance in 10 dimensions": ("distance", 2, 0.1, {"signed_distance"}),
    "other weights at much noise": ("noise_weights", 2, 0.1, {"gaussian_noise"}),
    "another gradient": ("noise_gradients", 0, 0.1, {"gaussian_noise"}),
    "an area with ties": ("roc_areas", (1, 0), 0.01, {"roc_area"}),
    "scikit-learn's area": ("roc_areas", (0, 3), 0.01, {"roc_area"}),
    "a probability off the formula": ("car_formula", 1, 0.01, {"buys_car"}),
}


@pytest.mark.parametrize(("name", "entry", "change", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_one_contrary_entry_refutes_what_rests_on_it(result, name, entry, change, failing):
    changed = result[name].copy()
    changed[entry] += change
    found = verdicts(result | {name: changed})
    assert {claim for claim, status in found.items() if status == "refuted"} == failing
    assert {status for claim, status in found.items() if claim not in failing} == {"reproduced"}


@pytest.mark.parametrize("family", range(5))
def test_each_family_on_the_wrong_side_refutes(result, family):
    y = result["car_y"].copy()
    y[family] = 1 - y[family]
    assert verdicts(result | {"car_y": y, "car_formula": y})["buys_car"] == "refuted"


def test_memory_that_does_not_grow_refutes(result):
    flat = result["memory_batches"]
    assert verdicts(result | {"memory_full": flat})["batch_memory"] == "refuted"
    grows = result["memory_full"]
    assert verdicts(result | {"memory_batches": grows})["batch_memory"] == "refuted"


def test_the_order_of_l2_is_not_the_jacobian(result):
    assert result["jacobian_reversed"].min() > 0.01


@pytest.mark.parametrize(("name", "widths"), networks.NETWORKS.items(), ids=networks.NETWORKS)
def test_weights_are_counted_as_by_hand(name, widths):
    sizes = (2, *widths, 1)
    expected = sum((n + 1) * m for n, m in pairwise(sizes))
    assert networks.count(MLP(widths)) == expected


def test_every_loss_has_its_printed_formula():
    on_no_slide = {"huber", "focal", "smoothed_cross_entropy"}
    assert set(losses.PRINTED) | on_no_slide == set(LOSSES)


@pytest.mark.parametrize(
    ("name", "outputs", "target", "expected"),
    [
        ("softmax_cross_entropy", (0, 0, 0), 1, math.log(3)),
        ("binary_cross_entropy", (2,), 0, math.log(1 + math.exp(2))),
        ("multilabel_cross_entropy", (2, 2), (1, 0), 2 + 2 * math.log(1 + math.exp(-2))),
        ("hinge", (0.25,), 0, 1.25),
        ("perceptron", (0.25,), 0, 0.25),
        ("squared_error", (1, 2), (0, 4), 5),
        (
            "gaussian",
            (1, math.log(math.expm1(4 - 1e-6))),
            (3,),
            0.5 + math.log(2 * math.sqrt(2 * math.pi)),
        ),
    ],
)
def test_printed_losses_have_their_values_by_hand(name, outputs, target, expected):
    exact = losses.PRINTED[name].formula([Decimal(y) for y in outputs], target)
    assert float(exact) == pytest.approx(expected, rel=1e-12)


def test_a_loss_that_rounds_a_probability_is_found(x64, monkeypatch):
    """As L0 prints it, in float64: ln(1 - y) is minus infinity from s = 37 on."""
    loss = LOSSES["binary_cross_entropy"]

    def printed(outputs, labels):
        y = jax.nn.sigmoid(outputs[:, 0])
        return -jnp.where(labels == 1, jnp.log(y), jnp.log(1 - y))

    monkeypatch.setitem(losses.LOSSES, "binary_cross_entropy", loss._replace(value=printed))
    assert losses.errors("binary_cross_entropy")["value"].max() == np.inf


def test_overflow_is_shown_where_it_begins(x64):
    printed, stable = losses.overflowing(np.asarray([1.0, 36.0, 38.0, 1e4]))
    assert np.isfinite(printed).tolist() == [True, True, False, False]
    np.testing.assert_allclose(stable, [math.log(1 + math.e), 36, 38, 1e4], rtol=1e-12)


def test_jacobians_of_layers_multiply_to_differences(x64):
    random = np.random.default_rng(1)
    model = MLP((4, 3), outputs=2, activation="softplus")
    params = networks.draw(model, 5, random)
    x = random.normal(size=(1, 5))
    first, second, last = (factor[0] for factor in networks.layer_jacobians(model, params, x))
    steps = 1e-6 * np.eye(5)
    above, below = (np.asarray(model.apply(params, x + sign * steps)) for sign in (1, -1))
    np.testing.assert_allclose(last @ second @ first, (above - below).T / 2e-6, atol=1e-8)


def test_a_set_of_twice_the_size_takes_twice_the_memory_at_once_only():
    found = networks.memory((40_000, 80_000), 100)
    assert found["full"][1] == pytest.approx(2 * found["full"][0], rel=0.05)
    assert found["batches"][1] < 1.05 * found["batches"][0]
    assert found["batches"][1] < found["full"][1] / 10


def test_nearest_point_and_side_of_a_line():
    w = np.asarray([1.0, 1.0]) / math.sqrt(2)
    x = np.asarray([[0.0, 0.0], [3.0, 3.0], [2.0, 0.0]])
    np.testing.assert_allclose(
        planes.nearest(x, w, -math.sqrt(2)), [[1, 1], [1, 1], [2, 0]], atol=1e-12
    )


def test_lines_of_the_picture_meet_within_it():
    for i, j in ((0, 1), (0, 2), (1, 2)):
        meet = np.linalg.solve(planes.LINES[[i, j]], -planes.OFFSETS[[i, j]])
        assert np.abs(meet).max() < planes.REACH


def test_curve_of_five_scores_with_a_tie_by_hand():
    scores = np.asarray([0.9, 0.8, 0.5, 0.5, 0.1])
    labels = np.asarray([1, 0, 1, 0, 0])
    curve = planes.roc_curve(scores, labels)
    expected = [[0, 0], [0, 1 / 2], [1 / 3, 1 / 2], [2 / 3, 1], [1, 1]]
    np.testing.assert_allclose(curve, expected, rtol=1e-12)
    np.testing.assert_allclose(planes.areas(scores, labels), 4.5 / 6, rtol=1e-12)


@pytest.mark.parametrize(("scores", "area"), [([0, 1, 2, 3], 1), ([3, 2, 1, 0], 0), ([1] * 4, 0.5)])
def test_area_of_perfect_reversed_and_equal_scores(scores, area):
    found = planes.areas(np.asarray(scores, float), np.asarray([0, 0, 1, 1]))
    np.testing.assert_allclose(found, area, atol=1e-12)
