"""Cosines, neighbours and analogies of word vectors, as functions."""

from collections.abc import Sequence

import numpy as np

from jaxnets.host import checks
from jaxnets.word2vec.vectors import Vectors, best, require_vectors


def similarities(vectors: Vectors, words: Sequence[str]) -> np.ndarray:
    """Computes the cosines of all pairs, `[words, words]`; 0 for a vector of zeros.

    Raises:
        KeyError: a word without a vector.

    Example:
        >>> import numpy as np
        >>> vectors = Vectors(["a", "b"], np.array([[1.0, 0.0], [0.0, 2.0]]))
        >>> similarities(vectors, ["a", "b"]).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    require_vectors(vectors)
    rows = vectors.unit[vectors.numbers(words)]
    return rows @ rows.T


def most_similar(vectors: Vectors, word: str, n: int = 10) -> list[tuple[str, float]]:
    """Returns the n other words of the largest cosine with a word, as `Vectors.most_similar`.

    Another word whose vector is zero has cosine 0.

    Raises:
        ValueError: the word's own vector is zero.

    Example:
        >>> import numpy as np
        >>> vectors = Vectors(["a", "b", "c"], np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))
        >>> most_similar(vectors, "a", n=1)
        [('b', 1.0)]
    """
    require_vectors(vectors)
    checks.require_count(n, "n")
    return vectors.most_similar([word], topn=n)


def analogy(
    vectors: Vectors, a: str, b: str, c: str, n: int = 1, method: str = "add"
) -> list[tuple[str, float]]:
    """Solves "a is to b as c is to ...": the n best words except these three, with their scores.

    "add" is 3CosAdd, `cos(x, b) - cos(x, a) + cos(x, c)` (Mikolov et al., 2013); "multiply" is
    3CosMul, `cos(x, b) cos(x, c) / (cos(x, a) + 0.001)` with cosines moved to 0..1 (Levy and
    Goldberg, 2014).

    Raises:
        ValueError: a vector of a, b or c that is zero.

    Example:
        >>> import numpy as np
        >>> rows = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 0.0], [2.0, 1.0]])
        >>> vectors = Vectors(["man", "woman", "king", "queen"], rows)
        >>> analogy(vectors, "man", "woman", "king")[0][0]
        'queen'
    """
    require_vectors(vectors)
    checks.require_count(n, "n")
    score = checks.lookup(METHODS, method, "method")
    rows = vectors.directed_rows([a, b, c])
    return best(vectors.words, score(*(vectors.unit @ vectors.unit[rows].T).T), rows, n)


def _add(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return b - a + c


def _multiply(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    a, b, c = ((1 + cosine) / 2 for cosine in (a, b, c))
    return b * c / (a + 1e-3)


METHODS = {"add": _add, "multiply": _multiply}
