"""The smoke variant of every experiment, in parts that different processes can run."""

import json

import pytest

from experiments.lab import run
from experiments.lab.registry import EXPERIMENTS

STATUSES = ("reproduced", "not reproduced", "not tested")
PARTS = 6


def smoke(names):
    class Smoke:
        @pytest.mark.parametrize("name", names)
        def test_leaves_arrays_a_figure_and_verdicts(self, name, tmp_path):
            module = run.load(name)
            config = module.SMOKE
            run.perform(name, config, tmp_path)
            files = {path.name for path in tmp_path.iterdir()}
            assert files == {f"{name}.{end}" for end in ("npz", "json", "png")}
            note = json.loads((tmp_path / f"{name}.json").read_text())
            assert {"config", "program", "seconds", "date", "machine", "versions"} <= set(note)
            for claim in note["claims"]:
                assert claim["status"] in STATUSES
                assert claim["ours"]
                assert claim["samples"]
            if getattr(module.Config(), "data", None) == "mnist":
                assert "not tested" in [claim["status"] for claim in note["claims"]]

    return Smoke


Test0, Test1, Test2, Test3, Test4, Test5 = (smoke(EXPERIMENTS[i::PARTS]) for i in range(PARTS))
