"""Which files of a folder are its texts."""

import re
from collections.abc import Iterator
from os import PathLike, fspath
from pathlib import Path

from jaxnets.host.files import require_file
from jaxnets.host.paths import as_path

CACHED = "-[0-9a-f]{12}[.](?:int32|json)"
"""How the names of a cached corpus end."""
COPIES = r"~\$.*|.*~|#.*\#|.*[.](?:bak|orig|save|sw[op]|tmp)"
"""Names of copies that editors and office programs keep."""
DESKTOPS = (
    r"thumbs[.]db|desktop[.]ini|__macosx|\$recycle[.]bin|system volume information|lost\+found"
)
NOT_TEXT = re.compile(rf"[.].*|{COPIES}|{DESKTOPS}|.*{CACHED}", re.IGNORECASE | re.DOTALL)
"""Names of files and folders that are not texts: hidden ones, copies that editors keep, notes of
desktops, and corpora that this package has cached."""
LONGEST = 300
"""Characters of a path that a message shows."""


def text_files(source: str | PathLike[str]) -> list[Path]:
    """Lists the texts of a path in the order they are read: a file, or those below a folder.

    In a folder, names that match `NOT_TEXT` are left out, and links to folders are not followed.

    Raises:
        FileNotFoundError: no such file or folder, no text in the folder, or a link to nothing.
        ValueError: a device or pipe, or a path that no system has, as with a NUL character.
    """
    path = _existing(source)
    if not path.is_dir():
        require_file(path)
        return [path]
    found = sorted(_below(path))
    if not found:
        raise FileNotFoundError(
            f"the folder {path} contains no files of text (hidden files, and copies such as "
            "a.txt~ and a.bak, do not count)"
        )
    return found


def _existing(source: str | PathLike[str]) -> Path:
    text = fspath(source)
    shown = text if len(text) <= LONGEST else f"{text[:60]}..."
    shown = shown if shown.strip() and shown.isprintable() else repr(shown)
    missing = f"{shown} not found: expected a file or folder of text; pass text itself in a list"
    if not text.strip():
        raise FileNotFoundError(missing)
    path = as_path(source, "the text")
    try:
        path.stat()
    except PermissionError:
        raise
    except (OSError, ValueError) as error:
        raise FileNotFoundError(missing) from error
    return path


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if NOT_TEXT.fullmatch(path.name):
            continue
        if path.is_dir():
            if not path.is_symlink():
                yield from _below(path)
        elif path.is_file():
            yield path
        elif path.is_symlink() and not path.exists():
            raise FileNotFoundError(
                f"{path} is a link to nothing: remove it, or put its file there"
            )
