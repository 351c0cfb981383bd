"""Linear regions of ReLU networks, counted exactly on segments, rectangles and planes (row F9).

A region is a set of inputs for which the same hidden units are active. It is convex, and the
network is affine on it. The regions are cut layer by layer where a unit's pre-activation is 0,
which is a straight line in each, so the count is exact up to rounding in float64.

Layers are pairs of a weight `[out, in]` and a bias `[out]`, as `layers_of` takes them from the
parameters of an `MLP`. Internally an input is `(x, w)`: a point x for w = 1, a direction for w = 0.
An affine map is then `W x + b w`, and unbounded regions are polygons too.
"""

from collections.abc import Sequence
from math import comb
from typing import Any

import numpy as np

Layer = tuple[np.ndarray, np.ndarray]
ROUNDING = 1e-12
FULL_LINE = np.asarray([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
WEDGES = np.asarray([[[0, 0, 1], [1, 0, 0], [-1, 2, 0]], [[0, 0, 1], [-1, 2, 0], [-1, -1, 0]],
                     [[0, 0, 1], [-1, -1, 0], [1, 0, 0]]], float)  # fmt: skip
"""The corners of three cones from the origin that cover the plane."""


def layers_of(params: Any) -> list[Layer]:
    """Returns the weights and biases of an `MLP` in float64, the output layer last.

    Example:
        >>> import jax, jaxnets as jn
        >>> params = jn.MLP((4, 3), 1, "relu").init(jax.random.key(0), jax.numpy.ones((1, 2)))
        >>> [weight.shape for weight, bias in layers_of(params)]
        [(4, 2), (3, 4), (1, 3)]
    """
    tree = params["params"]
    names = [*(f"hidden_{i}" for i in range(len(tree) - 1)), "output"]
    return [
        (np.asarray(tree[n]["weight"], float), np.asarray(tree[n]["bias"], float)) for n in names
    ]


def on_segment(
    layers: Sequence[Layer], start: Sequence[float], end: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Finds the bends of the network on a segment, and the last layer's values there.

    Args:
        layers: the hidden layers.
        start: `[inputs]`.
        end: `[inputs]`.

    Returns:
        The ends and the bends between them in order, `[points, inputs]`: one point more than there
        are regions; and the values `[points, units]`, which are linear in between.

    Example:
        >>> hidden = [(np.array([[1.0], [1.0]]), np.array([-0.25, -0.5]))]
        >>> points, values = on_segment(hidden, [0.0], [1.0])
        >>> points.ravel().tolist()
        [0.0, 0.25, 0.5, 1.0]
    """
    ends = np.asarray([[*start, 1.0], [*end, 1.0]])
    points, values = _bends(layers, ends)
    return points[:, :-1], values


def on_rectangle(
    layers: Sequence[Layer], limits: tuple[float, float, float, float]
) -> list[np.ndarray]:
    """Returns the regions in `limits = (left, right, bottom, top)` as polygons `[corners, 2]`.

    Example:
        >>> cross = [(np.eye(2), np.zeros(2))]  # two lines, four quarters
        >>> len(on_rectangle(cross, (-1.0, 1.0, -1.0, 1.0)))
        4
    """
    left, right, bottom, top = limits
    corners = [[left, bottom, 1], [right, bottom, 1], [right, top, 1], [left, top, 1]]
    return [cell[:, :2] for cell in _cells(layers, np.asarray([corners], float))]


def count(layers: Sequence[Layer]) -> int:
    """Counts the regions of the entire line or plane.

    Raises:
        ValueError: a first layer of more than two inputs.

    Example:
        >>> count([(np.eye(2), np.zeros(2))])
        4
    """
    inputs = layers[0][0].shape[1]
    if inputs == 1:
        points, _ = _bends(layers, FULL_LINE)
        inner = points[1:] + points[:-1]
    elif inputs == 2:
        inner = np.stack([cell.sum(axis=0) for cell in _cells(layers, WEDGES)])
    else:
        raise ValueError(f"regions are counted for 1 or 2 inputs, the first layer takes {inputs}")
    return len(np.unique(_patterns(layers, inner), axis=0))


def max_regions(units: int, inputs: int) -> int:
    """Returns the most regions that one hidden layer can have: `sum_{j <= inputs} C(units, j)`.

    This is the number of cells of hyperplanes in general position (Zaslavsky, 1975).

    Example:
        >>> max_regions(units=3, inputs=2)
        7
    """
    return sum(comb(units, j) for j in range(inputs + 1))


def montufar(width: int, depth: int, inputs: int) -> int:
    """Returns a lower bound on the most regions that a network of equal hidden layers can have.

    `floor(n/d)^{d(l-1)} sum_{j <= d} C(n, j)` for width n, depth l and d inputs, which grows as
    `(n/d)^{d(l-1)} n^d` (Montufar, Pascanu, Cho and Bengio, 2014, theorem 4; L1).

    Example:
        >>> montufar(width=4, depth=2, inputs=2)
        44
    """
    return (width // inputs) ** (inputs * (depth - 1)) * max_regions(width, inputs)


def zigzag(pieces: int) -> tuple[Layer, np.ndarray]:
    """Builds a layer and a readout `[1, pieces]` that oscillates between 0 and 1.

    On [0, 1] it has `pieces` linear pieces, the first one increasing.

    Example:
        >>> (weight, bias), readout = zigzag(2)
        >>> hidden = np.maximum(0, weight @ np.array([[0.0, 0.5, 1.0]]) + bias[:, None])
        >>> (readout @ hidden).tolist()
        [[0.0, 1.0, 0.0]]
    """
    bias = -np.arange(pieces) / pieces
    slopes = 2.0 * pieces * (-1.0) ** np.arange(pieces)
    slopes[0] = pieces
    return (np.ones((pieces, 1)), bias), slopes[None]


def sawtooth(pieces: Sequence[int]) -> tuple[list[Layer], np.ndarray]:
    """Composes zigzags of given numbers of pieces; returns the layers and a readout `[1, pieces]`.

    On [0, 1] the composition has as many pieces as their product, all of the same length.

    Example:
        >>> layers, readout = sawtooth([2, 3])
        >>> len(on_segment(layers, [0.0], [1.0])[0]) - 1
        6
    """
    layers: list[Layer] = []
    read = np.eye(1)
    for n in pieces:
        (weight, bias), next_readout = zigzag(n)
        layers.append((weight @ read, bias))
        read = next_readout
    return layers, read


def folding(width: int, depth: int, inputs: int) -> list[Layer]:
    """Builds hidden layers that have `montufar(width, depth, inputs)` regions in the unit cube.

    All but the last fold the cube onto itself, `width // inputs` times along each axis, so the
    boundaries of the last appear in every fold; its lines all cross within the cube.

    Raises:
        ValueError: more than two inputs, or fewer units than inputs.

    Example:
        >>> count(folding(4, 2, 2)) >= montufar(4, 2, 2)
        True
    """
    if inputs not in (1, 2) or width < inputs:
        raise ValueError(
            f"{width} units cannot fold {inputs} inputs: use 1 or 2 inputs, and a unit for each"
        )
    (weight, bias), readout = zigzag(width // inputs)
    axes, read, layers = np.eye(inputs), np.eye(inputs), []
    for _ in range(depth - 1):
        layers.append((np.kron(axes, weight) @ read, np.tile(bias, inputs)))
        read = np.kron(axes, readout)
    if inputs == 1:
        normals, offsets = np.ones((width, 1)), (np.arange(width) + 0.5) / width
    else:
        angles = np.linspace(0, 2, width)
        normals = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        offsets = normals.sum(axis=1) / 2 + 0.1  # tangents of a circle in the middle
    return [*layers, (normals @ read, -offsets)]


def _preactivations(h: np.ndarray, w: np.ndarray, layer: Layer) -> np.ndarray:
    """Computes `W h + b w` for rows `h [points, in]`; values within rounding of 0 become 0."""
    weight, bias = layer
    s = h @ weight.T + w * bias
    s[np.abs(s) <= ROUNDING * (np.abs(h) @ np.abs(weight).T + w * np.abs(bias))] = 0
    return s


def _patterns(layers: Sequence[Layer], points: np.ndarray) -> np.ndarray:
    """Returns which units are active at `points [points, inputs + 1]`, `[points, all units]`."""
    h, w = points[:, :-1], points[:, -1:]
    on = []
    for layer in layers:
        s = _preactivations(h, w, layer)
        h = np.maximum(s, 0)
        on.append(s > 0)
    return np.hstack(on)


def _bends(layers: Sequence[Layer], points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inserts the bends between `points [points, inputs + 1]`, and returns the values there."""
    h, size = points[:, :-1], points.shape[1]
    for layer in layers:
        rows = np.hstack([points, _preactivations(h, points[:, -1:], layer)])
        side = np.sign(rows[:, size:])
        before, units = np.nonzero(side[:-1] * side[1:] < 0)
        new, share = _zeros(rows[before], rows[before + 1], size + units)
        order = np.argsort(before + share, kind="stable")
        apart = np.diff((before + share)[order], prepend=-1) > ROUNDING  # units may switch together
        order = order[apart & (share[order] > ROUNDING) & (share[order] < 1 - ROUNDING)]
        rows = np.insert(rows, before[order] + 1, new[order], axis=0)
        points, h = rows[:, :size], np.maximum(rows[:, size:], 0)
    return points, h


def _cells(layers: Sequence[Layer], starts: np.ndarray) -> list[np.ndarray]:
    """Cuts convex polygons `starts [polygons, corners, 3]` into regions, `[corners, 3]` each."""
    cells = [np.hstack([start, start[:, :2]]) for start in starts]
    for layer in layers:
        cells = [part for cell in cells for part in _cut(cell, layer)]
    return [cell[:, :3] for cell in cells]


def _cut(cell: np.ndarray, layer: Layer) -> list[np.ndarray]:
    """Cuts a cell `[corners, 3 + in]` where units switch, into parts `[corners, 3 + out]`."""
    s = _preactivations(cell[:, 3:], cell[:, 2:3], layer)
    parts = [np.hstack([cell[:, :3], s])]
    for unit in np.flatnonzero((s.min(axis=0) < 0) & (s.max(axis=0) > 0)).tolist():
        parts = [half for part in parts for half in _halves(part, 3 + unit)]
    return [np.hstack([part[:, :3], np.maximum(part[:, 3:], 0)]) for part in parts]


def _halves(polygon: np.ndarray, column: int) -> list[np.ndarray]:
    """Splits a convex polygon `[corners, columns]` where a column is 0."""
    side = np.sign(polygon[:, column])
    if side.min() >= 0 or side.max() <= 0:
        return [polygon]
    before = np.flatnonzero(side * np.roll(side, -1) < 0)
    after = (before + 1) % len(polygon)
    new, _ = _zeros(polygon[before], polygon[after], np.full(len(before), column))
    size = np.maximum(np.abs(polygon[before]), np.abs(polygon[after]))[:, 3:]
    new[:, 3:][np.abs(new[:, 3:]) <= ROUNDING * size] = 0  # where other lines meet this one
    corners = np.insert(polygon, before + 1, new, axis=0)
    side = np.insert(side, before + 1, 0)
    return [corners[side <= 0], corners[side >= 0]]


def _zeros(a: np.ndarray, b: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interpolates rows a and b `[rows, all]` to where a column is 0; returns the shares too."""
    rows = np.arange(len(a))
    start, end = a[rows, columns], b[rows, columns]
    share = start / (start - end)
    new = a + share[:, None] * (b - a)
    new[rows, columns] = 0
    return new, share
