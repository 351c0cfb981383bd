"""What a configuration means: shapes, traced arguments and points of the networks."""

from functools import lru_cache
from typing import Any

import numpy as np

from jaxnets.playground import problems
from jaxnets.playground.config import ACTIVATIONS, OPTIMIZERS, Config
from jaxnets.playground.networks import LOSS_ROWS, REGRESSION, Choice, Rates, Shape
from jaxnets.playground.problems import FEATURES, MOST_POINTS
from jaxnets.playground.programs import GROUP

SPREAD = 10.0
"""Learning rates that vary run from the chosen one divided by this to it multiplied by this."""


def shape_of(config: Config) -> Shape:
    """Returns the static part of the networks of a configuration."""
    return Shape(len(config.widths), config.wide, config.residual)


@lru_cache(maxsize=64)
def choice_of(config: Config) -> Choice:
    """Returns what all networks share, as traced arguments."""
    rows = {"cross_entropy": 0, "hinge": 1, "squared_error": REGRESSION, "huber": REGRESSION + 1}
    loss = LOSS_ROWS.index("softmax_cross_entropy") if config.outputs > 1 else rows[config.loss]
    return Choice(
        np.int32(ACTIVATIONS.index(config.activation)),
        np.int32(OPTIMIZERS.index(config.optimizer)),
        np.int32(loss),
        np.int32(config.outputs),
        np.array([name in config.features for name in FEATURES], np.float32),
    )


@lru_cache(maxsize=64)
def rates_of(config: Config) -> list[Rates]:
    """Returns what each network has of its own, group by group."""
    n, share = padded(config), np.linspace(0, 1, config.networks)
    rates = np.full(n, config.learning_rate, np.float32)
    widths = np.tile(np.array(config.widths, np.int32), (n, 1))
    if config.vary == "learning_rate" and config.networks > 1:
        rates[: config.networks] = config.learning_rate * SPREAD ** (2 * share - 1)
    if config.vary == "width" and config.networks > 1:
        spread = 1 + share[:, None] * (np.array(config.widths) - 1)[None]
        widths[: config.networks] = np.round(spread)
    penalties = [np.full(n, value, np.float32) for value in (config.l1, config.l2)]
    return [
        Rates(rates[at], penalties[0][at], penalties[1][at], widths[at]) for at in slices_of(config)
    ]


def seeds_of(config: Config) -> np.ndarray:
    """Returns a pair of seeds a network, `[networks, 2]`; only networks that vary so differ."""
    own = np.arange(padded(config)) if config.vary == "seed" else np.zeros(padded(config))
    return np.stack([np.full(len(own), config.seed), own], axis=1).astype(np.uint32)


def data_of(config: Config) -> tuple[np.ndarray, dict[str, Any]]:
    """Draws the points `[n, 2]`, in the order training, validation, test, and pads their features.

    More points are the same ones with others behind them.
    """
    x, y = _points(config)
    n = min(len(x), config.n) if config.problem != "own" else len(x)
    x, y = x[:n], y[:n]
    held = [round(n * share) for share in (config.valid, config.test)]
    pad = (0, MOST_POINTS - n)
    features = problems.features_of(x, config.features)
    return x, {
        "x": np.pad(features, (pad, (0, 0))),
        "y": np.pad(y, pad),
        "n": np.int32(n),
        "train": np.int32(max(1, n - sum(held))),
        "valid": np.int32(held[0]),
    }


def _points(config: Config) -> tuple[np.ndarray, np.ndarray]:
    if config.problem == "own":
        x, y = problems.own_points(config.own or ((2048, 2048, 0),))
    else:
        x, y = problems.sample(config.problem, config.seed, config.noise, config.flip)
        if config.kind == "classes":
            y = y % config.classes
        if config.problem == "arms":
            x = problems.turn_arms(x, y, config.classes)
    order = np.random.default_rng(config.seed).permutation(len(x))
    return x[order], y[order]


def padded(config: Config) -> int:
    """Returns the number of networks that the groups have room for."""
    return -(-config.networks // GROUP) * GROUP


def slices_of(config: Config) -> list[slice]:
    """Returns which networks are in each group."""
    return [slice(at, at + GROUP) for at in range(0, padded(config), GROUP)]
