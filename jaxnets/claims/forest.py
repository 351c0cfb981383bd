"""A figure of verdicts: the interval of every effect, in units of its margin."""

import math
from collections.abc import Sequence
from typing import Any

from jaxnets import plots
from jaxnets.claims.judge import Finding, Record

COLOURS = {
    "reproduced": "#009E73",
    "refuted": "#D55E00",
    "inconclusive": "#777777",
    "not comparable": "#777777",
    "not judged": "#000000",
}


def draw(records: Sequence[Record]) -> Any:
    """Draws every part's estimate and interval; the claim's side of the dotted line is its success.

    Distances are from the reference, in margins and towards the claim, so that parts with other
    units share an axis: a part that passes 1 is reproduced, for `equal` one between -1 and 1.

    Example:
        >>> import numpy as np
        >>> from jaxnets import claims
        >>> part = claims.Part("gain", "above", margin=2.0, seeds=4, deviation=1.0)
        >>> claim = claims.Claim("wider", "wider is better", (part,), "accuracy")
        >>> record = claims.judge(claim, claims.Sample(np.array([5.0, 6.0, 5.5, 6.5])))
        >>> len(draw([record]).axes)
        1
    """
    found = [(record, finding) for record in records for finding in record.findings]
    canvas, axes = plots.figure(1, 1, size=(8.0, 1.2 + 0.35 * len(found)))
    panel = axes[0, 0]
    panel.axvline(1, color="#777777", linestyle=":")
    panel.axvline(0, color="#BBBBBB", linewidth=0.8)
    for at, (record, finding) in enumerate(found):
        low, middle, high = _in_margins(finding)
        colour = COLOURS[record.verdict]
        panel.plot([low, high], [at, at], color=colour, linewidth=2)
        panel.plot([middle], [at], color=colour, marker="s" if finding.kind == "equal" else "o")
    names = [f"{record.claim.name}: {finding.part}" for record, finding in found]
    panel.set_yticks(range(len(found)), names)
    panel.invert_yaxis()
    panel.set(xlabel="effect − reference, in margins towards the claim (dotted: success)")
    return canvas


def _in_margins(finding: Finding) -> tuple[float, float, float]:
    sign = -1 if finding.kind == "below" else 1
    scale = sign / finding.margin if finding.margin else math.nan
    ends = (finding.low, finding.estimate, finding.high)
    low, middle, high = sorted(scale * (end - finding.reference) for end in ends)
    return low, middle, high
