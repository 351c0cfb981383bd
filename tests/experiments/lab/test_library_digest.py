"""What the digest of the library counts: what is computed, and not what is said about it."""

import pytest

from experiments.lab import fingerprint

CODE = '''"""A module."""

LIMIT = 3
"""The most."""


class Net:
    """A network."""

    def apply(self, x):
        """Doubles x."""
        return 2 * x
'''


def digest_of(text, folder):
    path = folder / f"{abs(hash(text))}.py"
    path.write_text(text, encoding="utf-8")
    return fingerprint.text_of_library(path)


@pytest.mark.parametrize("said", ["A module.", "The most.", "A network.", "Doubles x."])
def test_docstrings_do_not_count(said, tmp_path):
    assert digest_of(CODE.replace(said, "Other words."), tmp_path) == digest_of(CODE, tmp_path)


@pytest.mark.parametrize(("part", "other"), [("2 * x", "3 * x"), ("LIMIT = 3", "LIMIT = 4")])
def test_code_counts(part, other, tmp_path):
    assert digest_of(CODE.replace(part, other), tmp_path) != digest_of(CODE, tmp_path)
