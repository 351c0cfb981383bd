"""Which processes a launcher starts, and where they meet: by flags, by Slurm, or all here."""

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
FIRST_PORT, PORTS, LAST_PORT = 61440, 4096, 65535
"""A job's port is one of these, by its number, so that two jobs on a node rarely meet."""


class Place(NamedTuple):
    """The processes of a program, and those that this launcher starts."""

    coordinator: str | None
    """`HOST:PORT` where process 0 listens; None for a free port of this machine."""
    processes: int
    own: tuple[int, ...]

    def meeting(self) -> str:
        """The address, with a free port if the machine may choose one."""
        return self.coordinator or f"{LOOPBACK}:{_free_port()}"


def place(options: argparse.Namespace, environment: Mapping[str, str]) -> Place:
    """Where the processes run: `-n`, or the three flags, or else Slurm's variables.

    Raises:
        ValueError: neither, both, some of the flags only, or numbers that do not fit.
    """
    given = [name for name in FLAGS if getattr(options, name) is not None]
    if options.n is not None:
        if given:
            raise ValueError(f"-n starts all processes here: it does not go with --{given[0]}")
        return _checked(None, options.n, tuple(range(options.n)), "-n")
    if given:
        missing = [f"--{name}" for name in FLAGS if name not in given]
        if missing:
            raise ValueError(f"--{given[0]} needs {' and '.join(missing)} too")
        return _checked(options.coordinator, options.processes, (options.process,), "--processes")
    if all(name in environment for name in SLURM.values()):
        job, processes, process = (
            _whole(environment, SLURM[name]) for name in ("job", "processes", "process")
        )
        coordinator = f"{first_node(environment[SLURM['nodes']])}:{FIRST_PORT + job % PORTS}"
        return _checked(coordinator, processes, (process,), SLURM["processes"])
    raise ValueError(
        "how many processes, and where? Use -n N for this machine, --coordinator HOST:PORT "
        "--processes N --process I on each of several, or srun"
    )


def _whole(environment: Mapping[str, str], name: str) -> int:
    try:
        return int(environment[name])
    except ValueError as error:
        raise ValueError(f"{name} is {environment[name]!r}; it must be a whole number") from error


def _checked(coordinator: str | None, n: int, own: tuple[int, ...], name: str) -> Place:
    if n < 1:
        raise ValueError(f"{name} is {n}; it must be 1 or more")
    wrong = [i for i in own if not 0 <= i < n]
    if wrong:
        raise ValueError(f"process {wrong[0]} is none of the {n}: they are numbered 0 to {n - 1}")
    if coordinator is not None and not re.fullmatch(r".+:\d+", coordinator):
        raise ValueError(f"the coordinator is {coordinator!r}; it must be HOST:PORT")
    if coordinator is not None and not 0 < int(coordinator.rpartition(":")[2]) <= LAST_PORT:
        raise ValueError(f"the coordinator is {coordinator!r}; its port must be 1 to {LAST_PORT}")
    return Place(coordinator, n, own)


def first_node(nodes: str) -> str:
    """The first host of one of Slurm's lists, such as `gpu[007-009,012],login1`."""
    found = re.match(r"([^,\[]+)(?:\[(\d+)[^\]]*\]([^,]*))?", nodes)
    if not found:
        raise ValueError(f"{SLURM['nodes']} is {nodes!r}: no host in it")
    return "".join(part or "" for part in found.groups())


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind((LOOPBACK, 0))
        return chosen.getsockname()[1]
