"""Every path that a user gives: `~` is the home folder, and what cannot be a path is refused."""

import gzip
import os
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments import __main__ as command
from experiments.lab import run
from jaxnets import data
from jaxnets.data import Dataset, idx
from jaxnets.host.paths import as_path
from jaxnets.parallel.devices import cache_compilations
from jaxnets.storage.checkpoints import CheckpointConfig, restore, save
from jaxnets.storage.run_folder import open_run_folder
from jaxnets.storage.tensorboard import Board
from jaxnets.text import corpus
from jaxnets.word2vec import vector_files
from jaxnets.word2vec.evaluation import read_analogies, read_similarities
from jaxnets.word2vec.vectors import Vectors

TREE = {"a": np.arange(3.0)}
VECTORS = Vectors(["a", "b"], np.eye(2, dtype=np.float32))
X = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
DATA = Dataset({"x": X, "y": np.arange(8) % 2})


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder; the current folder is another one, and stays empty."""
    for name in ("home", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "here")
    yield tmp_path / "home"
    assert list((tmp_path / "here").iterdir()) == []


@pytest.fixture(autouse=True)
def compiled():
    names = ["jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs"]
    names.append("jax_persistent_cache_min_entry_size_bytes")
    before = {name: getattr(jax.config, name) for name in names}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def train(folder):
    spec = jn.TrainSpec(jn.MLP((2,)), "binary_cross_entropy", epochs=1, batch_size=4)
    config = CheckpointConfig(folder)
    jn.fit(spec, jax.random.key(0), DATA, {"learning_rate": 0.1}, checkpoints=config)


def enter(folder):
    with open_run_folder(folder):
        pass


def perform(folder):
    run.perform("activations", run.load("activations").SMOKE, folder)


WRITE = {
    "save": lambda path: save(path, 1, TREE),
    "CheckpointConfig": train,
    "open_run_folder": enter,
    "vectors": lambda path: vector_files.save(path, VECTORS),
    "binary vectors": lambda path: vector_files.save(path, VECTORS, binary=True),
    "results": perform,
}


@pytest.mark.parametrize("write", WRITE.values(), ids=WRITE)
def test_case_28_tilde_in_paths_that_are_written(home, write):
    write(Path("~") / "a")
    assert (home / "a").exists()


def idx_file(path):
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, 2, 5, 7])))


def npz_file(path):
    with path.open("wb") as file:
        np.savez(file, x=X, y=np.arange(8) % 2)


def text_file(path):
    path.write_text("one two one two\n" * 3)


READ = {
    "restore": (lambda path: save(path, 1, TREE), lambda path: restore(path, TREE).step == 1),
    "vectors": (lambda path: vector_files.save(path, VECTORS), vector_files.load),
    "idx": (idx_file, lambda path: idx.read(path).tolist() == [5, 7]),
    "npz": (npz_file, lambda path: data.from_npz(path).train["x"].shape[1] == 2),
    "text": (text_file, lambda path: len(corpus.read(path, 1).ids)),
    "analogies": (lambda p: p.write_text(": capital\na b c d\n"), read_analogies),
    "similarities": (lambda p: p.write_text("a\tb\t1.5\n"), read_similarities),
}


@pytest.mark.parametrize(("make", "read"), READ.values(), ids=READ)
def test_case_28_tilde_in_paths_that_are_read(home, make, read):
    make(home / "a")
    assert read("~/a")
    assert read(Path("~/a"))


def test_caches_and_folders_of_sets(home):
    text_file(home / "text")
    corpus.read("~/text", 1, "~/cache")
    assert len(list((home / "cache").iterdir())) == 2
    cache_compilations("~/compiled")
    assert jax.config.jax_compilation_cache_dir == str(home / "compiled")
    assert Board("~/board", 0).folder == home / "board"
    with pytest.raises(FileNotFoundError, match=str(home / "mnist")):
        data.load("mnist", folder="~/mnist")


@pytest.fixture
def call(monkeypatch, home):
    """The command line in this process."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["experiments", *arguments])
        return command.main()

    monkeypatch.setattr(command.jaxnets, "use_all_cores", lambda: None)
    monkeypatch.setattr(command.jaxnets, "cache_compilations", lambda: None)
    monkeypatch.setattr(run.perform_in, "__defaults__", (False, False, home / "results"))
    return call


def test_the_command_line_expands_and_refuses(home, call, capsys):
    assert call("activations", "--resume", "~/folder") == 2
    assert f"error: {home}/folder is not a run directory" in capsys.readouterr().err
    assert call("activations", "--smoke", "--run", "~/folder") == 0
    assert (home / "folder" / "run.json").exists()
    assert call("activations", "--resume", "~/folder") == 0
    for flag in ("--run", "--resume"):
        assert call("activations", "--smoke", flag, "") == 2
        assert f"error: {flag} is empty" in capsys.readouterr().err


@pytest.mark.parametrize("flag", ["--run", "--resume"])
def test_the_command_line_names_a_folder_that_is_a_file(home, call, capsys, flag):
    (home / "file").write_text("precious")
    assert call("activations", "--smoke", flag, "~/file") == 2
    assert f"{home}/file" in capsys.readouterr().err
    assert (home / "file").read_text() == "precious"


TAKES_A_PATH = {
    **WRITE,
    **{f"read {name}": read for name, (_, read) in READ.items() if name != "text"},
    "cache": lambda path: corpus.read("text", 1, "" if path is None else path),
    "compilations": cache_compilations,
    "tensorboard": lambda path: Board(path, 0),
}


@pytest.mark.parametrize("call", TAKES_A_PATH.values(), ids=TAKES_A_PATH)
@pytest.mark.parametrize("path", ["", None, 3, b"bytes", ["a"], "a\0b"], ids=repr)
def test_what_cannot_be_a_path_is_refused(home, call, path):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(path)
    if path in ("", "a\0b"):
        assert type(caught.value) is ValueError


@pytest.mark.parametrize("path", ["~nobody-of-this-name/a", "a~", "a/~/b", "./~", "~$note.txt"])
def test_other_tildes_are_characters(path):
    assert as_path(path) == Path(path)


def test_no_home_folder_is_named(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(ValueError, match="no home folder is known: set HOME"):
        as_path("~/a")


def test_a_folder_whose_name_is_a_files_is_named(tmp_path):
    (tmp_path / "file").write_text("precious")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        for call in (lambda p=path: save(p, 1, TREE), lambda p=path: enter(p)):
            with pytest.raises(NotADirectoryError, match="cannot be a folder"):
                call()
    assert (tmp_path / "file").read_text() == "precious"
