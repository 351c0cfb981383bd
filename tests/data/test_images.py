"""MNIST's family from folders, caches and a local server, or nowhere; all without TFDS."""

import errno
import gzip
import hashlib
import http.server
import importlib
import struct
import sys
import threading
import time
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest

from jaxnets import data
from jaxnets.data import download
from jaxnets.data.registry import FILES, PARTS, File, cache_name
from jaxnets.storage.atomic import DiskFullError

URLOPEN = urllib.request.urlopen
FAMILY = pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"
NEEDS_MNIST = pytest.mark.skipif(not MNIST.is_dir(), reason="needs ../shared/data/mnist")


def packed_idx(array: np.ndarray) -> bytes:
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes(), mtime=0)


def listing(folder: Path) -> list[tuple[str, bytes]]:
    return [(str(file), file.read_bytes()) for file in sorted(folder.rglob("*")) if file.is_file()]


def tfds_part(name: str):
    """A module of TFDS itself; the test is skipped without."""
    package = "tensorflow_datasets"
    pytest.importorskip(package, reason="compares with TensorFlow Datasets, not installed")
    return importlib.import_module(f"{package}.core.download.{name}")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """TFDS's folders under tmp_path; no TFDS, no folder in the environment, and no network."""
    for module in ("tensorflow_datasets", "importlib_resources", "requests"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.delenv("MNIST_DIR", raising=False)

    def refuse(request, **_):
        raise URLError(f"no route to {request.full_url}")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    return tmp_path / "tfds"


@pytest.fixture
def arrays():
    """A tiny MNIST: 60 images to train with and 20 to test with."""
    x = np.random.default_rng(0).integers(0, 256, (80, 28, 28), np.uint8)
    y = np.arange(80, dtype=np.uint8) % 10
    return dict(
        zip(
            [name for pair in PARTS.values() for name in pair],
            [x[:60], y[:60], x[60:], y[60:]],
            strict=True,
        )
    )


@pytest.fixture
def source(tmp_path, arrays, monkeypatch, home):
    """A folder with the four files of the tiny MNIST, registered in place of the real ones."""
    folder = tmp_path / "source"
    folder.mkdir()
    for name, array in arrays.items():
        (folder / name).write_bytes(packed_idx(array))
    register(monkeypatch, folder, "http://localhost:9")
    return folder


def register(monkeypatch, folder: Path, host: str) -> None:
    """Registers the files of a folder in place of those of every set."""
    files = {}
    for file in (folder / name for pair in PARTS.values() for name in pair):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        url = f"{host}/{file.name}"
        files[file.name] = File(file.name, file.stat().st_size, digest, url)
    for name in list(FILES):
        monkeypatch.setitem(FILES, name, files)


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
    for name, file in FILES["mnist"].items():
        (home / place / cache_name(file)).write_bytes((source / name).read_bytes())
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


def test_wrong_file_is_named_and_left_alone(source):
    file = source / "train-labels-idx1-ubyte.gz"
    before = FILES["mnist"][file.name]
    file.write_bytes(gzip.compress(b"something else"))
    content = listing(source)
    with pytest.raises(ValueError, match="is not the registered") as caught:
        data.load("mnist", folder=source)
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    for fact in (str(file), before.sha256, f"{before.size} bytes", found):
        assert fact in str(caught.value)
    assert listing(source) == content


def test_images_and_labels_that_differ_in_number(source, monkeypatch):
    file = source / "train-labels-idx1-ubyte.gz"
    file.write_bytes(packed_idx(np.zeros(59)))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    files = FILES["mnist"]
    monkeypatch.setitem(files, file.name, files[file.name]._replace(sha256=digest))
    with pytest.raises(ValueError, match=r"60 images, but .*labels-idx1-ubyte\.gz has 59 labels"):
        data.load("mnist", folder=source)


@FAMILY
def test_registry_has_the_four_files(name):
    files = FILES[name]
    assert set(files) == {file for pair in PARTS.values() for file in pair}
    assert all(len(bytes.fromhex(file.sha256)) == 32 for file in files.values())
    assert all(file.url.endswith(file.name) for file in files.values())


@FAMILY
def test_registry_is_tfds_own(name):
    builder = tfds_part("checksums") and sys.modules["tensorflow_datasets"].builder_cls(name)
    registered = {
        info.filename: File(info.filename, int(info.size), info.checksum, url)
        for url, info in builder.url_infos.items()
    }
    assert FILES[name] == registered


@pytest.mark.parametrize("host", ["", "http://127.0.0.1:8000", "http://localhost/a_dataset_b"])
@FAMILY
def test_cache_names_are_tfds_own(name, host):
    theirs = tfds_part("resource").get_dl_fname
    for file in FILES[name].values():
        file = file._replace(url=f"{host}/{file.name}") if host else file
        assert cache_name(file) == theirs(file.url, file.sha256)


@FAMILY
def test_without_network_the_files_are_listed(home, name):
    with pytest.raises(ConnectionError, match="no route to http") as caught:
        data.load(name)
    message = str(caught.value)
    assert f"put these files into {home / 'downloads' / 'manual' / name}" in message
    for file in FILES[name].values():
        assert f"{file.name}  {file.size} bytes  sha256 {file.sha256}  {file.url}" in message
    assert not home.exists()


def test_a_silent_network_is_given_up_on(home, monkeypatch):
    assert download.PROBE_SECONDS < 9
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.1)
    released = threading.Event()

    def wait(*_, **__):
        released.wait(20)
        raise TimeoutError

    monkeypatch.setattr(urllib.request, "urlopen", wait)
    start = time.perf_counter()
    with pytest.raises(ConnectionError, match=r"https?://.*: no answer within 0\.1 s"):
        data.load("mnist")
    assert time.perf_counter() - start < 3
    released.set()


@FAMILY
def test_a_prepared_set_without_tfds_is_downloaded(home, name):
    (home / name / "3.0.1").mkdir(parents=True)
    with pytest.raises(ConnectionError, match=f"cannot download {name}"):
        data.load(name)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without a word."""

    def log_message(self, *_):
        pass


@pytest.fixture
def server(source, monkeypatch, request):
    """The tiny MNIST over HTTP; a test's parameter is another handler of requests."""
    monkeypatch.setattr(urllib.request, "urlopen", URLOPEN)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    handler = partial(getattr(request, "param", Quiet), directory=source)
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, args=(0.01,), daemon=True).start()
    register(monkeypatch, source, f"http://127.0.0.1:{httpd.server_port}")
    yield source
    httpd.shutdown()
    httpd.server_close()


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_download_is_saved_and_checked_again(server, home, arrays):
    assert is_tiny(data.load("mnist"), arrays)
    for file in server.iterdir():
        file.unlink()
    assert is_tiny(data.load("mnist"), arrays)
    damaged = next((home / "downloads" / "mnist").glob("*t10k-labels*.gz"))
    damaged.write_bytes(b"damaged on the disk")
    with pytest.raises(ValueError, match="is not the registered t10k-labels") as caught:
        data.load("mnist")
    assert str(damaged) in str(caught.value)


def test_tfds_finds_what_was_downloaded(server, home, monkeypatch):
    data.load("mnist")
    saved, files = files_below(home), FILES["mnist"].values()
    monkeypatch.undo()
    info = tfds_part("checksums").UrlInfo
    manager = tfds_part("download_manager").DownloadManager(
        download_dir=home / "downloads",
        dataset_name="mnist",
        url_infos={file.url: info(file.size, file.sha256, file.name) for file in files},
    )
    for file in server.iterdir():
        file.unlink()
    found = manager.download([file.url for file in files])
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in found] == [
        file.sha256 for file in files
    ]
    assert files_below(home) == saved


def test_only_missing_files_are_downloaded(server, home, arrays):
    manual = home / "downloads" / "manual"
    put(server, manual)
    (manual / "t10k-images-idx3-ubyte.gz").unlink()
    for file in server.iterdir():
        if not file.name.startswith("t10k-images"):
            file.unlink()
    assert is_tiny(data.load("mnist"), arrays)


def test_server_without_the_files(server):
    for file in server.iterdir():
        file.unlink()
    with pytest.raises(ConnectionError, match=r"HTTP Error 404(.|\n)*put these files into"):
        data.load("mnist")


@pytest.mark.parametrize("longer", [False, True])
def test_server_with_another_file(server, home, longer):
    file = server / "t10k-labels-idx1-ubyte.gz"
    size = file.stat().st_size
    file.write_bytes(bytes(size + 1) if longer else b"a page of advertisements")
    message = (
        f"sends more than the registered {size} bytes" if longer else "sends 24 bytes with sha"
    )
    with pytest.raises(ConnectionError, match=message) as caught:
        data.load("mnist")
    listed = str(caught.value).splitlines()[2:]
    assert [line.split()[0] for line in listed] == ["t10k-labels-idx1-ubyte.gz"]
    assert len(list(home.rglob("*.gz"))) == 3
    assert not list(home.rglob("*t10k-labels*"))


class Endless(Quiet):
    """Sends labels of the test part that never end."""

    def do_GET(self):
        if "t10k-labels" not in self.path:
            super().do_GET()
            return
        self.send_response(200)
        self.end_headers()
        with suppress(ConnectionError):
            while True:
                self.wfile.write(bytes(2**16))


class Stalling(Quiet):
    """Stops after the first bytes of the labels of the test part."""

    def do_GET(self):
        if "t10k-labels" not in self.path:
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"only this")
        time.sleep(2)


class Dropping(Quiet):
    """Closes the connection without an answer."""

    def do_GET(self):
        self.close_connection = True


@pytest.mark.parametrize(
    ("server", "message"),
    [
        (Endless, "sends more than the registered"),
        (Stalling, "timed out"),
        (Dropping, "closed connection without response"),
    ],
    indirect=["server"],
)
def test_servers_that_misbehave_are_given_up_on(server, home, message, monkeypatch):
    monkeypatch.setattr(download, "READ_SECONDS", 1.0)
    start = time.perf_counter()
    with pytest.raises(ConnectionError, match=message):
        data.load("mnist")
    assert time.perf_counter() - start < 10
    assert not list(home.rglob("*t10k-labels*"))


def test_a_full_disk_is_named(server, home, monkeypatch):
    def full_disk(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    with pytest.raises(DiskFullError, match=r"No space left on device for .*\.gz.*free some space"):
        data.load("mnist")
    assert not files_below(home)


def test_a_folder_that_cannot_be_written_is_named(server, home):
    home.write_bytes(b"a file, not a folder")
    with pytest.raises(ConnectionError, match=r"cannot download mnist: .*tfds"):
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
    with pytest.raises(ValueError, match="cannot hold out 60 of 60"):
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
