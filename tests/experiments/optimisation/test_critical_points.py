"""How `critical_points` searches, what it counts, and what its claims make of it."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import jaxnets as jn
from experiments.lab import run
from experiments.optimisation import critical_points, stationary
from jaxnets.converge.minimum import Minimum

SEEDS = 16
JITTER = np.linspace(-0.01, 0.01, SEEDS)
MODEL, L2 = jn.MLP((2,)), 1e-3


@pytest.fixture
def parts(x64):
    keys = jax.random.split(jax.random.key(0), 2)
    return jax.vmap(lambda key: stationary.draw(key, 12))(keys)


def test_data_are_standardised(parts):
    y = np.asarray(parts["y"])[..., 0]
    np.testing.assert_allclose(y.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(y.std(axis=1), 1)


def test_minima_have_the_loss_and_the_gradient_of_the_objective(parts, monkeypatch):
    """The residuals and their Jacobian, against the loss and its derivative."""

    def stay(residuals, start, part, *, steps, jacobian):
        r = residuals(start, part)
        norm = jnp.linalg.norm(jacobian(start, part).T @ r)
        return Minimum(start, r @ r / 2, norm, steps, norm < 0)

    monkeypatch.setattr(stationary, "levenberg_marquardt", stay)
    keys = jax.random.split(jax.random.key(1), 2)
    found = stationary.minima(MODEL, L2, keys, parts, 3, 5)
    value_and_gradient = jax.value_and_grad(partial(stationary.loss, MODEL, L2))
    for i in range(2):
        part = jax.tree.map(lambda a, i=i: a[i], parts)
        for j, key in enumerate(jax.random.split(keys[i], 3)):
            params = MODEL.init(key, part["x"][:1])
            value, gradient = value_and_gradient(params, part)
            assert found["losses"][i, j] == pytest.approx(float(value))
            norm = np.linalg.norm(ravel_pytree(gradient)[0])
            assert found["gradient_norms"][i, j] == pytest.approx(float(norm))


def test_descents_end_at_minima_and_searches_for_zeros_also_at_saddle_points(parts):
    keys = jax.random.split(jax.random.key(1), 2)
    found = stationary.critical(MODEL, L2, keys, parts, 12, 400)
    descents, zeros = np.split(found["indices"], 2, axis=1)
    assert np.nanmax(descents) == 0
    assert np.isfinite(descents).mean() > 0.8
    assert np.nanmax(zeros) > 0
    assert np.nanmin(found["losses"]) > 0


def test_the_same_loss_is_the_same_point():
    losses = np.asarray([[0.1, 0.1 + 1e-9, 0.2, 0.3], [0.1, np.nan, 0.2, 0.3]])
    chosen = np.asarray([[True, True, True, False], [False, False, False, False]])
    np.testing.assert_array_equal(stationary.distinct(losses, chosen), [2, 0])


def test_full_batches_and_a_small_rate_never_raise_the_loss():
    config = critical_points.Config(samples=32, batch_size=32, rate=0.01, steps=50)
    losses = critical_points.descend(config, jax.random.key(0))
    assert (np.diff(losses) < 0).all()
    noisy = critical_points.Config(samples=32, batch_size=1, rate=0.5, steps=50)
    assert (np.diff(critical_points.descend(noisy, jax.random.key(0))) > 0).any()


# The claims.


def made_up(**changes):
    """A result as the lectures claim it."""
    steps = np.exp(-np.arange(100) / 50) * np.where(np.arange(100) % 4 == 0, 1.1, 1.0)
    losses = np.tile([0.1, 0.101, 0.11, 0.12], (2, SEEDS, 1))
    losses[..., 1:] += 1e-3 * JITTER[:, None]
    points = np.tile(np.linspace(0.1, 1, 20), (SEEDS, 1))
    indices = np.tile(np.repeat([0.0, 1.0], 10), (SEEDS, 1))
    points[::2, 0], points[::2, 10] = points[::2, 1], points[::2, 11]
    return {
        "descent": steps * np.exp(JITTER)[:, None],
        "minima_losses": losses,
        "apart": np.asarray(1e-3),
        "minima_gradient_norms": np.full_like(losses, 1e-9),
        "critical_losses": points,
        "critical_indices": indices,
        "widths": np.asarray([2, 4]),
    } | changes


def parts_of(**changes):
    rows = run.claims_of("critical_points", made_up(**changes))
    return {row["claim"]: {p["part"]: p["verdict"] for p in row["parts"]} for row in rows}


def test_all_hold_for_results_as_the_lectures_say():
    assert {one for parts in parts_of().values() for one in parts.values()} == {"reproduced"}


def test_each_part_can_fail():
    good = made_up()
    smooth = np.exp(-np.arange(100) / 50 + JITTER[:, None])
    assert parts_of(descent=smooth)["not_monotonic"] == {"rises": "refuted", "fall": "reproduced"}
    flat = 0.5 + 0.01 * np.sin(np.arange(100) + JITTER[:, None])
    assert parts_of(descent=flat)["not_monotonic"] == {"rises": "reproduced", "fall": "refuted"}
    bad = good["minima_losses"] + np.asarray([0.0, 0.3, 0.3, 0.3])
    assert parts_of(minima_losses=bad)["good_local_optima"]["typical gap"] == "refuted"
    equal = np.full_like(bad, 0.1)
    assert parts_of(minima_losses=equal)["good_local_optima"]["not the best"] == "refuted"
    found = parts_of(critical_indices=np.zeros_like(good["critical_indices"]))
    assert found["minima_and_saddles"] == {"minima": "reproduced", "saddle points": "refuted"}
