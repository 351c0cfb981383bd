"""Ten users with the habits of other tools: short scripts that end with a number of theirs."""

import ast
import runpy
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.stem[:5] not in ("test_", "__ini"))


def test_there_are_ten():
    assert len(SCRIPTS) == 10


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_is_short_and_ends_with_an_assertion(path):
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) < 40
    last = ast.unparse(ast.parse(source).body[-1])
    assert "assert" in last


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_script_finds_what_the_other_tool_finds(path):
    if path.stem == "gensim_words":
        pytest.importorskip("gensim", reason="needs the extra [bench]")
    runpy.run_path(str(path), run_name="__main__")
