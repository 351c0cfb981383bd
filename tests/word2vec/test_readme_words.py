"""README's example of word vectors answers sensibly, whatever the seed."""

import ast
import re
from pathlib import Path

import jax
import pytest

from jaxnets.text import tiny_language

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
CAPITALS = {row["capital"] for row in tiny_language.TOPICS["capitals"].rows}


@pytest.mark.parametrize("seed", range(2))
def test_the_example_answers_sensibly(seed, capsys):
    (example,) = (
        e for e in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "most_sim" in e
    )
    scope: dict = {"keys": jax.random.split(jax.random.key(seed), 1)}
    exec(example, scope)
    near, analogy = map(ast.literal_eval, capsys.readouterr().out.splitlines())
    assert {word for word, _ in near} == {"queen", "palace", "crown"}
    assert [word for word, _ in analogy] == ["queen"]
    vectors = scope["vectors"]
    assert {word for word, _ in vectors.most_similar("paris", topn=3)} <= CAPITALS
    assert vectors.most_similar(["paris", "japan"], ["france"], topn=1)[0][0] == "tokyo"
    assert vectors.doesnt_match(["paris", "tokyo", "oslo", "queen"]) == "queen"
    assert vectors.similarity("hot", "cold") > vectors.similarity("hot", "paris") + 0.3
