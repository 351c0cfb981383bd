"""A lock follows no link, belongs to one process, and notices that its folder was replaced."""

import errno
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from jaxnets.storage.lock import FolderInUseError, RunFolderError, lock_folder
from jaxnets.storage.run_folder import open_run_folder

ROOT = Path(__file__).parents[2]
NAMES = pytest.mark.parametrize("name", ["lock", "lock.pid"])


@NAMES
@pytest.mark.parametrize("exists", [True, False])
def test_attack_lock_symlink_is_refused_untouched(tmp_path, folder, name, exists):
    victim = tmp_path / "victim.txt"
    if exists:
        victim.write_text("precious\n" * 100)
    (folder / name).symlink_to(victim)
    with (
        pytest.raises(RunFolderError, match=f"{name} is a symbolic link.*delete it"),
        lock_folder(folder),
    ):
        pytest.fail("locked")
    assert victim.exists() == exists
    assert not exists or victim.read_text() == "precious\n" * 100
    (folder / name).unlink()
    with lock_folder(folder):
        assert (folder / "lock.pid").read_text() == f"{os.getpid()}\n"


@NAMES
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo], ids=["folder", "pipe"])
def test_a_lock_that_is_not_a_file_is_refused_without_waiting(folder, name, make):
    make(folder / name)
    with pytest.raises(RunFolderError, match="is not a file"), open_run_folder(folder):
        pytest.fail("locked")


def test_what_a_lock_contains_is_not_emptied(folder):
    """Somebody may have linked it to a file of value."""
    victim = folder.parent / "victim"
    victim.write_text("precious")
    os.link(victim, folder / "lock")
    with lock_folder(folder):
        pass
    assert victim.read_text() == "precious"


@pytest.mark.parametrize("content", [b"", b"\xff" * 10**6, b"12\n"])
def test_whatever_the_holder_has_written_is_shown_safely(folder, content):
    with lock_folder(folder):
        (folder / "lock.pid").write_bytes(content)
        with pytest.raises(FolderInUseError) as caught, lock_folder(folder):
            pytest.fail("locked twice")
    assert len(str(caught.value)) < 300


# ----- children by fork

FORKING = """
import os, sys, time
from pathlib import Path
from jaxnets.storage.lock import FolderInUseError, lock_folder
folder, what = Path(sys.argv[1]), sys.argv[2]
with lock_folder(folder):
    child = os.fork()
    if child == 0:
        if what == "leaves the block":
            pass
        elif what == "exits":
            os._exit(0)
        else:
            time.sleep(60)
    else:
        if what != "stays":
            os.waitpid(child, 0)
        print(child, flush=True)
        sys.stdin.readline()
os._exit(0)
"""


@pytest.mark.parametrize("what", ["leaves the block", "exits"])
def test_a_forked_child_that_ends_does_not_free_the_lock(folder, what):
    parent = start(folder, what)
    assert parent.stdout.readline().strip().isdigit()
    with pytest.raises(FolderInUseError, match=f"pid {parent.pid}"), lock_folder(folder):
        pytest.fail("the child has freed it")
    parent.communicate("\n")
    with lock_folder(folder):
        pass


@pytest.mark.parametrize("end", [signal.SIGKILL, None])
def test_a_forked_child_that_stays_does_not_keep_the_lock(folder, end):
    parent = start(folder, "stays")
    child = int(parent.stdout.readline())
    try:
        with pytest.raises(FolderInUseError), lock_folder(folder):
            pytest.fail("the parent holds it")
        if end:
            parent.send_signal(end)
        else:
            parent.stdin.write("\n")
            parent.stdin.flush()
        parent.wait()
        with lock_folder(folder):
            pass
    finally:
        os.kill(child, signal.SIGKILL)
        parent.communicate()


def start(folder, what):
    return subprocess.Popen(
        [sys.executable, "-c", FORKING, str(folder), what],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def hold(folder, ready, stop):
    with lock_folder(Path(folder)):
        ready.set()
        stop.wait(60)


@pytest.fixture
def second_holder():
    """Locks a folder in another process, until the test ends."""
    context = multiprocessing.get_context("spawn")
    ready, stop, started = context.Event(), context.Event(), []

    def start(folder):
        started.append(context.Process(target=hold, args=(str(folder), ready, stop)))
        started[0].start()
        assert ready.wait(60)

    yield start
    stop.set()
    for process in started:
        process.join()


# ----- the folder itself


def test_attack_misc2_a_second_holder_of_a_folder_made_again(folder, second_holder):
    with lock_folder(folder) as held:
        held.require_held()
        shutil.rmtree(folder)
        folder.mkdir()
        second_holder(folder)
        with pytest.raises(FolderInUseError, match=r"in use by pid \d+"):
            held.require_held()


def rename(folder):
    folder.rename(folder.with_name("other"))


def replace(folder):
    rename(folder)
    folder.mkdir()
    (folder / "lock").touch()


def to_a_file(folder):
    rename(folder)
    folder.write_text("x")


LOST = {
    "deleted": shutil.rmtree,
    "renamed": rename,
    "replaced": replace,
    "a file now": to_a_file,
    "emptied": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.mark.parametrize("lose", LOST.values(), ids=LOST)
def test_a_folder_that_is_no_longer_there_is_noticed(folder, lose):
    with lock_folder(folder) as held:
        lose(folder)
        with pytest.raises(RunFolderError, match="replaced"):
            held.require_held()


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE, errno.ENOLCK])
def test_a_lock_that_cannot_be_acquired_is_our_error(folder, monkeypatch, number):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "acquire", fail)
    said = f"lock cannot be locked: {os.strerror(number)}"
    with pytest.raises(RunFolderError, match=said) as caught, lock_folder(folder):
        pytest.fail("locked")
    assert caught.value.errno == number
