"""Phrases: pairs of words that occur together far more often than apart, joined to one word.

Mikolov et al. (2013), "Distributed Representations of Words and Phrases": two words are a phrase if
`(count(a b) - min_count) / (count(a) count(b))` is large. As in gensim, it is multiplied by the
number of different words and pairs, so that a threshold fits texts of any length.

    >>> from jaxnets.text import corpus, phrases
    >>> text = corpus.read(["she left new york", "new york is big", "he left"], min_count=1)
    >>> found = phrases.find(text, min_count=1, threshold=3)
    >>> found
    {('new', 'york'): 3.25}
    >>> phrases.join(text, found).vocabulary.words
    ('left', 'new_york', 'she', 'is', 'big', 'he')
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from jaxnets.host import checks
from jaxnets.text.corpus import Corpus
from jaxnets.text.vocabulary import END, ranked, require_two, single_ends

BLOCK = 2**22
"""Words processed at a time."""


def find(
    corpus: Corpus, min_count: int = 5, threshold: float = 10.0
) -> dict[tuple[str, str], float]:
    """Finds the pairs of neighbours whose score is above a threshold, as gensim's `Phrases` does.

    Args:
        corpus: a text; read it with `min_count=1` to count as gensim does, with all words.
        min_count: taken off the count of each pair, so that rare pairs are no phrases.
        threshold: the least score; a larger one finds fewer phrases.

    Returns:
        The score of each phrase, the largest first.

    Raises:
        TypeError, ValueError: not a corpus, a count below 1, a threshold that is not positive.

    Example:
        >>> from jaxnets.text import corpus
        >>> lines = [["in", "new", "york"], ["a", "city"], ["a", "big", "one"]] * 10
        >>> ("new", "york") in find(corpus.read(lines, min_count=1), min_count=1, threshold=1)
        True
    """
    _require_corpus(corpus)
    checks.require_count(min_count, "min_count")
    threshold = checks.as_number(threshold, "threshold")
    checks.require_positive(threshold, "threshold")
    words, counts = corpus.vocabulary
    pairs, together = _count_pairs(corpus.ids, len(words))
    first, second = np.divmod(pairs, len(words))
    different = len(words) + len(pairs)
    scores = (together - min_count) / (counts[first] * counts[second]) * different
    best = np.argsort(-scores, kind="stable")[: np.count_nonzero(scores > threshold)]
    return {(words[first[i]], words[second[i]]): float(scores[i]) for i in best}


def join(
    corpus: Corpus,
    phrases: Iterable[tuple[str, str]],
    delimiter: str = "_",
    min_count: int = 1,
) -> Corpus:
    """Replaces each phrase by one word, from left to right; the result is in memory.

    Join the phrases that are found in a joined corpus for phrases of three and four words.

    Args:
        corpus: any text, also one in which they were not found.
        phrases: pairs of words, such as those of `find`.
        delimiter: what stands between the two words of a phrase.
        min_count: words that occur fewer times after joining are left out.

    Raises:
        TypeError: not a corpus, or anything but pairs of strings.
        ValueError: fewer than two words are left.

    Example:
        >>> from jaxnets.text import corpus
        >>> text = join(corpus.read([["in", "new", "york"]], min_count=1), [("new", "york")])
        >>> sorted(text.vocabulary.words)
        ['in', 'new_york']
    """
    _require_corpus(corpus)
    checks.require_count(min_count, "min_count")
    if not isinstance(delimiter, str):
        raise TypeError(f"delimiter is {delimiter!r:.60}; it must be a str")
    known = {word: i for i, word in enumerate(corpus.vocabulary.words)}
    index, n = dict(known), len(known)
    numbers: dict[int, int] = {}
    for a, b in map(_as_pair, _as_iterable(phrases)):
        if a in known and b in known:
            pair = known[a] * n + known[b]
            numbers[pair] = index.setdefault(f"{a}{delimiter}{b}", len(index))
    codes = np.asarray(sorted(numbers), np.int64)
    replacements = np.asarray([numbers[code] for code in sorted(numbers)], np.int32)
    blocks = [_join_block(block, n, codes, replacements) for block in _blocks(corpus.ids)]
    return _renumber(np.concatenate(blocks), tuple(index), min_count)


def _join_block(
    block: np.ndarray, words: int, codes: np.ndarray, replacements: np.ndarray
) -> np.ndarray:
    """Joins the pairs of `codes` in lines; of overlapping pairs the first, the third, ..."""
    pairs = _pairs(block, words)
    is_phrase = (pairs >= 0) & np.isin(pairs, codes)
    at = np.arange(len(pairs))
    begins = is_phrase & ~np.append(False, is_phrase[:-1])
    place = at - np.maximum.accumulate(np.where(begins, at, 0))
    joined = np.flatnonzero(is_phrase & (place % 2 == 0))
    block = np.array(block, np.int32)
    block[joined] = replacements[np.searchsorted(codes, pairs[joined])]
    return np.delete(block, joined + 1)


def _renumber(ids: np.ndarray, words: tuple[str, ...], min_count: int) -> Corpus:
    counts = np.bincount(ids[ids != END], minlength=len(words))
    vocabulary, rank = ranked(words, counts, counts >= min_count)
    require_two(vocabulary, min_count, "the joined text")
    return Corpus(
        np.concatenate(list(single_ends([np.append(rank, np.int32(END))[ids]]))), vocabulary
    )


def _count_pairs(ids: np.ndarray, words: int) -> tuple[np.ndarray, np.ndarray]:
    """Counts neighbours on the same line: `a words + b` of each different pair, and how often."""
    pairs, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for block in _blocks(ids):
        found = _pairs(block, words)
        found, n = np.unique(found[found >= 0], return_counts=True)
        pairs, places = np.unique(np.append(pairs, found), return_inverse=True)
        counts, more = np.zeros(len(pairs), np.int64), np.append(counts, n)
        np.add.at(counts, places, more)
    return pairs, counts


def _pairs(block: np.ndarray, words: int) -> np.ndarray:
    """Numbers each pair of neighbours `a words + b`, -1 across the end of a line."""
    first, second = np.asarray(block[:-1], np.int64), block[1:]
    return np.where((first == END) | (second == END), -1, first * words + second)


def _blocks(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Cuts a text where lines end, into parts of about `BLOCK` words."""
    ends = np.append(np.flatnonzero(ids == END) + 1, len(ids))
    wanted = np.arange(BLOCK, len(ids) + BLOCK, BLOCK).clip(max=len(ids))
    cuts = np.unique(ends[np.searchsorted(ends, wanted)])
    for start, stop in zip([0, *cuts[:-1]], cuts, strict=True):
        yield np.asarray(ids[start:stop])


def _require_corpus(corpus: Any) -> None:
    if not isinstance(corpus, Corpus):
        raise TypeError(
            f"corpus is {type(corpus).__name__}; it must be a Corpus: read it by "
            "jaxnets.text.corpus.read"
        )


def _as_iterable(phrases: Any) -> Iterable[Any]:
    if isinstance(phrases, str) or not isinstance(phrases, Iterable):
        raise TypeError(f"phrases is {phrases!r:.60}; it must be pairs of words")
    return phrases


def _as_pair(pair: Any) -> tuple[str, str]:
    is_pair = isinstance(pair, tuple | list) and len(pair) == 2
    if not is_pair or not all(isinstance(word, str) for word in pair):
        raise TypeError(f"phrases has {pair!r:.60}; it must be pairs of words")
    return pair[0], pair[1]
