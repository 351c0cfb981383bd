"""The bar that long work on the host shows."""

from typing import Any


def progress_bar(show: bool, unit: str, total: int | None = None, scale: bool = False) -> Any:
    """Opens a bar of `total` units, or a counter without it; `scale` writes thousands as k."""
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, unit_scale=scale, disable=not show)
