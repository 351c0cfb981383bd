"""Principal components of samples and of kernels: axes for pictures of data (row A11; L1).

Pure functions that compile with `jax.jit`, `dimensions` and `centre` static. The sign of a
direction, and so of a coordinate, is arbitrary.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array


class Principal(NamedTuple):
    """Orthogonal directions in which samples vary most, the largest variance first."""

    mean: Array
    """What is subtracted from a sample, `[features]`: zeros if the data were not centred."""
    directions: Array
    """Of unit length, `[dimensions, features]`."""
    variances: Array
    """Of the samples along each direction, `[dimensions]`: the eigenvalues of Sigma."""


def pca(x: Array, dimensions: int = 2, *, centre: bool = True) -> Principal:
    r"""The leading eigenvectors of $\Sigma = \frac{1}{n-1} \sum_i x_i x_i^T$, $x$ centred (L1).

    By the singular values of the data themselves, which are never squared (Pearson, 1901).

    Args:
        x: `[samples, features]`.
        dimensions: directions to keep, at most the samples and the features.
        centre: whether to subtract the mean first; without it the first direction is often the
            mean's own, which says nothing about how the samples differ.

    Raises:
        ValueError: not a matrix of two or more samples, or more dimensions than it has.
    """
    x = jnp.asarray(x)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"x has shape {x.shape}; expected [samples, features], 2 samples or more")
    _check(dimensions, min(x.shape), f"data of shape {x.shape}")
    mean = jnp.mean(x, axis=0) if centre else jnp.zeros_like(x[0])
    _, values, directions = jnp.linalg.svd(x - mean[None], full_matrices=False)
    variances = values[:dimensions] ** 2 / (len(x) - 1)
    return Principal(mean, directions[:dimensions], variances)


def project(principal: Principal, x: Array) -> Array:
    """The coordinates `[samples, dimensions]` of samples `[samples, features]`."""
    return (x - principal.mean[None]) @ principal.directions.T


def centre_kernel(kernel: Array) -> Array:
    r"""$K - \mathbf{1}_n K - K \mathbf{1}_n + \mathbf{1}_n K \mathbf{1}_n$, `[n, n]` (L1).

    $\mathbf{1}_n$ has 1/n everywhere. The result is the kernel of the features
    $\phi(x_i) - \frac{1}{n} \sum_j \phi(x_j)$, which need not be known.
    """
    columns, rows = kernel.mean(axis=0, keepdims=True), kernel.mean(axis=1, keepdims=True)
    return kernel - columns - rows + kernel.mean()


def kernel_pca(kernel: Array, dimensions: int = 2, *, centre: bool = True) -> Array:
    r"""The coordinates of the samples along the principal directions of $\phi$: `[n, dimensions]`.

    $\sqrt{\lambda} v$ for the leading eigenvalues and unit eigenvectors of the kernel
    (Schölkopf, Smola and Müller, 1998). With $K = x x^T$ they are those of `pca`.

    Args:
        kernel: $K_{ij} = \phi(x_i) \cdot \phi(x_j)$, `[n, n]`.
        dimensions: coordinates to keep, n at most.
        centre: whether to replace the kernel by `centre_kernel` first.

    Raises:
        ValueError: a kernel that is not square, or more dimensions than samples.
    """
    kernel = jnp.asarray(kernel)
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"the kernel has shape {kernel.shape}; expected [n, n], a row a sample")
    _check(dimensions, len(kernel), f"a kernel of {len(kernel)} samples")
    values, vectors = jnp.linalg.eigh(centre_kernel(kernel) if centre else kernel)
    leading = slice(None, -dimensions - 1, -1)
    return vectors[:, leading] * jnp.sqrt(jnp.maximum(values[leading], 0))[None]


def _check(dimensions: int, most: int, what: str) -> None:
    if not 1 <= dimensions <= most:
        raise ValueError(f"dimensions is {dimensions}; {what} has 1 to {most}")
