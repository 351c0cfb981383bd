"""Only the page itself is answered; everything else is refused in a sentence, and nothing falls."""

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from jaxnets.playground import frames
from jaxnets.playground import server as module
from jaxnets.playground.ensemble import SHARED
from jaxnets.playground.server import Server
from jaxnets.playground.session import MOST_SESSIONS, Sessions
from tests.support.playground import TINY, asked, frame, request, talk

REFUSED = {
    "another host": ({"Host": "evil.example"}, 403, "127.0.0.1"),
    "no host": ({"drop": ("Host",)}, 403, "127.0.0.1"),
    "another origin": ({"Origin": "http://evil.example"}, 403, "another page"),
    "a null origin": ({"Origin": "null"}, 403, "another page"),
    "another site": ({"Sec_Fetch_Site": "cross-site"}, 403, "another site"),
    "a site nearby": ({"Sec_Fetch_Site": "same-site"}, 403, "another site"),
    "no token": ({"path": "/frame"}, 403, "token"),
    "another token": ({"path": "/GUESSED/frame"}, 403, "token"),
    "the token of nothing": ({"path": "//frame"}, 403, "token"),
    "nothing to ask": ({"path": "/SECRET/lock"}, 404, "nothing to ask"),
    "a private name": ({"path": "/SECRET/_drawn"}, 404, "nothing to ask"),
    "a form": ({"Content_Type": "application/x-www-form-urlencoded"}, 415, "application/json"),
    "plain text": ({"Content_Type": "text/plain"}, 415, "application/json"),
    "no type": ({"drop": ("Content-Type",)}, 415, "application/json"),
    "no length": ({"drop": ("Content-Length",)}, 411, "one number"),
    "a negative length": ({"Content_Length": "-1"}, 411, "one number"),
    "a length that is not a number": ({"Content_Length": "ten"}, 411, "one number"),
    "a length with a sign": ({"Content_Length": "+2"}, 411, "one number"),
    "two lengths": ({"Content_Length": "2\r\nContent-Length: 2"}, 411, "one number"),
    "two hosts": ({"Host": "127.0.0.1\r\nHost: evil.example"}, 403, "127.0.0.1"),
    "a megabyte": ({"Content_Length": str(2**20)}, 413, "at most"),
    "a length of many digits": ({"Content_Length": "9" * 5000}, 413, "at most"),
    "chunks": ({"Transfer_Encoding": "chunked"}, 411, "not chunks"),
    "a body that ends early": ({"Content_Length": "100"}, 408, "was not there"),
}


@pytest.mark.parametrize("row", REFUSED)
def test_only_the_page_is_answered(served, row):
    changes, status, text = REFUSED[row]
    found, head, body = talk(served, request(served, **changes))
    assert (found, text in body.decode()) == (status, True), body
    assert b"text/plain" in head
    assert b"nosniff" in head


BODIES = {
    "not JSON": (b"{", "not JSON"),
    "not an object": (b"[]", "not a JSON object"),
    "not UTF-8": (b'{"session": "\xff"}', "not JSON"),
    "10,000 levels": (b"[" * 10_000 + b"]" * 10_000, "nested deeper"),
    "NaN": (b'{"session": NaN}', "NaN"),
    "infinity": (b'{"session": -Infinity}', "Infinity"),
    "a number beyond floats": (b'{"session": 1e999}', "not finite"),
    "a number of 5,000 digits": (b'{"session": ' + b"9" * 5000 + b"}", "not JSON"),
    "no session": (b"{}", "session"),
    "a session that is a number": (b'{"session": 3}', "session"),
    "a session of 41 characters": (json.dumps({"session": "x" * 41}).encode(), "session"),
    "no configuration": (b'{"session": "a"}', "configuration"),
}


@pytest.mark.parametrize("row", BODIES)
def test_bodies_are_read_with_care(served, row):
    body, text = BODIES[row]
    status, found = asked(served, body)
    assert (status, text in found.decode()) == (400, True), found


VALUES = {
    "an unknown name": ({"config": {"layers": 3}}, "'layers' is unknown"),
    "an unknown problem": ({"config": {"problem": "mnist"}}, "problem is 'mnist'"),
    "a problem that is a list": ({"config": {"problem": []}}, "problem is []"),
    "too many networks": ({"config": {"networks": 257}}, "between 1 and 256"),
    "half a network": ({"config": {"networks": 1.5}}, "integer"),
    "a rate of 0": ({"config": {"learning_rate": 0}}, "learning_rate"),
    "a rate that is true": ({"config": {"learning_rate": True}}, "number"),
    "nine layers": ({"config": {"widths": [1] * 9}}, "at most 8"),
    "a layer of no units": ({"config": {"widths": [0]}}, "1 to 104"),
    "deep and wide": ({"config": {"widths": [20] * 4}}, "at most 8 units"),
    "residual of two widths": ({"config": {"widths": [3, 4], "residual": True}}, "equal"),
    "no features": ({"config": {"features": []}}, "at least one"),
    "a loss of the other kind": ({"config": {"loss": "huber"}}, "one of cross_entropy"),
    "a curve of two features": (
        {"config": {"problem": "sine", "loss": "huber", "features": ["x1", "x2"]}},
        "x1 alone",
    ),
    "no training points": ({"config": {"valid": 0.6, "test": 0.6}}, "0.9"),
    "a point outside": ({"config": {"own": [[5000, 0, 0]]}}, "a point is"),
    "a point of class 6": ({"config": {"own": [[0, 0, 6]]}}, "a point is"),
    "600 points": ({"config": {"own": [[0, 0, 0]] * 600}}, "at most 512"),
    "a network beyond the last": ({"config": TINY, "member": 2}, "member is"),
    "a million updates": ({"config": TINY, "updates": 10**6}, "updates is"),
    "a sample beyond the last": ({"config": TINY, "sample": 20}, "sample is"),
    "another generation": ({"config": TINY, "generation": "x"}, "generation is"),
}


@pytest.mark.parametrize("row", VALUES)
def test_values_are_checked_and_named(served, row):
    values, text = VALUES[row]
    status, found = asked(served, {"session": "first", **values})
    assert (status, text in found.decode()) == (400, True), found


EDITS = {
    "no such layer": ("edit", {"layer": "hidden_7", "row": 0, "value": 1}, "no weight"),
    "no such unit": ("edit", {"layer": "hidden_0", "row": 3, "value": 1}, "no weight"),
    "no such input": (
        "edit",
        {"layer": "hidden_0", "row": 0, "column": 2, "value": 1},
        "no weight",
    ),
    "a weight of a text": ("edit", {"layer": "output", "row": 0, "value": "1"}, "a number"),
    "a weight of a billion": ("edit", {"layer": "output", "row": 0, "value": 1e9}, "a number"),
    "a weight of 400 digits": ("edit", {"layer": "output", "row": 0, "value": 10**400}, "a number"),
    "half a character": ("edit", {"layer": "\ud800", "row": 0, "value": 1}, "no weight"),
    "weights that are a list": ("load", {"params": [1]}, "an object"),
    "weights that are missing": ("load", {"params": {}}, "missing"),
    "ragged weights": ("load", {"params": {"output": {"weight": [[1], [1, 2]]}}}, "rectangular"),
    "weights that are texts": ("load", {"params": {"output": {"weight": ["a"]}}}, "rectangular"),
    "an archive that is none": ("load", {"npz": "AAAA"}, "NumPy archive"),
    "an archive that is a number": ("load", {"npz": 7}, "not a text"),
    "an archive not in base64": ("load", {"npz": "é"}, "NumPy archive"),
}


@pytest.mark.parametrize("row", EDITS)
def test_weights_are_checked(served, row):
    name, values, text = EDITS[row]
    status, found = asked(served, {"session": "first", **values}, name)
    assert (status, text in found.decode()) == (400, True), found


@pytest.mark.parametrize("name", ["edit", "weights", "load", "python", "passes"])
def test_a_page_without_networks_is_told(served, name):
    status, found = asked(served, {"session": "nobody", "params": {}}, name)
    assert status == 410
    assert "reload" in found.decode()


def test_the_files_are_sent_with_a_strict_policy(served):
    path = "/SECRET/"
    status, head, body = talk(served, request(served, b"", path, "GET", drop=("Origin",)))
    assert status == 200
    assert b"unsafe" not in head
    assert b"default-src 'none'" in head
    assert b'<script type="module" src="main.js">' in body
    for name in re.findall(rb'(?:src|href)="(\w+\.\w+)"', body):
        assert talk(served, request(served, b"", path + name.decode(), "GET"))[0] == 200
    assert talk(served, request(served, b"", path + "../server.py", "GET"))[0] == 404
    assert talk(served, request(served, b"", path, "GET", Sec_Fetch_Site="cross-site"))[0] == 403


def test_the_page_has_no_inline_code_and_nothing_from_outside():
    for name, _, body in module.page.static_files():
        text = body.decode()
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), name
        if name == "":
            assert not re.search(r"\son\w+=|\sstyle=|<style|<script(?! type=\"module\" src)", text)


def test_two_servers_have_two_tokens():
    with Server() as one, Server() as other:
        assert one.token != other.token
        assert len(one.token) >= 16


def test_a_thousand_fuzzed_bodies_leave_the_server_answering(served):
    random = np.random.default_rng(0)
    good = json.dumps({"session": "first", "config": TINY, "updates": 1}).encode()
    words = [b"NaN", b"1e999", b"[[[[", b"-1", b"null", b'"config"', b"\xff\xfe", b"{}", b"1" * 99]
    names = ("frame", "edit", "weights", "load", "python", "passes")
    seen = set()
    for i in range(1000):
        body = bytearray(good)
        for _ in range(random.integers(1, 6)):
            at = int(random.integers(len(body)))
            if random.integers(2):
                body[at] = int(random.integers(256))
            else:
                body[at : at + int(random.integers(9))] = words[random.integers(len(words))]
        status, found = asked(served, bytes(body), names[i % len(names)])
        assert status in (200, 400, 410), (status, found[:200], bytes(body))
        seen.add(status)
        if status != 200:
            assert 10 < len(found) < 400
    assert {200, 400} <= seen
    head, _ = frame(served, "first")
    assert head["step"] >= 0


def test_eight_tabs_at_once_train_their_own_networks(served):
    def tab(i):
        config = TINY | {"seed": i}
        for _ in range(5):
            head, arrays = frame(served, f"tab {i}", config=config, updates=4)
        return head["step"], arrays["hidden_0.weight"].tolist()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(tab, range(8)))
    assert [steps for steps, _ in found] == [20] * 8
    assert len({str(weights) for _, weights in found}) == 8


def test_sessions_are_bounded_and_the_oldest_page_is_told(served):
    frame(served, "oldest", updates=3)
    for i in range(MOST_SESSIONS):
        frame(served, f"newer {i}")
    assert len(served.sessions) == MOST_SESSIONS
    values = {"session": "oldest", "config": TINY, "step": 3}
    status, found = asked(served, values)
    assert status == 410
    assert "Reset" in found.decode()
    assert frame(served, "oldest", step=0)[0]["step"] == 0


def test_a_session_is_used_again():
    sessions = Sessions(SHARED)
    assert sessions.get("a") is sessions.get("a")
    assert sessions.get("a") is not sessions.get("b")


def test_frames_are_small_and_the_points_come_once(served):
    head, arrays = frame(served, "small")
    again, fewer = frame(served, "small", known=head["data"])
    assert {"x", "y"} <= set(arrays)
    assert not {"x", "y"} & set(fewer)
    assert again["data"] == head["data"]
    assert sum(a.nbytes for a in arrays.values()) < 60_000


def test_a_reset_draws_the_same_networks_and_another_seed_others(served):
    first = frame(served, "again", generation=1)[1]["hidden_0.weight"]
    moved = frame(served, "again", generation=1, updates=5)[1]["hidden_0.weight"]
    reset = frame(served, "again", generation=2)[1]["hidden_0.weight"]
    assert (moved != first).any()
    np.testing.assert_array_equal(reset, first)


def test_the_script_of_a_page_trains_its_networks(served):
    values = {"session": "script"}
    frame(served, "script", updates=7)
    frame(served, "script", updates=3, config=TINY | {"learning_rate": 0.1})
    text = asked(served, values, "python")[1].decode()
    own = json.loads(asked(served, values | {"format": "json"}, "weights")[1])
    names = {}
    exec(compile(text, "script", "exec"), names)
    params = names["networks"].params()
    for layer, parts in own["params"].items():
        for part, rows in parts.items():
            np.testing.assert_array_equal(np.float32(rows), params[layer][part])


def test_weights_go_out_and_come_back_in_both_formats(served):
    values = {"session": "weights"}
    frame(served, "weights", updates=5)
    for form in ("npz", "json"):
        saved = asked(served, values | {"format": form}, "weights")[1]
        assert not re.search(rb"\d\.\d{11}", saved)  # as few digits as float32 has
        before = frame(served, "weights")[1]["hidden_0.weight"]
        frame(served, "weights", updates=5)
        back = {"npz": base64.b64encode(saved).decode()} if form == "npz" else json.loads(saved)
        assert asked(served, values | back, "load")[0] == 200
        np.testing.assert_array_equal(frame(served, "weights")[1]["hidden_0.weight"], before)


def test_weights_of_many_networks_are_taken_back(served):
    """They were refused as soon as their file had more than half a megabyte."""
    values = {"session": "many"}
    frame(served, "many", updates=5)
    saved = json.loads(asked(served, values | {"format": "json"}, "weights")[1])
    long = json.dumps(values | saved | {"blanks": " " * 2**20}).encode()
    assert asked(served, long, "load")[0] == 200
    assert talk(served, request(served, long))[0] == 413


def test_boundaries_lie_at_the_centres_of_their_pixels(served):
    """They were drawn half a pixel of the large map beside it: one pixel of four was taken."""
    arrays = frame(served, "lines", updates=20)[1]
    large = arrays["mine"].reshape(frames.SMALL, 2, frames.SMALL, 2).astype(float)
    small = arrays["lines"].reshape(-1, frames.SMALL, frames.SMALL)[0]
    assert np.ptp(small.astype(float)) > 5
    np.testing.assert_allclose(small, large.mean(axis=(1, 3)), atol=1)
