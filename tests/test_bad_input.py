"""Errors say what is wrong, where, and what to do, before anything compiles: one row per case."""

from functools import partial

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import MLP, TrainSpec, fit, grid, sweep
from jaxnets.augment import affine, shift
from jaxnets.backprop import value_and_grad
from jaxnets.data import TOY, Dataset, split
from jaxnets.losses import LOSSES
from jaxnets.models import (
    CNN,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAverage,
    GroupNorm,
    MaxPool,
    Residual,
    WordNet,
)
from jaxnets.objective import Objective
from jaxnets.ops import max_pool
from jaxnets.training.validate import prepare
from jaxnets.word2vec import Word2Vec

N = 8
IMAGES = np.zeros((N, 6, 5, 3), np.uint8)
X = np.random.default_rng(0).normal(size=(N, 2)).astype(np.float32)
LABELS = np.arange(N) % 3
TARGETS = X[:, :1]
PIXELS = np.random.default_rng(1).integers(0, 256, (N, 2), dtype=np.uint8)
TOKENS = np.arange(2 * N).reshape(N, 2) % 5
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, 2)
MODEL = MLP((7, 6), outputs=3)
NORMALISED = CNN((BatchNorm(), Dense(3)))
PARAMS = jax.jit(MODEL.init)(KEY, X)

classes = partial(TrainSpec, MODEL, "softmax_cross_entropy", epochs=4)
reading = partial(TrainSpec, WordNet(5, 2), "softmax_cross_entropy", epochs=4)
regression = partial(TrainSpec, MLP((7, 6), 1), "squared_error", epochs=4)


def put(array, value, *where):
    """Copies the array and changes one entry."""
    array = array.copy()
    array[where] = value
    return array


def training(x=X, y=LABELS, valid=None, spec=classes, train=fit, key=KEY, options=None, **hparams):
    """Returns a call of `fit` or `sweep`, to be given one wrong argument."""

    def call():
        data = Dataset({"x": x, "y": y}, valid and {"x": valid[0], "y": valid[1]})
        train(spec(), key, data, {"learning_rate": 0.1} | hparams, **(options or {}))

    return call


sweeping = partial(training, train=sweep, key=KEYS)


def imaging(*layers, x=IMAGES, **rest):
    """Returns a call of `fit` with these layers on images of 6 x 5 with 3 channels."""
    model = CNN((*layers, GlobalAverage(), Dense(3)))
    return training(x=x, spec=partial(TrainSpec, model, "softmax_cross_entropy", epochs=4), **rest)


BAD = {
    # labels and targets
    "label = n_classes": (
        training(y=put(LABELS, 3, 5)),
        ValueError,
        r"train y\[5\] is 3, but 3 classes are labelled 0\.\.2",
    ),
    "label -1": (training(y=put(LABELS, -1, 2)), ValueError, r"train y\[2\] is -1"),
    "validation label": (
        training(valid=(X, put(LABELS, 3, 0))),
        ValueError,
        r"valid y\[0\] is 3",
    ),
    "float labels": (
        training(y=LABELS.astype(np.float32)),
        TypeError,
        r"y has dtype float32; class labels are integers: .*astype\(np\.int32\)",
    ),
    "labels as a column": (
        training(y=LABELS[:, None]),
        ValueError,
        r"y has shape \(8, 1\).*y\.ravel\(\)",
    ),
    "targets as a row": (
        training(y=TARGETS[:, 0], spec=regression),
        ValueError,
        r"y has shape \(8,\); expected \[samples, 1\].*reshape\(-1, 1\)",
    ),
    "NaN in the targets": (
        training(y=put(TARGETS, np.nan, 4), spec=regression),
        ValueError,
        "y has nan at row 4, column 0",
    ),
    "targets of three outputs for one": (
        training(y=np.ones((N, 3)), spec=regression),
        ValueError,
        r"y has shape \(8, 3\); expected \[samples, 1\]",
    ),
    "targets that would broadcast": (
        lambda: LOSSES["squared_error"].value(TARGETS, TARGETS[:, 0]),
        ValueError,
        r"outputs have shape \(8, 1\) and targets \(8,\); expected .* \(8, 1\)",
    ),
    # samples
    "x and y of different length": (
        training(y=LABELS[:-1]),
        ValueError,
        "train x has 8 samples and train y has 7",
    ),
    "empty set": (training(x=X[:0], y=LABELS[:0]), ValueError, r"train x is empty .*\(0, 2\)"),
    "empty validation set": (
        training(valid=(X[:0], LABELS[:0])),
        ValueError,
        "valid x is empty",
    ),
    "NaN in x": (training(x=put(X, np.nan, 5, 1)), ValueError, "x has nan at row 5, column 1"),
    "infinity in x": (training(x=put(X, -np.inf, 0, 0)), ValueError, "-inf at row 0, column 0"),
    "too large for single precision": (
        training(x=put(X.astype(np.float64), 1e300, 3, 1)),
        ValueError,
        r"x has 1e\+300 at row 3, column 1",
    ),
    "int64 pixels": (
        training(x=PIXELS.astype(np.int64)),
        TypeError,
        r"train x has dtype int64.*uint8 pixels \(0\.\.255\) or floats",
    ),
    "strings": (training(x=X.astype(str)), TypeError, "train x has dtype <U32"),
    "one feature without its axis": (training(x=X[:, 0]), ValueError, r"reshape\(-1, 1\)"),
    "other features in validation": (
        training(valid=(X[:, :1], LABELS)),
        ValueError,
        r"train samples have shape \(2,\), validation samples \(1,\)",
    ),
    "params of a different width": (
        lambda: MODEL.apply(PARAMS, np.ones((4, 5), np.float32)),
        ValueError,
        "layer 'hidden_0' was initialised for 2 features, x has 5",
    ),
    "images": (
        training(x=np.ones((N, 28, 28), np.float32)),
        ValueError,
        r"takes \[batch, features\].*flatten images with x\.reshape\(len\(x\), -1\)",
    ),
    "images, channels first": (
        training(x=np.zeros((N, 1, 28, 28), np.uint8)),
        ValueError,
        r"takes \[batch, features\]",
    ),
    "samples without features": (
        training(x=X[:, :0]),
        ValueError,
        r"train x has shape \(8, 0\): the samples have no features",
    ),
    "samples of different lengths": (
        training(x=[[1.0], [1.0, 2.0]]),
        ValueError,
        "train x has rows of different shapes: give all rows the same shape",
    ),
    "a token beyond the vocabulary": (
        training(x=put(TOKENS, 5, 6, 1), spec=reading),
        ValueError,
        r"train x has the word number 5 in sample 6; the vocabulary has 5 words",
    ),
    "tokens that are floats": (
        training(x=X, spec=reading),
        TypeError,
        "train x has dtype float32; word numbers are integers",
    ),
    "features of a gradient by hand": (
        lambda: value_and_grad(Objective(MODEL, "squared_error"))(
            PARAMS, {"x": np.ones((N, 5), np.float32), "y": X}
        ),
        ValueError,
        "initialised for 2 features, x has 5",
    ),
    "a negative seed": (lambda: split(X, LABELS, seed=-1), ValueError, "seed is -1"),
    "too much noise": (lambda: TOY["xor"](KEY, N, noise=1e300), ValueError, "noise is 1e"),
    "half a point": (lambda: TOY["xor"](KEY, 2.5), TypeError, "n is 2.5"),
    # image networks
    "features for a convolution": (
        imaging(Conv(4, 3), x=X),
        ValueError,
        r"expected images \[batch, rows, columns, channels\], x has shape \(1, 2\)",
    ),
    "images without channels": (
        imaging(Conv(4, 3), x=IMAGES[..., 0]),
        ValueError,
        r"x has shape \(1, 6, 5\): use x\[\.\.\., None\] for images of one channel",
    ),
    "a kernel larger than the images": (
        imaging(Conv(4, (3, 6))),
        ValueError,
        r'images of 6 x 5 .* are smaller than the window of 3 x 6.*padding="SAME"',
    ),
    "images that shrink to nothing": (
        imaging(MaxPool(3), MaxPool(2)),
        ValueError,
        "images of 2 x 1 .* smaller than the window of 2 x 2",
    ),
    "padding in small letters": (
        imaging(Conv(4, 3, padding="same")),
        ValueError,
        "unknown padding 'same';",
    ),
    "a stride of 0": (imaging(Conv(4, 3, 0)), ValueError, "a window's stride is 0"),
    "a stride of 1.5": (imaging(MaxPool(2, 1.5)), TypeError, "a window's stride is 1.5"),
    "a kernel of 0 rows": (imaging(Conv(4, (0, 3))), ValueError, "a window's size is 0"),
    "groups that do not divide the channels": (
        imaging(GroupNorm(2)),
        ValueError,
        r"channels \(3\) must be a multiple of groups \(2\)",
    ),
    "a residual block of a different shape": (
        imaging(Residual((Conv(4, 1),))),
        ValueError,
        r"map \(6, 5, 3\) to \(6, 5, 4\), the shortcut to \(6, 5, 3\): pass a shortcut",
    ),
    "a window far larger than the images": (
        imaging(MaxPool(2**20, 1, "SAME")),
        ValueError,
        "more than 4 times as large as the images of 6 x 5",
    ),
    "padding of one number": (imaging(Conv(4, 3, padding=1)), ValueError, "padding is 1; it must"),
    "three strides": (imaging(Conv(4, 3, (1, 1, 1))), ValueError, r"stride is \(1, 1, 1\)"),
    "no groups": (lambda: GroupNorm(0), ValueError, "groups is 0"),
    "momentum of 1": (
        lambda: BatchNorm(momentum=1.0),
        ValueError,
        r"momentum is 1.0; it must be in \[0, 1\)",
    ),
    "epsilon of 0": (lambda: BatchNorm(0), ValueError, "epsilon is 0; it must be above 0"),
    "a batch of one sample to normalise": (
        training(spec=partial(TrainSpec, NORMALISED, "softmax_cross_entropy", 4, batch_size=7)),
        ValueError,
        r"layer 'layers_0' normalises by a batch with one value a channel \(shape \(1, 2\)\)",
    ),
    "unknown gain": (
        lambda: Conv(4, 3, gain="glorott"),
        ValueError,
        "unknown gain 'glorott'; did you mean 'glorot'",
    ),
    "dropout of 1": (lambda: Dropout(1), ValueError, r"dropout rate is 1; it must be in \[0, 1\)"),
    "dropout of a perceptron of 1": (
        lambda: MLP((4,), dropout=1.0),
        ValueError,
        r"dropout is 1.0; it must be in \[0, 1\)",
    ),
    "traced dropout of 1": (
        training(dropout=1.0),
        ValueError,
        r"dropout is 1.0; it must be in \[0, 1\)",
    ),
    "dropout of an image network": (
        imaging(Conv(4, 3), Dropout(0.2), dropout=0.5),
        ValueError,
        "unknown hyper-parameter 'dropout'",
    ),
    "dropout below 0": (lambda: Dropout(-0.1), ValueError, "dropout rate is -0.1"),
    "a layer that is a str": (
        lambda: CNN((Flatten(), "relu")),
        TypeError,
        "layers must be Flax modules, got 'relu'",
    ),
    "dense layer on images": (imaging(Dense(4)), ValueError, r"a dense layer takes \[batch, feat"),
    "integers to pool": (
        lambda: max_pool(IMAGES, 2),
        TypeError,
        r"x has dtype uint8; expected floats: x.astype\(np.float32\)",
    ),
    "a shift of half a pixel": (lambda: shift(KEY, IMAGES, 0.5), ValueError, "pixels is 0.5"),
    "a zoom of 1": (lambda: affine(KEY, IMAGES, zoom=1), ValueError, "zoom is 1"),
    "width of an image network": (
        imaging(Conv(4, 3), width=2),
        ValueError,
        "unknown hyper-parameter 'width';.* known: learning_rate, .*, l1, l2$",
    ),
    "params of other channels": (
        lambda: CNN((Conv(1, 1), Flatten())).apply(
            {"params": {"layers_0": {"kernel": np.ones((1, 1, 4, 1)), "bias": np.ones(1)}}}, IMAGES
        ),
        ValueError,
        r"layer 'layers_0' was initialised for 4 channels, its input has 3 \(shape \(8, 6, 5, 3\)",
    ),
    # choices
    "batch larger than the set": (
        training(spec=partial(classes, batch_size=9)),
        ValueError,
        "batch_size 9 is larger than the 8 training samples: use batch_size=None",
    ),
    "batch of 0": (partial(classes, batch_size=0), ValueError, "batch_size is 0; .* 1 or more"),
    "batch of 2.5": (partial(classes, batch_size=2.5), TypeError, "batch_size is 2.5"),
    "no epochs": (
        lambda: TrainSpec(MODEL, "hinge", epochs=0),
        ValueError,
        "epochs is 0; it must be 1 or more",
    ),
    "epochs between two records": (
        partial(classes, record_every=3),
        ValueError,
        r"epochs \(4\) must be a multiple of record_every \(3\)",
    ),
    "unknown loss": (
        lambda: TrainSpec(MODEL, "softmax_crossentropy", epochs=4),
        ValueError,
        "unknown loss 'softmax_crossentropy'; did you mean 'softmax_cross_entropy'",
    ),
    "unknown activation": (
        lambda: MLP((4,), activation="sigmoidal"),
        ValueError,
        "unknown activation 'sigmoidal'; did you mean 'sigmoid'",
    ),
    "binary loss of three outputs": (
        training(y=LABELS % 2, spec=lambda: TrainSpec(MODEL, "hinge", epochs=4)),
        ValueError,
        "takes one output, the network has 3",
    ),
    "more epochs than JAX can count": (
        partial(classes, epochs=2**31),
        ValueError,
        "epochs is 2147483648; it must be below 2",
    ),
    "a model that is a str": (
        lambda: TrainSpec("MLP", "hinge", epochs=4),
        TypeError,
        "model must have init and apply, as Flax modules do, got 'MLP'",
    ),
    "one number of widths": (
        lambda: MLP(3),
        TypeError,
        "widths is 3; it must be a list of integers",
    ),
    # hyper-parameters
    "learning rate 0": (training(learning_rate=0.0), ValueError, "learning_rate is 0.0; .*above 0"),
    "learning rate below 0": (training(learning_rate=-0.1), ValueError, "learning_rate is -0.1"),
    "learning rate NaN": (training(learning_rate=np.nan), ValueError, "learning_rate is nan"),
    "one rate of many": (
        sweeping(learning_rate=np.array([0.1, -0.2])),
        ValueError,
        "learning_rate is -0.2",
    ),
    "unknown hyper-parameter": (
        training(learning_rat=0.1),
        ValueError,
        "unknown hyper-parameter 'learning_rat'; did you mean 'learning_rate'",
    ),
    "another optimizer's": (
        training(momentum=0.9),
        ValueError,
        "unknown hyper-parameter 'momentum';.*known: learning_rate, b1, b2",
    ),
    "no learning rate": (
        lambda: fit(classes(), KEY, Dataset({"x": X, "y": LABELS})),
        ValueError,
        "missing hyper-parameter 'learning_rate'",
    ),
    "hyper-parameters that are not a dict": (
        lambda: fit(classes(), KEY, Dataset({"x": X, "y": LABELS}), [0.1]),
        TypeError,
        r"hparams is \[0.1\]; it must be a dict",
    ),
    "a grid of one number": (
        lambda: grid(learning_rate=0.1),
        ValueError,
        "learning_rate is 0.1; an axis of a grid is a list",
    ),
    "many rates for word2vec": (
        lambda: Word2Vec(learning_rate=[0.1, 0.2]),
        TypeError,
        r"learning_rate has shape \(2,\); it must be a single number",
    ),
    "negative penalty": (training(l2=-0.1), ValueError, "l2 is -0.1; a penalty is 0 or more"),
    "infinite penalty": (training(l1=np.inf), ValueError, "l1 is inf"),
    "width 0": (training(width=0), ValueError, "width is 0; the model has 1 to 6 units"),
    "too wide": (training(width=7), ValueError, "width is 7; the model has 1 to 6 units"),
    "width NaN": (training(width=np.nan), ValueError, "width is nan"),
    "half a unit": (training(width=2.5), ValueError, "width is 2.5"),
    "width without a hidden layer": (
        training(spec=lambda: TrainSpec(MLP((), 3), "softmax_cross_entropy", 4), width=1),
        ValueError,
        "width is given, but the model has no hidden layer to narrow",
    ),
    # sweeps
    "no keys": (sweeping(key=KEYS[:0]), ValueError, "number of keys is 0"),
    "three rates for two keys": (
        sweeping(learning_rate=np.full(3, 0.1)),
        ValueError,
        r"learning_rate has shape \(3,\); expected a scalar or \[2\]",
    ),
    "groups of 0": (sweeping(options={"group": 0}), ValueError, "group is 0"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_refused_before_anything_compiles(compilations, call, error, message):
    jax.clear_caches()  # so that what another test compiled is compiled again
    with pytest.raises(error, match=message):
        call()
    assert compilations() == 0


def test_the_same_call_with_nothing_wrong_compiles(compilations):
    """Otherwise the test above would prove nothing."""
    training()()
    assert compilations() > 0


# The array, and what it becomes.
GOOD_X = {
    "uint8 pixels are divided by 255": (PIXELS, PIXELS / 255),
    "float64": (X.astype(np.float64), X),
    "float16": (X.astype(np.float16), X.astype(np.float16)),
    "any order in memory": (np.asfortranarray(X), X),
    "a JAX array": (jnp.array(X), X),
    "lists": (X.tolist(), X),
}
GOOD_Y = {
    "int64 labels": (LABELS.astype(np.int64), classes, LABELS.astype(np.int32)),
    "uint8 labels": (LABELS.astype(np.uint8), classes, LABELS.astype(np.int32)),
    "float64 targets": (TARGETS.astype(np.float64), regression, TARGETS),
    "uint8 targets are not pixels": (
        PIXELS[:, :1],
        regression,
        PIXELS[:, :1].astype(np.float32),
    ),
}


@pytest.mark.parametrize(("x", "truth"), GOOD_X.values(), ids=GOOD_X)
def test_samples_become_single_precision(x, truth):
    data, _ = prepare(
        classes(), Dataset({"x": x, "y": LABELS}, {"x": x, "y": LABELS}), {"learning_rate": 1}
    )
    chex.assert_trees_all_equal(data.train, data.valid)
    chex.assert_type(data.train["x"], jnp.float32)
    np.testing.assert_allclose(data.train["x"], truth, rtol=1e-6)


@pytest.mark.parametrize(("y", "spec", "truth"), GOOD_Y.values(), ids=GOOD_Y)
def test_targets_become_what_the_loss_takes(y, spec, truth):
    data, _ = prepare(spec(), Dataset({"x": X, "y": y}), {"learning_rate": 1})
    np.testing.assert_array_equal(data.train["y"], truth, strict=True)


def test_pixels_train_like_their_fractions():
    hparams = {"learning_rate": 0.1}
    spec = TrainSpec(MLP((7, 6), 3), "softmax_cross_entropy", epochs=4, optimizer=optax.sgd)
    pixels, floats = (
        fit(spec, KEY, Dataset({"x": x, "y": LABELS}), hparams)[0].params
        for x in (PIXELS, PIXELS.astype(np.float32) / 255)
    )
    chex.assert_trees_all_equal(pixels, floats)
