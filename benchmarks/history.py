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
    return put(folder / result.row, result.date, result.quiet, to_json(result))


def put(folder: Path, day: str, quiet: bool, text: str) -> Path:
    """Writes the file of a day; that of a loaded machine has a name that git ignores."""
    path = folder / f"{day}{'' if quiet else '.loaded'}.json"
    make_folder(folder)
    write_text(path, text)
    return path


def entries(row: str, folder: Path = HISTORY) -> list[Result]:
    """Reads the results of a row that count, oldest first."""
    return [from_json(path.read_text(encoding="utf-8")) for path in that_count(folder / row)]


def that_count(folder: Path) -> list[Path]:
    """Lists the files of a folder that are no hints of a loaded machine, oldest first."""
    return sorted(p for p in folder.glob("*.json") if not p.name.endswith(".loaded.json"))


def latest(row: str, folder: Path = HISTORY) -> Result | None:
    """Reads the newest result of a row; of one day that of the quiet machine, if there is one."""
    paths = (folder / row).glob("*.json")
    newest = max(
        paths, key=lambda path: (path.name.split(".")[0], "loaded" not in path.name), default=None
    )
    return None if newest is None else from_json(newest.read_text(encoding="utf-8"))


def rows(folder: Path = HISTORY) -> list[str]:
    """Lists the rows that have a history."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def ordered(known: Iterable[str], folder: Path = HISTORY) -> list[str]:
    """Lists the rows of the history, those that are known first and in that order."""
    found, known = rows(folder), list(known)
    return [row for row in known if row in found] + [row for row in found if row not in known]
