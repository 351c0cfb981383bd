"""The examples of docs/your_problem.md, as written, and what they find."""

import re
from pathlib import Path

import numpy as np

PAGE = (Path(__file__).parents[1] / "docs" / "your_problem.md").read_text(encoding="utf-8")


def test_the_examples_run_as_written_and_learn():
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) > 8
    scope: dict = {"__name__": "your_problem"}
    found = []
    for example in examples:
        exec(example, scope)
        found.append(dict(scope))
    table, words, search = scope["table"], scope["extra"]["classes"], scope["search"]
    assert table.features == ["mass", "fur=long", "fur=short"]
    assert table.classes == ["cat", "dog"]
    assert search.best_score_ > 0.9
    assert (scope["best"] == scope["digits"].test["y"]).mean() > 0.9
    assert words == list("0123456789")
    assert len(found[-3]["history"]["valid_loss"]) == 3
    stopped = found[-4]["history"]["valid_loss"]
    assert np.isnan(stopped).any()
