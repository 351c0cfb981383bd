"""Threshold logic units, and networks of them that compute any Boolean function (row A1)."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxnets.classical.checked import checked
from jaxnets.classical.scaling import linear_scores
from jaxnets.host import checks

OR = {"w": np.array([1.0, 1.0], np.float32), "b": np.float32(-0.5)}
AND = {"w": np.array([1.0, 1.0], np.float32), "b": np.float32(-1.5)}
NOT = {"w": np.array([-1.0], np.float32), "b": np.float32(0.5)}


def signs(labels: ArrayLike) -> Array:
    """Converts class indices 0 and 1 to -1.0 and 1.0, the lectures' `y`, `[...]` in and out.

    Raises:
        ValueError: any other number.

    Example:
        >>> signs([0, 1]).tolist()
        [-1.0, 1.0]
    """
    if not checks.is_traced(labels):
        known = checks.as_numbers(labels, "labels")
        wrong = known[(known != 0) & (known != 1)]
        if wrong.size:
            raise ValueError(f"labels have {wrong.flat[0]:g}; the two classes are 0 and 1")
    return jnp.where(jnp.asarray(labels) > 0, 1.0, -1.0)


def threshold_unit(x: ArrayLike, w: ArrayLike, b: ArrayLike) -> Array:
    r"""Computes $f(x) = 1$ where $w \cdot x + b \geq 0$, else 0 (McCulloch and Pitts, 1943).

    `threshold_unit([0, 1], **OR)` is 1; `OR`, `AND` and `NOT` contain the lecture's weights
    (L2, row A1). On real inputs it is the perceptron's decision rule (Rosenblatt, 1957).

    Args:
        x: `[..., inputs]`.
        w: `[inputs]`.
        b: a scalar.

    Returns:
        Integers 0 or 1, `[...]`.

    Raises:
        ValueError: a different number of inputs than of weights.
        TypeError: not numbers.

    Example:
        >>> threshold_unit([[0, 0], [0, 1], [1, 1]], **AND).tolist()
        [0, 0, 1]
    """
    x, w = jnp.asarray(checks.as_numbers(x, "x")), jnp.asarray(checks.as_numbers(w, "w"))
    if x.ndim == 0 or x.shape[-1] != w.shape[-1]:
        raise ValueError(f"x has shape {x.shape}, but there are {w.shape[-1]} weights")
    return (x @ w + b >= 0).astype(jnp.int32)


@checked
def linear_predict(params: dict[str, Array], x: ArrayLike) -> Array:
    """Predicts class 1 on and above the hyperplane `w.x + b = 0`, class 0 below, `[samples]`.

    The decision rule of every linear classifier here; params are `{"w": [features], "b": []}`. It
    is computed in double precision on the host, or in JAX's precision under a trace.

    Example:
        >>> params = {"w": jnp.array([1.0]), "b": jnp.array(-0.5)}
        >>> linear_predict(params, jnp.array([[0.0], [1.0]])).tolist()
        [0, 1]
    """
    return jnp.asarray(linear_scores(params, x) >= 0).astype(jnp.int32)


def truth_table_network(table: ArrayLike) -> list[dict[str, Array]]:
    """Builds two layers of threshold units that compute a truth table (L2, row A1).

    One unit per row of the table fires only on that row: weight 1 for inputs that are 1 there, -1
    (a NOT) for inputs that are 0, and the bias of an AND. The output unit is an OR whose weights
    are the table itself, so only the true rows are connected to it (disjunctive normal form). The
    shapes do not depend on the entries, so `vmap` builds many networks at once.

    Args:
        table: 0 or 1 for each combination of inputs, `[2**inputs]`, in counting order with the
            first input as the most significant bit: for two inputs 00, 01, 10, 11.

    Returns:
        Two layers `{"w": [units, inputs], "b": [units]}` for `threshold_network`.

    Raises:
        ValueError: a length that is not a power of two, 2 or more.

    Example:
        >>> xor = truth_table_network([0, 1, 1, 0])
        >>> threshold_network(xor, jnp.array([[0.0, 0.0], [0.0, 1.0]])).ravel().tolist()
        [0, 1]
    """
    table = jnp.asarray(checks.as_numbers(table, "table"))
    inputs = int(table.size).bit_length() - 1
    if table.ndim != 1 or inputs < 1 or table.size != 2**inputs:
        raise ValueError(
            f"table has shape {table.shape}; a truth table of n inputs has 2**n entries, n >= 1"
        )
    rows = np.arange(2**inputs)[:, None] >> np.arange(inputs)[::-1] & 1
    minterms = {"w": jnp.asarray(2.0 * rows - 1), "b": jnp.asarray(0.5 - rows.sum(axis=1))}
    return [minterms, {"w": table[None].astype(float), "b": jnp.array([-0.5])}]


def threshold_network(params: list[dict[str, Array]], x: ArrayLike) -> Array:
    """Applies layers of threshold units, `[..., inputs] -> [..., outputs]`; outputs are 0 or 1.

    Example:
        >>> nor = truth_table_network([1, 0, 0, 0])
        >>> threshold_network(nor, jnp.array([[0.0, 0.0], [1.0, 0.0]])).ravel().tolist()
        [1, 0]
    """
    layer = jax.vmap(threshold_unit, in_axes=(None, 0, 0), out_axes=-1)
    for weights in params:
        x = layer(x, weights["w"], weights["b"])
    return jnp.asarray(x)
