"""Perceptrons whose units form random directed acyclic graphs (row C11; lecture L3).

Xie, Kirillov, Girshick and He, "Exploring randomly wired neural networks for image recognition"
(ICCV 2019), wire blocks of convolutions at random; here each node of the graph is a single unit.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.activations import Activation, get_activation
from jaxnets.host import checks
from jaxnets.models.mlp import INITIALISERS, affine, layer_names


class RandomlyWired(nn.Module):
    """Connects each unit to random inputs and random units of earlier levels.

    `h_i = sigma(sum_j w_ij h_j + b_i)` over the nodes j that unit i sees; the outputs are affine.
    `init(key, x) -> params` draws the wiring and the weights, so that every network of a sweep has
    its own wiring, and `apply(params, x [batch, features]) -> [batch, outputs]`.

    params is `{"params": {"weight": [units, nodes], "bias": [units]}}`: a row for every hidden unit
    and then every output, a column for every feature and then every hidden unit. **A weight of
    exactly 0 means no connection.** Its gradient is 0, so the wiring survives the penalties `l1`
    and `l2` and any optimizer that does not move a zero with zero gradient. Of all these entries,
    `connections` weights and one bias per unit are trained. An `MLP` is the special case whose
    wiring is in layers (`from_layers`).

    Args:
        levels: hidden units of each level; `(1,) * n` gives every unit its own level.
        connections: the total number of weights, divided among the units as evenly as possible.
        outputs: the number of outputs.
        activation: of the hidden units, a name in `jaxnets.ACTIVATIONS` or an `Activation`.

    Raises:
        ValueError: a size below 1, an unknown activation, fewer connections than units or more
            than pairs of nodes, or features that do not fit the parameters.
        TypeError: a size that is not an integer.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> model, x = RandomlyWired((6, 6), connections=20), jnp.ones((3, 4))
        >>> model.apply(model.init(jax.random.key(0), x), x).shape
        (3, 1)
    """

    levels: Sequence[int]
    connections: int
    outputs: int = 1
    activation: str | Activation = "tanh"

    def __post_init__(self) -> None:
        object.__setattr__(self, "levels", checks.as_counts(self.levels, "levels"))
        checks.require_count(self.connections, "connections")
        checks.require_count(self.outputs, "outputs")
        get_activation(self.activation)
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Computes the outputs `[batch, outputs]` of samples `[batch, features]`."""
        sigma = get_activation(self.activation).f
        x = checks.as_inputs(x, "x")
        self._check_features(x)
        features = x.shape[1]
        weight = self.param("weight", self._draw_weight, features)
        bias = self.param("bias", nn.initializers.zeros_init(), (len(weight),))
        weight = jnp.where(weight != 0, weight, 0)
        from_inputs = affine(weight[:, :features], bias, x.T)
        h = from_inputs[:0]
        for units in self.levels:
            rows = slice(len(h), len(h) + units)
            s = from_inputs[rows] + weight[rows, features : features + len(h)] @ h
            h = jnp.concatenate([h, sigma(s)])
        return (from_inputs[len(h) :] + weight[len(h) :, features:] @ h).T

    def _draw_weight(self, key: Array, features: int) -> Array:
        """Draws a wiring, and its weights with the variance that they would have in an `MLP`."""
        wiring_key, weight_key = jax.random.split(key)
        drawn = draw_wiring(wiring_key, features, self.levels, self.outputs, self.connections)
        hidden, last = (
            _draw_initial(weight_key, drawn, gain)
            for gain in (get_activation(self.activation).gain, "lecun")
        )
        return jnp.concatenate([hidden[: -self.outputs], last[-self.outputs :]])

    def _check_features(self, x: Array) -> None:
        if x.ndim != 2:
            raise ValueError(
                f"a RandomlyWired takes [batch, features], x has shape {x.shape}: "
                "flatten images with x.reshape(len(x), -1)"
            )
        if self.scope is not None and self.scope.has_variable("params", "weight"):
            nodes = self.scope.get_variable("params", "weight").shape[1]
            expected = nodes - sum(self.levels)
            if x.shape[1] != expected:
                raise ValueError(
                    f"the network was initialised for {expected} features, "
                    f"x has {x.shape[1]} (shape {x.shape})"
                )


def draw_wiring(
    key: Array, features: int, levels: Sequence[int], outputs: int, connections: int
) -> Array:
    """Draws which unit sees which node, booleans `[units, nodes]`, `connections` of them true.

    Rows are the hidden units and the outputs, columns the features and the hidden units. Each row
    has the number of connections that `in_degrees` gives it, drawn uniformly among the nodes of
    earlier levels. As in Xie et al. (2019), the outputs see the nodes that no hidden unit sees, as
    many as they have connections for, and draw only the rest of theirs.

    Raises:
        ValueError: as for `in_degrees`.
    """
    before = earlier_nodes(features, levels, outputs)
    degrees = jnp.asarray(in_degrees(before, connections))[:, None]
    nodes = features + sum(levels)
    score = jax.random.uniform(key, (len(before), nodes))
    score = jnp.where(jnp.arange(nodes)[None] < jnp.asarray(before)[:, None], score, -1)
    hidden = _mark_highest(score[:-outputs], degrees[:-outputs])
    unseen = ~hidden.any(axis=0, keepdims=True)
    return jnp.concatenate([hidden, _mark_highest(score[-outputs:] + unseen, degrees[-outputs:])])


def earlier_nodes(features: int, levels: Sequence[int], outputs: int) -> np.ndarray:
    """Counts the nodes that precede each hidden unit and each output, `[units]`."""
    return np.repeat(list(accumulate(levels, initial=features)), [*levels, outputs])


def in_degrees(before: np.ndarray, connections: int) -> np.ndarray:
    """Divides `connections` among units that can see `before [units]` (ascending) nodes.

    The degrees `[units]` differ by at most 1, except for units that see all nodes before them.

    Raises:
        ValueError: fewer connections than units, or more than the nodes before them in total.
    """
    units, most = len(before), int(before.sum())
    if not units <= connections <= most:
        raise ValueError(
            f"connections is {connections}; {units} units (outputs included) take {units} to {most}"
        )
    degrees = np.zeros(units, int)
    for i, nodes in enumerate(before):
        degrees[i] = min(nodes, (connections - degrees.sum()) // (units - i))
    return degrees


def wiring(params: Any) -> Array:
    """Returns which unit of a `RandomlyWired` network sees which node, `[units, nodes]`."""
    return params["params"]["weight"] != 0


def from_layers(params: Any) -> Any:
    """Converts the params of an `MLP` without bypasses to those of a `RandomlyWired` network.

    The levels of that network are the widths of the MLP.
    """
    layers = [params["params"][name] for name in layer_names(len(params["params"]) - 1)]
    weight = jax.scipy.linalg.block_diag(*(layer["weight"] for layer in layers))
    bias = jnp.concatenate([layer["bias"] for layer in layers])
    return {"params": {"weight": weight, "bias": bias}}


def _mark_highest(score: Array, counts: Array) -> Array:
    """Marks the `counts [rows, 1]` highest entries of each row of `score [rows, columns]`."""
    return jnp.argsort(jnp.argsort(-score, axis=1), axis=1) < counts


def _draw_initial(key: Array, connected: Array, gain: str) -> Array:
    """Draws weights `[units, nodes]` scaled to the number of connections; 0 where there is none."""
    units, nodes = connected.shape
    drawn = INITIALISERS[gain](key, connected.shape)
    fan_in, fan_out = connected.sum(axis=1, keepdims=True), connected.sum(axis=0, keepdims=True)
    ratio = (nodes + units) / (fan_in + fan_out) if gain == "glorot" else nodes / fan_in
    not_zero = jnp.where(drawn == 0, jnp.finfo(drawn.dtype).eps, drawn)
    return jnp.where(connected, not_zero * jnp.sqrt(ratio), 0)
