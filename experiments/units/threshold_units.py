"""Threshold logic units: every truth table of up to four inputs from or, and, not (row A1; L2).

Claims: the units with w = 1, b = -0.5, with w = 1, b = -1.5 and with w = -1, b = 0.5 are or, and,
not; "hence, any Boolean function can be build with such units". But "the main weakness of linear
predictors is their lack of capacity": one unit alone computes 4, 14, 104, 1,882 of the
truth tables of 1, 2, 3, 4 inputs, the known counts of threshold functions (Muroga, "Threshold
Logic and Its Applications", 1971).

Command: `make threshold_units`, ten seconds on 2 cores. Nothing is random, so no seeds. Protocol:
all 2^(2^n) tables of n inputs at once, by two layers of units (an and for each true row, then an
or) and by the lecture's three gates alone, an and or an or of many inputs being a chain of those of
two. What one unit computes is found from both sides: by all units with integer weights up to 3,
and, for a table that none of them computes, by two true rows whose sum equals that of two false
ones (00 + 11 = 01 + 10 in xor), which no w.x + b separates. What counts, table by table, is in
`experiments/claims/threshold_units`.

Expect all 65,812 tables and the known counts. The lecture's formula has one weight for all inputs
of a unit; with this restriction a unit computes 2 n + 2 tables and needs inversion by not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, reduce
from itertools import product
from math import comb
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.classical import (
    AND,
    NOT,
    OR,
    threshold_network,
    threshold_unit,
    truth_table_network,
)

from ..lab.claims import Result, markdown

KNOWN = {1: 4, 2: 14, 3: 104, 4: 1882}
"""Number of inputs to the number of tables that one unit computes."""
GATES: dict[str, dict[str, Any]] = {"or": OR, "and": AND, "not": NOT}
TRUTH = {"or": [0, 1, 1, 1], "and": [0, 0, 0, 1], "not": [1, 0]}


@dataclass(frozen=True)
class Config:
    inputs: tuple[int, ...] = (1, 2, 3, 4)
    largest: int = 3
    """The largest integer weight of a unit."""
    seed: int = 0


SMOKE = Config(inputs=(1, 2), largest=1)


def run(config: Config, key: Array) -> Result:
    if not set(config.inputs) <= set(KNOWN):
        raise ValueError(
            f"inputs must be 1 to 4, got {config.inputs}: 5 have too many tables to list"
        )
    result = {"inputs": np.asarray(config.inputs)}
    for name, gate in GATES.items():
        result[name] = np.asarray(threshold_unit(_rows(len(gate["w"])), **gate))
    for n in config.inputs:
        tables = all_tables(n)
        result[f"network_{n}"] = _is_computed(_network, tables)
        result[f"gates_{n}"] = _is_computed(gates, tables)
        result |= {f"{name}_{n}": found for name, found in one_unit(n, config.largest).items()}
        result[f"impossible_{n}"] = prove_impossible(tables)
    return result


def _rows(inputs: int) -> np.ndarray:
    """All inputs in counting order, `[2**inputs, inputs]`."""
    return np.asarray(list(product([0, 1], repeat=inputs)), np.int32)


def all_tables(inputs: int) -> np.ndarray:
    """Lists all tables, `[2**2**inputs, 2**inputs]`; row `r` of table `t` is bit `r` of `t`."""
    return np.arange(2**2**inputs)[:, None] >> np.arange(2**inputs)[None] & 1


def _network(table: Array, x: np.ndarray) -> Array:
    return threshold_network(truth_table_network(table), x)[:, 0]


def gates(table: Array, x: Array | np.ndarray) -> Array:
    """Computes the table by `OR`, `AND` and `NOT` alone, with at most two inputs each.

    `table [2**inputs]` and samples `x [samples, inputs]` to `[samples]`, each 0 or 1.
    """

    def gate(weights: dict[str, Any], left: Array, right: Array) -> Array:
        return threshold_unit(jnp.stack([left, right], axis=-1), **weights)

    x = jnp.asarray(x)
    inverted = threshold_unit(x[..., None], **GATES["not"])
    literals = jnp.where(_rows(x.shape[1])[:, None] == 1, x[None], inverted[None])
    minterms = reduce(partial(gate, GATES["and"]), jnp.moveaxis(literals, -1, 0))
    connected = jnp.where(table[:, None] == 1, minterms, 0)
    return reduce(partial(gate, GATES["or"]), connected)


def _is_computed(build: Callable[[Array, np.ndarray], Array], tables: np.ndarray) -> np.ndarray:
    """Whether `build(table, x)` computes each table, `[tables]`; all run in one program."""
    x = _rows(tables.shape[1].bit_length() - 1)
    outputs = jax.jit(jax.vmap(lambda table: build(table, x)))(tables)
    return (np.asarray(outputs) == tables).all(axis=1)


def one_unit(inputs: int, largest: int) -> dict[str, np.ndarray]:
    """Finds the tables one unit computes: `single`, and `shared` with equal weights; `[tables]`.

    Tries all integer weights up to `largest`, with every bias that makes a difference.
    """
    weights = np.asarray(list(product(range(-largest, largest + 1), repeat=inputs)), np.float32)
    biases = np.arange(-largest * inputs - 1, largest * inputs + 1, dtype=np.float32) + 0.5
    x, bits = _rows(inputs), 2 ** np.arange(2**inputs)

    @jax.jit
    def outputs(weights, biases):
        every_bias = jax.vmap(partial(threshold_unit, x), in_axes=(None, 0))
        return jax.vmap(every_bias, in_axes=(0, None))(weights, biases)

    codes = np.asarray(outputs(weights, biases)) @ bits
    equal = (weights == weights[:, :1]).all(axis=1)
    every = np.arange(2**2**inputs)
    return {"single": np.isin(every, codes), "shared": np.isin(every, codes[equal])}


def prove_impossible(tables: np.ndarray) -> np.ndarray:
    """Finds the tables, `[tables]`, that have two true rows with the sum of two false ones.

    No unit computes those: if `a + b = c + d`, then `w.a + w.b + 2 bias` would be at least 0, as a
    and b are true, and below 0, as c and d are not.
    """
    inputs = tables.shape[1].bit_length() - 1
    a, b = np.triu_indices(2**inputs, 1)
    sums = (_rows(inputs)[a] + _rows(inputs)[b]) @ 3 ** np.arange(inputs)
    true = tables.astype(bool)
    found = np.zeros(len(tables), bool)
    for total in np.unique(sums):
        left, right = a[sums == total], b[sums == total]
        both = (true[:, left] & true[:, right]).any(axis=1)
        neither = (~true[:, left] & ~true[:, right]).any(axis=1)
        found |= both & neither
    return found


def table(result: Result) -> str:
    rows = [
        [
            n,
            f"{len(result[f'network_{n}']):,}",
            *(f"{result[f'{name}_{n}'].sum():,}" for name in ("network", "gates", "single")),
            f"{KNOWN[n]:,}",
            *(f"{result[f'{name}_{n}'].sum():,}" for name in ("impossible", "shared")),
        ]
        for n in result["inputs"]
    ]
    head = ["inputs", "truth tables", "by two layers", "by or, and, not", "by one unit", "known"]
    return markdown([*head, "proved impossible for one", "by one unit with equal weights"], rows)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 2, size=(4.8, 3.9))
    _draw_gates(axes[0, 0], result)
    _draw_two_inputs(axes[0, 1])
    _draw_counts(axes[1, 0], result)
    _draw_by_true_rows(axes[1, 1], result)
    return canvas


def _draw_gates(axes: Axes, result: Result) -> None:
    ends = np.asarray([-0.4, 1.4])
    for name, style in zip(("or", "and"), plots.styles(), strict=False):
        total = -GATES[name]["b"]
        look = style | {"marker": ""}
        axes.plot(ends, total - ends, label=f"{name}: u + v = {total:g}", **look)
    for (u, v), either, both in zip(_rows(2), result["or"], result["and"], strict=True):
        axes.plot(u, v, "o", color="black", markersize=6)
        text = f"or {either}, and {both}"
        axes.annotate(text, (u, v), (0, 8), textcoords="offset points", ha="center")
    axes.set(xlim=(-0.4, 1.5), ylim=(-0.4, 1.5), xticks=[0, 1], yticks=[0, 1])
    axes.set(xlabel="u", ylabel="v", title="two units of the lecture: 1 on the line and above")
    axes.legend(fontsize="small", loc="lower left")


def _draw_two_inputs(axes: Axes) -> None:
    """The 16 tables of two inputs as squares of four cells, crossed out if no unit computes one."""
    tables = all_tables(2)
    crossed = prove_impossible(tables)
    shades: plots.Style = {"cmap": "Blues", "vmin": -0.2, "vmax": 1.4, "origin": "lower"}
    edge = np.asarray([0, 1, 1, 0, 0])
    for code, (cells, cross) in enumerate(zip(tables, crossed, strict=True)):
        left, top = 1.3 * (code % 4), 1.3 * (code // 4)
        axes.imshow(cells.reshape(2, 2).T, extent=(left, left + 1, top + 1, top), **shades)
        axes.plot(left + edge, top + np.roll(edge, 1), color="#555555", linewidth=0.7)
        if cross:
            for ends in ([top, top + 1], [top + 1, top]):
                axes.plot([left, left + 1], ends, color=plots.COLOURS[1], linewidth=2)
    axes.set(xlim=(-0.1, 5), ylim=(5, -0.1), xticks=[], yticks=[], aspect="equal")
    axes.set_title(f"tables of 2 inputs: one unit computes {np.sum(~crossed)} of 16")
    axes.set_xlabel("u to the right, v upwards; dark: true")
    axes.grid(visible=False)


def _draw_counts(axes: Axes, result: Result) -> None:
    labels = {
        "network": "two layers of units: all",
        "single": "one unit",
        "shared": "one unit, equal weights",
    }
    for (name, label), style in zip(labels.items(), plots.styles(), strict=False):
        counts = [result[f"{name}_{n}"].sum() for n in result["inputs"]]
        axes.plot(result["inputs"], counts, label=label, **style)
        for n, count in zip(result["inputs"], counts, strict=True):
            at: plots.Style = {
                "xytext": (0, 6 if name == "network" else -12),
                "textcoords": "offset points",
            }
            axes.annotate(f"{count:,}", (n, count), ha="center", fontsize="small", **at)
    axes.set(yscale="log", xlabel="inputs n", ylabel="truth tables computed")
    axes.set(xticks=result["inputs"], ylim=(1.5, 5e5), title="what one unit and two layers compute")
    axes.margins(x=0.1)
    axes.legend(fontsize="small", loc="upper left")


def _draw_by_true_rows(axes: Axes, result: Result) -> None:
    """The share of the tables with k true rows that one unit computes."""
    n = int(result["inputs"][-1])
    true_rows = all_tables(n).sum(axis=1)
    counts = np.bincount(true_rows[result[f"single_{n}"]], minlength=2**n + 1)
    shares = counts / [comb(2**n, k) for k in range(2**n + 1)]
    axes.bar(range(2**n + 1), 100 * shares, color=plots.COLOURS[5])
    axes.set(xlabel="true rows of the table", ylabel="computed by one unit [%]")
    axes.set_xticks(range(0, 2**n + 1, max(1, 2**n // 8)))
    axes.set_title(f"tables of {n} inputs: {counts.sum():,} of {2**2**n:,} by one unit")


def _gates_hold(result: Result) -> dict[str, Sample]:
    return {name: Sample(result[name], truth) for name, truth in TRUTH.items()}


def _builds_all(result: Result) -> dict[str, Sample]:
    return {
        f"n = {n}, {label}": Sample(result[f"{name}_{n}"])
        for n in result["inputs"]
        for name, label in (("network", "two layers"), ("gates", "gates alone"))
    }


def _one_unit(result: Result) -> dict[str, Sample]:
    """The tables that one unit computes, and whether it or the proof settles each."""
    found = {}
    for n in result["inputs"]:
        single = result[f"single_{n}"]
        found[f"n = {n}"] = Sample([single.sum()])
        found[f"n = {n}, proved"] = Sample(single != result[f"impossible_{n}"])
    return found


CLAIMS = {"gates_hold": _gates_hold, "builds_all": _builds_all, "one_unit": _one_unit}
