"""Files as readers need them: regular ones, which have a size and an end."""

import stat
from pathlib import Path

KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def require_file(path: Path, advice: str = "check its name") -> None:
    """Raises unless the path is a regular file: others may block, or never end.

    Links are followed. Call it before a file is opened, since opening a pipe waits for a writer.

    Raises:
        FileNotFoundError: nothing is there; the message ends with the advice.
        ValueError: a folder, pipe, socket or device.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(f"{path} not found; {advice}") from error
    if stat.S_ISREG(mode):
        return
    kind = next((name for is_kind, name in KINDS if is_kind(mode)), "of a special kind")
    copy = "" if stat.S_ISDIR(mode) else ": copy what it holds to a file first"
    raise ValueError(f"{path} is {kind}, not a file{copy}")
