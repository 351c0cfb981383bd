"""MNIST where it is available, scikit-learn's digits elsewhere."""

from typing import Any

from jaxnets import data
from jaxnets.data import Dataset


def mnist_or_digits(name: str, **options: Any) -> tuple[Dataset, str]:
    """Loads a data set, or scikit-learn's digits where MNIST is not available, with its name.

    Options are those of `jaxnets.data.load`.
    """
    try:
        return data.load(name, **options), name
    except ConnectionError as error:
        print(f"{error}\nUsing scikit-learn's digits instead of {name}.")
        return data.load("digits", **options), "digits"
