"""Runs with batches of every size against a NumPy loop; what it measures of made-up ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.special import logsumexp

import jaxnets as jn
from experiments.lab import run
from experiments.optimisation import batch_size
from jaxnets.data import Dataset
from jaxnets.training.permutation import permutation


def problem(n=20, features=3, classes=10):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, features)).astype(np.float32)
    y = rng.integers(0, classes, n).astype(np.int32)
    return Dataset({"x": x, "y": y}, {"x": x[:5], "y": y[:5]})


def cross_entropy(weight, bias, part):
    outputs = part["x"] @ weight.T + bias
    return np.mean(logsumexp(outputs, axis=1) - outputs[np.arange(len(part["y"])), part["y"]])


@pytest.mark.parametrize("size", [1, 2, 5, 20])
def test_a_run_is_a_numpy_loop(key, size):
    """Softmax regression, by hand; a record each 2 samples, or each step if that is more."""
    data, epochs, rate = problem(), 2, 0.3
    spec = batch_size.Spec(jn.MLP((), 10), size, epochs)
    row = {"key": key, "rate": jnp.asarray(rate)}
    found = jax.jit(batch_size.train, static_argnums=0)(spec, row, data)
    init_key, order_key = jax.random.split(key)
    layer = spec.model.init(init_key, data.train["x"][:1])["params"]["output"]
    weight, bias = np.array(layer["weight"]), np.array(layer["bias"])
    losses = []
    for epoch_key in jax.random.split(order_key, epochs):
        for step, rows in enumerate(np.asarray(permutation(epoch_key, 20)).reshape(-1, size), 1):
            x, y = data.train["x"][rows], data.train["y"][rows]
            outputs = x @ weight.T + bias
            delta = np.exp(outputs - logsumexp(outputs, axis=1, keepdims=True)) - np.eye(10)[y]
            weight, bias = weight - rate * delta.T @ x / size, bias - rate * delta.mean(0)
            if step * size % max(2, size) == 0:
                losses.append(cross_entropy(weight, bias, data.train))
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-4)
    np.testing.assert_allclose(found["valid"], cross_entropy(weight, bias, data.valid), rtol=1e-4)


def test_a_run_by_adam_is_optax(key):
    """A step on all samples, at the share of the rate that Adam takes."""
    data, rate = problem(), 0.3
    spec = batch_size.Spec(jn.MLP((), 10), 20, 2, "Adam")
    found = batch_size.train(spec, {"key": key, "rate": jnp.asarray(rate)}, data)
    params = spec.model.init(jax.random.split(key)[0], data.train["x"][:1])
    optimizer = optax.adam(0.03 * rate)
    state = optimizer.init(params)
    for _ in range(2):
        slope = jax.grad(lambda p: batch_size._loss(spec.model, p, data.train))(params)
        updates, state = optimizer.update(slope, state)
        params = optax.apply_updates(params, updates)
    layer = params["params"]["output"]
    expected = cross_entropy(np.asarray(layer["weight"]), np.asarray(layer["bias"]), data.valid)
    np.testing.assert_allclose(found["valid"], expected, rtol=1e-4)


USABLE = {
    "mnist": ((1, 5, 50, 500, 5_000), 50_000, [1, 5, 50, 500, 5_000, 50_000]),
    "digits": ((1, 5, 50, 500, 5_000), 1_000, [1, 5, 50, 500, 1_000]),
    "odd ones": ((3, 250, 300, 1_000), 1_000, [1_000]),
}


@pytest.mark.parametrize(("sizes", "n", "expected"), USABLE.values(), ids=USABLE)
def test_sizes_that_fit_the_records(sizes, n, expected):
    assert batch_size.usable(sizes, n) == expected


@pytest.mark.parametrize("tens", [20, 100])
def test_a_few_tens_are_of_mnists_sizes(tens):
    assert tens in batch_size.usable(sorted({*batch_size.Config().sizes, tens}), 50_000)


JITTER = np.linspace(-0.01, 0.01, 5)


def result(
    single=0.30, tens=0.20, full=1.5, slow=4.0, whole=2.0, data="mnist", sizes=(1, 50, 1000)
):
    """Losses that fall in straight lines from 2.3 to those given, in 10 records or 1."""
    fields = {
        "data": np.asarray(data),
        "sizes": np.asarray(sizes),
        "tens": np.asarray(50),
        "rates": np.full(len(sizes), 0.1),
        "seconds": 1e-6 * np.asarray([[slow], [1.0], [whole]]) * (1 + JITTER[None]),
    }
    for i, (last, records) in enumerate(zip((single, tens, full), (10, 10, 2), strict=True)):
        fields[f"seen_{i}"] = np.linspace(0, 1000, records + 1)[1:]
        curve = np.linspace(2.3, last, records + 1)[1:]
        fields[f"loss_{i}"] = curve[None] + JITTER[:, None]
    return fields


def test_losses_at_a_time_are_read_off_the_curves():
    """Half of the samples in the time in which the quickest size sees all of them."""
    fields = result(slow=2.0)
    fields["seconds"] = np.median(fields["seconds"], axis=1, keepdims=True)
    quickest = batch_size.durations(fields).min()
    assert quickest == pytest.approx(1e-3)
    np.testing.assert_allclose(batch_size.at_time(fields, 0, quickest), 1.3 + JITTER)
    np.testing.assert_allclose(batch_size.at_time(fields, 1, quickest), 0.2 + JITTER)


def test_every_seed_is_as_quick_as_a_round():
    """A tenth of the samples in the time of all: that seed is where the curve was by then."""
    fields = result()
    fields["seconds"][0] = [1e-6, 1e-5, 1e-6, 1e-6, 1e-6]
    found = batch_size.at_time(fields, 0, 1e-3)
    expected = fields["loss_0"][:, -1].copy()
    expected[1] = fields["loss_0"][1, 0]
    np.testing.assert_allclose(found, expected)


LOSS, TIME = ("fewer_samples", "loss"), ("single_is_slow", "time")
SINGLE, FULL = ("compromise", "single samples"), ("compromise", "full set")
YES, NO = "reproduced", "refuted"
JUDGED = {
    "as claimed": ({}, {}),
    "the full set learns as much": ({"full": 0.2}, {LOSS: NO}),
    "the full set learns more even in time": ({"full": 0.1, "whole": 0.5}, {LOSS: NO, FULL: NO}),
    "single samples are quick": ({"slow": 1.05}, {TIME: NO}),
    "single samples are better": ({"single": 0.1, "slow": 1.0}, {TIME: NO, SINGLE: NO}),
}


def parts(**changes):
    rows = run.claims_of("batch_size", result(**changes))
    return {(row["claim"], part["part"]): part["verdict"] for row in rows for part in row["parts"]}


@pytest.mark.parametrize(("changes", "expected"), JUDGED.values(), ids=JUDGED)
def test_claims_can_fail(changes, expected):
    assert parts(**changes) == dict.fromkeys((LOSS, TIME, SINGLE, FULL), YES) | expected


@pytest.mark.parametrize("changes", [{"data": "digits"}, {"sizes": (1, 10, 1000)}])
def test_claims_need_mnist_and_the_judged_sizes(changes):
    rows = run.claims_of("batch_size", result(**changes))
    assert {row["status"] for row in rows} == {"not judged"}
    assert all("needs" in row["ours"] for row in rows)
