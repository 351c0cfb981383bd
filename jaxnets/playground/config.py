"""The configuration of the playground: what the page may choose, checked, and as an address."""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from jaxnets.activations import ACTIVATIONS as ALL_ACTIVATIONS
from jaxnets.playground.problems import FEATURES, LARGEST_OWN, MOST_POINTS, PROBLEMS

ACTIVATIONS = tuple(name for name in ALL_ACTIVATIONS if name != "step")
"""Those that have a gradient."""
OPTIMIZERS = ("adam", "sgd", "momentum", "rmsprop")
LOSSES = ("cross_entropy", "hinge", "squared_error", "huber")
VARIED = ("seed", "learning_rate", "width")
BATCHES = (1, 4, 16, 64, 256)
WIDE = (8, 24, 104)
"""Widths that are compiled; a narrower layer is a masked one."""
DEEPEST, MOST_NETWORKS, MOST_CLASSES = 8, 256, 6
DEEPEST_WIDE = 3
"""Layers of networks that are wider than the first of `WIDE`."""
LIMITS: dict[str, tuple[float, float]] = {
    "n": (8, MOST_POINTS),
    "noise": (0.0, 1.0),
    "flip": (0.0, 0.5),
    "classes": (2, MOST_CLASSES),
    "valid": (0.0, 0.8),
    "test": (0.0, 0.8),
    "learning_rate": (1e-6, 10.0),
    "l1": (0.0, 1.0),
    "l2": (0.0, 1.0),
    "networks": (1, MOST_NETWORKS),
    "seed": (0, 2**31 - 1),
}
CHOICES: dict[str, tuple] = {
    "problem": tuple(PROBLEMS),
    "activation": ACTIVATIONS,
    "optimizer": OPTIMIZERS,
    "loss": LOSSES,
    "batch": BATCHES,
    "vary": VARIED,
}
FITTING = {
    "binary": ("cross_entropy", "hinge"),
    "classes": ("cross_entropy",),
    "curve": ("squared_error", "huber"),
    "surface": ("squared_error", "huber"),
}
"""The kind of a problem to the losses that suit it, the default first."""


class RefusedError(ValueError):
    """What was sent is not taken; the text is a sentence that the page shows.

    Example:
        >>> issubclass(RefusedError, ValueError)
        True
    """


@dataclass(frozen=True)
class Config:
    """Describes what the page shows: problem, networks and training.

    Args:
        problem: a name in `PROBLEMS`.
        n: points, training, validation and test together.
        noise: the deviation of the noise on positions, or on the heights of a regression.
        flip: the probability that a label of two classes is changed.
        classes: of the problems that have any number of them.
        valid: the share of the points for validation.
        test: the share for the test.
        features: names in `FEATURES`; a curve has x1 alone.
        widths: units of each hidden layer.
        activation: of the hidden layers.
        residual: whether hidden layers add their input, all equally wide.
        loss: a name in `LOSSES` that suits the kind of the problem.
        optimizer: a name in `OPTIMIZERS`.
        learning_rate: of the optimizer.
        l1: the penalty `sum |w|`.
        l2: the penalty `||w||^2`.
        batch: samples a step, drawn with replacement.
        networks: how many train at once.
        vary: what differs between them: seed, learning_rate or width.
        seed: from which data and first params are drawn.
        own: points `(column, row, class)` of the problem `own`, on a grid of 4096 by 4096.

    Raises:
        RefusedError: a value of another kind, out of range, or that fits no other.

    Example:
        >>> Config(problem="xor", widths=(3, 2)).outputs
        1
    """

    problem: str = "spirals"
    n: int = 300
    noise: float = 0.03
    flip: float = 0.0
    classes: int = 3
    valid: float = 0.5
    test: float = 0.0
    features: tuple[str, ...] = ("x1", "x2")
    widths: tuple[int, ...] = (8, 8)
    activation: str = "tanh"
    residual: bool = False
    loss: str = "cross_entropy"
    optimizer: str = "adam"
    learning_rate: float = 0.01
    l1: float = 0.0
    l2: float = 0.0
    batch: int = 16
    networks: int = 64
    vary: str = "seed"
    seed: int = 0
    own: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            _require_choice(name, getattr(self, name), known)
        for name, limits in LIMITS.items():
            object.__setattr__(self, name, _number(name, getattr(self, name), *limits))
        if not isinstance(self.residual, bool):
            raise RefusedError(f"residual is {_shown(self.residual)}; it is true or false")
        object.__setattr__(self, "features", _features(self.features))
        object.__setattr__(self, "widths", _widths(self.widths))
        object.__setattr__(self, "own", _own(self.own))
        if self.valid + self.test > 0.9 + 1e-9:
            raise RefusedError("validation and test take more than 0.9 of the points: lower one")
        if self.residual and len(set(self.widths)) > 1:
            raise RefusedError("residual networks have hidden layers of one width: make them equal")
        if self.loss not in FITTING[self.kind]:
            raise RefusedError(
                f"loss is {self.loss}; for {self.problem} it is one of "
                + ", ".join(FITTING[self.kind])
            )
        if self.kind == "curve" and self.features != ("x1",):
            raise RefusedError("a curve has the feature x1 alone")

    @property
    def kind(self) -> str:
        """Returns what the problem asks for: binary, classes, curve or surface."""
        if self.problem == "own":
            return "classes" if self.outputs > 1 else "binary"
        return PROBLEMS[self.problem].kind

    @property
    def outputs(self) -> int:
        """Returns how many outputs the networks have: one, or one a class from three classes on."""
        if self.problem == "own":
            count = 1 + max((c for *_, c in self.own), default=1)
        else:
            count = self.classes if PROBLEMS[self.problem].kind == "classes" else 2
        return count if count > 2 else 1

    @property
    def wide(self) -> int:
        """Returns the compiled width that holds all hidden layers."""
        return next(wide for wide in WIDE if wide >= max(self.widths, default=1))

    def address(self) -> str:
        """Writes what differs from the default as the part of an address after `#`."""
        parts = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                parts.append(f"{field.name}={quote(_written(field.name, value), safe='.,-_')}")
        return "&".join(parts)


def from_json(values: Any) -> Config:
    """Builds a configuration from what a page sent; what is missing has its default.

    Raises:
        RefusedError: an unknown name, or a value that `Config` refuses.
    """
    if not isinstance(values, Mapping):
        raise RefusedError(f"the configuration is {_shown(values)}; it is an object of names")
    known = {field.name for field in fields(Config)}
    for name in values:
        if name not in known:
            raise RefusedError(f"{_shown(name)} is unknown; a configuration has {sorted(known)}")
    return Config(**values)


def from_address(text: str) -> Config:
    """Reads the part of an address after `#`, as the page does.

    Raises:
        RefusedError: as `from_json`, or text that is not `name=value&name=value`.

    Example:
        >>> from_address("problem=xor&widths=3-2").widths
        (3, 2)
    """
    found: dict[str, Any] = {}
    defaults = asdict(Config())
    for part in filter(None, text.removeprefix("#").split("&")):
        name, equals, value = part.partition("=")
        if not equals or name not in defaults:
            raise RefusedError(f"{_shown(part)} is not taken; write name=value&name=value")
        found[name] = _read(name, unquote(value), defaults[name])
    return from_json(found)


def _written(name: str, value: Any) -> str:
    if name == "own":
        packed = b"".join((a << 15 | b << 3 | c).to_bytes(4, "big") for a, b, c in value)
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ("-" if name == "widths" else ",").join(map(str, value))
    return repr(value) if isinstance(value, float) else str(value)


def _read(name: str, text: str, default: Any) -> Any:
    try:
        if name == "own":
            packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            words = np.frombuffer(packed, ">u4").tolist()
            return [(w >> 15, (w >> 3) & 4095, w & 7) for w in words]
        if isinstance(default, bool):
            return {"true": True, "false": False}[text]
        if name == "widths":
            return [int(part) for part in text.split("-") if text]
        if name == "features":
            return text.split(",")
        return type(default)(text)
    except (ValueError, KeyError, binascii.Error) as error:
        raise RefusedError(f"{name}={_shown(text)} cannot be read") from error


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _require_choice(name: str, value: Any, known: tuple) -> None:
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value not in known:
        listed = ", ".join(map(str, known))
        raise RefusedError(f"{name} is {_shown(value)}; it is one of {listed}")


def _number(name: str, value: Any, low: float, high: float) -> Any:
    """Returns the number as the kind of its limits, int or float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RefusedError(f"{name} is {_shown(value)}; it is a number")
    if not (low <= value <= high and math.isfinite(value)):
        raise RefusedError(f"{name} is {_shown(value)}; it is between {low} and {high}")
    if isinstance(low, int) and value != int(value):
        raise RefusedError(f"{name} is {_shown(value)}; it is an integer")
    return type(low)(value)


def _integers(name: str, values: Any, most: int) -> tuple[int, ...]:
    if not isinstance(values, (list, tuple)) or len(values) > most:
        raise RefusedError(f"{name} is {_shown(values)}; it is a list of at most {most}")
    if any(isinstance(v, bool) or not isinstance(v, int) for v in values):
        raise RefusedError(f"{name} has {_shown(values)}; its entries are integers")
    return tuple(values)


def _features(names: Any) -> tuple[str, ...]:
    if not isinstance(names, (list, tuple)) or not 1 <= len(names) <= len(FEATURES):
        raise RefusedError(f"features is {_shown(names)}; choose at least one")
    for name in names:
        _require_choice("a feature", name, tuple(FEATURES))
    return tuple(name for name in FEATURES if name in names)


def _widths(values: Any) -> tuple[int, ...]:
    widths = _integers("widths", values, DEEPEST)
    if not all(1 <= w <= WIDE[-1] for w in widths):
        raise RefusedError(f"widths are {list(widths)}; a layer has 1 to {WIDE[-1]} units")
    if len(widths) > DEEPEST_WIDE and max(widths) > WIDE[0]:
        raise RefusedError(
            f"{len(widths)} layers have at most {WIDE[0]} units each; {DEEPEST_WIDE} may have more"
        )
    return widths


def _own(points: Any) -> tuple[tuple[int, int, int], ...]:
    if not isinstance(points, (list, tuple)) or len(points) > MOST_POINTS:
        raise RefusedError(f"own is a list of at most {MOST_POINTS} points")
    found = []
    for point in points:
        row = _integers("a point", point, 3)
        if len(row) != 3 or not (
            min(row) >= 0 and max(row[:2]) <= LARGEST_OWN and row[2] < MOST_CLASSES
        ):
            raise RefusedError(
                f"a point is {_shown(point)}; it is a column and a row from 0 to {LARGEST_OWN}, and"
                f" a class from 0 to {MOST_CLASSES - 1}"
            )
        found.append((row[0], row[1], row[2]))
    return tuple(found)
