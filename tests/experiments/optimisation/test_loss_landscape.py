"""What `loss_landscape` says about made-up slices, and the losses it takes them of."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree
from sklearn.linear_model import LogisticRegression

import jaxnets as jn
from experiments.lab import run
from experiments.optimisation import loss_landscape, loss_minima, loss_slices
from jaxnets.analysis import landscape

S = np.linspace(-0.5, 1.5, 61)
BOWL = (S - 0.5) ** 2
HILL = np.tanh(4 * np.abs(S - 0.5))
RIDGE = S**2 * (S - 1) ** 2 + 0.1 * S
WILD = np.cos(20 * S)


def made_up(
    slices=(BOWL, HILL, RIDGE, WILD, HILL), between=(RIDGE,) * 3, linear=0.0, network=0.5, ends=None
):
    """Results of 32 seeds with the same slices each, and 4 minima of different losses."""
    ends = np.asarray([0.1, 0.2, 0.3, 0.4] if ends is None else ends)
    return {
        "excess_linear": np.full((32, 8), linear),
        "excess_network": np.resize(network, (32, 8)),
        "slice_linear": np.tile(BOWL, (32, 2, 1)),
        "slice_network": np.tile(np.stack(slices), (32, 1, 1)),
        "slice_trained": np.tile(np.stack(slices), (32, 1, 1)),
        "slice_between": np.tile(np.stack(between), (32, 1, 1)),
        "judged": np.asarray(loss_slices.NETWORKS),
        "surface": 1 + np.random.default_rng(0).random((5, 5)),
        "end_loss": np.tile(ends, (32, 1)),
        "end_slope": np.full((32, 4), 1e-8),
        "end_bend": np.full((32, 4), 1e-3),
    }


def contrary(result):
    """The verdicts on the parts that are not reproduced."""
    rows = run.claims_of("loss_landscape", result)
    parts = {(row["claim"], part["part"]): part["verdict"] for row in rows for part in row["parts"]}
    assert len(parts) == 8
    return {part: verdict for part, verdict in parts.items() if verdict != "reproduced"}


NO, UNJUDGED = "refuted", "not judged"
CONVEX, OFTEN = ("looks_convex", "slices"), ("often_nonconvex", "slices")
MINIMA, WILD_ONES = ("local_minima", "slices"), ("very_wild", "slices")
SEEDS, SEGMENTS = ("network_is_not", "seeds"), ("network_is_not", "segments")
PAIRS = ("many_minima", "pairs")
HALF = np.where(np.arange(32) % 2, 1.0, 0.0)[:, None] * np.ones(8)
RESULTS = {
    "as claimed": ({}, {}),
    "a linear chord violated": ({"linear": 1e-8}, {("linear_is_convex", "excess"): NO}),
    "no network chord violated": ({"network": 1e-12}, {SEEDS: NO, SEGMENTS: NO}),
    "in half of the seeds": ({"network": HALF}, {SEEDS: NO}),
    "nothing convex": ({"slices": (HILL, RIDGE, WILD)}, {CONVEX: NO}),
    "mostly convex": ({"slices": (BOWL, BOWL, BOWL, BOWL, RIDGE, WILD)}, {OFTEN: NO}),
    "no local minima": (
        {"slices": (BOWL, HILL, HILL), "between": (HILL,) * 3},
        {MINIMA: NO, WILD_ONES: NO},
    ),
    "nothing wild": ({"slices": (BOWL, HILL, RIDGE)}, {WILD_ONES: NO}),
    "few local minima": (
        {"slices": (BOWL, *(HILL,) * 20, WILD), "between": (BOWL,) * 3},
        {MINIMA: NO},
    ),
    "one minimum": ({"ends": [0.1, 0.1, 0.1, 0.1]}, {PAIRS: NO}),
    "two minima": ({"ends": [0.1, 0.1, 0.2, 0.2]}, {PAIRS: NO}),
    "equal but for rounding": ({"ends": [0.1, 0.1 + 1e-9, 0.1, 0.1]}, {PAIRS: NO}),
}


@pytest.mark.parametrize(("changes", "expected"), RESULTS.values(), ids=RESULTS)
def test_contrary_numbers_fail_their_own_parts(changes, expected):
    assert contrary(made_up(**changes)) == expected


def test_claims_are_judged_by_the_slices_that_are_chosen():
    """Those between trained networks alone have one local minimum each, and none is convex."""
    found = contrary(made_up() | {"judged": np.asarray(["between"])})
    assert found == {CONVEX: NO, WILD_ONES: NO}


def test_slices_that_are_not_finite_are_not_judged():
    result = made_up()
    result["slice_trained"][3, 1, 7] = np.nan
    assert contrary(result) == dict.fromkeys((CONVEX, OFTEN, MINIMA, WILD_ONES), UNJUDGED)


def test_ends_on_a_slope_or_a_saddle_are_no_minima():
    result = made_up(ends=[0.1, 0.1, 0.2, 0.3])
    np.testing.assert_allclose(loss_minima.different_pairs(result), 5 / 6)
    result["end_bend"][:, 0] = -1e-3
    assert contrary(result) == {}
    result["end_slope"][:, 1] = 1e-3
    np.testing.assert_allclose(loss_minima.different_pairs(result), 1)
    result["end_slope"][0] = 1e-3
    assert contrary(result) == {PAIRS: UNJUDGED}
    (row,) = (r for r in run.claims_of("loss_landscape", result) if r["claim"] == "many_minima")
    assert row["converged"].startswith("62 of 128 ends")


@pytest.mark.parametrize("hidden", [(8, 8), (12, 12)])
def test_searches_end_in_minima(x64, key, hidden):
    config = loss_slices.Config(seeds=2, samples=20, starts=2, penalty=0.01, hidden=hidden)
    found = loss_minima.search(config, key)
    assert found["end_loss"].shape == (2, 2)
    assert loss_minima.are_minima(found).all()
    assert (found["end_loss"] < np.log(10)).all()


def test_properties_of_the_made_up_slices():
    """A parabola, a funnel, two valleys and a wave are what their names say."""
    found = [[p.holds(y) for p in loss_landscape.PROPERTIES.values()] for y in (BOWL, HILL)]
    assert found == [[True, False, False, False], [False, True, False, False]]
    assert landscape.local_minima(RIDGE) == 1
    assert len(landscape.valleys(WILD)) >= 3


def test_the_search_finds_the_clearest_slice_of_each_kind():
    slices = (BOWL, 0.9 * BOWL + 0.1 * S**4, HILL, RIDGE, WILD)
    found = loss_landscape.examples(made_up(slices=slices))
    assert list(found) == list(loss_landscape.PROPERTIES)
    for y, expected in zip(found.values(), (None, HILL, RIDGE, WILD), strict=True):
        if expected is not None:
            np.testing.assert_array_equal(y, expected)
    assert landscape.gap(found["looks convex"]) < loss_landscape.CONVEX
    only = loss_landscape.examples(made_up(slices=(BOWL,), between=(BOWL,) * 3))
    assert list(only) == ["looks convex"]
    assert len(loss_landscape.plot(made_up(slices=(BOWL,), between=(BOWL,) * 3)).axes) == 7


def test_the_network_is_the_lectures():
    """Four layers of weights, 10 inputs, 32 units, 10 categories."""
    deviations, unravel = loss_slices.space(loss_slices.NETWORK)
    shapes = [leaf.shape for leaf in jax.tree.leaves(unravel(deviations)) if leaf.ndim == 2]
    assert sorted(shapes) == [(10, 32), (32, 10), (32, 32), (32, 32)]
    assert len(deviations) == 352 + 2 * 1056 + 330


def test_the_linear_loss_has_scikit_learns_minimum(x64, key):
    """Without a penalty both classifiers minimise the same convex function."""
    data = loss_slices.blobs(key, 400)
    loss = loss_slices.loss_of(loss_slices.MODELS["linear"], data)
    x, y = np.asarray(data["x"]), np.asarray(data["y"])
    fitted = LogisticRegression(C=1e10, tol=1e-10, max_iter=10_000, solver="newton-cg").fit(x, y)
    layer = {"weight": jnp.asarray(fitted.coef_), "bias": jnp.asarray(fitted.intercept_)}
    vector, _ = ravel_pytree({"params": {"output": layer}})
    value, gradient = jax.value_and_grad(loss)(vector)
    assert float(jnp.abs(gradient).max()) < 1e-5
    probabilities = fitted.predict_proba(x)[np.arange(400), y]
    assert float(value) == pytest.approx(-np.log(probabilities).mean(), rel=1e-8)


def test_slices_pass_through_the_networks_they_are_drawn_around(x64, key):
    """The surface's middle is the trained network's loss, and so are the pairs' ends."""
    config = loss_slices.Config(samples=16, segments=2, slices=4, points=5, steps=3, grid=3)
    found, data, plane = jax.jit(loss_slices.of_seed, static_argnums=0)(config, key)
    loss = loss_slices.loss_of(loss_slices.NETWORK, data)
    value = loss(plane[0])
    np.testing.assert_allclose(loss_slices.surface(config, data, plane)[1, 1], value)
    pairs, middles = found["slice_between"], found["slice_trained"][:, 2]
    np.testing.assert_allclose(pairs[:2, 1], value)
    np.testing.assert_allclose(middles, [value, pairs[0, 3], pairs[1, 3], value])
    np.testing.assert_allclose(pairs[2, [1, 3]], middles[1:3])
    assert found["excess_linear"].shape == (2,)
    assert found["slice_linear"].shape == found["slice_network"].shape == (4, 5)


def test_training_is_adams(x64, key):
    """As the library's own training loop does it, on the same start."""
    config = loss_slices.Config(samples=20, steps=5)
    data = loss_slices.blobs(key, 20)
    deviations, unravel = loss_slices.space(loss_slices.NETWORK)
    start = deviations * jax.random.normal(key, deviations.shape)
    tx = optax.adam(loss_slices.LEARNING_RATE)
    step = jax.jit(jn.make_step(jn.Objective(loss_slices.NETWORK, loss_slices.LOSS), tx))
    state = jn.State(unravel(start), tx.init(unravel(start)), jnp.zeros((), jnp.int32), key)
    for _ in range(5):
        state, _ = step(state, data)
    found = jax.jit(loss_slices._train, static_argnums=0)(config, data, start)
    np.testing.assert_allclose(found, ravel_pytree(state.params)[0], rtol=1e-8)
