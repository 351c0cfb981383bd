"""An ensemble of networks that the page, its script and the tests train with the same functions.

From an address to params:

    networks = Ensemble(from_address("problem=xor&widths=3-2&networks=16"))
    networks.advance(500)
    networks.params()["hidden_0"]["weight"]  # [16, 3, 2]
"""

import zlib
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from jaxnets.playground.arguments import choice_of, data_of, rates_of, seeds_of, shape_of, slices_of
from jaxnets.playground.config import Config, RefusedError
from jaxnets.playground.networks import Shape
from jaxnets.playground.programs import GROUP, Programs, as_numpy
from jaxnets.playground.weights import narrowed, placed, places

RESET = (
    *("problem", "classes", "features", "widths", "activation", "residual"),
    *("networks", "vary", "seed"),
)
"""A change of these draws the networks again."""
DATA = ("problem", "n", "noise", "flip", "classes", "valid", "test", "features", "seed", "own")
MOST_LOGGED = 100
"""Changes since the networks were drawn that a script repeats."""
SHARED = Programs()


class Ensemble:
    """Trains the networks that a configuration describes, and computes what is drawn of them.

    Args:
        config: the configuration.
        programs: the compiled programs, shared by default.

    Example:
        >>> from jaxnets.playground import from_address
        >>> ensemble = Ensemble(from_address("problem=xor&widths=3&networks=2&n=20"))
        >>> ensemble.advance(5)
        >>> ensemble.step
        5
    """

    def __init__(self, config: Config, programs: Programs = SHARED) -> None:
        self.programs, self.config = programs, config
        self.points, self.data = data_of(config)
        self.log: list[tuple[Config, int]] | None = []
        """The configurations and the steps taken with each; None if that cannot be told."""
        self.restart()

    @property
    def shape(self) -> Shape:
        """Returns the static part of the networks."""
        return shape_of(self.config)

    @property
    def step(self) -> int:
        """Returns how many steps the networks have taken."""
        return int(self.groups[0].step[0])

    def restart(self) -> None:
        """Draws the networks of the configuration, before their first step."""
        program, choice = self.programs.begin(self.shape), choice_of(self.config)
        seeds = seeds_of(self.config)
        self.groups = [
            program(seeds[at], choice, rates)
            for at, rates in zip(slices_of(self.config), rates_of(self.config), strict=True)
        ]
        self.log = []

    def change(self, config: Config) -> bool:
        """Takes another configuration; returns whether the networks were drawn again for it."""
        before, self.config = self.config, config
        if _differ(before, config, DATA):
            self.points, self.data = data_of(config)
        again = _differ(before, config, RESET) or before.outputs != config.outputs
        if again:
            self.restart()
        return again

    def advance(self, updates: int) -> None:
        """Takes so many steps of all networks."""
        program = self.programs.advance(self.shape, self.config.batch)
        choice, count = choice_of(self.config), np.int32(updates)
        self.groups = [
            program(states, choice, rates, self.data, count)
            for states, rates in zip(self.groups, rates_of(self.config), strict=True)
        ]
        jax.block_until_ready(self.groups)
        self._note(updates)

    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """Returns the weights `[networks, out, in]` and biases `[networks, out]` of each layer."""
        groups = [as_numpy(states.params["params"]) for states in self.groups]
        joined = jax.tree.map(lambda *parts: np.concatenate(parts), *groups)
        return narrowed(self.config, jax.tree.map(lambda a: a[: self.config.networks], joined))

    def edit(self, member: int, layer: str, row: int, column: int | None, value: float) -> None:
        """Sets a weight of one network, or a bias where the column is None.

        Raises:
            RefusedError: a weight that the network does not have, if only by its own widths.
        """
        group, at = divmod(member, GROUP)
        widths = rates_of(self.config)[group].width[at].tolist()
        out, features = places(replace(self.config, widths=tuple(widths))).get(layer, (0, []))
        if not 0 <= row < out or not (column is None or column in range(len(features))):
            raise RefusedError(f"no weight at {layer} {row} {column}: the network has none there")
        states = self.groups[group]
        tree = as_numpy(states.params)
        name = "bias" if column is None else "weight"
        leaf = tree["params"][layer][name].copy()
        leaf[(at, row) if column is None else (at, row, features[column])] = value
        tree["params"][layer][name] = leaf
        self.groups[group] = states._replace(params=tree)
        self.log = None

    def load(self, params: dict[str, dict[str, np.ndarray]]) -> None:
        """Puts back weights as `params` returns them, of all networks or of one for all.

        A network whose own layers are narrower takes the weights of the units that it has.

        Raises:
            RefusedError: other layers or other shapes.
        """
        own = self.params()
        for name, layer in own.items():
            for part, leaf in layer.items():
                found = params.get(name, {}).get(part)
                if found is None or found.shape not in (leaf.shape, (1, *leaf.shape[1:])):
                    got = "missing" if found is None else f"{list(found.shape)}"
                    raise RefusedError(f"{name} {part} is {got}; expected {list(leaf.shape)}")
                if not np.isfinite(found).all():
                    raise RefusedError(f"{name} {part} has a number that is not finite")
        self.groups = [
            states._replace(
                params=placed(self.config, as_numpy(states.params), params, g, rates.width)
            )
            for g, (states, rates) in enumerate(
                zip(self.groups, rates_of(self.config), strict=True)
            )
        ]
        self.log = None

    def frame(self, member: int, known: int | None = None) -> tuple[dict[str, Any], dict]:
        """Computes what the page draws: numbers, and arrays by name.

        Args:
            member: the network that is drawn.
            known: the number of the points that the page has; it gets them if they are others.
        """
        config, program = self.config, self.programs.frame(self.shape)
        choice, (mine, within) = choice_of(config), divmod(member, GROUP)
        groups = as_numpy(
            [
                program(
                    states,
                    choice,
                    self.data,
                    np.int32(within),
                    np.int32(min(GROUP, config.networks - g * GROUP)),
                )
                for g, states in enumerate(self.groups)
            ]
        )
        return _gathered(self, groups, mine, known)

    def passes(self, member: int, sample: int) -> dict[str, Any]:
        """Walks one sample through one network: every number of both passes and of the step."""
        group, within = divmod(member, GROUP)
        found = self.programs.passes(self.shape)(
            self.groups[group],
            choice_of(self.config),
            rates_of(self.config)[group],
            np.int32(within),
            self.data["x"][sample],
            self.data["y"][sample],
        )
        return as_numpy(found)

    def data_id(self) -> int:
        """Returns a number of the points, by which the page knows whether it has them."""
        parts = (self.points, *(self.data[name] for name in ("y", "n", "train", "valid")))
        return zlib.crc32(b"".join(part.tobytes() for part in parts))

    def _note(self, updates: int) -> None:
        if self.log is None or not updates:
            return
        if self.log and self.log[-1][0] == self.config:
            self.log[-1] = (self.config, self.log[-1][1] + updates)
        elif len(self.log) < MOST_LOGGED:
            self.log.append((self.config, updates))
        else:
            self.log = None


def repeat(*parts: tuple[Config, int]) -> Ensemble:
    """Draws the networks of the first configuration, and takes the steps of each in turn.

    Example:
        >>> from jaxnets.playground import from_address
        >>> repeat((from_address("problem=xor&widths=3&networks=2&n=20"), 5)).step
        5
    """
    found = Ensemble(parts[0][0])
    for config, updates in parts:
        found.change(config)
        found.advance(updates)
    return found


def _differ(before: Config, after: Config, names: tuple[str, ...]) -> bool:
    return any(getattr(before, name) != getattr(after, name) for name in names)


def _gathered(
    networks: Ensemble, groups: list[dict[str, Any]], mine: int, known: int | None
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Joins the groups: means and deviations over the networks that are finite."""
    config, shown = networks.config, groups[mine]
    count, channels = config.networks, config.outputs
    joined = {
        name: np.concatenate([group[name] for group in groups])[:count]
        for name in ("finite", "loss", "accuracy", "norms")
    }
    finite = int(joined["finite"].sum())
    total = sum(group["sum"] for group in groups)[:channels] / max(finite, 1)
    squares = sum(group["squares"] for group in groups)[:channels] / max(finite, 1)
    spread = np.sqrt(np.maximum(squares - total**2, 0).sum(axis=0))
    blobs = {
        "mean": np.round(255 * np.clip(total, 0, 1)).astype(np.uint8),
        "std": np.clip(np.round(510 * spread), 0, 255).astype(np.uint8),
        "mine": shown["mine"][:channels],
        "lines": groups[0]["lines"][: min(count, len(groups[0]["lines"]))],
        "maps": _units(config, shown["maps"]),
        "finite": joined["finite"].astype(np.uint8),
        "loss": joined["loss"].T,
        "accuracy": joined["accuracy"].T,
        "norms": joined["norms"].T,
    }
    for name, layer in narrowed(config, shown["params"]["params"]).items():
        blobs |= {f"{name}.{part}": leaf for part, leaf in layer.items()}
    head = {
        "step": int(shown["step"]),
        "diverged": count - finite,
        "n": int(networks.data["n"]),
        "train": int(networks.data["train"]),
        "valid": int(networks.data["valid"]),
        "data": networks.data_id(),
        "kind": config.kind,
    }
    if known != head["data"]:
        blobs |= {"x": networks.points, "y": networks.data["y"][: head["n"]]}
    return head, blobs


def _units(config: Config, maps: np.ndarray) -> np.ndarray:
    """The pictures of the units that there are, one after another."""
    rows = [maps[layer, :width] for layer, width in enumerate(config.widths)]
    return np.concatenate(rows) if rows else np.zeros((0, maps.shape[-1]), np.uint8)
