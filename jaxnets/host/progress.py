"""Progress bars for long work on the host."""

from typing import Any


def progress_bar(show: bool, unit: str, total: int | None = None, scale: bool = False) -> Any:
    """Opens a bar of `total` units, or a counter if None; `scale` abbreviates thousands to k.

    In a notebook it is a widget, or a line of text without ipywidgets.
    """
    import warnings

    with warnings.catch_warnings(action="ignore"):  # of missing ipywidgets
        from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, unit_scale=scale, disable=not show)
