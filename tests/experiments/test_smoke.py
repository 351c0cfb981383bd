"""The smoke variant of every experiment, in parts that different processes can run."""

import json
import warnings
from typing import get_args

import numpy as np
import pytest

from experiments.lab import run
from experiments.lab.registry import EXPERIMENTS
from jaxnets.claims.judge import Verdict

STATUSES = get_args(Verdict)
PARTS = 6


def smoke(names):
    class Smoke:
        @pytest.mark.parametrize("name", names)
        def test_leaves_arrays_a_figure_and_verdicts(self, name, tmp_path):
            module = run.load(name)
            config = module.SMOKE
            run.perform(name, config, tmp_path)
            files = {path.name for path in tmp_path.iterdir()}
            assert files == {f"{name}{end}" for end in run.SUFFIXES}
            note = json.loads((tmp_path / f"{name}.json").read_text())
            assert {"config", "program", "seconds", "date", "machine", "versions"} <= set(note)
            for claim in note["claims"]:
                assert claim["status"] in STATUSES
                assert claim["ours"]
                assert claim["samples"]
            if getattr(module.Config(), "data", None) == "mnist":
                statuses = {claim["status"] for claim in note["claims"]}
                assert "not judged" in statuses
            self.require_unjudged_if_not_finite(name, run.saved(name, tmp_path))

        def require_unjudged_if_not_finite(self, name, result):
            """Of arrays that are all NaN nothing can be said, for or against a claim."""
            broken = {
                key: np.full_like(array, np.nan) if array.dtype.kind == "f" else array
                for key, array in result.items()
            }
            with np.errstate(all="ignore"), warnings.catch_warnings(action="ignore"):
                rows = run.claims_of(name, broken)
            for row in rows:
                parts = {part["verdict"] for part in row["parts"]}
                assert row["status"] == "not judged" or parts == {"reproduced"}, row["claim"]

    return Smoke


Test0, Test1, Test2, Test3, Test4, Test5 = (smoke(EXPERIMENTS[i::PARTS]) for i in range(PARTS))
