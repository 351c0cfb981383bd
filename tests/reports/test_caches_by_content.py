"""Caches are found by the content of their sources, never by a name, a size or a time."""

import json
import os

import numpy as np
import pytest

from jaxnets.text import corpus, corpus_cache, word_rule
from jaxnets.text.corpus import read


def words(source, cache):
    return set(read(source, min_count=1, cache=cache).vocabulary.words)


def write(path, text):
    """Writes a text with a time that says nothing."""
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text(text)
    os.utime(path, ns=(0, 0))
    return path


def test_case_13_corpus_cache_collision(tmp_path):
    texts = {"g": "red green blue red\n", "h": "one three four one\n"}
    assert len(set(map(len, texts.values()))) == 1
    for name, text in texts.items():
        write(tmp_path / name / "t.txt", text)
    for name, text in (*texts.items(), *texts.items()):
        for source in (tmp_path / name / "t.txt", tmp_path / name):
            assert words(source, tmp_path / "cache") == set(text.split())


def test_case_13_corpus_cache_collision_of_a_file_changed_in_place(tmp_path):
    for text in ("red green blue red\n", "one three four one\n", "red green blue red\n"):
        path = write(tmp_path / "t.txt", text)
        assert words(path, tmp_path / "cache") == set(text.split())


def test_files_that_change_places_are_another_text(tmp_path):
    """The same contents in another order, or cut elsewhere."""
    cache, folder, ids = tmp_path / "cache", tmp_path / "t", []
    for one, other in (
        ("a b\n", "b c\n"),
        ("b c\n", "a b\n"),
        ("a b b\n", "c\n"),
        ("a b\nb c\n", ""),
    ):
        write(folder / "1", one)
        write(folder / "2", other)
        made = read(folder, min_count=1, cache=cache)
        np.testing.assert_array_equal(made.ids, read([one, other], min_count=1).ids)
        ids.append(tuple(made.vocabulary.words[i] if i >= 0 else "/" for i in made.ids))
    assert len(set(ids)) == 3
    assert len(list(cache.iterdir())) == 2 * 4


def test_a_copy_elsewhere_shares_the_cache(tmp_path, monkeypatch):
    write(tmp_path / "one" / "t.txt", "red green blue red\n")
    want = words(tmp_path / "one", tmp_path / "cache")
    (tmp_path / "one").rename(tmp_path / "other")
    os.utime(tmp_path / "other" / "t.txt")
    words(tmp_path / "other" / "t.txt", tmp_path / "cache")
    monkeypatch.setattr(corpus_cache, "encode", lambda *_: pytest.fail("read again"))
    assert words(tmp_path / "other" / "t.txt", tmp_path / "cache") == want


def test_another_rule_is_another_cache(tmp_path, monkeypatch):
    path = write(tmp_path / "t.txt", "red green blue red\n")
    words(path, tmp_path / "cache")
    monkeypatch.setattr(word_rule, "RULE", "another")
    words(path, tmp_path / "cache")
    assert len(list((tmp_path / "cache").iterdir())) == 4


def test_a_source_that_changes_while_it_is_read_is_not_cached(tmp_path, monkeypatch):
    path, original = write(tmp_path / "t.txt", "red green blue red\n"), corpus_cache.encode

    def encode_and_change(*arguments):
        made = original(*arguments)
        write(path, "one three four one\n")
        return made

    monkeypatch.setattr(corpus_cache, "encode", encode_and_change)
    with pytest.raises(ValueError, match=r"t\.txt changed while it was read: read it again"):
        words(path, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())
    monkeypatch.undo()
    assert words(path, tmp_path / "cache") == {"one", "three", "four"}


def test_long_and_odd_names_can_be_cached(tmp_path, monkeypatch):
    for name in ("é" * 120, "a b\nc", "x" * 250):
        path = write(tmp_path / "texts" / name, "red green blue red\n")
        assert words(path, tmp_path / "cache") == {"red", "green", "blue"}
    monkeypatch.chdir(tmp_path / "texts")
    assert words(".", tmp_path / "cache") == {"red", "green", "blue"}


def test_contexts_of_lists_are_those_of_arrays():
    text = read(["a b c", "b a"], min_count=1)
    for one, other in zip(
        corpus.contexts(text.ids, 1), corpus.contexts(text.ids.tolist(), 1), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(TypeError, match="it must be the integers of a corpus"):
        corpus.contexts(text.ids * 1.0, 1)


def test_damaged_notes_of_any_json_are_made_again(tmp_path):
    path = write(tmp_path / "t.txt", "red green blue red\n")
    words(path, tmp_path / "cache")
    (note,) = (tmp_path / "cache").glob("*.json")
    note.write_text(json.dumps({"words": ["other"]}))
    with pytest.warns(UserWarning, match="is damaged"):
        assert words(path, tmp_path / "cache") == {"red", "green", "blue"}
