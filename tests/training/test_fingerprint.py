"""A training has one identity in every process, and another one has another."""

import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import MLP, TrainSpec
from jaxnets.training.fingerprint import describe

ROOT = Path(__file__).parents[2]
IN_A_PROCESS = """
from jaxnets.training.fingerprint import describe

def choose(x, kinds=frozenset({"one", "two", "three"})):
    return x if x in {"alpha", "beta", "gamma", "delta"} else [y in {"a", "b", "c"} for y in kinds]

print(describe([choose, {"red", "green", "blue"}]))
"""


def test_the_order_of_sets_is_of_no_account():
    """Sets of texts have another order in every process, in constants of functions too."""
    found = {
        subprocess.run(
            [sys.executable, "-c", IN_A_PROCESS],
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(found) == 1


def closed_over(value):
    return lambda x: x + value


def documented(x):
    """Adds."""
    return "a", x


def explained(x):
    """Adds one thing to the other."""
    return "a", x


explained.__qualname__ = documented.__qualname__
SAME = {
    "docstring": (documented, explained),
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
def test_what_computes_the_same_is_the_same(a, b):
    assert describe(a) == describe(b)


@pytest.mark.parametrize(("a", "b"), OTHER.values(), ids=OTHER)
def test_what_differs_is_told_apart(a, b):
    assert describe(a) != describe(b)
