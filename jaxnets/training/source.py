"""What a function does, by its source; which names it reads; and what belongs to a package."""

import ast
import dis
import linecache
import sys
import sysconfig
import types
from collections.abc import Iterator
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"}
OURS = Path(__file__).parents[1]
STANDARD = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
PACKAGES = ("/site-packages/", "/dist-packages/")


class Names(NamedTuple):
    """What a function, and the functions within it, may read from outside."""

    variables: tuple[str, ...]
    """Global names, sorted."""
    attributes: frozenset[str]
    """Names after a dot."""
    imports: tuple[str, ...]
    """Modules that it imports when it is called, as `.relative` or `absolute` names."""


@lru_cache(maxsize=4096)
def names_read(code: types.CodeType) -> Names:
    """Lists the names that the code of a function reads."""
    variables, attributes, imports = set(), set(), set()
    for part in _codes(code):
        before: list[Any] = [0, None]
        for step in dis.get_instructions(part):
            if step.opname in GLOBALS and not step.argval.startswith("__"):
                variables.add(step.argval)
            elif step.opname in ATTRIBUTES:
                attributes.add(step.argval)
            elif step.opname == "IMPORT_NAME":
                imports.add("." * (before[-2] or 0) + step.argval)
            if step.opname.startswith("LOAD"):
                before = [before[-1], step.argval]
    return Names(tuple(sorted(variables)), frozenset(attributes), tuple(sorted(imports)))


def source_of(code: types.CodeType) -> Any:
    """Describes what a function does by its source; by its bytecode where there is no source.

    Comments, the layout and the docstring do not count.
    """
    return _source_in(code.co_filename, code)


@lru_cache(maxsize=4096)
def _source_in(file: str, code: types.CodeType) -> Any:
    try:
        linecache.checkcache(file)
        nodes, codes = _parse("".join(linecache.getlines(file)), file)
        if code in codes:  # else the file has changed since it was imported
            return _dump(_node_of(nodes[code.co_firstlineno], code))
    except (SyntaxError, KeyError, ValueError, StopIteration):
        pass
    return _of_bytecode(code)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code and all code within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


@lru_cache(maxsize=64)
def _parse(text: str, file: str) -> tuple[dict[int, list[Any]], frozenset[types.CodeType]]:
    """The functions of a file by the line where each begins, its first decorator's included.

    And the code that the file compiles to.
    """
    tree = ast.parse(text)
    found: dict[int, list[Any]] = {}
    for node in ast.walk(tree):
        if isinstance(node, Function):
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            found.setdefault(first, []).append(node)
    return found, frozenset(_codes(compile(text, file, "exec", dont_inherit=True)))


def _node_of(nodes: list[Any], code: types.CodeType) -> Any:
    """Finds the function of the code among those that begin on its line.

    Of several lambdas, it is the innermost whose body encloses all that the code came from.
    """
    if code.co_name != "<lambda>":
        return next(node for node in nodes if getattr(node, "name", None) == code.co_name)
    lambdas = [node for node in nodes if isinstance(node, ast.Lambda)]
    if len(lambdas) == 1:
        return lambdas[0]
    spans = [span for span in code.co_positions() if None not in span and span[3]]
    if not spans:  # Python 3.12 has no position for a lambda that returns a constant
        return next(node for node in lambdas if _literal(node.body) == repr(code.co_consts[-1]))
    start, end = min((s[0], s[2]) for s in spans), max((s[1], s[3]) for s in spans)
    enclosing = [
        node
        for node in lambdas
        if (node.body.lineno, node.body.col_offset) <= start
        and end <= (node.body.end_lineno, node.body.end_col_offset)
    ]
    return max(enclosing, key=lambda node: (node.lineno, node.col_offset))


def _literal(node: Any) -> str | None:
    """The text of a constant expression, or None for any other."""
    try:
        return repr(ast.literal_eval(node))
    except (ValueError, TypeError):
        return None


def _dump(node: Any) -> str:
    """A syntax tree as text, the same in every version of Python that can parse it."""
    if isinstance(node, list):
        return "[" + ",".join(_dump(item) for item in node) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    ignored = {"kind"}
    fields = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        ignored.add("name")
        if ast.get_docstring(node):
            fields["body"] = node.body[1:]
    if isinstance(node, ast.JoinedStr):  # Python 3.12 has empty texts where 3.11 has none
        fields["values"] = [part for part in node.values if getattr(part, "value", None) != ""]
    fields = {name: value for name, value in fields.items() if name not in ignored}
    return f"{type(node).__name__}({','.join(f'{k}={_dump(v)}' for k, v in fields.items())})"


def _of_bytecode(code: types.CodeType) -> tuple[Any, ...]:
    constants = [_of_bytecode(c) if isinstance(c, types.CodeType) else c for c in code.co_consts]
    arguments = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return (code.co_code.hex(), code.co_names, arguments, counts, constants)


@lru_cache(maxsize=4096)
def is_installed(file: str) -> bool:
    """Whether a file belongs to Python, an installed package or jaxnets, not to the user."""
    if file.startswith("<frozen"):
        return True
    path = Path(file)
    if path.is_relative_to(OURS):
        return not path.is_relative_to(OURS / "experiments")
    within = any(name in path.as_posix() for name in PACKAGES)
    return within or any(path.is_relative_to(folder) for folder in STANDARD)


def is_installed_module(module: types.ModuleType) -> bool:
    """Whether a module belongs to Python, an installed package or jaxnets."""
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    file = next((place for place in places if place), None)
    if file is None:
        return module.__name__ in sys.stdlib_module_names and module.__name__ != "__main__"
    return is_installed(str(file))


def installed_name(value: Any) -> str | None:
    """Returns module and name under which an installed package has the value, else None.

    What jaxnets itself has is named without its module, since its files may move.
    """
    where = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    module = sys.modules.get(where) if isinstance(where, str) else None
    if module is None or not isinstance(name, str) or not is_installed_module(module):
        return None
    try:
        found = attrgetter(name)(module)
    except AttributeError:
        return None
    if found is not value:
        return None
    where = module.__name__
    return f"jaxnets:{name}" if where.partition(".")[0] == "jaxnets" else f"{where}:{name}"
