"""Corpora on disk: the numbers in one file that is mapped, words and checksum in another."""

import hashlib
import json
import tempfile
import warnings
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.data import prepared
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import atomic_write, make_folder
from jaxnets.storage.digest import digest_of_file, digest_of_files
from jaxnets.text import reading, word_rule
from jaxnets.text.folders import text_files
from jaxnets.text.vocabulary import Vocabulary, encode

FORM = "named by content"
"""Part of the file names: change it when the format changes, so that old files are not read."""
LONGEST = 40
"""Characters of a source's name in the names of its files."""


class Files(NamedTuple):
    """Names the two files of a corpus; the note, written last, vouches for the numbers."""

    numbers: Path
    """int32, little-endian."""
    note: Path
    """Its own sha256 on a line, then JSON: words, counts and the sha256 of the numbers."""


def read(
    source: reading.Source,
    min_count: int,
    folder: str | PathLike[str],
    progress: bool,
    known: frozenset[str] = frozenset(),
) -> tuple[np.ndarray, Vocabulary]:
    """Returns the mapped numbers and the vocabulary, from the folder or else from the source.

    Raises:
        ValueError: the source is strings, which have no name to find them by.
        DiskFullError: the disk is full; nothing half-written is left.
    """
    if not isinstance(source, str | PathLike):
        raise ValueError("cache is for files, folders and TFDS sets; the source is strings")
    folder = as_path(folder, "cache")
    name, state = identify(source)
    make_folder(folder)
    files = _files(folder, name, min_count, state, known)
    note = _read_note(files)
    if note is None:
        note = _write(files, source, min_count, progress, state, known)
    vocabulary = Vocabulary(tuple(note["words"]), np.asarray(note["counts"]))
    return np.memmap(files.numbers, "<i4", "r"), vocabulary


def identify(source: str | PathLike[str]) -> tuple[str, str]:
    """Returns a name to recognise a source by, and a digest of the content of its files.

    Raises:
        FileNotFoundError: no such file or set, or a folder without texts.
    """
    if isinstance(source, str) and source.startswith(reading.TFDS):
        return prepared.state(reading.tfds_name(source))
    state = digest_of_files(text_files(source))
    return as_path(source).resolve().name[:LONGEST], state


def _files(folder: Path, name: str, min_count: int, state: str, known: frozenset[str]) -> Files:
    """Names the files after all that decides the numbers: rule, least count, content of sources."""
    decisive = f"{FORM}, rule {word_rule.RULE}, {int(min_count)}, {state}"
    if known:
        decisive = "\n".join([decisive, *sorted(known)])
    stem = f"{name}-{hashlib.sha256(decisive.encode(errors='surrogatepass')).hexdigest()[:12]}"
    return Files(folder / f"{stem}.int32", folder / f"{stem}.json")


def _read_note(files: Files) -> dict[str, Any] | None:
    """Returns the note if it and the numbers are intact; warns if they are damaged."""
    if not files.note.exists():
        return None
    head, _, content = files.note.read_bytes().partition(b"\n")
    wrong = files.note
    if head == hashlib.sha256(content).hexdigest().encode():
        note = json.loads(content)
        if files.numbers.exists() and digest_of_file(files.numbers) == note["sha256"]:
            return note
        wrong = files.numbers
    warnings.warn(f"{wrong} is damaged: reading the text again", stacklevel=4)
    return None


def _write(
    files: Files,
    source: str | PathLike[str],
    min_count: int,
    progress: bool,
    state: str,
    known: frozenset[str],
) -> dict[str, Any]:
    """Writes both files or nothing, the note last, and returns the note."""
    with atomic_write(files.note) as note_file, atomic_write(files.numbers) as numbers:
        digest = hashlib.sha256()
        with tempfile.TemporaryFile(dir=files.note.parent) as spool:
            vocabulary, blocks = encode(source, min_count, progress, spool, known)
            for block in blocks:
                content = block.astype("<i4").tobytes()
                digest.update(content)
                numbers.write(content)
        if identify(source)[1] != state:
            raise ValueError(f"{source} changed while it was read: read it again")
        note = {
            "sha256": digest.hexdigest(),
            "words": vocabulary.words,
            "counts": vocabulary.counts.tolist(),
        }
        content = json.dumps(note, ensure_ascii=False).encode()
        head = hashlib.sha256(content).hexdigest().encode()
        note_file.write(head + b"\n" + content)
    return note
