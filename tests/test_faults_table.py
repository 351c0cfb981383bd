"""docs/faults.md and the tests agree: every test it names exists, no known fault is missing."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.test_bad_input import BAD

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(?:(tests/[\w/]+\.py)::(\w+))?(?:\[([^`]+)\])?`")
REFUSED = ("tests/test_bad_input.py", "test_refused_before_anything_compiles")


def rows(page):
    """The last cell of every row of the page's tables, with the number of its line."""
    for number, line in enumerate(page.splitlines(), start=1):
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("|") and not line.startswith(("| ---", "| fault")):
            yield number, cells[-1]


def named(page):
    """`(line, file, test, row)` of every test named; `[row]` alone is of the test before it."""
    for number, cell in rows(page):
        file = test = ""
        for found in NAMED.finditer(cell):
            if not found[0].strip("`"):
                continue
            file, test = found[1] or file, found[2] or test
            yield number, file, test, found[3]


@cache
def functions(file):
    """Name to the source of the decorators of every test of a file."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {node.name: node.decorator_list for node in found}


@cache
def words(file):
    """Every string of a file, where the names of rows stand."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def wrong(page):
    """What the page says that is not so."""
    for line, file, test, row in named(page):
        if not (file and (ROOT / file).is_file()):
            yield f"line {line}: there is no file {file!r}"
        elif test not in functions(file):
            yield f"line {line}: there is no test {test} in {file}"
        elif row and not (functions(file)[test] and row in words(file)):
            yield f"line {line}: {test} has no row [{row}]"
    for line, cell in rows(page):
        if "::" not in cell:
            yield f"line {line}: no test is named"
    told = {row for _, file, test, row in named(page) if (file, test) == REFUSED}
    yield from (f"no line tells of the row {row!r} of BAD" for row in BAD if row not in told)


def test_every_test_named_exists_and_every_fault_is_told():
    assert list(wrong(PAGE)) == []


CHANGES = {
    "another file": ("tests/test_bad_input.py", "tests/test_bad_inputs.py", "no file"),
    "another test": (REFUSED[1], "test_refused", "there is no test test_refused"),
    "another row": ("[label = n_classes]", "[label = 3]", r"has no row \[label = 3\]"),
    "a missing row": ("[label = n_classes]", "[label -1]", "no line tells of the row 'label = n"),
}


@pytest.mark.parametrize(("old", "new", "message"), CHANGES.values(), ids=CHANGES)
def test_a_wrong_page_is_noticed(old, new, message):
    assert old in PAGE
    found = "\n".join(wrong(PAGE.replace(old, new)))
    assert re.search(message, found), found


def test_a_row_without_a_test_is_noticed():
    assert "no test is named" in "\n".join(wrong(PAGE + "\n| a fault | is told | not tested |\n"))
