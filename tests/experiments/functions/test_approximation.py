"""`approximation`: sines written down against closed forms; its judges on made-up errors."""

import dataclasses

import numpy as np
import pytest

from experiments.functions import approximation, written_sines
from experiments.functions.written_sines import WRITTEN, outputs, sine
from experiments.lab import run

JITTER = np.exp(np.linspace(-0.05, 0.05, 32))
WRITTEN_K, TRAINED_K = np.asarray([4, 8, 16, 32, 64]), np.asarray([4, 8, 16, 32, 64])


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("units", [4, 8, 40])
def test_networks_have_the_requested_number_of_units(name, units):
    params = WRITTEN[name].write(units)["params"]
    assert params["hidden_0"]["weight"].shape == (units, WRITTEN[name].features)


def test_polygon_is_numpys_and_ridges_are_two_of_them():
    x = np.random.default_rng(0).uniform(-np.pi, np.pi, (300, 2))
    knots = np.linspace(-np.pi, np.pi, 13)
    (found,) = outputs([written_sines.polygon(12)], x[:, :1])
    np.testing.assert_allclose(found, np.interp(x[:, 0], knots, np.sin(knots)), atol=1e-12)
    knots = np.linspace(-2 * np.pi, 2 * np.pi, 11)
    (found,) = outputs([written_sines.two_ridges(20)], x)
    cosine = np.interp(x[:, 0] - x[:, 1], knots, np.cos(knots))
    expected = (cosine - np.interp(x.sum(axis=1), knots, np.cos(knots))) / 2
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_bumps_are_steps_without_gaps():
    """Between flanks the sine of the step's middle, on a flank a straight line to the next."""
    steps = 5
    middles = (np.arange(steps) + 0.5) * 2 * np.pi / steps - np.pi
    networks = [written_sines.row_of_bumps(4 * steps)]
    (found,) = outputs(networks, middles[:, None])
    np.testing.assert_allclose(found, np.sin(middles), atol=1e-12)
    (found,) = outputs(networks, (middles[1:, None] + middles[:-1, None]) / 2)
    heights = np.sin(middles)
    np.testing.assert_allclose(found, (heights[1:] + heights[:-1]) / 2, atol=1e-12)


def test_networks_of_all_widths_are_evaluated_together():
    x = np.linspace(-np.pi, np.pi, 50)[:, None]
    networks = [written_sines.polygon(k) for k in (4, 7, 9)]
    together = outputs(networks, x)
    assert together.dtype == np.float64
    for params, row in zip(networks, together, strict=True):
        np.testing.assert_allclose(outputs([params], x)[0], row, atol=1e-14)


def test_random_bumps_are_exact():
    x = np.linspace(-3, 3, 101)[:, None]
    assert written_sines.bump_errors(np.random.default_rng(0), x, 5).max() < 1e-11


def test_sine_is_a_product():
    x = np.asarray([[0.5, 2.0], [1.0, -1.0]])
    np.testing.assert_allclose(sine(x), [np.sin(0.5) * np.sin(2), -(np.sin(1) ** 2)])
    np.testing.assert_allclose(sine(x[:, :1]), np.sin([0.5, 1.0]))


def test_rate_of_a_power_law():
    errors = np.asarray([3.0, 0.1]) * np.asarray([[2.0], [4.0], [8.0]]) ** np.asarray([-1.5, 0.5])
    found = approximation.rate(np.asarray([2, 4, 8]), errors)
    np.testing.assert_allclose(found, [-1.5, 0.5])


def made_up(polygon=-2.0, worst=0.9, ridges=0.5, bump=1e-14, found=(0, 0, 0, 1, 2), **changes):
    """Errors that hold all claims; `found` of 32 starts find the bump with each width."""
    bounds = {
        "polygon": (2 * np.pi / WRITTEN_K) ** 2 / 8,
        "ridges": (8 * np.pi / WRITTEN_K) ** 2 / 8,
    }
    errors = np.asarray([0.3, 0.1, 0.05, 0.02, 0.01])[:, None] * JITTER
    bumps = np.where(np.arange(32) < np.asarray(found)[:, None], 0.001, 0.2)
    return {
        "written": WRITTEN_K,
        "found": np.asarray(0.02),
        "units": TRAINED_K,
        "worst_polygon": worst * bounds["polygon"],
        "worst_ridges": ridges * bounds["ridges"],
        "rms_polygon": 0.5 * WRITTEN_K**polygon,
        "rms_bumps": 1.0 / WRITTEN_K,
        "worst_bump": np.full(9, bump),
        "rms_bump": bumps,
        **{f"rms_{name}": errors for name in ("relu", "tanh", "plane")},
        **{f"searched_{name}": np.full((5, 8), 0.001) * JITTER[:8] for name in ("relu", "bump")},
        "searched_tanh": np.full((5, 8), 1e-5) * JITTER[:8],
    } | changes


FLAT = np.full(5, 0.1)[:, None] * np.stack([np.roll(JITTER, 7 * i) for i in range(5)])
CONTRARY = {
    "nothing": ({}, set()),
    "above the bound": ({"worst": 1.01}, {"relus_write_the_sine"}),
    "plane above the bound": ({"ridges": 1.01}, {"relus_write_plane_sines"}),
    "rate": ({"polygon": -1.8}, {"polygon_rate"}),
    "bump": ({"bump": 1e-8}, {"four_units_make_a_bump"}),
    "half of the starts at the largest K": ({"found": (0, 0, 0, 1, 16)}, {"learns_no_bumps"}),
    "a quarter of the starts at one K": ({"found": (0, 0, 8, 0, 0)}, {"learns_no_bumps"}),
    "tanh is flat": ({"rms_tanh": FLAT}, {"larger_tanh"}),
    "plane is flat": ({"rms_plane": FLAT}, {"larger_plane"}),
    "plane falls by a tenth": ({"rms_plane": 0.1 * TRAINED_K[:, None] ** -0.04 * JITTER},
                               {"larger_plane"}),
    "tanh stays at 1 %": ({"searched_tanh": np.full((5, 8), 0.01) * JITTER[:8]},
                          {"squashing_units_fit"}),
    "training as good": ({"rms_relu": 0.001 * JITTER * TRAINED_K[:, None] ** -0.5},
                         {"learning_is_not_representing"}),
    "training as good at one K": ({"searched_relu": np.asarray([0.3, 9, 9, 9, 9])[:, None]
                                   * np.ones((5, 8)), "polygon": 0.0},
                                  {"learning_is_not_representing", "polygon_rate"}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_errors_fail_their_claims_only(changes, failing):
    rows = run.claims_of("approximation", made_up(**changes))
    assert {row["claim"] for row in rows if row["status"] != "reproduced"} == failing


def test_what_a_second_optimiser_found_is_told_with_the_verdict():
    rows = {row["claim"]: row for row in run.claims_of("approximation", made_up())}
    assert "9.5e-06 (K = 4)" in rows["larger_tanh"]["converged"]
    assert "from 8, 8, 8, 8, 8 of 8 starts" in rows["learns_no_bumps"]["converged"]
    assert rows["polygon_rate"]["converged"] == ""


def test_the_search_beats_what_a_line_can_do(key):
    """Of the error of the best straight line, a search of few steps leaves a tenth."""
    config = dataclasses.replace(approximation.SMOKE, units=(8,), steps=60)
    found = approximation._search(config, key, approximation.TRAINED["tanh"])
    x = np.linspace(-np.pi, np.pi, 1001)
    line = np.std(np.sin(x) - np.polyval(np.polyfit(x, np.sin(x), 1), x))
    assert found.shape == (1, 2)
    assert found.min() < 0.1 * line


def test_a_looser_limit_finds_more_bumps():
    errors = np.asarray([0.015, 0.03, 0.2, np.nan])
    for limit, expected in {0.01: [0, 0, 0, np.nan], 0.05: [1, 1, 0, np.nan]}.items():
        result = made_up() | {"rms_bump": np.tile(errors, (5, 1)), "found": np.asarray(limit)}
        samples = approximation.CLAIMS["learns_no_bumps"](result).samples
        np.testing.assert_array_equal(samples["K = 4"].values, expected)
