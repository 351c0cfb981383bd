"""Sets prepared by TFDS: tiny ones written record by record, and the real MNIST."""

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jaxnets import data
from jaxnets.data import idx, prepared
from jaxnets.storage.atomic import DiskFullError
from jaxnets.text import corpus

pytest.importorskip("tensorflow_datasets", reason="TensorFlow Datasets is not installed")
from array_record.python.array_record_module import ArrayRecordWriter
from tensorflow_datasets.proto import tf_example_pb2, tf_feature_pb2

SHARED = Path(__file__).parents[3] / "shared" / "data"
NEEDS_SHARED = pytest.mark.skipif(
    not (SHARED / "tfds" / "mnist").is_dir(), reason="needs ../shared/data/tfds"
)
CORE = "tensorflow_datasets.core.features."
RANDOM = np.random.default_rng(0)


def images_and_labels(n: int, *shape: int) -> tuple[np.ndarray, np.ndarray]:
    return RANDOM.integers(0, 256, (n, *shape), np.uint8), np.arange(n) % 3


def record(image: np.ndarray, label: int) -> bytes:
    """One example as TFDS stores it: a PNG and an integer in a protocol buffer."""
    png = io.BytesIO()
    Image.fromarray(image.squeeze()).save(png, "PNG")
    features = {
        "image": tf_feature_pb2.Feature(
            bytes_list=tf_feature_pb2.BytesList(value=[png.getvalue()])
        ),
        "label": tf_feature_pb2.Feature(int64_list=tf_feature_pb2.Int64List(value=[int(label)])),
    }
    example = tf_example_pb2.Example(features=tf_feature_pb2.Features(feature=features))
    return example.SerializeToString()


def features_json(shape: tuple[int, ...], label_class: str) -> dict:
    label = {"classLabel": {"numClasses": "3"}, "pythonClassName": f"{CORE}{label_class}"}
    dimensions = {"dimensions": [str(side) for side in shape]}
    image = {
        "image": {"dtype": "uint8", "shape": dimensions},
        "pythonClassName": f"{CORE}image_feature.Image",
    }
    return {
        "featuresDict": {"features": {"image": image, "label": label}},
        "pythonClassName": f"{CORE}features_dict.FeaturesDict",
    }


def prepare(home: Path, name: str, parts: dict, *, version="1.0.0", file_format="array_record"):
    """A prepared set `home/name/version`, as `tfds build` would have left it."""
    folder = home / name / version
    folder.mkdir(parents=True, exist_ok=True)
    splits = []
    for split, (x, y) in parts.items():
        file = folder / f"{name}-{split}.{file_format}-00000-of-00001"
        writer = ArrayRecordWriter(str(file), "group_size:1")
        for image, label in zip(x, y, strict=True):
            writer.write(record(image, label))
        writer.close()
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        size = {"numBytes": "1", "shardLengths": [str(len(y))]}
        splits.append({"filepathTemplate": template, "name": split, **size})
    keys = {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}}
    info = {"name": name, "version": version, "fileFormat": file_format, "splits": splits}
    (folder / "dataset_info.json").write_text(json.dumps({**info, "supervisedKeys": keys}))
    shape = next(iter(parts.values()))[0].shape[1:]
    features = features_json(shape, "class_label_feature.ClassLabel")
    (folder / "features.json").write_text(json.dumps(features))
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """TFDS's folder and the user's cache, both empty."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("MNIST_DIR", raising=False)
    return tmp_path / "tfds"


@pytest.fixture
def parts():
    return {"train": images_and_labels(12, 5, 4, 3), "test": images_and_labels(4, 5, 4, 3)}


def holds(part: dict, x: np.ndarray, y: np.ndarray) -> bool:
    flat = x.reshape(len(x), -1) / np.float32(255)
    return np.array_equal(part["x"], flat) and np.array_equal(part["y"], y)


def forbid_decoding(_):
    raise AssertionError("decoded again")


def test_prepared_set_is_read_and_cached(home, parts, monkeypatch):
    folder = prepare(home, "tiny_shapes", parts)
    made = data.load("tiny_shapes", valid=0)
    assert holds(made.train, *parts["train"])
    assert holds(made.test, *parts["test"])
    assert made.train["y"].dtype == np.int32
    (cached,) = folder.glob("tiny_shapes-1.0.0-*.npz")
    assert cached.stat().st_mode & 0o777 == 0o644
    monkeypatch.setattr(prepared, "_decode", forbid_decoding)
    assert holds(data.load("tiny_shapes", valid=0).train, *parts["train"])
    assert data.load("tiny_shapes", flat=False, folder=home).valid["x"].shape == (4, 5, 4, 3)


def test_records_are_read_in_batches(home, parts, monkeypatch):
    monkeypatch.setattr(prepared, "BATCH", 5)
    prepare(home, "tiny_shapes", parts)
    assert holds(data.load("tiny_shapes", valid=0).train, *parts["train"])


def test_set_prepared_again_is_read_again(home, parts):
    prepare(home, "tiny_shapes", parts)
    data.load("tiny_shapes")
    other = {**parts, "train": images_and_labels(15, 5, 4, 3)}
    prepare(home, "tiny_shapes", other)
    assert holds(data.load("tiny_shapes", valid=0).train, *other["train"])


def test_read_only_folder_is_left_alone(home, parts, tmp_path):
    folder = prepare(home, "tiny_shapes", parts)
    folder.chmod(0o555)
    before = sorted(folder.iterdir())
    assert holds(data.load("tiny_shapes", valid=0).train, *parts["train"])
    folder.chmod(0o755)
    assert sorted(folder.iterdir()) == before
    assert len(list((tmp_path / "cache" / "jaxnets").glob("tiny_shapes-1.0.0-*.npz"))) == 1


def test_failed_write_leaves_nothing(home, parts, monkeypatch):
    folder = prepare(home, "tiny_shapes", parts)
    before = sorted(folder.iterdir())

    def full_disk(stream, **_):
        stream.write(b"PK and a little more")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(
        DiskFullError, match=r"No space left on device for .*tiny_shapes.*free some space"
    ):
        data.load("tiny_shapes")
    assert sorted(folder.iterdir()) == before


def test_damaged_files_are_named(home, parts):
    folder = prepare(home, "tiny_shapes", parts)
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        changed = bytearray(content)
        changed[len(content) // 2 if file.suffix == ".json" else 100] ^= 0x90
        for damaged in (changed, content[: len(content) // 2], b""):
            file.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"tiny_shapes.* is damaged or not as prepared"):
                data.load("tiny_shapes")
        file.write_bytes(content)
    assert holds(data.load("tiny_shapes", valid=0).train, *parts["train"])


def test_without_tensorflow_datasets_the_extra_is_named(home, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    for load in (data.load, lambda name: corpus.read(f"tfds:{name}")):
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'jaxnets\[tfds\]'") as caught:
            load("tiny_shapes")
        assert "tensorflow_datasets is not installed" in str(caught.value)
        assert "to prepare a set, 'jaxnets[tf]'" in str(caught.value)
        assert "not needed for digits, mnist, fashion_mnist, kmnist" in str(caught.value)
    assert len(data.load("digits").test["y"]) == 359


@pytest.mark.parametrize(
    ("module", "extra"), [("tensorflow", "tf"), ("importlib_resources", "tfds"), (None, "tfds")]
)
def test_without_tensorflow_the_extra_is_named(home, parts, monkeypatch, module, extra):
    prepare(home, "tiny_shapes", parts)

    def needs(*_, **__):
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    monkeypatch.setattr("tensorflow_datasets.builder", needs)
    message = rf"without {module}: pip install 'jaxnets\[{extra}\]'"
    with pytest.raises(ModuleNotFoundError, match=message):
        data.load("tiny_shapes")


def test_damaged_cache_is_named(home, parts):
    folder = prepare(home, "tiny_shapes", parts)
    data.load("tiny_shapes")
    cache = next(folder.glob("*.npz"))
    cache.write_bytes(cache.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"\.npz \(\d+ bytes\) is not an intact .*delete it"):
        data.load("tiny_shapes")


def test_own_validation_part_is_used(home, parts):
    valid = images_and_labels(6, 5, 4, 3)
    prepare(home, "tiny_shapes", {**parts, "validation": valid})
    made = data.load("tiny_shapes")
    assert holds(made.valid, *valid)
    assert holds(made.train, *parts["train"])
    taken = data.load("tiny_shapes", valid=5)
    assert [len(part["y"]) for part in taken] == [7, 5, 4]


def test_parts_may_be_absent(home, parts):
    prepare(home, "only_train", {"train": parts["train"]})
    made = data.load("only_train")
    assert holds(made.train, *parts["train"])
    assert made.valid is made.test is None
    prepare(home, "only_test", {"test": parts["test"]})
    with pytest.raises(ValueError, match="only_test has no training part, only test"):
        data.load("only_test")


def test_family_prepared_but_without_its_files(home):
    parts = {"train": images_and_labels(12, 28, 28, 1), "test": images_and_labels(4, 28, 28, 1)}
    prepare(home, "mnist", parts, version="3.0.1")
    assert holds(data.load("mnist").test, *parts["test"])


def test_unprepared_set_says_how(home):
    with pytest.raises(FileNotFoundError, match="cifar10 is not prepared in") as caught:
        data.load("cifar10")
    assert "pip install 'jaxnets[tf]'" in str(caught.value)
    assert "tfds build cifar10 --file_format=array_record" in str(caught.value)
    assert not home.exists()


def test_format_without_random_access_is_refused(home, parts):
    prepare(home, "tiny_shapes", parts, file_format="tfrecord")
    with pytest.raises(ValueError, match=r"holds tfrecord files(.|\n)*--file_format=array_record"):
        data.load("tiny_shapes")


def label_becomes_an_image(kinds, info):
    kinds["label"] = kinds["image"]


def sizes_become_free(kinds, info):
    kinds["image"]["image"]["shape"]["dimensions"] = ["-1", "-1", "3"]


def supervised_keys_vanish(kinds, info):
    del info["supervisedKeys"]


@pytest.mark.parametrize(
    "change", [label_becomes_an_image, sizes_become_free, supervised_keys_vanish]
)
def test_other_kinds_of_sets_are_refused(home, parts, change):
    folder = prepare(home, "tiny_shapes", parts)
    features = json.loads((folder / "features.json").read_text())
    info = json.loads((folder / "dataset_info.json").read_text())
    change(features["featuresDict"]["features"], info)
    (folder / "features.json").write_text(json.dumps(features))
    (folder / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match="does not hold images of one size with one class label"):
        data.load("tiny_shapes")
    assert not list(folder.glob("*.npz"))


@NEEDS_SHARED
def test_prepared_mnist_is_the_idx_files(home, tmp_path):
    source = SHARED / "tfds" / "mnist" / "3.0.1"
    folder = home / "mnist" / "3.0.1"
    folder.mkdir(parents=True)
    info = json.loads((source / "dataset_info.json").read_text())
    info["splits"] = [split for split in info["splits"] if split["name"] == "test"]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    for file in ("features.json", "mnist-test.array_record-00000-of-00001"):
        (folder / file).symlink_to(source / file)
    test = prepared.read("mnist", home)["test"]
    images = idx.read(SHARED / "mnist" / "t10k-images-idx3-ubyte.gz")
    labels = idx.read(SHARED / "mnist" / "t10k-labels-idx1-ubyte.gz")
    rows = np.column_stack([images.reshape(10_000, -1), labels])
    found = np.column_stack([test["x"].reshape(10_000, -1), test["y"]]).astype(np.uint8)
    assert sorted(map(bytes, found)) == sorted(map(bytes, rows))


REVIEWS = ["A good film.", "A bad film,\nreally bad.", "Épatant!"]


def prepare_texts(home: Path, name: str, **splits: list[str]) -> Path:
    """A prepared set of labelled texts, made of what `prepare` writes for images."""
    folder = prepare(home, name, {split: images_and_labels(1, 2, 2, 3) for split in splits})
    info = json.loads((folder / "dataset_info.json").read_text())
    for entry, (split, texts) in zip(info["splits"], splits.items(), strict=True):
        (file,) = folder.glob(f"{name}-{split}.*")
        writer = ArrayRecordWriter(str(file), "group_size:1")
        for text in texts:
            value = tf_feature_pb2.BytesList(value=[text.encode()])
            label = tf_feature_pb2.Int64List(value=[0])
            features = {
                "label": tf_feature_pb2.Feature(int64_list=label),
                "text": tf_feature_pb2.Feature(bytes_list=value),
            }
            example = tf_example_pb2.Example(features=tf_feature_pb2.Features(feature=features))
            writer.write(example.SerializeToString())
        writer.close()
        entry["shardLengths"] = [str(len(texts))]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    kinds = json.loads((folder / "features.json").read_text())
    kinds["featuresDict"]["features"]["text"] = {
        "pythonClassName": f"{CORE}text_feature.Text",
        "text": {},
    }
    del kinds["featuresDict"]["features"]["image"]
    (folder / "features.json").write_text(json.dumps(kinds))
    return folder


def test_texts_become_a_corpus(home, tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "BATCH", 2)
    prepare_texts(home, "tiny_reviews", test=["not this"], train=REVIEWS)
    want = corpus.read(REVIEWS, min_count=1)
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        made = corpus.read("tfds:tiny_reviews", 1, cache)
        assert made.vocabulary.words == want.vocabulary.words
        np.testing.assert_array_equal(made.ids, want.ids)
    shares = [share for _, share in prepared.texts("tiny_reviews")]
    np.testing.assert_allclose(shares, [1 / 3, 2 / 3, 1])


def test_sets_without_texts_are_refused(home, parts):
    prepare(home, "tiny_shapes", parts)
    prepare_texts(home, "only_test", test=REVIEWS)
    for name in ("tiny_shapes", "only_test"):
        with pytest.raises(ValueError, match=f"{name}.* has no texts to train on"):
            corpus.read(f"tfds:{name}")
    with pytest.raises(ValueError, match="unknown data set 'imdb_reviewz'; did you mean 'imdb"):
        corpus.read("tfds:imdb_reviewz")


def test_texts_that_are_not_utf8_are_refused(home):
    folder = prepare_texts(home, "tiny_reviews", train=["caf" + chr(233)])
    (file,) = folder.glob("*train*")
    writer = ArrayRecordWriter(str(file), "group_size:1")
    value = tf_feature_pb2.BytesList(value=["caf\xe9".encode("latin-1")])
    label = tf_feature_pb2.Int64List(value=[0])
    features = {
        "label": tf_feature_pb2.Feature(int64_list=label),
        "text": tf_feature_pb2.Feature(bytes_list=value),
    }
    example = tf_example_pb2.Example(features=tf_feature_pb2.Features(feature=features))
    writer.write(example.SerializeToString())
    writer.close()
    with pytest.raises(ValueError, match=r"text 0 of .*tiny_reviews.* is damaged .*utf-8"):
        corpus.read("tfds:tiny_reviews", 1)


def test_a_set_changed_in_place_with_its_times_kept_is_read_again(home, parts):
    """Names, sizes and times say nothing: a set of equal sizes, unpacked from another archive."""
    folder = prepare(home, "tiny_shapes", parts)
    assert holds(data.load("tiny_shapes", valid=0).train, *parts["train"])
    before = {file: file.stat() for file in folder.iterdir()}
    x, y = parts["train"]
    prepare(home, "tiny_shapes", {**parts, "train": (x[::-1], y[::-1])})
    for file, state in before.items():
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        if file.suffix != ".npz":
            assert file.stat().st_size == state.st_size
    assert holds(data.load("tiny_shapes", valid=0).train, x[::-1], y[::-1])


def test_a_desktops_notes_do_not_change_a_set(home, parts, monkeypatch):
    folder = prepare(home, "tiny_shapes", parts)
    data.load("tiny_shapes")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    monkeypatch.setattr(prepared, "_decode", forbid_decoding)
    assert holds(data.load("tiny_shapes", valid=0).train, *parts["train"])
