"""The launcher takes all it started with it, whatever ends it, and is not stalled by output."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxnets.launch import __main__ as launcher
from jaxnets.launch.guard import Descendants
from jaxnets.launch.relay import LONGEST, Output, forward
from tests.launch.test_launch import BEATING, ENDLESS, alive, launch, outcome, python

PROC = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
FAMILIES = {
    "child": "echo $$; exec sleep 90",
    "child that ignores signals": "trap '' TERM INT HUP; echo $$; while true; do sleep 0.1; done",
    "grandchild": "sleep 90 & echo $!; wait",
    "grandchild in a session of its own": "{python} -c 'import subprocess as s; "
    'p = s.Popen(["sleep", "90"], start_new_session=True); print(p.pid, flush=True); p.wait()\'',
    "daemon": '{python} -c \'import subprocess as s; p = s.Popen(["sleep", "90"], '
    "start_new_session=True, stdout=s.DEVNULL, stderr=s.DEVNULL); print(p.pid, flush=True)'; "
    "sleep 90",
}


def ended(*pids, seconds=10.0):
    """Waits until all have ended, and kills those that have not."""
    until = time.monotonic() + seconds
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    left = [pid for pid in pids if alive(pid)]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    return not left


def first_pid(running):
    return int(running.stdout.readline().split()[1])


@PROC
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "how",
    [
        pytest.param(signal.SIGKILL, id="killed"),
        pytest.param(signal.SIGTERM, id="stopped", marks=pytest.mark.slow_faults),
    ],
)
def test_all_end_with_their_launcher(family, how):
    if how == signal.SIGTERM and "ignores" in family:
        pytest.skip("waits for --grace, as tests/launch shows")
    script = FAMILIES[family].replace("{python}", sys.executable)
    running = launch("-n", "1", "--stuck", "600", script=script)
    pid = first_pid(running)
    assert alive(pid)
    running.send_signal(how)
    running.communicate(timeout=30)
    assert ended(pid)


@PROC
@pytest.mark.parametrize("code", [0, pytest.param(3, marks=pytest.mark.slow_faults)])
def test_what_a_process_left_behind_ends_when_it_has_ended(code):
    script = f"sleep 90 & echo $!; exit {code}"
    running = launch("-n", "1", script=script)
    pid = first_pid(running)
    assert outcome(running)[0] == code
    assert ended(pid, seconds=1)


@PROC
def test_all_end_if_one_cannot_be_started(tmp_path):
    """The program is found, but the system cannot run it."""
    program = tmp_path / "program"
    program.write_bytes(b"\0\1\2\3")
    program.chmod(0o755)
    code, _, err, _ = outcome(launch("-n", "2", command=[str(program)]))
    assert code == 2
    assert err.startswith(f"launch: error: {program} cannot be started: ")
    assert len(err.splitlines()) == 1


@pytest.mark.slow_faults
@PROC
def test_attack_launcher2():
    """With the package's own `start`: the child and its grandchild end with a killed launcher."""
    script = f"sleep 90 & echo $!; exec {sys.executable} -c '{ENDLESS}'"
    running = launch("-n", "1", script=script)
    pids = first_pid(running), first_pid(running)
    running.kill()
    assert ended(*pids, seconds=3)
    running.communicate()


def test_hang_up_is_forwarded_with_time_to_save():
    script = f"trap 'sleep 0.5; echo saved; exit' HUP; echo ready; {BEATING}"
    running = launch("-n", "1", script=script)
    assert running.stdout.readline() == "[0] ready\n"
    running.send_signal(signal.SIGHUP)
    code, out, err, _ = outcome(running)
    assert (code, out) == (129, "[0] saved\n")
    assert "launch: SIGHUP, forwarded to all processes" in err


@pytest.mark.slow_faults
def test_nohup_launchers_stay():
    script = "echo ready; sleep 1; echo end"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    running = launch("-n", "1", script=script)
    signal.signal(signal.SIGHUP, before)
    assert running.stdout.readline() == "[0] ready\n"
    running.send_signal(signal.SIGHUP)
    assert outcome(running)[:2] == (0, "[0] end\n")


def test_a_process_that_never_gives_a_sign_of_life_is_stuck():
    code, _, err, seconds = outcome(launch("-n", "1", "--stuck", "1", script="exec sleep 90"))
    assert code == 124
    assert "process 0 of 1 is stuck: no heartbeat for " in err
    assert "jaxnets.parallel.start() sends them, --stuck sets the time" in err
    assert seconds < 20


@pytest.mark.slow_faults
def test_a_program_that_writes_is_not_stuck():
    script = "for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done"
    assert outcome(launch("-n", "1", "--stuck", "2", script=script))[0] == 0


FLOODS = {
    "no line break": ("head -c 8388608 /dev/zero | tr '\\0' a", b"[0] " + b"a" * 2**23 + b"\n"),
    "short lines": ("yes | head -c 2000000", b"[0] y\n" * 10**6),
    "empty lines": ("yes '' | head -c 1000000", b"[0] \n" * 10**6),
    "carriage returns": ("yes | head -c 200000 | tr '\\n' '\\r'", b"[0] y\r" * 10**5),
    "no end": ("printf a; sleep 0.1; printf b", b"[0] ab\n"),
}


@pytest.mark.parametrize(("script", "expected"), FLOODS.values(), ids=FLOODS)
def test_a_flood_is_passed_on_whole_and_fast(tmp_path, script, expected):
    """The speed is that of the relay, not of starting Python and JAX."""
    done = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)
    with (tmp_path / "out").open("w+") as file:
        began = time.process_time()
        forward(done.stdout, Output(file), 0)
        assert time.process_time() - began < 5
    done.communicate()
    assert (tmp_path / "out").read_bytes() == expected


def test_long_lines_of_two_processes_stay_apart(tmp_path):
    """A line that another interrupts goes on in a line of its own."""
    with (tmp_path / "out").open("w+") as file:
        output = Output(file)
        output.write(0, b"a" * LONGEST)
        output.write(0, b"b")
        output.write(1, b"other\r\n\r\n")
        output.write(0, b"c\n")
        output.write(1, b"end\n")
    lines = (tmp_path / "out").read_bytes().split(b"\n")
    assert lines[0] == b"[0] " + b"a" * LONGEST + b"b"
    assert lines[1:] == [b"[1] other\r", b"[1] \r", b"[0] c", b"[1] end", b""]


@pytest.mark.slow_faults
def test_output_that_nobody_reads_stops_no_process():
    program = launch("-n", "1", script="yes | head -c 3000000; exit 5")
    program.stdout.close()
    program.stdout = None
    assert outcome(program)[0] == 5


def test_restarts_pause_longer_each_time(monkeypatch):
    waits = []

    class Events:
        def get(self, timeout):
            waits.append(timeout)
            raise launcher.Empty

    end = launcher.children.End("it failed", 1)
    for restart in range(10):
        assert launcher._report(end, restart, 9, Events()) is end
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_signal_within_the_pause_ends_the_launcher(monkeypatch):
    running = launch("-n", "1", "--restarts", "9", script="exit 7")
    while "pause of 4 s" not in (line := running.stderr.readline()):
        assert line
    running.send_signal(signal.SIGTERM)
    code, _, _, seconds = outcome(running)
    assert code == 143
    assert seconds < 4


NONSENSE = {
    "no processes": ("-n 0 -- true", "-n is 0; it must be 1 or more"),
    "a negative number": ("-n -3 -- true", "argument -n: '-3' is not an integer of 0 or more"),
    "NaN processes": ("-n nan -- true", "argument -n: 'nan' is not an integer"),
    "half a process": ("-n 1.5 -- true", "argument -n: '1.5' is not an integer"),
    "too many": ("-n 1000000 -- true", "-n is 1000000; it must be 4096 or less"),
    "negative restarts": ("-n 1 --restarts -1 -- true", "--restarts: '-1' is not an integer"),
    "NaN to wait": ("-n 1 --wait nan -- true", "--wait: 'nan' is not a positive number"),
    "endless wait": ("-n 1 --wait inf -- true", "--wait: 'inf' is not a positive number"),
    "stuck at once": ("-n 1 --stuck 0 -- true", "--stuck: '0' is not a positive number"),
    "negative grace": ("-n 1 --grace -1 -- true", "--grace: '-1' is not a number of seconds"),
    "text": ("-n 1 --grace soon -- true", "--grace: 'soon' is not a number of seconds"),
    "port": ("--coordinator a:65536 --processes 1 --process 0 -- true", "port must be 1 to 65535"),
    "port 0": ("--coordinator a:0 --processes 1 --process 0 -- true", "port must be 1 to 65535"),
    "no port": ("--coordinator a: --processes 1 --process 0 -- true", "it must be HOST:PORT"),
    "no host": ("--coordinator :80 --processes 1 --process 0 -- true", "it must be HOST:PORT"),
    "web address": ("--coordinator http://a:80 --processes 1 --process 0 -- true", "HOST:PORT"),
    "bare IPv6": ("--coordinator ::1:80 --processes 1 --process 0 -- true", "HOST:PORT"),
    "both": ("-n 2 --coordinator a:1 -- true", "do not combine it with --coordinator"),
    "index": ("--coordinator a:1 --processes 2 --process 2 -- true", "process is 2; it must be 0"),
    "no command": ("-n 1", "no command: put it after --"),
    "nothing after --": ("-n 1 --", "no command: put it after --"),
    "not found": ("-n 1 -- no-such-program", "no-such-program cannot be started: not found"),
    "a folder": ("-n 1 -- /", "/ cannot be started: it is a folder"),
}


@pytest.mark.parametrize(("line", "message"), NONSENSE.values(), ids=NONSENSE)
def test_nonsense_flags_are_refused_in_one_line(line, message, capsys):
    with pytest.raises(SystemExit) as left:
        launcher.main(line.split())
    assert left.value.code == 2
    written = capsys.readouterr().err
    assert message in written
    assert len(written.splitlines()) == 1


def test_a_file_that_is_not_executable_is_refused(capsys, tmp_path):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)
    with pytest.raises(SystemExit):
        launcher.main(["-n", "1", "--", str(program)])
    assert f"it is not executable: chmod +x {program}" in capsys.readouterr().err


def test_an_empty_command_is_refused(capsys):
    with pytest.raises(SystemExit):
        launcher.main(["-n", "1", "--", ""])
    assert "no command: put it after --" in capsys.readouterr().err


def test_a_group_is_found_without_proc(monkeypatch, tmp_path):
    """As on macOS: groups are ended, whatever their members are."""
    monkeypatch.setattr("jaxnets.launch.guard.PROC", tmp_path)
    process = subprocess.Popen(python("import time; time.sleep(90)"), start_new_session=True)
    family = Descendants({process.pid}, "mark")
    assert family.left() == {-process.pid}
    family.send(signal.SIGTERM)
    assert process.wait(timeout=20) == -signal.SIGTERM
    assert family.left() == set()
