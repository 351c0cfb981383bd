"""Archives as users have them, and archives and files that were made to do harm."""

import gzip
import io
import os
import pickle
import socket
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from jaxnets import data
from jaxnets.data import idx, npz
from jaxnets.data.npz import array_names, read_npz
from tests.support.fuzzing import answer, refused

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
Y = np.arange(20) % 2
METHODS = {"bzip2": zipfile.ZIP_BZIP2, "lzma": zipfile.ZIP_LZMA, "deflate": zipfile.ZIP_DEFLATED}


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive(path, members, method=zipfile.ZIP_STORED):
    """Writes a zip archive of members, in order; a name may come twice."""
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            file.writestr(name, content if isinstance(content, bytes) else npy(content))
    return path


def same_as_arrays(path, x=X, y=Y):
    """Whether the data set of an archive is that of the arrays, sample by sample."""
    found, wanted = data.from_npz(path), data.from_arrays(x, y)
    return all(
        np.array_equal(found[i][axis], wanted[i][axis]) for i in range(3) for axis in ("x", "y")
    )


class Harm:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def other_members(path):
    return {
        "names as objects": ("names.npy", np.array(["cat", None], object)),
        "of macOS": ("__MACOSX/._x.npy", b"hello"),
        "of macOS, by itself": ("._x.npy", b"hello"),
        "a readme": ("README.txt", b"hello"),
        "a readme without an ending": ("README", b"hello"),
        "a folder": ("folder/", b""),
        "a pickle": ("y.pkl", pickle.dumps(Harm(path))),
        "an array that is cut short": ("names.npy", npy(Y)[:-8]),
        "no array at all": ("names.npy", b"PK\3\4 not an array"),
        "a bomb": ("names.npy", npy(np.zeros(2**21))),
    }


@pytest.mark.parametrize("kind", other_members(None))
def test_case_29_npz_with_other_members(tmp_path, kind):
    other = other_members(tmp_path / "harm")[kind]
    path = archive(tmp_path / "a.npz", [other, ("x.npy", X), ("y.npy", Y)], zipfile.ZIP_DEFLATED)
    assert same_as_arrays(path)
    np.testing.assert_array_equal(np.load(path, allow_pickle=False)["x"], X)
    assert not (tmp_path / "harm").exists()


def test_an_object_with_harm_is_never_unpickled(tmp_path):
    harm = np.array([Harm(tmp_path / "harm")], object)
    np.savez(tmp_path / "a.npz", x=X, y=Y, names=harm)
    assert same_as_arrays(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", x=X, y=harm)
    with pytest.raises(ValueError, match=r"y\.npy holds Python objects: allow_pickle=False"):
        data.from_npz(tmp_path / "b.npz")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@pytest.mark.parametrize("kind", ["zeros", "noise"])
def test_case_29_npz_with_other_members_by_method(tmp_path, method, kind):
    x = np.zeros((4000, 500), np.float32) if kind == "zeros" else np.tile(X, (50, 1))
    y = np.arange(len(x)) % 2
    path = archive(tmp_path / "c.npz", [("x.npy", x), ("y.npy", y)], method)
    found = read_npz(path)
    np.testing.assert_array_equal(found["x"], x, strict=True)
    np.testing.assert_array_equal(found["y"], y, strict=True)


ARRAYS = {
    "Fortran order": np.asfortranarray(X.astype(float)),
    "big-endian": X.astype(">f8"),
    "structured": np.array([(1, 2.5)], [("a", "<i4"), ("b", ">f8")]),
    "no rows": np.zeros((0, 3)),
    "no columns": np.zeros((3, 0), ">i2"),
    "a scalar": np.array(3),
    "dates": np.array(["2020-01-01"], "datetime64[D]"),
    "complex": X.astype(complex),
    "32 axes": np.zeros((1,) * 32),
}


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_arrays_of_every_kind_come_back_by_every_method(tmp_path, method):
    path = archive(tmp_path / "a.npz", [(f"{k}.npy", a) for k, a in ARRAYS.items()], method)
    found = read_npz(path)
    assert list(found) == array_names(path) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_an_array_that_is_there_twice_is_refused(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", X), ("y.npy", Y), ("x.npy", X + 1)])
    with pytest.raises(ValueError, match=r"a\.npz is damaged \(it has the array 'x' 2 times"):
        data.from_npz(path)


def header(text, version=1):
    """The beginning of an .npy file with any header."""
    packed = text.encode()
    length = struct.pack("<H" if version == 1 else "<I", len(packed))
    return b"\x93NUMPY" + bytes([version, 0]) + length + packed


def described(shape, descr="'<f8'"):
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n")


HEADERS = {
    "a negative shape": described("(-2,)") + bytes(16),
    "two negative axes": described("(-2, -2)") + bytes(32),
    "a huge shape": described(f"({2**62}, 4)") + bytes(8),
    "a huge shape of nothing": described(f"(0, {2**70})"),
    "no bytes an entry": described("(1000000000000,)", "'<U0'"),
    "a huge dtype": described("(1,)", f"'<U{2**29}'"),
    "65 axes": described("(1,) * 65") + bytes(8),
    "65 axes, written out": described(f"({'1, ' * 65})") + bytes(8),
    "no shape": header("{'descr': '<f8'}"),
    "no dict": header("[1, 2]"),
    "an expression": header("__import__('os').getcwd()"),
    "a deep expression": header("-" * 9000 + "1"),
    "many parentheses": header("(" * 900),
    "a shape of words": described("('a',)"),
    "a dtype that is none": described("(1,)", "'zebra'"),
    "objects": described("(1,)", "'|O'") + bytes(8),
    "a long header": header(" " * 60_000),
    "a header of 4 GiB": header("", 2)[:8] + struct.pack("<I", 2**32 - 1) + bytes(2**23),
    "version 9": b"\x93NUMPY\x09\0" + bytes(100),
    "nothing": b"",
}


@pytest.mark.parametrize("content", HEADERS.values(), ids=HEADERS)
def test_absurd_headers_are_refused(tmp_path, content):
    members = [("x.npy", content), ("y.npy", Y)]
    path = archive(tmp_path / "a.npz", members, zipfile.ZIP_DEFLATED)
    assert memory_of_refusal(lambda: data.from_npz(path), r"a\.npz") < 2**23


def memory_of_refusal(read, message):
    """The most bytes that Python and NumPy took until a read was refused."""
    tracemalloc.start()
    with pytest.raises(ValueError, match=message):
        read()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most


def overlapping(path, count, size):
    """An archive whose members all unpack the same bytes, as in the bombs of Fifield (2019)."""
    content = described(f"({size // 8},)") + bytes(size)
    archive(path, [("x.npy", content)], zipfile.ZIP_DEFLATED)
    raw = path.read_bytes()
    at, end = raw.index(b"PK\1\2"), raw.index(b"PK\5\6")
    entry, names = raw[at:end], ["x", "y", *"abcdefgh"][:count]
    entries = b"".join(entry.replace(b"x.npy", f"{n}.npy".encode()) for n in names)
    tail = bytearray(raw[end:])
    tail[8:16] = struct.pack("<HHI", count, count, len(entries))
    path.write_bytes(raw[:at] + entries + tail)


def test_overlapping_members_are_bounded_in_sum(tmp_path):
    overlapping(tmp_path / "a.npz", 8, 2**25)
    assert memory_of_refusal(lambda: read_npz(tmp_path / "a.npz"), "damaged") < 2**23


@pytest.mark.parametrize("method", ["bzip2", "lzma"])
def test_members_that_together_unpack_to_too_much_are_bounded_in_sum(tmp_path, method, monkeypatch):
    """Each of six members of a megabyte of zeros would pass, but not all."""
    monkeypatch.setattr(npz, "ALWAYS", 2**21)
    zeros = np.zeros(2**17)
    path = archive(tmp_path / "a.npz", [(f"x{i}.npy", zeros) for i in range(6)], METHODS[method])
    assert npz.MOST * path.stat().st_size < 2**22
    assert memory_of_refusal(lambda: read_npz(path), "far more than they should") < 2**19
    np.testing.assert_array_equal(read_npz(path, ["x1"])["x1"], zeros)


def test_a_member_of_bzip2_is_unpacked_no_further_than_it_says(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", npy(np.zeros(2**21))), ("y.npy", Y)], 12)
    raw = path.read_bytes()
    for at in (raw.index(b"PK\1\2") + 24, raw.index(b"PK\3\4") + 22):
        raw = raw[:at] + struct.pack("<I", 128 + 8 * 2) + raw[at + 4 :]
    path.write_bytes(raw)
    assert memory_of_refusal(lambda: data.from_npz(path), "promises 16777216 bytes") < 2**22


def test_lzma_with_a_dictionary_of_gigabytes_is_refused(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", X), ("y.npy", Y)], zipfile.ZIP_LZMA)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"x.npy") + 5 + 5
    raw[at : at + 4] = struct.pack("<I", 2**32 - 1)
    path.write_bytes(raw)
    assert memory_of_refusal(lambda: data.from_npz(path), "dictionary of 4294967295") < 2**23


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_any_changed_byte_of_a_packed_array_is_noticed(tmp_path, method):
    """Either the archive is refused, or the arrays are the same (the byte is of no use)."""
    path = archive(tmp_path / "a.npz", [("x.npy", X), ("y.npy", Y)], method)
    whole, random = path.read_bytes(), np.random.default_rng(0)
    whole_set = data.from_arrays(X, Y)
    for at in random.integers(len(whole), size=60):
        changed = bytearray(whole)
        changed[at] ^= 1 << random.integers(8)
        path.write_bytes(changed)
        found = answer(lambda: data.from_npz(path))
        assert refused(found) or np.array_equal(found.train["x"], whole_set.train["x"])


def test_an_encrypted_member_is_refused(tmp_path):
    path = archive(tmp_path / "a.npz", [("x.npy", X), ("y.npy", Y)])
    raw = bytearray(path.read_bytes())
    for sign, flag in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        raw[raw.index(sign) + flag] |= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"a\.npz: .*encrypted"):
        data.from_npz(path)


def idx_of(array):
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("name", ["images-idx3-ubyte", "images.idx3-ubyte", "images.gz"])
def test_case_32_idx_and_vectors_not_packed_so_the_idx_part(tmp_path, name):
    (tmp_path / name).write_bytes(struct.pack(">HBBI", 0, 8, 1, 4) + b"\1\2\3\4")
    np.testing.assert_array_equal(idx.read(tmp_path / name), np.array([1, 2, 3, 4], np.uint8))
    (tmp_path / name).write_bytes(idx_of(PIXELS))
    np.testing.assert_array_equal(idx.read(tmp_path / name), PIXELS, strict=True)


UNPACKED = {
    "cut short": (idx_of(PIXELS)[:-1], "cut short: its header .* promises 40 bytes"),
    "cut in the header": (idx_of(PIXELS)[:9], "cut short: its header takes 16 bytes"),
    "too long": (idx_of(PIXELS) + b"!", "too long"),
    "of floats": (b"\0\0\x0d\1" + bytes(8), "starts with the bytes 00 00 0d 01"),
    "of 2**96 pixels": (b"\0\0\x08\3" + b"\xff" * 12 + bytes(99), "cut short"),
    "a sound": (b"RIFF" + bytes(99), "not an intact gzip file"),
    "zip": (b"PK\3\4" + bytes(99), "not an intact gzip file"),
}


@pytest.mark.parametrize(("content", "message"), UNPACKED.values(), ids=UNPACKED)
def test_unpacked_idx_files_that_are_damaged(tmp_path, content, message):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        idx.read(tmp_path / "a")


def test_a_sparse_idx_file_of_a_terabyte_is_refused_at_once(tmp_path):
    for start in (b"\0\0\x08\1\0\0\0\4", gzip.compress(idx_of(PIXELS))):
        with (tmp_path / "a").open("wb") as file:
            file.write(start)
            file.truncate(2**40)
        assert memory_of_refusal(lambda: idx.read(tmp_path / "a"), "too long|after its end") < 2**23


READERS = {"idx": idx.read, "npz": data.from_npz}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes in folders")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", ["a folder", "a pipe", "a socket", "a device", "a link"])
def test_what_has_no_end_is_refused_before_it_is_read(tmp_path, reader, kind, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("own.npz")
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.close()
    else:
        path = Path("/dev/zero")
        if kind == "a link":
            path = Path("own.npz")
            path.symlink_to("/dev/zero")
    expected = "a device" if kind == "a link" else kind
    assert memory_of_refusal(lambda: READERS[reader](path), f"is {expected}, not a file") < 2**20
