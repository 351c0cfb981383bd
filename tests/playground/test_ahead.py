"""What one click on the page would need is compiled ahead, and nothing that cannot be."""

import threading
from dataclasses import replace

import numpy as np

from jaxnets.playground import programs
from jaxnets.playground.arguments import shape_of
from jaxnets.playground.config import BATCHES, DEEPEST, Config
from jaxnets.playground.session import neighbours
from tests.playground.test_ensemble import random_config


def clicks(config):
    """The configurations that +, -, the next batch sizes and the box `residual` lead to."""
    widths, at = config.widths, BATCHES.index(config.batch)
    if len(widths) < DEEPEST:
        yield replace(config, widths=(*widths, widths[-1] if widths else 4))
    if widths:
        yield replace(config, widths=widths[:-1])
    for batch in BATCHES[max(0, at - 1) : at + 2]:
        yield replace(config, batch=batch)
    if len(set(widths)) == 1:
        yield replace(config, residual=not config.residual)


def test_each_click_is_compiled_ahead():
    random = np.random.default_rng(0)
    narrow = [
        c for c in (random_config(random) for _ in range(300)) if max(c.widths, default=1) <= 8
    ]
    assert len(narrow) > 50
    for config in [Config(), *narrow]:
        ahead = neighbours(config)
        assert ahead[0] == (shape_of(config), config.batch)
        needed = [(shape_of(c), c.batch) for c in clicks(config)]
        assert [one for one in needed if one not in ahead] == []
        assert len(ahead) <= 6


def test_wide_networks_have_no_deeper_neighbours():
    shapes = [shape for shape, _ in neighbours(Config(widths=(20, 20, 20)))]
    assert {shape.depth for shape in shapes} == {3}


def test_an_exit_waits_for_the_program_that_compiles(monkeypatch):
    """A thread begun by that of a request was a daemon as well: Python aborted at its exit."""
    daemons = []
    monkeypatch.setattr(
        programs, "compile_program", lambda key: daemons.append(threading.current_thread().daemon)
    )
    found, config = programs.Programs(), Config()
    wanted = [(shape_of(config), config.batch)]
    request = threading.Thread(target=found.ahead, args=(wanted,), daemon=True)
    request.start()
    request.join()
    found.wait()
    assert daemons
    assert not any(daemons)
