"""Mesh files: there and back, written by hand, and damaged."""

import struct

import numpy as np
import pytest

from jaxnets import meshes
from tests.support.solids import octahedron, ring_mesh

FORMATS = {
    "obj": (meshes.read_obj, meshes.write_obj),
    "ply": (meshes.read_ply, meshes.write_ply),
}


@pytest.mark.parametrize("name", FORMATS)
def test_there_and_back(name, tmp_path):
    read, write = FORMATS[name]
    mesh = ring_mesh(0.7, 0.1)
    write(tmp_path / "mesh", mesh)
    again = read(tmp_path / "mesh")
    np.testing.assert_array_equal(again.vertices, mesh.vertices, strict=True)
    np.testing.assert_array_equal(again.triangles, mesh.triangles, strict=True)


def test_a_wavefront_file_written_by_hand(tmp_path):
    """A quad, a triangle from the end, textures, normals, a comment, a group."""
    (tmp_path / "a.obj").write_text(
        "# a comment\no thing\nv 0 0 0\nv 1 0 0 1.0\nv 1 1e0 0\nv 0 1 0 # here\nvt 0 0\nvn 0 0 1\n"
        "\nf 1/1/1 2/1/1 3//1 4\nv 0 0 2\nf -1 -5 -4\n"
    )
    mesh = meshes.read_obj(tmp_path / "a.obj")
    np.testing.assert_array_equal(mesh.triangles, [[0, 1, 2], [0, 2, 3], [4, 0, 1]])
    np.testing.assert_array_equal(mesh.vertices[[2, 4]], [[1, 1, 0], [0, 0, 2]])


def test_a_file_may_begin_with_a_mark_of_its_encoding(tmp_path):
    text = "v 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 2 3 4\nf 1 2 3\n"
    (tmp_path / "a.obj").write_text(text, encoding="utf-8-sig")
    np.testing.assert_array_equal(meshes.read_obj(tmp_path / "a.obj").triangles[0], [1, 2, 3])


def test_comments_of_a_stanford_file_may_have_any_letters(tmp_path):
    named = ply("binary_little_endian").replace(b"by hand", "Straße".encode())
    (tmp_path / "a.ply").write_bytes(named)
    assert len(meshes.read_ply(tmp_path / "a.ply").vertices) == 4


HEADER = """ply
format {order} 1.0
comment by hand
element vertex 4
property float x
property float y
property float z
property uchar red
element face 2
property uchar flags
property list uchar short vertex_index
element edge 1
property int vertex1
property int vertex2
end_header
"""
ROWS = [(0, 0, 0, 9), (1, 0, 0, 9), (1, 1, 0, 9), (0, 1, 0.5, 9)]


def ply(order):
    header = HEADER.format(order=order).encode()
    if order == "ascii":
        rows = "\n".join(" ".join(map(str, row)) for row in ROWS)
        return header + f"{rows}\n1 4 0 1 2 3\n1 3 3 2 1\n0 1\n".encode()
    sign = ">" if "big" in order else "<"
    vertices = b"".join(struct.pack(f"{sign}3fB", *row) for row in ROWS)
    faces = struct.pack(f"{sign}2B4h", 1, 4, 0, 1, 2, 3) + struct.pack(f"{sign}2B3h", 1, 3, 3, 2, 1)
    return header + vertices + faces + struct.pack(f"{sign}2i", 0, 1)


@pytest.mark.parametrize("order", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_a_stanford_file_written_by_hand(order, tmp_path):
    (tmp_path / "a.ply").write_bytes(ply(order))
    mesh = meshes.read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.vertices, [row[:3] for row in ROWS])
    np.testing.assert_array_equal(mesh.triangles, [[0, 1, 2], [0, 2, 3], [3, 2, 1]])


BAD_OBJ = {
    "nothing": (b"", "has no faces"),
    "bytes": (b"\xff\xfe\x00", "not a text file"),
    "word": (b"v 0 0 x\n", r"a\.obj:1: could not convert"),
    "two coordinates": (b"v 0 0 0\nv 0 0\n", r"a\.obj:2: a vertex has 2 coordinates"),
    "two corners": (b"v 0 0 0\nf 1 1\n", r"a\.obj:2: a face has 2 corners"),
    "vertex 0": (b"v 0 0 0\nf 0 1 1\n", "vertex 0 does not exist"),
    "before the first": (b"v 0 0 0\nf -2 1 1\n", "vertex -2 does not exist; there are 1"),
    "beyond the last": (b"v 0 0 0\nf 1 1 2\n", r"triangle 0 has the vertices \[0, 0, 1\]"),
    "infinity": (b"v 0 0 inf\nf 1 1 1\n", "must be finite"),
}


@pytest.mark.parametrize(("content", "message"), BAD_OBJ.values(), ids=BAD_OBJ)
def test_damaged_wavefront_files(content, message, tmp_path):
    (tmp_path / "a.obj").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        meshes.read_obj(tmp_path / "a.obj")


GOOD = ply("ascii")
LITTLE = ply("binary_little_endian")
BAD_PLY = {
    "nothing": (b"", "not a PLY file"),
    "no end": (GOOD.split(b"end_header")[0], "not a PLY file"),
    "format": (GOOD.replace(b"ascii", b"zip"), "cannot be read: 'format zip 1.0'"),
    "no format": (GOOD.replace(b"format ascii 1.0\n", b""), "no line with a format"),
    "type": (GOOD.replace(b"float x", b"real x"), "cannot be read: 'property real x'"),
    "count": (GOOD.replace(b"vertex 4", b"vertex -4"), "cannot be read: 'element vertex -4'"),
    "no z": (GOOD.replace(b"float z", b"float w"), "no vertices with x, y, z"),
    "no faces": (GOOD.replace(b"vertex_index", b"corners"), "no faces with vertex_indices"),
    "short": (GOOD[:-6], "ends too early"),
    "short binary": (LITTLE[:-1], "ends too early"),
    "more than there is": (LITTLE.replace(b"vertex 4", b"vertex 9999999999"), "ends too early"),
    "word": (GOOD.replace(b"0.5", b"up"), "could not convert"),
    "beyond": (GOOD.replace(b"3 3 2 1", b"3 3 2 4"), r"\[3, 2, 4\]; there are 4"),
    "nan": (GOOD.replace(b"0.5", b"nan"), "must be finite"),
    "corners": (GOOD.replace(b"1 3 3 2 1", b"1 2 3 2"), "a face has 2 corners"),
}


@pytest.mark.parametrize(("content", "message"), BAD_PLY.values(), ids=BAD_PLY)
def test_damaged_stanford_files(content, message, tmp_path):
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        meshes.read_ply(tmp_path / "a.ply")


def test_files_that_are_not_there(tmp_path):
    for read, _ in FORMATS.values():
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "none")
        with pytest.raises(TypeError, match="must be a str or a pathlib"):
            read(octahedron())
