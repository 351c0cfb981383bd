"""For notebooks: an experiment's saved result, or one of seconds; its verdicts and its figure."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

from .claims import Result
from .notes import read
from .run import COMMAND, RESULTS, claims_of, load, saved
from .scorecard import of_note

ROW = "[{status}] {row}: {statement}\n    lecture: {lecture}; ours: {ours} ({samples})"


class Shown(NamedTuple):
    """An experiment's arrays, whether its smoke variant made them, its verdicts and its figure."""

    arrays: Result
    smoke: bool
    verdicts: str
    figure: Any


def load_or_run(name: str, results: Path = RESULTS) -> Shown:
    """Reads the saved result of an experiment; where there is none, runs its variant of seconds.

    A result of another version of the experiment, which cannot be drawn, counts as none; one of
    other settings is not judged, as in the scorecard.

    Raises:
        ValueError: no such experiment, or a damaged result.
    """
    module = load(name)
    try:
        arrays = saved(name, results)
        verdicts = _verdicts(of_note(read(results / f"{name}.json", f"{COMMAND} {name}")))
        return Shown(arrays, False, verdicts, module.plot(arrays))
    except (FileNotFoundError, KeyError):
        print(f"no result here: this is the smoke variant; `{COMMAND} {name}` runs the experiment")
        arrays = module.run(module.SMOKE, jax.random.key(module.SMOKE.seed))
        verdicts = _verdicts(claims_of(name, arrays))
        head = "a smoke variant: these verdicts do not count\n"
        return Shown(arrays, True, head + verdicts, module.plot(arrays))


def _verdicts(claims: Sequence[dict[str, Any]]) -> str:
    return "\n".join(ROW.format(**claim) for claim in claims)
