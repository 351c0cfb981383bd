"""MNIST and its family as the original IDX files, checked against their registered sha256."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import numpy as np

from jaxnets.data import idx
from jaxnets.data.dataset import Part
from jaxnets.data.download import fetch, probe
from jaxnets.data.registry import FILES, PARTS, File, cache_name
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import DiskFullError, make_folder, write_bytes, write_text


def data_dir(folder: str | PathLike[str] | None = None) -> Path:
    """Returns the folder, by default TFDS's: `$TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    default = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return as_path(default if folder is None else folder, "folder")


def find(name: str, folder: str | PathLike[str] | None = None) -> dict[str, Path]:
    """Finds the files of a set on this machine, unchecked: file name -> path.

    A folder (or `$MNIST_DIR`, for "mnist") is the only place searched and must hold all four.
    Otherwise each file is searched for in TFDS's `downloads/manual/NAME`, in `downloads/manual`
    and in its cache of downloads.

    Raises:
        FileNotFoundError: the folder lacks a file.
    """
    files = FILES[name]
    if folder is None and name == "mnist":
        folder = os.environ.get("MNIST_DIR") or None
    if folder is not None:
        folder = as_path(folder, "folder")
        missing = [file for file in files.values() if not (folder / file.name).is_file()]
        if missing:
            raise FileNotFoundError(
                f"{folder} lacks files of {name}; put these files there:\n{_list(missing)}"
            )
        return {file: folder / file for file in files}
    downloads = data_dir() / "downloads"
    found: dict[str, Path] = {}
    for file in files.values():
        places = (
            downloads / "manual" / name / file.name,
            downloads / "manual" / file.name,
            downloads / name / cache_name(file),
            downloads / cache_name(file),
        )
        place = next((place for place in places if place.is_file()), None)
        if place:
            found[file.name] = place
    return found


def download(name: str, files: Iterable[File]) -> dict[str, Path]:
    """Downloads files of a set into TFDS's cache: file name -> path.

    Raises:
        ConnectionError: no answer within `PROBE_SECONDS`, or a download that failed; the message
            lists the missing files, their sizes and sha256, and the folder to put them in.
        DiskFullError: the disk is full.
    """
    missing = list(files)
    downloads = data_dir() / "downloads"
    paths: dict[str, Path] = {}
    try:
        probe(missing[0].url)
        while missing:
            file = missing[0]
            paths[file.name] = _save(name, file, fetch(file), downloads / name)
            del missing[0]
    except DiskFullError:
        raise
    except OSError as error:
        raise ConnectionError(
            f"cannot download {name}: {error}\nput these files into "
            f"{downloads / 'manual' / name} and load it again:\n{_list(missing)}"
        ) from error
    return paths


def read(paths: Mapping[str, Path], files: Mapping[str, File]) -> dict[str, Part]:
    """Reads the train and test parts: uint8 images `[samples, rows, columns, 1]` and labels.

    Raises:
        ValueError: a file differs from the registered one (it is left where it is), or images and
            labels differ in number.
    """
    for name, path in paths.items():
        _verify(path, files[name])
    parts = {}
    for part, (images, labels) in PARTS.items():
        x, y = idx.read(paths[images])[..., np.newaxis], idx.read(paths[labels])
        if len(x) != len(y):
            raise ValueError(
                f"{paths[images]} has {len(x)} images, but {paths[labels]} has {len(y)} labels"
            )
        parts[part] = {"x": x, "y": y}
    return parts


def _save(name: str, file: File, content: bytes, folder: Path) -> Path:
    """Writes a file into TFDS's cache, and the note by which TFDS recognises its own downloads."""
    make_folder(folder)
    path = folder / cache_name(file)
    note = {
        "dataset_names": [name],
        "original_fname": file.name,
        "url_info": {"checksum": file.sha256, "filename": file.name, "size": file.size},
        "urls": [file.url],
    }
    write_bytes(path, content)
    write_text(path.with_name(f"{path.name}.INFO"), json.dumps(note))
    return path


def _verify(path: Path, file: File) -> None:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != file.sha256:
        raise ValueError(
            f"{path} is not the registered {file.name}:\n"
            f"  expected {file.size} bytes, sha256 {file.sha256}\n"
            f"  found    {path.stat().st_size} bytes, sha256 {found}\n"
            f"move it away (it may be damaged or belong to another set) and get it from {file.url}"
        )


def _list(files: Iterable[File]) -> str:
    return "\n".join(
        f"  {file.name}  {file.size} bytes  sha256 {file.sha256}  {file.url}" for file in files
    )
