"""The quality of word vectors: accuracy on analogies, and correlation with human judgements."""

import codecs
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, NamedTuple

import numpy as np

from jaxnets.host import checks
from jaxnets.host.paths import as_path
from jaxnets.text.packed import open_packed
from jaxnets.text.word_rule import spell
from jaxnets.word2vec.analogies import METHODS
from jaxnets.word2vec.vectors import Vectors, require_vectors

Analogy = tuple[str, str, str, str]
LARGEST = 2**25
"""Bytes of a file of analogies or pairs; those in use have less than a tenth."""


class Score(NamedTuple):
    """Counts the solved analogies among those whose words are all known.

    Example:
        >>> Score(right=3, asked=4).share
        0.75
    """

    right: int
    asked: int

    @property
    def share(self) -> float:
        """`right / asked`; NaN if `asked` is 0."""
        return self.right / self.asked if self.asked else float("nan")


def analogy_scores(
    vectors: Vectors, groups: Mapping[str, Sequence[Analogy]], method: str = "add"
) -> dict[str, Score]:
    """Counts the `(a, b, c, d)` of each group whose best answer is d; skips unknown words.

    Raises:
        TypeError: groups that are not a dict of lists of four words.
        ValueError: an unknown method.

    Example:
        >>> import numpy as np
        >>> rows = np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 0.0], [2.0, 1.0]])
        >>> vectors = Vectors(["man", "woman", "king", "queen"], rows)
        >>> analogy_scores(vectors, {"royal": [("man", "woman", "king", "queen")]})["royal"].share
        1.0
    """
    require_vectors(vectors)
    score = checks.lookup(METHODS, method, "method")
    return {
        name: _count_right(vectors, _known_rows(vectors, questions, name), score)
        for name, questions in _as_groups(groups).items()
    }


def _as_groups(groups: Mapping[str, Any]) -> Mapping[str, Any]:
    if not isinstance(groups, Mapping):
        raise TypeError(f"expected a dict of groups by name, got {type(groups).__name__}")
    return groups


def _known_rows(vectors: Vectors, questions: Sequence[Analogy], name: str) -> np.ndarray:
    """Returns the rows of the questions whose words are all known, `[questions, 4]`."""
    rows = [[vectors.row(word) for word in _as_words(q, 4, name)] for q in questions]
    return np.asarray([row for row in rows if None not in row], np.int64).reshape(-1, 4)


def _as_words(words: Sequence[str], n: int, name: str) -> Sequence[str]:
    is_list = isinstance(words, Sequence | np.ndarray) and not isinstance(words, str)
    if not is_list or len(words) != n or not all(isinstance(word, str) for word in words):
        raise TypeError(f"{name!r} has {words!r:.60}; it must be {n} words")
    return words


def _count_right(vectors: Vectors, rows: np.ndarray, score: Callable[..., np.ndarray]) -> Score:
    right = 0
    for part in np.array_split(rows, -(-len(rows) // 256) or 1):
        cosines = [vectors.unit[part[:, i]] @ vectors.unit.T for i in range(3)]
        values = score(*cosines)
        np.put_along_axis(values, part[:, :3], -np.inf, axis=1)
        right += int((values.argmax(axis=1) == part[:, 3]).sum())
    return Score(right, len(rows))


def total(scores: Mapping[str, Score]) -> Score:
    """Sums the scores of all groups; of no groups `Score(0, 0)`, whose share is NaN.

    Example:
        >>> total({"a": Score(1, 2), "b": Score(2, 2)})
        Score(right=3, asked=4)
    """
    found = [Score(*score) for score in _as_groups(scores).values()]
    return Score(sum(score.right for score in found), sum(score.asked for score in found))


def read_analogies(path: str | PathLike[str]) -> dict[str, list[Analogy]]:
    """Reads the groups of a file in the format of `questions-words.txt`.

    A line `: name` begins a group, every other line has four words (Mikolov et al., 2013), which
    are spelled as those of a corpus: in lower case and composed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line without four words, or a file that is not UTF-8 or beyond `LARGEST`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "questions.txt"
        >>> _ = path.write_text(": royal" + chr(10) + "man woman king queen")
        >>> read_analogies(path)
        {'royal': [('man', 'woman', 'king', 'queen')]}
    """
    groups: dict[str, list[Analogy]] = {}
    name = ""
    for number, line in enumerate(_lines(path), start=1):
        if line.startswith(":"):
            name = line[1:].strip()
        elif line.strip():
            words = spell(line).split()
            if len(words) != 4:
                raise ValueError(f"{path}, line {number}: expected four words, got {line!r:.60}")
            groups.setdefault(name, []).append((words[0], words[1], words[2], words[3]))
    return groups


def spearman(vectors: Vectors, pairs: Sequence[tuple[str, str, float]]) -> tuple[float, int]:
    """Computes the rank correlation of cosines with human scores, and the number of known pairs.

    Raises:
        TypeError: pairs that are not two words and a number.

    Example:
        >>> import numpy as np
        >>> vectors = Vectors(["a", "b", "c"], np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]))
        >>> correlation, known = spearman(vectors, [("a", "b", 9.0), ("a", "c", 1.0)])
        >>> round(float(correlation), 3), known
        (1.0, 2)
    """
    from scipy.stats import spearmanr

    require_vectors(vectors)
    known: list[tuple[int, int, float]] = []
    for one, other, score in map(_as_pair, pairs):
        rows = vectors.row(one), vectors.row(other)
        if rows[0] is not None and rows[1] is not None:
            known.append((rows[0], rows[1], score))
    if len(known) < 2:
        return float("nan"), len(known)
    ones, others, scores = (np.asarray(column) for column in zip(*known, strict=True))
    cosines = np.einsum("nd,nd->n", vectors.unit[ones], vectors.unit[others])
    return float(spearmanr(cosines, scores).statistic), len(known)


def _as_pair(pair: tuple[str, str, float]) -> tuple[str, str, float]:
    if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 3:
        raise TypeError(f"pairs has {pair!r:.60}; it must be (word, word, score)")
    one, other = _as_words(pair[:2], 2, "pairs")
    return one, other, checks.as_number(pair[2], f"the score of {one!r} and {other!r}")


def read_similarities(path: str | PathLike[str]) -> list[tuple[str, str, float]]:
    """Reads pairs from lines `word, tab, word, tab, score`; `#` begins a comment.

    The words are spelled as those of a corpus: in lower case and composed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: any other line, or a file that is not UTF-8 or beyond `LARGEST`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "pairs.tsv"
        >>> _ = path.write_text(chr(9).join(["cat", "dog", "7.5"]))
        >>> read_similarities(path)
        [('cat', 'dog', 7.5)]
    """
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            one, other, score = line.split("\t")[:3]
            pairs.append((spell(one.strip()), spell(other.strip()), float(score)))
            if not math.isfinite(pairs[-1][2]) or "_" in score:
                raise ValueError(f"the score is {score}")
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: expected word, tab, word, tab, number, got {line!r:.60}"
            ) from error
    return pairs


def _lines(path: str | PathLike[str]) -> Iterator[str]:
    """Reads a file, plain or packed, and yields its lines, which end at line breaks alone."""
    path = as_path(path)
    with open_packed(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(
            f"{path} has more than {LARGEST} bytes: it is not a file of questions or pairs"
        )
    for line in io.BytesIO(content.removeprefix(codecs.BOM_UTF8)):
        try:
            yield line.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 ({error.reason}): convert it") from error
