"""The gap between a lecture's result and the best known one, split by what would close it."""

from typing import Any, NamedTuple

import numpy as np

from jaxnets.host import checks


class Gap(NamedTuple):
    """Three results of one network: what it can represent, and what two optimisers find.

    All in one unit, a loss or, with `higher_is_better`, an accuracy.

    Example:
        >>> found = Gap(can_represent=0.0, found_well=0.125, found_by_lecture=0.5)
        >>> found.left_by_search, found.left_by_training
        (0.125, 0.375)
    """

    can_represent: float
    """The best known: of weights written down, or of any search."""
    found_well: float
    """By an optimiser that has converged, the best of many starts."""
    found_by_lecture: float
    """By the lecture's optimiser."""
    higher_is_better: bool = False

    @property
    def left_by_training(self) -> float:
        """What a good optimiser gains on the lecture's; below 0 if it loses instead."""
        return self._gain(self.found_by_lecture, self.found_well)

    @property
    def left_by_search(self) -> float:
        """What the good optimiser still leaves to what the network can represent; 0 or more."""
        return self._gain(self.found_well, self.can_represent)

    @property
    def total(self) -> float:
        """The gap: both parts together."""
        return self._gain(self.found_by_lecture, self.can_represent)

    @property
    def training_share(self) -> float:
        """The share of the gap that training left; NaN if there is no gap."""
        return self.left_by_training / self.total if self.total else float("nan")

    def _gain(self, worse: float, better: float) -> float:
        return better - worse if self.higher_is_better else worse - better


def gap(
    can_represent: Any | None,
    found_well: Any,
    found_by_lecture: Any,
    *,
    higher_is_better: bool = False,
) -> Gap:
    """Splits the gap between a lecture's optimiser and the best that is known of its network.

    "The one hidden layer perceptron may not converge to the best solution" (L0): what training
    left says nothing about the network.

    Args:
        can_represent: the result of weights that are written down; None if none are known.
        found_well: the result of an optimiser to convergence, such as `converge`.
        found_by_lecture: the result of the lecture's optimiser.
        higher_is_better: whether the results are accuracies rather than losses.

    Returns:
        The gap. What was found can be represented: `can_represent` is the best of the three.

    Raises:
        ValueError: a result that is not finite.
        TypeError: a result that is not a single number.

    Example:
        >>> from jaxnets.converge import gap
        >>> one_layer = gap(can_represent=0.0, found_well=0.03, found_by_lecture=0.11)
        >>> round(one_layer.training_share, 2)
        0.73
    """
    given = {"found_well": found_well, "found_by_lecture": found_by_lecture}
    if can_represent is not None:
        given["can_represent"] = can_represent
    values = {name: checks.as_number(value, name) for name, value in given.items()}
    best = (np.max if higher_is_better else np.min)([*values.values()])
    return Gap(float(best), values["found_well"], values["found_by_lecture"], higher_is_better)
