"""`approximation`: sines written down against closed forms; its judges on made-up errors."""

import numpy as np
import pytest

from experiments.functions import approximation, written_sines
from experiments.functions.written_sines import WRITTEN, outputs, sine

JITTER = np.exp(np.linspace(-0.05, 0.05, 32))
WRITTEN_K, TRAINED_K = np.asarray([4, 8, 16, 32]), np.asarray([4, 8, 16])


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


def made_up(polygon=-2.0, worst=0.9, ridges=0.5, bump=1e-14, found=2, trained=(0.3, 0.1, 0.05),
            **changes):  # fmt: skip
    """Errors that hold all claims; `found` of 32 starts find the bump with 4 units."""
    bounds = {
        "polygon": (2 * np.pi / WRITTEN_K) ** 2 / 8,
        "ridges": (8 * np.pi / WRITTEN_K) ** 2 / 8,
    }
    errors = np.asarray(trained)[:, None] * JITTER
    bumps = np.full((3, 32), 0.001)
    bumps[0, found:] = 0.2
    return {
        "written": WRITTEN_K,
        "units": TRAINED_K,
        "worst_polygon": worst * bounds["polygon"],
        "worst_ridges": ridges * bounds["ridges"],
        "rms_polygon": 0.5 * WRITTEN_K**polygon,
        "rms_bumps": 1.0 / WRITTEN_K,
        "worst_bump": np.full(9, bump),
        "rms_bump": bumps,
        **{f"rms_{name}": errors for name in ("relu", "tanh", "plane")},
    } | changes


def statuses(result):
    return [claim.judge(result).status for claim in approximation.CLAIMS]


def test_every_claim_holds_for_good_errors():
    assert statuses(made_up()) == ["reproduced"] * 9


STAGNANT = np.asarray([0.3, 0.1, 0.11])[:, None] * JITTER
FLAT = np.asarray([0.3, 0.2999, 0.2998])[:, None] * np.stack([JITTER, JITTER[::-1], JITTER[::-1]])
CONTRARY = {
    "above the bound": ({"worst": 1.01}, [0]),
    "no finer with more units": ({"worst_ridges": np.asarray([0.1, 0.05, 0.02, 0.03])}, [1]),
    "rate": ({"polygon": -1.8}, [2]),
    "bump": ({"bump": 1e-8}, [3]),
    "11 starts of 32": ({"found": 11}, [4]),
    "9 starts of 32": ({"found": 9}, []),
    "ReLU stagnates": ({"rms_relu": STAGNANT}, [5]),
    "tanh stagnates": ({"rms_tanh": STAGNANT}, [6]),
    "plane flat within the spread": ({"rms_plane": FLAT}, [7]),
    "training as good": ({"rms_relu": 0.49 * TRAINED_K[:, None] ** -2.0 * JITTER}, [8]),
}


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_errors_fail_their_claims_only(changes, failing):
    expected = ["not reproduced" if i in failing else "reproduced" for i in range(9)]
    assert statuses(made_up(**changes)) == expected
