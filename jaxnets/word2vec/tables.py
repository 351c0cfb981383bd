"""Reading and changing a few rows of a large table."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax


class Rows(NamedTuple):
    """Rows for a table; those of equal numbers belong together by their sum."""

    numbers: Array
    """int32 `[m]`."""
    rows: Array
    """`[m, dimensions]`."""


Add = Callable[[Array, Rows], Array]


def gather(table: Array, numbers: Array) -> Array:
    """The rows of these numbers, which must be in the table."""
    return table.at[numbers].get(mode="promise_in_bounds")


def add(table: Array, change: Rows) -> Array:
    """The table with the rows added; on a GPU equal numbers are summed in any order."""
    return table.at[change.numbers].add(change.rows, mode="promise_in_bounds")


def ordered_add(table: Array, change: Rows) -> Array:
    """The same, summed in one order on every device: equal numbers first, then one write for each.

    Sorts the numbers and sums each run of equals by a segmented scan, so no two writes meet.
    """
    order = jnp.argsort(change.numbers, stable=True)
    numbers, rows = change.numbers[order], change.rows[order]
    changes = numbers[1:] != numbers[:-1]
    first, last = jnp.append(True, changes), jnp.append(changes, True)

    def join(left: tuple[Array, Array], right: tuple[Array, Array]) -> tuple[Array, Array]:
        (sums, begun), (rows, begins) = left, right
        return jnp.where(begins[:, None], rows, sums + rows), begun | begins

    sums, _ = lax.associative_scan(join, (rows, first))
    outside = len(table) + jnp.arange(len(numbers))
    places = jnp.where(last, numbers, outside)
    return table.at[places].add(sums, mode="drop", unique_indices=True)


def descend(
    params: dict[str, Array], gradients: dict[str, list[Rows]], rate: Array | float, add: Add = add
) -> dict[str, Array]:
    """The params less `rate` times their gradients."""
    params = dict(params)
    for name, parts in gradients.items():
        for numbers, rows in parts:
            params[name] = add(params[name], Rows(numbers, -rate * rows))
    return params
