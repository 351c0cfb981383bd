"""Runs that are killed again and again at random times end as if nothing had happened."""

from collections import Counter

import numpy as np
import pytest

from tests.support.processes import piece, told_by

pytestmark = pytest.mark.slow_faults
KILLS = 50
MOST = 8
"""Kills of one run, so that some runs end early and some late."""


PHASES = {
    "task": "start",
    "restored": "step",
    "save": "save",
    "saved": "step",
    "ended": "end",
    "calls": "end",
}
"""What a process is doing that has told an event last."""


class Run:
    """One run in its folder, and all processes that worked on it."""

    def __init__(self, zygote, folder, name):
        self.zygote, self.name = zygote, name
        self.folder = folder / "run"
        self.events = folder / "events"
        folder.mkdir()

    def go_on(self, seconds=300):
        """Starts or resumes it in a new process, to be killed after some seconds.

        Returns in which phase it was killed, or None if it had ended.
        """
        before, work = len(self.told()), piece("run", self.folder, self.name)
        code = self.zygote.perform(self.events, work, seconds=seconds)
        assert code in (0, -9), self.zygote.output(self.events)
        told = self.told()
        last = told[-1][-1][0] if len(told) > before else "task"
        return PHASES[last] if code == -9 else None

    def told(self):
        """What each process told."""
        return told_by(self.events) if self.events.exists() else []


def differences(run, digests, ended):
    """Yields in what way a run, which has ended now, differs from the undisturbed."""
    floor = 0
    for told in run.told():
        for step, digest in told.after("restored"):
            if int(step) < floor:
                yield f"step {floor} was saved, but {step} restored"
            if digests[step] != digest:
                yield f"step {step} was restored with other bits"
        for step, digest in told.after("save"):
            if digests[step] != digest:
                yield f"step {step} has other bits"
        floor = max([floor, *(int(step) for (step,) in told.after("saved"))])
        yield from told.after("error")
    if run.told()[-1].after("ended") != ended:
        yield "its end differs"


@pytest.mark.parametrize("name", ["MLP", "CNN", "L-BFGS", "sweep"])
def test_fifty_random_kills_change_no_bit(zygote, tmp_path, name):
    """At any time of a start, a step, a save, a resumption or an end."""
    whole = Run(zygote, tmp_path / "whole", name)
    whole.go_on()
    (undisturbed,) = whole.told()
    digests, ended = dict(undisturbed.after("save")) | {"0": "-"}, undisturbed.after("ended")
    again = Run(zygote, tmp_path / "again", name)  # with the compiled programs of the first
    again.go_on()
    seconds, rng = zygote.seconds, np.random.default_rng(0)
    phases, kills, runs, wrong = Counter(), 0, 0, []
    while kills < KILLS:
        run = Run(zygote, tmp_path / str(runs), name)
        runs += 1
        for _ in range(min(rng.integers(1, MOST + 1), KILLS - kills)):
            phase = run.go_on(rng.uniform(0, seconds))
            if not phase:
                break
            kills += 1
            phases[phase] += 1
        run.go_on()
        wrong += [(run.folder, text) for text in differences(run, digests, ended)]
    summary = f"{name}: {kills} kills of {runs} runs ({dict(phases)}); {len(wrong)} wrong"
    print(summary)
    assert not wrong
    assert phases["save"] >= KILLS // 10, summary
