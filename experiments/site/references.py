"""Names in docstrings and pages as links to where the API describes them."""

import ast
import re
from collections.abc import Mapping
from pathlib import Path

from . import public

CODE = re.compile(r"(?<![`\[\w])`((?:jn|jaxnets)?\.?[A-Za-z_][\w.]*)`(?![`\]])")
Known = Mapping[str, str]


def known(root: Path) -> dict[str, str]:
    """Returns what each spelling of a public name refers to, such as `jn.fit`."""
    everything = (*public.names(root), *public.tables(root))
    found = {(full := f"{name.module}.{name.name}"): full for name in everything}
    inits = (root / "jaxnets").rglob("__init__.py")
    for path in sorted(inits, key=lambda path: -len(path.parts)):  # the top gathers from rooms
        room = public.module_of(path, root)
        for module, name in public.exported(path):
            if f"{module}.{name}" in found:
                found[f"{room}.{name}"] = found[f"{module}.{name}"]
    top = {name: at for name, at in found.items() if name.count(".") == 1}
    return found | {f"jn{name.removeprefix('jaxnets')}": at for name, at in top.items()}


def linked(text: str, names: Known) -> str:
    """Returns Markdown in which public names, written in full or after `jn.`, are links."""

    def link(match: re.Match[str]) -> str:
        return f"[`{match[1]}`][{names[match[1]]}]" if match[1] in names else match[0]

    return CODE.sub(link, text)


def linked_page(text: str, names: Known) -> str:
    """Returns a page with links to the API, outside of its headings and blocks of code."""
    parts = re.split(
        r"(^```.*?^```$|^#.*$|\[[^\]]*\]\([^)]*\))", text, flags=re.MULTILINE | re.DOTALL
    )
    parts[::2] = [linked(part, names) for part in parts[::2]]
    return "".join(parts)


def sources(root: Path) -> dict[str, str]:
    """Returns the files that mkdocstrings reads, in which docstrings have links."""
    names = known(root)
    return {
        path.relative_to(root).as_posix(): _linked_source(path, root, names)
        for path in (root / "jaxnets").rglob("*.py")
    }


def _linked_source(path: Path, root: Path, names: Known) -> str:
    text = path.read_text(encoding="utf-8")
    module = public.module_of(path, root)
    nearby = {full.rpartition(".")[2]: full for full in names if full.rpartition(".")[0] == module}
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(
            node
        ):
            place, own = node.body[0], _own(node)
            usable = dict(names) | {name: at for name, at in nearby.items() if name not in own}
            for number in range(place.lineno - 1, place.end_lineno or place.lineno):
                lines[number] = _docstring_line(lines[number], usable)
    return "\n".join(lines)


def _docstring_line(line: str, names: Known) -> str:
    """A line of a docstring; an example is a section that mkdocstrings calls Examples."""
    if line.lstrip().startswith((">>>", "...")):
        return line
    return re.sub(r"^( *)Example:$", r"\1Examples:", linked(line, names))


def _own(node: ast.Module | ast.FunctionDef | ast.ClassDef) -> set[str]:
    """Its name and those of its arguments or fields, which are no links in its docstring."""
    own = {getattr(node, "name", "")}
    for part in ast.walk(node):
        if isinstance(part, ast.arg):
            own.add(part.arg)
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            own.add(part.target.id)
    return own
