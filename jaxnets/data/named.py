"""Data sets by name."""

from os import PathLike

import numpy as np

from jaxnets.data import images, prepared
from jaxnets.data.dataset import Dataset, Part, hold_out
from jaxnets.data.registry import FILES
from jaxnets.host import checks
from jaxnets.host.paths import as_path

KNOWN = ("digits", *FILES)
DIGITS_TEST = 359


def load(
    name: str,
    *,
    valid: int | None = None,
    seed: int = 0,
    folder: str | PathLike[str] | None = None,
    flat: bool = True,
) -> Dataset:
    """Loads labelled images: x floats in `[0, 1]`, `[samples, features]`, y int32 `[samples]`.

    - "digits": 1,797 images of 8 x 8 that come with scikit-learn; a fifth is the test part.
    - "mnist", "fashion_mnist", "kmnist": the four original files, from `folder`, `$MNIST_DIR`
      (mnist), TFDS's `downloads/manual`, its cache, a prepared set (if TFDS is installed), or the
      network. 60,000 training images, of which 10,000 become the validation part as in lecture
      L0, and 10,000 test images (L0 counts 5,000; the files hold 10,000).
    - any other image classification set that TensorFlow Datasets has prepared, by its TFDS name;
      needs `pip install 'jaxnets[tfds]'`.

    Args:
        name: of the set.
        valid: samples taken from training at random for validation; 0 for none. By default the
            set's own validation part, or as many as the test part has.
        seed: of the choice of the validation part, and of the test part for digits.
        folder: of the four files for MNIST's family; TFDS's data folder for prepared sets.
        flat: whether an image is one row of features; else x is `[samples, rows, columns,
            channels]`.

    Raises:
        ValueError: an unknown name (the nearest is suggested), a damaged or wrong file, or a
            `valid` that leaves nothing to train on.
        FileNotFoundError: files missing from `folder`, or a set that is not prepared.
        ConnectionError: no files and no network, within ten seconds; lists the files to download.
        ModuleNotFoundError: the set needs TensorFlow Datasets, which is not installed.

    Example:
        >>> data = load("digits")
        >>> data.train["x"].shape, load("digits", flat=False).train["x"].shape
        ((1079, 64), (1079, 8, 8, 1))
    """
    parts = _parts(name, None if folder is None else as_path(folder, "folder"), seed)
    if "train" not in parts:
        raise ValueError(f"{name} has no training part, only {', '.join(parts)}")
    train, validation = parts["train"], parts.get("validation")
    if valid is not None or validation is None:
        n = len(parts["test"]["y"]) if valid is None and "test" in parts else valid
        train, validation = hold_out(train, n, seed) if n else (train, None)
    n_classes = max(int(part["y"].max()) for part in parts.values()) + 1
    rest = {"valid": validation, "test": parts.get("test")}
    return Dataset(
        _convert(train, n_classes, flat),
        **{key: _convert(part, n_classes, flat) for key, part in rest.items() if part},
    )


def _parts(name: str, folder: str | PathLike[str] | None, seed: int) -> dict[str, Part]:
    """Reads images `[samples, rows, columns, channels]` and labels as stored: split -> part."""
    if name == "digits":
        return _digits(seed)
    if name not in FILES:
        return prepared.read(name, folder, known=KNOWN)
    files = FILES[name]
    paths = images.find(name, folder)
    missing = [file for file in files.values() if file.name not in paths]
    if missing and prepared.is_prepared(name):
        return prepared.read(name)
    if missing:
        paths |= images.download(name, missing)
    return images.read(paths, files)


def _digits(seed: int) -> dict[str, Part]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    every = {"x": digits.images[..., np.newaxis] / 16, "y": digits.target}
    train, test = hold_out(every, DIGITS_TEST, seed)
    return {"train": train, "test": test}


def _convert(part: Part, n_classes: int, flat: bool) -> Part:
    x, y = part["x"], part["y"]
    x = x.reshape(len(x), -1) if flat else x
    return {"x": checks.as_features(x), "y": checks.as_labels(y, n_classes)}
