"""What `perceptron_mnist` takes from made-up results; test_smoke.py runs it small."""

import jax
import numpy as np
import pytest

from experiments.images import perceptron_mnist
from experiments.lab import run
from experiments.lab.config import configure
from jaxnets import classical


def result(epochs=9, left=0.0, test=0.0014, share=0.5, scaled=1.0, changes=None, data="mnist"):
    """32 orders and 20 sets; `share` of the bound is needed."""
    changes = perceptron_mnist.LECTURE["changes"] if changes is None else changes
    return {
        "data": np.asarray(data),
        "changes": np.asarray(changes),
        "train_error": np.zeros(len(changes)),
        "test_error": np.full(len(changes), 0.0014),
        "order_epochs": epochs + np.tile([-1, 0, 0, 1], 8),
        "order_train_error": np.where(np.arange(32) < 32 * left, 1e-4, 0.0),
        "order_test_error": test + np.tile([-0.0003, 0.0003], 16),
        "updates": np.full(33, 2000 * share),
        "bound": np.asarray(2000.0),
        "set_updates": np.full(20, 300.0),
        "set_bounds": np.full(20, 400.0),
        "set_bounds_scaled": np.full(20, 400.0 * scaled),
    }


def judge(**changes):
    return {row["claim"]: row for row in run.claims_of("perceptron_mnist", result(**changes))}


def verdicts(row):
    return [part["verdict"] for part in row["parts"]]


def test_claims_hold_for_the_lectures_own_numbers():
    for row in judge().values():
        assert set(verdicts(row)) == {"reproduced"}


CONTRARY = {
    "many epochs": ({"epochs": 20}, "converges", 1),
    "few epochs": ({"epochs": 4}, "converges", 1),
    "errors left": ({"left": 0.5}, "converges", 0),
    "poor on others": ({"test": 0.003}, "converges", 2),
    "too good on others": ({"test": 0.0001}, "converges", 2),
    "beyond the bound": ({"share": 1.01}, "bound_holds", 1),
    "scaled": ({"scaled": 1.001}, "scale_free", 0),
}


@pytest.mark.parametrize(("changes", "claim", "part"), CONTRARY.values(), ids=CONTRARY)
def test_a_contrary_number_refutes_its_part(changes, claim, part):
    assert verdicts(judge(**changes)[claim])[part] == "refuted"


def test_random_sets_count_for_the_bound_too():
    made_up = result() | {"set_updates": np.append(np.full(19, 300.0), 401.0)}
    rows = {row["claim"]: row for row in run.claims_of("perceptron_mnist", made_up)}
    assert verdicts(rows["bound_holds"]) == ["refuted", "reproduced"]


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ((64, 24, 10, 6, 5, 4, 3, 2, 0), 0),
        ((60, 24, 10, 6, 5, 4, 3, 2, 0), -4),
        ((64, 24, 10, 6, 5, 4, 3, 0), -2),
        ((64, 24, 10, 6, 5, 4, 3, 2, 7, 0), 7),
    ],
)
def test_the_trace_is_compared_epoch_by_epoch_but_decides_nothing(changes, difference):
    row = judge(changes=changes)["printed_trace"]
    assert row["parts"][0]["estimate"] == difference
    assert row["status"] == "not comparable"
    assert verdicts(row) == ["refuted" if difference else "reproduced"]


def test_without_mnist_only_the_theorems_are_judged():
    rows = judge(data="digits", epochs=40)
    assert [name for name, row in rows.items() if row["status"] == "reproduced"] == [
        "bound_holds",
        "scale_free",
    ]
    assert {row["ours"] for row in rows.values() if row["status"] == "not judged"} == {
        "needs MNIST"
    }


@pytest.mark.parametrize("bound", [np.inf, np.nan])
def test_a_bound_that_is_not_finite_says_nothing(bound):
    rows = run.claims_of("perceptron_mnist", result() | {"bound": np.asarray(bound)})
    (row,) = (row for row in rows if row["claim"] == "bound_holds")
    assert row["status"] == "not judged"


def test_the_table_sets_the_lectures_numbers_next_to_ours():
    table = perceptron_mnist.table(result(changes=(42, 0)))
    assert "| 0 | 42 | 0.00 | 0.14 | 64 |" in table
    assert "32 random orders: 9.0 ± 0.7 epochs, test error 0.14 ± 0.03 %" in table


@pytest.mark.parametrize(
    ("pixels", "ends"), [("0 to 255", (0, 255)), ("0 to 1", (0, 1)), ("-1 to 1", (-1, 1))]
)
def test_pixels_have_the_range_that_they_say(pixels, ends):
    train, _, _ = perceptron_mnist._zeros_and_ones("digits", pixels)
    np.testing.assert_allclose([train["x"].min(), train["x"].max()], ends)


def test_standardised_pixels_have_the_mean_and_variance_of_training():
    train, test, _ = perceptron_mnist._zeros_and_ones("digits", "standardised")
    np.testing.assert_allclose([train["x"].mean(), train["x"].std()], [0, 1], atol=1e-5)
    assert abs(test["x"].mean()) > 1e-4


def test_mirror_images_move_the_widest_margin_to_the_origin():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    x += np.sign(x @ [1.0, 2.0, -1.0])[:, None] * np.asarray([0.1, 0.2, -0.1])
    y = (x @ [1.0, 2.0, -1.0] > 0).astype(int)
    mirrored = perceptron_mnist._mirrored(x, y)
    margin = classical.max_margin(np.asarray(mirrored["x"]), np.asarray(mirrored["y"]))
    assert abs(margin["b"]) < 1e-6 * np.linalg.norm(margin["w"])
    assert ((x @ np.asarray(margin["w"]) > 0) == y).all()


def test_without_a_bias_the_bound_holds_too():
    config = configure(perceptron_mnist.SMOKE, ["bias=none"])
    made = perceptron_mnist.run(config, jax.random.key(0))
    assert np.isfinite(made["bound"])
    assert (made["updates"] <= made["bound"]).all()
