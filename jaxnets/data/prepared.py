"""Sets prepared by TensorFlow Datasets: images, decoded once and cached as arrays, and texts."""

import difflib
import os
import re
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.data import tfds
from jaxnets.data.dataset import Part
from jaxnets.data.images import data_dir
from jaxnets.data.npz import array_names, read_npz
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import atomic_write, make_folder
from jaxnets.storage.digest import digest_of_files

BATCH = 1000
"""Examples read at once."""


def read(
    name: str, folder: str | PathLike[str] | None = None, *, known: tuple[str, ...] = ()
) -> dict[str, Part]:
    """Reads images `[samples, rows, columns, channels]` and labels as stored: split -> part.

    Decoding takes about a quarter of a millisecond per image, so the arrays are cached in one
    .npz file: next to the prepared set, or under `$XDG_CACHE_HOME/jaxnets` (`~/.cache/jaxnets`)
    if its folder is read-only. The file is named after the set, its version and the content of its
    files, so a set whose files change in any way is decoded again.

    Args:
        name: TFDS's name: `set`, `set/config` or `set:version`.
        folder: TFDS's data folder; by default `$TFDS_DATA_DIR`, else `~/tensorflow_datasets`.
        known: other names to suggest for a mistyped one.

    Raises:
        ValueError: an unknown name, a format without random access, damaged files, or anything
            but images of one size with one label each.
        FileNotFoundError: a known set that is not prepared in that folder.
        DiskFullError: the disk is full, so the arrays cannot be cached.
        ModuleNotFoundError: TensorFlow Datasets is not installed.
    """
    builder = _builder(name, data_dir(folder), known)
    file = _cache_file(builder)
    if not file.exists():
        _write(file, _decode(builder))
    names = array_names(file)
    splits = [name.removeprefix("x_") for name in names if name.startswith("x_")]
    if not splits or not {f"y_{split}" for split in splits} <= set(names):
        raise ValueError(f"{file} is damaged (it has the arrays {names}): delete it")
    arrays = read_npz(file)
    return {split: {axis: arrays[f"{axis}_{split}"] for axis in "xy"} for split in splits}


def texts(name: str, folder: str | PathLike[str] | None = None) -> Iterator[tuple[str, float]]:
    """Yields the texts of the train split, each with the share read so far, 0 to 1.

    Raises:
        ValueError: an unknown name, a format without random access, damaged files, no text, or no
            train split.
        FileNotFoundError: a known set that is not prepared in that folder.
        ModuleNotFoundError: TensorFlow Datasets is not installed.
    """
    builder = _builder(name, data_dir(folder), ())
    feature = _text_feature(builder)
    n = builder.info.splits["train"].num_examples
    for row, example in _examples(builder, "train"):
        with tfds.translate_errors(f"text {row} of {builder.data_path}"):
            text = example[feature].decode()
        yield text, (row + 1) / n


def state(name: str, folder: str | PathLike[str] | None = None) -> tuple[str, str]:
    """Returns a set's full name, fit for a file name, and a digest of the content of its files."""
    builder = _builder(name, data_dir(folder), ())
    return _file_name(builder), _state(builder)


def is_prepared(name: str) -> bool:
    """Tells whether the set is prepared in a format that TFDS, if installed, reads on its own."""
    if not (data_dir() / name).is_dir() or not tfds.is_installed():
        return False
    builder = _open(name, data_dir())
    return builder.is_prepared() and _has_random_access(builder)


def _builder(name: str, folder: Path, known: tuple[str, ...]) -> Any:
    names = [*known, *tfds.package().list_builders(with_community_datasets=False)]
    base = re.split("[/:]", name)[0]
    if base not in names and not (base and (folder / base).is_dir()):
        near = difflib.get_close_matches(name.lower(), names, n=1)
        hint = f" did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"unknown data set {name!r};{hint} known: "
            f"{', '.join((*known, f'any set that TensorFlow Datasets has prepared in {folder}'))}"
        )
    builder = _open(name, folder)
    how = (
        f"pip install 'jaxnets[tf]', then\n"
        f"  tfds build {name} --file_format=array_record --data_dir={folder}"
    )
    if not builder.is_prepared():
        raise FileNotFoundError(f"{name} is not prepared in {folder}: {how}")
    if not _has_random_access(builder):
        raise ValueError(
            f"{builder.data_path} holds {builder.info.file_format.value} files, which only "
            f"TensorFlow can read: move them away; {how}"
        )
    return builder


def _open(name: str, folder: Path) -> Any:
    package = tfds.package()
    with tfds.translate_errors(f"{name} in {folder}"):
        return package.builder(name, data_dir=folder)


def _has_random_access(builder: Any) -> bool:
    return builder.info.file_format.value in ("array_record", "parquet")


def _cache_file(builder: Any) -> Path:
    folder = Path(builder.data_path)
    name = f"{_file_name(builder)}-{_state(builder)}.npz"
    if folder.stat().st_mode & 0o222 and os.access(folder, os.W_OK):
        return folder / name
    cache = as_path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "jaxnets"
    return cache / name


def _file_name(builder: Any) -> str:
    return builder.info.full_name.replace("/", "-")


def _state(builder: Any) -> str:
    files = (file for file in Path(builder.data_path).iterdir() if file.is_file())
    return digest_of_files(
        sorted(file for file in files if file.suffix != ".npz" and not file.name.startswith("."))
    )


def _text_feature(builder: Any) -> str:
    """Returns the name of the first text feature of a set that has a train split."""
    features, kinds = builder.info.features, tfds.package().features
    names = [key for key, kind in features.items() if isinstance(kind, kinds.Text)]
    if not names or "train" not in builder.info.splits:
        raise ValueError(
            f"{builder.info.full_name} has no texts to train on: its features are {features}, its "
            f"splits {', '.join(builder.info.splits)}"
        )
    return names[0]


def _decode(builder: Any) -> dict[str, np.ndarray]:
    image, label = _supervised_features(builder)
    shape = builder.info.features[image].shape
    arrays: dict[str, np.ndarray] = {}
    for split, info in builder.info.splits.items():
        x = np.empty((info.num_examples, *shape), builder.info.features[image].np_dtype)
        y = np.empty(info.num_examples, np.int32)
        for row, example in _examples(builder, split):
            with tfds.translate_errors(f"image {row} of {split} of {builder.data_path}"):
                x[row], y[row] = example[image], example[label]
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    return arrays


def _examples(builder: Any, split: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the examples of a split with their positions, read `BATCH` at a time."""
    what = f"{split} of {builder.data_path}"
    with tfds.translate_errors(what):
        source = builder.as_data_source(split=split)
        n = len(source)
    for start in range(0, n, BATCH):
        rows = range(start, min(start + BATCH, n))
        with tfds.translate_errors(what):
            examples = list(zip(rows, source.__getitems__(rows), strict=True))
        yield from examples


def _supervised_features(builder: Any) -> tuple[str, str]:
    """Returns the names of the image and of the label."""
    features, kinds = builder.info.features, tfds.package().features
    keys: tuple[str, ...] = builder.info.supervised_keys or ()
    if len(keys) == 2 and {*keys} <= {*features}:
        image, label = features[keys[0]], features[keys[1]]
        is_image = isinstance(image, kinds.Image) and None not in image.shape
        if is_image and isinstance(label, kinds.ClassLabel):
            return keys[0], keys[1]
    raise ValueError(
        f"{builder.info.full_name} does not hold images of one size with one class label each: "
        f"{features}; read it with tfds.data_source and use data.from_arrays"
    )


def _write(file: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes the complete file or nothing: it gets its name once it is complete."""
    make_folder(file.parent)
    with atomic_write(file) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]  # numpy takes a flag too
