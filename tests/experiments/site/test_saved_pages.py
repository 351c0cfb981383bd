"""Saved pages of the playground: all of the page inside, with the state of a trained ensemble."""

import base64
import json
import re

import numpy as np

from experiments.site import saved_pages
from jaxnets.playground.frames import unpacked
from jaxnets.playground.presets import LECTURE_XOR, presets

TITLE = "Exclusive or, solved by hand (L1)"


def test_a_preset_is_saved_with_its_weights_and_nothing_outside():
    text = saved_pages.saved_page(TITLE)
    state = json.loads(re.search(r'id="saved">(.*?)</script>', text, re.DOTALL)[1])
    head, arrays = unpacked(base64.b64decode(state["frame"]))
    assert head["n"] == len(state["y"]) == len(state["x"]) // 2
    np.testing.assert_allclose(
        arrays["hidden_0.weight"].reshape(2, 2), LECTURE_XOR["hidden_0"]["weight"]
    )
    assert state["config"]["problem"] == "xor"
    assert len(state["history"]) == 1
    imports = json.loads(re.search(r'importmap">(.*?)</script>', text)[1])["imports"]
    modules = {
        name: base64.b64decode(at.partition(",")[2]).decode() for name, at in imports.items()
    }
    for module in modules.values():
        assert set(re.findall(r'from "([^"]+)"', module)) <= set(modules)
    assert 'src="' not in text
    assert re.findall(r'<link[^>]+href="([^"]*)"', text) == ["data:,"]


def test_without_training_each_preset_has_a_place(tmp_path):
    pages = saved_pages.make(tmp_path, run=False)
    assert len(pages) == len(presets())
    assert list(tmp_path.iterdir()) == []
    for preset in presets():
        assert preset["title"] in pages[saved_pages.page(preset["title"])]
        assert (
            saved_pages.page(preset["title"]).rpartition("/")[2]
            in saved_pages.index()[saved_pages.INDEX]
        )


def test_percentiles_are_those_of_the_page():
    values = np.array([3.0, 1.0, np.nan, 2.0, 4.0])
    assert saved_pages.percentiles(values) == [1.0, 3.0, 4.0]
    assert saved_pages.percentiles(np.array([np.nan])) == [None, None, None]
