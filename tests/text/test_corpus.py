"""Corpora against slow obvious counts, from every kind of source, and what is not text."""

import gzip
import lzma
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from jaxnets.storage.atomic import DiskFullError
from jaxnets.text import corpus, corpus_cache, packed, reading, vocabulary
from jaxnets.text.vocabulary import END

LINES = [
    "The cat's hat sat; the DOG sat.",
    "",
    "",
    "Über 20 cats: don’t 'quote' the café's cat!",
    "the_dog the-cat l'été",
]


def spelled(made):
    """The corpus as lines of words."""
    lines = [[]]
    for number in made.ids:
        if number == END:
            lines.append([])
        else:
            lines[-1].append(made.vocabulary.words[number])
    assert not lines.pop()
    return lines


def test_numbers_spell_the_text_and_follow_frequency():
    made = corpus.read(LINES, min_count=1)
    assert spelled(made) == [reading.words(line) for line in LINES if line]
    counts = Counter(word for line in LINES for word in reading.words(line))
    assert dict(zip(made.vocabulary.words, made.vocabulary.counts, strict=True)) == counts
    assert list(made.vocabulary.counts) == sorted(counts.values(), reverse=True)
    assert made.ids.dtype == np.int32


def test_rare_words_are_left_out_and_windows_close_over_them():
    made = corpus.read(LINES, min_count=2)
    assert set(made.vocabulary.words) == {"the", "sat", "cat", "dog"}
    assert spelled(made)[0] == ["the", "sat", "the", "dog", "sat"]


@pytest.fixture
def sources(tmp_path):
    """The same text in every form."""
    content = "\n".join(LINES)
    plain, packed, tight = (tmp_path / name for name in ("a.txt", "b.txt.gz", "c.txt.xz"))
    plain.write_text(content, encoding="utf-8-sig")
    packed.write_bytes(gzip.compress(content.replace("\n", "\r\n").encode()))
    tight.write_bytes(lzma.compress(content.encode()))
    folder = tmp_path / "folder"
    (folder / "deeper").mkdir(parents=True)
    (folder / "1.txt").write_text("\n".join(LINES[:3]), encoding="utf-8")
    (folder / "deeper" / "2.txt").write_text("\n".join(LINES[3:]), encoding="utf-8")
    return [plain, str(packed), tight, folder]


def test_every_source_gives_the_same_corpus(sources, monkeypatch):
    want = corpus.read(LINES, min_count=1)
    for chunk in (reading.PIECE, 7):
        monkeypatch.setattr(reading, "PIECE", chunk)
        for source in sources:
            found = corpus.read(source, min_count=1)
            np.testing.assert_array_equal(found.ids, want.ids)
            assert found.vocabulary.words == want.vocabulary.words


def test_a_long_corpus_agrees_with_a_count_word_by_word(monkeypatch):
    rng = np.random.default_rng(0)
    names = ["".join(rng.choice(list("abcde"), 3)) for _ in range(60)]
    lines = [" ".join(rng.choice(names, n)) for n in rng.integers(0, 20, 500)]
    counts = Counter(word for line in lines for word in line.split())
    made = corpus.read(lines, min_count=80)
    frequent = {word for word, n in counts.items() if n >= 80}
    assert set(made.vocabulary.words) == frequent
    assert 0 < len(frequent) < len(counts)
    want = [[word for word in line.split() if word in frequent] for line in lines]
    assert spelled(made) == [line for line in want if line]


@pytest.mark.parametrize("progress", [False, True])
def test_progress_counts_words(progress, capsys):
    corpus.read(LINES * 100, progress=progress)
    assert ("words" in capsys.readouterr().err) == progress


def test_a_cached_corpus_is_mapped_and_not_read_again(sources, tmp_path, monkeypatch):
    want, cache = corpus.read(LINES, min_count=1), tmp_path / "cache"
    for source in sources:
        made = corpus.read(source, 1, cache)
        assert isinstance(made.ids, np.memmap)
        np.testing.assert_array_equal(made.ids, want.ids)
        assert made.vocabulary.words == want.vocabulary.words
        np.testing.assert_array_equal(made.vocabulary.counts, want.vocabulary.counts)
    assert len(list(cache.iterdir())) == 2 * len(sources)
    monkeypatch.setattr(corpus_cache, "encode", lambda *_: pytest.fail("read again"))
    for source in sources:
        np.testing.assert_array_equal(corpus.read(source, 1, cache).ids, want.ids)


def test_a_changed_source_or_min_count_is_read_again(tmp_path):
    source, cache = tmp_path / "a.txt", tmp_path / "cache"
    source.write_text("one two one two", encoding="utf-8")
    assert len(corpus.read(source, 2, cache).ids) == 5
    source.write_text("one two one two three three", encoding="utf-8")
    assert len(corpus.read(source, 2, cache).ids) == 7
    with pytest.raises(ValueError, match="0 words that occur 3 times"):
        corpus.read(source, 3, cache)
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("damage", ["changed", "cut short", "missing"])
def test_damaged_cached_numbers_are_made_again(tmp_path, damage):
    source, cache = tmp_path / "a.txt", tmp_path / "cache"
    source.write_text("one two one two", encoding="utf-8")
    want = np.array(corpus.read(source, 2, cache).ids)
    (numbers,) = cache.glob("*.int32")
    content = numbers.read_bytes()
    if damage == "missing":
        numbers.unlink()
    else:
        numbers.write_bytes(content[:-4] if damage == "cut short" else b"\1" + content[1:])
    with pytest.warns(UserWarning, match=r"a\.txt-.*\.int32 is damaged"):
        again = corpus.read(source, 2, cache)
    np.testing.assert_array_equal(again.ids, want)


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    source, cache = tmp_path / "a.txt", tmp_path / "cache"
    source.write_text("one two one two", encoding="utf-8")

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(
        DiskFullError, match=r"No space left on device for .*a\.txt.*free some space"
    ):
        corpus.read(source, 2, cache)
    assert not list(cache.iterdir())


def test_a_full_temporary_disk_is_named(monkeypatch):
    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus, "encode", full_disk)
    with pytest.raises(DiskFullError, match=r"No space left on device for .*free some space"):
        corpus.read(LINES, 1)


def test_a_damaged_note_is_made_again(tmp_path):
    source, cache = tmp_path / "a.txt", tmp_path / "cache"
    source.write_text("one two one two", encoding="utf-8")
    want = corpus.read(source, 2, cache)
    (note,) = cache.glob("*.json")
    content = note.read_bytes()
    for damaged in (content[:-3], content.replace(b"one", b"ont"), b"", b"[]"):
        note.write_bytes(damaged)
        with pytest.warns(UserWarning, match=r"a\.txt-.*\.json is damaged"):
            again = corpus.read(source, 2, cache)
        assert again.vocabulary.words == want.vocabulary.words
        assert note.read_bytes() == content


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_an_archive_that_unpacks_without_end_is_refused(tmp_path, monkeypatch, pack):
    monkeypatch.setattr(packed, "ALWAYS", 2**16)
    monkeypatch.setattr(reading, "PIECE", 2**12)
    path = tmp_path / f"a.{'gz' if pack is gzip.compress else 'xz'}"
    path.write_bytes(pack(b"word " * 2**20))
    with pytest.raises(ValueError, match="unpacks to more than 50 times its size"):
        corpus.read(path)


def test_a_file_without_spaces_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "LONGEST", 2**14)
    monkeypatch.setattr(reading, "PIECE", 2**12)
    (tmp_path / "a.txt").write_bytes(b"a" * 2**16)
    with pytest.raises(ValueError, match=r"a\.txt has \d+ bytes without a space or line break"):
        corpus.read(tmp_path / "a.txt")


def test_strings_cannot_be_cached(tmp_path):
    with pytest.raises(ValueError, match=r"cache is for files.*the source is strings"):
        corpus.read(LINES, 1, tmp_path)


def test_blocks_change_nothing(monkeypatch):
    """Ends of empty lines included, wherever a block begins."""
    lines = [*LINES, "rare", "", "", "the cat", ""] * 5
    want = corpus.read(lines, min_count=6)
    for block in (1, 2, 3, 7):
        monkeypatch.setattr(vocabulary, "BLOCK", block)
        np.testing.assert_array_equal(corpus.read(lines, min_count=6).ids, want.ids)
    assert not ((want.ids[1:] == END) & (want.ids[:-1] == END)).any()


def bad_sources(tmp_path):
    """Name -> (source, what is said)."""
    files = {
        "empty": (b"", "has 0 words"),
        "one word": (b"word " * 50, "has 1 words"),
        "rare": (b"all of these occur once", "smaller min_count"),
        "binary": (b"ELF\0\1\2", "NUL character"),
        "latin-1": ("caf\xe9 ".encode("latin-1"), "not UTF-8 text"),
        "cut.xz": (lzma.compress(b"many words " * 1000)[:-20], "damaged or cut short"),
        "cut.gz": (gzip.compress(b"many words " * 1000)[:-20], "damaged or cut short"),
        "not.gz": (b"many words", "damaged or cut short"),
        "not.xz": (b"many words", "damaged or cut short"),
    }
    for name, (content, message) in files.items():
        (tmp_path / name).write_bytes(content)
        yield name, tmp_path / name, message


def test_what_is_not_text_is_refused(tmp_path):
    for name, path, message in bad_sources(tmp_path):
        with pytest.raises(ValueError, match=message) as caught:
            corpus.read(path)
        assert name in str(caught.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"novels\.txt not found"):
        corpus.read(tmp_path / "novels.txt")
    with pytest.raises(FileNotFoundError, match="contains no files"):
        corpus.read(tmp_path)


@pytest.mark.parametrize("bad", [0, 1.5])
def test_min_count_is_a_positive_integer(bad):
    with pytest.raises((TypeError, ValueError), match="min_count"):
        corpus.read(LINES, min_count=bad)
