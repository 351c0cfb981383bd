"""Saved results as they are on disk: the note of each, or what is wrong with it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from jaxnets.claims.judge import Verdict
from jaxnets.data.npz import read_npz
from jaxnets.host.files import require_file
from jaxnets.host.paths import as_path

from .claims import Result
from .registry import EXPERIMENTS

LARGEST = 2**24
"""Bytes of a note; the largest so far has 20,000."""
FIELDS: dict[str, type | tuple[type, ...]] = {
    "experiment": str,
    "config": dict,
    "seconds": (int, float),
    "date": str,
    "machine": str,
    "versions": dict,
}
CLAIM = ("row", "statement", "lecture", "ours", "samples", "status")
UNREADABLE = (OSError, ValueError, EOFError, KeyError, RecursionError, NotImplementedError)


class DamagedResult(ValueError):
    """A saved result that differs from what an experiment writes; the message names the file."""


def read(path: Path, command: str, judged: bool = True) -> dict[str, Any]:
    """Reads the note of a result, `results/NAME.json`.

    Args:
        path: of the note.
        command: what computes the result again, for the message.
        judged: whether the note must have its claims.

    Raises:
        DamagedResult: it is cut short, is not JSON, or has other fields, types or verdicts.
    """
    try:
        require_file(path)
        if path.stat().st_size > LARGEST:
            raise ValueError(f"it has more than {LARGEST} bytes")
        note = json.loads(path.read_text(encoding="utf-8"))
        _require_fields(note, path.stem)
        for claim in _claims_of(note) if judged else ():
            _require_claim(claim)
    except UNREADABLE as error:
        raise DamagedResult(f"{path} is damaged ({error}): run `{command}`") from error
    return note


def read_all(results: Path, command: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Reads all notes in the order of `EXPERIMENTS`, and says what is wrong with the others.

    Args:
        results: the folder.
        command: what computes a result again, without its name.
    """
    notes, damaged = [], []
    for name in EXPERIMENTS:
        path = as_path(results, "results") / f"{name}.json"
        if path.exists() or path.is_symlink():
            try:
                notes.append(read(path, f"{command} {name}"))
            except DamagedResult as error:
                damaged.append(str(error))
    return notes, damaged


def read_arrays(path: Path, command: str) -> Result:
    """Reads the arrays of a result, `results/NAME.npz`.

    Raises:
        FileNotFoundError: there are none.
        DamagedResult: they cannot be read.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `{command}` first")
    try:
        return read_npz(path)
    except UNREADABLE as error:
        raise DamagedResult(f"{path} is damaged ({error}): run `{command}`") from error


def _require_fields(note: Any, name: str) -> None:
    if not isinstance(note, dict):
        raise ValueError("it is not an object")
    for field, kind in FIELDS.items():
        if field not in note:
            raise ValueError(f"{field!r} is missing")
        if not isinstance(note[field], kind) or isinstance(note[field], bool):
            raise ValueError(f"{field!r} is {_short(note[field])}")
    if note["experiment"] != name:
        raise ValueError(f"it is of the experiment {_short(note['experiment'])}")
    if not 0 <= note["seconds"] < float("inf"):
        raise ValueError(f"'seconds' is {_short(note['seconds'])}")


def _claims_of(note: Mapping[str, Any]) -> list[Any]:
    if not isinstance(note.get("claims"), list):
        raise ValueError(f"'claims' is {_short(note.get('claims'))}")
    return note["claims"]


def _require_claim(claim: Any) -> None:
    for field in CLAIM:
        value = claim.get(field) if isinstance(claim, dict) else None
        if not isinstance(value, str):
            raise ValueError(f"{field!r} of a claim is {_short(value)}")
    if claim["status"] not in get_args(Verdict):
        raise ValueError(f"a verdict is {_short(claim['status'])}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
