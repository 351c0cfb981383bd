"""A figure of gaps: a bar of three segments for each, with its numbers."""

from collections.abc import Mapping
from typing import Any

from jaxnets import plots
from jaxnets.converge.gap import Gap

COLOURS = ("#BBBBBB", plots.COLOURS[4], plots.COLOURS[0])
NAMES = {
    False: ("the best known has it, too", "a good optimiser leaves it", "training left it"),
    True: ("the lecture's optimiser finds it", "training left it", "a good optimiser leaves it"),
}
"""Of the segments from left to right, for losses and for accuracies."""


def draw(gaps: Mapping[str, Gap]) -> Any:
    """Draws a bar for each gap, from 0 to its largest number, which has the same length in all.

    Losses end at what the lecture's optimiser finds, accuracies at what the network can represent.
    A good optimiser that found less than the lecture's has no segment, only its number.

    Raises:
        ValueError: no gaps, losses together with accuracies, or a result below 0.
    """
    higher = {gap.higher_is_better for gap in gaps.values()}
    if len(higher) != 1:
        raise ValueError("draw takes one gap or more, all of losses or all of accuracies")
    if any(min(gap[:3]) < 0 for gap in gaps.values()):
        raise ValueError("a result is below 0: bars begin at 0")
    (higher_is_better,) = higher
    canvas, axes = plots.figure(1, 1, size=(8.0, 1.3 + 0.45 * len(gaps)))
    panel = axes[0, 0]
    colours = (COLOURS[0], COLOURS[2], COLOURS[1]) if higher_is_better else COLOURS
    for at, gap in enumerate(gaps.values()):
        ends, largest = _ends(gap), max(*gap[:3], 1e-300)
        for i, (start, end) in enumerate(zip((0.0, *ends), ends, strict=False)):
            label = None if at else NAMES[higher_is_better][i]
            width = (end - start) / largest
            panel.barh(at, width, left=start / largest, color=colours[i], label=label, height=0.6)
        panel.text(1.02, at, _numbers(gap), va="center", fontsize="small")
    panel.set_yticks(range(len(gaps)), [*gaps])
    panel.invert_yaxis()
    panel.set(xlim=(0, 1), xlabel="share of the largest number")
    panel.grid(visible=False, axis="y")
    canvas.legend(loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    return canvas


def _ends(gap: Gap) -> tuple[float, float, float]:
    """Where the three segments end, in the unit of the gap."""
    if gap.higher_is_better:
        return gap.found_by_lecture, max(gap.found_by_lecture, gap.found_well), gap.can_represent
    return gap.can_represent, gap.found_well, max(gap.found_by_lecture, gap.found_well)


def _numbers(gap: Gap) -> str:
    found = (gap.can_represent, gap.found_well, gap.found_by_lecture)
    return "best {:.3g}, good {:.3g}, lecture's {:.3g}".format(*found)
