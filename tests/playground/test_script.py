"""The script that "Copy Python" gives trains the page's networks in a process of its own."""

import subprocess
import sys
from dataclasses import asdict, replace

import jax
import numpy as np
import pytest

from jaxnets.playground import session as module
from jaxnets.playground.arguments import shape_of
from jaxnets.playground.ensemble import SHARED, repeat
from jaxnets.playground.frames import unpacked
from jaxnets.playground.session import Session
from tests.playground.test_ensemble import random_config

# Depth, widest layer, batch size, bypasses: what compiles, so a few serve all twenty.
COMPILED = ((0, 1, 256, False), (1, 60, 16, False), (2, 24, 1, False), (3, 8, 64, True))
UPDATES = 500
RUNNER = """
import runpy, sys
import numpy as np
for name in sys.argv[1:]:
    params = runpy.run_path(name)["networks"].params()
    leaves = {f"{layer}.{part}": a for layer, parts in params.items() for part, a in parts.items()}
    np.savez(f"{name}.npz", **leaves)
"""


def drawn(random, i):
    """A random configuration whose programs are those of one row of `COMPILED`."""
    depth, widest, batch, residual = COMPILED[i % len(COMPILED)]
    widths = [int(w) for w in random.integers(1, widest + 1, depth)]
    if widest > 8:
        widths[0] = widest
    return replace(
        random_config(random, depth=0, batch=batch),
        widths=tuple(widths[:1] * depth if residual else widths),
        residual=residual,
        networks=int(random.integers(1, 13)),
    )


def changed(random, config):
    """What may be changed on the way without drawing the networks again."""
    other = random_config(random, depth=0, batch=config.batch)
    names = ("optimizer", "learning_rate", "l1", "l2", "n", "noise", "valid", "test")
    return replace(config, **{name: getattr(other, name) for name in names})


def train(page, config, step, until):
    """Asks for frames as the page does, until the networks have taken so many steps."""
    while step < until:
        page.programs.wait()
        asked = {"config": asdict(config), "step": step, "updates": until - step}
        head, _ = unpacked(page.frame(asked))
        step = head.get("step", step)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Twenty pages, trained, with their scripts on the disk and what the scripts trained."""
    folder, random = tmp_path_factory.mktemp("scripts"), np.random.default_rng(5)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "neighbours", lambda config: [])
        for i in range(20):
            page, config = Session(SHARED), drawn(random, i)
            early = 200 if i % 2 else UPDATES
            train(page, config, 0, early)
            train(page, changed(random, config), early, UPDATES)
            path = folder / f"{i}.py"
            path.write_bytes(page.python({}))
            found.append((config, page, path))
    command = [sys.executable, "-W", "error", "-c", RUNNER, *(str(path) for *_, path in found)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"{UPDATES} steps") == 20
    return found


def test_twenty_scripts_give_the_weights_of_their_pages_bit_for_bit(pages):
    for config, page, path in pages:
        own = page.networks.params()
        with np.load(f"{path}.npz", allow_pickle=False) as again:
            for layer, parts in own.items():
                for part, leaf in parts.items():
                    found = again[f"{layer}.{part}"]
                    assert found.tobytes() == leaf.tobytes(), (config, layer, part)


def test_the_twenty_differ_and_most_are_finite(pages):
    """Else equal weights would show little."""
    configs = [config for config, *_ in pages]
    for name in ("problem", "features", "widths", "activation", "loss", "l1", "networks", "seed"):
        assert len({getattr(config, name) for config in configs}) > 1, name
    assert {config.optimizer for config in configs} == {"adam", "sgd", "momentum", "rmsprop"}
    assert {config.vary for config in configs} == {"seed", "learning_rate", "width"}
    assert {config.kind for config in configs} == {"binary", "classes", "curve", "surface"}
    assert len({shape_of(config) for config in configs}) == len(COMPILED)
    assert sum(is_finite(page.networks) for _, page, _ in pages) >= 15


def is_finite(networks):
    return all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(networks.params()))


def test_one_step_fewer_gives_other_weights(pages):
    """So that the comparison would see it."""
    _, page, _ = next(row for row in pages if is_finite(row[1].networks))
    *first, (last, updates) = page.networks.log
    fewer = repeat(*first, (last, updates - 1)).params()
    assert all((fewer[n]["bias"] != page.networks.params()[n]["bias"]).any() for n in fewer)
