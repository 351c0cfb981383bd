"""The static choices of a word2vec run."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from functools import wraps
from typing import Any

import numpy as np

from jaxnets.host import checks
from jaxnets.word2vec.gradients import GRADIENTS

RUN = 64
"""Consecutive positions per stream of a batch; contexts at both ends are computed twice."""
OTHER_NAMES = {"sg": "skip_gram", "skipgram": "skip_gram", "skip-gram": "skip_gram"}
"""What gensim, fastText and others call the models."""
ELSEWHERE = {
    **dict.fromkeys(("vector_size", "size"), "dimensions"),
    **dict.fromkeys(("negative", "neg"), "negatives"),
    "alpha": "learning_rate",
    "min_alpha": "final_rate",
    "iter": "epochs",
    **dict.fromkeys(("sg", "cbow"), 'model="sg" or model="cbow"'),
    **dict.fromkeys(
        ("sentences", "corpus_file", "min_count"),
        "jaxnets.text.corpus.read(sentences, min_count=5), for word2vec.train",
    ),
    "seed": "jax.random.key(seed), for word2vec.train",
}
"""What to use for arguments of gensim's `Word2Vec`."""
LEARNING_RATES = {"cbow": 0.05, "skip_gram": 0.025}
"""The defaults of the authors' program."""


@dataclass(frozen=True)
class Word2Vec:
    """Describes a word2vec run by its static choices; defaults as in the authors' program.

    Args:
        model: "cbow" or "skip_gram", which may be called "sg" too.
        dimensions: the size of the vectors.
        window: the largest distance of a context; each position draws its reach from 1 to this.
        negatives: noise words per position.
        epochs: passes over the text.
        learning_rate: the initial rate; by default that of `LEARNING_RATES`.
        final_rate: the rate at the end of the linear decay.
        sample: words of a larger share of the text are read less often; 0 reads all.
        batch_size: positions updated at a time, from the same vectors. A larger batch is faster,
            but frequent words diverge sooner; short texts, or `sample=0`, need a smaller one.
        streams: parts of the text that a batch reads in parallel; by default one per `RUN`
            positions.
        positions_per_group: positions that share noise words. They are taken from all streams,
            since noise words shared by neighbours are pushed away from one topic, which makes
            analogies worse.
        shared_negatives: noise words per group, which together weigh as `negatives`.
        deterministic: whether GPUs, too, sum the changes of a word in a fixed order; other devices
            always do.

    Raises:
        TypeError: a size that is not an integer, a rate or share that is not a number, or an
            unknown argument; for those of gensim's `Word2Vec` it says what to use.
        ValueError: a size below 1, a share or rate out of range, or an unknown model.

    Example:
        >>> Word2Vec("sg", dimensions=50).window
        5
    """

    model: str = "cbow"
    dimensions: int = 100
    window: int = 5
    negatives: int = 5
    epochs: int = 5
    learning_rate: float | None = None
    final_rate: float = 1e-4
    sample: float = 1e-3
    batch_size: int = 1024
    streams: int | None = None
    positions_per_group: int = 32
    shared_negatives: int = 8
    deterministic: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.model, str):
            raise TypeError(
                f"model is {self.model!r:.60}; it must be 'cbow' or 'skip_gram' (the text is an "
                "argument of word2vec.train)"
            )
        object.__setattr__(self, "model", OTHER_NAMES.get(self.model, self.model))
        checks.require_known([self.model], GRADIENTS, "model")
        sizes = (
            "dimensions",
            "window",
            "negatives",
            "epochs",
            "batch_size",
            "positions_per_group",
            "shared_negatives",
        )
        for name in sizes:
            checks.require_count(getattr(self, name), name)
            object.__setattr__(self, name, int(getattr(self, name)))
        checks.require_count(self.stream_count, "streams")
        if self.streams is not None:
            object.__setattr__(self, "streams", int(self.streams))
        for name in ("learning_rate", "final_rate", "sample"):
            if getattr(self, name) is not None or name != "learning_rate":
                object.__setattr__(self, name, checks.as_number(getattr(self, name), name))
        checks.require_positive(self.first_rate, "learning_rate")
        checks.require_positive(self.final_rate, "final_rate")
        if not 0 <= self.sample <= 1:
            raise ValueError(
                f"sample is {self.sample}; it must be a share of the text, 0 (off) to 1"
            )
        if not isinstance(self.deterministic, bool | np.bool_):
            raise TypeError(f"deterministic is {self.deterministic!r}; it must be True or False")
        for name, value in (
            ("streams", self.stream_count),
            ("positions_per_group", self.positions_per_group),
        ):
            if self.batch_size % value:
                raise ValueError(
                    f"batch_size ({self.batch_size}) must be a multiple of {name} ({value})"
                )

    @property
    def first_rate(self) -> float:
        """The initial learning rate."""
        chosen = self.learning_rate
        return LEARNING_RATES[self.model] if chosen is None else chosen

    @property
    def stream_count(self) -> int:
        """The number of streams."""
        if self.streams is None:
            return math.gcd(self.batch_size, max(self.batch_size // RUN, 1))
        return self.streams


def _with_hints(init: Callable[..., None]) -> Callable[..., None]:
    """Makes an `__init__` say what to use for arguments that it does not know."""
    known = [field.name for field in fields(Word2Vec)]

    @wraps(init)
    def checked(self: Word2Vec, *args: Any, **options: Any) -> None:
        for name in options:
            if name not in known:
                near = ELSEWHERE.get(name) or next(iter(get_close_matches(name, known, 1)), None)
                hint = f": use {near}" if near else f"; known: {', '.join(known)}"
                raise TypeError(f"Word2Vec has no setting {name!r}{hint}")
        init(self, *args, **options)

    return checked


Word2Vec.__init__ = _with_hints(Word2Vec.__init__)  # type: ignore[method-assign]
