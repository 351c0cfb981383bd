"""Principal components of samples and of kernels, to plot data (row A11; L1).

Pure functions that compile with `jax.jit` if `dimensions` and `centre` are static. The sign of a
direction, and thus of a coordinate, is arbitrary.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxnets.host import checks


class Principal(NamedTuple):
    """Holds orthogonal directions of the largest variance, in decreasing order.

    Example:
        >>> import jax.numpy as jnp
        >>> pca(jnp.array([[0.0, 0.0], [2.0, 2.0]]), 1).mean.tolist()
        [1.0, 1.0]
    """

    mean: Array
    """Subtracted from a sample, `[features]`; zeros if the data were not centred."""
    directions: Array
    """Of unit length, `[dimensions, features]`."""
    variances: Array
    """Of the samples along each direction, `[dimensions]`: the eigenvalues of Sigma."""


def pca(x: Array, dimensions: int = 2, *, centre: bool = True) -> Principal:
    r"""Computes the leading eigenvectors of $\Sigma = \frac{1}{n-1} \sum_i x_i x_i^T$ (L1).

    $x$ is centred. The singular values of the data are computed directly, without squaring the data
    (Pearson, 1901).

    Args:
        x: `[samples, features]`.
        dimensions: directions to return, at most the samples and the features.
        centre: whether to subtract the mean first; otherwise the first direction is often that of
            the mean, which says nothing about how the samples differ.

    Raises:
        ValueError: anything but a matrix of two or more samples, or more dimensions than it has.

    Example:
        >>> import jax.numpy as jnp
        >>> found = pca(jnp.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]), 1)
        >>> round(float(found.variances[0]), 3)
        2.0
    """
    traced = checks.is_traced(x)
    x, xp = checks.as_numbers(x, "x", exact=True), jnp if traced else np
    x = x if traced else x.astype(np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise ValueError(f"x has shape {x.shape}; expected [samples, features], 2 samples or more")
    _check(dimensions, min(x.shape), f"data of shape {x.shape}")
    mean = xp.mean(x, axis=0) if centre else xp.zeros_like(x[0])
    _, values, directions = xp.linalg.svd(x - mean[None], full_matrices=False)
    variances = values[:dimensions] ** 2 / (len(x) - 1)
    return Principal(mean, directions[:dimensions], variances)


def project(principal: Principal, x: Array) -> Array:
    """Computes the coordinates `[samples, dimensions]` of samples `[samples, features]`.

    Raises:
        TypeError: samples that are not numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([[0.0, 0.0], [3.0, 4.0]])
        >>> abs(project(pca(x, 1), x)).round(3).tolist()
        [[2.5], [2.5]]
    """
    x = checks.as_numbers(x, "x", exact=True)
    return (x - principal.mean[None]) @ principal.directions.T


def centre_kernel(kernel: Array) -> Array:
    r"""Computes $K - 1_n K - K 1_n + 1_n K 1_n$, `[n, n]`, where $1_n$ has 1/n everywhere (L1).

    The result is the kernel of the features $\phi(x_i) - \frac{1}{n} \sum_j \phi(x_j)$, which need
    not be known.

    Raises:
        TypeError: a kernel that is not of numbers.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([[1.0], [3.0]])
        >>> centre_kernel(x @ x.T).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """
    kernel = jnp.asarray(checks.as_numbers(kernel, "kernel"))
    columns, rows = kernel.mean(axis=0, keepdims=True), kernel.mean(axis=1, keepdims=True)
    return kernel - columns - rows + kernel.mean()


def kernel_pca(kernel: Array, dimensions: int = 2, *, centre: bool = True) -> Array:
    r"""Computes coordinates along the principal directions of $\phi$, `[n, dimensions]`.

    These are $\sqrt{\lambda} v$ for the leading eigenvalues and unit eigenvectors of the kernel
    (Schölkopf, Smola and Müller, 1998). With $K = x x^T$ they equal those of `pca`.

    Args:
        kernel: $K_{ij} = \phi(x_i) \cdot \phi(x_j)$, `[n, n]`.
        dimensions: coordinates to return, at most n.
        centre: whether to replace the kernel by `centre_kernel` first.

    Raises:
        ValueError: a kernel that is not square, or more dimensions than samples.

    Example:
        >>> import jax.numpy as jnp
        >>> x = jnp.array([[0.0, 0.0], [3.0, 4.0]])
        >>> abs(kernel_pca(x @ x.T, 1)).round(3).tolist()
        [[2.5], [2.5]]
    """
    kernel = jnp.asarray(checks.as_numbers(kernel, "kernel"))
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1]:
        raise ValueError(f"the kernel has shape {kernel.shape}; expected [n, n], a row per sample")
    _check(dimensions, len(kernel), f"a kernel of {len(kernel)} samples")
    values, vectors = jnp.linalg.eigh(centre_kernel(kernel) if centre else kernel)
    leading = slice(None, -dimensions - 1, -1)
    return vectors[:, leading] * jnp.sqrt(jnp.maximum(values[leading], 0))[None]


def _check(dimensions: int, most: int, what: str) -> None:
    if not 1 <= dimensions <= most:
        raise ValueError(f"dimensions is {dimensions}; {what} has 1 to {most}")
