"""The gallery names the presets of the playground that show an experiment's picture."""

import re

import pytest

from experiments.lab.live import PRESETS, commands
from experiments.lab.registry import EXPERIMENTS
from jaxnets.playground import from_address
from jaxnets.playground.presets import presets

TITLES = [title for titles in PRESETS.values() for title in titles]


def test_every_preset_of_a_lecture_is_shown_by_one_experiment():
    of_lectures = {p["title"] for p in presets() if re.search(r"\(L\d", p["title"])}
    assert sorted(TITLES) == sorted(of_lectures)
    assert set(PRESETS) <= set(EXPERIMENTS)


@pytest.mark.parametrize("experiment", PRESETS)
def test_a_command_opens_the_preset(experiment):
    known = {preset["title"]: from_address(preset["address"]) for preset in presets()}
    found = dict(commands(experiment))
    assert tuple(found) == PRESETS[experiment]
    for title, command in found.items():
        assert command.startswith("make playground STATE='")
        assert from_address(command.split("'")[1]) == known[title]
