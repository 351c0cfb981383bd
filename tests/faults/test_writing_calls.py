"""The library that stops processes at their writing calls overlooks none of them."""

import re
import shutil
import subprocess
from collections import Counter

import pytest

from tests.support.power_loss import read_record
from tests.support.processes import Zygote, piece, told_by

pytestmark = pytest.mark.slow_faults
KINDS = {
    "write": ("write", "pwrite64", "writev", "pwritev", "pwritev2"),
    "sync": ("fsync", "fdatasync"),
    "rename": ("rename", "renameat", "renameat2"),
    "mkdir": ("mkdir", "mkdirat"),
    "drop": ("unlink", "unlinkat", "rmdir"),
    "cut": ("ftruncate", "truncate"),
    "link": ("link", "linkat"),
    "create": ("open", "openat", "creat"),
    "other": ("fallocate", "symlink", "symlinkat", "sendfile", "copy_file_range", "openat2"),
}
CALLS = {call: kind for kind, calls in KINDS.items() for call in calls}


def tracer(log):
    """Returns the command of strace, or skips the test where it cannot trace."""
    if not shutil.which("strace"):
        pytest.skip("needs strace (Debian: apt install strace)")
    if subprocess.run(["strace", "-qq", "true"], capture_output=True, check=False).returncode:
        pytest.skip("strace may trace no process here")
    return ["strace", "-f", "-qq", "-y", "-s0", "-e", f"trace={','.join(CALLS)}", "-o", str(log)]


def whole_lines(log):
    """Yields the calls of strace's log, those too that another thread's interrupted."""
    begun = {}
    for line in log.read_text().splitlines():
        pid, text = line.split(maxsplit=1)
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
        elif text.startswith("<... "):
            yield begun.pop(pid) + text.partition(" resumed>")[2]
        else:
            yield text


def traced(log, root):
    """Counts the successful writing calls below a folder by their kind, as strace saw them.

    To open a file that exists writes nothing, unless it is emptied.
    """
    found, made, below = Counter(), set(), re.compile(re.escape(str(root)) + '[/>"]')
    for text in whole_lines(log):
        call = re.match(r"(\w+)\((.*)\) += (\d+)", text)
        if not call or not below.search(text):
            continue
        kind, path = CALLS[call[1]], re.findall('"(.*?)"', call[2])[:1]
        if kind == "create":
            if not re.search("O_CREAT|O_TRUNC", text) or (
                "O_TRUNC" not in text and path[0] in made
            ):
                continue
            made.add(path[0])
        if kind in ("rename", "drop"):
            made.discard(path[0])
        found[kind] += 1
    return found


def test_strace_sees_no_more_writing_calls(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    log, record = tmp_path / "log", tmp_path / "record"
    with Zygote(tmp_path, *tracer(log)) as zygote:
        zygote.perform(
            tmp_path / "events", piece("start_and_end", root / "run"), record=str(record)
        )
    assert told_by(tmp_path / "events")[0].after("ended")
    seen = Counter({"truncate": "create"}.get(call.what, call.what) for call in read_record(record))
    del seen["mark"]
    assert dict(traced(log, root)) == dict(seen)
