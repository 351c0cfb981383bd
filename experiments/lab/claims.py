"""Statistics over seeds and tables, as figures and texts of the experiments show them."""

from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from .escape import as_markdown

Result = dict[str, Any]


class Interval(NamedTuple):
    """A mean over seeds with its standard deviation and 95 % confidence interval."""

    mean: float
    std: float
    low: float
    high: float

    def percent(self) -> str:
        """Formats the mean and standard deviation in percent."""
        return f"{100 * self.mean:.2f} ± {100 * self.std:.2f} %"

    def decimals(self, places: int) -> str:
        """Formats the mean and standard deviation to `places` decimals."""
        return f"{self.mean:.{places}f} ± {self.std:.{places}f}"


def interval(values: Any) -> Interval:
    """Computes mean and standard deviation of `values [seeds]`, and Student's 95 % interval."""
    values = np.asarray(values, np.float64)
    mean, std = values.mean(), values.std(ddof=1)
    half = stats.t.ppf(0.975, len(values) - 1) * std / np.sqrt(len(values))
    return Interval(float(mean), float(std), float(mean - half), float(mean + half))


def rank_trend(x: Any, values: Any) -> np.ndarray:
    """Computes Spearman's correlation (1904) of `values [seeds, len(x)]` with x, for each seed.

    It is 0 for values that are all equal, which have no trend, and NaN for those with a NaN.
    """
    values = np.asarray(values, np.float64)
    flat = np.ptp(values, axis=1) == 0
    ranks = stats.rankdata(np.where(flat[:, None], np.arange(values.shape[1]), values), axis=1)
    of_x = stats.rankdata(x)
    found = [float(np.corrcoef(of_x, row)[0, 1]) for row in ranks]
    return np.where(flat, 0.0, np.where(np.isnan(values).any(axis=1), np.nan, found))


def markdown(head: list[str], rows: list[list[Any]]) -> str:
    """Formats a Markdown table; cells are text, see `escape.as_markdown`."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[as_markdown(cell) for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)
