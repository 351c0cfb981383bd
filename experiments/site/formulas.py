"""Formulas in TeX as MathML for the pages, and as plain text for what the search shows."""

import html
import re
from xml.etree import ElementTree

LONG = 50
"""Characters of TeX in a line beyond which a formula scrolls by itself on a phone."""
ON_PAGE = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\(?P<open>[(\[])(?P<tex>.*?)\\[)\]]</(?P=tag)>', re.S
)
IN_SEARCH = re.compile(r"<code>.*?</code>|\\[(\[](?P<tex>.*?)\\[)\]]", re.S)
"""A formula of a text for the search; code is found first, so that it stays."""
NAMESPACE = re.compile(r"\{.*\}")
BETWEEN = {"mfrac": "/", "msub": "_", "munder": "_", "msup": "^", "mtr": ", ", "mtable": "; "}
"""What stands between the parts of an element of MathML in plain text."""


def as_mathml(page: str) -> str:
    """Returns the HTML of a page with its formulas as MathML."""
    return ON_PAGE.sub(_mathml, page)


def _mathml(match: re.Match[str]) -> str:
    from latex2mathml.converter import convert  # of the extra docs

    tex = html.unescape(match["tex"]).strip()
    if match["open"] == "[":
        return convert(tex, display="block")
    formula = convert(tex, display="inline")
    return f'<span class="long">{formula}</span>' if len(tex) > LONG else formula


def readable(text: str) -> str:
    """Returns a text for the search with its formulas as plain text."""
    return IN_SEARCH.sub(_readable, text)


def _readable(match: re.Match[str]) -> str:
    tex = match["tex"]
    return match[0] if tex is None else html.escape(as_text(html.unescape(tex)), quote=False)


def as_text(tex: str) -> str:
    r"""Returns a formula in one line of plain text: `\frac{a}{b}` as "a/b", `x_i^2` as "x_i^2".

    Example:
        >>> as_text(r"\frac{1}{N} \sum_n E_n")
        '1/N∑_nE_n'
    """
    from latex2mathml.converter import convert  # of the extra docs

    return _text(ElementTree.fromstring(convert(tex)))


def _text(node: ElementTree.Element) -> str:
    tag = NAMESPACE.sub("", node.tag)
    if tag in BETWEEN:
        return BETWEEN[tag].join(map(_part, node))
    if tag in ("msubsup", "munderover"):
        return "{}_{}^{}".format(*map(_part, node))
    inside = (node.text or "") + "".join(map(_text, node))
    return f"√({inside})" if tag == "msqrt" else inside


def _part(node: ElementTree.Element) -> str:
    """The text of a numerator or an exponent, in parentheses if it has an operator among others."""
    text, rows = _text(node), NAMESPACE.sub("", node.tag) in ("mtr", "mtd")
    operators = any(NAMESPACE.sub("", child.tag) == "mo" for child in node)
    return f"({text})" if operators and not rows else text
