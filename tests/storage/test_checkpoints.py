"""Checkpoints are intact, or refused with a reason."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.storage import arrays, checkpoints, pruning
from jaxnets.storage.atomic import DiskFullError
from jaxnets.storage.checkpoints import (
    CheckpointConfig,
    CheckpointMismatch,
    CorruptCheckpoint,
    restore,
    save,
)
from tests.support.bits import bits_of

ROOT = Path(__file__).parents[2]


def tree(step=0):
    return {
        "a": jnp.arange(6.0).reshape(2, 3) + step,
        "b": (jnp.int32(step), np.arange(3, dtype=np.int64), np.int64(step)),
        "half": jnp.full(5, step, jnp.bfloat16),
        "key": jax.random.key(step),
        "keys": jax.random.split(jax.random.key(step, impl="rbg"), 2),
        "none": jnp.zeros((0, 3)),
    }


def same(found, step):
    return bits_of(found) == bits_of(tree(step))


def test_what_is_restored_is_what_was_saved(tmp_path):
    save(tmp_path, 7, tree(7))
    step, found, skipped = restore(tmp_path, tree())
    assert (step, skipped) == (7, [])
    assert same(found, 7)
    assert jax.tree.structure(found) == jax.tree.structure(tree())


def test_leaves_lie_where_those_of_like_do(tmp_path):
    save(tmp_path, 1, {"x": jnp.arange(4.0)})
    mesh = jax.make_mesh((4,), ("row",), (jax.sharding.AxisType.Auto,))
    spread = jax.NamedSharding(mesh, jax.P("row"))
    found = restore(tmp_path, {"x": jax.device_put(jnp.zeros(4), spread)}).tree["x"]
    assert found.sharding == spread
    np.testing.assert_array_equal(found, np.arange(4.0))


def test_nothing_to_restore_is_none(tmp_path):
    assert restore(tmp_path / "new", tree()) is None


def test_only_the_last_stay(tmp_path):
    for step in range(5):
        save(tmp_path, step, tree(step), last=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step_000000000003",
        "step_000000000004",
    ]


def test_what_killed_processes_left_is_removed_at_the_next_save(tmp_path):
    for name in (".step_000000000001.999999.tmp", ".step_000000000000.999999.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_text("half")
    assert restore(tmp_path, tree()) is None
    save(tmp_path, 2, tree(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000000002"]


def test_a_leaf_that_is_not_an_array_is_named(tmp_path):
    with pytest.raises(TypeError, match=r"tree\['rate'\] is float"):
        save(tmp_path, 0, {"rate": 0.1})
    assert list(tmp_path.iterdir()) == []


# ----- damage


def files_of(path):
    return sorted(file for file in path.rglob("*") if file.is_file())


def flip(file, rng):
    data = bytearray(file.read_bytes())
    if not data:
        return file.write_bytes(b"\0")
    data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return file.write_bytes(data)


def truncate(file, rng):
    size = file.stat().st_size
    return os.truncate(file, rng.integers(size)) if size else file.unlink()


def delete(file, rng):
    return file.unlink()


def lengthen(file, rng):
    return file.write_bytes(file.read_bytes() + rng.bytes(1 + rng.integers(9)))


def drop_folder(file, rng):
    manifest = file.name == checkpoints.MANIFEST
    return shutil.rmtree(file.with_name(checkpoints.ARRAYS) if manifest else file.parent)


def complete(source, target):
    """Copies a file where it is not the same already, which is quicker than copying all."""
    if not os.path.exists(target) or Path(target).read_bytes() != Path(source).read_bytes():
        shutil.copyfile(source, target)


DAMAGES = (flip, flip, flip, truncate, delete, lengthen, drop_folder)


def test_a_thousand_damaged_checkpoints_are_refused_or_skipped(tmp_path, monkeypatch):
    """Any file, the manifest too: the one before is restored, bit for bit, with a warning."""
    rng = np.random.default_rng(0)
    save(tmp_path, 1, tree(1))
    intact = tmp_path.parent / "intact"
    save(intact, 2, tree(2))
    read, counts = [], dict.fromkeys(("skipped", "refused"), 0)
    monkeypatch.setattr(arrays, "read", lambda path, *_: read.append(path.parent.name))
    newest = tmp_path / "step_000000000002"
    files = files_of(intact / newest.name)
    for i in range(1000):
        shutil.copytree(intact / newest.name, newest, dirs_exist_ok=True, copy_function=complete)
        file = files[rng.integers(len(files))].relative_to(intact)
        rng.choice(DAMAGES)(tmp_path / file, rng)
        alone = i % 4 == 0
        if alone:
            (tmp_path / "step_000000000001").rename(tmp_path / "aside")
            with (
                pytest.warns(UserWarning, match="skipped"),
                pytest.raises(CorruptCheckpoint, match=r"no checkpoint in .* is intact"),
            ):
                restore(tmp_path, tree())
            (tmp_path / "aside").rename(tmp_path / "step_000000000001")
            counts["refused"] += 1
        else:
            with pytest.warns(UserWarning, match="skipped the checkpoint"):
                found = restore(tmp_path, tree())
            assert found.step == 1
            assert found.skipped[0].startswith("step_000000000002: ")
            counts["skipped"] += 1
    assert set(read) == {"step_000000000001"}
    assert counts == {"skipped": 750, "refused": 250}
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="skipped"):
        assert same(restore(tmp_path, tree()).tree, 1)


def test_a_checkpoint_under_another_steps_name_is_damaged(tmp_path):
    save(tmp_path, 1, tree(1)).rename(tmp_path / "step_000000000009")
    with pytest.warns(UserWarning, match="is of step 1"), pytest.raises(CorruptCheckpoint):
        restore(tmp_path, tree())


# ----- another model


def test_another_model_is_refused_with_the_difference(tmp_path):
    save(tmp_path, 1, {"w": jnp.zeros((2, 3)), "old": jnp.zeros(2), "b": jnp.zeros(2)})
    like = {"w": jnp.zeros((2, 4)), "new": jnp.zeros(1), "b": jnp.zeros(2, jnp.int32)}
    with pytest.raises(CheckpointMismatch) as caught:
        restore(tmp_path, like)
    text = str(caught.value)
    assert "missing: ['new']" in text
    assert "unexpected: ['old']" in text
    assert "['w']: float32[2, 3] in the checkpoint, float32[2, 4] here" in text
    assert "['b']: float32[2] in the checkpoint, int32[2] here" in text


def test_a_long_difference_is_cut(tmp_path):
    save(tmp_path, 1, {f"w{i}": jnp.zeros(1) for i in range(20)})
    with pytest.raises(CheckpointMismatch, match="and 11 more") as caught:
        restore(tmp_path, {"x": jnp.zeros(1)})
    assert len(str(caught.value).splitlines()) == 1 + 10 + 1


def test_another_kind_of_key_is_another_model(tmp_path):
    save(tmp_path, 1, {"key": jax.random.key(0)})
    with pytest.raises(CheckpointMismatch, match="key<"):
        restore(tmp_path, {"key": jax.random.key(0, impl="rbg")})


# ----- a full disk


@pytest.fixture
def largest_file():
    """Limits the size of this process's files, as on a full disk: EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, old)


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, largest_file):
    like = {"x": np.zeros(50_000)}
    noise = np.random.default_rng(0).normal(size=50_000)
    save(tmp_path, 1, {"x": noise})
    largest_file(20_000)
    with pytest.raises(DiskFullError, match="free some space"):
        save(tmp_path, 2, {"x": noise + 1})
    largest_file(resource.RLIM_INFINITY)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000000001"]
    np.testing.assert_array_equal(restore(tmp_path, like).tree["x"], noise)


def test_a_disk_that_fills_up_before_the_manifest(tmp_path, monkeypatch):
    save(tmp_path, 1, tree(1))

    def write(path, data):
        assert path.name == checkpoints.MANIFEST
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "write_bytes", write)
        with pytest.raises(DiskFullError, match="No space left on device"):
            save(tmp_path, 2, tree(2))
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000000001"]


def test_an_old_checkpoint_that_cannot_be_deleted_is_a_warning(tmp_path, monkeypatch):
    def remove(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO), "old")

    monkeypatch.setattr(pruning, "remove", remove)
    save(tmp_path, 1, tree(1), last=1)
    with pytest.warns(UserWarning, match="step_000000000002, but could not delete .*'old'"):
        save(tmp_path, 2, tree(2), last=1)
    assert restore(tmp_path, tree()).step == 2


# ----- killed while saving

KILLED = """
import os, signal, sys
import numpy as np
from jaxnets.storage import checkpoints
folder, call, at, again = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
checkpoints.save(folder, 1, {"x": np.full(9, 1.0)}, last=1)
if call == "rename":
    where = checkpoints.Path
else:
    where = checkpoints.pruning if hasattr(checkpoints.pruning, call) else checkpoints
real, calls = getattr(where, call), 0
def end(*args, **options):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*args, **options)
setattr(where, call, end)
checkpoints.save(folder, again, {"x": np.full(9, 2.0)}, last=1)
"""


def killed(folder, *arguments):
    """Starts a process that saves 1 at step 1, then is killed at a call while it saves 2."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


# Before which call of which function, and which value the newest good checkpoint then has.
MOMENTS = {
    "before anything": (("remove_stale", 1), 1),
    "half-written": (("_digests", 1), 1),
    "not synced": (("sync", 1), 1),
    "written": (("rename", 1), 1),
    "named": (("prune", 1), 2),
    "before the old one is removed": (("remove", 1), 2),
}


@pytest.mark.parametrize(("moment", "value"), MOMENTS.values(), ids=MOMENTS)
def test_killed_at_any_part_of_a_save(tmp_path, moment, value):
    killed(tmp_path, *moment, 2)
    found = restore(tmp_path, {"x": np.zeros(9)})
    assert found.step == value
    np.testing.assert_array_equal(found.tree["x"], np.full(9, float(value)))
    save(tmp_path, 3, {"x": np.zeros(9)}, last=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000000003"]


RENAMES = {1: 1, 2: 1, 3: 2}
"""The value that remains before each rename: aside, in place, then out of the way."""


@pytest.mark.parametrize(("at", "value"), RENAMES.items())
def test_a_step_that_is_saved_again_is_never_lost(tmp_path, at, value):
    killed(tmp_path, "rename", at, 1)
    found = restore(tmp_path, {"x": np.zeros(9)})
    assert (found.step, found.skipped) == (1, [])
    np.testing.assert_array_equal(found.tree["x"], np.full(9, float(value)))
    save(tmp_path, 1, {"x": np.full(9, 3.0)}, last=1)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000000001"]
    np.testing.assert_array_equal(restore(tmp_path, {"x": np.zeros(9)}).tree["x"], np.full(9, 3.0))


WRONG = {
    "seconds": ({"seconds": -1}, ValueError),
    "last": ({"last": 0}, ValueError),
    "steps": ({"steps": 0.5}, TypeError),
}


@pytest.mark.parametrize(("options", "error"), WRONG.values(), ids=WRONG)
def test_wrong_choices_are_refused(options, error):
    with pytest.raises(error, match=next(iter(options))):
        CheckpointConfig("folder", **options)
