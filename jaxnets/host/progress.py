"""Progress bars for long work on the host."""

from typing import Any


def progress_bar(show: bool, unit: str, total: int | None = None, scale: bool = False) -> Any:
    """Opens a bar of `total` units, or a counter if None; `scale` abbreviates thousands to k."""
    from tqdm import tqdm

    return tqdm(total=total, unit=unit, unit_scale=scale, disable=not show)
