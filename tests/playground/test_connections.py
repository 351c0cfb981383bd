"""Clients that are no pages, slow or too many hear why, and the others are answered."""

import contextlib
import socket
import time

import numpy as np
import pytest

from jaxnets.playground import server as module
from jaxnets.playground.server import MOST_CONNECTIONS
from tests.support.playground import TINY, asked, request, talk


@pytest.mark.parametrize("size", [2**20, 2**23], ids=["1 MB", "8 MB"])
def test_a_client_that_sends_too_much_hears_why(served, size):
    """Not a reset connection: the answer arrives though the body was not read."""
    for changes, status, text in (({}, 413, "at most"), ({"Origin": "null"}, 403, "another page")):
        found, _, body = talk(served, request(served, b" " * size, **changes))
        assert (found, text in body.decode()) == (status, True), body


FOREIGN = {
    "another method": (b"PUT /SECRET/frame HTTP/1.1\r\n\r\n", 501),
    "a preflight": (b"OPTIONS /SECRET/frame HTTP/1.1\r\n\r\n", 501),
    "a word": (b"hello\r\n\r\n", 400),
    "bytes": (b"\x16\x03\x01\xff\x00\r\n\r\n", 400),
    "HTTP/9.9": (b"GET /SECRET/ HTTP/9.9\r\n\r\n", 505),
    "an address of 70,000 characters": (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
    "a header of 70,000 characters": (b"GET / HTTP/1.1\r\nA: " + b"a" * 70_000, 431),
    "200 headers": (b"GET / HTTP/1.1\r\n" + b"A: 1\r\n" * 200 + b"\r\n", 431),
}


@pytest.mark.parametrize("row", FOREIGN)
def test_what_no_page_sends_is_refused_in_a_sentence(served, row):
    data, status = FOREIGN[row]
    found, head, body = talk(served, data)
    assert (found, b"this request is not taken" in body, b"<" in body) == (status, True, False)
    assert b"default-src 'none'" in head


def test_fuzzed_requests_leave_the_server_answering(served):
    random, good = np.random.default_rng(1), request(served, b"{}")
    statuses = set()
    for _ in range(300):
        data = bytearray(good)
        for at in random.integers(len(data), size=random.integers(1, 8)):
            data[at : at + int(random.integers(3))] = bytes(random.integers(256, size=2).tolist())
        statuses.add(talk(served, bytes(data))[0])
    assert statuses <= {0, 400, 403, 404, 408, 411, 413, 415, 431, 501, 505}
    assert {400, 403} <= statuses
    assert asked(served, {"session": "first", "config": TINY})[0] == 200


def test_a_slow_client_is_let_go(served, monkeypatch):
    monkeypatch.setattr(module.Handler, "timeout", 0.3)
    for part in (b"", b"POST /SEC", request(served, b"{}")[:-1]):
        with socket.create_connection(("127.0.0.1", served.server_port), timeout=10) as line:
            line.sendall(part)
            answer = line.recv(65536)
            assert not answer or b"408" in answer
    assert asked(served, {"session": "first", "config": TINY})[0] == 200


@pytest.mark.parametrize("part", ["head", "body"])
def test_a_client_that_sends_byte_by_byte_is_let_go(served, monkeypatch, part):
    """The time is that of the request, not of each piece."""
    monkeypatch.setattr(module.Handler, "timeout", 0.5)
    data = request(served, b" " * 1000)
    at = 1 if part == "head" else data.index(b"\r\n\r\n") + 10
    started = time.monotonic()
    with socket.create_connection(("127.0.0.1", served.server_port), timeout=10) as line:
        line.sendall(data[:at])
        line.settimeout(0.1)
        answer = b""
        while not answer and time.monotonic() < started + 8:
            line.sendall(data[at : at + 1])
            at += 1
            with contextlib.suppress(TimeoutError):
                answer = line.recv(65536)
    assert b"408" in answer
    assert time.monotonic() < started + 5


def test_too_many_clients_are_refused_and_room_is_made(served):
    lines = [
        socket.create_connection(("127.0.0.1", served.server_port))
        for _ in range(MOST_CONNECTIONS + 2)
    ]
    assert b"too many" in lines[-1].recv(1000)
    for line in lines:
        line.close()
    until = time.monotonic() + 20
    while asked_safely(served) != 200 and time.monotonic() < until:
        time.sleep(0.1)
    assert asked_safely(served) == 200


def asked_safely(server):
    try:
        return asked(server, {"session": "first", "config": TINY})[0]
    except OSError:
        return 0
