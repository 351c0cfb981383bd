"""TensorFlow Datasets, loaded when it is asked for, and its errors as what they mean to a user."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def package() -> ModuleType:
    """The package itself, which takes seconds to load.

    Raises:
        ModuleNotFoundError: it, or a part of it, is not installed; the extra to install is named.
    """
    try:
        import tensorflow_datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{error.name} is not installed, which knows MNIST's files and reads prepared sets: "
            "pip install 'jaxnets[tf]'; data of your own need neither: data.from_arrays, "
            "data.from_npz",
            name=error.name,
        ) from error
    return tensorflow_datasets


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns what TensorFlow Datasets raises of files it cannot read into a ValueError.

    Raises:
        ValueError: the files of `what` are damaged.
        ModuleNotFoundError: they need TensorFlow.
    """
    from google.protobuf import json_format, message  # type: ignore[import-untyped]

    broken = (json_format.Error, message.Error, zlib.error)
    usual = (RuntimeError, ValueError, KeyError, TypeError, SyntaxError, OSError)
    try:
        yield
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{what} cannot be read without {error.name}: pip install 'jaxnets[tf]'",
            name=error.name,
        ) from error
    except (*broken, *usual) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ValueError(
            f"{what} is damaged or not as prepared ({reason}): delete it and prepare it again"
        ) from error
