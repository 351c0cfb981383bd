"""`docs/performance.md` and its figures, made from the newest curves."""

import math
from pathlib import Path
from typing import Any

from benchmarks.growth.axes import AXES
from benchmarks.growth.curves import Curve, crossings, latest, worse_than_linear
from jaxnets.storage.atomic import atomic_write, write_text

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "performance.md"
APART = 0.11
"""The least distance of two labels of an axis, as a share of it."""
HEAD = """# Performance: how cost grows

`python -m benchmarks growth` measures what a unit of work costs as the work grows, and makes this
page from `benchmarks/curves/`. A flat line is cost that grows as the work does; a falling one is
overhead that is shared by more work. The roofline is the least that a unit can cost: its products
over the measured peak of this machine, or its bytes over its measured bandwidth, whichever is more
(Williams, Waterman and Patterson, 2009). Memory is that of a process beyond its imports. The races
themselves are in [RESULTS.md](../benchmarks/RESULTS.md).
"""
REASONS: dict[tuple[str, int], str] = {
    ("samples", 1_000_000): (
        "what is computed of all points, 40 MB a layer, leaves the caches. The gradient of the "
        "same points in blocks of 10,000 takes 0.28 of the time, in blocks of 100,000 0.57"
    ),
    ("vocabulary", 10_000): (
        "more of the 400,000 words are read, 287,000 in place of 238,000, and no longer fit a "
        "chunk of 262,144 positions: the rest of the second one is padding, which is computed "
        "too. Long texts have one such chunk among many"
    ),
}
"""Why a unit costs more from this value of this axis on, once it is proven."""


def write_page() -> None:
    """Makes the page and a figure for each axis that was measured on a quiet machine."""
    curves = [curve for axis in AXES if (curve := latest(axis))]
    sections = [HEAD]
    for curve in curves:
        draw(curve)
        figure = f"![Cost of a unit of work against {curve.axis}](performance_{curve.axis}.png)\n"
        sections.append("\n".join([f"## {curve.axis.capitalize()}\n", figure, *curve_lines(curve)]))
    unmeasured = [axis for axis in AXES if axis not in {curve.axis for curve in curves}]
    if unmeasured:
        sections.append(f"Not measured on a quiet machine yet: {', '.join(unmeasured)}.")
    write_text(PAGE, "\n".join(sections).rstrip() + "\n")


def curve_lines(curve: Curve) -> list[str]:
    """Formats a curve: a table, where it is worse than linear, and where a peer is faster."""
    at = curve.at
    lines = [
        f"A unit is {curve.unit}. {at.date}, {at.cores} cores of {at.machine}, commit {at.commit}; "
        f"peak {curve.peak / 1e9:.0f} Gflop/s, {curve.speed / 1e9:.1f} GB/s."
        + ("" if curve.quiet else " **Others worked on the machine: no result.**"),
        "",
        "| "
        + " | ".join([curve.axis, *curve.labels, "roofline", "ours over the strongest"])
        + " |",
        "|---" * (len(curve.labels) + 3) + "|",
        *_rows(curve),
        "",
    ]
    lines += [f"- {label}: not measured, {why}" for label, why in curve.missing.items()]
    return [*lines, *_growth(curve), *_winners(curve), ""]


def _rows(curve: Curve) -> list[str]:
    by = {(point.value, point.label): point for point in curve.points}
    rows = []
    for value, bound in curve.bounds:
        cells = [f"{value:,}"]
        for label in curve.labels:
            point = by[value, label]
            cells.append(f"{micro(point.median)}, {point.megabytes:.0f} MB")
        peer, own = curve.strongest.get(value), by[value, curve.ours]
        cells.append(f"{micro(bound)} ({bound / own.median:.0%} reached)")
        cells.append(f"{own.median / peer.median:.2f} ({peer.label})" if peer else "")
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def micro(seconds: float) -> str:
    return f"{1e6 * seconds:.3g} µs"


def _growth(curve: Curve) -> list[str]:
    steps = worse_than_linear(curve, curve.ours)
    if not steps:
        return ["- Ours nowhere grows worse than linearly."]
    return [
        f"- From {step.start:,} to {step.end:,} a unit of ours costs {step.factor:.2f} times as "
        f"much: {REASONS.get((curve.axis, step.end), 'not explained yet')}."
        for step in steps
    ]


def _winners(curve: Curve) -> list[str]:
    peers = curve.strongest
    lost = [
        f"{point.value:,} ({peers[point.value].label})"
        for point in curve.of(curve.ours)
        if point.value in peers and peers[point.value].median < point.median
    ]
    if not lost:
        return ["- No peer is faster within this range."]
    found = [f"- A peer is faster at {', '.join(lost)}."]
    return found + [f"- The order changes between {a:,} and {b:,}." for a, b in crossings(curve)]


def _apart(values: list[int]) -> list[int]:
    """The values whose labels do not touch on a logarithmic axis."""
    shown = values[:1]
    for value in values[1:]:
        if math.log(value / shown[-1]) > APART * math.log(values[-1] / values[0]):
            shown.append(value)
    return shown


def draw(curve: Curve, folder: Path = DOCS) -> Path:
    """Draws the cost of a unit and the memory, both axes logarithmic, with the roofline."""
    from jaxnets import plots

    canvas, axes = plots.figure(1, 2, size=(4.6, 3.6))
    for label, style in zip(curve.labels, plots.styles(), strict=False):
        points = curve.of(label)
        values = [point.value for point in points]
        axes[0, 0].plot(values, [1e6 * point.median for point in points], label=label, **style)
        axes[0, 1].plot(values, [max(point.megabytes, 0.1) for point in points], **style)
    least = [1e6 * bound for _, bound in curve.bounds]
    look: dict[str, Any] = {"color": "0.4", "linestyle": ":", "label": "roofline"}
    axes[0, 0].plot([value for value, _ in curve.bounds], least, **look)
    shown = _apart([value for value, _ in curve.bounds])
    for panel in axes.flat:
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xlabel(curve.axis)
        panel.set_xticks(shown, [f"{value:,}" for value in shown])
        panel.minorticks_off()
    axes[0, 0].set_ylabel("µs a unit of work")
    axes[0, 1].set_ylabel("MB beyond the imports")
    canvas.legend(loc="outside lower center", ncols=2, fontsize="small")
    path = folder / f"performance_{curve.axis}.png"
    with atomic_write(path) as file:
        canvas.savefig(file, format="png", dpi=110)
    return path
