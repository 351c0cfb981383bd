"""Reading and updating a few rows of a large table."""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax


class Rows(NamedTuple):
    """Holds rows to add to a table; those of equal index are summed.

    Args:
        numbers: the indices, int32 `[m]`.
        rows: `[m, dimensions]`.
    """

    numbers: Array
    rows: Array


Add = Callable[[Array, Rows], Array]


def gather(table: Array, numbers: Array) -> Array:
    """Returns the rows at these indices, which must be in the table."""
    return table.at[numbers].get(mode="promise_in_bounds")


def add(table: Array, change: Rows) -> Array:
    """Adds rows to a table; on GPUs the order of the sums is not deterministic."""
    return table.at[change.numbers].add(change.rows, mode="promise_in_bounds")


def ordered_add(table: Array, change: Rows) -> Array:
    """Adds rows to a table, deterministically on every device.

    It sorts the indices and sums each group of equal ones by a segmented scan, so that every row is
    written once.
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
    """Subtracts `rate` times the gradients from the params."""
    params = dict(params)
    for name, parts in gradients.items():
        for numbers, rows in parts:
            params[name] = add(params[name], Rows(numbers, -rate * rows))
    return params
