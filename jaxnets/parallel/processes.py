"""The processes of one program connect, send heartbeats, and end together."""

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import jax

COORDINATOR = "JAXNETS_COORDINATOR"
"""`HOST:PORT` where the others find process 0."""
LISTEN = "JAXNETS_LISTEN"
"""The one address and port at which it listens."""
PROCESSES, PROCESS = "JAXNETS_PROCESSES", "JAXNETS_PROCESS"
"""The number of processes, and the index of this one."""
WAIT = "JAXNETS_WAIT"
"""Seconds within which all processes must connect."""
STUCK = "JAXNETS_STUCK"
"""Seconds without a heartbeat after which a process counts as stuck."""
BEAT = "JAXNETS_BEAT"
"""The file whose modification time is the last heartbeat."""
RESTART = "JAXNETS_RESTART"
"""How often the program was restarted; a program that can resume should, unless this is 0."""
ALONE = 69
"""The exit code of a process whose peers did not connect (EX_UNAVAILABLE of sysexits)."""
BEAT_SECONDS = 0.5
GONE_SECONDS = 3.0
"""How long a coordinator that had answered may be silent before it counts as gone."""
LOOPBACK = "127.0.0.1"


def start() -> int:
    """Connects the processes that `python -m jaxnets.launch` started; returns this one's index.

    Call it before the first JAX computation. In a program that was started without the launcher it
    does nothing and returns 0.

    From then on `jax.devices()` contains the devices of all processes; an exception ends this
    process immediately with code 1, where JAX would first wait for the others; and the process ends
    when its launcher does. If the processes do not all connect within `--wait` seconds, the process
    reports this and ends with code 69.

    Raises:
        RuntimeError: JAX has already computed something.

    Example:
        >>> start()  # without the launcher
        0
    """
    if PROCESSES not in os.environ:
        return 0
    n, i = int(os.environ[PROCESSES]), int(os.environ[PROCESS])
    threading.Thread(
        target=_send_heartbeats, args=(os.environ.get(BEAT), os.getppid()), daemon=True
    ).start()
    if n > 1:
        _connect(os.environ[COORDINATOR], n, i)
        sys.excepthook = _exit_on_exception
    return i


def was_restarted() -> bool:
    """Returns whether the launcher restarted the program, so that it should resume.

    Example:
        >>> was_restarted()
        False
    """
    return os.environ.get(RESTART, "0") != "0"


def _connect(coordinator: str, n: int, i: int) -> None:
    wait, stuck = float(os.environ[WAIT]), float(os.environ[STUCK])
    jax.config.update("jax_enable_preemption_service", False)  # it would swallow SIGTERM
    what = f"process {i} of {n} waited {wait:g} s at {coordinator} for the others"
    with _deadline(wait, what), _coordinator_watched(coordinator, n, i):
        try:
            jax.distributed.initialize(
                coordinator,
                n,
                i,
                coordinator_bind_address=os.environ.get(LISTEN, coordinator),
                cluster_detection_method="deactivate",
                initialization_timeout=int(wait) + 60,
                heartbeat_timeout_seconds=2 * max(5, int(stuck)),
            )
        except jax.errors.JaxRuntimeError as error:
            reason = str(error).partition("\n")[0]
            _give_up(f"process {i} of {n} cannot connect at {coordinator}: {reason}")


@contextmanager
def _deadline(seconds: float, what: str) -> Iterator[None]:
    """Ends the process if the block takes longer than `seconds`, where JAX would abort."""
    advice = "start all of them with the same --coordinator and --processes, or raise --wait"
    message = f"{what}, and not all connected: {advice}"
    timer = threading.Timer(seconds, _give_up, [message])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _give_up(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)
    os._exit(ALONE)


@contextmanager
def _coordinator_watched(coordinator: str, n: int, i: int) -> Iterator[None]:
    """Ends the process if, within the block, the coordinator answers and then is gone.

    JAX would wait for it in silence. That is what follows where a stranger came first as this
    process: the coordinator aborts once both have connected.
    """
    connected = threading.Event()
    if i:
        watched = (coordinator, f"process {i} of {n}", _answers(coordinator), connected)
        threading.Thread(target=_watch, args=watched, daemon=True).start()
    try:
        yield
    finally:
        connected.set()


def _watch(coordinator: str, who: str, answered: bool, connected: threading.Event) -> None:
    last = time.monotonic()
    while not connected.wait(BEAT_SECONDS):
        if _answers(coordinator):
            answered, last = True, time.monotonic()
        elif answered and time.monotonic() - last > GONE_SECONDS:
            _give_up(
                f"{who} lost the coordinator at {coordinator} while it connected: process 0 has "
                f"ended, or another program had connected in the place of {who}"
            )


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=GONE_SECONDS).close()
    except OSError:
        return False
    return True


def _send_heartbeats(file: str | None, launcher: int) -> None:
    """Touches the file twice a second, until the launcher ends."""
    while os.getppid() == launcher:
        if file:
            Path(file).touch()
        time.sleep(BEAT_SECONDS)
    os._exit(1)


def _exit_on_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    sys.__excepthook__(kind, error, trace)
    exit_process(getattr(error, "code", 130) if issubclass(kind, KeyboardInterrupt) else 1)


def exit_process(code: int) -> None:
    """Ends the process; if it failed, immediately, since JAX's shutdown waits for the others.

    Example:
        >>> try:
        ...     exit_process(0)
        ... except SystemExit as ended:
        ...     print(ended.code)
        0
    """
    if code and jax.distributed.is_initialized():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
