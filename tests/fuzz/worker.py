"""The process that reads damaged files, so that a crash, a hang or hunger ends only itself."""

import contextlib
import multiprocessing
import random
import resource
import shutil
import time
import traceback
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.damage import damage_files
from tests.fuzz.readers import READERS, try_files
from tests.support import fuzzing

WAIT = fuzzing.WAIT + 10
MOST = 2**30
"""Bytes of memory that reading damaged files may take."""


class Outcome(NamedTuple):
    """What came of an input."""

    refused: bool
    seconds: float
    memory: int
    """The most bytes resident while it was read, beyond those before."""
    wrong: str
    """What must not be, else ""."""


class Worker:
    """Tries inputs in a process of its own, which is started again when it dies."""

    def __init__(self, folder, names=tuple(READERS)):
        """Gets a folder for the inputs, where that of a finding stays, and the readers."""
        self.folder, self.names = Path(folder), names
        self.process = None

    def __enter__(self):
        self._start()
        return self

    def __exit__(self, *error):
        self._stop()

    def attempt(self, name, seed):
        """Tries a reader on the input of a seed."""
        if self.process is None:
            self._start()
        began = time.monotonic()
        self.pipe.send((name, seed))
        wrong = f"no answer within {WAIT} s"
        if self.pipe.poll(WAIT):
            with contextlib.suppress(EOFError, ConnectionError):
                return self.pipe.recv()
            self.process.join()
            wrong = f"the process ended with exit code {self.process.exitcode}"
        self._stop()
        return Outcome(False, time.monotonic() - began, 0, wrong)

    def _start(self):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.folder, self.names))
        self.process.start()
        theirs.close()
        assert self.pipe.recv() == "ready"

    def _stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process = None


def place_of(folder, name, seed):
    """The folder of an input."""
    return Path(folder) / f"{name.replace(' ', '-')}-{seed}"


def _serve(pipe, folder, names):
    """Answers with the outcome of each input that comes; reads whole files first, as a warm-up."""
    for name in names:
        place = place_of(folder, name, "whole")
        try_files(READERS[name], READERS[name].files(), place)
        shutil.rmtree(place)
    resource.setrlimit(resource.RLIMIT_AS, (_status()["VmSize"] + MOST, resource.RLIM_INFINITY))
    pipe.send("ready")
    with contextlib.suppress(EOFError):
        while True:
            pipe.send(attempt(folder, *pipe.recv()))


def attempt(folder, name, seed):
    """Tries a reader on the input of a seed, in this process; leaves the input if it is wrong."""
    place = place_of(folder, name, seed)
    shutil.rmtree(place, ignore_errors=True)
    files = damage_files(random.Random(f"{name} {seed}"), READERS[name].files())
    before = _start_peak()
    began, wrong, refused = time.monotonic(), "", True
    try:
        refused = try_files(READERS[name], files, place)
    except Exception:
        wrong = traceback.format_exc()
    seconds, memory = time.monotonic() - began, _status()["VmHWM"] - before
    if memory > MOST:
        wrong = wrong or f"{memory / 2**20:.0f} MiB of memory"
    if not wrong:
        shutil.rmtree(place)
    return Outcome(refused, seconds, memory, wrong)


def _status():
    """What Linux says of the memory of this process, in bytes."""
    rows = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if row[0].startswith("Vm")}


def _start_peak():
    """Sets the peak to what is resident now, and returns that."""
    Path("/proc/self/clear_refs").write_text("5")
    return _status()["VmRSS"]
