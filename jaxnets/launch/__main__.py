"""Starts the processes of one program, watches them, and ends or restarts all when one dies.

`python -m jaxnets.launch -n 2 -- python -m experiments mnist_cnn` for processes on this machine;
`--coordinator HOST:PORT --processes N --process I` for one of them on each machine; nothing of this
under `srun`. Each is told by its environment where the others are: `jaxnets.parallel.start()`.
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path
from queue import SimpleQueue

from jaxnets.launch import children
from jaxnets.launch.addresses import Place, place
from jaxnets.parallel import processes

USAGE = "python -m jaxnets.launch -n N [options] -- COMMAND"


def main(arguments: list[str]) -> int:
    """Runs the program; 0 if all processes ended well, else the code of the one that did not."""
    parser = _parser()
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("no command: put it after --")
    try:
        where = place(options, os.environ)
    except ValueError as error:
        parser.error(str(error))
    ended: SimpleQueue = SimpleQueue()
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, lambda number, _: ended.put(int(number)))
    restart = 0
    while True:
        try:
            end = _once(where, command, options, restart, ended)
        except OSError as error:
            parser.error(f"{command[0]} cannot be started: {error.strerror}")
        if end is None:
            return 0
        again = restart < options.restarts and not end.asked
        restart += 1
        then = f"starting all again ({restart} of {options.restarts})" if again else "all ended"
        print(f"launch: {end.what}; {then}", file=sys.stderr, flush=True)
        if not again:
            return end.code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(usage=USAGE, description=__doc__)
    add = parser.add_argument
    add("-n", type=int, metavar="N", help="start N processes on this machine")
    add("--coordinator", metavar="HOST:PORT", help="where process 0 listens")
    add("--processes", type=int, metavar="N", help="how many there are on all machines")
    add("--process", type=int, metavar="I", help="the number of the one started here, from 0")
    add("--wait", type=float, default=120, help="seconds in which all must have come (120)")
    add("--stuck", type=float, default=60, help="seconds without a sign of life (60)")
    add("--grace", type=float, default=30, help="seconds to save after Ctrl-C or SIGTERM (30)")
    add("--restarts", type=int, default=0, help="how often to start all again (0)")
    add("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    return parser


def _once(
    where: Place,
    command: list[str],
    options: argparse.Namespace,
    restart: int,
    ended: SimpleQueue,
) -> children.End | None:
    """The program from its start to its end; when it returns, none of its processes is left."""
    common = os.environ | {
        processes.COORDINATOR: where.meeting(),
        processes.PROCESSES: str(where.processes),
        processes.WAIT: str(options.wait),
        processes.STUCK: str(options.stuck),
        processes.RESTART: str(restart),
    }
    with tempfile.TemporaryDirectory(prefix="jaxnets-") as folder:
        environments = {i: common | {processes.PROCESS: str(i)} for i in where.own}
        running = children.start(environments, command, Path(folder), ended)
        end = children.watch(running, where.processes, options.stuck, ended)
        if end is not None and end.asked:
            children.end(running, options.grace, ended, end.code - 128)
        elif end is not None:
            children.end(running, children.END_SECONDS, ended, signal.SIGTERM)
        children.finish(running)
    while not ended.empty():  # the ends of these processes are not for the next ones
        event = ended.get()
        if isinstance(event, int) and end is not None:
            end = end._replace(asked=True)
    return end


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
