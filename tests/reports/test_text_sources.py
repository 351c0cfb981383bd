"""What counts as a text: no path that was never set, no hidden file, no copy, no device."""

import bz2
import gzip
import lzma
import os
import shutil

import numpy as np
import pytest

from jaxnets.text import corpus

LINE = "the cat sat on the mat\n"


def counts(source, **options):
    words, numbers = corpus.read(source, min_count=1, **options).vocabulary
    return dict(zip(words, numbers.tolist(), strict=True))


ONCE = {"the": 2, "cat": 1, "sat": 1, "on": 1, "mat": 1}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text(LINE)
    return folder


@pytest.mark.parametrize("source", ["", " ", "\n"], ids=repr)
def test_case_12_corpus_of_empty_path(tmp_path, monkeypatch, source):
    (tmp_path / "diary.txt").write_text("dear diary nobody should read this\n")
    monkeypatch.chdir(tmp_path)
    for options in ({}, {"cache": "cache"}):
        with pytest.raises(FileNotFoundError, match=r"not found: .*pass text itself in a list"):
            corpus.read(source, min_count=1, **options)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]
    assert counts(".")["diary"] == 1


def test_a_cache_without_a_name_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="cache is empty"):
        corpus.read(folder, min_count=1, cache="")
    assert [path.name for path in tmp_path.iterdir()] == ["texts"]


NOT_PATHS = {
    "a long text": "the cat sat on the mat " * 50,
    "a short one": "the cat sat",
    "lines": "the cat\nsat\n" * 400,
    "a NUL character": "the\0cat",
    "below a file": "a.txt/b.txt",
    "half of a surrogate pair": "caf\ud800",
}


@pytest.mark.parametrize("name", NOT_PATHS)
def test_case_27_raw_errors_of_text_as_a_path(name, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises((FileNotFoundError, ValueError), match=r"a list|NUL character") as caught:
        corpus.read(NOT_PATHS[name], min_count=1)
    assert len(str(caught.value)) < 500
    assert not isinstance(caught.value, UnicodeError)


def test_case_27_raw_errors_of_text_with_surrogates():
    with pytest.raises(ValueError, match=r"text 1 has '\\udce9' at character 3.*noir") as caught:
        corpus.read(["the cat", "caf\udce9 noir"], min_count=1)
    assert not isinstance(caught.value, UnicodeError)


def test_bytes_that_are_not_text_are_named_with_their_place(tmp_path):
    (tmp_path / "a").write_bytes(b"one two\xed\xa0\x80")
    with pytest.raises(ValueError, match=r"b'\\xed' at byte 7"):
        corpus.read(tmp_path / "a", min_count=1)
    (tmp_path / "a").write_bytes("one two".encode("utf-16"))
    with pytest.raises(ValueError, match="UTF-16"):
        corpus.read(tmp_path / "a", min_count=1)


WRONG = {
    "a dict": {"a": "the cat"},
    "a set": {"the cat", "the dog"},
    "bytes": b"the cat",
    "a table": np.array([["the", "cat"], ["the", "dog"]]),
    "numbers": [1, 2],
    "a number": 3,
    "nothing": None,
    "paths": [os.path],
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_neither_a_path_nor_strings_is_refused(name):
    with pytest.raises(TypeError, match="expected"):
        corpus.read(WRONG[name], min_count=1)


HIDDEN = (
    *(".DS_Store", "._a.txt", ".a.txt.swp", ".#a.txt", ".hidden/a.txt", ".git/objects/aa"),
    *(".ipynb_checkpoints/a-checkpoint.txt", "deeper/.ipynb_checkpoints/a-checkpoint.txt"),
    *(
        "a.txt~",
        "#a.txt#",
        "a.txt.bak",
        "a.txt.orig",
        "a.txt.swp",
        "~$a.docx",
        "a.TMP",
        "a.txt.save",
    ),
    *("Thumbs.db", "desktop.ini", "__MACOSX/a.txt", "deeper/Desktop.ini", "$RECYCLE.BIN/a.txt"),
)


@pytest.mark.parametrize("name", HIDDEN)
@pytest.mark.parametrize("content", [LINE.encode(), b"\0\0\0\1Bud1"], ids=["text", "binary"])
def test_case_14_text_folder_with_hidden_files(folder, name, content):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    assert counts(folder) == ONCE


def test_case_14_text_folder_with_hidden_files_and_its_own_cache(folder):
    want = counts(folder)
    for _ in range(3):
        assert counts(folder, cache=folder) == want == ONCE
        assert len(list(folder.iterdir())) == 3
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "b.txt").write_text(LINE * 2)
    counts(folder, cache=folder / "cache")
    assert counts(folder, cache=folder / "cache") == {word: 2 * n for word, n in ONCE.items()}


def test_names_that_only_look_like_hidden_ones_are_texts(folder):
    names = ("b~c.txt", "bak", "a.bak.txt", "#b.txt", "thumbs.db.txt", "x-0123456789ab.json.txt")
    for name in names:
        (folder / name).write_text(LINE)
    assert counts(folder) == {word: (1 + len(names)) * n for word, n in ONCE.items()}


def test_a_file_that_is_named_is_read_whatever_its_name(tmp_path):
    for name in (".hidden", "a.txt~", "a.bak"):
        (tmp_path / name).write_text(LINE)
        assert counts(tmp_path / name) == ONCE
    hidden = tmp_path / ".texts"
    hidden.mkdir()
    (hidden / "a.txt").write_text(LINE)
    assert counts(hidden) == ONCE


def test_a_folder_of_hidden_files_has_no_text(folder):
    (folder / "a.txt").rename(folder / "a.txt~")
    with pytest.raises(FileNotFoundError, match=r"contains no files of text.*copies"):
        corpus.read(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_are_refused(folder):
    os.mkfifo(folder / "pipe")
    assert counts(folder) == ONCE
    for endless in (folder / "pipe", "/dev/zero", "/dev/null"):
        for options in ({}, {"cache": folder / "cache"}):
            with pytest.raises(ValueError, match=r"is a (pipe|device)"):
                corpus.read(endless, min_count=1, **options)
    (folder / "zero").symlink_to("/dev/zero")
    assert counts(folder) == ONCE
    with pytest.raises(ValueError, match="is a device"):
        corpus.read(folder / "zero", min_count=1)


def test_links(folder, tmp_path):
    """Loops end, files behind links are read, and a link to nothing is not passed over."""
    (folder / "loop").symlink_to(folder)
    (folder / "up").symlink_to("..")
    assert counts(folder) == ONCE
    (tmp_path / "b").write_text(LINE)
    (folder / "b.txt").symlink_to(tmp_path / "b")
    assert counts(folder)["the"] == 4
    (tmp_path / "b").unlink()
    with pytest.raises(FileNotFoundError, match=r"b\.txt is a link to nothing"):
        counts(folder)
    (folder / "b.txt").unlink()
    (folder / "self").symlink_to(folder / "self")
    for source in (folder, folder / "self"):
        with pytest.raises(FileNotFoundError, match="self"):
            counts(source)


@pytest.mark.parametrize(
    ("pack", "end"), [(gzip.compress, "gz"), (lzma.compress, "xz"), (bz2.compress, "bz2")]
)
@pytest.mark.parametrize("suffix", ["", ".txt", True], ids=str)
def test_packed_texts_are_known_by_their_first_bytes(tmp_path, pack, end, suffix):
    path = tmp_path / f"a{f'.{end}' if suffix is True else suffix}"
    path.write_bytes(pack(LINE.encode()))
    assert counts(path) == ONCE
    path.write_bytes(pack(LINE.encode() * 999)[:-9])
    with pytest.raises(ValueError, match="damaged or cut short"):
        counts(path)


def test_other_archives_are_named(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04" + bytes(30))
    with pytest.raises(ValueError, match="is a zip archive: unpack it"):
        counts(tmp_path / "a.zip")
    (tmp_path / "a.txt.gz").write_text(LINE)
    with pytest.raises(ValueError, match=r"unpacked already \(remove .gz from its name\)"):
        counts(tmp_path / "a.txt.gz")
