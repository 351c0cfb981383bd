import re
from pathlib import Path

import numpy as np

from experiments.lab.registry import EXPERIMENTS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_readme_is_short():
    assert len(README.splitlines()) < 200


def test_the_examples_run_as_written(monkeypatch, capsys):
    import jaxnets

    monkeypatch.setattr(jaxnets, "use_all_cores", lambda: None)  # the tests have started JAX
    first, *rest = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len([line for line in first.splitlines() if line]) <= 15
    scope: dict = {}
    exec(first, scope)
    printed = np.fromstring(capsys.readouterr().out.strip("[]\n"), sep=" ")
    assert printed.shape == (6,)
    assert printed.min() > 0.9
    for example in rest:
        exec(example, scope)
    assert np.isfinite(scope["history"]["train_loss"]).all()


def test_every_make_target_exists():
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z0-9_-]+):", makefile, re.MULTILINE)) | set(EXPERIMENTS)
    named = set(re.findall(r"(?:^|`)make ([a-z0-9_-]+)", README, re.MULTILINE))
    assert len(named) > 5
    assert named <= targets, named - targets


def test_every_experiment_is_listed():
    assert set(re.findall(r"`([a-z0-9_]+)`", README)) >= set(EXPERIMENTS)


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
