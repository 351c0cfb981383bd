"""Closed meshes for tests, built without the code that is tested."""

import numpy as np

from jaxnets.meshes import Mesh


def box_mesh(half):
    """Twelve triangles, outward."""
    vertices = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], float)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return Mesh(vertices * half, np.array(triangles))


def octahedron():
    vertices = np.array(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float
    )
    up = [(0, 2, 4), (2, 1, 4), (1, 3, 4), (3, 0, 4)]
    return Mesh(vertices, np.array([*up, *((b, a, 5) for a, b, _ in up)]))


def ring_mesh(major, minor, around=24, across=12):
    """A torus of triangles with corners on it, outward."""
    u, v = np.meshgrid(np.arange(around), np.arange(across), indexing="ij")
    a, b = (2 * np.pi * u / around).ravel(), (2 * np.pi * v / across).ravel()
    out = major + minor * np.cos(b)
    vertices = np.stack([out * np.cos(a), out * np.sin(a), minor * np.sin(b)], axis=1)

    def number(i, j):
        return (i % around * across + j % across).ravel()

    corners = number(u, v), number(u + 1, v), number(u + 1, v + 1), number(u, v + 1)
    first, second = (np.stack([corners[i] for i in of], axis=1) for of in ((0, 1, 2), (0, 2, 3)))
    return Mesh(vertices, np.concatenate([first, second]))


def joined(a, b, shift):
    """Two meshes side by side as one."""
    return Mesh(
        np.concatenate([a.vertices, b.vertices + shift]),
        np.concatenate([a.triangles, b.triangles + len(a.vertices)]),
    )
