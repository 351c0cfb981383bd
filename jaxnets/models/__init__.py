"""Models as Flax modules: `init(key, x) -> params` and `apply(params, x) -> y`."""

from jaxnets.models.adapters import NNX, Equinox
from jaxnets.models.cnn import CNN, lenet5, residual_cnn, small_cnn
from jaxnets.models.coded_shapes import CodedShapes
from jaxnets.models.folding import fold_normalisation
from jaxnets.models.highway import Highway
from jaxnets.models.layers import (
    Activate,
    AveragePool,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAverage,
    MaxPool,
    Parallel,
    Residual,
)
from jaxnets.models.mlp import MLP, ResidualMLP, compact, count_parameters
from jaxnets.models.normalisation import BatchNorm, GroupNorm
from jaxnets.models.random_wiring import RandomlyWired
from jaxnets.models.word_net import WordNet

__all__ = [
    "CNN",
    "MLP",
    "NNX",
    "Activate",
    "AveragePool",
    "BatchNorm",
    "CodedShapes",
    "Conv",
    "Dense",
    "Dropout",
    "Equinox",
    "Flatten",
    "GlobalAverage",
    "GroupNorm",
    "Highway",
    "MaxPool",
    "Parallel",
    "RandomlyWired",
    "Residual",
    "ResidualMLP",
    "WordNet",
    "compact",
    "count_parameters",
    "fold_normalisation",
    "lenet5",
    "residual_cnn",
    "small_cnn",
]
