"""Every experiment whose result is not up to date, each in a process of its own."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

from experiments.contents import EXPERIMENTS
from experiments.lab import RESULTS, configure, load
from experiments.program import digest


def main(settings: list[str], results: Path = RESULTS) -> int:
    """Runs what is missing or out of date; 1 if any failed, 130 after Ctrl-C.

    Each of the `field=value` settings is for the experiments that have such a field. A result is
    written whole or not at all, so whatever stops one experiment leaves the others as they are.
    """
    waiting = [name for name in EXPERIMENTS if not up_to_date(name, settings, results)]
    print(f"{len(EXPERIMENTS) - len(waiting)} of {len(EXPERIMENTS)} experiments are up to date.")
    start, failed = time.perf_counter(), []
    for i, name in enumerate(waiting, 1):
        minutes = (time.perf_counter() - start) / 60
        print(f"\n[{i} of {len(waiting)}, {minutes:.0f} min so far] {name}", flush=True)
        try:
            if subprocess.run(_command(name, settings)).returncode:
                failed.append(name)
        except KeyboardInterrupt:
            print(f"\nStopped in {name}: the same command goes on from there.", file=sys.stderr)
            return 130
    if failed:
        print(f"\nFailed, the others have run: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _command(name: str, settings: list[str]) -> list[str]:
    chosen = [part for setting in fitting(name, settings) for part in ("--set", setting)]
    return [sys.executable, "-m", "experiments", name, *chosen]


def fitting(name: str, settings: list[str]) -> list[str]:
    """The settings whose field the experiment has."""
    fields = {field.name for field in dataclasses.fields(load(name).Config)}
    return [setting for setting in settings if setting.partition("=")[0] in fields]


def up_to_date(name: str, settings: list[str], results: Path = RESULTS) -> bool:
    """Whether the saved result is of this program and these settings.

    The program is the experiment and what it imports from `experiments`; `jaxnets` may be newer.
    """
    path = results / f"{name}.json"
    if not path.exists():
        return False
    note = json.loads(path.read_text())
    config = configure(load(name).Config(), fitting(name, settings))
    wanted = json.loads(json.dumps(dataclasses.asdict(config)))
    return note["config"] == wanted and note.get("program") == digest(name)
