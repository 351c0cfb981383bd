"""The last step of a page: formulas as MathML, and our scripts inside."""

import re
from pathlib import Path

from . import formulas

STATIC = Path(__file__).with_name("static")
STYLE = (STATIC / "lectures.css").read_text(encoding="utf-8")
SCRIPTS = {"</body>": "people.js", 'class="curves"': "curves.js", 'class="filters"': "gallery.js"}
"""What a page has if it needs a script. A page from the disk cannot import one."""
SECTION = re.compile(r'(<nav class="md-nav" data-md-level="1") aria-labelledby="__nav_(\d+)_label"')
"""A section of the menu, whose name its tab has already."""


def finished(text: str) -> str:
    """Returns the HTML of a page with its formulas and scripts."""
    text = SECTION.sub(r'\1 aria-label="Pages of section \2"', formulas.as_mathml(text))
    scripts = [name for mark, name in SCRIPTS.items() if mark in text]
    tags = "".join(
        f'<script type="module">\n{(STATIC / name).read_text(encoding="utf-8")}</script>\n'
        for name in scripts
    )
    before, body, after = text.rpartition("</body>")
    return f"{before}{tags}{body}{after}"
