"""The site: what its pages must have, where their links lead, and that they need no network."""

import dataclasses
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from experiments.lab import run
from experiments.lab.registry import LECTURES
from experiments.site import api, codes, gallery, lectures, saved_pages, scores, texts, tutorials
from experiments.site.navigation import TEXTS, TOPICS, menu
from jaxnets.playground.presets import presets

ROOT = Path(__file__).parents[3]
NEEDED = ("zensical", "mkdocstrings", "latex2mathml")
MISSING = [name for name in NEEDED if not importlib.util.find_spec(name)]


def all_pages():
    scripts = tutorials.pages(tutorials.read(ROOT, run=False))
    index = tutorials.index(ROOT, tuple(LECTURES))
    more = scripts | index | gallery.page(ROOT) | saved_pages.index()
    return texts.pages(ROOT) | lectures.pages(ROOT) | api.pages(ROOT) | more


def test_every_room_has_one_topic():
    paths = (ROOT / "jaxnets").iterdir()
    rooms = {p.stem for p in paths if p.suffix == ".py" or (p / "__init__.py").exists()}
    shown = Counter(room for names in TOPICS.values() for room in names)
    assert shown == Counter(rooms - {"__init__"})
    assert all(api.modules(room, ROOT) for room in shown)


def test_the_menu_has_every_page():
    entries = menu(tuple(LECTURES)).values()
    listed = [
        page
        for entry in entries
        for page in ([entry] if isinstance(entry, str) else entry.values())
    ]
    written = all_pages()
    assert sorted(listed) == sorted(written)


def test_scores_are_those_of_the_scorecard(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "scorecard.md").write_text(
        "| row | the lecture says | ours | n | verdict | experiment |\n"
        "| --- | --- | --- | --- | --- | --- |\n"
        "| A1, L2 | x &lt; 1 \\| y | 3 | n = 2 | refuted | xor |\n\n"
        "| a | b |\n| --- | --- |\n| A1, L2 | not a score |\n",
        encoding="utf-8",
    )
    found = scores.of_experiment("xor", tmp_path)
    assert found == {("A1, L2", "x < 1 | y"): ("3", "n = 2", "refuted", "")}
    assert scores.of_experiment("lenet", tmp_path) == {}


def test_results_come_before_the_scorecard(tmp_path):
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "xor.json"
    claim = {
        **{"row": "A1, L2", "statement": "s", "ours": "<3", "samples": "n = 2"},
        "status": "reproduced",
        "multiverse": {"settings": 4, "reproduced": 3, "refuted": 1, "left": 0, "untried": []},
    }
    note = {
        "experiment": "xor",
        "config": dataclasses.asdict(run.load("xor").Config()),
        **{"date": "2026-01-01", "machine": "cpu", "seconds": 1.0},
    }
    path.write_text(json.dumps(note | {"claims": [claim]}), encoding="utf-8")
    assert scores.of_experiment("xor", tmp_path) == {
        ("A1, L2", "s"): ("<3", "n = 2", "reproduced", "3 of 4 settings, fails in 1")
    }
    other = note["config"] | {"seeds": 2}
    path.write_text(json.dumps(note | {"claims": [claim], "config": other}), encoding="utf-8")
    assert scores.of_experiment("xor", tmp_path)["A1, L2", "s"].verdict == "not judged"


@pytest.mark.parametrize(
    ("text", "page"),
    [
        ("[a](machines.md#who)", "[a](../machines/index.md#who)"),
        ("[a](../CHANGELOG.md)", "[a](../project/changelog.md)"),
        ("[rooms](../tests/habits)", "rooms (`tests/habits`)"),
        ("[a](https://semver.org)", "[a](https://semver.org)"),
        ("![a](scaling.png)", "![a](../figures/scaling.png)"),
        ("```\n[a](machines.md)\n```", "```\n[a](machines.md)\n```"),
    ],
)
def test_links_lead_to_pages_or_name_files(text, page):
    assert texts.as_page(text, "docs/scorecard.md", TEXTS["docs/scorecard.md"][0]) == page


class Page(HTMLParser):
    """What a page has: places, links, what it loads, and its title."""

    def __init__(self, path):
        super().__init__()
        self.places, self.links, self.loaded = set(), [], []
        self.text = path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.places |= {found[name] for name in ("id", "name") if found.get(name)}
        targets = [found[name] for name in ("href", "src", "data", "poster") if found.get(name)]
        targets += [part.split()[0] for part in (found.get("srcset") or "").split(",") if part]
        self.links += targets
        if tag != "a":
            self.loaded += targets


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    if MISSING:
        pytest.skip(f"{', '.join(MISSING)} is not installed: pip install 'jaxnets[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "experiments.site", "--no-run", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "griffe:" not in done.stdout + done.stderr
    return {path: Page(path) for path in (folder / "html").resolve().rglob("*.html")}


def test_every_page_is_built_and_has_a_title(site):
    written = all_pages()
    assert len(site) == len(written) + len(codes.pages(ROOT)) + len(presets())
    titles = [re.search(r"<title>([^<]+)</title>", page.text) for page in site.values()]
    assert all(titles)
    assert len({title[1] for title in titles}) == len(titles)


def test_every_internal_link_and_anchor_resolves(site):
    dead, seen = [], 0
    for path, page in site.items():
        for link in page.links:
            parts = urlparse(link)
            if parts.scheme:
                continue
            seen += 1
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            known = not anchor or place not in site or anchor in site[place].places
            if parts.path.startswith("/") or not place.is_file() or not known:
                dead.append(f"{path.name}: {link}")
    assert seen > 1000
    assert dead == []


def test_no_page_loads_anything_from_outside(site):
    loaded = {target for page in site.values() for target in page.loaded}
    outside = [t for t in loaded if urlparse(t).scheme not in ("", "data") or t.startswith("//")]
    assert outside == []
    assert not any("arithmatex" in page.text for page in site.values())
    assert sum(page.text.count("<math") for page in site.values()) > 100
    assert not any(re.search(r"<m[inot][a-z]*>\\", page.text) for page in site.values())
    html = next(path for path in site if path.name == "how-to.html").parent
    for style in html.rglob("*.css"):
        text = style.read_text(encoding="utf-8")
        assert not re.search(r"(url\(|@import)\s*[\"']?(https?:)?//", text), style.name


def test_the_index_of_the_search_knows_the_api(site):
    html = next(path for path in site if path.name == "how-to.html").parent
    index = (html / "search.json").read_text(encoding="utf-8")
    assert all(word in index.lower() for word in ("dropout", "rosenbrock", "api/training.html"))
    assert index in (html / "search.js").read_text(encoding="utf-8")
    texts_of = [item["text"] for item in json.loads(index)["items"]]
    assert any("√(λ)" in text for text in texts_of)
    assert not any("\\(" in re.sub("<code>.*?</code>", "", text) for text in texts_of)
