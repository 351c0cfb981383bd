"""A process that has imported all and forks for every task, so that a thousand of them are quick.

It has a single thread and has computed nothing, so that its forks equal new processes. Requests and
replies are lines of JSON.
"""

import ctypes
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import orbax.checkpoint  # noqa: F401

import jaxnets as jn
from tests.support import fault_tasks

CALLS = ctypes.CDLL(None)


def teller(events):
    """Returns what appends a line to the file of events at once, so that a kill loses none."""
    file = os.open(events, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def tell(*words):
        line = " ".join(map(str, words))
        os.write(file, f"{line}\n".encode())
        CALLS.calls_mark(line.encode())

    return tell


def perform(tell, work, record=None):
    """Does each piece of work, disturbed at a call below the parent of its folder.

    A piece is a task, its folder, its arguments, and how it is disturbed.
    """
    file = -1 if record is None else os.open(record, os.O_WRONLY | os.O_CREAT, 0o644)
    fault_tasks.watch(tell)
    for task, folder, arguments, (at, action, error) in work:
        CALLS.calls_arm(os.fsencode(Path(folder).parent), at, action, error, file)
        tell("task", task, folder, at)
        try:
            fault_tasks.TASKS[task](folder, tell, *arguments)
        except Exception as caught:
            tell("error", type(caught).__name__, str(caught).partition("\n")[0])
            traceback.print_exc()
        tell("calls", CALLS.calls_disarm())


def child(events, request):
    output = os.open(f"{events}.out", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    try:
        perform(teller(events), **request)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def ended(pid, seconds):
    """Waits for a child, and kills it after some seconds; returns its exit code."""
    until = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= until:
            os.kill(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        time.sleep(0.001)


def main(cache):
    jn.cache_compilations(cache)
    assert len(os.listdir("/proc/self/task")) == 1
    for line in sys.stdin:
        request = json.loads(line)
        seconds, events = request.pop("seconds"), request.pop("events")
        began = time.monotonic()
        pid = os.fork()
        if not pid:
            child(events, request)
        code = ended(pid, seconds)
        print(json.dumps({"code": code, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
