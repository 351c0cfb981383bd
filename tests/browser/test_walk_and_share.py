"""The page in Chromium: the walk, sharing, a page saved to the disk, presets, people."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from jaxnets.playground.config import ACTIVATIONS
from jaxnets.playground.presets import LECTURE_XOR, presets
from tests.playground.test_ensemble import random_config
from tests.support.browser import SMALL, Page


def test_the_walk_goes_through_every_step_and_ends_at_the_update(page):
    page.train(100)
    page.page.click("#walk")
    page.wait("app.walk && app.walk.pass")
    steps = 2 * (3 + 2 + 1) + (3 + 2 + 1) + 1
    seen = [page.page.inner_text("#where")]
    for _ in range(steps + 2):
        page.page.keyboard.press("ArrowRight")
        seen.append(page.page.inner_text("#where"))
        assert page.page.inner_text("#text") != ""
    assert seen[0] == f"forward 1 of {steps}"
    assert seen[-1] == f"update {steps} of {steps}"
    assert [text.split()[0] for text in seen[6:8]] == ["loss", "backward"]
    assert "new w" in page.page.inner_text("#text")
    page.page.click("#back")
    assert page.page.inner_text("#where").startswith("update")
    page.page.click('#nodes [data-at="1,1"]')
    assert "unit 2 of hidden layer 1" in page.page.inner_text("#text")
    sample = page.value("app.sample")
    page.page.click("#other")
    page.wait(f"app.walk.pass && app.sample === {sample + 1}")
    box = page.page.locator("#plot").bounding_box()
    page.page.mouse.click(box["x"] + 40, box["y"] + 40)
    page.wait(f"app.walk.pass && app.sample !== {sample + 1}")
    page.page.click("#run")
    page.wait("app.walk.at >= 2")
    page.page.click("#run")
    page.page.keyboard.press("Escape")
    assert page.value("app.walk") is None


AGREES = """async () => {
    const { passes, featuresOf } = await import("./passes.js");
    const { numbers } = await import("./walk.js");
    const { rateOf } = await import("./story.js");
    const a = structuredClone(numbers());
    const i = app.sample;
    const x = featuresOf(app.config, app.x[2 * i], app.x[2 * i + 1]);
    const b = passes(app.config, a.params, a.optimizer, x, a.y, rateOf());
    let worst = 0;
    const compare = (u, v) => {
        if (typeof u === "number") {
            worst = Math.max(worst, Math.abs(u - v) / Math.max(1, Math.abs(v)));
        } else for (const key of Object.keys(u)) compare(u[key], v[key]);
    };
    const keys = ["x", "s", "h", "slope", "grads", "penalty", "after", "loss"];
    for (const key of keys) compare(b[key], a[key]);
    return worst;
}"""


def test_the_page_walks_as_back_propagation_by_hand_does(page):
    """A saved page has no server: its own numbers are those of `jaxnets.backprop`."""
    random = np.random.default_rng(3)
    page.page.click("#walk")
    for activation in ACTIVATIONS:
        config = random_config(random, depth=2, batch=16)
        state = {
            "activation": activation,
            "networks": 2,
            "learning_rate": 0.01,
            "widths": list(config.widths),
            "features": list(config.features),
            "own": [list(point) for point in config.own],
        }
        for name in ("problem", "classes", "loss", "optimizer", "l1", "l2", "vary", "seed"):
            state[name] = getattr(config, name)
        page.page.evaluate("(changes) => set(changes)", state)
        page.page.evaluate("app.walk.pass = null")
        page.settle()
        page.wait("app.walk.pass")
        page.page.evaluate("document.getElementById('step').click()")
        page.wait("app.frame.step > 0")
        page.page.evaluate("app.walk.pass = null; set({})")
        page.wait("app.walk.pass")
        assert page.error() == ""
        worst = page.page.evaluate(AGREES)
        assert worst < 1e-5, (activation, state, worst)


def test_the_page_walks_a_network_that_is_narrower_than_drawn(page):
    """Units that it lacks have no gradient, though a sigmoid of nothing is not 0."""
    page.page.click("#walk")
    page.page.evaluate("set({ activation: 'sigmoid', networks: 4, widths: [6, 6], vary: 'width' })")
    page.page.evaluate("app.walk.pass = null")
    page.settle()
    page.wait("app.walk.pass")
    grads = np.array(page.value("app.walk.pass.grads.output.weight"))
    assert grads.any()
    assert not grads.all()
    assert page.page.evaluate(AGREES) < 1e-5


def test_a_saved_page_works_alone_from_the_disk(browser, server, tmp_path):
    page = Page(browser, server.address).open(SMALL)
    page.train(100)
    name, body = page.download("#save")
    state = page.value("[app.frame.step, app.config.widths]")
    page.close()
    assert name == "playground.html"
    assert len(body) < 500_000
    (tmp_path / name).write_bytes(body)
    alone = Page(browser, f"file://{tmp_path / name}")
    alone.page.goto(alone.address)
    alone.wait("document.getElementById('s-step').textContent === '100'")
    assert state[0] == 100
    assert not alone.page.is_visible("#play")
    alone.page.click("#walk")
    first = alone.page.inner_text("#text")
    alone.page.click("#other")
    assert alone.page.inner_text("#text") != first
    for _ in range(19):
        alone.page.click("#next")
    assert "new w" in alone.page.inner_text("#text")
    assert "python -m jaxnets.playground 'problem=xor" in alone.page.inner_text("#again")
    alone.page.click('#view [data-v="std"]')
    assert alone.violations() == []
    alone.close()


def test_the_link_and_python_are_copied(browser, server):
    page = Page(browser, server.address, permissions=["clipboard-read", "clipboard-write"])
    page.open(SMALL)
    page.page.click("#link")
    assert page.value("navigator.clipboard.readText()") == page.page.url
    page.train(20)
    page.page.click("#code")
    page.wait("navigator.clipboard.readText().then((text) => text.includes('repeat('))")
    text = page.value("navigator.clipboard.readText()")
    names = {}
    exec(compile(text, "script", "exec"), names)
    assert names["networks"].step == 20
    own = page.value("[...app.frame['hidden_0.weight']]")
    params = names["networks"].params()["hidden_0"]["weight"][0]
    np.testing.assert_array_equal(np.float32(own), params.ravel())
    page.close()


def test_pictures_and_weights_are_saved_and_loaded(page, tmp_path):
    page.train(20)
    for selector in ("#svg-net", "#svg-plane"):
        name, body = page.download(selector)
        root = ET.fromstring(body)
        assert name.endswith(".svg")
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert len(root) > 10
    before = page.value("[...app.frame['output.weight']]")
    for selector in ("#npz", "#json"):
        name, body = page.download(selector)
        (tmp_path / name).write_bytes(body)
        step = page.value("app.frame.step")
        page.page.click("#step")
        page.wait(f"app.frame.step > {step}")
        assert page.value("[...app.frame['output.weight']]") != before
        page.page.set_input_files("#upload", tmp_path / name)
        page.wait(f"app.frame['output.weight'][0] === {before[0]}")
        assert page.value("[...app.frame['output.weight']]") == before
    tree = json.loads((tmp_path / "weights.json").read_text())["params"]
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        weights = arrays["output.weight"]
    np.testing.assert_array_equal(weights, np.float32(tree["output"]["weight"]))
    (tmp_path / "bad.json").write_text("{")
    page.page.set_input_files("#upload", tmp_path / "bad.json")
    page.wait("document.getElementById('error').textContent.includes('not JSON')")


def test_a_preset_has_the_weights_that_the_lecture_prints(page):
    page.page.click("#gallery a >> nth=1")
    page.wait(
        "app.frame['hidden_0.weight'] && Math.abs(app.frame['hidden_0.weight'][0] - 0.53) < 1e-6"
    )
    for name, layer in LECTURE_XOR.items():
        found = page.value(f"[...app.frame['{name}.weight']]")
        np.testing.assert_allclose(found, np.ravel(layer["weight"]), rtol=1e-6)
    page.open(page.value("location.hash").removeprefix("#"))
    page.wait("Math.abs(app.frame['hidden_0.weight'][0] - 0.53) < 1e-6")
    assert page.value("Math.min(...app.frame.accuracy.subarray(0, 2))") == 1.0
    assert page.page.locator("#gallery a").count() == len(presets())


def test_a_preset_keeps_its_weights_if_it_is_chosen_while_training(page):
    page.page.click("#play")
    page.wait("app.frame.step > 0")
    page.page.click("#gallery a >> nth=1")
    page.wait(
        "app.frame['hidden_0.weight'] && Math.abs(app.frame['hidden_0.weight'][0] - 0.53) < 1e-6"
    )
    assert not page.value("app.running")


def test_a_walk_goes_on_where_there_are_fewer_points(page):
    page.page.click("#walk")
    page.wait("app.walk && app.walk.pass")
    page.page.evaluate("set({ n: 60 })")
    page.wait("app.frame.n === 60 && app.walk.pass")
    page.page.evaluate("app.sample = 59; set({ n: 20 })")
    page.wait("app.frame.n === 20 && app.sample === 19 && app.walk.pass")


def test_a_table_of_the_walk_scrolls_by_keys(page):
    page.page.set_viewport_size({"width": 360, "height": 800})
    page.page.select_option("#c-optimizer", "adam")
    page.page.click("#walk")
    page.wait("app.walk && app.walk.pass")
    for _ in range(80):
        if page.page.locator(".scroll").count():
            break
        page.page.click("#next")
    page.page.locator(".scroll").first.focus()
    at = page.value("app.walk.at")
    page.page.keyboard.press("ArrowRight")
    assert page.value("app.walk.at") == at
    page.page.evaluate("document.activeElement.blur()")
    page.page.keyboard.press("ArrowLeft")
    page.wait(f"app.walk.at === {at} - 1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_accessible_and_no_wider_than_the_screen(browser, server, width, theme):
    page = Page(browser, server.address, width=width, theme=theme).open(SMALL)
    page.train(20)
    assert page.violations() == []
    page.page.click('#nodes [data-at="1,0"]')
    page.page.click("#owner summary")
    assert page.violations() == []
    page.page.click("#walk")
    page.wait("app.walk && app.walk.pass")
    for _ in range(18):
        page.page.click("#next")
    assert page.violations() == []
    assert page.value("document.documentElement.scrollWidth") <= width
    page.close()


SHAPES = """async () => {
    const { marker } = await import("./colours.js");
    return [0, 1, 2, 3, 4, 5].map((k) => {
        const canvas = new OffscreenCanvas(24, 24), g = canvas.getContext("2d");
        marker(g, k, 12, 12, 9);
        g.fill();
        return [...g.getImageData(0, 0, 24, 24).data].filter((_, i) => i % 4 === 3);
    });
}"""


def test_classes_differ_without_their_colours(page):
    """In one colour, the points of any two classes differ by a tenth of their pixels."""
    shapes = np.array(page.page.evaluate(SHAPES)) > 127
    for i, one in enumerate(shapes):
        for other in shapes[i + 1 :]:
            assert (one ^ other).sum() > 0.1 * max(one.sum(), other.sum())


MOVING = """[...document.querySelectorAll("*")]
    .flatMap((e) => [getComputedStyle(e), getComputedStyle(e, "::before")])
    .flatMap((s) => `${s.transitionDuration},${s.animationDuration}`.split(","))
    .filter((seconds) => parseFloat(seconds) > 0).length"""


def test_nothing_moves_for_those_who_asked_for_less_motion(browser, server):
    durations = {}
    for motion in ("reduce", "no-preference"):
        page = Page(browser, server.address, reduced_motion=motion).open(SMALL)
        durations[motion] = page.value(MOVING)
        page.close()
    assert durations["reduce"] == 0 < durations["no-preference"]


def test_a_finger_draws_on_a_phone(browser, server):
    page = Page(browser, server.address, width=390, height=844, has_touch=True, is_mobile=True)
    page.open(SMALL)
    order = page.page.eval_on_selector_all(
        "main section",
        """all => all.sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)
            .map(s => s.id)""",
    )
    assert order[:2] == ["plane-section", "network-section"]
    page.page.tap("#owner summary")
    page.page.tap("#clear")
    page.page.tap("#plot", position={"x": 100, "y": 100})
    page.page.tap("#plot", position={"x": 200, "y": 250})
    page.wait("app.frame.n === 2")
    page.close()


def test_the_whole_page_is_reached_by_the_keyboard(page):
    """Tab comes to every control that can be seen, and each has a name."""
    seen = set()
    for _ in range(200):
        page.page.keyboard.press("Tab")
        found = page.value("document.activeElement.id || document.activeElement.className")
        if page.value("document.activeElement === document.body"):
            break
        seen.add(found)
    wanted = {"play", "step", "reset", "pace", "theme", "c-noise", "c-activation", "c-networks"}
    wanted |= {
        "plot",
        "member",
        "more",
        "walk",
        "lines",
        "link",
        "code",
        "save",
        "upload",
        "c-seed",
    }
    assert wanted <= seen
