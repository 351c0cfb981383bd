"""A claim and its parts: what is claimed, and what will count as yes or no, before it is run."""

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from jaxnets.claims.intervals import ANALYSES
from jaxnets.host import checks
from jaxnets.host.paths import as_path

Kind = Literal["above", "below", "equal", "exact"]


@dataclass(frozen=True)
class Part:
    """One effect that a claim says something about.

    Args:
        name: a key of what is measured, such as `gain`.
        kind: what is claimed of the effect. `above`: it exceeds `reference + margin`. `below`: it
            stays under `reference - margin`. `equal`: it differs from `reference` by less than
            the margin. `exact`: every value does, with no sampling (all inputs, or a theorem).
        margin: the smallest effect that matters, in `unit`; for `exact`, the largest deviation.
        reference: what the effect is compared with, such as the lecture's number.
        unit: of the effect, such as `points`.
        analysis: a row of `ANALYSES`, how the interval is computed.
        seeds: how many values will be measured.
        deviation: the standard deviation that is expected of them, for the power.
        divided: for `resampled`, the ratio of test to training samples.
        arms: the names of the two that are compared, () if the effect is measured directly.
        floor: an arm of which the mean is this or less has collapsed: nothing is judged.
        ceiling: likewise an arm of which the mean is this or more, such as the loss of a constant.
        may_collapse: why the claim is also about arms that collapse, "" if it is not.

    Example:
        >>> Part("gain", "above", margin=2.0, seeds=8, deviation=3.0).threshold
        2.0
    """

    name: str
    kind: Kind
    margin: float
    reference: float = 0.0
    unit: str = ""
    analysis: str = "mean"
    seeds: int = 0
    deviation: float = 0.0
    divided: float = 0.0
    arms: tuple[str, ...] = ()
    floor: float = -math.inf
    ceiling: float = math.inf
    may_collapse: str = ""

    def __post_init__(self) -> None:
        checks.require_known([self.kind], get_args(Kind), f"kind of {self.name}")
        checks.require_known([self.analysis], ANALYSES, f"analysis of {self.name}")
        if not (math.isfinite(self.margin) and self.margin >= 0 and math.isfinite(self.reference)):
            raise ValueError(
                f"{self.name}: margin {self.margin} and reference {self.reference} must be finite, "
                "and the margin 0 or more"
            )
        if self.kind == "exact":
            return
        if self.margin == 0:
            raise ValueError(f"{self.name}: a {self.kind} claim needs a margin above 0")
        if self.seeds < 2 or not (self.deviation > 0 and math.isfinite(self.deviation)):
            raise ValueError(
                f"{self.name}: give seeds (2 or more) and the deviation expected of them (above "
                f"0), got {self.seeds} and {self.deviation}"
            )
        if (self.analysis == "resampled") != (self.divided > 0):
            raise ValueError(f"{self.name}: `divided` and the analysis `resampled` go together")
        self._require_arms()

    def _require_arms(self) -> None:
        if len(self.arms) not in (0, 2):
            raise ValueError(f"{self.name}: arms are two names, got {self.arms!r}")
        if self.arms and self.analysis == "proportion":
            raise ValueError(f"{self.name}: a proportion is of zeros and ones, not of two arms")
        bounded = math.isfinite(self.floor) or math.isfinite(self.ceiling)
        if not self.arms and (bounded or self.may_collapse):
            raise ValueError(
                f"{self.name}: `floor`, `ceiling` and `may_collapse` are about arms: name the two"
            )
        if self.arms and bounded == bool(self.may_collapse):
            raise ValueError(
                f"{self.name}: say by `floor` or `ceiling` when an arm has collapsed, or by "
                "`may_collapse` why it may"
            )

    @property
    def threshold(self) -> float:
        """What the effect must pass, for `above` and `below`."""
        return self.reference + (-self.margin if self.kind == "below" else self.margin)


@dataclass(frozen=True)
class Claim:
    """A statement, and all that decides about it; it holds if every part does.

    Args:
        name: its own, that of its file.
        statement: what is claimed, in words.
        parts: the effects that must all be as claimed (intersection-union).
        estimand: what is estimated, in words.
        row: where it belongs, such as `F2`.
        source: who says so, such as `L0`.
        line: where, in the text of the source; 0 if it is only in a figure.
        printed: the source's own number, or a dash.
        fixed: settings that the source gives, by name.
        open: settings that it leaves open, each with the values that are plausible.
        exploratory: what was chosen after a look at results, "" if nothing was.
        not_comparable: why no result can decide, "" if one can.
        digest: the sha256 of the file.

    Example:
        >>> part = Part("gain", "above", margin=2.0, seeds=8, deviation=3.0)
        >>> Claim("wider", "wider is better", (part,), "accuracy").parts[0].name
        'gain'
    """

    name: str
    statement: str
    parts: tuple[Part, ...]
    estimand: str
    row: str = ""
    source: str = ""
    line: int = 0
    printed: str = "-"
    fixed: Mapping[str, Any] = field(default_factory=dict)
    open: Mapping[str, Any] = field(default_factory=dict)
    exploratory: str = ""
    not_comparable: str = ""
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError(f"{self.name}: a claim has one part or more")
        names = [part.name for part in self.parts]
        if len({*names}) < len(names):
            raise ValueError(f"{self.name}: two parts have one name: {', '.join(names)}")
        for name, values in self.open.items():
            if not isinstance(values, list | tuple) or len(values) < 2:
                raise ValueError(
                    f"{self.name}: open setting {name} is {values!r}; give two plausible values or "
                    "more"
                )


def load(path: str | Path) -> Claim:
    """Reads a claim from its file, TOML with the fields of `Claim` and a table `[[parts]]` each.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no TOML, an unknown field (the nearest is suggested), one that is missing, or a
            value that no verdict can use; the file is named.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "wider.toml"
        >>> lines = ['statement = "wider is better"', 'estimand = "accuracy"', "[[parts]]"]
        >>> lines += ['name = "gain"', 'kind = "above"', "margin = 2.0", "seeds = 8"]
        >>> lines += ["deviation = 3.0"]
        >>> _ = path.write_text(chr(10).join(lines))
        >>> load(path).name
        'wider'
    """
    path = as_path(path, "path")
    content = path.read_bytes()
    try:
        found = tomllib.loads(content.decode())
        parts = tuple(_build(Part, part) for part in found.pop("parts", ()))
        digest = hashlib.sha256(content).hexdigest()
        return _build(Claim, found | {"name": path.stem, "parts": parts, "digest": digest})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def load_all(folder: str | Path) -> dict[str, Claim]:
    """Reads the claims of a folder, by their names; raises as `load` does.

    Raises:
        FileNotFoundError, ValueError: as in `load`.

    Example:
        >>> import tempfile
        >>> load_all(tempfile.mkdtemp())  # no file in it
        {}
    """
    return {path.stem: load(path) for path in sorted(as_path(folder, "folder").glob("*.toml"))}


def _build(kind: Any, found: Mapping[str, Any]) -> Any:
    known = {known.name: known for known in fields(kind)}
    checks.require_known(found, known, f"field of a {kind.__name__.lower()}")
    missing = [
        name
        for name, one in known.items()
        if one.default is MISSING and one.default_factory is MISSING and name not in found
    ]
    if missing:
        raise ValueError(f"a {kind.__name__.lower()} needs {', '.join(missing)}")
    for name, value in found.items():
        _require_type(name, known[name].type, value)
    return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in found.items()})


def _require_type(name: str, kind: Any, value: Any) -> None:
    """Raises a TypeError for a value of TOML that is not of the field's type."""
    of = {str: str, int: int, float: int | float}.get(kind)
    if of and (not isinstance(value, of) or isinstance(value, bool)):
        raise TypeError(f"{name} is {value!r}; it must be of type {kind.__name__}")
