"""`make site-check` sees what is wrong: errors, sideways scroll, requests outside, no search."""

import shutil

import pytest

from experiments.lab.gallery_check import BROWSERS
from experiments.site import check

GOOD = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
    '<link rel="icon" href="data:,"><title>good</title><main><h1>good</h1></main>'
)
BAD = {
    "error": "<script>throw Error('oh')</script>",
    "console": "<script>console.error('oh')</script>",
    "wide": '<p style="width:900px">wide</p>',
    "outside": '<img alt="" src="http://127.0.0.1:9/a.png">',
    "missing": '<img alt="" src="gone.png">',
}
SAID = {
    "error": "error: oh",
    "console": "the console says: oh",
    "wide": "at 360 pixels it is 9",
    "outside": "asks for http://127.0.0.1:9/a.png",
    "missing": "cannot load file",
}


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("playwright", reason="Playwright is not installed")
    if not any(map(shutil.which, BROWSERS)):
        pytest.skip("Chromium is not installed: apt install chromium")
    with check.chromium() as found:
        yield found


def test_nothing_is_wrong_with_a_good_page(browser, tmp_path):
    (tmp_path / "index.html").write_text(GOOD, encoding="utf-8")
    assert list(check.look(browser, tmp_path)) == []


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_said(browser, tmp_path, name):
    (tmp_path / f"{name}.html").write_text(GOOD + BAD[name], encoding="utf-8")
    found = list(check.look(browser, tmp_path))
    assert any(SAID[name] in line for line in found), found
    assert all(line.startswith(f"{name}.html: ") for line in found)


def test_axe_and_a_missing_search_are_said(browser, tmp_path, monkeypatch):
    pytest.importorskip("axe_playwright_python", reason="axe is not installed")
    monkeypatch.setattr(check, "AXE", ("index.html",))
    monkeypatch.setattr(check, "PATIENCE", 100)
    page = tmp_path / "index.html"
    page.write_text(GOOD + "<button></button>", encoding="utf-8")
    assert all("button-name" in line for line in check.people(browser, tmp_path))
    assert len(list(check.people(browser, tmp_path))) == len(check.THEMES)
    with check.serve(tmp_path) as address:
        assert address.endswith(f"/{tmp_path.name}")
        found = list(check.search(browser, address))
    assert len(found) == len(check.QUERIES)


def test_a_large_site_and_a_missing_one_are_said(tmp_path, monkeypatch):
    (tmp_path / "a.bin").write_bytes(bytes(2000))
    monkeypatch.setattr(check, "LARGEST", 1000)
    assert "0.0 MB" in next(check.size(tmp_path))
    monkeypatch.setattr("sys.argv", ["check", str(tmp_path)])
    with pytest.raises(FileNotFoundError, match="run `make site` first"):
        check.main()
