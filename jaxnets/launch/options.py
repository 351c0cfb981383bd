"""The launcher's command line: flags, and the command after them."""

import argparse
import math
import os
import shutil
from functools import partial
from pathlib import Path
from typing import NoReturn

USAGE = "python -m jaxnets.launch -n N [options] -- COMMAND"
LONGEST = 1e6
"""Seconds, eleven days: what threads and JAX can wait for."""
Options = argparse.Namespace


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Reports the error in one line, and exits with 2."""
        self.exit(2, f"launch: error: {message} (usage: {USAGE})\n")


def parser() -> argparse.ArgumentParser:
    """Builds the parser of the launcher's flags."""
    flags = _Parser(usage=USAGE, description="Starts, watches and ends the processes of a program.")
    add, positive = flags.add_argument, partial(_seconds, least=math.ulp(0.0))
    add("-n", type=_count, metavar="N", help="start N processes on this machine")
    add("--coordinator", metavar="HOST:PORT", help="address at which process 0 listens")
    add("--processes", type=_count, metavar="N", help="number of processes on all machines")
    add("--process", type=_count, metavar="I", help="index of the process to start here, from 0")
    add("--bind", metavar="ADDRESS", help="where process 0 listens, if not at its HOST")
    add("--wait", type=positive, default=120, help="seconds for all processes to connect (120)")
    add("--stuck", type=positive, default=60, help="seconds until a silent process is stuck (60)")
    add("--grace", type=_seconds, default=30, help="seconds to save after Ctrl-C or SIGTERM (30)")
    add("--restarts", type=_count, default=0, help="how often to restart all after a failure (0)")
    add("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return flags


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = -1
    if count < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not an integer of 0 or more")
    return count


def _seconds(text: str, least: float = 0.0) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not least <= seconds <= LONGEST:
        kind = "positive number" if least else "number"
        raise argparse.ArgumentTypeError(f"{text!r} is not a {kind} of seconds up to {LONGEST:g}")
    return seconds


def find_command(arguments: list[str]) -> list[str]:
    """Returns the command after the flags, whose program exists and can be run.

    Raises:
        ValueError: there is none, or it cannot be started.
    """
    command = arguments[1:] if arguments[:1] == ["--"] else arguments
    if not command or not command[0].strip():
        raise ValueError("no command: put it after --")
    found, path = shutil.which(command[0]), Path(command[0])
    if found is None or not Path(found).stat().st_mode & 0o111:  # root may "execute" any file
        why = "not found, neither as a file nor in PATH"
        if path.is_dir():
            why = "it is a folder"
        elif os.sep in command[0] and path.exists():
            why = f"it is not executable: chmod +x {path}"
        raise ValueError(f"{command[0]} cannot be started: {why}")
    return command
