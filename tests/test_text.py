"""Corpora against slow obvious counts, from every kind of source, and what is no text."""

import gzip
import lzma
from collections import Counter

import numpy as np
import pytest

from jaxnets.data import text

LINES = [
    "The cat's hat sat; the DOG sat.",
    "",
    "",
    "Über 20 cats: don’t 'quote' the café's cat!",
    "the_dog the-cat l'été",
]


def spelled(corpus):
    """The corpus as lines of words."""
    lines = [[]]
    for number in corpus.ids:
        if number == text.END:
            lines.append([])
        else:
            lines[-1].append(corpus.vocabulary.words[number])
    assert not lines.pop()
    return lines


def test_words_are_lower_case_runs_of_letters_with_apostrophes_inside():
    assert text.words(LINES[0]) == ["the", "cat's", "hat", "sat", "the", "dog", "sat"]
    assert text.words(LINES[3]) == ["über", "cats", "don't", "quote", "the", "café's", "cat"]
    assert text.words(LINES[4]) == ["the", "dog", "the", "cat", "l'été"]
    assert text.words("1984\n''\t") == []


def test_numbers_spell_the_text_and_follow_frequency():
    corpus = text.read(LINES, min_count=1)
    assert spelled(corpus) == [text.words(line) for line in LINES if line]
    counts = Counter(word for line in LINES for word in text.words(line))
    assert dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts, strict=True)) == counts
    assert list(corpus.vocabulary.counts) == sorted(counts.values(), reverse=True)
    assert corpus.ids.dtype == np.int32


def test_rare_words_are_left_out_and_windows_close_over_them():
    corpus = text.read(LINES, min_count=2)
    assert set(corpus.vocabulary.words) == {"the", "sat", "cat", "dog"}
    assert spelled(corpus)[0] == ["the", "sat", "the", "dog", "sat"]


@pytest.fixture
def sources(tmp_path):
    """The same text in every form."""
    whole = "\n".join(LINES)
    plain, packed, tight = (tmp_path / name for name in ("a.txt", "b.txt.gz", "c.txt.xz"))
    plain.write_text(whole, encoding="utf-8-sig")
    packed.write_bytes(gzip.compress(whole.replace("\n", "\r\n").encode()))
    tight.write_bytes(lzma.compress(whole.encode()))
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "1.txt").write_text("\n".join(LINES[:3]), encoding="utf-8")
    (folder / "deeper" / "2.txt").write_text("\n".join(LINES[3:]), encoding="utf-8")
    return [plain, str(packed), tight, folder]


def test_every_source_gives_the_same_corpus(sources, monkeypatch):
    want = text.read(LINES, min_count=1)
    for chunk in (text.CHUNK, 7):
        monkeypatch.setattr(text, "CHUNK", chunk)
        for source in sources:
            found = text.read(source, min_count=1)
            np.testing.assert_array_equal(found.ids, want.ids)
            assert found.vocabulary.words == want.vocabulary.words


def test_a_long_corpus_agrees_with_a_count_word_by_word(monkeypatch):
    rng = np.random.default_rng(0)
    names = ["".join(rng.choice(list("abcde"), 3)) for _ in range(60)]
    lines = [" ".join(rng.choice(names, n)) for n in rng.integers(0, 20, 500)]
    counts = Counter(word for line in lines for word in line.split())
    corpus = text.read(lines, min_count=80)
    kept = {word for word, n in counts.items() if n >= 80}
    assert set(corpus.vocabulary.words) == kept
    assert 0 < len(kept) < len(counts)
    want = [[word for word in line.split() if word in kept] for line in lines]
    assert spelled(corpus) == [line for line in want if line]


@pytest.mark.parametrize("progress", [False, True])
def test_progress_counts_words(progress, capsys):
    text.read(LINES * 100, progress=progress)
    assert ("words" in capsys.readouterr().err) == progress


def bad_sources(tmp_path):
    """Name -> (source, what is said)."""
    files = {
        "empty": (b"", "has 0 words"),
        "one word": (b"word " * 50, "has 1 words"),
        "rare": (b"all of these occur once", "smaller min_count"),
        "binary": (b"ELF\0\1\2", "NUL character"),
        "latin-1": ("caf\xe9 ".encode("latin-1"), "no UTF-8 text"),
        "cut.xz": (lzma.compress(b"many words " * 1000)[:-20], "damaged or cut short"),
        "cut.gz": (gzip.compress(b"many words " * 1000)[:-20], "damaged or cut short"),
        "not.gz": (b"many words", "damaged or cut short"),
        "not.xz": (b"many words", "damaged or cut short"),
    }
    for name, (content, message) in files.items():
        (tmp_path / name).write_bytes(content)
        yield name, tmp_path / name, message


def test_what_is_no_text_is_refused(tmp_path):
    for name, path, message in bad_sources(tmp_path):
        with pytest.raises(ValueError, match=message) as caught:
            text.read(path)
        assert name in str(caught.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"novels\.txt"):
        text.read(tmp_path / "novels.txt")
    with pytest.raises(FileNotFoundError, match="holds no files"):
        text.read(tmp_path)


@pytest.mark.parametrize("bad", [0, 1.5])
def test_a_min_count_is_a_whole_number_above_0(bad):
    with pytest.raises((TypeError, ValueError), match="min_count"):
        text.read(LINES, min_count=bad)
