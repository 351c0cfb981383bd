"""MNIST where it can be had, scikit-learn's digits elsewhere."""

from typing import Any

from jaxnets import data
from jaxnets.data import Dataset


def mnist_or_digits(name: str, **options: Any) -> tuple[Dataset, str]:
    """The data set of that name and the name; scikit-learn's digits where MNIST cannot be had.

    Options as for `jaxnets.data.load`.
    """
    try:
        return data.load(name, **options), name
    except ConnectionError as error:
        print(f"{error}\nNo {name}: scikit-learn's digits instead.")
        return data.load("digits", **options), "digits"
