"""The networks of the playground as pure functions: nothing that the mouse may change is static.

Activation, optimizer, loss, the number of classes, features, widths and rates are traced, so that
one program serves them all. Depth, the width that holds all layers, and the batch size are static.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxnets import activations, backprop, losses
from jaxnets.models import MLP, ResidualMLP
from jaxnets.models.mlp import INITIALISERS, layer_names
from jaxnets.objective import Objective
from jaxnets.playground.config import ACTIVATIONS, MOST_CLASSES, OPTIMIZERS
from jaxnets.playground.problems import FEATURES
from jaxnets.training.loop import State, make_step, split_key
from jaxnets.training.optimizers import masked

LOSS_ROWS = ("binary_cross_entropy", "hinge", "softmax_cross_entropy", "squared_error", "huber")
"""Those of `jaxnets.LOSSES` that the page needs: two of one output, one of classes, two of heights.
"""
CLASSES = LOSS_ROWS.index("softmax_cross_entropy")
REGRESSION = CLASSES + 1
"""The rows from here on regress."""
GAINS = {"glorot": "tanh", "he": "relu", "lecun": "identity"}
"""The initialisation to an activation that has it."""
GAIN_OF = np.array([[*GAINS].index(activations.ACTIVATIONS[name].gain) for name in ACTIVATIONS])
FAR = -1e9
"""The output of a class that there is not."""


class Shape(NamedTuple):
    """Holds what is static of a network: its layers, their width, and whether it has bypasses."""

    depth: int
    wide: int
    residual: bool = False


class Choice(NamedTuple):
    """Holds what all networks share and the page may change, traced."""

    activation: Any
    optimizer: Any
    loss: Any
    outputs: Any
    features: Any
    """`[features]`, 1 where a network sees it."""


class Rates(NamedTuple):
    """Holds what each network has of its own, `[networks, ...]`, traced."""

    learning_rate: Any
    l1: Any
    l2: Any
    width: Any
    """`[networks, depth]`."""


OPTIMIZER_OF: dict[str, Callable[[Any], optax.GradientTransformation]] = {
    "adam": optax.adam,
    "sgd": optax.sgd,
    "momentum": lambda rate: optax.sgd(rate, momentum=0.9),
    "rmsprop": optax.rmsprop,
}


def model_of(shape: Shape, activation: Any) -> MLP:
    """Builds the wide network; `activation` is a name or the traced number of one."""
    if not isinstance(activation, str):
        activation = activation_of(activation)
    family = ResidualMLP if shape.residual else MLP
    return family((shape.wide,) * shape.depth, MOST_CLASSES, activation)


def activation_of(index: Array) -> activations.Activation:
    """Builds the activation whose number is traced."""
    rows = [activations.ACTIVATIONS[name] for name in ACTIVATIONS]
    return activations.Activation(
        lambda s: lax.switch(index, [row.f for row in rows], s),
        lambda s, x: lax.switch(index, [row.df for row in rows], s, x),
        (-np.inf, np.inf),
        0,
    )


def loss_of(choice: Choice) -> losses.Loss:
    """Builds the loss whose row is traced, of outputs `[batch, 6]` and numbers `[batch]`."""

    def adapted(of: Callable) -> list[Callable]:
        return [
            lambda o, y: of(losses.LOSSES[LOSS_ROWS[0]], o[:, :1], y.astype(jnp.int32)),
            lambda o, y: of(losses.LOSSES[LOSS_ROWS[1]], o[:, :1], y.astype(jnp.int32)),
            lambda o, y: of(
                losses.LOSSES[LOSS_ROWS[2]], known_only(o, choice.outputs), y.astype(jnp.int32)
            ),
            lambda o, y: of(losses.LOSSES[LOSS_ROWS[3]], o[:, :1], y[:, None]),
            lambda o, y: of(losses.LOSSES[LOSS_ROWS[4]], o[:, :1], y[:, None]),
        ]

    def to_all(grad: Array) -> Array:
        return jnp.pad(grad, ((0, 0), (0, MOST_CLASSES - grad.shape[1])))

    values = adapted(lambda row, o, y: row.value(o, y))
    grads = adapted(lambda row, o, y: to_all(row.grad(o, y)))
    return losses.Loss(
        lambda outputs, y: lax.switch(choice.loss, values, outputs, y),
        lambda outputs, y: lax.switch(choice.loss, grads, outputs, y),
        lambda y, outputs, name: y,
        lambda outputs: outputs[:, 0],
        classifies=False,
    )


def known_only(outputs: Array, count: Array) -> Array:
    """Replaces the outputs `[..., 6]` beyond the first `count` so that their probability is 0."""
    known = jnp.arange(MOST_CLASSES) < count
    return jnp.where(jnp.broadcast_to(known, outputs.shape), outputs, FAR)


def mask_of(shape: Shape, params: Any, choice: Choice, width: Array) -> Any:
    """Returns ones where a weight of the narrow network is, else zeros."""
    masks = model_of(shape, "tanh").gradient_mask(params, width)["params"]
    first, last = layer_names(shape.depth)[0], "output"
    masks[first] = masks[first] | {"weight": masks[first]["weight"] * choice.features[None]}
    known = (jnp.arange(MOST_CLASSES) < choice.outputs).astype(jnp.float32)
    masks[last] = {
        "weight": masks[last]["weight"] * known[:, None],
        "bias": masks[last]["bias"] * known,
    }
    return {"params": masks}


def optimizer_of(index: Array, learning_rate: Array) -> optax.GradientTransformation:
    """Builds the optimizer whose number is traced; the state holds those of all."""
    rows = [OPTIMIZER_OF[name](learning_rate) for name in OPTIMIZERS]

    def init(params: Any) -> tuple:
        return tuple(row.init(params) for row in rows)

    def one(i: int) -> Callable:
        def update(grads: Any, states: tuple, params: Any) -> tuple:
            updates, state = rows[i].update(grads, states[i], params)
            return updates, (*states[:i], state, *states[i + 1 :])

        return update

    def update(grads: Any, states: tuple, params: Any = None) -> tuple:
        return lax.switch(index, [one(i) for i in range(len(rows))], grads, states, params)

    return optax.GradientTransformation(init, update)


def step_of(shape: Shape, params: Any, choice: Choice, rates: Rates) -> Callable:
    """Builds the training step of one network, `(state, batch) -> (state, metrics)`."""
    objective = Objective(model_of(shape, choice.activation), loss_of(choice), rates.l1, rates.l2)
    tx = optax.chain(
        masked(mask_of(shape, params, choice, rates.width)),
        optimizer_of(choice.optimizer, rates.learning_rate),
    )
    return make_step(objective, tx, backprop.value_and_grad)


def initial(shape: Shape, key: Array, choice: Choice, rates: Rates) -> State:
    """Draws one network before its first step."""
    keys = split_key(key)

    def drawn(name: str) -> Callable[[], Any]:
        model = model_of(shape, name)

        def draw() -> Any:
            params = model.init(keys.init, jnp.zeros((1, len(FEATURES))))
            wide = model.narrow(params, rates.width) if shape.depth else params
            return _fewer_features(shape, wide, name, choice, rates.width)

        return draw

    gain = jnp.asarray(GAIN_OF)[choice.activation]
    params = lax.switch(gain, [drawn(name) for name in GAINS.values()])
    params = jax.tree.map(jnp.multiply, params, mask_of(shape, params, choice, rates.width))
    tx = optax.chain(optax.identity(), optimizer_of(choice.optimizer, rates.learning_rate))
    return State(params, tx.init(params), jnp.zeros((), jnp.int32), keys.step)


def _fewer_features(shape: Shape, params: Any, name: str, choice: Choice, width: Array) -> Any:
    """Scales the first weights as if only the chosen features had been there."""
    first = layer_names(shape.depth)[0]
    seen, out = jnp.sum(choice.features), width[0] if shape.depth else 1
    ratio = len(FEATURES) / seen
    if shape.depth and activations.ACTIVATIONS[name].gain == "glorot":
        ratio = (len(FEATURES) + out) / (seen + out)
    tree = dict(params["params"])
    tree[first] = tree[first] | {"weight": tree[first]["weight"] * jnp.sqrt(ratio)}
    return {"params": tree}


def rows_drawn(key: Array, step: Array, batch: int, n: Array) -> Array:
    """Draws row numbers `[batch]` below n, with replacement, from a hash of key and step.

    The finaliser of MurmurHash3 compiles in a tenth of the time of `jax.random.randint`.
    """
    words = jax.random.key_data(key)
    x = jnp.arange(batch, dtype=jnp.uint32) + step.astype(jnp.uint32) * jnp.uint32(batch)
    x = x * jnp.uint32(0x9E3779B9) ^ words[0]
    for factor in (0x85EBCA6B, 0xC2B2AE35):
        x = (x ^ (x >> 16)) * jnp.uint32(factor) ^ words[1]
    return ((x ^ (x >> 16)) % n.astype(jnp.uint32)).astype(jnp.int32)


def advance(
    shape: Shape,
    batch: int,
    states: State,
    choice: Choice,
    rates: Rates,
    data: dict[str, Array],
    updates: Array,
) -> State:
    """Takes `updates` steps of every network of a group; a batch is drawn with replacement."""

    def one(state: State, rates: Rates) -> State:
        step = step_of(shape, state.params, choice, rates)

        def update(_: Array, state: State) -> State:
            rows = rows_drawn(state.key, state.step, batch, data["train"])
            return step(state, {"x": data["x"][rows], "y": data["y"][rows]})[0]

        return lax.fori_loop(0, updates, update, state)

    return jax.vmap(one)(states, rates)


assert set(GAINS) == set(INITIALISERS)
assert set(OPTIMIZER_OF) == set(OPTIMIZERS)
