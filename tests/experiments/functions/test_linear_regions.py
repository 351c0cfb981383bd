"""The verdicts of `linear_regions` on made-up counts, and the boundaries it draws."""

import dataclasses

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from experiments.functions import counted_networks, linear_regions, region_boundaries
from experiments.lab import run
from jaxnets.analysis import linear_regions as regions


def made_up(**changes):
    """A result of 40 networks per shape that agrees with every claim."""
    jitter = np.linspace(0.99, 1.01, 40)
    widths, depths = np.asarray([4, 6]), np.arange(1, 5)
    growth = widths[:, None] ** depths[None]
    n = np.arange(1, 7)
    return {
        "widths": widths,
        "peaks": 2 * np.outer(n, n),
        "sawtooth": growth,
        "line": growth[..., None] * jitter,
        "plane": growth[..., None] * jitter,
        "folded": np.asarray([[regions.montufar(w, d, 2) for d in depths] for w in widths]),
        "equal": np.asarray([[100], [150], [200]]) * jitter,
        "equal_folded": np.asarray([821, 1400, 2349]),
        "accuracy": np.stack([0.8 * jitter, 0.9 * jitter]),
        "pieces": np.stack([20 * jitter, 30 * jitter]),
    } | changes


JITTER = np.linspace(0.99, 1.01, 40)
POLYNOMIAL = np.stack([np.arange(1, 5) ** 2] * 2)[..., None] * JITTER
WRONG = {
    "agreeing": ({}, set()),
    "one peak less": ({"peaks": 2 * np.outer(np.arange(1, 7), np.arange(1, 7)) - 1},
                      {"composed_peaks"}),
    "fewer oscillations": ({"sawtooth": np.asarray([[4, 15, 64, 256], [6, 36, 216, 1296]])},
                           {"possible_oscillations"}),
    "random lines have few pieces": ({"line": POLYNOMIAL}, {"random_oscillations"}),
    "random regions grow slowly": ({"plane": POLYNOMIAL}, {"random_exponential"}),
    "below the bound": ({"folded": np.ones((2, 4), int)}, {"possible_regions"}),
    "folding deep ones have less": ({"equal_folded": np.asarray([821, 1400, 800])},
                                    {"possible_deeper"}),
    "random deep ones have less": ({"equal": np.asarray([[100], [90], [150]]) * JITTER},
                                   {"random_deeper"}),
    "the shallow one is better": ({"accuracy": np.stack([0.9 * JITTER, 0.8 * JITTER])},
                                  {"fewer_errors"}),
    "as good in every draw": ({"accuracy": np.stack([JITTER, JITTER])}, {"fewer_errors"}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "wrong"), WRONG.values(), ids=WRONG)
def test_each_claim_fails_on_its_own(changes, wrong):
    rows = run.claims_of("linear_regions", made_up(**changes))
    assert {row["claim"] for row in rows if row["status"] != "reproduced"} == wrong


def test_regions_that_shrink_refute_exponential_growth():
    """In every part, whatever the settings that the lecture leaves open."""
    plane = made_up()["plane"][:, ::-1]
    (row,) = (row for row in run.claims_of("linear_regions", made_up(plane=plane))
              if row["claim"] == "random_exponential")  # fmt: skip
    verdicts = {part["part"]: part["verdict"] for part in row["parts"]}
    assert verdicts["4 units, last layer"] == verdicts["6 units, last layer"] == "refuted"


def test_layers_are_counted_on_the_same_random_networks(key):
    """So that counts never fall with depth."""
    config = dataclasses.replace(linear_regions.SMOKE, seeds=4)
    result = linear_regions.run(config, key)
    for counts in (result["line"], result["plane"]):
        assert counts.shape == (1, 3, 4)
        assert (np.diff(counts, axis=1) >= 0).all()


def test_peaks_by_hand():
    assert linear_regions.peaks(np.asarray([0, 1, 0, 1, 0.5, 0.7, 0])) == 3
    assert linear_regions.peaks(np.asarray([0, 1, 2])) == 0
    assert linear_regions.peaks(np.asarray([3, 1, 3])) == 0


@pytest.mark.parametrize(("n1", "n2"), [(3, 2), (4, 5), (1, 1)])
def test_composed_triangle_waves_on_a_fine_grid(n1, n2):
    """The network's graph is that of two triangle waves in turn, with 2 n1 n2 maxima."""
    x, y = linear_regions.graph((2 * n1, 2 * n2))

    def wave(x, n):
        return 1 - np.abs(1 - (2 * n * x) % 2)

    grid = np.linspace(0, 1, 8 * n1 * n2 + 1)
    expected = wave(wave(grid, n1), n2)
    np.testing.assert_allclose(np.interp(grid, x, y), expected, atol=1e-9)
    inner = expected[1:-1]
    maxima = ((inner > expected[:-2]) & (inner > expected[2:])).sum()
    assert linear_regions.peaks(y) == maxima == 2 * n1 * n2


def test_random_layers_have_hes_weights_and_normal_biases():
    layers = counted_networks.random_layers(np.random.default_rng(0), [400, 300], 2, bias=0.5)
    assert [weight.shape for weight, _ in layers] == [(400, 2), (300, 400)]
    for weight, bias in layers:
        assert weight.std() == pytest.approx((2 / weight.shape[1]) ** 0.5, rel=0.1)
        assert bias.std() == pytest.approx(0.5, rel=0.15)


def test_numbers_of_weights_are_the_lectures():
    """L0: 401 weights of 1 x 100, 151 of 2 x 10, 477 of 3 x 14."""
    shapes = ((100,), (10, 10), (14, 14, 14))
    assert [linear_regions._weights(widths) for widths in shapes] == [401, 151, 477]


def test_a_boundarys_pieces_by_hand():
    """|x| + |y| = 1/2 is a square, |x| = 1/2 two lines that the unit for y cuts in two."""
    layer = (np.asarray([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), np.zeros(4))
    square = [layer, (np.ones((1, 4)), np.asarray([-0.5]))]
    assert region_boundaries.boundary_pieces(square) == 4
    lines = [layer, (np.asarray([[1.0, 1, 0, 0]]), np.asarray([-0.5]))]
    assert region_boundaries.boundary_pieces(lines) == 4
    nowhere = [layer, (np.ones((1, 4)), np.asarray([0.5]))]
    assert region_boundaries.boundary_pieces(nowhere) == 0


def test_outlines_are_closed():
    triangle = np.asarray([[0.0, 0], [1, 0], [0, 1]])
    found = region_boundaries.outlines([triangle, triangle + 2])
    assert found.shape == (10, 2)
    assert np.isnan(found[[4, 9]]).all()
    np.testing.assert_array_equal(found[3], found[0])
    np.testing.assert_array_equal(found[5:8], triangle + 2)


def test_trained_networks_have_the_pieces_that_their_problem_needs(key):
    """Eight stripes need seven changes of sign, and every piece of the line has one at most."""
    config = linear_regions.Config(seeds=3, samples=256, noise=0.0, epochs=150, network="trained")
    networks = counted_networks.trained(config, np.random.default_rng(0), (40,), 1)
    assert [weight.shape for ((weight, _),) in networks] == [(40, 1)] * 3
    drawn = counted_networks.Biased((40,), 1, "relu", bias=3.0).init(key, np.zeros((1, 1)))
    biases = np.asarray(drawn["params"]["hidden_0"]["bias"])
    assert biases.std() == pytest.approx(3, rel=0.3)
    np.testing.assert_array_equal(drawn["params"]["output"]["bias"], 0)
    points = counted_networks.stripes(key, 400, 0.0)
    order = np.argsort(points["x"][:, 0])
    assert (np.diff(np.asarray(points["y"])[order]) != 0).sum() == 7
    for layers in networks:
        hidden = np.maximum(layers[0][0] @ np.asarray(points["x"]).T + layers[0][1][:, None], 0)
        fit = LogisticRegression(C=1e4, max_iter=10_000).fit(hidden.T, points["y"])
        assert fit.score(hidden.T, points["y"]) > 0.75
        assert regions.count(layers) >= 6


@pytest.mark.parametrize("network", counted_networks.NETWORKS)
def test_either_kind_of_network_is_counted_and_named(network, key):
    config = dataclasses.replace(linear_regions.SMOKE, network=network, problem="circles")
    result = linear_regions.run(config, key)
    assert (result["equal"] <= 821).all()
    assert (np.hypot(*result["points_x"].T) < 1.2).all()
    assert f"| {network} networks" in linear_regions.table(result)
