"""Scalars for TensorBoard, with the extra [tensorboard]."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jaxnets.host.paths import as_path


def require_installed() -> None:
    """Raises a ModuleNotFoundError that names the extra, unless it is installed.

    Example:
        >>> require_installed()
    """
    if find_spec("tensorboardX") is None:
        raise ModuleNotFoundError(
            "scalars for TensorBoard need tensorboardX: pip install 'jaxnets[tensorboard]'"
        )


class Board:
    """Writes the event files of one run, whose first records may exist already.

    Example:
        >>> import tempfile
        >>> board = Board(tempfile.mkdtemp(), records=0)
        >>> board.add([{"epoch": 1, "train_loss": 0.5}])
        >>> board.close()
    """

    def __init__(self, folder: str | Path, records: int):
        self.folder, self.written = as_path(folder), records
        self.writer: Any = None
        self.files = 0

    def add(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes the new rows; they replace what a killed process wrote after `records`."""
        self.write(rows[self.written :])

    def write(self, new: Sequence[Mapping[str, Any]]) -> None:
        """Writes rows, each with its `epoch` and a number a name."""
        from tensorboardX import SummaryWriter

        self.written += len(new)
        if new and self.writer is None:
            epoch = new[0]["epoch"]
            suffix = f".{self.files:03d}.{epoch:09d}"  # a restart may be within the same second
            self.files += 1
            self.writer = SummaryWriter(str(self.folder), purge_step=epoch, filename_suffix=suffix)
        for row in new:
            for name, value in row.items():
                if name != "epoch":
                    self.writer.add_scalar(name.replace("_", "/", 1), value, row["epoch"])
        if new:
            self.writer.flush()

    def close(self) -> None:
        """Closes the file; rows that are written later start another, which replaces from there."""
        if self.writer is not None:
            self.writer.close()
            self.writer = None
