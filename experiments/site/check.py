"""`python -m experiments.site.check FOLDER`: opens every page of the site in headless Chromium.

From the disk each page is looked at in three widths, ten of them by axe in light and dark, and the
search is used; then some pages come from a folder of a web server.
"""

import argparse
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import resources
from pathlib import Path
from typing import Any

from ..lab.gallery_check import WIDTHS, find_chromium

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
LARGEST = 40e6
"""Bytes of all pages and pictures."""
AXE = (
    *("index.html", "start.html", "how-to.html", "gallery.html", "lectures/l0.html"),
    *("lectures/l3.html", "scorecard/index.html", "api/training.html"),
    *("tutorials/first_network.html", "playground/index.html"),
)
"""The pages that axe looks at, in light and in dark."""
QUERIES = ("fit", "dropout", "Rosenbrock")
THEMES = ("light", "dark")
PATIENCE = 15_000
"""Milliseconds for the search."""
SETTLED = """async (width) => {
  const wide = () => document.documentElement.scrollWidth;
  for (let i = 0; i < 20 && wide() > width; i++) await new Promise((r) => setTimeout(r, 50));
  return wide();
}"""
"""How wide a page is, once it has drawn itself at another width."""
RESULTS = re.compile(r"^\s*[1-9]\d* results?\s*$")
"""What the search says if it finds something."""


def main() -> int:
    """Prints what is wrong with the site; returns 1 if anything is."""
    parser = argparse.ArgumentParser(prog="python -m experiments.site.check", description=__doc__)
    parser.add_argument("folder", type=Path, help="of the HTML")
    folder = parser.parse_args().folder.absolute()
    if not (folder / "index.html").is_file():
        raise FileNotFoundError(f"{folder / 'index.html'} is missing: run `make site` first")
    with chromium() as browser:
        wrong = [*size(folder), *look(browser, folder), *people(browser, folder)]
        wrong += [*search(browser, folder.as_uri()), *served(browser, folder)]
    for line in wrong:
        print(line, file=sys.stderr)
    if not wrong:
        print(f"{folder}: nothing wrong on {len(_pages(folder))} pages at {WIDTHS} pixels")
    return int(bool(wrong))


@contextmanager
def chromium() -> Iterator[Any]:
    """Starts the Chromium of the machine.

    Raises:
        FileNotFoundError: there is none.
    """
    from playwright.sync_api import sync_playwright

    path = find_chromium("the site")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield browser
        browser.close()


class Visit:
    """A page of the browser that notes what the console says and what is asked for outside."""

    def __init__(self, browser: Any, inside: str, theme: str = "light") -> None:
        self.page = browser.new_context(color_scheme=theme).new_page()
        self.notes: list[str] = []
        self.page.on("pageerror", lambda error: self.notes.append(f"error: {error}"))
        self.page.on("console", self._said)
        self.page.on("request", partial(self._asked, inside))
        self.page.on("requestfailed", self._failed)

    def open(self, address: str) -> list[str]:
        """Opens a page, and returns what was noted."""
        self.notes.clear()
        self.page.goto(address, wait_until="load")
        return self.notes

    def _said(self, message: Any) -> None:
        if message.type == "error":
            self.notes.append(f"the console says: {message.text[:200]}")

    def _failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # what the next page interrupts
            self.notes.append(f"cannot load {request.url[:200]}")

    def _asked(self, inside: str, request: Any) -> None:
        if not request.url.startswith((inside, "data:", "blob:")):
            self.notes.append(f"asks for {request.url[:200]}")


def _pages(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.html"))


def size(folder: Path) -> Iterator[str]:
    """Yields a line if the site is too large."""
    found = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if found > LARGEST:
        yield f"the site has {found / 1e6:.1f} MB, more than {LARGEST / 1e6:.0f}"


def look(browser: Any, folder: Path) -> Iterator[str]:
    """Yields what is wrong with each page from the disk: its console, requests and widths."""
    visit = Visit(browser, folder.as_uri())
    for path in _pages(folder):
        name = path.relative_to(folder).as_posix()
        yield from (f"{name}: {note}" for note in visit.open(path.as_uri()))
        for width in WIDTHS:
            visit.page.set_viewport_size({"width": width, "height": 900})
            wide = visit.page.evaluate(SETTLED, width)
            if wide > width:
                yield f"{name}: at {width} pixels it is {wide} pixels wide"


def people(browser: Any, folder: Path) -> Iterator[str]:
    """Yields what axe finds on the pages of `AXE`, in light and in dark."""
    source = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    for theme in THEMES:
        visit = Visit(browser, folder.as_uri(), theme)
        for name in AXE:
            visit.open((folder / name).as_uri())
            visit.page.evaluate(
                "document.querySelectorAll('details').forEach((d) => (d.open = true))"
            )
            visit.page.evaluate(source)
            for found in visit.page.evaluate("axe.run().then((result) => result.violations)"):
                where = found["nodes"][0]["html"][:160]
                yield f"{name}, {theme}: {found['id']} ({len(found['nodes'])}): {where}"


def search(browser: Any, address: str) -> Iterator[str]:
    """Yields the words that the search does not find."""
    from playwright.sync_api import TimeoutError

    visit = Visit(browser, address)
    for query in QUERIES:
        notes = visit.open(f"{address}/index.html")
        visit.page.set_viewport_size({"width": 1280, "height": 900})
        visit.page.keyboard.press("/")
        visit.page.wait_for_timeout(300)
        visit.page.keyboard.type(query)
        try:
            visit.page.get_by_text(RESULTS).first.wait_for(timeout=PATIENCE)
        except TimeoutError as error:
            yield f"the search does not find {query!r}: {str(error)[:100]}"
        yield from (f"the search for {query!r}: {note}" for note in notes)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serves the parent of a folder, so that the site is not at the root; yields its address."""
    handler = partial(_Quiet, directory=str(folder.parent))
    with _Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{folder.name}"
        server.shutdown()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a page that was left before it had all its files."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def served(browser: Any, folder: Path) -> Iterator[str]:
    """Yields what is wrong with the pages that come from a folder of a server."""
    with serve(folder) as address:
        visit = Visit(browser, address)
        for name in AXE:
            yield from (f"served {name}: {note}" for note in visit.open(f"{address}/{name}"))
        yield from (f"served: {line}" for line in search(browser, address))


if __name__ == "__main__":
    sys.exit(main())
