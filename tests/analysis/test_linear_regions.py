"""Exact counts of linear regions against closed forms, partitions and dense samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets.analysis import linear_regions as regions


def random_layers(seed, widths, inputs):
    choice = np.random.default_rng(seed)
    fans = zip((inputs, *widths), widths, strict=False)
    return [(choice.normal(size=(m, n)), choice.normal(size=m)) for n, m in fans]


def values(layers, x):
    """The last hidden layer at `x [points, inputs]`, as a plain loop."""
    for weight, bias in layers:
        x = np.maximum(x @ weight.T + bias, 0)
    return x


def patterns(layers, x):
    on = []
    for weight, bias in layers:
        s = x @ weight.T + bias
        x = np.maximum(s, 0)
        on.append(s > 0)
    return np.hstack(on)


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize("units", [1, 2, 5, 12])
def test_one_layer_has_as_many_cells_as_lines_in_general_position(units, inputs):
    """Zaslavsky's formula; in the plane 1 + n + n (n - 1) / 2."""
    expected = 1 + units + (inputs == 2) * units * (units - 1) // 2
    assert regions.max_regions(units, inputs) == expected
    for seed in range(5):
        assert regions.count(random_layers(seed, [units], inputs)) == expected


def test_parallel_and_concurrent_lines_have_fewer_cells():
    parallel = (np.asarray([[1.0, 2.0]] * 4), np.arange(4.0))
    assert regions.count([parallel]) == 5
    concurrent = (np.random.default_rng(0).normal(size=(6, 2)), np.zeros(6))
    assert regions.count([concurrent]) == 12


SHAPES = [(1, [7]), (1, [5, 5, 5]), (2, [6]), (2, [5, 4]), (2, [4, 4, 4])]


@pytest.mark.parametrize(("inputs", "widths"), SHAPES)
def test_no_region_is_missed(inputs, widths):
    """Many random points, near and far, show no pattern that was not counted."""
    layers = random_layers(1, widths, inputs)
    choice = np.random.default_rng(2)
    near = choice.normal(size=(100_000, inputs)) * np.exp(choice.uniform(-3, 9, (100_000, 1)))
    seen = len(np.unique(patterns(layers, near), axis=0))
    count = regions.count(layers)
    assert seen <= count
    assert seen > 0.8 * count


@pytest.mark.parametrize("widths", [[6], [5, 4], [4, 4, 4], [12, 12]])
def test_regions_of_a_rectangle_are_a_partition(widths):
    """Areas add up, inner points have one pattern a cell, and all patterns differ."""
    layers = random_layers(3, widths, 2)
    cells = regions.on_rectangle(layers, (-2, 3, -1, 2))
    after = [np.roll(cell, -1, axis=0) for cell in cells]
    areas = [
        0.5 * np.sum(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        for a, b in zip(cells, after, strict=True)
    ]
    assert min(areas) > 0
    assert sum(areas) == pytest.approx(15)
    centres = np.stack([cell.mean(axis=0) for cell in cells])
    found = patterns(layers, centres)
    assert len(np.unique(found, axis=0)) == len(cells)
    for centre, cell, pattern in zip(centres, cells, found, strict=True):
        inside = centre[None] + 0.99 * (cell - centre[None])
        np.testing.assert_array_equal(patterns(layers, inside), np.tile(pattern, (len(cell), 1)))


def test_a_rectangle_that_holds_every_crossing_has_the_planes_regions():
    layers = random_layers(4, [5], 2)
    (weight, bias), far = layers[0], 0.0
    for i in range(5):
        for j in range(i):
            crossing = np.linalg.solve(weight[[i, j]], -bias[[i, j]])
            far = max(far, np.abs(crossing).max())
    limits = (-far - 1, far + 1, -far - 1, far + 1)
    assert len(regions.on_rectangle(layers, limits)) == regions.count(layers) == 16


@pytest.mark.parametrize("widths", [[7], [6, 5], [5, 5, 5, 5]])
def test_the_network_is_linear_between_the_bends_of_a_segment(widths):
    layers = random_layers(5, widths, 3)
    start, end = [-3.0, 1.0, 2.0], [4.0, -1.0, -2.0]
    points, h = regions.on_segment(layers, start, end)
    np.testing.assert_allclose(points[[0, -1]], [start, end])
    np.testing.assert_allclose(h, values(layers, points), atol=1e-12)
    assert (np.diff(points[:, 0]) > 0).all()
    for share in (0.2, 0.7):
        between = points[:-1] + share * np.diff(points, axis=0)
        expected = h[:-1] + share * np.diff(h, axis=0)
        np.testing.assert_allclose(values(layers, between), expected, atol=1e-12)
    middles = (points[1:] + points[:-1]) / 2
    assert len(np.unique(patterns(layers, middles), axis=0)) == len(points) - 1


@pytest.mark.parametrize("inputs", [1, 2])
@pytest.mark.parametrize(("width", "depth"), [(2, 1), (4, 2), (5, 3), (8, 2)])
def test_folding_networks_reach_montufars_number(inputs, width, depth):
    """`floor(n/d)^{d(l-1)} sum_j C(n, j)`, in the unit interval and in the unit square."""
    layers = regions.folding(width, depth, inputs)
    assert all(len(bias) <= width for _, bias in layers)
    expected = (width // inputs) ** (inputs * (depth - 1)) * regions.max_regions(width, inputs)
    assert regions.montufar(width, depth, inputs) == expected
    if inputs == 1:
        assert len(regions.on_segment(layers, [0], [1])[0]) - 1 == expected
    else:
        assert len(regions.on_rectangle(layers, (0, 1, 0, 1))) == expected
    assert regions.count(layers) >= expected


@pytest.mark.parametrize("pieces", [(3,), (2, 4), (3, 5), (2, 3, 4)])
def test_sawtooths_are_compositions_of_triangle_waves(pieces):
    layers, read = regions.sawtooth(pieces)
    x = np.linspace(0, 1, 1001)
    expected = x
    for n in pieces:
        phase = n * expected
        expected = np.where(phase % 2 < 1, phase % 1, 1 - phase % 1)
    found = values(layers, x[:, None]) @ read[0]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    bends, _ = regions.on_segment(layers, [0], [1])
    np.testing.assert_allclose(bends[:, 0], np.linspace(0, 1, np.prod(pieces) + 1), atol=1e-12)


def test_layers_are_those_of_the_flax_model(key):
    model = jn.MLP((6, 5), 3, "relu")
    params = model.init(key, jnp.zeros((1, 2)))
    params = jax.tree.map(lambda a: a + 0.1, params)
    *hidden, (weight, bias) = regions.layers_of(params)
    x = np.random.default_rng(0).normal(size=(9, 2))
    found = values(hidden, x) @ weight.T + bias
    np.testing.assert_allclose(found, model.apply(params, jnp.asarray(x, jnp.float32)), rtol=1e-4)


def test_what_cannot_be_counted_is_said():
    with pytest.raises(ValueError, match="first layer takes 3"):
        regions.count(random_layers(0, [4], 3))
    for width, inputs in ((1, 2), (6, 3)):
        with pytest.raises(ValueError, match="cannot fold"):
            regions.folding(width, 2, inputs)


def test_units_that_switch_together_make_one_bend():
    pair = [(np.array([[1.0], [1.0]]), np.array([-0.5, -0.5]))]
    points, _ = regions.on_segment(pair, [0.0], [1.0])
    np.testing.assert_allclose(points.ravel(), [0, 0.5, 1])
    through = [(np.random.default_rng(0).normal(size=(9, 1)), np.zeros(9))]
    points, _ = regions.on_segment(through, [-1.0], [2.0])
    np.testing.assert_allclose(points.ravel(), [-1, 0, 2], atol=1e-12)
    assert regions.count(through) == 2


@pytest.mark.parametrize("turn", np.linspace(0.05, 3.0, 8))
def test_lines_that_meet_in_a_point_make_no_slivers(turn):
    """Rounding put corners on both sides of the third line: 8 regions, two of size 1e-16."""
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.7]])
    assert len(regions.on_rectangle([(weight, np.zeros(3))], (-1, 2, -1, 2))) == 6
    angles = turn + np.arange(5)
    star = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert len(regions.on_rectangle([(star, np.zeros(5))], (-1, 2, -1, 2))) == 10
    at = np.array([0.3, 0.7])
    assert len(regions.on_rectangle([(star, -star @ at)], (-1, 2, -1, 2))) == 10
