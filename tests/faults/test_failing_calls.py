"""A writing call that fails, once or from then on: an error of ours, and nothing lost."""

import errno
import shutil

import pytest

from tests.support.power_loss import read_record
from tests.support.processes import FAIL, FAIL_ON, names, piece, told_by

pytestmark = pytest.mark.slow_faults
MORE = 15
"""Calls that are tried beyond those of an undisturbed task, since their number varies a little."""
FAULTS = {
    "full once": (errno.ENOSPC, FAIL),
    "full from then on": (errno.ENOSPC, FAIL_ON),
    "broken once": (errno.EIO, FAIL),
    "broken from then on": (errno.EIO, FAIL_ON),
}
EACH = pytest.mark.parametrize(("error", "action"), FAULTS.values(), ids=FAULTS)
OURS = {errno.ENOSPC: {"DiskFullError"}, errno.EIO: {"OSError", "RunFolderError"}}
MAY_FAIL = {"drop", "rename"}
"""What may fail without an error, once all is saved: the removal of what is old."""


def failed_calls(record):
    """Returns what kinds of calls have failed in each task."""
    tasks = []
    for call in read_record(record):
        if call.what == "mark" and call.path.startswith("task "):
            tasks.append([])
        if call.what == "failed":
            tasks[-1].append(call.path)
    return tasks


def with_each_call_failing(zygote, folder, begun, task, arguments, fault, then):
    """Yields folder, failed calls and what was told when call k failed, and what later tasks told.

    All in one process, which goes on after the error as a notebook would.
    """
    error, action = fault
    spare = folder / "spare" / "run"
    spare.parent.mkdir()
    if begun.exists():
        shutil.copytree(begun, spare)
    zygote.perform(folder / "count", piece(task, spare, *arguments))
    pieces, victims = [], []
    for at in range(1, int(told_by(folder / "count")[0].after("calls")[0][0]) + MORE):
        victim = folder / str(at) / "run"
        victim.parent.mkdir()
        if begun.exists():
            shutil.copytree(begun, victim)
        victims.append(victim)
        disturbed = piece(task, victim, *arguments, at=at, action=action, error=error)
        pieces += [disturbed, *(piece(name, victim, *rest) for name, *rest in then)]
    code = zygote.perform(folder / "all", *pieces, record=str(folder / "record"))
    assert code == 0, zygote.output(folder / "all")
    told, each = told_by(folder / "all"), 1 + len(then)
    failed = failed_calls(folder / "record")[::each]
    rows = [told[i : i + each] for i in range(0, len(told), each)]
    return zip(victims, failed, rows, strict=True)


def check_error(told, failed, error, victim):
    """Returns whether the task ended with an error; it is one of ours, and names the folder."""
    errors = told.after("error")
    if not errors:
        assert set(failed) <= MAY_FAIL, (victim, failed)
        return False
    ((kind, *text),) = errors
    assert failed, (victim, errors)
    assert kind in OURS[error], (victim, failed, errors)
    assert str(victim) in " ".join(text), (victim, failed, errors)
    return True


@EACH
@pytest.mark.parametrize("step", [3, 2], ids=["a new step", "the same step again"])
def test_any_call_of_a_save_fails(zygote, tmp_path, step, error, action):
    """The step before is intact or the new one is, and the next save works and cleans up."""
    begun = tmp_path / "begun" / "run"
    zygote.perform(tmp_path / "first", piece("save", begun, 1, 9), piece("save", begun, 2, 9))
    (old,) = told_by(tmp_path / "first")[1].after("save")
    then, faults = [("load",), ("save", 4, 9), ("load",)], 0
    found = with_each_call_failing(
        zygote, tmp_path, begun, "save", (step, 9, 1), (error, action), then
    )
    for victim, failed, (disturbed, loaded, saved, last) in found:
        (new,) = disturbed.after("save")
        faults += bool(failed)
        stopped = check_error(disturbed, failed, error, victim)
        (restored,) = loaded.after("restored")
        assert restored in ((old, new) if stopped else (new,)), victim
        assert saved.after("saved") == [["4"]], victim
        assert last.after("restored") == saved.after("save"), victim
        assert all(name.startswith("step_") for name in names(victim)), victim
    assert faults > 50
    print(f"{faults} failing calls of a save")


@EACH
def test_any_call_of_a_runs_start_and_end_fails(zygote, tmp_path, error, action):
    """The run resumes from its last checkpoint, in the same process, to the same bits."""
    zygote.perform(tmp_path / "first", piece("start_and_end", tmp_path / "whole"))
    (undisturbed,) = told_by(tmp_path / "first")
    digests, faults = dict(undisturbed.after("save")) | {"0": "-"}, 0
    found = with_each_call_failing(
        zygote,
        tmp_path,
        tmp_path / "nothing",
        "start_and_end",
        (),
        (error, action),
        [("start_and_end",)],
    )
    for victim, failed, (disturbed, resumed) in found:
        faults += bool(failed)
        if not check_error(disturbed, failed, error, victim):
            assert disturbed.after("ended") == undisturbed.after("ended"), victim
        ((step, digest),) = resumed.after("restored")
        assert int(step) >= max([0, *(int(saved) for (saved,) in disturbed.after("saved"))]), victim
        assert digest == digests[step], victim
        assert resumed.after("ended") == undisturbed.after("ended"), (victim, resumed)
    assert faults > 100
    print(f"{faults} failing calls of a run")
