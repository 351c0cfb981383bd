"""Nothing here reads what could run code: no pickle, no eval, no archive that writes elsewhere."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path
    for folder in ("jaxnets", "experiments", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
MODULES = {"cPickle", "cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
RUNNING = {"eval", "exec"}
UNSAFE_YAML = {"full_load", "full_load_all", "load", "load_all", "unsafe_load", "unsafe_load_all"}

OURS = {
    "experiments/site/cells.py": "exec",
    "tests/experiments/site/test_tutorials.py": "exec",
    "tests/test_readme.py": "exec",
    "tests/test_extending.py": "exec",
    "tests/test_your_problem.py": "exec",
    "tests/word2vec/test_readme_words.py": "exec",
    "tests/test_search.py": "imports pickle",
    "tests/browser/test_walk_and_share.py": "exec",
    "tests/playground/test_server.py": "exec",
    "tests/experiments/images/test_twenty_lines.py": "exec",
    "tests/training/test_fingerprint.py": "exec",
    "tests/reports/test_archives.py": "imports pickle",
    "tests/weights/test_files.py": "imports pickle",
    "jaxnets/weights/torch_files.py": "imports pickle",
}
"""Files that run the examples of our pages, or texts of their own, or write what must not be
read, or pickle an estimator as users of scikit-learn do; and the reader of PyTorch's files, whose
unpickler knows no name that runs code."""


def dangers(source):
    """`(line, what)` of every danger in a program."""
    tree = ast.parse(source)
    aliases = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [
                (alias.asname or alias.name.partition(".")[0], alias.name) for alias in node.names
            ]
        elif isinstance(node, ast.ImportFrom):
            names = [(a.asname or a.name, f"{node.module}.{a.name}") for a in node.names]
        else:
            continue
        aliases |= dict(names)
        for _, name in names:
            if MODULES & {name.partition(".")[0], name.rpartition(".")[2]}:
                yield node.lineno, f"imports {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for what in _of_call(node, aliases):
                yield node.lineno, what


def _of_call(call, aliases):
    keywords = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
    name = _full_name(call.func, aliases)
    last = name.rpartition(".")[2]
    if "allow_pickle" in keywords and keywords["allow_pickle"] is not False:
        yield "allow_pickle"
    if name in ("numpy.load", "numpy.lib.format.read_array") and "allow_pickle" not in keywords:
        yield f"{name} without allow_pickle=False"
    if last in ("extractall", "extract") and keywords.get("filter") != "data":
        yield f'{last} without filter="data"'
    if name in RUNNING or name in {f"builtins.{running}" for running in RUNNING}:
        yield name
    if name in {f"yaml.{load}" for load in UNSAFE_YAML}:
        yield name
    if name in ("importlib.import_module", "__import__") and call.args:
        module = getattr(call.args[0], "value", None)
        if isinstance(module, str) and module.partition(".")[0] in MODULES:
            yield f"imports {module}"


def _full_name(function, aliases):
    """`numpy.load` for `np.load`; the last name alone where it is not of a module."""
    parts = []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if isinstance(function, ast.Name):
        parts.append(aliases.get(function.id, function.id))
    return ".".join(reversed(parts))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_file_holds_a_danger(path):
    allowed = OURS.get(str(path.relative_to(ROOT)))
    found = list(dangers(path.read_text(encoding="utf-8")))
    assert [(line, what) for line, what in found if what != allowed] == []


BAD = [
    "import pickle",
    "import pickle as p",
    "from pickle import loads",
    "import os, dill",
    "from six.moves import cPickle",
    "def f():\n    import joblib",
    "from sklearn.externals import joblib",
    "import importlib\nimportlib.import_module('shelve')",
    "import numpy as np\nnp.load('a.npy')",
    "import numpy\nnumpy.load('a.npy', mmap_mode='r')",
    "from numpy import load\nload('a.npy')",
    "import numpy as np\nnp.load('a.npy', allow_pickle=True)",
    "import numpy as np\nflag = False\nnp.load('a.npy', allow_pickle=flag)",
    "import numpy as np\nnp.lib.format.read_array(file)",
    "read(path, allow_pickle=1)",
    "import tarfile\ntarfile.open('a').extractall('b')",
    "archive.extractall(filter='fully_trusted')",
    "eval('1 + 1')",
    "import builtins\nbuiltins.exec('1')",
    "import yaml\nyaml.load(text)",
    "from yaml import unsafe_load\nunsafe_load(text)",
]
GOOD = [
    "import numpy as np\nnp.load('a.npy', allow_pickle=False)",
    "archive.extractall('b', filter='data')",
    "import json\njson.load(file)",
    "import yaml\nyaml.safe_load(text)",
    "model.eval()\nimport ast\nast.literal_eval('1')",
    "from jaxnets import words\nwords.load(path)",
]


@pytest.mark.parametrize("source", BAD)
def test_dangers_are_found(source):
    assert len(list(dangers(source))) == 1


@pytest.mark.parametrize("source", GOOD)
def test_what_is_safe_is_not_found(source):
    assert list(dangers(source)) == []
