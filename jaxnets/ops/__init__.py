"""Convolution and pooling that are fast on a CPU too, with their gradients written by hand.

Every function here has two forms: products and elementwise operations for a CPU, where XLA's own
convolution gradients are ten times slower than PyTorch's, and the native operations for a GPU or
TPU. The platform a program is lowered for chooses.
"""

from jaxnets.ops.convolution import convolve, convolve_input_grad, convolve_kernel_grad
from jaxnets.ops.pooling import average_pool, average_pool_grad, max_pool, max_pool_grad

__all__ = [
    "average_pool",
    "average_pool_grad",
    "convolve",
    "convolve_input_grad",
    "convolve_kernel_grad",
    "max_pool",
    "max_pool_grad",
]
