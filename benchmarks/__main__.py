"""`python -m benchmarks [NAME ...]`: runs races, all by default, and writes `RESULTS.md`.

A NAME is a module (`sweep`) or one of its rows (`sweep-planar`). Results go to
`benchmarks/history/`. `growth` and `gpu` are programs of their own.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks import (
    accuracy,
    backprop,
    checkpoints,
    cnn,
    gpu,
    inference,
    mlp_epoch,
    operations,
    playground,
    search,
    sharded,
    startup,
    sweep,
    words,
)
from benchmarks.compare import compare, table
from benchmarks.harness import ATTEMPTS, Race, measure
from benchmarks.history import ordered, save
from benchmarks.report import section, write
from benchmarks.results import result_of
from jaxnets.host.console import output_may_close
from jaxnets.storage.atomic import write_text

RESULTS = Path(__file__).with_name("RESULTS.md")
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
    "playground": playground.RACES,
}

PROGRAMS = {"growth": "benchmarks.growth.__main__", "gpu": "benchmarks.gpu"}
"""Programs of their own."""


def races(names: Sequence[str] = ()) -> Iterator[Race]:
    """Builds the races of these names, all by default, in the order of `RACES`.

    Raises:
        ValueError: a name of no race.
    """
    unknown = set(names) - RACES.keys()
    built = [(group, build()) for group, builds in RACES.items() for build in builds]
    if wrong := unknown - {race.name for _, race in built}:
        known = ", ".join([*RACES, *(race.name for _, race in built)])
        raise ValueError(f"no race is called {', '.join(sorted(wrong))}; known: {known}")
    for group, race in built:
        if not names or group in names or race.name in names:
            yield race


def run(names: Sequence[str], rounds: int | None = None) -> int:
    """Runs races and saves their results; with `rounds`, only tries that they run through.

    A race of which a contender fails stops no other; returns 1 if there was one, else 0.
    """
    failed = [race.name for race in races(names) if not _runs_through(race, rounds)]
    if not rounds:
        render()
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _runs_through(race: Race, rounds: int | None) -> bool:
    print(f"{race.title} ...", flush=True)
    try:
        timings, loads = measure(race.contenders, rounds or race.rounds, 1 if rounds else ATTEMPTS)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    result = result_of(race, timings, loads)
    print(section(result), flush=True)
    if timings and not rounds:
        print(f"saved: {save(result)}")
    return True


def render() -> None:
    """Makes `RESULTS.md` from the history."""
    write_text(RESULTS, write(known_rows()))


def known_rows() -> list[str]:
    """Lists all rows, those of a GPU last."""
    return [race.name for race in (*races(), *(build() for build in gpu.RACES))]


def show_comparison() -> int:
    """Prints each row against its entry before; returns 1 if one has lost, else 0."""
    lines = compare(ordered(known_rows()))
    print(table(lines))
    return int(any(line.lost for line in lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Runs races.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="modules or rows; by default all")
    parser.add_argument("--list", action="store_true", help="list the rows")
    parser.add_argument("--try", type=int, dest="rounds", metavar="N", help="N rounds, not saved")
    parser.add_argument("--compare", action="store_true", help="show rows against those before")
    parser.add_argument("--render", action="store_true", help="make RESULTS.md from the history")
    return parser


def main() -> int:
    if program := PROGRAMS.get("".join(sys.argv[1:2])):
        importlib.import_module(program).main(sys.argv[2:])
        render()
        return 0
    chosen = _parser().parse_args()
    if chosen.compare:
        return show_comparison()
    if chosen.render:
        render()
    elif chosen.list:
        print("\n".join(f"{race.name:32} {race.title}" for race in races(chosen.names)))
    else:
        return run(chosen.names, chosen.rounds)
    return 0


if __name__ == "__main__":
    with output_may_close():
        try:
            sys.exit(main())
        except ModuleNotFoundError as error:
            sys.exit(f"error: {error}: pip install 'jaxnets[bench]'")
        except (OSError, ValueError) as error:
            sys.exit(f"error: {error}")
