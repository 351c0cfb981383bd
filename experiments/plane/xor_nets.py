"""Networks with one ReLU layer on the four points of exclusive or: training, codes, folding."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxnets as jn
from jaxnets.data import Dataset
from jaxnets.data.toy import xor_table
from jaxnets.training.loop import init_state
from jaxnets.training.optimizers import adam_cosine

Net = dict[str, np.ndarray]
"""`W [..., units, 2]`, `c [..., units]`, `w [..., units]` and `b [...]` of one or many networks."""

X = np.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], np.float64)
Y = np.asarray([0, 1, 1, 0], np.float64)
LECTURE: Net = {
    "W": np.ones((2, 2)),
    "c": np.asarray([0.0, -1.0]),
    "w": np.asarray([1.0, -2.0]),
    "b": np.asarray(0.0),
}
RECORDS = 10
"""Rows of a run's history."""
STEPS, LENGTH = 1000, 0.01
"""Of the random steps from a network."""


@dataclass(frozen=True)
class Config:
    widths: tuple[int, ...] = (2, 3, 4, 8, 16)
    """The first is 2, as in the lecture."""
    seeds: int = 256
    steps: int = 2000
    learning_rate: float = 0.02
    init: str = "He, zero biases"
    """Of weights and biases: `He, zero biases`, or `uniform`, both within 1 / sqrt(fan-in)."""
    seed: int = 1


class Uniform(jn.MLP):
    """An MLP whose weights and biases are drawn from -1 / sqrt(fan-in) to 1 / sqrt(fan-in)."""

    def init(self, key: Array, x: Array) -> Any:
        """Draws the params for samples like x."""
        layers = super().init(key, x)["params"]
        drawn = {}
        for name, layer_key in zip(layers, jax.random.split(key, len(layers)), strict=True):
            weight_key, bias_key = jax.random.split(layer_key)
            (units, fan), bound = (
                layers[name]["weight"].shape,
                layers[name]["weight"].shape[1] ** -0.5,
            )
            drawn[name] = {
                "weight": jax.random.uniform(weight_key, (units, fan), minval=-bound, maxval=bound),
                "bias": jax.random.uniform(bias_key, (units,), minval=-bound, maxval=bound),
            }
        return {"params": drawn}

    def narrow(self, params: Any, width: Array | int) -> Any:
        """Narrows the layers; the output's bias, too, gets the range of the narrow network."""
        layers = dict(super().narrow(params, width)["params"])
        scale = jnp.sqrt(self.widths[-1] / jnp.asarray(width))
        layers["output"] = layers["output"] | {"bias": layers["output"]["bias"] * scale}
        return {"params": layers}


INITS = {"He, zero biases": jn.MLP, "uniform": Uniform}


def train(
    config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None
) -> tuple[Net, Net, np.ndarray]:
    """Trains networks: `[seeds, widths]` before and after, losses `[seeds, widths, RECORDS]`."""
    points = xor_table()
    data = Dataset({"x": points["x"], "y": points["y"][:, None].astype(float)})
    spec = jn.TrainSpec(
        INITS[config.init]((max(config.widths),), 1, "relu"),
        "squared_error",
        config.steps,
        optimizer=adam_cosine(config.steps),
        record_every=config.steps // RECORDS,
    )
    hparams = jn.grid(seed=range(config.seeds), width=config.widths)
    keys = jax.random.split(key, len(hparams.pop("seed")))
    hparams["learning_rate"] = jnp.full(len(keys), config.learning_rate)
    first = jax.jit(jax.vmap(lambda k, h: init_state(spec, k, points["x"], h)))(keys, hparams)
    last, history = jn.sweep(spec, keys, data, hparams, checkpoints=checkpoints)
    shape = (config.seeds, len(config.widths))
    losses = np.asarray(history["train_loss"]).reshape(*shape, RECORDS)
    return from_params(first.params, shape), from_params(last.params, shape), losses


def from_params(params: dict, shape: tuple[int, ...]) -> Net:
    """Converts the params of library MLPs with one hidden layer and one output to `shape`."""
    layer, output = params["params"]["hidden_0"], params["params"]["output"]
    net = {"W": layer["weight"], "c": layer["bias"]}
    net |= {"w": output["weight"][:, 0], "b": output["bias"][:, 0]}
    return {k: np.asarray(v, np.float64).reshape(*shape, *v.shape[1:]) for k, v in net.items()}


def pre_activations(net: Net, x: np.ndarray) -> np.ndarray:
    """Computes W x + c of samples `x [samples, 2]`: `[..., samples, units]`."""
    return np.einsum("si,...ui->...su", x, net["W"]) + net["c"][..., None, :]


def outputs(net: Net, x: np.ndarray) -> np.ndarray:
    """Computes w.max(0, W x + c) + b of samples `x [samples, 2]`: `[..., samples]`."""
    h = np.maximum(pre_activations(net, x), 0)
    return np.einsum("...su,...u->...s", h, net["w"]) + net["b"][..., None]


def largest_falls(net: Net, widths: Sequence[int], random: np.random.Generator) -> np.ndarray:
    """Computes the most that random steps lower the mean squared error, `[seeds, widths]`.

    Steps have a length of `LENGTH` in all parameters; units beyond a network's width stay idle.
    """
    used = (np.arange(net["c"].shape[-1]) < np.asarray(widths)[:, None]).astype(float)
    free: Net = {"W": used[..., None], "c": used, "w": used, "b": np.ones(len(widths))}
    before, falls = _squared_error(net), np.full(net["b"].shape, -np.inf)
    for _ in range(STEPS):
        step = {k: random.normal(size=v.shape[1:]) * free[k] for k, v in net.items()}
        squares = [(v**2).reshape(len(widths), -1).sum(axis=1) for v in step.values()]
        scale = LENGTH / np.sqrt(np.sum(squares, axis=0))
        near = {k: v + step[k] * scale.reshape(-1, *[1] * (v.ndim - 2)) for k, v in net.items()}
        falls = np.maximum(falls, before - _squared_error(near))
    return falls


def _squared_error(net: Net) -> np.ndarray:
    return np.mean((outputs(net, X) - Y) ** 2, axis=-1)


def family(t: np.ndarray) -> Net:
    """Returns solutions, one for each of `t [members]` with 0 <= t < 1; t = 0 is the lecture's."""
    one = np.ones_like(t)
    c = np.stack([-t, -one], axis=-1)
    w = np.stack([one, t - 2], axis=-1) / (1 - t)[:, None]
    return {"W": np.ones((len(t), 2, 2)), "c": c, "w": w, "b": 0 * t}


def hidden_codes(s: np.ndarray) -> np.ndarray:
    """Encodes which points switch each unit on: `s [..., 4, units]` to `[..., units]`.

    Bit p of a code is set if point p takes the unit above 1 % of its largest value; 0 is a unit
    that no point switches on. The largest code comes first.
    """
    active = (s > 0) & (s > 0.01 * s.max(axis=-2, keepdims=True))
    codes = (active << np.arange(4)[:, None]).sum(axis=-2)
    return -np.sort(-codes, axis=-1)


def code_name(codes: np.ndarray) -> str:
    """Lists the points that switch on each unit, such as `01 10 11 | 11`, the lecture's."""
    units = [[f"{p:02b}" for p in range(4) if code >> p & 1] for code in codes]
    return " | ".join(" ".join(points) or "never" for points in units)


def gap(h: np.ndarray) -> np.ndarray:
    """Computes the distance of the segments from h(00) to h(11) and from h(01) to h(10).

    `h [..., 4, units]` to `[...]`; a hyperplane separates the two classes where it is above 0. The
    least |r + s u - t v| over 0 <= s, t <= 1 lies on one of the four edges or inside.
    """
    r, u, v = h[..., 0, :] - h[..., 1, :], h[..., 3, :] - h[..., 0, :], h[..., 2, :] - h[..., 1, :]
    uu, vv, uv = (np.sum(a * b, axis=-1) for a, b in ((u, u), (v, v), (u, v)))
    ur, vr = (np.sum(a * r, axis=-1) for a in (u, v))
    det = uu * vv - uv**2
    places = [(_share(uv * vr - ur * vv, det), _share(uu * vr - uv * ur, det))]
    for end in (np.zeros_like(uu), np.ones_like(uu)):
        places.append((end, _share(end * uv + vr, vv)))
        places.append((_share(end * uv - ur, uu), end))
    between = [r + s[..., None] * u - t[..., None] * v for s, t in places]
    return np.min([np.linalg.norm(d, axis=-1) for d in between], axis=0)


def _share(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """The quotient, clipped to [0, 1]; any number in it where the denominator is 0."""
    return np.clip(above / np.where(below > 0, below, 1), 0, 1)


def gaps(net: Net) -> np.ndarray:
    """Computes the gap after W x + c and after its ReLU, `[..., 2]`."""
    s = pre_activations(net, X)
    return np.stack([gap(s), gap(np.maximum(s, 0))], axis=-1)
