"""The house: imports point one way, private names stay at home, old names are gone."""

import ast
import os
import pydoc
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import jaxnets
from jaxnets.word2vec import Word2Vec

FOLDER = Path(jaxnets.__file__).parent
ROOT = Path(__file__).parents[1]
HEAVY = {
    "importlib_resources",
    "matplotlib",
    "mlflow",
    "orbax",
    "requests",
    "skimage",
    "sklearn",
    "tensorflow",
    "tensorboardX",
    "tensorflow_datasets",
    "torch",
    "tqdm",
}
# What each room may import of the others: lower ones only. A new room needs a row. `host` serves
# anyone; `storage` and `parallel` know no training; `objective` serves backprop, training and
# analysis; `analysis` and `converge` import no training.
ALLOWED = {
    "autodiff": set(),
    "host": set(),
    "plots": {"themes"},
    "themes": set(),
    "activations": {"host"},
    "augment": {"host"},
    "classical": {"host"},
    "losses": {"autodiff", "host", "ops"},
    "ops": {"host"},
    "parallel": {"host"},
    "shapes": {"host"},
    "soft_targets": {"host", "losses"},
    "launch": {"host", "parallel"},
    "objective": {"host", "losses"},
    "metrics": {"host", "objective"},
    "output_units": {"host", "losses"},
    "analysis": {"host", "losses", "models", "objective", "ops", "parallel"},
    "converge": {"host", "losses", "objective", "ops", "plots"},
    "models": {"activations", "host", "ops"},
    "backprop": {"activations", "host", "losses", "models", "objective", "ops"},
    "storage": {"host", "parallel"},
    "claims": {"host", "plots", "storage"},
    "hooks": {"host", "storage"},
    "meshes": {"host", "storage"},
    "data": {"host", "storage"},
    "text": {"data", "host", "storage"},
    "training": {"host", "losses", "metrics", "objective", "parallel", "storage"},
    "weights": {"data", "host", "models", "storage"},
    "word2vec": {"host", "parallel", "storage", "text"},
    "estimator": {"activations", "data", "host", "models", "training"},
    "search": {"data", "estimator", "host", "objective", "parallel", "training"},
    "playground": {
        *("activations", "backprop", "data", "losses", "models", "objective", "parallel"),
        "training",
    },
    "sweeps": {"host", "objective", "parallel", "training"},
}
# The only rooms that may import a heavy package at all.
HEAVY_ALLOWED = {
    "matplotlib": {"plots", "themes"},
    "orbax": {"storage"},
    "skimage": {"data", "meshes"},
    "sklearn": {"classical", "data", "estimator", "search"},
    "mlflow": {"hooks"},
    "tensorboardX": {"storage"},
    "tensorflow_datasets": {"data"},
    "tqdm": {"host"},
}
# The rooms of experiments/ that an experiment may import, beside its own.
COMMON_ROOMS = {"lab", "shared"}
# Old names and turns of phrase (docs/glossary.md, CHANGELOG.md), and the files that may say them.
OLD_NAMES = (
    *("OtherTraining", "NoRoom", "AdamToZero", "NetClassifier", "NetRegressor", "Diverged"),
    *("in_chunks", "in_pieces", "advance_steps", "stop_if_diverged", "same_everywhere"),
    *("width_mask", "known_names", "jaxnets.words", "jaxnets.pieces", "jaxnets.chunks"),
    *("jaxnets.identity", "jaxnets.distributed", "jaxnets.expressions", "run_folder.recording"),
)
OLD_ENGLISH = (
    r"(?<!there )\bis no (?!long|more|less|great|small|larg|bet|wors)",
    r"\ba training\b(?! (set|sample|step|run|loss|error|accuracy|part|image|program))",
    r"\bkept (training|run|checkpoint|corpus)",
    r"\banew\b",
    r"\bmend(s|ed)?\b",
)
HISTORY = {"CHANGELOG.md", "docs/glossary.md", "docs/scorecard.md", "tests/test_imports.py"}


def imports(path):
    """Absolute names of all modules that a file imports, at the top or within functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(path):
    """`losses` for losses.py, `data` for data/toy.py, `__init__` for the package itself."""
    return path.relative_to(FOLDER).parts[0].removesuffix(".py")


SOURCES = sorted(path for path in FOLDER.rglob("*.py") if "experiments" not in path.parts[:-1])
ROOMS = sorted({room_of(path) for path in SOURCES} - {"__init__"})
EACH_ROOM = pytest.mark.parametrize("room", ROOMS)
NOTES = sorted(path for path in (ROOT / "experiments").rglob("*.py"))
EACH_NOTE = pytest.mark.parametrize("path", NOTES, ids=lambda path: path.stem)
CHECKED = [*SOURCES, *NOTES, *sorted((ROOT / "benchmarks").rglob("*.py"))]


def imports_of(room):
    return {name for path in SOURCES if room_of(path) == room for name in imports(path)}


@EACH_ROOM
def test_imports_point_one_way(room):
    ours = {name.split(".")[1] for name in imports_of(room) if name.startswith("jaxnets.")}
    assert room in ALLOWED, f"{room} is new: give it a row in ALLOWED"
    assert ours <= ALLOWED[room] | {room}


def test_the_table_has_no_circle_and_no_stale_row():
    assert set(TopologicalSorter(ALLOWED).static_order()) == set(ROOMS)


def test_the_documentation_has_the_same_table():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*) \| (.*) \|$", text.partition("| package |")[2], re.MULTILINE)
    names = [[set(re.findall(r"`(\w+)`", cell)) for cell in row] for row in rows]
    assert {room: may for rooms, may in names for room in rooms} == ALLOWED


def test_the_top_imports_rooms_only():
    ours = {name.split(".")[1] for name in imports(FOLDER / "__init__.py") if "jaxnets." in name}
    assert ours <= set(ROOMS)


def test_files_have_no_circle():
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


@EACH_ROOM
def test_heavy_packages_stay_in_their_rooms(room):
    heavy = {name.split(".")[0] for name in imports_of(room)} & HEAVY
    assert heavy == {name for name in heavy if room in HEAVY_ALLOWED.get(name, ())}


@EACH_ROOM
def test_nothing_imports_what_is_built_on_it(room):
    outside = {name.split(".")[0] for name in imports_of(room)}
    assert not outside & {"experiments", "benchmarks", "tests", "conftest", "pytest"}


@EACH_NOTE
def test_an_experiment_imports_its_own_room_and_the_common_ones(path):
    """And never another experiment, but its own room's helpers; the lab imports none of them."""
    inside = path.relative_to(ROOT / "experiments").parts
    names = {path.stem for path in NOTES if path.parent.name not in COMMON_ROOMS}
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        assert not (node.module or "").startswith("experiments"), "imports are relative"
        if node.level == 2:
            room = (node.module or node.names[0].name).split(".")[0]
            allowed = COMMON_ROOMS if inside[0] != "shared" else {"lab", "shared"}
            assert room in allowed, f"{'/'.join(inside)} imports from {room}"
        if node.level and inside[0] == "lab":
            imported = {(node.module or "").split(".")[-1], *(alias.name for alias in node.names)}
            assert not imported & names - {"run"}


@pytest.mark.parametrize("path", CHECKED, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_private_names_stay_in_their_file(path):
    tree, modules = ast.parse(path.read_text()), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            private = [a.name for a in node.names if re.match("_[^_]", a.name)]
            assert not private, f"imports {private} of {node.module}"
            if node.level or (node.module or "").split(".")[0] in ("jaxnets", "benchmarks"):
                modules |= {alias.asname or alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            used = f"{node.value.id}.{node.attr}"
            assert node.value.id not in modules or not re.match("_[^_]", node.attr), used


def written():
    """The files of the checkout that people read, with their texts."""
    listed = subprocess.run(
        ["git", "ls-files", "*.py", "*.md", "*.html", "Makefile", "*.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("needs a git checkout")
    return {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in listed.stdout.split()
        if name not in HISTORY and (ROOT / name).exists()
    }


@pytest.mark.parametrize("old", OLD_NAMES)
def test_old_names_are_gone(old):
    found = [name for name, text in written().items() if re.search(rf"(?<!\w){old}(?!\w)", text)]
    assert not found


@pytest.mark.parametrize("old", OLD_ENGLISH)
def test_old_english_is_gone(old):
    found = [
        f"{name}:{number}: {line.strip()}"
        for name, text in written().items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(old, line)
    ]
    assert not found, "\n".join(found)


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


def test_help_is_short_and_names_everything():
    text = pydoc.plain(pydoc.render_doc(jaxnets))
    assert len(text.splitlines()) < 300
    public = {name for name in imported_names(FOLDER / "__init__.py") if name != "version"}
    assert public <= set(re.findall(r"\w+", jaxnets.__doc__))
    for name in (jaxnets.TrainSpec, jaxnets.CheckpointConfig, Word2Vec):
        fields = name.__dataclass_fields__
        assert all(f"    {field}: " in name.__doc__ for field in fields), name


def imported_names(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
