"""The history of each row: one file a race and date, `benchmarks/history/ROW/DATE.json`.

A race on a loaded machine goes to `DATE.loaded.json`, which git ignores: no result, only a hint.
"""

from collections.abc import Iterable
from pathlib import Path

from benchmarks.results import Result, from_json, to_json
from jaxnets.storage.atomic import make_folder, write_text

HISTORY = Path(__file__).with_name("history")


def save(result: Result, folder: Path = HISTORY) -> Path:
    """Writes a result, in place of one of the same row and date, and returns its path."""
    name = f"{result.date}.json" if result.quiet else f"{result.date}.loaded.json"
    path = folder / result.row / name
    make_folder(path.parent)
    write_text(path, to_json(result))
    return path


def entries(row: str, folder: Path = HISTORY) -> list[Result]:
    """Reads the results of a row that count, oldest first."""
    paths = sorted(p for p in (folder / row).glob("*.json") if not p.name.endswith(".loaded.json"))
    return [from_json(path.read_text(encoding="utf-8")) for path in paths]


def latest(row: str, folder: Path = HISTORY) -> Result | None:
    """Reads the newest result of a row, loaded or not."""
    paths = sorted((folder / row).glob("*.json"), key=lambda path: path.name.split(".")[0])
    return from_json(paths[-1].read_text(encoding="utf-8")) if paths else None


def rows(folder: Path = HISTORY) -> list[str]:
    """Lists the rows that have a history."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def ordered(known: Iterable[str], folder: Path = HISTORY) -> list[str]:
    """Lists the rows of the history, those that are known first and in that order."""
    found, known = rows(folder), list(known)
    return [row for row in known if row in found] + [row for row in found if row not in known]
