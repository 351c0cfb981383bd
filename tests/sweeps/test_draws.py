"""Random points: from the right distributions, the same from the same key."""

import jax
import numpy as np
import pytest
import scipy.stats

from jaxnets import MLP, TrainSpec
from jaxnets.sweeps.axes import choices_of, places_of
from jaxnets.sweeps.draws import drawn_points, is_listed

KEY = jax.random.key(3)
SPEC = TrainSpec(MLP((64,)), "binary_cross_entropy", 2)
AXES = {
    "learning_rate": (1e-4, 1e-1, "log-uniform"),
    "b1": scipy.stats.beta(2, 3),
    "activation": ["relu", "tanh"],
    "l2": (0, 1),
    "width": (1, 64),
    "batch_size": (1, 100, "log-uniform"),
}


def draw(axes, n, key=KEY):
    listed = {name: choices_of(name, axis) for name, axis in axes.items() if is_listed(axis)}
    points = drawn_points(key, axes, listed, places_of(SPEC, axes, listed), n)
    return [{name: choice.value for name, choice in point.items()} for point in points]


def column(name, n=2000):
    return np.array([point[name] for point in draw({name: AXES[name]}, n)])


def test_fewer_draws_are_the_first_of_more():
    assert draw(AXES, 5) == draw(AXES, 20)[:5]


def test_another_axis_changes_no_draw():
    fewer = {name: AXES[name] for name in ("width", "learning_rate")}
    expected = [{name: point[name] for name in fewer} for point in draw(AXES, 20)]
    assert draw(fewer, 20) == expected


def test_keys_and_axes_decide():
    assert draw(AXES, 5) != draw(AXES, 5, jax.random.key(4))
    same = {"b1": (0.0, 1.0), "b2": (0.0, 1.0)}
    assert all(point["b1"] != point["b2"] for point in draw(same, 5))


@pytest.mark.parametrize(
    ("name", "distribution"),
    [
        ("learning_rate", scipy.stats.loguniform(1e-4, 1e-1)),
        ("b1", scipy.stats.beta(2, 3)),
        ("l2", scipy.stats.uniform(0, 1)),
    ],
)
def test_numbers_are_distributed_as_scipy_says(name, distribution):
    assert scipy.stats.kstest(column(name), distribution.cdf).pvalue > 0.01


def test_integers_between_integers_are_equally_probable():
    values = column("width")
    counts = np.bincount(values, minlength=65)[1:]
    assert values.dtype.kind == "i"
    assert len(counts) == 64
    assert scipy.stats.chisquare(counts).pvalue > 0.01


def test_integers_of_a_log_uniform_range_are_rounded_down_from_it():
    values = column("batch_size")
    below = [np.mean(values <= most) for most in range(1, 101)]
    expected = np.log(np.arange(2, 102)) / np.log(101)
    assert np.abs(below - expected).max() < 1.63 / np.sqrt(2000)  # Kolmogorov, 1 percent


def test_ends_of_a_range_are_reached_and_never_passed():
    points = draw({"width": (1, 3), "b1": (0.1, 0.1 + 1e-16, "log-uniform")}, 99)
    assert {point["width"] for point in points} == {1, 2, 3}
    assert all(0.1 <= point["b1"] <= 0.1 + 1e-16 for point in points)


def test_points_of_lists_are_all_different():
    axes = {"activation": ["relu", "tanh"], "batch_size": [1, 2, 3]}
    points = draw(axes, 6)
    assert len({tuple(point.values()) for point in points}) == 6
    assert draw(axes, 4) == points[:4]
    with pytest.raises(ValueError, match="n is 7, but the axes have 6 combinations"):
        draw(axes, 7)
