import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.analysis import evaluate
from jaxnets.models import MLP
from jaxnets.training.optimizers import adam_cosine


@pytest.fixture
def linear():
    """A linear model of two features and two classes, and its params."""
    model = MLP((), 2)
    weight = jnp.asarray([[0.0, 0.0], [1.0, -1.0]])
    return model, {"params": {"output": {"weight": weight, "bias": jnp.zeros(2)}}}


def test_predictions_and_accuracy_against_a_loop(linear):
    model, params = linear
    x = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    expected = [int(row[0] - row[1] > 0) for row in x]
    y = np.asarray(expected)
    y[:10] = 1 - y[:10]
    predicted = evaluate.predictions(model, "softmax_cross_entropy", params, x)
    np.testing.assert_array_equal(predicted, expected)
    accuracy = evaluate.accuracy(model, "softmax_cross_entropy", params, {"x": x, "y": y})
    assert float(accuracy) == pytest.approx(0.8)


def test_accuracies_of_stacked_networks(linear):
    model, params = linear
    part = {"x": np.asarray([[2.0, 1.0], [1.0, 2.0]], np.float32), "y": np.asarray([1, 0])}
    both = jax.tree.map(lambda a: jnp.stack([a, -a]), params)
    ours = evaluate.accuracies(model, "softmax_cross_entropy", both, part)
    np.testing.assert_allclose(ours, [1.0, 0.0])


def test_plane_is_row_by_row_from_the_bottom_left():
    points = evaluate.plane((0.0, 1.0, 10.0, 20.0), 3)
    assert points.shape == (9, 2)
    np.testing.assert_allclose(points[[0, 1, 3, 8]], [[0, 10], [0.5, 10], [0, 15], [1, 20]])


def test_adam_cosine_follows_half_a_cosine():
    tx = adam_cosine(10)(learning_rate=0.5)
    params = jnp.zeros(())
    state = tx.init(params)
    sizes = []
    for _ in range(12):
        update, state = tx.update(jnp.ones(()), state, params)
        sizes.append(-float(update))
    expected = [0.25 * (1 + np.cos(np.pi * min(t / 10, 1))) for t in range(12)]
    np.testing.assert_allclose(sizes, expected, rtol=1e-4, atol=1e-6)
    assert adam_cosine(10) == adam_cosine(10)
