"""The rows of the lectures, `rows.toml`: what they describe, and what shows it here."""

import tomllib
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("rows.toml")


class Row(NamedTuple):
    """A row: A to F and what was found on a second reading, G."""

    title: str
    lectures: tuple[str, ...]
    """Their short names, such as `L0`."""
    says: str
    """What the slides say, as Markdown with formulas."""
    presets: tuple[str, ...] = ()
    """Titles of presets of the playground that show it."""
    reason: str = ""
    """Why it has no figure, "" if it has one."""


def rows() -> dict[str, Row]:
    """Returns the rows by their names, such as `A1`."""
    found = tomllib.loads(FILE.read_text(encoding="utf-8"))
    return {
        name: Row(
            **row | {"lectures": tuple(row["lectures"]), "presets": tuple(row.get("presets", ()))}
        )
        for name, row in found.items()
    }
