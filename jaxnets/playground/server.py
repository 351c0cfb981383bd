"""The server of the page, for this machine alone: the standard library's, and a token.

The page pulls: one POST for each frame. Whatever is not from the page is refused in a sentence:
another host name (a name that was bound to this address later), origin or site, a path without the
token, a body that is too long, too deep, or not JSON, and clients that are slow or too many.
"""

import contextlib
import io
import json
import math
import secrets
import socket
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jaxnets.playground import page
from jaxnets.playground.config import RefusedError
from jaxnets.playground.programs import Programs
from jaxnets.playground.session import GoneError, Sessions

LONGEST_BODY, LONGEST_WEIGHTS, DEEPEST_BODY = 2**19, 2**27, 12
"""Bytes of what a page asks, bytes of the weights that it puts back, and levels of either."""
LONGEST_SESSION = 40
SECONDS = 10
"""How long a client may take for a request, all its pieces together."""
LINGERING = 2.0
"""Seconds for which what a refused client still sends is read, so that it hears the answer."""
MOST_CONNECTIONS = 64
JSON = "application/json"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FULL = b"there are too many connections: close some of the pages"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (
    len(FULL),
    FULL,
)
ANSWERS = ("frame", "edit", "weights", "load", "python", "passes")
"""What a page may post to, each a method of `Session`."""


class Server(ThreadingHTTPServer):
    """Serves the page on the loopback address.

    Args:
        port: where to listen; 0 for any that is free.
        token: the secret part of the address, drawn by default.
        programs: the compiled programs.

    Raises:
        OSError: the port is taken.
    """

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(
        self, port: int = 0, token: str | None = None, programs: Programs | None = None
    ) -> None:
        self.token = token or secrets.token_urlsafe(12)
        self.sessions = Sessions(programs or Programs())
        self.files = {
            f"/{self.token}/{name}": (kind, body) for name, kind, body in page.static_files()
        }
        self.free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        super().__init__(("127.0.0.1", port), Handler)

    @property
    def address(self) -> str:
        """Returns the address of the page."""
        return f"http://127.0.0.1:{self.server_port}/{self.token}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        """Starts a thread for a connection, unless there are too many."""
        if not self.free.acquire(blocking=False):
            with contextlib.suppress(OSError):
                request.sendall(BUSY)
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers one connection, and makes room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of clients that went away; other errors are shown as usual."""
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)


class Reader(io.RawIOBase):
    """Reads a connection until a time that a request has, however small its pieces are.

    Args:
        connection: the socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection, self.until, self.begun, self.late = connection, 0.0, False, False

    def start(self, seconds: float) -> None:
        """Gives the next request so many seconds from now."""
        self.until, self.begun, self.late = time.monotonic() + seconds, False, False

    def readable(self) -> bool:
        """Says that this can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Reads what is there, or waits for it.

        Raises:
            TimeoutError: the time is over.
        """
        try:
            self.connection.settimeout(max(self.until - time.monotonic(), 1e-3))
            count = self.connection.recv_into(buffer)
        except TimeoutError:
            self.late = self.begun
            raise
        self.begun = True
        return count


class Handler(BaseHTTPRequestHandler):
    """Answers one connection of a page."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server_version, sys_version = "jaxnets", ""
    timeout = SECONDS

    def setup(self) -> None:
        """Reads the connection by the clock."""
        super().setup()
        self.rfile.close()
        self.reader = Reader(self.connection)
        self.rfile = io.BufferedReader(self.reader)

    def handle_one_request(self) -> None:
        """Answers a request that comes in time."""
        self.reader.start(self.timeout)
        super().handle_one_request()
        if self.reader.late:
            self.send_error(HTTPStatus.REQUEST_TIMEOUT, f"it took more than {SECONDS} seconds")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Says in a sentence what the standard library would in a page."""
        self.close_connection, self.request_version = True, self.protocol_version
        status = HTTPStatus(code)
        self._say(status, f"this request is not taken: {message or status.phrase}")
        self._linger()

    def do_GET(self) -> None:
        """Sends one of the page's files."""
        refused = self._refusal()
        if refused:
            return self._say(HTTPStatus.FORBIDDEN, refused)
        found = self.server.files.get(self.path.partition("?")[0])
        if found is None:
            return self._say(HTTPStatus.NOT_FOUND, "there is no such file on this page")
        return self._answer(HTTPStatus.OK, *found)

    def do_POST(self) -> None:
        """Answers what the page asks for."""
        try:
            name = self.path.rpartition("/")[2]
            self._require_page(name)
            asked = parsed(self._body(LONGEST_WEIGHTS if name == "load" else LONGEST_BODY))
            session = self.server.sessions.get(session_name(asked))
            with session.lock:
                body = getattr(session, name)(asked)
        except _StatusError as error:
            self.close_connection = True
            self._say(error.status, str(error))
            return self._linger()
        except GoneError as error:
            return self._say(HTTPStatus.GONE, str(error))
        except RefusedError as error:
            return self._say(HTTPStatus.BAD_REQUEST, str(error))
        return self._answer(HTTPStatus.OK, "application/octet-stream", body)

    def _refusal(self) -> str:
        """Why a request is not this page's: its host, origin, site or token; empty if it is."""
        hosts = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}
        if self.headers.get_all("Host", []) not in [[host] for host in hosts]:
            return "this server answers to 127.0.0.1 and localhost alone"
        if self.headers.get("Origin") not in {None, *(f"http://{host}" for host in hosts)}:
            return "another page may not ask this server"
        if self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            return "another site may not ask this server: open the address that was printed"
        token = self.path.split("/")[1] if self.path.startswith("/") else ""
        if not secrets.compare_digest(token.encode(), self.server.token.encode()):
            return "the token is missing: open the address that was printed at the start"
        return ""

    def _require_page(self, name: str) -> None:
        refused = self._refusal()
        if refused:
            raise _StatusError(HTTPStatus.FORBIDDEN, refused)
        if name not in ANSWERS or self.path != f"/{self.server.token}/{name}":
            raise _StatusError(HTTPStatus.NOT_FOUND, "there is nothing to ask at this address")
        if self.headers.get_content_type() != JSON or "Content-Type" not in self.headers:
            raise _StatusError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body must be {JSON}")

    def _body(self, longest: int) -> bytes:
        if "Transfer-Encoding" in self.headers:
            raise _StatusError(HTTPStatus.LENGTH_REQUIRED, "send Content-Length, not chunks")
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) != 1 or not (lengths[0].isascii() and lengths[0].isdigit()):
            raise _StatusError(HTTPStatus.LENGTH_REQUIRED, "Content-Length must be one number")
        if len(lengths[0]) > 9 or int(lengths[0]) > longest:
            raise _StatusError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a body has at most {longest} bytes"
            )
        length = int(lengths[0])
        try:
            body = self.rfile.read(length)
        except TimeoutError:
            body, self.reader.late = b"", False
        if len(body) < length:
            raise _StatusError(
                HTTPStatus.REQUEST_TIMEOUT, f"the body was not there after {SECONDS} seconds"
            )
        return body

    def _say(self, status: HTTPStatus, text: str) -> None:
        self._answer(status, "text/plain; charset=utf-8", text.encode(errors="replace"))

    def _linger(self) -> None:
        """Reads on for a moment: closed at once, a connection that still sends loses the answer."""
        until = time.monotonic() + LINGERING
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_WR)
            self.connection.settimeout(LINGERING)
            while time.monotonic() < until and self.connection.recv(2**16):
                pass

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.connection.settimeout(self.timeout)
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(body), **HEADERS}.items():
            self.send_header(name, str(value))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *args: Any) -> None:
        """Prints nothing for a request."""

    def log_message(self, *args: Any) -> None:
        """Prints nothing for what is refused."""


class _StatusError(Exception):
    """A refusal with its status; the connection is closed after it."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


def session_name(asked: dict[str, Any]) -> str:
    """Returns the name that a page gave itself.

    Raises:
        RefusedError: not a short text.
    """
    name = asked.get("session")
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_SESSION:
        raise RefusedError(f"session is a text of 1 to {LONGEST_SESSION} characters")
    return name


def parsed(body: bytes) -> dict[str, Any]:
    """Reads a JSON object without NaN, infinities, or more than `DEEPEST_BODY` levels.

    Raises:
        RefusedError: something else.
    """
    if depth(body) > DEEPEST_BODY:
        raise RefusedError(f"the body is nested deeper than {DEEPEST_BODY}")
    try:
        found = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except RefusedError:
        raise
    except (ValueError, RecursionError) as error:
        raise RefusedError("the body is not JSON") from error
    if not isinstance(found, dict):
        raise RefusedError("the body is not a JSON object")
    return found


def depth(body: bytes) -> int:
    """Counts how deep brackets nest, without regard to texts, so that it may be too many."""
    level = deepest = 0
    for byte in body.translate(None, bytes(set(range(256)) - set(b"[]{}"))):
        level += 1 if byte in b"[{" else -1
        deepest = max(deepest, level)
    return deepest


def _refuse_constant(name: str) -> float:
    raise RefusedError(f"{name} is not a number that is taken")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise RefusedError(f"{text[:20]} is not finite")
    return value
