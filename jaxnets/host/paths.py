"""Paths as users write them."""

import os
from pathlib import Path
from typing import Any


def as_path(value: Any, name: str = "path") -> Path:
    """Converts a str or another path to a `Path`, with `~` expanded to the home folder.

    Raises:
        TypeError: anything else, such as None, an int or bytes.
        ValueError: an empty str, a NUL character, or `~` where no home folder is known.
    """
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(f"{name} is {value!r}; it must be a str or a pathlib.Path")
    if not text:
        raise ValueError(f"{name} is empty; it must name a file or folder ('.' is the current one)")
    if "\0" in text:
        raise ValueError(f"{name} is {text!r}; a path has no NUL character")
    expanded = os.path.expanduser(text)
    if expanded.startswith("~") and text[1:2] in ("", "/", os.sep):
        raise ValueError(f"{name} is {text!r}, but no home folder is known: set HOME")
    return Path(expanded)
