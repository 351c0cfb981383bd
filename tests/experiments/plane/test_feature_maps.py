"""The feature maps and their measures against other implementations; the verdicts."""

import jax
import numpy as np
import pytest
from scipy.interpolate import BarycentricInterpolator
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import PolynomialFeatures

from experiments.lab import run
from experiments.plane import feature_map_problems as problems
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_the_product_is_among_scikit_learns_polynomial_features(random):
    x = random.normal(size=(6, 2)).astype(np.float32)
    theirs = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit_transform(x)
    np.testing.assert_allclose(problems.product(x), theirs, rtol=1e-6)
    degrees = PolynomialFeatures(5).fit_transform(x[:, :1])
    np.testing.assert_allclose(problems.powers(x[:, 0], 5), degrees, rtol=1e-5)


def test_polar_coordinates_are_those_of_the_complex_plane(random):
    x = random.normal(size=(6, 2)).astype(np.float32)
    z = x[:, 0] + 1j * x[:, 1]
    expected = np.stack([np.abs(z), np.angle(z)], axis=1)
    np.testing.assert_allclose(problems.polar(x), expected, rtol=1e-5)


def test_products_of_pairs_by_loops(random):
    x, pairs = random.normal(size=(3, 5)), random.integers(5, size=(4, 2))
    expected = [[*row, *(row[i] * row[j] for i, j in pairs)] for row in x]
    np.testing.assert_array_equal(problems.append_products(x, pairs), expected)
    np.testing.assert_array_equal(problems.append_products(x, pairs[:0]), x)


def test_only_the_product_leaves_no_error_on_xors_corners():
    """No line has more than three of the four corners right: (x_u - 1/2)(x_v - 1/2) does."""
    without, mapped = problems.corner_errors()
    assert without >= 0.25
    assert mapped == 0


NOISES = {"xor": 0.2, "circles": 0.1}


@pytest.mark.parametrize("problem", problems.PLANE)
def test_maps_come_near_the_best_rule_and_coordinates_do_not(problem, key):
    result = problems.linear_models(problem, jax.random.split(key, 3), 300, NOISES[problem], 5000)
    x, regions = result[f"points_{problem}"], result[f"map_{problem}"]
    rules = {
        "xor": lambda x: (x[:, 0] > 0.5) != (x[:, 1] > 0.5),
        "circles": lambda x: np.hypot(x[:, 0], x[:, 1]) < 0.75,
    }
    best = (rules[problem](x) == result[f"labels_{problem}"]).mean()
    coordinates, mapped = result[f"linear_{problem}"].T
    assert (mapped > best - 0.04).all()
    assert (coordinates < 0.8).all()
    grid = evaluate.plane(problems.LIMITS, problems.MAP)
    near = np.abs(grid).max(axis=1) < 1.2
    assert (rules[problem](grid) == regions.ravel())[near].mean() > 0.9


def test_least_squares_through_as_many_points_is_interpolation(random):
    x = np.cos(np.pi * (np.arange(8) + 0.5) / 8)
    y, new = random.normal(size=8), random.uniform(-1, 1, 20)
    through = BarycentricInterpolator(x, y)(new)
    np.testing.assert_allclose(
        problems.powers(new, 7) @ problems.fit(7, x, y), through, rtol=1e-8, atol=1e-8
    )
    at_points, elsewhere = problems.rms_errors(7, (x, y), (new, through + 0.5))
    assert at_points < 1e-10
    assert elsewhere == pytest.approx(0.5)


def test_a_polynomial_is_approximated_without_error_from_its_degree_on():
    errors = problems.largest_errors(lambda x: 3 * x**7 - x)
    assert (errors[:3] > 0.01).all()
    assert (errors[3:] < 1e-12).all()


def test_errors_of_the_modulus_fall_with_the_degree_as_bernstein_found():
    """The least possible error is near 0.28 / degree; least squares come within a factor of 3."""
    errors = problems.largest_errors(np.abs)[2:]
    least = 0.2802 / np.asarray(problems.DEGREES[2:])
    assert (errors > 0.9 * least).all()
    assert (errors < 3 * least).all()


def test_piecewise_functions_have_their_corners():
    heights = np.asarray([1.0, -1, 2])
    x = np.asarray([-1, -0.5, 0, 0.75, 1])
    np.testing.assert_allclose(problems.piecewise(heights, x), [1, 0, -1, 1.25, 2])


def test_noise_has_the_requested_size(random):
    x, y = problems._draw_noisy(random, np.zeros(3), 5000, 0.3)
    assert y.std() == pytest.approx(0.3, rel=0.05)
    assert x.min() == pytest.approx(-1, abs=0.01)


def test_points_have_the_noise_of_their_problem(key):
    """Of the radius for circles; of the distance from the nearest corner for xor, if it is low."""
    keys = jax.random.split(key, 2)
    rings = problems.linear_models("circles", keys, 4000, 0.05, 1)
    radius = np.hypot(*rings["points_circles"].T)
    off = radius - np.where(rings["labels_circles"] == 0, 1, 0.5)
    assert off.std() == pytest.approx(0.05, rel=0.1)
    clusters = problems.linear_models("xor", keys, 4000, 0.1, 1)["points_xor"]
    assert (clusters - np.round(clusters)).std() == pytest.approx(0.1, rel=0.05)


def test_noise_that_hides_the_circles_leaves_k_nn_at_chance(key):
    result = problems.neighbours(jax.random.split(key, 2), 200, 100.0)
    assert np.abs(result["k_nn"] - 0.5).max() < 0.1


def test_functions_of_two_corners_are_straight(random):
    """And so a polynomial of degree 1 leaves nothing."""
    result = problems.polynomials(random, 3, 4, 0.0, corners=2)
    assert result["heights"].shape == (2,)
    assert result["farthest"].max() < 1e-9


@pytest.mark.parametrize(("flip", "verdict"), [(3, "reproduced"), (1, "inconclusive")])
def test_the_radius_is_judged_at_the_share_that_is_asked_for(flip, verdict):
    spared_at = np.stack([stack(0.98, 0.98, 0.93, 0.9, 0.8), stack(*[0.99] * 5)], -1)
    result = made_up(k_nn=spared_at, judged_flip=np.asarray(flip))
    assert statuses(result)[NAMES["r"]] == verdict


def test_votes_are_those_of_scikit_learn(random):
    x, y = random.normal(size=(60, 2)), random.integers(2, size=60)
    points = random.normal(size=(30, 2))
    ours = problems.votes(x, y, points)
    for column, k in enumerate(problems.NEIGHBOURS):
        theirs = KNeighborsClassifier(k).fit(x, y).predict(points)
        np.testing.assert_array_equal(ours[:, column], theirs)


def test_an_eight_needs_the_products_it_is_made_of(random):
    """Label 8 where both pixels are on or both off: their product alone tells."""
    x = random.integers(2, size=(400, 2)).astype(np.float32)
    y = np.where(x[:, 0] == x[:, 1], 8, 3)
    data = Dataset({"x": x[:200], "y": y[:200]}, test={"x": x[200:], "y": y[200:]})
    result = problems.eights(random, data, 2, (150, 120), (0, 12), 100)
    np.testing.assert_array_equal(result["features"], [2, 14])
    assert (result["eights"][:, 0] > 0.2).all()
    assert (result["eights"][:, 1] == 0).all()
    assert result["eights_wrong"].shape == (2, 2, 120)
    np.testing.assert_allclose(result["eights_wrong"].mean(axis=-1), result["eights"][..., 1])


def test_products_of_dark_pixels_are_taken_as_they_are(random):
    """One pixel tells nothing and the other varies a million times less; no line separates."""
    x = random.uniform(size=(200, 2)).astype(np.float32) * np.asarray([1, 1e-6], np.float32)
    part = {"x": x, "y": np.where(random.integers(2, size=200), 8, 3)}
    result = problems.eights(random, Dataset(part, test=part), 1, (150, 50), (0, 3), 2)
    assert (result["eights"][..., 0] > 0).all()


# The judges.

SEEDS, IMAGES = 8, 400
JITTER = np.linspace(-0.01, 0.01, SEEDS)


def stack(*means):
    """`[SEEDS, len(means)]`, the first column with the jitter and the others against it."""
    signs = np.where(np.arange(len(means)) == 0, 1, -1)
    return np.asarray(means) + JITTER[:, None] * signs


def images(*errors):
    """Results on the "8" with these test errors: the last images are wrong in every seed."""
    wrong = np.arange(IMAGES) >= np.reshape([IMAGES * (1 - e) for e in errors], (-1, 1))
    wrong = np.broadcast_to(wrong, (SEEDS, *wrong.shape))
    tested = wrong.mean(axis=-1)
    return {"eights_wrong": wrong, "eights": np.stack([tested, tested], axis=-1)}


def made_up(data="mnist", **changes):
    fits = np.asarray([[0.5, 0.5], [0.3, 0.4], [0.0, 9.0]]) + np.abs(JITTER)[:, None, None]
    radius = np.stack([stack(0.98, 0.95, 0.93, 0.9, 0.8), stack(*[0.99] * 5)], -1)
    result = {
        "corner_errors": np.asarray([0.5, 0.0]),
        "linear_xor": stack(0.5, 0.98),
        "linear_circles": stack(0.5, 0.98),
        "fits": fits * [[1], [1], [0.001]],
        "farthest": stack(0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1),
        "features": np.asarray([784, 1034, 4784]),
        "k_nn": radius,
        "judged_flip": np.asarray(3),
        "data": np.asarray(data),
    }
    return result | images(0.08, 0.06, 0.03) | changes


SAME = stack(0.9, 0.9)
EQUAL = np.stack([stack(0.98, 0.9, 0.9, 0.9, 0.8)] * 2, axis=-1)
WORSE = np.stack([stack(0.98, 0.9, 0.9, 0.7, 0.8), stack(0.98, 0.9, 0.9, 0.8, 0.8)], axis=-1)
REMAIN = np.full((SEEDS, 3, 2), 0.5) - 0.1 * np.arange(3)[:, None]
RISE = np.broadcast_to([[0.5], [0.6], [1e-9]], (SEEDS, 3, 2))
NAMES = {
    "x": "xor_is_linear_in_the_product",
    "c": "circles_are_linear_in_polar_coordinates",
    "p": "powers_raise_the_capacity",
    "a": "polynomials_approximate",
    "e": "pairs_help_to_tell_eights",
    "r": "radius_copes_with_label_noise",
}
CASES = {
    "as claimed": ({}, ""),
    "a line is as good for xor": ({"linear_xor": SAME}, "x"),
    "the product leaves errors": ({"linear_xor": stack(0.5, 0.9)}, "x"),
    "errors on the corners": ({"corner_errors": np.asarray([0.5, 0.25])}, "x"),
    "corners that a line separates": ({"corner_errors": np.asarray([0.0, 0.0])}, "x"),
    "a line is as good for circles": ({"linear_circles": SAME}, "c"),
    "errors of training remain": ({"fits": REMAIN}, "p"),
    "an error of training rises": ({"fits": RISE}, "p"),
    "the largest error stays": ({"farthest": stack(0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)}, "a"),
    "it does not fall steadily": ({"farthest": stack(0.9, 0.1, 0.8, 0.2, 0.7, 0.3, 0.1)}, "a"),
    "the first pairs do all": (images(0.08, 0.01, 0.07), "e"),
    "pairs do nothing": (images(0.08, 0.08, 0.0775), "e"),
    "the radius suffers as much": ({"k_nn": EQUAL}, "r"),
    "both suffer": ({"k_nn": WORSE}, "r"),
}


def statuses(result):
    return {row["claim"]: row["status"] for row in run.claims_of("feature_maps", result)}


@pytest.mark.parametrize(("changes", "failing"), CASES.values(), ids=CASES)
def test_contrary_numbers_fail_their_own_claims_only(changes, failing):
    judged = statuses(made_up(**changes))
    for letter, name in NAMES.items():
        against = "refuted" if letter == "p" else "inconclusive"
        assert judged[name] == (against if letter in failing else "reproduced")


def test_perceptrons_that_only_say_no_are_not_judged():
    assert statuses(made_up(**images(0.1, 0.06, 0.03)))[NAMES["e"]] == "not judged"


def test_only_the_eight_needs_mnist():
    judged = statuses(made_up("digits"))
    assert judged.pop(NAMES["e"]) == "not judged"
    assert set(judged.values()) == {"reproduced"}
