"""The examples in docstrings run, and give what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import jaxnets

ROOT = Path(jaxnets.__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "jaxnets").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_give_what_they_say(name, request):
    found = {"getfixture": request.getfixturevalue}
    failed, tried = doctest.testmod(importlib.import_module(name), extraglobs=found)
    assert failed == 0
    assert tried > 0
