"""`python -m benchmarks [NAME ...]`: runs the races and writes `benchmarks/RESULTS.md`."""

import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import operations, words
from benchmarks.harness import Contender, Timing, best, race, ratio
from jaxnets.data import load
from jaxnets.host import checks
from jaxnets.storage.atomic import replacing

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("jax", "flax", "optax", "torch", "scikit-learn", "gensim", "numpy")


class Goal(NamedTuple):
    """The contender `ours` against the fastest of the peers whose labels start with `peer`."""

    ours: str
    peer: str
    at_most: float | None = None
    at_least: float | None = None
    """The ratio of speeds, peer time over our time."""
    quality: tuple[str, ...] = ()
    """Notes whose mean is to reach the peer's less one of its standard deviations."""


class Race(NamedTuple):
    title: str
    contenders: list[Contender]
    goals: list[Goal]
    rounds: int = 7


def mlp_epoch(batch: int, at_most: float) -> Race:
    module = "benchmarks.mlp_epoch:"
    torch = [
        Contender(
            f"PyTorch eager, fused Adam, {threads} thread(s)",
            module + "pytorch",
            {"batch": batch, "threads": threads},
        )
        for threads in (1, os.cpu_count() or 1)
    ]
    ours = [
        Contender(f"jaxnets, {name}", module + "jaxnets", {"batch": batch, "by_hand": by_hand})
        for name, by_hand in (("jax.grad", False), ("gradients by hand", True))
    ]
    title = f"784-100-10, one epoch of 60,000 images, Adam, batch {batch}"
    return Race(title, torch + ours, [Goal("jaxnets, jax.grad", "PyTorch", at_most=at_most)])


def sweep(task: str, networks: int, at_least: float) -> Race:
    module = "benchmarks.sweep:"
    cores = os.cpu_count() or 1
    torch = [
        Contender(
            f"PyTorch loop, {threads} thread(s)",
            module + "pytorch_loop",
            {"task": task, "threads": threads, "networks": 4},
        )
        for threads in (1, cores)
    ]
    torch.append(
        Contender(
            f"torch.func.vmap, {cores} thread(s)",
            module + "pytorch_func",
            {"task": task, "threads": cores, "networks": networks},
        )
    )
    ours = [
        Contender(label, module + "jaxnets", {"task": task, "networks": networks} | options)
        for label, options in (
            ("jaxnets sweep", {}),
            ("jaxnets sweep, gradients by hand", {"by_hand": True}),
            ("jaxnets sweep, shared order", {"shared": True}),
        )
        if task == "image" or "shared" not in options
    ]
    goals = [
        Goal("jaxnets sweep", "PyTorch loop", at_least=at_least),
        Goal("jaxnets sweep", "torch.func", at_least=1.0),
    ]
    layers = {"planar": "2-10-1, full batch", "image": "784-64-10, batches of its own"}[task]
    return Race(f"sweep of {networks} networks {layers}, seconds a network", torch + ours, goals, 5)


def sharded(task: str, networks: int) -> Race:
    cores = os.cpu_count() or 1
    contenders = [
        Contender(
            f"jaxnets sweep, {n} core(s)",
            "benchmarks.sharded:jaxnets",
            {"task": task, "networks": networks, "cores": n},
        )
        for n in (1, cores)
    ]
    ours, alone = (contender.label for contender in reversed(contenders))
    goals = [Goal(ours, alone, at_least=0.8 * cores)] if cores > 1 else []
    layers = {"planar": "2-10-1, full batch", "image": "784-64-10"}[task]
    return Race(f"sweep of {networks} networks {layers}, on one core and on all", contenders, goals)


def backprop(batch: int) -> Race:
    contenders = [
        Contender(
            f"{name}, {place}",
            "benchmarks.backprop:jaxnets",
            {"batch": batch, "by_hand": name == "by hand", "in_scan": place == "in a scan"},
        )
        for place in ("alone", "in a scan")
        for name in ("jax.grad", "by hand")
    ]
    goals = [
        Goal("by hand, in a scan", "jax.grad, in a scan", at_most=1.05),
        Goal("by hand, alone", "jax.grad, alone", at_most=1.10),
    ]
    return Race(f"gradient of 784-128-64-10, batch {batch}", contenders, goals, 11)


def startup() -> Race:
    contenders = [
        Contender(label, "benchmarks.startup:process", {"program": program})
        for label, program in (
            ("scikit-learn", "sklearn"),
            ("jaxnets, warm compilation cache", "jaxnets"),
        )
    ]
    goals = [Goal("jaxnets, warm compilation cache", "scikit-learn", at_most=1.2)]
    return Race("a whole process that trains a tiny perceptron", contenders, goals, 9)


def cnn() -> Race:
    module = "benchmarks.cnn:"
    torch = [
        Contender(
            f"PyTorch eager, {name}{threads} thread(s)",
            module + "pytorch",
            {"channels_last": bool(name), "threads": threads},
        )
        for name in ("", "channels_last, ")
        for threads in (1, os.cpu_count() or 1)
    ]
    ours = [
        Contender("jaxnets, in a scan", module + "jaxnets"),
        Contender("jaxnets, in a loop", module + "jaxnets", {"in_scan": False}),
        Contender("jaxnets, in a scan, gradients by hand", module + "jaxnets", {"by_hand": True}),
    ]
    goals = [
        Goal("jaxnets, in a scan", "PyTorch", at_most=0.50),
        Goal("jaxnets, in a scan", "jaxnets, in a loop", at_most=1.0),
    ]
    return Race("L2's convolutional network, 50 steps of 128, Adam", torch + ours, goals, 15)


def operation(name: str) -> Race:
    module, cores = "benchmarks.operations:", os.cpu_count() or 1
    contenders, goals = [], []
    for direction in ("forward", "backward"):
        options = {"operation": name, "backward": direction == "backward"}
        contenders += [
            Contender(
                f"PyTorch {direction}, {threads} thread(s)",
                module + "pytorch",
                options | {"threads": threads},
                operations.ARENA,
            )
            for threads in (1, cores)
        ]
        ours = f"jaxnets {direction}"
        contenders.append(Contender(ours, module + "jaxnets", options, operations.ARENA))
        goals.append(Goal(ours, f"PyTorch {direction}", at_most=1.5))
    return Race(f"{name}, batch {operations.BATCH}", contenders, goals)


def accuracy() -> Race:
    title = "L2's network on MNIST until 99 % of the test images are right, CPU"
    try:
        load("mnist")
    except ConnectionError:
        return Race(f"{title}: not measured, needs MNIST", [], [])
    return Race(title, [Contender("jaxnets", "benchmarks.accuracy:jaxnets")], [], 5)


def word_epoch() -> Race:
    title = f"word2vec (CBOW, 100 dimensions), one epoch of {words.ENTRIES:,} words and line ends"
    if not words.corpus_path():
        return Race(f"{title}: not measured, needs CORPUS", [], [])
    cores = os.cpu_count() or 1
    contenders = [
        Contender(f"gensim, {n} worker(s)", "benchmarks.words:gensim_epoch", {"workers": n})
        for n in (1, cores)
    ]
    contenders.append(Contender("jaxnets", "benchmarks.words:jaxnets_epoch"))
    goals = [
        Goal("jaxnets", f"gensim, {cores} worker(s)", at_least=1.5),
        Goal("jaxnets", "gensim, 1 worker(s)", at_least=2.5),
    ]
    return Race(title, contenders, goals)


def word_text() -> Race:
    title = "word2vec from a text file to saved vectors, 5 epochs, one seed a round"
    if not (words.corpus_path() and os.environ.get("WORDS_DIR")):
        return Race(f"{title}: not measured, needs CORPUS and WORDS_DIR", [], [])
    cores = os.cpu_count() or 1
    contenders = [
        Contender(
            f"gensim, {source}, {cores} workers",
            "benchmarks.words:gensim_whole",
            {"workers": cores, "source": source},
        )
        for source in ("corpus_file", "sentences")
    ]
    contenders.append(Contender("jaxnets", "benchmarks.words:jaxnets_whole"))
    goals = [
        Goal("jaxnets", "gensim", at_least=1.2),
        Goal("jaxnets", "gensim, sentences", quality=("WS-353", "SimLex-999", "analogies")),
    ]
    return Race(title, contenders, goals, 3)


def checkpoints() -> Race:
    module = "benchmarks.checkpoints:"
    contenders = [
        Contender("without checkpoints", module + "training", {"kept": False}),
        Contender("kept, a save every 10 s", module + "training", {"kept": True}),
        Contender("a save and the digest of the data", module + "parts"),
        Contender("host checks of 60,000 x 784", module + "checks"),
    ]
    goals = [Goal("kept, a save every 10 s", "without checkpoints", at_most=1.05)]
    return Race("784-100-10, 60 epochs of 60,000 images: saving as it trains", contenders, goals, 3)


RACES: dict[str, list[Callable[[], Race]]] = {
    "backprop": [lambda: backprop(64), lambda: backprop(1024)],
    "mlp_epoch": [lambda: mlp_epoch(64, 0.42), lambda: mlp_epoch(256, 0.71)],
    "sweep": [lambda: sweep("planar", 256, 30), lambda: sweep("image", 128, 4.5)],
    "sharded": [lambda: sharded("planar", 256), lambda: sharded("image", 64)],
    "startup": [startup],
    "cnn": [cnn],
    "operations": [partial(operation, name) for name in operations.SHAPES],
    "accuracy": [accuracy],
    "words": [word_epoch, word_text],
    "checkpoints": [checkpoints],
}


def report(done: Race, timings: list[Timing]) -> str:
    lines = [
        f"## {done.title}\n",
        "| contender | median | min..max | prepare | notes |",
        "|---|---|---|---|---|",
    ]
    for t in timings:
        notes = ", ".join(f"{name} {_note(values)}" for name, values in t.notes.items())
        span = f"{_time(min(t.seconds))}..{_time(max(t.seconds))}"
        lines.append(f"| {t.label} | {_time(t.median)} | {span} | {t.prepare:.1f} s | {notes} |")
    lines.append("")
    for goal in done.goals:
        ours = next(t for t in timings if t.label == goal.ours)
        peer = best(timings, goal.peer)
        against = f"- {ours.label} over {peer.label}: "
        lines += [
            f"{against}{text}: {'met' if met else '**not met**'}"
            for text, met in _judge(goal, ours, peer)
        ]
    return "\n".join(lines) + "\n"


def _judge(goal: Goal, ours: Timing, peer: Timing) -> Iterator[tuple[str, bool]]:
    value = ratio(ours, peer)
    if goal.at_most is not None:
        yield f"{value:.2f} of the time (goal: at most {goal.at_most})", value <= goal.at_most
    if goal.at_least is not None:
        text = f"{1 / value:.1f} times as fast (goal: at least {goal.at_least:g})"
        yield text, 1 / value >= goal.at_least
    for name in goal.quality:
        least = statistics.mean(peer.notes[name]) - statistics.stdev(peer.notes[name])
        mean = statistics.mean(ours.notes[name])
        yield f"{name} {mean:.4f} (goal: mean less std, {least:.4f})", mean >= least


def _note(values: list[Any]) -> str:
    """The last of equal or other values; numbers that differ as mean and standard deviation."""
    if isinstance(values[-1], float) and len(set(values)) > 1:
        return f"{statistics.mean(values):.4f} ± {statistics.stdev(values):.4f}"
    return str(values[-1])


def _time(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 1 else f"{seconds * 1e3:.3f} ms"


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    model = names[0] if names else platform.processor()
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return f"{os.cpu_count()} cores of {model}; Python {platform.python_version()}, {versions}"


def main(names: list[str]) -> None:
    checks.require_known(names, RACES, "race")
    sections = []
    for name in names or RACES:
        for build in RACES[name]:
            chosen = build()
            print(f"{chosen.title} ...", flush=True)
            sections.append(report(chosen, race(chosen.contenders, chosen.rounds)))
            print(sections[-1], flush=True)
    head = (
        "# Benchmarks\n\n"
        f"`make bench` on {date.today()}: {_machine()}.\n\n"
        "Contenders run in processes of their own, in turn; a ratio is the median over rounds of\n"
        "two times of the same round. `prepare` is data, compilation and the first run together;\n"
        "`compile` in the notes is compilation alone.\n"
        "GPU: not measured.\n\n"
    )
    if not names:
        with replacing(RESULTS) as temporary:
            temporary.write_text(head + "\n".join(sections), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
