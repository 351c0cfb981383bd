"""Which processes a launcher starts, and at which address they connect: from flags or Slurm."""

import argparse
import errno
import ipaddress
import re
import socket
import sys
from collections.abc import Mapping
from typing import NamedTuple

from jaxnets.parallel.processes import LOOPBACK

FLAGS = ("coordinator", "processes", "process")
SLURM = {
    "job": "SLURM_JOB_ID",
    "nodes": "SLURM_STEP_NODELIST",
    "processes": "SLURM_NTASKS",
    "process": "SLURM_PROCID",
}
ADDRESS = re.compile(r"(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d+)", re.ASCII | re.IGNORECASE)
"""An IPv6 address in brackets, or a host, and a port."""
MOST = 4096
"""Processes, more than any cluster this was written for has."""
FIRST_PORT, PORTS, LAST_PORT = 61440, 4096, 65535
"""The job id chooses the port among these, so that two jobs on a node rarely collide."""


class AddressError(OSError):
    """An address at which process 0 cannot listen; the message says why, and what to do."""


class Topology(NamedTuple):
    """Describes the processes of a program, and which of them this launcher starts."""

    coordinator: str | None
    """`HOST:PORT` where process 0 listens; None for a free port of this machine."""
    processes: int
    own: tuple[int, ...]
    bind: str | None = None
    """Where process 0 listens, if not at the coordinator's host."""

    def address(self) -> str:
        """Returns the coordinator's address, on a free port if there is none.

        A name of this machine alone, such as localhost, becomes its loopback address.
        """
        if self.coordinator is None:
            return f"{LOOPBACK}:{_free_port()}"
        host, port = split_address(self.coordinator)
        return _join(_loopback(host) or host, port)

    def listening(self) -> str | None:
        """Returns the one address where process 0 can listen, if this launcher starts it.

        Raises:
            AddressError: the port is in use, or the host is unknown or another machine.
        """
        if self.coordinator is None or 0 not in self.own:
            return None
        host, port = split_address(self.coordinator)
        return _join(_free_address(self.bind or _loopback(host) or host, port), port)


def find_topology(options: argparse.Namespace, environment: Mapping[str, str]) -> Topology:
    """Reads the topology from `-n`, or the three flags, or else Slurm's variables.

    Raises:
        ValueError: none of these, both, only some of the flags, or numbers that do not fit.
    """
    given = [name for name in FLAGS if getattr(options, name) is not None]
    bind = getattr(options, "bind", None)
    if options.n is not None:
        if bind:
            raise ValueError("-n listens on this machine only: do not combine it with --bind")
        if given:
            raise ValueError(f"-n starts all processes here: do not combine it with --{given[0]}")
        return _topology(None, options.n, tuple(range(options.n)), "-n")
    if given:
        missing = [f"--{name}" for name in FLAGS if name not in given]
        if missing:
            raise ValueError(f"--{given[0]} needs {' and '.join(missing)} too")
        own = (options.process,)
        return _topology(options.coordinator, options.processes, own, "--processes", bind)
    if all(name in environment for name in SLURM.values()):
        job, processes, process = (
            _as_int(environment, SLURM[name]) for name in ("job", "processes", "process")
        )
        coordinator = f"{first_node(environment[SLURM['nodes']])}:{FIRST_PORT + job % PORTS}"
        return _topology(coordinator, processes, (process,), SLURM["processes"], bind)
    raise ValueError(
        "no processes to start: use -n N on one machine, --coordinator HOST:PORT --processes N "
        "--process I on each of several machines, or srun"
    )


def _as_int(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except ValueError as error:
        raise ValueError(f"{name} is {environment[name]!r}; it must be an integer") from error


def _topology(
    coordinator: str | None, n: int, own: tuple[int, ...], name: str, bind: str | None = None
) -> Topology:
    if n < 1:
        raise ValueError(f"{name} is {n}; it must be 1 or more")
    if n > MOST:
        raise ValueError(f"{name} is {n}; it must be {MOST} or less")
    wrong = [i for i in own if not 0 <= i < n]
    if wrong:
        raise ValueError(f"process is {wrong[0]}; it must be 0 to {n - 1} for {n} processes")
    if coordinator is not None and not ADDRESS.fullmatch(coordinator):
        raise ValueError(f"the coordinator is {coordinator!r}; it must be HOST:PORT or [IPv6]:PORT")
    if coordinator is not None and not 0 < int(coordinator.rpartition(":")[2]) <= LAST_PORT:
        raise ValueError(f"the coordinator is {coordinator!r}; its port must be 1 to {LAST_PORT}")
    return Topology(coordinator, n, own, bind)


def first_node(nodes: str) -> str:
    """Returns the first host of a list as Slurm writes it, such as `gpu[007-009,012],login1`."""
    found = re.match(r"([^,\[]+)(?:\[(\d+)[^\]]*\]([^,]*))?", nodes)
    if not found:
        raise ValueError(f"{SLURM['nodes']} is {nodes!r}; it must contain a host")
    return "".join(part or "" for part in found.groups())


def split_address(address: str) -> tuple[str, int]:
    """Splits HOST:PORT or [IPv6]:PORT."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _loopback(host: str) -> str | None:
    """Returns the loopback address that a name stands for on every machine, if it does."""
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith(".localhost"):
        return LOOPBACK
    return host if _is_loopback(host) else None


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _free_address(host: str, port: int) -> str:
    """Returns the address of a host at which this machine can listen, and nobody else does."""
    where = _join(host, port)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise AddressError(
            f"process 0 cannot listen at {where}: {host} is unknown here ({error})"
        ) from error
    reasons = set()
    for family, kind, _, _, where_to in found:
        try:
            with socket.socket(family, kind) as tried:
                tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                tried.bind(where_to)
        except OSError as error:
            reasons.add(error.errno)
            continue
        ip = str(where_to[0])
        if _is_loopback(ip) and not _loopback(host):
            print(
                f"launch: {host} is {ip} here: no other machine can connect to process 0; "
                "give --bind an address of this machine in its network, if others should",
                file=sys.stderr,
                flush=True,
            )
        return ip
    raise AddressError(f"process 0 cannot listen at {where}: {_explain(reasons, host, port)}")


def _explain(reasons: set[int | None], host: str, port: int) -> str:
    if errno.EADDRINUSE in reasons:
        return (
            f"port {port} is in use by another program; end it (`ss -ltnp 'sport = :{port}'` "
            "shows it), or give another port to all launchers"
        )
    if errno.EADDRNOTAVAIL in reasons:
        return (
            f"{host} is not an address of this machine; start process 0 there, or say with --bind "
            "at which address of this machine to listen"
        )
    return ", ".join(sorted(errno.errorcode.get(reason or 0, "?") for reason in reasons))


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind((LOOPBACK, 0))
        return chosen.getsockname()[1]
