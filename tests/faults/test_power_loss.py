"""What is written when a save returns survives a loss of power at any later moment."""

import numpy as np
import pytest

from tests.support.power_loss import DATA, Call, Disk, read_record, write_state
from tests.support.processes import piece, told_by

HALVES = 2
"""How many random halves of the unsynced changes of names are tried at each moment."""


def calls(*rows):
    """Makes calls below /d from what is done, the path and the rest."""
    return [Call(what, f"/d/{path}", other, 0, data) for what, path, other, data in rows]


def left(rows, data, share):
    disk = Disk("/d")
    for call in calls(*rows):
        disk.do(call)
    return disk.left(data, share=share)


UNSYNCED = [("create", "a", "", b""), ("write", "a", "", b"text")]
NAMED = [*UNSYNCED, ("rename", "a", "/d/b", b"")]
SYNCED = [*UNSYNCED, ("sync", "a", "", b""), ("rename", "a", "/d/b", b""), ("sync", "", "", b"")]
LEFT = {
    "not synced, not named": (UNSYNCED, "all", 0, {}),
    "named, data lost": (UNSYNCED, "nothing", 1, {"a": b""}),
    "half": (UNSYNCED, "half", 1, {"a": b"te"}),
    "renamed without a sync, which empties the new file": (NAMED, "nothing", 1, {"b": b""}),
    "a rename that has not happened": (NAMED, "all", 0, {}),
    "synced in the right order": (SYNCED, "nothing", 0, {"b": b"text"}),
    "dropped without a sync": ([*SYNCED, ("drop", "b", "", b"")], "all", 0, {"b": b"text"}),
    "changed after the sync": ([*SYNCED, ("write", "b", "", b"T")], "the old", 0, {"b": b"text"}),
    "changed in place": ([*SYNCED, ("write", "b", "", b"T")], "all", 0, {"b": b"Text"}),
}


@pytest.mark.parametrize(("rows", "data", "share", "expected"), LEFT.values(), ids=LEFT)
def test_the_simulation_loses_what_was_not_synced(rows, data, share, expected):
    assert left(rows, data, share) == expected


def states(record, root):
    """Yields every different state after a loss of power, and what had been told by then."""
    disk, told, seen, rng = Disk(root), [], set(), np.random.default_rng(0)
    for call in read_record(record):
        disk.do(call)
        if call.what == "mark":
            told.append(tuple(call.path.split(" ")))
        for data in DATA:
            for share in (0, 1, *[0.5] * HALVES):
                state = disk.left(data, rng, share)
                key = (*told, *sorted(state.items()))
                if key not in seen:
                    seen.add(key)
                    yield state, list(told)


def after_power_loss(zygote, folder, task, *arguments, then):
    """Records a task, and does another after every loss of power.

    Returns what the task told, and for each loss what it had told by then and what the other did.
    """
    root = folder / "root"
    root.mkdir()
    recorded = piece(task, root / "run", *arguments)
    assert zygote.perform(folder / "events", recorded, record=str(folder / "record")) == 0
    victims, before = [], []
    for number, (state, told) in enumerate(states(folder / "record", root)):
        victims.append(folder / str(number) / "run")
        before.append(told)
        write_state(victims[-1].parent, state)
    assert zygote.perform(folder / "later", *(piece(then, v) for v in victims)) == 0
    (undisturbed,) = told_by(folder / "events")
    return undisturbed, list(zip(victims, before, told_by(folder / "later"), strict=True))


def last_saved(told):
    """Returns the last step that had been saved by then, or 0."""
    return max(int(words[1]) if words[0] == "saved" else 0 for words in told) if told else 0


@pytest.mark.slow_faults
def test_a_save_that_returned_survives_a_loss_of_power(zygote, tmp_path):
    """Three steps, of which one stays, and one of them is saved again."""
    undisturbed, losses = after_power_loss(zygote, tmp_path, "saves", then="load")
    print(f"{len(losses)} losses of power around four saves")
    digests = {(step, found) for step, found in undisturbed.after("save")} | {("0", "-")}
    assert len(losses) > 300
    for victim, told, loaded in losses:
        assert not loaded.after("error"), (victim, loaded)
        ((step, found),) = loaded.after("restored")
        assert (step, found) in digests, victim
        assert int(step) >= last_saved(told), (victim, told[-1])


@pytest.mark.slow_faults
def test_a_run_survives_a_loss_of_power(zygote, tmp_path):
    undisturbed, losses = after_power_loss(zygote, tmp_path, "start_and_end", then="start_and_end")
    print(f"{len(losses)} losses of power during a run")
    assert len(losses) > 300
    digests = dict(undisturbed.after("save")) | {"0": "-"}
    for victim, told, resumed in losses:
        assert not resumed.after("error"), (victim, resumed, told)
        ((step, found),) = resumed.after("restored")
        assert digests[step] == found, victim
        assert int(step) >= last_saved(told), (victim, told[-1])
        assert not (("described",) in told and resumed.after("described")), victim
        assert resumed.after("ended") == undisturbed.after("ended"), victim
