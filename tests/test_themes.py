"""Looks of figures: letters and sides follow, files are the same each time, legends stay clear."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from PIL import Image

from jaxnets import plots, themes


def drawn(name="screen", place="upper left"):
    with themes.theme(name):
        canvas, axes = plots.figure(1, 2)
        axes[0, 0].plot([0, 1, 2], [0, 1, 0], color="k", label="a line")
        axes[0, 0].set(xlabel="epoch", ylabel="loss", title="losses")
        axes[0, 0].legend(loc=place)
        axes[0, 1].imshow(np.eye(3))
        return themes.finish(canvas)


@pytest.mark.parametrize(
    ("name", "size", "width"), [("slides", 15.0, 13.0), ("paper", 8.0, 7.2), ("phone", 10.0, 5.0)]
)
def test_letters_and_sides_follow_the_look(name, size, width):
    canvas = drawn(name)
    assert canvas.axes[0].xaxis.label.get_fontsize() == size
    assert canvas.get_figwidth() == pytest.approx(width)
    assert plots.figure(1, 2)[0].get_figwidth() == 10


def test_panels_are_stacked_for_a_phone():
    with themes.theme("phone"):
        canvas, axes = plots.figure(2, 2)
        assert axes.shape == (2, 2)
        assert themes.layout(3, 5) == (5, 3)
        assert themes.layout(1, 1) == (1, 1)
    canvas.draw_without_rendering()
    lefts = {round(panel.get_window_extent().x0) for panel in axes.ravel()}
    assert len(lefts) == 1
    assert themes.layout(2, 2) == (2, 2)


@pytest.mark.parametrize("kind", themes.FORMATS)
def test_a_figure_drawn_twice_is_the_same_file(kind):
    first, again = (themes.encode(drawn(), kind, "a title") for _ in range(2))
    assert first == again


def test_an_svg_says_what_it_shows():
    text = themes.encode(drawn(), "svg", "losses < 1").decode()
    assert "losses < 1" in "".join(ElementTree.fromstring(text).itertext())
    assert not re.search(r"\d\d:\d\d:\d\d", text)


def test_a_legend_on_a_curve_moves_below_and_the_figure_grows():
    free, covered = drawn(), drawn(place="upper center")
    assert covered.get_figheight() > free.get_figheight() == 3.6
    for canvas, below in ((free, False), (covered, True)):
        canvas.draw_without_rendering()
        panel = canvas.axes[0]
        legend, frame = panel.get_legend().get_window_extent(), panel.get_window_extent()
        assert bool(legend.y1 < frame.y0) is below
        assert legend.y0 >= 0
    labels = covered.axes[0].xaxis.label.get_window_extent()
    assert not labels.overlaps(covered.axes[0].get_legend().get_window_extent())


def test_a_legend_on_a_band_moves_too():
    canvas, axes = plots.figure()
    values = np.array([[1.0, 5.0, 1.0], [3.0, 9.0, 3.0]])
    style = next(plots.styles())
    plots.spread(axes[0, 0], [0, 1, 2], values, "band", style)
    axes[0, 0].legend(loc="center")
    assert themes.finish(canvas).get_figheight() > 3.6


def test_dark_turns_greys_and_leaves_pictures():
    pixels = {
        name: np.asarray(Image.open(io.BytesIO(themes.encode(drawn(name), "png"))).convert("RGB"))
        for name in ("slides", "dark")
    }
    assert pixels["slides"][0, 0].tolist() == [255] * 3
    assert np.unique(pixels["dark"][0, 0]) == round(255 * themes.GROUND)
    canvas = drawn("dark")
    line, label = canvas.axes[0].lines[0], canvas.axes[0].xaxis.label
    assert min(line.get_color()[:3]) > 0.9
    assert min(label.get_color()[:3]) > 0.9
    yellow = [(shown == [253, 231, 36]).all(axis=2).sum() for shown in pixels.values()]
    assert yellow[0] > 1000
    assert yellow[1] == pytest.approx(yellow[0], rel=0.01)


def test_large_collections_are_pictures_within_an_svg():
    for count, inside in ((10, False), (2000, True)):
        canvas, axes = plots.figure()
        ends = np.random.default_rng(0).random((count, 2, 2))
        axes[0, 0].add_collection(LineCollection(ends))
        assert (b"<image" in themes.encode(canvas, "svg")) is inside


def test_other_names_are_refused():
    with pytest.raises(ValueError, match=r"no look 'beamer'.*slides"), themes.theme("beamer"):
        pass
    with pytest.raises(ValueError, match="png, svg, pdf, not as 'gif'"):
        themes.encode(plots.figure()[0], "gif")
