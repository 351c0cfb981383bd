"""A claim's file: what is read, and what is refused."""

import hashlib
import json

import jax
import numpy as np
import pytest

from jaxnets import claims
from jaxnets.claims import forest

FILE = """
row = "F2"
source = "L0"
line = 12
statement = "wider is better"
printed = "picture"
estimand = "accuracy of 8 units minus that of 2, paired by seed"
fixed = {points = 100}
open = {rate = [0.1, 0.01]}

[[parts]]
name = "gain"
kind = "above"
margin = 1.0
unit = "points"
arms = ["8 units", "2 units"]
floor = 50.0
seeds = 8
deviation = 0.5
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "wider.toml"
    path.write_text(FILE)
    return path


def test_a_file_is_read_and_hashed(path):
    claim = claims.load(path)
    assert claim.name == "wider"
    assert claim.parts[0].arms == ("8 units", "2 units")
    assert claim.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert claims.load_all(path.parent) == {"wider": claim}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("margin = 1.0", "margin = 0.0", "needs a margin above 0"),
        ("margin = 1.0", "", "a part needs margin"),
        ("margin = 1.0", "margin = nan", "must be finite"),
        ("margin = 1.0", 'margin = "1"', "margin is '1'; it must be of type float"),
        ('kind = "above"', 'kind = "abvoe"', "did you mean 'above'"),
        ("statement", "statemnt", "did you mean 'statement'"),
        ("seeds = 8", "seeds = 1", "give seeds"),
        ("deviation = 0.5", "deviation = 0.0", "give seeds"),
        ("floor = 50.0", "", "when an arm has collapsed"),
        ('arms = ["8 units", "2 units"]', 'arms = ["8 units"]', "arms are two names"),
        ('arms = ["8 units", "2 units"]', "", "are about arms: name the two"),
        ("open = {rate = [0.1, 0.01]}", "open = {rate = [0.1]}", "two plausible values"),
        ("line = 12", "line = true", "line is True; it must be of type int"),
        ("line = 12", "line = ", "Invalid value"),
        ("[[parts]]", '[[parts]]\nanalysis = "resampled"', "go together"),
        (FILE[FILE.index("[[parts]]") :], "", "one part or more"),
        (FILE[FILE.index("[[parts]]") :], FILE[FILE.index("[[parts]]") :] * 2, "one name"),
    ],
)
def test_what_no_verdict_can_use_is_refused(path, old, new, message):
    path.write_text(FILE.replace(old, new))
    with pytest.raises(ValueError, match=f"wider.toml: .*{message}"):
        claims.load(path)


def measure(keys):
    noise = 0.3 * np.asarray(jax.vmap(lambda key: jax.random.normal(key, (2,)))(keys))
    return claims.Sample(90 + noise[:, 0], 80 + noise[:, 1])


def test_a_claim_of_ones_own_is_run_judged_drawn_and_saved(path, key):
    record = claims.study(claims.load(path), measure, key, path.parent / "results")
    assert record.verdict == "reproduced"
    row = json.loads((path.parent / "results/wider.json").read_text())
    assert row["digest"] == record.claim.digest
    assert row["parts"][0]["n"] == row["seeds"] == 8
    forest.draw([record]).savefig(path.parent / "forest.png")
    assert (path.parent / "forest.png").stat().st_size > 1000


def test_a_claim_that_changed_after_its_result_is_refused_unless_it_says_so(path, key):
    results = path.parent / "results"
    claims.study(claims.load(path), measure, key, results)
    path.write_text(FILE.replace("margin = 1.0", "margin = 2.0"))
    with pytest.raises(ValueError, match="wider has changed since its result"):
        claims.study(claims.load(path), lambda keys: pytest.fail("it was run"), key, results)
    path.write_text(path.read_text().replace('row = "F2"', 'exploratory = "the margin"'))
    assert claims.study(claims.load(path), measure, key, results).verdict == "reproduced"
