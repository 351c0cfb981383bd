"""A save deletes intact checkpoints of its own run only, and never the one just written."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxnets.storage import manifest
from jaxnets.storage.checkpoints import restore, save
from tests.support.damage import files_of, flip, manifest_of, write_manifest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings("ignore:skipped the checkpoint")


def tree(value=0.0):
    return {"w": np.arange(5.0) + value}


def step(number):
    return f"step_{number:012d}"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def require_restored(folder, number):
    found = restore(folder, tree())
    assert found.step == number
    np.testing.assert_array_equal(found.tree["w"], np.arange(5.0) + number)


def test_attack_ckpt_prune_damaged_ones_are_not_counted(tmp_path):
    for number in range(100, 600, 100):
        save(tmp_path, number, tree(number), last=5)
    for number in (300, 400, 500):
        flip(tmp_path / step(number))
    require_restored(tmp_path, 200)
    save(tmp_path, 250, tree(250), last=3)
    assert names(tmp_path) == [step(n) for n in (100, 200, 250, 300, 400, 500)]
    require_restored(tmp_path, 250)
    save(tmp_path, 260, tree(260), last=2)
    assert names(tmp_path) == [step(n) for n in (250, 260, 300, 400, 500)]
    require_restored(tmp_path, 260)


@pytest.mark.parametrize("copies", [("best",), ("a", "b", "c")])
def test_attack_ckpt_prune_copies_of_the_user_stay(tmp_path, copies):
    save(tmp_path, 1, tree(1), last=len(copies))
    for name in copies:
        shutil.copytree(tmp_path / step(1), tmp_path / f"step_{name}")
    save(tmp_path, 2, tree(2), last=len(copies))
    require_restored(tmp_path, 2)
    for name in copies:
        copy = tmp_path / f"step_{name}"
        assert manifest_of(copy)["step"] == 1
        assert len(files_of(copy)) == len(files_of(tmp_path / step(2)))


def test_attack_ckpt_prune_notes_and_figures_stay(tmp_path):
    (tmp_path / "step_000_notes.txt").write_text("x")
    (tmp_path / "step_0_my_figures").mkdir()
    (tmp_path / "step_0_my_figures" / "a").write_text("x")
    for number in range(1, 5):
        save(tmp_path, number, tree(number), last=3)
    assert names(tmp_path) == [
        *map(step, (2, 3, 4)),
        "step_000_notes.txt",
        "step_0_my_figures",
    ]
    assert (tmp_path / "step_0_my_figures" / "a").read_text() == "x"


FOREIGN = [
    "step_000000000001 (copy)",
    "step_000000000001.bak",
    "step_0000000000001",
    "step_00000000001",
    "step_٠٠٠٠٠٠٠٠٠٠٠٩",
    "STEP_000000000001",
    "step_000000000001.replaced.old",
    ".step_best",
    ".step_000000000001.swp",
    ".step_000000000001.notes.tmp",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_what_only_looks_like_a_checkpoint_stays(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / name / "precious").write_text("x")
    for number in (1, 2, 3):
        save(tmp_path, number, tree(number), last=1)
    assert (tmp_path / name / "precious").read_text() == "x"
    require_restored(tmp_path, 3)


def test_links_to_checkpoints_are_not_followed(tmp_path):
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "run"
    save(elsewhere, 1, tree(1))
    folder.mkdir()
    (folder / step(1)).symlink_to(elsewhere / step(1))
    require_restored(folder, 1)
    for number in (2, 3):
        save(folder, number, tree(number), last=1)
    assert names(folder) == [step(1), step(3)]
    require_restored(elsewhere, 1)


def test_the_checkpoint_just_written_stays_where_newer_ones_exist(tmp_path):
    for number in (10, 20, 30):
        save(tmp_path, number, tree(number), last=3)
    save(tmp_path, 5, tree(5), last=2)
    assert names(tmp_path) == [step(5), step(30)]


def test_checkpoints_of_another_run_are_not_ours_to_delete(tmp_path):
    save(tmp_path, 1, tree(1), {"key": "a"}, last=1)
    for number in (2, 3):
        save(tmp_path, number, tree(number), {"key": "b"}, last=1)
    assert names(tmp_path) == [step(1), step(3)]


def test_a_step_of_another_run_is_set_aside(tmp_path):
    save(tmp_path, 1, tree(1), {"key": "a"})
    shutil.copytree(tmp_path / step(1), tmp_path / f"{step(1)}.replaced")
    for _ in range(2):
        save(tmp_path, 1, tree(1), {"key": "b"}, last=1)
    assert names(tmp_path) == [step(1), f"{step(1)}.aside", f"{step(1)}.replaced.aside"]
    for name in (f"{step(1)}.aside", f"{step(1)}.replaced.aside"):
        assert manifest_of(tmp_path / name)["fingerprint"] == {"key": "a"}


@pytest.mark.parametrize("number", [-1, 10**12, 1.5, "1", None])
def test_steps_without_a_name_are_refused(tmp_path, number):
    with pytest.raises((TypeError, ValueError), match="step"):
        save(tmp_path / "run", number, tree())
    assert not (tmp_path / "run").exists()


def test_steps_and_fingerprints_of_other_types_are_read_back(tmp_path):
    save(tmp_path, np.int64(3), tree(3), {"version": 2})
    assert restore(tmp_path, tree(), {"version": 2}).step == 3


def test_a_file_of_the_user_within_a_step_outlives_it(tmp_path):
    for number in (1, 2):
        save(tmp_path, number, tree(number))
    (tmp_path / step(1) / "notes.txt").write_text("precious")
    (tmp_path / step(2) / ".DS_Store").write_bytes(b"x")
    (tmp_path / step(2) / ".ipynb_checkpoints").mkdir()
    (tmp_path / step(2) / ".ipynb_checkpoints" / "MANIFEST-checkpoint").write_text("x")
    save(tmp_path, 3, tree(3), last=1)
    assert names(tmp_path) == [step(1), step(3)]
    assert [(f.name, f.read_text()) for f in files_of(tmp_path / step(1))] == [
        ("notes.txt", "precious")
    ]
    save(tmp_path, 4, tree(4), last=1)
    assert (tmp_path / step(1) / "notes.txt").exists()


@pytest.mark.parametrize("kind", ["folder", "file", "link", "folder without a manifest"])
def test_what_has_the_name_of_a_new_checkpoint_is_set_aside(tmp_path, kind):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("precious")
    folder, target = tmp_path / "run", tmp_path / "run" / step(7)
    folder.mkdir()
    if kind == "file":
        target.write_text("precious")
    elif kind == "link":
        target.symlink_to(tmp_path / "mine")
    else:
        shutil.copytree(tmp_path / "mine", target)
    if kind == "folder without a manifest":
        (target / "MANIFEST").write_text("all my own")
    save(folder, 7, tree(7))
    require_restored(folder, 7)
    aside = folder / f"{step(7)}.aside"
    assert (aside if kind == "file" else aside / "a").read_text() == "precious"
    assert (tmp_path / "mine" / "a").read_text() == "precious"
    assert not target.is_symlink()


def test_a_good_replaced_checkpoint_outlives_a_damaged_replacement(tmp_path):
    """A power loss in the middle of saving a step again."""
    save(tmp_path, 1, tree(1))
    (tmp_path / step(1)).rename(tmp_path / f"{step(1)}.replaced")
    shutil.copytree(tmp_path / f"{step(1)}.replaced", tmp_path / step(1))
    flip(tmp_path / step(1))
    save(tmp_path, 2, tree(2), last=2)
    assert names(tmp_path) == [step(1), f"{step(1)}.replaced", step(2)]
    shutil.rmtree(tmp_path / step(2))
    require_restored(tmp_path, 1)
    save(tmp_path, 1, tree(1), last=2)
    assert names(tmp_path) == [step(1)]
    require_restored(tmp_path, 1)


def test_a_replaced_checkpoint_goes_once_its_replacement_is_intact(tmp_path):
    save(tmp_path, 1, tree(1))
    shutil.copytree(tmp_path / step(1), tmp_path / f"{step(1)}.replaced")
    save(tmp_path, 2, tree(2), last=3)
    assert names(tmp_path) == [step(1), step(2)]


def test_files_are_hashed_once_and_again_only_when_they_change(tmp_path, monkeypatch):
    for number in range(1, 5):
        save(tmp_path, number, tree(number), last=4)
    hashed, real = [], manifest.verify
    monkeypatch.setattr(manifest, "verify", lambda path: hashed.append(path.name) or real(path))
    save(tmp_path, 5, tree(5), last=4)
    assert hashed == []
    assert names(tmp_path) == [step(n) for n in (2, 3, 4, 5)]
    flip(tmp_path / step(4))
    save(tmp_path, 6, tree(6), last=2)
    assert hashed == [step(4)]
    assert names(tmp_path) == [step(n) for n in (4, 5, 6)]
    save(tmp_path, 7, tree(7), last=2)
    assert hashed == [step(4)]
    assert names(tmp_path) == [step(n) for n in (4, 6, 7)]


SAVING = """
import sys
import numpy as np
from jaxnets.storage import checkpoints
def wait(path, content):
    print(path.parent.name, flush=True)
    sys.stdin.readline()
    real(path, content)
real, checkpoints.write_bytes = checkpoints.write_bytes, wait
checkpoints.save(sys.argv[1], 1, {"w": np.arange(5.0) + 1})
"""


def test_what_another_process_is_writing_is_not_deleted(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", SAVING, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    hidden = process.stdout.readline().strip()
    save(tmp_path, 2, tree(2))
    assert (tmp_path / hidden).is_dir()
    process.communicate("\n")
    assert process.returncode == 0
    assert names(tmp_path) == [step(1), step(2)]
    shutil.rmtree(tmp_path / step(2))
    require_restored(tmp_path, 1)


@pytest.mark.parametrize("host", ["", ".00000000.0123456789abcdef"])
def test_what_a_dead_process_left_is_deleted(tmp_path, host):
    """One of another machine cannot be asked, so that its directory must be a day old."""
    for kind in ("tmp", "old"):
        left = tmp_path / f".{step(1)}.999999{host}.{kind}"
        save(left, 1, tree(1))
        (left / step(1) / "MANIFEST").rename(left / "MANIFEST")
    save(tmp_path, 2, tree(2))
    assert len(names(tmp_path)) == (3 if host else 1)
    for path in tmp_path.glob(".step*"):
        os.utime(path, (0, 0))
    save(tmp_path, 3, tree(3))
    assert not list(tmp_path.glob(".*tmp"))


def test_a_manifest_of_another_step_is_not_a_checkpoint(tmp_path):
    save(tmp_path, 1, tree(1))
    shutil.copytree(tmp_path / step(1), tmp_path / step(5))
    save(tmp_path, 2, tree(2), last=1)
    assert names(tmp_path) == [step(2), step(5)]
    content = manifest_of(tmp_path / step(5))
    write_manifest(tmp_path / step(5), content | {"step": 5})
    save(tmp_path, 3, tree(3), last=1)
    assert names(tmp_path) == [step(3)]
