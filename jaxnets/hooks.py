"""What a run calls with each record of its history: files, TensorBoard, Weights & Biases, MLflow.

    fit(spec, key, data, hparams, on_record=hooks.to_csv("metrics.csv"))

Any function `(epoch, metrics)` is a hook; `metrics` has a number a name, or of a sweep an array
`[networks]`. Hooks are called between two pieces of a run, in order, once a record.
"""

import math
import weakref
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import make_folder, write_text
from jaxnets.storage.tensorboard import Board, require_installed

Hook = Callable[[int, Mapping[str, Any]], None]


def to_csv(path: str | Path) -> Hook:
    """Builds a hook that writes a row a record, and of a sweep a row a network.

    A run that goes on keeps the rows before its first record; one that starts again replaces them.

    Args:
        path: the file; its folder is made.

    Raises:
        TypeError: not a path.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "metrics.csv"
        >>> to_csv(path)(1, {"train_loss": 0.5})
        >>> path.read_text().split()
        ['epoch,train_loss', '1,0.5']
    """
    file = as_path(path, "path")
    last, header = math.inf, ""

    def write(epoch: int, metrics: Mapping[str, Any]) -> None:
        nonlocal last, header
        table = list(_rows(epoch, metrics))
        names = ",".join(table[0])
        if epoch <= last or names != header:
            make_folder(file.parent)
            write_text(file, "\n".join([names, *_before(file, names, epoch), ""]))
        last, header = epoch, names
        with file.open("a", encoding="utf-8") as out:
            out.writelines(",".join(f"{v:.9g}" for v in row.values()) + "\n" for row in table)

    return write


def _before(file: Path, header: str, epoch: int) -> list[str]:
    """The complete rows of earlier epochs, if the file has the same columns."""
    if not file.exists():
        return []
    first, *lines = file.read_text(encoding="utf-8").split("\n")[:-1] or [""]
    return [line for line in lines if int(line.split(",")[0]) < epoch] if first == header else []


def _rows(epoch: int, metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    networks = max((np.size(value) for value in metrics.values() if np.ndim(value)), default=0)
    if not networks:
        yield {"epoch": epoch, **metrics}
    for i in range(networks):
        yield {"epoch": epoch, "network": i} | {name: v[i] for name, v in metrics.items()}


def to_tensorboard(folder: str | Path) -> Hook:
    """Builds a hook that writes scalars for TensorBoard; a network of a sweep has its own.

    A run that starts again makes void what the hook wrote from its first record on.

    Args:
        folder: of the event files.

    Raises:
        ModuleNotFoundError: the extra [tensorboard] is not installed.
        TypeError: not a path.

    Example:
        >>> import tempfile
        >>> hook = to_tensorboard(tempfile.mkdtemp())
        >>> hook(1, {"train_loss": 0.5})
    """
    require_installed()
    board, last = Board(as_path(folder, "folder"), 0), 0

    def write(epoch: int, metrics: Mapping[str, Any]) -> None:
        nonlocal last
        if epoch <= last:
            board.close()
        last = epoch
        board.write([{"epoch": epoch} | scalars(metrics)])

    weakref.finalize(write, board.close)  # a thread holds the newest rows back until then
    return write


def to_wandb(run: Any) -> Hook:
    """Builds a hook for a run of Weights & Biases, `to_wandb(wandb.init(...))`.

    Raises:
        TypeError: not a run, which has `log`.

    Example:
        >>> class Run:  # stands for wandb.init(...)
        ...     def log(self, values, step=None):
        ...         print(values)
        >>> to_wandb(Run())(1, {"train_loss": 0.5})
        {'train/loss': 0.5}
    """
    if not callable(getattr(run, "log", None)):
        raise TypeError(f"run is {run!r}; it must be a run, as wandb.init() returns it")
    return lambda epoch, metrics: run.log(scalars(metrics), step=epoch)


def to_mlflow(run_id: str | None = None) -> Hook:
    """Builds a hook for a run of MLflow, by default the active one.

    Args:
        run_id: of another run.

    Raises:
        ModuleNotFoundError: the extra [mlflow] is not installed.

    Example:
        >>> try:
        ...     hook = to_mlflow()  # within `with mlflow.start_run():`
        ... except ModuleNotFoundError:
        ...     hook = None  # pip install 'jaxnets[mlflow]'
    """
    try:
        import mlflow
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "metrics for MLflow need mlflow: pip install 'jaxnets[mlflow]'"
        ) from error
    return lambda epoch, metrics: mlflow.log_metrics(scalars(metrics), step=epoch, run_id=run_id)


def to_all(*hooks: Hook) -> Hook:
    """Builds a hook that calls others, in order.

    Examples:
        >>> seen = []
        >>> to_all(lambda epoch, metrics: seen.append(epoch), print)(3, {"train_loss": 0.5})
        3 {'train_loss': 0.5}
        >>> seen
        [3]
    """

    def call(epoch: int, metrics: Mapping[str, Any]) -> None:
        for hook in hooks:
            hook(epoch, metrics)

    return call


def scalars(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Names each number, `train/loss`, and of a sweep each network's, `train/loss/0`.

    Examples:
        >>> scalars({"train_loss": 0.5})
        {'train/loss': 0.5}
    """
    found: dict[str, float] = {}
    for name, value in metrics.items():
        tag = name.replace("_", "/", 1)
        found |= {f"{tag}/{i}": float(v) for i, v in enumerate(np.ravel(value))}
        if not np.ndim(value):
            found[tag] = found.pop(f"{tag}/0")
    return found
