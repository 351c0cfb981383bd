"""Gaps and their figure: parts that add up, and bars as long as their numbers."""

import numpy as np
import pytest

from jaxnets.converge import gap
from jaxnets.converge.gap_figure import draw


@pytest.mark.parametrize("higher", [False, True])
def test_the_parts_add_up(higher):
    for numbers in np.random.default_rng(0).uniform(size=(20, 3)):
        found = gap(*numbers, higher_is_better=higher)
        assert found.left_by_training + found.left_by_search == pytest.approx(found.total)
        assert found.left_by_search >= 0
        assert found.total >= 0
        assert found.can_represent == (max(numbers) if higher else min(numbers))


def test_the_checkerboard_of_f2():
    found = gap(100, 94, 84, higher_is_better=True)
    assert (found.left_by_training, found.left_by_search, found.total) == (10, 6, 16)
    assert found.training_share == 0.625


def test_without_written_weights_the_best_found_counts():
    assert gap(None, 0.03, 0.11).left_by_search == 0
    assert gap(None, 0.2, 0.1) == (0.1, 0.2, 0.1, False)
    assert np.isnan(gap(None, 0.1, 0.1).training_share)


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="found_well is nan"):
        gap(0.0, float("nan"), 1.0)
    with pytest.raises(TypeError, match=r"found_by_lecture has shape \(2,\)"):
        gap(0.0, 1.0, [1.0, 2.0])


def bars(canvas):
    """Start and end of each bar, row by row, in the drawn unit."""
    patches = canvas.axes[0].patches
    rows = sorted({patch.get_y() for patch in patches})
    return [
        [(p.get_x(), p.get_x() + p.get_width()) for p in patches if p.get_y() == row]
        for row in rows
    ]


@pytest.mark.parametrize(
    ("found", "ends"),
    [
        (gap(0.1, 0.2, 0.4), [0.25, 0.5, 1]),
        (gap(0.1, 0.4, 0.2), [0.25, 1, 1]),
        (gap(None, 0.4, 0.2), [0.5, 1, 1]),
        (gap(100, 94, 84, higher_is_better=True), [0.84, 0.94, 1]),
        (gap(100, 80, 84, higher_is_better=True), [0.84, 0.84, 1]),
        (gap(0, 0, 0), [0, 0, 0]),
    ],
)
def test_the_segments_have_the_lengths_of_the_parts(found, ends, tmp_path):
    canvas = draw({"one": found, "two": found})
    for row in bars(canvas):
        np.testing.assert_allclose(row, [*zip([0, *ends], ends, strict=False)])
    (text, _) = [text.get_text() for text in canvas.axes[0].texts]
    assert f"lecture's {found.found_by_lecture:.3g}" in text
    canvas.savefig(tmp_path / "gaps.png")


def test_bars_of_two_kinds_are_refused():
    with pytest.raises(ValueError, match="all of losses or all of accuracies"):
        draw({"a": gap(0, 1, 2), "b": gap(0, 1, 2, higher_is_better=True)})
    with pytest.raises(ValueError, match="one gap or more"):
        draw({})
    with pytest.raises(ValueError, match="below 0"):
        draw({"a": gap(-1, 1, 2)})
