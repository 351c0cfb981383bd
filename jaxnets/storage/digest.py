"""Digests of files by their content, which name what was computed from them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def digest_of_files(files: Iterable[Path]) -> str:
    """Returns 12 hex digits for the names and contents of files, in their order (sha256).

    Sizes and times say too little: other content may have the same, and a copy has others. About
    a second for each gigabyte.
    """
    entries = [(file.name, digest_of_file(file)) for file in files]
    return hashlib.sha256(repr(entries).encode(errors="surrogateescape")).hexdigest()[:12]


def digest_of_file(path: Path) -> str:
    """Returns the sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
