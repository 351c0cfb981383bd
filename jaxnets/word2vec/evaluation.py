"""The quality of word vectors: accuracy on analogies, and correlation with human judgements."""

import math
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.host import checks
from jaxnets.word2vec.vectors import METHODS, Vectors

Analogy = tuple[str, str, str, str]


class Score(NamedTuple):
    """Counts the solved analogies among those whose words are all known."""

    right: int
    asked: int

    @property
    def share(self) -> float:
        """`right / asked`; NaN if `asked` is 0."""
        return self.right / self.asked if self.asked else float("nan")


def analogy_scores(
    vectors: Vectors, groups: Mapping[str, Sequence[Analogy]], method: str = "add"
) -> dict[str, Score]:
    """Counts the `(a, b, c, d)` of each group whose best answer is d; skips unknown words."""
    score = checks.lookup(METHODS, method, "method")
    scores = {}
    for name, questions in groups.items():
        known = [q for q in questions if all(word in vectors.index for word in q)]
        rows = np.asarray([[vectors.index[word] for word in q] for q in known], np.int64)
        right = 0
        for part in np.array_split(rows.reshape(-1, 4), -(-len(known) // 256) or 1):
            cosines = [vectors.unit[part[:, i]] @ vectors.unit.T for i in range(3)]
            values = score(*cosines)
            np.put_along_axis(values, part[:, :3], -np.inf, axis=1)
            right += int((values.argmax(axis=1) == part[:, 3]).sum())
        scores[name] = Score(right, len(known))
    return scores


def total(scores: Mapping[str, Score]) -> Score:
    """Sums the scores of all groups."""
    return Score(*map(sum, zip(*scores.values(), strict=True)))


def read_analogies(path: str | PathLike[str]) -> dict[str, list[Analogy]]:
    """Reads the groups of a file in the format of `questions-words.txt`, in lower case.

    A line `: name` begins a group, every other line has four words (Mikolov et al., 2013).

    Raises:
        ValueError: a line without four words, or a file that is not UTF-8.
    """
    groups: dict[str, list[Analogy]] = {}
    name = ""
    for number, line in enumerate(_lines(path), start=1):
        if line.startswith(":"):
            name = line[1:].strip()
        elif line.strip():
            words = line.lower().split()
            if len(words) != 4:
                raise ValueError(f"{path}, line {number}: expected four words, got {line!r}")
            groups.setdefault(name, []).append((words[0], words[1], words[2], words[3]))
    return groups


def spearman(vectors: Vectors, pairs: Sequence[tuple[str, str, float]]) -> tuple[float, int]:
    """Computes the rank correlation of cosines with human scores, and the number of known pairs."""
    from scipy.stats import spearmanr

    known = [pair for pair in pairs if pair[0] in vectors.index and pair[1] in vectors.index]
    if len(known) < 2:
        return float("nan"), len(known)
    words, others, scores = zip(*known, strict=True)
    one, other = (vectors.unit[vectors.numbers(names)] for names in (words, others))
    cosines = np.einsum("nd,nd->n", one, other)
    return float(spearmanr(cosines, scores).statistic), len(known)


def read_similarities(path: str | PathLike[str]) -> list[tuple[str, str, float]]:
    """Reads pairs from lines `word, tab, word, tab, score`, in lower case; `#` begins a comment.

    Raises:
        ValueError: any other line, or a file that is not UTF-8.
    """
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            one, other, score = line.lower().split("\t")[:3]
            pairs.append((one.strip(), other.strip(), float(score)))
            if not math.isfinite(pairs[-1][2]):
                raise ValueError(f"the score is {score}")
        except ValueError as error:
            raise ValueError(
                f"{path}, line {number}: expected word, tab, word, tab, number, got {line!r}"
            ) from error
    return pairs


def _lines(path: str | PathLike[str]) -> list[str]:
    try:
        return Path(path).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error.reason}): convert it") from error
