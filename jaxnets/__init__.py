"""Neural networks as pure functions on JAX: models, gradients by hand, training in one program."""

from importlib.metadata import version

from jaxnets.activations import ACTIVATIONS, Activation
from jaxnets.losses import LOSSES, Loss
from jaxnets.models import CNN, MLP, ResidualMLP
from jaxnets.objective import Objective
from jaxnets.parallel.devices import cache_compilations, use_all_cores
from jaxnets.parallel.rows import parallel_map
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.training.driver import DivergedError
from jaxnets.training.fit import fit
from jaxnets.training.loop import State, TrainSpec, make_step, train
from jaxnets.training.sweep import grid, sweep

__version__ = version("jaxnets")
__all__ = [
    "ACTIVATIONS",
    "CNN",
    "LOSSES",
    "MLP",
    "Activation",
    "CheckpointConfig",
    "DivergedError",
    "Loss",
    "Objective",
    "ResidualMLP",
    "State",
    "TrainSpec",
    "cache_compilations",
    "fit",
    "grid",
    "make_step",
    "parallel_map",
    "sweep",
    "train",
    "use_all_cores",
]
