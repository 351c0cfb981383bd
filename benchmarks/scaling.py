"""`python -m benchmarks.scaling`: seconds per step by devices and processes of this machine.

The batch has the same size for any number of devices. Writes `docs/scaling.png` and prints the
table of `docs/scaling.md`; `benchmarks.links` has the model for other machines.
"""

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Contender, Timing, race
from benchmarks.results import ratio

FIGURE = Path(__file__).parent.parent / "docs" / "scaling.png"
TASKS = {
    "mlp": "784-100-10, batch 256",
    "wide": "784-2048-2048-10, batch 256",
    "cnn": "L2's network, batch 128",
}
STEPS = {"mlp": 64, "wide": 2, "cnn": 4}
BATCH = {"mlp": 256, "wide": 256, "cnn": 128}
LAYOUTS = ((1, 1), (1, 2), (1, 4), (1, 8), (2, 1), (2, 2))
"""Processes, and devices per process."""


def contender(task: str, processes: int, devices: int) -> Callable[[], float]:
    """Process 0, which starts the others and tells them when to run."""
    from jaxnets.launch.addresses import Topology
    from jaxnets.parallel.processes import COORDINATOR, PROCESSES, STUCK, WAIT

    os.environ |= {
        COORDINATOR: Topology(None, processes, ()).address(),
        PROCESSES: str(processes),
        WAIT: "60",
        STUCK: "600",
    }
    others = [_other(i, task, processes, devices) for i in range(1, processes)]
    run = _program(task, 0, processes, devices)
    for other in others:
        atexit.register(other.stdin.close)  # before JAX, which waits until all have ended

    def together() -> float:
        for other in others:
            other.stdin.write(b"run\n")
            other.stdin.flush()
        return run()

    return together


def _other(i: int, *options: Any) -> subprocess.Popen:
    own = [str(option) for option in (*options[:1], i, *options[1:])]
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.scaling", *own], stdin=subprocess.PIPE
    )


def _program(task: str, process: int, processes: int, devices: int) -> Callable[[], float]:
    """Trains for some steps and returns the seconds per step."""
    from jaxnets.parallel.processes import PROCESS

    if processes > 1:
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[process % len(cores)]})
    os.environ[PROCESS] = str(process)

    import jax

    import jaxnets as jn
    from jaxnets import parallel
    from jaxnets.data import Dataset
    from jaxnets.models.cnn import small_cnn
    from jaxnets.training.loop import advance, begin

    jn.use_all_cores(devices)
    parallel.start()
    models = {"mlp": jn.MLP((100,), 10), "wide": jn.MLP((2048, 2048), 10), "cnn": small_cnn()}
    rng, n = np.random.default_rng(0), STEPS[task] * BATCH[task]
    x = rng.random((n, 28, 28, 1) if task == "cnn" else (n, 784), np.float32)
    data = Dataset({"x": x, "y": rng.integers(0, 10, n, np.int32)}, None)
    spec = jn.TrainSpec(models[task], "softmax_cross_entropy", 1, BATCH[task])
    key, hparams = jax.random.key(0), {"learning_rate": np.float32(1e-3)}
    mesh = parallel.all_devices()
    spec, key, sharded, hparams = parallel.data_parallel(mesh, spec, key, data, hparams)
    first = jax.jit(begin, static_argnums=(0, 4))
    carry, order_key = first(spec, key, x[:1], hparams, False)
    epoch = partial(jax.jit(advance, static_argnums=0), spec, carry, 0, STEPS[task])

    def steps() -> float:
        start = time.perf_counter()
        jax.block_until_ready(epoch(sharded, hparams, order_key))
        return (time.perf_counter() - start) / STEPS[task]

    return steps


def measure(rounds: int = 5) -> dict[str, list[Timing]]:
    """Times every task, with one row for each layout."""
    found = {}
    for task in TASKS:
        contenders = [
            Contender(
                f"{processes} x {devices}",
                "benchmarks.scaling:contender",
                {"task": task, "processes": processes, "devices": devices},
            )
            for processes, devices in LAYOUTS
        ]
        found[task] = race(contenders, rounds)
    return found


def table(found: dict[str, list[Timing]]) -> str:
    lines = [
        "| processes x devices | " + " | ".join(TASKS[task] for task in found) + " |",
        "|---" * (1 + len(found)) + "|",
    ]
    for i, (processes, devices) in enumerate(LAYOUTS):
        cells = [
            f"{t[i].median * 1e3:.2f} ({min(t[i].seconds) * 1e3:.2f}..{max(t[i].seconds) * 1e3:.2f}"
            f"), x {ratio(t[i], t[0]):.2f}"
            for t in found.values()
        ]
        lines.append(f"| {processes} x {devices} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(found: dict[str, list[Timing]]) -> None:
    """Draws the time of a step over that on one device; filled for one process, hollow for two."""
    from jaxnets import plots

    canvas, axes = plots.figure(1, 1, size=(8.0, 3.8))
    for (task, timings), style in zip(found.items(), plots.styles(), strict=False):
        ratios = np.array([ratio(t, timings[0]) for t in timings])
        for processes in (1, 2):
            rows = [i for i, layout in enumerate(LAYOUTS) if layout[0] == processes]
            devices = [np.prod(LAYOUTS[i]) for i in rows]
            hollow = {"markerfacecolor": "white", "markersize": 9} if processes == 2 else {}
            look = style | hollow | {"label": f"{TASKS[task]}, {processes} process(es)"}
            axes[0, 0].plot(devices, ratios[rows], **look)
    axes[0, 0].axhline(1, color="0.6", linewidth=0.8)
    axes[0, 0].set_xscale("log", base=2)
    axes[0, 0].set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
    axes[0, 0].set_yscale("log", base=2)
    axes[0, 0].set(xlabel="devices on 2 cores", ylabel="time of a step over one device's")
    canvas.legend(loc="outside right upper", fontsize="small")
    from jaxnets.storage.atomic import atomic_write

    with atomic_write(FIGURE) as file:
        canvas.savefig(file, format="png", dpi=110)


def main(arguments: list[str]) -> None:
    if not arguments:
        found = measure()
        print(table(found))
        draw(found)
        return
    task, *numbers = arguments
    run = _program(task, *(int(number) for number in numbers))
    for _ in sys.stdin:
        run()


if __name__ == "__main__":
    main(sys.argv[1:])
