"""A map of the settings that a lecture leaves open: a line for each, a column for each claim."""

from collections.abc import Sequence
from typing import Any

from jaxnets import plots
from jaxnets.claims import Claim

COLOURS = {"reproduced": "#009E73", "refuted": "#D55E00", "inconclusive": "#BBBBBB"}
LETTERS = 0.085
"""Inches of a letter."""


def draw(rows: Sequence[dict[str, Any]], claims: Sequence[Claim]) -> Any:
    """Draws the verdict on every claim at every combination that was run.

    Lines with most claims reproduced come first. A claim that leaves fewer settings open than the
    others of its experiment is repeated in lines that differ in those.

    Args:
        rows: what `multiverse` saved.
        claims: of the experiment, with open settings.
    """
    ordered = sorted(rows, key=_reproduced, reverse=True)
    names = list(ordered[0]["settings"])
    texts = [[_shown(row["settings"][name]) for name in names] for row in ordered]
    widths = [LETTERS * (2 + max(map(len, column))) for column in zip(names, *texts, strict=True)]
    left = sum(widths)
    heads = [f"{claim.row} {claim.name}" for claim in claims]
    size = (
        left + 0.3 * len(claims) + 0.8,
        0.22 * len(ordered) + LETTERS * max(map(len, heads)) + 0.8,
    )
    canvas, axes = plots.figure(1, 1, size=size)
    panel = axes[0, 0]
    for y, (row, line) in enumerate(zip(ordered, texts, strict=True)):
        _write(panel, line, widths, left, y)
        for x, claim in enumerate(claims):
            verdict = row["claims"].get(claim.name, {}).get("verdict")
            panel.scatter(0.3 * x, y, s=110, marker="s", color=COLOURS.get(verdict, "#FFFFFF"))
    _write(panel, names, widths, left, -1, weight="bold")
    panel.set_xticks([0.3 * x for x in range(len(claims))], heads, rotation=90, fontsize="small")
    panel.xaxis.tick_top()
    panel.set_yticks([])
    panel.set(xlim=(-left - 0.3, 0.3 * len(claims)), ylim=(len(ordered) - 0.4, -1.6))
    panel.grid(visible=False)
    panel.spines[:].set_visible(False)
    panel.tick_params(length=0)
    for verdict, colour in COLOURS.items():
        panel.scatter([], [], s=60, marker="s", color=colour, label=verdict)
    canvas.legend(loc="outside lower center", ncols=3, fontsize="small")
    return canvas


def _reproduced(row: dict[str, Any]) -> int:
    return sum(found["verdict"] == "reproduced" for found in row["claims"].values())


def _write(
    panel: Any, line: Sequence[str], widths: Sequence[float], left: float, y: int, **style: Any
) -> None:
    """Writes a line of settings left of the cells, each at the right of its column."""
    x = -left - 0.3
    for text, width in zip(line, widths, strict=True):
        x += width
        panel.text(x, y, text, ha="right", va="center", fontsize="small", **style)


def _shown(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
