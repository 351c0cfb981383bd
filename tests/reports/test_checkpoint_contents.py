"""What lies in a checkpoint: files of others are ignored, what could deceive is refused."""

import json
import os
import resource
import shutil
import warnings
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxnets.storage.checkpoints import CheckpointMismatch, CorruptCheckpoint, restore, save
from tests.support.damage import manifest_of, vouch, write_manifest

TREE = {"a": np.arange(6.0), "b": np.ones((2, 3), np.float32), "key": jax.random.key(3)}
LIKE = {"a": np.zeros(6), "b": np.zeros((2, 3), np.float32), "key": jax.random.key(0)}
STEP = "step_000000000002"


@pytest.fixture
def folder(tmp_path):
    """A folder with two checkpoints, of which the newer one is to be changed."""
    save(tmp_path, 1, {**TREE, "a": np.arange(6.0) - 1})
    save(tmp_path, 2, TREE)
    return tmp_path


def restored(folder):
    """The step and the values of `a` that are restored, without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = restore(folder, LIKE)
    assert found.skipped == []
    np.testing.assert_array_equal(found.tree["a"], np.arange(6.0))
    assert (jax.random.key_data(found.tree["key"]) == jax.random.key_data(TREE["key"])).all()
    return found.step


def require_refused(folder, match):
    """The newer checkpoint is refused, the older one restored."""
    with pytest.warns(UserWarning, match=match):
        found = restore(folder, LIKE)
    assert found.step == 1
    np.testing.assert_array_equal(found.tree["a"], np.arange(6.0) - 1)


FOREIGN = [
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".nfs000000000000000100000001",
    "._MANIFEST",
    ".ipynb_checkpoints/a-checkpoint.json",
    "arrays/.DS_Store",
    "arrays/._manifest.ocdbt",
    "arrays/d/.nfs01",
    "arrays/ocdbt.process_0/Thumbs.db",
    "arrays/_sharding",
    "arrays/checkpoint",
    "arrays/.zarray",
    "arrays/000000/.zarray",
    "notes.txt",
    "arrays/MANIFEST",
]


@pytest.mark.parametrize("name", FOREIGN)
def test_case_19_checkpoint_with_ds_store(folder, name):
    for step in ("step_000000000001", STEP):
        (folder / step / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / step / name).write_bytes(b"x")
    assert restored(folder) == 2
    save(folder, 3, TREE)
    assert (folder / STEP / name).read_bytes() == b"x"


def test_foreign_files_where_links_need_a_privilege(folder, monkeypatch):
    def refuse(*_):
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (folder / STEP / "arrays" / "Thumbs.db").write_bytes(b"x")
    assert restored(folder) == 2


@pytest.mark.parametrize("kind", ["a pipe", "a link to nothing", "an unreadable folder"])
def test_what_else_others_put_there_is_not_opened(folder, kind):
    name = folder / STEP / ".#MANIFEST"
    if kind == "a pipe":
        os.mkfifo(name)
    elif kind == "a link to nothing":
        name.symlink_to("user@host.1234:5678")
    else:
        name.mkdir(mode=0)
    assert restored(folder) == 2


def link(path, elsewhere):
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


LINKED = ["MANIFEST", "arrays", "arrays/d", "arrays/manifest.ocdbt", "arrays/_METADATA"]


@pytest.mark.parametrize("vouched", [False, True])
@pytest.mark.parametrize("name", LINKED)
def test_attack_misc2_links_inside_a_checkpoint(folder, tmp_path_factory, name, vouched):
    link(folder / STEP / name, tmp_path_factory.mktemp("elsewhere") / "x")
    if vouched and name != "MANIFEST":
        vouch(folder / STEP)
    require_refused(folder, "is a symbolic link")


def test_a_linked_folder_that_the_manifest_does_not_list(folder, tmp_path_factory):
    link(folder / STEP / "arrays" / "d", tmp_path_factory.mktemp("elsewhere") / "x")
    manifest = manifest_of(folder / STEP)
    manifest["files"] = {n: f for n, f in manifest["files"].items() if f != "directory"}
    write_manifest(folder / STEP, manifest)
    require_refused(folder, "arrays/d is a symbolic link")


@pytest.mark.parametrize("name", ["MANIFEST", "arrays/manifest.ocdbt"])
def test_a_pipe_in_place_of_a_file_does_not_hang(folder, name):
    (folder / STEP / name).unlink()
    os.mkfifo(folder / STEP / name)
    require_refused(folder, f"{name} is not a file")


def test_a_file_that_was_made_huge_is_not_read(folder):
    with (folder / STEP / "arrays" / "manifest.ocdbt").open("r+b") as file:
        file.truncate(2**40)
    require_refused(folder, "differs from what was written")


# ----- the arrays themselves


def change_zarr(step, array=b"000000", **changes):
    """Changes the metadata of a stored array, and makes the manifest agree."""
    import tensorstore

    spec = {"driver": "ocdbt", "base": f"file://{step}/arrays/"}
    store = tensorstore.KvStore.open(spec).result()
    note = json.loads(store[array + b"/.zarray"])
    store[array + b"/.zarray"] = json.dumps(note | changes).encode()
    vouch(step)


BOMBS = {
    "shape and chunks": {"shape": [2**36], "chunks": [2**36]},
    "shape": {"shape": [2**36]},
    "chunks": {"chunks": [2**36]},
    "dtype": {"dtype": "<c16"},
    "one entry more": {"shape": [7], "chunks": [7]},
    "one entry less": {"shape": [5], "chunks": [5]},
    "axes": {"shape": [6, 1], "chunks": [6, 1]},
    "nothing": {"shape": [0], "chunks": [1]},
}


@pytest.mark.parametrize("changes", BOMBS.values(), ids=BOMBS)
def test_attack_misc2_a_bomb_in_the_arrays(folder, changes):
    change_zarr(folder / STEP, **changes)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**32, hard))
    try:
        require_refused(folder, "arrays cannot be read")
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_an_array_that_the_manifest_does_not_list(folder):
    import tensorstore

    spec = {"driver": "ocdbt", "base": f"file://{folder / STEP}/arrays/"}
    store = tensorstore.KvStore.open(spec).result()
    for key in store.list().result():
        if key.startswith(b"000000/"):
            store[key.replace(b"000000", b"000009")] = store[key]
    note = json.loads((folder / STEP / "arrays" / "_METADATA").read_text())
    row = json.loads(json.dumps(note["tree_metadata"]["('000000',)"]).replace("000000", "000009"))
    note["tree_metadata"]["('000009',)"] = row
    (folder / STEP / "arrays" / "_METADATA").write_text(json.dumps(note))
    vouch(folder / STEP)
    require_refused(folder, r"it has the arrays .*000009")


@pytest.mark.parametrize("name", ["a", "b"])
def test_leaves_of_another_size_are_another_model(folder, name):
    manifest = manifest_of(folder / STEP)
    manifest["leaves"][f"['{name}']"]["shape"] = [2**36]
    write_manifest(folder / STEP, manifest)
    with pytest.raises(CheckpointMismatch, match=r"\[68719476736\]"):
        restore(folder, LIKE)


# ----- the manifest


def without(name):
    return lambda manifest: manifest.pop(name)


def with_(name, value):
    return lambda manifest: manifest.update({name: value})


FORMS = {
    "no fingerprint": without("fingerprint"),
    "no step": without("step"),
    "no leaves": without("leaves"),
    "no files": without("files"),
    "a step that is a str": with_("step", "2"),
    "a step that is true": with_("step", True),
    "a step below 0": with_("step", -2),
    "leaves that are a list": with_("leaves", []),
    "a fingerprint that is a number": with_("fingerprint", 1),
    "digests that are numbers": with_("files", {"arrays/_METADATA": 1}),
    "files that are none": with_("files", {}),
    "files outside": with_("files", {"../step_000000000001/MANIFEST": "0"}),
    "absolute files": with_("files", {"/etc/passwd": "0"}),
    "sizes that are a list": with_("sizes", [1]),
    "a leaf without a shape": lambda manifest: manifest["leaves"]["['a']"].pop("shape"),
    "a leaf of negative shape": lambda manifest: manifest["leaves"]["['a']"].update(shape=[-1]),
    "a leaf that is a number": lambda manifest: manifest["leaves"].update({"['a']": 1}),
}


@pytest.mark.parametrize("change", FORMS.values(), ids=FORMS)
def test_attack_misc2_manifests_that_are_none(folder, change):
    manifest = manifest_of(folder / STEP)
    change(manifest)
    write_manifest(folder / STEP, manifest)
    require_refused(folder, "is not a manifest|cannot be read")


@pytest.mark.parametrize("text", ["[" * 100_000, "3", "null", "[]", '{"step": NaN}', ""])
def test_attack_misc2_manifests_that_are_other_json(folder, text):
    import hashlib

    content = text.encode()
    head = hashlib.sha256(content).hexdigest().encode()
    (folder / STEP / "MANIFEST").write_bytes(head + b"\n" + content)
    require_refused(folder, "is not a manifest")


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(folder, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PermissionError):
        restore(folder, LIKE)


def test_all_refused_is_an_error(folder):
    for step in ("step_000000000001", STEP):
        change_zarr(folder / step, shape=[2**36])
    with (
        pytest.warns(UserWarning, match="skipped"),
        pytest.raises(CorruptCheckpoint, match=r"no checkpoint in .* is intact"),
    ):
        restore(folder, LIKE)


def test_manifests_of_version_0_2_are_read(folder):
    """They have no sizes, and backslashes where they were written on Windows."""
    manifest = manifest_of(folder / STEP)
    del manifest["sizes"]
    manifest["files"] = {n.replace("/", "\\"): file for n, file in manifest["files"].items()}
    write_manifest(folder / STEP, manifest)
    assert restored(folder) == 2


DTYPES = ["bool", "int4", "uint8", "int64", "float16", "bfloat16", "float8_e4m3fn", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_dtype_passes_the_check_of_sizes(tmp_path, dtype):
    tree = {"x": np.ones((2, 3), jax.numpy.dtype(dtype)), "scalar": np.ones((), dtype)}
    save(tmp_path, 1, tree)
    (tmp_path / "step_000000000001" / ".DS_Store").write_bytes(b"x")
    found = restore(tmp_path, tree).tree
    assert found["x"].dtype == tree["x"].dtype
    assert found["x"].tobytes() == tree["x"].tobytes()
    assert found["scalar"].shape == ()
