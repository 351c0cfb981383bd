"""The launcher: processes that die, get stuck, never connect, are restarted or stopped."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxnets import parallel
from jaxnets.launch.__main__ import main
from jaxnets.launch.addresses import Topology, find_topology, first_node
from jaxnets.parallel import processes

ROOT = Path(__file__).parents[2]
LAUNCH = [sys.executable, "-m", "jaxnets.launch"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
# A process that sends heartbeats, as `start` does, but connects to none: quick to start.
BEATING = "while true; do touch $JAXNETS_BEAT; sleep 0.1; done"
SECOND = '[ "$JAXNETS_PROCESS" = 1 ]'


def launch(*options, script=None, command=None, **keywords):
    """Starts a launcher of a shell script or another command."""
    command = command or ["sh", "-c", script]
    return subprocess.Popen(
        [*LAUNCH, *options, "--", *command],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **keywords,
    )


def outcome(process, seconds=60):
    """Its exit code, output, errors, and how long it took from now."""
    began = time.monotonic()
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err, time.monotonic() - began


def test_all_end_well_and_lines_have_the_number_of_their_process():
    script = "echo one of $JAXNETS_PROCESSES; echo two >&2; printf end"
    code, out, err, _ = outcome(launch("-n", "3", script=script))
    assert code == 0
    expected = [f"[{i}] {line}" for i in range(3) for line in ("end", "one of 3")]
    assert sorted(out.splitlines()) == expected
    assert sorted(err.splitlines()) == [f"[{i}] two" for i in range(3)]


DEATHS = {
    "exit code": ("exit 3", "ended with exit code 3 after", 3),
    "signal": ("kill -KILL $$", "was killed by SIGKILL (signal 9) after", 137),
}


@pytest.mark.parametrize(("death", "message", "expected"), DEATHS.values(), ids=DEATHS)
def test_a_death_ends_all_and_is_reported_in_one_line(death, message, expected):
    script = f"{SECOND} && {death}; sleep 60"
    code, _, err, seconds = outcome(launch("-n", "2", script=script))
    assert code == expected
    assert len(err.splitlines()) == 1
    assert f"launch: process 1 of 2 {message}" in err
    assert err.endswith("; all ended\n")
    assert seconds < 20


def test_one_that_does_not_end_is_killed():
    """It ignores SIGTERM, and the launcher waits for it no longer than five seconds."""
    script = f"{SECOND} && sleep 1 && exit 4; trap '' TERM; echo $$; while true; do sleep 0.1; done"
    code, out, _, seconds = outcome(launch("-n", "2", script=script))
    assert code == 4
    assert 5 < seconds < 20
    with pytest.raises(ProcessLookupError):
        os.kill(int(out.split()[1]), 0)


def test_a_stuck_process_is_named():
    """Process 1 lives on, but stops."""
    script = f"{SECOND} && touch $JAXNETS_BEAT && kill -STOP $$; {BEATING}"
    code, _, err, seconds = outcome(launch("-n", "2", "--stuck", "2", script=script))
    assert code == 124
    assert "process 1 of 2 is stuck: no heartbeat for" in err
    assert seconds < 25


def test_all_are_restarted_up_to_the_limit():
    script = f"echo run $JAXNETS_RESTART; {SECOND} && [ $JAXNETS_RESTART -lt 2 ] && exit 7; exit 0"
    code, out, err, _ = outcome(launch("-n", "2", "--restarts", "3", script=script))
    assert code == 0
    assert sum("[1] run" in line for line in out.splitlines()) == 3
    ends = [line.partition("; ")[2] for line in err.splitlines()]
    assert ends == ["restarting all (1 of 3)", "restarting all (2 of 3)"]


def test_restarts_come_to_an_end():
    code, out, err, _ = outcome(launch("-n", "1", "--restarts", "1", script="echo run; exit 7"))
    assert code == 7
    assert out == "[0] run\n" * 2
    assert err.splitlines()[1].endswith("all ended")


def test_a_signal_while_the_others_are_ended_restarts_nothing():
    """It was swallowed, and all were started again."""
    script = f"{SECOND} && exit 3; trap '' TERM; echo ready; while true; do sleep 0.1; done"
    running = launch("-n", "2", "--restarts", "3", script=script)
    running.stdout.readline()
    time.sleep(2.5)
    running.send_signal(signal.SIGINT)
    _, out, err, seconds = outcome(running)
    assert out.count("ready") == 0, "started again"
    assert "restarting" not in err
    assert seconds < 15


@pytest.mark.parametrize(("number", "name"), [(signal.SIGINT, "INT"), (signal.SIGTERM, "TERM")])
def test_a_signal_is_forwarded_with_time_to_save(number, name):
    save = "sleep 1; echo saved; exit 0"
    script = f"trap '{save}' {name}; echo ready; while true; do sleep 0.1; done"
    running = launch("-n", "2", "--restarts", "5", script=script)
    assert {running.stdout.readline() for _ in range(2)} == {"[0] ready\n", "[1] ready\n"}
    running.send_signal(number)
    code, out, err, seconds = outcome(running)
    assert code == 128 + number
    assert sorted(out.splitlines()) == ["[0] saved", "[1] saved"]
    assert f"launch: SIG{name}, forwarded" in err
    assert seconds < 15


def test_a_second_signal_waits_no_longer():
    script = "trap '' INT; echo ready; while true; do sleep 0.1; done"
    running = launch("-n", "1", "--grace", "600", script=script)
    running.stdout.readline()
    running.send_signal(signal.SIGINT)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    assert outcome(running)[0] == 130


def test_processes_share_the_cores():
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    ask = "import os; print(*os.sched_getaffinity(0))"
    code, out, _, _ = outcome(launch("-n", "2", command=[sys.executable, "-c", ask]))
    shares = [set(line.split()[1:]) for line in out.splitlines()]
    assert code == 0
    assert all(shares)
    assert not shares[0] & shares[1]


MEET = "import jaxnets; jaxnets.parallel.start(); import jax; print('with', jax.device_count())"


@pytest.mark.parametrize(("process", "there"), [("0", "1"), ("1", "0")])
def test_a_missing_peer_is_reported_in_time(process, there):
    """`there` never comes, be it the one that listens or another."""
    where = ("--coordinator", find_topology(options(n=2), {}).address(), "--processes", "2")
    running = launch(*where, "--process", process, "--wait", "2", command=python(MEET))
    code, out, err, seconds = outcome(running)
    assert code == processes.ALONE
    assert f"process {process} of 2 waited 2 s at 127.0.0.1:" in err
    assert "start all of them with the same --coordinator and --processes" in err
    assert "with" not in out
    assert seconds < 20


@pytest.mark.slow_faults
def test_launchers_of_two_machines_meet():
    """Both on this one, with the flags that each of two machines gets."""
    where = (
        "--coordinator",
        find_topology(options(n=2), {}).address(),
        "--processes",
        "2",
        "--process",
    )
    both = [launch(*where, str(i), command=python(MEET)) for i in range(2)]
    for i, running in enumerate(both):
        code, out, err, _ = outcome(running)
        assert code == 0, err
        assert out.startswith(f"[{i}] with ")
        assert "with 2" in out or "with 4" in out


FAILING = """
import sys, jaxnets
process = jaxnets.parallel.start()
import jax, numpy as np
from jax.experimental import multihost_utils
multihost_utils.process_allgather(np.ones(1))
if process == 1:
    HOW
multihost_utils.process_allgather(np.ones(1))
"""
FAULTS = {
    "exception": ("raise ValueError('boom')", "ended with exit code 1 after", 1),
    "exit": ("jaxnets.parallel.exit_process(5)", "ended with exit code 5 after", 5),
    "killed": ("import os; os.kill(os.getpid(), 9)", "was killed by SIGKILL", 137),
    "stopped": ("import os; os.kill(os.getpid(), 19)", "is stuck: no heartbeat", 124),
}


@pytest.mark.slow_faults
@pytest.mark.parametrize(("how", "message", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_process_lost_within_a_collective(how, message, expected):
    """Its peer waits for it in JAX, whose own way out takes minutes."""
    program = FAILING.replace("HOW", how)
    code, _, err, seconds = outcome(launch("-n", "2", "--stuck", "8", command=python(program)))
    assert code == expected
    assert f"launch: process 1 of 2 {message}" in err
    assert seconds < 60
    assert ("boom" in err) == ("boom" in how)


ENDLESS = """
import jaxnets, os, time
jaxnets.parallel.start()
print(os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.mark.slow_faults
def test_processes_end_when_their_launcher_is_killed():
    running = launch("-n", "1", command=python(ENDLESS))
    own = int(running.stdout.readline().split()[1])
    running.kill()
    running.communicate()
    for _ in range(100):
        if not alive(own):
            break
        time.sleep(0.1)
    assert not alive(own)


def alive(process):
    """Whether it runs; one that has ended and is not yet waited for does not."""
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def python(program):
    return [sys.executable, "-c", program]


def options(**given):
    names = ("n", "coordinator", "processes", "process")
    return argparse.Namespace(**dict.fromkeys(names) | given)


SLURM = {
    "SLURM_JOB_ID": "70000",
    "SLURM_STEP_NODELIST": "gpu[007-009,012],login1",
    "SLURM_NTASKS": "4",
    "SLURM_PROCID": "2",
}


def test_slurm_says_where():
    """Port 61440 + 70000 mod 4096, on the first node."""
    assert find_topology(options(), SLURM) == Topology("gpu007:61808", 4, (2,))
    assert find_topology(options(n=2), SLURM) == Topology(None, 2, (0, 1))
    flags = options(coordinator="a:1", processes=3, process=0)
    assert find_topology(flags, SLURM) == Topology("a:1", 3, (0,))


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node", "node"),
        ("a-1,a-2", "a-1"),
        ("n[3]", "n3"),
        ("n[01-12]", "n01"),
        ("n[4,7]-ib", "n4-ib"),
        ("n[4-7]-ib,m", "n4-ib"),
    ],
)
def test_the_first_node_of_a_list(nodes, first):
    assert first_node(nodes) == first


WRONG = {
    "nothing": ({}, "no processes to start: use -n"),
    "both": ({"n": 2, "process": 0}, "-n .* do not combine it with --process"),
    "some": ({"coordinator": "a:1"}, "--coordinator needs --processes and --process too"),
    "none": ({"n": 0}, "-n is 0"),
    "number": (
        {"coordinator": "a:1", "processes": 2, "process": 2},
        "process is 2; it must be 0 to 1 for 2",
    ),
    "address": ({"coordinator": "a", "processes": 2, "process": 1}, "'a'; it must be HOST:PORT"),
    "port": ({"coordinator": "a:99999", "processes": 2, "process": 1}, "port must be 1 to 65535"),
}


@pytest.mark.parametrize(("given", "message"), WRONG.values(), ids=WRONG)
def test_flags_that_do_not_fit_are_named(given, message):
    with pytest.raises(ValueError, match=message):
        find_topology(options(**given), {})


@pytest.mark.parametrize("name", ["SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_PROCID"])
def test_a_slurm_variable_that_is_not_an_integer_is_named(name):
    with pytest.raises(ValueError, match=f"{name} is 'abc'; it must be an integer"):
        find_topology(options(), SLURM | {name: "abc"})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-n", "2"], "no command: put it after --"),
        (["-n", "0", "--", "true"], "-n is 0; it must be 1 or more"),
        (["-n", "1", "--", "no-such-program"], "no-such-program cannot be started"),
    ],
)
def test_a_wrong_command_line_is_reported(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert message in capsys.readouterr().err


def test_a_program_that_was_not_launched_starts_alone(monkeypatch):
    monkeypatch.delenv(processes.PROCESSES, raising=False)
    assert parallel.start() == 0
    with pytest.raises(SystemExit) as left:
        parallel.exit_process(3)
    assert left.value.code == 3
