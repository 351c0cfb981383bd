"""The maps of shifted images against the shifted maps, stage by stage (row C3)."""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxnets.models import CNN, Conv, Flatten, MaxPool

from ..lab.claims import Result

KINDS = ("trained", "random")
IMAGES = 32
"""Images whose maps are compared."""
NEAR = 3
SHOWN = (3, 3)
"""How far the image of the figure moves down and to the right."""


def shift_images(x: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shifts images `[images, rows, columns, channels]` by integer pixels, filling with 0."""
    _, rows, columns, _ = x.shape
    image = np.zeros_like(x)
    image[:, span(rows, down), span(columns, right)] = x[
        :, span(rows, -down), span(columns, -right)
    ]
    return image


def difference(maps: np.ndarray, of_moved: np.ndarray, down: int, right: int) -> float:
    """Computes the largest `|of_moved - maps moved down and right|` over the largest `|maps|`.

    Only entries that both have count: those whose windows lie inside both images.
    """
    _, rows, columns, _ = maps.shape
    expected = maps[:, span(rows, -down), span(columns, -right)]
    got = of_moved[:, span(rows, down), span(columns, right)]
    return float(np.abs(got - expected).max() / np.abs(maps).max())


def span(n: int, distance: int) -> slice:
    """Of an axis of n entries, those that something moved by a distance can cover."""
    return slice(max(distance, 0), n + min(distance, 0))


def stages(model: CNN) -> Iterator[tuple[int, str, int]]:
    """Yields index, name and stride (in pixels of the image) of each layer that outputs maps."""
    stride, counts = 1, {"Conv": 0, "MaxPool": 0}
    for i, layer in enumerate(model.layers):
        if isinstance(layer, Flatten):
            return
        kind = type(layer).__name__
        if kind in counts:
            counts[kind] += 1
        if isinstance(layer, MaxPool):
            stride *= int(layer.size)  # type: ignore[arg-type]
            yield i, f"pooling {counts[kind]}", stride
        elif isinstance(layer, Conv):
            yield i, f"convolution {counts[kind]}", stride
        else:
            yield i, f"convolution {counts['Conv']} + ReLU", stride


def moves(stride: int) -> list[tuple[int, int]]:
    """Lists the shifts `(down, right)` of up to 3 pixels, or of one stride: multiples of it."""
    reach = max(NEAR // stride, 1)
    steps = [stride * k for k in range(-reach, reach + 1)]
    return [move for move in product(steps, steps) if move != (0, 0)]


def compare(key: Array, model: CNN, trained: Any, x: np.ndarray, seeds: int) -> Result:
    """Measures the largest differences `[seeds, stages]` of networks, trained and random ones.

    Also a map of the first image, before and after it moves.
    """
    x = np.asarray(x[:IMAGES])
    keys = jax.random.split(key, seeds)
    drawn = jax.jit(jax.vmap(lambda key: model.init(key, x[:1])))(keys)
    found = list(stages(model))
    values = jax.jit(lambda params, x: model.apply(params, x, method="maps"))
    result: Result = {
        "stages": np.asarray([name for _, name, _ in found]),
        "strides": np.asarray([stride for _, _, stride in found]),
    }
    for name, params in (("trained", trained), ("random", drawn)):
        rows = []
        for seed in range(seeds):
            one = jax.tree.map(lambda a, seed=seed: a[seed], params)
            rows.append(_differences(partial(values, one), x, found))
        result[f"difference_{name}"] = np.asarray(rows)
    first = jax.tree.map(lambda a: a[0], trained)
    pair = np.concatenate([x[:1], shift_images(x[:1], *SHOWN)])
    maps = np.asarray(values(first, pair)[1])
    return result | {"pair": pair[..., 0], "pair_maps": maps[..., maps[0].std((0, 1)).argmax()]}


def _differences(values: Any, x: np.ndarray, found: list[tuple[int, str, int]]) -> list[float]:
    plain, largest = values(x), [0.0] * len(found)
    for move in sorted({move for _, _, stride in found for move in moves(stride)}):
        of_moved = values(shift_images(x, *move))
        for k, (layer, _, stride) in enumerate(found):
            if move in moves(stride):
                down, right = (distance // stride for distance in move)
                maps = np.asarray(plain[layer]), np.asarray(of_moved[layer])
                largest[k] = max(largest[k], difference(*maps, down, right))
    return largest
