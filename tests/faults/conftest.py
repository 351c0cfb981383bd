"""Processes that die at chosen moments."""

import pytest

from tests.support.processes import Zygote


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    with Zygote(tmp_path_factory.mktemp("zygote")) as started:
        yield started
