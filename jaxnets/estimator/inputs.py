"""What users give to an estimator: samples, weights, and names that scikit-learn has for things."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_random_state

from jaxnets.data import class_weights
from jaxnets.host import checks

FLOATS = (np.float64, np.float32)
BLOCK = 1024
"""Samples predicted at a time."""
ROUND = 64
"""Blocks are padded to a multiple of this, so that few lengths compile."""
OF_SCIKIT_LEARN = {
    **dict.fromkeys(("learning_rate_init", "lr", "eta0"), "learning_rate"),
    **dict.fromkeys(("max_iter", "n_iter", "n_epochs"), "epochs"),
    "alpha": "l2, which is alpha / (2 batch_size) for the same penalty",
    "solver": "optimizer, such as optax.adam or optax.sgd",
    "momentum": "optimizer=functools.partial(optax.sgd, momentum=0.9)",
    "nesterovs_momentum": "optimizer=functools.partial(optax.sgd, momentum=0.9, nesterov=True)",
    "beta_1": "optimizer=functools.partial(optax.adam, b1=0.9)",
    "beta_2": "optimizer=functools.partial(optax.adam, b2=0.999)",
    "epsilon": "optimizer=functools.partial(optax.adam, eps=1e-8)",
    "power_t": "an optimizer with a schedule of optax",
    "shuffle": "nothing: samples are in another order in each epoch",
    "max_fun": "nothing: there is an update a batch, epochs times",
}
"""Parameters of scikit-learn's networks, to what they are here."""


def advice(names: Any) -> str:
    """Says what a parameter of scikit-learn's networks is here; empty if there are none."""
    known = [
        f"{name!r} here is {OF_SCIKIT_LEARN[name]}" for name in names if name in OF_SCIKIT_LEARN
    ]
    return "; ".join(known)


def readable(value: Any, name: str) -> Any:
    """Returns what scikit-learn reads without loss; tables stay, for the names of their columns."""
    if value is None or issparse(value):
        return value  # scikit-learn says what is missing
    found = checks.as_numpy(value, name)
    if found.dtype.kind in "mM":
        raise TypeError(f"{name} has dtype {found.dtype}: turn times into numbers first")
    if hasattr(value, "columns"):
        return value
    half = checks.is_float(found.dtype) and found.dtype.itemsize < 4
    return found.astype(np.float32) if half else found


def dense(value: Any) -> Any:
    """Returns an array with the zeros that a sparse one leaves out."""
    return value.toarray() if issparse(value) else value


def of_length(y: Any, x: Any) -> np.ndarray:
    """Returns targets as an array, once there is one for each sample."""
    y = checks.as_rows(dense(readable(y, "y")), "y")
    if issparse(x):
        x = np.empty((x.shape[0], 0))
    checks.require_same_length(checks.as_rows(x, "X"), y, ("X", "y"))
    return y


def blocks(x: Any) -> Iterator[tuple[np.ndarray, int]]:
    """Cuts samples, sparse ones too, into blocks, each padded with zeros; and counts its rows."""
    for start in range(0, x.shape[0], BLOCK):
        part = dense(x[start : start + BLOCK])
        more = -len(part) % ROUND if len(part) > ROUND else 0
        yield np.pad(part, ((0, more), *[(0, 0)] * (part.ndim - 1))), len(part)


def sample_weights(given: Any, x: Any) -> np.ndarray | None:
    """Checks the weights of samples `[samples]`.

    Raises:
        ValueError: weights of another shape or number, negative, not finite, or all 0.
        TypeError: weights that are not numbers.
    """
    if given is None:
        return None
    weight = checks.as_numpy(given, "sample_weight")
    if weight.ndim == 0:
        weight = np.full(x.shape[0], weight)
    weight = checks.as_weights(weight, "sample_weight")
    if len(weight) != x.shape[0]:
        raise ValueError(f"sample_weight has {len(weight)} numbers for {x.shape[0]} samples")
    return weight


def weights_of_classes(chosen: Any, classes: np.ndarray, labels: np.ndarray) -> np.ndarray | None:
    """Gives each sample the weight of its class: by a dict of classes, "balanced", or None.

    Raises:
        ValueError: a class that nobody has, a weight that is negative or not finite, or a word.
        TypeError: neither a dict, "balanced" nor None.
    """
    if chosen is None:
        return None
    if not isinstance(chosen, str | Mapping):
        raise TypeError(f"class_weight is {chosen!r}; it must be a dict, 'balanced' or None")
    if isinstance(chosen, str) and chosen != "balanced":
        raise ValueError(f"class_weight is {chosen!r}; it must be a dict, 'balanced' or None")
    if isinstance(chosen, str):
        return class_weights(labels)
    place = {name: i for i, name in enumerate(classes.tolist())}
    odd = [name for name in chosen if name not in place]
    if odd:
        raise ValueError(
            f"class_weight has a class {odd[0]!r}, which y has not; its classes are {[*place]}"
        )
    table = np.ones(len(classes))
    for name, weight in chosen.items():
        table[place[name]] = checks.as_number(weight, f"class_weight of {name!r}")
    return checks.as_weights(table, "class_weight")[labels]


def random_numbers(random_state: Any) -> np.random.RandomState:
    """Returns the generator that a `random_state` stands for.

    Raises:
        ValueError: one that stands for none.
    """
    try:
        return check_random_state(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(f"random_state is {random_state!r}: {error}") from error
