"""Convolution of images and its two gradients (row C3; LeCun et al., 1989).

Convolution in deep learning is a correlation: kernels `[rows, columns, in, out]` slide over
images `[batch, rows, columns, in]` and are not flipped. The layouts are those of `flax.linen.Conv`.
"""

import math
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxnets.ops.blocks import MOST_ENTRIES, map_blocks, over, sum_blocks
from jaxnets.ops.windows import (
    Padding,
    Pair,
    Windows,
    as_images,
    pad,
    taps,
    unpad,
    untaps,
    windows,
)
from jaxnets.ops.winograd import (
    TILE,
    entries_of_an_image,
    winograd_forward,
    winograd_input_grad,
    winograd_kernel_grad,
)

FEW_CHANNELS = 4
"""Up to this many input channels a CPU multiplies entire patches, above it one row at a time."""
MOST_OF_FEW = 1_500_000
"""How many entries patches of few channels may have for a CPU to multiply them."""
FEW_FEATURES = 16
"""Up to this many output channels XLA takes four times as long for images of few channels."""
MANY_CHANNELS = 128
"""From as many, XLA's own convolution is faster on a CPU than products of patches."""
MOST_OF_ONE = 1_000_000
"""The same if the patches of a single image have more entries: they leave its cache."""
MOST_ALONE = 250_000
"""How many entries the patches of a single image have at most before XLA's form is considered."""
LARGE_KERNEL = 250_000
"""How many entries a kernel has at least that is not cut: with few windows its copies cost most."""
FEWEST_CHANNELS = {3: 32, 5: 64}
"""From as many, in and out, kernels of r x r are worth the sums of Winograd's form."""
LARGEST_EXACT = 3
"""Above it, Winograd's gradient of the kernel rounds ten times as much as sums do."""
MOST_PRODUCTS = 0.6
"""The share of the products that it may have: the last tiles reach beyond maps of odd sides."""
MOST_OF_TILES = 8_000_000
"""How many entries the tiles of an image have at most without a gradient: more cost much memory."""
FEWEST_TILES = 64
"""How many tiles the outputs have at least, for each of its products to have as many rows."""
FEWEST_OF_A_CORE = 48
"""The same for a device of one core, which does not share the rows, and `DEEP` maps."""
DEEP = 256
"""The channels, in and out, of such maps."""
NEIGHBOURS = (2, 1)
"""How many adjacent windows share a patch, where that divides them, to make products wider."""


def convolve(x: Array, kernel: Array, strides: int | Pair = 1, padding: Padding = "VALID") -> Array:
    """Computes `y[n, r, c, o] = sum_{i, j, k} x[n, s r + i, s c + j, k] kernel[i, j, k, o]`.

    Differentiable in reverse mode; the gradients are the two functions below.

    Args:
        x: images `[batch, rows, columns, in]`.
        kernel: `[kernel rows, kernel columns, in, out]`.
        strides: steps down and to the right, or one number for both.
        padding: "VALID", "SAME", or `((above, below), (left, right))` zeros.

    Returns:
        `[batch, (rows + padding - kernel rows) // stride + 1, ..., out]`.

    Raises:
        ValueError: shapes that do not fit (both are named), or images smaller than the kernel.
        TypeError: inputs that are not arrays of floats.

    Example:
        >>> import jax.numpy as jnp
        >>> x, kernel = jnp.ones((1, 5, 5, 1)), jnp.ones((3, 3, 1, 2))
        >>> convolve(x, kernel).shape, convolve(x, kernel, padding="SAME").shape
        ((1, 3, 3, 2), (1, 5, 5, 2))
    """
    x, kernel = as_images(x), as_images(kernel, "the kernel")
    if kernel.ndim != 4 or (x.ndim == 4 and x.shape[-1] != kernel.shape[2]):
        raise ValueError(
            f"expected a kernel [rows, columns, in, out], where `in` is the channels of x: the "
            f"kernel has shape {kernel.shape}, x has shape {x.shape}"
        )
    x, kernel = _of_one_type(x, kernel)
    return _convolve(x, kernel, windows(x.shape, _size(kernel), strides, padding))


def _of_one_type(x: Array, other: Array) -> tuple[Array, Array]:
    """Promotes both to one type, as products do: XLA's convolution takes no other."""
    dtype = jnp.result_type(x, other)
    return jnp.asarray(x, dtype), jnp.asarray(other, dtype)


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _convolve(x: Array, kernel: Array, at: Windows) -> Array:
    return _by_platform(_evaluation_form(x, kernel, at), x, kernel, at)


_convolve.defvjp(
    lambda x, kernel, at: (_forward(x, kernel, at), (x, kernel)),
    lambda at, saved, g: (_input_grad(g, saved[1], at), _kernel_grad(saved[0], g, at)),
)


def _forward(x: Array, kernel: Array, at: Windows) -> Array:
    return _by_platform(_training_form(x, kernel, at), x, kernel, at)


def _by_platform(cpu: Callable, x: Array, kernel: Array, at: Windows) -> Array:
    return lax.platform_dependent(
        x, kernel, cpu=partial(cpu, at=at), default=partial(_forward_native, at=at)
    )


def _training_form(x: Array, kernel: Array, at: Windows) -> Callable:
    """Chooses the form for a CPU, by what networks measured."""
    if _suits_winograd(x, kernel.shape[3], at, at.outputs):
        return winograd_forward
    return _row_form(x, kernel, at)


def _row_form(x: Array, kernel: Array, at: Windows) -> Callable:
    if at.shape[3] <= FEW_CHANNELS:
        large = _entries(at) > MOST_OF_FEW and kernel.shape[3] > FEW_FEATURES
        native = large and _has_native(x, at)
    else:
        native = _suits_native(x, at.shape[3], at)
    return _forward_native if native else _forward_in_blocks


def _evaluation_form(x: Array, kernel: Array, at: Windows) -> Callable:
    """Chooses the form where no gradient is asked for, which for few images is another one."""
    deep = min(kernel.shape[2:]) >= DEEP and jax.local_device_count("cpu") > 1
    fewest = FEWEST_OF_A_CORE if deep else FEWEST_TILES
    suits = _suits_winograd(x, kernel.shape[3], at, at.outputs, fewest)
    if suits and entries_of_an_image(at) <= MOST_OF_TILES:
        return winograd_forward
    alone, native = len(x) == 1, _has_native(x, at)
    few = at.shape[3] <= FEW_CHANNELS
    large = _entries(over(at, 1)) > (MOST_ALONE if alone else MOST_OF_ONE)
    if few and native and large and kernel.shape[3] > FEW_FEATURES:
        return _forward_native if alone else _forward_one_by_one
    windows_per_map = len(x) * math.prod(at.outputs) / kernel.shape[3]
    if native and kernel.size >= LARGE_KERNEL and windows_per_map <= 2:
        return _forward_entire
    if alone and not few and _suits_native(x, at.shape[3], at, MOST_ALONE):
        return _forward_native
    return _row_form(x, kernel, at)


def _suits_winograd(
    x: Array, features: int, at: Windows, sides: Pair, least: int = FEWEST_TILES
) -> bool:
    """Whether a CPU takes Winograd's form to compute maps of these sides."""
    fewest = FEWEST_CHANNELS.get(at.size[0], math.inf)
    if at.strides != (1, 1) or at.size[0] != at.size[1] or min(at.shape[3], features) < fewest:
        return False
    tiles = math.prod(-(-n // TILE) for n in sides)
    products = (at.size[0] + TILE - 1) ** 2 * tiles
    fewer = products <= MOST_PRODUCTS * math.prod(at.size) * math.prod(at.outputs)
    return fewer and len(x) * tiles >= least and x.dtype == jnp.float32


def _has_native(x: Array, at: Windows) -> bool:
    """Whether XLA's convolution is fast on a CPU for these types and windows."""
    return at.size != (1, 1) and x.dtype == jnp.float32


def _suits_native(x: Array, channels: int, at: Windows, least: int = MOST_ENTRIES) -> bool:
    """Whether XLA's convolution is faster on a CPU than products, for patches of many channels."""
    large = channels >= MANY_CHANNELS or _entries(over(at, 1)) > MOST_OF_ONE
    return _has_native(x, at) and large and _entries(at) > least


def _entries(at: Windows) -> int:
    """Counts the entries of the patches that are multiplied at a time."""
    wide = _merge(at, _neighbours(at))
    rows = wide.size[0] if at.shape[3] <= FEW_CHANNELS else 1
    return at.shape[0] * math.prod(wide.outputs) * rows * wide.size[1] * at.shape[3]


def _of_an_image(at: Windows) -> int:
    """Counts the entries of an image's patches for `blocks`: 0 if all images are one block.

    Windows of one pixel are the image as it is.
    """
    few = at.shape[3] <= FEW_CHANNELS and _entries(at) <= MOST_OF_FEW
    return 0 if few or at.size == (1, 1) else _entries(over(at, 1))


def convolve_input_grad(
    g: Array, kernel: Array, shape: tuple[int, ...], strides: int | Pair, padding: Padding
) -> Array:
    """Computes `dE/dx [batch, rows, columns, in]`, of `shape`, from `g = dE/dy` and the kernel.

    Each derivative of `g [batch, rows, columns, out]` is spread by the kernel.

    Raises:
        ValueError: strides or padding that `convolve` refuses.

    Example:
        >>> import jax.numpy as jnp
        >>> g, kernel = jnp.ones((1, 3, 3, 2)), jnp.ones((3, 3, 1, 2))
        >>> convolve_input_grad(g, kernel, (1, 5, 5, 1), 1, "VALID").shape
        (1, 5, 5, 1)
    """
    g, kernel = _of_one_type(as_images(g, "g"), as_images(kernel, "the kernel"))
    return _input_grad(g, kernel, windows(shape, _size(kernel), strides, padding))


def convolve_kernel_grad(
    x: Array, g: Array, size: Pair, strides: int | Pair, padding: Padding
) -> Array:
    """Computes `dE/dkernel [kernel rows, kernel columns, in, out]` from `g = dE/dy`.

    `g [batch, rows, columns, out]` is correlated with the images `x [batch, rows, columns, in]`.

    Raises:
        ValueError: strides or padding that `convolve` refuses.

    Example:
        >>> import jax.numpy as jnp
        >>> x, g = jnp.ones((1, 5, 5, 1)), jnp.ones((1, 3, 3, 2))
        >>> convolve_kernel_grad(x, g, (3, 3), 1, "VALID").shape
        (3, 3, 1, 2)
    """
    x, g = _of_one_type(as_images(x), as_images(g, "g"))
    return _kernel_grad(x, g, windows(x.shape, size, strides, padding))


def _input_grad(g: Array, kernel: Array, at: Windows) -> Array:
    return lax.platform_dependent(
        g,
        kernel,
        cpu=partial(_input_grad_form(g, kernel, at), at=at),
        default=partial(_input_grad_native, at=at),
    )


def _input_grad_form(g: Array, kernel: Array, at: Windows) -> Callable:
    if _suits_winograd(g, kernel.shape[3], at, at.shape[1:3]):
        return winograd_input_grad
    dense = at.strides == (1, 1) and _suits_native(g, min(kernel.shape[2:]), at)
    return _input_grad_native if dense else _input_grad_in_blocks


def _kernel_grad(x: Array, g: Array, at: Windows) -> Array:
    exact = at.size[0] <= LARGEST_EXACT
    suits = exact and _suits_winograd(x, g.shape[3], at, at.outputs)
    cpu = winograd_kernel_grad if suits else _kernel_grad_in_blocks
    return lax.platform_dependent(
        x,
        g,
        cpu=partial(cpu, at=at),
        default=partial(_kernel_grad_native, at=at),
    )


def _size(kernel: Array) -> Pair:
    return kernel.shape[0], kernel.shape[1]


def _forward_in_blocks(x: Array, kernel: Array, at: Windows) -> Array:
    return map_blocks(lambda x, at: _forward_cpu(x, kernel, at), x, at, _of_an_image(at))


def _forward_cpu(x: Array, kernel: Array, at: Windows) -> Array:
    n = _neighbours(at)
    patches = _patches(x, _merge(at, n))
    weights = _widen(kernel, n, at.strides[1]).reshape(len(patches), -1, n * kernel.shape[3])
    products = [p @ w for p, w in zip(patches, weights, strict=True)]
    y = sum(products[1:], products[0])
    return y.reshape(len(x), *at.outputs, kernel.shape[3])


def _forward_entire(x: Array, kernel: Array, at: Windows) -> Array:
    """Multiplies entire patches, so that the kernel is not cut into its rows."""
    strip = jnp.concatenate(taps(pad(x, at), 2, at.size[1], at.strides[1], at.outputs[1]), axis=3)
    rows = taps(strip, 1, at.size[0], at.strides[0], at.outputs[0])
    features = kernel.shape[3]
    patches = jnp.concatenate(rows, axis=3).reshape(-1, kernel.size // features)
    return (patches @ kernel.reshape(-1, features)).reshape(len(x), *at.outputs, features)


def _forward_one_by_one(x: Array, kernel: Array, at: Windows) -> Array:
    """Convolves one image after the other, which stays in cache: XLA's form is slow for more."""
    one = over(at, 1)
    return lax.map(lambda image: _forward_native(image[None], kernel, one)[0], x)


def _input_grad_in_blocks(g: Array, kernel: Array, at: Windows) -> Array:
    return map_blocks(lambda g, at: _input_grad_cpu(g, kernel, at), g, at, _of_an_image(at))


def _input_grad_cpu(g: Array, kernel: Array, at: Windows) -> Array:
    features = kernel.shape[3]
    rows, columns = at.size
    entries = g.reshape(-1, features) @ kernel.reshape(-1, features).T
    entries = entries.reshape(*g.shape[:3], rows, columns, -1)
    strip = untaps([entries[:, :, :, i] for i in range(rows)], 1, at.padded_size[0], at.strides[0])
    dx = untaps([strip[:, :, :, j] for j in range(columns)], 2, at.padded_size[1], at.strides[1])
    return unpad(dx, at)


def _kernel_grad_in_blocks(x: Array, g: Array, at: Windows) -> Array:
    return sum_blocks(_kernel_grad_cpu, x, g, at, _of_an_image(at))


def _kernel_grad_cpu(x: Array, g: Array, at: Windows) -> Array:
    n = _neighbours(at)
    wide = _merge(at, n)
    columns = g.reshape(-1, n * g.shape[3])
    grads = jnp.stack([p.T @ columns for p in _patches(x, wide)])
    return _narrow(grads.reshape(*wide.size, x.shape[3], n, -1), at)


def _neighbours(at: Windows) -> int:
    """Chooses how many adjacent windows one patch covers."""
    if at.shape[3] > FEW_CHANNELS:
        return 1
    return next(n for n in NEIGHBOURS if at.outputs[1] % n == 0)


def _merge(at: Windows, n: int) -> Windows:
    """Merges each n adjacent windows of `at` into one."""
    (rows, columns), (down, right) = at.size, at.strides
    return at._replace(size=(rows, columns + (n - 1) * right), strides=(down, n * right))


def _widen(kernel: Array, n: int, stride: int) -> Array:
    """Puts the kernel at n positions of a wide window, `[rows, wide columns, in, n, out]`."""
    none = (0, 0)
    margins = [(i * stride, (n - 1 - i) * stride) for i in range(n)]
    return jnp.stack([jnp.pad(kernel, (none, margin, none, none)) for margin in margins], 3)


def _narrow(grads: Array, at: Windows) -> Array:
    """Transposes `_widen`."""
    columns, stride = at.size[1], at.strides[1]
    starts = [i * stride for i in range(grads.shape[3])]
    parts = [grads[:, start : start + columns, :, i] for i, start in enumerate(starts)]
    return sum(parts[1:], parts[0])


def _patches(x: Array, at: Windows) -> list[Array]:
    """Returns matrices of the windows' entries: one of entire windows, or one per window row."""
    x = pad(x, at)
    strip = jnp.concatenate(taps(x, 2, at.size[1], at.strides[1], at.outputs[1]), axis=3)
    rows = taps(strip, 1, at.size[0], at.strides[0], at.outputs[0])
    if x.shape[3] <= FEW_CHANNELS:
        rows = [jnp.stack(rows, 3)]
    return [row.reshape(-1, math.prod(row.shape[3:])) for row in rows]


def _forward_native(x: Array, kernel: Array, at: Windows) -> Array:
    return lax.conv_general_dilated(
        x, kernel, at.strides, at.pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )


def _input_grad_native(g: Array, kernel: Array, at: Windows) -> Array:
    """Correlates in full with the kernel rotated by 180 degrees; strides insert zeros."""
    pads = []
    for n, size, outputs, stride, (low, _) in zip(
        at.shape[1:3], at.size, at.outputs, at.strides, at.pads, strict=True
    ):
        before = size - 1 - low
        pads.append((before, n + size - 1 - before - (outputs - 1) * stride - 1))
    return lax.conv_general_dilated(
        g,
        jnp.flip(kernel, (0, 1)).swapaxes(2, 3),
        (1, 1),
        pads,
        lhs_dilation=at.strides,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def _kernel_grad_native(x: Array, g: Array, at: Windows) -> Array:
    """Correlates over the batch: images and derivatives swap the axes batch and channels."""
    pads = [
        (low, size + (outputs - 1) * stride - n - low)
        for n, size, outputs, stride, (low, _) in zip(
            at.shape[1:3], at.size, at.outputs, at.strides, at.pads, strict=True
        )
    ]
    return lax.conv_general_dilated(
        x,
        g,
        (1, 1),
        pads,
        rhs_dilation=at.strides,
        dimension_numbers=("CHWN", "IHWO", "HWNC"),
    )
