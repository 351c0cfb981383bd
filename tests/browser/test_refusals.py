"""What the page does when it is refused, and with points that are not what they seem."""

import numpy as np
import pytest

from jaxnets.playground.session import MOST_SESSIONS
from tests.support.browser import Page, chromium, served

SMALL = "problem=xor&widths=3-2&networks=4&batch=16&n=60"


@pytest.fixture(scope="module")
def page():
    with chromium() as browser, served() as server:
        found = Page(browser, server.address).open(SMALL)
        found.sessions = server.sessions
        yield found
        found.close()


def test_networks_that_newer_pages_displaced_are_drawn_again_by_reset(page):
    page.train(10)
    for i in range(MOST_SESSIONS):
        page.sessions.get(f"newer {i}")
    page.page.click("#step")
    page.wait("document.getElementById('error').textContent.includes('press Reset')")
    page.errors.clear()  # the console notes the refusal as well
    page.page.click("#reset")
    page.wait("app.frame.step === 0")
    assert page.error() == ""
    page.train(10)
    assert page.value("app.frame.step") == 10


PASTED = {
    "commas": "x,y,label\n1,2,cat\n3,4.5,dog\n",
    "semicolons and decimal commas": "1;2;cat\n3;4,5;dog",
    "tabs and a name of two words": "1\t2\ta cat\n3\t4.5\ta dog",
    "blanks": "  1   2  0\n\n  3   4.5  7",
    "quoted": '"x","y","label"\r\n"1","2","cat"\r\n"3","4.5","dog"\r\n',
    "blanks and decimal commas": "1 2,0 cat\n3 4,5 dog",
    "commas, blanks and decimal commas": "1,0, 2,0, cat\n3,0, 4,5, dog",
    "more columns": "1,2,cat,9\n3,4.5,dog,9",
}


@pytest.mark.parametrize("row", PASTED)
def test_points_are_read_whatever_parts_them(page, row):
    """Two points, two to the right and 2.5 up, of two classes."""
    page.page.evaluate("set({ problem: 'own', own: [] })")
    paste(page, PASTED[row])
    own = np.array(page.value("app.config.own"))
    assert own[:, 2].tolist() == [0, 1]
    np.testing.assert_allclose(own[1, :2] - own[0, :2], [2 * 1600 / 1.25, 2 * 1600], atol=1)
    assert page.error() == ""


WRONG = {
    "a cell that is empty": ("1,2,cat\n3,,4,dog", "Line 2 is “3,,4,dog”"),
    "a word for a number": ("x,y,label\n1,2,cat\n\n3,four,dog", "Line 4 is"),
    "a line that is short": ("1,2,cat\n3,4", "Line 2 is"),
    "no class": ("1,2,cat\n3,4,", "Line 2 is"),
    "one class too many": ("\n".join(f"{i},{i},{i}" for i in range(7)), "at most 6"),
}


@pytest.mark.parametrize("row", WRONG)
def test_lines_that_are_no_points_are_named(page, row):
    text, sentence = WRONG[row]
    before = page.value("JSON.stringify(app.config)")
    paste(page, text)
    assert sentence in page.error()
    assert page.value("JSON.stringify(app.config)") == before


def test_a_file_that_is_too_long_is_not_cut(page, tmp_path):
    path = tmp_path / "long.csv"
    path.write_text(f"1,2,cat{' ' * 200_000}\n3,4,dog")
    page.page.set_input_files("#file", path)
    page.wait("document.getElementById('error').textContent.includes('at most 200,000')")


def paste(page, text):
    page.page.evaluate("document.getElementById('owner').open = true")
    page.page.fill("#paste", text)
    page.page.click("#use")
