"""Files of word vectors in word2vec's text and binary formats, which gensim and others use."""

import re
from collections.abc import Iterator
from itertools import islice
from os import PathLike

import numpy as np

from jaxnets.host import checks
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import atomic_write
from jaxnets.text.packed import open_packed
from jaxnets.word2vec.vector_formats import START, Header, is_unicode, looks_binary, parse
from jaxnets.word2vec.vectors import Vectors, require_vectors

ERRORS = ("strict", "replace", "backslashreplace", "ignore")
"""What to do with a word that is not UTF-8, as in `bytes.decode`."""
MOST = 20
"""A file may be this many times as large as its archive; 3 times is usual for numbers."""
SEPARATORS = {False: re.compile(r"[ \t\n]"), True: re.compile(r"[ \n]")}
"""Characters that no word of the text and of the binary format can have."""


def save(path: str | PathLike[str], vectors: Vectors, binary: bool = False) -> None:
    """Writes word2vec's text or binary (little-endian float32) format; gensim reads both.

    The first line is `words dimensions`; then each word and its vector, in text with 9 digits, from
    which every reader gets the same float32. The write is atomic, and `load` gives back exactly
    what was saved.

    Raises:
        FileNotFoundError, IsADirectoryError: the folder does not exist, or has the name.
        ValueError: a word that the format cannot hold (with a space, a line break or half of a
            surrogate pair, in text also a tab), no words, no dimensions, or a number that is not
            finite. Nothing is written then.

    Example:
        >>> import tempfile, numpy as np
        >>> path = tempfile.mkdtemp() + "/vectors.txt"
        >>> save(path, Vectors(["a", "b"], np.eye(2)))
        >>> load(path)["b"].tolist()
        [0.0, 1.0]
    """
    require_vectors(vectors)
    vectors = Vectors(vectors.words, vectors.matrix)  # again: it may have been changed since
    _require_savable(vectors, binary)
    path = as_path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"the folder {path.parent} of {path.name} does not exist: create it"
        )
    with atomic_write(path) as file:
        file.write(f"{len(vectors)} {vectors.vector_size}\n".encode())
        file.writelines(_records(vectors, binary))


def _records(vectors: Vectors, binary: bool) -> Iterator[bytes]:
    for word, row in zip(vectors.words, vectors.matrix, strict=True):
        numbers = row.astype("<f4").tobytes() if binary else _digits(row)
        yield word.encode() + b" " + numbers + b"\n"


def _require_savable(vectors: Vectors, binary: bool) -> None:
    if not vectors.matrix.size:
        n, dimensions = vectors.matrix.shape
        raise ValueError(f"there is nothing to save: {n} words of {dimensions} dimensions")
    form, separator = "binary" if binary else "text", SEPARATORS[bool(binary)]
    for word in vectors.words:
        found = separator.search(word)
        if found:
            raise ValueError(
                f"the word {word!r} has {found[0]!r}, which ends a word in word2vec's {form} "
                f"format: use another character, such as {separator.sub('_', word)!r}"
            )
        if not is_unicode(word):
            raise ValueError(
                f"the word {word!r} has half of a surrogate pair, which is not a character and "
                "cannot be written as UTF-8"
            )
    if binary:
        _require_binary(vectors)


def _require_binary(vectors: Vectors) -> None:
    """Raises a ValueError for numbers, never more than a few, that `load` would take for text."""
    enough = START // (4 * vectors.vector_size) + 1
    start = b"".join(islice(_records(vectors, True), enough))
    header = Header(len(vectors), vectors.vector_size, 0)
    if not looks_binary(start, header):
        raise ValueError("these numbers look like text in binary form: save them as text")


def _digits(row: np.ndarray) -> bytes:
    """Writes 9 digits, so near to a float32 that rounding to a float64 first does no harm."""
    return " ".join(["%.9g"] * len(row)).encode() % tuple(row.tolist())


def load(path: str | PathLike[str], errors: str = "strict") -> Vectors:
    """Reads the vectors of a file in word2vec's text or binary format, plain or packed.

    Which of the formats it is, the content tells. The file may be packed by gzip, xz or bzip2. In
    text, numbers may be separated by several spaces or tabs, lines may end in CRLF, and GloVe's
    files, which lack the first line, are read too; of these nobody can tell whether they are cut
    short between two lines.

    Args:
        path: the file.
        errors: what to do with a word that is not UTF-8, one of `ERRORS`; the authors' program
            cuts long words amid a character.

    Raises:
        FileNotFoundError: no such file.
        ValueError: another format; a file that is cut short (the line or word is named) or longer
            than its header says; a word that is not UTF-8, or occurs twice; a number that is not
            finite.

    Example:
        >>> import tempfile, numpy as np
        >>> path = tempfile.mkdtemp() + "/vectors.bin"
        >>> save(path, Vectors(["a", "b"], np.eye(2)), binary=True)
        >>> load(path)
        Vectors(2 words, 2 dimensions)
    """
    checks.require_known([errors], ERRORS, "errors")
    path = as_path(path)
    with open_packed(path, MOST) as file:
        content = file.read()
    return parse(content, path, errors)
