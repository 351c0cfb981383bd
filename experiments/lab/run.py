"""Runs experiments, judges and draws them, and keeps their results on disk.

An experiment is a module with `Config` (a frozen dataclass), `SMOKE` (a variant of seconds),
`run(config, key) -> result`, `plot(result) -> Figure`, `table(result) -> str` and `CLAIMS`. A `run`
that trains by `fit` or `sweep` also takes `checkpoints`, and hands them on. One that reads files
which a user chose has `inputs(config) -> str`, a digest of their content. One that takes minutes
may have `MULTIVERSE`, a variant that trains only what its claims with open settings need.
"""

import ast
import dataclasses
import importlib
import inspect
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets.claims.place import place
from jaxnets.host import checks
from jaxnets.host.paths import as_path
from jaxnets.storage import run_folder
from jaxnets.storage.atomic import atomic_write, make_folder, write_bytes, write_text
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.storage.digest import digest_of_file

from .claim_files import registered
from .claims import Result
from .fingerprint import digest, library_digest, path_of
from .judging import judge_all
from .notes import read, read_arrays
from .registry import EXPERIMENTS
from .rules import require_usable
from .settings_tried import counts_of
from .tables import table_files

RESULTS = Path("results")
FIGURES = (".png", ".svg", ".pdf", ".figure.json")
TABLES = (".csv", ".tex")
SUFFIXES = (".npz", ".json", *FIGURES, *TABLES)
"""Of the files of a result: arrays, verdicts, figure, table."""
PROGRAM = (__package__ or "").rpartition(".")[0]
COMMAND = "make" if PROGRAM == "experiments" else f"python -m {PROGRAM}"
"""What runs an experiment: make in a checkout, Python where only the wheel is installed."""


def load(name: str) -> Any:
    """Imports the module of an experiment.

    Raises:
        ValueError: no such experiment; the nearest name is suggested.
    """
    checks.require_known([name], EXPERIMENTS, "experiment")
    room = path_of(name).parent.name
    return importlib.import_module(f"..{room}.{name}", __package__)


def title(name: str) -> str:
    """Returns the first line of the experiment's lab note."""
    tree = ast.parse(path_of(name).read_text(encoding="utf-8"))
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def about(name: str) -> str:
    """Returns what the figure of an experiment shows: its title, and what its note expects."""
    text = ast.get_docstring(ast.parse(path_of(name).read_text(encoding="utf-8"))) or ""
    _, word, expected = " ".join(text.split()).rpartition("Expect ")
    return f"{title(name)} Expected: {expected}" if word else title(name)


def perform(
    name: str,
    config: Any | None = None,
    results: Path = RESULTS,
    checkpoints: CheckpointConfig | None = None,
    style: str | None = None,
) -> Result:
    """Runs an experiment, then writes its arrays, figure, table and verdicts to `results/NAME.*`.

    With checkpoints, the runs of an experiment whose `run` takes them are saved and resumed. Where
    several processes run it together, process 0 writes. With a style, a look of
    `jaxnets.themes.THEMES`, the figure is also written as `NAME.STYLE.*`.

    Raises:
        TypeError, ValueError: a value of the configuration that the experiment cannot use.
    """
    module = load(name)
    config = config or module.Config()
    require_usable(name, config)
    saves = "checkpoints" in inspect.signature(module.run).parameters
    options = {"checkpoints": checkpoints} if saves else {}
    print(f"\n=== {name}: {title(name)}", flush=True)
    inputs, claims = inputs_of(module, config), registered(name)
    code = {"program": digest(name), "library": library_digest(name)}
    results = as_path(results, "results")
    if not jax.process_index():
        _require_writable(results, name)
    start = time.perf_counter()
    result = module.run(config, jax.random.key(config.seed), **options)
    seconds = time.perf_counter() - start
    if jax.process_index():
        return result
    note = {
        "experiment": name,
        "config": dataclasses.asdict(config),
        **code,
        "inputs": inputs,
        "registered": {claim.name: claim.digest for claim in claims.values()},
        "seconds": round(seconds, 1),
    } | place(("jax", "flax", "optax"))
    if "data" in result:
        note["data"] = str(result["data"])
    with atomic_write(results / f"{name}.npz") as file:
        np.savez_compressed(file, **result)
    note["arrays"] = digest_of_file(results / f"{name}.npz")
    write_text(results / f"{name}.json", json.dumps(note, indent=1))
    redraw(name, results, style)
    print(f"({seconds:.1f} s; figure and numbers in {results}/{name}.*)", flush=True)
    return result


def _require_writable(results: Path, name: str) -> None:
    """Makes the folder of the results; raises an OSError if a result could not be written there."""
    make_folder(results)
    taken = [path for suffix in SUFFIXES if (path := results / f"{name}{suffix}").is_dir()]
    if taken:
        raise IsADirectoryError(f"{taken[0]} is a folder: a file of the result goes there")
    if not os.access(results, os.W_OK):
        raise PermissionError(f"{results} cannot be written to: the result goes there")


def inputs_of(module: Any, config: Any) -> str:
    """Returns a digest of the files that an experiment reads, "" if there are none."""
    return module.inputs(config) if hasattr(module, "inputs") else ""


def has_own_arrays(note: dict[str, Any], name: str, results: Path) -> bool:
    """Tells whether the saved arrays are those that a note describes, by their sha256.

    Older notes do not say, and are believed.
    """
    path = results / f"{name}.npz"
    return "arrays" not in note or (path.exists() and note["arrays"] == digest_of_file(path))


def perform_in(
    folder: Path,
    name: str,
    config: Any,
    resume: bool = False,
    tensorboard: bool = False,
    results: Path = RESULTS,
    *,
    style: str | None = None,
) -> Result:
    """Runs an experiment with checkpoints in a folder, or resumes it from there.

    A resumed experiment has the configuration that it began with. Arrays and verdicts are written
    to the results and to the folder, the figure to the folder's `figures`.

    Raises:
        TypeError, ValueError: a value of the configuration that the experiment cannot use.
        ValueError: the folder has a run already, or one of another experiment.
        FileNotFoundError: there is nothing to resume.
        ModuleNotFoundError: TensorBoard is asked for without the extra.
    """
    folder, results = as_path(folder, "folder"), as_path(results, "results")
    if resume:
        config = _config_of(folder, name, config)
    require_usable(name, config)
    with run_folder.open_run_folder(folder, tensorboard) as opened:
        first = jax.process_index() == 0
        if not resume and first and run_folder.has_run(folder):
            raise ValueError(f"{folder} already has a run: use --resume, or another folder")
        if resume and first:
            run_folder.restore_note(folder)
        elif first:
            run_folder.describe(folder, {"experiment": name} | dataclasses.asdict(config))
        result = perform(name, config, results, opened.checkpoints, style)
        opened.require_held()
        for suffix in SUFFIXES if first else ():
            place = folder / "figures" if suffix in FIGURES else folder
            _copy(results / f"{name}{suffix}", place)
    return result


def _copy(path: Path, folder: Path) -> None:
    make_folder(folder)
    with path.open("rb") as saved, atomic_write(folder / path.name) as copy:
        shutil.copyfileobj(saved, copy)


def _config_of(folder: Path, name: str, config: Any) -> Any:
    """The configuration that the experiment in the folder began with."""
    saved = run_folder.config_of(folder)
    other = saved.pop("experiment", None)
    if other != name:
        raise ValueError(f"{folder} is a run of {other}, not of {name}")
    checks.require_known(
        saved, [field.name for field in dataclasses.fields(config)], "config field"
    )
    lists = {key: tuple(value) for key, value in saved.items() if isinstance(value, list)}
    return dataclasses.replace(config, **(saved | lists))


def redraw(name: str, results: Path = RESULTS, style: str | None = None) -> None:
    """Judges and draws an experiment from its saved arrays, without running it.

    Raises:
        FileNotFoundError: it has not been run.
        ValueError: the arrays are not those of the note, or either is damaged.
    """
    from .figures import draw_files  # needs matplotlib, which listing experiments does not

    results = as_path(results, "results")
    module, result = load(name), saved(name, results)
    path = results / f"{name}.json"
    note = read(path, f"{COMMAND} {name}", judged=False)
    if not has_own_arrays(note, name, results):
        raise ValueError(
            f"{results / name}.npz is not the result that {path} describes: run `{COMMAND} {name}`"
        )
    try:
        note["claims"] = claims_of(name, result, note.get("registered"), results)
        files = draw_files(module.plot, result, about(name), style)
        table = module.table(result)
    except KeyError as error:
        raise ValueError(
            f"{results / name}.npz has no {error}, so it is of another version of the experiment: "
            f"run `{COMMAND} {name}`"
        ) from error
    write_text(path, json.dumps(note, indent=1))
    for ending, content in (files | table_files(table, title(name))).items():
        write_bytes(results / f"{name}.{ending}", content)
    print(table)
    for claim in note["claims"]:
        print(f"  [{claim['status']}] {claim['row']}: {claim['statement']}")
        print(f"      lecture: {claim['lecture']}; ours: {claim['ours']} ({claim['samples']})")


def claims_of(
    name: str,
    result: Result,
    at_start: dict[str, str] | None = None,
    results: Path = RESULTS,
) -> list[dict[str, Any]]:
    """Judges the claims of an experiment by its result, see `judging.judge_all`."""
    return judge_all(name, load(name).CLAIMS, result, at_start, counts_of(name, results))


def only_process_0_prints(process: int) -> None:
    """Silences what other processes print, and their bars; all of them show errors."""
    if process:
        os.environ["TQDM_DISABLE"] = "1"
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115


def saved(name: str, results: Path = RESULTS) -> Result:
    """Reads the saved arrays of an experiment.

    Raises:
        FileNotFoundError: it has not been run; the command is named.
        DamagedResult: they cannot be read.
    """
    return read_arrays(as_path(results, "results") / f"{name}.npz", f"{COMMAND} {name}")
