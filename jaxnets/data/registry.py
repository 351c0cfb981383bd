"""The published files of MNIST, Fashion-MNIST and KMNIST, as TensorFlow Datasets registers them."""

import base64
import re
from typing import NamedTuple
from urllib.parse import urlsplit

PARTS = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
"""Part -> the names of its images and its labels."""
LONGEST = 46
"""Characters of an address, its ending included, in a name of TFDS's cache."""


class File(NamedTuple):
    """Describes one file of a data set; `size` is in bytes."""

    name: str
    size: int
    sha256: str
    url: str


def cache_name(file: File) -> str:
    """Returns the name of a `.gz` file in TFDS's cache: its shortened address and its sha256.

    TFDS's rule, as far as the addresses below need it: generic parts of an address are dropped,
    then all its components are cut to the same length until it fits.
    """
    host, path = urlsplit(file.url)[1:3]
    host = host.removeprefix("storage.googleapis.com")
    host = host.removesuffix(".s3-website.eu-central-1.amazonaws.com")
    address = re.sub(r"[^a-zA-Z0-9.\-_]+", "_", host + path.removesuffix(".gz"))
    address = address.replace("_dataset_", "_").strip("_")
    size = longest = LONGEST - len(".gz")
    while len(address) > longest and size > 4:
        size -= 1
        address = re.sub(rf"([^.\-_]{{{size}}})[^.\-_]*", r"\1", address)
    digest = base64.urlsafe_b64encode(bytes.fromhex(file.sha256)).decode().removesuffix("=")
    return f"{address[:longest]}{digest}.gz"


def _files(folder: str, *facts: tuple[int, str]) -> dict[str, File]:
    names = [name for pair in PARTS.values() for name in pair]
    return {
        name: File(name, size, sha256, f"{folder}/{name}")
        for name, (size, sha256) in zip(names, facts, strict=True)
    }


FILES = {
    "mnist": _files(
        "https://storage.googleapis.com/cvdf-datasets/mnist",
        (9912422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        (28881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        (1648877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        (4542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    ),
    "fashion_mnist": _files(
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        (26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        (29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        (4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        (5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ),
    "kmnist": _files(
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist",
        (18165135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
        (29497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
        (3041136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
        (5120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
    ),
}
"""Set -> file name -> file."""
