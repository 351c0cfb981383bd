"""Pages from results: texts stay texts, and what is damaged is named beside what is shown."""

import json
import os
import zipfile
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pytest

from experiments.lab import escape, gallery, notes, run, scorecard
from experiments.lab.claims import markdown

NAMES = ("xor", "activations")
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "[click](javascript:alert(1))",
    "[click] (javascript:alert(1))",
    "![picture](http://example.invalid/x.png)",
    "[x]: http://example.invalid",
    "<javascript:alert(1)>",
    "`code` | another column | x",
    "a \\| b \\\\| c",
    "one\n\n# two\n| a | b |\n",
    "&lt;b&gt; &#60;b&#62; &amp;",
    "$name ${name} $$",
    "-->]]><!--",
]
HIDDEN = ["left \u202e right", "a\x00b", "bell\x07", "zero\u200bwidth", "\ud800 surrogate"]


class Page(HTMLParser):
    """Collects the tags, attributes and texts of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags |= {(tag, name) for name, _ in attrs} | {(tag, None)}

    def handle_data(self, data):
        self.texts.append(data)


def note_of(name, text="fine"):
    claim = dict.fromkeys(("row", "statement", "lecture", "ours", "samples"), text)
    return {
        "experiment": name,
        "config": asdict(run.load(name).Config()) | {"note": text},
        "claims": [claim | {"status": "reproduced"}],
        "seconds": 1.5,
        "date": text,
        "machine": text,
        "versions": {text: text},
    }


def save(folder, name, note):
    content = note if isinstance(note, bytes) else json.dumps(note).encode()
    (folder / f"{name}.json").write_bytes(content)
    (folder / f"{name}.png").write_bytes(b"a picture")


@pytest.mark.parametrize("text", [*HOSTILE, *HIDDEN], ids=ascii)
def test_texts_of_a_result_are_only_text_on_a_page(tmp_path, text):
    save(tmp_path, "xor", note_of("xor"))
    plain = Page(gallery.write(tmp_path).read_text(encoding="utf-8"))
    save(tmp_path, "xor", note_of("xor", text))
    page = Page(gallery.write(tmp_path).read_text(encoding="utf-8"))
    assert page.tags == plain.tags
    shown = "".join(page.texts)
    assert not any(character in shown for character in "\u202e\x00\x07\u200b\ud800")
    if text in HOSTILE:
        assert shown.count(" ".join(text.split())) >= 4 or shown.count(text) >= 4


@pytest.mark.parametrize("text", [*HOSTILE, *HIDDEN], ids=ascii)
def test_texts_of_a_result_are_only_text_in_a_table(text):
    markdown_it = pytest.importorskip("markdown_it")
    render = markdown_it.MarkdownIt("commonmark").enable("table").render
    page = Page(render(markdown(["a", "b"], [[text, "end"]])))
    assert {tag for tag, _ in page.tags} == {"table", "thead", "tbody", "tr", "th", "td"}
    cells = [cell for cell in page.texts if cell.strip()]
    assert cells[:2] == ["a", "b"]
    assert cells[-1] == "end"
    if text in HOSTILE:
        assert "".join(cells[2:-1]) == " ".join(text.split())


@pytest.mark.parametrize("text", ["[+7.32, +8.22]", "30 * 40 * 9", "1.5 ± 0.2 %", "4 R^2 / x"])
def test_usual_texts_stay_as_they_are_in_markdown(text):
    assert escape.as_markdown(text) == text


GOOD = note_of("xor")
DAMAGED = {
    "cut short": json.dumps(GOOD).encode()[:-20],
    "empty": b"",
    "not text": b"\xff\xfe\x00",
    "a list": [],
    "a number": b"1",
    "too many digits": b'{"seconds": ' + b"9" * 5000 + b"}",
    "nested": b"[" * 100_000,
    "a field is missing": {key: value for key, value in GOOD.items() if key != "machine"},
    "of another experiment": GOOD | {"experiment": "../activations"},
    "NaN seconds": GOOD | {"seconds": float("nan")},
    "seconds as text": GOOD | {"seconds": "1.5"},
    "claims as text": GOOD | {"claims": "reproduced"},
    "a claim as text": GOOD | {"claims": ["reproduced"]},
    "an invented verdict": GOOD | {"claims": [GOOD["claims"][0] | {"status": "proved"}]},
    "a number for a text": GOOD | {"claims": [GOOD["claims"][0] | {"ours": 3}]},
    "config as a list": GOOD | {"config": [1]},
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_note_is_named_and_the_others_are_shown(tmp_path, damaged):
    save(tmp_path, "activations", note_of("activations"))
    save(tmp_path, "xor", damaged)
    page = gallery.write(tmp_path).read_text(encoding="utf-8")
    table = scorecard.scorecard(tmp_path)
    for text in (page, table):
        assert "Not shown: " in text
        assert "xor.json is damaged (" in text
        assert f"{run.COMMAND} xor" in text
    assert 'id="activations"' in page
    assert "| activations |" in table
    with pytest.raises(notes.DamagedResult, match=r"xor\.json is damaged"):
        notes.read(tmp_path / "xor.json", "make xor")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_in_place_of_a_note_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "xor.json")
    assert "xor.json is a pipe" in scorecard.scorecard(tmp_path)


def test_a_missing_figure_is_named(tmp_path):
    save(tmp_path, "xor", note_of("xor"))
    (tmp_path / "xor.png").unlink()
    assert "xor.png is missing" in gallery.write(tmp_path).read_text(encoding="utf-8")


@pytest.mark.parametrize("content", [b"", b"PK", b"PK\x03\x04" + bytes(40), b"not a zip"])
def test_damaged_arrays_are_named(tmp_path, content):
    save(tmp_path, "xor", note_of("xor"))
    (tmp_path / "xor.npz").write_bytes(content)
    with pytest.raises(notes.DamagedResult, match=rf"xor\.npz is damaged .*{run.COMMAND} xor"):
        run.redraw("xor", tmp_path)


@pytest.mark.parametrize("shape", ["(300000000,)", "(-1,)", "(2**40, 2**40)", "(10**30,)"])
def test_a_header_of_arrays_that_promises_too_much_is_named(tmp_path, shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode()
    with zipfile.ZipFile(tmp_path / "xor.npz", "w") as archive:
        start = b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little")
        archive.writestr("a.npy", start + header + bytes(72))
    with pytest.raises(notes.DamagedResult, match=r"xor\.npz is damaged"):
        run.saved("xor", tmp_path)


def test_other_members_of_an_archive_are_no_arrays_of_a_result(tmp_path):
    np.savez(tmp_path / "xor.npz", loss=np.arange(3), data="digits")
    with zipfile.ZipFile(tmp_path / "xor.npz", "a") as archive:
        archive.writestr("readme.txt", b"text")
        archive.writestr("__MACOSX/._loss.npy", b"junk")
    found = run.saved("xor", tmp_path)
    assert sorted(found) == ["data", "loss"]
    assert found["data"] == "digits"
    np.testing.assert_array_equal(found["loss"], [0, 1, 2])


def test_changed_bytes_of_arrays_are_named(tmp_path):
    path = tmp_path / "xor.npz"
    np.savez_compressed(path, a=np.random.default_rng(0).normal(size=1000))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(notes.DamagedResult, match=r"xor\.npz is damaged"):
        run.saved("xor", tmp_path)


def test_arrays_of_another_version_are_named(tmp_path):
    save(tmp_path, "xor", note_of("xor"))
    np.savez(tmp_path / "xor.npz", other=np.ones(3))
    with pytest.raises(ValueError, match=r"xor\.npz has no '\w+', so it is of another version"):
        run.redraw("xor", tmp_path)
