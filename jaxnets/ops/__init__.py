"""Convolution and pooling that are fast on CPUs too, with their gradients written by hand.

Every function has two implementations: products and elementwise operations for CPUs, where XLA's
convolution gradients are ten times slower than PyTorch's, and the native operations for GPUs and
TPUs. The platform that a program is lowered for decides.
"""

from jaxnets.ops.convolution import convolve, convolve_input_grad, convolve_kernel_grad
from jaxnets.ops.one_by_one import one_by_one
from jaxnets.ops.pooling import average_pool, average_pool_grad, max_pool, max_pool_grad
from jaxnets.ops.softplus import softplus

__all__ = [
    "average_pool",
    "average_pool_grad",
    "convolve",
    "convolve_input_grad",
    "convolve_kernel_grad",
    "max_pool",
    "max_pool_grad",
    "one_by_one",
    "softplus",
]
