"""`import jaxnets` stays light, and imports point one way."""

import ast
import os
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import jaxnets

FOLDER = Path(jaxnets.__file__).parent
HEAVY = {
    "matplotlib",
    "orbax",
    "skimage",
    "sklearn",
    "tensorflow",
    "tensorboardX",
    "tensorflow_datasets",
    "torch",
    "tqdm",
}
# What each part may import of the others: lower ones only. A new part needs a row.
ALLOWED = {
    "checks": set(),
    "constructions": set(),
    "devices": set(),
    "landscape": set(),
    "linear_regions": set(),
    "memory": set(),
    "plots": set(),
    "progress": set(),
    "projections": set(),
    "replacing": set(),
    "scalars": set(),
    "schedules": set(),
    "shuffle": set(),
    "activations": {"checks"},
    "distributed": {"checks"},
    "launch": {"distributed"},
    "parallel": {"checks", "distributed"},
    "expressions": {"checks"},
    "losses": {"checks"},
    "classical": {"checks"},
    "data": {"checks", "progress", "replacing"},
    "outputs": {"losses"},
    "objective": {"losses"},
    "evaluate": {"losses", "objective"},
    "augment": {"checks"},
    "ops": {"checks"},
    "models": {"activations", "checks", "ops"},
    "backprop": {"activations", "checks", "losses", "models", "objective", "ops"},
    "train": {"checks", "losses", "objective", "shuffle"},
    "prepare": {"checks", "losses", "train"},
    "signals": set(),
    "leaves": {"replacing"},
    "checkpoints": {"checks", "leaves", "replacing", "scalars"},
    "runs": {"checkpoints", "replacing", "scalars"},
    "identity": {"train"},
    "pieces": {"losses", "objective", "shuffle", "train"},
    "chunks": {
        "checkpoints",
        "distributed",
        "pieces",
        "progress",
        "runs",
        "scalars",
        "signals",
        "train",
    },
    "fit": {
        "checkpoints",
        "checks",
        "chunks",
        "distributed",
        "identity",
        "memory",
        "parallel",
        "pieces",
        "prepare",
        "runs",
        "train",
    },
    "words": {"checks", "replacing"},
    "word2vec": {"checks", "data", "progress", "words"},
    "estimator": {"activations", "data", "fit", "models", "train"},
}
# The only parts that may import a heavy package at all.
HEAVY_ALLOWED = {
    "matplotlib": {"plots"},
    "orbax": {"leaves"},
    "skimage": {"data"},
    "sklearn": {"classical", "data", "estimator"},
    "tensorboardX": {"scalars"},
    "tensorflow_datasets": {"data"},
    "tqdm": {"progress"},
}


def imports(path):
    """Absolute names of all modules that a file imports, at the top or within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part_of(path):
    """`losses` for losses.py, `data` for data/toy.py, `__init__` for the package itself."""
    return path.relative_to(FOLDER).parts[0].removesuffix(".py")


SOURCES = sorted(FOLDER.rglob("*.py"))
PARTS = sorted({part_of(path) for path in SOURCES} - {"__init__"})
EACH_PART = pytest.mark.parametrize("part", PARTS)


def imports_of(part):
    return {name for path in SOURCES if part_of(path) == part for name in imports(path)}


@EACH_PART
def test_imports_point_one_way(part):
    ours = {name.split(".")[1] for name in imports_of(part) if name.startswith("jaxnets.")}
    assert part in ALLOWED, f"{part} is new: give it a row in ALLOWED"
    assert ours <= ALLOWED[part] | {part}


def test_the_table_has_no_circle_and_no_stale_row():
    assert set(TopologicalSorter(ALLOWED).static_order()) == set(PARTS)


def test_files_of_a_part_have_no_circle():
    """A package's own `__init__` aside, which gathers its names."""
    modules = {
        ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts): path for path in SOURCES
    }
    graph = {}
    for module, path in modules.items():
        if path.name != "__init__.py":
            names = [f"{name}." for name in imports(path)]
            found = {m for m in modules if any(name.startswith(f"{m}.") for name in names)}
            graph[module] = found - {module}
    TopologicalSorter(graph).prepare()


@EACH_PART
def test_heavy_packages_stay_in_their_place(part):
    heavy = {name.split(".")[0] for name in imports_of(part)} & HEAVY
    assert heavy == {name for name in heavy if part in HEAVY_ALLOWED.get(name, ())}


@EACH_PART
def test_nothing_imports_what_is_built_on_it(part):
    outside = {name.split(".")[0] for name in imports_of(part)}
    assert not outside & {"experiments", "benchmarks", "tests", "conftest", "pytest"}


@pytest.mark.parametrize("module", ["jaxnets", "jaxnets.data", "jaxnets.backprop"])
def test_importing_loads_nothing_heavy(module):
    code = f"import sys, {module}; print(*sorted({{m.split('.')[0] for m in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(FOLDER.parent)},
    )
    loaded = set(done.stdout.split())
    assert "jaxnets" in loaded
    assert not loaded & HEAVY
