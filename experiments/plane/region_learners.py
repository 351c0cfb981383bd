"""AdaBoost, a forest, an SVM and a network on the Rosenbrock region, one data set for each seed."""

import jax
import numpy as np
from jax import Array
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

import jaxnets as jn
from jaxnets import classical
from jaxnets.analysis import evaluate
from jaxnets.converge import converge
from jaxnets.data import Dataset
from jaxnets.data.dataset import standardise

from ..shared import planar

LIMITS = (0.0, 2.0, 0.0, 3.0)
MAP, FIRST_ROUNDS = 100, 10
LEARNERS = {"adaboost": "AdaBoost", "forest": "forest", "svm": "SVM, RBF kernel", "mlp": "MLP"}
KERNELS = tuple((c, gamma) for c in (10.0, 1000.0) for gamma in (1.0, 10.0, 100.0))
"""Penalty and sharpness of an SVM, chosen on validation data."""
L2 = 1e-5
"""So that a network that separates its samples has a best set of weights."""


def measure(
    key: Array, seeds: int, samples: int, rounds: int, trees: int, units: int, starts: int
) -> dict[str, np.ndarray]:
    """Trains all learners on fresh samples for each seed.

    Args:
        key: draws everything.
        seeds: how many sets.
        samples: of the training and the validation set; the test set has five times as many.
        rounds: of AdaBoost, over every offset of 180 directions.
        trees: of the forest.
        units: of the hidden layer.
        starts: of the network, the best chosen on validation data.

    Returns:
        Held-out accuracies `[seeds]` and maps `map_...` of the last seed by the names of
        `LEARNERS`; AdaBoost's `next_errors [seeds, rounds]`; the network's `gradient_norm
        [seeds]`; `points` and `labels` of the last seed.
    """
    rows = []
    for seed_key in jax.random.split(key, seeds):
        data_key, forest_key, net_key = jax.random.split(seed_key, 3)
        data = planar.draw("rosenbrock_region", data_key, samples)
        grid = {"x": evaluate.plane(LIMITS, MAP), "y": np.zeros(MAP**2, int)}
        scaled = standardise(data)
        # The same map for the grid, which has no labels.
        on_grid = standardise(data._replace(test=grid)).test["x"]
        tests = (scaled.test["x"], on_grid)
        network, norm = _network(net_key, scaled, units, starts, tests)
        raw = (np.asarray(data.test["x"]), grid["x"])
        boosted, errors = _adaboost(data, rounds, raw)
        said = {
            "adaboost": boosted,
            "forest": _forest(forest_key, data, trees, raw),
            "svm": _svm(scaled, tests),
            "mlp": network,
        }
        truth = np.asarray(data.test["y"])
        row = {name: (tested == truth).mean() for name, (tested, _) in said.items()}
        rows.append(row | {"gradient_norm": norm, "next_errors": errors})
    maps = {f"map_{name}": found.reshape(MAP, MAP) for name, (_, found) in said.items()}
    last = {"points": np.asarray(data.train["x"]), "labels": np.asarray(data.train["y"])}
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]} | maps | last


def _adaboost(data: Dataset, rounds: int, tests: tuple) -> tuple[list[np.ndarray], np.ndarray]:
    """Predictions, and the errors of the first rounds under the weights of the next."""
    directions = classical.even_directions(180)
    params, _ = classical.adaboost(**data.train, directions=directions, rounds=rounds)
    votes = classical.adaboost_votes(params, data.train["x"])[:FIRST_ROUNDS]
    errors = next_errors(np.asarray(votes, np.float64), np.asarray(data.train["y"]))
    return [np.asarray(classical.adaboost_predict(params, x)) for x in tests], errors


def next_errors(votes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Computes each round's error under the weights of the next, `[rounds]` (Freund and Schapire).

    `votes [rounds, samples]` are `alpha_t h_t(x)`; the weights are `exp(-y sum_t alpha_t h_t) / Z`.
    """
    agreement = np.where(y == 1, 1, -1) * votes
    weights = np.exp(-np.cumsum(agreement, axis=0))
    return np.sum(weights * (agreement < 0), axis=1) / weights.sum(axis=1)


def _forest(key: Array, data: Dataset, trees: int, tests: tuple) -> list[np.ndarray]:
    seed = int(jax.random.bits(key))
    model = RandomForestClassifier(trees, random_state=seed)
    model.fit(np.asarray(data.train["x"]), np.asarray(data.train["y"]))
    return [model.predict(x) for x in tests]


def _svm(data: Dataset, tests: tuple) -> list[np.ndarray]:
    models = [SVC(C=c, gamma=gamma).fit(data.train["x"], data.train["y"]) for c, gamma in KERNELS]
    best = max(models, key=lambda model: model.score(data.valid["x"], data.valid["y"]))
    return [best.predict(x) for x in tests]


def _network(
    key: Array, data: Dataset, units: int, starts: int, tests: tuple
) -> tuple[list[np.ndarray], float]:
    model = jn.MLP((units,))
    found = converge(model, "binary_cross_entropy", key, data, starts=starts, steps=300, l2=L2)
    said = [np.asarray(model.apply(found.params, x))[:, 0] >= 0 for x in tests]
    return said, found.gradient_norm
