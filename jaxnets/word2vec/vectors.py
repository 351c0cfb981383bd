"""Word vectors: a table of words that answers as gensim's `KeyedVectors` does."""

import difflib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from jaxnets.host import checks

Terms = str | np.ndarray | Sequence[str | np.ndarray] | None
"""A word, a vector `[dimensions]`, a list of both, or nothing."""
SEARCHED = 200_000
"""The words, the most frequent first, among which a near spelling is looked for."""


class Vectors:
    """Maps words to vectors, which are compared by cosine similarity.

    A word may be asked for in any form of Unicode: if there is none of that form, its composed form
    is meant, which the words of a corpus have, or else its decomposed one. An unknown word raises a
    KeyError that suggests the nearest spellings.

        >>> vectors = Vectors(["king", "queen", "boat"], [[2, 1], [1, 2], [-1, 1]])
        >>> vectors["king"], "queen" in vectors, len(vectors), list(vectors)
        (array([2., 1.], dtype=float32), True, 3, ['king', 'queen', 'boat'])
        >>> vectors.most_similar("king", topn=1)[0][0]
        'queen'
        >>> vectors.doesnt_match(["king", "queen", "boat"])
        'boat'

    The names are those of gensim's `KeyedVectors`, and so are the answers; an unknown word is an
    error everywhere, where gensim leaves it out of `doesnt_match` and `n_similarity`.

    Args:
        words: each of them once.
        matrix: a row for each word, `[words, dimensions]`, stored as float32.

    Raises:
        TypeError: words that are not strings or have no order, or a matrix of anything but numbers.
        ValueError: words and rows differ in number, a word occurs twice, or a number is not finite
            in float32.
    """

    def __init__(self, words: Sequence[str], matrix: np.ndarray):
        self.words = as_words(words)
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
        return np.asarray([self._row(word) for word in as_words(words)], np.int64)

    def _row(self, word: str) -> int:
        row = self.row(word)
        if row is None:
            near = difflib.get_close_matches(word, self.words[:SEARCHED], n=3)
            hint = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
            raise KeyError(f"no vector for {word!r}{hint}")
        return row

    def __len__(self) -> int:
        """Returns the number of words."""
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        """Iterates over the words, in the order of the rows."""
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        """Tells whether a word has a vector."""
        return isinstance(word, str) and self.row(word) is not None

    def __getitem__(self, words: str | Sequence[str]) -> np.ndarray:
        """Returns a copy of the vector of a word, `[dimensions]`, or of words, `[n, dimensions]`.

        Raises:
            KeyError: an unknown word; the nearest spellings are suggested.
            TypeError: neither a word nor a list of words.
        """
        if isinstance(words, str):
            return self.get_vector(words)
        return self.matrix[self.numbers(words)]

    def __repr__(self) -> str:
        """Describes the table by its size."""
        return f"Vectors({len(self)} words, {self.vector_size} dimensions)"

    @property
    def index_to_key(self) -> list[str]:
        """The words, in the order of the rows."""
        return list(self.words)

    @property
    def key_to_index(self) -> dict[str, int]:
        """The row of each word."""
        return dict(self.index)

    @property
    def vectors(self) -> np.ndarray:
        """The matrix, `[words, dimensions]`."""
        return self.matrix

    @property
    def vector_size(self) -> int:
        """The number of dimensions."""
        return self.matrix.shape[1]

    def get_vector(self, word: str, norm: bool = False) -> np.ndarray:
        """Returns a copy of a word's vector, `[dimensions]`, with `norm` scaled to norm 1."""
        (row,) = self.numbers([word])
        return (self.unit if norm else self.matrix)[row].copy()

    def similarity(self, a: str, b: str) -> float:
        """Computes the cosine of two words; 0 if a vector is zero."""
        one, other = self.unit[self.numbers([a, b])]
        return float(one @ other)

    def distance(self, a: str, b: str) -> float:
        """Computes `1 - similarity(a, b)`."""
        return 1 - self.similarity(a, b)

    def n_similarity(self, a: Sequence[str], b: Sequence[str]) -> float:
        """Computes the cosine between the mean vectors of two lists of words.

        Raises:
            ValueError: an empty list, or words whose mean is zero.
        """
        one, other = (_direction(self[as_words(words)], "the words") for words in (a, b))
        return float(one @ other)

    def most_similar(
        self, positive: Terms = None, negative: Terms = None, topn: int = 10
    ) -> list[tuple[str, float]]:
        """Returns the words nearest to the mean of some words, less others (Mikolov et al., 2013).

        The cosines are with `sum positive - sum negative`, where a word stands for its unit vector
        and a vector for itself; of `positive=["king", "woman"], negative=["man"]` that is 3CosAdd.

        Args:
            positive: a word, a vector `[dimensions]`, or a list of words and vectors.
            negative: the same.
            topn: how many words are returned; the words asked for never are.

        Returns:
            Words and their cosines, the largest first.

        Raises:
            KeyError: an unknown word; the nearest spellings are suggested.
            TypeError: what is neither a word nor a vector.
            ValueError: nothing asked for, a word whose vector is zero, terms that cancel.
        """
        checks.require_count(topn, "topn")
        added, without = self._terms(positive, "positive")
        removed, more = self._terms(negative, "negative")
        terms = np.concatenate([added, -removed])
        if not len(terms):
            raise ValueError("most_similar needs words: positive and negative are empty")
        target = _direction(terms, "positive and negative")
        return best(self.words, self.unit @ target, np.asarray(without + more, np.int64), topn)

    def similar_by_word(self, word: str, topn: int = 10) -> list[tuple[str, float]]:
        """Returns the other words of the largest cosine with a word."""
        return self.most_similar([word], topn=topn)

    def similar_by_vector(self, vector: np.ndarray, topn: int = 10) -> list[tuple[str, float]]:
        """Returns the words of the largest cosine with a vector, `[dimensions]`."""
        return self.most_similar(np.asarray(vector), topn=topn)

    def doesnt_match(self, words: Sequence[str]) -> str:
        """Returns the word whose cosine with the mean of all is the smallest.

        Raises:
            ValueError: fewer than three words, of which none is the odd one, or a vector of zeros.
        """
        words = as_words(words)
        if len(words) < 3:
            raise ValueError(f"doesnt_match needs three words or more, got {len(words)}")
        rows = self.unit[self.directed_rows(words)]
        return words[int((rows @ _direction(rows, "the words")).argmin())]

    def directed_rows(self, words: Sequence[str]) -> np.ndarray:
        """Returns the rows of words that are compared with all others; zeros point nowhere."""
        rows = self.numbers(words)
        for word, row in zip(words, rows, strict=True):
            if not self.matrix[row].any():
                raise ValueError(
                    f"the vector of {word!r} is zero: it has no direction, and no cosines"
                )
        return rows

    def _terms(self, terms: Terms, name: str) -> tuple[np.ndarray, list[int]]:
        """Returns unit vectors of words, and vectors as they are, `[n, d]`; and the words' rows."""
        terms = _as_list(terms, name)
        rows = self.directed_rows([term for term in terms if isinstance(term, str)])
        found = [self._term(term, name) for term in terms]
        return np.asarray(found, np.float64).reshape(len(found), self.vector_size), rows.tolist()

    def _term(self, term: Any, name: str) -> np.ndarray:
        if isinstance(term, str):
            return self.unit[self._row(term)]
        if not hasattr(term, "__array__"):
            raise TypeError(f"{name} has {term!r:.60}; it must be words, or vectors (arrays)")
        found = checks.as_finite(term, name)
        if found.shape != (self.vector_size,):
            raise ValueError(
                f"a vector of {name} has shape {found.shape}; these have [{self.vector_size}]"
            )
        return found


def as_words(words: Iterable[str]) -> tuple[str, ...]:
    """Converts a list of words to a tuple; raises a TypeError for anything else."""
    if isinstance(words, str | bytes | set | frozenset | Mapping) or not isinstance(
        words, Iterable
    ):
        raise TypeError(f"words is {words!r:.60}; it must be a list of str")
    words = tuple(words)
    for word in words:
        if not isinstance(word, str):
            raise TypeError(f"words must be str, got {word!r}")
    return words


def _as_list(terms: Any, name: str) -> Sequence[Any]:
    """Returns words and vectors as a list: a single one, the rows of a matrix, or a list."""
    if terms is None:
        return []
    if hasattr(terms, "__array__") and np.asarray(terms).dtype.kind in "fiu":
        return list(np.atleast_2d(np.asarray(terms)))
    if isinstance(terms, str):
        return [terms]
    if not isinstance(terms, Sequence | np.ndarray):
        raise TypeError(f"{name} is {terms!r:.60}; it must be words, or vectors")
    return list(terms)


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


def _direction(rows: np.ndarray, name: str) -> np.ndarray:
    """Returns the sum of `rows [n, dimensions]`, scaled to norm 1."""
    if not len(rows):
        raise ValueError("there are no words to take the mean of")
    total = rows.astype(np.float64).sum(axis=0)
    largest = np.abs(total).max(initial=0)
    if largest <= 1e-6 * np.abs(rows).max(initial=0):
        raise ValueError(f"the mean of {name} is zero: it has no direction, and no cosines")
    total /= largest
    return (total / np.linalg.norm(total)).astype(np.float32)


def best(
    words: Sequence[str], scores: np.ndarray, without: np.ndarray, n: int
) -> list[tuple[str, float]]:
    """Returns the n words of the largest scores, and these, except the rows `without`."""
    scores = scores.copy()
    scores[without] = -np.inf
    n = min(n, len(scores) - len(np.unique(without)))
    rows = np.argpartition(-scores, n - 1)[:n]
    rows = rows[np.argsort(-scores[rows], kind="stable")]
    return [(words[i], float(scores[i])) for i in rows]
