"""For notebooks: an experiment's saved result, or one of seconds; its verdicts and its figure."""

from pathlib import Path
from typing import Any, NamedTuple

import jax

from .claims import Result
from .run import COMMAND, RESULTS, claims_of, load, saved

ROW = "[{status}] {row}: {statement}\n    lecture: {lecture}; ours: {ours} ({samples})"


class Loaded(NamedTuple):
    """An experiment's arrays, and whether they are those of its smoke variant."""

    name: str
    arrays: Result
    smoke: bool


def load_or_run(name: str, results: Path = RESULTS) -> Loaded:
    """Reads the saved result of an experiment; where there is none, runs its variant of seconds.

    Raises:
        ValueError: no such experiment, or a damaged result.
    """
    module = load(name)
    try:
        return Loaded(name, saved(name, results), smoke=False)
    except FileNotFoundError:
        print(f"no result yet: this is the smoke variant; `{COMMAND} {name}` runs the experiment")
        config = module.SMOKE
        return Loaded(name, module.run(config, jax.random.key(config.seed)), smoke=True)


def verdicts(loaded: Loaded) -> str:
    """Returns the verdict on each claim of a result, as lines of text."""
    head = ["a smoke variant: these verdicts do not count"] if loaded.smoke else []
    rows = [ROW.format(**claim) for claim in claims_of(loaded.name, loaded.arrays)]
    return "\n".join([*head, *rows])


def figure(loaded: Loaded) -> Any:
    """Draws a result; the figure shows itself as the last line of a cell."""
    return load(loaded.name).plot(loaded.arrays)
