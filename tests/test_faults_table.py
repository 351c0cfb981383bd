"""docs/faults.md and the tests agree: every test it names exists, and no fault is missing."""

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
    """Yields the line number and the last cell of every row of the page's tables."""
    for number, line in enumerate(page.splitlines(), start=1):
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("|") and not line.startswith(("| ---", "| fault")):
            yield number, cells[-1]


def named_tests(page):
    """Yields `(line, file, test, row)`; a `[row]` alone belongs to the preceding test."""
    for number, cell in rows(page):
        file = test = ""
        for found in NAMED.finditer(cell):
            if not found[0].strip("`"):
                continue
            file, test = found[1] or file, found[2] or test
            yield number, file, test, found[3]


@cache
def decorators(file):
    """Maps the name of every function of a file to its decorators."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {node.name: node.decorator_list for node in found}


@cache
def strings(file):
    """Collects all strings of a file; the names of rows are among them."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


def find_errors(page):
    """Yields the disagreements between the page and the tests."""
    for line, file, test, row in named_tests(page):
        if not (file and (ROOT / file).is_file()):
            yield f"line {line}: {file!r} does not exist"
        elif test not in decorators(file):
            yield f"line {line}: {test} is not in {file}"
        elif row and not (decorators(file)[test] and row in strings(file)):
            yield f"line {line}: {test} has no row [{row}]"
    for line, cell in rows(page):
        if "::" not in cell:
            yield f"line {line}: the row names no test"
    listed = {row for _, file, test, row in named_tests(page) if (file, test) == REFUSED}
    yield from (f"the row {row!r} of BAD is missing" for row in BAD if row not in listed)


def test_named_tests_exist_and_no_fault_is_missing():
    assert list(find_errors(PAGE)) == []


CHANGES = {
    "another file": ("tests/test_bad_input.py", "tests/test_bad_inputs.py", "does not exist"),
    "another test": (REFUSED[1], "test_refused", "test_refused is not in"),
    "another row": ("[label = n_classes]", "[label = 3]", r"has no row \[label = 3\]"),
    "a missing row": (
        "[label = n_classes]",
        "[label -1]",
        "the row 'label = n_classes' of BAD is missing",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), CHANGES.values(), ids=CHANGES)
def test_a_wrong_page_is_noticed(old, new, message):
    assert old in PAGE
    found = "\n".join(find_errors(PAGE.replace(old, new)))
    assert re.search(message, found), found


def test_a_row_without_a_test_is_noticed():
    page = PAGE + "\n| a fault | what happens | not tested |\n"
    assert "the row names no test" in "\n".join(find_errors(page))
