"""The repository's texts as pages: their links lead to pages, or become names of files."""

import re
from pathlib import Path
from posixpath import dirname, join, normpath, relpath

from .navigation import PAGES, TEXTS

LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")


def pages(root: Path) -> dict[str, str]:
    """Returns the Markdown of every text, by its page."""
    return {
        page: as_page((root / source).read_text(encoding="utf-8"), source, page)
        for source, (page, _) in TEXTS.items()
    }


def pictures(root: Path) -> dict[str, Path]:
    """Returns the files of the pictures that the texts show, by their place in the site."""
    found = {}
    for source in TEXTS:
        for mark, _, target in LINK.findall((root / source).read_text(encoding="utf-8")):
            if mark and "://" not in target:
                place = normpath(join(dirname(source), target))
                found[_picture(place)] = root / place
    return found


def as_page(text: str, source: str, page: str) -> str:
    """Returns a text with its links rewritten; code stays as it is."""

    def linked(match: re.Match[str]) -> str:
        return _link(match, source, page)

    # A link may have code in its text, so what is looked up is the text outside of fences.
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [LINK.sub(linked, _spaced(part)) for part in parts[::2]]
    return "".join(parts)


def _spaced(text: str) -> str:
    """Puts a blank line before lists and tables that follow a paragraph, as the parser needs."""
    text = re.sub(r"(?m)^(?![-*|\d\s])(.+)\n(?=(?:[-*]|\d+\.) )", r"\1\n\n", text)
    return re.sub(r"(?m)^(?![|])(.+)\n(?=\| )", r"\1\n\n", text)


def _link(match: re.Match[str], source: str, page: str) -> str:
    mark, text, target = match.groups()
    if "://" in target or target.startswith("#"):
        return f"{mark}[{text}]({target})"
    name, hash_mark, anchor = target.partition("#")
    place = normpath(join(dirname(source), name))
    if mark:
        return f"![{text}]({relpath(_picture(place), dirname(page) or '.')})"
    if place in PAGES:
        return f"[{text}]({relpath(PAGES[place], dirname(page) or '.')}{hash_mark}{anchor})"
    return f"{text} (`{place}`)" if text.strip("`") != place else f"`{place}`"


def _picture(place: str) -> str:
    return f"figures/{Path(place).name}"
