"""What every experiment shares: claims with verdicts, configurations, and results on disk.

An experiment is a module with `Config` (a frozen dataclass), `SMOKE` (a variant of seconds),
`run(config, key) -> result`, `plot(result) -> Figure`, `table(result) -> str` and `CLAIMS`.
"""

import dataclasses
import importlib
import json
import os
import platform
import shutil
import sys
import time
import typing
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
from scipy import stats

from experiments.contents import EXPERIMENTS
from experiments.program import digest
from jaxnets import checks, data, runs
from jaxnets.data import Dataset
from jaxnets.replacing import replacing

RESULTS = Path("results")

Result = dict[str, Any]
Status = Literal["reproduced", "not reproduced", "not tested"]


class Verdict(NamedTuple):
    """What our numbers say of a claim."""

    status: Status
    ours: str
    """The measured value, with its spread."""
    samples: str
    """How many seeds, starts or points stand behind it."""


class Claim(NamedTuple):
    """A statement of a lecture and the function of a result that judges it."""

    row: str
    """Row id and lecture, such as `F1, L0`."""
    statement: str
    lecture: str
    """The lecture's own number, or a dash."""
    judge: Callable[[Result], Verdict]


class Interval(NamedTuple):
    """A mean over seeds with its standard deviation and 95 % confidence interval."""

    mean: float
    std: float
    low: float
    high: float

    def percent(self) -> str:
        """The mean and standard deviation in percent."""
        return f"{100 * self.mean:.2f} ± {100 * self.std:.2f} %"

    def decimals(self, places: int) -> str:
        """The mean and standard deviation to so many decimals."""
        return f"{self.mean:.{places}f} ± {self.std:.{places}f}"


def interval(values: Any) -> Interval:
    """Mean, standard deviation and Student's 95 % interval of the mean of `values [seeds]`."""
    values = np.asarray(values, np.float64)
    mean, std = values.mean(), values.std(ddof=1)
    half = stats.t.ppf(0.975, len(values) - 1) * std / np.sqrt(len(values))
    return Interval(float(mean), float(std), float(mean - half), float(mean + half))


def verdict(holds: Any, ours: str, samples: str) -> Verdict:
    """Reproduced if the claim holds, else not reproduced."""
    return Verdict("reproduced" if holds else "not reproduced", ours, samples)


def images(name: str, **options: Any) -> tuple[Dataset, str]:
    """The data set of that name and the name; scikit-learn's digits where MNIST cannot be had.

    Options as for `jaxnets.data.load`.
    """
    try:
        return data.load(name, **options), name
    except ConnectionError as error:
        print(f"{error}\nNo {name}: scikit-learn's digits instead.")
        return data.load("digits", **options), "digits"


def on_mnist(result: Result, judged: Verdict) -> Verdict:
    """The verdict, or "not tested" for a result whose `data` is another set."""
    return judged if result["data"] == "mnist" else Verdict("not tested", "needs MNIST", "-")


def load(name: str) -> Any:
    """The module of an experiment.

    Raises:
        ValueError: no such experiment; the nearest name is suggested.
    """
    checks.known_names([name], EXPERIMENTS, "experiment")
    return importlib.import_module(f"experiments.{name}")


def title(name: str) -> str:
    """The first line of the experiment's lab note."""
    return (load(name).__doc__ or "").partition("\n")[0]


def configure(config: Any, settings: list[str]) -> Any:
    """The configuration with `field=value` settings applied.

    Raises:
        ValueError: no `=`, an unknown field (the nearest is suggested) or a value of another type.
    """
    types = typing.get_type_hints(type(config))
    changes = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals:
            raise ValueError(f"--set takes field=value, not {setting!r}")
        checks.known_names([name], types, "config field")
        try:
            changes[name] = _parse(types[name], text)
        except ValueError as error:
            raise ValueError(f"--set {name}: {text!r} is no {types[name]}") from error
    return dataclasses.replace(config, **changes)


def _parse(kind: Any, text: str) -> Any:
    if typing.get_origin(kind) is tuple:
        return tuple(typing.get_args(kind)[0](item) for item in text.split(","))
    return kind(text)


def perform(name: str, config: Any | None = None, results: Path = RESULTS) -> Result:
    """Runs an experiment, then writes its arrays, figure and verdicts to `results/NAME.*`.

    Where several processes run it together, process 0 writes.
    """
    module = load(name)
    config = config or module.Config()
    print(f"\n=== {name}: {title(name)}", flush=True)
    start = time.perf_counter()
    result = module.run(config, jax.random.key(config.seed))
    seconds = time.perf_counter() - start
    if jax.process_index():
        return result
    results.mkdir(parents=True, exist_ok=True)
    note = {
        "experiment": name,
        "config": dataclasses.asdict(config),
        "program": digest(name),
        "seconds": round(seconds, 1),
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} x {platform.machine()}, {jax.devices()[0].device_kind}",
        "versions": {package: version(package) for package in ("jax", "flax", "optax")},
    }
    write(results / f"{name}.npz", lambda path: np.savez_compressed(path, **result))
    write_text(results / f"{name}.json", json.dumps(note, indent=1))
    redraw(name, results)
    print(f"({seconds:.1f} s; figure and numbers in {results}/{name}.*)", flush=True)
    return result


def perform_in(
    folder: Path,
    name: str,
    config: Any,
    resume: bool = False,
    tensorboard: bool = False,
    results: Path = RESULTS,
) -> Result:
    """Runs an experiment whose trainings are kept in a folder, or goes on with such a run.

    A run that goes on has the configuration that it began with. Arrays and verdicts are written to
    the results and to the folder, the figure to the folder's `figures`.

    Raises:
        ValueError: a new run in the folder of another, or another experiment's folder.
        FileNotFoundError: nothing to go on with.
        ModuleNotFoundError: TensorBoard is asked for without the extra.
    """
    if resume:
        config = _resumed(folder, name, config)
    with runs.recording(folder, tensorboard):
        first = jax.process_index() == 0
        if not resume and first and (folder / "run.json").exists():
            raise ValueError(f"{folder} has a run already: go on with --resume, or name another")
        if not resume and first:
            runs.describe(folder, {"experiment": name} | dataclasses.asdict(config))
        result = perform(name, config, results)
        for path in results.glob(f"{name}.*") if first else ():
            _copy(path, folder / "figures" if path.suffix == ".png" else folder)
    return result


def _copy(path: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with replacing(folder / path.name) as temporary:
        shutil.copyfile(path, temporary)


def _resumed(folder: Path, name: str, config: Any) -> Any:
    kept = runs.config_of(folder)
    begun = kept.pop("experiment", None)
    if begun != name:
        raise ValueError(f"{folder} is a run of {begun}, not of {name}")
    checks.known_names(kept, [field.name for field in dataclasses.fields(config)], "config field")
    lists = {key: tuple(value) for key, value in kept.items() if isinstance(value, list)}
    return dataclasses.replace(config, **(kept | lists))


def redraw(name: str, results: Path = RESULTS) -> None:
    """Judges and draws an experiment again from its saved arrays, without running it."""
    module, result = load(name), saved(name, results)
    path = results / f"{name}.json"
    note = json.loads(path.read_text())
    note["claims"] = [
        {"row": claim.row, "statement": claim.statement, "lecture": claim.lecture}
        | claim.judge(result)._asdict()
        for claim in module.CLAIMS
    ]
    write_text(path, json.dumps(note, indent=1))
    figure = module.plot(result)
    write(results / f"{name}.png", lambda png: figure.savefig(png, dpi=150))
    print(module.table(result))
    for claim in note["claims"]:
        print(f"  [{claim['status']}] {claim['row']}: {claim['statement']}")
        print(f"      lecture: {claim['lecture']}; ours: {claim['ours']} ({claim['samples']})")


def only_process_0_prints(process: int) -> None:
    """Sends what any other process prints nowhere, and hides its bars; errors are shown by all."""
    if process:
        os.environ["TQDM_DISABLE"] = "1"
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


def saved(name: str, results: Path = RESULTS) -> Result:
    """The saved arrays of an experiment.

    Raises:
        FileNotFoundError: it has not been run; the command is named.
    """
    path = results / f"{name}.npz"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: run `make {name}` first")
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def write(path: Path, save: Callable[[Path], None]) -> None:
    """Saves under a temporary name, then renames, so that no half-written file remains."""
    with replacing(path) as temporary:
        save(temporary)


def write_text(path: Path, text: str) -> None:
    """Writes a text file under a temporary name, then renames it."""

    def save(temporary: Path) -> None:
        temporary.write_text(text, encoding="utf-8")

    write(path, save)


def markdown(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    cells = [[str(cell).replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join("| " + " | ".join(line) + " |" for line in cells)
