"""Files of word vectors in word2vec's text and binary formats, which gensim and others use."""

from os import PathLike
from pathlib import Path

import numpy as np

from jaxnets.storage.atomic import atomic_write
from jaxnets.word2vec.vectors import Vectors


def save(path: str | PathLike[str], vectors: Vectors, binary: bool = False) -> None:
    """Writes word2vec's text or binary (little-endian float32) format; gensim reads both.

    The first line is `words dimensions`; then each word and its vector. The write is atomic.
    """
    with atomic_write(Path(path)) as temporary, temporary.open("wb") as file:
        file.write(f"{len(vectors.words)} {vectors.matrix.shape[1]}\n".encode())
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            numbers = row.astype("<f4").tobytes() if binary else _digits(row)
            file.write(word.encode() + b" " + numbers + b"\n")


def _digits(row: np.ndarray) -> bytes:
    """Writes the shortest decimals that are read as the same float32."""
    return " ".join(map(str, row)).encode()


def load(path: str | PathLike[str], binary: bool = False) -> Vectors:
    """Reads the vectors of a file in word2vec's text or binary format.

    Raises:
        ValueError: another format, or a file that is cut short (the line or word is named) or
            longer than its header says.
    """
    path = Path(path)
    with path.open("rb") as file:
        header = file.readline(100)
        try:
            n, dimensions = (int(number) for number in header.decode("ascii").split())
            if min(n, dimensions) < 1:
                raise ValueError("both must be 1 or more")
        except ValueError as error:
            raise ValueError(
                f"{path} does not begin with the numbers of words and dimensions but with "
                f"{header[:40]!r}: it is not in word2vec's format"
            ) from error
        content = file.read()
    rows = _binary_rows if binary else _text_rows
    try:
        if 2 * n * dimensions > len(content):
            raise ValueError(f"{len(content)} bytes are too few for {n} x {dimensions} numbers")
        words, matrix = rows(content, n, dimensions)
    except (ValueError, IndexError) as error:
        other = "text" if binary else "binary"
        raise ValueError(
            f"{path} is cut short or not in word2vec's {'binary' if binary else 'text'} format "
            f"({error}): download it again, or read it as {other}"
        ) from error
    try:
        return Vectors(words, matrix)
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): download it again") from error


def _text_rows(content: bytes, n: int, dimensions: int) -> tuple[list[str], np.ndarray]:
    *lines, rest = content.decode("utf-8").split("\n")
    if len(lines) != n or rest:
        raise ValueError(f"{len(lines)} complete lines for {n} words")
    fields = [line.rstrip().split(" ") for line in lines]
    wrong = next((i for i, row in enumerate(fields) if len(row) != dimensions + 1), None)
    if wrong is not None:
        raise ValueError(f"word {wrong + 1} has {len(fields[wrong]) - 1} of {dimensions} numbers")
    numbers = np.asarray([row[1:] for row in fields], np.float64)
    with np.errstate(over="ignore"):
        return [row[0] for row in fields], numbers.astype(np.float32)


def _binary_rows(content: bytes, n: int, dimensions: int) -> tuple[list[str], np.ndarray]:
    words, matrix, at = [], np.empty((n, dimensions), np.float32), 0
    for i in range(n):
        space = content.index(b" ", at)
        words.append(content[at:space].lstrip(b"\n").decode("utf-8"))
        at = space + 1 + 4 * dimensions
        if at > len(content):
            raise ValueError(f"{i} of {n} words")
        matrix[i] = np.frombuffer(content, "<f4", dimensions, space + 1)
    if content[at:].strip(b"\n"):
        raise ValueError(f"{len(content) - at} bytes after the last of {n} words")
    return words, matrix
