"""Neural networks as pure functions on JAX: models, gradients by hand, training in one program."""

from jaxnets.activations import ACTIVATIONS, Activation
from jaxnets.chunks import Diverged
from jaxnets.devices import cache_compilations, use_all_cores
from jaxnets.fit import fit, grid, sweep
from jaxnets.losses import LOSSES, Loss
from jaxnets.models import CNN, MLP, ResidualMLP
from jaxnets.objective import Objective
from jaxnets.train import Run, State, make_step, train

__all__ = [
    "ACTIVATIONS",
    "CNN",
    "LOSSES",
    "MLP",
    "Activation",
    "Diverged",
    "Loss",
    "Objective",
    "ResidualMLP",
    "Run",
    "State",
    "cache_compilations",
    "fit",
    "grid",
    "make_step",
    "sweep",
    "train",
    "use_all_cores",
]
