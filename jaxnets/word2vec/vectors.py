"""Word vectors, their nearest neighbours, and analogies."""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from jaxnets.host import checks


class Vectors:
    """Maps words to vectors, which are compared by cosine similarity.

    A word may be asked for in any form of Unicode: if there is none of that form, its composed form
    is meant, which the words of a corpus have, or else its decomposed one.

    Args:
        words: each of them once.
        matrix: a row for each word, `[words, dimensions]`, stored as float32.

    Raises:
        TypeError: words that are not strings or have no order, or a matrix of anything but numbers.
        ValueError: words and rows differ in number, a word occurs twice, or a number is not finite
            in float32.
    """

    def __init__(self, words: Sequence[str], matrix: np.ndarray):
        self.words = _as_words(words)
        self.matrix = _as_float32(matrix)
        self.index = {word: i for i, word in enumerate(self.words)}
        if self.matrix.ndim != 2 or len(self.words) != len(self.matrix):
            raise ValueError(
                f"{len(self.words)} words need a matrix [{len(self.words)}, dimensions], "
                f"got {self.matrix.shape}"
            )
        if len(self.index) < len(self.words):
            twice = next(w for i, w in enumerate(self.words) if self.index[w] != i)
            raise ValueError(f"the word {twice!r} occurs twice")
        if not np.isfinite(self.matrix).all():
            row = int(np.argwhere(~np.isfinite(self.matrix))[0, 0])
            raise ValueError(f"the vector of {self.words[row]!r} is not finite in float32")
        self._require_digits(matrix)

    def _require_digits(self, matrix: Any) -> None:
        """Refuses vectors whose direction is lost because float32 has no numbers so small."""
        largest, kept = (
            np.abs(m).max(axis=1, initial=0) for m in (np.asarray(matrix), self.matrix)
        )
        for row in np.flatnonzero((largest > kept) & (kept < np.finfo(np.float32).tiny)):
            raise ValueError(
                f"the vector of {self.words[row]!r} has no entry above {largest[row]:.3g}, too "
                "small for float32: multiply the matrix by a large number; cosines stay the same"
            )

    def row(self, word: str) -> int | None:
        """Returns the row of a word, or None if it has none."""
        if word in self.index:
            return self.index[word]
        forms = (unicodedata.normalize("NFC", word), unicodedata.normalize("NFD", word))
        return next((self.index[form] for form in forms if form in self.index), None)

    @cached_property
    def unit(self) -> np.ndarray:
        """The rows scaled to norm 1, whatever their scale; a row of zeros is unchanged.

        Each row is divided by its largest entry first, so that no square overflows or vanishes.
        """
        largest = np.abs(self.matrix).max(axis=1, keepdims=True, initial=0)
        rows = self.matrix / np.where(largest > 0, largest, 1)
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.where(norms > 0, norms, 1)

    def numbers(self, words: Iterable[str]) -> np.ndarray:
        """Returns the row of each word.

        Raises:
            KeyError: an unknown word; the nearest spellings are suggested.
            TypeError: a word that is not a str.
        """
        return np.asarray([self._row(word) for word in _as_words(words)], np.int64)

    def _row(self, word: str) -> int:
        row = self.row(word)
        if row is None:
            near = difflib.get_close_matches(word, self.words, n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise KeyError(f"no vector for {word!r}{hint}")
        return row


def _as_words(words: Iterable[str]) -> tuple[str, ...]:
    if isinstance(words, str | bytes | set | frozenset | Mapping) or not isinstance(
        words, Iterable
    ):
        raise TypeError(f"words is {words!r:.60}; it must be a list of str")
    words = tuple(words)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"words must be str, got {word!r}")
    return words


def _as_float32(matrix: Any) -> np.ndarray:
    found = np.asarray(checks.as_array(matrix, "matrix"))
    if not np.isrealobj(found):
        raise TypeError(f"matrix has dtype {found.dtype}; vectors are of real numbers")
    with np.errstate(over="ignore"):
        return found.astype(np.float32, copy=False)


def require_vectors(vectors: Any) -> None:
    """Raises a TypeError unless it is a `Vectors`."""
    if not isinstance(vectors, Vectors):
        raise TypeError(
            f"vectors is {type(vectors).__name__}; it must be Vectors, such as "
            "word2vec.load(path) or word2vec.train(...).vectors"
        )


def similarities(vectors: Vectors, words: Sequence[str]) -> np.ndarray:
    """Computes the cosines of all pairs, `[words, words]`; 0 for a vector of zeros."""
    require_vectors(vectors)
    rows = vectors.unit[vectors.numbers(words)]
    return rows @ rows.T


def _rows_of(vectors: Vectors, words: Sequence[str]) -> np.ndarray:
    """Returns the rows of words that are compared with all others; zeros point nowhere."""
    rows = vectors.numbers(words)
    for word, row in zip(words, rows, strict=True):
        if not vectors.matrix[row].any():
            raise ValueError(f"the vector of {word!r} is zero: it has no direction, and no cosines")
    return rows


def most_similar(vectors: Vectors, word: str, n: int = 10) -> list[tuple[str, float]]:
    """Returns the n other words of the largest cosine with a word, and these cosines.

    Another word whose vector is zero has cosine 0.

    Raises:
        ValueError: the word's own vector is zero.
    """
    require_vectors(vectors)
    checks.require_count(n, "n")
    (row,) = _rows_of(vectors, [word])
    return _best(vectors, vectors.unit @ vectors.unit[row], np.asarray([row]), n)


def analogy(
    vectors: Vectors, a: str, b: str, c: str, n: int = 1, method: str = "add"
) -> list[tuple[str, float]]:
    """Solves "a is to b as c is to ...": the n best words except these three, with their scores.

    "add" is 3CosAdd, `cos(x, b) - cos(x, a) + cos(x, c)` (Mikolov et al., 2013); "multiply" is
    3CosMul, `cos(x, b) cos(x, c) / (cos(x, a) + 0.001)` with cosines moved to 0..1 (Levy and
    Goldberg, 2014).

    Raises:
        ValueError: a vector of a, b or c that is zero.
    """
    require_vectors(vectors)
    checks.require_count(n, "n")
    score = checks.lookup(METHODS, method, "method")
    rows = _rows_of(vectors, [a, b, c])
    return _best(vectors, score(*(vectors.unit @ vectors.unit[rows].T).T), rows, n)


def _add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return b - a + c


def _multiply(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    a, b, c = ((1 + cosine) / 2 for cosine in (a, b, c))
    return b * c / (a + 1e-3)


METHODS = {"add": _add, "multiply": _multiply}


def _best(
    vectors: Vectors, scores: np.ndarray, without: np.ndarray, n: int
) -> list[tuple[str, float]]:
    scores = scores.copy()
    scores[without] = -np.inf
    n = min(n, len(scores) - len(np.unique(without)))
    best = np.argpartition(-scores, n - 1)[:n]
    best = best[np.argsort(-scores[best], kind="stable")]
    return [(vectors.words[i], float(scores[i])) for i in best]
