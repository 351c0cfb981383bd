"""Training of word2vec: the host sends the text in chunks, one scan runs a chunk's batches."""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh

from jaxnets.host.checks import require_not_forked
from jaxnets.host.progress import progress_bar
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.run_folder import RunWriter
from jaxnets.text.corpus import Corpus
from jaxnets.word2vec import sampling, sharding, tables
from jaxnets.word2vec.batch import TextBatch, dynamic_reaches, streams, text_batch
from jaxnets.word2vec.chunks import passes
from jaxnets.word2vec.gradients import EXAMPLES, GRADIENTS, Gradients
from jaxnets.word2vec.reference_loss import Params
from jaxnets.word2vec.settings import Word2Vec
from jaxnets.word2vec.trained import Trained, go_on, parts_of, require_start, text_of
from jaxnets.word2vec.validate import nothing_learned, require_training
from jaxnets.word2vec.vectors import Vectors
from jaxnets.word2vec.watching import Clock, Losses, as_finite

LANES = 8
"""Rows are padded to a multiple of this: on a CPU rows of 104 floats are faster than of 100."""


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
    start: Trained | None = None,
) -> Trained:
    """Trains word vectors by stochastic gradient descent (Mikolov et al., 2013; row C8).

    Args:
        settings: the static choices.
        key: decides the first params, the words read, the reaches and the noise.
        corpus: from `jaxnets.text.corpus.read`; its ids may be memory-mapped.
        progress: whether to show a bar with the words read, and the mean loss of an example, which
            is `Trained.loss` of the epoch so far.
        devices: to divide the positions of a batch among; by default a single one.
        checkpoints: where to save checkpoints; the run resumes from the latest one, bit for bit.
        start: an earlier run, to go on from with this corpus, whose new words get vectors of their
            own after the old ones. Rates fall from the first again. Read the corpus with
            `known=start.vectors`, so that no old word is left out because it is rare in it.

    Raises:
        TypeError: an argument of another type.
        ValueError: a window longer than the text, a batch that cannot be divided among devices,
            no two words that are read from the same line, so that nothing can be trained, or a
            `start` of other dimensions.
        FloatingPointError: the loss or the params are not finite.
        Interrupted, CorruptCheckpoint, CheckpointMismatch, FolderInUseError, DiskFullError: of a
            run with checkpoints, as in `jaxnets.fit`.

    Example:
        >>> import jax
        >>> from jaxnets import word2vec
        >>> from jaxnets.text import corpus
        >>> text = corpus.read(["the cat sat on the mat"] * 20, min_count=1)
        >>> settings = word2vec.Word2Vec("sg", dimensions=8, epochs=1, sample=0)
        >>> word2vec.train(settings, jax.random.key(0), text).vectors["cat"].shape
        (8,)
    """
    require_not_forked()
    require_training(settings, key, corpus, devices)
    require_start(settings, start)
    mesh = _mesh(settings, devices)
    init_key, keep_key, step_key = jax.random.split(key, 3)
    text, length = text_of(settings, corpus, start), len(corpus.ids)
    words, counts = text.vocabulary
    noise = sampling.noise(counts)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(keep_key)).tolist())
    params = init(init_key, len(words), settings.dimensions)
    params = params if start is None else go_on(params, start)
    carry = Carry(params, np.zeros((settings.epochs, 2)))
    first, total = 0, settings.epochs * length
    with ExitStack() as stack:
        writer = None
        if checkpoints is not None:
            found = _fingerprint(settings, key, corpus, mesh, start)
            writer = RunWriter(checkpoints, found, 1, lambda done: done // length)
            first, carry = stack.enter_context(writer).restore(carry)
        bar = stack.enter_context(progress_bar(progress, " words", total, scale=True))
        bar.update(first)
        params, losses, clock = carry.params, Losses(carry.losses, bar), Clock(first)
        for epoch, done, chunk in passes(settings, text.ids, text.keep, rng):
            if done < first:  # drawn again, since all chunks share one generator
                continue
            params, sums = _advance(
                settings,
                mesh,
                params,
                chunk.words,
                chunk.lines,
                noise,
                rates(settings, done, done + chunk.read, total, chunk.steps(settings)),
                _key_of_chunk(step_key, done),
            )
            losses.add(epoch, chunk.read, sums)
            clock.record(done)
            done += chunk.read
            if writer is not None and writer.must_save(done, total):
                carry = Carry(as_finite(params, epoch), losses.collect())
                writer.save(done, carry, {"train_loss": losses.means()})
                writer.stop_if_asked(done, total)
        losses.collect()
    if not losses.sums[:, 1].any():
        raise nothing_learned(settings, 0)
    params = as_finite(params, settings.epochs - 1)
    params = {name: table[:, : settings.dimensions] for name, table in params.items()}
    vectors = Vectors(words, np.asarray(params["input"]))
    return Trained(vectors, params, losses.means(), clock.rate(total), counts)


def _key_of_chunk(key: Array, done: int) -> Array:
    """The key of the chunk that begins after so many words, which may be 2^32 and more."""
    high, low = divmod(done, 2**32)
    return jax.random.fold_in(jax.random.fold_in(key, high) if high else key, low)


def _fingerprint(
    settings: Word2Vec, key: Array, corpus: Corpus, mesh: Mesh | None, start: Trained | None
) -> dict[str, str]:
    """Digests a run by its settings, key, corpus (with what it goes on from) and devices."""
    words, counts = corpus.vocabulary
    texts: dict[str, list[Any]] = {
        "settings": [repr(settings).encode(), str(mesh and mesh.size).encode()],
        "key": [str(jax.random.key_impl(key)).encode(), jax.random.key_data(key)],
        "corpus": ["\n".join(words).encode(), counts, corpus.ids, *parts_of(start)],
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
    devices, groups = list(devices), settings.batch_size // settings.positions_per_group
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
    closed_form, examples = GRADIENTS[settings.model], EXAMPLES[settings.model]

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
        return params, jnp.stack([losses.sum(), examples(part.pairs)])

    params, sums = lax.scan(step, params, (jnp.arange(steps), rates, reaches, wrong))
    return params, sums.sum(0)
