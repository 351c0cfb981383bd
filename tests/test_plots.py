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


def test_quantiles_draws_the_median_and_a_band_without_nan():
    _, axes = plots.figure()
    values = np.arange(11.0)[:, None] * [1.0, 2.0, np.nan]
    values[0, 1] = np.nan
    plots.quantiles(axes[0, 0], [1, 2, 3], values, "label", next(plots.styles()))
    (line,) = axes[0, 0].lines
    np.testing.assert_allclose(line.get_xdata(), [1, 2])
    np.testing.assert_allclose(line.get_ydata(), [5, 11])
    (band,) = axes[0, 0].collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.min() == pytest.approx(1)
    assert heights.max() == pytest.approx(2 * np.quantile(np.arange(1, 11), 0.9))


def test_curves_draws_a_line_a_label():
    _, axes = plots.figure()
    values = np.array([[1.0, 2.0], [5.0, 6.0], [3.0, 4.0]])
    plots.curves(axes[0, 0], values, ["tanh", "relu", "tanh"])
    assert [line.get_label() for line in axes[0, 0].lines] == ["tanh", "relu"]
    np.testing.assert_allclose([line.get_ydata() for line in axes[0, 0].lines], [[2, 3], [5, 6]])
    np.testing.assert_allclose(axes[0, 0].lines[0].get_xdata(), [1, 2])
    with pytest.raises(ValueError, match="2 labels for 3 rows"):
        plots.curves(axes[0, 0], values, ["tanh", "relu"])


ROWS = [
    {"rate": rate, "units": (units, units), "valid_loss": rate * units, "seed": seed}
    for rate in (0.1, 0.01)
    for units in (8, 4)
    for seed in (0, 1)
]


def test_a_heat_map_has_the_means_of_its_cells():
    canvas, axes = plots.figure()
    rows = [row | {"valid_loss": row["valid_loss"] + row["seed"]} for row in ROWS[:-2]]
    plots.heat_map(axes[0, 0], rows, "rate", "units", "valid_loss")
    (cells,) = axes[0, 0].collections
    means = np.ma.filled(cells.get_array(), np.nan)
    np.testing.assert_allclose(means, [[0.58, 1.3], [np.nan, 0.9]])
    assert [tick.get_text() for tick in axes[0, 0].get_xticklabels()] == ["0.01", "0.1"]
    assert [tick.get_text() for tick in axes[0, 0].get_yticklabels()] == ["8, 8", "4, 4"]
    assert [text.get_text() for text in axes[0, 0].texts] == ["0.58", "1.3", "0.9"]
    assert canvas.axes[1].get_ylabel() == "valid loss"


def test_parallel_coordinates_draws_a_line_a_row_the_best_last():
    _, axes = plots.figure()
    plots.parallel_coordinates(axes[0, 0], ROWS, ["rate", "units"], "valid_loss")
    lines = [line.get_ydata() for line in axes[0, 0].lines if len(line.get_xdata()) == 3]
    assert len(lines) == len(ROWS)
    fan = plots.FAN / 2
    np.testing.assert_allclose(lines[0], [1 - fan, 0 - fan, 1 - fan])
    np.testing.assert_allclose(lines[-1], [0 + fan, 1 + fan, 0 + fan])
    names = [tick.get_text() for tick in axes[0, 0].get_xticklabels()]
    assert names == ["rate", "units", "valid loss"]


def test_parallel_coordinates_chooses_scales_and_leaves_out_nan():
    _, axes = plots.figure()
    rates, shares = np.geomspace(1e-4, 1e-1, 31), np.linspace(0.001, 1, 31)
    rows = [
        {"rate": rate, "share": share, "accuracy": rate}
        for rate, share in zip(rates.tolist(), shares.tolist(), strict=True)
    ]
    rows += [rows[0] | {"accuracy": float("nan")}]
    plots.parallel_coordinates(axes[0, 0], rows, ["rate", "share"], "accuracy")
    lines = np.array([line.get_ydata() for line in axes[0, 0].lines if len(line.get_xdata()) == 3])
    assert len(lines) == 31
    even = np.linspace(0, 1, 31)
    np.testing.assert_allclose(np.sort(lines[:, 0]), even, atol=1e-9)  # logarithmic
    np.testing.assert_allclose(np.sort(lines[:, 1]), even, atol=1e-9)  # linear
    texts = {text.get_text() for text in axes[0, 0].texts}
    assert {"0.0001", "0.001", "0.01", "0.1"} <= texts


@pytest.mark.parametrize(
    ("rows", "message"), [([], "no rows"), (ROWS, "no column 'depth'; it has rate, units")]
)
def test_a_column_that_is_missing_is_named(rows, message):
    _, axes = plots.figure()
    with pytest.raises(ValueError, match=message):
        plots.heat_map(axes[0, 0], rows, "rate", "depth", "valid_loss")
    with pytest.raises(ValueError, match=message):
        plots.parallel_coordinates(axes[0, 0], rows, ["depth"], "valid_loss")


def test_runs_that_diverged_are_left_out_wherever_they_stand():
    """A NaN in the middle broke the order of a column: the worst run was drawn as the best."""
    losses = [0.5, np.nan, 0.3]
    scale = plots._Scale(losses)
    assert scale.kinds == [0.3, 0.5]
    assert scale.place(0.3) < scale.place(0.5)
    assert plots._Scale([np.nan, np.nan]).ticks() == []
    axes = plots.figure()[1]
    rows = [{"width": i, "loss": loss} for i, loss in enumerate(losses)]
    plots.parallel_coordinates(axes[0, 0], rows, ["width"], "loss")


def test_a_group_of_runs_that_all_diverged_is_drawn_as_nothing():
    canvas, axes = plots.figure()
    plots.curves(axes[0, 0], np.array([[1.0, 2.0], [np.nan, np.nan]]), ["a", "b"])
    canvas.canvas.draw()
