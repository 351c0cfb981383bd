"""Learned first-layer filters against derivatives of a Gaussian (row F14; L4).

Claim: "some of the convolutional masks are very similar to oriented Gaussian or Gabor filters", so
that "the trained neural nets compute oriented derivatives", "of order 0, 1, and 2".

Command: `make first_filters`, 5 minutes on one core. Protocol: three networks learn their first
layers: L2's network (5 x 5) from the digits of MNIST; a classifier of four layers (7 x 7) by
telling how many quarter turns a patch of 24 x 24 pixels is rotated; a network of two layers (7 x 7)
by removing the noise in the middle of such patches. The lecture's filters are learned from the
photographs of ImageNet; ours come from the two, in grey, that scikit-learn has: three quarters of
each to train on, the rest to test on. A filter's similarity is its largest |cosine| with a bank:
derivatives of orders 0, 1 and 2 (along an orientation twice, or along it and across) of Gaussians
of four widths, sampled on the pixels, in steps of 15 degrees, centred on one of the 3 x 3 middle
pixels. Nothing is subtracted from a filter, and only its norm is divided out. Energy is the share
of a filter's squared norm in the best combination of the six derivatives of one width and centre.
Controls against the same bank: the same filters before training, Gaussian noise, and the learned
filters with their entries shuffled. What counts is in `experiments/claims/first_filters/`: "some"
are the four most similar of a network's 32 filters, "very similar" is a cosine of 0.9. Expect
filters that look almost as random as before training: similarities of 0.57 against 0.54 on MNIST;
on the photographs, whose rotations are hardly learned (29 % of the test patches where chance is
25 %), 0.37 to 0.39 and no gain over noise. No filter of any network exceeds 0.8: on MNIST they are
more like derivatives than random filters, not "very similar".
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import jaxnets as jn
from jaxnets import plots
from jaxnets.analysis import evaluate
from jaxnets.claims import Sample
from jaxnets.models import CNN
from jaxnets.training.loop import init_state

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured, require_mnist
from ..shared.image_networks import adam_cosine_spec
from . import filter_tasks
from .filter_tasks import Task
from .gaussian_bank import bank, energy, match, unit

NETWORKS = {"digits": "digits", "rotation": "rotated patches", "noise": "noisy patches"}
KINDS = {
    "learned": "learned",
    "initial": "before training",
    "random": "Gaussian noise",
    "shuffled": "learned, entries shuffled",
}
CONTROLS = {"over the start": "initial", "over noise": "random"}
"""What learned filters are compared with, by the parts of the claims."""
SHOWN = 10
SOME = 4
"""The filters of a network that are most similar, of 32."""
LEARNED = 0.5
"""The accuracy on digits below which nothing is judged: its filters were not learned."""


@dataclass(frozen=True)
class Config:
    seeds: int = 5
    epochs: int = 2
    patch_epochs: int = 10
    patches: int = 16_000
    noise: float = 0.5
    """Standard deviation of the noise to remove; that of the photographs is 1."""
    batch_size: int = 128
    learning_rate: float = 1e-3
    data: str = "mnist"
    seed: int = 1


MULTIVERSE = Config(seeds=3, patch_epochs=1)
SMOKE = Config(seeds=2, epochs=2, patch_epochs=1, patches=256, data="digits")


def run(config: Config, key: Array, checkpoints: jn.CheckpointConfig | None = None) -> Result:
    tasks, data = filter_tasks.tasks(config)
    result: Result = {"data": np.asarray(data)}
    for name, task in tasks.items():
        print(f"learning from {NETWORKS[name]}", flush=True)
        learned, initial, score = _train(
            config, jax.random.fold_in(key, len(result)), task, checkpoints=checkpoints
        )
        result |= _compare(name, learned, initial, np.random.default_rng(config.seed))
        result[f"score_{name}"] = score
    return result


def _train(
    config: Config, key: Array, task: Task, checkpoints: jn.CheckpointConfig | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Filters `[seeds, filters, size^2]` after and before training, and test scores `[seeds]`.

    The score is the accuracy, or the mean squared error of a pixel.
    """
    spec = adam_cosine_spec(task.model, task.loss, task.epochs, config.batch_size, task.data)
    keys, hparams = jax.random.split(key, config.seeds), {"learning_rate": config.learning_rate}
    data = task.data._replace(valid=None, test=None)
    states, _ = jn.sweep(spec, keys, data, hparams, progress=True, checkpoints=checkpoints)
    x = jnp.asarray(data.train["x"][:1])
    first = jax.jit(
        lambda keys: lax.map(lambda key: _kernel(init_state(spec, key, x, hparams).params), keys)
    )
    return _filters(_kernel(states.params)), _filters(first(keys)), _scores(task, states.params)


def _kernel(params: Any) -> Array:
    return params["params"]["layers_0"]["kernel"]


def _filters(kernel: Array) -> np.ndarray:
    """Kernels `[..., size, size, 1, filters]` as float64 `[..., filters, size^2]`."""
    rows = np.asarray(kernel, np.float64).reshape(*kernel.shape[:-4], -1, kernel.shape[-1])
    return np.swapaxes(rows, -1, -2)


def _scores(task: Task, params: Any) -> np.ndarray:
    if task.loss == "softmax_cross_entropy":
        return evaluate.accuracies(task.model, task.loss, params, task.data.test)
    return np.asarray(_errors(task.model, params, task.data.test["x"], task.data.test["y"]))


@partial(jax.jit, static_argnums=0)
def _errors(model: CNN, params: Any, x: Array, y: Array) -> Array:
    return lax.map(lambda one: jnp.mean((model.apply(one, x) - y) ** 2), params)


def _compare(
    name: str, learned: np.ndarray, initial: np.ndarray, random: np.random.Generator
) -> Result:
    """Similarities, energies and orders `[seeds, filters]`, and the first seed's filters."""
    derivatives = bank(int(np.sqrt(learned.shape[-1])))
    kinds = {
        "learned": learned,
        "initial": initial,
        "random": random.standard_normal(learned.shape),
        "shuffled": random.permuted(learned, axis=-1),
    }
    result: Result = {}
    for kind, filters in kinds.items():
        cosine, member = match(filters, derivatives.filters)
        result[f"similarity_{name}_{kind}"] = cosine
        result[f"energy_{name}_{kind}"] = energy(filters, derivatives.jets)
        result[f"orders_{name}_{kind}"] = derivatives.orders[member]
    best = derivatives.filters[match(learned[0], derivatives.filters)[1]]
    signs = np.sign((learned[0] * best).sum(axis=-1, keepdims=True))
    return result | {f"filters_{name}": learned[0], f"best_{name}": signs * best}


def table(result: Result) -> str:
    head = ["filters", "similarity", "energy of the best [%]", "in six derivatives [%]"]
    head += [f"order {order} [%]" for order in range(3)]
    blocks = []
    for name, network in NETWORKS.items():
        rows = [[label, *_row(result, name, kind)] for kind, label in KINDS.items()]
        blocks.append(f"{network} ({_score(result, name)}):\n{markdown(head, rows)}")
    return f"{result['data']}, {_seeds(result)}:\n" + "\n\n".join(blocks)


def _row(result: Result, name: str, kind: str) -> list[str]:
    similarity = result[f"similarity_{name}_{kind}"]
    mean = interval(similarity.mean(axis=1))
    shares = [(similarity**2).mean(axis=1), result[f"energy_{name}_{kind}"].mean(axis=1)]
    shares += [(result[f"orders_{name}_{kind}"] == order).mean(axis=1) for order in range(3)]
    percents = [interval(100 * share) for share in shares]
    return [mean.decimals(3), *(p.decimals(1) for p in percents)]


def _score(result: Result, name: str) -> str:
    score = interval(result[f"score_{name}"])
    if name == "noise":
        return f"test mean squared error {score.decimals(4)} a pixel"
    return f"test accuracy {score.percent()}"


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(len(NETWORKS), 2, size=(6.4, 2.5))
    for (name, network), (left, right) in zip(NETWORKS.items(), axes, strict=True):
        label = str(result["data"]) if name == "digits" else network
        _draw_filters(left, result[f"filters_{name}"], result[f"best_{name}"], label)
        _draw_similarities(right, result, name, label)
    axes[0, 1].legend(fontsize="small", loc="upper left")
    return canvas


def _draw_filters(axes: Axes, filters: np.ndarray, best: np.ndarray, label: str) -> None:
    """Learned filters above their best derivatives, from the most to the least similar."""
    side = int(np.sqrt(filters.shape[-1]))
    cosines = (unit(filters) * best).sum(axis=-1)
    ranks = np.linspace(0, len(filters) - 1, SHOWN).round().astype(int)
    for column, one in enumerate(np.argsort(-cosines)[ranks]):
        for row, image in enumerate((best[one], filters[one])):
            top = 1.35 * row
            axes.imshow(
                image.reshape(side, side),
                cmap="gray",
                extent=(column + 0.04, column + 0.96, top, top + 0.92),
                vmin=-np.abs(image).max(),
                vmax=np.abs(image).max(),
            )
        axes.text(column + 0.5, 1.135, f"{cosines[one]:.2f}", ha="center", va="center")
    axes.set(
        xlim=(0, SHOWN),
        ylim=(-0.05, 2.32),
        xticks=[],
        yticks=[0.46, 1.135, 1.81],
        yticklabels=["best in bank", "cosine", "learned"],
        title=f"{label}: {SHOWN} of {len(filters)} filters of {side} x {side}, "
        "from most to least similar",
    )
    axes.grid(visible=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _draw_similarities(axes: Axes, result: Result, name: str, label: str) -> None:
    """The share of filters up to each similarity."""
    for (kind, text), style in zip(KINDS.items(), plots.styles(), strict=False):
        values = np.sort(result[f"similarity_{name}_{kind}"].ravel())
        share = 100 * np.arange(1, len(values) + 1) / len(values)
        axes.plot(values, share, label=text, **style, markevery=0.12)
    axes.set(
        xlim=(0.2, 1),
        xlabel="similarity: largest |cosine| with a derivative of a Gaussian",
        ylabel="filters up to it [%]",
        title=f"{label}: all filters of {_seeds(result)}",
    )


def _seeds(result: Result) -> str:
    return f"{len(result['score_digits'])} seeds"


def _very_similar(result: Result, name: str) -> dict[str, Sample]:
    """Similarities: of the most similar filters of each network, and means against controls."""
    of = {kind: result[f"similarity_{name}_{kind}"] for kind in KINDS}
    some = np.sort(of["learned"], axis=1)[:, -SOME:].mean(axis=1)
    means = {kind: similarity.mean(axis=1) for kind, similarity in of.items()}
    gains = {part: Sample(means["learned"], means[kind]) for part, kind in CONTROLS.items()}
    return {"some": Sample(some)} | gains


def _of_digits(result: Result) -> dict[str, Sample]:
    require_mnist(result)
    if result["score_digits"].min() < LEARNED:
        raise NotMeasured("a network has not learned the digits")
    return _very_similar(result, "digits")


CLAIMS = {
    "of_digits": _of_digits,
    "of_rotated_patches": partial(_very_similar, name="rotation"),
    "of_noisy_patches": partial(_very_similar, name="noise"),
}
