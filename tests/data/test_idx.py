"""IDX files built byte by byte, intact and broken."""

import gzip
import math
import struct
import tracemalloc

import numpy as np
import pytest

from jaxnets.data import idx


def idx_bytes(array: np.ndarray, kind: int = 8) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(math.prod(shape)).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("shape", [(1,), (7,), (5, 28, 28), (2, 3, 4, 5), (0, 28, 28)])
def test_idx_round_trip(tmp_path, shape):
    array = pixels(*shape)
    (tmp_path / "a.gz").write_bytes(gzip.compress(idx_bytes(array)))
    np.testing.assert_array_equal(idx.read(tmp_path / "a.gz"), array)


@pytest.mark.parametrize(
    ("unpacked", "message"),
    [
        (idx_bytes(pixels(3, 4))[:-1], r"cut short: its header \(3, 4\) promises 24 .* to 23"),
        (idx_bytes(pixels(3, 4)) + b"!", r"too long: its header \(3, 4\) promises 24 .* to 25"),
        (idx_bytes(pixels(3, 4))[:9], "cut short: its header takes 12 bytes"),
        (idx_bytes(pixels(3, 4), kind=0x0D), "starts with the bytes 00 00 0d 02"),
        (b"\x89PNG and more", "starts with the bytes 89 50 4e 47"),
        (b"", "of an empty file"),
    ],
)
def test_impossible_idx_contents_are_refused(tmp_path, unpacked, message):
    (tmp_path / "a.gz").write_bytes(gzip.compress(unpacked))
    with pytest.raises(ValueError, match=r"a\.gz .*" + message + ".*download it again"):
        idx.read(tmp_path / "a.gz")


@pytest.mark.parametrize("end", [0, 5, 30, -9, -8, -1])
def test_idx_file_cut_anywhere(tmp_path, end):
    packed = gzip.compress(idx_bytes(pixels(5, 28, 28)))
    (tmp_path / "a.gz").write_bytes(packed[:end])
    with pytest.raises(ValueError, match=r"a\.gz .*delete it and download it again"):
        idx.read(tmp_path / "a.gz")


@pytest.mark.parametrize("position", [0, 60, -6, -2])
def test_idx_file_with_a_changed_byte(tmp_path, position):
    packed = bytearray(gzip.compress(idx_bytes(pixels(5, 28, 28))))
    packed[position] ^= 0x10
    (tmp_path / "a.gz").write_bytes(packed)
    with pytest.raises(ValueError, match=r"a\.gz \(\d+ bytes\) is not an intact gzip file"):
        idx.read(tmp_path / "a.gz")


def test_missing_idx_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a\.gz"):
        idx.read(tmp_path / "a.gz")


def test_idx_file_with_bytes_after_its_end(tmp_path):
    packed = gzip.compress(idx_bytes(pixels(3, 4)))
    for rest in (b"garbage", packed, b"\0"):
        (tmp_path / "a.gz").write_bytes(packed + rest)
        with pytest.raises(ValueError, match=rf"a\.gz has {len(rest)} bytes after its end"):
            idx.read(tmp_path / "a.gz")


@pytest.mark.parametrize(
    ("shape", "zeros", "message"),
    [
        ((3, 4), 2**28, r"too long: its header \(3, 4\) promises 24 bytes.* or more"),
        ((2**31, 2**31, 2**31), 2**20, "cut short"),
        ((2**28,), 2**20, "cut short"),
    ],
)
def test_a_bomb_is_unpacked_no_further_than_its_header_says(tmp_path, shape, zeros, message):
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    (tmp_path / "a.gz").write_bytes(gzip.compress(header + bytes(zeros)))
    tracemalloc.start()
    with pytest.raises(ValueError, match=message):
        idx.read(tmp_path / "a.gz")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**23
