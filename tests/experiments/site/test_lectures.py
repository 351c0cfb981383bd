"""Lecture pages: every row and claim is there, with a figure or a reason; the gallery."""

import dataclasses
import json
import re
import shutil

import numpy as np
import pytest

from experiments.lab import run
from experiments.lab.claim_files import registered
from experiments.lab.escape import as_html
from experiments.lab.registry import EXPERIMENTS, LECTURES
from experiments.site import codes, finish, gallery, lectures, shown
from experiments.site.navigation import lecture_page, slug
from experiments.site.rows import rows
from jaxnets.playground.presets import presets
from tests.experiments.site.test_site import ROOT

COUNTS = {"A": 11, "B": 4, "C": 11, "D": 4, "E": 6, "F": 18, "G": 24}
SHORT = {lectures.short(title): title for title in LECTURES}


@pytest.fixture(scope="module")
def pages():
    return lectures.pages(ROOT)


def test_all_rows_are_there_and_no_other():
    names = [f"{letter}{i + 1}" for letter, count in COUNTS.items() for i in range(count)]
    assert list(rows()) == names
    assert sum(count for letter, count in COUNTS.items() if letter != "G") == 54
    for row in rows().values():
        assert row.title
        assert row.says
        assert set(row.lectures) <= set(SHORT)
        assert set(row.presets) <= {preset["title"] for preset in presets()}


@pytest.mark.parametrize("name", rows())
def test_a_row_has_a_figure_or_a_reason_on_the_page_of_each_lecture(name, pages):
    row = rows()[name]
    shows = [e for e in EXPERIMENTS if any(c.row == name for c in registered(e).values())]
    assert bool(shows) is not bool(row.reason)
    for short in row.lectures:
        page = pages[lecture_page(SHORT[short])]
        (line,) = re.findall(rf"(?m)^\| {name} \|.*$", page)
        assert row.title in line
        assert row.reason.rstrip(".") in line
        for experiment in shows:
            (other,) = re.findall(rf"\[{experiment}\]\(([\w.-]*)#{experiment}\)", line)
            target = pages[f"lectures/{other}"] if other else page
            section = section_of(target, experiment)
            assert 'class="shown"' in section or "No figure yet" in section


def section_of(page, experiment):
    assert page.count(f"{{: #{experiment} }}") == 1
    return page.partition(f"{{: #{experiment} }}")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_claim_is_on_the_page_of_its_lecture(name, pages):
    for claim in registered(name).values():
        title = SHORT.get(claim.source, lectures.home(name))
        section = section_of(pages[lecture_page(title)], name)
        assert as_html(claim.statement) in section
        assert claim.row in rows()
        assert f"**{claim.row}, " in section
    home = section_of(pages[lecture_page(lectures.home(name))], name)
    assert f"Command: `make {name}`" in home
    assert f"../{codes.page(name)}" in home


@pytest.mark.parametrize("title", LECTURES)
def test_figures_stand_in_the_order_of_the_slides(title):
    first = [section.claims[0].line for section in lectures.sections(title) if section.claims]
    lines = [line for line in first if line]
    assert lines == sorted(lines)


def test_sensitivity_and_interval_are_shown(tmp_path):
    claim = {
        **{"row": "F10, L1", "ours": "0.4 [0.3, 0.5]", "samples": "n = 9", "status": "refuted"},
        "statement": next(iter(registered("xor").values())).statement,
        "multiverse": {"settings": 8, "reproduced": 3, "refuted": 5, "left": 0, "untried": []},
    }
    (tmp_path / "results").mkdir()
    note = {
        "experiment": "xor",
        "config": dataclasses.asdict(run.load("xor").Config()),
        **{"date": "2026-01-01", "machine": "cpu", "seconds": 1.0},
    }
    text = json.dumps(note | {"claims": [claim]})
    (tmp_path / "results/xor.json").write_text(text, encoding="utf-8")
    claims = tuple(registered("xor").values())
    text = lectures.claims_list(lectures.Section("xor", claims), tmp_path)
    assert "0.4 [0.3, 0.5] (n = 9)" in text
    assert "3 of 8 settings, fails in 5" in text
    assert text.count("not measured yet") == len(claims) - 1


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    root = tmp_path_factory.mktemp("drawn")
    run.perform("activations", run.load("activations").SMOKE, root / "results")
    return root


def test_a_figure_has_words_pieces_curves_and_downloads(drawn):
    text = shown.figure("activations", "title", drawn)
    assert 'alt="Activation functions' in text
    data = json.loads(re.search(r'application/json">(.*?)</script>', text)[1])
    assert (
        text.count("svgView")
        == len(data)
        == len(run.saved("activations", drawn / "results")["names"])
    )
    assert np.isfinite(data[0]["limits"]).all()
    files = shown.files(drawn)
    for link in re.findall(r"\]\(\.\./(\S+?)\)", shown.downloads("activations", drawn)):
        assert files[link].is_file()
    assert "make xor" in shown.figure("xor", "title", drawn)
    assert shown.downloads("xor", drawn) == ""
    shutil.rmtree(drawn / "results")


def test_the_gallery_has_every_claim_and_explains_every_code():
    text = gallery.page(ROOT)[gallery.PAGE]
    claims = [claim for name in EXPERIMENTS for claim in registered(name).values()]
    assert text.count("data-verdict=") == len(claims)
    assert f"{len(EXPERIMENTS)} experiments" in text
    shown_verdicts = set(re.findall(r'data-verdict="([^"]+)"', text))
    assert shown_verdicts <= set(gallery.VERDICTS)
    for name, row in rows().items():
        assert f'<option value="{name}">{name} {as_html(row.title)}' in text


def test_formulas_become_mathml_and_code_stays():
    pytest.importorskip("latex2mathml", reason="latex2mathml is not installed")
    text = '<body><span class="arithmatex">\\(w &lt; x^2\\)</span><code>\\(a\\)</code></body>'
    found = finish.finished(text)
    assert '<math xmlns="http://www.w3.org/1998/Math/MathML" display="inline">' in found
    assert "<mo>&#x0003C;</mo>" in found
    assert "<code>\\(a\\)</code>" in found
    block = finish.finished('<body><div class="arithmatex">\\[\\frac{1}{2}\\]</div></body>')
    assert 'display="block"' in block
    assert "<mfrac>" in block


def test_a_page_has_the_scripts_that_it_needs():
    assert "customElements" not in finish.finished("<body></body>")
    assert finish.finished("<body></body>").count("<script") == 1
    assert finish.finished('<body><details class="curves"></details></body>').count("<script") == 2


def test_presets_have_places_of_their_own():
    places = {slug(preset["title"]) for preset in presets()}
    assert len(places) == len(presets())
