"""A claim of one's own: measured over its seeds, judged, and saved with all that it rests on."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
from jax import Array

from jaxnets.claims.claim import Claim
from jaxnets.claims.intervals import Sample
from jaxnets.claims.judge import Record, judge
from jaxnets.claims.place import place
from jaxnets.host import checks
from jaxnets.host.paths import as_path
from jaxnets.storage.atomic import make_folder, write_text

Measure = Callable[[Array], Sample | Mapping[str, Sample]]


def study(
    claim: Claim,
    measure: Measure,
    key: Array,
    folder: str | Path | None = None,
) -> Record:
    """Runs a claim over its seeds and judges it.

    Args:
        claim: what was registered, `jaxnets.claims.load(file)`.
        measure: from the seeds' keys `[seeds]` to a sample of every part, by the part's name; a
            claim of a single part may return its sample alone. It is called once, so that it can
            train all seeds as one sweep.
        key: is split into the seeds' keys.
        folder: where `NAME.json` is written, with the record, versions and the machine.

    Returns:
        The verdict and what was found.

    Raises:
        ValueError: the claim's file has changed since its last result in the folder, and does not
            say so in `exploratory`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets import claims
        >>> part = claims.Part("mean", "above", margin=0.5, seeds=16, deviation=0.5)
        >>> claim = claims.Claim("shifted", "the mean is above 0", (part,), "the mean")
        >>> draw = jax.vmap(lambda key: 2 + 0.5 * jax.random.normal(key))
        >>> claims.study(claim, lambda keys: claims.Sample(draw(keys)), jax.random.key(0)).verdict
        'reproduced'
    """
    checks.require_keys(key, 0, "key")
    path = None if folder is None else as_path(folder, "folder") / f"{claim.name}.json"
    if path is not None:
        make_folder(path.parent)
        require_registered(claim, path)
    seeds = max(max(part.seeds for part in claim.parts), 1)
    begun = time.perf_counter()
    record = judge(claim, measure(jax.random.split(key, seeds)))
    if path is not None:
        about = {"seeds": seeds, "seconds": round(time.perf_counter() - begun, 1)}
        row = record.as_row() | about | place(("jaxnets", "jax", "flax", "optax"))
        write_text(path, json.dumps(row, indent=1))
    return record


def require_registered(claim: Claim, path: Path) -> None:
    """Raises a ValueError if the claim has changed since the result in that file."""
    if not path.exists() or claim.exploratory:
        return
    before = json.loads(path.read_text(encoding="utf-8"))
    if before.get("digest") != claim.digest:
        raise ValueError(
            f"{claim.name} has changed since its result of {before.get('date')} in {path}: say in "
            "`exploratory` what was chosen after a look at it, or give the claim another name"
        )
