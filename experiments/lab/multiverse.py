"""Claims at every plausible setting that their lectures leave open (Steegen et al., 2016).

`make multiverse CLAIM=F2` runs the experiments of the claims of that row once for each combination
of open settings, and writes `results/multiverse/EXPERIMENT.json` and a map of where each claim
holds. An open setting counts here if it is a field of the experiment's configuration; the others
are named. What was run is saved at once: the same command goes on from there. Combinations have
fewer seeds than the experiment: where that is too few to decide a part of a claim, it is not judged
there.
"""

import dataclasses
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets import DivergedError
from jaxnets.claims import Claim, Part
from jaxnets.claims.power import POWER, power
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import atomic_write, make_folder, write_text

from . import notes
from .claim_files import registered
from .config import require_valid
from .fallback import fell_back
from .fingerprint import digest
from .judging import REFUTING, judge_all
from .multiverse_map import draw
from .processes import run_each
from .registry import EXPERIMENTS, LONGEST, MINUTES, TIMED
from .rules import require_usable
from .run import COMMAND, PROGRAM, RESULTS, load, redraw
from .settings_tried import Count, counts_of, digests_of, read

MOST, MOST_OF_MINUTES, MOST_OF_LONGEST = 6, 3, 2
"""Combinations of an experiment, of one where each takes about a minute, and of one where each
takes longer or must run alone."""
SEEDS, SEEDS_OF_LONGEST = 8, 4
"""Seeds of each combination, or as many as the experiment has."""
Settings = dict[str, Any]


def main(wanted: str, results: Path = RESULTS) -> int:
    """Runs the multiverse of a row, such as `F2`, of an experiment, of a claim, or of `all`.

    Several experiments run side by side as `processes.run_each` says. Returns 1 if any failed.

    Raises:
        ValueError: no claim with open settings that can be changed has that name.
    """
    chosen = [name for name in EXPERIMENTS if _is_asked_for(name, wanted)]
    if not chosen:
        raise ValueError(
            f"no claim with open settings is of {wanted!r}: give a row, an experiment or a claim"
        )
    if len(chosen) == 1:
        return explore(chosen[0], results)
    failed = _explore_all(chosen)
    print(_cost(chosen, results), flush=True)
    if failed:
        print(f"\nFailed (the others have run): {', '.join(failed)}", file=sys.stderr)
    return int(bool(failed))


def _explore_all(chosen: list[str]) -> list[str]:
    """Explores each in its own process; returns those that failed."""
    command = [sys.executable, "-m", PROGRAM, "multiverse", "--claim"]
    start, failed = time.perf_counter(), []
    for done, (name, code) in enumerate(run_each({one: [*command, one] for one in chosen}), 1):
        minutes = (time.perf_counter() - start) / 60
        print(f"[{done} of {len(chosen)} done, {minutes:.0f} min] {name}", flush=True)
        failed += [name] * bool(code)
    return failed


def _cost(names: list[str], results: Path) -> str:
    """What all saved combinations took, in minutes of a core: other work does not count."""
    rows = [row for name in names for row in read(name, results)["rows"]]
    minutes = sum(row.get("core_seconds", row["seconds"]) for row in rows) / 60
    return f"{len(rows)} combinations of {len(names)} experiments, {minutes:.0f} core minutes"


def _is_asked_for(name: str, wanted: str) -> bool:
    return any(wanted in ("all", name, claim.name, claim.row) for claim in _claims(name))


def _claims(name: str) -> list[Claim]:
    """The claims of an experiment with settings that can be changed."""
    claims = [claim for claim in registered(name).values() if claim.open]
    fields = {field.name for field in dataclasses.fields(load(name).Config)} if claims else set()
    return [claim for claim in claims if fields & claim.open.keys()]


def explore(name: str, results: Path = RESULTS) -> int:
    """Runs what is missing of an experiment's multiverse, then judges and draws it.

    Returns 1 if a combination could not be run.
    """
    results = as_path(results, "results")
    folder = results / "multiverse"
    make_folder(folder)
    planned, own = combinations(name, _claims(name)), _as_json(dataclasses.asdict(base(name)))
    before, missing = read(name, results), 0
    wanted = [_as_json(settings) for settings in planned]
    known = before["rows"] if before["base"] == own else []
    rows = [row for row in known if row["settings"] in wanted and not _fell_back(row, own)]
    saved = [row["settings"] for row in rows]
    about = {"experiment": name, **digests_of(name), "base": own, "planned": len(planned)}

    def save() -> None:
        write_text(folder / f"{name}.json", json.dumps(about | {"rows": rows}, indent=1))

    if rows:
        save()
    for settings in planned:
        if _as_json(settings) in saved:
            continue
        try:
            rows.append(_row(name, settings))
        except (OSError, ModuleNotFoundError, DivergedError, ValueError) as error:
            print(f"{name} {settings}: not run: {error}", file=sys.stderr)
            missing += 1
            continue
        save()
    if rows:
        with atomic_write(folder / f"{name}.png") as png:
            draw(rows, _claims(name)).savefig(png, format="png", dpi=150)
    if _is_of_this_program(name, results):
        redraw(name, results)
    for claim, count in counts_of(name, results).items():
        print(_summary(registered(name)[claim], count), flush=True)
    return int(bool(missing))


def _fell_back(row: Mapping[str, Any], own: Mapping[str, Any]) -> bool:
    return fell_back(row.get("data"), {**own, **row["settings"]}.get("data"))


def _as_json(value: Any) -> Any:
    """A value as it is read from a saved file."""
    return json.loads(json.dumps(value))


def _is_of_this_program(name: str, results: Path) -> bool:
    """Whether there is a result that can be judged again, with what was found here."""
    path = results / f"{name}.json"
    if not path.exists():
        return False
    return notes.read(path, f"{COMMAND} {name}", judged=False).get("program") == digest(name)


def _row(name: str, settings: Settings) -> dict[str, Any]:
    """Runs an experiment with these settings: what they are, and the claims' verdicts."""
    begun, used, module = time.perf_counter(), time.process_time(), load(name)
    config = dataclasses.replace(base(name), **settings)
    result = module.run(config, jax.random.key(config.seed))
    claims = {claim.name: claim for claim in _claims(name) if _is_about(claim, config)}
    judged = judge_all(name, module.CLAIMS, result)
    found = {
        row["claim"]: _short(row, claims[row["claim"]]) for row in judged if row["claim"] in claims
    }
    seconds, core = time.perf_counter() - begun, time.process_time() - used
    print(f"{name} {settings}: {seconds:.1f} s, {core:.1f} s of a core", flush=True)
    row: dict[str, Any] = {"settings": settings, "claims": found}
    row |= {"data": str(result["data"])} if "data" in result else {}
    return row | {"seconds": round(seconds, 1), "core_seconds": round(core, 1)}


def _is_about(claim: Claim, config: Any) -> bool:
    """Whether a configuration has what a claim fixes, and of what it leaves open its own values."""
    plausible = {**claim.open, **{field: [value] for field, value in claim.fixed.items()}}
    chosen = {field: getattr(config, field) for field in plausible if hasattr(config, field)}
    return all(value in _as_fields(plausible[field], value) for field, value in chosen.items())


def base(name: str) -> Any:
    """Returns the configuration whose open settings are changed: the own one, of fewer seeds.

    An experiment that takes long has its own `MULTIVERSE`.
    """
    module = load(name)
    config = getattr(module, "MULTIVERSE", module.Config())
    if not hasattr(config, "seeds"):
        return config
    most = SEEDS_OF_LONGEST if name in LONGEST else SEEDS
    return dataclasses.replace(config, seeds=min(config.seeds, most))


def _short(row: Mapping[str, Any], claim: Claim) -> dict[str, Any]:
    """The verdict at these settings, by the parts: "refuted" needs no other settings here."""
    kinds = {part.name: part for part in claim.parts}
    verdicts = {_verdict(found, kinds[found["part"]]) for found in row["parts"]}
    order = ("not judged", "refuted", "underpowered", "inconclusive", "reproduced")
    verdict = next((one for one in order if one in verdicts), "not judged")
    named = "not judged" if verdict == "underpowered" else verdict
    return {"verdict": named, "ours": row["ours"]}


def _verdict(found: Mapping[str, Any], part: Part) -> str:
    """The verdict on a part, where too few seeds to decide at twice the margin say nothing."""
    if found["verdict"] != "inconclusive":
        return found["verdict"]
    enough = power(dataclasses.replace(part, seeds=found["n"])) >= POWER
    return "inconclusive" if enough else "underpowered"


def combinations(name: str, claims: list[Claim]) -> list[Settings]:
    """Lists the combinations of the claims' open settings that the experiment can use.

    If there are more than `MOST`, or fewer where one takes long, so many are drawn.
    """
    config = base(name)
    values: dict[str, list[Any]] = {}
    for claim in claims:
        for field, plausible in claim.open.items():
            if hasattr(config, field):
                known = values.setdefault(field, [])
                found = _as_fields(plausible, getattr(config, field))
                known += [value for value in found if value not in known]
    every = (
        dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())
    )
    usable = [settings for settings in every if _usable(name, config, settings)]
    long = dict.fromkeys((*LONGEST, *TIMED), MOST_OF_LONGEST)
    limits = dict.fromkeys(MINUTES, MOST_OF_MINUTES) | long
    return balanced(usable, limits.get(name, MOST))


def balanced(combinations: list[Settings], n: int) -> list[Settings]:
    """Draws n of the combinations, without replacement, with a fixed key.

    Each is one of those whose values have been drawn least often: of few combinations each value of
    a setting is in about as many as the others.
    """
    rest = [int(i) for i in np.random.default_rng(0).permutation(len(combinations))]
    drawn: list[int] = []
    times: Counter[str] = Counter()
    while rest and len(drawn) < n:
        least = min(rest, key=lambda i: sum(times[value] for value in _values(combinations[i])))
        rest.remove(least)
        drawn.append(least)
        times.update(_values(combinations[least]))
    return [combinations[i] for i in sorted(drawn)]


def _values(settings: Settings) -> list[str]:
    return [f"{field} {value}" for field, value in settings.items()]


def _as_fields(values: Iterable[Any], now: Any) -> list[Any]:
    """Plausible values as a field takes them; for a tuple one value stands alone."""
    if not isinstance(now, tuple):
        return list(values)
    return [tuple(value) if isinstance(value, list | tuple) else (value,) for value in values]


def _usable(name: str, config: Any, settings: Settings) -> bool:
    changed = dataclasses.replace(config, **settings)
    try:
        require_valid(changed)
        require_usable(name, changed)
    except (TypeError, ValueError):
        return False
    return True


def _summary(claim: Claim, count: Count) -> str:
    more = f"; {count['unjudged']} not judged" if count["unjudged"] else ""
    more += f"; {count['left']} not run" if count["left"] else ""
    more += f"; not tried: {', '.join(count['untried'])}" if count["untried"] else ""
    return (
        f"{claim.row} {claim.name}: holds in {count['reproduced']} of {count['settings']} settings,"
        f" fails in {count['refuted']} (refuted from {REFUTING:.0%} on){more}"
    )
