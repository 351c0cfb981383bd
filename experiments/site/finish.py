"""The last step of a page: formulas as MathML, and our scripts inside."""

import html
import re
from pathlib import Path

STATIC = Path(__file__).with_name("static")
STYLE = (STATIC / "lectures.css").read_text(encoding="utf-8")
SCRIPTS = {"</body>": "people.js", 'class="curves"': "curves.js", 'class="filters"': "gallery.js"}
"""What a page has if it needs a script. A page from the disk cannot import one."""
SECTION = re.compile(r'(<nav class="md-nav" data-md-level="1") aria-labelledby="__nav_(\d+)_label"')
"""A section of the menu, whose name its tab has already."""
LONG = 50
"""Characters of TeX in a line beyond which a formula scrolls by itself on a phone."""
FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.S
)


def finished(text: str) -> str:
    """Returns the HTML of a page with its formulas and scripts."""
    text = SECTION.sub(r'\1 aria-label="Pages of section \2"', FORMULA.sub(_mathml, text))
    scripts = [name for mark, name in SCRIPTS.items() if mark in text]
    tags = "".join(
        f'<script type="module">\n{(STATIC / name).read_text(encoding="utf-8")}</script>\n'
        for name in scripts
    )
    before, body, after = text.rpartition("</body>")
    return f"{before}{tags}{body}{after}"


def _mathml(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert  # of the extra docs

    tex = html.unescape(match["tex"]).strip()
    if match["open"] == "[":
        return convert(tex, display="block")
    formula = convert(tex, display="inline")
    return f'<span class="long">{formula}</span>' if len(tex) > LONG else formula
