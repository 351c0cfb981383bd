"""Downloads of registered files, bounded in time and size, and checked against their sha256."""

import hashlib
import threading
from http.client import HTTPException, HTTPResponse
from urllib import request
from urllib.error import HTTPError

from jaxnets.data.registry import File

PROBE_SECONDS = 8.0
"""How long a host may take to answer."""
READ_SECONDS = 10.0
"""How long a download may stand still."""


def probe(url: str) -> None:
    """Raises a ConnectionError unless the address answers within `PROBE_SECONDS`.

    Asks in a thread, since no timeout bounds the look-up of a host's name.
    """
    failures: list[Exception] = [TimeoutError(f"no answer within {PROBE_SECONDS:g} s")]

    def ask() -> None:
        try:
            _open(url, PROBE_SECONDS).close()
            failures.clear()
        except (OSError, HTTPException) as error:
            failures[:] = [error]

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    for error in failures.copy():
        raise ConnectionError(f"{url}: {error}") from error


def fetch(file: File) -> bytes:
    """Returns the content of a registered file; no more than its size is read.

    Raises:
        ConnectionError: the download failed, or its content is not the registered one.
    """
    try:
        with _open(file.url, READ_SECONDS) as response:
            content = response.read(file.size + 1)
    except (OSError, HTTPException) as error:
        raise ConnectionError(f"{file.url}: {error}") from error
    if len(content) > file.size:
        raise ConnectionError(f"{file.url} sends more than the registered {file.size} bytes")
    found = hashlib.sha256(content).hexdigest()
    if found != file.sha256:
        raise ConnectionError(
            f"{file.url} sends {len(content)} bytes with sha256 {found}, not the registered file"
        )
    return content


def _open(url: str, seconds: float) -> HTTPResponse:
    query = request.Request(url, headers={"User-Agent": "jaxnets"})
    try:
        return request.urlopen(query, timeout=seconds)
    except HTTPError as error:
        error.close()
        raise
