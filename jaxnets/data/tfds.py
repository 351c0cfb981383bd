"""TensorFlow Datasets, imported on demand, with errors that say what they mean to the user."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from jaxnets.data.registry import FILES


def package() -> ModuleType:
    """Returns the package itself, which takes seconds to import.

    Raises:
        ModuleNotFoundError: it, or a part of it, is not installed; names the extra to install.
    """
    try:
        import tensorflow_datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"prepared sets need TensorFlow Datasets, but {error.name} is not installed: "
            "pip install 'jaxnets[tfds]' (to prepare a set, 'jaxnets[tf]'); not needed for "
            f"digits, {', '.join(FILES)}, data.from_arrays and data.from_npz",
            name=error.name,
        ) from error
    return tensorflow_datasets


def is_installed() -> bool:
    """Tells whether TensorFlow Datasets can be imported, by importing it."""
    try:
        package()
    except ModuleNotFoundError:
        return False
    return True


@contextmanager
def translate_errors(what: str) -> Iterator[None]:
    """Turns what TensorFlow Datasets raises for files it cannot read into a ValueError.

    Raises:
        ValueError: the files of `what` are damaged.
        ModuleNotFoundError: they need TensorFlow, or another package; names the extra to install.
    """
    from google.protobuf import json_format, message  # type: ignore[import-untyped]

    broken = (json_format.Error, message.Error, zlib.error)
    usual = (RuntimeError, ValueError, KeyError, TypeError, SyntaxError, OSError)
    try:
        yield
    except ModuleNotFoundError as error:
        extra = "tf" if (error.name or "").partition(".")[0] == "tensorflow" else "tfds"
        raise ModuleNotFoundError(
            f"{what} cannot be read without {error.name}: pip install 'jaxnets[{extra}]'",
            name=error.name,
        ) from error
    except (*broken, *usual) as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ValueError(
            f"{what} is damaged or not as prepared ({reason}): delete it and prepare it again"
        ) from error
