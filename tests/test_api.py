"""Every public name has a first line, an example that runs, its shapes and its errors."""

import ast
import re
from pathlib import Path

import pytest

from experiments.site import api, public, references

ROOT = Path(__file__).parents[1]
NAMES = public.names(ROOT)
FUNCTIONS = [name for name in NAMES if isinstance(name.node, ast.FunctionDef)]
# Functions whose arrays have no shape of their own: the docstring of the argument says which.
ANY_SHAPE = {"jaxnets.training.loop.make_step"}
ARRAYS = re.compile(r"\b(Array|ndarray|Params)\b")
CHECKS = re.compile(r"\bchecks\.(require_|as_|lookup)|\braise\b")


def listed(names):
    return sorted(f"{name.module}.{name.name}" for name in names)


def text_of(name):
    return ast.get_docstring(name.node) or ""


def signature(function):
    arguments = function.node.args
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    notes = [*(argument.annotation for argument in every), function.node.returns]
    return " ".join(ast.unparse(note) for note in notes if note)


def statements(function):
    return "\n".join(ast.unparse(node) for node in function.node.body[1:])


def test_what_is_public_is_what_users_import():
    found = {f"{name.module}.{name.name}" for name in (*NAMES, *public.tables(ROOT))}
    assert {
        "jaxnets.training.fit.fit",
        "jaxnets.models.mlp.MLP",
        "jaxnets.losses.LOSSES",
        "jaxnets.text.corpus.read",
        "jaxnets.plots.curves",
    } <= found
    assert "jaxnets.training.validate.prepare" not in found
    assert len(FUNCTIONS) > 200


def test_every_module_that_is_open_exists():
    modules = {name.module.removeprefix("jaxnets.") for name in NAMES}
    assert set(public.OPEN) <= modules


def test_pages_of_users_import_nothing_that_is_not_public():
    """The how-to, the tutorials and the README, as far as they import functions or classes."""
    spellings = references.known(ROOT)
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs").rglob("*.py")]
    inside = set()
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for room, names in re.findall(r"(?m)^from (jaxnets[\w.]*) import ([\w, ]+)$", text):
            for name in names.split(", "):
                path = ROOT.joinpath(*room.split("."), name)
                is_module = path.is_dir() or path.with_suffix(".py").exists()
                if not is_module and f"{room}.{name}" not in spellings:
                    inside.add(f"{page.name}: {room}.{name}")
    assert inside <= {"extending.md: jaxnets.training.fingerprint.describe"}


def test_every_public_name_has_an_example():
    assert listed(name for name in NAMES if ">>> " not in text_of(name)) == []


def test_every_public_function_of_arrays_says_their_shapes():
    without = [
        function
        for function in FUNCTIONS
        if ARRAYS.search(signature(function))
        and not re.search(r"`[^`]*\[[^\]\n]*\]", text_of(function))
    ]
    assert set(listed(without)) <= ANY_SHAPE


def test_every_public_function_that_refuses_something_says_so():
    silent = [
        function
        for function in FUNCTIONS
        if CHECKS.search(statements(function)) and not re.search(r"[Rr]aise", text_of(function))
    ]
    assert listed(silent) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see `jn.fit`.", "see [`jn.fit`][jaxnets.training.fit.fit]."),
        ("`jn.MLP`", "[`jn.MLP`][jaxnets.models.mlp.MLP]"),
        ("`jaxnets.data.load`", "[`jaxnets.data.load`][jaxnets.data.named.load]"),
        ("`fit` and `jn.nothing`", "`fit` and `jn.nothing`"),
        ("[`jn.fit`](x.md)", "[`jn.fit`](x.md)"),
        ("# `jn.fit`", "# `jn.fit`"),
        ("```\n`jn.fit`\n```", "```\n`jn.fit`\n```"),
    ],
)
def test_names_in_pages_are_links(text, expected):
    assert references.linked_page(text, references.known(ROOT)) == expected


def test_names_in_docstrings_are_links_but_not_those_of_arguments():
    source = references.sources(ROOT)["jaxnets/augment.py"]
    assert "[`affine`][jaxnets.augment.affine]" in source
    assert "Examples:\n        >>> " in source
    compile(source, "augment.py", "exec")


def test_the_index_has_every_name_of_the_top():
    index = api.pages(ROOT)["api/index.md"]
    exported = {name for _, name in public.exported(ROOT / "jaxnets" / "__init__.py")}
    listed_there = set(re.findall(r"\| `jn\.(\w+)` \|", index))
    assert exported - listed_there == set()
