"""`python -m benchmarks [NAME ...]`: runs races, by default all, which writes `RESULTS.md`."""

import argparse
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import (
    accuracy,
    backprop,
    checkpoints,
    cnn,
    inference,
    mlp_epoch,
    operations,
    search,
    sharded,
    startup,
    sweep,
    words,
)
from benchmarks.harness import Goal, Race, Timing, best, race, ratio
from jaxnets.host.console import output_may_close

RESULTS = Path(__file__).with_name("RESULTS.md")
PACKAGES = ("jax", "flax", "optax", "torch", "scikit-learn", "gensim", "numpy")
RACES: dict[str, Sequence[Callable[[], Race]]] = {
    "backprop": backprop.RACES,
    "mlp_epoch": mlp_epoch.RACES,
    "sweep": sweep.RACES,
    "search": search.RACES,
    "sharded": sharded.RACES,
    "startup": startup.RACES,
    "cnn": cnn.RACES,
    "operations": operations.RACES,
    "inference": inference.RACES,
    "accuracy": accuracy.RACES,
    "words": words.RACES,
    "checkpoints": checkpoints.RACES,
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
    """Formats a note: numbers that differ as mean ± standard deviation, else the last value."""
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
    machine = _machine()
    sections = []
    for name in names or RACES:
        for build in RACES[name]:
            chosen = build()
            print(f"{chosen.title} ...", flush=True)
            sections.append(report(chosen, race(chosen.contenders, chosen.rounds)))
            print(sections[-1], flush=True)
    head = (
        "# Benchmarks\n\n"
        f"`make bench` on {date.today()}: {machine}.\n\n"
        "Each contender runs in its own process, in turn; a ratio is the median over rounds of\n"
        "two times of the same round. `prepare` is data, compilation and the first run together;\n"
        "`compile` in the notes is compilation alone.\n"
        "GPU: not measured.\n\n"
    )
    if not names:
        from jaxnets.storage.atomic import write_text

        write_text(RESULTS, head + "\n".join(sections))


def _race_name(text: str) -> str:
    if text not in RACES:
        raise argparse.ArgumentTypeError(f"unknown race {text!r}; known: {', '.join(RACES)}")
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m benchmarks", description="Runs races.")
    text = f"one of {', '.join(RACES)}; by default all run, and {RESULTS.name} is written"
    parser.add_argument("names", nargs="*", metavar="NAME", type=_race_name, help=text)
    chosen = parser.parse_args().names
    with output_may_close():
        try:
            main(chosen)
        except ModuleNotFoundError as error:
            sys.exit(f"error: {error}: pip install 'jaxnets[bench]'")
        except OSError as error:
            sys.exit(f"error: {error}")
