"""Training of word2vec: the host sends the text in chunks, one scan runs a chunk's batches."""

import hashlib
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh

from jaxnets.host.forks import require_not_forked
from jaxnets.host.progress import progress_bar
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.run_folder import RunWriter
from jaxnets.text.corpus import Corpus
from jaxnets.word2vec import sampling, sharding, tables
from jaxnets.word2vec.batch import TextBatch, dynamic_reaches, streams, text_batch
from jaxnets.word2vec.chunks import passes
from jaxnets.word2vec.gradients import GRADIENTS, Gradients
from jaxnets.word2vec.reference_loss import Params
from jaxnets.word2vec.settings import Word2Vec
from jaxnets.word2vec.validate import nothing_learned, require_training
from jaxnets.word2vec.vectors import Vectors

LANES = 8
"""Rows are padded to a multiple of this: on a CPU rows of 104 floats are faster than of 100."""


class Trained(NamedTuple):
    """Holds the result of `train`."""

    vectors: Vectors
    """The input vectors."""
    params: Params
    loss: np.ndarray
    """The mean loss of positions with contexts in each epoch, `[epochs]`; NaN if none was read."""
    words_per_second: float
    """Entries of the corpus per second, including words not read, excluding the first chunk, which
    is compiled; NaN if there was only one."""


class Carry(NamedTuple):
    """A run between two chunks, which a checkpoint holds."""

    params: Params
    losses: np.ndarray
    """The sum and number of the losses of each epoch so far, `[epochs, 2]`."""


def train(
    settings: Word2Vec,
    key: Array,
    corpus: Corpus,
    progress: bool = False,
    devices: Sequence[jax.Device] | None = None,
    checkpoints: CheckpointConfig | None = None,
) -> Trained:
    """Trains word vectors by stochastic gradient descent (Mikolov et al., 2013; row C8).

    Args:
        settings: the static choices.
        key: decides the first params, the words read, the reaches and the noise.
        corpus: from `jaxnets.text.corpus.read`; its ids may be memory-mapped.
        progress: whether to show a bar with the words read and the latest loss.
        devices: to divide the positions of a batch among; by default a single one.
        checkpoints: where to save checkpoints; the run resumes from the latest one, bit for bit.

    Raises:
        TypeError: an argument of another type.
        ValueError: a window longer than the text, a batch that cannot be divided among devices, or
            no two words that are read from the same line, so that nothing can be trained.
        FloatingPointError: the loss or the params are not finite.
        Interrupted, CorruptCheckpoint, CheckpointMismatch, FolderInUseError, DiskFullError: of a
            run with checkpoints, as in `jaxnets.fit`.
    """
    require_not_forked()
    require_training(settings, key, corpus, devices)
    mesh = _mesh(settings, devices)
    init_key, keep_key, step_key = jax.random.split(key, 3)
    counts, length = corpus.vocabulary.counts, len(corpus.ids)
    noise = sampling.noise(counts)
    keep = sampling.keep_probabilities(counts, settings.sample).astype(np.float32)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(keep_key)).tolist())
    carry = Carry(init(init_key, len(counts), settings.dimensions), np.zeros((settings.epochs, 2)))
    start, total = 0, settings.epochs * length
    with ExitStack() as stack:
        writer = None
        if checkpoints is not None:
            found = _fingerprint(settings, key, corpus, mesh)
            writer = RunWriter(checkpoints, found, 1, lambda done: done // length)
            start, carry = stack.enter_context(writer).restore(carry)
        bar = stack.enter_context(progress_bar(progress, " words", total, scale=True))
        bar.update(start)
        params, losses, clock = carry.params, _Losses(carry.losses), _Clock(start)
        for epoch, done, chunk in passes(settings, corpus.ids, keep, rng):
            if done < start:  # drawn again, since all chunks share one generator
                continue
            params, sums = _advance(
                settings,
                mesh,
                params,
                chunk.words,
                chunk.lines,
                noise,
                rates(settings, done, done + chunk.read, total, chunk.steps(settings)),
                jax.random.fold_in(step_key, done),
            )
            losses.add(epoch, sums)
            clock.record(done)
            done += chunk.read
            bar.update(chunk.read)
            bar.set_postfix(loss=f"{losses.newest_mean:.3f}", refresh=False)
            if writer is not None and writer.must_save(done, total):
                carry = Carry(_as_finite(params, epoch), losses.collect())
                writer.save(done, carry, {"train_loss": losses.means()})
                writer.stop_if_asked(done, total)
        losses.collect()
    if not losses.sums[:, 1].any():
        raise nothing_learned(settings, 0)
    params = _as_finite(params, settings.epochs - 1)
    params = {name: table[:, : settings.dimensions] for name, table in params.items()}
    vectors = Vectors(corpus.vocabulary.words, np.asarray(params["input"]))
    return Trained(vectors, params, losses.means(), clock.rate(total))


def _as_finite(values: Any, epoch: int) -> Any:
    """Returns the losses or params of an epoch; raises a FloatingPointError unless finite."""
    if not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(values)):
        what = "params are" if isinstance(values, dict) else "loss is"
        raise FloatingPointError(
            f"the {what} not finite in epoch {epoch + 1}: try a smaller learning rate, or a "
            "smaller batch_size"
        )
    return values


class _Losses:
    """The losses of each epoch, fetched a chunk late: while one is under way, the next is drawn."""

    def __init__(self, sums: np.ndarray) -> None:
        self.sums = sums
        self.pending: tuple[int, Array] | None = None
        self.newest_mean = math.nan

    def add(self, epoch: int, sums: Array) -> None:
        self.collect()
        self.pending = epoch, sums

    def collect(self) -> np.ndarray:
        """Adds what is pending; raises a FloatingPointError unless it is finite."""
        if self.pending is not None:
            (epoch, sums), self.pending = self.pending, None
            self.sums[epoch] += _as_finite(np.asarray(sums), epoch)
            self.newest_mean = self.means()[epoch]
        return self.sums

    def means(self) -> np.ndarray:
        total, n = self.sums.T
        return np.divide(total, n, out=np.full_like(total, np.nan), where=n > 0)


class _Clock:
    """Measures words per second after the first chunk, which waits for the compiler."""

    def __init__(self, first: int) -> None:
        self.first, self.start, self.words = first, 0.0, 0

    def record(self, done: int) -> None:
        if done > self.first and not self.words:
            self.start, self.words = time.perf_counter(), done

    def rate(self, done: int) -> float:
        seconds = time.perf_counter() - self.start
        return (done - self.words) / seconds if done > self.words > 0 else math.nan


def _fingerprint(
    settings: Word2Vec, key: Array, corpus: Corpus, mesh: Mesh | None
) -> dict[str, str]:
    """Digests a run by its settings, key, corpus and devices, as `jaxnets.fit` does its own."""
    words, counts = corpus.vocabulary
    texts: dict[str, list[Any]] = {
        "settings": [repr(settings).encode(), str(mesh and mesh.size).encode()],
        "key": [str(jax.random.key_impl(key)).encode(), jax.random.key_data(key)],
        "corpus": ["\n".join(words).encode(), counts, corpus.ids],
    }
    return {
        name: hashlib.sha256(b"".join(_digest(part) for part in parts)).hexdigest()
        for name, parts in texts.items()
    }


def _digest(part: Any) -> bytes:
    data: Any = part if isinstance(part, bytes) else np.ascontiguousarray(part)
    return hashlib.sha256(data).digest()


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
