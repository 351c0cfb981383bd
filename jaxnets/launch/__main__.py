"""Starts the processes of one program, watches them, and ends or restarts all when one dies.

Use `-n 2 -- python -m experiments mnist_cnn` for processes on this machine,
`--coordinator HOST:PORT --processes N --process I` to start one of them on each machine, and
neither under `srun`. The program connects its processes with `jaxnets.parallel.start()`.
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from queue import SimpleQueue

from jaxnets.launch import children
from jaxnets.launch.addresses import Topology, find_topology
from jaxnets.parallel import processes

USAGE = "python -m jaxnets.launch -n N [options] -- COMMAND"


def main(arguments: list[str]) -> int:
    """Runs the program; returns 0 if all processes succeed, else the exit code of the failure."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(os, "killpg"):
        parser.error("starting processes needs a Unix system (Linux or macOS)")
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("no command: put it after --")
    try:
        topology = find_topology(options, os.environ)
    except ValueError as error:
        parser.error(str(error))
    events: SimpleQueue = SimpleQueue()
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, lambda number, _: events.put(int(number)))
    restart = 0
    while True:
        try:
            end = _run_once(topology, command, options, restart, events)
        except OSError as error:
            parser.error(f"{command[0]} cannot be started: {error.strerror}")
        if end is None:
            return 0
        again = restart < options.restarts and not end.by_signal
        restart += 1
        then = f"restarting all ({restart} of {options.restarts})" if again else "all ended"
        print(f"launch: {end.what}; {then}", file=sys.stderr, flush=True)
        if not again:
            return end.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(usage=USAGE, description=__doc__)
    add = parser.add_argument
    add("-n", type=int, metavar="N", help="start N processes on this machine")
    add("--coordinator", metavar="HOST:PORT", help="address at which process 0 listens")
    add("--processes", type=int, metavar="N", help="number of processes on all machines")
    add("--process", type=int, metavar="I", help="index of the process to start here, from 0")
    add("--wait", type=float, default=120, help="seconds for all processes to connect (120)")
    add("--stuck", type=float, default=60, help="seconds until a silent process is stuck (60)")
    add("--grace", type=float, default=30, help="seconds to save after Ctrl-C or SIGTERM (30)")
    add("--restarts", type=int, default=0, help="how often to restart all after a failure (0)")
    add("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser


def _run_once(
    topology: Topology,
    command: list[str],
    options: argparse.Namespace,
    restart: int,
    events: SimpleQueue,
) -> children.End | None:
    """Runs the program until all its processes have ended; None if they all succeed."""
    common = os.environ | {
        processes.COORDINATOR: topology.address(),
        processes.PROCESSES: str(topology.processes),
        processes.WAIT: str(options.wait),
        processes.STUCK: str(options.stuck),
        processes.RESTART: str(restart),
    }
    with tempfile.TemporaryDirectory(prefix="jaxnets-") as folder:
        environments = {i: common | {processes.PROCESS: str(i)} for i in topology.own}
        running = children.start(environments, command, Path(folder), events)
        end = children.watch(running, topology.processes, options.stuck, events)
        if end is not None and end.by_signal:
            children.stop(running, options.grace, events, end.code - 128)
        elif end is not None:
            children.stop(running, children.END_SECONDS, events, signal.SIGTERM)
        children.join(running)
    while not events.empty():  # the ends of these processes do not concern the next ones
        event = events.get()
        if isinstance(event, int) and end is not None:
            end = end._replace(by_signal=True)
    return end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
