"""Sets by name: scikit-learn's digits, unknown names, and what loading imports."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from jaxnets import data


def test_digits_are_scikit_learns():
    made = data.load("digits")
    assert [len(part["y"]) for part in made] == [1079, 359, 359]
    x, y = load_digits(return_X_y=True)
    ours = np.concatenate([np.column_stack([part["x"] * 16, part["y"]]) for part in made])
    truth = np.column_stack([x, y])
    np.testing.assert_array_equal(np.unique(ours, axis=0), np.unique(truth, axis=0))
    assert len(ours) == len(truth)
    assert {(part["x"].dtype, part["y"].dtype) for part in made} == {
        (np.dtype(np.float32), np.dtype(np.int32))
    }


def test_digits_test_part_stays_the_same():
    one, other = data.load("digits"), data.load("digits", valid=100, flat=False)
    np.testing.assert_array_equal(one.test["x"], other.test["x"].reshape(359, 64))
    assert other.valid["x"].shape == (100, 8, 8, 1)
    assert not np.array_equal(one.test["x"], data.load("digits", seed=1).test["x"])


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("minst", "mnist"), ("fashion-mnist", "fashion_mnist"), ("CIFAR10", "cifar10"), ("", None)],
)
def test_unknown_names_get_the_nearest(tmp_path, name, nearest):
    pytest.importorskip("tensorflow_datasets", reason="TensorFlow Datasets is not installed")
    with pytest.raises(ValueError, match=f"unknown data set '{name}'; .*known: digits") as caught:
        data.load(name, folder=tmp_path)
    assert nearest is None or f"did you mean '{nearest}'?" in str(caught.value)
    assert not list(tmp_path.iterdir())


ROOT = Path(__file__).parents[2]
MNIST = ROOT.parent / "shared" / "data" / "mnist"
LIGHT = """
import sys, urllib.request
absent = ("tensorflow_datasets", "importlib_resources", "requests", "tensorflow")
if BLOCK:
    sys.modules.update(dict.fromkeys(absent))

def refuse(request, **_):
    raise OSError("no route to " + request.full_url)

urllib.request.urlopen = refuse
import jaxnets, jaxnets.data
made = jaxnets.data.load(NAME)
print(len(made.test["y"]), [name for name in absent if sys.modules.get(name)])
"""


def run_light(code: str, home: Path, **folders: str) -> subprocess.CompletedProcess:
    """The program above, changed by `code` before it, with TFDS's folder in `home`."""
    environment = {key: value for key, value in os.environ.items() if key != "MNIST_DIR"}
    return subprocess.run(
        [sys.executable, "-c", code + LIGHT],
        cwd=ROOT,
        env=environment | {"TFDS_DATA_DIR": str(home), **folders},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("block", [False, True])
def test_digits_need_and_import_no_tensorflow_datasets(tmp_path, block):
    done = run_light(f"BLOCK, NAME = {block}, 'digits'", tmp_path)
    assert done.stdout.strip() == "359 []", done.stderr


@pytest.mark.skipif(not MNIST.is_dir(), reason="needs ../shared/data/mnist")
@pytest.mark.parametrize("block", [False, True])
def test_mnist_needs_and_imports_no_tensorflow_datasets(tmp_path, block):
    code = f"BLOCK, NAME = {block}, 'mnist'"
    done = run_light(code, tmp_path, MNIST_DIR=str(MNIST))
    assert done.stdout.strip() == "10000 []", done.stderr


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "kmnist"])
def test_the_list_of_missing_files_needs_no_tensorflow_datasets(tmp_path, name):
    done = run_light(f"BLOCK, NAME = True, {name!r}", tmp_path)
    assert f"ConnectionError: cannot download {name}: http" in done.stderr
    assert done.stderr.count("sha256") == 4
