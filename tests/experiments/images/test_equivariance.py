"""Maps of shifted images, the arithmetic of what is lost, and what is judged."""

import jax
import numpy as np
import pytest
import scipy.ndimage

from experiments.images import equivariance, shifted_maps
from experiments.lab import run
from jaxnets.models import CNN, Activate, Conv, Dense, Flatten, MaxPool
from jaxnets.models.cnn import small_cnn

MOVES = [(0, 0), (2, 0), (-1, 3), (0, -2), (5, 5)]


@pytest.mark.parametrize(("down", "right"), MOVES)
def test_moving_is_scipys_shift(down, right):
    x = np.random.default_rng(0).normal(size=(3, 7, 9, 2))
    expected = scipy.ndimage.shift(x, (0, down, right, 0), order=0, cval=0)
    np.testing.assert_array_equal(shifted_maps.shift_images(x, down, right), expected)


def values_of(layers, x, key):
    model = CNN(layers)
    params = model.init(key, x)
    return lambda x: np.asarray(model.apply(params, x, method="maps")[-1])


def test_the_difference_is_zero_only_for_the_true_shift(key):
    x = np.random.default_rng(1).normal(size=(2, 12, 12, 1)).astype(np.float32)
    maps = values_of((Conv(4, 3), Activate("tanh")), x, key)
    plain, shifted = maps(x), maps(shifted_maps.shift_images(x, 2, -1))
    assert shifted_maps.difference(plain, shifted, 2, -1) <= 1e-5
    for wrong in ((0, 0), (1, -1), (2, 0), (-2, 1)):
        assert shifted_maps.difference(plain, shifted, *wrong) > 0.1, wrong


def test_pooled_maps_move_by_whole_strides_only(key):
    x = np.random.default_rng(2).normal(size=(2, 14, 14, 1)).astype(np.float32)
    maps = values_of((Conv(4, 3), Activate("relu"), MaxPool(3)), x, key)
    plain = maps(x)
    assert shifted_maps.difference(plain, maps(shifted_maps.shift_images(x, 3, -3)), 1, -1) <= 1e-5
    assert shifted_maps.difference(plain, maps(shifted_maps.shift_images(x, 1, 0)), 0, 0) > 0.1


def test_a_layer_that_sees_positions_is_told_apart(key):
    """What shares no weights between positions fails the comparison that convolutions pass."""
    x = np.random.default_rng(3).normal(size=(2, 6, 6, 1)).astype(np.float32)
    dense = values_of((Flatten(), Dense(36)), x, key)

    def maps(x):
        return dense(x).reshape(2, 6, 6, 1)

    shifted = maps(shifted_maps.shift_images(x, 1, 0))
    assert shifted_maps.difference(maps(x), shifted, 1, 0) > 0.1


def test_difference_is_relative_to_the_largest_entry():
    maps = np.zeros((1, 3, 3, 1))
    maps[0, 0, 0, 0] = -8.0
    other = shifted_maps.shift_images(maps, 1, 1)
    other[0, 2, 2, 0] += 2.0
    assert shifted_maps.difference(maps, other, 1, 1) == 0.25


def test_stages_of_the_lectures_network():
    assert [stage[1:] for stage in shifted_maps.stages(small_cnn())] == [
        ("convolution 1", 1),
        ("convolution 1 + ReLU", 1),
        ("pooling 1", 3),
        ("convolution 2", 3),
        ("convolution 2 + ReLU", 3),
        ("pooling 2", 6),
    ]


def test_shifts_are_all_multiples_within_reach():
    assert len(shifted_maps.moves(1)) == 7 * 7 - 1
    for stride in (2, 3, 6):
        steps = {-stride, 0, stride}
        expected = {(a, b) for a in steps for b in steps} - {(0, 0)}
        assert set(shifted_maps.moves(stride)) == expected


def shifted_result(right=(0.6, 0.9), data="mnist", accuracy=0.95, **changes):
    """Made-up images that the MLP and the CNN read right at 2 pixels, all of them at 0."""
    result = {
        "data": np.asarray(data),
        "difference_trained": np.full((6, 2), 3e-7),
        "difference_random": np.zeros((6, 2)),
        "l2_output": np.asarray([0, 0, 0, 1, 1, 1, 1, 0, 0, 0.0]),
        **equivariance._counts(),
    }
    for i, (name, share) in enumerate(zip(("mlp", "cnn"), right, strict=True)):
        moved = np.random.default_rng(i).random((6, 4, 2000)) < share
        result[f"accuracy_{name}"] = np.full((6, 3), accuracy)
        result[f"lost_{name}"] = equivariance.lost(np.ones((6, 1, 2000), bool), moved)
    return result | changes


def found(result):
    """The verdicts on the parts of each claim."""
    rows = run.claims_of("equivariance", result)
    return {row["claim"]: [part["verdict"] for part in row["parts"]] for row in rows}


HOLDS = {
    "maps_move": ["reproduced"] * 2,
    "cnn_loses_less": ["reproduced"],
    "intractable": ["reproduced"] * 2,
    "worked_example": ["reproduced"],
}
CONTRARY = {
    "nothing": ({}, {}),
    "trained maps stay": (
        {"difference_trained": np.full((6, 2), 0.3)},
        {"maps_move": ["refuted", "reproduced"]},
    ),
    "one random map stays": (
        {"difference_random": np.eye(6, 2) * 2e-5},
        {"maps_move": ["reproduced", "refuted"]},
    ),
    "MLP loses as much": ({"right": (0.9, 0.9)}, {"cnn_loses_less": ["refuted"]}),
    "MLP loses less": ({"right": (0.9, 0.7)}, {"cnn_loses_less": ["refuted"]}),
    "about the margin": ({"right": (0.87, 0.9)}, {"cnn_loses_less": ["inconclusive"]}),
    "other count": (
        {"weights_dense": np.asarray(3 * 256**4)},
        {"intractable": ["refuted", "refuted"]},
    ),
    "another sign": (
        {"l2_output": -np.asarray([0, 0, 0, 1, 1, 1, 1, 0, 0, 0.0])},
        {"worked_example": ["refuted"]},
    ),
    "almost exact": (
        {"l2_output": np.asarray([0, 0, 0, 1, 1, 1, 1 + 1e-7, 0, 0, 0.0])},
        {"worked_example": ["refuted"]},
    ),
}


@pytest.mark.parametrize(("changes", "fails"), CONTRARY.values(), ids=CONTRARY)
def test_claims_on_shifts_can_fail(changes, fails):
    assert found(shifted_result(**changes)) == HOLDS | fails


def test_accuracies_need_mnist_and_networks_that_learned():
    for changes in ({"data": "digits"}, {"accuracy": 0.1}):
        assert found(shifted_result(**changes)) == HOLDS | {"cnn_loses_less": []}


def test_what_is_lost_counts_directions():
    still = np.asarray([[[True, True, False, False]]])
    moved = np.asarray([[[True, False, True, False], [True, False, False, False]]])
    np.testing.assert_array_equal(equivariance.lost(still, moved), [[0, 2, -1, 0]])


@pytest.fixture(scope="module")
def smoke():
    return equivariance.run(equivariance.SMOKE, jax.random.key(0))


def test_what_is_lost_agrees_with_the_accuracies(smoke):
    for name in equivariance.NETWORKS:
        accuracy = smoke[f"accuracy_{name}"]
        lost = smoke[f"lost_{name}"].mean(axis=1) / 4
        np.testing.assert_allclose(lost, accuracy[:, 0] - accuracy[:, 2], atol=1e-12)


def test_counts_are_the_closed_forms():
    counts = {name: int(value) for name, value in equivariance._counts().items()}
    assert counts == {
        "weights_dense": (256 * 256 * 3) ** 2,
        "weights_conv_3": 3 * 3 * 3 * 3,
        "weights_conv_5": 5 * 5 * 3 * 3,
    }
