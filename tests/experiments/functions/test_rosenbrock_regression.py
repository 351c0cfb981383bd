"""`rosenbrock_regression`: what it measures of made-up losses, and its surface."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

import jaxnets as jn
from experiments.functions import rosenbrock_regression
from experiments.functions.rosenbrock_regression import DOMAINS, FIRST_SLIDE, OF, SECOND_SLIDE
from experiments.lab import rules, run
from jaxnets.data import Dataset

JITTER = np.exp(np.linspace(-0.1, 0.1, 48))


def made_up(losses):
    """48 groups of starts that end with these losses, of 2, 3 and 4 nodes."""
    worse = np.asarray([3.0, 1.0, 30.0, 2.0])
    final = np.asarray(losses)[:, None, None] * JITTER[:, None] * worse
    curves = final.reshape(3, -1, 1) * np.asarray([2.0, 1.0])
    return {"nodes": np.asarray([2, 3, 4]), "iterations": np.asarray([1, 9]), "losses": curves}


FIRST, SECOND = (np.asarray(list(slide.values())) for slide in (FIRST_SLIDE, SECOND_SLIDE))
CASES = {
    "the first slide": (FIRST, "reproduced", "reproduced"),
    "lower than the first slide": (FIRST / 3, "reproduced", "inconclusive"),
    "higher": (2 * FIRST, "reproduced", "inconclusive"),
    "the third node gains nothing": ([0.3, 0.3, 0.01], "inconclusive", "inconclusive"),
    "the fourth node is worse": ([0.3, 0.02, 0.03], "inconclusive", "inconclusive"),
}


@pytest.mark.parametrize(("losses", "more", "first"), CASES.values(), ids=CASES)
def test_the_best_of_four_starts_decides(losses, more, first):
    rows = run.claims_of("rosenbrock_regression", made_up(losses))
    statuses = {row["claim"]: row["status"] for row in rows}
    second = "not comparable"
    assert statuses == {"more_nodes": more, "first_slide": first, "second_slide": second}


def test_a_loss_below_the_slides_is_no_success():
    """It counted as reached, and the best of three domains was chosen."""
    rows = run.claims_of("rosenbrock_regression", made_up(SECOND))
    (first,) = (row for row in rows if row["claim"] == "first_slide")
    verdicts = [part["verdict"] for part in first["parts"]]
    assert verdicts == ["reproduced", "refuted", "refuted"]


def test_groups_of_starts_are_not_mixed_between_nodes():
    best = rosenbrock_regression._best(made_up(FIRST))
    for node, loss in FIRST_SLIDE.items():
        np.testing.assert_allclose(best[node], np.log(loss * JITTER))
    assert OF == 4


def test_the_domains_are_those_of_the_rule_and_change_the_surface(key):
    assert tuple(DOMAINS) == rules.DOMAINS
    base = dataclasses.replace(rosenbrock_regression.SMOKE, nodes=(2,), starts=8)
    for name, domain in DOMAINS.items():
        result = rosenbrock_regression.run(dataclasses.replace(base, domain=name), key)
        left, right, bottom, top = domain
        x1, x2 = np.meshgrid(np.linspace(left, right, 9), np.linspace(bottom, top, 9))
        z = 100 * (x2 - x1**2) ** 2 + (1 - x1) ** 2
        np.testing.assert_allclose(result["surfaces"][0], (z - z.mean()) / z.std(), atol=1e-9)


@pytest.mark.parametrize(("z", "ends"), [("0 to 1", (0, 1)), ("-1 to 1", (-1, 1))])
def test_z_has_the_range_that_it_says(z, ends):
    y = rosenbrock_regression._surface(rosenbrock_regression.Config(z=z))["y"]
    np.testing.assert_allclose([y.min(), y.max()], ends)


def test_a_constant_has_loss_one_where_z_has_variance_one():
    y = rosenbrock_regression._surface(rosenbrock_regression.Config())["y"]
    np.testing.assert_allclose([y.mean(), (y**2).mean()], [0, 1], atol=1e-6)


def test_every_start_is_a_fit_of_its_own(key, x64):
    config = dataclasses.replace(rosenbrock_regression.SMOKE, nodes=(2,))
    losses = rosenbrock_regression.run(config, key)["losses"][0]
    data = Dataset(rosenbrock_regression._surface(config))
    spec = jn.TrainSpec(jn.MLP((2,)), "squared_error", 20, optimizer=optax.lbfgs, record_every=2)
    own = jax.random.split(jax.random.fold_in(key, 2), config.starts)[3]
    _, history = jn.fit(spec, own, data, {})
    np.testing.assert_allclose(losses[3], history["train_loss"], rtol=1e-6)
