"""Weights of samples against samples that are there twice, scikit-learn and loops."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from jaxnets import CNN, MLP, Objective, TrainSpec, backprop, converge, fit, sweep
from jaxnets.analysis import evaluate
from jaxnets.data import Dataset, class_weights, from_arrays, split
from jaxnets.losses import LOSSES
from jaxnets.models import Dense, Flatten
from jaxnets.parallel import all_devices, fixed_order_gradients
from tests.support.truths import LOSS_TRUTHS

RNG = np.random.default_rng(0)
N = 48
X = RNG.normal(size=(N, 3)).astype(np.float32)
Y = (X[:, 0] + RNG.normal(size=N) > 0.8).astype(np.int32)
TWICE = RNG.integers(1, 3, N)
ROWS = np.repeat(np.arange(N), TWICE)
CROSS = "softmax_cross_entropy"
RATE = {"learning_rate": 0.05, "l2": 0.01}


def weighted(weight, rows=slice(None)):
    part = {"x": X[rows], "y": Y[rows], "weight": np.asarray(weight, np.float32)[rows]}
    return Dataset(part, part)


@pytest.mark.parametrize("value_and_grad", [jax.value_and_grad, backprop.value_and_grad])
def test_a_weight_of_2_is_a_sample_that_is_there_twice(key, value_and_grad):
    part = {"x": X[ROWS], "y": Y[ROWS]}
    spec = TrainSpec(MLP((8,), 2), CROSS, 30, value_and_grad=value_and_grad)
    ours, history = fit(spec, key, weighted(TWICE), RATE)
    truth, expected = fit(spec, key, Dataset(part, part), RATE)
    chex.assert_trees_all_close(ours.params, truth.params, atol=1e-5)
    chex.assert_trees_all_close(history, expected, atol=1e-6)
    of = (spec.model, CROSS, truth.params)
    assert evaluate.accuracy(*of, weighted(TWICE).train) == pytest.approx(
        float(evaluate.accuracy(*of, part))
    )
    stacked = jax.tree.map(lambda a: a[None], truth.params)
    np.testing.assert_allclose(
        evaluate.accuracies(spec.model, CROSS, stacked, weighted(TWICE).train),
        evaluate.accuracies(spec.model, CROSS, stacked, part),
        rtol=1e-6,
    )


@pytest.mark.parametrize("name", LOSSES)
def test_the_weighted_loss_and_its_gradient_are_those_of_repeated_samples(x64, key, name):
    truth = LOSS_TRUTHS[name]
    outputs = truth.outputs[0]
    y = np.asarray(truth.targets(np.random.default_rng(1), N, outputs))
    model = MLP((5,), outputs)
    params = model.init(key, X.astype(float))
    batch = {"x": X.astype(float), "y": y, "weight": TWICE.astype(float)}
    repeated = {"x": batch["x"][ROWS], "y": y[ROWS]}
    objective = Objective(model, name, l2=0.1)
    for differentiate in (jax.value_and_grad, backprop.value_and_grad):
        (value, metrics), grads = differentiate(objective, has_aux=True)(params, batch)
        (mean, expected), truths = jax.value_and_grad(objective, has_aux=True)(params, repeated)
        chex.assert_trees_all_close((value, grads), (mean, truths), rtol=1e-10, atol=1e-12)
        chex.assert_trees_all_close(metrics, expected, rtol=1e-6)


def test_equal_weights_change_nothing(key):
    spec = TrainSpec(MLP((8,), 2), CROSS, 3, 10)
    part = {"x": X, "y": Y}
    ours, history = fit(spec, key, weighted(np.full(N, 3.0)), RATE)
    truth, expected = fit(spec, key, Dataset(part, part), RATE)
    chex.assert_trees_all_close((ours.params, history), (truth.params, expected), atol=1e-5)


def test_samples_of_weight_0_are_not_there(key):
    weight = (np.arange(N) >= 20).astype(np.float32)
    spec = TrainSpec(MLP((8,), 2), CROSS, 20)
    ours, _ = fit(spec, key, weighted(weight), RATE)
    part = {"x": X[20:], "y": Y[20:]}
    truth, _ = fit(spec, key, Dataset(part), RATE)
    chex.assert_trees_all_close(ours.params, truth.params, atol=1e-5)


def test_a_batch_without_weight_takes_no_step(key):
    weight = np.zeros(N, np.float32)
    weight[0] = 1
    spec = TrainSpec(MLP((4,), 2), CROSS, 2, 1, optax.sgd)
    state, history = fit(spec, key, weighted(weight), {"learning_rate": 0.1})
    chex.assert_tree_all_finite((state.params, history))
    only = Dataset({"x": X[:1], "y": Y[:1]})
    alone, _ = fit(
        TrainSpec(MLP((4,), 2), CROSS, 2, 1, optax.sgd), key, only, {"learning_rate": 0.1}
    )
    chex.assert_trees_all_close(state.params, alone.params, atol=1e-6)


def test_logistic_regression_with_balanced_classes_is_scikit_learns(x64, key):
    x = X.astype(float)
    weight = class_weights(Y)
    truth = LogisticRegression(C=1.0, class_weight="balanced", tol=1e-10, max_iter=1000).fit(x, Y)
    part = {"x": x, "y": Y, "weight": weight}
    spec = TrainSpec(MLP((), 1), "binary_cross_entropy", 60, None, optax.lbfgs)
    state, _ = fit(spec, key, Dataset(part), {"l2": 0.5 / weight.sum()})
    layer = state.params["params"]["output"]
    np.testing.assert_allclose(layer["weight"], truth.coef_, atol=1e-5)
    np.testing.assert_allclose(layer["bias"], truth.intercept_, atol=1e-5)


@pytest.mark.parametrize("weights", ["balanced", {0: 0.5, 1: 3.0, 3: 1.0}])
def test_class_weights_are_scikit_learns(weights):
    y = np.array([0, 0, 0, 1, 3, 3])
    np.testing.assert_allclose(class_weights(y, weights), compute_sample_weight(weights, y))
    of_classes = compute_class_weight("balanced", classes=np.unique(y), y=y)
    table = np.array([of_classes[0], of_classes[1], 1.0, of_classes[2]])
    np.testing.assert_allclose(class_weights(y, table), compute_sample_weight("balanced", y))


def test_weights_stay_with_their_samples_when_a_set_is_split():
    weight = np.arange(1.0, N + 1)
    made = from_arrays(X, Y, weight=weight)
    for part in made:
        rows = [int(np.flatnonzero((x == X).all(axis=1))[0]) for x in part["x"]]
        np.testing.assert_array_equal(part["weight"], weight[rows])
    assert split(X, Y, weight=weight).train["weight"].sum() == made.train["weight"].sum()


def test_weights_in_a_sweep_of_cnns_and_on_a_mesh(key):
    images = weighted(TWICE)
    images = Dataset({**images.train, "x": X.reshape(N, 3, 1, 1)})
    spec = TrainSpec(CNN((Flatten(), Dense(2))), CROSS, 3, 12)
    states, _ = sweep(spec, key[None], images, {"learning_rate": 0.1})
    alone, _ = fit(spec, key, images, {"learning_rate": 0.1})
    spread, _ = fit(spec, key, images, {"learning_rate": 0.1}, mesh=all_devices())
    row = jax.tree.map(lambda a: a[0], states.params)
    chex.assert_trees_all_close(row, alone.params, atol=3e-6)
    chex.assert_trees_all_close(spread.params, alone.params, atol=3e-6)


def fit_with(key, **changes):
    part = {"x": X, "y": Y} | changes
    return fit(TrainSpec(MLP((4,), 2), CROSS, 1, 12), key, Dataset(part), RATE)


WRONG = {
    "unknown": ({"weights": np.ones(N)}, TypeError, r"\['weights'\], which nothing would use"),
    "negative": (
        {"weight": np.where(np.arange(N) == 5, -1.0, 1)},
        ValueError,
        r"weight\[5\] is -1",
    ),
    "NaN": ({"weight": np.full(N, np.nan)}, ValueError, "train weight"),
    "zero": ({"weight": np.zeros(N)}, ValueError, "is zero for all samples"),
    "column": ({"weight": np.ones((N, 1))}, ValueError, r"shape \(48, 1\); expected one number"),
    "few": ({"weight": np.ones(N - 1)}, ValueError, "48 samples and train weight has 47"),
    "text": ({"weight": ["a"] * N}, TypeError, "train weight"),
}


@pytest.mark.parametrize(("changes", "error", "message"), WRONG.values(), ids=WRONG)
def test_wrong_weights_are_named_before_anything_compiles(
    key, changes, error, message, compilations
):
    with pytest.raises(error, match=message):
        fit_with(key, **changes)
    assert compilations() == 0


def test_what_cannot_use_weights_says_so(key):
    data = weighted(TWICE)
    with pytest.raises(ValueError, match="weights, which converge does not use"):
        converge.converge(MLP((3,), 2), CROSS, key, data, starts=2)
    spec = TrainSpec(
        MLP((4,), 2),
        CROSS,
        1,
        16,
        value_and_grad=fixed_order_gradients(jax.value_and_grad, all_devices(), 8),
    )
    with pytest.raises(ValueError, match="samples cannot have weights"):
        fit(spec, key, data, RATE, mesh=all_devices())


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("even", "unknown kind of class weights 'even'"),
        ({2: 1.0}, "a weight of class 2, but no sample"),
        ([1.0], "expected one for each of 2 classes"),
        ([1.0, -1.0], "weights are 0 or more"),
    ],
)
def test_wrong_class_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        class_weights(Y, weights)


def squared(outputs, targets):
    return jnp.sum((outputs - targets) ** 2, axis=-1)


def test_a_function_is_a_loss(key):
    data = Dataset({"x": X, "y": X[:, :1] ** 2})
    spec = TrainSpec(MLP((6,), 1), squared, 5, 16)
    named = TrainSpec(MLP((6,), 1), "squared_error", 5, 16)
    chex.assert_trees_all_close(
        fit(spec, key, data, {"learning_rate": 0.01})[0].params,
        fit(named, key, data, {"learning_rate": 0.01})[0].params,
        atol=1e-6,
    )
    objective = Objective(MLP((6,), 1), squared)
    params = objective.model.init(key, X)
    ours = backprop.value_and_grad(objective)(params, data.train)
    chex.assert_trees_all_close(
        ours, jax.value_and_grad(objective, has_aux=True)(params, data.train), atol=1e-5
    )


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda outputs, targets: jnp.mean((outputs - targets) ** 2), r"returned shape \(\)"),
        (lambda outputs, targets: (outputs - targets) ** 2, r"returned shape \(.*, 1\)"),
    ],
)
def test_a_loss_must_be_one_number_a_sample(key, loss, message):
    data = Dataset({"x": X, "y": X[:, :1] ** 2})
    with pytest.raises(ValueError, match=message):
        fit(TrainSpec(MLP((6,), 1), loss, 1, 16), key, data, {"learning_rate": 0.01})


@pytest.mark.parametrize(
    ("loss", "meant"),
    [
        ("categorical_crossentropy", "softmax_cross_entropy"),
        ("CrossEntropyLoss", "softmax_cross_entropy"),
        ("bce", "binary_cross_entropy"),
        ("mse", "squared_error"),
    ],
)
def test_names_of_other_libraries_are_understood(loss, meant):
    with pytest.raises(ValueError, match=f"did you mean '{meant}'"):
        TrainSpec(MLP((4,), 2), loss, 1)


def test_the_rate_of_other_libraries_is_understood(key):
    spec = TrainSpec(MLP((4,), 2), CROSS, 1)
    with pytest.raises(ValueError, match="'lr'; did you mean 'learning_rate'"):
        fit(spec, key, Dataset({"x": X, "y": Y}), {"lr": 0.1})
