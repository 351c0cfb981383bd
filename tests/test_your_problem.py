"""The examples of docs/your_problem.md, as written, and what they find."""

import re
from pathlib import Path

import numpy as np

PAGE = (Path(__file__).parents[1] / "docs" / "your_problem.md").read_text(encoding="utf-8")


def test_the_examples_run_as_written_and_learn():
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) > 8
    scope: dict = {"__name__": "your_problem"}
    found = {}
    for example in examples:
        exec(example, scope)
        found[example] = dict(scope)

    def after(text):
        return next(scope for example, scope in found.items() if text in example)

    table, words, search = scope["table"], scope["extra"]["classes"], scope["search"]
    assert table.features == ["mass", "fur=long", "fur=short"]
    assert table.classes == ["cat", "dog"]
    assert search.best_score_ > 0.9
    assert (after("jn.load")["best"] == scope["digits"].test["y"]).mean() > 0.9
    assert words == list("0123456789")
    assert len(after("state=state")["history"]["valid_loss"]) == 3
    assert np.isnan(after("EarlyStopping")["history"]["valid_loss"]).any()
    assert after("grid_search")["best"].history["valid_accuracy"][-1] > 0.9
    assert len(scope["found"]) == 12
    assert scope["halved"].rounds == [(9, 1), (3, 3), (1, 9)]
    vectors = scope["vectors"]
    assert "new_york" in vectors
    assert {word for word, _ in vectors.most_similar("king", topn=3)} == {
        "queen",
        "crown",
        "palace",
    }
    assert vectors.most_similar(["king", "woman"], ["man"], topn=1)[0][0] == "queen"
    assert vectors.doesnt_match(["paris", "tokyo", "oslo", "queen"]) == "queen"
    assert len(scope["trained"].vectors) == len(vectors) + 2
