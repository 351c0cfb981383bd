"""Wavefront OBJ files: vertices and polygons."""

from itertools import pairwise
from pathlib import Path

import numpy as np

from jaxnets.host.paths import as_path
from jaxnets.meshes.mesh import Mesh, as_mesh
from jaxnets.storage.atomic import atomic_write


def read_obj(path: str | Path) -> Mesh:
    """Reads the vertices and faces of a Wavefront file; polygons are cut into fans of triangles.

    All other lines (normals, textures, groups) are skipped.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not such a file, a vertex or face that cannot be read (the line is named), or
            as in `as_mesh`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "triangle.obj"
        >>> lines = ["v 0 0 0", "v 1 0 0", "v 0 1 0", "f 1 2 3"]
        >>> _ = path.write_text(chr(10).join(lines))
        >>> read_obj(path).triangles.tolist()
        [[0, 1, 2]]
    """
    path = as_path(path)
    vertices: list[list[float]] = []
    triangles: list[tuple[int, int, int]] = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file: {error}") from error
    for number, line in enumerate(lines, 1):
        kind, *words = line.split("#")[0].split() or [""]
        try:
            if kind == "v":
                vertices.append(_vertex(words))
            elif kind == "f":
                triangles += fan([_index(word, len(vertices)) for word in words])
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from error
    if not triangles:
        raise ValueError(f"{path} has no faces, lines that begin with f")
    try:
        return as_mesh(np.asarray(vertices).reshape(-1, 3), np.asarray(triangles))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_obj(path: str | Path, mesh: Mesh) -> None:
    """Writes a Wavefront file that `read_obj` reads back without a change.

    Raises:
        OSError: what cannot be written, as in `atomic_write`.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jaxnets import meshes
        >>> path = Path(tempfile.mkdtemp()) / "triangle.obj"
        >>> write_obj(path, meshes.as_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]))
        >>> read_obj(path).vertices.shape
        (3, 3)
    """
    lines = [f"v {x!r} {y!r} {z!r}\n" for x, y, z in mesh.vertices.tolist()]
    lines += [f"f {a} {b} {c}\n" for a, b, c in (mesh.triangles + 1).tolist()]
    with atomic_write(path) as file:
        file.write("".join(lines).encode())


def fan(polygon: list[int]) -> list[tuple[int, int, int]]:
    """Cuts a polygon into triangles that share its first corner; raises a ValueError below 3."""
    if len(polygon) < 3:
        raise ValueError(f"a face has {len(polygon)} corners; it needs three or more")
    return [(polygon[0], b, c) for b, c in pairwise(polygon[1:])]


def _vertex(words: list[str]) -> list[float]:
    if len(words) < 3:
        raise ValueError(f"a vertex has {len(words)} coordinates; it needs three")
    return [float(word) for word in words[:3]]


def _index(word: str, known: int) -> int:
    """Converts `5`, `5/1` or `5/1/2` to a number from 0; -1 is the newest vertex."""
    number = int(word.split("/")[0])
    if not (1 <= number <= 2**31 or -known <= number <= -1):
        raise ValueError(f"vertex {number} does not exist; there are {known} so far, from 1")
    return number - 1 if number > 0 else known + number
