"""Chromium for tests of the playground: a served page, what it says, and what it asks for."""

import shutil
import threading
from contextlib import contextmanager
from importlib import resources
from unittest import mock

import pytest

from experiments.lab.gallery_check import BROWSERS
from jaxnets.playground import session
from jaxnets.playground.ensemble import SHARED
from jaxnets.playground.server import Server

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-quic"),
)
SMALL = "problem=xor&widths=3-2&networks=4&batch=16&n=60"
EXPOSE = """import("./main.js").then((main) => { window.app = main.app; window.set = main.set; })"""
UNTIL = """async (seconds) => {
    const until = performance.now() + 1000 * seconds;
    while (!(await (EXPRESSION))) {
        if (performance.now() > until) return false;
        await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return true;
}"""


@contextmanager
def chromium():
    """Starts the browser of the system, or skips the test and says why."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("Chromium is not installed: apt install chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*FLAGS])
        yield browser
        browser.close()


@contextmanager
def served(programs=SHARED):
    """Serves the page from a thread; only what a page needs is compiled, not what a click might."""
    nothing = mock.patch.object(session, "neighbours", return_value=[])
    with nothing, Server(programs=programs) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Page:
    """A page of the playground that notes its errors and its requests."""

    def __init__(self, browser, address, width=1280, height=900, theme="light", **options):
        self.address = address
        self.context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            accept_downloads=True,
            **options,
        )
        self.page = self.context.new_page()
        self.errors, self.requests, self.answered, self.is_refused = [], [], 0, False
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.note(m.text))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfinished", self._count)
        self.page.on("requestfailed", self._count)

    def note(self, text):
        """Notes what the console says."""
        self.errors.append(text)

    def _count(self, request):
        self.answered += 1

    def open(self, state=""):
        """Opens an address with that state, and waits for the first frame."""
        self.page.goto("about:blank")  # an address that differs after # alone is not loaded again
        self.page.goto(f"{self.address}#{state}")
        self.page.evaluate(EXPOSE)
        self.wait("window.app && app.frame !== null")
        return self

    def wait(self, expression, seconds=90):
        """Waits until an expression of the page is true; the page itself looks, often."""
        found = self.page.evaluate(UNTIL.replace("EXPRESSION", expression), seconds)
        assert found, (expression, self.error(), self.errors)

    def settle(self):
        """Waits until a frame of the current configuration has come."""
        self.page.evaluate("set({})")
        self.wait("app.frame.config === app.config")

    def idle(self):
        """Waits until every request is answered, and the page has drawn what came."""
        for _ in range(2):
            self.value("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
            while self.answered < len(self.requests):
                self.page.wait_for_timeout(10)

    def value(self, expression):
        return self.page.evaluate(expression)

    def train(self, updates):
        """Presses Step until so many updates are taken."""
        self.page.select_option("#pace", "100" if updates >= 100 else "10")
        while self.value("app.frame.step") < updates:
            step = self.value("app.frame.step")
            self.page.click("#step")
            self.wait(f"app.frame.step > {step}")

    def refused(self, text):
        """Waits until the page shows a refusal with this text; the console notes each as well."""
        self.is_refused = True
        self.wait(f"document.getElementById('error').textContent.includes({text!r})")

    def error(self):
        return self.page.inner_text("#error")

    def download(self, selector):
        """Clicks on what saves a file; returns its name and its bytes."""
        with self.page.expect_download() as found:
            self.page.click(selector)
        with open(found.value.path(), "rb") as file:
            return found.value.suggested_filename, file.read()

    def violations(self):
        """What axe finds: rule, impact and the first element of each."""
        pytest.importorskip("axe_playwright_python", reason="axe is not installed")
        source = resources.files("axe_playwright_python").joinpath("axe.min.js")
        if not self.value("typeof axe === 'object'"):
            self.page.evaluate(source.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run().then((r) => r.violations)")
        return [(v["id"], v["impact"], v["nodes"][0]["html"][:160]) for v in found]

    def close(self):
        """Closes the page, and checks that nothing went wrong and nothing was asked elsewhere."""
        self.context.close()
        refusals = [text for text in self.errors if self.is_refused and "status of 400" in text]
        assert [text for text in self.errors if text not in refusals] == []
        known = (self.address, "data:", "blob:")
        assert [url for url in self.requests if not url.startswith(known)] == []
