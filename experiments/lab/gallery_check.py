"""Checks the gallery in headless Chromium: images, console errors, horizontal scroll bars."""

import html
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from jaxnets.storage.atomic import write_text

from .run import COMMAND, RESULTS

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (360, 768, 1280)
"""Of a phone, a tablet and a laptop, in CSS pixels."""
LARGEST = 15e6
"""Bytes of the page and its images."""
WATCH = """<script>
const errors = [];
addEventListener("error", e => errors.push(e.message || "cannot load " + e.target.src), true);
</script>
"""
REPORT = """<script>
addEventListener("load", () => setTimeout(() => parent.postMessage({
  width: innerWidth,
  wide: document.documentElement.scrollWidth,
  images: [...document.images].filter(i => !i.naturalWidth).map(i => i.getAttribute("src")),
  count: document.images.length,
  errors: errors,
}, "*"), 200));
</script>
"""
FRAMES = """<!doctype html><meta charset="utf-8"><pre id="found"></pre><script>
const found = [];
addEventListener("message", e => {{
  found.push(e.data);
  document.getElementById("found").textContent = JSON.stringify(found);
}});
</script>
{frames}
"""


def main(results: Path = RESULTS) -> int:
    """Prints what is wrong with the gallery; returns 1 if anything is."""
    page = results / "index.html"
    if not page.exists():
        raise FileNotFoundError(f"{page} is missing: run `{COMMAND} gallery` first")
    wrong = list(problems(page))
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"{page}: nothing wrong at {', '.join(map(str, WIDTHS))} pixels")
    return int(bool(wrong))


def problems(page: Path) -> Iterator[str]:
    """Yields what is wrong with a page and its images, one line each."""
    seen = open_in_browser(page)
    if sorted(view["width"] for view in seen) != sorted(WIDTHS):
        yield f"the browser showed the widths {[view['width'] for view in seen]}, not {WIDTHS}"
    for view in seen:
        at = f"at {view['width']} pixels"
        if view["wide"] > view["width"]:
            yield f"{at} the page is {view['wide']} pixels wide: a horizontal scroll bar"
        yield from (f"{at} the image {name} is missing" for name in view["images"])
        yield from (f"{at} the console says: {error}" for error in view["errors"])
        if not view["count"]:
            yield f"{at} there is no image"
    images = re.findall(r'<img src="([^"]+)"', page.read_text(encoding="utf-8"))
    files = [page, *(page.parent / name for name in images)]
    size = sum(file.stat().st_size for file in files if file.exists())
    if size > LARGEST:
        yield f"page and images have {size / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}"


def find_chromium(what: str) -> str:
    """Returns the path of the machine's Chromium.

    Raises:
        FileNotFoundError: none is installed; the message says what it is needed for.
    """
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        raise FileNotFoundError(f"no Chromium to open {what} in: apt install chromium")
    return path


def open_in_browser(page: Path) -> list[dict]:
    """Opens a copy of the page in a frame of each of `WIDTHS` and returns their reports.

    Raises:
        FileNotFoundError: no Chromium.
        RuntimeError: Chromium fails.
    """
    browser = find_chromium("the gallery")
    text = page.read_text(encoding="utf-8")
    copy, frames = page.with_name("check.html"), page.with_name("frames.html")
    tags = "".join(
        f'<iframe src="{copy.name}" width="{width}" height="900" frameborder="0"></iframe>\n'
        for width in WIDTHS
    )
    with tempfile.TemporaryDirectory() as profile:
        try:
            write_text(copy, text.replace("<title>", WATCH + "<title>", 1) + REPORT)
            write_text(frames, FRAMES.format(frames=tags))
            options = ["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
            options += [f"--user-data-dir={profile}", "--virtual-time-budget=20000"]
            options += ["--allow-file-access-from-files", frames.resolve().as_uri()]
            ran = subprocess.run([browser, *options], capture_output=True, text=True, timeout=120)
        finally:
            copy.unlink(missing_ok=True)
            frames.unlink(missing_ok=True)
    found = re.search(r'<pre id="found">(.*?)</pre>', ran.stdout, re.DOTALL)
    if ran.returncode or not found or not found[1]:
        raise RuntimeError(f"{browser} ended with {ran.returncode}: {ran.stderr[-500:]}")
    return json.loads(html.unescape(found[1]))
