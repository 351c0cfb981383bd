"""Small steps along the sign of a gradient change the class of a digit (row F15; L4).

Claim: adversarial images (L4 shows them without numbers): a change of every pixel that is small
against its range, along the sign of the loss's gradient, flips the class.

Command: `make adversarial`, 5 minutes on one core. Protocol: L2's network and an MLP with two
layers of 100 units learn MNIST for 2 epochs with Adam whose rate falls to zero. Every tenth test
image is changed by up to epsilon of the pixel range in each pixel, then clipped to [0, 1]: in one
step along the sign of the gradient (FGSM; Goodfellow, Shlens and Szegedy, 2015), in 10 steps of
epsilon / 4 with projection onto all images within epsilon (Kurakin et al., 2017; Madry et al.,
2018, without their random start), and, as a control, along random signs. The smallest epsilon that
flips a correctly classified image is found on a grid of steps of 0.01 along the direction of the
single step, and along random signs. What counts, at epsilon = 0.1, is in
`experiments/claims/adversarial/`. Expect at 0.1 a CNN at 77 % instead of 98 % after one step and
54 % after ten, an MLP at 12 % and 7 %, and hardly any loss from random signs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxnets import plots
from jaxnets.claims import Sample
from jaxnets.models import CNN
from jaxnets.storage.checkpoints import CheckpointConfig

from ..lab.claims import Result, interval, markdown
from ..lab.judging import NotMeasured, require_mnist
from ..shared.image_data import mnist_or_digits
from ..shared.image_networks import cnn, mlp, train

NETWORKS = {"cnn": "CNN", "mlp": "MLP"}
ATTACKS = {"random": "random signs", "fgsm": "one signed step", "pgd": "10 projected steps"}
STEPS = 10
LEARNED = 0.5
"""The accuracy below which nothing is judged: what flips a class must have been right before."""
FINE = 0.01
SHOWN = 3
BATCH = 500


@dataclass(frozen=True)
class Config:
    seeds: int = 5
    epochs: int = 2
    batch_size: int = 64
    learning_rate: float = 1e-3
    epsilons: tuple[float, ...] = (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3)
    judged: float = 0.1
    """The epsilon of the claims and of the pictures."""
    every: int = 10
    """Attacks one in `every` images of the test part."""
    data: str = "mnist"
    seed: int = 1


MULTIVERSE = Config(seeds=3)
SMOKE = Config(seeds=2, epochs=2, epsilons=(0.0, 0.1), every=2, data="digits")


def run(config: Config, key: Array, checkpoints: CheckpointConfig | None = None) -> Result:
    data, name = mnist_or_digits(config.data, flat=False)
    models = {"cnn": cnn(name), "mlp": mlp()}
    x, y = (np.asarray(data.test[part])[:: config.every] for part in ("x", "y"))
    result: Result = {"data": np.asarray(name)}
    result |= {field: np.asarray(getattr(config, field)) for field in ("epsilons", "judged")}
    keys = jax.random.split(key, (len(models), 2))
    for (train_key, noise_key), (network, model) in zip(keys, models.items(), strict=True):
        print(f"training and attacking the {NETWORKS[network]}", flush=True)
        params = train(config, train_key, data, model, checkpoints=checkpoints)
        noise = np.asarray(jax.random.rademacher(noise_key, (config.seeds, *x.shape), x.dtype))
        for attack in ATTACKS:
            wrong = [_wrong(attack, model, params, x, y, e, noise) for e in config.epsilons]
            result[f"accuracy_{network}_{attack}"] = 1 - np.mean(wrong, axis=-1).T
        grid = np.arange(0, max(config.epsilons) + FINE / 2, FINE)
        for attack in ("random", "fgsm"):
            wrong = [_wrong(attack, model, params, x, y, e, noise) for e in grid]
            result[f"smallest_{network}_{attack}"] = first_flips(np.asarray(wrong), grid)
            changed = _wrong(attack, model, params, x, y, config.judged, noise)
            result[f"flips_{network}_{attack}"] = changed & ~wrong[0]
        one = jax.tree.map(lambda a: a[0], params)
        shown = (x[:BATCH], y[:BATCH], noise[0, :BATCH])
        result |= _pictures(network, model, one, *shown, config.judged)
    return result


def deficit(outputs: Array, y: Array) -> Array:
    """Computes `log sum_{j != t} exp(z_j) - z_t` of `outputs [batch, classes]`, `[batch]`.

    The cross entropy is `log(1 + exp(deficit))`, which grows with it: the gradients have one
    direction, and that of the deficit does not vanish where the network is certain.
    """
    label = y[:, None] == jnp.arange(outputs.shape[-1])[None]
    others = jax.nn.logsumexp(jnp.where(label, -jnp.inf, outputs), axis=-1)
    return others - jnp.sum(jnp.where(label, outputs, 0), axis=-1)


def signs(model: Any, params: Any, x: Array, y: Array) -> Array:
    """Returns the signs of the cross entropy's gradient by each pixel of `x [batch, ...]`."""
    return jnp.sign(jax.grad(lambda x: deficit(model.apply(params, x), y).sum())(x))


def step(x: Array, direction: Array, epsilon: Array | float) -> Array:
    """Returns `x + epsilon direction`, pixels clipped to `[0, 1]`."""
    return jnp.clip(x + epsilon * direction, 0, 1)


def fgsm(model: Any, params: Any, x: Array, y: Array, epsilon: Array | float) -> Array:
    """Takes one step of `epsilon` along the signs (Goodfellow, Shlens and Szegedy, 2015)."""
    return step(x, signs(model, params, x, y), epsilon)


def pgd(
    model: Any, params: Any, x: Array, y: Array, epsilon: Array | float, steps: int = STEPS
) -> Array:
    """Takes steps of `epsilon / 4`, each followed by a projection onto `|x' - x| <= epsilon`.

    The basic iterative method of Kurakin, Goodfellow and Bengio (2017): Madry's from x itself.
    """

    def move(_: Array, moved: Array) -> Array:
        moved = step(moved, signs(model, params, moved, y), epsilon / 4)
        return jnp.clip(moved, x - epsilon, x + epsilon)

    return lax.fori_loop(0, steps, move, x)


def perturb(
    attack: str,
    model: Any,
    params: Any,
    x: Array,
    y: Array,
    epsilon: Array | float,
    direction: Array,
) -> Array:
    """Returns the changed images; `direction` holds the random signs of the control."""
    if attack == "random":
        return step(x, direction, epsilon)
    return {"fgsm": fgsm, "pgd": pgd}[attack](model, params, x, y, epsilon)


def _wrong(
    attack: str,
    model: CNN,
    params: Any,
    x: np.ndarray,
    y: np.ndarray,
    epsilon: float,
    noise: np.ndarray,
) -> np.ndarray:
    """Which changed images are misclassified by which network, `[seeds, images]`.

    `noise [seeds, images, ...]` holds the random signs of the control.
    """
    blocks = np.array_split(np.arange(len(y)), -(-len(y) // BATCH))
    wrong = [
        _wrong_block(attack, model, params, x[block], y[block], epsilon, noise[:, block])
        for block in blocks
    ]
    return np.concatenate([np.asarray(block) for block in wrong], axis=1)


@partial(jax.jit, static_argnums=(0, 1))
def _wrong_block(
    attack: str, model: CNN, params: Any, x: Array, y: Array, epsilon: Array, noise: Array
) -> Array:
    def one(pair: tuple[Any, Array]) -> Array:
        params, direction = pair
        changed = perturb(attack, model, params, x, y, epsilon, direction)
        return jnp.argmax(model.apply(params, changed), axis=-1) != y

    return lax.map(one, (params, noise))


def first_flips(wrong: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Returns the first of `grid` where `wrong [grid, ...]` holds, infinity where none does.

    NaN for images that are misclassified unchanged, at `grid[0] = 0`.
    """
    first = np.where(wrong.any(axis=0), grid[wrong.argmax(axis=0)], np.inf)
    return np.where(wrong[0], np.nan, first)


def _pictures(
    network: str,
    model: CNN,
    params: Any,
    x: np.ndarray,
    y: np.ndarray,
    noise: np.ndarray,
    epsilon: float,
) -> Result:
    """The first digits that a step of epsilon flips, with it, with random signs, and the classes.

    Images `[digits, 4, rows, columns]`: original, signs, changed by them, and the control; labels
    and their probabilities `[digits, 3]`, of all but the signs.
    """
    shown, probabilities = (np.asarray(a) for a in _examples(model, params, x, y, noise, epsilon))
    labels = probabilities.argmax(axis=-1)
    flipped = (labels[:, 0] == y) & (labels[:, 1] != y)
    rows = np.argsort(~flipped, kind="stable")[:SHOWN]
    return {
        f"shown_{network}": shown[rows, ..., 0],
        f"labels_{network}": labels[rows],
        f"probabilities_{network}": probabilities.max(axis=-1)[rows],
    }


@partial(jax.jit, static_argnums=0)
def _examples(
    model: CNN, params: Any, x: Array, y: Array, noise: Array, epsilon: Array
) -> tuple[Array, Array]:
    """The four images of every digit, and the probabilities `[digits, 3, classes]`."""
    direction = signs(model, params, x, y)
    inputs = [x, step(x, direction, epsilon), step(x, noise, epsilon)]
    probabilities = [jax.nn.softmax(model.apply(params, changed)) for changed in inputs]
    inputs.insert(1, direction)
    return jnp.stack(inputs, axis=1), jnp.stack(probabilities, axis=1)


def table(result: Result) -> str:
    head = ["accuracy [%]", "pixels changed by", *(f"{e:g}" for e in result["epsilons"])]
    rows = [
        [
            NETWORKS[network],
            label,
            *(interval(column).percent()[:-2] for column in _accuracy(result, network, attack).T),
        ]
        for network in NETWORKS
        for attack, label in ATTACKS.items()
    ]
    medians = [
        [NETWORKS[network], *(_median(result, network, attack) for attack in ("fgsm", "random"))]
        for network in NETWORKS
    ]
    return (
        f"{result['data']}, {_seeds(result)}, {_images(result)} test images:\n"
        f"{markdown(head, rows)}\n\nmedian of the smallest epsilon that flips a digit:\n"
        + markdown(["network", ATTACKS["fgsm"], ATTACKS["random"]], medians)
    )


def _accuracy(result: Result, network: str, attack: str) -> np.ndarray:
    """`[seeds, epsilons]`."""
    return result[f"accuracy_{network}_{attack}"]


def _median(result: Result, network: str, attack: str) -> str:
    """Over the digits of a seed, then its mean and standard deviation over seeds."""
    medians = np.nanmedian(result[f"smallest_{network}_{attack}"], axis=1)
    if np.isinf(medians).any():
        return f"above {result['epsilons'].max():g}"
    found = interval(medians)
    return found.decimals(3)


def plot(result: Result) -> Figure:
    canvas, axes = plots.figure(2, 2, size=(5.6, 4.2))
    for (network, label), (top, bottom) in zip(NETWORKS.items(), axes.T, strict=True):
        for (attack, text), style in zip(ATTACKS.items(), plots.styles(), strict=False):
            accuracy = 100 * _accuracy(result, network, attack)
            plots.spread(top, result["epsilons"], accuracy, f"{text} (± 1 std)", style)
        top.axvline(result["judged"], color="#777777", linewidth=0.8, label="epsilon of the claims")
        top.set(
            xlabel="largest change of a pixel, epsilon [share of the pixel range]",
            ylabel="test accuracy [%]",
            ylim=(-2, 102),
            title=f"{label} on {result['data']}, {_seeds(result)}",
        )
        _draw_pictures(bottom, result, network)
    axes[0, 0].legend(fontsize="small")
    return canvas


def _draw_pictures(axes: Axes, result: Result, network: str) -> None:
    labels, probabilities = result[f"labels_{network}"], result[f"probabilities_{network}"]
    epsilon = float(result["judged"])
    titles = ("original", f"{epsilon:g} x signs", "original + signs", "+ random signs")
    for row, tiles in enumerate(result[f"shown_{network}"]):
        for column, image in enumerate(tiles):
            left, top = 1.25 * column, 1.3 * row
            axes.imshow(
                image,
                cmap="gray",
                extent=(left, left + 1, top + 1, top),
                vmin=-0.5 / epsilon if column == 1 else 0,
                vmax=0.5 / epsilon if column == 1 else 1,
            )
            if column != 1:
                which = max(column - 1, 0)
                text = f"{labels[row, which]} ({100 * probabilities[row, which]:.1f} %)"
                axes.text(left + 0.5, top + 1.13, text, ha="center", va="center", fontsize="small")
    for column, title in enumerate(titles):
        axes.text(1.25 * column + 0.5, -0.12, title, ha="center", va="center", fontsize="small")
    axes.set(
        xlim=(-0.1, 4.85),
        ylim=(1.3 * SHOWN, -0.25),
        title=f"{NETWORKS[network]}: the first digits that a step of {epsilon:g} flips, "
        "predicted class and its probability",
    )
    axes.title.set_fontsize("small")
    axes.set_axis_off()


def _seeds(result: Result) -> str:
    return f"{len(result['accuracy_cnn_fgsm'])} seeds"


def _images(result: Result) -> int:
    return result["smallest_cnn_fgsm"].shape[1]


def _flips(network: str) -> Callable[[Result], dict[str, Sample]]:
    def measure(result: Result) -> dict[str, Sample]:
        require_mnist(result)
        if _accuracy(result, network, "random")[:, 0].min() < LEARNED:
            raise NotMeasured(f"a network ({NETWORKS[network]}) has not learned the digits")
        signs, random = (100.0 * result[f"flips_{network}_{a}"] for a in ("fgsm", "random"))
        return {"flipped": Sample(signs), "over random signs": Sample(signs, random)}

    return measure


CLAIMS = {f"{network}_flips": _flips(network) for network in NETWORKS}
