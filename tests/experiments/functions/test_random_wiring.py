"""The claims on random wirings, and the contenders' units and weights."""

import jax
import numpy as np
import pytest

import jaxnets as jn
from experiments.functions import random_wiring
from experiments.lab import run
from experiments.shared import planar
from jaxnets.data import Dataset, load
from jaxnets.models import count_parameters
from jaxnets.models.random_wiring import wiring

JITTER = np.linspace(-0.01, 0.01, 8)
TEST = 2000


def made_up(images=(0.96, 0.98, 0.98), board=(0.5, 0.9, 0.9), spread=JITTER):
    """Of the linear, the layered and the randomly wired network: which images, how many points."""
    result = {"data": np.asarray("digits")}
    for contender, read, decided in zip(random_wiring.CONTENDERS, images, board, strict=True):
        correct = np.arange(TEST) < round(TEST * read)
        missed = np.arange(8)[:, None] == np.arange(TEST)
        result[f"images_{contender}"] = (correct & ~missed).astype(np.float32)
        wobble = spread if contender == "random" else 0.5 * JITTER
        result[f"board_{contender}"] = decided + wobble
    return result


def judged(result):
    rows = run.claims_of("random_wiring", result)
    return {
        f"{row['claim']}, {part['part']}": part["verdict"] for row in rows for part in row["parts"]
    }


def test_every_claim_holds_for_networks_as_good_as_layers():
    assert set(judged(made_up()).values()) == {"reproduced"}


def test_of_many_pictures_as_many_count_as_there_are_digits():
    digits = load("digits")
    assert jax.tree.all(jax.tree.map(np.array_equal, random_wiring.few(digits), digits))
    parts = [{"x": np.zeros((3000, 784)), "y": np.arange(3000)}] * 3
    assert [part["y"][-1] for part in random_wiring.few(Dataset(*parts))] == [1078, 358, 1999]


CASES = {
    "better": ({"board": (0.5, 0.8, 0.9)}, {}),
    "half a point less": ({"images": (0.96, 0.98, 0.975)}, {}),
    "two points less": (
        {"images": (0.96, 0.98, 0.96)},
        {"images, against layers": "refuted"},
    ),
    "far less": (
        {"images": (0.96, 0.98, 0.7)},
        {"images, accuracy": "refuted", "images, against layers": "refuted"},
    ),
    "worse on the board": (
        {"board": (0.5, 0.9, 0.85)},
        {"board, against layers": "refuted"},
    ),
    "as good as a linear model": (
        {"board": (0.85, 0.9, 0.9)},
        {"board, against a linear model": "refuted"},
    ),
    "too uncertain": ({"spread": 10 * JITTER}, {"board, against layers": "inconclusive"}),
}


@pytest.mark.parametrize(("changes", "failing"), CASES.values(), ids=CASES)
def test_numbers_decide_about_their_own_parts_only(changes, failing):
    found = judged(made_up(**changes))
    assert {part: verdict for part, verdict in found.items() if verdict != "reproduced"} == failing


def test_gaps_are_paired():
    """What seeds have in common does not widen the interval."""
    result = made_up()
    common = np.linspace(-0.2, 0.2, 8)
    for contender in ("layered", "random"):
        result[f"board_{contender}"] = result[f"board_{contender}"] + common
    assert judged(result)["board, against layers"] == "reproduced"


def test_one_test_set_counts_as_one():
    """Starts that agree do not make up for few images: here 3 more of 100 are missed."""
    result = made_up()
    for contender, missed in (("layered", 2), ("random", 3)):
        correct = np.broadcast_to(np.arange(100) >= missed, (8, 100))
        result[f"images_{contender}"] = correct.astype(np.float32)
    assert judged(result)["images, against layers"] == "inconclusive"


@pytest.mark.parametrize("rates", [(0.01,), (0.001, 0.1)])
def test_accuracies_on_the_board_are_those_of_single_runs(key, rates):
    config = random_wiring.Config(rates=rates, board_seeds=2, samples=64, board_epochs=5)
    board = random_wiring.Problem(2, "binary_cross_entropy", 1, "tanh", 5, (4, 4), (2,) * 4)
    model = board.models()["layered"]
    found = random_wiring._decide_board(config, board, model, key)[""]
    data_key, start = jax.random.split(key, (2, 2))[1]
    data = planar.draw("checkerboard", data_key, 64)
    spec = random_wiring._spec(config, board, model, 64)
    runs = [jn.fit(spec, start, data._replace(test=None), {"learning_rate": r}) for r in rates]
    best = max(runs, key=lambda one: one[1]["valid_accuracy"][-1])
    outputs = model.apply(best[0].params, data.test["x"])[:, 0]
    assert found[1] == pytest.approx(np.mean((outputs > 0) == data.test["y"]))


def problem(layers, levels):
    return random_wiring.Problem(5, "softmax_cross_entropy", 3, "relu", 1, layers, levels)


@pytest.mark.parametrize(("layers", "levels"), [((6, 4), (2,) * 5), ((7,), (3, 4))])
def test_contenders_have_equally_many_units_and_weights(key, layers, levels):
    models = problem(layers, levels).models()
    x = np.zeros((1, 5), np.float32)
    layered = count_parameters(jax.eval_shape(models["layered"].init, key, x))
    params = jax.jit(models["random"].init)(key, x)
    assert int(wiring(params).sum()) + len(params["params"]["bias"]) == layered


def test_contenders_must_have_equally_many_units():
    with pytest.raises(ValueError, match="differ in units"):
        problem((6, 4), (2,) * 4).models()
