"""Training of word2vec: the host sends the text in chunks, one scan runs a chunk's batches."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh

from jaxnets.host import checks
from jaxnets.host.progress import progress_bar
from jaxnets.text.corpus import Corpus
from jaxnets.text.vocabulary import END
from jaxnets.word2vec import sampling, sharding, tables
from jaxnets.word2vec.batch import TextBatch, dynamic_reaches, streams, text_batch
from jaxnets.word2vec.gradients import GRADIENTS, Gradients
from jaxnets.word2vec.reference_loss import Params
from jaxnets.word2vec.vectors import Vectors

LANES = 8
"""Rows are padded to a multiple of this: on a CPU rows of 104 floats are faster than of 100."""
RUN = 64
"""Consecutive positions per stream of a batch; contexts at both ends are computed twice."""
CHUNK = 2**18
"""Positions per call of the compiled program."""
LEARNING_RATES = {"cbow": 0.05, "skip_gram": 0.025}
"""The defaults of the authors' program."""


@dataclass(frozen=True)
class Word2Vec:
    """Describes a word2vec run by its static choices; defaults as in the authors' program.

    Args:
        model: "cbow" or "skip_gram".
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
        ValueError: a size below 1, a share or rate out of range, or an unknown model.
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
        for name, rate in (("learning_rate", self.first_rate), ("final_rate", self.final_rate)):
            checks.require_positive(checks.as_number(rate, name), name)
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


class Trained(NamedTuple):
    """Holds the result of `train`."""

    vectors: Vectors
    """The input vectors."""
    params: Params
    loss: np.ndarray
    """The mean loss of positions with contexts in each epoch, `[epochs]`."""
    words_per_second: float
    """Entries of the corpus per second, including words not read, excluding the first chunk, which
    is compiled; NaN if there was only one."""


def train(
    settings: Word2Vec,
    key: Array,
    corpus: Corpus,
    progress: bool = False,
    devices: Sequence[jax.Device] | None = None,
) -> Trained:
    """Trains word vectors by stochastic gradient descent (Mikolov et al., 2013; row C8).

    Args:
        settings: the static choices.
        key: decides the first params, the words read, the reaches and the noise.
        corpus: from `jaxnets.text.corpus.read`; its ids may be memory-mapped.
        progress: whether to show a bar with the words read and the latest loss.
        devices: to divide the positions of a batch among; by default a single one.

    Raises:
        ValueError: a window longer than the text, or a batch that cannot be divided among devices.
        FloatingPointError: the loss is not finite.
    """
    if corpus.vocabulary.counts.sum() <= settings.window:
        raise ValueError(
            f"a window of {settings.window} words on either side is longer than the text: use "
            "more text, or a smaller window"
        )
    mesh = _mesh(settings, devices)
    init_key, keep_key, step_key = jax.random.split(key, 3)
    counts = corpus.vocabulary.counts
    params = init(init_key, len(counts), settings.dimensions)
    noise = sampling.noise(counts)
    keep = sampling.keep_probabilities(counts, settings.sample).astype(np.float32)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(keep_key)).tolist())
    total, done, losses, clock = settings.epochs * len(corpus.ids), 0, [], _Clock()
    with progress_bar(progress, " words", total, scale=True) as bar:
        for epoch in range(settings.epochs):
            sums, newest = np.zeros(2), jnp.zeros(2)
            for chunk in chunks(settings, corpus.ids, keep, rng):
                # While a chunk is under way, the one before is reported and the next one drawn.
                before = newest
                params, newest = _advance(
                    settings,
                    mesh,
                    params,
                    chunk.words,
                    chunk.lines,
                    noise,
                    rates(settings, done, done + chunk.read, total, chunk.steps(settings)),
                    jax.random.fold_in(step_key, done),
                )
                sums += _as_finite(before, epoch)
                clock.record(done)
                done += chunk.read
                bar.update(chunk.read)
                bar.set_postfix(loss=f"{sums[0] / max(sums[1], 1):.3f}", refresh=False)
            sums += _as_finite(newest, epoch)
            losses.append(sums[0] / max(sums[1], 1))
    params = {name: table[:, : settings.dimensions] for name, table in params.items()}
    vectors = Vectors(corpus.vocabulary.words, np.asarray(params["input"]))
    return Trained(vectors, params, np.asarray(losses), clock.rate(done))


class _Clock:
    """Measures words per second after the first chunk, which waits for the compiler."""

    def __init__(self) -> None:
        self.start, self.words = 0.0, 0

    def record(self, done: int) -> None:
        if done and not self.words:
            self.start, self.words = time.perf_counter(), done

    def rate(self, done: int) -> float:
        seconds = time.perf_counter() - self.start
        return (done - self.words) / seconds if done > self.words > 0 else float("nan")


def _as_finite(sums: Array, epoch: int) -> np.ndarray:
    """Fetches the sums of a chunk; raises a FloatingPointError unless they are finite."""
    on_host = np.asarray(sums)
    if not np.isfinite(on_host).all():
        raise FloatingPointError(
            f"the loss is not finite in epoch {epoch + 1}: try a smaller learning rate, or a "
            "smaller batch_size"
        )
    return on_host


def init(key: Array, words: int, dimensions: int) -> Params:
    """Draws input vectors uniformly in `+- 1 / (2 dimensions)`; output vectors are zero.

    Columns of zeros, which stay zero, pad them to a multiple of `LANES`.
    """
    width, more = 0.5 / dimensions, -dimensions % LANES
    vectors = jax.random.uniform(key, (words, dimensions), minval=-width, maxval=width)
    return {
        "input": jnp.pad(vectors, ((0, 0), (0, more))),
        "output": jnp.zeros((words, dimensions + more)),
    }


class Chunk(NamedTuple):
    """Holds the words read from a part of the corpus, and the contexts of the first and last."""

    words: np.ndarray
    lines: np.ndarray
    """The line number of each word; each word of the padding has its own."""
    read: int
    """The entries of the corpus in this part."""

    def steps(self, settings: Word2Vec) -> int:
        """Counts the batches of the chunk."""
        return (len(self.words) - 2 * settings.window) // settings.batch_size


def chunks(
    settings: Word2Vec, ids: np.ndarray, keep: np.ndarray, rng: np.random.Generator
) -> Iterator[Chunk]:
    """Yields the chunks of one pass over a corpus, all of the same size; pads the last one."""
    reach = settings.window
    steps = min(max(CHUNK // settings.batch_size, 1), -(-len(ids) // settings.batch_size))
    size = steps * settings.batch_size
    words, lines, line, read = *_padding(reach, -1), 0, 0
    for start in range(0, len(ids), size):
        block = np.asarray(ids[start : start + size])
        number = np.cumsum(block == END, dtype=np.int32) + np.int32(line)
        kept = (block != END) & (rng.random(len(block), np.float32) < keep[block])
        words = np.concatenate([words, block[kept]])
        lines = np.concatenate([lines, number[kept]])
        line, read = int(number[-1]), read + len(block)
        if len(words) >= size + 2 * reach:
            yield Chunk(words[: size + 2 * reach], lines[: size + 2 * reach], read)
            words, lines, read = words[size:], lines[size:], 0
    if len(words) > reach:
        more = size + 2 * reach - len(words)
        pad_words, pad_lines = _padding(more, -reach - 1)
        yield Chunk(np.concatenate([words, pad_words]), np.concatenate([lines, pad_lines]), read)


def _padding(n: int, first: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns `n` words that are never contexts, on lines `first, first - 1, ...`."""
    return np.zeros(n, np.int32), np.int32(first) - np.arange(n, dtype=np.int32)


def rates(settings: Word2Vec, first: int, last: int, total: int, steps: int) -> np.ndarray:
    """Computes the learning rate of each step of a chunk, linear in the corpus entries read."""
    done = np.linspace(first, last, steps, endpoint=False) / total
    rates = settings.first_rate + (settings.final_rate - settings.first_rate) * done
    return rates.astype(np.float32)


def _mesh(settings: Word2Vec, devices: Sequence[jax.Device] | None) -> Mesh | None:
    if devices is None:
        return None
    groups = settings.batch_size // settings.positions_per_group
    if not devices or groups % len(devices):
        raise ValueError(
            f"{len(devices)} devices cannot share the {groups} groups of a batch: their number "
            "must divide batch_size / positions_per_group"
        )
    return sharding.make_mesh(devices)


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _advance(
    settings: Word2Vec,
    mesh: Mesh | None,
    params: Params,
    words: Array,
    lines: Array,
    noise: sampling.Alias,
    rates: Array,
    key: Array,
) -> tuple[Params, Array]:
    """Runs all batches of a chunk; returns the params, and the sum and number of the losses."""
    n, reach = settings.batch_size, settings.window
    shape = (n // settings.positions_per_group, settings.shared_negatives)
    closed_form = GRADIENTS[settings.model]

    def compute(params: Params, part: TextBatch) -> tuple[Array, Gradients]:
        return closed_form(params, part, settings.negatives)

    gradients_of = sharding.shard_gradients(mesh, compute) if mesh else compute
    add = tables.ordered_add if settings.deterministic else tables.add

    reach_key, noise_key = jax.random.split(key)
    steps = len(rates)
    rows = n // settings.stream_count
    words, lines = (streams(text, settings.stream_count, reach) for text in (words, lines))
    reaches = dynamic_reaches(reach_key, (steps, rows, settings.stream_count), reach)
    wrong = sampling.draw(noise_key, noise, (steps, *shape))

    def step(params: Params, at: tuple[Array, Array, Array, Array]) -> tuple[Params, Array]:
        i, rate, reaches, wrong = at
        part = text_batch(
            lax.dynamic_slice_in_dim(words, i * rows, rows + 2 * reach),
            lax.dynamic_slice_in_dim(lines, i * rows, rows + 2 * reach),
            reaches,
            wrong,
        )
        losses, gradients = gradients_of(params, part)
        params = tables.descend(params, gradients, rate, add)
        return params, jnp.stack([losses.sum(), part.pairs.any(0).sum()])

    params, sums = lax.scan(step, params, (jnp.arange(steps), rates, reaches, wrong))
    return params, sums.sum(0)
