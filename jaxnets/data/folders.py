"""Pictures from folders, one folder a class, as samples and labels.

    pictures = from_folder("flowers", size=(64, 64))
    data = from_arrays(pictures.x, pictures.y, stratify=True)

It takes Pillow, of the extra [images].
"""

from collections import Counter
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxnets.host import checks
from jaxnets.host.paths import as_path

COLOURS = {"rgb": "RGB", "grey": "L"}
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".pgm", ".tif", ".tiff", ".webp")
DEEP = 65535


class Pictures(NamedTuple):
    """Pictures of one size, with the folders that they were in."""

    x: np.ndarray
    """`[pictures, rows, columns, 3 or 1]`: uint8 pixels, or floats in [0, 1] if a picture has 16
    bits a pixel."""
    y: np.ndarray
    """`[pictures]` int32 labels."""
    classes: list[str]
    """The folders, in the order of the labels."""
    files: list[Path]


def from_folder(
    folder: str | PathLike[str], *, colour: str = "rgb", size: tuple[int, int] | None = None
) -> Pictures:
    """Reads the pictures of a folder's subfolders, each of which is a class.

    Pictures are turned as their EXIF notes say; palettes become colours; what is transparent
    becomes white. Files and folders whose names begin with a dot, and files that are no pictures by
    their suffix, are left out.

    Args:
        folder: with one subfolder a class.
        colour: "rgb" for three channels, "grey" for one.
        size: rows and columns, to which pictures are scaled, and cropped in the middle where their
            shape differs; without it all must have one size.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: fewer than two subfolders with pictures, a picture that cannot be read or of
            another size (it is named), an unknown colour, or a size below 1.
        ModuleNotFoundError: Pillow is missing.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("cat", "dog"):
        ...     (folder / name).mkdir()
        ...     Image.new("RGB", (8, 8)).save(folder / name / "1.png")
        >>> pictures = from_folder(folder)
        >>> pictures.x.shape, pictures.classes
        ((2, 8, 8, 3), ['cat', 'dog'])
    """
    checks.require_known([colour], COLOURS, "colour")
    if size is not None and len(checks.as_counts(size, "size")) != 2:
        raise ValueError(f"size is {size}; it must be rows and columns, such as (64, 64)")
    root = as_path(folder)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder")
    inside = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    found = {path.name: _pictures_in(path) for path in inside}
    classes = [name for name, files in found.items() if files]
    if len(classes) < 2:
        raise ValueError(
            f"{root} has {len(classes)} subfolders with pictures: put the pictures of each class "
            "in a folder of their own"
        )
    files = [path for name in classes for path in found[name]]
    labels = np.repeat(np.arange(len(classes)), [len(found[name]) for name in classes])
    arrays = [_read(path, COLOURS[colour], size) for path in files]
    _require_one_size(arrays, files)
    if len({array.dtype for array in arrays}) > 1:
        arrays = [_as_share(array) for array in arrays]
    return Pictures(np.stack(arrays), labels.astype(np.int32), classes, files)


def _pictures_in(folder: Path) -> list[Path]:
    names = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "."]
    return sorted(path for path in names if path.is_file())


def _read(path: Path, mode: str, size: tuple[int, int] | None) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as file:
            picture = ImageOps.exif_transpose(file)
            picture.load()
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError) as error:
        raise ValueError(f"{path} cannot be read as a picture: {error}") from error
    if picture.mode[0] in "FI":
        _require_16_bits(picture, path)
        return _deep(picture, mode, size)
    if "A" in picture.getbands() or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        white = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(white, picture)
    picture = picture.convert(mode)
    if size is not None:
        picture = ImageOps.fit(picture, (size[1], size[0]), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture)
    return pixels[..., None] if mode == "L" else pixels


def _require_16_bits(picture: Any, path: Path) -> None:
    low, high = picture.getextrema()
    if picture.mode == "F" or not 0 <= low <= high <= DEEP:
        raise ValueError(
            f"{path} has values from {low:g} to {high:g}, whose scale is unknown: save it with 8 "
            "or 16 bits a pixel"
        )


def _deep(picture: Any, mode: str, size: tuple[int, int] | None) -> np.ndarray:
    """Grey levels of 16 bits, as floats in [0, 1]."""
    from PIL import Image, ImageOps

    levels = Image.fromarray(np.asarray(picture, np.float32) / DEEP, "F")
    if size is not None:
        levels = ImageOps.fit(levels, (size[1], size[0]), Image.Resampling.BILINEAR)
    return np.repeat(np.asarray(levels)[..., None], 1 if mode == "L" else 3, axis=-1)


def _as_share(array: np.ndarray) -> np.ndarray:
    return array if array.dtype == np.float32 else array.astype(np.float32) / 255


def _require_one_size(arrays: list[np.ndarray], files: list[Path]) -> None:
    sizes = Counter(array.shape[:2] for array in arrays)
    usual, count = sizes.most_common(1)[0]
    for array, path in zip(arrays, files, strict=True):
        if array.shape[:2] != usual:
            raise ValueError(
                f"{path} has {array.shape[0]} x {array.shape[1]} pixels, {count} others have "
                f"{usual[0]} x {usual[1]}: give a size, such as size=({usual[0]}, {usual[1]})"
            )
