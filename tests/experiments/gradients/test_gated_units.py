"""The networks of `gated_units`, their gradients, and what is judged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from experiments.gradients import gated_units
from experiments.lab import run
from jaxnets.models import Highway

SEEDS = 32
JITTER = np.linspace(-0.01, 0.01, SEEDS)[:, None, None]


@pytest.mark.parametrize("kind", gated_units.KINDS)
def test_gradients_by_central_differences(kind, key):
    """The norm of each square layer's gradient, entry by entry."""
    with jax.enable_x64(True):
        config = gated_units.Config(width=3, activation="tanh", gate_bias=0.5)
        model = gated_units.network(config, kind, 2)
        batch = {"x": jax.random.normal(key, (5, 3)), "y": jnp.asarray([0, 3, 9, 1, 0])}
        found = gated_units.gradient_norms(model, batch, key)
        params, objective = model.init(key, batch["x"][:1]), jn.Objective(model, gated_units.LOSS)
        for layer in range(2):

            def shifted(row, column, by, layer=layer):
                tree = jax.tree.map(jnp.asarray, params)
                if isinstance(model, Highway):
                    of = tree["params"]["layers"]
                    of["weight"] = of["weight"].at[layer, row, column].add(by)
                else:
                    of = tree["params"][f"hidden_{layer + 1}"]
                    of["weight"] = of["weight"].at[row, column].add(by)
                return float(objective(tree, batch)[0])

            slopes = [
                (shifted(i, j, 1e-5) - shifted(i, j, -1e-5)) / 2e-5 for i, j in np.ndindex(3, 3)
            ]
            assert found[layer] == pytest.approx(np.linalg.norm(slopes), rel=1e-6)


def test_networks_are_as_deep_as_each_other(key):
    config, x = gated_units.Config(), jnp.zeros((1, 64))
    plain, highway, residual = (
        gated_units.network(config, kind, 7).init(key, x)["params"] for kind in gated_units.KINDS
    )
    assert plain.keys() == residual.keys()
    assert len(plain) == 1 + 7 + 1
    assert highway["layers"]["weight"].shape == (7, 16, 16)
    assert (highway["layers"]["gate_bias"] == -config.gate_bias).all()
    assert highway["first"]["weight"].shape == plain["hidden_0"]["weight"].shape


def made_up(lost=(-4.0, -0.2, 0.3), accuracies=(0.2, 0.9, 0.9), depth=16):
    """Gradients of 2 depths that fall by so many orders, and accuracies of the deeper ones."""
    signs = np.asarray([1, -1, -1])[None, :, None]
    norms = np.ones((SEEDS, 3, 2, depth))
    norms[..., 0] = 10 ** (np.asarray(lost)[None, :, None] + 5 * signs * JITTER)
    right = np.asarray(accuracies)[None, :, None] + signs * JITTER
    return {
        "depths": np.asarray([4, depth]),
        "activation": np.asarray("sigmoid"),
        "norms": norms,
        "accuracies": np.concatenate([right, right], axis=2),
    }


CASES = {
    "as claimed": ({}, {}),
    "gates lose as much": ({"lost": (-4, -4, 0)}, {"gates_keep_gradients": {"highway"}}),
    "a bypass explodes as much": ({"lost": (-4, 0, 4)}, {"gates_keep_gradients": {"residual"}}),
    "gates train no better": (
        {"accuracies": (0.7, 0.7, 0.99)},
        {"gates_train_deep": {"highway"}},
    ),
    "all train": (
        {"accuracies": (0.9, 0.9, 0.9)},
        {"gates_train_deep": {"highway", "residual"}},
    ),
}


@pytest.mark.parametrize(("changes", "refuted"), CASES.values(), ids=CASES)
def test_claims_can_fail(changes, refuted):
    found = {
        row["claim"]: {part["part"] for part in row["parts"] if part["verdict"] == "refuted"}
        for row in run.claims_of("gated_units", made_up(**changes))
    }
    assert {name: parts for name, parts in found.items() if parts} == refuted


def test_nothing_is_judged_of_other_depths_or_where_nothing_has_learnt():
    for result, claims in (
        (made_up(depth=8), {"gates_keep_gradients", "gates_train_deep"}),
        (made_up(accuracies=(0.1, 0.2, 0.2)), {"gates_train_deep"}),
    ):
        rows = run.claims_of("gated_units", result)
        assert {row["claim"] for row in rows if row["status"] == "not judged"} == claims
