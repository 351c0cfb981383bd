"""Runs every experiment whose result is not up to date, each in its own process."""

import dataclasses
import json
import sys
import time
from pathlib import Path

from jaxnets.host import checks

from .config import configure
from .fallback import fell_back
from .fingerprint import digest
from .notes import DamagedResult, read
from .processes import run_each
from .registry import EXPERIMENTS
from .rules import require_usable
from .run import PROGRAM, RESULTS, has_own_arrays, inputs_of, load


def main(settings: list[str], results: Path = RESULTS) -> int:
    """Runs what is missing or out of date; returns 1 if any failed, or 128 + a signal's number.

    They run as `processes.run_each` says. A setting `field=value` applies to the experiments that
    have the field. Results are written atomically, so whatever stops one experiment leaves the
    others intact.

    Raises:
        ValueError: a setting that no experiment takes, or that one of them cannot use.
    """
    _require_settings(settings)
    waiting = [name for name in EXPERIMENTS if not up_to_date(name, settings, results)]
    print(f"{len(EXPERIMENTS) - len(waiting)} of {len(EXPERIMENTS)} experiments are up to date.")
    commands = {name: _command(name, settings) for name in waiting}
    start, failed = time.perf_counter(), []
    try:
        for done, (name, code) in enumerate(run_each(commands), 1):
            minutes = (time.perf_counter() - start) / 60
            print(f"[{done} of {len(waiting)} done, {minutes:.0f} min] {name}", flush=True)
            failed += [name] * bool(code)
    except KeyboardInterrupt as stopped:
        print(
            "\nStopped: the same command resumes with those that have no result.", file=sys.stderr
        )
        return getattr(stopped, "code", 130)
    if failed:
        print(f"\nFailed (the others have run): {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _require_settings(settings: list[str]) -> None:
    """Raises a ValueError unless some experiment has the field, and all that do can use it."""
    every = [load(name).Config for name in EXPERIMENTS]
    fields = {field.name for config in every for field in dataclasses.fields(config)}
    checks.require_known([setting.partition("=")[0] for setting in settings], fields, "field")
    for name in EXPERIMENTS:
        require_usable(name, configure(load(name).Config(), settings_of(name, settings)))


def _command(name: str, settings: list[str]) -> list[str]:
    chosen = [part for setting in settings_of(name, settings) for part in ("--set", setting)]
    return [sys.executable, "-m", PROGRAM, name, *chosen]


def settings_of(name: str, settings: list[str]) -> list[str]:
    """Returns the settings whose field the experiment has."""
    fields = {field.name for field in dataclasses.fields(load(name).Config)}
    return [setting for setting in settings if setting.partition("=")[0] in fields]


def up_to_date(name: str, settings: list[str], results: Path = RESULTS) -> bool:
    """Returns whether the saved result is from this program, these settings and these files.

    The program is the experiment and what it imports from `experiments`; `jaxnets` may be newer.
    A result of the digits that stand for MNIST is not, once MNIST is available.
    """
    try:
        note = read(results / f"{name}.json", name)
    except DamagedResult:
        return False
    module = load(name)
    config = configure(module.Config(), settings_of(name, settings))
    wanted = json.loads(json.dumps(dataclasses.asdict(config)))
    if note["config"] != wanted or note.get("program") != digest(name):
        return False
    if not has_own_arrays(note, name, results) or fell_back(note.get("data"), wanted.get("data")):
        return False
    try:
        return note.get("inputs", "") == inputs_of(module, config)
    except (
        FileNotFoundError,
        ModuleNotFoundError,
        ValueError,
    ):  # which the experiment itself will report
        return False
