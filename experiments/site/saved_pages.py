"""The presets of the playground as pages that are saved while their networks train."""

import base64
import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.parallel.devices import cache_compilations
from jaxnets.playground.arguments import rates_of
from jaxnets.playground.config import from_address
from jaxnets.playground.ensemble import Ensemble
from jaxnets.playground.frames import packed
from jaxnets.playground.page import static_files
from jaxnets.playground.presets import ROWS, presets
from jaxnets.playground.session import walk
from jaxnets.playground.weights import read_tree
from jaxnets.storage.atomic import write_text

from .navigation import slug

INDEX = "playground/index.md"
UPDATES, RECORDS = 3000, 60
"""Of each preset: updates before its page is saved, and points of its curves."""
PARTS = 3
"""Training, validation and test samples have a curve each."""
PLACEHOLDER = (
    '<!doctype html><html lang="en"><meta name="viewport" content="width=device-width">'
    "<title>{title} (not trained)</title><h1>{title}</h1><p>make site trains these networks."
)
IMPORT = re.compile(r'(from|import) "\./(\w+)\.js"')


def page(title: str) -> str:
    """Returns the place of a preset's page in the site."""
    return f"playground/{slug(title)}.html"


def index() -> dict[str, str]:
    """Returns the Markdown of the page that lists the presets."""
    rows = [f"| [{title}]({slug(title)}.html) | {text} |" for title, text, _ in ROWS]
    head = (
        "---\ntitle: Saved pages of the playground\n---\n# Playground\n\n"
        f"Each page has the networks of a preset after {UPDATES} updates and needs no server: "
        "their weights can be read, and one sample can be walked through both passes. "
        "`make playground` trains them live.\n\n"
    )
    return {
        INDEX: head + "\n".join(["| page | what there is to see |", "| --- | --- |", *rows, ""])
    }


def make(folder: Path, run: bool = True) -> dict[str, str]:
    """Returns the presets' pages by their place; they are saved in a folder for the next time.

    Without `run` they say how they are made, and no network trains.
    """
    if not run:
        return {page(title): PLACEHOLDER.format(title=title) for title, _, _ in ROWS}
    cache_compilations()
    folder.mkdir(parents=True, exist_ok=True)
    sources = b"".join(content for _, _, content in static_files())
    found = {}
    for title, _, address in ROWS:
        name = hashlib.sha256(sources + f"{address} {UPDATES}".encode()).hexdigest()[:16]
        path = folder / f"{name}.html"
        if not path.is_file():
            write_text(path, saved_page(title))
        found[page(title)] = path.read_text(encoding="utf-8")
    return found


def saved_page(title: str) -> str:
    """Returns the page that the playground saves of a preset after `UPDATES` updates."""
    preset = next(preset for preset in presets() if preset["title"] == title)
    config = from_address(preset["address"])
    networks = Ensemble(config)
    if preset["weights"]:
        one = read_tree(preset["weights"])
        networks.load({name: {k: v[None] for k, v in layer.items()} for name, layer in one.items()})
    history = [_record(networks)]
    for _ in range(0 if preset["weights"] else RECORDS):
        networks.advance(UPDATES // RECORDS)
        history.append(_record(networks))
    head, blobs = networks.frame(0)
    walked = walk(networks, 0, {"sample": 0})
    state = {
        "config": asdict(config),
        "member": 0,
        "view": "mine" if preset["weights"] else "mean",
        "history": history,
        "sample": 0,
        "frame": base64.b64encode(packed(head, blobs)).decode(),
        "x": blobs["x"].ravel().tolist(),
        "y": blobs["y"].ravel().tolist(),
        "rate": float(rates_of(config)[0].learning_rate[0]),
        "params": walked["params"],
        "optimizer": walked["optimizer"],
    }
    return _assembled(state)


def _record(networks: Ensemble) -> dict[str, Any]:
    """A point of the curves: percentiles of the networks that are finite, for each part."""
    head, blobs = networks.frame(0)
    finite = blobs["finite"].astype(bool)
    rows = {
        name: [percentiles(part[finite]) for part in blobs[name].reshape(PARTS, -1)]
        for name in ("loss", "accuracy")
    }
    return {"step": head["step"], "data": head["data"]} | rows


def percentiles(values: np.ndarray) -> list[float | None]:
    """Returns the 10th, 50th and 90th percentile as `static/link.js` does; None of no numbers."""
    found = np.sort(values[np.isfinite(values)])
    at = [min(len(found) - 1, int(share * len(found))) for share in (0.1, 0.5, 0.9)]
    return [float(found[i]) for i in at] if len(found) else [None, None, None]


def _assembled(state: dict[str, Any]) -> str:
    """The page with its style, its modules and a state inside, as `static/share.js` saves it."""
    files = {name: content.decode() for name, _, content in static_files()}
    imports = {
        name.removesuffix(".js"): "data:text/javascript;base64,"
        + base64.b64encode(re.sub(IMPORT, r'\1 "\2"', text).encode()).decode()
        for name, text in files.items()
        if name.endswith(".js")
    }
    script = (
        f'<script type="importmap">{_in_script({"imports": imports})}</script>'
        f'<script type="application/json" id="saved">{_in_script(state)}</script>'
        '<script type="module">import "main";</script>'
    )
    style = f"<style>{files['style.css']}</style>"
    text = files[""].replace('<link rel="stylesheet" href="style.css">', style)
    return text.replace('<script type="module" src="main.js"></script>', script)


def _in_script(value: Any) -> str:
    """Returns JSON in which no script element can end."""
    return json.dumps(value, allow_nan=False).replace("<", "\\u003c")
