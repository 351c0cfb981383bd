"""Pose from a depth image by regression, with dropout and hard-example mining (row C10; L4).

Claim: L4 regresses the pose of a hand, `min sum_i ||F(x_i) - y_i||^2`, "using stochastic gradient
descent on mini-batches, dropout, hard example mining". It gives no numbers, and its hands are real.

Command: `make hand_pose`, about 14 minutes on 2 cores. Protocol: depth images of 32 x 32 pixels of
a hand with 21 joints (`jaxnets.data.hands`); three convolutions of stride 2, 256 hidden units, 63
coordinates; Adam whose rate falls to zero, batches of 32. Dropout acts on the hidden units. Mining
takes 64 pictures a step and goes back through the 32 with the largest loss. Every seed draws its
pictures, of which there are 1,024, 8,192, or as many as the steps use, and 1,000 new ones to test.

Mining is compared with plain training at equal updates and at equal compute: a backward pass is
taken to cost two forward passes, so that a mining step costs (64 + 3 x 32) / (3 x 32) of a plain
one, and mining gets as many fewer updates. Errors are distances of joints in halves of the
picture's width, in which a finger is 0.17 wide; all claims but one compare errors of the same seed.
What counts is in `experiments/claims/hand_pose`. Last, plain networks see new pictures in sixteen
times as many updates: how near a network of this size comes.
Expect 0.15, 0.1 and 0.09, by the number of pictures.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.data import Dataset
from jaxnets.data.hands import BONES, JOINTS, hands
from jaxnets.models import CNN, Activate, Conv, Dense, Dropout, Flatten
from jaxnets.objective import outputs_of
from jaxnets.parallel.rows import parallel_map
from jaxnets.training.batches import FreshGradients, HardestGradients
from jaxnets.training.optimizers import adam_cosine

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured

SIZE, TEST, SHOWN = 32, 1000, 4
FRESH = 0
"""Stands for pictures that are drawn in every step, in the list of their numbers."""


class Arm(NamedTuple):
    """A way of training."""

    label: str
    drops: bool = False
    mines: bool = False
    shorter: bool = False
    """Whether it has only the updates for which plain training's compute suffices."""


ARMS = {
    "plain": Arm("plain"),
    "dropout": Arm("dropout", drops=True),
    "mining": Arm("mining", mines=True),
    "both": Arm("both", drops=True, mines=True),
    "mining_compute": Arm("mining, equal compute", mines=True, shorter=True),
    "both_compute": Arm("both, equal compute", drops=True, mines=True, shorter=True),
}


@dataclass(frozen=True)
class Config:
    seeds: int = 8
    pictures: tuple[int, ...] = (1024, 8192)
    updates: int = 1536
    longest: int = 24576
    """Updates of the plain networks that see new pictures at last."""
    batch_size: int = 32
    candidates: int = 64
    """Pictures of a step of which the `batch_size` hardest count."""
    dropout: float = 0.2
    learning_rate: float = 6e-3
    seed: int = 1


MULTIVERSE = Config(seeds=3, longest=8)
SMOKE = Config(seeds=2, pictures=(64,), updates=8, longest=8, batch_size=8, candidates=16)


def run(config: Config, key: Array) -> Result:
    draw_key, test_key, *keys = jax.random.split(key, 2 + config.seeds)
    train_keys, tests = jnp.stack(keys), _draw(TEST, config.seeds, test_key)
    numbers = (*config.pictures, FRESH)
    drawn = {n: _draw(n or 2 * config.candidates, config.seeds, draw_key) for n in numbers}
    result: Result = {"pictures": np.asarray(numbers)}

    def train(arm: Arm, number: int, steps: int) -> dict[str, Array]:
        one = partial(trained, config, arm, number, steps)
        params = parallel_map(one, (drawn[number], train_keys), group=1)
        found = parallel_map(examined, (params, tests), group=1)
        of = _number(number)
        print(f"{arm.label}, {of}, {steps} updates: {found['mean'].mean():.4f}", flush=True)
        return found

    for name, arm in ARMS.items():
        found = [train(arm, number, updates(config, arm)) for number in numbers]
        result |= {
            f"{name}_{measure}": np.stack([row[measure] for row in found], axis=1)
            for measure in ("mean", "tail", "worst")
        }
    longest = train(ARMS["plain"], FRESH, config.longest)
    return result | {
        "longest": np.asarray(config.longest),
        "constant": np.asarray(longest["constant"]),
        **{f"longest_{name}": np.asarray(longest[name]) for name in ("mean", "tail", "worst")},
        **{name: np.asarray(longest[name][0]) for name in ("shown", "truth", "found")},
    }


def _draw(n: int, seeds: int, key: Array) -> dict[str, Array]:
    """Draws `[seeds, n, ...]` pictures apart from the training, so that this compiles once."""
    return parallel_map(lambda one: hands(one, n, SIZE), jax.random.split(key, seeds), group=1)


def network(rate: float) -> CNN:
    """Builds the network, which drops that share of its hidden units."""
    convolutions = (
        *(Conv(16, 5, 2, "SAME"), Activate("relu")),
        *(Conv(32, 3, 2, "SAME"), Activate("relu")),
        *(Conv(32, 3, 2, "SAME"), Activate("relu")),
    )
    hidden = (Flatten(), Dense(256), Activate("relu"), Dropout(rate))
    return CNN((*convolutions, *hidden, Dense(3 * JOINTS, "lecun")))


def updates(config: Config, arm: Arm) -> int:
    """How many updates an arm has.

    With b samples forward and backward and c candidates forward, a plain step costs 3 b forward
    passes, one that mines c + 3 b.
    """
    plain = 3 * config.batch_size
    share = plain / (plain + config.candidates) if arm.shorter else 1.0
    return max(1, round(share * config.updates))


def spec_of(config: Config, arm: Arm, pictures: int, steps: int) -> jn.TrainSpec:
    """Builds the spec of a run of about so many steps, a multiple of an epoch of the pictures."""
    taken = config.candidates if arm.mines else config.batch_size
    gradient: Any = HardestGradients(config.batch_size) if arm.mines else jax.value_and_grad
    model = network(config.dropout if arm.drops else 0.0)
    if pictures == FRESH:
        gradient = FreshGradients(partial(hands, size=SIZE), gradient)
        return _spec(model, steps, taken, steps, gradient)
    epoch = -(-pictures // taken)
    epochs = max(1, round(steps / epoch))
    return _spec(model, epochs, taken, epochs * epoch, gradient)


def _spec(model: CNN, epochs: int, batch: int, steps: int, gradient: Callable) -> jn.TrainSpec:
    optimizer = adam_cosine(steps)
    return jn.TrainSpec(model, "squared_error", epochs, batch, optimizer, epochs, gradient)


def trained(
    config: Config, arm: Arm, pictures: int, steps: int, row: tuple[dict[str, Array], Array]
) -> Any:
    """Trains a network on the pictures of a row, with its key, and returns its parameters."""
    train, key = row
    spec = spec_of(config, arm, pictures, steps)
    if pictures == FRESH:
        train = jax.tree.map(lambda a: a[: spec.batch_size], train)
    return jn.train(spec, key, Dataset(train), {"learning_rate": config.learning_rate})[0].params


def examined(row: tuple[Any, dict[str, Array]]) -> dict[str, Array]:
    """Measures a trained network on pictures that it has not seen; this compiles once for all.

    Returns:
        What `measured` returns, and of the worst pictures `shown [4, 32, 32]`, `truth [4, 21, 3]`
        and `found [4, 21, 3]`.
    """
    params, test = row
    outputs = outputs_of(network(rate=0.0), params, test["x"])
    truth, found = (a.reshape(TEST, JOINTS, 3) for a in (test["y"], outputs))
    hard = lax.top_k(jnp.linalg.norm(found - truth, axis=-1).mean(axis=1), SHOWN)[1]
    shown = {"shown": test["x"][hard, ..., 0], "truth": truth[hard], "found": found[hard]}
    return measured(truth, found) | shown


def measured(truth: Array, found: Array) -> dict[str, Array]:
    """Measures the poses `found [pictures, joints, 3]`, in the units of `truth`.

    Returns:
        `mean`, the mean distance of a joint; `tail`, the mean distance in the picture that 95 % are
        better than; `worst`, the median over pictures of the largest distance; `constant`, the
        mean distance if the mean pose is all that is said.
    """
    distances = jnp.linalg.norm(found - truth, axis=-1)
    mean_pose = truth.mean(axis=0, keepdims=True)
    return {
        "mean": distances.mean(),
        "tail": jnp.percentile(distances.mean(axis=1), 95),
        "worst": jnp.median(distances.max(axis=1)),
        "constant": jnp.linalg.norm(truth - mean_pose, axis=-1).mean(),
    }


def _number(pictures: int) -> str:
    return f"{pictures} pictures" if pictures != FRESH else "drawn on the fly"


def table(result: Result) -> str:
    numbers = [_number(n) for n in result["pictures"]]
    rows = [
        [arm.label, *(interval(column).decimals(4) for column in result[f"{name}_{measure}"].T)]
        for measure in ("mean", "tail")
        for name, arm in ARMS.items()
    ]
    half = len(ARMS)
    longest = interval(result["longest_mean"]).decimals(4)
    return (
        f"mean distance of a joint, {len(result['plain_mean'])} seeds; of the mean pose "
        f"{result['constant'].mean():.4f}:\n{markdown(['', *numbers], rows[:half])}\n\n"
        f"mean distance in a picture, 95 % are better:\n{markdown(['', *numbers], rows[half:])}\n\n"
        f"plain, drawn on the fly, {result['longest']} updates: {longest}"
    )


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(1, 3, size=(4.6, 3.9))
    at = np.arange(len(result["pictures"]))
    titles = {"mean": "mean of all joints", "tail": "a picture that 95 % are better than"}
    for panel, (measure, title) in zip(axes[0], titles.items(), strict=False):
        for (name, arm), style in zip(ARMS.items(), plots.styles(), strict=False):
            plots.spread(panel, at, result[f"{name}_{measure}"], f"{arm.label} (± 1 std)", style)
        panel.axhline(
            result[f"longest_{measure}"].mean(),
            color="#777777",
            linewidth=0.8,
            label=f"plain, {result['longest']} updates",
        )
        panel.set_xticks(at, [_number(n).replace(" pictures", "") for n in result["pictures"]])
        panel.set(xlabel="pictures to train on", ylabel="distance of a joint [half width]")
        panel.set(title=title, ylim=(0, None))
    axes[0, 0].legend(fontsize="small")
    _draw_worst(axes[0, 2], result)
    return canvas


def _draw_worst(axes: Axes, result: Result) -> None:
    """The worst pictures of one network, with the bones that are true and those that it found."""
    colours = {"truth": "#3fc1a5", "found": "#ff8c42"}
    for i, image in enumerate(result["shown"]):
        left, top = 2.1 * (i % 2), -2.1 * (i // 2)
        extent = (left - 1, left + 1, top - 1, top + 1)
        axes.imshow(image, cmap="gray", extent=extent, vmin=0, vmax=1)
        for name, colour in colours.items():
            for start, end in result[name][i][BONES][..., :2]:
                (x0, y0), (x1, y1) = start, end
                axes.plot([left + x0, left + x1], [top + y0, top + y1], color=colour, linewidth=1)
    for name, label in (("truth", "true"), ("found", "predicted")):
        axes.plot([], [], color=colours[name], label=label)
    axes.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2)
    axes.set(xlim=(-1.05, 3.15), ylim=(-3.15, 1.05))
    axes.set_title(f"worst of {TEST} after {result['longest']} updates", fontsize="small")
    axes.set_axis_off()


def _compared(
    first: str, second: str, measure: str = "mean"
) -> Callable[[Result], dict[str, Sample]]:
    """Compares the logarithms of the errors of two arms, at each number of pictures."""

    def measured(result: Result) -> dict[str, Sample]:
        one, other = (np.log(result[f"{arm}_{measure}"]) for arm in (first, second))
        numbers = enumerate(result["pictures"])
        return {_number(n): Sample(one[:, i], other[:, i]) for i, n in numbers}

    return measured


def _few(result: Result) -> Sample:
    return next(iter(_compared("plain", "dropout")(result).values()))


def _many(result: Result) -> dict[str, Sample]:
    return dict([*_compared("plain", "dropout")(result).items()][1:])


def _near(result: Result) -> dict[str, Sample]:
    if result["longest"] < Config.longest:
        raise NotMeasured(f"needs {Config.longest} updates")
    return {"mean error": Sample(result["longest_mean"])}


CLAIMS = {
    "dropout_few_pictures": _few,
    "dropout_many_pictures": _many,
    "mining_equal_updates": _compared("plain", "mining"),
    "mining_equal_compute": _compared("plain", "mining_compute"),
    "mining_with_dropout": _compared("dropout", "both"),
    "mining_hard_pictures": _compared("plain", "mining", "tail"),
    "pose_is_regressed": _near,
}
