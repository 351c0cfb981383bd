"""For notebooks: an experiment's saved result, or one of seconds; its verdicts and its figure."""

from pathlib import Path
from typing import Any, NamedTuple

import jax

from .claims import Result
from .run import COMMAND, RESULTS, claims_of, load, saved

ROW = "[{status}] {row}: {statement}\n    lecture: {lecture}; ours: {ours} ({samples})"


class Shown(NamedTuple):
    """An experiment's arrays, whether its smoke variant made them, its verdicts and its figure."""

    arrays: Result
    smoke: bool
    verdicts: str
    figure: Any


def load_or_run(name: str, results: Path = RESULTS) -> Shown:
    """Reads the saved result of an experiment; where there is none, runs its variant of seconds.

    A result of another version of the experiment, which cannot be drawn, counts as none.

    Raises:
        ValueError: no such experiment, or a damaged result.
    """
    module = load(name)
    try:
        return _shown(name, saved(name, results), smoke=False)
    except (FileNotFoundError, KeyError):
        print(f"no result here: this is the smoke variant; `{COMMAND} {name}` runs the experiment")
        config = module.SMOKE
        return _shown(name, module.run(config, jax.random.key(config.seed)), smoke=True)


def _shown(name: str, arrays: Result, smoke: bool) -> Shown:
    rows = [ROW.format(**claim) for claim in claims_of(name, arrays)]
    head = ["a smoke variant: these verdicts do not count"] if smoke else []
    return Shown(arrays, smoke, "\n".join([*head, *rows]), load(name).plot(arrays))
