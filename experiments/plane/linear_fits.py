"""Linear classifiers on many random sets of the plane, all fitted in one program."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets import classical
from jaxnets.data.toy import Points, rosenbrock_region

Params = dict[str, Array]

PROBLEMS = {"line": "a line", "outliers": "a line, outliers", "region": "Rosenbrock region"}
CLASSIFIERS = {
    "squared": "perceptron, squared loss",
    "perceptron": "perceptron, perceptron loss",
    "logistic": "logistic regression",
    "svm": "linear SVM",
    "best": "best of all lines",
}


@dataclass(frozen=True)
class Config:
    seeds: int = 64
    samples: int = 100
    tested: int = 1000
    gap: float = 0.1
    outliers: int = 5
    squared_rate: float = 0.01
    perceptron_rate: float = 0.1
    epochs: int = 500
    eta: float = 0.1
    steps: int = 2000
    l2: float = 1e-3
    starts: int = 4
    chords: int = 100
    seed: int = 1


def draw(config: Config, key: Array) -> tuple[Points, Points]:
    """Draws training and test sets of `PROBLEMS`: `x [problems, n, 2]` and `y [problems, n]`."""
    line_key, region_key = jax.random.split(key)
    n = config.samples
    line = two_sides(line_key, n + config.tested, config.gap)
    flipped = jnp.arange(n + config.tested) < config.outliers  # the points come in random order
    outliers = line | {"y": line["y"] ^ flipped}
    region = rosenbrock_region(region_key, n + config.tested)
    region["x"] = region["x"] / jnp.array([[1.0, 1.5]]) - 1
    every = _stack([line, outliers, region])
    return jax.tree.map(lambda a: a[:, :n], every), jax.tree.map(lambda a: a[:, n:], every)


def two_sides(key: Array, n: int, gap: float) -> Points:
    """Draws points `[n, 2]` on both sides of a random line, pushed away from it by `gap`."""
    point_key, angle_key, offset_key = jax.random.split(key, 3)
    angle = jax.random.uniform(angle_key, maxval=2 * np.pi)
    normal = jnp.stack([jnp.cos(angle), jnp.sin(angle)])
    offset = jax.random.uniform(offset_key, minval=-0.3, maxval=0.3)
    x = jax.random.uniform(point_key, (n, 2), minval=-1.0)
    y = (x @ normal + offset >= 0).astype(jnp.int32)
    return {"x": x + gap * classical.signs(y)[:, None] * normal[None], "y": y}


def measure(config: Config, key: Array, train: Points, test: Points) -> dict[str, Array]:
    """Measures accuracies `[classifiers]` on one set, and records descent and the SVM's starts."""
    perceptron_key, descent_key, svm_key = jax.random.split(key, 3)
    params = fit_all(config, perceptron_key, **train)
    losses, slope = descend(config, descent_key, **train)
    return {
        "train": accuracies(params, **train),
        "test": accuracies(params, **test),
        "lines": jnp.concatenate([params["w"], params["b"][:, None]], axis=1),
        "losses": losses,
        "slopes": slope,
        "svm": restart(config, svm_key, **train),
    }


def fit_all(config: Config, key: Array, x: Array, y: Array) -> Params:
    """Trains `CLASSIFIERS` on `x [samples, 2]`: `{"w": [classifiers, 2], "b": [classifiers]}`."""
    descent = partial(classical.perceptron_gd, key, x, y, epochs=config.epochs)
    rate = 0.01 * config.samples
    weak, _ = classical.adaboost(x, y, classical.even_directions(180), rounds=1)
    params = {
        "squared": descent(learning_rate=config.squared_rate, loss="squared")[0],
        "perceptron": descent(learning_rate=config.perceptron_rate, loss="perceptron")[0],
        "logistic": classical.logistic_regression(x, y, learning_rate=rate, steps=config.steps)[0],
        "svm": classical.linear_svm(x, y, l2=config.l2)[0],
        "best": {"w": weak["w"][0], "b": weak["b"][0]},
    }
    return _stack([params[name] for name in CLASSIFIERS])


def accuracies(params: Params, x: Array, y: Array) -> Array:
    """Computes the share of samples on the correct side of each line, `[classifiers]`."""
    return jax.vmap(lambda line: jnp.mean(classical.linear_predict(line, x) == y))(params)


def descend(config: Config, key: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """Runs L2's descent: the losses `[steps]` and the last gradient's largest component."""
    params, history = classical.logistic_regression(
        x,
        y,
        learning_rate=config.eta * config.samples,  # L2 sums over the samples
        steps=config.steps,
        init={"w": jax.random.normal(key, (2,)), "b": jnp.zeros(())},
    )
    slope = _flat(classical.logistic_gradient(params, x, y))
    return history["loss"], jnp.max(jnp.abs(slope))


def restart(config: Config, key: Array, x: Array, y: Array) -> Array:
    """Trains the SVM from random starts: its lowest loss so far, `[starts, steps]`."""

    def losses(start: Array) -> Array:
        return classical.linear_svm(x, y, l2=config.l2, init=_params(start))[1]["loss"]

    return jax.vmap(losses)(10 * jax.random.normal(key, (config.starts, 3)))


def cross_entropy(params: Params, x: Array, t: Array) -> Array:
    """Computes L0's form, with targets 0 and 1: the mean of -(t ln y + (1 - t) ln(1 - y))."""
    y = classical.logistic_probabilities(params, x)
    return -jnp.mean(t * jnp.log(y) + (1 - t) * jnp.log1p(-y))


def identities(config: Config, key: Array, train: Points) -> dict[str, Array]:
    """Computes deviations from equalities and from convexity at random params on one set.

    `forms`: L2's loss against `cross_entropy`, relative; `gradients`: by hand against `jax.grad` of
    either; `excess`: the SVM's loss against its chords.
    """
    params_key, end_key, share_key = jax.random.split(key, 3)
    x, y = train["x"], train["y"]
    params = _params(jax.random.normal(params_key, (3,)))
    loss, other = classical.logistic_loss(params, x, y), cross_entropy(params, x, y)
    by_hand = _flat(classical.logistic_gradient(params, x, y))
    by_jax = [_flat(jax.grad(f)(params, x, y)) for f in (classical.logistic_loss, cross_entropy)]
    left, right = 10 * jax.random.normal(end_key, (2, config.chords, 3))
    shares = jax.random.uniform(share_key, (config.chords,))
    svm = partial(excess, lambda v: classical.linear_svm_loss(_params(v), x, y, config.l2))
    return {
        "forms": jnp.abs(loss - other) / loss,
        "gradients": jnp.max(jnp.abs(jnp.stack(by_jax) - by_hand[None])),
        "excess": jnp.max(jax.vmap(svm)(left, right, shares)),
    }


def excess(function: Callable[[Array], Array], a: Array, b: Array, share: Array) -> Array:
    """Computes how far a function is above its chord, `share` of the way from a to b, relative."""
    chord = (1 - share) * function(a) + share * function(b)
    return function((1 - share) * a + share * b) / chord - 1


def _flat(params: Params) -> Array:
    return jnp.append(params["w"], params["b"])


def _params(v: Array) -> Params:
    return {"w": v[:2], "b": v[2]}


def _stack(trees: list[dict[str, Array]]) -> dict[str, Array]:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
