"""Random files and command lines: each is read rightly or refused by one of our errors."""

import argparse
import dataclasses
import gzip
import io
import lzma
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from experiments.lab.config import configure
from experiments.lab.registry import EXPERIMENTS
from experiments.lab.run import load
from jaxnets import data, word2vec
from jaxnets.data import idx, prepared
from jaxnets.data.npz import read_npz
from jaxnets.launch.addresses import FLAGS, SLURM, find_topology
from jaxnets.text import corpus
from tests.data.test_idx import idx_bytes, pixels
from tests.data.test_prepared import images_and_labels, prepare
from tests.support.fuzzing import answer, damaged, either, finite, refused, run, wild

IMAGES = pixels(3, 4, 2)
ROWS = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
VECTORS = word2vec.Vectors(["a", "bc", "é"], ROWS[:3])
LINES = b"one two two three\nthree one's two\n" * 9


def saved(save, **arguments):
    """The bytes that a function writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        save(path, **arguments)
        return path.read_bytes()


def npz(save):
    stream = io.BytesIO()
    save(stream, x=ROWS, y=np.arange(9) % 3)
    return stream.getvalue()


def reading(read, name="file"):
    """A check: the content of a file of that name is read, or refused."""

    def check(content):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            found = answer(lambda: read(path))
            assert refused(found) or found is not None

    return check


def read_idx(path):
    return idx.read(path)


def read_whole_npz(path):
    found = read_npz(path)
    assert all(isinstance(array, np.ndarray) for array in found.values())
    return found


def read_dataset(path):
    made = data.from_npz(path)
    assert finite(made)
    assert len(made.train["x"]) == len(made.train["y"])
    return made


def read_vectors(binary):
    def read(path):
        found = word2vec.load(path, binary)
        assert np.isfinite(found.matrix).all()
        assert found.matrix.shape[0] == len(found.words)
        return found

    return read


def read_corpus(path):
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
        with warnings.catch_warnings(action="ignore"):
            found = corpus.read(source, 1, kept)
        assert found.vocabulary.words == want.vocabulary.words
        np.testing.assert_array_equal(found.ids, want.ids)
    return found


ANALOGIES = b": capitals\nparis france bern switzerland\n: kin\nman woman king queen\n"
PAIRS = b"# remark\ntiger\tcat\t7.35\nbook\tpaper\t7\n"
FILES = {
    "idx": (reading(read_idx), gzip.compress(idx_bytes(IMAGES)), 120),
    "npz": (reading(read_whole_npz), npz(np.savez), 60),
    "compressed npz": (reading(read_whole_npz), npz(np.savez_compressed), 60),
    "data set of an npz": (reading(read_dataset), npz(np.savez), 60),
    "vectors": (reading(read_vectors(False)), saved(word2vec.save, vectors=VECTORS), 60),
    "binary vectors": (
        reading(read_vectors(True)),
        saved(word2vec.save, vectors=VECTORS, binary=True),
        60,
    ),
    "packed vectors": (
        reading(read_vectors(False)),
        gzip.compress(saved(word2vec.save, vectors=VECTORS)),
        40,
    ),
    "vectors of GloVe": (
        reading(read_vectors(False)),
        saved(word2vec.save, vectors=VECTORS).partition(b"\n")[2],
        40,
    ),
    "text": (reading(read_corpus), LINES, 40),
    "packed text": (reading(read_corpus, "file.gz"), gzip.compress(LINES), 40),
    "tight text": (reading(read_corpus, "file.xz"), lzma.compress(LINES), 40),
    "cached corpus": (reading(read_cached_corpus), b'{"words": ["one"], "counts": [3]}', 15),
    "analogies": (reading(word2vec.read_analogies), ANALOGIES, 30),
    "similarities": (reading(word2vec.read_similarities), PAIRS, 30),
}
"""Name to a check of a file's content, a whole content, and how many damages."""


@pytest.mark.parametrize("name", FILES)
def test_files_are_read_or_refused(name):
    check, whole, examples = FILES[name]
    run(check, {"content": damaged(whole)}, examples)


@pytest.mark.slow_faults
@pytest.mark.parametrize("name", FILES)
def test_many_files_are_read_or_refused(name):
    check, whole, examples = FILES[name]
    run(check, {"content": damaged(whole)}, examples, many=True)


PARTS = {"train": images_and_labels(6, 3, 4, 3), "test": images_and_labels(2, 3, 4, 3)}


def try_prepared(home):
    """A check: one file of a prepared set is damaged."""
    folder = prepare(home, "tiny_shapes", PARTS)
    whole = {path: path.read_bytes() for path in sorted(folder.iterdir())}

    def check(number, picks):
        path = list(whole)[number % len(whole)]
        content = bytearray(whole[path])
        for at, bits in picks:
            content[at % len(content)] ^= bits
        path.write_bytes(content)
        try:
            found = answer(lambda: prepared.read("tiny_shapes", home))
        finally:
            path.write_bytes(whole[path])
            for kept in folder.glob("*.npz"):
                kept.unlink()
        if path.suffix != ".json" and not refused(found):
            np.testing.assert_array_equal(found["train"]["x"], PARTS["train"][0])

    flips = st.tuples(st.integers(0, 2**20), st.integers(1, 255))
    return check, {"number": st.integers(0, 9), "picks": st.lists(flips, max_size=2)}


def test_prepared_sets_are_read_or_refused(tmp_path):
    run(*try_prepared(tmp_path), 40)


@pytest.mark.slow_faults
def test_many_prepared_sets_are_read_or_refused(tmp_path):
    run(*try_prepared(tmp_path), 40, many=True)


CONFIGS = [load(name).Config() for name in EXPERIMENTS[::6]]
VALUES = ("1", "2,3", "0.1", "nan", "", ",", "1e400", "１", "-1", "digits", "1=2", " 3 ", "True")
SETTINGS = st.one_of(
    st.builds(
        "{}={}".format,
        st.sampled_from(sorted({f.name for c in CONFIGS for f in dataclasses.fields(c)})),
        st.one_of(st.sampled_from(VALUES), st.text(max_size=5)),
    ),
    st.text(max_size=8),
)


def try_settings(config, changes):
    found = answer(lambda: configure(config, changes))
    if refused(found):
        return
    for field in dataclasses.fields(config):
        value, before = getattr(found, field.name), getattr(config, field.name)
        assert type(value) is type(before)


STATIC = {"config": st.sampled_from(CONFIGS), "changes": st.lists(SETTINGS, max_size=3)}


def try_addresses(flags, environment):
    options = argparse.Namespace(**dict(zip(("n", *FLAGS), flags, strict=True)))
    found = answer(lambda: find_topology(options, environment))
    assert refused(found) or (0 < len(found.own) <= found.processes)


NUMBERS = st.one_of(st.none(), st.none(), st.integers(-2, 9))
HOSTS = st.sampled_from([None, None, "host:1", "host", ":1", "", "[::1]:99", "host:x", "a:1:2"])
WORDS = st.one_of(
    st.sampled_from(["1", "8", "gpu[007-009,012]", "a,b", "", "[1", "x[1-", "-1"]),
    st.text(max_size=6),
)
ADDRESSES = {
    "flags": st.tuples(NUMBERS, HOSTS, NUMBERS, NUMBERS),
    "environment": st.dictionaries(st.sampled_from(list(SLURM.values())), WORDS),
}


def try_words(word, other, n, method):
    found = answer(lambda: word2vec.most_similar(VECTORS, word, n))
    assert refused(found) or (len(found) <= 2 and finite([np.array(s) for _, s in found]))
    found = answer(lambda: word2vec.analogy(VECTORS, word, other, "é", n, method))
    assert refused(found) or all(np.isfinite(score) for _, score in found)


def try_corpus(source, min_count):
    found = answer(lambda: corpus.read(source, min_count))
    assert refused(found) or found.vocabulary.counts.min() >= min_count


LINE = st.text(st.sampled_from("ab 'é\n\0\ud800"), max_size=9)
CALLS = {
    "settings": (try_settings, STATIC, 150),
    "addresses": (try_addresses, ADDRESSES, 100),
    "words": (
        try_words,
        {
            "word": either("a", "bc", "é"),
            "other": either("a", "bc"),
            "n": either(1, 5),
            "method": either("add", "multiply"),
        },
        80,
    ),
    "corpus": (
        try_corpus,
        {"source": st.one_of(st.lists(LINE, max_size=9), wild), "min_count": either(1, 2)},
        60,
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_calls_are_answered_or_refused(name):
    run(*CALLS[name])


@pytest.mark.slow_faults
@pytest.mark.parametrize("name", CALLS)
def test_many_calls_are_answered_or_refused(name):
    run(*CALLS[name], many=True)
