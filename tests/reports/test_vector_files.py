"""Vectors that are saved come back exactly or are refused; other files are read or explained."""

import bz2
import gzip
import lzma
import os
import tempfile
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from jaxnets import word2vec
from jaxnets.word2vec import Vectors, load, save

BOTH = pytest.mark.parametrize("binary", [False, True])


def matrix_of(n, dimensions=3):
    return np.arange(n * dimensions, dtype=np.float32).reshape(n, dimensions) + np.float32(0.1)


def refusal(path, vectors, binary):
    """Why vectors are not saved, "" if they are; a refused save leaves the old file as it was."""
    path.write_bytes(b"an old file")
    try:
        save(path, vectors, binary)
    except ValueError as error:
        assert path.read_bytes() == b"an old file"
        assert [p.name for p in path.parent.iterdir()] == [path.name]
        return str(error)
    return ""


def came_back(path, words, matrix):
    found = load(path)
    assert found.words == tuple(words)
    np.testing.assert_array_equal(found.matrix.view(np.uint32), matrix.view(np.uint32))
    return True


@pytest.mark.parametrize(
    "words", [["new york", "paris"], [" a", "b"], ["a ", "b"], ["\na", "b"], ["\n", "a"]], ids=repr
)
def test_case_01_binary_words_with_spaces(tmp_path, words):
    wrong = next(word for word in words if set(word) & set(" \n"))
    assert repr(wrong) in refusal(tmp_path / "v", Vectors(words, matrix_of(2)), True)


@pytest.mark.parametrize("words", [["new york", "paris"], ["a\n", "b"], [" ", "b"]], ids=repr)
def test_case_02_text_words_with_spaces(tmp_path, words):
    assert repr(words[0]) in refusal(tmp_path / "v", Vectors(words, matrix_of(2)), False)


@BOTH
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_case_02_text_words_with_spaces_or_no_words(tmp_path, binary, shape):
    nothing = Vectors(["a", "b"][: shape[0]], np.zeros(shape))
    assert "nothing to save" in refusal(tmp_path / "v", nothing, binary)


ODD = {
    **{
        f"U+{ord(char):04X}": f"a{char}b" for char in "\0\r\v\f\x1c\x85\xa0\u2028\u2029\u3000\ufeff"
    },
    "a byte order mark first": "\ufeffa",
    "a carriage return last": "a\r",
    "empty": "",
    "decomposed": unicodedata.normalize("NFD", "é"),
    "a number": "1",
    "beyond the first plane": "\U0001f600",
}


@BOTH
@pytest.mark.parametrize("name", ODD)
def test_odd_words_come_back(tmp_path, binary, name):
    for words in ([ODD[name], "z"], ["z", ODD[name]]):
        save(tmp_path / "v", Vectors(words, matrix_of(2)), binary)
        assert came_back(tmp_path / "v", words, matrix_of(2))


@BOTH
@pytest.mark.parametrize("word", ["a\tb", "\t", "caf\udce9", "\ud800", "\ud83d\ude00"], ids=repr)
def test_words_that_a_format_cannot_hold(tmp_path, binary, word):
    why = refusal(tmp_path / "v", Vectors(["z", word], matrix_of(2)), binary)
    assert bool(why) == (not binary or "\t" not in word)
    assert not why or repr(word) in why


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
WORDS = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            " \t\n\r\v\f\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2028\u2029\u3000\ufeff\0\ud800a1"
        ),
    ),
    max_size=5,
)


def can_hold(word, binary):
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return not set(word) & set(" \n" if binary else " \t\n")


@BOTH
@given(words=st.lists(WORDS, min_size=1, max_size=6, unique=True), data=st.data())
@settings(max_examples=500)
@example(words=["1"], data=None)
def test_all_of_unicode_comes_back_or_is_refused(words, data, binary):
    """Refused is exactly what the format cannot hold, and the message names such a word."""
    n = len(words)
    if data is None:
        matrix = matrix_of(n)
    else:
        dimensions = data.draw(st.integers(1, 4))
        rows = st.lists(FLOATS, min_size=n * dimensions, max_size=n * dimensions)
        matrix = np.asarray(data.draw(rows), np.float32).reshape(n, dimensions)
    wrong = [word for word in words if not can_hold(word, binary)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "v"
        why = refusal(path, Vectors(words, matrix), binary)
        looks_like_text = binary and "save them as text" in why and matrix.size < 8
        assert bool(why) == bool(wrong) or looks_like_text
        assert not wrong or repr(wrong[0]) in why
        assert why or came_back(path, words, matrix)


def test_every_kind_of_float32_comes_back(tmp_path):
    """Subnormals, powers of two and their neighbours, and random bits, in text."""
    powers = np.float32(2.0) ** np.arange(-149, 128, dtype=np.float32)
    near = [np.nextafter(powers, np.float32(to)) for to in (-np.inf, np.inf)]
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, np.uint32).view(np.float32)
    values = np.concatenate([powers, *near, bits, np.float32([-0.0])])
    values = values[np.isfinite(values)]
    values = values[: len(values) // 50 * 50].reshape(-1, 50)
    words = [str(i) for i in range(len(values))]
    save(tmp_path / "v", Vectors(words, values))
    assert came_back(tmp_path / "v", words, values)


@BOTH
def test_gensim_reads_odd_words_too(tmp_path, binary):
    keyed = pytest.importorskip("gensim.models").KeyedVectors
    words = [word for word in ODD.values() if word]
    save(tmp_path / "v", Vectors(words, matrix_of(len(words))), binary)
    theirs = keyed.load_word2vec_format(str(tmp_path / "v"), binary=binary)
    assert theirs.index_to_key == words
    np.testing.assert_array_equal(theirs.vectors, matrix_of(len(words)))


def test_what_changed_after_it_was_made_is_not_saved(tmp_path):
    vectors = Vectors(["a", "b"], matrix_of(2))
    vectors.matrix[1, 1] = np.nan
    assert "'b' is not finite" in refusal(tmp_path / "v", vectors, False)
    with pytest.raises(TypeError, match="must be Vectors"):
        save(tmp_path / "v", {"a": [1, 2]})


def test_folders_in_the_way_are_named(tmp_path):
    vectors = Vectors(["a", "b"], matrix_of(2))
    with pytest.raises(IsADirectoryError, match="is a folder: name a file in it"):
        save(tmp_path, vectors)
    with pytest.raises(FileNotFoundError, match=r"folder .*missing of v does not exist: create it"):
        save(tmp_path / "missing" / "v", vectors)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "matrix", "message"),
    [
        ("ab", np.eye(2), "must be a list of str"),
        ({"a"}, np.eye(2), "must be a list of str"),
        ({"a": 0, "b": 1}, np.eye(2), "must be a list of str"),
        (None, np.eye(2), "must be a list of str"),
        ([b"a", "b"], np.eye(2), "words must be str, got b'a'"),
        ([None, "b"], np.eye(2), "words must be str, got None"),
        ([["a"], "b"], np.eye(2), "words must be str"),
        (["a", "b"], np.eye(2) * 1j, "complex"),
        (["a", "b"], [["1", "2"], ["3", "4"]], "array of numbers"),
    ],
    ids=str,
)
def test_vectors_of_another_type_are_refused(words, matrix, message):
    with pytest.raises(TypeError, match=message):
        Vectors(words, matrix)


def test_what_overflows_float32_or_is_masked_is_refused():
    with pytest.raises(ValueError, match="'b' is not finite in float32"):
        Vectors(["a", "b"], [[1.0, 2.0], [3.0, 1e300]])
    with pytest.raises(ValueError, match="masked"):
        Vectors(["a", "b"], np.ma.masked_array(np.eye(2), np.eye(2)))


GOOD = b"2 2\na 1 2\nb 3 4\n"
READ = {
    "gzip": gzip.compress(GOOD),
    "xz": lzma.compress(GOOD),
    "bzip2": bz2.compress(GOOD),
    "GloVe": b"a 1 2\nb 3 4\n",
    "GloVe, packed": gzip.compress(b"a 1 2\nb 3 4\n"),
    "GloVe with a byte order mark": b"\xef\xbb\xbfa 1 2\nb 3 4\n",
    "GloVe in CRLF": b"a 1 2\r\nb 3 4\r\n",
    "a byte order mark": b"\xef\xbb\xbf" + GOOD,
    "CRLF": GOOD.replace(b"\n", b"\r\n"),
    "a blank line at the end": GOOD + b"\n",
    "blank lines at the end": GOOD + b"\r\n \n",
    "two spaces": b"2 2\na  1  2\nb  3  4\n",
    "tabs": b"2\t2\na\t1\t2\nb\t3\t4\n",
    "a tab, then spaces": b"2 2\na\t1 2\nb\t3 4\n",
    "spaces at the end, as fastText": b"2 2 \na 1 2 \nb 3 4 \n",
    "exponents": b"2 2\na 1e0 +2\nb 30.E-1 .4e1\n",
}
REFUSED = {
    "no last line break": (b"2 2\na 1 2\nb 3 4", "line 3 has no line break.*add the line break"),
    "GloVe without last line break": (b"a 1 2\nb 3 4", "line 2 has no line break"),
    "a cut character": (b"2 2\na\xe2 1 2\nb 3 4\n", r"line 2: .*b'a\\xe2'.*errors='backslashrep"),
    "a word twice": (b"2 2\na 1 2\na 3 4\n", "line 2 and line 3 have the same word 'a': remove"),
    "GloVe, a word twice": (b"a 1 2\nb 5 6\na 3 4\n", "line 1 and line 3 have the same word 'a'"),
    "1_0": (b"2 2\na 1_0 2\nb 3 4\n", "line 2: b'1_0' is not a number"),
    "hexadecimal": (b"2 2\na 1 2\nb 0x10 4\n", "line 3: b'0x10' is not a number"),
    "a decimal comma": (b"2 2\na 1 2\nb 3,5 4\n", "line 3: b'3,5' is not a number"),
    "nan": (b"2 2\na 1 2\nb nan 4\n", "'b' is not finite"),
    "inf": (b"2 2\na 1 2\nb 3 -inf\n", "'b' is not finite"),
    "GloVe, nan": (b"a 1 2\nb nan 4\n", "'b' is not finite"),
    "beyond float32": (b"2 2\na 1 2\nb 3 4e38\n", "'b' is not finite in float32"),
    "a word with a space": (b"2 2\nnew york 1 2\nb 3 4\n", "line 2: b'new' has 3 of 2 numbers"),
    "a number less": (b"2 2\na 1\nb 3 4\n", "line 2: b'a' has 1 of 2 numbers"),
    "more words than promised": (b"1 2\na 1 2\nb 3 4\n", "line 3 comes after the last of 1 words"),
    "fewer words than promised": (b"3 2\na 1.25 2.5\nb 3 4\n", "2 of 3 words"),
    "a blank line amid": (b"2 2\na 1 2\n\nb 3 4\n", "line 3 is empty"),
    "no words": (b"0 2\n", "not in word2vec's format"),
    "no dimensions": (b"2 0\na\nb\n", "not in word2vec's format"),
    "empty": (b"", "not in word2vec's format"),
    "a zip archive": (b"PK\x03\x04" + bytes(60), "is a zip archive: unpack it"),
    "fastText's model": (b"\xba\x16\x4f\x2f" + bytes(60), "ends in .vec"),
    "gensim's pickle": (b"\x80\x04\x95" + bytes(60), "save_word2vec_format"),
    "UTF-16": ("2 2\na 1 2\nb 3 4\n".encode("utf-16"), "not in word2vec's format"),
}


@pytest.mark.parametrize("name", READ)
def test_case_32_idx_and_vectors_not_packed_so(tmp_path, name):
    (tmp_path / "file").write_bytes(READ[name])
    found = load(tmp_path / "file")
    assert found.words == ("a", "b")
    np.testing.assert_array_equal(found.matrix, [[1, 2], [3, 4]])


@pytest.mark.parametrize("name", REFUSED)
def test_case_32_idx_and_vectors_not_packed_so_refused(tmp_path, name):
    content, message = REFUSED[name]
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        load(tmp_path / "file")
    assert str(caught.value).startswith(str(tmp_path / "file"))
    assert "download" not in str(caught.value)
    assert "binary" not in str(caught.value)


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bz2.compress])
def test_packed_binary_vectors_are_read(tmp_path, pack):
    save(tmp_path / "v", Vectors(["a", "b"], matrix_of(2)), binary=True)
    (tmp_path / "packed").write_bytes(pack((tmp_path / "v").read_bytes()))
    assert came_back(tmp_path / "packed", ["a", "b"], matrix_of(2))


def test_words_that_are_not_utf8_can_be_read(tmp_path):
    (tmp_path / "v").write_bytes(b"2 2\na\xe2 1 2\na\xe3 3 4\n")
    assert load(tmp_path / "v", errors="backslashreplace").words == ("a\\xe2", "a\\xe3")
    with pytest.raises(ValueError, match="line 2 and line 3 have the same word"):
        load(tmp_path / "v", errors="ignore")
    with pytest.raises(ValueError, match="unknown errors 'surrogateescape'"):
        load(tmp_path / "v", errors="surrogateescape")
    (tmp_path / "v").write_bytes(b"1 1\na\xe2 \0\0\x80\x3f\n")
    assert load(tmp_path / "v", errors="replace").words == ("a\ufffd",)


@pytest.mark.parametrize("numbers", [b"1.5 2.5", b"0.5 4e3", b"12  3.4"])
def test_text_that_could_be_binary_is_read_as_text(tmp_path, numbers):
    """Rows of four characters a number have just the length of float32 in binary."""
    content = b"2 2\na " + numbers + b"\nb " + numbers + b"\n"
    (tmp_path / "v").write_bytes(content)
    want = np.float32([float(number) for number in numbers.split()])
    assert came_back(tmp_path / "v", ["a", "b"], np.stack([want, want]))


def test_binary_numbers_that_look_like_text_are_not_saved(tmp_path):
    digits = np.frombuffer(b"1.5 2.5\n", np.float32).reshape(1, 2)
    why = refusal(tmp_path / "v", Vectors(["a"], digits), True)
    assert "save them as text" in why
    save(tmp_path / "v", Vectors(["a"], digits))
    assert came_back(tmp_path / "v", ["a"], digits)


@pytest.mark.parametrize("packed", [False, True])
def test_cut_anywhere_is_refused(tmp_path, packed):
    save(tmp_path / "v", Vectors(["a", "bc"], matrix_of(2)))
    content = (tmp_path / "v").read_bytes()
    content = gzip.compress(content) if packed else content
    for n in range(len(content)):
        (tmp_path / "v").write_bytes(content[:n])
        with pytest.raises(ValueError, match="v"):
            load(tmp_path / "v")


@pytest.mark.parametrize("read", [load, word2vec.read_analogies, word2vec.read_similarities])
def test_what_is_not_a_file_is_refused(tmp_path, read):
    with pytest.raises(FileNotFoundError, match="missing"):
        read(tmp_path / "missing")
    with pytest.raises(ValueError, match="empty"):
        read("")
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        for endless in (tmp_path / "pipe", "/dev/zero"):
            with pytest.raises(ValueError, match=r"is a (pipe|device)"):
                read(endless)


BOMBS = {
    "one number": (b"1 1\na " + b"1" * 2**27, "unpacks to more than 20 times its size"),
    "one line": (b"a" + b" 1" * 2**22, "not in word2vec's format"),
    "one line after a header": (b"1 4194304\na" + b" 1" * 2**22 + b"\n", "line 2 has more than"),
    "one word": (b"4194304 1\n" + b"a 1\n" * 2**22, "line 2 and line 3 have the same word"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_not_unpacked(tmp_path, name):
    content, message = BOMBS[name]
    (tmp_path / "v").write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "v")
