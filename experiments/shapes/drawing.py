"""Pictures of meshes: shaded triangles, seen obliquely from above."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

from jaxnets import meshes
from jaxnets.meshes import Mesh

SIDE = np.asarray([-0.829, 0.0, 0.559])
UP = np.asarray([0.252, 0.894, 0.372])
MOST_PIECES = 3
"""Pieces of a shape whose handles a title counts."""
LIGHT = np.asarray([-0.3, 0.8, -0.52])


def draw(axes: Axes, shape: Mesh | None, title: str, upright: bool = True) -> None:
    """Draws a mesh of which y points up, or z; far triangles first."""
    axes.set_axis_off()
    axes.set(title=title, aspect="equal", xlim=(-0.85, 0.85), ylim=(-0.85, 0.85))
    if shape is None:
        return
    corners = shape.vertices[shape.triangles]
    if not upright:
        corners = corners[..., [1, 2, 0]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    towards = np.cross(SIDE, UP)
    depth = corners.mean(axis=1) @ towards
    order = np.argsort(depth)
    flat = np.stack([corners @ SIDE, corners @ UP], axis=-1)[order]
    shade = np.clip(0.25 + 0.7 * np.clip(normals[order] @ LIGHT, 0, 1), 0, 1)
    colours = shade[:, None] * np.asarray([[0.6, 0.75, 0.95]])
    axes.add_collection(
        PolyCollection(list(flat), facecolors=colours, edgecolors=colours, linewidths=0.2)
    )


def draw_values(axes: Axes, values: np.ndarray, title: str, upright: bool = True) -> None:
    """Draws the zero set of values `[n, n, n]`, with the handles of its pieces in the title."""
    found = meshes.march(values) if values.min() < 0 < values.max() else None
    draw(axes, found, f"{title}\n{_handles(found)}", upright)


def _handles(mesh: Mesh | None) -> str:
    """Writes the genus of each piece, of the first three if there are more."""
    if mesh is None:
        return "no surface"
    pieces = [str(genus) for genus in meshes.genus(mesh)]
    rest = f", … ({len(pieces)} pieces)" if len(pieces) > MOST_PIECES else ""
    return f"genus {', '.join(pieces[:MOST_PIECES])}{rest}"
