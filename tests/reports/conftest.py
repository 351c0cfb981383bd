"""What several reports share."""

import pytest


@pytest.fixture
def folder(tmp_path):
    """An empty folder of a run."""
    path = tmp_path / "run"
    path.mkdir()
    return path
