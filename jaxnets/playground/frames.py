"""What the page draws of the networks, as pure functions, and as bytes."""

import json
import struct
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.backprop.mlp import backward_to_inputs, forward
from jaxnets.objective import penalty_grad
from jaxnets.playground.config import MOST_CLASSES
from jaxnets.playground.networks import (
    CLASSES,
    REGRESSION,
    Choice,
    Rates,
    Shape,
    activation_of,
    known_only,
    loss_of,
    mask_of,
    model_of,
    step_of,
)
from jaxnets.playground.problems import EDGE, FEATURES, features_of
from jaxnets.training.loop import State

GRID, SMALL = 64, 32
"""Pixels a side of a map of the plane, and of a unit's."""
LINES = 12
"""Networks whose boundaries are drawn."""
PROBED = 64
"""Training points over which the norms of gradients are taken."""
HEIGHT = 1.25
"""Outputs of a regression are drawn from -HEIGHT to HEIGHT."""


def plane() -> np.ndarray:
    """Returns the centres `[GRID * GRID, 2]` of the pixels, row by row from the top."""
    a = -EDGE + 2 * EDGE * (np.arange(GRID) + 0.5) / GRID
    return np.stack(np.meshgrid(a, a[::-1]), axis=-1).reshape(-1, 2)


PLANE = features_of(plane(), tuple(FEATURES))


def frame(
    shape: Shape,
    states: State,
    choice: Choice,
    data: dict[str, Array],
    member: Array,
    count: Array,
) -> dict[str, Any]:
    """Computes what is drawn of a group of networks, of which the first `count` are asked for.

    A network whose numbers are not finite has diverged: it is left out of the sums.
    """
    model = model_of(shape, choice.activation)
    pixels = GRID * GRID
    points = jnp.concatenate([jnp.asarray(PLANE) * choice.features[None], data["x"]])

    def one(params: Any) -> tuple[Array, Array, Array]:
        outputs, _ = forward(model, params, points)
        shown = shown_of(choice, outputs[:pixels])
        losses = loss_of(choice).value(outputs[pixels:], data["y"])
        return shown, losses, _is_right(choice, outputs[pixels:], data["y"])

    shown, losses, right = jax.vmap(one)(states.params)
    norms = jax.vmap(lambda params: _norms(shape, model, choice, params, data))(states.params)
    finite = jnp.all(jnp.isfinite(shown), axis=(1, 2)) & jnp.all(jnp.isfinite(losses), axis=1)
    for leaf in jax.tree.leaves(states.params):
        finite &= jnp.all(jnp.isfinite(leaf.reshape(len(leaf), -1)), axis=1)
    asked = finite & (jnp.arange(len(finite)) < count)
    kept = jnp.where(asked[:, None, None], shown, 0)
    mine = jax.tree.map(lambda a: a[member], states.params)
    _, traces = forward(model, mine, points[:pixels])
    parts = _parts(data)
    return {
        "finite": finite,
        "sum": _over_networks(kept),
        "squares": _over_networks(kept**2),
        "mine": to_byte(shown[member]),
        "lines": to_byte(_line(choice, shown[:LINES])),
        "maps": _maps(shape, traces),
        "loss": jnp.stack([_mean(losses, part) for part in parts], axis=1),
        "accuracy": jnp.stack([_mean(right, part) for part in parts], axis=1),
        "norms": norms,
        "params": mine,
        "step": states.step[0],
    }


def _over_networks(values: Array) -> Array:
    """Sums over the first axis as a product with ones, which takes a CPU a tenth of the time."""
    return jnp.tensordot(jnp.ones(len(values)), values, 1, precision="highest")


def shown_of(choice: Choice, outputs: Array) -> Array:
    """Turns outputs `[points, 6]` into what is drawn from 0 to 1, `[6, points]`.

    Two classes: the probability of class 1, alone; more: of each; heights: from -HEIGHT to HEIGHT.
    """

    def alone(values: Array) -> Array:
        return jnp.pad(values[None], ((0, MOST_CLASSES - 1), (0, 0)))

    return lax.switch(
        jnp.clip(choice.loss - CLASSES + 1, 0, 2),
        [
            lambda o: alone(jax.nn.sigmoid(o[:, 0])),
            lambda o: jax.nn.softmax(known_only(o, choice.outputs), axis=-1).T,
            lambda o: alone(jnp.clip(0.5 + o[:, 0] / (2 * HEIGHT), -1, 2)),
        ],
        outputs,
    )


def _line(choice: Choice, shown: Array) -> Array:
    """A number `[LINES, SMALL * SMALL]` that crosses 1/2 at the boundary; the curve of a height."""
    few = _halved(shown)
    top = jnp.argmax(few, axis=1) / (MOST_CLASSES - 1)
    return jnp.where(choice.loss == CLASSES, top, few[:, 0])


def _halved(pictures: Array) -> Array:
    """Averages pictures `[..., GRID * GRID]` over 2 x 2 pixels, to `[..., SMALL * SMALL]`.

    One pixel of four would lie half a pixel beside the centre of theirs.
    """
    pairs = pictures.reshape(*pictures.shape[:-1], GRID, SMALL, 2).sum(axis=-1)
    fours = pairs.reshape(*pictures.shape[:-1], SMALL, 2, SMALL).sum(axis=-2)
    return fours.reshape(*pictures.shape[:-1], SMALL * SMALL) / 4


def _is_right(choice: Choice, outputs: Array, y: Array) -> Array:
    one = (outputs[:, 0] >= 0).astype(y.dtype) == y
    many = jnp.argmax(known_only(outputs, choice.outputs), axis=-1).astype(y.dtype) == y
    right = jnp.where(choice.loss == CLASSES, many, one)
    return jnp.where(choice.loss >= REGRESSION, jnp.nan, right)


def _parts(data: dict[str, Array]) -> list[Array]:
    """The points for training, validation and test, as masks `[points]`."""
    place = jnp.arange(len(data["x"]))
    ends = [jnp.zeros((), jnp.int32), data["train"], data["train"] + data["valid"], data["n"]]
    return [(place >= a) & (place < b) for a, b in pairwise(ends)]


def _mean(values: Array, part: Array) -> Array:
    total = jnp.sum(jnp.where(part[None], values, 0), axis=1)
    return total / jnp.maximum(jnp.sum(part), 1)


def _norms(shape: Shape, model: Any, choice: Choice, params: Any, data: dict[str, Array]) -> Array:
    """The norm of the mean gradient of each layer's weights over a few training points."""
    x, y = data["x"][:PROBED], data["y"][:PROBED]
    used = (jnp.arange(PROBED) < data["train"]).astype(jnp.float32)
    outputs, traces = forward(model, params, x)
    delta = loss_of(choice).grad(outputs, y) * (used / jnp.maximum(jnp.sum(used), 1))[:, None]
    grads, _ = backward_to_inputs(model, params, traces, delta)
    layers = [f"hidden_{i}" for i in range(shape.depth)] + ["output"]
    return jnp.stack([jnp.linalg.norm(grads["params"][name]["weight"]) for name in layers])


def _maps(shape: Shape, traces: list) -> Array:
    """The value of each hidden unit over the plane, scaled by its largest, as bytes."""
    if not shape.depth:
        return jnp.zeros((0, shape.wide, SMALL * SMALL), jnp.uint8)
    maps = _halved(jnp.stack([trace.value for trace in traces[:-1]]))
    span = jnp.max(jnp.abs(maps), axis=-1, keepdims=True) + 1e-9
    return to_byte(0.5 + 0.5 * maps / span)


def to_byte(values: Array) -> Array:
    """Rounds numbers from 0 to 1 to bytes; NaN is 0."""
    return jnp.nan_to_num(jnp.clip(jnp.round(255 * values), 0, 255)).astype(jnp.uint8)


def passes(
    shape: Shape, states: State, choice: Choice, rates: Rates, member: Array, x: Array, y: Array
) -> dict[str, Any]:
    """Takes one sample forward and backward through one network, and its optimizer's step.

    Every number is that of `jaxnets.backprop`: pre-activations, values, slopes, deltas (the
    gradients of the biases) and gradients, then the penalties', and the params after the step.
    Units that the network lacks have zeros.
    """
    state, own = jax.tree.map(lambda a: a[member], (states, rates))
    model, loss = model_of(shape, choice.activation), loss_of(choice)
    slope = activation_of(choice.activation).df
    outputs, traces = forward(model, state.params, x[None])
    grads, dx = backward_to_inputs(model, state.params, traces, loss.grad(outputs, y[None]))
    grads = jax.tree.map(jnp.multiply, grads, mask_of(shape, state.params, choice, own.width))
    step = step_of(shape, state.params, choice, own)
    after, _ = step(state, {"x": x[None], "y": y[None]})
    return {
        "x": [t.x[:, 0] for t in traces],
        "s": [t.s[:, 0] for t in traces],
        "h": [t.value[:, 0] for t in traces],
        "slope": [slope(t.s, t.value)[:, 0] for t in traces[:-1]],
        "params": state.params["params"],
        "grads": grads["params"],
        "penalty": penalty_grad(state.params, own.l1, own.l2)["params"],
        "after": after.params["params"],
        "dx": dx[:, 0],
        "loss": loss.value(outputs, y[None])[0],
        "shown": shown_of(choice, outputs)[:, 0],
        "optimizer": state.opt_state,
    }


def packed(head: dict[str, Any], blobs: dict[str, np.ndarray]) -> bytes:
    """Packs `uint32 length, JSON, arrays`; the JSON says where each array lies, 4 bytes aligned."""
    places, parts, at = {}, [], 0
    for name, array in blobs.items():
        data = np.ascontiguousarray(array).tobytes()
        places[name] = [array.dtype.name, at, list(array.shape)]
        parts.append(data + b"\0" * (-len(data) % 4))
        at += len(parts[-1])
    text = json.dumps(head | {"arrays": places}, allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    return struct.pack("<I", len(text)) + text + b"".join(parts)


def unpacked(body: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Reads what `packed` wrote, as the page does."""
    (length,) = struct.unpack("<I", body[:4])
    head = json.loads(body[4 : 4 + length])
    arrays = {}
    for name, (dtype, at, dims) in head["arrays"].items():
        size = int(np.prod(dims))
        arrays[name] = np.frombuffer(body, dtype, size, 4 + length + at).reshape(dims)
    return head, arrays
