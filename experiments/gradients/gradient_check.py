"""Back-propagation by hand against jax.grad and central differences, on random networks (row D1).

Claim: the backward pass of the lectures (L0, L1, L2) gives the derivatives of the loss. Every
network is drawn at random: depth 1 to 6, plain, residual, with dropout, or with a code for each
sample's shape (row C9), any differentiable activation, any loss, batch and parameters; the
gradients by hand are compared in float64 and in float32. So are those of LeNet, L2's network, a
residual CNN, and batch normalisation by running statistics and by the batch, on images of 28 x 28;
there jax.grad differentiates the same network in Flax's operations, because jax.grad of ours would
run the rules by hand.

Command: `make gradcheck`, five minutes on 2 cores. An error is the norm of the difference over the
norm of jax.grad's gradient. Central differences in float64, one per parameter, straddle the kinks
of ReLU and hinge, so a network with a pre-activation or margin within 1e-3 of a kink, or of a place
where the slope has one, is drawn again. So is one with a gradient below a hundredth of the loss, of
which the roundings, divided by the step, are 1e-8 of that and more. Image networks have 16
differences along random directions and 8 in every kernel, bias and scale, most of them along single
parameters; a difference is drawn again if a ReLU or a pooling changes its linear piece between the
two points, a network if float32 puts the two implementations on different pieces. Expect about
1e-16 in float64, 1e-7 in float32, 1e-9 against central differences.
"""

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tqdm import tqdm

from jaxnets import backprop, plots
from jaxnets.activations import ACTIVATIONS, get_activation
from jaxnets.claims import Sample
from jaxnets.losses import DELTA, LOSSES, get_loss
from jaxnets.models import MLP, CodedShapes, ResidualMLP
from jaxnets.objective import Batch, Objective, Params

from ..lab.claim_files import registered
from ..lab.claims import Result, markdown
from . import gradient_check_images as images

DIFFERENTIABLE = [name for name in ACTIVATIONS if name != "step"]
SHAPES = 3
"""Codes of a `CodedShapes`."""
CLASSES = dict.fromkeys(("softmax_cross_entropy", "focal", "smoothed_cross_entropy"), 3)
OUTPUTS = CLASSES | {"multilabel_cross_entropy": 2, "gaussian": 4}
LIMITS = {part.name: part.margin for part in registered("gradient_check")["gradients_agree"].parts}
"""The largest error of each comparison."""
FAMILIES = ("depth", "activation", "loss", "model")
WIDTH, FEATURES, BATCH = 4, 4, 6


def _coded(widths: tuple[int, ...], outputs: int, activation: str) -> CodedShapes:
    return CodedShapes(SHAPES, 2, MLP(widths, outputs, activation))


def _dropping(widths: tuple[int, ...], outputs: int, activation: str) -> ResidualMLP:
    return ResidualMLP(widths, outputs, activation, dropout=0.3)


MODELS = {
    "MLP": MLP,
    "ResidualMLP": ResidualMLP,
    "ResidualMLP with dropout": _dropping,
    "CodedShapes": _coded,
}
QUICK = {"xla_backend_optimization_level": 0}
"""Each of hundreds of programs runs once or twice, in a fraction of what it takes to compile."""
KEY = 0
"""The seed of the dropout masks, which are those of the central differences too."""


@dataclass(frozen=True)
class Config:
    depths: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    losses: tuple[str, ...] = tuple(LOSSES)
    activations: int = 1
    """Drawn at random for each depth, loss and model."""
    networks: int = 8
    """Of each depth, loss, model and activation; 6 x 11 x 4 x 1 x 8 = 2,112 in all."""
    step: float = 1e-5
    kink: float = 1e-3
    faint: float = 1e-2
    """The share of the loss below which a gradient is lost in the roundings of differences."""
    images: tuple[str, ...] = tuple(images.NETWORKS)
    image_networks: int = 8
    """Of each image family."""
    image_step: float = 1e-6
    """Along unit vectors; smaller than `step`, as 100,000 units come closer to their kinks."""
    seed: int = 0


SMOKE = Config(
    depths=(2,),
    losses=("hinge", "gaussian", "clamped_l1"),
    activations=1,
    networks=4,
    images=("lenet5", "parallel_cnn", "batch_norm_cnn"),
    image_networks=1,
)


def run(config: Config, key: Array) -> Result:
    rows: list[dict[str, Any]] = []
    redrawn = crossed = 0
    choice = np.random.default_rng(config.seed)
    with jax.enable_x64(True):
        for family in tqdm(_families(config, choice), unit="family", desc="gradient check"):
            members, near = _members(config, family, choice)
            rows += members
            redrawn += near
        for name in tqdm(config.images, unit="family", desc="image networks"):
            members, near, kinks = _image_members(config, name, choice)
            rows += members
            redrawn += near
            crossed += kinks
    columns = {name: np.asarray([row[name] for row in rows]) for name in rows[0]}
    counts = {"redrawn": np.asarray(redrawn), "redrawn_differences": np.asarray(crossed)}
    return columns | counts


def _families(config: Config, choice: np.random.Generator) -> list[dict[str, Any]]:
    return [
        {"depth": depth, "loss": loss, "model": model, "activation": str(activation)}
        for depth, loss, model in product(config.depths, config.losses, MODELS)
        for activation in choice.choice(DIFFERENTIABLE, config.activations, replace=False)
    ]


def _members(
    config: Config, family: dict[str, Any], choice: np.random.Generator
) -> tuple[list[dict[str, Any]], int]:
    """Errors of `config.networks` networks of a family, and how many were drawn again."""
    outputs = OUTPUTS.get(family["loss"], 1)
    model = MODELS[family["model"]]((WIDTH,) * family["depth"], outputs, family["activation"])
    objective = Objective(model, family["loss"])
    check = jax.jit(jax.vmap(partial(_check, config, objective)), compiler_options=QUICK)
    members: list[dict[str, Any]] = []
    near = 0
    while len(members) < config.networks:
        drawn = jax.device_get(check(*_draw(objective, 2 * config.networks, choice)))
        for i, blurred in enumerate(drawn["blurred"]):
            if len(members) == config.networks:
                break
            near += int(blurred)
            if not blurred:
                members.append({kind: drawn[kind][i] for kind in LIMITS} | family)
    return members, near


def _image_members(
    config: Config, name: str, choice: np.random.Generator
) -> tuple[list[dict[str, Any]], int, int]:
    """Errors of `config.image_networks` networks; networks and differences drawn again."""
    model, key = images.NETWORKS[name](), images.key_of(name)
    members: list[dict[str, Any]] = []
    near = crossed = 0
    for _ in range(images.DRAWS * config.image_networks):
        if len(members) == config.image_networks:
            return members, near, crossed
        params, batch = images.draw(model, choice)
        *single, apart = images.gradients(model, *jax.tree.map(_to_float32, (params, batch)), key)
        if apart:
            near += 1
            continue
        *double, _ = images.gradients(model, params, batch, key)
        slopes, kinks = images.directional_derivatives(
            model, params, batch, double, config.image_step, choice, key
        )
        central, by_hand, by_jax = slopes.T
        crossed += kinks
        errors = {
            "float64": _error(*double),
            "float32": _error(*single),
            "central": _error(by_hand, central, by_jax),
        }
        members.append({kind: float(error) for kind, error in errors.items()} | images.facts(name))
    raise RuntimeError(f"{name}: {near} networks drawn, nearly all at a kink in float32")


def _draw(objective: Objective, n: int, choice: np.random.Generator) -> tuple[Any, Any]:
    """`n` networks with weights of variance 1 / inputs, standard normal biases and samples."""
    model, loss = objective.model, get_loss(objective.loss)
    shapes = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, FEATURES)))
    params = jax.tree.map(
        lambda leaf: choice.standard_normal((n, *leaf.shape)) / np.sqrt((*leaf.shape, 1)[1]), shapes
    )
    outputs = OUTPUTS.get(str(objective.loss), 1)
    targets = jax.eval_shape(loss.predict, jnp.zeros((BATCH, outputs))).shape
    classes = CLASSES.get(str(objective.loss), 2)
    labels = choice.integers(0, classes, (n, *targets))
    y = labels if loss.classifies else choice.standard_normal((n, *targets))
    x = choice.standard_normal((n, BATCH, FEATURES))
    if isinstance(model, CodedShapes):
        x[..., 0] = choice.integers(0, SHAPES, (n, BATCH))
    return params, {"x": x, "y": y}


def _check(config: Config, objective: Objective, params: Params, batch: Batch) -> dict[str, Array]:
    """Compares the gradients of one network."""
    by_hand, by_jax = _both_gradients(objective, params, batch)
    central = _central_differences(objective, params, batch, config.step)
    single = _both_gradients(objective, *jax.tree.map(_to_float32, (params, batch)))
    loss, _ = objective(params, batch, jax.random.key(KEY))
    faint = jnp.linalg.norm(by_jax) < config.faint * loss
    near_kink = _distance_to_kink(objective, params, batch) < config.kink
    return {
        "float64": _error(by_hand, by_jax),
        "float32": _error(*single),
        "central": _error(by_hand, central, by_jax),
        "blurred": near_kink | faint,
    }


def _distance_to_kink(objective: Objective, params: Params, batch: Batch) -> Array:
    """The least distance of a pre-activation to a kink, or of an output to a loss's kink.

    That is 0 or 1, or, for the clamped loss, the clamped target. Where a slope has a kink, as
    those of softsign and ELU at 0, differences are less precise too.
    """
    model = objective.model
    bound = model.bind(params, rngs={"dropout": jax.random.key(KEY)})
    outputs, traces = backprop.FAMILIES[type(model)].forward(bound, params, batch["x"])
    layers = traces.decoder if isinstance(model, CodedShapes) else traces
    hidden = jnp.stack([trace.s for trace in layers[:-1]])
    margins = jnp.minimum(jnp.abs(outputs), jnp.abs(jnp.abs(outputs) - 1))
    if objective.loss == "clamped_l1":
        margins = jnp.abs(outputs - jnp.clip(batch["y"], -DELTA, DELTA))
    activation = get_activation(_activation(model))
    kinks = () if activation.smoothness is None else activation.kinks or (0.0,)
    to_kinks = [jnp.abs(hidden - kink).min() for kink in kinks]
    return jnp.min(jnp.stack([margins.min(), *to_kinks]))


def _activation(model: Any) -> Any:
    return (model.decoder if isinstance(model, CodedShapes) else model).activation


def _both_gradients(objective: Objective, params: Params, batch: Batch) -> tuple[Array, Array]:
    """The gradients by hand and by jax.grad, each as one vector."""
    _, by_hand = backprop.value_and_grad(objective)(params, batch, jax.random.key(KEY))
    by_autodiff = jax.value_and_grad(objective, has_aux=True)
    _, by_jax = by_autodiff(params, batch, jax.random.key(KEY))
    return ravel_pytree(by_hand)[0], ravel_pytree(by_jax)[0]


def _central_differences(objective: Objective, params: Params, batch: Batch, h: float) -> Array:
    """`(E(w + h e_i) - E(w - h e_i)) / 2h` for every parameter i, as one vector."""
    w, unravel = ravel_pytree(params)
    value = jax.vmap(lambda w: objective(unravel(w), batch, jax.random.key(KEY))[0])
    steps = h * jnp.eye(len(w))
    return (value(w[None] + steps) - value(w[None] - steps)) / (2 * h)


def _error(ours: Array, reference: Array, scale: Array | None = None) -> Array:
    """The norm of the difference over that of `scale`; absolute where the gradient is exactly 0."""
    difference = jnp.linalg.norm(ours - reference)
    size = jnp.linalg.norm(reference if scale is None else scale)
    return jnp.where(size > 0, difference / size, difference)


def _to_float32(a: Array) -> Array:
    return a.astype(jnp.float32 if jnp.issubdtype(a.dtype, jnp.floating) else jnp.int32)


def table(result: Result) -> str:
    """Formats the largest error of each family."""
    rows = []
    for family in FAMILIES:
        for member in np.unique(result[family]):
            chosen = result[family] == member
            worst = [f"{result[kind][chosen].max():.1e}" for kind in LIMITS]
            rows.append([f"{family} {member}", int(chosen.sum()), *worst])
    failures = sum(_failures(result).values())
    return (
        markdown(["family", "networks", "float64", "float32", "central differences"], rows)
        + f"\n{len(result['depth'])} networks, {failures} failures; "
        + f"{result['redrawn']} drawn again, near a kink or with hardly a gradient, as were "
        + f"{result['redrawn_differences']} single differences of image networks"
    )


def _is_on_images(result: Result) -> np.ndarray:
    return np.isin(result["model"], list(images.NETWORKS))


def _failures(result: Result) -> dict[str, int]:
    return {kind: int((~(result[kind] <= limit)).sum()) for kind, limit in LIMITS.items()}


LABELS = {
    "float64": "jax.grad, float64",
    "central": "central differences, float64",
    "float32": "jax.grad, float32",
}
SMALLEST = 1e-18


def plot(result: Result) -> Figure:
    of_images = _is_on_images(result)
    canvas, axes = plots.figure(1, 1 + int(of_images.any()), size=(6.4, 3.8))
    _histogram(axes[0, 0], {kind: result[kind][~of_images] for kind in LIMITS})
    if of_images.any():
        _strips(axes[0, 1], {name: result[name][of_images] for name in ("model", *LIMITS)})
    for panel in axes[0]:
        for kind, colour in zip(LABELS, plots.COLOURS, strict=False):
            panel.axvline(LIMITS[kind], color=colour, linestyle="--", linewidth=1.2)
        panel.set(
            xscale="log",
            xlim=(SMALLEST / 5, 5e-4),
            xlabel="relative error by hand (0 as 1e-18; dashed: limits)",
        )
        panel.legend(loc="upper left", fontsize="small")
    return canvas


def _histogram(panel: Axes, errors: Result) -> None:
    bins = np.logspace(np.log10(SMALLEST), -4, 57)
    hatches = ("", "///", "...")
    for (kind, label), colour, hatch in zip(LABELS.items(), plots.COLOURS, hatches, strict=False):
        drawn = np.maximum(errors[kind], SMALLEST)
        panel.hist(
            drawn, bins.tolist(), label=label, color=colour, alpha=0.6, hatch=hatch, edgecolor="w"
        )
    panel.set(ylabel="networks", title=f"{len(errors['float64']):,} random MLPs")
    panel.margins(y=0.4)


def _strips(panel: Axes, result: Result) -> None:
    """Every image network as a point, a row for each family and kind of comparison."""
    names = list(dict.fromkeys(result["model"].tolist()))
    rows = np.asarray([names.index(name) for name in result["model"].tolist()])
    looks = zip((0.2, 0, -0.2), plots.COLOURS, plots.MARKERS, strict=False)
    for (kind, label), (offset, colour, marker) in zip(LABELS.items(), looks, strict=True):
        drawn = np.maximum(result[kind], SMALLEST)
        panel.plot(drawn, rows + offset, marker, color=colour, label=label, alpha=0.7)
    panel.set(title=f"{len(rows)} random image networks", ylim=(-0.6, len(names) + 0.3))
    panel.set_yticks(range(len(names)), names)


def _gradients_agree(result: Result) -> dict[str, Sample]:
    return {kind: Sample(result[kind]) for kind in LIMITS}


CLAIMS = {"gradients_agree": _gradients_agree}
