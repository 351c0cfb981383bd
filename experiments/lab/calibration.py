"""How often each kind of judge is wrong, and how often it decides, in simulated studies.

`make calibration` simulates studies of every kind of registered part: with no effect, with one at
the margin, and with one twice as large. A verdict on the wrong side may come in at most 1 of 20
studies, and twice the margin must be found in 4 of 5.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.claims import Claim, Part, Sample, judge
from jaxnets.claims.power import POWER, power
from jaxnets.storage.atomic import write_text

from .claim_files import registered
from .claims import markdown
from .registry import EXPERIMENTS
from .run import RESULTS

STUDIES = 2000
FALSE = 0.05
"""The largest share of false verdicts, on one side."""
UNITS = 1000
"""Test samples of a simulated `crossed` study."""


class Row(NamedTuple):
    """Shares of verdicts in simulated studies of one part at one effect."""

    part: Part
    margins: float
    """The effect's distance from the reference, in margins towards the claim."""
    reproduced: float
    refuted: float
    false: float
    power: float
    """The share of right verdicts where one is due, else NaN."""


def main(studies: int = STUDIES, results: Path = RESULTS) -> int:
    """Simulates, writes `calibration.md`, prints the table; returns 1 if a judge fails."""
    rows = [row for part in hardest() for row in simulate(part, studies)]
    head = ["kind", "analysis", "seeds", "margins", "reproduced", "refuted", "false", "power"]
    table = markdown(head, [_cells(row) for row in rows])
    failed = [row for row in rows if row.false > FALSE or row.power < POWER]
    text = f"{studies:,} studies each; {len(failed)} of {len(rows)} rows fail.\n\n{table}\n"
    print(text)
    write_text(results / "calibration.md", f"# Calibration of the judges\n\n{text}")
    return int(bool(failed))


def hardest() -> list[Part]:
    """Returns the registered part of the least power for every kind and analysis."""
    found: dict[tuple[str, str], Part] = {}
    for name in EXPERIMENTS:
        for claim in registered(name).values():
            for part in claim.parts:
                key = part.kind, part.analysis
                if part.kind != "exact" and (key not in found or power(part) < power(found[key])):
                    found[key] = part
    return [found[key] for key in sorted(found)]


def simulate(part: Part, studies: int, seed: int = 0) -> Iterator[Row]:
    """Yields the shares of verdicts at no effect, at the margin, and at twice the margin."""
    rng = np.random.default_rng(seed)
    claim = Claim("simulated", "it holds", (part,), "an effect")
    sign = -1 if part.kind == "below" else 1
    for margins in (0.0, 1.0, 2.0):
        effect = part.reference + sign * margins * part.margin
        found = [judge(claim, draw(part, effect, rng)).verdict for _ in range(studies)]
        shares = {name: found.count(name) / studies for name in ("reproduced", "refuted")}
        yield Row(part, margins, **shares, **_rights(part, margins, **shares))


def _rights(part: Part, margins: float, reproduced: float, refuted: float) -> dict[str, float]:
    """The shares of false verdicts and of right ones; at the margin itself no verdict is right."""
    if margins == 1:
        return {"false": max(reproduced, refuted), "power": np.nan}
    if (margins == 0) == (part.kind == "equal"):
        return {"false": refuted, "power": reproduced}
    return {"false": reproduced, "power": np.nan}


def draw(part: Part, effect: float, rng: np.random.Generator) -> Sample:
    """Draws one study of a part with that true effect, as its analysis supposes data to come."""
    n, deviation = part.seeds, part.deviation
    if part.analysis == "proportion":
        return Sample((rng.random(n) < effect).astype(float))
    if part.analysis == "bootstrap":
        skewed = rng.exponential(size=n) - 1
        return _arms(part, effect + deviation * skewed)
    values = effect + deviation * rng.normal(size=n)
    if part.analysis == "resampled":
        shared = part.divided / (1 + part.divided)
        both = np.sqrt(shared) * rng.normal() + np.sqrt(1 - shared) * rng.normal(size=n)
        values = effect + deviation / np.sqrt(1 - shared) * both
    if part.analysis == "crossed":
        values = values[:, None] + deviation * rng.normal(size=(1, UNITS))
    return _arms(part, values)


def _arms(part: Part, effect: np.ndarray) -> Sample:
    """The effect alone, or as two arms of which neither has collapsed."""
    if not part.arms:
        return Sample(effect)
    ends = [end for end in (part.floor, part.ceiling) if np.isfinite(end)]
    level = np.mean(ends) if len(ends) == 2 else 0.0
    if len(ends) == 1:
        away = 1e3 * (abs(part.reference) + part.margin + part.deviation)
        level = ends[0] + (away if np.isfinite(part.floor) else -away)
    return Sample(level + effect, np.full_like(effect, level))


def _cells(row: Row) -> list[str]:
    shares = (row.reproduced, row.refuted, row.false)
    found = "" if np.isnan(row.power) else f"{100 * row.power:.1f} %"
    about = [row.part.kind, row.part.analysis, str(row.part.seeds), f"{row.margins:g}"]
    return [*about, *(f"{100 * share:.1f} %" for share in shares), found]
