"""Symbolic links in place of the files of a run: nothing outside its folder ever changes."""

import os

import pytest

from jaxnets.storage.atomic import atomic_write
from jaxnets.storage.run_folder import FolderInUseError
from tests.support import fault_tasks
from tests.support.processes import names

pytestmark = pytest.mark.filterwarnings("ignore:skipped the checkpoint")
PID = os.getpid()
RUN = "checkpoints/RUN/"
PLACES = (
    "lock",
    "lock.pid",
    "run.json",
    f".run.{PID}.json",
    f"{RUN}lock",
    f"{RUN}lock.pid",
    f"{RUN}metrics.csv",
    f"{RUN}.metrics.{PID}.csv",
    f"{RUN}step_000000000001",
    f"{RUN}step_000000000002",
    f"{RUN}step_000000000001.replaced",
    f"{RUN}.step_000000000001.{PID}.tmp",
    f"{RUN}.step_000000000002.{PID}.tmp",
    f"{RUN}.step_000000000001.{PID}.old",
)
"""Names that a run writes, or that it could be expected to write."""
TARGETS = ("file", "folder", "nothing")


@pytest.fixture
def outside(tmp_path):
    """A folder that is none of the run's business."""
    folder = tmp_path / "outside"
    (folder / "folder").mkdir(parents=True)
    (folder / "file").write_text("mine")
    (folder / "folder" / "file").write_text("mine too")
    return folder


def state_of(folder):
    """Returns all that a change of files, names or times would change."""
    paths = sorted((folder, *folder.rglob("*")))
    return [
        (path, path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in paths
    ]


@pytest.fixture(scope="module")
def run_name(tmp_path_factory):
    """The name of the folder of the run, which its fingerprint gives."""
    folder = tmp_path_factory.mktemp("run")
    fault_tasks.start_and_end(folder, lambda *_: None)
    return names(folder / "checkpoints")[0]


def run_or_error(folder):
    """Runs, and returns the error if it is refused."""
    told = []
    try:
        fault_tasks.start_and_end(folder, lambda *words: told.append(words))
    except (OSError, ValueError, FolderInUseError) as error:
        return error
    assert told[-1][0] == "ended"
    return None


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.replace(str(PID), "PID"))
def test_no_link_leads_a_run_outside_its_folder(tmp_path, outside, run_name, place, target):
    link = tmp_path / "run" / place.replace("RUN", run_name)
    link.parent.mkdir(parents=True)
    link.symlink_to(outside / target)
    before = state_of(outside)
    error = run_or_error(tmp_path / "run")
    assert state_of(outside) == before
    if error:
        assert link.name in str(error)


@pytest.mark.parametrize("target", TARGETS)
def test_no_link_leads_a_resumed_run_outside_its_folder(tmp_path, outside, run_name, target):
    """Each file of a run is replaced by a link after it has ended, and the run is started again."""
    folder = tmp_path / "run"
    fault_tasks.start_and_end(folder, lambda *_: None)
    before = state_of(outside)
    for place in PLACES:
        link = folder / place.replace("RUN", run_name)
        moved = tmp_path / "moved"
        if link.exists():
            link.rename(moved)
        link.symlink_to(outside / target)
        run_or_error(folder)
        assert state_of(outside) == before, place
        if link.is_symlink():
            link.unlink()
        if moved.exists() and not link.exists():
            moved.rename(link)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("place", ["note.txt", f".note.{PID}.txt"], ids=["file", "temporary"])
def test_no_link_leads_a_written_file_elsewhere(tmp_path, outside, place, target):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / place).symlink_to(outside / target)
    before = state_of(outside)
    with atomic_write(folder / "note.txt") as file:
        file.write(b"new")
    assert state_of(outside) == before
    assert (folder / "note.txt").read_text() == "new"
    assert not (folder / "note.txt").is_symlink()
