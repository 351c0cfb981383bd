"""Checkpoints, run folders and results as the fuzzed files: whole ones, and how they are read."""

import contextlib
import functools
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np

from experiments.lab import gallery, notes, run, run_all, scorecard
from jaxnets.claims.judge import Verdict
from jaxnets.storage import checkpoints, run_folder
from jaxnets.storage.digest import digest_of_file
from tests.support.bits import bits_of
from tests.support.damage import vouch

MARK = {"model": "small"}
DAMAGED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What a damaged manifest says to one who wants to vouch for it."""


def tree(step):
    """What is saved at a step: arrays of several types, a key and an empty one."""
    return {
        "a": jnp.arange(6.0).reshape(2, 3) + step,
        "b": (jnp.int32(step), np.arange(3, dtype=np.int64)),
        "half": jnp.full(5, step, jnp.bfloat16),
        "key": jax.random.key(step),
        "none": jnp.zeros((0, 3)),
    }


def _files(folder):
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@functools.cache
def whole_checkpoints():
    """The files of two checkpoints."""
    with tempfile.TemporaryDirectory() as folder:
        for step in (1, 2):
            checkpoints.save(folder, step, tree(step), MARK)
        return _files(Path(folder))


def restore_exactly(folder):
    """What was saved at the step that is restored, bit for bit."""
    found = checkpoints.restore(folder, tree(0), MARK)
    if found is None:
        return "nothing is left"
    assert bits_of(found.tree) == bits_of(tree(found.step))
    return found


def restore_signed(folder):
    """Damage for which the manifest vouches: other numbers, but of the right types and shapes."""
    for step in folder.glob("step_*"):
        with contextlib.suppress(FileNotFoundError, *DAMAGED):
            vouch(step)
    found = checkpoints.restore(folder, tree(0), MARK)
    if found is None:
        return "nothing is left"
    assert [bit[:2] for bit in bits_of(found.tree)] == [bit[:2] for bit in bits_of(tree(0))]
    return found


@functools.cache
def run_notes():
    """The notes of a run folder."""
    with tempfile.TemporaryDirectory() as folder:
        run_folder.describe(folder, {"experiment": "xor"} | asdict(run.load("xor").Config()))
        return _files(Path(folder))


def read_run(folder):
    """The configuration of a run."""
    run_folder.has_run(folder)
    found = run_folder.config_of(folder)
    assert isinstance(found, dict)
    return found


@functools.cache
def results():
    """The note, arrays and figure of a result, as `run.perform` writes them."""
    claim = dict.fromkeys(("row", "statement", "lecture", "ours", "samples"), "fine")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "xor"
        np.savez_compressed(path.with_suffix(".npz"), loss=np.arange(9.0), data="digits")
        note = {
            "experiment": "xor",
            "config": asdict(run.load("xor").Config()),
            "program": "0" * 64,
            "seconds": 1.5,
            "date": "2026-01-31",
            "machine": "2 x x86_64, cpu",
            "versions": {"jax": "0.10"},
            "arrays": digest_of_file(path.with_suffix(".npz")),
            "claims": [claim | {"status": status} for status in get_args(Verdict)],
        }
        path.with_suffix(".json").write_text(json.dumps(note, indent=1))
        path.with_suffix(".png").write_bytes(b"a picture")
        return _files(Path(folder))


def read_results(folder):
    """The arrays and the note of a result, and whether it is up to date."""
    run_all.up_to_date("xor", [], folder)
    found = run.saved("xor", folder)
    assert all(isinstance(array, np.ndarray) for array in found.values())
    note = notes.read(folder / "xor.json", "make xor")
    run.has_own_arrays(note, "xor", folder)
    return note


def write_pages(folder):
    """The scorecard and the gallery, which name what is damaged."""
    scorecard.scorecard(folder)
    page = gallery.write(folder).read_text(encoding="utf-8")
    claims = json.loads((folder / "scorecard.json").read_text(encoding="utf-8"))
    assert {claim["experiment"] for claim in claims} <= {"xor"}
    assert "xor" in page or not (folder / "xor.json").exists()
    return claims
