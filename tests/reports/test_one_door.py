"""One door: the same bad inputs through every public entry, and the same good ones.

An entry refuses kinds of inputs, and each input is of one kind: whoever takes what `fit` takes
refuses all of them; `standardise` takes any real numbers, `split` and `hold_out` any rows, and the
estimators what scikit-learn takes.
"""

import traceback
import warnings
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse

import jaxnets as jn
from jaxnets import classical
from jaxnets.analysis import evaluate
from jaxnets.classical import CLASSIFIERS
from jaxnets.data import Dataset, from_arrays, hold_out, split, standardise
from jaxnets.estimator import MLPClassifier, MLPRegressor
from tests.support.fuzzing import answer, refused

SKLEARN = str(__import__("sklearn").__path__[0])
N = 12
X = np.round(np.random.default_rng(0).normal(size=(N, 3)), 1).astype(np.float32).astype(float)
Y = (X[:, 0] > 0).astype(int)
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 2)
PAIR = [np.ones(3), np.ones(2)]


def put(array, value):
    array = array.astype(np.result_type(array.dtype, np.min_scalar_type(value)))
    array[5:6] = value
    return array


def masked(array):
    return np.ma.array(array, mask=np.arange(array.size).reshape(array.shape) == 7)


class Frame:
    """A stand-in for a data frame, whose columns may be of different types."""

    columns = ("a", "b", "c")

    def __init__(self, values):
        self.values, self.shape = values, np.shape(values)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values, dtype)

    def __len__(self):
        return len(self.values)


GRADIENT = SimpleNamespace(requires_grad=True, shape=(N, 3), ndim=2)
RECORDS = np.zeros(N, [("a", float), ("b", int)])
DATES = np.arange(N).astype("datetime64[s]")

BAD_X = {
    "None": ("shape", None),
    "a dict": ("shape", {"a": X}),
    "a set": ("shape", {1.0, 2.0}),
    "a generator": ("shape", (row for row in X)),
    "a word": ("shape", "samples"),
    "a number": ("shape", 3.5),
    "ragged lists": ("shape", [*PAIR * 6]),
    "masked": ("shape", masked(X)),
    "a list of masked rows": ("shape", [*masked(X)]),
    "a masked entry in lists": ("shape", [[1.0, 2.0, np.ma.masked], *X.tolist()[1:]]),
    "a sparse matrix": ("sparse", sparse.csr_matrix(X)),
    "a sparse array": ("sparse", sparse.coo_array(X)),
    "a tensor that requires gradients": ("shape", GRADIENT),
    "random keys": ("shape", jax.random.split(KEY, N)),
    "no rows": ("shape", X[:0]),
    "no rows of JAX": ("shape", jnp.zeros((0, 3))),
    "an empty list": ("shape", []),
    "a row too few": ("length", X[:-1]),
    "a row too many": ("length", np.vstack([X, X[:1]])),
    "NaN": ("finite", put(X, np.nan)),
    "NaN in lists": ("finite", put(X, np.nan).tolist()),
    "NaN of JAX": ("finite", jnp.asarray(put(X, np.nan))),
    "NaN in bfloat16": ("finite", jnp.asarray(put(X, np.nan), jnp.bfloat16)),
    "NaN in float16": ("finite", put(X, np.nan).astype(np.float16)),
    "infinity": ("finite", put(X, np.inf)),
    "minus infinity": ("finite", put(X, -np.inf)),
    "beyond single precision": ("single", put(X, 1e300)),
    "strings": ("number", X.astype(str)),
    "bytes": ("number", X.astype("S9")),
    "words": ("number", np.full((N, 3), "a")),
    "numbers and None": ("number", [[1.0, 2.0, None]] * N),
    "numbers and words": ("number", [[1.0, 2.0, "a"]] * N),
    "a frame of floats and flags": ("number", Frame(X.astype(object))),
    "complex": ("number", X * 1j),
    "records": ("number", RECORDS),
    "dates": ("time", np.stack([DATES] * 3, 1)),
    "time differences": ("time", np.stack([DATES - DATES[0]] * 3, 1)),
    "int64": ("scale", (10 * X).astype(np.int64)),
    "int8": ("scale", (10 * X).astype(np.int8)),
    "uint16": ("scale", X.astype(np.uint16)),
    "booleans": ("scale", X > 0),
    "one axis": ("axes", X[:, 0]),
    "no features": ("axes", X[:, :0]),
}
BAD_Y = {
    "None": ("shape", None),
    "a dict": ("shape", {"y": Y}),
    "a generator": ("shape", (label for label in Y)),
    "a word": ("shape", "labels"),
    "a number": ("length", 3),
    "one entry": ("length", Y[:1]),
    "a label too few": ("length", Y[:-1]),
    "a label too many": ("length", np.append(Y, 1)),
    "no labels": ("shape", Y[:0]),
    "ragged lists": ("shape", [[0], [1, 0]] * 6),
    "masked": ("shape", masked(Y)),
    "masked in a list": ("shape", [np.ma.masked, *Y[1:]]),
    "a sparse matrix": ("shape", sparse.csr_matrix(Y[None])),
    "a tensor that requires gradients": ("shape", GRADIENT),
    "complex": ("target", Y * 1j),
    "dates": ("target", DATES),
    "time differences": ("target", DATES - DATES[0]),
    "words": ("target", np.array(["no", "yes"])[Y]),
    "words as objects": ("target", np.array(["no", "yes"], object)[Y]),
    "bytes": ("target", Y.astype("S1")),
    "numbers and None": ("target", [None, *Y[1:].tolist()]),
    "integers of 70 bits": ("target", [2**70, *Y[1:].tolist()]),
    "records": ("target", RECORDS),
    "a column": ("target", Y[:, None]),
    "one-hot": ("target", np.eye(2, dtype=int)[Y]),
    "-1 and 1": ("target", 2 * Y - 1),
    "-1 as int8": ("target", put(Y.astype(np.int8), -1)),
    "2**32, which wraps to 0": ("target", np.where(np.arange(N) == 5, 2**32, Y)),
    "2**32, unsigned": ("target", put(Y.astype(np.uint64), 2**32)),
    "NaN": ("target", put(Y.astype(float), np.nan)),
    "floats": ("label", Y.astype(float)),
    "bfloat16": ("label", jnp.asarray(Y, jnp.bfloat16)),
    "shares": ("label", Y * 0.5),
    "1 and 2": ("label", Y + 1),
    "another class": ("label", put(Y, 7)),
}

SPEC = jn.TrainSpec(jn.MLP((), 2), "softmax_cross_entropy", epochs=1)
PARAMS = {"params": {"output": {"weight": np.eye(2, 3, dtype=np.float32), "bias": np.zeros(2)}}}
MANY = jax.tree.map(lambda a: np.stack([a, a]), PARAMS)
PLANE = {"w": np.ones(3, np.float32), "b": np.float32(0.1)}
STUMPS = {"w": np.eye(3), "b": np.zeros(3), "alpha": np.ones(3)}
RATE = {"learning_rate": 0.1}
GOOD = {"x": X, "y": Y}
NET = (SPEC.model, SPEC.loss)
SMALL = {"hidden_layer_sizes": (), "epochs": 1, "random_state": 0}


def fitted(kind, x, y):
    """An estimator as `fit` leaves it, without compiling anything."""
    net = kind(**SMALL)
    net.model_, net.params_, net.n_features_in_ = jn.MLP((), 2), PARAMS, 3
    net.classes_, net._target_shape = np.arange(2), ()
    return net


FIT = {"shape", "length", "finite", "single", "number", "time", "scale", "axes", "target", "label"}
FIT |= {"sparse"}
ARRAYS = FIT - {"label"}
NUMBERS = {"shape", "sparse", "length", "finite", "number", "time"}
ROWS = {"shape", "sparse", "length"}
ESTIMATOR = {"shape", "length", "finite", "axes", "time"}

BOTH = {
    "fit": (FIT, lambda x, y: jn.fit(SPEC, KEY, Dataset({"x": x, "y": y}), RATE)),
    "fit, validation": (FIT, lambda x, y: jn.fit(SPEC, KEY, Dataset(GOOD, {"x": x, "y": y}), RATE)),
    "sweep": (FIT, lambda x, y: jn.sweep(SPEC, KEYS, Dataset({"x": x, "y": y}), RATE)),
    "accuracy": (FIT, lambda x, y: evaluate.accuracy(*NET, PARAMS, {"x": x, "y": y})),
    "accuracies": (FIT, lambda x, y: evaluate.accuracies(*NET, MANY, {"x": x, "y": y})),
    "from_arrays": (ARRAYS, lambda x, y: from_arrays(x, y)),
    "standardise": (NUMBERS, lambda x, y: standardise(Dataset({"x": x, "y": y}))),
    "standardise, test": (
        NUMBERS,
        lambda x, y: standardise(Dataset(GOOD, None, {"x": x, "y": y})),
    ),
    "split": (ROWS, lambda x, y: split(x, y)),
    "hold_out": (ROWS, lambda x, y: hold_out({"x": x, "y": y}, 2)),
    "perceptron": (FIT, lambda x, y: classical.perceptron(x, y, max_epochs=2)),
    "perceptron, test": (
        FIT,
        lambda x, y: classical.perceptron(X, Y, max_epochs=2, x_test=x, y_test=y),
    ),
    "perceptron_gd": (
        FIT,
        lambda x, y: classical.perceptron_gd(KEY, x, y, learning_rate=0.1, epochs=2),
    ),
    "perceptron_bound": (FIT, lambda x, y: classical.perceptron_bound(x, y, PLANE)),
    "max_margin": (FIT, lambda x, y: classical.max_margin(x, y)),
    "logistic_regression": (FIT, lambda x, y: classical.logistic_regression(x, y, steps=2)),
    "logistic_loss": (FIT, lambda x, y: classical.logistic_loss(PLANE, x, y)),
    "logistic_gradient": (FIT, lambda x, y: classical.logistic_gradient(PLANE, x, y)),
    "linear_svm": (FIT, lambda x, y: classical.linear_svm(x, y, l2=0.1, steps=2)),
    "linear_svm_loss": (FIT, lambda x, y: classical.linear_svm_loss(PLANE, x, y, 0.1)),
    "adaboost": (FIT, lambda x, y: classical.adaboost(x, y, np.eye(3), rounds=2)),
    **{
        f"CLASSIFIERS, {name}": (
            FIT if name not in ("rbf_svm", "knn") else ARRAYS,
            lambda x, y, name=name: CLASSIFIERS[name].fit(KEY, x, y),
        )
        for name in CLASSIFIERS
    },
    "rbf_svm": (ESTIMATOR | {"sparse"}, lambda x, y: classical.rbf_svm(x, y)),
    "knn": (ESTIMATOR | {"sparse"}, lambda x, y: classical.knn(x, y)),
    "MLPClassifier.fit": (ESTIMATOR, lambda x, y: MLPClassifier(**SMALL).fit(x, y)),
    "MLPRegressor.fit": (ESTIMATOR, lambda x, y: MLPRegressor(**SMALL).fit(x, y)),
    "MLPClassifier.score": (
        ESTIMATOR,
        lambda x, y: fitted(MLPClassifier, x, y).score(x, y),
    ),
}
SAMPLES = {
    "predictions": (FIT, lambda x: evaluate.predictions(*NET, PARAMS, x)),
    "all_predictions": (FIT, lambda x: evaluate.all_predictions(*NET, MANY, x)),
    "linear_predict": (FIT, lambda x: classical.linear_predict(PLANE, x)),
    "logistic_probabilities": (FIT, lambda x: classical.logistic_probabilities(PLANE, x)),
    "adaboost_predict": (FIT, lambda x: classical.adaboost_predict(STUMPS, x)),
    "adaboost_staged": (FIT, lambda x: classical.adaboost_staged(STUMPS, x)),
    "adaboost_votes": (FIT, lambda x: classical.adaboost_votes(STUMPS, x)),
    "CLASSIFIERS, predict": (FIT, lambda x: CLASSIFIERS["perceptron"].predict(PLANE, x)),
    "MLPClassifier.predict": (ESTIMATOR, lambda x: fitted(MLPClassifier, x, Y).predict(x)),
    "MLPClassifier.predict_proba": (
        ESTIMATOR,
        lambda x: fitted(MLPClassifier, x, Y).predict_proba(x),
    ),
    "MLPRegressor.predict": (ESTIMATOR, lambda x: fitted(MLPRegressor, x, Y).predict(x)),
}


def test_there_are_sixty_bad_inputs_and_each_kind_has_some():
    inputs = [*BAD_X.values(), *BAD_Y.values()]
    assert len(inputs) >= 60
    assert {kind for kind, _ in inputs} == FIT


def unrefused(call, inputs, name):
    """The inputs that a call answers, or refuses without the name of the argument."""
    for what, bad in inputs.items():
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="A column-vector y|invalid value")
            found = answer(lambda bad=bad: call(bad), SKLEARN)
        if not refused(found):
            yield f"{name} is {what}: answered"
        elif not isinstance(found, ValueError | TypeError):
            yield f"{name} is {what}: {found!r}"
        elif not _by_sklearn(found) and name.lower() not in str(found).lower():
            yield f"{name} is {what}: {found} does not name it"


def _by_sklearn(error):
    """Whether scikit-learn wrote the message, in words of its own."""
    return traceback.extract_tb(error.__traceback__)[-1].filename.startswith(SKLEARN)


def concerned(table, kinds):
    return {what: bad for what, (kind, bad) in table.items() if kind in kinds}


@pytest.mark.parametrize("entry", [*BOTH, *SAMPLES])
def test_bad_inputs_are_refused_before_anything_compiles(compilations, entry):
    jax.clear_caches()
    kinds, call = (BOTH | SAMPLES)[entry]
    if entry in SAMPLES:
        found = [*unrefused(call, concerned(BAD_X, kinds - {"length"}), "x")]
    else:
        found = [*unrefused(lambda x: call(x, Y), concerned(BAD_X, kinds), "x")]
        found += unrefused(lambda y: call(X, y), concerned(BAD_Y, kinds), "y")
    assert not found, "\n".join(found)
    assert compilations() == 0


GOOD_X = {
    "float32": X.astype(np.float32),
    "lists": X.tolist(),
    "tuples of rows": tuple(X),
    "of JAX": jnp.asarray(X),
    "by columns": np.asfortranarray(X),
    "reversed twice": X[::-1][::-1],
    "the other byte order": X.astype(">f8"),
    "a frame": Frame(X),
    "masked nowhere": np.ma.array(X),
    "long doubles": X.astype(np.longdouble),
}
GOOD_Y = {
    "lists": Y.tolist(),
    **{dtype: Y.astype(dtype) for dtype in ("uint8", "uint32", "uint64", "int8", "bool", ">i4")},
    "of JAX": jnp.asarray(Y),
    "masked nowhere": np.ma.array(Y),
}


def good():
    """Good samples and labels, with those of libraries that are installed."""
    x, y = GOOD_X.copy(), GOOD_Y.copy()
    try:
        import torch

        x |= {"a tensor": torch.tensor(X), "a half tensor": torch.tensor(X, dtype=torch.float32)}
        y |= {"a tensor": torch.tensor(Y), "a tensor of bytes": torch.tensor(Y, dtype=torch.uint8)}
    except ImportError:
        pass
    try:
        import pandas

        at = np.arange(N)[::-1]
        x |= {"a data frame": pandas.DataFrame(X, index=at, columns=[*"abc"])}
        series = pandas.Series(Y, index=at)
        y |= {"a series": series, "a category": series.astype("category")}
    except ImportError:
        pass
    return x, y


def leaves(result):
    """The arrays of a result; estimators and scikit-learn's models by what they predict."""
    if hasattr(result, "predict"):
        result = result.predict(X)
    return [np.asarray(a) for a in jax.tree.leaves(result) if not _is_key(a)]


def _is_key(leaf):
    return isinstance(leaf, jax.Array) and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


@pytest.mark.parametrize("entry", [*BOTH, *SAMPLES])
def test_good_inputs_of_any_library_give_the_same(entry):
    _, call = (BOTH | SAMPLES)[entry]
    samples, labels = good()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X (does not have|has) .*feature names")
        if entry in SAMPLES:
            truth = leaves(call(X))
            found = {what: leaves(call(x)) for what, x in samples.items()}
        else:
            truth = leaves(call(X, Y))
            found = {f"x: {what}": leaves(call(x, Y)) for what, x in samples.items()}
            found |= {f"y: {what}": leaves(call(X, y)) for what, y in labels.items()}
    for what, arrays in found.items():
        for ours, theirs in zip(arrays, truth, strict=True):
            np.testing.assert_allclose(
                ours.astype(float), theirs.astype(float), rtol=1e-6, atol=1e-6, err_msg=what
            )
