"""Derivatives of Gaussians of orders 0, 1 and 2 as filters, and how much others look like them."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

WIDTHS = (0.15, 0.2, 0.3, 0.4)
"""Standard deviations of the Gaussians, in sides of a filter."""
CENTRES = tuple((down, right) for down in (-1, 0, 1) for right in (-1, 0, 1))
"""In pixels from the middle of a filter."""
ORDERS = {(0, 0): 1, (1, 0): 12, (2, 0): 12, (1, 1): 6}
"""Derivatives along and across an orientation, with the number of orientations 15 degrees apart."""


class Bank(NamedTuple):
    """Derivatives of a Gaussian as vectors of norm 1."""

    filters: np.ndarray
    """`[members, size^2]`."""
    orders: np.ndarray
    """0, 1 or 2, `[members]`."""
    jets: np.ndarray
    """`[widths and centres, size^2, 6]`: orthonormal, spanning a Gaussian and its derivatives."""


def derivative(
    size: int,
    width: float,
    centre: tuple[float, float] = (0, 0),
    angle: float = 0,
    orders: tuple[int, int] = (0, 0),
) -> np.ndarray:
    """Samples a derivative of `exp(-(u^2 + v^2) / (2 width^2))` on `size x size` pixels.

    The axis u makes an angle with the columns, v is across; `orders` are those of u and of v, at
    most 2 together. `width` and `centre` (down, right of the middle) are in pixels.
    """
    at = np.arange(size) - (size - 1) / 2
    y, x = at[:, None] - centre[0], at[None] - centre[1]
    u = x * np.cos(angle) + y * np.sin(angle)
    v = y * np.cos(angle) - x * np.sin(angle)
    polynomial = {
        (0, 0): np.ones_like(u),
        (1, 0): -u / width**2,
        (2, 0): u**2 / width**4 - 1 / width**2,
        (1, 1): u * v / width**4,
    }[orders]
    return polynomial * np.exp(-(u**2 + v**2) / (2 * width**2))


def bank(size: int) -> Bank:
    """Builds the derivatives that filters of `size x size` pixels are compared with."""
    filters, orders, jets = [], [], []
    for share, centre in product(WIDTHS, CENTRES):
        for order, angle in _orientations():
            filters.append(derivative(size, share * size, centre, angle, order).ravel())
            orders.append(sum(order))
        jets.append(np.linalg.qr(_jet(size, share * size, centre))[0])
    return Bank(unit(np.asarray(filters)), np.asarray(orders), np.asarray(jets))


def _orientations() -> Iterator[tuple[tuple[int, int], float]]:
    for order, n in ORDERS.items():
        for k in range(n):
            yield order, np.deg2rad(15 * k)


def _jet(size: int, width: float, centre: tuple[int, int]) -> np.ndarray:
    """A Gaussian, its two first and three second derivatives as columns, `[size^2, 6]`."""
    of_x = ((0, 0), (1, 0), (2, 0), (1, 1))
    members = [derivative(size, width, centre, 0, order) for order in of_x]
    members += [derivative(size, width, centre, np.pi / 2, order) for order in ((1, 0), (2, 0))]
    columns = np.stack([member.ravel() for member in members], axis=1)
    return columns / np.linalg.norm(columns, axis=0)


def match(filters: np.ndarray, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the largest |cosine| of `filters [..., n]` with `members [m, n]`, and its member."""
    cosines = np.abs(unit(filters) @ members.T)
    return cosines.max(axis=-1), cosines.argmax(axis=-1)


def energy(filters: np.ndarray, jets: np.ndarray) -> np.ndarray:
    """Computes the largest share of the squared norm of `filters [..., n]` in `jets [m, n, 6]`."""
    inside = np.einsum("...n,mnk->...mk", unit(filters), jets)
    return (inside**2).sum(axis=-1).max(axis=-1)


def unit(filters: np.ndarray) -> np.ndarray:
    """Scales filters `[..., n]` to norm 1."""
    return filters / np.linalg.norm(filters, axis=-1, keepdims=True)
