"""The folder of a run is lost, replaced, full or broken in the middle of it; `run.json` is lost."""

import errno
import os
import shutil
from pathlib import Path

import chex
import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.lab import run
from jaxnets.data import Dataset
from jaxnets.storage import atomic, checkpoints, run_folder
from jaxnets.storage.atomic import DiskFullError
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.lock import FolderInUseError, RunFolderError, lock_folder

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
DATA = Dataset({"x": X, "y": np.arange(20) % 2})
SPEC = jn.TrainSpec(jn.MLP((3,)), "binary_cross_entropy", epochs=3, batch_size=5)
STEPS = 12


def fit(folder, key=0):
    config = CheckpointConfig(folder, seconds=0, steps=2, last=2)
    return jn.fit(SPEC, jax.random.key(key), DATA, {"learning_rate": 0.1}, checkpoints=config)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("undisturbed") / "run")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "run"


def before_save(monkeypatch, step, act):
    """Does something to the folder right before the run saves the state after a step."""
    real = run_folder.RunWriter.save

    def save(writer, at, *rest):
        if at == step:
            act()
        real(writer, at, *rest)

    monkeypatch.setattr(run_folder.RunWriter, "save", save)


def require_resumed(folder, undisturbed):
    """The run goes on and ends as if nothing had happened."""
    state, history = fit(folder)
    chex.assert_trees_all_equal(state.params, undisturbed[0].params)
    chex.assert_trees_all_equal(history, undisturbed[1])


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_renamed_folder_is_noticed_and_can_be_resumed(folder, undisturbed, monkeypatch):
    other = folder.with_name("other")
    before_save(monkeypatch, 6, lambda: folder.rename(other))
    with pytest.raises(RunFolderError, match=r"renamed.*Step 6 could not.*checkpoint of step 4"):
        fit(folder)
    assert not folder.exists()
    monkeypatch.undo()
    assert names(other) == [
        "lock",
        "lock.pid",
        "metrics.csv",
        "step_000000000002",
        "step_000000000004",
    ]
    require_resumed(other, undisturbed)


def test_a_deleted_folder_is_noticed_and_not_made_again(folder, monkeypatch):
    before_save(monkeypatch, 6, lambda: shutil.rmtree(folder))
    with pytest.raises(
        RunFolderError, match=f"{folder} is not the folder that this run has locked"
    ):
        fit(folder)
    assert not folder.exists()


def test_attack_misc2_a_folder_replaced_by_another_runs_is_not_written(folder, monkeypatch):
    other = folder.with_name("other")
    fit(other, key=1)
    before = {file: file.read_bytes() for file in other.rglob("*") if file.is_file()}

    def replace():
        folder.rename(folder.with_name("mine"))
        other.rename(folder)

    before_save(monkeypatch, 6, replace)
    with pytest.raises(RunFolderError, match="was replaced by another folder"):
        fit(folder)
    for file, content in before.items():
        assert (folder / file.relative_to(other)).read_bytes() == content


def test_attack_misc2_a_folder_made_again_by_a_second_holder(folder, monkeypatch):
    locked = []

    def again():
        shutil.rmtree(folder)
        folder.mkdir()
        locked.append(lock_folder(folder))
        locked[0].__enter__()

    before_save(monkeypatch, 6, again)
    with pytest.raises(FolderInUseError, match=rf"in use by pid {os.getpid()}.*Step 6"):
        fit(folder)
    assert names(folder) == ["lock", "lock.pid"]
    locked[0].__exit__(None, None, None)


def test_a_folder_replaced_in_the_middle_of_a_save(folder, monkeypatch):
    """After all files of a checkpoint are written, before they get their name."""
    real, calls = checkpoints.write_bytes, []

    def write_bytes(path, content):
        real(path, content)
        calls.append(path)
        if len(calls) == 3:
            folder.rename(folder.with_name("mine"))
            folder.mkdir()
            (folder / "precious").write_text("x")

    monkeypatch.setattr(checkpoints, "write_bytes", write_bytes)
    with pytest.raises(RunFolderError, match="Step 6 could not be saved"):
        fit(folder)
    assert names(folder) == ["precious"]
    assert "step_000000000004" in names(folder.with_name("mine"))


def test_a_folder_replaced_while_orbax_writes(folder, monkeypatch):
    """The other folder has a checkpoint of the same step, which is not set aside."""
    other = folder.with_name("other")
    fit(other)
    before = names(other)
    real, calls = checkpoints.arrays.write, []

    def write(path, tree):
        calls.append(path)
        if len(calls) == 3:
            folder.rename(folder.with_name("mine"))
            other.rename(folder)
        real(path, tree)

    monkeypatch.setattr(checkpoints.arrays, "write", write)
    with pytest.raises(RunFolderError, match="Step 6 could not be saved"):
        fit(folder)
    assert names(folder) == before
    assert "step_000000000004" in names(folder.with_name("mine"))


PLACES = {
    "open": (os, "open"),
    "sync": (os, "fsync"),
    "mkdir": (os, "mkdir"),
    "rename": (Path, "rename"),
    "replace": (Path, "replace"),
}
BROKEN = [(place, errno.EIO) for place in PLACES]
BROKEN += [("open", errno.EROFS), ("open", errno.EACCES), ("mkdir", errno.ESTALE)]
BROKEN += [("sync", errno.ENOSPC), ("rename", errno.EDQUOT), ("replace", errno.ENOSPC)]


@pytest.mark.parametrize(("place", "number"), BROKEN)
def test_a_failing_disk_leaves_the_checkpoint_before(
    folder, undisturbed, monkeypatch, place, number
):
    def fail():
        def broken(*_, **__):
            raise OSError(number, os.strerror(number), str(folder / "x"))

        monkeypatch.setattr(*PLACES[place], broken)

    before_save(monkeypatch, 6, fail)
    full = number in atomic.FULL
    with pytest.raises(DiskFullError if full else RunFolderError) as caught:
        fit(folder)
    monkeypatch.undo()
    assert caught.value.errno == number
    for part in (str(folder), "Step 6", "checkpoint of step 4", os.strerror(number)):
        assert part in str(caught.value)
    require_resumed(folder, undisturbed)
    assert not list(folder.glob(".*"))


ORBAX = {
    "Input/output error": errno.EIO,
    "No such file or directory": errno.ENOENT,
    "Read-only file system": errno.EROFS,
    "RESOURCE_EXHAUSTED: something": errno.ENOSPC,
}


@pytest.mark.parametrize(("text", "number"), ORBAX.items())
def test_what_orbax_says_of_the_disk_is_an_oserror(folder, monkeypatch, text, number):
    from jaxnets.storage import arrays

    class Broken:
        def __enter__(self):
            raise ValueError(f"INTERNAL: Error writing: {text}\nmany\nlines")

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(arrays, "_orbax", Broken)
    with pytest.raises(OSError, match=r"arrays|free some space") as caught:
        checkpoints.save(folder, 1, {"x": np.zeros(3)})
    assert caught.value.errno == number


# ----- run.json

NAME = "xor"
LOSE = {
    "emptied": lambda path: path.write_bytes(b""),
    "deleted": lambda path: path.unlink(),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "not text": lambda path: path.write_bytes(b"\xff\xfe"),
    "another type": lambda path: path.write_text("[]"),
    "no configuration": lambda path: path.write_text('{"config": 3}'),
    "nested": lambda path: path.write_text("[" * 100_000),
}
EACH_LOSS = pytest.mark.parametrize("lose", LOSE.values(), ids=LOSE)


@EACH_LOSS
def test_attack_misc2_run_json_is_read_from_its_copy(tmp_path, lose):
    run_folder.describe(tmp_path, {"experiment": NAME, "seeds": 3})
    note = (tmp_path / "run.json").read_bytes()
    lose(tmp_path / "run.json")
    assert run_folder.config_of(tmp_path) == {"experiment": NAME, "seeds": 3}
    assert run_folder.has_run(tmp_path)
    run_folder.restore_note(tmp_path)
    assert (tmp_path / "run.json").read_bytes() == note


@EACH_LOSS
def test_without_the_copy_the_error_says_how_to_go_on(folder, lose):
    """So it is with folders of version 0.2.0."""
    fit(folder / "checkpoints" / "abc")
    run_folder.describe(folder, {"experiment": NAME})
    (folder / run_folder.COPY).unlink()
    lose(folder / "run.json")
    with pytest.raises(ValueError, match=rf"no checkpoint is lost: start with --run {folder}"):
        run_folder.config_of(folder)
    assert not run_folder.has_run(folder)


@pytest.mark.parametrize("copy", [True, False])
def test_attack_misc2_whole_checkpoints_stay_reachable(tmp_path, monkeypatch, capsys, copy):
    """--resume with the copy, --run with the configuration without it; no step is taken again."""
    name, folder, results = "digits_sweep", tmp_path / "run", tmp_path / "results"
    module = run.load(name)
    want = run.perform_in(folder, name, module.SMOKE, results=results)
    (folder / "run.json").write_text("")
    if not copy:
        (folder / run_folder.COPY).unlink()
        with pytest.raises(ValueError, match=f"--run {folder}"):
            run.perform_in(folder, name, module.Config(), resume=True, results=results)
    began = []
    real = run_folder.RunWriter.restore
    monkeypatch.setattr(
        run_folder.RunWriter,
        "restore",
        lambda *rest: began.append(real(*rest)) or began[-1],
    )
    config = module.Config() if copy else module.SMOKE
    again = run.perform_in(folder, name, config, resume=copy, results=results)
    chex.assert_trees_all_equal(again["train_loss"], want["train_loss"])
    assert all(step > 0 for step, _ in began)
    assert run_folder.config_of(folder)["experiment"] == name
    with pytest.raises(ValueError, match="already has a run: use --resume"):
        run.perform_in(folder, name, module.SMOKE, results=results)


def test_results_are_not_copied_into_a_folder_of_others(folder, monkeypatch, tmp_path):
    def perform(*_):
        folder.rename(folder.with_name("mine"))
        folder.mkdir()

    monkeypatch.setattr(run, "perform", perform)
    with pytest.raises(RunFolderError, match="replaced"):
        run.perform_in(folder, NAME, run.load(NAME).SMOKE, results=tmp_path / "results")
    assert names(folder) == []
