"""Stanford PLY files, as text or binary: vertices and polygons."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.host.paths import as_path
from jaxnets.meshes.mesh import Mesh, as_mesh
from jaxnets.meshes.obj import fan
from jaxnets.storage.atomic import atomic_write

TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4", "uint": "u4"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float": "f4", "double": "f8", "float32": "f4", "float64": "f8"},
}
ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
"""The order of bytes by the name of a format."""
INDICES = ("vertex_indices", "vertex_index")
HEADER = """ply
format binary_little_endian 1.0
element vertex {vertices}
property double x
property double y
property double z
element face {triangles}
property list uchar int vertex_indices
end_header
"""


class Property(NamedTuple):
    """Names a number of each row or, with a type for its length, a list of numbers."""

    name: str
    type: str
    length: str = ""


class Element(NamedTuple):
    """Describes the rows of one kind, such as `vertex`."""

    name: str
    rows: int
    properties: list[Property]


def read_ply(path: str | Path) -> Mesh:
    """Reads vertices and faces of a PLY file; polygons are cut into fans of triangles.

    Other elements and properties are skipped.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a PLY file, an unknown format or type, a file that ends too early, no
            vertices or faces, or as in `as_mesh`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jaxnets import meshes
        >>> path = Path(tempfile.mkdtemp()) / "triangle.ply"
        >>> write_ply(path, meshes.as_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]))
        >>> read_ply(path).triangles.tolist()
        [[0, 1, 2]]
    """
    path = as_path(path)
    header, found, body = path.read_bytes().partition(b"end_header")
    try:
        if not header.startswith(b"ply") or not found:
            raise ValueError("not a PLY file, which has a header from ply to end_header")
        order, elements = _parse(header.decode("latin-1"))
        values = _values(order, elements, body.partition(b"\n")[2])
        return _as_mesh(values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def write_ply(path: str | Path, mesh: Mesh) -> None:
    """Writes a binary PLY file that `read_ply` reads back without a change.

    Raises:
        OSError: what cannot be written, as in `atomic_write`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jaxnets import meshes
        >>> path = Path(tempfile.mkdtemp()) / "triangle.ply"
        >>> write_ply(path, meshes.as_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]))
        >>> path.read_bytes()[:3]
        b'ply'
    """
    header = HEADER.format(vertices=len(mesh.vertices), triangles=len(mesh.triangles))
    rows = np.empty(len(mesh.triangles), np.dtype([("n", "u1"), ("corners", "<i4", 3)]))
    rows["n"], rows["corners"] = 3, mesh.triangles
    with atomic_write(path) as file:
        file.write(header.encode() + mesh.vertices.astype("<f8").tobytes() + rows.tobytes())


def _parse(header: str) -> tuple[str, list[Element]]:
    order, elements = None, []
    for line in header.splitlines()[1:]:
        match line.split():
            case [] | ["comment" | "obj_info", *_]:
                continue
            case ["format", name, "1.0"] if name in ORDERS:
                order = ORDERS[name]
            case ["element", name, count] if count.isdecimal():
                elements.append(Element(name, int(count), []))
            case ["property", "list", length, kind, name] if elements and {length, kind} <= {
                *TYPES
            }:
                elements[-1].properties.append(Property(name, TYPES[kind], TYPES[length]))
            case ["property", kind, name] if elements and kind in TYPES:
                elements[-1].properties.append(Property(name, TYPES[kind]))
            case _:
                raise ValueError(f"the header has a line that cannot be read: {line[:60]!r}")
    if order is None:
        raise ValueError("the header has no line with a format")
    return order, elements


def _values(order: str, elements: list[Element], body: bytes) -> dict[str, dict[str, list]]:
    """Reads the columns of all elements, by their names."""
    source: Any = _Binary(body, order) if order else _Text(body)
    found: dict[str, dict[str, list]] = {}
    for element in elements:
        if not element.properties:
            raise ValueError(f"element {element.name} has no properties")
        columns: dict[str, list] = {one.name: [] for one in element.properties}
        for _ in range(element.rows):
            for one in element.properties:
                columns[one.name].append(_value(source, one))
        found[element.name] = columns
    return found


def _value(source: Any, of: Property) -> Any:
    if not of.length:
        return source.take(of.type, 1)[0]
    return source.take(of.type, int(source.take(of.length, 1)[0]))


class _Binary:
    def __init__(self, body: bytes, order: str) -> None:
        self.body, self.order, self.at = body, order, 0

    def take(self, kind: str, n: int) -> list:
        dtype = np.dtype(self.order + kind)
        end = self.at + n * dtype.itemsize
        if n < 0 or end > len(self.body):
            raise ValueError("the file ends too early, or has a list of negative length")
        values = np.frombuffer(self.body, dtype, n, self.at).tolist()
        self.at = end
        return values


class _Text:
    def __init__(self, body: bytes) -> None:
        self.words, self.at = body.decode("ascii").split(), 0

    def take(self, kind: str, n: int) -> list:
        end = self.at + n
        if n < 0 or end > len(self.words):
            raise ValueError("the file ends too early, or has a list of negative length")
        words, self.at = self.words[self.at : end], end
        return [float(word) if kind.startswith("f") else int(word) for word in words]


def _as_mesh(values: dict[str, dict[str, list]]) -> Mesh:
    vertices, faces = values.get("vertex", {}), values.get("face", {})
    names = [name for name in INDICES if name in faces]
    if not {"x", "y", "z"} <= {*vertices} or not names:
        raise ValueError("there are no vertices with x, y, z, or no faces with vertex_indices")
    triangles = [triangle for polygon in faces[names[0]] for triangle in fan(polygon)]
    coordinates = np.stack([np.asarray(vertices[axis], float) for axis in "xyz"], axis=1)
    return as_mesh(coordinates, np.asarray(triangles, dtype=int).reshape(-1, 3))
