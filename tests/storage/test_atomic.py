import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxnets.storage.atomic import DiskFullError, atomic_write


def test_a_file_appears_complete_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as file:
        file.write(b"first")
        assert not path.exists()
    with pytest.raises(ZeroDivisionError), atomic_write(path) as file:
        file.write(b"half " * 100_000 + bytes([1 // 0]))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "first")]


FULL = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG]


@pytest.mark.parametrize("number", FULL)
def test_a_full_disk_is_named_with_what_is_free(tmp_path, number):
    path = tmp_path / "a.txt"
    path.write_text("before")
    match = rf"{os.strerror(number)} for .*a\.txt: \d+ bytes are free"
    with pytest.raises(DiskFullError, match=match), atomic_write(path) as file:  # noqa: PT012
        file.write(b"half")
        raise OSError(number, os.strerror(number))
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.txt", "before")]


def test_other_system_errors_pass(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(IsADirectoryError), atomic_write(tmp_path / "a.txt") as file:
        file.write(b"for a name that is a folder's")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


CHILD = """
import resource, sys
from pathlib import Path
import numpy as np
from jaxnets import plots
from jaxnets.storage.atomic import DiskFullError, atomic_write

resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
folder, noise = Path(sys.argv[1]), np.random.default_rng(0).normal(size=(100, 100))
canvas, axes = plots.figure()
axes[0, 0].imshow(noise)
for name, save in {
    "figure.png": lambda file: canvas.savefig(file, format="png"),
    "result.npz": lambda file: np.savez_compressed(file, noise=noise),
    "note.json": lambda file: file.write(b"x" * 10_000),
}.items():
    try:
        with atomic_write(folder / name) as file:
            save(file)
    except DiskFullError as error:
        print(error)
"""


def test_a_figure_a_result_and_a_note_that_do_not_fit(tmp_path):
    """In a process whose files end at 5,000 bytes, as on a full disk."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    errors = done.stdout.splitlines()
    for name, line in zip(("figure.png", "result.npz", "note.json"), errors, strict=True):
        assert f"for {tmp_path / name}: " in line
        assert "free some space, or write elsewhere" in line
    assert not list(tmp_path.iterdir())
