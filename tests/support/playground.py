"""What a page of the playground says to its server, as bytes, and what it hears."""

import json
import socket
import time

from jaxnets.playground.frames import unpacked

TINY = {"widths": [3], "networks": 2, "n": 20, "batch": 4}


def talk(server, data, timeout=20):
    """Sends bytes and reads the answer: its status and its text."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=timeout) as line:
        line.sendall(data)
        line.shutdown(socket.SHUT_WR)
        answer = b""
        while part := line.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, head, body


def request(server, body=b"{}", path="/SECRET/frame", method="POST", drop=(), **changes):
    """The bytes of a good request, with changes to its headers."""
    headers = {
        "Host": f"127.0.0.1:{server.server_port}",
        "Origin": f"http://127.0.0.1:{server.server_port}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        "Connection": "close",
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [f"{name}: {value}" for name, value in headers.items() if name not in drop]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


def asked(server, values, name="frame"):
    """Posts a JSON object; returns status and body."""
    body = values if isinstance(values, bytes) else json.dumps(values).encode()
    status, _, found = talk(server, request(server, body, f"/SECRET/{name}"))
    return status, found


def frame(server, session, **values):
    """Asks for frames until the programs are compiled."""
    until = time.monotonic() + 120
    while time.monotonic() < until:
        status, body = asked(server, {"session": session, "config": TINY, **values})
        assert status == 200, body
        head, arrays = unpacked(body)
        if "compiling" not in head:
            return head, arrays
        time.sleep(0.1)
    raise TimeoutError
