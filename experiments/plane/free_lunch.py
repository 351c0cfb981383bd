"""All labelings of the corners of a cube, and what learners say of the corners not shown."""

from collections.abc import Callable
from itertools import combinations, product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

import jaxnets as jn
from jaxnets import classical
from jaxnets.converge import minimise

CORNERS = np.asarray(list(product((0, 1), repeat=3)))
EPOCHS = 200
"""More than the perceptron needs for any labeling of the corners that a plane separates."""
NET = jn.MLP((4,))
Learner = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""`(known corners, labels [labelings, known], other corners) -> labels [labelings, others]`."""


def _larger_class(x: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.repeat(2 * y.sum(axis=1, keepdims=True) > y.shape[1], len(others), axis=1)


def _perceptron(x: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    return _planes(x, y, others) >= 0


def _planes(x: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The values `[labelings, others]` of the perceptron's planes."""

    def learn(y):
        params, _ = classical.perceptron(jnp.asarray(x, float), y, max_epochs=EPOCHS)
        return jnp.asarray(others, float) @ params["w"] + params["b"]

    return np.asarray(jax.jit(jax.vmap(learn))(jnp.asarray(y)))


def _network(x: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    points = jnp.asarray(x, float)
    start = NET.init(jax.random.key(0), points)
    objective = jn.Objective(NET, "binary_cross_entropy", l2=1e-3)

    def learn(y):
        found = minimise(lambda p, y: objective(p, {"x": points, "y": y})[0], start, y, steps=100)
        return NET.apply(found.params, jnp.asarray(others, float))[:, 0]

    return np.asarray(jax.vmap(learn)(jnp.asarray(y))) >= 0


def _by_scikit_learn(build: Callable[[], Any]) -> Learner:
    def learn(x: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.stack([_predict(build(), x, labels, others) for labels in y])

    return learn


def _predict(model: Any, x: np.ndarray, y: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The model's labels, or the only class that it was shown."""
    return model.fit(x, y).predict(others) if np.ptp(y) else np.full(len(others), y[0])


LEARNERS: dict[str, Learner] = {
    "larger class": _larger_class,
    "nearest neighbour": _by_scikit_learn(lambda: KNeighborsClassifier(1)),
    "perceptron": _perceptron,
    "forest": _by_scikit_learn(lambda: RandomForestClassifier(20, random_state=0)),
    "SVM, RBF kernel": _by_scikit_learn(lambda: SVC(C=10.0, gamma=1.0)),
    "MLP": _network,
}


def measure(order: np.ndarray, known: int) -> dict[str, np.ndarray]:
    """Shows learners some corners with every labeling, and tests them on all labelings of the rest.

    Args:
        order: of the corners, a permutation of 8; the first are shown.
        known: how many.

    Returns:
        `errors [learners, labelings]`, the share of wrong labels off the training set; and
        `separable [labelings]`, whether a plane has that labeling of all corners.
    """
    x, others = CORNERS[order[:known]], CORNERS[order[known:]]
    shown = labelings(known)
    said = np.stack([learn(x, shown, others) for learn in LEARNERS.values()]).astype(int)
    truths = labelings(len(others))
    errors = (said[:, :, None] != truths).mean(axis=-1).reshape(len(said), -1)
    whole = np.concatenate(
        [np.repeat(shown, len(truths), axis=0), np.tile(truths, (len(shown), 1))], axis=1
    )
    return {"errors": errors, "separable": separable(CORNERS[order], whole)}


def labelings(count: int) -> np.ndarray:
    """Lists all labelings of so many points, `[2^count, count]`."""
    return np.asarray(list(product((0, 1), repeat=count)))


def separable(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tells which labelings `y [labelings, n]` a plane has, by the perceptron's convergence."""
    return ((_planes(x, y, x) >= 0) == (y == 1)).all(axis=1)


def imbalances(errors: np.ndarray) -> np.ndarray:
    """For each pair of learners, problems where the first is better less those where the second is.

    `errors [learners, labelings]` are compared exactly; the result is `[pairs]`.
    """
    found = [np.sign(b - a).sum() for a, b in combinations(errors, 2)]
    return np.where(np.isfinite(errors).all(), found, np.nan)
