"""MNIST and its family as the original IDX files, checked against TensorFlow Datasets' registry."""

import hashlib
import os
import threading
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxnets.data import idx, tfds
from jaxnets.data.dataset import Part

FAMILY = ("mnist", "fashion_mnist", "kmnist")
PARTS = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
PROBE_SECONDS = 8.0


class File(NamedTuple):
    """One file of a data set as TensorFlow Datasets registers it; `size` in bytes."""

    name: str
    size: int
    sha256: str
    url: str


def data_dir(folder: str | PathLike[str] | None = None) -> Path:
    """The folder itself, or TFDS's own: `$TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    default = os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    return Path(folder or default).expanduser()


def registered(name: str) -> dict[str, File]:
    """File name -> the file's size, sha256 and address, from TFDS's registry."""
    infos = tfds.package().builder_cls(name).url_infos
    return {
        info.filename: File(info.filename, int(info.size), info.checksum, url)
        for url, info in infos.items()
    }


def find(name: str, folder: str | PathLike[str] | None = None) -> dict[str, Path]:
    """File name -> path of those files of the set that are on this machine, unchecked.

    With a folder (or `$MNIST_DIR`, for "mnist") that is the only place, and must hold all four.
    Else each file is looked for in TFDS's `downloads/manual/NAME`, in `downloads/manual` and in
    its cache of downloads.

    Raises:
        FileNotFoundError: the folder lacks a file.
    """
    files = registered(name)
    from tensorflow_datasets.core.download import resource

    folder = folder or (os.environ.get("MNIST_DIR") if name == "mnist" else None)
    if folder:
        folder = Path(folder).expanduser()
        missing = [file for file in files.values() if not (folder / file.name).is_file()]
        if missing:
            raise FileNotFoundError(f"{folder} lacks files of {name}; put there:\n{_list(missing)}")
        return {file: folder / file for file in files}
    downloads = data_dir() / "downloads"
    found: dict[str, Path] = {}
    for file in files.values():
        cached = resource.get_dl_fname(file.url, file.sha256)
        places = (
            downloads / "manual" / name / file.name,
            downloads / "manual" / file.name,
            downloads / name / cached,
            downloads / cached,
        )
        place = next((place for place in places if place.is_file()), None)
        if place:
            found[file.name] = place
    return found


def download(name: str, files: Iterable[File]) -> dict[str, Path]:
    """File name -> path in TFDS's cache, fetched by its DownloadManager, which needs no TensorFlow.

    Without network TFDS retries in silence for minutes, so the first host is asked before.

    Raises:
        ConnectionError: no answer within `PROBE_SECONDS`, or a download that failed; the message
            lists the files, their sizes and sha256, and the folder to put them in.
    """
    download = tfds.package().download
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    files = list(files)
    downloads = data_dir() / "downloads"
    try:
        _probe(files[0].url)
        manager = download.DownloadManager(download_dir=downloads, dataset_name=name)
        paths = manager.download({file.name: file.url for file in files})
    except (OSError, download.DownloadError, NonMatchingChecksumError) as error:
        raise ConnectionError(
            f"cannot download {name}: {error}\nput these files into "
            f"{downloads / 'manual' / name} and load it again:\n{_list(files)}"
        ) from error
    return {file: Path(path) for file, path in paths.items()}


def read(paths: Mapping[str, Path], files: Mapping[str, File]) -> dict[str, Part]:
    """Train and test parts as stored: uint8 images `[samples, rows, columns, 1]` and labels.

    Raises:
        ValueError: a file that is not the registered one (it is left where it is), or images and
            labels of different lengths.
    """
    for name, path in paths.items():
        _verify(path, files[name])
    parts = {}
    for part, (images, labels) in PARTS.items():
        x, y = idx.read(paths[images])[..., np.newaxis], idx.read(paths[labels])
        if len(x) != len(y):
            raise ValueError(f"{paths[images]} has {len(x)} images, {paths[labels]} {len(y)}")
        parts[part] = {"x": x, "y": y}
    return parts


def _verify(path: Path, file: File) -> None:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != file.sha256:
        raise ValueError(
            f"{path} is not the registered {file.name}:\n"
            f"  expected {file.size} bytes, sha256 {file.sha256}\n"
            f"  found    {path.stat().st_size} bytes, sha256 {found}\n"
            f"move it away (it may be damaged, or another set's) and get it from {file.url}"
        )


def _probe(url: str) -> None:
    """An OSError unless the address answers within `PROBE_SECONDS`.

    It is asked as TFDS asks it, through the same proxies and certificates, but in a thread, since
    no timeout bounds the look-up of a host's name.
    """
    import requests

    failure: list[OSError] = [TimeoutError(f"no answer from {url} within {PROBE_SECONDS:g} s")]

    def ask() -> None:
        try:
            with requests.get(url, stream=True, timeout=PROBE_SECONDS) as response:
                response.raise_for_status()
            failure.clear()
        except OSError as error:
            failure[:] = [error]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    if failure:
        raise failure[0]


def _list(files: Iterable[File]) -> str:
    return "\n".join(
        f"  {file.name}  {file.size} bytes  sha256 {file.sha256}  {file.url}" for file in files
    )
