"""A run has one fingerprint in every process, and a different run has a different one."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import MLP, TrainSpec
from jaxnets.training.fingerprint import describe
from tests.support.hash_seeds import outputs

IN_A_PROCESS = """
from jaxnets.training.fingerprint import describe

def choose(x, kinds=frozenset({"one", "two", "three"})):
    return x if x in {"alpha", "beta", "gamma", "delta"} else [y in {"a", "b", "c"} for y in kinds]

print(describe([choose, {"red", "green", "blue"}]))
"""


def test_the_order_of_sets_does_not_count():
    """Sets of strings have another order in every process, in constants of functions too."""
    assert len(set(outputs(IN_A_PROCESS))) == 1


def closed_over(value):
    return lambda x: x + value


def defined(text, file=None, name="f"):
    """Runs the text of a module, which has a file or none, and returns what it calls `name`."""
    if file is not None:
        file.write_text(text)
    found = {}
    exec(compile(text, str(file or "<text>"), "exec"), found)
    return found[name]


PLAIN = """
def f(x, y=1):
    return (x + y) * 2
"""
SAME_SOURCE = {
    "docstring": PLAIN.replace("return", '"""Adds."""\n    return'),
    "comments": PLAIN.replace("* 2", "* 2  # twice").replace(
        "    return", "    # adds\n    return"
    ),
    "layout": PLAIN.replace("(x + y) * 2", "(\n        x\n        + y\n    ) * 2"),
    "quotes and parentheses": PLAIN.replace("(x + y) * 2", "((x + y) * (2))"),
    "place in the file": f"import math\n\n\ndef g(x):\n    return x\n{PLAIN}",
}
OTHER_CODE = {
    "operation": PLAIN.replace("+", "-"),
    "constant": PLAIN.replace("* 2", "* 3"),
    "order": PLAIN.replace("x + y", "y + x"),
    "default": PLAIN.replace("y=1", "y=2"),
    "name": PLAIN.replace("def f", "def g") + "f = g",
    "a string with a mark of comments": PLAIN.replace("* 2", "* len('#')"),
}
OTHER_SOURCE = OTHER_CODE | {
    "text that is not a docstring": PLAIN.replace("return", "'Adds.'; 'Twice.'\n    return"),
    "decorator": PLAIN.replace("def f", "@(lambda f: f)\ndef f"),
}


@pytest.mark.parametrize("text", SAME_SOURCE.values(), ids=SAME_SOURCE)
def test_what_changes_no_result_does_not_count(tmp_path, text):
    assert describe(defined(text, tmp_path / "b.py")) == describe(defined(PLAIN, tmp_path / "a.py"))


@pytest.mark.parametrize("text", OTHER_SOURCE.values(), ids=OTHER_SOURCE)
def test_what_changes_the_source_counts(tmp_path, text):
    assert describe(defined(text, tmp_path / "b.py")) != describe(defined(PLAIN, tmp_path / "a.py"))


@pytest.mark.parametrize("text", OTHER_CODE.values(), ids=OTHER_CODE)
def test_functions_without_a_file_are_told_apart_by_their_bytecode(text):
    assert describe(defined(PLAIN)) == describe(defined(PLAIN))
    assert describe(defined(text)) != describe(defined(PLAIN))


def test_lambdas_on_one_line_are_told_apart(tmp_path):
    text = "f = [lambda x: x + 1, lambda x: x + 2, lambda x: lambda: x + 1, lambda x: x + 1]"
    first, second, nested, again = defined(text, tmp_path / "a.py")
    assert describe(first) == describe(again)
    assert len({describe(function) for function in (first, second, nested, nested(1))}) == 4
    alone = defined("f = (\n    lambda x: x + 2  # alone\n)", tmp_path / "b.py")
    assert describe(alone) == describe(second)


def test_methods_and_coroutines_have_a_source_too(tmp_path):
    text = "class C:\n    def f(self, x):\n        return x\n"
    same = defined(f"# Moved.\n{text}", tmp_path / "a.py", "C")
    other = defined(text.replace("return x", "return -x"), tmp_path / "b.py", "C")
    truth = defined(text, tmp_path / "c.py", "C")
    assert describe(same.f) == describe(truth.f) != describe(other.f)
    later = "async def f(x):\n    return x\n"
    assert describe(defined(later, tmp_path / "d.py")) != describe(
        defined(later.replace("async ", ""), tmp_path / "e.py")
    )


SAME = {
    "code": (lambda x: x + 1, lambda x: x + 1),
    "closure": (closed_over(3), closed_over(3)),
    "array": (np.arange(3, dtype=np.int32), jnp.arange(3)),
    "mapping": ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
}
OTHER = {
    "constant": (lambda x: x + 1, lambda x: x + 2),
    "text": (lambda x: "a", lambda x: "b"),
    "operation": (lambda x: x + 1, lambda x: x - 1),
    "default": (lambda x=1: x, lambda x=2: x),
    "within": (lambda x: lambda: x + 1, lambda x: lambda: x + 2),
    "closure": (closed_over(3), closed_over(4)),
    "partial": (partial(max, 1), partial(max, 2)),
    "key": (jax.random.key(0), jax.random.key(1)),
    "kind of key": (jax.random.key(0), jax.random.key(0, impl="rbg")),
    "dtype": (np.zeros(2, np.float32), np.zeros(2, np.int32)),
    "shape": (np.zeros((2, 3)), np.zeros((3, 2))),
    "value": (np.zeros(2), np.array([0.0, -0.0])),
    "width": (TrainSpec(MLP((3,)), "hinge", 1), TrainSpec(MLP((4,)), "hinge", 1)),
}


@pytest.mark.parametrize(("a", "b"), SAME.values(), ids=SAME)
def test_equal_values_have_one_description(a, b):
    assert describe(a) == describe(b)


@pytest.mark.parametrize(("a", "b"), OTHER.values(), ids=OTHER)
def test_different_values_are_told_apart(a, b):
    assert describe(a) != describe(b)
