"""Starts zygotes, and reads what their children told."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = Path(__file__).with_name("writing_calls.c")
RECORD, KILL, TEAR, FAIL, FAIL_ON = range(5)
"""What happens at the chosen call, see `writing_calls.c`."""


def library(folder):
    """Compiles what stops a process at a call; the test is skipped where that cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not (sys.platform == "linux" and compiler):
        pytest.skip("stops processes at their system calls by a library that needs Linux and cc")
    made = folder / "writing_calls.so"
    command = [compiler, "-O1", "-shared", "-fPIC", "-o", made, SOURCE, "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return made


class Zygote:
    """Forks a process for every task."""

    def __init__(self, folder, *tracer):
        """Starts it, by another program if need be."""
        threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        paths = {"LD_PRELOAD": str(library(folder)), "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            [*tracer, sys.executable, "-m", "tests.support.zygote", folder / "cache"],
            cwd=ROOT,
            env=os.environ | threads | paths,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def output(self, events):
        """Returns what a process wrote to its standard output and error."""
        return Path(f"{events}.out").read_text()

    def perform(self, events, *work, seconds=300, **options):
        """Does work in a new process that is killed after some seconds; returns its exit code."""
        request = {"events": str(events), "work": work, "seconds": seconds}
        print(json.dumps(request | options, default=str), file=self.process.stdin, flush=True)
        reply = json.loads(self.process.stdout.readline())
        self.seconds = reply["seconds"]
        return reply["code"]


def piece(task, folder, *arguments, at=0, action=RECORD, error=0):
    """Returns a piece of work: a task, and what disturbs it at which writing call."""
    return task, folder, arguments, (at, action, error)


class Told(list):
    """What a task told, a list of words each."""

    def after(self, name):
        """Returns the words after each event of that name."""
        return [rest for first, *rest in self if first == name]


def told_by(path):
    """Returns what each task told, in their order."""
    tasks = []
    for line in Path(path).read_text().splitlines():
        words = line.split(" ")
        if words[0] == "task":
            tasks.append(Told())
        tasks[-1].append(words)
    return tasks


def names(folder):
    """Returns what is in a folder."""
    return sorted(path.name for path in folder.iterdir())
