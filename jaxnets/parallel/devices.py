"""Settings made before the first JAX computation: use all cores, and cache compiled programs."""

import os
from pathlib import Path

import jax

from jaxnets.host.paths import as_path


def use_all_cores(cores: int | None = None) -> int:
    """Makes every CPU core a JAX device, so that `sweep` trains a group of networks on each.

    Call it before the first JAX computation. It has no effect on GPUs and TPUs. A model of your own
    that factors matrices must do so with `jaxnets.ops.one_by_one`: jaxlib would wait for ever.

    Args:
        cores: how many; by default all that this process may use.

    Returns:
        The number of CPU devices.

    Raises:
        RuntimeError: JAX has already started with a different number of devices.

    Example:
        >>> use_all_cores(len(jax.devices("cpu"))) == len(jax.devices("cpu"))
        True
    """
    cores = cores or _available_cores()
    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError:
        if len(jax.devices("cpu")) != cores:
            raise RuntimeError(
                f"JAX has already started with {len(jax.devices('cpu'))} CPU device(s): call "
                "jaxnets.use_all_cores() before the first computation; in a notebook restart the "
                "kernel, and call it in the first cell"
            ) from None
    return cores


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_compilations(folder: str | Path = "~/.cache/jaxnets/compiled") -> None:
    """Caches compiled programs in a folder, so that the next process need not compile them.

    Raises:
        TypeError: not a path.

    Example:
        >>> before = jax.config.jax_compilation_cache_dir
        >>> cache_compilations("compiled")  # the folder is made with the first program
        >>> jax.config.update("jax_compilation_cache_dir", before)
    """
    jax.config.update("jax_compilation_cache_dir", str(as_path(folder, "folder")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
