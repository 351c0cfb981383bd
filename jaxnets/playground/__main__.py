"""Serves the playground to the browser of this machine: `python -m jaxnets.playground --open`."""

import argparse
import contextlib
import sys
import webbrowser

from jaxnets.parallel.devices import cache_compilations
from jaxnets.playground.arguments import shape_of
from jaxnets.playground.config import RefusedError, from_address
from jaxnets.playground.ensemble import SHARED
from jaxnets.playground.server import Server

PORT = 8471


def parser() -> argparse.ArgumentParser:
    """Builds the parser of the command line."""
    found = argparse.ArgumentParser(prog="python -m jaxnets.playground", description=__doc__)
    found.add_argument("state", nargs="?", default="", help="what stands after # in an address")
    found.add_argument("--port", type=_port, default=PORT, help=f"{PORT} by default; 0 for any")
    found.add_argument("--open", action="store_true", help="open the page in the browser")
    return found


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port < 65536:
        raise argparse.ArgumentTypeError(f"{port} is not a port from 0 to 65535")
    return port


def main(arguments: list[str]) -> int:
    """Serves until it is interrupted."""
    flags = parser()
    options = flags.parse_args(arguments)
    try:
        config = from_address(options.state)
    except RefusedError as error:
        flags.error(str(error))
    cache_compilations()
    SHARED.ahead([(shape_of(config), config.batch)])
    try:
        server = Server(options.port, programs=SHARED)
    except OSError as error:
        flags.error(f"port {options.port} cannot be used ({error.strerror}): try --port 0")
    state = config.address()
    address = server.address + (f"#{state}" if state else "")
    print(f"{address}\nCtrl-C ends it.", flush=True)
    if options.open:
        webbrowser.open(address)
    with contextlib.suppress(KeyboardInterrupt), server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
