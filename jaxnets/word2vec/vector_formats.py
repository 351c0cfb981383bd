"""The contents of files of word vectors: word2vec's two formats, and GloVe's, without a header."""

import codecs
import io
import re
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.word2vec.vectors import Vectors

HEADER = re.compile(rb"[ \t]*(\d{1,18})[ \t]+(\d{1,18})[ \t]*\r?\n")
BOM = "\ufeff".encode()
CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f\x7f]")
"""Bytes that texts seldom have, and numbers in binary nearly always."""
START = 4096
"""Bytes by which a binary file is known."""
LONGEST = 2**22
"""The most bytes of a line."""
OTHERS = {
    b"\xba\x16\x4f\x2f": "a model of fastText: load the file of its vectors, which ends in .vec",
    b"\x80": "a Python pickle, such as gensim's own format: call save_word2vec_format in gensim",
    b"\x93NUMPY": "an array of NumPy, without words: use word2vec.Vectors(words, np.load(path))",
}


class Header(NamedTuple):
    """Holds what the first line says."""

    words: int | None
    """None where the file does not say."""
    dimensions: int
    end: int
    """Where the first word begins."""


class _WordError(ValueError):
    """A line or word that is wrong on its own, in whatever format the file is."""


def parse(content: bytes, path: Path, errors: str) -> Vectors:
    """Returns the vectors of a file's content, in whichever of the formats it is.

    Raises:
        ValueError: as `vector_files.load` does.
    """
    header = _header(content, path)
    if header.words is None or not looks_binary(content, header):
        return _parse_as("text", content, header, path, errors)
    try:
        return _parse_as("binary", content, header, path, errors)
    except ValueError:
        with suppress(ValueError):  # a text with odd characters in its first words
            return _parse_as("text", content, header, path, errors)
        raise


def looks_binary(content: bytes, header: Header) -> bool:
    """Tells whether the start of a file has bytes that text has not, and its first row is not text.

    Files of word vectors need a few numbers for that; `save` refuses the others.
    """
    start = content[header.end : header.end + START]
    fields = start.partition(b"\n")[0].split()
    if len(fields) == header.dimensions + 1 and _first_wrong(fields[1:]) is None:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return True
    return bool(CONTROL.search(start))


def _parse_as(form: str, content: bytes, header: Header, path: Path, errors: str) -> Vectors:
    try:
        least = (4 if form == "binary" else 2) * (header.words or 0) * header.dimensions
        if least > len(content):
            raise ValueError(
                f"{len(content)} bytes are too few for {header.words} x {header.dimensions} numbers"
            )
        words, matrix = ROWS[form](content, header, errors)
    except _WordError as error:
        raise ValueError(f"{path}, {error}") from error
    except ValueError as error:
        raise ValueError(
            f"{path} is cut short or not in word2vec's {form} format ({error})"
        ) from error
    try:
        return Vectors(words, matrix)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): get a new copy") from error


def is_unicode(word: str) -> bool:
    """Tells whether a word has no half of a surrogate pair, so that UTF-8 can hold it."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def _header(content: bytes, path: Path) -> Header:
    start = len(BOM) if content.startswith(BOM) else 0
    found = HEADER.match(content, start)
    if found and int(found[1]) and int(found[2]):
        return Header(int(found[1]), int(found[2]), found.end())
    first = content[start : min(content.find(b"\n", start) + 1, start + LONGEST)].split()
    if not found and len(first) > 2 and _first_wrong(first[1:]) is None:
        return Header(None, len(first) - 1, start)
    other = next((what for begin, what in OTHERS.items() if content.startswith(begin)), "")
    raise ValueError(
        f"{path} is {other}"
        if other
        else f"{path} does not begin with the numbers of words and dimensions but with "
        f"{content[:40]!r}: it is not in word2vec's format"
    )


def _text_rows(content: bytes, header: Header, errors: str) -> tuple[list[str], np.ndarray]:
    words: dict[str, str] = {}
    values, blank = array("f"), 0
    lines = io.BytesIO(content)
    lines.seek(header.end)
    for number, line in enumerate(lines, start=1 if header.words is None else 2):
        if not line.strip():
            blank = blank or number
            continue
        if blank:
            raise ValueError(f"line {blank} is empty")
        if len(words) == header.words:
            raise ValueError(f"line {number} comes after the last of {header.words} words")
        word, rest = _split(line.replace(b"\t", b" "), header)
        values.extend(_floats(rest, header.dimensions, number, word))
        if not line.endswith(b"\n"):
            raise _WordError(
                f"line {number} has no line break at its end: the file may be cut short (get a "
                "new copy); if it is complete, add the line break"
            )
        _add(words, word, errors, f"line {number}")
    if header.words is not None and len(words) < header.words:
        raise ValueError(f"{len(words)} of {header.words} words")
    return list(words), np.frombuffer(values, np.float32).reshape(len(words), header.dimensions)


def _split(line: bytes, header: Header) -> tuple[bytes, bytes]:
    """Splits a line into its word and its numbers; a few words of GloVe's have spaces."""
    word, _, rest = line.partition(b" ")
    if header.words is not None or rest.count(b" ") < header.dimensions:
        return word, rest
    fields = rest.split()
    more, numbers = fields[: -header.dimensions], fields[-header.dimensions :]
    if any(_first_wrong([field]) is None for field in more):
        return word, rest
    return b" ".join([word, *more]), b" ".join(numbers)


def _floats(numbers: bytes, dimensions: int, line: int, word: bytes) -> list[float]:
    if len(numbers) > LONGEST:
        raise ValueError(f"line {line} has more than {LONGEST} bytes")
    fields = numbers.split()
    if len(fields) != dimensions:
        raise ValueError(
            f"line {line}: {word!r:.60} has {len(fields)} of {dimensions} numbers; a word has no "
            "spaces"
        )
    if b"_" not in numbers:  # float() takes 1_0 for 10
        with suppress(ValueError):
            return [float(field) for field in fields]
    raise ValueError(f"line {line}: {_first_wrong(fields)!r:.60} is not a number")


def _first_wrong(fields: Sequence[bytes]) -> bytes | None:
    for field in fields:
        try:
            float(field)
        except ValueError:
            return field
        if b"_" in field:
            return field
    return None


def _binary_rows(content: bytes, header: Header, errors: str) -> tuple[list[str], np.ndarray]:
    n, dimensions, at = header.words or 0, header.dimensions, header.end
    words: dict[str, str] = {}
    matrix = np.empty((n, dimensions), np.float32)
    for i in range(n):
        space = content.find(b" ", at)
        end = space + 1 + 4 * dimensions
        if space < 0 or end > len(content):
            raise ValueError(f"{i} of {n} words")
        _add(words, content[at:space].lstrip(b"\n"), errors, f"word {i + 1}")
        matrix[i] = np.frombuffer(content, "<f4", dimensions, space + 1)
        at = end
    if content[at:].strip(b"\n"):
        raise ValueError(f"{len(content) - at} bytes after the last of {n} words")
    return list(words), matrix


def _add(words: dict[str, str], word: bytes, errors: str, where: str) -> None:
    """Adds a word with its place; raises a `_WordError` if it is not UTF-8 or there already."""
    try:
        decoded = word.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise _WordError(
            f"{where}: the word {word!r:.60} is not UTF-8, perhaps cut amid a character: pass "
            "errors='backslashreplace', or 'replace' or 'ignore', to read it as well as possible"
        ) from error
    if words.setdefault(decoded, where) != where:
        raise _WordError(
            f"{words[decoded]} and {where} have the same word {decoded!r}: remove one of them"
        )


ROWS = {"text": _text_rows, "binary": _binary_rows}
"""How the rows of a format are read."""
