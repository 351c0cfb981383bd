"""The tutorials run and find what they say; their notebooks are valid; the lectures' ones too."""

import ast
import dataclasses
import json
import re
import sys
import types
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml

from experiments.lab import notebook, run
from experiments.lab.registry import LECTURES
from experiments.site import cells, lecture_notebooks, notebooks, tutorials
from experiments.site.cells import Cell
from experiments.site.navigation import COMING_FROM, TUTORIALS, notebook_of

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "docs" / "tutorials"
NAMES = (*TUTORIALS, *COMING_FROM)
EACH = pytest.mark.parametrize("name", NAMES)


def has_learned_classes(scope):
    return (scope["answers"] == scope["data"].test["y"]).mean() > 0.9


def finds_the_queen(scope):
    question = {"positive": ["king", "woman"], "negative": ["man"], "topn": 1}
    return scope["vectors"].most_similar(**question)[0][0] == "queen"


FOUND = {
    "first_network": has_learned_classes,
    "own_table": lambda s: (
        (s["answers"] == s["data"].test["y"]).mean()
        > s["linear"].score(s["data"].test["x"], s["data"].test["y"]) + 0.1
    ),
    "own_pictures": lambda s: s["history"]["valid_accuracy"][-1] > 0.9,
    "sweep": lambda s: s["accuracy"][1, 1].mean() > s["accuracy"][1, 0].mean() + 0.1,
    "gradients_by_hand": lambda s: abs(s["slope"] - s["dW"][0, 1]) < 1e-3,
    "own_claim": lambda s: s["record"].verdict == "reproduced",
    "word_vectors": finds_the_queen,
    "shape": lambda s: np.mean(np.abs(s["learned"] - s["exact"])) < 0.03,
    "many_devices": lambda s: len(s["jax"].devices()) == 4,
    "from_scikit_learn": lambda s: s["search"].best_score_ > 0.95,
    "from_keras": has_learned_classes,
    "from_pytorch": lambda s: (s["answers"] == s["data"].valid["y"]).mean() > 0.9,
    "from_gensim": lambda s: "rome" in s["longer"].vectors and finds_the_queen(s),
}
"""What each tutorial must have found, by the names that it leaves."""


def script(name):
    return cells.read(FOLDER / f"{name}.py")


def test_every_script_has_a_place():
    assert sorted(NAMES) == sorted(path.stem for path in FOLDER.glob("*.py"))


@EACH
def test_a_tutorial_runs_and_finds_what_it_says(name):
    shown, scope = cells.run(script(name), name)
    assert FOUND[name](scope)
    assert any(each.printed for each in shown)
    titles = [cell.title for cell in script(name) if cell.kind == "code"]
    for each, title in zip(shown, titles, strict=True):
        assert (each.figure is not None) == bool(title), title


@EACH
def test_a_tutorial_is_short_and_begins_with_a_heading(name):
    first, *_ = script(name)
    assert first.kind == "text"
    assert first.source.startswith("# ")
    code = [cell.source for cell in script(name) if cell.kind == "code"]
    assert sum(len(source.splitlines()) for source in code) <= 80


@pytest.mark.parametrize("name", COMING_FROM)
def test_who_comes_from_elsewhere_gets_a_table_and_hears_what_is_better_there(name):
    text = script(name)[0].source
    assert "is the better choice**" in text
    assert text.count("\n|") >= 8


@EACH
def test_jupyter_gets_the_same_cells(name):
    found = nbformat.reads(notebooks.as_ipynb(script(name)), as_version=4)
    nbformat.validate(found)
    code = [cell.source for cell in found.cells if cell.cell_type == "code"]
    assert code == [cell.source for cell in script(name) if cell.kind == "code"]
    text = "".join(cell.source for cell in found.cells if cell.cell_type == "markdown")
    assert not re.search(r"\]\((?!https?:)", text)


class App:
    """What a marimo notebook needs to run from top to bottom: cells get names, and return some."""

    def __init__(self):
        self.cells = []

    def cell(self, function):
        self.cells.append(function)
        return function


def marimo_cells(text, monkeypatch):
    stub = types.ModuleType("marimo")
    stub.App, stub.md = App, lambda text: text
    monkeypatch.setitem(sys.modules, "marimo", stub)
    scope = {"__name__": "a_notebook"}
    exec(compile(text, "a_notebook", "exec"), scope)
    return scope["app"].cells


@EACH
def test_in_marimo_every_cell_gets_what_it_uses(name, monkeypatch):
    text = notebooks.as_marimo(script(name))
    known = set()
    for function, node in zip(
        marimo_cells(text, monkeypatch),
        (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)),
        strict=True,
    ):
        code = function.__code__
        assert set(code.co_varnames[: code.co_argcount]) <= known
        used = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
        assert used & known <= {*code.co_varnames, *code.co_cellvars}
        returned = node.body[-1].value
        known |= {each.id for each in returned.elts} if returned else set()


def test_marimo_computes_the_same(monkeypatch):
    text, scope = notebooks.as_marimo(script("gradients_by_hand")), {}
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    for function, node in zip(marimo_cells(text, monkeypatch), nodes, strict=True):
        returned = function(**{arg.arg: scope[arg.arg] for arg in node.args.args}) or ()
        elements = node.body[-1].value.elts if node.body[-1].value else ()
        scope |= {each.id: value for each, value in zip(elements, returned, strict=True)}
    _, expected = cells.run(script("gradients_by_hand"), "expected")
    assert (np.asarray(scope["dW"]) == np.asarray(expected["dW"])).all()
    assert scope["gaps"] == expected["gaps"]


def test_marimo_refuses_a_name_that_two_cells_define():
    twice = [Cell("code", "", "a = 1"), Cell("code", "", "for a in range(3):\n    pass")]
    with pytest.raises(ValueError, match="cells 0 and 1 both define a"):
        notebooks.as_marimo(twice)


@pytest.mark.parametrize("title", LECTURES)
def test_a_lecture_has_a_notebook_with_all_its_experiments(title):
    text = lecture_notebooks.notebooks()[notebook_of(title)]
    nbformat.validate(nbformat.reads(text, as_version=4))
    sources = ["".join(cell["source"]) for cell in json.loads(text)["cells"]]
    for name in LECTURES[title]:
        assert f"{name}.figure" in sources


def test_a_notebook_of_a_lecture_runs_without_results(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = lecture_notebooks.cells_of("One", ("threshold_units",))
    shown, scope = cells.run(made, "one")
    assert scope["threshold_units"].smoke
    assert "do not count" in shown[1].printed
    assert "threshold units" in shown[1].printed.lower() or "[" in shown[1].printed
    assert shown[2].figure is not None


def test_a_saved_result_is_loaded(tmp_path):
    module, path = notebook.load("threshold_units"), tmp_path / "threshold_units.json"
    run.perform("threshold_units", module.SMOKE, tmp_path)
    shown = notebook.load_or_run("threshold_units", tmp_path)
    assert not shown.smoke
    assert "[not judged]" in shown.verdicts
    assert "[reproduced]" not in shown.verdicts
    note = json.loads(path.read_text())
    path.write_text(json.dumps(note | {"config": dataclasses.asdict(module.Config())}))
    shown = notebook.load_or_run("threshold_units", tmp_path)
    assert "[reproduced]" in shown.verdicts
    assert "do not count" not in shown.verdicts


def test_a_result_of_another_version_is_not_shown(tmp_path, monkeypatch):
    run.perform("threshold_units", notebook.load("threshold_units").SMOKE, tmp_path)
    monkeypatch.setattr(notebook, "saved", lambda name, results: {})
    assert notebook.load_or_run("threshold_units", tmp_path).smoke


def test_an_index_names_every_tutorial():
    page = tutorials.index(ROOT, tuple(LECTURES))["tutorials/index.md"]
    assert all(f"({name}.md)" in page for name in NAMES)
    assert all(notebook_of(title) in page for title in LECTURES)


def test_pages_show_what_was_printed_and_drawn(tmp_path):
    made = [
        Cell("text", "", "# A heading\n\nText with [a link](../your_problem.md)."),
        Cell("code", "A line", "print(1 + 1)"),
    ]
    shown = [cells.Shown("2\n", "a figure")]
    page = tutorials.pages([tutorials.Tutorial("own", made, shown)])["tutorials/own.md"]
    assert "```python\nprint(1 + 1)\n```\n\n```text\n2\n```\n\n![A line](own_0.png)" in page
    assert "[a link](../how-to.md)" in page
    assert "[marimo](own_marimo.py)" in page


def test_a_script_must_begin_with_a_cell(tmp_path):
    (tmp_path / "a.py").write_text("import os\n# %%\n", encoding="utf-8")
    with pytest.raises(ValueError, match="must begin a cell"):
        cells.read(tmp_path / "a.py")


def test_the_start_page_runs():
    page = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
    scope = {"__name__": "start"}
    for example in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(example, scope)
    assert scope["history"]["valid_accuracy"][-1] > 0.9


def test_the_workflow_builds_the_site_by_pinned_actions():
    text = (ROOT / ".github" / "workflows" / "pages.yml").read_text(encoding="utf-8")
    jobs = yaml.safe_load(text)["jobs"]
    steps = [step for job in jobs.values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", each) for each in used)
    assert {"run": "make site"} in steps
    assert jobs["build"].get("permissions") is None
