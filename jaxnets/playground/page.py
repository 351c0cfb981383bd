"""The files of the page, and what it must know of this program."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from importlib import resources
from typing import Any

from jaxnets.playground import config, frames, problems
from jaxnets.playground.config import Config
from jaxnets.playground.presets import presets

KINDS = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
}


def schema() -> dict[str, Any]:
    """Returns the choices, limits and sizes that the page and this program share."""
    return {
        "default": asdict(Config()),
        "choices": config.CHOICES,
        "limits": config.LIMITS,
        "features": [*problems.FEATURES],
        "kinds": {name: problem.kind for name, problem in problems.PROBLEMS.items()},
        "losses": config.FITTING,
        "wide": config.WIDE,
        "deepest": config.DEEPEST,
        "deepest_wide": config.DEEPEST_WIDE,
        "classes": config.MOST_CLASSES,
        "points": problems.MOST_POINTS,
        "largest_own": problems.LARGEST_OWN,
        "steps_per_unit": problems.STEPS_PER_UNIT,
        "edge": problems.EDGE,
        "grid": frames.GRID,
        "small": frames.SMALL,
        "height": frames.HEIGHT,
        "presets": presets(),
    }


def static_files() -> Iterator[tuple[str, str, bytes]]:
    """Yields name, content type and content of every file; the page itself has the empty name."""
    for file in resources.files("jaxnets.playground").joinpath("static").iterdir():
        kind = KINDS.get(file.name.rpartition(".")[2])
        if kind:
            yield "" if file.name == "index.html" else file.name, kind, file.read_bytes()
    yield "schema.js", KINDS["js"], f"export default {json.dumps(schema())};\n".encode()
