"""ReLU networks whose weights are constructed instead of trained (row F8; L2, L3).

Each is the parameter tree of `MLP((K,), activation="relu")` in NumPy's double precision, for
`model.apply`. `ridge` and `add` build larger networks from smaller ones.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

Params = dict[str, dict[str, dict[str, np.ndarray]]]


def relu_interpolation(knots: Any, values: Any) -> Params:
    """Builds K units that interpolate K + 1 points linearly, on one feature (L2, row F8).

    `f(x) = v_0 + sum_k (m_k - m_{k-1}) max(0, x - t_k)` with the slope `m_k` from knot `t_k` to the
    next and `m_{-1} = 0`: constant before the first knot, straight on after the last. With evenly
    spaced knots `|f - g| <= h^2 max |g''| / 8` between them (de Boor, 1978, chapter 3).

    Args:
        knots: where the slope changes, in increasing order, `[K + 1]`.
        values: the height at each knot, `[K + 1]`.

    Raises:
        ValueError: fewer than two knots, knots that do not increase, values of another shape, or
            numbers that are not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets import MLP
        >>> params = relu_interpolation([0.0, 1.0, 3.0], [0.0, 2.0, 0.0])
        >>> MLP((2,), 1, "relu").apply(params, jnp.array([[0.5], [1.0], [2.0]])).ravel().tolist()
        [1.0, 2.0, 1.0]
    """
    knots, values = np.asarray(knots, np.float64), np.asarray(values, np.float64)
    if knots.ndim != 1 or len(knots) < 2 or values.shape != knots.shape:
        raise ValueError(
            f"knots have shape {knots.shape}, values {values.shape}; expected [K + 1] for both, "
            "with at least two points"
        )
    if not (np.isfinite(knots).all() and np.isfinite(values).all()):
        raise ValueError("knots and values must be finite")
    if not (np.diff(knots) > 0).all():
        raise ValueError(f"knots must be strictly increasing, got {knots}")
    slopes = np.diff(values) / np.diff(knots)
    changes = np.diff(slopes, prepend=0.0)
    return _network(np.ones((len(changes), 1)), -knots[:-1], changes[None], values[:1])


def relu_bump(edges: Sequence[float], height: float) -> Params:
    """Builds a bump from four units, on one feature, for `edges [4]` (L3, row F8).

    It is zero up to the first edge, rises linearly to `height` at the second, is constant up to the
    third, falls linearly to zero at the fourth, and is zero from there. With edges `s` and `height`
    h the outgoing weights are `h/(s2-s1), -h/(s2-s1), -h/(s4-s3), h/(s4-s3)`.

    Raises:
        ValueError: any other number of edges than four, edges that do not increase, or numbers that
            are not finite.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets import MLP
        >>> params = relu_bump([0.0, 1.0, 2.0, 3.0], 4.0)
        >>> MLP((4,), 1, "relu").apply(params, jnp.array([[-1.0], [0.5], [1.5]])).ravel().tolist()
        [0.0, 2.0, 4.0]
    """
    if len(edges) != 4:
        raise ValueError(f"a bump has 4 edges (start, top, end of top, end), got {len(edges)}")
    return relu_interpolation([*edges, edges[-1] + 1.0], [0.0, height, height, 0.0, 0.0])


def ridge(params: Params, direction: Sequence[float]) -> Params:
    """Turns a network f on one feature into `x -> f(v . x)`, for a direction v `[d]` (L2).

    Raises:
        ValueError: a network on more than one feature.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets import MLP
        >>> params = ridge(relu_interpolation([0.0, 1.0, 3.0], [0.0, 2.0, 0.0]), [1.0, 1.0])
        >>> MLP((2,), 1, "relu").apply(params, jnp.array([[0.5, 0.5]])).tolist()
        [[2.0]]
    """
    hidden, output = _layers(params)
    if hidden["weight"].shape[1] != 1:
        raise ValueError(f"a ridge needs a network on 1 feature, got {hidden['weight'].shape[1]}")
    weight = hidden["weight"] * np.asarray(direction, np.float64)[None]
    return _network(weight, hidden["bias"], output["weight"], output["bias"])


def add(networks: Sequence[Params], factors: Sequence[float] | None = None) -> Params:
    """Builds `x -> sum_m c_m f_m(x)`, `[samples, d] -> [samples, outputs]`, from all hidden units.

    Args:
        networks: one hidden layer each, with the same features and outputs.
        factors: c, one per network; by default ones.

    Raises:
        ValueError: no networks, a different number of factors, or networks whose features or
            outputs differ.

    Example:
        >>> import jax.numpy as jnp
        >>> from jaxnets import MLP
        >>> ramp = relu_interpolation([0.0, 1.0], [0.0, 1.0])
        >>> MLP((2,), 1, "relu").apply(add([ramp, ramp], [1.0, 2.0]), jnp.array([[0.5]])).tolist()
        [[1.5]]
    """
    c = np.ones(len(networks)) if factors is None else np.asarray(factors, np.float64)
    if not networks or c.shape != (len(networks),):
        raise ValueError(
            f"{len(networks)} networks and factors of shape {c.shape}; expected one factor for each"
        )
    layers = [_layers(params) for params in networks]
    shapes = {(h["weight"].shape[1], len(o["bias"])) for h, o in layers}
    if len(shapes) > 1:
        raise ValueError(f"networks of different (features, outputs) cannot be added: {shapes}")
    pairs = list(zip(c, layers, strict=True))
    return _network(
        np.concatenate([hidden["weight"] for hidden, _ in layers]),
        np.concatenate([hidden["bias"] for hidden, _ in layers]),
        np.concatenate([f * output["weight"] for f, (_, output) in pairs], axis=1),
        np.sum([f * output["bias"] for f, (_, output) in pairs], axis=0),
    )


def widen(params: Params, units: int) -> Params:
    """Pads the hidden layer to `units`, with weights `[units, d]`.

    The new weights are 0, so that the function is the same. Networks of different widths can
    then be stacked and evaluated by one program.

    Raises:
        ValueError: fewer units than the network has.

    Example:
        >>> widened = widen(relu_interpolation([0.0, 1.0], [0.0, 1.0]), 5)
        >>> widened["params"]["hidden_0"]["weight"].shape
        (5, 1)
    """
    hidden, output = _layers(params)
    more = units - len(hidden["bias"])
    if more < 0:
        raise ValueError(f"the network has {len(hidden['bias'])} units already, more than {units}")
    return _network(
        np.pad(hidden["weight"], ((0, more), (0, 0))),
        np.pad(hidden["bias"], (0, more)),
        np.pad(output["weight"], ((0, 0), (0, more))),
        output["bias"],
    )


def _layers(params: Params) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    tree = params["params"]
    if set(tree) != {"hidden_0", "output"}:
        raise ValueError(f"expected one hidden layer, the network has {', '.join(sorted(tree))}")
    return tree["hidden_0"], tree["output"]


def _network(weight: np.ndarray, bias: np.ndarray, out: np.ndarray, shift: np.ndarray) -> Params:
    hidden, output = {"weight": weight, "bias": bias}, {"weight": out, "bias": shift}
    return {"params": {"hidden_0": hidden, "output": output}}
