"""Progress bars for long work on the host."""

from typing import Any


def progress_bar(
    show: bool, unit: str, total: int | None = None, scale: bool = False, begun: int = 0
) -> Any:
    """Opens a bar of `total` units, or a counter if None; `scale` abbreviates thousands to k.

    Units that were `begun` before do not count for the rate and the time that is left.
    In a notebook it is a widget, or a line of text without ipywidgets.
    """
    import warnings

    with warnings.catch_warnings(action="ignore"):  # of missing ipywidgets
        from tqdm.auto import tqdm

    return tqdm(total=total, unit=unit, unit_scale=scale, initial=begun, disable=not show)
