"""A run that is killed at any moment, during a save too, resumes as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
TRAIN = """
import hashlib, sys
from pathlib import Path
import jaxnets as jn
jn.cache_compilations(sys.argv[1])
import jax
import numpy as np
from jaxnets.augment import shift
from jaxnets.data import Dataset
from jaxnets.models import CNN, Activate, Conv, Dense, Dropout, Flatten

x = np.random.default_rng(0).uniform(size=(53, 6, 6, 1)).astype(np.float32)
data = Dataset({"x": x[:43], "y": np.arange(43) % 3}, {"x": x[43:], "y": np.arange(10) % 3})
model = CNN((Conv(2, 3), Activate("relu"), Flatten(), Dropout(0.3), Dense(3)))
spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=3, batch_size=10, augment=shift)
for folder in sys.argv[2:]:
    print("ready", flush=True)
    state, history = jn.fit(
        spec, jax.random.key(0), data, {"learning_rate": 0.01},
        checkpoints=jn.CheckpointConfig(folder, seconds=0, steps=1, last=2),
    )
    digest = hashlib.sha256((Path(folder) / "metrics.csv").read_bytes())
    for leaf in (*jax.tree.leaves((state.params, state.opt_state)), *history.values()):
        digest.update(np.asarray(leaf).tobytes())
    print(digest.hexdigest(), int(state.step), flush=True)
"""
STEPS = 15
AGAIN = 0.2
"""The share of killed runs that are killed again once they have resumed."""


def train(cache, *folders):
    """Starts a process that trains the same run in each folder in turn, and prints its digest."""
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, *map(str, (cache, *folders))],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ending(process):
    """Returns what the next run ends with."""
    assert process.stdout.readline() == "ready\n", process.stderr.read()
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return line


def newest(folder):
    """Returns the last saved step, or 0."""
    return max((int(path.stem.partition("_")[2]) for path in folder.glob("step_*")), default=0)


def uninterrupted(folder, cache):
    """Returns what the run ends with, and its seconds in a process that has trained before."""
    process = train(cache, *(folder / str(i) for i in range(2)))
    expected = ending(process)
    began = time.monotonic()
    assert ending(process) == expected
    process.communicate()
    return expected, time.monotonic() - began


class Killer:
    """Kills runs, and counts where each of them was."""

    def __init__(self, cache, expected, seconds):
        self.cache, self.expected, self.seconds = cache, expected, seconds
        self.rng = np.random.default_rng(0)
        self.kills = self.saved = self.saving = self.again = self.equal = 0

    def kill(self, folder, dead=None):
        """Finishes the dead run, then starts or resumes that of the folder; returns if it died."""
        process = train(self.cache, *([dead] if dead else []), folder)
        if dead:
            self.check(ending(process))
        resumed = folder.exists()
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        self.wait(folder, process)
        process.kill()
        rest, _ = process.communicate()
        if process.returncode != -signal.SIGKILL or rest:
            assert rest == self.expected
            self.equal += resumed
            return False
        self.kills += 1
        self.again += resumed
        self.saved += any(folder.glob("step_*"))
        self.saving += any(folder.glob(".step_*"))
        return True

    def wait(self, folder, process):
        """Waits until a random step is saved, and then for a random part of the time of a step.

        A moment of the clock alone would often come too late where other work slows it.
        """
        step = self.rng.integers(newest(folder), STEPS)
        while newest(folder) < step and process.poll() is None:
            time.sleep(0.005)
        time.sleep(self.rng.uniform(0, self.seconds / STEPS))

    def check(self, line):
        assert line == self.expected
        self.equal += 1

    def summary(self):
        return (
            f"{self.kills} killed: {self.saved} after the first checkpoint, {self.saving} within a "
            f"save, {self.again} that had been resumed; {self.equal} ended as the uninterrupted"
        )


def killed_and_resumed(tmp_path, count):
    """Kills `count` runs at least once each, then resumes each to its end in a new process."""
    cache = tmp_path / "cache"
    killer = Killer(cache, *uninterrupted(tmp_path / "uninterrupted", cache))
    begun, killed, dead = 0, 0, None
    while killed < count:
        victim = tmp_path / f"run{begun}"
        begun += 1
        died = killer.kill(victim, dead)
        killed += died
        while died and killer.rng.random() < AGAIN:
            died = killer.kill(victim)
        dead = victim if died else None
    if dead:
        last = train(cache, dead)
        killer.check(ending(last))
        last.communicate()
    print(killer.summary())
    return killer


def test_three_killed_runs_end_as_the_uninterrupted(tmp_path):
    killer = killed_and_resumed(tmp_path, 3)
    assert killer.equal == 3
    assert killer.kills >= 3
