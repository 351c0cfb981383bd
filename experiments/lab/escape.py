"""Texts from results as HTML and Markdown, where they can be nothing but text."""

import html
import re
import unicodedata
from typing import Any

LINKS = re.compile(r"\](?=\s*[(\[:])")
"""A bracket that could end the text of a link, an image or a footnote."""
SPECIAL = re.compile(r"[\\`|]")


def as_html(value: Any) -> str:
    """Returns a value as the text of an element, or of an attribute in quotes."""
    return html.escape(_visible(str(value)))


def as_markdown(value: Any) -> str:
    """Returns a value as text within a line of Markdown, such as a cell of a table.

    Tags, entities, links, code and further columns cannot begin in it.
    """
    text = " ".join(SPECIAL.sub(r"\\\g<0>", _visible(str(value))).split())
    text = LINKS.sub(r"\\]", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def cells_of(line: str) -> list[str]:
    """Returns the cells of a row of a Markdown table as the texts that `as_markdown` got.

    Example:
        >>> cells_of(f"| {as_markdown('a|b')} | {as_markdown('<2>')} |")
        ['a|b', '<2>']
    """
    cells = re.split(r"(?<!\\)\|", line)[1:-1]
    return [html.unescape(re.sub(r"\\([\\`|\]])", r"\1", cell.strip())) for cell in cells]


def _visible(text: str) -> str:
    """Replaces what no reader would see: controls, surrogates, and what turns the direction."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isspace():
        return character if character == "\n" else " "
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs")
    return "\N{REPLACEMENT CHARACTER}" if hidden and character not in "\u200c\u200d" else character
