"""Scorecard, gallery and its check, and what is up to date, on made-up results."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from functools import partial

import matplotlib.image
import numpy as np
import pytest

from experiments.lab import (
    fallback,
    fingerprint,
    gallery,
    gallery_check,
    judging,
    live,
    processes,
    run,
    run_all,
    scorecard,
)
from experiments.lab.registry import EXPERIMENTS, LECTURES
from jaxnets.host.signals import Interrupted

NEEDS_CHROMIUM = pytest.mark.skipif(
    not any(map(shutil.which, gallery_check.BROWSERS)), reason="needs Chromium"
)


def claims_of(name):
    """Rows of all claims of an experiment, as a note has them, without a result."""

    def refuse(result):
        raise judging.NotMeasured("made up")

    return judging.judge_all(name, dict.fromkeys(run.load(name).CLAIMS, refuse), {})


def make_up(name, folder, status="reproduced"):
    claims = [claim | {"status": status, "ours": "1 < 2 & 3"} for claim in claims_of(name)]
    note = {"experiment": name, "config": asdict(run.load(name).Config()), "claims": claims}
    note |= {"seconds": 1.5, "date": "2026-01-01", "machine": "2 x cores", "versions": {"jax": "1"}}
    note["program"] = fingerprint.digest(name)
    note["library"] = fingerprint.library_digest(name)
    note["inputs"] = run.inputs_of(run.load(name), run.load(name).Config())
    (folder / f"{name}.json").write_text(json.dumps(note))
    matplotlib.image.imsave(folder / f"{name}.png", np.eye(900))


@pytest.fixture(scope="module")
def made_up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    for name in EXPERIMENTS:
        make_up(name, folder)
    return folder


@pytest.fixture
def results(made_up, tmp_path):
    """Made-up results of all experiments, which a test may change."""
    return shutil.copytree(made_up, tmp_path, dirs_exist_ok=True)


def test_every_experiment_belongs_to_one_lecture():
    assert len(set(EXPERIMENTS)) == len(EXPERIMENTS) == sum(map(len, LECTURES.values()))


def test_scorecard_lists_every_claim(results):
    table = scorecard.scorecard(results)
    claims = [claim for name in EXPERIMENTS for claim in claims_of(name)]
    assert len(table.splitlines()) == len(claims) + 4
    saved = json.loads((results / "scorecard.json").read_text())
    assert sorted(c["row"] for c in saved) == sorted(c["row"] for c in claims)


def test_other_settings_and_older_code_are_shown(results):
    """The scorecard took any settings, and said nothing about their age."""
    smoke = json.loads((results / "xor.json").read_text())
    smoke["config"] = asdict(run.load("xor").SMOKE)
    (results / "xor.json").write_text(json.dumps(smoke))
    for name, field in (("checkerboard", "program"), ("likelihoods", "library")):
        note = json.loads((results / f"{name}.json").read_text())
        (results / f"{name}.json").write_text(json.dumps(note | {field: "another"}))
    scorecard.scorecard(results)
    rows = json.loads((results / "scorecard.json").read_text())
    found = {name: [row for row in rows if row["experiment"] == name] for name in EXPERIMENTS}
    assert {row["status"] for row in found["xor"]} == {"not judged"}
    assert {row["verdict"] for row in found["xor"]} == {"not judged"}
    assert not any(row["parts"] for row in found["xor"])
    assert all("not the experiment's own settings: " in row["ours"] for row in found["xor"])
    assert {row["age"] for row in found["checkerboard"]} == {"older than its experiment"}
    assert {row["age"] for row in found["likelihoods"]} == {"older than jaxnets"}
    assert {row["age"] for row in found["activations"]} == {""}
    table = list(csv.DictReader((results / "scorecard.csv").read_text().splitlines()))
    assert tuple(table[0]) == scorecard.COLUMNS
    assert {row["claim"] for row in table if row["experiment"] == "checkerboard"} == {
        claim["claim"] for claim in claims_of("checkerboard")
    }


def test_gallery_shows_every_figure_and_claim(results):
    make_up("checkerboard", results, "refuted")
    page = gallery.write(results).read_text()
    for name in EXPERIMENTS:
        assert f'src="{name}.png"' in page
        assert f"<code>make {name}</code>" in page
    claims = sum(len(run.load(name).CLAIMS) for name in EXPERIMENTS)
    assert page.count("1 &lt; 2 &amp; 3") == claims
    assert page.count("<code>make playground STATE=") == sum(map(len, live.PRESETS.values()))
    assert page.count('class="verdict refuted"') == len(run.load("checkerboard").CLAIMS)
    assert all(f'<h2 id="{key.partition(":")[0].replace(" ", "-")}"' in page for key in LECTURES)


def test_gallery_of_part_of_the_experiments(tmp_path):
    make_up("xor", tmp_path)
    page = gallery.write(tmp_path).read_text()
    assert page.count("<article") == 1
    assert page.count("<h2") == 1


BROKEN = {
    "a missing image": ('src="xor.png"', 'src="xxor.png"', "xxor.png is missing"),
    "a wide line": ("<p>", '<p style="width: 900px">', "at 360 pixels .* scroll bar"),
    "an error": ("<nav>", "<script>nothing()</script><nav>", "nothing is not defined"),
}


@NEEDS_CHROMIUM
def test_a_sound_gallery_passes(tmp_path, capsys):
    make_up("xor", tmp_path)
    gallery.write(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert gallery_check.main(tmp_path) == 0, capsys.readouterr().err
    assert sorted(tmp_path.iterdir()) == before


@NEEDS_CHROMIUM
@pytest.mark.parametrize(("old", "new", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_gallery_fails(tmp_path, old, new, message, capsys):
    make_up("xor", tmp_path)
    page = gallery.write(tmp_path)
    page.write_text(page.read_text().replace(old, new, 1))
    assert gallery_check.main(tmp_path) == 1
    assert re.search(message, capsys.readouterr().err)


def test_no_gallery_and_no_browser_are_named(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="make gallery"):
        gallery_check.main(tmp_path)
    make_up("xor", tmp_path)
    gallery.write(tmp_path)
    monkeypatch.setattr(gallery_check.shutil, "which", lambda name: None)
    with pytest.raises(FileNotFoundError, match="apt install chromium"):
        gallery_check.main(tmp_path)


def test_up_to_date_is_the_same_program_and_settings(results):
    assert all(run_all.up_to_date(name, [], results) for name in EXPERIMENTS)
    assert not run_all.up_to_date("checkerboard", ["seeds=8"], results)
    assert run_all.up_to_date("checkerboard", ["corpus=words.txt"], results)
    path = results / "checkerboard.json"
    before = path.read_text()
    path.write_text(json.dumps(json.loads(before) | {"arrays": "the sha256 of others"}))
    assert not run_all.up_to_date("checkerboard", [], results)
    path.write_text(before)
    path.write_text(path.read_text().replace(fingerprint.digest("checkerboard"), "another"))
    assert not run_all.up_to_date("checkerboard", [], results)
    path.unlink()
    assert not run_all.up_to_date("checkerboard", [], results)


def test_a_result_of_digits_is_run_again_once_mnist_is_there(results, monkeypatch):
    path = results / "lenet.json"
    note = json.loads(path.read_text())
    monkeypatch.setattr(fallback, "_available", lambda name: False)
    for found, there, current in (
        *(("digits", False, True), ("digits", True, False)),
        *(("mnist", True, True), ("mnist", False, True)),
    ):
        path.write_text(json.dumps(note | {"data": found}))
        monkeypatch.setattr(fallback, "_available", lambda name, there=there: there)
        assert run_all.up_to_date("lenet", [], results) is current, (found, there)
        assert run_all.up_to_date("lenet", ["data=digits"], results) is False


def test_a_gallery_judges_no_other_settings_than_the_own(results):
    """It showed the verdicts of a smoke run as if they were the experiment's."""
    note = json.loads((results / "xor.json").read_text())
    note["config"] = asdict(run.load("xor").SMOKE)
    (results / "xor.json").write_text(json.dumps(note))
    page = gallery.write(results).read_text()
    claims = len(note["claims"])
    assert page.count('class="verdict not-judged"') == claims
    assert page.count("not the experiment&#x27;s own settings: ") == claims


def test_up_to_date_is_the_same_content_of_files(results, tmp_path, monkeypatch):
    """A corpus of the same name, size and time is another one, and so are other word tests."""
    monkeypatch.setenv("WORDS_DIR", str(tmp_path / "tests"))
    corpus, note = tmp_path / "corpus.txt", json.loads((results / "word2vec.json").read_text())
    settings, module = [f"corpus={corpus}"], run.load("word2vec")

    def write(text):
        corpus.write_text(text)
        os.utime(corpus, ns=(0, 0))

    write("red green")
    config = replace(module.Config(), corpus=str(corpus))
    note |= {"config": asdict(config), "inputs": run.inputs_of(module, config)}
    (results / "word2vec.json").write_text(json.dumps(note))
    assert run_all.up_to_date("word2vec", settings, results)
    write("one three")
    assert not run_all.up_to_date("word2vec", settings, results)
    write("red green")
    assert run_all.up_to_date("word2vec", settings, results)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "questions-words.txt").write_text(": kin\n")
    assert not run_all.up_to_date("word2vec", settings, results)
    corpus.unlink()
    assert not run_all.up_to_date("word2vec", settings, results)


def test_a_program_is_its_code_and_that_of_its_imports(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "FOLDER", tmp_path)
    monkeypatch.setattr(fingerprint, "LAB", tmp_path / "lab")
    texts = {
        "a": '"""A note."""\nfrom . import b\nfrom ..shared.c import d\n',
        "b": "x = 1\n",
        "c": "from ..lab.run import e\n",
        "other": "x = 1\n",
        "run": "e = 1\n",
    }
    rooms = {"a": "plane", "b": "plane", "c": "shared", "other": "plane", "run": "lab"}

    def digest(**changes):
        for name, text in (texts | changes).items():
            (tmp_path / rooms[name]).mkdir(exist_ok=True)
            (tmp_path / rooms[name] / f"{name}.py").write_text(text)
        return fingerprint.digest("a")

    before = digest()
    assert digest(a=texts["a"].replace("A note", "Another") + "# and a comment\n") == before
    assert digest(other="x = 2\n") == before
    assert digest(run="e = 2\n") == before
    assert digest(b="x = 2\n") != before
    assert digest(c=texts["c"] + "x = 2\n") != before


def test_a_moved_experiment_is_the_same_program(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "FOLDER", tmp_path)
    found = set()
    for room, helper in (("plane", "from .b import c"), ("units", "from ..plane.b import c")):
        (tmp_path / room).mkdir()
        (tmp_path / "plane" / "b.py").write_text("c = 1\n")
        (tmp_path / room / "a.py").write_text(f"{helper}\n")
        found.add(fingerprint.digest("a"))
        (tmp_path / room / "a.py").unlink()
    assert len(found) == 1


def test_run_all_continues_after_a_failure_and_stops_at_an_interrupt(results, monkeypatch, capsys):
    for name in ("xor", "checkerboard", "word2vec"):
        (results / f"{name}.json").unlink()
    commands = []

    def run(_, command, **options):
        commands.append(command[3:])
        return int("checkerboard" in command), None

    monkeypatch.setattr(processes.Children, "run", run)
    assert run_all.main(["corpus=a.txt"], results) == 1
    assert "checkerboard" in capsys.readouterr().err
    assert ["checkerboard"] in commands
    assert ["xor"] in commands
    assert ["word2vec", "--set", "corpus=a.txt"] in commands

    for error, code in ((KeyboardInterrupt, 130), (partial(Interrupted, "stopped", 15), 143)):

        def interrupted(_, command, error=error, **options):
            raise error()

        monkeypatch.setattr(processes.Children, "run", interrupted)
        assert run_all.main([], results) == code


def test_run_all_ends_what_it_started():
    children = processes.Children()
    sleep = [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"]
    began = time.monotonic()
    with ThreadPoolExecutor(1) as threads:
        ended = threads.submit(children.run, sleep, stdout=subprocess.DEVNULL)
        while not children.running:
            time.sleep(0.01)
        children.end()
        assert ended.result() == (-signal.SIGTERM, None)
    assert time.monotonic() - began < 30
    assert not children.running


def test_a_judge_that_changes_makes_no_result_older():
    found: set = set()
    fingerprint._collect_used(fingerprint.LIBRARY / "__init__.py", found)
    for used in fingerprint._used(fingerprint.path_of("xor")):
        fingerprint._collect_used(used, found)
    rooms = {path.relative_to(fingerprint.LIBRARY).parts[0] for path in found}
    assert {"models", "training"} <= rooms
    assert "claims" not in rooms
