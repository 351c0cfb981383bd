"""Weights of trained networks from files: NumPy's archives, safetensors, PyTorch's formats.

`read(path)` gives arrays by their names, `load(model, path, ...)` the variables of a `CNN`. No
format is read by executing what a file says, and PyTorch is not needed.
"""

from jaxnets.weights.files import read as read
from jaxnets.weights.loading import assign as assign
from jaxnets.weights.loading import load as load
from jaxnets.weights.names import torch_names as torch_names
