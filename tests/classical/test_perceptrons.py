"""The perceptron against a plain loop, its bound, and the lecture's MNIST problem."""

import gzip
from pathlib import Path

import jax
import numpy as np
import pytest
from sklearn.svm import SVC

from jaxnets.classical import (
    max_margin,
    perceptron,
    perceptron_bound,
    perceptron_gd,
)

MNIST = Path(__file__).parents[3] / "shared" / "data" / "mnist"


def loop(x, y, max_epochs, constant):
    """The lecture's program, in float64, with its changes per epoch."""
    x = np.column_stack([x, np.full(len(x), constant)]).astype(np.float64)
    t = np.where(y == 1, 1, -1)
    w, changes, errors = np.zeros(x.shape[1]), [], []
    for _ in range(max_epochs):
        count = 0
        for x_n, t_n in zip(x, t, strict=True):
            if x_n.dot(w) * t_n <= 0:
                w = w + t_n * x_n
                count += 1
        changes.append(count)
        errors.append(np.mean((x @ w >= 0) != (t > 0)))
        if count == 0:
            break
    return w, changes, errors


def separable(seed, samples=60, features=2, gap=0.1):
    """Points in a cube and the sides of a random hyperplane, none closer to it than `gap`."""
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=features), rng.normal() * 0.3
    x = rng.uniform(-1, 1, (40 * samples, features))
    distance = (x @ w + b) / np.linalg.norm(w)
    keep = np.flatnonzero(np.abs(distance) > gap)[:samples]
    return x[keep].astype(np.float32), (distance[keep] > 0).astype(np.int32)


def noisy(seed):
    x, y = separable(seed)
    return x, np.where(np.random.default_rng(seed).random(len(y)) < 0.1, 1 - y, y)


def grid(seed):
    """Integers, where the sums are exact, many samples repeat and many lie on the boundary."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, (80, 3)).astype(np.float32)
    return x, (x.sum(axis=1) + rng.integers(0, 2, 80) > 0).astype(np.int32)


@pytest.mark.parametrize("constant", [0.0, 1.0, 3.0])
@pytest.mark.parametrize("make", [separable, noisy, grid])
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_loop_update_for_update(make, seed, constant):
    x, y = make(seed)
    w, changes, errors = loop(x, y, 15, constant)
    params, history = perceptron(x, y, max_epochs=15, constant=constant, x_test=-x, y_test=1 - y)

    epochs = len(changes)
    assert history["epochs"] == epochs
    assert history["updates"] == sum(changes)
    padded = changes + [changes[-1]] * (15 - epochs)
    np.testing.assert_array_equal(history["changes"], padded)
    errors = errors + [errors[-1]] * (15 - epochs)
    np.testing.assert_allclose(history["train_error"], errors, atol=1e-6)
    np.testing.assert_allclose(params["w"], w[:-1], atol=1e-4)
    np.testing.assert_allclose(params["b"], w[-1] * constant, atol=1e-4)
    flipped = np.mean((-x @ w[:-1] + w[-1] * constant >= 0) != (1 - y))
    np.testing.assert_allclose(history["test_error"][-1], flipped, atol=1e-6)


def test_vmap_over_data_sets_that_need_different_numbers_of_epochs():
    x, y = (np.stack(a) for a in zip(*[separable(s) for s in range(5)], strict=True))
    _, histories = jax.vmap(lambda x, y: perceptron(x, y, max_epochs=40))(x, y)
    epochs = [len(loop(a, b, 40, 1.0)[1]) for a, b in zip(x, y, strict=True)]
    assert len(set(epochs)) > 1
    np.testing.assert_array_equal(histories["epochs"], epochs)


def test_malformed_arguments_are_refused():
    x, y = separable(0)
    with pytest.raises(ValueError, match="max_epochs is 0"):
        perceptron(x, y, max_epochs=0)
    with pytest.raises(ValueError, match="only one of them"):
        perceptron(x, y, max_epochs=1, x_test=x)


@pytest.mark.parametrize("features", [2, 10])
def test_updates_stay_below_the_bound(features):
    for seed in range(8):
        x, y = separable(seed, features=features, gap=0.03)
        _, history = perceptron(x, y, max_epochs=2000)
        assert history["train_error"][-1] == 0
        tight = perceptron_bound(x, y, max_margin(x, y))["bound"]
        assert 1 <= history["updates"] <= tight
        loose = perceptron_bound(x, y, perceptron(x, y, max_epochs=2000)[0])["bound"]
        assert tight <= loose * 1.0001


def test_the_bound_by_hand():
    x, y = np.array([[3.0, 4.0], [-1.0, 0.0]]), np.array([1, 0])
    bound = perceptron_bound(x, y, {"w": np.array([2.0, 0.0]), "b": np.array(0.0)}, constant=0)
    np.testing.assert_allclose([bound["radius"], bound["gamma"], bound["bound"]], [5, 2, 25])
    shifted = {"w": np.array([0.6, 0.0]), "b": np.array(1.6)}  # 0.6 and 0.8 over a constant of 2
    bound = perceptron_bound(x, y, shifted, constant=2.0)
    np.testing.assert_allclose(bound["radius"], np.sqrt(29), rtol=1e-6)
    assert bound["bound"] == np.inf  # 0.6 * -1 + 1.6 is on the wrong side


@pytest.mark.parametrize("scale", [0.25, 1024.0])
def test_scaling_the_population_changes_neither_bound_nor_updates(scale):
    x, y = separable(3)
    _, history = perceptron(x, y, max_epochs=500)
    bound = perceptron_bound(x, y, max_margin(x, y))["bound"]
    _, scaled = perceptron(x * scale, y, max_epochs=500, constant=scale)
    margin = max_margin(x * scale, y, constant=scale)
    np.testing.assert_array_equal(scaled["changes"], history["changes"])
    np.testing.assert_allclose(
        perceptron_bound(x * scale, y, margin, constant=scale)["bound"], bound, rtol=1e-4
    )


@pytest.mark.parametrize("seed", range(2))
def test_max_margin_beats_every_angle(seed):
    x, y = separable(seed)
    x = x[np.abs(x[:, 0]) > 0.1]
    y = (x[:, 0] > 0).astype(np.int32)
    angles = np.linspace(0, 2 * np.pi, 20_000)
    normals = np.stack([np.cos(angles), np.sin(angles)])
    best = (np.where(y == 1, 1, -1)[:, None] * (x @ normals)).min(axis=0).max()
    separator = max_margin(x, y, constant=0.0)
    gamma = perceptron_bound(x, y, separator, constant=0.0)["gamma"]
    assert best * (1 - 1e-6) <= gamma / 2 <= best + np.sqrt(2) * angles[1]


@pytest.mark.parametrize("seed", range(3))
def test_max_margin_is_the_hard_margin_svm_of_mirrored_samples(seed):
    x, y = separable(seed, features=10)
    z = np.where(y == 1, 1, -1)[:, None] * np.column_stack([x, np.ones(len(x))])
    machine = SVC(kernel="linear", C=1e8, tol=1e-8)
    w = machine.fit(np.concatenate([z, -z]), np.repeat([1, 0], len(z))).coef_[0]
    separator = max_margin(x, y)
    ours = np.append(separator["w"], separator["b"])
    np.testing.assert_allclose(ours, w / np.linalg.norm(w), atol=1e-4)


def test_max_margin_refuses_xor():
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    with pytest.raises(ValueError, match="no hyperplane separates"):
        max_margin(x, np.array([0, 1, 1, 0]))


def gd_loop(params, x, y, rate, epochs, slope):
    w, b = np.asarray(params["w"], np.float64), float(params["b"])
    for _ in range(epochs):
        for x_n, t_n in zip(x, np.where(y == 1, 1, -1), strict=True):
            ds = slope(w @ x_n + b, t_n)
            w, b = w - rate * ds * x_n, b - rate * ds
    return w, b


SLOPES = {"squared": lambda s, t: s - t, "perceptron": lambda s, t: -t if s * t <= 0 else 0}


@pytest.mark.parametrize("loss", list(SLOPES))
def test_gradient_descent_equals_the_loop_and_separates(loss):
    x, y = separable(1)
    key = jax.random.key(0)
    start, _ = perceptron_gd(key, x, y, learning_rate=0.05, epochs=0, loss=loss)
    params, history = perceptron_gd(key, x, y, learning_rate=0.05, epochs=30, loss=loss)
    w, b = gd_loop(start, x, y, 0.05, 30, SLOPES[loss])
    np.testing.assert_allclose(params["w"], w, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(params["b"], b, rtol=1e-3, atol=1e-4)
    assert history["train_error"].shape == (30,)
    error = np.mean((x @ w + b >= 0) != y)
    np.testing.assert_allclose(history["train_error"][-1], error, atol=1e-6)
    assert error < 0.05


@pytest.mark.parametrize("loss", list(SLOPES))
def test_gradient_descent_cannot_learn_xor(loss):
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([0, 1, 1, 0])
    keys = jax.random.split(jax.random.key(1), 20)
    fit = jax.vmap(lambda k: perceptron_gd(k, x, y, learning_rate=0.1, epochs=100, loss=loss))
    _, history = fit(keys)
    assert history["train_error"].min() >= 0.25


def test_gradient_descent_starts_where_the_key_says():
    x, y = separable(1)
    first, _ = perceptron_gd(jax.random.key(0), x, y, learning_rate=0.1, epochs=0)
    second, _ = perceptron_gd(jax.random.key(1), x, y, learning_rate=0.1, epochs=0)
    assert not np.allclose(first["w"], second["w"])


def test_an_unknown_loss_is_refused():
    x, y = separable(1)
    with pytest.raises(ValueError, match="did you mean 'squared'"):
        perceptron_gd(jax.random.key(0), x, y, learning_rate=0.1, epochs=1, loss="square")


def read_zeros_and_ones(part):
    images = gzip.decompress((MNIST / f"{part}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((MNIST / f"{part}-labels-idx1-ubyte.gz").read_bytes())
    y = np.frombuffer(labels, np.uint8, offset=8)
    x = np.frombuffer(images, np.uint8, offset=16).reshape(len(y), 784)
    return x[y < 2], y[y < 2].astype(np.int32)


def exact_changes(x, y):
    """Changes per epoch, from one misclassified sample to the next: all integers below 2**53."""
    z = np.where(y == 1, 1.0, -1.0)[:, None] * x
    w, changes = np.zeros(x.shape[1]), []
    while not changes or changes[-1] > 0:
        n, count = 0, 0
        while n < len(z):
            wrong = np.flatnonzero(z[n : n + 256] @ w <= 0)
            if wrong.size:
                n += wrong[0]
                w = w + z[n]
                count += 1
                n += 1
            else:
                n += 256
        changes.append(count)
    return changes


@pytest.mark.skipif(not MNIST.is_dir(), reason="needs the four files of MNIST")
def test_mnist_zeros_against_ones():
    x, y = read_zeros_and_ones("train")
    x_test, y_test = read_zeros_and_ones("t10k")
    assert (x.shape, x_test.shape) == ((12665, 784), (2115, 784))
    params, history = perceptron(
        x.astype(np.float32),
        y,
        max_epochs=40,
        constant=0.0,
        x_test=x_test.astype(np.float32),
        y_test=y_test,
    )
    changes = exact_changes(x, y)
    assert history["epochs"] == len(changes)
    np.testing.assert_array_equal(history["changes"][: len(changes)], changes)
    assert history["train_error"][-1] == 0
    wrong = np.mean((x_test @ np.asarray(params["w"], np.float64) >= 0) != y_test)
    np.testing.assert_allclose(history["test_error"][-1], wrong, atol=1e-6)
    assert wrong < 0.0025
