"""The program of `twenty_lines`, its lines, and the judges on made-up results."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.metrics import accuracy_score

import jaxnets as jn
from experiments.images import twenty_lines
from experiments.images.twenty_lines import Config
from experiments.lab import run
from experiments.shared import image_data
from jaxnets.data import Dataset

CONFIG = Config(hidden=6, epochs=3, batch_size=8, rate=0.5)


def samples(n=27):
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(n, 5)).astype(np.float32)
    return jnp.asarray(x), jnp.asarray((3 * x[:, 0]).astype(np.int32) + 3 * (x[:, 1] > 0.5))


def as_mlp(params):
    """The same weights as those of an `MLP` of the library, `[out, in]`."""
    W1, b1, W2, b2 = params
    layers = {"hidden_0": {"weight": W1.T, "bias": b1}, "output": {"weight": W2.T, "bias": b2}}
    return {"params": layers}


def test_the_program_trains_as_the_library_does(key):
    """The same first weights and batches, one optax step after another."""
    x, y = samples()
    after = jax.jit(twenty_lines.train, static_argnums=0)(CONFIG, key, x, y)
    keys = jax.random.split(key, CONFIG.epochs + 2)
    first = [0.01 * jax.random.normal(k, s) for k, s in zip(keys, ((5, 6), (6, 10)), strict=False)]
    params = as_mlp([first[0], jnp.zeros(6), first[1], jnp.zeros(10)])
    model = jn.MLP((6,), 10, "relu")
    optimizer = optax.sgd(CONFIG.rate)
    state = jn.State(params, optimizer.init(params), jnp.zeros((), jnp.int32), key)
    step = jax.jit(jn.make_step(jn.Objective(model, "softmax_cross_entropy"), optimizer))
    for epoch, epoch_key in enumerate(keys[2:]):
        for rows in jax.random.permutation(epoch_key, 27)[:24].reshape(3, 8):
            state, _ = step(state, {"x": x[rows], "y": y[rows]})
        ours = as_mlp([leaf[epoch] for leaf in after])
        jax.tree.map(
            lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), ours, state.params
        )
        outputs = twenty_lines.outputs([leaf[epoch] for leaf in after], x)
        np.testing.assert_allclose(outputs, model.apply(state.params, x), rtol=1e-4, atol=1e-6)


def test_accuracies_are_those_after_each_epoch(key):
    x, y = samples(40)
    data = Dataset({"x": x[:30], "y": y[:30]}, {"x": x[30:], "y": y[30:]})
    found, right = twenty_lines._results(CONFIG, {"key": key}, data)
    after = twenty_lines.train(CONFIG, key, x[:30], y[:30])
    assert found.shape == (3,)
    for epoch in range(3):
        predicted = twenty_lines.outputs([leaf[epoch] for leaf in after], x[30:]).argmax(1)
        assert float(found[epoch]) == pytest.approx(accuracy_score(y[30:], predicted))
    np.testing.assert_array_equal(right, predicted == y[30:])


def documented(a):
    """A docstring

    of four lines.
    """
    # a comment

    def inner(b):
        """Another."""
        return b  # a comment behind code

    text = """no
    docstring"""
    return inner(a) + text


def test_lines_with_code_are_counted():
    code = [line.strip() for line in twenty_lines.code(documented)]
    assert code[:3] == ["def documented(a):", "def inner(b):", "return b  # a comment behind code"]
    assert code[3:] == ['text = """no', 'docstring"""', "return inner(a) + text"]
    assert len(twenty_lines.code(documented, documented)) == 12


def test_the_lines_that_are_counted_are_the_program(key):
    """Run from its text alone, it gives the same network."""
    scope = {"jax": jax, "jnp": jnp, "lax": jax.lax}
    exec("\n".join(twenty_lines.code(twenty_lines.outputs, twenty_lines.train)), scope)
    x, y = samples()
    for ours, theirs in zip(
        scope["train"](CONFIG, key, x, y), twenty_lines.train(CONFIG, key, x, y), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("here", "name", "expected"),
    [(True, "mnist", "fashion_mnist"), (False, "mnist", "mnist"), (True, "digits", "digits")],
)
def test_fashion_takes_precedence_over_mnist_if_available(monkeypatch, here, name, expected):
    names = []

    def load(name, **options):
        names.append(name)
        return Dataset({"x": name}, None, {"x": "test"})

    monkeypatch.setattr(twenty_lines, "_is_available", lambda name: here)
    monkeypatch.setattr(twenty_lines, "load", load)
    monkeypatch.setattr(image_data.data, "load", load)
    data, found = twenty_lines._images(name)
    assert (names, found) == ([expected], expected)
    assert data.valid == {"x": "test"}


JITTER = np.linspace(-0.01, 0.01, 5)[:, None]
IMAGES = np.arange(1000)


def right(accuracy):
    """Which images five networks read right, each a few others."""
    return (IMAGES + 3 * np.arange(5)[:, None]) % 1000 < 1000 * accuracy


def result(lines=19, network=0.97, linear=0.9, data="mnist"):
    return {
        "data": np.asarray(data),
        "code": np.asarray(["pass"] * lines),
        "network": np.asarray([[0.5, network]]) + JITTER,
        "linear": np.asarray([[0.5, linear]]) - JITTER,
        "right_network": right(network),
        "right_linear": right(linear),
    }


AS_CLAIMED = ["reproduced"] * 3
JUDGED = {
    "as claimed": ({}, AS_CLAIMED),
    "on fashion": ({"data": "fashion_mnist"}, AS_CLAIMED),
    "twenty": ({"lines": 20}, ["refuted", "reproduced", "reproduced"]),
    "learns nothing": ({"network": 0.1, "linear": 0.6}, ["reproduced", "refuted", "not judged"]),
    "no better": ({"network": 0.9}, ["reproduced", "reproduced", "refuted"]),
    "worse": ({"network": 0.8}, ["reproduced", "reproduced", "refuted"]),
    "a little better": ({"network": 0.912}, ["reproduced", "reproduced", "inconclusive"]),
}


@pytest.mark.parametrize(("changes", "expected"), JUDGED.values(), ids=JUDGED)
def test_claims_can_fail(changes, expected):
    found = {row["claim"]: row["parts"] for row in run.claims_of("twenty_lines", result(**changes))}
    parts = [*found["few_lines"], *found["beats_linear"]]
    assert [part["verdict"] for part in parts] == expected


def test_a_linear_classifier_is_not_beaten_on_digits():
    rows = {row["claim"]: row for row in run.claims_of("twenty_lines", result(data="digits"))}
    assert rows["few_lines"]["status"] == "reproduced"
    assert rows["beats_linear"]["ours"] == "needs MNIST or Fashion-MNIST"
