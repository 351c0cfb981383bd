"""Every file is written by one atomic writer, which follows no link and syncs file and folder."""

import ast
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxnets.storage import atomic, run_folder
from jaxnets.storage.atomic import atomic_write, write_bytes, write_text
from jaxnets.word2vec import vector_files
from jaxnets.word2vec.vectors import Vectors

ROOT = Path(__file__).parents[2]
VECTORS = Vectors(["a", "b"], np.eye(2, dtype=np.float32))
WRITERS = {
    "run.json": lambda folder: run_folder.describe(folder, {"seeds": 3}),
    "metrics.csv": lambda folder: run_folder.write_metrics(folder / "metrics.csv", [{"epoch": 1}]),
    "vectors": lambda folder: vector_files.save(folder / "vectors", VECTORS),
    "text": lambda folder: write_text(folder / "text", "x"),
    "bytes": lambda folder: write_bytes(folder / "bytes", b"x"),
}
EACH_WRITER = pytest.mark.parametrize(("name", "write"), WRITERS.items(), ids=WRITERS)


@pytest.fixture
def victim(tmp_path):
    path = tmp_path / "victim"
    path.write_text("precious\n" * 100)
    yield path
    assert path.read_text() == "precious\n" * 100


@EACH_WRITER
def test_attack_lock_symlink_targets_are_replaced_not_followed(folder, victim, name, write):
    (folder / name).symlink_to(victim)
    write(folder)
    assert not (folder / name).is_symlink()
    assert (folder / name).stat().st_size


def test_attack_lock_symlink_temporary_names_cannot_be_foreseen(folder, victim):
    for name in (".metrics.csv", ".metrics", ".metrics.csv.tmp"):
        (folder / name).symlink_to(victim)
    (folder / f".metrics.{os.getpid()}.csv").symlink_to(victim)
    seen = set()
    for _ in range(3):
        with atomic_write(folder / "metrics.csv") as file:
            (temporary,) = folder.glob(".metrics.csv.*.tmp")
            seen.add(temporary.name)
            file.write(b"epoch\n1\n")
    assert len(seen) == 3
    assert (folder / "metrics.csv").read_text() == "epoch\n1\n"


def test_a_link_that_has_the_temporary_name_is_not_followed(folder, victim, monkeypatch):
    monkeypatch.setattr(atomic.secrets, "token_hex", lambda n: "0" * 2 * n)
    (folder / f".a.{'0' * 16}.tmp").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_text(folder / "a", "x")
    assert not (folder / "a").exists()


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_the_umask(folder, umask):
    old = os.umask(umask)
    try:
        write_text(folder / "a", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((folder / "a").stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.mknod(path, stat.S_IFSOCK)])
def test_devices_and_pipes_are_not_replaced(folder, make):
    make(folder / "a")
    with pytest.raises(FileExistsError, match="not a file"):
        write_text(folder / "a", "x")
    assert [path.name for path in folder.iterdir()] == ["a"]


@pytest.mark.parametrize("name", ["a" * 255, "ä" * 127, ".hidden", "a b\n", "no.suffix.at all"])
def test_any_name_that_the_system_takes(folder, name):
    write_text(folder / name, "x")
    write_text(folder / name, "y")
    assert [(path.name, path.read_text()) for path in folder.iterdir()] == [(name, "y")]


def test_what_killed_processes_left_of_a_file_is_removed(folder):
    left = folder / f".metrics.csv.{'a' * 16}.tmp"
    others = [folder / name for name in (".metrics.csv.mine.tmp", ".other.csv.tmp", "metrics.csv")]
    for path in (left, *others):
        path.write_text("x")
    atomic.remove_stale(folder / "metrics.csv")
    assert not left.exists()
    assert all(path.exists() for path in others)


# ----- on the disk before the name, and the name before it returns

TRACED = """
import sys
from pathlib import Path
from jaxnets.storage import atomic, checkpoints, run_folder
import numpy as np
folder = Path(sys.argv[1])
if sys.argv[2] == "notes":
    run_folder.describe(folder, {})
    run_folder.write_metrics(folder / "metrics.csv", [{"epoch": 1}])
else:
    checkpoints.save(folder / "new" / "run", 1, {"x": np.arange(5.0)})
"""


def trace(tmp_path, what):
    """The system calls `(name, arguments)` that change files, in order, from strace."""
    log = tmp_path / "trace"
    calls = "trace=openat,close,dup,fsync,fdatasync,rename,renameat,renameat2,mkdir,write,pwrite64"
    done = subprocess.run(
        [
            *("strace", "-f", "-y", "-qq", "-o", log, "-e", calls),
            *(sys.executable, "-c", TRACED, str(tmp_path / "run"), what),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    return [line.partition(" ")[2].strip() for line in log.read_text().splitlines()]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
@pytest.mark.parametrize("name", ["run.json", "metrics.csv"])
def test_attack_misc2_notes_are_synced_before_and_after_their_rename(tmp_path, folder, name):
    lines = trace(tmp_path, "notes")
    named = next(i for i, line in enumerate(lines) if line.endswith(f'"{folder}/{name}") = 0'))
    synced = [i for i, line in enumerate(lines) if line.startswith("fsync(")]
    assert any(f"/.{name}." in lines[i] for i in synced if i < named)
    assert f"<{folder}>" in lines[next(i for i in synced if i > named)]


@pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")
def test_a_checkpoint_is_synced_file_by_file_then_folder_by_folder(tmp_path, folder):
    lines = trace(tmp_path, "checkpoint")
    place = folder / "new" / "run"
    final = place / "step_000000000001"
    named = next(i for i, line in enumerate(lines) if line.endswith(f'"{final}") = 0'))
    synced = [
        line.partition("<")[2].partition(">")[0] for line in lines[:named] if "fsync(" in line
    ]
    order = {path: i for i, path in enumerate(synced)}
    (temporary,) = {path for path in synced if path.endswith(".tmp") and "MANIFEST" not in path}
    for file in final.rglob("*"):
        where = f"{temporary}/{file.relative_to(final)}"
        if file.name == "MANIFEST":
            where = next(path for path in synced if "/.MANIFEST." in path)
        assert where in order, where
        assert order[where] < order[os.path.dirname(where)]
    assert f"<{place}>" in next(line for line in lines[named:] if "fsync(" in line)
    for parent in (folder, folder / "new"):
        assert str(parent) in order


# ----- nothing else writes

WRITING = {
    "write_text",
    "write_bytes",
    "tofile",
    "touch",
    "to_csv",
    "savetxt",
    "imsave",
    "copyfile",
}
WRITING |= {"copy2", "copytree", "NamedTemporaryFile", "mkstemp", "symlink_to"}
TO_A_FILE = {"save", "savez", "savez_compressed", "savefig", "dump"}
MODULES = {"numpy", "np", "shutil", "tempfile", "json", "figure", "canvas", "orbax"}
ALLOWED = {
    "jaxnets/storage/atomic.py": {"open", "write_bytes"},
    "jaxnets/storage/manifest.py": {"open"},  # reads without following links
    # links and copies in a temporary folder; orbax
    "jaxnets/storage/arrays.py": {"symlink_to", "copyfile", "save"},
    "jaxnets/hooks.py": {"open"},  # appends rows to the file that the atomic writer made
    "jaxnets/playground/weights.py": {"savez"},  # into memory
    "jaxnets/themes.py": {"savefig"},  # into memory
    "experiments/site/tutorials.py": {"savefig"},  # into memory
    "jaxnets/parallel/processes.py": {"touch"},  # heartbeats, in the launcher's temporary folder
}
"""Files that write in another way, each with a reason."""


def writes(source):
    """`(line, what)` of every call that writes a file in another way than by atomic_write."""
    tree = ast.parse(source)
    ours = {
        item.optional_vars.id
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        for item in node.items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and getattr(item.context_expr.func, "id", "") == "atomic_write"
    }
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "jaxnets.storage.atomic"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        of_module = isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
        given = {n.id for a in node.args for n in ast.walk(a) if isinstance(n, ast.Name)}
        if isinstance(node.func, ast.Name) and name in imported:
            continue
        module = node.func.value.id if of_module else ""
        if name in ("open", "fdopen") and _writes(node):
            yield node.lineno, "open"
        elif name in ("copy", "move"):
            yield from [(node.lineno, name)] * (module == "shutil")
        elif name in WRITING or (name in TO_A_FILE and module in MODULES and not given & ours):
            yield node.lineno, name


def _writes(call):
    """Tells whether an `open` may write: by its mode, its flags, or since they are not constant.

    Writing to `os.devnull` writes no file.
    """
    opened = [call.func, *call.args[:1]]
    if any(getattr(n, "attr", "") == "devnull" for part in opened for n in ast.walk(part)):
        return False
    method = isinstance(call.func, ast.Attribute)
    if method and getattr(call.func.value, "id", "") == "os":
        return True
    place = 0 if method and getattr(call.func.value, "id", "") not in ("gzip", "lzma", "io") else 1
    modes = list(call.args[place : place + 1])
    modes += [k.value for k in call.keywords if k.arg in ("mode", "flags")]
    texts = [m.value for m in modes if isinstance(m, ast.Constant) and isinstance(m.value, str)]
    return any(set(text) & set("wax+") for text in texts)


SOURCES = sorted(p for f in ("jaxnets", "experiments") for p in (ROOT / f).rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_is_written_in_another_way(path):
    allowed = ALLOWED.get(path.relative_to(ROOT).as_posix(), set())
    found = list(writes(path.read_text(encoding="utf-8")))
    assert [(line, what) for line, what in found if what not in allowed] == []


BAD = [
    "open('a', 'w')",
    "open('a', mode='ab')",
    "path.open('r+b')",
    "path.write_text('x')",
    "path.write_bytes(b'x')",
    "import os\nos.open('a', os.O_WRONLY)",
    "import numpy as np\nnp.savez(path, **arrays)",
    "import numpy as np\nnp.save('a.npy', x)",
    "figure.savefig(path)",
    "import json\njson.dump(note, file)",
    "import shutil\nshutil.copyfile(a, b)",
    "x.tofile('a')",
    "gzip.open('a', 'wb')",
]
GOOD = [
    "path.open('rb')",
    "import os\nopen(os.devnull, 'w')",
    "open('a')",
    "from jaxnets.storage.atomic import write_text\nwrite_text(path, 'x')",
    "with atomic_write(path) as file:\n    np.savez(file, **arrays)",
    "with atomic_write(path) as png:\n    figure.savefig(png, format='png')",
    "vectors.copy()",
]


@pytest.mark.parametrize("source", BAD)
def test_writing_is_found(source):
    assert len(list(writes(source))) == 1


@pytest.mark.parametrize("source", GOOD)
def test_what_writes_atomically_is_not_found(source):
    assert list(writes(source)) == []


def test_a_note_is_read_back(folder):
    run_folder.describe(folder, {"seeds": 3})
    assert json.loads((folder / "run.json").read_text())["config"] == {"seeds": 3}
