"""Random files and command lines: each is read rightly or refused by one of our errors."""

import argparse
import dataclasses
import os
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from experiments.lab.config import configure
from experiments.lab.registry import EXPERIMENTS
from experiments.lab.run import load
from jaxnets import word2vec
from jaxnets.data import prepared
from jaxnets.launch.addresses import FLAGS, SLURM, find_topology
from jaxnets.text import corpus
from tests.data.test_prepared import images_and_labels, prepare
from tests.fuzz import worker
from tests.fuzz.__main__ import fuzz
from tests.fuzz.readers import READERS, VECTORS, try_files
from tests.support.fuzzing import answer, damaged, either, finite, refused, run, wild


def try_reader(name):
    """A check: the files of a reader after damage are read, or refused."""

    def check(files):
        with tempfile.TemporaryDirectory() as folder:
            try_files(READERS[name], files, Path(folder))

    return check, {"files": damaged(READERS[name].files())}, READERS[name].examples


HERE = [name for name in READERS if name != "signed checkpoints"]
"""Orbax leaves tasks behind when arrays are damaged, so those are read in another process."""


@pytest.mark.parametrize("name", HERE)
def test_files_are_read_or_refused(name):
    run(*try_reader(name))


@pytest.mark.slow_faults
@pytest.mark.parametrize("name", HERE)
def test_many_files_are_read_or_refused(name):
    run(*try_reader(name), many=True)


@pytest.mark.parametrize("name", READERS)
def test_whole_files_are_read(name, tmp_path):
    assert not try_files(READERS[name], READERS[name].files(), tmp_path)


def test_fuzzing_in_another_process_finds_nothing(tmp_path):
    tallies = fuzz(30, tmp_path, most=200)
    assert [name for name, tally in tallies.items() if tally.findings] == []
    assert all(tally.inputs for tally in tallies.values())


def raise_without_a_message(_):
    raise ValueError


WRONG = {
    "an error of Python": (lambda folder: [].pop(), "IndexError"),
    "an error without a message": (raise_without_a_message, "not ours"),
    "memory": (lambda folder: np.ones(2**24).sum(), "MiB of memory"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_is_a_finding_whose_input_stays(name, tmp_path, monkeypatch):
    monkeypatch.setattr(worker, "MOST", 2**26)
    check, said = WRONG[name]
    monkeypatch.setitem(READERS, "text", READERS["text"]._replace(check=check))
    assert said in worker.attempt(tmp_path, "text", 1).wrong
    assert worker.place_of(tmp_path, "text", 1).is_dir()
    monkeypatch.undo()
    assert not worker.attempt(tmp_path, "text", 1).wrong
    assert not list(tmp_path.iterdir())


def test_a_crash_and_a_hang_are_findings(tmp_path, monkeypatch):
    with worker.Worker(tmp_path, ["text"]) as fuzzed:
        os.kill(fuzzed.process.pid, signal.SIGSEGV)
        assert "exit code -11" in fuzzed.attempt("text", 1).wrong
        assert not fuzzed.attempt("text", 1).wrong
        monkeypatch.setattr(worker, "WAIT", 1)
        os.kill(fuzzed.process.pid, signal.SIGSTOP)
        assert "no answer within 1 s" in fuzzed.attempt("text", 1).wrong


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
