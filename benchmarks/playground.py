"""The playground: 64 networks 2-8-8-1 at ten updates a frame, and against linked node objects.

A frame is asked over HTTP from the server that `make playground` starts, and drawn in headless
Chromium. The peer is the algorithm of TensorFlow Playground (Smilkov and Carter, 2016), sample by
sample and one network after another, in one thread of Node (`linked_nodes.mjs`).
"""

import atexit
import contextlib
import http.client
import importlib.util
import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.harness import FOLDER, Contender, Goal, Race

UPDATES, FRAMES, ROUNDS = 10, 60, 7
STEPS = 200
"""Updates of every network in a run of the race against node objects."""
PLAIN = "optimizer=sgd&learning_rate=0.03"
NODE_PROGRAM = Path(__file__).with_name("linked_nodes.mjs")
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")


@contextlib.contextmanager
def _served() -> Iterator[str]:
    """Starts the server as a user does; yields the address that it prints."""
    command = [sys.executable, "-m", "jaxnets.playground", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=FOLDER) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


class _Client:
    """Asks for frames over one connection, as a page does."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        assert parts.hostname is not None
        self.line = http.client.HTTPConnection(parts.hostname, parts.port)
        self.path, self.known = f"{parts.path}frame", None

    def frame(self, updates: int) -> tuple[dict[str, Any], int]:
        """Returns the head of a frame, and how many bytes it has."""
        from jaxnets.playground.frames import unpacked

        asked = {"session": "race", "config": {}, "updates": updates, "known": self.known}
        self.line.request(
            "POST", self.path, json.dumps(asked), {"Content-Type": "application/json"}
        )
        body = self.line.getresponse().read()
        head, _ = unpacked(body)
        self.known = head.get("data", self.known)
        return head, len(body)

    def wait(self) -> None:
        """Waits until nothing compiles, neither what is shown nor what is a click away."""
        while True:
            head, _ = self.frame(0)
            state = head.get("programs", {"busy": True})
            if not state["busy"] and not state["waiting"]:
                return
            time.sleep(0.2)


def over_http() -> Callable[[], dict]:
    """Asks for frames of ten updates, as the page does, without drawing them."""
    client = _Client(_until_exit(_served()))
    client.wait()

    def run() -> dict:
        client.line.close()  # the server closes a connection that waits for its turn
        start = time.perf_counter()
        found = [client.frame(UPDATES) for _ in range(FRAMES)]
        seconds = (time.perf_counter() - start) / FRAMES
        parts = {
            part: f"{statistics.median(head[part] for head, _ in found):.1f} ms"
            for part in ("train_ms", "frame_ms")
        }
        return {
            "seconds": seconds,
            "frames a second": round(1 / seconds, 1),
            "server trains": parts["train_ms"],
            "server draws": parts["frame_ms"],
            "kB": round(found[-1][1] / 1e3),
        }

    return run


DRAW = """async (count) => {
    const { app } = await import("./main.js");
    const { decode, receive } = await import("./link.js");
    const [raw, start] = [app.frame.raw, performance.now()];
    for (let i = 0; i < count; i++) receive(decode(raw));
    return (performance.now() - start) / 1e3 / count;
}"""
IDLE = """async () => {
    const programs = (await import("./main.js")).app.frame?.programs;
    return programs && !programs.busy.length && !programs.waiting;
}"""
SPEED = "async () => (await import('./link.js')).speed.fps"


def in_chromium(path: str) -> Callable[[], dict]:
    """Trains in a page at ten updates a frame, then times the page's own work for a frame."""
    from playwright.sync_api import sync_playwright

    address, api = _until_exit(_served()), _until_exit(sync_playwright())
    browser = api.chromium.launch(executable_path=path, args=[*FLAGS])
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    while not page.evaluate(IDLE):
        page.wait_for_timeout(200)
    page.select_option("#pace", str(UPDATES))

    def run() -> dict:
        page.click("#play")
        page.wait_for_timeout(3000)
        speed = page.evaluate(SPEED)
        page.click("#play")
        seconds = page.evaluate(DRAW, FRAMES)
        return {"seconds": seconds, "frames a second while training": round(speed, 1)}

    return run


def _until_exit(context: Any) -> Any:
    """Enters a context that ends with the process."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(context)


def _ensemble() -> Any:
    from jaxnets.playground import Ensemble, from_address

    return Ensemble(from_address(PLAIN))


def at_once() -> Callable[[], dict]:
    """Trains the 64 networks of the page together."""
    import numpy as np

    networks = _ensemble()

    def run() -> dict:
        networks.restart()
        start = time.perf_counter()
        networks.advance(STEPS)
        seconds = time.perf_counter() - start
        return {"seconds": seconds, **_speed(seconds), "loss": float(np.mean(_losses(networks)))}

    return run


def node_objects(node: str) -> Callable[[], dict]:
    """Trains the same 64 networks from the same weights, one after another, in Node."""
    import numpy as np

    networks = _ensemble()
    config, data = networks.config, networks.data
    rows = np.random.default_rng(0).integers(int(data["train"]), size=(STEPS, config.batch))
    asked = problem(networks, range(config.networks), rows, warm=8)

    def run() -> dict:
        found = in_node(node, asked)
        layers = [dict(zip(networks.params(), own, strict=True)) for own in found["networks"]]
        stacked = {
            name: {part: np.stack([own[name][part] for own in layers]) for part in layer}
            for name, layer in networks.params().items()
        }
        networks.load(stacked)
        seconds = found["seconds"]
        return {"seconds": seconds, **_speed(seconds), "loss": float(np.mean(_losses(networks)))}

    return run


def problem(networks: Any, members: Any, rows: Any, warm: int = 0) -> dict[str, Any]:
    """Writes networks of the page, their points and batches as `linked_nodes.mjs` reads them."""
    from jaxnets.playground.weights import columns_of

    params, config = networks.params(), networks.config
    return {
        "networks": [
            [{part: leaf[m].tolist() for part, leaf in layer.items()} for layer in params.values()]
            for m in members
        ],
        "x": networks.data["x"][:, columns_of(config)].tolist(),
        "y": networks.data["y"].tolist(),
        "batches": rows.tolist(),
        "rate": config.learning_rate,
        "warm": warm,
    }


def in_node(node: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Runs `linked_nodes.mjs`: the seconds without its start, and the weights."""
    done = subprocess.run(
        [node, str(NODE_PROGRAM)],
        input=json.dumps(asked),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _losses(networks: Any) -> Any:
    return networks.frame(0)[1]["loss"][0]


def _speed(seconds: float) -> dict[str, int]:
    return {"updates a second": round(64 * STEPS / seconds)}


def found_node() -> str | None:
    """Returns the path of Node, if it is installed."""
    return _found("node", "nodejs")


def _found(*names: str) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def thirty_a_second() -> Callable[[], float]:
    """Takes no time: a thirtieth of a second is what a frame may take."""
    return lambda: 1 / 30


def _frames() -> Race:
    title = f"playground, a frame with {UPDATES} updates of 64 networks 2-8-8-1"
    http, goal = "jaxnets, a frame over HTTP", "30 frames a second, for comparison"
    fewer, path = "fewer networks or updates a frame", _found(*CHROMIUM)
    missing = "" if path else "needs Chromium"
    if importlib.util.find_spec("playwright") is None:
        missing = "needs Playwright, of the extra dev"
    contenders = [
        Contender(http, f"{__name__}:over_http"),
        Contender(
            "the page's own work for a frame, in Chromium",
            f"{__name__}:in_chromium",
            {"path": path},
            missing=missing,
        ),
        Contender(goal, f"{__name__}:thirty_a_second"),
    ]
    return Race(
        title,
        contenders,
        [Goal(http, goal, at_most=1.0, instead=fewer)],
        ROUNDS,
        "playground-frame",
    )


def _updates() -> Race:
    title = f"playground, {STEPS} updates of 64 networks 2-8-8-1, batch 16"
    ours, peer = "jaxnets, all at once", "TensorFlow Playground's algorithm in Node, 1 thread"
    node = found_node()
    contenders = [
        Contender(ours, f"{__name__}:at_once"),
        Contender(
            peer,
            f"{__name__}:node_objects",
            {"node": node},
            missing="" if node else "needs Node: apt install nodejs",
        ),
    ]
    return Race(title, contenders, [Goal(ours, peer, at_least=5)], ROUNDS, "playground-updates")


RACES = [_frames, _updates]
