"""Photographs that come with packages, and patches cut from them.

Nothing is downloaded: "china" and "flower" come with scikit-learn, the others with scikit-image.
"""

from collections.abc import Sequence

import numpy as np

from jaxnets.data.dataset import Part
from jaxnets.host import checks

SCIKIT_LEARN = ("china", "flower")
SCIKIT_IMAGE = (
    *("astronaut", "chelsea", "coffee", "hubble"),
    *("ihc", "motorcycle", "retina", "rocket"),
)
KNOWN = (*SCIKIT_LEARN, *SCIKIT_IMAGE)
"""A garden in China, a flower; an astronaut, a cat, a cup, galaxies, stained tissue, a motorcycle,
an eye's retina, a rocket."""
GREY = ("camera",)
"""A cameraman with his tripod."""


def load(names: Sequence[str]) -> list[np.ndarray]:
    """Loads photographs by name, each uint8 `[rows, columns, 3]`, 300 to 1,411 per side.

    Those of `GREY` have three equal channels.

    Raises:
        ValueError: an unknown name (the nearest is suggested).
        ModuleNotFoundError: a photograph of scikit-image, which is not installed.
    """
    checks.require_known(names, (*KNOWN, *GREY), "photograph")
    return [(_scikit_learn if name in SCIKIT_LEARN else _scikit_image)(name) for name in names]


def _scikit_learn(name: str) -> np.ndarray:
    from sklearn.datasets import load_sample_image

    return load_sample_image(f"{name}.jpg")


def _scikit_image(name: str) -> np.ndarray:
    try:
        from skimage import data
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the photograph {name!r} comes with scikit-image: pip install 'jaxnets[experiments]'"
        ) from error
    loaders = {
        "astronaut": data.astronaut,
        "camera": lambda: np.stack([data.camera()] * 3, axis=-1),
        "chelsea": data.chelsea,
        "coffee": data.coffee,
        "hubble": data.hubble_deep_field,
        "ihc": data.immunohistochemistry,
        "motorcycle": lambda: data.stereo_motorcycle()[0],
        "retina": data.retina,
        "rocket": data.rocket,
    }
    return np.asarray(loaders[name]())


def sides(photographs: np.ndarray, share: float = 0.75) -> tuple[np.ndarray, np.ndarray]:
    """Splits photographs `[photographs, rows, columns, ...]` into the left `share` and the rest.

    Patches of one side share no pixel with those of the other.

    Raises:
        ValueError: a side without a column.
    """
    columns = photographs.shape[2]
    edge = int(share * columns)
    if not 0 < edge < columns:
        raise ValueError(
            f"share is {share}: of {columns} columns that leaves {edge} and {columns - edge}; "
            "each side needs one"
        )
    return photographs[:, :, :edge], photographs[:, :, edge:]


def crops(random: np.random.Generator, photographs: np.ndarray, n: int, size: int) -> np.ndarray:
    """Cuts patches `[n, size, size, ...]` at random from `[photographs, rows, columns, ...]`.

    Every position in every photograph is equally likely.

    Raises:
        ValueError: photographs smaller than a patch.
    """
    rows, columns = photographs.shape[1:3]
    if min(rows, columns) < size:
        raise ValueError(f"patches of {size} x {size} do not fit into {rows} x {columns} pixels")
    windows = np.lib.stride_tricks.sliding_window_view(photographs, (size, size), (1, 2))
    chosen = windows[tuple(random.integers(places, size=n) for places in windows.shape[:3])]
    return np.moveaxis(chosen, (-2, -1), (1, 2))


def labelled_crops(
    random: np.random.Generator, photographs: Sequence[np.ndarray], each: int, size: int
) -> Part:
    """Cuts `each` patches from every photograph `[rows, columns, ...]`, labelled by its number.

    Returns `{"x": [photographs * each, size, size, ...], "y": int32}`; the photographs may differ
    in rows and columns.
    """
    x = [crops(random, photograph[None], each, size) for photograph in photographs]
    return {
        "x": np.concatenate(x),
        "y": np.repeat(np.arange(len(x), dtype=np.int32), each),
    }
