"""Refuses to train in a process that was forked after JAX was used, where it would wait forever."""

import os
import sys

_after_use = False


def require_not_forked() -> None:
    """Raises a RuntimeError in a process that was forked after JAX was used."""
    if _after_use:
        raise RuntimeError(
            "this process was forked from one that had used JAX, whose threads a fork does not "
            "copy: it would wait for them forever. Start processes by "
            "multiprocessing.get_context('spawn'), or before the first computation"
        )


def _remember() -> None:
    """Notes in a forked process whether its parent had started JAX's backends.

    JAX has no public way to ask without starting them; if this one ends, forks are not noticed.
    """
    global _after_use
    _after_use = bool(getattr(sys.modules.get("jax._src.xla_bridge"), "_backends", None))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_remember)
