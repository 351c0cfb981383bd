"""MNIST where it is available, scikit-learn's digits elsewhere."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets import data
from jaxnets.data import Dataset

HELD_OUT = 359
"""Digits for validation, and as many for testing."""


def mnist_or_digits(name: str, **options: Any) -> tuple[Dataset, str]:
    """Loads a data set, or scikit-learn's digits where MNIST is not available, with its name.

    Options are those of `jaxnets.data.load`.
    """
    try:
        return data.load(name, **options), name
    except ConnectionError as error:
        print(f"{error}\nUsing scikit-learn's digits instead of {name}.")
        return data.load("digits", **options), "digits"


def digits() -> dict[str, np.ndarray]:
    """Loads all of scikit-learn's digits, `x [1797, 64]` and `y [1797]`."""
    parts = data.load("digits")
    return {name: np.concatenate([part[name] for part in parts]) for name in parts.train}


def as_few_of_mnist() -> dict[str, np.ndarray]:
    """Loads the first of MNIST's training images, as many as the digits, `x [1797, 784]`, `y`."""
    train = data.load("mnist").train
    return {name: values[: len(digits()["y"])] for name, values in train.items()}


def random_split(key: Array, samples: dict[str, np.ndarray]) -> Dataset:
    """Splits samples at random, `HELD_OUT` each for validation and testing; may be traced."""
    order = jax.random.permutation(key, len(samples["y"]))
    rows = jnp.split(order, [len(order) - 2 * HELD_OUT, len(order) - HELD_OUT])
    return Dataset(*({name: jnp.asarray(a)[r] for name, a in samples.items()} for r in rows))
