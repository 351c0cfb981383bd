"""The verdicts on an experiment's claims, which are registered in `experiments/claims/NAME/`.

A module's `CLAIMS` has a function for each of these files, by the file's name: from the result to a
`Sample` of every part of the claim, to `Measured`, or it raises `NotMeasured`.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxnets.claims import Claim, Finding, Record, Sample, judge

from .claim_files import registered
from .claims import Result
from .settings_tried import Count

REFUTING = 0.9
"""The share of the settings left open in which a claim that is refuted must fail."""
Samples = Sample | Mapping[str, Sample]


class Measured(NamedTuple):
    """Samples of a claim's parts, and what else the scorecard says about them."""

    samples: Samples
    converged: str = ""
    """What a second optimiser found, run to convergence; "" where nothing is trained."""


class NotMeasured(Exception):
    """Raised by a claim's function where the result has not what the claim is about."""


def require_mnist(result: Result) -> None:
    """Raises `NotMeasured` for a result of another data set, in its `data`."""
    if result["data"] != "mnist":
        raise NotMeasured("needs MNIST")


Measure = Callable[[Result], Samples | Measured]


def judge_all(
    name: str,
    measures: Mapping[str, Measure],
    result: Result,
    at_start: Mapping[str, str] | None = None,
    tried: Mapping[str, Count] | None = None,
) -> list[dict[str, Any]]:
    """Judges the registered claims of an experiment.

    Args:
        name: of the experiment.
        measures: its `CLAIMS`.
        result: its arrays.
        at_start: the digests of the claims' files when it was run; a claim whose file is new or has
            changed since is not judged, unless it says what is exploratory.
        tried: for each claim, in how many of its open settings it is what, see `settle`.

    Raises:
        ValueError: a file without a function, or a function without a file.
    """
    found = registered(name)
    if found.keys() != measures.keys():
        odd = ", ".join(sorted(found.keys() ^ measures.keys()))
        raise ValueError(f"claims of {name} with a file only or a function only: {odd}")
    rows = []
    for claim in found.values():
        as_registered = at_start is None or at_start.get(claim.name) == claim.digest
        changed = not (as_registered or claim.exploratory)
        count = tried.get(claim.name) if tried else None
        row = _row(claim, measures[claim.name], result, changed, count)
        rows.append(row | {"multiverse": dict(count) if count else {}})
    return rows


def _row(
    claim: Claim, measure: Measure, result: Result, changed: bool, count: Count | None
) -> dict[str, Any]:
    if changed:
        return _unjudged(claim, "the claim has changed since the run: run it again")
    try:
        measured = measure(result)
    except NotMeasured as reason:
        return _unjudged(claim, str(reason))
    samples, converged = measured if isinstance(measured, Measured) else (measured, "")
    missing = _missing(claim, samples)
    if missing:
        return _unjudged(claim, f"the configuration has no {', '.join(missing)}")
    record = settle(judge(claim, _of_parts(claim, samples)), count)
    sizes = {f"{finding.n}" for finding in record.findings}
    about = {"ours": describe(record), "samples": f"n = {', '.join(sorted(sizes, key=int))}"}
    return _as_note(record) | about | {"converged": converged}


def _missing(claim: Claim, samples: Samples) -> list[str]:
    """The parts of a claim that a result of other settings has not."""
    if isinstance(samples, Sample):
        return []
    return [part.name for part in claim.parts if part.name not in samples]


def _of_parts(claim: Claim, samples: Samples) -> Samples:
    """The samples of a claim's parts: a result of more widths than are registered has others."""
    if isinstance(samples, Sample):
        return samples
    return {part.name: samples[part.name] for part in claim.parts}


def settle(record: Record, count: Count | None) -> Record:
    """Returns the record, where "refuted" needs settings that the lecture itself gives.

    Where it leaves some open, all of them must have been tried, and the claim must fail in most.

    Args:
        record: the verdict at the settings of the experiment.
        count: the plausible settings in which the claim was refuted, and all of them; None before
            they were tried.
    """
    settled = (
        count is not None
        and not count["untried"]
        and not count["left"]
        and count["refuted"] >= REFUTING * count["settings"]
    )
    if record.verdict == "refuted" and record.claim.open and not settled:
        return record._replace(verdict="inconclusive")
    return record


def _unjudged(claim: Claim, reason: str) -> dict[str, Any]:
    record = Record(claim, "not judged", ())
    return _as_note(record) | {"ours": reason, "samples": "-", "converged": ""}


def _as_note(record: Record) -> dict[str, Any]:
    """The record as a note has it: with the row and the source in one."""
    row = record.as_row()
    claim = record.claim
    where = ", ".join(part for part in (claim.row, claim.source) if part)
    return row | {
        "row": where,
        "lecture": claim.printed,
        "status": record.verdict,
        "estimand": claim.estimand,
        "line": claim.line,
        "open": dict(sorted(claim.open.items())),
        "fixed": dict(claim.fixed),
    }


def describe(record: Record) -> str:
    """Says in words what was found for every part of a claim."""
    return "; ".join(_describe(finding, len(record.findings) > 1) for finding in record.findings)


def _describe(found: Finding, named: bool) -> str:
    unit = f" {found.unit}" if found.unit else ""
    name = f"{found.part}: " if named else ""
    if found.verdict == "not judged":
        return f"{name}{found.more}"
    if found.kind == "exact":
        limit = f" ± {found.margin:.3g}" if found.margin else ""
        return f"{name}{_shown(found.estimate)}{unit}, claimed {_shown(found.reference)}{limit}"
    arms = ", ".join(f"{arm} {mean:.4g} ± {std:.2g}" for arm, (mean, std) in found.arms.items())
    between = f" ({arms})" if arms else ""
    more = f"; {found.more}" if found.more else ""
    return (
        f"{name}{found.estimate:.3g} [{found.low:.3g}, {found.high:.3g}]{unit}{between}, "
        f"{_CLAIMED[found.kind](found)}{more}"
    )


def _shown(value: float) -> str:
    """A count with all of its digits, any other number with six."""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


_CLAIMED: dict[str, Callable[[Finding], str]] = {
    "above": lambda found: f"claimed above {found.reference + found.margin:.3g}",
    "below": lambda found: f"claimed below {found.reference - found.margin:.3g}",
    "equal": lambda found: f"claimed {found.reference:.3g} ± {found.margin:.3g}",
}
