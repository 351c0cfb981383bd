"""Where the coordinator listens, who is refused, and what the others are told."""

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxnets.launch.addresses import AddressError, Topology, find_topology
from tests.launch.test_launch import launch, options, outcome, python

TCP = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
MEETING = """
import jaxnets, time
print('UP', jaxnets.parallel.start(), flush=True)
time.sleep(WAIT)
"""
STRANGER = """
import jax, sys
jax.distributed.initialize(sys.argv[1], 2, 1, cluster_detection_method="deactivate")
print("in", flush=True)
import time
time.sleep(60)
"""


def free_port():
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return chosen.getsockname()[1]


def listeners(port):
    """The addresses at which something listens on a port, as the system lists them."""
    lines = [
        line.split() for path in TCP if path.exists() for line in path.read_text().splitlines()
    ]
    local = [fields[1].split(":") for fields in lines if fields[3] == "0A"]
    return {address for address, found in local if int(found, 16) == port}


def one(where, process, wait, seconds=30):
    """Starts one process of two, which then waits so many seconds."""
    flags = ("--coordinator", where, "--processes", "2", "--process", str(process))
    command = python(MEETING.replace("WAIT", str(wait)))
    return launch(*flags, "--wait", str(seconds), command=command)


LOOPBACK = {
    "localhost": "127.0.0.1",
    "LOCALHOST": "127.0.0.1",
    "a.localhost": "127.0.0.1",
    "127.0.0.1": "127.0.0.1",
    "127.1.2.3": "127.1.2.3",
    "[::1]": "[::1]",
}


@pytest.mark.parametrize("host", LOOPBACK)
def test_local_names_listen_on_loopback(host):
    port, expected = free_port(), LOOPBACK[host]
    topology = Topology(f"{host}:{port}", 2, (0,))
    assert topology.address() == f"{expected}:{port}"
    if "127" in expected:
        assert topology.listening() == f"{expected}:{port}"
    assert Topology(f"{host}:{port}", 2, (1,)).listening() is None


def test_a_name_listens_at_its_own_address(monkeypatch, capsys):
    port = free_port()
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    topology = Topology(f"node7:{port}", 2, (0,))
    assert topology.address() == f"node7:{port}"
    assert topology.listening() == f"127.0.0.1:{port}"
    assert "node7 is 127.0.0.1 here: no other machine can connect" in capsys.readouterr().err


def test_bind_says_where_to_listen():
    port = free_port()
    flags = options(coordinator=f"192.0.2.1:{port}", processes=2, process=0, bind="0.0.0.0")
    topology = find_topology(flags, {})
    assert topology.address() == f"192.0.2.1:{port}"
    assert topology.listening() == f"0.0.0.0:{port}"
    with pytest.raises(ValueError, match="do not combine it with --bind"):
        find_topology(options(n=2, bind="0.0.0.0"), {})


UNFIT = {
    "another machine": (
        "192.0.2.1",
        "192.0.2.1 is not an address of this machine; start process 0",
    ),
    "unknown name": ("no-such-host.invalid", "no-such-host.invalid is unknown here"),
}


@pytest.mark.parametrize(("host", "message"), UNFIT.values(), ids=UNFIT)
def test_an_address_of_another_machine_is_named(host, message):
    with pytest.raises(AddressError, match=message):
        Topology(f"{host}:{free_port()}", 2, (0,)).listening()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
def test_a_port_in_use_is_named_in_one_line(host):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AddressError, match=f"port {port} is in use by another program; end it"):
            Topology(f"{host}:{port}", 2, (0,)).listening()


def test_the_launcher_names_a_port_in_use():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err, seconds = outcome(one(f"127.0.0.1:{port}", 0, 0))
    assert code == 69
    assert f"port {port} is in use by another program; end it" in err
    assert len(err.splitlines()) == 1
    assert seconds < 20


@pytest.mark.skipif(not TCP[0].exists(), reason="needs /proc/net/tcp")
def test_attack_bind():
    """Two launchers that meet at a local name listen on loopback alone."""
    port = free_port()
    both = [one(f"localhost:{port}", i, 2) for i in range(2)]
    for i, running in enumerate(both):
        assert running.stdout.readline() == f"[{i}] UP {i}\n"
    where = listeners(port)
    for running in both:
        assert outcome(running)[0] == 0
    # 127.0.0.1, as IPv4 or mapped to IPv6, in the byte order of /proc
    assert where <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert where


@pytest.mark.slow_faults
def test_a_stranger_in_the_place_of_a_process_is_noticed():
    """Nobody can keep it out, but the real process is told within seconds, and all end."""
    where = f"127.0.0.1:{free_port()}"
    first = one(where, 0, 60)
    stranger = subprocess.Popen(
        [sys.executable, "-c", STRANGER, where],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert stranger.stdout.readline() == "in\n"
    began = time.monotonic()
    code, _, err, _ = outcome(one(where, 1, 60, seconds=100))
    assert code == 69
    assert "or another program had connected in the place of process 1 of 2" in err
    assert time.monotonic() - began < 60
    code, _, err, _ = outcome(first)
    assert code == 134
    assert "whose place a second program takes" in err
    stranger.kill()
    stranger.communicate()
