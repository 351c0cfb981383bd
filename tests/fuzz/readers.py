"""The readers of files, what each may answer, and whole files that our own writers made."""

import bz2
import gzip
import io
import lzma
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets import data, word2vec
from jaxnets.data import idx
from jaxnets.data.npz import read_npz
from jaxnets.text import corpus
from tests.data.test_idx import idx_bytes, pixels
from tests.fuzz import saved_runs
from tests.support.fuzzing import answer, finite, refused

IMAGES = pixels(3, 4, 2)
ROWS = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
VECTORS = word2vec.Vectors(["a", "bc", "é"], ROWS[:3])
LINES = b"one two two three\nthree one's two\n" * 9


class Reader(NamedTuple):
    """Reads files of a folder; raises an AssertionError for a wrong answer."""

    check: Callable[[Path], object]
    files: Callable[[], Mapping[str, bytes]]
    examples: int
    """In the usual tests."""


def try_files(reader, files, folder):
    """Writes files to a folder, and has them read; returns whether they were refused."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with warnings.catch_warnings(action="ignore"):
        found = answer(lambda: reader.check(folder))
    assert refused(found) or found is not None
    return refused(found)


def saved(save, **arguments):
    """The bytes that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        save(path, **arguments)
        return path.read_bytes()


def npz(save):
    """An archive of samples and labels."""
    stream = io.BytesIO()
    save(stream, x=ROWS, y=np.arange(9) % 3)
    return stream.getvalue()


def read_whole_npz(path):
    """Every array of an archive."""
    found = read_npz(path)
    assert all(isinstance(array, np.ndarray) for array in found.values())
    return found


def read_dataset(path):
    """A data set, which is finite."""
    made = data.from_npz(path)
    assert finite(made)
    assert len(made.train["x"]) == len(made.train["y"])
    return made


def read_vectors(path):
    """Vectors, one for each word."""
    found = word2vec.load(path)
    assert np.isfinite(found.matrix).all()
    assert found.matrix.shape[0] == len(found.words)
    return found


def read_corpus(path):
    """A text, each of whose words occurs."""
    made = corpus.read(path, min_count=1)
    assert made.ids.max() == len(made.vocabulary.words) - 1
    assert made.vocabulary.counts.min() >= 1
    return made


def read_cached_corpus(path):
    """A text that is whole, and a note or numbers that are not: made again, never believed."""
    source, kept = path.with_name("text"), path.with_name("kept")
    source.write_bytes(LINES)
    want = corpus.read(source, 1, kept)
    for end in ("json", "int32"):
        (file,) = kept.glob(f"*.{end}")
        file.write_bytes(path.read_bytes())
        found = corpus.read(source, 1, kept)
        assert found.vocabulary.words == want.vocabulary.words
        np.testing.assert_array_equal(found.ids, want.ids)
    return found


def _one(read, content, examples, name="file"):
    """A reader of one file."""
    return Reader(lambda folder: read(folder / name), lambda: {name: content}, examples)


TEXT_VECTORS = saved(word2vec.save, vectors=VECTORS)
BINARY_VECTORS = saved(word2vec.save, vectors=VECTORS, binary=True)
ANALOGIES = b": capitals\nparis france bern switzerland\n: kin\nman woman king queen\n"
PAIRS = b"# remark\ntiger\tcat\t7.35\nbook\tpaper\t7\n"
FOLDER = {
    "texts/a.txt": LINES,
    "texts/b.gz": gzip.compress(LINES),
    "texts/c/d.xz": lzma.compress(LINES),
    "texts/c/e.bz2": bz2.compress(LINES),
    "texts/.hidden": b"\xff\xfe",
}
READERS = {
    "idx": _one(idx.read, gzip.compress(idx_bytes(IMAGES)), 120),
    "plain idx": _one(idx.read, idx_bytes(IMAGES), 60),
    "npz": _one(read_whole_npz, npz(np.savez), 60),
    "compressed npz": _one(read_whole_npz, npz(np.savez_compressed), 60),
    "data set of an npz": _one(read_dataset, npz(np.savez), 60),
    "vectors": _one(read_vectors, TEXT_VECTORS, 60),
    "binary vectors": _one(read_vectors, BINARY_VECTORS, 60),
    "packed vectors": _one(read_vectors, gzip.compress(TEXT_VECTORS), 40),
    "packed binary vectors": _one(read_vectors, lzma.compress(BINARY_VECTORS), 40),
    "vectors of GloVe": _one(read_vectors, TEXT_VECTORS.partition(b"\n")[2], 40),
    "text": _one(read_corpus, LINES, 40),
    "text in gz": _one(read_corpus, gzip.compress(LINES), 40, "file.gz"),
    "text in xz": _one(read_corpus, lzma.compress(LINES), 40, "file.xz"),
    "text in bz2": _one(read_corpus, bz2.compress(LINES), 40, "file.bz2"),
    "folder of texts": Reader(lambda folder: read_corpus(folder / "texts"), lambda: FOLDER, 40),
    "cached corpus": _one(read_cached_corpus, b'{"words": ["one"], "counts": [3]}', 15),
    "analogies": _one(word2vec.read_analogies, ANALOGIES, 30),
    "packed analogies": _one(word2vec.read_analogies, gzip.compress(ANALOGIES), 30),
    "similarities": _one(word2vec.read_similarities, PAIRS, 30),
    "checkpoints": Reader(saved_runs.restore_exactly, saved_runs.whole_checkpoints, 20),
    "signed checkpoints": Reader(saved_runs.restore_signed, saved_runs.whole_checkpoints, 20),
    "run folder": Reader(saved_runs.read_run, saved_runs.run_notes, 40),
    "results": Reader(saved_runs.read_results, saved_runs.results, 40),
    "scorecard": Reader(saved_runs.write_pages, saved_runs.results, 40),
}
