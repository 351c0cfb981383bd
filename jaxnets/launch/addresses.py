"""Which processes a launcher starts, and at which address they connect: from flags or Slurm."""

import argparse
import re
import socket
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


class Topology(NamedTuple):
    """Describes the processes of a program, and which of them this launcher starts."""

    coordinator: str | None
    """`HOST:PORT` where process 0 listens; None for a free port of this machine."""
    processes: int
    own: tuple[int, ...]

    def address(self) -> str:
        """Returns the coordinator's address, on a free port if there is none."""
        return self.coordinator or f"{LOOPBACK}:{_free_port()}"


def find_topology(options: argparse.Namespace, environment: Mapping[str, str]) -> Topology:
    """Reads the topology from `-n`, or the three flags, or else Slurm's variables.

    Raises:
        ValueError: none of these, both, only some of the flags, or numbers that do not fit.
    """
    given = [name for name in FLAGS if getattr(options, name) is not None]
    if options.n is not None:
        if given:
            raise ValueError(f"-n starts all processes here: do not combine it with --{given[0]}")
        return _topology(None, options.n, tuple(range(options.n)), "-n")
    if given:
        missing = [f"--{name}" for name in FLAGS if name not in given]
        if missing:
            raise ValueError(f"--{given[0]} needs {' and '.join(missing)} too")
        return _topology(options.coordinator, options.processes, (options.process,), "--processes")
    if all(name in environment for name in SLURM.values()):
        job, processes, process = (
            _as_int(environment, SLURM[name]) for name in ("job", "processes", "process")
        )
        coordinator = f"{first_node(environment[SLURM['nodes']])}:{FIRST_PORT + job % PORTS}"
        return _topology(coordinator, processes, (process,), SLURM["processes"])
    raise ValueError(
        "no processes to start: use -n N on one machine, --coordinator HOST:PORT --processes N "
        "--process I on each of several machines, or srun"
    )


def _as_int(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except ValueError as error:
        raise ValueError(f"{name} is {environment[name]!r}; it must be an integer") from error


def _topology(coordinator: str | None, n: int, own: tuple[int, ...], name: str) -> Topology:
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
    return Topology(coordinator, n, own)


def first_node(nodes: str) -> str:
    """Returns the first host of a list as Slurm writes it, such as `gpu[007-009,012],login1`."""
    found = re.match(r"([^,\[]+)(?:\[(\d+)[^\]]*\]([^,]*))?", nodes)
    if not found:
        raise ValueError(f"{SLURM['nodes']} is {nodes!r}; it must contain a host")
    return "".join(part or "" for part in found.groups())


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind((LOOPBACK, 0))
        return chosen.getsockname()[1]
