"""The processes of one program find each other, show that they live, and end together."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import jax

COORDINATOR = "JAXNETS_COORDINATOR"
"""`HOST:PORT` where process 0 listens."""
PROCESSES, PROCESS = "JAXNETS_PROCESSES", "JAXNETS_PROCESS"
"""How many there are, and which one this is."""
WAIT = "JAXNETS_WAIT"
"""Seconds in which all must have come."""
STUCK = "JAXNETS_STUCK"
"""Seconds without a sign of life after which a process counts as stuck."""
BEAT = "JAXNETS_BEAT"
"""The file whose time of change is the last sign of life."""
RESTART = "JAXNETS_RESTART"
"""How many times the program was started before; a program that can resume does, unless it is 0."""
ALONE = 69
"""The exit code of a process whose peers did not come (EX_UNAVAILABLE of sysexits)."""
BEAT_SECONDS = 0.5
LOOPBACK = "127.0.0.1"


def start() -> int:
    """Joins the processes that `python -m jaxnets.launch` started, and returns this one's number.

    Call it before the first JAX computation. It is 0, and nothing happens, in a program that was
    started otherwise.

    From then on all devices of all processes are in `jax.devices()`; an exception ends this process
    at once with code 1, where JAX would first wait for the others; and the process ends when its
    launcher is gone. If not all have come within the time that `--wait` gave, the process says so
    and ends with code 69.

    Raises:
        RuntimeError: JAX has computed something already.
    """
    if PROCESSES not in os.environ:
        return 0
    n, i = int(os.environ[PROCESSES]), int(os.environ[PROCESS])
    threading.Thread(target=_beat, args=(os.environ.get(BEAT), os.getppid()), daemon=True).start()
    if n > 1:
        _join(os.environ[COORDINATOR], n, i)
        sys.excepthook = _end_at_once
    return i


def restarted() -> bool:
    """Whether the launcher has started the program before, so that it had better go on."""
    return os.environ.get(RESTART, "0") != "0"


def _join(coordinator: str, n: int, i: int) -> None:
    wait, stuck = float(os.environ[WAIT]), float(os.environ[STUCK])
    jax.config.update("jax_enable_preemption_service", False)  # it would swallow SIGTERM
    with _deadline(wait, f"process {i} of {n} waited {wait:g} s at {coordinator} for the others"):
        jax.distributed.initialize(
            coordinator,
            n,
            i,
            coordinator_bind_address=coordinator if coordinator.startswith(LOOPBACK) else None,
            cluster_detection_method="deactivate",
            initialization_timeout=int(wait) + 60,
            heartbeat_timeout_seconds=2 * max(5, int(stuck)),
        )


@contextmanager
def _deadline(seconds: float, what: str) -> Iterator[None]:
    """Ends the process unless the work within is done in time; JAX's own way is to abort."""

    def give_up() -> None:
        advice = "start all of them with the same --coordinator and --processes, or raise --wait"
        print(f"error: {what}, and not all came: {advice}", file=sys.stderr, flush=True)
        os._exit(ALONE)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _beat(file: str | None, launcher: int) -> None:
    """A sign of life twice a second, until the launcher is gone."""
    while os.getppid() == launcher:
        if file:
            Path(file).touch()
        time.sleep(BEAT_SECONDS)
    os._exit(1)


def _end_at_once(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.__excepthook__(kind, error, trace)
    leave(130 if issubclass(kind, KeyboardInterrupt) else 1)


def leave(code: int) -> None:
    """Ends the process; one that failed at once, since JAX's own ending waits for the others."""
    if code and jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
