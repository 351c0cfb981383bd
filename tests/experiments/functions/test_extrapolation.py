"""`extrapolation`: limits of networks in closed form; its claims on made-up outputs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from experiments.functions import extrapolation
from experiments.functions.extrapolation import FUNCTIONS, bend, change, errors, far_points
from experiments.lab import run


def test_far_points_are_on_both_sides():
    points = far_points()
    assert points.shape == (2, len(extrapolation.DISTANCES), 3)
    np.testing.assert_array_equal(points[0], -points[1])
    np.testing.assert_array_equal(points[1, :2], [[2, 3, 4], [4, 6, 8]])


def test_targets_are_scaled_on_the_training_range():
    train, x = np.linspace(-2, 2, 9), np.asarray([0.0, 5.0])
    y, target = extrapolation.scale(np.square, train, x)
    assert y.mean() == pytest.approx(0)
    assert y.var() == pytest.approx(1)
    np.testing.assert_allclose(target * np.std(train**2) + np.mean(train**2), [0, 25])


def test_change_and_bend_of_known_functions():
    x = far_points()
    assert change(0 * x + 3).max() == 0
    assert bend(5 * x - 2).max() < 1e-12
    np.testing.assert_allclose(change(5 * x)[1], 5 * x[1, :, 0] / (1 + 10 * x[1, :, 0]))
    square = x**2
    np.testing.assert_allclose(bend(square)[0], 0.5 * square[0, :, 0] / (1 + 4 * square[0, :, 0]))


def test_random_networks_go_where_their_units_say(key):
    """One hidden layer: sum of +-u for tanh, the slopes of the active units for ReLU."""
    x = far_points()[1, -1]
    for activation in ("tanh", "relu"):
        model = jn.MLP((16,), activation=activation)
        params = model.init(key, jnp.zeros((1, 1)))
        w, u = (np.asarray(params["params"][n]["weight"], float) for n in ("hidden_0", "output"))
        values = np.asarray(model.apply(params, jnp.asarray(x)[:, None]))[:, 0]
        if activation == "tanh":
            np.testing.assert_allclose(values, (u[0] * np.sign(w[:, 0])).sum(), rtol=1e-4)
            assert change(values) < 1e-6
        else:
            np.testing.assert_allclose(values, x * (u[0] * np.maximum(w[:, 0], 0)).sum(), rtol=1e-4)
            assert bend(values) < 1e-5
            assert change(values) > 0.1


def made_up(inside=0.01, outside=None, tanh_far=0.0, relu_far=0.0):
    """Five starts that miss every function by given errors inside and outside, and far values."""
    x = np.linspace(-6, 6, 121)
    factors = np.linspace(0.9, 1.1, 5)[:, None]
    outside = {"sine": 1.0, "parabola": 2.0, "line": 0.02} | (outside or {})
    result = {"x": x}
    distances = np.broadcast_to(far_points(), (5, *far_points().shape))
    for name, function in FUNCTIONS.items():
        target = function(x)
        result[f"target_{name}"] = target
        miss = np.where(np.abs(x) <= 2, inside, outside[name])
        for activation in extrapolation.ACTIVATIONS:
            result[f"{activation}_{name}"] = target[None] + factors * miss[None]
        result[f"far_tanh_{name}"] = 3 + tanh_far * np.sign(distances - 3.2e6)
        result[f"far_relu_{name}"] = distances * (1 + relu_far * (np.abs(distances) > 3.2e6))
    return result


def judged(result):
    rows = run.claims_of("extrapolation", result)
    return {row["claim"]: {part["part"]: part["verdict"] for part in row["parts"]} for row in rows}


def test_errors_by_a_loop():
    result = made_up(inside=0.3, outside={"sine": 0.7})
    inside, outside = errors(result, "tanh", "sine")
    for seed in range(5):
        near, far = [], []
        for x, y, t in zip(
            result["x"], result["tanh_sine"][seed], result["target_sine"], strict=True
        ):
            if abs(x) <= 4:
                (near if abs(x) <= 2 else far).append((y - t) ** 2)
        assert inside[seed] == pytest.approx(np.sqrt(np.mean(near)))
        assert outside[seed] == pytest.approx(np.sqrt(np.mean(far)))


def test_every_claim_holds_for_good_outputs():
    """A line may be continued: the claim is on curves."""
    found = judged(made_up())
    assert {name: len(parts) for name, parts in found.items()} == {
        "interpolates": 6,
        "tanh_extrapolates_badly": 4,
        "relu_extrapolates_badly": 4,
        "tanh_constant": 1,
        "relu_straight": 1,
    }
    assert {verdict for parts in found.values() for verdict in parts.values()} == {"reproduced"}


BADLY = ("tanh_extrapolates_badly", "relu_extrapolates_badly")
EVERY = tuple(f"{label}, {name}" for label in ("tanh", "ReLU") for name in FUNCTIONS)
CONTRARY = {
    "bad inside": (
        {"inside": 0.06, "outside": {"sine": 3.0}},
        {"interpolates": EVERY},
    ),
    "less than half outside": (
        {"outside": {"sine": 0.4}},
        dict.fromkeys(BADLY, ("sine, outside",)),
    ),
    "less than ten times": (
        {"inside": 0.04, "outside": {"parabola": 0.35}},
        dict.fromkeys(BADLY, ("parabola, outside", "parabola, against inside")),
    ),
    "half, but only five times": (
        {"inside": 0.14, "outside": {"sine": 0.7}},
        {"interpolates": EVERY} | dict.fromkeys(BADLY, ("sine, against inside",)),
    ),
    "tanh still moves": ({"tanh_far": 0.01}, {"tanh_constant": ("far out",)}),
    "ReLU bends": ({"relu_far": 0.01}, {"relu_straight": ("far out",)}),
}


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_outputs_refute_their_parts_only(changes, failing):
    found = {
        claim: refuted
        for claim, parts in judged(made_up(**changes)).items()
        if (refuted := tuple(name for name, verdict in parts.items() if verdict == "refuted"))
    }
    assert found == failing


def test_a_program_serves_all_functions(key, compilations):
    config = extrapolation.SMOKE
    data = [
        extrapolation.Dataset({"x": np.ones((4, 1)), "y": np.full((4, 1), y)}) for y in (0.0, 1)
    ]
    keys, x = jax.random.split(key, 3), np.zeros(2)
    extrapolation._train(config, keys, "tanh", data[0], x)
    before = compilations()
    extrapolation._train(config, keys, "tanh", data[1], x)
    assert compilations() == before
