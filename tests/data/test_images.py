"""MNIST's family from folders, caches and a local server, or nowhere."""

import gzip
import hashlib
import http.server
import os
import struct
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import requests
from tensorflow_datasets.core.download import checksums, resource

from jaxnets import data
from jaxnets.data import images

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
NEEDS_MNIST = pytest.mark.skipif(not MNIST.is_dir(), reason="needs ../shared/data/mnist")


def packed_idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


def listing(folder: Path) -> list[tuple[str, bytes]]:
    return [(str(file), file.read_bytes()) for file in sorted(folder.rglob("*")) if file.is_file()]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """TFDS's folders under tmp_path, no folder named by the environment, and no network."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv("MNIST_DIR", raising=False)

    def refused(url, **_):
        raise requests.ConnectionError(f"no route to {url}")

    monkeypatch.setattr(requests, "get", refused)
    return tmp_path / "tfds"


@pytest.fixture
def arrays():
    """A tiny MNIST: 60 images to train with and 20 to test with."""
    x = np.random.default_rng(0).integers(0, 256, (80, 28, 28), np.uint8)
    y = np.arange(80, dtype=np.uint8) % 10
    return dict(
        zip(
            [name for pair in images.PARTS.values() for name in pair],
            [x[:60], y[:60], x[60:], y[60:]],
            strict=True,
        )
    )


@pytest.fixture
def source(tmp_path, arrays, monkeypatch, home):
    """A folder with the four files of the tiny MNIST, registered in place of the real ones."""
    folder = tmp_path / "source"
    folder.mkdir()
    files = {}
    for name, array in arrays.items():
        packed = packed_idx(array)
        (folder / name).write_bytes(packed)
        digest = hashlib.sha256(packed).hexdigest()
        files[name] = images.File(name, len(packed), digest, f"http://localhost:9/{name}")
    monkeypatch.setattr(images, "registered", lambda _: files)
    return folder


def put(source: Path, target: Path) -> Path:
    """Copies of the four files in a new folder."""
    target.mkdir(parents=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


def is_tiny(made: data.Dataset, arrays: dict[str, np.ndarray]) -> bool:
    x = arrays["t10k-images-idx3-ubyte.gz"].reshape(20, 784) / np.float32(255)
    return np.array_equal(made.test["x"], x)


@pytest.mark.parametrize("place", ["downloads/manual/mnist", "downloads/manual"])
def test_files_put_by_hand(source, home, arrays, place):
    put(source, home / place)
    assert is_tiny(data.load("mnist"), arrays)


@pytest.mark.parametrize("place", ["downloads/mnist", "downloads"])
def test_files_of_tfds_cache(source, home, arrays, place):
    (home / place).mkdir(parents=True)
    for name, file in images.registered("mnist").items():
        cached = home / place / resource.get_dl_fname(file.url, file.sha256)
        cached.write_bytes((source / name).read_bytes())
    assert is_tiny(data.load("mnist"), arrays)


def test_folder_comes_first_then_the_environment(source, home, arrays, tmp_path, monkeypatch):
    wrong = put(source, tmp_path / "wrong")
    (wrong / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    put(wrong, home / "downloads" / "manual")
    monkeypatch.setenv("MNIST_DIR", str(source))
    assert is_tiny(data.load("mnist"), arrays)
    monkeypatch.setenv("MNIST_DIR", str(wrong))
    assert is_tiny(data.load("mnist", folder=source), arrays)
    with pytest.raises(ValueError, match=r"wrong.t10k-labels"):
        data.load("mnist")
    with pytest.raises(ValueError, match=r"manual.t10k-labels"):
        data.load("kmnist")


def test_folder_that_lacks_files(source):
    (source / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(FileNotFoundError, match="lacks files of mnist") as caught:
        data.load("mnist", folder=source)
    listed = str(caught.value).splitlines()[1:]
    assert len(listed) == 1
    assert "t10k-labels-idx1-ubyte.gz" in listed[0]


def test_wrong_file_is_named_and_kept(source):
    file = source / "train-labels-idx1-ubyte.gz"
    before = images.registered("mnist")[file.name]
    file.write_bytes(gzip.compress(b"something else"))
    kept = listing(source)
    with pytest.raises(ValueError, match="is not the registered") as caught:
        data.load("mnist", folder=source)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    for fact in (str(file), before.sha256, f"{before.size} bytes", found):
        assert fact in str(caught.value)
    assert listing(source) == kept


def test_images_and_labels_that_differ_in_number(source, monkeypatch):
    file = source / "train-labels-idx1-ubyte.gz"
    file.write_bytes(packed_idx(np.zeros(59)))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    files = images.registered("mnist")
    monkeypatch.setitem(files, file.name, files[file.name]._replace(sha256=digest))
    with pytest.raises(ValueError, match=r"has 60 images, .*labels-idx1-ubyte\.gz 59"):
        data.load("mnist", folder=source)


@pytest.mark.parametrize("name", images.FAMILY)
def test_registry_has_the_four_files(name):
    files = images.registered(name)
    assert set(files) == {file for pair in images.PARTS.values() for file in pair}
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in files.values())
    assert all(file.url.endswith(file.name) for file in files.values())


@pytest.mark.parametrize("name", images.FAMILY)
def test_without_network_the_files_are_listed(home, name):
    with pytest.raises(ConnectionError, match="no route to http") as caught:
        data.load(name)
    message = str(caught.value)
    assert f"put these files into {home / 'downloads' / 'manual' / name}" in message
    for file in images.registered(name).values():
        assert f"{file.name}  {file.size} bytes  sha256 {file.sha256}  {file.url}" in message
    assert not home.exists()


def test_a_silent_network_is_given_up_on(home, monkeypatch):
    assert images.PROBE_SECONDS < 9
    monkeypatch.setattr(images, "PROBE_SECONDS", 0.1)
    released = threading.Event()

    def silent(*_, **__):
        released.wait(20)
        raise requests.ConnectTimeout

    monkeypatch.setattr(requests, "get", silent)
    start = time.perf_counter()
    with pytest.raises(ConnectionError, match=r"no answer from https?://.* within 0\.1 s"):
        data.load("mnist")
    assert time.perf_counter() - start < 3
    released.set()


@pytest.fixture
def server(source, monkeypatch):
    """The tiny MNIST over HTTP, registered with TFDS too."""
    monkeypatch.undo()
    monkeypatch.setenv("TFDS_DATA_DIR", str(source.parent / "tfds"))
    monkeypatch.delenv("MNIST_DIR", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=source))
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    files = {}
    for file in sorted(source.iterdir()):
        url = f"http://127.0.0.1:{httpd.server_port}/{file.name}"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        files[file.name] = images.File(file.name, file.stat().st_size, digest, url)
        info = checksums.UrlInfo(file.stat().st_size, digest, file.name)
        monkeypatch.setitem(checksums.get_all_url_infos(), url, info)
    monkeypatch.setattr(images, "registered", lambda _: files)
    yield source
    httpd.shutdown()
    httpd.server_close()


def test_download_is_kept_and_checked_again(server, arrays):
    assert is_tiny(data.load("mnist"), arrays)
    for file in server.iterdir():
        file.unlink()
    assert is_tiny(data.load("mnist"), arrays)
    cache = Path(os.environ["TFDS_DATA_DIR"]) / "downloads" / "mnist"
    damaged = next(cache.glob("*t10k-labels*.gz"))
    damaged.write_bytes(b"damaged on the disk")
    with pytest.raises(ValueError, match="is not the registered t10k-labels") as caught:
        data.load("mnist")
    assert str(damaged) in str(caught.value)


def test_only_missing_files_are_downloaded(server, arrays):
    manual = Path(os.environ["TFDS_DATA_DIR"]) / "downloads" / "manual"
    put(server, manual)
    (manual / "t10k-images-idx3-ubyte.gz").unlink()
    for file in server.iterdir():
        if not file.name.startswith("t10k-images"):
            file.unlink()
    assert is_tiny(data.load("mnist"), arrays)


def test_server_without_the_files(server):
    for file in server.iterdir():
        file.unlink()
    with pytest.raises(ConnectionError, match=r"404 Client Error(.|\n)*put these files into"):
        data.load("mnist")


def test_server_with_another_file(server):
    (server / "t10k-labels-idx1-ubyte.gz").write_bytes(b"a page of advertisements")
    with pytest.raises(ConnectionError, match="wrong checksum"):
        data.load("mnist")


def test_validation_part_is_taken_from_training(source, arrays):
    made = data.load("mnist", folder=source)
    assert [len(part["y"]) for part in made] == [40, 20, 20]
    together = np.concatenate([made.train["x"], made.valid["x"]])
    x = arrays["train-images-idx3-ubyte.gz"].reshape(60, 784) / np.float32(255)
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(x, axis=0))
    label = {row.tobytes(): int(y) for row, y in zip(x, np.arange(60) % 10, strict=True)}
    for part in (made.train, made.valid):
        assert [label[row.tobytes()] for row in part["x"]] == part["y"].tolist()
    again, other = (data.load("mnist", folder=source, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(made.valid["x"], again.valid["x"])
    assert not np.array_equal(made.valid["x"], other.valid["x"])


def test_validation_size_and_image_shape(source):
    none = data.load("mnist", folder=source, valid=0)
    assert none.valid is None
    assert none.train["x"].shape == (60, 784)
    some = data.load("mnist", folder=source, valid=7, flat=False)
    assert some.valid["x"].shape == (7, 28, 28, 1)
    flat = data.load("mnist", folder=source, valid=7)
    np.testing.assert_array_equal(some.valid["x"].reshape(7, 784), flat.valid["x"])
    with pytest.raises(ValueError, match="cannot hold 60 of 60"):
        data.load("mnist", folder=source, valid=60)


@NEEDS_MNIST
def test_mnist_is_the_published_set():
    made = data.load("mnist", folder=MNIST)
    assert [part["x"].shape for part in made] == [(50_000, 784), (10_000, 784), (10_000, 784)]
    train = np.bincount(np.concatenate([made.train["y"], made.valid["y"]]))
    assert train.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = np.bincount(made.test["y"])
    assert test.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    x = np.concatenate([made.train["x"], made.valid["x"]])
    assert x.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)
    assert x.std(dtype=np.float64) == pytest.approx(0.3081, abs=5e-5)
