"""The worked examples of docs/extending.md, as written."""

import re
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()


def test_the_examples_run_as_written():
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(examples) > 5
    scope: dict = {"__name__": "extending"}
    for example in examples:
        exec(example, scope)
    assert {"huber", "swish", "scale_backward", "own", "CLAIMS"} <= set(scope)
