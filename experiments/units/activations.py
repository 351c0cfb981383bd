"""Activation functions, their derivatives by hand, and what saturates (rows B1 and B2; L0, L1, L3).

Claims: the gradients of the sigmoid and of tanh vanish away from 0; ELU is continuously
differentiable only for a = 1; clipping a linear output unit to [0, 1] kills its gradient outside,
which the sigmoid's likelihood does not.

Command: `make activations`, two seconds. Values are exact up to rounding, so no seeds: every
derivative is compared with central differences in float64 on 2,001 points. Expect errors of
1e-10 to 1e-9.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.activations import ACTIVATIONS, Activation, elu
from jaxnets.losses import LOSSES

from ..lab.claims import Claim, Result, Verdict, markdown, verdict


@dataclass(frozen=True)
class Config:
    span: float = 10.0
    points: int = 2001
    seed: int = 0


SMOKE = Config(points=201)
ELU_SLOPES = (0.5, 1.0, 2.0)


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
            errors.append(jnp.max(jnp.where(jnp.abs(s) > 2 * h, jnp.abs(central - slope), 0)))
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
    """The jump of the derivative across 0."""
    sides = jnp.array([-1e-12, 1e-12])
    slopes = activation.df(sides, activation.f(sides))
    return slopes[1] - slopes[0]


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
    canvas, axes = plots.figure(3, 3, size=(3.4, 2.4))
    near = np.abs(result["s"]) <= 4
    for panel, name, value, slope in zip(
        axes.ravel(), result["names"], result["values"], result["slopes"], strict=True
    ):
        style = plots.styles()
        for curve, label in ((value, "value"), (slope, "derivative")):
            panel.plot(result["s"][near], curve[near], label=label, **next(style) | {"marker": ""})
        panel.set(title=name, ylim=(-1.6, 2.6))
    for panel in axes[-1]:
        panel.set_xlabel("pre-activation s")
    axes[0, 0].legend(fontsize="small")
    return canvas


def _saturation(result: Result) -> Verdict:
    slopes = dict(zip(map(str, result["names"]), np.abs(result["slopes"]), strict=True))
    share = {n: max(slopes[n][0], slopes[n][-1]) / slopes[n].max() for n in ("sigmoid", "tanh")}
    ours = ", ".join(f"{n} keeps {value:.0e}" for n, value in share.items())
    ours += f" of its largest slope at |s| = {result['s'][-1]:g}; relu keeps 1 on the right"
    return verdict(max(share.values()) < 1e-3, ours, f"{len(result['s'])} points")


def _elu_smooth(result: Result) -> Verdict:
    jumps = result["elu_jumps"]
    ours = "jump of the derivative at 0: " + ", ".join(
        f"a={a}: {jump:+.3f}" for a, jump in zip(ELU_SLOPES, jumps, strict=True)
    )
    smooth = np.isclose(jumps, 0, atol=1e-9)
    return verdict((smooth == (np.asarray(ELU_SLOPES) == 1)).all(), ours, f"{len(jumps)} slopes")


def _clipping(result: Result) -> Verdict:
    dead, alive = np.abs(result["clipped_gradient"]), np.abs(result["sigmoid_gradient"])
    ours = f"clipped: at most {dead.max():.1g}; sigmoid: at least {alive.min():.2f}"
    return verdict(dead.max() == 0 and alive.min() > 0.5, ours, f"{len(dead)} wrong outputs")


CLAIMS = [
    Claim("B1, L0", "sigmoid and tanh gradients vanish away from 0", "picture", _saturation),
    Claim("B1, L1", "ELU is C^1 only at a = 1", "a = 1", _elu_smooth),
    Claim("B2, L1", "clipping kills the gradient, the sigmoid does not", "-", _clipping),
]
