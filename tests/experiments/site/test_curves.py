"""The curves of a page in Chromium: read by the pointer and by keys, lines hidden, no errors."""

import json
import shutil

import pytest

from experiments.lab.gallery_check import BROWSERS
from experiments.site import check, finish

PANEL = {
    "title": "losses",
    "x": "epoch",
    "y": "loss",
    "log": [False, True],
    "limits": [0, 4, 0.01, 10],
    "series": [
        {"name": "Adam", "colour": "#0072b2", "x": [0, 1, 2, 3, 4], "y": [8, 4, 2, 1, 0.5]},
        {"name": "SGD", "colour": "#d55e00", "x": [0, 2, 4], "y": [9, None, 0]},
    ],
}


@pytest.fixture
def visit(tmp_path):
    pytest.importorskip("playwright", reason="Playwright is not installed")
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("Chromium is not installed: apt install chromium")
    data = f'<script type="application/json">{json.dumps([PANEL])}</script>'
    body = f'<details class="curves" open><summary>read</summary>{data}</details>'
    text = finish.finished(f"<!doctype html><title>t</title><body>{body}</body>")
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with check.chromium() as browser:
        found = check.Visit(browser, tmp_path.as_uri())
        assert found.open((tmp_path / "page.html").as_uri()) == []
        found.page.wait_for_selector("svg path.line")
        yield found


def test_curves_are_read_and_hidden(visit):
    page = visit.page
    outputs = page.locator(".key output")
    assert outputs.all_inner_texts() == ["0.5", "0"]
    slider = page.locator("svg[role=slider]")
    slider.focus()
    page.keyboard.press("Home")
    assert outputs.all_inner_texts() == ["8", "9"]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert outputs.all_inner_texts() == ["2", "–"]
    assert slider.get_attribute("aria-valuetext") == "epoch 2: Adam 2, SGD –"
    box = slider.bounding_box()
    page.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + 50)
    assert outputs.first.inner_text() == "0.5"
    lines = page.locator("svg path.line")
    assert lines.count() == 2
    button = page.locator(".key button").first
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    assert lines.first.get_attribute("hidden") is not None
    # what a logarithm cannot show breaks the line
    assert lines.nth(1).get_attribute("d").count("M") == 1
    assert "NaN" not in page.content()
    assert visit.notes == []
