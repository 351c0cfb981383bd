"""The lectures' network of words: gathers against one-hot products, by hand against jax.grad."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import backprop
from jaxnets.data import Dataset
from jaxnets.models import WordNet, count_parameters
from jaxnets.models.word_net import window_mean
from jaxnets.text import corpus
from jaxnets.text.vocabulary import END

WORDS, DIMENSIONS = 11, 5


def contexts(window, batch=7, seed=0):
    """Numbers of words, some missing, and one window without any."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, WORDS, (batch, window)).astype(np.int32)
    x[2] = -1
    return x, rng.integers(0, WORDS, batch).astype(np.int32)


def lecture(params, x):
    """As the lecture writes it: sums of products with one-hot vectors over the context size."""
    weights = jax.tree.map(np.asarray, params["params"])
    rows = []
    for window in x:
        present = [word for word in window if word >= 0]
        h = np.zeros(weights["embedding"].shape[1])
        for word in present:
            h = h + np.eye(WORDS)[word] @ weights["embedding"]
        rows.append(1 / (1 + np.exp(-h / max(len(present), 1))))
    return np.asarray(rows) @ weights["output"]


@pytest.mark.parametrize("window", [1, 2, 6])
def test_gathers_equal_one_hot_products(key, window):
    model, (x, _) = WordNet(WORDS, DIMENSIONS), contexts(window)
    params = model.init(key, jnp.asarray(x))
    found = model.apply(params, jnp.asarray(x))
    assert found.shape == (7, WORDS)
    np.testing.assert_allclose(found, lecture(params, x), rtol=1e-6, atol=1e-6)
    hot = jnp.where(x[..., None] >= 0, jax.nn.one_hot(x, WORDS), 0)
    mean = hot.sum(1) / jnp.maximum((x >= 0).sum(1, keepdims=True), 1)
    product = mean @ params["params"]["embedding"]
    np.testing.assert_allclose(window_mean(params["params"]["embedding"], x), product, atol=1e-6)


def test_it_has_the_lectures_parameters(key):
    model = WordNet(WORDS, DIMENSIONS)
    params = model.init(key, jnp.zeros((1, 2), jnp.int32))
    assert count_parameters(params) == 2 * WORDS * DIMENSIONS


@pytest.mark.parametrize("window", [1, 4, 9])
def test_gradients_by_hand_are_those_of_jax(x64, key, window):
    model, (x, y) = WordNet(WORDS, DIMENSIONS), contexts(window, batch=30)
    batch = {"x": jnp.asarray(x), "y": jnp.asarray(y)}
    params = model.init(key, batch["x"])
    objective = jn.Objective(model, "softmax_cross_entropy", l2=0.01)
    (value, _), found = backprop.value_and_grad(objective)(params, batch)
    (same, _), want = jax.value_and_grad(objective, has_aux=True)(params, batch)
    np.testing.assert_allclose(value, same, rtol=1e-14)
    assert jax.tree.structure(found) == jax.tree.structure(want)
    for ours, theirs in zip(jax.tree.leaves(found), jax.tree.leaves(want), strict=True):
        assert jnp.linalg.norm(ours - theirs) <= 1e-12 * jnp.linalg.norm(theirs)


def test_training_learns_which_word_is_missing(key):
    lines = ["north wind blows", "south wind calms", "east sun rises", "west sun sets"] * 8
    text = corpus.read(lines, min_count=1)
    x, y = corpus.contexts(text.ids, 2)
    model = WordNet(len(text.vocabulary.words), 8)
    spec = jn.TrainSpec(model, "softmax_cross_entropy", 40, 16)
    _, history = jn.fit(spec, key, Dataset({"x": x, "y": y}), {"learning_rate": 0.1})
    assert history["train_accuracy"][-1] == 1
    by_hand = jn.TrainSpec(
        model, "softmax_cross_entropy", 40, 16, value_and_grad=backprop.value_and_grad
    )
    _, same = jn.fit(by_hand, key, Dataset({"x": x, "y": y}), {"learning_rate": 0.1})
    np.testing.assert_allclose(same["train_loss"], history["train_loss"], rtol=1e-3)


def slow_contexts(lines, reach):
    """Word by word."""
    found = []
    for line in lines:
        for i, word in enumerate(line):
            around = [
                line[j] if 0 <= j < len(line) else None for j in range(i - reach, i + reach + 1)
            ]
            del around[reach]
            if any(around):
                found.append((tuple(around), word))
    return found


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_contexts_stay_in_their_line(reach):
    lines = ["a b c d", "", "e", "f g", "a a b a b"]
    text = corpus.read(lines, min_count=1)
    name = dict(enumerate(text.vocabulary.words)) | {END: None}
    x, y = corpus.contexts(text.ids, reach)
    found = [
        (tuple(name[int(n)] for n in row), name[int(word)]) for row, word in zip(x, y, strict=True)
    ]
    assert found == slow_contexts([line.split() for line in lines], reach)


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[0, WORDS]], ValueError, f"the word number {WORDS} in sample 0"),
        ([[0.5, 1]], TypeError, "word numbers are integers"),
        ([0, 1], ValueError, r"contexts are \[samples, window\]"),
        (np.zeros((0, 2), int), ValueError, r"contexts are \[samples, window\]"),
    ],
)
def test_contexts_that_do_not_fit_are_refused(key, x, error, message):
    spec = jn.TrainSpec(WordNet(WORDS, 3), "softmax_cross_entropy", 1)
    data = Dataset({"x": np.asarray(x), "y": np.zeros(len(x), np.int32)})
    with pytest.raises(error, match=message):
        jn.fit(spec, key, data, {"learning_rate": 0.1})


@pytest.mark.parametrize("sizes", [(0, 3), (3, 0)])
def test_sizes_below_1_are_refused(sizes):
    with pytest.raises(ValueError, match=r"words|dimensions"):
        WordNet(*sizes)
