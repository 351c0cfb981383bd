"""Many networks as one program: how fast, how equal, how far apart (row F18, beyond the lectures).

Claim: ensembles of networks, seeds and learning rates train as one vmapped program, so that every
curve can have its spread over seeds.

Command: `make many_networks`, one minute on 2 cores. Protocol: scikit-learn's digits, 64-32-10
networks, ReLU, 20 epochs of mini-batches of 32, Adam at 3e-3. Networks trained per second by a loop
over the compiled single run, by one `vmap` of it, and by `jaxnets.sweep`, which trains groups
that fit into the cache, on every core: the same keys, everything compiled before the first timing,
the contenders in turn, round after round. Spread over seeds: the test accuracies of the same
network, once with one split of the data (initial weights and batches differ), once with a separate
split for each seed. What counts is in `experiments/claims/many_networks`: rows of the sweep equal
single runs in double precision, and in single precision, where 680 updates of Adam amplify
rounding to some percent, by their test accuracy. Expect a standard deviation of 0.7 points on one
split, so that 8 or 9 seeds of each show a difference of 1 point; where each has a separate split of
the same digits no number of seeds does (Nadeau and Bengio, 2003). Other work on the machine moves
the times: 1.8 times as fast on 2 busy cores, where these small networks already fill a core one by
one.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.parallel.rows import parallel_map

from ..lab.claims import Result, interval, markdown
from ..shared.image_data import HELD_OUT, digits, random_split
from .seed_power import POWER, seeds_needed

LOSS, CLASSES = "softmax_cross_entropy", 10
CONTENDERS = {"loop": "loop over single runs", "vmap": "one vmap", "sweep": "jaxnets.sweep"}
DIFFERENCES = np.linspace(0.003, 0.03, 28)
JUDGED_DIFFERENCE, JUDGED_SEEDS = 0.01, 32
DIVIDED = {"one split": 0.0, "a split per seed": HELD_OUT / 1079}
"""Test samples over training samples where the same digits are divided again."""


@dataclass(frozen=True)
class Config:
    counts: tuple[int, ...] = (1, 4, 16, 64, 128)
    """Networks trained at once."""
    loop: int = 16
    """Networks that the loop trains in a round."""
    rounds: int = 11
    units: int = 32
    epochs: int = 20
    batch_size: int = 32
    learning_rate: float = 3e-3
    seed: int = 1


SMOKE = Config(counts=(1, 4), loop=2, rounds=2, units=4, epochs=1, batch_size=512)


def run(config: Config, key: Array) -> Result:
    split_key, train_key = jax.random.split(key)
    samples = digits()
    data = jax.jit(random_split)(split_key, samples)
    test, data = data.test, data._replace(test=None)
    model = jn.MLP((config.units,), CLASSES, "relu")
    spec = jn.TrainSpec(model, LOSS, config.epochs, config.batch_size, record_every=config.epochs)
    keys = jax.random.split(train_key, max(*config.counts, config.loop))
    print("compiling", flush=True)
    workloads = _workloads(config, spec, keys, data)
    singles = workloads["loop", config.loop]()
    params = jn.sweep(spec, keys, data, _hparams(config))[0].params
    seconds = _times(config, workloads)
    print("networks with a split of their own", flush=True)
    accuracies = evaluate.accuracies(model, LOSS, params, test)
    alone = jax.tree.map(lambda *leaves: jnp.stack(leaves), *singles)
    rows = jax.tree.map(lambda a: a[: config.loop], params)
    same = evaluate.accuracies(model, LOSS, alone, test) == accuracies[: config.loop]
    return seconds | {
        "counts": np.asarray(config.counts),
        "devices": np.asarray(len(jax.local_devices())),
        "difference": _differences_in_double(config, spec, keys[: config.loop], data),
        "difference_single": differences(alone, rows),
        "same_accuracy": same,
        "accuracy": accuracies,
        "accuracy_anew": _accuracies_of_splits(config, spec, keys, samples),
    }


def _hparams(config: Config) -> dict[str, float]:
    return {"learning_rate": config.learning_rate}


def _workloads(
    config: Config, spec: jn.TrainSpec, keys: Array, data: Dataset
) -> dict[tuple[str, int], Callable[[], Any]]:
    """What each contender does to train `n` networks; each returns their parameters."""

    def train(key: Array, hparams: dict[str, Array], data: Dataset) -> Any:
        return jn.train(spec, key, data, hparams)[0].params

    single, vmapped = jax.jit(train), jax.jit(jax.vmap(train, in_axes=(0, None, None)))
    hparams, each = _hparams(config), list(keys[: config.loop])
    workloads: dict[tuple[str, int], Callable[[], Any]] = {
        ("loop", config.loop): lambda: [single(key, hparams, data) for key in each]
    }
    for n in config.counts:
        workloads["vmap", n] = partial(vmapped, keys[:n], hparams, data)
        workloads["sweep", n] = partial(jn.sweep, spec, keys[:n], data, hparams)
    return workloads


def _times(config: Config, workloads: dict[tuple[str, int], Callable[[], Any]]) -> Result:
    """Seconds per network, in turn: `seconds_loop [rounds]`, of the others `[counts, rounds]`."""
    for work in workloads.values():
        jax.block_until_ready(work())
    print("timing", flush=True)
    rounds = [
        {name: _seconds(work) for name, work in workloads.items()} for _ in range(config.rounds)
    ]
    each = {name: np.asarray([r[name] for r in rounds]) / name[1] for name in workloads}
    many = {
        f"seconds_{name}": np.stack([each[name, n] for n in config.counts])
        for name in ("vmap", "sweep")
    }
    return many | {"seconds_loop": each["loop", config.loop]}


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    jax.block_until_ready(work())
    return time.perf_counter() - start


def differences(ones: Any, others: Any) -> np.ndarray:
    """Computes the largest difference of parameters of two pytrees of n networks each, `[n]`.

    Leaves are `[n, ...]`; differences are relative to the largest parameter of the first.
    """
    flat = [
        np.concatenate([np.asarray(a).reshape(len(a), -1) for a in jax.tree.leaves(tree)], axis=1)
        for tree in (ones, others)
    ]
    return np.abs(flat[0] - flat[1]).max(axis=1) / np.abs(flat[0]).max(axis=1)


def _differences_in_double(
    config: Config, spec: jn.TrainSpec, keys: Array, data: Dataset
) -> np.ndarray:
    with jax.enable_x64(True):
        swept = jn.sweep(spec, keys, data, _hparams(config))[0].params
        singles = [jn.fit(spec, key, data, _hparams(config))[0].params for key in keys]
        return differences(jax.tree.map(lambda *leaves: np.stack(leaves), *singles), swept)


def _accuracies_of_splits(
    config: Config, spec: jn.TrainSpec, keys: Array, samples: dict[str, np.ndarray]
) -> np.ndarray:
    """Test accuracies `[networks]`, each with a separate split of the data."""

    def one(key: Array) -> Array:
        split_key, train_key = jax.random.split(key)
        data = random_split(split_key, samples)
        state, _ = jn.train(spec, train_key, data, _hparams(config))
        return evaluate.accuracy(spec.model, LOSS, state.params, data.test)

    return np.asarray(parallel_map(one, keys))


def gains(result: Result) -> np.ndarray:
    """Computes how many times as fast as the loop the largest sweep is, `[rounds]`."""
    return result["seconds_loop"] / result["seconds_sweep"][-1]


def spreads(result: Result) -> dict[str, np.ndarray]:
    """Returns test accuracies `[networks]` of one network, by what its seeds decide."""
    accuracies = (result["accuracy"], result["accuracy_anew"])
    return dict(zip(DIVIDED, accuracies, strict=True))


def table(result: Result) -> str:
    rows = [[CONTENDERS["loop"], 1, *_speed(result["seconds_loop"])]]
    for name in ("vmap", "sweep"):
        for n, seconds in zip(result["counts"], result[f"seconds_{name}"], strict=True):
            rows.append([CONTENDERS[name], n, *_speed(seconds)])
    kinds = [
        [label, len(values), interval(values).percent(), _needed_seeds(label, values)]
        for label, values in spreads(result).items()
    ]
    head = ["", "networks at once", "networks per second", "quartiles"]
    return f"{len(result['seconds_loop'])} rounds:\n{markdown(head, rows)}\n\n" + markdown(
        ["data", "seeds", "test accuracy", "seeds to detect 1 point"], kinds
    )


def _speed(seconds: np.ndarray) -> tuple[str, str]:
    low, middle, high = np.percentile(1 / seconds, [25, 50, 75])
    return f"{middle:.0f}", f"{low:.0f} to {high:.0f}"


def _needed_seeds(label: str, accuracies: np.ndarray) -> str:
    seeds = seeds_needed(accuracies.std(ddof=1), JUDGED_DIFFERENCE, DIVIDED[label])
    return f"{seeds:g}" if np.isfinite(seeds) else "no number would do"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 4.0))
    _draw_speeds(axes[0, 0], result)
    _draw_spread(axes[0, 1], result)
    _draw_needed(axes[0, 2], result)
    return canvas


def _draw_speeds(axes: Axes, result: Result) -> None:
    counts, rounds = result["counts"], len(result["seconds_loop"])
    for (name, label), style in zip(CONTENDERS.items(), plots.styles(), strict=False):
        seconds = np.broadcast_to(result[f"seconds_{name}"], (len(counts), rounds))
        low, middle, high = np.percentile(1 / seconds, [25, 50, 75], axis=1)
        axes.plot(counts, middle, label=label, **style)
        axes.fill_between(counts, low, high, color=style["color"], alpha=0.15, linewidth=0)
    axes.set(xscale="log", yscale="log", xlabel="networks trained at once")
    axes.set(ylabel="networks per second", title=f"median and quartiles of {rounds} rounds")
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.legend(fontsize="small")


def _draw_spread(axes: Axes, result: Result) -> None:
    kinds = spreads(result)
    everything = 100 * np.concatenate(list(kinds.values()))
    bins = np.linspace(everything.min(), everything.max(), 20)
    for i, (label, values) in enumerate(kinds.items()):
        name = f"{label}: {interval(values).percent()}"
        axes.hist(
            100 * values,
            bins.tolist(),
            label=name,
            color=plots.COLOURS[i],
            hatch=("", "//")[i],
            alpha=0.5,
        )
    axes.set(xlabel="test accuracy [%]", ylabel="networks", title="one network, many seeds")
    axes.set_ylim(0, 1.3 * axes.get_ylim()[1])
    axes.legend(fontsize="small", loc="upper left")


def _draw_needed(axes: Axes, result: Result) -> None:
    for (label, values), style in zip(spreads(result).items(), plots.styles(), strict=False):
        std = values.std(ddof=1)
        needed = [seeds_needed(std, gap, DIVIDED[label]) for gap in DIFFERENCES]
        axes.plot(100 * DIFFERENCES, needed, label=label, **style | {"marker": ""})
    look = {"color": "black", "linestyle": ":"}
    plots.level(axes, JUDGED_SEEDS, f"{JUDGED_SEEDS} seeds", look)
    axes.set(yscale="log", xlabel="difference of two networks [% points]")
    axes.set(ylabel="seeds of each", title=f"seeds that show it in {100 * POWER:.0f} % of tries")
    axes.legend(fontsize="small")


def _faster(result: Result) -> Sample:
    return Sample(np.log(gains(result) / result["devices"]))


def _same(result: Result) -> dict[str, Sample]:
    return {
        "parameters": Sample(result["difference"]),
        "equal accuracy": Sample(result["same_accuracy"]),
    }


def _enough_seeds(result: Result) -> Sample:
    """The squared distance of every accuracy from their mean, of which the mean is the variance."""
    points = 100 * np.asarray(result["accuracy"], np.float64)
    return Sample((points - points.mean()) ** 2 * len(points) / (len(points) - 1))


CLAIMS = {"faster": _faster, "same": _same, "enough_seeds": _enough_seeds}
