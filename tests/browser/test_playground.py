"""The page in Chromium: every control, its keys, sharing, and what a saved page can do alone."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from jaxnets.playground.config import ACTIVATIONS, LIMITS, PROBLEMS, from_address, from_json
from jaxnets.playground.presets import LECTURE_XOR, presets
from tests.playground.test_ensemble import random_config
from tests.support.browser import Page, chromium, served

SMALL = "problem=xor&widths=3-2&networks=4&batch=16&n=60"


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def server():
    with served() as found:
        yield found


@pytest.fixture
def page(browser, server):
    found = Page(browser, server.address).open(SMALL)
    yield found
    found.close()


def test_the_address_is_read_and_written(page):
    assert page.value("app.config.problem + app.config.widths") == "xor3,2"
    assert page.value("app.frame.finite.length") == 4
    page.page.select_option("#c-activation", "relu")
    page.wait("location.hash.includes('activation=relu')")
    state = page.value("location.hash")
    assert from_address(state) == from_json(page.value("app.config"))
    page.open(state)
    assert page.value("app.config.activation") == "relu"


def test_a_thousand_configurations_round_trip_through_the_address(page):
    random = np.random.default_rng(2)
    configs = [random_config(random) for _ in range(1000)]
    states = page.page.evaluate(
        """async (states) => {
            const { fromAddress, toAddress } = await import("./config.js");
            return states.map((state) => toAddress(fromAddress(state)));
        }""",
        [config.address() for config in configs],
    )
    assert [from_address(state) for state in states] == configs


def test_a_broken_address_is_read_as_far_as_it_goes(page):
    page.open("problem=mnist&widths=a-b&seed=&own=*&activation=<img src=x>&noise=0.1&nothing=1")
    assert page.value("app.config.noise") == 0.1
    assert page.value("app.config.problem") == "spirals"
    page.page.evaluate("location.hash = 'networks=9999'")
    page.wait("document.getElementById('error').textContent.includes('between 1 and 256')")
    page.errors.clear()  # the console notes the refusal as well


def test_keys_train_pause_and_reset(page):
    page.page.select_option("#pace", "10")
    page.page.evaluate("document.activeElement.blur()")
    page.page.keyboard.press(".")
    page.wait("app.frame.step === 10")
    page.page.keyboard.press(" ")
    page.wait("app.frame.step > 50")
    page.page.keyboard.press(" ")
    assert "Paused after" in page.page.inner_text("#say")
    page.page.wait_for_timeout(300)
    step = page.value("app.frame.step")
    page.page.wait_for_timeout(200)
    assert page.value("app.frame.step") == step
    page.page.keyboard.press("r")
    page.wait("app.frame.step === 0")


def test_a_hidden_tab_trains_nothing(page):
    page.page.click("#play")
    page.wait("app.frame.step > 0")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    page.page.evaluate(hide % "true")
    page.page.wait_for_timeout(500)
    step = page.value("app.frame.step")
    asked = len(page.requests)
    page.page.wait_for_timeout(400)
    assert page.value("app.frame.step") == step
    assert len(page.requests) == asked
    page.page.evaluate(hide % "false")
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait(f"app.frame.step > {step}")


def test_every_choice_and_slider_is_taken_by_the_server(page):
    programs = page.value("app.frame.programs.compiled")
    for name in ("activation", "optimizer", "networks", "vary"):
        options = page.page.eval_on_selector_all(
            f"#c-{name} option", "all => all.map(o => o.value)"
        )
        for option in options:
            page.page.select_option(f"#c-{name}", option)
            assert str(page.value(f"app.config.{name}")) == option
            page.settle()
            assert page.error() == ""
    page.page.select_option("#c-networks", "4")
    for name in ("n", "noise", "flip", "valid", "test", "learning_rate", "l1", "l2"):
        for key in ("End", "Home", "ArrowRight", "ArrowRight"):
            page.page.focus(f"#c-{name}")
            page.page.keyboard.press(key)
            low, high = LIMITS[name]
            assert low <= page.value(f"app.config.{name}") <= high
            page.settle()
            assert page.error() == ""
    page.page.fill("#c-seed", "12")
    page.page.keyboard.press("Enter")
    assert page.value("app.config.seed") == 12
    page.settle()
    assert page.page.eval_on_selector_all("#c-batch option", "all => all.length") == 5
    del programs


def test_every_problem_and_feature(page):
    for name in PROBLEMS:
        page.page.click(f'#problems [data-problem="{name}"]')
        page.settle()
        assert page.error() == ""
        assert page.value("app.frame.kind") == from_json(page.value("app.config")).kind
    page.page.click('#problems [data-problem="arms"]')
    page.page.focus("#c-classes")
    page.page.keyboard.press("End")
    page.settle()
    assert page.value("app.frame.mine.length") == 6 * 64 * 64
    for button in page.page.query_selector_all("#features button")[2:]:
        button.click()
        page.settle()
    assert page.value("app.config.features.length") == 7
    assert page.error() == ""


def test_depth_and_width(page):
    page.page.click("#heads button >> nth=1")
    assert page.value("app.config.widths.join()") == "4,2"
    page.page.click("#fewer")
    page.settle()
    assert page.value("app.config.widths.join()") == "4"
    page.page.click("#more")
    page.settle()
    assert page.value("app.config.widths.join()") == "4,4"
    page.page.check("#c-residual")
    page.settle()
    assert page.value("app.config.residual")
    page.page.click("#heads button >> nth=0")
    page.settle()
    assert page.value("app.config.widths.join()") == "3,3"
    assert page.error() == ""


def test_views_curves_and_layers(page):
    page.train(20)
    pictures = set()
    for name in ("std", "mine", "mean"):
        page.page.click(f'#view [data-v="{name}"]')
        assert page.page.get_attribute(f'#view [data-v="{name}"]', "aria-pressed") == "true"
        pictures.add(page.value("document.getElementById('plot').toDataURL()"))
    page.page.uncheck("#lines")
    pictures.add(page.value("document.getElementById('plot').toDataURL()"))
    assert len(pictures) == 4
    for group, plot in (("curve", "curves"), ("layer-view", "layer-plot")):
        before = page.page.get_attribute(f"#{plot}", "aria-label")
        page.page.click(f'#{group} button[aria-pressed="false"]')
        assert page.page.get_attribute(f"#{plot}", "aria-label") != before
    page.page.focus("#member")
    page.page.keyboard.press("End")
    page.wait("app.member === 3")
    page.wait("document.getElementById('whose').textContent === '4 of 4'")


def test_the_theme_is_chosen_and_remembered(page):
    page.page.click("#theme")
    assert page.value("document.documentElement.dataset.theme") == "dark"
    page.open(SMALL)
    assert page.value("document.documentElement.dataset.theme") == "dark"


def test_points_are_drawn_pasted_and_opened(page, tmp_path):
    page.page.click("#owner summary")
    page.page.click("#clear")
    box = page.page.locator("#plot").bounding_box()
    for pen in (0, 1):
        page.page.click(f'[data-pen="{pen}"]')
        for i in range(4):
            page.page.mouse.click(box["x"] + 60 + 60 * i, box["y"] + 90 + 150 * pen)
    page.wait("app.frame.n === 8")
    page.page.mouse.move(box["x"] + 50, box["y"] + 320)
    page.page.mouse.down()
    page.page.mouse.move(box["x"] + 300, box["y"] + 320, steps=20)
    page.page.mouse.up()
    page.wait("app.frame.n > 11")
    count = page.value("app.config.own.length")
    page.page.focus("#plot")
    page.page.keyboard.press("ArrowLeft")
    page.page.keyboard.press("2")
    page.wait(f"app.frame.n === {count + 1}")
    assert page.value("app.frame.kind") == "classes"
    page.page.fill("#paste", "x,y,label\n1,2,cat\n3,4,dog\n5,6,cat\n7,1,dog")
    page.page.click("#use")
    page.wait("app.frame.n === 4")
    assert page.value("app.config.own.map((p) => p[2]).join()") == "0,1,0,1"
    lines = [f"{i} {i * i} {i % 6}" for i in range(30)]
    (tmp_path / "points.csv").write_text("\n".join(lines))
    page.page.set_input_files("#file", tmp_path / "points.csv")
    page.wait("app.frame.n === 30")
    assert page.value("app.frame.mine.length") == 6 * 64 * 64
    page.page.fill("#paste", "\n".join(f"{i},{i},{i}" for i in range(7)))
    page.page.click("#use")
    assert "7 classes" in page.error()
    page.page.fill("#paste", "nothing")
    page.page.click("#use")
    assert "x, y, class" in page.error()
    state = page.value("location.hash")
    own = page.value("app.config.own")
    page.open(state)
    assert page.value("app.config.own") == own


def test_weights_are_read_and_set(page):
    page.page.click('#nodes [data-at="1,2"]')
    assert "unit 3 of hidden layer 1" in page.page.inner_text("#inspector")
    page.page.fill("#inspector input >> nth=1", "2.5")
    page.page.keyboard.press("Enter")
    page.wait("app.frame['hidden_0.weight'][4] === 2.5")
    page.page.fill("#inspector input >> nth=0", "-1")
    page.page.keyboard.press("Enter")
    page.wait("app.frame['hidden_0.bias'][2] === -1")
    page.page.fill("#inspector input >> nth=0", "1e9")
    page.page.keyboard.press("Enter")
    page.wait("document.getElementById('error').textContent.includes('number up to')")
    page.errors.clear()  # the console notes the refusal as well
    page.page.focus('#nodes [data-at="1,0"]')
    page.page.keyboard.press("ArrowDown")
    assert page.value("document.activeElement.dataset.at") == "1,1"
    page.page.keyboard.press("ArrowRight")
    assert page.value("document.activeElement.dataset.at") == "2,1"
    page.page.keyboard.press("ArrowDown")
    assert page.value("document.activeElement.dataset.at") == "2,1"


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
    page.wait("app.walk.at >= 2", 5)
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
    arrays = np.load(tmp_path / "weights.npz", allow_pickle=False)
    tree = json.loads((tmp_path / "weights.json").read_text())["params"]
    np.testing.assert_array_equal(arrays["output.weight"], np.float32(tree["output"]["weight"]))
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
    assert page.value("Math.min(...app.frame.accuracy.subarray(0, 2))") == 1.0
    assert page.page.locator("#gallery a").count() == len(presets())


def test_diverged_networks_are_counted_and_shown(page):
    changes = {
        "problem": "waves",
        "loss": "squared_error",
        "activation": "relu",
        "optimizer": "sgd",
        "learning_rate": 10,
        "vary": "learning_rate",
    }
    page.page.evaluate("(changes) => set(changes)", changes)
    page.settle()
    page.page.select_option("#pace", "100")
    page.page.click("#step")
    page.wait("app.frame.diverged > 0")
    assert page.page.inner_text("#s-diverged").endswith("of 4")
    assert not page.page.inner_text("#s-diverged").startswith("0")
    page.page.focus("#member")
    page.page.keyboard.press("End")
    page.wait("app.member === 3")
    page.page.click('#view [data-v="mine"]')
    assert "diverged" in page.page.inner_text("#veil")
    page.page.click("#reset")
    page.wait("app.frame.diverged === 0")


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


def test_programs_that_compile_are_named(page):
    page.page.evaluate("set({widths: [5, 4, 3, 3]})")
    page.wait("!document.getElementById('compiling').hidden")
    assert "hidden layers" in page.page.inner_text("#compiling")
    page.wait("app.frame['hidden_3.weight']")


def test_the_files_of_the_page_are_small():
    folder = Path(__file__).parents[2] / "jaxnets" / "playground" / "static"
    sizes = {path.name: len(path.read_text().splitlines()) for path in folder.glob("*.js")}
    assert max(sizes.values()) <= 350
