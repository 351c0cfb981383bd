"""Random calls of the public functions: each has a finite answer of the right shape, or is refused.

Refused is by an error of this package itself that says something, never by one from deep inside
JAX, and never after a minute. `make test-faults` tries `MANY` times as many calls.
"""

import inspect
import tempfile
import warnings

import jax
import numpy as np
import optax
import pytest
from hypothesis import strategies as st

from jaxnets import MLP, TrainSpec, augment, backprop, fit, grid, ops, sweep
from jaxnets.classical import CLASSIFIERS
from jaxnets.data import TOY, Dataset, from_arrays, hold_out, split, standardise
from jaxnets.estimator import MLPClassifier, MLPRegressor
from jaxnets.losses import LOSSES
from jaxnets.models import (
    CNN,
    Activate,
    AveragePool,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAverage,
    GroupNorm,
    MaxPool,
    RandomlyWired,
    ResidualMLP,
    WordNet,
)
from jaxnets.objective import Objective
from jaxnets.storage.checkpoints import CheckpointConfig
from jaxnets.word2vec import Word2Vec
from tests.support.fuzzing import answer, changed, either, finite, refused, run, wild

N = 6
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(N, 2)).astype(np.float32)
IMAGES = RANDOM.normal(size=(N, 4, 4, 2)).astype(np.float32)
TARGETS = X[:, :1] * 2
LABELS = np.arange(N) % 2
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 2)
SKLEARN = str(__import__("sklearn").__path__[0])


@pytest.fixture(autouse=True)
def full_tracebacks():
    """JAX leaves its own frames out of a traceback otherwise."""
    before = jax.config.jax_traceback_filtering
    jax.config.update("jax_traceback_filtering", "off")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning)  # NumPy's, of wild numbers
        warnings.filterwarnings("ignore", message="Explicitly requested dtype")
        warnings.filterwarnings("ignore", message="A column-vector y")  # scikit-learn's
        yield
    jax.config.update("jax_traceback_filtering", before)


SPECS = (
    TrainSpec(MLP((3, 2), 2), "softmax_cross_entropy", 2),
    TrainSpec(MLP((3, 2), 1), "squared_error", 2, 4, optimizer=optax.sgd),
    TrainSpec(
        CNN((Conv(2, 2), Flatten(), Dense(2))), "softmax_cross_entropy", 1, optimizer=optax.sgd
    ),
    TrainSpec(MLP((3,), 2), "hinge", 2),
)
SAMPLES = st.one_of(changed(X), changed(X), changed(IMAGES), wild)
ANSWERS = st.one_of(changed(LABELS), changed(LABELS), changed(TARGETS), wild)
HPARAMS = st.one_of(
    st.fixed_dictionaries({"learning_rate": either(0.1, 1e-3, 1)}),
    st.fixed_dictionaries({"learning_rate": st.just(0.1), "width": either(1, 2, (1, 2))}),
    st.fixed_dictionaries({"learning_rate": st.just(0.1), "l2": either(0.0, 0.1), "l1": either(0)}),
    st.dictionaries(st.sampled_from(["learning_rate", "momentum", "l3", 3]), wild),
    wild,
)
DATA = st.one_of(
    *[st.builds(lambda x, y: Dataset({"x": x, "y": y}), SAMPLES, ANSWERS)] * 4,
    st.builds(lambda x, y: Dataset({"x": X, "y": LABELS}, {"x": x, "y": y}), SAMPLES, ANSWERS),
    st.builds(lambda part: Dataset(part), wild),
    wild,
)


def shapes(call):
    """The shapes and dtypes that a call would return, or its error: nothing is compiled."""
    return answer(lambda: jax.eval_shape(call))


def _ones(leaf):
    return np.ones(leaf.shape, leaf.dtype)


def try_fit(spec, key, data, hparams):
    found = answer(lambda: fit(spec, key, data, hparams))
    if not refused(found):
        state, history = found
        assert finite((state, history))
        assert len(history["train_loss"]) == spec.epochs


def try_checkpoints(data, hparams, seconds, steps):
    """A run with checkpoints, twice from one folder: the same, or refused the same way."""
    with tempfile.TemporaryDirectory() as folder:
        config = answer(lambda: CheckpointConfig(folder, seconds, 3, steps))
        if refused(config):
            return
        first, again = (
            answer(lambda: fit(SPECS[0], KEY, data, hparams, checkpoints=config)) for _ in "ab"
        )
    assert refused(first) == refused(again)
    if not refused(first):
        assert finite(first[0].params)
        np.testing.assert_array_equal(first[1]["train_loss"], again[1]["train_loss"])


def try_sweep(keys, data, hparams, group):
    found = answer(
        lambda: sweep(SPECS[0], keys, data, hparams, group=group),
    )
    if not refused(found):
        assert found[1]["train_loss"].shape == (2, SPECS[0].epochs)


def try_spec(model, loss, epochs, batch_size, record_every):
    found = answer(lambda: TrainSpec(model, loss, epochs, batch_size, record_every=record_every))
    assert refused(found) or isinstance(hash(found), int)


def try_grid(axes):
    found = answer(lambda: grid(**axes))
    if not refused(found):
        assert len({len(column) for column in found.values()}) <= 1


def try_estimator(kind, x, y, arguments):
    arguments = {"hidden_layer_sizes": (2,), "epochs": 2} | arguments
    found = answer(lambda: kind(**arguments).fit(x, y), SKLEARN)
    if not refused(found):
        assert finite(found.predict(np.asarray(x, np.float64)))


def try_model(build, x, other):
    model = answer(build)
    if refused(model):
        return
    params = shapes(lambda: model.init(KEY, x))
    if refused(params):
        return
    outputs = shapes(lambda: model.apply(jax.tree.map(_ones, params), other))
    assert refused(outputs) or outputs.shape[0] == len(other)


SIZE = either(1, 2, 3)
MODELS = st.one_of(
    st.builds(
        lambda *a: lambda: MLP(*a), either((), (2,), [3, 2]), SIZE, either("relu"), st.booleans()
    ),
    st.builds(lambda *a: lambda: ResidualMLP(*a), either((2,), (2, 2)), SIZE),
    st.builds(
        lambda *a: lambda: RandomlyWired(*a),
        either((2,), (1, 1)),
        either(4, 6),
        SIZE,
        either("elu"),
    ),
    st.builds(lambda *a: lambda: WordNet(*a), either(5), SIZE),
    st.builds(lambda layers: lambda: CNN(layers), wild),
    *[
        st.builds(
            lambda build: lambda: CNN((build(), GlobalAverage(), Dense(2))),
            st.one_of(
                st.builds(
                    lambda *a: lambda: Conv(*a),
                    *(SIZE, SIZE, either(1, 2), either("SAME", "VALID", ((1, 1), (0, 1)))),
                    either("he", "glorot"),
                ),
                st.builds(lambda *a: lambda: MaxPool(*a), SIZE, either(None, 1), either("SAME")),
                st.builds(lambda *a: lambda: AveragePool(*a), SIZE, either(None, 2)),
                st.builds(lambda a: lambda: GroupNorm(a), either(1, 2)),
                st.builds(lambda a: lambda: Dropout(a), either(0.0, 0.5)),
                st.builds(lambda a: lambda: Activate(a), either("tanh", "step")),
                st.builds(lambda *a: lambda: Dense(*a), SIZE, either("he")),
            ),
        )
    ]
    * 2,
)
NUMBERS = RANDOM.integers(-1, 5, (N, 2)).astype(np.int32)
INPUTS = st.one_of(changed(X), changed(IMAGES), changed(NUMBERS), wild)


def try_window(name, x, size, strides, padding):
    found = shapes(lambda: getattr(ops, name)(x, size, strides, padding))
    assert refused(found) or (len(found.shape) == 4 and min(found.shape[1:3]) >= 1)


def try_convolve(x, kernel, strides, padding):
    found = shapes(lambda: ops.convolve(x, kernel, strides, padding))
    assert refused(found) or found.shape[::3] == (len(x), np.shape(kernel)[3])


def try_loss(name, outputs, targets):
    loss = LOSSES[name]
    outputs_of = [1, *getattr(outputs, "shape", ())][-1]
    checked = answer(lambda: loss.check(targets, outputs_of, "y"))
    used = targets if refused(checked) else checked
    both = shapes(lambda: (loss.value(outputs, used), loss.grad(outputs, used)))
    if refused(both) or refused(checked):
        return
    assert [leaf.shape for leaf in both] == [(len(outputs),), np.shape(outputs)]
    if (outputs is X or outputs is TARGETS) and np.abs(np.asarray(used, float)).max() < 1e9:
        assert finite((loss.value(outputs, used), loss.grad(outputs, used)))


def try_backprop(model, loss, x, y):
    """Both ways to a gradient give the same shapes, or both refuse."""
    objective, batch = Objective(model, loss), {"x": x, "y": y}
    ours = shapes(lambda: backprop.value_and_grad(objective)(PARAMS[model], batch))
    theirs = shapes(lambda: jax.value_and_grad(objective, has_aux=True)(PARAMS[model], batch))
    assert refused(ours) == refused(theirs)
    assert refused(ours) or jax.tree.all(jax.tree.map(_alike, ours, theirs))


def _alike(one, other):
    return one.shape == other.shape


PARAMS = {
    model: model.init(KEY, x)
    for model, x in (
        (MLP((3, 2), 2), X),
        (MLP((), 1), X),
        (CNN((Conv(2, 2), MaxPool(2), Flatten(), Dense(2))), IMAGES),
        (WordNet(5, 2), NUMBERS),
    )
}


def try_shift(x, pixels):
    found = answer(lambda: augment.shift(KEY, x, pixels))
    assert refused(found) or found.shape == np.shape(x)


def try_affine(x, degrees, zoom, pixels):
    found = answer(lambda: augment.affine(KEY, x, degrees, zoom, pixels))
    if not refused(found):
        assert found.shape == np.shape(x)
        assert not finite(np.asarray(x)) or finite(found)


def try_classifier(name, x, y, other):
    classifier = CLASSIFIERS[name]
    params = answer(lambda: classifier.fit(KEY, x, y), SKLEARN)
    if not refused(params):
        found = answer(lambda: classifier.predict(params, other), SKLEARN)
        assert refused(found) or found.shape == (len(other),)


def try_arrays(x, y, fractions, n, seed):
    made = answer(lambda: from_arrays(x, y, fractions=fractions, seed=seed))
    assert refused(made) or finite((made, standardise(made)))
    parts = answer(lambda: split(x, y, fractions, seed))
    assert refused(parts) or len(parts) == 3
    held = answer(lambda: hold_out({"x": X, "y": LABELS}, n, seed))
    assert refused(held) or len(held[1]["x"]) == n


def try_toy(name, n, options):
    taken = inspect.signature(TOY[name]).parameters
    options = {option: value for option, value in options.items() if option in taken}
    found = answer(lambda: TOY[name](KEY, n, **options))
    if not refused(found):
        assert found["x"].shape == (n, 2)
        assert finite(found)


def try_choices(seconds, last, steps):
    answer(lambda: CheckpointConfig("folder", seconds, last, steps))


def try_word2vec(choices):
    found = answer(lambda: Word2Vec(**choices))
    assert refused(found) or (
        0 < found.first_rate < np.inf and found.batch_size % found.stream_count == 0
    )


PADDING = either("SAME", "VALID", ((1, 0), (0, 1)), ((-1, 0), (0, 0)))
PROPERTIES = {
    "fit": (
        try_fit,
        {
            "spec": st.sampled_from(SPECS),
            "key": either(KEY, KEY, KEYS),
            "data": DATA,
            "hparams": HPARAMS,
        },
        150,
    ),
    "checkpointed runs": (
        try_checkpoints,
        {
            "data": DATA,
            "hparams": HPARAMS,
            "seconds": either(0, 1),
            "steps": either(None, 1, 2),
        },
        10,
    ),
    "sweep": (
        try_sweep,
        {
            "keys": either(KEYS, KEYS, KEY),
            "data": DATA,
            "hparams": HPARAMS,
            "group": either(None, 1),
        },
        60,
    ),
    "spec": (
        try_spec,
        {
            "model": either(MLP((2,))),
            "loss": either(*LOSSES),
            "epochs": SIZE,
            "batch_size": either(None, 1),
            "record_every": SIZE,
        },
        80,
    ),
    "grid": (
        try_grid,
        {"axes": st.dictionaries(st.sampled_from("ab"), either([1, 2], [0.1]))},
        30,
    ),
    "estimators": (
        try_estimator,
        {
            "kind": st.sampled_from([MLPClassifier, MLPRegressor]),
            "x": st.one_of(changed(X), wild),
            "y": st.one_of(changed(LABELS), changed(TARGETS), wild),
            "arguments": st.fixed_dictionaries(
                {},
                optional={
                    "hidden_layer_sizes": either((2,)),
                    "epochs": either(2),
                    "batch_size": either(None, 64),
                    "learning_rate": either(0.1),
                    "l2": either(0.0),
                    "activation": either("tanh"),
                    "validation_fraction": either(0.0, 0.5),
                    "dropout": either(0.0, 0.5),
                    "early_stopping": either(False, True),
                    "n_iter_no_change": either(1),
                    "tol": either(0.0),
                    "random_state": either(0),
                },
            ),
        },
        80,
    ),
    "models": (try_model, {"build": MODELS, "x": INPUTS, "other": INPUTS}, 120),
    "pooling": (
        try_window,
        {
            "name": st.sampled_from(["max_pool", "average_pool"]),
            "x": st.one_of(changed(IMAGES), wild),
            "size": either(1, 2, (1, 3)),
            "strides": either(None, 1, (2, 1)),
            "padding": PADDING,
        },
        100,
    ),
    "convolution": (
        try_convolve,
        {
            "x": st.one_of(changed(IMAGES), wild),
            "kernel": st.one_of(changed(IMAGES[:2, :2]), wild),
            "strides": either(1, 2, (2, 1)),
            "padding": PADDING,
        },
        100,
    ),
    "losses": (
        try_loss,
        {
            "name": st.sampled_from(list(LOSSES)),
            "outputs": st.one_of(changed(X), changed(TARGETS)),
            "targets": st.one_of(changed(LABELS), changed(TARGETS), changed(X), wild),
        },
        120,
    ),
    "backprop": (
        try_backprop,
        {
            "model": st.sampled_from(list(PARAMS)),
            "loss": either(*LOSSES),
            "x": INPUTS,
            "y": st.one_of(changed(LABELS), changed(TARGETS), wild),
        },
        60,
    ),
    "shift": (try_shift, {"x": st.one_of(changed(IMAGES), wild), "pixels": either(0, 1)}, 40),
    "affine": (
        try_affine,
        {
            "x": st.one_of(changed(IMAGES), wild),
            "degrees": either(0, 9.0),
            "zoom": either(0.1),
            "pixels": either(1.5),
        },
        30,
    ),
    "classifiers": (
        try_classifier,
        {
            "name": st.sampled_from(list(CLASSIFIERS)),
            "x": st.one_of(changed(X), wild),
            "y": st.one_of(changed(LABELS), wild),
            "other": st.one_of(changed(X), wild),
        },
        60,
    ),
    "arrays": (
        try_arrays,
        {
            "x": st.one_of(changed(X), wild),
            "y": st.one_of(changed(LABELS), changed(TARGETS), wild),
            "fractions": either((0.5, 0.25, 0.25), (1, 0, 0)),
            "n": either(1, 2),
            "seed": either(0),
        },
        100,
    ),
    "toys": (
        try_toy,
        {
            "name": st.sampled_from(list(TOY)),
            "n": either(4),
            "options": st.dictionaries(
                st.sampled_from(["noise", "flip", "cells", "turns", "factor", "classes", "inside"]),
                either(0.1, 2),
                max_size=2,
            ),
        },
        60,
    ),
    "checkpoints": (try_choices, {"seconds": either(0), "last": SIZE, "steps": either(None)}, 60),
    "word2vec": (
        try_word2vec,
        {
            "choices": st.dictionaries(
                st.sampled_from(list(Word2Vec.__dataclass_fields__)), either(1, 4), max_size=3
            )
        },
        80,
    ),
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_calls_are_answered_or_refused(name):
    run(*PROPERTIES[name])


@pytest.mark.slow_faults
@pytest.mark.parametrize("name", PROPERTIES)
def test_many_calls_are_answered_or_refused(name):
    run(*PROPERTIES[name], many=True)
