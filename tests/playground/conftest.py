"""A server of the playground for the tests of a file."""

import threading

import pytest

from jaxnets.playground.ensemble import SHARED
from jaxnets.playground.server import Server
from tests.support.playground import frame


@pytest.fixture(scope="module")
def served():
    """A server with one session whose programs are compiled."""
    with Server(token="SECRET", programs=SHARED) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.05,))
        thread.start()
        frame(found, "first")
        yield found
        found.shutdown()
        thread.join()
