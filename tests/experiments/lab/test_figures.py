"""The files of a result: figures of several looks, their curves and pieces, tables."""

import csv
import json

import numpy as np
import pytest

from experiments.lab import run
from experiments.lab.curves import curves_of, describe
from experiments.lab.pieces import pieces_of
from experiments.lab.tables import as_csv, as_latex, tables_of
from jaxnets import plots


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run.perform("activations", run.load("activations").SMOKE, folder, style="slides")
    return folder


def test_a_run_leaves_figures_tables_and_those_of_the_style(folder):
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    for style in ("", ".slides"):
        for kind, start in starts.items():
            assert (folder / f"activations{style}.{kind}").read_bytes().startswith(start)
    rows = list(csv.reader((folder / "activations.csv").read_text("utf-8").splitlines()))
    assert rows[0][0] == "activation"
    assert {len(row) for row in rows} == {5}
    assert r"\toprule" in (folder / "activations.tex").read_text(encoding="utf-8")


def test_a_figure_has_words_curves_and_pieces(folder):
    found = json.loads((folder / "activations.figure.json").read_text(encoding="utf-8"))
    assert found["text"].startswith("Activation functions")
    assert "Expected: errors of" in found["text"]
    arrays = run.saved("activations", folder)
    assert [panel["title"] for panel in found["curves"]] == list(arrays["names"])
    value, slope = found["curves"][0]["series"]
    assert (value["name"], slope["name"]) == ("value", "derivative")
    at = np.abs(arrays["s"][:, None] - value["x"]).argmin(axis=0)
    np.testing.assert_allclose(value["y"], arrays["values"][0][at], rtol=1e-4, atol=1e-5)
    assert len(found["pieces"]) == len(arrays["names"])


def test_redrawing_leaves_the_same_files(folder):
    names = [f"activations.{kind}" for kind in ("png", "svg", "pdf", "figure.json", "csv", "tex")]
    before = [(folder / name).read_bytes() for name in names]
    run.redraw("activations", folder)
    assert [(folder / name).read_bytes() for name in names] == before


def test_pieces_are_panels_in_the_order_of_reading():
    canvas, axes = plots.figure(2, 2, size=(3, 2))
    axes[1, 0].set_ylabel("a label")
    canvas.draw_without_rendering()
    pieces = pieces_of(canvas)
    assert len(pieces) == 4
    for (x, y, width, height), panel in zip(pieces, axes.ravel(), strict=True):
        box = panel.get_window_extent()
        scale = 72 / canvas.dpi
        assert x <= box.x0 * scale
        assert x + width >= box.x1 * scale
        assert y <= (canvas.bbox.height - box.y1) * scale
        assert y + height >= (canvas.bbox.height - box.y0) * scale


def test_only_named_curves_of_panels_without_pictures_are_curves():
    canvas, axes = plots.figure(1, 3)
    axes[0, 0].plot([1, 2, 3], [1, np.nan, 100], label="$x_1$")
    axes[0, 0].plot([1, 2, 3], [1, 2, 3])
    axes[0, 0].plot([3, 1, 2], [1, 2, 3], label="a path")
    axes[0, 0].set(yscale="log", xlabel="epoch", ylabel="loss")
    axes[0, 1].imshow(np.eye(2))
    axes[0, 1].plot([0, 1, 2], [0, 1, 2], label="on a picture")
    axes[0, 2].axhline(1, label="a level")
    (panel,) = curves_of(canvas)
    assert panel["log"] == [False, True]
    (series,) = panel["series"]
    assert series["name"] == "x_1"
    assert series["y"] == [1, None, 100]
    assert describe(canvas).startswith("loss against epoch: x_1, a path.")


TABLE = (
    "Text.\n\n| n | loss [%] |\n| --- | --- |\n| a_1 | 3 ± 1 \\| &lt;2 |\n\n| m |\n| --- |\n| 1 |\n"
)


def test_tables_become_csv_and_latex():
    tables = tables_of(TABLE)
    assert tables == [[["n", "loss [%]"], ["a_1", "3 ± 1 | <2"]], [["m"], ["1"]]]
    assert list(csv.reader(as_csv(tables[:1]).splitlines())) == tables[0]
    text = as_latex(tables, "what")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    assert r"a\_1 & 3 $\pm$ 1 $|$ $<$2 \\" in text
    assert r"loss [\%]" in text
    assert text.isascii()
