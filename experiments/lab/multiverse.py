"""A claim at every plausible setting that its lecture leaves open (Steegen et al., 2016).

`make multiverse CLAIM=F2` runs the experiments of the claims of that row once for each combination
of open settings, and writes `results/multiverse/EXPERIMENT.json` and a map for each claim. An open
setting counts here if it is a field of the experiment's configuration; the others are named.
"""

import dataclasses
import itertools
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxnets import plots
from jaxnets.claims import Claim
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import atomic_write, make_folder, write_text

from .config import require_valid
from .fingerprint import digest
from .judging import REFUTING, judge_all, registered
from .registry import EXPERIMENTS
from .rules import require_usable
from .run import RESULTS, load, redraw

MOST = 24
"""Combinations that are run; of more, so many are drawn without replacement."""
SEEDS = 8
"""Seeds of each combination, or as many as the experiment has."""
COLOURS = {"reproduced": "#009E73", "refuted": "#D55E00", "inconclusive": "#BBBBBB"}
Settings = dict[str, Any]


def main(wanted: str, results: Path = RESULTS) -> int:
    """Runs the multiverse of every claim of a row, such as `F2`, or of one experiment or claim.

    Raises:
        ValueError: no claim with open settings that can be changed has that name.
    """
    chosen = {name: claims for name in EXPERIMENTS if (claims := _matching(name, wanted))}
    if not chosen:
        raise ValueError(
            f"no claim with open settings is of {wanted!r}: give a row, an experiment or a claim"
        )
    folder = as_path(results, "results") / "multiverse"
    make_folder(folder)
    for name, claims in chosen.items():
        rows = list(run(name, claims))
        note = {"experiment": name, "program": digest(name), "rows": rows}
        write_text(folder / f"{name}.json", json.dumps(note, indent=1))
        if (results / f"{name}.npz").exists():
            redraw(name, results)
        for claim in claims:
            with atomic_write(folder / f"{name}-{claim.name}.png") as png:
                draw(claim, rows).savefig(png, format="png", dpi=150)
            print(_summary(claim, rows), flush=True)
    return 0


def _matching(name: str, wanted: str) -> list[Claim]:
    """The claims of an experiment that are asked for, and that have settings to change."""
    fields = {field.name for field in dataclasses.fields(load(name).Config)}
    return [
        claim
        for claim in registered(name).values()
        if wanted in (name, claim.name, claim.row, "all") and fields & claim.open.keys()
    ]


def run(name: str, claims: list[Claim]) -> Iterator[dict[str, Any]]:
    """Yields, for every combination of open settings, the settings and the claims' verdicts."""
    module = load(name)
    for settings in combinations(name, claims):
        begun = time.perf_counter()
        config = dataclasses.replace(module.Config(), **settings)
        if hasattr(config, "seeds"):
            config = dataclasses.replace(config, seeds=min(config.seeds, SEEDS))
        result = module.run(config, jax.random.key(config.seed))
        rows = judge_all(name, module.CLAIMS, result)
        names = {claim.name for claim in claims}
        found = {row["claim"]: _short(row) for row in rows if row["claim"] in names}
        seconds = round(time.perf_counter() - begun, 1)
        print(f"{name} {settings}: {seconds} s", flush=True)
        yield {"settings": settings, "claims": found, "seconds": seconds}


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict at these settings, by the parts: "refuted" needs no other settings here."""
    verdicts = {part["verdict"] for part in row["parts"]}
    order = ("not judged", "refuted", "inconclusive", "reproduced")
    verdict = next((one for one in order if one in verdicts), "not judged")
    return {"verdict": verdict, "ours": row["ours"]}


def combinations(name: str, claims: list[Claim]) -> list[Settings]:
    """Lists the combinations of the claims' open settings that the experiment can use.

    At most `MOST`, drawn with a fixed key where there are more.
    """
    config, values = load(name).Config(), {}
    for claim in claims:
        for field, plausible in claim.open.items():
            if hasattr(config, field):
                many = isinstance(getattr(config, field), tuple)
                values[field] = [_as_field(value, many) for value in plausible]
    every = [
        dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())
    ]
    usable = [settings for settings in every if _usable(name, config, settings)]
    if len(usable) > MOST:
        kept = np.random.default_rng(0).choice(len(usable), MOST, replace=False)
        usable = [usable[i] for i in sorted(kept)]
    return usable


def _as_field(value: Any, many: bool) -> Any:
    """A plausible value as the field takes it; for a tuple one value stands alone."""
    if not many:
        return value
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _usable(name: str, config: Any, settings: Settings) -> bool:
    changed = dataclasses.replace(config, **settings)
    try:
        require_valid(changed)
        require_usable(name, changed)
    except (TypeError, ValueError):
        return False
    return True


def _summary(claim: Claim, rows: list[dict[str, Any]]) -> str:
    verdicts = [row["claims"][claim.name]["verdict"] for row in rows]
    untried = claim.open.keys() - {name for row in rows for name in row["settings"]}
    more = f"; not tried: {', '.join(sorted(untried))}" if untried else ""
    holds = verdicts.count("reproduced")
    fails = verdicts.count("refuted")
    return (
        f"{claim.row} {claim.name}: holds in {holds} of {len(rows)} settings, fails in {fails} "
        f"(refuted from {REFUTING:.0%} on){more}"
    )


def draw(claim: Claim, rows: list[dict[str, Any]]) -> Any:
    """Draws where a claim holds: a cell for each combination, first settings down, last across."""
    names = [name for name in rows[0]["settings"] if name in claim.open]
    across = names[-1] if len(names) > 1 else None
    down = [name for name in names if name != across]
    lines = list(dict.fromkeys(_label(row["settings"], down) for row in rows))
    columns = list(dict.fromkeys(_label(row["settings"], [across] * bool(across)) for row in rows))
    size = (2.5 + 1.1 * len(columns), 1.4 + 0.35 * len(lines))
    canvas, axes = plots.figure(1, 1, size=size)
    panel = axes[0, 0]
    for row in rows:
        x = columns.index(_label(row["settings"], [across] * bool(across)))
        y = lines.index(_label(row["settings"], down))
        verdict = row["claims"][claim.name]["verdict"]
        panel.scatter(x, y, s=220, marker="s", color=COLOURS.get(verdict, "#000000"))
    panel.set_xticks(range(len(columns)), columns)
    panel.set_yticks(range(len(lines)), lines)
    panel.set(xlim=(-0.6, len(columns) - 0.4), ylim=(len(lines) - 0.4, -0.6), title=claim.statement)
    for verdict, colour in COLOURS.items():
        panel.scatter([], [], s=60, marker="s", color=colour, label=verdict)
    canvas.legend(loc="outside lower center", ncols=3, fontsize="small")
    return canvas


def _label(settings: Settings, names: list[Any]) -> str:
    return ", ".join(f"{name} {_shown(settings[name])}" for name in names)


def _shown(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
