"""Activation functions, their derivatives by hand, and what saturates (rows B1 and B2; L0, L1, L3).

Claims: the gradients of the sigmoid and of tanh vanish away from 0; the derivatives in L1's table
are right; ELU is continuously differentiable only for a = 1; clipping a linear output unit to
[0, 1] kills its gradient outside, which the sigmoid's likelihood does not.

Command: `make activations`, two seconds. Values are exact up to rounding, so no seeds: every
derivative is compared with central differences in float64 on 2,001 points. What counts is in
`experiments/claims/activations`. Expect errors of 1e-10 to 1e-9.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.activations import ACTIVATIONS, Activation, elu
from jaxnets.claims import Sample
from jaxnets.losses import LOSSES

from ..lab.claims import Result, markdown


@dataclass(frozen=True)
class Config:
    span: float = 10.0
    points: int = 2001
    seed: int = 0


SMOKE = Config(points=201)
ELU_SLOPES = (0.5, 1.0, 2.0)
FAR = 5.0
"""Where an argument is "not close to zero"."""


def run(config: Config, key: Array) -> Result:
    with jax.enable_x64(True):
        s = jnp.linspace(-config.span, config.span, config.points)
        h = 1e-6
        values, slopes, errors = [], [], []
        for activation in ACTIVATIONS.values():
            value = activation.f(s)
            slope = activation.df(s, value)
            central = (activation.f(s + h) - activation.f(s - h)) / (2 * h)
            values.append(value)
            slopes.append(slope)
            bends = (0.0, *activation.kinks)
            smooth = np.all([jnp.abs(s - place) > 2 * h for place in bends], axis=0)
            errors.append(jnp.max(jnp.where(smooth, jnp.abs(central - slope), 0)))
        jumps = [_jump(elu(a)) for a in ELU_SLOPES]
        outside = jnp.array([-3.0, -1.0, 2.0, 4.0])
        wrong_label = (outside < 0).astype(jnp.int32)
        clipped = jax.vmap(jax.grad(lambda v, t: (jnp.clip(v, 0, 1) - t) ** 2))(
            outside, wrong_label.astype(float)
        )
        sigmoid = LOSSES["binary_cross_entropy"].grad(outside[:, None], wrong_label)[:, 0]
        return {
            "names": np.asarray(list(ACTIVATIONS)),
            "s": np.asarray(s),
            "values": np.asarray(values),
            "slopes": np.asarray(slopes),
            "errors": np.asarray(errors),
            "elu_jumps": np.asarray(jumps),
            "clipped_gradient": np.asarray(clipped),
            "sigmoid_gradient": np.asarray(sigmoid),
        }


def _jump(activation: Activation) -> Array:
    """The jump of the derivative across 0, by difference quotients on either side."""
    left, middle, right = activation.f(jnp.array([-1e-6, 0.0, 1e-6]))
    return (left - 2 * middle + right) / 1e-6


def table(result: Result) -> str:
    rows = [
        [
            name,
            "[{:g}, {:g}]".format(*ACTIVATIONS[name].limits),
            {None: "smooth", -1: "jumps", 0: "kink"}.get(ACTIVATIONS[name].smoothness, "C^1"),
            f"{abs(slope[0]):.1e}, {abs(slope[-1]):.1e}",
            f"{error:.0e}",
        ]
        for name, slope, error in zip(
            map(str, result["names"]), result["slopes"], result["errors"], strict=True
        )
    ]
    span = f"{result['s'][-1]:g}"
    head = ["activation", "range", "at 0", f"slope at -{span}, {span}", "error of the derivative"]
    return markdown(head, rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(3, 5, size=(3.0, 2.3))
    near = np.abs(result["s"]) <= 4
    for panel, name, value, slope in zip(
        axes.ravel(), result["names"], result["values"], result["slopes"], strict=False
    ):
        style = plots.styles()
        for curve, label in ((value, "value"), (slope, "derivative")):
            panel.plot(result["s"][near], curve[near], label=label, **next(style) | {"marker": ""})
        panel.set(title=name, ylim=(-1.6, 2.6))
    for panel in axes.ravel()[len(result["names"]) :]:
        panel.set_axis_off()
    for panel in axes[-1]:
        panel.set_xlabel("pre-activation s")
    axes[0, 0].legend(fontsize="small")
    return canvas


def _shares(result: Result, name: str) -> np.ndarray:
    """Slopes of an activation at all points, in units of the largest; all are positive."""
    slopes = result["slopes"][list(map(str, result["names"])).index(name)]
    return slopes / slopes.max()


def _rise(s: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """How much a slope rises from one point to the next, away from 0."""
    change = np.diff(shares) * np.sign(s[1:] + s[:-1])
    return np.maximum(change, 0)


def _gradients_vanish(result: Result) -> dict[str, Sample]:
    s = result["s"]
    far, shares = np.abs(s) >= FAR, {n: _shares(result, n) for n in ("sigmoid", "tanh", "relu")}
    return {
        "sigmoid at |s| >= 5": Sample(shares["sigmoid"][far]),
        "tanh at |s| >= 5": Sample(shares["tanh"][far]),
        "rise away from 0": Sample(
            np.concatenate([_rise(s, shares[name]) for name in ("sigmoid", "tanh")])
        ),
        "ReLU at s >= 5": Sample(shares["relu"][s >= FAR]),
    }


def _derivatives(result: Result) -> Sample:
    return Sample(result["errors"])


def _elu_smooth(result: Result) -> dict[str, Sample]:
    jumps = zip(ELU_SLOPES, result["elu_jumps"], strict=True)
    return {f"a = {a:g}": Sample([jump]) for a, jump in jumps}


def _clipping_kills(result: Result) -> dict[str, Sample]:
    return {
        "clipped": Sample(np.abs(result["clipped_gradient"])),
        "sigmoid": Sample(np.abs(result["sigmoid_gradient"])),
    }


CLAIMS = {
    "gradients_vanish": _gradients_vanish,
    "derivatives": _derivatives,
    "elu_smooth": _elu_smooth,
    "clipping_kills": _clipping_kills,
}
