"""Derivatives on computational graphs: paths, forward mode and reverse mode (row D2; L1).

Claims: for e = (a + b)(b + 1) at a = 2, b = 1, de/db = 2 x 1 + 3 x 1 = 5, the sum over all paths of
the products along them; that sum "can quickly become computationally intractable", and factorises:
the nine products of a graph with three edges from X to Y and three from Y to Z are (alpha + beta +
gamma)(delta + epsilon + zeta); forward mode gives the derivative with respect to one input in one
pass, reverse mode "the derivative of the output with respect to every node".

Command: `make computational_graph`, ten seconds. Protocol: 200 random graphs of 14 operations
(sums, differences, products, sines, tanh) on three inputs, each at 32 normal points in float64,
against jax.jvp and jax.vjp of the same function; the lecture's two graphs; chains of 1 to 20 stages
of three parallel edges each; a recurrence of 1 to 64 inputs. Work is counted in nodes visited.
The claims, all of them identities, are in `experiments/claims/computational_graph`: "intractable"
means that a stage multiplies the paths, but adds the same number of visits to a pass. Errors are
relative to the largest derivative (to 1 if all are smaller: some cancel to 0). Expect all of it to
hold: this is the chain rule.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.backprop import graph
from jaxnets.backprop.graph import Node
from jaxnets.claims import Sample

from ..lab.claims import Result, markdown

CHOICES = ("add", "subtract", "multiply", "sin", "tanh")
REACH = 6
"""A random operation takes its operands from this many of the newest nodes."""
WAYS = {"paths": "sum over paths", "forward": "forward mode", "reverse": "reverse mode"}


@dataclass(frozen=True)
class Config:
    graphs: int = 200
    operations: int = 14
    points: int = 32
    stages: int = 20
    inputs: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)
    seed: int = 0


SMOKE = Config(graphs=5, operations=6, points=4, stages=4, inputs=(1, 2, 4))


def run(config: Config, key: Array) -> Result:
    choice = np.random.default_rng(int(jax.random.bits(key)))
    with jax.enable_x64(True):
        errors = [_errors(config, choice) for _ in range(config.graphs)]
    names = [f"error_{way}" for way in WAYS]
    return (
        {name: np.asarray(row) for name, row in zip(names, zip(*errors, strict=True), strict=True)}
        | _lecture_example()
        | _factorise(choice)
        | _chains(config.stages)
        | _many_inputs(config.inputs)
    )


def random_graph(choice: np.random.Generator, sources: Sequence[Node], operations: int) -> Node:
    """Draws random operations, the first of which take the sources, and returns the last."""
    nodes = list(sources)
    for _ in range(operations):
        name = str(choice.choice(CHOICES))
        recent = nodes[-REACH:]
        chosen = choice.integers(len(recent), size=graph.OPERATIONS[name].operands)
        nodes.append(graph.apply(name, *(recent[i] for i in chosen)))
    return nodes[-1]


def _errors(config: Config, choice: np.random.Generator) -> tuple[float, ...]:
    """How far each way is from JAX on a new random graph, relative to the largest derivative."""
    sources = graph.inputs(3)
    output = random_graph(choice, sources, config.operations)
    x = choice.normal(size=(len(sources), config.points))
    labels = graph.local_derivatives(output, dict(zip(sources, x, strict=True)))
    edges = {node: tuple(map(np.asarray, values)) for node, values in labels.items()}
    used = [source for source in sources if source in edges]
    jvp, vjp = _by_jax(output, {source: x[sources.index(source)] for source in used})
    down = graph.reverse(edges)
    found = {
        "paths": ([graph.sum_over_paths(edges, source) for source in used], vjp),
        "forward": ([graph.forward(edges, source)[output] for source in used], jvp),
        "reverse": ([down[source] for source in used], vjp),
    }
    return tuple(relative(*found[way]) for way in WAYS)


def _by_jax(output: Node, point: dict[Node, Any]) -> tuple[np.ndarray, np.ndarray]:
    """`jax.jvp` once for each input and `jax.vjp` once for all, both `[inputs, points]`."""

    def function(*values: Any) -> Any:
        return graph.evaluate(output, dict(zip(point, values, strict=True)))[output]

    x = tuple(point.values())
    value, pull = jax.vjp(function, *x)
    unit = np.eye(len(x))[:, :, None] * np.ones(x[0].shape)[None, None]
    jvp = [jax.jvp(function, x, tuple(tangents))[1] for tangents in unit]
    return np.asarray(jvp), np.asarray(pull(np.ones_like(value)))


def relative(found: Any, expected: np.ndarray) -> float:
    """Computes the largest `|found - expected|` over the largest `|expected|`, at least 1."""
    rows = [np.broadcast_to(row, expected[0].shape) for row in found]
    error = np.abs(np.asarray(rows) - expected)
    return float(error.max() / max(np.abs(expected).max(), 1))


def _lecture_example() -> Result:
    """The derivatives of e = (a + b)(b + 1) by b in three ways, and the products on its paths."""
    a, b = graph.inputs(2)
    e = (a + b) * (b + 1)
    edges = graph.local_derivatives(e, {a: 2.0, b: 1.0})
    found = (graph.sum_over_paths(edges, b), graph.forward(edges, b)[e], graph.reverse(edges)[b])
    products = sorted(math.prod(labels) for labels in graph.paths(edges, b))
    return {"lecture": np.asarray(found), "lecture_products": np.asarray(products)}


def parallel(node: Node, labels: Sequence[float]) -> Node:
    """Builds a node with an edge from `node` for each label: the sum of label times node."""
    first, *rest = (float(label) * node for label in labels)
    return sum(rest, start=first)


def _factorise(choice: np.random.Generator) -> Result:
    labels = choice.normal(size=6)
    (x,) = graph.inputs(1)
    z = parallel(parallel(x, labels[:3].tolist()), labels[3:].tolist())
    edges = graph.local_derivatives(z, {x: 1.0})
    products = [math.prod(path) for path in graph.paths(edges, x)]
    return {"labels": labels, "products": np.asarray(products)}


def _chains(longest: int) -> Result:
    """Paths, and nodes that a pass visits, in chains of 1, 2, ... stages of three edges."""
    (x,) = graph.inputs(1)
    node, count, visited = x, [], []
    for _ in range(longest):
        node = parallel(node, (0.5, 0.3, 0.2))
        edges = graph.local_derivatives(node, {x: 1.0})
        count.append(graph.count_paths(edges, x))
        visited.append(len(graph.reverse(edges)))
    return {"paths": np.asarray(count, float), "pass_visits": np.asarray(visited)}


def recurrence(count: int) -> tuple[tuple[Node, ...], Node]:
    """Builds inputs x_1, x_2, ... and the last of h_i = tanh(h_{i-1} x_i + x_i)."""
    sources = graph.inputs(count)
    h = graph.apply("tanh", sources[0])
    for x in sources[1:]:
        h = graph.apply("tanh", h * x + x)
    return sources, h


def _many_inputs(counts: Sequence[int]) -> Result:
    """Nodes visited for the full gradient, and the difference between the two modes."""
    rows = []
    for count in counts:
        sources, output = recurrence(count)
        labels = graph.local_derivatives(output, dict(zip(sources, np.ones(count), strict=True)))
        edges = {node: tuple(map(float, values)) for node, values in labels.items()}
        up = [graph.forward(edges, source) for source in sources]
        down = graph.reverse(edges)
        gap = relative([one[output] for one in up], np.asarray([down[s] for s in sources]))
        rows.append((sum(map(len, up)), len(down), gap))
    forward, backward, gaps = (np.asarray(column) for column in zip(*rows, strict=True))
    return {
        "inputs": np.asarray(counts),
        "forward_visits": forward,
        "reverse_visits": backward,
        "mode_gaps": gaps,
    }


def table(result: Result) -> str:
    rows = [
        [label, f"{result['lecture'][i]:g}", f"{np.median(error):.0e}", f"{error.max():.0e}"]
        for i, (way, label) in enumerate(WAYS.items())
        for error in [result[f"error_{way}"]]
    ]
    count = f"{len(result['error_paths'])} random graphs"
    agreement = markdown(["way", "de/db", f"median error, {count}", "largest"], rows)
    columns = (result["inputs"], result["forward_visits"], result["reverse_visits"])
    rows = [list(row) for row in zip(*columns, strict=True)]
    visits = markdown(["inputs", "visits, forward", "visits, reverse"], rows)
    longest = (
        f"{len(result['paths'])} stages of three edges: {result['paths'][-1]:,.0f} paths, "
        f"{result['pass_visits'][-1]} nodes visited in a pass"
    )
    return f"{agreement}\n\n{visits}\n\n{longest}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 2, size=(4.8, 3.7))
    _draw_lecture(axes[0, 0])
    _draw_errors(axes[0, 1], result)
    style = plots.styles()
    stages = 1 + np.arange(len(result["paths"]))
    axes[1, 0].plot(stages, result["paths"], label="paths to sum over", **next(style))
    axes[1, 0].plot(stages, result["pass_visits"], label="nodes one pass visits", **next(style))
    axes[1, 0].set(yscale="log", xlabel="stages of three parallel edges", ylabel="count")
    axes[1, 0].set(title="a sum over paths, or one visit per node", xticks=stages[4::5])
    for mode in ("forward", "reverse"):
        label = f"{mode} mode"
        axes[1, 1].plot(result["inputs"], result[f"{mode}_visits"], label=label, **next(style))
    axes[1, 1].set(xscale="log", yscale="log", xlabel="inputs", ylabel="nodes visited")
    axes[1, 1].set_xticks(result["inputs"], [str(n) for n in result["inputs"]])
    axes[1, 1].minorticks_off()
    axes[1, 1].set_title("work for the derivatives by all inputs")
    for panel in axes[1]:
        panel.legend(fontsize="small")
    return canvas


NODES = {"a = 2": (0, 0), "b = 1": (2, 0), "c = 3": (0.3, 1), "d = 2": (1.7, 1), "e = 6": (1, 2)}
ARROWS = (("a = 2", "c = 3", 1), ("b = 1", "c = 3", 1), ("b = 1", "d = 2", 1))
LAST_ARROWS = (("c = 3", "e = 6", 2), ("d = 2", "e = 6", 3))


def _draw_lecture(axes: Axes) -> None:
    """The lecture's graph; the paths from b are coloured."""
    for start, end, label in (*ARROWS, *LAST_ARROWS):
        colour = "0.6" if start == "a = 2" else plots.COLOURS[1]
        arrow = {"arrowstyle": "->", "color": colour, "shrinkA": 16, "shrinkB": 16}
        axes.annotate("", NODES[end], NODES[start], arrowprops=arrow)
        x, y = (np.asarray(NODES[start]) + NODES[end]) / 2
        axes.text(x, y, str(label), ha="center", va="center", backgroundcolor="white", size="small")
    for name, (x, y) in NODES.items():
        frame = {"boxstyle": "circle,pad=0.3", "facecolor": "white", "edgecolor": "black"}
        axes.text(x, y, name, ha="center", va="center", bbox=frame, size="small")
    axes.set(xlim=(-0.4, 2.4), ylim=(-0.35, 2.35), xticks=[], yticks=[])
    axes.set_title("e = (a + b)(b + 1): de/db = 2·1 + 3·1 = 5")
    axes.grid(visible=False)


def _draw_errors(axes: Axes, result: Result) -> None:
    """The errors of each way in ascending order; errors of 0 are drawn at 1e-18."""
    for (way, label), style in zip(WAYS.items(), plots.styles(), strict=False):
        errors = np.sort(np.maximum(result[f"error_{way}"], 1e-18))
        axes.plot(1 + np.arange(len(errors)), errors, label=label, **style | {"marker": ""})
    axes.set(yscale="log", xlabel="random graphs, best first", ylabel="relative error")
    axes.set_title("against jax.jvp and jax.vjp (float64)")
    axes.legend(fontsize="small")


def _lecture_number(result: Result) -> dict[str, Sample]:
    products = result["lecture_products"]
    return {
        "de/db": Sample(result["lecture"]),
        "paths": Sample([len(products)]),
        "smallest product": Sample(products[:1]),
        "largest product": Sample(products[-1:]),
    }


def _derivatives_agree(result: Result) -> dict[str, Sample]:
    return {label: Sample(result[f"error_{way}"]) for way, label in WAYS.items()}


def _nine_products(result: Result) -> dict[str, Sample]:
    first, second, products = result["labels"][:3], result["labels"][3:], result["products"]
    pairs = np.outer(first, second).ravel()
    same = len(products) == len(pairs)
    each = np.sort(products) / np.sort(pairs) - 1 if same else np.ones(1)
    error = (products.sum() - first.sum() * second.sum()) / np.abs(products).sum()
    return {
        "products": Sample([len(products)]),
        "each product": Sample(each),
        "sum": Sample([error]),
    }


def _paths_are_intractable(result: Result) -> dict[str, Sample]:
    paths, visits = result["paths"], result["pass_visits"]
    return {
        "paths, factor of a stage": Sample(paths[1:] / paths[:-1]),
        "visits, change of their growth": Sample(np.diff(visits, 2)),
    }


def _one_reverse_pass(result: Result) -> dict[str, Sample]:
    ratio = result["forward_visits"] / result["reverse_visits"]
    return {
        "visits, forward over reverse, less inputs": Sample(ratio - result["inputs"]),
        "distance of the gradients": Sample(result["mode_gaps"]),
    }


CLAIMS = {
    "lecture_number": _lecture_number,
    "derivatives_agree": _derivatives_agree,
    "nine_products": _nine_products,
    "paths_are_intractable": _paths_are_intractable,
    "one_reverse_pass": _one_reverse_pass,
}
