"""Results of scikit-learn's digits, learned from where MNIST was not available."""

from functools import cache

from jaxnets import data

FALLBACK = "digits"


def fell_back(found: str | None, wanted: str | None) -> bool:
    """Tells whether a result is of the digits though the data set that it wants is available now.

    Args:
        found: the name of the data set that it learned from, None if it does not say.
        wanted: the name in its settings, None if they have none.
    """
    return found == FALLBACK and wanted not in (None, FALLBACK) and _available(wanted)


@cache
def _available(name: str) -> bool:
    try:
        data.load(name)
    except (OSError, ValueError, ModuleNotFoundError):  # the experiments themselves will say so
        return False
    return True
