"""Samples, labels and types that gave silent wrong answers in reports, with the right ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

import jaxnets as jn
from jaxnets.analysis import evaluate, projections
from jaxnets.backprop import value_and_grad
from jaxnets.classical import (
    perceptron,
)
from jaxnets.data import Dataset, from_arrays, from_npz, hold_out, split, standardise
from jaxnets.models import CNN, Conv, Dense, Flatten, WordNet

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
INTEGERS = [np.bool_, *(np.dtype(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32))]
BINARY = ("binary_cross_entropy", "hinge", "perceptron")
TIMES = 1.7e9 + np.arange(100.0)[:, None]


class Series:
    """A stand-in for pandas: `[]` takes labels of its index, conversion goes by position."""

    def __init__(self, values):
        self.values, self.index = np.asarray(values), np.arange(len(values))[::-1]

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)

    def __len__(self):
        return len(self.values)

    def __getitem__(self, labels):
        return Series(self.values[np.argsort(self.index)[labels]])


def linear(classes=2):
    """A linear model that predicts the larger of its features, and its params."""
    layer = {"weight": np.eye(classes, dtype=np.float32), "bias": np.zeros(classes, np.float32)}
    return jn.MLP((), classes), {"params": {"output": layer}}


# pandas by position


@pytest.mark.parametrize("kind", [Series, "pandas", list, jnp.asarray])
def test_case_03_hold_out_series(kind):
    if kind == "pandas":
        pandas = pytest.importorskip("pandas")
        kind = lambda y: pandas.Series(y, index=np.arange(len(y))[::-1])  # noqa: E731
    x = np.arange(10.0)[:, None]
    for part in hold_out({"x": x, "y": kind(np.arange(10))}, 3):
        np.testing.assert_array_equal(part["x"][:, 0], np.asarray(part["y"]))
    with pytest.raises(ValueError, match="x has 10 samples and y has 20"):
        hold_out({"x": x, "y": kind(np.arange(20))}, 3)


def test_every_array_of_a_part_is_held_out_by_position():
    part = {"x": Series(np.arange(10.0)), "y": np.arange(10), "id": [*"abcdefghij"]}
    for half in hold_out(part, 4):
        assert list(half["id"]) == [*np.array([*"abcdefghij"])[half["y"]]]
        np.testing.assert_array_equal(half["x"], half["y"])


def test_split_and_from_arrays_take_rows_by_position():
    for make in (split, from_arrays):
        made = make(np.arange(10.0)[:, None], Series(np.arange(10)))
        for part in made:
            np.testing.assert_array_equal(part["x"][:, 0], part["y"])


@pytest.mark.parametrize(
    "part", [np.ones(3), Dataset({"x": np.ones(3), "y": np.ones(3)}), {"y": 1}]
)
def test_hold_out_of_what_is_not_a_part(part):
    with pytest.raises(TypeError, match=r"part is a .* it must be a dict of x and y"):
        hold_out(part, 1)


# labels of any integer type


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("jit", [False, True])
def test_case_04_unsigned_labels(dtype, jit):
    compiled = jax.jit if jit else (lambda f: f)
    outputs, y = np.array([[2.0], [-3.0]], np.float32), np.array([1, 0], dtype)
    p = special.expit(np.array([2.0, -3.0]))
    truth = {
        "binary_cross_entropy": (-np.log([p[0], 1 - p[1]]), p - [1, 0]),
        "hinge": (np.zeros(2), np.zeros(2)),
        "perceptron": (np.zeros(2), np.zeros(2)),
    }
    for name in BINARY:
        loss = jn.LOSSES[name]
        np.testing.assert_allclose(compiled(loss.value)(outputs, y), truth[name][0], rtol=1e-5)
        np.testing.assert_allclose(
            compiled(loss.grad)(outputs, y)[:, 0], truth[name][1], rtol=1e-5, atol=1e-7
        )


@pytest.mark.parametrize("name", [*BINARY, "softmax_cross_entropy"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.bool_])
def test_objective_and_gradients_by_hand_take_any_integer_type(name, dtype):
    model = jn.MLP((4,), 1 if name in BINARY else 3)
    x, y = RNG.normal(size=(6, 3)).astype(np.float32), np.array([0, 1, 1, 0, 1, 0])
    params = model.init(KEY, x)
    objective = jn.Objective(model, name)
    truth = jax.value_and_grad(objective, has_aux=True)(params, {"x": x, "y": y.astype(np.int32)})
    ours = value_and_grad(objective)(params, {"x": x, "y": y.astype(dtype)})
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(truth), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    (value, _) = jax.jit(objective)(params, {"x": x, "y": y.astype(dtype)})
    np.testing.assert_allclose(value, truth[0][0], rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_wide_labels_are_refused_not_wrapped(dtype, x64):
    y = np.array([0, 2**32, 1], dtype)  # 2**32 is 0 as an int32
    with pytest.raises(ValueError, match=r"y\[1\] is 4294967296"):
        from_arrays(np.ones((3, 1)), y)
    with pytest.raises(ValueError, match=r"targets\[1\] is 4294967296"):
        jn.LOSSES["hinge"].value(np.ones((3, 1)), y)
    outputs = np.array([[5.0, 0.0]] * 3)
    value = jax.jit(jn.LOSSES["softmax_cross_entropy"].value)(outputs, y)
    assert value[1] != pytest.approx(value[0])  # not that of class 0
    assert WordNet(5, 2).check_samples(np.array([[-(2**33), 1]]), "x")[0, 0] < 0


@pytest.mark.parametrize("labels", [[-1, 1], [1, 2], [0.0, 1.0], [[0], [1]]])
def test_direct_calls_of_a_binary_loss_refuse_other_labels(labels):
    for name in BINARY:
        for rule in (jn.LOSSES[name].value, jn.LOSSES[name].grad):
            with pytest.raises((ValueError, TypeError), match="targets"):
                rule(np.ones((2, 1), np.float32), np.array(labels))


# evaluation is as strict as training


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ("column", ValueError, r"y has shape \(6, 1\).*ravel"),
        ("one", ValueError, "x has 6 samples and part y has 1"),
        ("scalar", ValueError, r"y has shape \(\)"),
        ("text", TypeError, "y has dtype <U"),
        ("float", TypeError, r"y\.astype\(np\.int32\)"),
        ("beyond", ValueError, r"y\[0\] is 7"),
    ],
)
def test_case_05_accuracy_of_column(y, error, message):
    model, params = linear()
    x, labels = RNG.normal(size=(6, 2)), np.array([0, 1] * 3)
    labels[:] = x[:, 1] > x[:, 0]
    many = jax.tree.map(lambda a: np.stack([a, -a]), params)
    part = {"x": x, "y": labels}
    assert evaluate.accuracy(model, "softmax_cross_entropy", params, part) == 1
    np.testing.assert_array_equal(
        evaluate.accuracies(model, "softmax_cross_entropy", many, part), [1, 0]
    )
    wrong = {
        "column": labels[:, None],
        "one": labels[:1],
        "scalar": 1,
        "text": labels.astype(str),
        "float": labels.astype(float),
        "beyond": labels + 7 * (np.arange(6) == 0) - labels * (np.arange(6) == 0),
    }[y]
    for measure, p in ((evaluate.accuracy, params), (evaluate.accuracies, many)):
        with pytest.raises(error, match=message):
            measure(model, "softmax_cross_entropy", p, {"x": x, "y": wrong})


@pytest.mark.parametrize(
    ("x", "message"), [(np.full((3, 2), np.nan), "nan at row 0"), (np.ones((0, 2)), "x is empty")]
)
def test_evaluation_refuses_samples_that_training_refuses(x, message):
    model, params = linear()
    many = jax.tree.map(lambda a: a[None], params)
    part = {"x": x, "y": np.zeros(len(x), int)}
    loss = "softmax_cross_entropy"
    for call in (
        lambda: evaluate.predictions(model, loss, params, x),
        lambda: evaluate.all_predictions(model, loss, many, x),
        lambda: evaluate.accuracy(model, loss, params, part),
        lambda: evaluate.accuracies(model, loss, many, part),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_case_06_uint8_pixels_at_evaluation():
    data = Dataset({"x": RNG.integers(0, 256, (60, 6), np.uint8), "y": RNG.integers(0, 2, 60)})
    spec = jn.TrainSpec(jn.MLP((8,), 2, "tanh"), "softmax_cross_entropy", epochs=20)
    state, _ = jn.fit(spec, KEY, data, {"learning_rate": 0.03})
    pixels, floats = data.train["x"], data.train["x"] / np.float32(255)
    args = spec.model, spec.loss, state.params
    np.testing.assert_array_equal(
        evaluate.predictions(*args, pixels), evaluate.predictions(*args, floats)
    )
    right = np.mean(np.argmax(spec.model.apply(state.params, floats), 1) == data.train["y"])
    assert evaluate.accuracy(*args, data.train) == pytest.approx(right)
    many = jax.tree.map(lambda a: a[None], state.params)
    assert evaluate.accuracies(*args[:2], many, data.train)[0] == pytest.approx(right)


def test_pixels_mean_the_same_to_models_objectives_and_gradients_by_hand():
    for model, shape in (
        (jn.MLP((4,), 2), (5, 3)),
        (CNN((Conv(2, 2), Flatten(), Dense(2))), (5, 4, 4, 1)),
    ):
        pixels, y = RNG.integers(0, 256, shape, np.uint8), np.arange(5) % 2
        floats = pixels / np.float32(255)
        params, objective = model.init(KEY, floats), jn.Objective(model, "softmax_cross_entropy")
        np.testing.assert_array_equal(model.apply(params, pixels), model.apply(params, floats))
        for gradient in (value_and_grad, jax.value_and_grad):
            call = gradient(objective, has_aux=True)
            one, other = (call(params, {"x": x, "y": y}) for x in (pixels, floats))
            jax.tree.map(np.testing.assert_array_equal, one, other)


def test_accuracy_of_a_regression_is_refused():
    model, params = linear()
    with pytest.raises(ValueError, match="predicts numbers, not labels"):
        evaluate.accuracy(
            model, "squared_error", params, {"x": np.ones((3, 2)), "y": np.ones((3, 2))}
        )


def test_accuracies_of_many_labels_are_one_number_a_network():
    model, params = linear()
    many = jax.tree.map(lambda a: np.stack([a, -a, a]), params)
    part = {"x": np.array([[2.0, -1.0], [-3.0, 4.0]]), "y": np.array([[1, 0], [0, 1]])}
    np.testing.assert_array_equal(
        evaluate.accuracies(model, "multilabel_cross_entropy", many, part), [1, 0, 1]
    )


# standardise


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.int8, np.bool_, np.float64, np.float16])
def test_case_07_standardise_integers(dtype):
    x = RNG.integers(0, 256, (40, 2)).astype(dtype)
    if dtype is np.bool_:
        x[:] = RNG.integers(0, 2, (40, 2))
    made = standardise(split(x, np.arange(40) % 2))
    z = made.train["x"]
    assert np.issubdtype(z.dtype, np.floating)
    tolerance = 2e-3 if dtype is np.float16 else 1e-6
    np.testing.assert_allclose(z.astype(float).mean(axis=0), 0, atol=tolerance)
    np.testing.assert_allclose(z.astype(float).std(axis=0), 1, rtol=tolerance)


@pytest.mark.parametrize("exponent", [-1000, 0, 900])
def test_standardise_of_any_unit_is_the_same(exponent):
    x = RNG.normal(size=(30, 2))
    y = np.arange(30)
    one, other = (standardise(split(a, y)) for a in (x, np.ldexp(x, exponent)))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a["x"], b["x"])


def test_standardise_names_what_it_cannot_scale():
    x = np.ones((10, 2))
    x[3, 1] = np.nan
    with pytest.raises(ValueError, match="train x is nan"):
        standardise(Dataset({"x": x, "y": np.arange(10)}))
    with pytest.raises(TypeError, match="train x"):
        standardise(Dataset({"x": x.astype(str), "y": np.arange(10)}))
    with pytest.raises(ValueError, match=r"valid samples have shape \(3,\)"):
        standardise(Dataset({"x": np.eye(2), "y": [0, 1]}, {"x": np.eye(3), "y": [0, 1, 2]}))


@pytest.mark.parametrize("make", [from_arrays, split, "npz"])
def test_case_18_precision_lost_before_centring(make, tmp_path):
    y = np.arange(100) % 2
    if make == "npz":
        np.savez(tmp_path / "t.npz", x_train=TIMES, y_train=y, x_test=TIMES[:2] * 0, y_test=y[:2])
        made = from_npz(tmp_path / "t.npz")
        order = np.arange(100)
    else:
        made = make(TIMES, y, fractions=(1, 0, 0))
        order = np.random.default_rng(0).permutation(100)
    z = standardise(made).train["x"]
    assert len(np.unique(z)) == 100
    truth = (np.arange(100.0) - 49.5) / np.arange(100.0).std()
    np.testing.assert_allclose(z[:, 0], truth[order], rtol=1e-5, atol=1e-6)


MERGED = r"single precision merges different values of feature 1 .*standardise"
WITH_TIMES = np.hstack([np.ones((100, 1)), TIMES])


@pytest.mark.parametrize("entry", ["fit", "predictions"])
def test_merged_values_are_named_where_they_are_cast(entry):
    y = np.arange(100) % 2
    model, params = linear()
    spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=1)
    calls = {
        "fit": lambda: jn.fit(spec, KEY, from_arrays(WITH_TIMES, y), {"learning_rate": 0.1}),
        "predictions": lambda: evaluate.predictions(model, spec.loss, params, WITH_TIMES),
    }
    with pytest.warns(UserWarning, match=MERGED):
        calls[entry]()


def test_what_cannot_be_merged_is_refused_or_computed_in_double_precision():
    with pytest.raises(ValueError, match="feature 1 varies by only 99 around"):
        perceptron(WITH_TIMES, np.arange(100) % 2, max_epochs=2)
    variances = projections.pca(WITH_TIMES).variances
    np.testing.assert_allclose(variances, [np.arange(100.0).var(ddof=1), 0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "x", [RNG.normal(size=(10000, 3)), RNG.normal(100, 1, (100, 1)), np.eye(3)]
)
def test_ordinary_doubles_are_cast_without_a_word(x):
    assert from_arrays(x, np.arange(len(x)) % 2, fractions=(1, 0, 0)).train["x"].dtype == np.float32
