"""Loop's subdivision: four triangles for one, towards a smooth surface."""

import numpy as np

from jaxnets.meshes.mesh import Mesh, directed_edges, require_closed


def subdivide(mesh: Mesh) -> Mesh:
    r"""Divides each triangle of a closed mesh into four, and smooths (Loop, 1987).

    The new vertex of an edge is $3/8$ of each end and $1/8$ of each vertex across; an old vertex
    with k neighbours becomes $(1 - k \beta) v + \beta \sum_j v_j$ with
    $\beta = (5/8 - (3/8 + \cos(2 \pi / k) / 4)^2) / k$.

    Raises:
        ValueError: the mesh is not closed.

    Example:
        >>> from jaxnets import meshes
        >>> corner = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        >>> mesh = meshes.as_mesh(corner, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
        >>> len(subdivide(mesh).triangles)
        16
    """
    require_closed(mesh)
    vertices, triangles = mesh
    ends, edge_of = np.unique(
        np.sort(directed_edges(triangles), axis=1), axis=0, return_inverse=True
    )
    first, second, third = len(vertices) + edge_of.reshape(3, -1)
    a, b, c = triangles.T
    parts = ((a, first, third), (first, b, second), (third, second, c), (first, second, third))
    new = _edge_vertices(vertices, triangles, ends, edge_of.ravel())
    moved = _moved(vertices, ends)
    return Mesh(np.concatenate([moved, new]), np.concatenate([np.stack(p, axis=1) for p in parts]))


def _edge_vertices(
    vertices: np.ndarray, triangles: np.ndarray, ends: np.ndarray, edge_of: np.ndarray
) -> np.ndarray:
    opposite = vertices[triangles[:, [2, 0, 1]].T.ravel()]
    across = np.zeros((len(ends), 3))
    np.add.at(across, edge_of, opposite)
    return 3 / 8 * vertices[ends].sum(axis=1) + across / 8


def _moved(vertices: np.ndarray, ends: np.ndarray) -> np.ndarray:
    around, neighbours = np.zeros_like(vertices), np.bincount(ends.ravel(), minlength=len(vertices))
    np.add.at(around, ends[:, 0], vertices[ends[:, 1]])
    np.add.at(around, ends[:, 1], vertices[ends[:, 0]])
    k = np.maximum(neighbours, 1)
    beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / k) / 4) ** 2) / k
    moved = (1 - k * beta)[:, None] * vertices + beta[:, None] * around
    return np.where(neighbours[:, None] > 0, moved, vertices)
