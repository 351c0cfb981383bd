"""One browser and one server for each file, and a page of its own for each test."""

import pytest

from tests.support.browser import SMALL, Page, chromium, served


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
