"""A process that is killed at any system call that writes loses nothing that it had saved."""

import itertools
import shutil

import pytest

from tests.support.processes import KILL, TEAR, names, piece, told_by

SLOW = pytest.mark.slow_faults
ENOUGH = 3
"""So many processes that end unkilled have no further call, whose number varies a little."""


def killed_at_calls(zygote, folder, begun, task, *arguments, action=KILL, every=1):
    """Returns a folder for each call as the kill left it, and what its process had told.

    With `every` only some calls are tried. Every process begins with a copy of `begun`, unless
    there is none.
    """
    found, unkilled, at = [], 0, 0
    while unkilled < ENOUGH:
        at += every
        victim, events = folder / str(at) / "run", folder / f"events{at}"
        victim.parent.mkdir(parents=True)
        if begun.exists():
            shutil.copytree(begun, victim)
        code = zygote.perform(events, piece(task, victim, *arguments, at=at, action=action))
        (told,) = told_by(events)
        if code == -9:
            found.append((victim, told))
        else:
            assert told.after("calls"), zygote.output(events)
            unkilled += 1
    return found


def in_one_process(zygote, folder, pieces):
    """Does the work in one new process; returns what each piece told."""
    assert zygote.perform(folder / "later", *pieces, seconds=590) == 0, zygote.output(
        folder / "later"
    )
    return told_by(folder / "later")


def step_name(step):
    return f"step_{step:012d}"


SAVES = {"a first step": ((), 3), "a new step": ((1, 2), 3), "the same step again": ((1, 2), 2)}


@SLOW
@pytest.mark.parametrize("action", [KILL, TEAR], ids=["before", "within"])
@pytest.mark.parametrize(("before", "step"), SAVES.values(), ids=SAVES)
def test_killed_at_any_call_of_a_save(zygote, tmp_path, before, step, action):
    killed, seen, possible = killed_saves(zygote, tmp_path, before, step, action)
    print(f"{killed} at the calls of a save")
    assert killed > 50
    assert seen == possible


def test_killed_at_some_calls_of_a_save(zygote, tmp_path):
    killed, seen, possible = killed_saves(zygote, tmp_path, *SAVES["a new step"], KILL, every=12)
    assert killed > 4
    assert seen <= possible


def killed_saves(zygote, tmp_path, before, step, action, every=1):
    """Kills saves, and checks that each is restored, and that the next save cleans up.

    Returns how many were killed, which checkpoints were restored, and which ones may be.
    """
    begun = tmp_path / "begun" / "run"
    digests = {}
    if before:
        zygote.perform(tmp_path / "first", *(piece("save", begun, old, old) for old in before))
        digests = {told.after("save")[0][1] for told in told_by(tmp_path / "first")[-1:]}
    killed = killed_at_calls(
        zygote, tmp_path, begun, "save", step, 9, 1, action=action, every=every
    )
    possible = {("2", *digests)} if before else {("0", "-")}
    possible.add((str(step), killed[-1][1].after("save")[0][1]))
    pieces = [
        (piece("load", victim), piece("save", victim, 4, 4), piece("load", victim))
        for victim, _ in killed
    ]
    later = in_one_process(zygote, tmp_path, itertools.chain(*pieces))
    seen, old_names = set(), {step_name(old) for old in before}
    for (victim, _), *told in zip(killed, later[::3], later[1::3], later[2::3], strict=True):
        seen.update(map(tuple, told[0].after("restored")))
        assert not told[0].after("error"), victim
        assert told[1].after("saved") == [["4"]], victim
        assert told[2].after("restored") == told[1].after("save"), victim
        left = {name.removesuffix(".replaced") for name in names(victim)}
        assert len(left) == len(names(victim)), victim
        assert old_names | {step_name(4)} <= left, victim
        assert left <= old_names | {step_name(step), step_name(4)}, victim
    return len(killed), seen, possible


@SLOW
def test_killed_at_any_call_of_a_runs_start_and_end(zygote, tmp_path):
    """In a run folder: its lock, its configuration, metrics, two checkpoints, and all that ends."""
    whole = tmp_path / "whole" / "run"
    whole.parent.mkdir()
    zygote.perform(tmp_path / "first", piece("start_and_end", whole))
    (undisturbed,) = told_by(tmp_path / "first")
    killed = killed_at_calls(zygote, tmp_path, tmp_path / "nothing", "start_and_end")
    check(zygote, tmp_path, whole, undisturbed, killed)
    print(f"{len(killed)} at the calls of a run")


@SLOW
def test_killed_at_any_call_of_a_resumed_runs_start_and_end(zygote, tmp_path):
    """The run that resumes had been killed within its second save."""
    whole, begun = tmp_path / "whole" / "run", tmp_path / "begun" / "run"
    for folder in (whole, begun):
        folder.parent.mkdir()
    zygote.perform(tmp_path / "first", piece("start_and_end", whole))
    (undisturbed,) = told_by(tmp_path / "first")
    at = int(undisturbed.after("calls")[0][0]) * 3 // 4
    zygote.perform(tmp_path / "second", piece("start_and_end", begun, at=at, action=KILL))
    assert told_by(tmp_path / "second")[0].after("saved") == [["1"]]
    killed = killed_at_calls(zygote, tmp_path, begun, "start_and_end")
    check(zygote, tmp_path, whole, undisturbed, killed, floor=1)
    print(f"{len(killed)} at the calls of a resumed run")


def check(zygote, folder, whole, undisturbed, killed, floor=0):
    """Resumes every run to its end, and compares it with the undisturbed."""
    digests = dict(undisturbed.after("save")) | {"0": "-"}
    later = in_one_process(zygote, folder, [piece("start_and_end", victim) for victim, _ in killed])
    assert len(killed) > 50
    for (victim, told), resumed in zip(killed, later, strict=True):
        assert not resumed.after("error"), victim
        ((step, found),) = resumed.after("restored")
        assert int(step) >= max([floor, *(int(saved) for (saved,) in told.after("saved"))]), victim
        assert found == digests[step], victim
        assert resumed.after("ended") == undisturbed.after("ended"), victim
        if resumed.after("saved"):
            assert tree_of(victim) == tree_of(whole), victim


def tree_of(folder):
    """Returns the names in a run folder and in those of its checkpoints."""
    return names(folder), [names(path) for path in sorted((folder / "checkpoints").iterdir())]
