"""What one hidden layer can represent, and what two optimisers find of it (row G5; L0, L4).

Claim: "the one hidden layer perceptron may not converge to the best solution", as the optimisation
problem "becomes increasingly difficult" with the number of nodes.

Command: `make found_by_sgd`, a minute on one core. Protocol: a teacher of one tanh layer with
random weights labels points of a square without noise; a student with as many units learns them
from weights of its own, so that it can represent the function exactly, with the error 0. Gradient
descent on mini-batches takes the best of several rates on validation points, and
Levenberg-Marquardt the best of several starts, also in training error; all in float64. Errors are
squares on other points, as shares of the variance. The gap between the two is what training leaves,
not the network (`jaxnets.converge.gap`). Also the share of the single starts of Levenberg-Marquardt
that end in a worse minimum or on a plateau. What counts is in `experiments/claims/found_by_sgd`.
Expect SGD to leave 0.3 to 0.5 % of the variance, orders of magnitude more than the best start of
Levenberg-Marquardt, of whose single starts more fail with more units.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets.claims import Sample
from jaxnets.converge import Gap, gap, gap_figure, levenberg_marquardt
from jaxnets.converge.restarts import squared_error_residuals

from ..lab.claims import Result, interval, markdown
from ..lab.judging import Measured, NotMeasured

HALF_SIDE = 2.0
FOUND = 1e-6
"""The share of the variance below which a start has found the teacher's function."""
LEAST = 1e-10
"""Errors below this count as none: 5 digits of the function are right."""
OPTIMISERS = {"SGD": optax.sgd, "Adam": optax.adam}


@dataclass(frozen=True)
class Config:
    seeds: int = 32
    units: tuple[int, ...] = (2, 4, 8)
    samples: int = 256
    batch_size: int = 32
    epochs: int = 400
    optimiser: str = "SGD"
    """That of the lecture: `SGD` or `Adam`, both at a constant rate."""
    rates: tuple[float, ...] = (0.01, 0.03, 0.1)
    starts: int = 6
    iterations: int = 200
    """Of Levenberg-Marquardt, at most, from each of the starts."""
    seed: int = 1


SMOKE = Config(seeds=2, units=(4,), samples=64, epochs=3, rates=(0.1,), starts=2, iterations=5)


def run(config: Config, key: Array) -> Result:
    with jax.enable_x64(True):
        found = [
            jax.jit(jax.vmap(partial(compare, config, units)))(jax.random.split(k, config.seeds))
            for units, k in zip(config.units, jax.random.split(key, len(config.units)), strict=True)
        ]
        names = found[0].keys()
        rows = {name: np.stack([np.asarray(row[name]) for row in found], axis=1) for name in names}
    return rows | {"units": np.asarray(config.units), "optimiser": np.asarray(config.optimiser)}


def teach(key: Array, units: int) -> Any:
    """Draws a teacher in the form of `jn.MLP`: bends across the square, outputs of variance 1."""
    w_key, b_key, v_key = jax.random.split(key, 3)
    hidden = {
        "weight": jax.random.normal(w_key, (units, 2)),
        "bias": jax.random.uniform(b_key, (units,), minval=-HALF_SIDE, maxval=HALF_SIDE),
    }
    output = {
        "weight": jax.random.normal(v_key, (1, units)) / units**0.5,
        "bias": jnp.zeros(1),
    }
    return {"params": {"hidden_0": hidden, "output": output}}


def compare(config: Config, units: int, key: Array) -> dict[str, Array]:
    """Trains a student of one teacher in both ways; errors on new points by variances."""
    teacher_key, data_key, sgd_key, lm_key = jax.random.split(key, 4)
    student = jn.MLP((units,))
    teacher = teach(teacher_key, units)
    train, valid, test = (
        _label(student, teacher, k, config.samples) for k in jax.random.split(data_key, 3)
    )

    def error(params: Any, part: dict[str, Array]) -> Array:
        wrong = jnp.mean((student.apply(params, part["x"]) - part["y"]) ** 2)
        return wrong / jnp.var(part["y"])

    def best(params: Any, part: dict[str, Array]) -> Array:
        errors = jax.vmap(lambda one: error(one, part))(params)
        chosen = jnp.nanargmin(errors)
        return error(jax.tree.map(lambda leaf: leaf[chosen], params), test)

    by_sgd = jax.vmap(partial(_descend, config, student, sgd_key, train))(jnp.asarray(config.rates))
    search = jax.vmap(partial(_search, config, student, train))
    by_lm, norms = search(jax.random.split(lm_key, config.starts))
    return {
        "written": error(teacher, test),
        "sgd": best(by_sgd, valid),
        "lm": best(by_lm, valid),
        "starts": jax.vmap(lambda one: error(one, train))(by_lm),
        "gradient_norms": norms,
    }


def _label(student: jn.MLP, teacher: Any, key: Array, samples: int) -> dict[str, Array]:
    x = jax.random.uniform(key, (samples, 2), minval=-HALF_SIDE, maxval=HALF_SIDE)
    return {"x": x, "y": student.apply(teacher, x)}


def _descend(
    config: Config, student: jn.MLP, key: Array, train: dict[str, Array], rate: Array
) -> Any:
    """Trains by mini-batches, in a new order for each epoch, from the same start for all rates."""
    start_key, order_key = jax.random.split(key)
    tx = OPTIMISERS[config.optimiser](rate)
    step = jn.make_step(jn.Objective(student, "squared_error"), tx)
    params = student.init(start_key, train["x"])
    state = jn.State(params, tx.init(params), jnp.zeros((), jnp.int32), jax.random.key(0))

    def epoch(state: jn.State, key: Array) -> tuple[jn.State, None]:
        rows = jax.random.permutation(key, config.samples).reshape(-1, config.batch_size)

        def on(state: jn.State, row: Array) -> tuple[jn.State, None]:
            return step(state, jax.tree.map(lambda a: a[row], train))[0], None

        return lax.scan(on, state, rows)

    return lax.scan(epoch, state, jax.random.split(order_key, config.epochs))[0].params


def _search(
    config: Config, student: jn.MLP, train: dict[str, Array], key: Array
) -> tuple[Any, Array]:
    start = student.init(key, train["x"])
    residuals = squared_error_residuals(student)
    found = levenberg_marquardt(residuals, start, train, steps=config.iterations)
    return found.params, found.gradient_norm


def gaps(result: Result) -> dict[str, Gap]:
    """Splits the gap of each width, by medians over the seeds."""
    errors = (np.median(result[name], axis=0) for name in ("written", "lm", "sgd"))
    rows = zip(result["units"], *errors, strict=True)
    return {f"{n} units": gap(written, lm, sgd) for n, written, lm, sgd in rows}


def table(result: Result) -> str:
    """Formats median errors by units, and the starts that fail."""
    rows = []
    for (name, split), stuck in zip(gaps(result).items(), _stuck(result).T, strict=True):
        errors = [f"{100 * value:.2g} %" for value in split[:3]]
        rows.append([name, *errors, interval(stuck / 100).percent()])
    head = ["units", "as written", "Levenberg-Marquardt", str(result["optimiser"]), "starts stuck"]
    return "Median squared errors in variances:\n" + markdown(head, rows)


def plot(result: Result) -> Figure:
    return gap_figure.draw(gaps(result))


def _stuck(result: Result) -> np.ndarray:
    """Shares [%] of the starts that have not found the function, `[seeds, units]`."""
    starts = result["starts"]
    stuck = np.where(np.isnan(starts), np.nan, starts > FOUND)
    return 100 * stuck.mean(axis=-1)


def _orders(errors: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(errors, LEAST))


def _stops_short(result: Result) -> Measured:
    samples = {"can represent": Sample(result["written"])}
    for i, n in enumerate(result["units"]):
        samples[f"{n} units"] = Sample(_orders(result["sgd"][:, i]), _orders(result["lm"][:, i]))
    return Measured(samples, f"median norms of the gradient {_norms(result)}")


def _one_start_may_fail(result: Result) -> Measured:
    stuck = _stuck(result)
    samples = {f"{n} units": Sample(stuck[:, i]) for i, n in enumerate(result["units"])}
    return Measured(samples, f"median norms of the gradient {_norms(result)}")


def _harder_with_units(result: Result) -> dict[str, Sample]:
    units, stuck = result["units"], _stuck(result)
    if len(units) < len(Config.units):
        raise NotMeasured("needs several widths")
    return {
        f"{many} over {few} units": Sample(stuck[:, i + 1], stuck[:, i])
        for i, (few, many) in enumerate(pairwise(units))
    }


def _norms(result: Result) -> str:
    medians = np.median(result["gradient_norms"], axis=(0, 2))
    return ", ".join(f"{norm:.0e}" for norm in medians)


CLAIMS = {
    "stops_short": _stops_short,
    "one_start_may_fail": _one_start_may_fail,
    "harder_with_units": _harder_with_units,
}
