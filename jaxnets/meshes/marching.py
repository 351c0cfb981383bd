"""From the values of a function on a grid to the mesh of its zero set."""

from typing import Any

import numpy as np

from jaxnets.host import checks
from jaxnets.meshes.mesh import Mesh


def grid(n: int, bound: float = 1.0) -> np.ndarray:
    """Lists the points of a grid on `[-bound, bound]^3`, `[n^3, 3]`, x slowest.

    Raises:
        ValueError: n below 1, or a bound that is not above 0.
        TypeError: not numbers.

    Example:
        >>> grid(2).tolist()[:3]
        [[-1.0, -1.0, -1.0], [-1.0, -1.0, 1.0], [-1.0, 1.0, -1.0]]
    """
    checks.require_count(n, "n")
    checks.require_positive(bound, "bound")
    axis = np.linspace(-bound, bound, n, dtype=np.float32)
    return np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)


def march(values: Any, bound: float = 1.0) -> Mesh:
    """Builds the mesh where values `[n, n, n]`, negative inside, pass 0 (marching cubes).

    Lorensen and Cline (1987) in the topologically correct form of Lewiner et al. (2003). What
    reaches the border of the cube is closed there.

    Args:
        values: on the points of `grid(n, bound)`.
        bound: half the edge of the cube.

    Raises:
        ValueError: another shape, values that are not finite, or no sign change: no surface.
        TypeError: not numbers.
        ModuleNotFoundError: without scikit-image.

    Example:
        >>> import numpy as np
        >>> from jaxnets import meshes, shapes
        >>> values = np.asarray(shapes.torus(meshes.grid(20), 0.6, 0.25)).reshape(20, 20, 20)
        >>> meshes.genus(march(values))
        (1,)
    """
    checks.require_positive(bound, "bound")
    found = checks.as_finite(values, "values").astype(np.float32)
    n = len(found) if found.ndim else 0
    if found.shape != (n, n, n) or n < 3:
        raise ValueError(f"values have shape {found.shape}; expected [n, n, n] with n above 2")
    cell = 2 * bound / (n - 1)
    inner = found[1:-1, 1:-1, 1:-1].copy()
    found = np.where(found > 0, found, cell)
    found[1:-1, 1:-1, 1:-1] = inner
    if not inner.min() < 0:
        raise ValueError(
            f"the values are {inner.min():.3g} to {inner.max():.3g}: no surface, where they pass 0"
        )
    vertices, triangles = _marching_cubes(found)
    return Mesh(vertices.astype(float) * cell - bound, triangles.astype(np.int64))


def _marching_cubes(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        from skimage.measure import marching_cubes
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"marching cubes need {error.name}: pip install 'jaxnets[experiments]'",
            name=error.name,
        ) from error
    return marching_cubes(values, 0.0)[:2]
