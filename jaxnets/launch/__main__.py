"""Starts the processes of one program, watches them, and ends or restarts all when one dies.

Use `-n 2 -- python -m experiments mnist_cnn` for processes on this machine,
`--coordinator HOST:PORT --processes N --process I` to start one of them on each machine, and
neither under `srun`. The program connects its processes with `jaxnets.parallel.start()`.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path
from queue import Empty, SimpleQueue

from jaxnets.host.signals import STOP_SIGNALS, handle_signals
from jaxnets.launch import children
from jaxnets.launch.addresses import AddressError, Topology, find_topology
from jaxnets.launch.options import Options, find_command, parser
from jaxnets.parallel import processes

PAUSE_SECONDS, LONGEST_PAUSE = 1.0, 60.0
"""Before the first restart, twice as long before each further one, up to the longest."""


def main(arguments: list[str]) -> int:
    """Runs the program; returns 0 if all processes succeed, else the exit code of the failure."""
    flags = parser()
    options = flags.parse_args(arguments)
    if not hasattr(os, "killpg"):
        flags.error("starting processes needs a Unix system (Linux or macOS)")
    try:
        command = find_command(options.command)
        topology = find_topology(options, os.environ)
    except ValueError as error:
        flags.error(str(error))
    events: SimpleQueue = SimpleQueue()
    with (
        handle_signals(lambda number, _: events.put(int(number)), STOP_SIGNALS),
        children.Family(events) as family,
    ):
        for restart in range(options.restarts + 1):
            try:
                end = _run_once(topology, command, options, restart, family)
            except OSError as error:
                flags.error(f"{command[0]} cannot be started: {error.strerror}")
            if end is None:
                break
            end = _report(end, restart, options.restarts, events)
            if end.by_signal:
                break
    return 0 if end is None else end.code


def _report(end: children.End, restart: int, most: int, events: SimpleQueue) -> children.End:
    """Says why all have ended; before they start again, it waits, unless a signal comes."""
    again = restart < most and not end.by_signal
    pause = min(PAUSE_SECONDS * 2**restart, LONGEST_PAUSE)
    then = f", pause of {pause:g} s; restarting all ({restart + 1} of {most})"
    print(f"launch: {end.what}{then if again else '; all ended'}", file=sys.stderr, flush=True)
    try:
        return children.stopped_by(events.get(timeout=pause)) if again else end
    except Empty:
        return end


def _run_once(
    topology: Topology,
    command: list[str],
    options: Options,
    restart: int,
    family: children.Family,
) -> children.End | None:
    """Runs the program until all its processes have ended; None if they all succeed."""
    try:
        address, listen = topology.address(), topology.listening()
    except AddressError as error:
        return children.End(str(error), processes.ALONE)
    common = os.environ | {
        processes.COORDINATOR: address,
        processes.LISTEN: listen or address,
        processes.PROCESSES: str(topology.processes),
        processes.WAIT: str(options.wait),
        processes.STUCK: str(options.stuck),
        processes.RESTART: str(restart),
    }
    with tempfile.TemporaryDirectory(prefix="jaxnets-") as folder:
        environments = {i: common | {processes.PROCESS: str(i)} for i in topology.own}
        family.start(environments, command, Path(folder))
        end = family.watch(topology.processes, options.stuck)
        if end is not None and end.by_signal:
            family.stop(options.grace, end.code - 128)
        elif end is not None:
            family.stop(children.END_SECONDS, signal.SIGTERM)
        family.end()
    while not family.events.empty():  # the ends of these do not concern the next ones
        event = family.events.get()
        if isinstance(event, int) and end is not None:
            end = end._replace(by_signal=True)
    return end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
