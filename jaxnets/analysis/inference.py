"""Outputs of a trained network for many samples, on all devices, where no gradient is asked for."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from itertools import takewhile
from typing import Any

import jax
import numpy as np
from jax import Array, lax
from jax.sharding import AxisType, Mesh, NamedSharding

from jaxnets.host.checks import require_not_forked
from jaxnets.models import CNN, Dense, count_parameters
from jaxnets.objective import BLOCK_ENTRIES, as_samples, outputs_of
from jaxnets.parallel.mesh import DATA_AXIS, REPLICATED, SHARDED, on_first_device, replicate

MOST_ENTRIES = 2**26
"""How many entries the samples of a device may have in a call, 256 MB in single precision."""
MOST_ALONE = 2**22
"""How many if they are not in blocks, as 27 images of 224 x 224 pixels."""
MANY_WEIGHTS = 3_000_000
"""From more in a layer, such as blocks of ResNet on maps of 7 x 7, one image is too few for them.

To read and pack 12 MB takes as long as their products with 49 positions.
"""
SEVERAL = 8
"""How many images such a layer takes at a time, or more for equal blocks."""


def inference(model: Any, params: Any) -> Callable[[Any], np.ndarray]:
    """Places a network on all devices of this process, and returns the function of its outputs.

    That function takes samples `[samples, ...]`, which it converts and checks as `fit` does, and
    returns `[samples, outputs]`, those of `model.apply(params, x)` up to rounding. The devices
    share the samples. After `jaxnets.use_all_cores()` each core takes one large image after the
    other through a `CNN`: what one layer makes is still in the cache when the next reads it. From
    the first layer of millions of weights on, which take longer to read than an image's values,
    layers take several images at a time, and from the first dense one on all.
    Fewer samples than devices are computed on the first one: for one image at a time leave out
    `use_all_cores`, so that this has all cores. It compiles for every number of samples, so pass
    as many each time.

    Args:
        model: any model that `fit` takes.
        params: its parameters, all its variables if there are others; each device has a copy.

    Raises:
        ValueError, TypeError: in the returned function, samples that `fit` would refuse, or that do
            not fit the model.

    Example:
        >>> import jax, numpy as np, jaxnets as jn
        >>> from jaxnets.models import small_cnn
        >>> model, images = small_cnn(), np.ones((6, 28, 28, 1), np.float32)
        >>> outputs = inference(model, model.init(jax.random.key(0), images[:1]))
        >>> outputs(images).shape
        (6, 10)
    """
    devices = jax.local_devices()
    mesh = jax.make_mesh((len(devices),), (DATA_AXIS,), (AxisType.Auto,), devices=devices)
    everywhere = replicate(params, mesh)
    first = on_first_device(everywhere)

    def outputs(x: Any) -> np.ndarray:
        require_not_forked()
        x = as_samples(model, x, "x")
        if len(x) < mesh.size or mesh.size == 1:
            size = _even(len(x), MOST_ALONE // _entries(x.shape[1:]))
            found = [_alone(model, first, part) for part in _parts(x, size)]
        else:
            share, block = _plan(len(x), x.shape[1:], mesh.size)
            place = NamedSharding(mesh, SHARDED)
            found = [
                _shared(model, mesh, block, everywhere, jax.device_put(part, place))
                for part in _parts(x, share * mesh.size)
            ]
        return np.concatenate([np.asarray(part) for part in found])[: len(x)]

    return outputs


def _plan(samples: int, shape: tuple[int, ...], devices: int) -> tuple[int, int]:
    """Chooses the samples of a device in a call, a multiple of a block, and those of a block.

    All calls take as many, so that they share a program; parts are even, for the least padding.
    """
    entries = _entries(shape)
    share = _even(-(-samples // devices), MOST_ENTRIES // entries)
    block = _even(share, BLOCK_ENTRIES // entries)
    return -(-share // block) * block, block


def _even(n: int, most: int) -> int:
    """Returns the size of parts of n that are as even as can be, and at most `most`."""
    parts = -(-n // max(1, most))
    return -(-n // parts)


def _entries(shape: tuple[int, ...]) -> int:
    return max(1, math.prod(shape))


def _parts(x: Any, size: int) -> list[Any]:
    """Cuts samples into parts of one size; in the last some occur twice to fill it."""
    parts = [x[start : start + size] for start in range(0, len(x), size)]
    if len(parts[-1]) < size:
        parts[-1] = parts[-1][np.arange(size) % len(parts[-1])]
    return parts


@partial(jax.jit, static_argnums=0)
def _alone(model: Any, params: Any, x: Array) -> Array:
    return outputs_of(model, params, x)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _shared(model: Any, mesh: Mesh, block: int, params: Any, x: Array) -> Array:
    of_images = isinstance(model, CNN) and not isinstance(model.layers[0], Dense)
    in_blocks = of_images and mesh.devices[0].platform == "cpu"
    own = partial(_in_blocks, model, block) if in_blocks else partial(outputs_of, model)
    specs = REPLICATED, SHARDED
    return jax.shard_map(own, mesh=mesh, in_specs=specs, out_specs=SHARDED, check_vma=False)(
        params, x
    )


def _in_blocks(model: CNN, block: int, params: Any, x: Array) -> Array:
    """Applies sections of layers to blocks of images, the larger the more weights these have."""
    for start, stop, images in _sections(model, block, params, len(x)):
        section = partial(model.apply, params, start=start, stop=stop, method="section")
        if images < len(x):
            x = lax.map(section, x.reshape(-1, images, *x.shape[1:]))
            x = x.reshape(-1, *x.shape[2:])
        else:
            x = section(x)
    return x


def _sections(model: CNN, block: int, params: Any, samples: int) -> list[tuple[int, int, int]]:
    """Cuts the layers before the first of many weights, and before the first dense one.

    Returns:
        The first layer of each section, the one after its last, and how many images it takes.
    """
    dense = _first(isinstance(layer, Dense) for layer in model.layers)
    own = [params.get("params", {}).get(f"layers_{i}", {}) for i in range(dense)]
    heavy = _first(count_parameters(weights) > MANY_WEIGHTS for weights in own)
    most = min(max(block, SEVERAL), samples)
    several = next(n for n in range(most, samples + 1) if samples % n == 0)
    sections = [(0, heavy, block), (heavy, dense, several), (dense, len(model.layers), samples)]
    return [section for section in sections if section[0] < section[1]]


def _first(conditions: Iterable[bool]) -> int:
    """Counts the conditions before the first that holds."""
    return len([*takewhile(lambda holds: not holds, conditions)])
