import numpy as np
import pytest

from jaxnets import plots


def test_spread_draws_mean_and_deviation():
    _, axes = plots.figure()
    values = np.asarray([[1.0, 2.0], [3.0, 6.0]])
    plots.spread(axes[0, 0], [10, 20], values, "label", next(plots.styles()))
    (line,) = axes[0, 0].lines
    np.testing.assert_allclose(line.get_ydata(), [2, 4])
    (band,) = axes[0, 0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(2 - np.sqrt(2))
    assert heights.max() == pytest.approx(4 + np.sqrt(8))


def test_styles_differ_in_dash_and_marker_before_they_repeat():
    styles = plots.styles()
    first = [next(styles) for _ in range(len(plots.COLOURS))]
    for trait in ("color", "linestyle", "marker"):
        assert len({str(style[trait]) for style in first}) == len(first)
    assert next(styles) == first[0]


def test_regions_and_points_cover_the_limits(tmp_path):
    canvas, axes = plots.figure(1, 2)
    plots.regions(axes[0, 0], np.eye(4), (0.0, 2.0, -1.0, 1.0), "title")
    plots.points(axes[0, 0], np.zeros((5, 2)), np.asarray([0, 1, 0, 1, 1]))
    assert axes[0, 0].images[0].get_extent() == [0.0, 2.0, -1.0, 1.0]
    assert [len(c.get_offsets()) for c in axes[0, 0].collections] == [2, 3]
    plots.level(axes[0, 1], 3.0, "baseline", next(plots.styles()))
    np.testing.assert_allclose(axes[0, 1].lines[0].get_ydata(), 3)
    canvas.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 0
