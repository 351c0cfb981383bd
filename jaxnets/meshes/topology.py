"""What does not change when a surface is bent: its pieces and their genus."""

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from jaxnets.meshes.mesh import Mesh, directed_edges, require_closed


def components(mesh: Mesh) -> list[Mesh]:
    """Splits a mesh into its connected pieces, that with most triangles first.

    Example:
        >>> from jaxnets import meshes
        >>> far = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [9, 0, 0], [9, 1, 0], [9, 0, 1]]
        >>> len(components(meshes.as_mesh(far, [[0, 1, 2], [3, 4, 5]])))
        2
    """
    edges, n = directed_edges(mesh.triangles), len(mesh.vertices)
    joined = coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (n, n))
    labels = connected_components(joined, directed=False)[1][mesh.triangles[:, 0]]
    pieces = [_piece(mesh, labels == label) for label in np.unique(labels)]
    return sorted(pieces, key=lambda piece: -len(piece.triangles))


def genus(mesh: Mesh) -> tuple[int, ...]:
    """Counts the handles of each closed piece, `1 - (V - E + F) / 2`, of the largest first.

    Euler and Poincare: 0 for a ball, 1 for a ring. Pieces that touch in a point count for
    themselves.

    Raises:
        ValueError: the mesh is not closed.

    Example:
        >>> from jaxnets import meshes
        >>> corner = [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]
        >>> genus(meshes.as_mesh(corner, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))
        (0,)
    """
    require_closed(mesh)
    return tuple(1 - _characteristic(piece) // 2 for piece in components(_cut_at_points(mesh)))


def _characteristic(closed: Mesh) -> int:
    """Computes V - E + F, where each edge is that of two triangles: E = 3 F / 2."""
    return len(closed.vertices) - len(closed.triangles) // 2


def _cut_at_points(mesh: Mesh) -> Mesh:
    """Gives each fan of triangles a vertex of its own, where several meet in one.

    Corners of triangles are of one fan if the triangles share an edge there.
    """
    edges = directed_edges(mesh.triangles)
    n, back = len(edges), np.empty(len(edges), int)
    back[np.lexsort(edges.T[::-1])] = np.lexsort(edges.T)
    starts, ends = np.arange(n), (back + len(mesh.triangles)) % n
    fans = connected_components(coo_matrix((np.ones(n), (starts, ends)), (n, n)), directed=False)[1]
    corner = np.unique(fans, return_index=True)[1]
    return Mesh(mesh.vertices[edges[corner, 0]], fans.reshape(3, -1).T)


def _piece(mesh: Mesh, chosen: np.ndarray) -> Mesh:
    used, triangles = np.unique(mesh.triangles[chosen], return_inverse=True)
    return Mesh(mesh.vertices[used], triangles.reshape(-1, 3))
