"""A mesh as two arrays, its volume, and points drawn on its surface."""

from typing import Any, NamedTuple

import numpy as np

from jaxnets.host import checks


class Mesh(NamedTuple):
    """Holds triangles as rows of vertex numbers, counterclockwise seen from outside.

    Example:
        >>> from jaxnets import meshes
        >>> corner = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        >>> mesh = meshes.as_mesh(corner, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        >>> mesh.vertices.shape, mesh.triangles.shape
        ((4, 3), (4, 3))
    """

    vertices: np.ndarray
    """`[vertices, 3]`, double precision."""
    triangles: np.ndarray
    """`[triangles, 3]`, integers."""


def as_mesh(vertices: Any, triangles: Any) -> Mesh:
    """Checks and converts vertices `[n, 3]` and triangles `[m, 3]`.

    Raises:
        ValueError: other shapes, no triangle, a coordinate that is not finite, or a vertex number
            that does not exist (the first is named).
        TypeError: not numbers, or vertex numbers that are not integers.

    Example:
        >>> as_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]).triangles.shape
        (1, 3)
    """
    found = checks.as_finite(vertices, "vertices").astype(np.float64)
    numbers = checks.as_finite(triangles, "triangles")
    for array, name in ((found, "vertices"), (numbers, "triangles")):
        if array.ndim != 2 or array.shape[1] != 3 or not len(array):
            raise ValueError(f"{name} have shape {array.shape}; expected [{name}, 3], one or more")
    if not checks.is_integer(numbers.dtype):
        raise TypeError(f"triangles have dtype {numbers.dtype}; vertex numbers are integers")
    wrong = (numbers < 0) | (numbers >= len(found))
    if wrong.any():
        row = int(np.argwhere(wrong)[0, 0])
        raise ValueError(
            f"triangle {row} has the vertices {numbers[row].tolist()}; there are {len(found)}, "
            "numbered from 0"
        )
    return Mesh(found, numbers.astype(np.int64))


def corners(mesh: Mesh) -> np.ndarray:
    """Gathers the corners of each triangle, `[triangles, corner, coordinate]`."""
    return mesh.vertices[mesh.triangles]


def directed_edges(triangles: np.ndarray) -> np.ndarray:
    """Lists the edges of all triangles, `[3 triangles, 2]`: the first of each, the second, ..."""
    return np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])


def require_closed(mesh: Mesh) -> None:
    """Raises a ValueError unless each edge is run through once each way, as on closed surfaces."""
    edges = directed_edges(mesh.triangles)
    code = edges[:, 0] * len(mesh.vertices) + edges[:, 1]
    back = edges[:, 1] * len(mesh.vertices) + edges[:, 0]
    twice = len(code) - len(np.unique(code))
    if twice:
        raise ValueError(
            f"the mesh is not closed and oriented: {twice} of {len(edges)} edges are run through "
            "the same way twice, as by a triangle that is there twice"
        )
    if not np.array_equal(np.sort(code), np.sort(back)):
        lone = int((~np.isin(back, code)).sum())
        raise ValueError(
            f"the mesh is not closed and oriented: {lone} of {len(edges)} edges have no triangle "
            "on the other side that runs through them the other way"
        )


def volume(mesh: Mesh) -> float:
    """Computes the volume inside a closed mesh, `sum a . (b x c) / 6`; negative if inside out.

    Example:
        >>> corner = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        >>> round(volume(as_mesh(corner, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])), 4)
        0.1667
    """
    a, b, c = np.moveaxis(corners(mesh), 1, 0)
    return float(np.sum(a * np.cross(b, c)) / 6)


def areas(mesh: Mesh) -> np.ndarray:
    """Computes the area of each triangle, `[triangles]`."""
    a, b, c = np.moveaxis(corners(mesh), 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def surface_points(mesh: Mesh, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draws points `[n, 3]` uniformly on the surface.

    Raises:
        ValueError: n below 1, or a mesh without area.
        TypeError: n that is not an integer.

    Example:
        >>> triangle = as_mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
        >>> surface_points(triangle, 5, np.random.default_rng(0)).shape
        (5, 3)
    """
    checks.require_count(n, "n")
    area = areas(mesh)
    if not area.sum() > 0:
        raise ValueError("the mesh has no area: all of its triangles are flat")
    chosen = corners(mesh)[rng.choice(len(area), n, p=area / area.sum())]
    # The square root makes the points uniform on a triangle (Turk, 1990).
    away, side = np.sqrt(rng.uniform(size=n)), rng.uniform(size=n)
    weights = np.stack([1 - away, away * (1 - side), away * side], axis=1)
    return np.sum(weights[:, :, None] * chosen, axis=1)


def normalise(mesh: Mesh, radius: float = 1.0) -> Mesh:
    """Moves the middle of the bounding box to 0 and scales the mesh into a ball of that radius.

    Raises:
        ValueError: a radius that is not above 0, or vertices that are all the same.

    Example:
        >>> triangle = as_mesh([[0, 0, 0], [4, 0, 0], [0, 4, 0]], [[0, 1, 2]])
        >>> round(float(np.linalg.norm(normalise(triangle).vertices, axis=1).max()), 3)
        1.0
    """
    checks.require_positive(radius, "radius")
    moved = mesh.vertices - (mesh.vertices.max(axis=0) + mesh.vertices.min(axis=0)) / 2
    farthest = np.linalg.norm(moved, axis=1).max()
    if not farthest > 0:
        raise ValueError("the mesh has no extent: all of its vertices are the same")
    return Mesh(moved * (radius / farthest), mesh.triangles)
