"""The verdicts of `random_points` on made-up results, and the arithmetic of `memorising`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from experiments.lab import run
from experiments.plane import memorising, random_points
from experiments.plane.random_points import LECTURE_RBF, LECTURE_TWO, Config
from jaxnets.data import Dataset
from jaxnets.data.toy import random_points as draw
from jaxnets.models.mlp import count_parameters
from jaxnets.training.optimizers import adam_cosine

SEEDS, RECORDS = 8, 10
JITTER = np.linspace(-0.004, 0.004, SEEDS)
ONE = {n: accuracy - 0.1 for n, accuracy in LECTURE_TWO.items()} | {100: 0.8, 125: 0.8}


def curve(final, records):
    """From one half straight to `final` within some records, `[seeds, RECORDS]`."""
    done = np.minimum(np.arange(1, RECORDS + 1) / records, 1)
    return 0.5 + (final + JITTER - 0.5)[:, None] * done[None]


def made_up(two=None, one=None, rbf=None, records=(8, 2)):
    """The lecture's numbers with changes, with the second of two numbers of points."""
    two, one, rbf = LECTURE_TWO | (two or {}), ONE | (one or {}), LECTURE_RBF | (rbf or {})
    kernels = np.full((2, 2, 3, len(rbf), SEEDS), 0.5)
    kernels[1, 0, 2] = np.asarray(list(rbf.values()))[:, None] + JITTER[None, ::-1]
    return {
        "points": np.asarray([100, 400]),
        "chosen": np.asarray(1),
        "two_layers": np.asarray(list(two)),
        "one_layer": np.asarray(list(one)),
        "kernels": np.asarray(list(rbf)),
        "sides": np.asarray([1.0, 2.0]),
        "penalties": np.asarray([1e-4, 1e-3, 1e-2]),
        "updates": np.linspace(100, 1000, RECORDS),
        "searched": np.asarray([10, 20]),
        "search": np.asarray([[0.5, 0.5], [two[10], two[20]]]),
        "two": np.asarray([curve(final, records[1]) for final in two.values()]),
        "one": np.asarray([curve(final, records[0]) for final in one.values()]),
        "rbf": kernels,
    }


CASES = {
    "as claimed": ({}, set()),
    "two layers within 3 points": ({"two": {40: 0.935, 20: 0.885}}, set()),
    "two layers off at one width": ({"two": {40: 0.92}}, {"accuracies_of_two_layers"}),
    "two layers too good": ({"two": {10: 0.74}}, {"accuracies_of_two_layers"}),
    "kernels within 3 points": ({"rbf": {400: 0.79}}, set()),
    "kernels off at one number": ({"rbf": {1600: 0.83}}, {"accuracies_of_kernels"}),
    "one layer below the kernels": ({"one": {100: 0.71}}, {"one_layer_between"}),
    "one layer as good at 100": (
        {"one": {100: 0.99}},
        {"one_layer_between", "two_layers_better"},
    ),
    "one layer better at 10": ({"one": {10: 0.71}}, {"two_layers_better"}),
    "two layers slower": (
        {"records": (2, 8)},
        {"two_layers_faster", "faster_and_better_at_501_weights"},
    ),
    "one layer better at equal weights": (
        {"one": {125: 0.87}},
        {"faster_and_better_at_501_weights"},
    ),
}


def statuses(result):
    return {row["claim"]: row["status"] for row in run.claims_of("random_points", result)}


@pytest.mark.parametrize(("changes", "failing"), CASES.values(), ids=CASES)
def test_contrary_numbers_fail_their_own_claims_only(changes, failing):
    """Those refuted are inconclusive, since the lecture leaves settings open."""
    judged = statuses(made_up(**changes))
    assert judged == {n: "inconclusive" if n in failing else "reproduced" for n in judged}


def test_speed_is_not_judged_where_one_layer_stays_at_chance():
    chance = dict.fromkeys(ONE, 0.51)
    judged = statuses(made_up(one=chance))
    names = ("two_layers_faster", "faster_and_better_at_501_weights", "two_layers_better")
    assert {judged[name] for name in names} == {"not judged"}


def test_the_log_ratio_of_updates_by_hand():
    """Nine tenths of a gain that grows straight are reached at the same part of its records."""
    ratio = random_points.log_ratio_of_updates(made_up(one=LECTURE_TWO), 20, 20)
    np.testing.assert_allclose(ratio, np.log(2 / 8))


def test_the_nearest_setting_of_the_kernels_is_named():
    assert "square of side 1, penalty 0.01" in random_points.table(made_up())


def test_misfits_are_mean_distances():
    two, rbf = random_points.misfits(made_up(two={10: 0.76, 100: 0.93}, rbf={100: 0.75}))
    np.testing.assert_allclose(two, [(0.2 + 0.36) / 2, 0.03], atol=1e-9)
    np.testing.assert_allclose(rbf, [np.mean(list(LECTURE_RBF.values())) - 0.5, 0.01], atol=1e-9)


def test_first_record_at_by_hand():
    found = np.asarray([[0.5, 0.7, 0.6, 0.8], [0.5, 0.7, 0.6, 0.8], [0.9, 0.2, 0.2, 0.2]])
    np.testing.assert_array_equal(
        memorising.first_record_at(found, np.asarray([0.7, 0.81, 0.1])), [2, 5, 1]
    )


@pytest.mark.parametrize(
    ("layers", "units", "slide"), [(1, 100, 401), (1, 125, 501), (2, 10, 151), (2, 20, 501)]
)
def test_weights_are_those_of_the_slides_and_of_the_model(layers, units, slide, key):
    params = jax.eval_shape(jn.MLP((units,) * layers).init, key, jnp.zeros((1, 2)))
    assert memorising.weights(layers, units) == slide == count_parameters(params)


def test_kernels_solve_the_normal_equations():
    """Ridge regression with a free bias, features by a loop."""
    rng = np.random.default_rng(0)
    x, y, centres = rng.uniform(-1, 1, (80, 2)), rng.integers(0, 2, 80), rng.uniform(-1, 1, (30, 2))
    features = np.asarray([[np.exp(-9 * np.sum((p - c) ** 2)) for c in centres] for p in x])
    design = np.concatenate([features, np.ones((80, 1))], axis=1)
    free = np.diag([1.0] * 30 + [0.0])
    expected = []
    penalties = (1e-4, 1e-3, 1e-2)
    for penalty in penalties:
        w = np.linalg.solve(design.T @ design / 80 + penalty * free, design.T @ (2 * y - 1) / 80)
        expected.append(np.mean((design @ w > 0) == y))
    assert len(set(expected)) > 1
    np.testing.assert_allclose(memorising.rbf_accuracies(x, y, centres, 9.0, penalties), expected)


def test_kernel_accuracies_have_their_axes(key):
    """More centres than points, and a side that makes g / 4 of g."""
    config = Config(points=(6, 12), kernels=(2, 20), seeds=3, sides=(2.0, 1.0, 4.0))
    point_key, centre_key = jax.random.split(key)
    drawn = memorising.draw_points(config, point_key)
    found = memorising.kernel_accuracies(config, centre_key, drawn)
    assert found.shape == (2, 3, 3, 2, 3)
    point_key, centre_key = (jax.random.split(k, 3)[1] for k in (point_key, centre_key))
    x, y = (np.asarray(draw(point_key, 12)[name]) for name in ("x", "y"))
    centres = np.asarray(draw(centre_key, 20)["x"])
    g = memorising.G / 4
    expected = memorising.rbf_accuracies(x[:6], y[:6], centres, g, config.penalties)
    np.testing.assert_array_equal(found[0, 1, :, 1, 1], expected)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_curves_are_single_runs_on_the_first_points(activation, key):
    short = {"seeds": 3, "updates": 9, "records": 3}
    config = Config(points=(16, 48), learning_rate=0.05, activation=activation, **short)
    point_key, train_key = jax.random.split(key)
    drawn = memorising.draw_points(config, point_key)
    found = memorising.curves(config, train_key, drawn, 2, (2, 3), 16)
    assert found.shape == (2, 3, 3)
    spec = jn.TrainSpec(
        jn.MLP((3, 3), activation=activation),
        "binary_cross_entropy",
        9,
        optimizer=adam_cosine(9),
        record_every=3,
    )
    part = {name: np.asarray(a)[2, :16] for name, a in drawn.items()}
    keys = jax.random.split(train_key, (2, 3))
    for i, width in enumerate((2, 3)):
        hparams = {"learning_rate": 0.05, "width": width}
        _, history = jn.fit(spec, keys[i, 2], Dataset(part), hparams)
        np.testing.assert_allclose(found[i, 2], history["train_accuracy"], atol=1e-6)
