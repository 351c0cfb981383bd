"""The examples of the docstrings, as written."""

import doctest
import sys

import pytest

import jaxnets.converge

NAMES = ("levenberg_marquardt", "lbfgs", "restarts", "gap")


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_run_as_written(name):
    failed, tried = doctest.testmod(sys.modules[f"{jaxnets.converge.__name__}.{name}"])
    assert tried > 2
    assert not failed
