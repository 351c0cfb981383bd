"""Every reported case has a test of its name, with the right answer."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CASES = TESTS.parents[1] / "shared" / "cases"


def names_of_tests():
    for path in TESTS.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                yield node.name


def test_every_case_has_a_test():
    if not CASES.is_dir():
        pytest.skip("the cases lie beside the project, not in it")
    cases = {path.stem for path in CASES.glob("*.py")}
    wanted = {f"test_{'' if case.startswith('attack') else 'case_'}{case}" for case in cases}
    tests = list(names_of_tests())
    assert sorted(name for name in wanted if not any(t.startswith(name) for t in tests)) == []
