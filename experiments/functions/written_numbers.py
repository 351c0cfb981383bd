"""Numbers and examples that the slides write down (rows B3, C1, C2, and of G).

Claims: networks have as many weights as the slides say, from 151 to 13,002; a layer is one matrix
once a 1 is joined to x, and layers without activation functions are one layer; the losses are
those of the formulas; the ReLU units of L0's example share a hyperplane, and 1, 2, 3 units make a
function that is affine between theirs; the Jacobian of a network is the product of those of its
layers, the last one first (L2 prints the reverse order, see docs/errata.md); a sigmoid unit says
who buys L1's car; memory grows with the set, and mini-batches mitigate this; w.x + w0 is a signed
distance; least squares is maximum likelihood under Gaussian noise; the area under a ROC curve is
the share of pairs in order.

Command: `make written_numbers`, twenty seconds on 2 cores. Every number is compared with one found
in another way: by a formula in NumPy, with 120 digits, on a grid, pair by pair. Random inputs and
weights only stand for all others: these are identities, in float64. Of memory, what XLA plans for
the compiled gradient is read; nothing is run. What counts is in
`experiments/claims/written_numbers`.

Expect all of it to hold. L2's product of Jacobians is off by about its own size. L4's sentence on
Gaussian noise stands beside logistic regression, on a slide whose formula is in its picture alone;
the loss that L0 gives for that model is the likelihood of labels, not of such noise.
"""

from dataclasses import dataclass

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import MLP, plots
from jaxnets.claims import Sample

from ..lab.claims import Result, markdown
from . import written_losses as losses
from . import written_networks as networks
from . import written_planes as planes


@dataclass(frozen=True)
class Config:
    samples: int = 200
    points: int = 129
    """Of the grids, on a side."""
    steps: int = 1000
    """Of logistic regression on the table of cars."""
    sizes: tuple[int, ...] = (7500, 15000, 30000, 60000)
    """Of the sets of which a step's memory is read, multiples of `batch_size`."""
    batch_size: int = 100
    seed: int = 0


SMOKE = Config(samples=20, points=33, steps=300, sizes=(200, 400, 800))
LOGITS = np.geomspace(1, 1e4, 81)


def run(config: Config, key: Array) -> Result:
    random = np.random.default_rng(int(jax.random.bits(key)))
    result = {
        "weights": np.asarray([networks.count(MLP(w)) for w in networks.NETWORKS.values()], float),
        "residual_weights": np.asarray(float(networks.count(networks.RESIDUAL))),
        "digit_weights": np.asarray(float(networks.count(networks.DIGITS, 784))),
        "sizes": np.asarray(config.sizes),
    }
    result |= _named("memory", networks.memory(config.sizes, config.batch_size))
    with jax.enable_x64(True):
        result |= _of_networks(random, config.samples) | _of_planes(config, random)
        for name in losses.PRINTED:
            result |= _named(f"loss_{name}", losses.errors(name))
        result["printed"], result["stable"] = losses.overflowing(LOGITS)
    return result


def _named(prefix: str, found: Result) -> Result:
    return {f"{prefix}_{name}": value for name, value in found.items()}


def _of_networks(random: np.random.Generator, samples: int) -> Result:
    return {
        "compact": networks.compact_errors(random, samples),
        "linear": networks.linear_errors(random, samples),
        "residual": np.asarray(networks.residual_error(random, samples)),
    } | _named("jacobian", networks.jacobians(random, samples))


def _of_planes(config: Config, random: np.random.Generator) -> Result:
    return (
        _named("relu", planes.relu_example(config.points))
        | _named("lines", planes.hyperplanes(config.points))
        | {"distance": planes.distance_errors(random, config.samples)}
        | _named("noise", planes.noise_errors(random, config.samples))
        | _named("car", planes.buys_car(config.steps))
        | _named("roc", planes.roc(random, config.samples))
    )


def table(result: Result) -> str:
    counts = zip(networks.NETWORKS, result["weights"], strict=True)
    rows = [[name, f"{weights:,.0f}"] for name, weights in counts]
    rows.append(["10/20/10/10, residual", f"{result['residual_weights']:,.0f}"])
    rows.append(["784-16-16-10", f"{result['digit_weights']:,.0f}"])
    weights = markdown(["network", "weights"], rows)
    rows = [[what, f"{np.max(error):.0e}"] for what, error in _errors(result).items()]
    errors = markdown(["identity", "largest error"], rows)
    rows = [
        [f"{size:,}", f"{full / 1e6:.2f}", f"{parts / 1e6:.2f}"]
        for size, full, parts in zip(
            result["sizes"], result["memory_full"], result["memory_batches"], strict=True
        )
    ]
    memory = markdown(["samples", "MB, full set", "MB, mini-batches"], rows)
    cars = ", ".join(f"{y:.2f}" for y in result["car_y"])
    area = result["roc_areas"][:, 0]
    more = (
        f"L2's order of Jacobians is off by {result['jacobian_reversed'].min():.1f} to "
        f"{result['jacobian_reversed'].max():.1f} of the largest entry. Buys a car: {cars}. "
        f"Area under the curve: {area[0]:.4f}, with ties {area[1]:.4f}."
    )
    return "\n\n".join([weights, errors, memory, more])


def _errors(result: Result) -> dict[str, np.ndarray]:
    names = [key for key in result if key.startswith("loss_")]
    return {
        "a layer as one product": result["compact"],
        "layers without activation as one": result["linear"],
        "residual layer": result["residual"],
        "losses and slopes, outputs to 10,000": np.asarray([result[n].max() for n in names]),
        "ReLU example": np.append(result["relu_hidden"], result["relu_y"]),
        "affine between hyperplanes": result["lines_edges"],
        "chain of Jacobians": np.append(result["jacobian_reverse"], result["jacobian_forward"]),
        "signed distance": result["distance"],
        "least squares, maximum likelihood": result["noise_weights"],
        "area under the ROC curve": np.ptp(result["roc_areas"], axis=1),
    }


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 4, size=(3.5, 3.2))
    _draw_example(axes[0, 0])
    for units, (panel, heights) in enumerate(
        zip(axes[0, 1:], result["lines_maps"], strict=True), 1
    ):
        _draw_lines(panel, units, heights, int(result["lines_regions"][units - 1]))
    _draw_car(axes[1, 0], result)
    _draw_roc(axes[1, 1], result)
    _draw_memory(axes[1, 2], result)
    _draw_loss(axes[1, 3], result)
    return canvas


def _draw_heights(axes: Axes, heights: np.ndarray, lines: np.ndarray, offsets: np.ndarray) -> None:
    """Draws y on the square grid as a map with contours, and the hyperplanes w.x + b = 0."""
    axis = np.linspace(-planes.REACH, planes.REACH, len(heights))
    axes.contourf(axis, axis, heights, levels=14, cmap="Blues")
    axes.contour(axis, axis, heights, levels=14, colors="white", linewidths=0.5)
    for (w, b), style in zip(zip(lines, offsets, strict=True), plots.styles(), strict=False):
        on = -b * w / (w @ w)
        along = np.asarray([-w[1], w[0]]) / np.linalg.norm(w)
        ends = on + np.outer([-12, 12], along)
        axes.plot(*ends.T, color=plots.COLOURS[1], linestyle=style["linestyle"], linewidth=1.6)
    limits = (-planes.REACH, planes.REACH)
    axes.set(xlim=limits, ylim=limits, xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
    axes.grid(visible=False)


def _draw_example(axes: Axes) -> None:
    x = planes.grid(129)
    heights = np.abs(x[:, 0] - x[:, 1]).reshape(129, 129) / 2
    _draw_heights(axes, heights, planes.FOLD[:1], np.zeros(1))
    axes.set_title("$h_1 + h_2 = |x_1 - x_2|\\,/\\,2$: one fold")


def _draw_lines(axes: Axes, units: int, heights: np.ndarray, regions: int) -> None:
    _draw_heights(axes, heights, planes.LINES[:units], planes.OFFSETS[:units])
    lines = "1 hyperplane" if units == 1 else f"{units} hyperplanes"
    axes.set_title(f"{lines}: {regions} affine pieces")


def _draw_car(axes: Axes, result: Result) -> None:
    salary, family = np.linspace(2, 22, 101), np.linspace(4, 9, 101)
    w, b = result["car_w"], result["car_b"]
    y = 1 / (1 + np.exp(-(w[0] * salary[None] + w[1] * family[:, None] + b)))
    drawn = axes.contourf(salary, family, y, levels=np.linspace(0, 1, 11), cmap="Blues", alpha=0.8)
    axes.contour(salary, family, y, levels=[0.5], colors="black", linewidths=1.2)
    for bought, marker, label in ((0, "x", "no"), (1, "o", "buys")):
        shown = planes.CARS[bought == planes.BOUGHT]
        axes.scatter(
            shown[:, 0],
            shown[:, 1],
            s=45,
            marker=marker,
            color=plots.COLOURS[1],
            label=label,
            zorder=3,
        )
    axes.legend(fontsize="small", loc="lower right")
    axes.get_figure().colorbar(drawn, ax=axes, ticks=[0, 0.5, 1])
    axes.set(xlabel="salary", ylabel="size of family", title="buys a car? a sigmoid unit")
    axes.grid(visible=False)


def _draw_roc(axes: Axes, result: Result) -> None:
    areas, style = result["roc_areas"][:, 0], plots.styles()
    for name, area, label in zip(
        ("curve", "curve_ties"), areas, ("scores", "rounded"), strict=True
    ):
        line = next(style) | {"marker": "" if name == "curve" else "s"}
        axes.plot(*result[f"roc_{name}"].T, label=f"{label}: {area:.3f}", **line)
    axes.plot([0, 1], [0, 1], color="0.5", linewidth=1, label="chance: 0.5")
    axes.set(xlabel="false alarms", ylabel="true alarms", title="ROC curve and area under it")
    axes.legend(fontsize="small", loc="lower right")


def _draw_memory(axes: Axes, result: Result) -> None:
    style = plots.styles()
    for name, label in (("full", "all at once"), ("batches", "mini-batches")):
        axes.plot(result["sizes"], result[f"memory_{name}"] / 1e6, label=label, **next(style))
    axes.set(xscale="log", yscale="log", xlabel="samples in the set", ylabel="MB")
    axes.set_xticks(result["sizes"], [f"{n:,}" for n in result["sizes"]], fontsize="small")
    axes.minorticks_off()
    axes.set_title("memory of a gradient step")
    axes.legend(fontsize="small")


def _draw_loss(axes: Axes, result: Result) -> None:
    style = plots.styles()
    for name, label in (
        ("stable", "from the output s"),
        ("printed", "as printed: infinite from 37"),
    ):
        line = next(style) | {"marker": "", "linewidth": 4 if name == "printed" else 1.5}
        axes.plot(LOGITS, result[name], label=label, zorder=2 - (name == "printed"), **line)
    axes.set(xscale="log", yscale="log", xlabel="output s", ylabel="$-\\ln(1 - y)$")
    axes.set_title("cross entropy, float64")
    axes.legend(fontsize="small")


def _parameter_counts(result: Result) -> dict[str, Sample]:
    counts = zip(networks.NETWORKS, result["weights"], strict=True)
    return {name: Sample([weights]) for name, weights in counts}


def _residual_layer(result: Result) -> dict[str, Sample]:
    weights, plain = result["residual_weights"], result["weights"][-1]
    return {
        "weights": Sample([weights]),
        "added": Sample([weights - plain]),
        "difference": Sample([result["residual"]]),
    }


def _losses_stable(result: Result) -> dict[str, Sample]:
    return {
        f"{name}, {kind}": Sample(result[f"loss_{name}_{kind}"].ravel())
        for name in losses.PRINTED
        for kind in ("value", "slope")
    }


def _relu_example(result: Result) -> dict[str, Sample]:
    return {
        "hidden values": Sample(result["relu_hidden"]),
        "y": Sample(result["relu_y"]),
        "regions": Sample(result["relu_regions"]),
    }


def _hyperplanes(result: Result) -> dict[str, Sample]:
    both = np.stack([result["lines_regions"], result["lines_patterns"]], axis=1)
    nodes = ("1 node", "2 nodes", "3 nodes")
    counted = {f"regions, {n}": Sample(found) for n, found in zip(nodes, both, strict=True)}
    return counted | {"affine to the edges": Sample(result["lines_edges"])}


def _jacobian_chain(result: Result) -> dict[str, Sample]:
    return {f"{mode} mode": Sample(result[f"jacobian_{mode}"]) for mode in ("reverse", "forward")}


def _buys_car(result: Result) -> dict[str, Sample]:
    y = result["car_y"]
    label = np.where(np.isnan(y), np.nan, y > 0.5)
    return {
        "label": Sample(label, planes.BOUGHT),
        "formula": Sample(y, result["car_formula"]),
    }


def _batch_memory(result: Result) -> dict[str, Sample]:
    doublings = np.diff(np.log2(result["sizes"]))
    return {
        part: Sample(np.diff(np.log2(result[f"memory_{name}"])) / doublings)
        for part, name in (("full set", "full"), ("mini-batches", "batches"))
    }


def _signed_distance(result: Result) -> dict[str, Sample]:
    found = zip(planes.DIMENSIONS, result["distance"], strict=True)
    return {f"{n} dimensions": Sample([error]) for n, error in found}


def _gaussian_noise(result: Result) -> dict[str, Sample]:
    return {name: Sample(result[f"noise_{name}"]) for name in ("weights", "gradients")}


def _roc_area(result: Result) -> dict[str, Sample]:
    area, *others = result["roc_areas"].T
    names = ("Mann-Whitney", "pairs", "scikit-learn")
    return {name: Sample(area, other) for name, other in zip(names, others, strict=True)}


CLAIMS = {
    "parameter_counts": _parameter_counts,
    "compact_form": lambda result: Sample(result["compact"]),
    "no_activation": lambda result: Sample(result["linear"]),
    "residual_layer": _residual_layer,
    "losses_stable": _losses_stable,
    "relu_example": _relu_example,
    "hyperplanes": _hyperplanes,
    "all_weights": lambda result: Sample([result["digit_weights"]]),
    "jacobian_chain": _jacobian_chain,
    "buys_car": _buys_car,
    "batch_memory": _batch_memory,
    "signed_distance": _signed_distance,
    "gaussian_noise": _gaussian_noise,
    "roc_area": _roc_area,
}
