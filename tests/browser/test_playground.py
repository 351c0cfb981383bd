"""The page in Chromium: address, keys, every control, problems, views, own points, weights."""

import threading
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from jaxnets.playground import programs
from jaxnets.playground.config import LIMITS, PROBLEMS, from_address, from_json
from tests.playground.test_ensemble import random_config
from tests.support.browser import SMALL, Page, served


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
    page.refused("between 1 and 256")


def test_keys_train_pause_and_reset(page):
    page.page.select_option("#pace", "10")
    page.page.evaluate("document.activeElement.blur()")
    page.page.keyboard.press(".")
    page.wait("app.frame.step === 10")
    page.page.keyboard.press(" ")
    page.wait("app.frame.step > 50")
    page.page.keyboard.press(" ")
    assert "Paused after" in page.page.inner_text("#say")
    page.settle()
    step = page.value("app.frame.step")
    page.settle()
    assert page.value("app.frame.step") == step
    page.page.keyboard.press("r")
    page.wait("app.frame.step === 0")


def test_a_hidden_tab_trains_nothing(page):
    page.page.click("#play")
    page.wait("app.frame.step > 0")
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true})"
    page.page.evaluate(hide % "true")
    page.idle()
    step, asked = page.value("app.frame.step"), len(page.requests)
    page.page.evaluate("set({})")
    page.idle()
    assert page.value("app.frame.step") == step
    assert len(page.requests) == asked
    page.page.evaluate(hide % "false")
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.wait(f"app.frame.step > {step}")


def test_every_choice_and_slider_is_taken_by_the_server(page):
    for name in ("networks", "vary", "activation", "optimizer"):
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


def test_rates_change_while_training_and_nothing_compiles(page, server):
    page.train(20)
    server.sessions.programs.wait()
    compiled = server.sessions.programs.compiled
    page.page.evaluate("set({learning_rate: 0.1, l2: 0.01, l1: 0.001, optimizer: 'sgd', n: 100})")
    page.settle()
    assert page.value("app.frame.step") == 20
    page.page.evaluate("set({widths: [5, 4], activation: 'sigmoid'})")
    page.settle()
    assert page.value("app.frame.step") == 0
    page.page.evaluate("set({networks: 64, vary: 'width'})")
    page.settle()
    assert page.value("app.frame.finite.length") == 64
    page.page.click("#step")
    page.wait("app.frame.step > 0")
    assert server.sessions.programs.compiled == compiled
    assert page.error() == ""


def test_what_is_refused_is_said_and_the_page_goes_on(page):
    page.page.evaluate("set({widths: [99, 9, 9, 9, 9]}); app.config.widths = [200]")
    page.refused("1 to 104 units")
    page.page.evaluate("set({widths: [4]})")
    page.settle()
    assert page.error() == ""


def test_a_reset_without_a_server_keeps_what_is_shown(page):
    """It showed 9,007,199,254,740,991 updates and dropped the curves."""
    page.train(10)
    page.context.set_offline(True)
    page.page.click("#reset")
    page.wait("document.getElementById('error').textContent.includes('has stopped')")
    assert page.value("app.frame.step") == 10
    assert page.value("app.history.at(-1).step") == 10
    page.errors.clear()  # the console notes the lost connection as well


CLICK = """(buttons) => {
    set({ widths: [7] });
    const place = document.getElementById("error");
    return buttons.map((id) => {
        place.textContent = "";
        document.getElementById(id).click();
        return place.textContent;
    });
}"""


def test_nothing_is_saved_before_the_networks_are_drawn(page):
    """The script and the page that were saved were of the networks before."""
    said = page.page.evaluate(CLICK, ["save", "code", "npz", "json", "svg-net", "svg-plane"])
    assert all("not drawn yet" in text for text in said), said
    page.settle()
    assert page.error() == ""


def test_a_residual_network_stays_one_with_another_layer(page):
    for widths, more in (([12], [12, 12]), ([12, 12, 12], [8, 8, 8, 8])):
        page.page.evaluate("(widths) => set({ widths, residual: true })", widths)
        page.page.click("#more")
        assert page.value("app.config.widths") == more
        assert page.value("app.config.residual")
    page.settle()
    assert page.error() == ""


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


def test_numbers_have_no_accuracy_to_show(page):
    page.page.click('#curve [data-v="accuracy"]')
    page.page.evaluate("set({ problem: 'sine' })")
    page.wait("app.frame.config.problem === 'sine'")
    assert page.value("app.curve") == "loss"


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


MIDDLE = """async () => {
    const { columns } = await import("./network.js");
    const box = document.getElementById("graph").getBoundingClientRect();
    const [a, b] = [columns[1][2], columns[2][1]];
    return [box.left + (a.x + a.size / 2 + b.x - b.size / 2) / 2, box.top + (a.y + b.y) / 2];
}"""


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
    page.refused("number up to")
    x, y = page.page.evaluate(MIDDLE)
    page.page.mouse.click(x, y)
    assert page.value("[app.selected.l, app.selected.u, app.selected.i]") == [2, 1, 2]
    page.page.keyboard.press("Control+a")
    page.page.keyboard.type("7")
    page.page.keyboard.press("Enter")
    page.wait("app.frame['hidden_1.weight'][5] === 7")
    page.page.focus('#nodes [data-at="1,0"]')
    page.page.keyboard.press("ArrowDown")
    assert page.value("document.activeElement.dataset.at") == "1,1"
    page.page.keyboard.press("ArrowRight")
    assert page.value("document.activeElement.dataset.at") == "2,1"
    page.page.keyboard.press("ArrowDown")
    assert page.value("document.activeElement.dataset.at") == "2,1"


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


def test_programs_that_compile_are_named(browser, monkeypatch):
    """The picture is there while training still compiles; a click waits for what it needs."""
    compile_program, may_go = programs.compile_program, threading.Event()

    def held(key):
        assert may_go.wait(90) if key[0] == "advance" else True
        return compile_program(key)

    monkeypatch.setattr(programs, "compile_program", held)
    with served(programs.Programs()) as server, ExitStack() as at_last:
        at_last.callback(may_go.set)
        page = Page(browser, server.address).open(SMALL)
        page.wait("document.getElementById('compiling').textContent.includes('training, batch 16')")
        page.page.evaluate("set({widths: [5, 4, 3]})")
        assert page.value("app.frame.step") == 0
        page.page.click("#step")
        page.wait("document.getElementById('veil').textContent.includes('training, batch 16')")
        assert not page.value("document.getElementById('veil').hidden")
        page.page.evaluate("set({widths: [5, 4, 3]})")
        page.wait("document.getElementById('veil').textContent.includes('3 hidden layers')")
        may_go.set()
        page.wait("app.frame['hidden_2.weight']")
        page.wait("app.frame.step > 0 && document.getElementById('veil').hidden")
        page.close()


def test_the_files_of_the_page_are_small():
    folder = Path(__file__).parents[2] / "jaxnets" / "playground" / "static"
    sizes = {path.name: len(path.read_text().splitlines()) for path in folder.glob("*.js")}
    assert max(sizes.values()) <= 350
