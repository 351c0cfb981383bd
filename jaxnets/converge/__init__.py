"""Optimisers to convergence: what a network finds if its training is not the limit.

`levenberg_marquardt` and `minimise` search from one start, `converge` from many.
"""

from jaxnets.converge.gap import Gap as Gap
from jaxnets.converge.gap import gap as gap
from jaxnets.converge.lbfgs import minimise as minimise
from jaxnets.converge.levenberg_marquardt import levenberg_marquardt as levenberg_marquardt
from jaxnets.converge.minimum import Minimum as Minimum
from jaxnets.converge.restarts import METHODS as METHODS
from jaxnets.converge.restarts import Converged as Converged
from jaxnets.converge.restarts import best_of as best_of
from jaxnets.converge.restarts import converge as converge
