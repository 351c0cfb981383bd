"""Tests run stricter than users: four CPU devices, no silent broadcasting, warnings are errors."""

import os
import signal
import threading
from importlib.metadata import version

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Compiling is most of the work here: leave out LLVM's passes, and XLA's slowest (which it is has
# changed). With JAX_DISABLE_MOST_OPTIMIZATIONS=0 XLA_FLAGS= the tests run what users run.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
if version("jaxlib") < "0.11":
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")
else:
    os.environ.setdefault("XLA_FLAGS", "--xla_disable_hlo_passes=fusion-wrapper")

# The threads of LAPACK's BLAS spin while they wait; beside other work they take 100 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# `nohup make test` ignores hang-ups, and what the tests start would inherit that.
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

import hypothesis
import jax
import pytest

import jaxnets

jaxnets.use_all_cores(4)
jax.config.update("jax_numpy_rank_promotion", "raise")

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("repeatable")

_compiled = []


def note_compilation(event, seconds, **_):
    """Notes which thread compiled."""
    if "backend_compile" in event:
        _compiled.append(threading.get_ident())


jax.monitoring.register_event_duration_secs_listener(note_compilation)


@pytest.fixture(scope="module", autouse=True)
def forget_programs():
    """What one file compiled is of no use to the next, and takes gigabytes in the end."""
    yield
    jax.clear_caches()


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture
def x64():
    """Double precision for one test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def compilations():
    """Counts the programs compiled since the test began: `compilations()`.

    Threads that earlier tests left, such as a server's, may still compile; theirs do not count.
    """
    before, left = len(_compiled), {thread.ident for thread in threading.enumerate()}
    left -= {threading.get_ident()}
    return lambda: sum(thread not in left for thread in _compiled[before:])
