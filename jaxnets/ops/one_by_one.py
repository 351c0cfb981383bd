"""Factorisations of many matrices: one after the other on CPUs, together elsewhere."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def one_by_one(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes `vmap` compute a function of matrices for one after the other on CPUs.

    jaxlib spreads a batch of factorisations over the threads of the process, and waits on one of
    them. Where every device of `use_all_cores` does so at once, each thread waits for a thread, and
    the program never ends. One matrix is factored where it is. Elsewhere the batch stays one.

    Args:
        function: of arrays, to arrays; it is not differentiated in reverse.

    Example:
        >>> factors = jax.vmap(one_by_one(jnp.linalg.cholesky))(jnp.stack([jnp.eye(2)] * 3))
        >>> factors.shape
        (3, 2, 2)
    """

    @jax.custom_batching.custom_vmap
    def call(*args: Any) -> Any:
        return function(*args)

    @call.def_vmap
    def batched(size: int, is_batched: list[bool], *args: Any) -> tuple[Any, Any]:
        rows = [
            arg if has_rows else jnp.broadcast_to(arg, (size, *jnp.shape(arg)))
            for arg, has_rows in zip(args, is_batched, strict=True)
        ]
        found = lax.platform_dependent(
            tuple(rows),
            cpu=partial(lax.map, lambda row: call(*row)),
            default=lambda rows: jax.vmap(function)(*rows),
        )
        return found, jax.tree.map(lambda _: True, found)

    return call
