"""Streams that cannot be used: what is wrong, in which batch of which epoch, and what to do."""

from dataclasses import replace

import numpy as np
import pytest

from jaxnets import MLP, State, TrainSpec, fit, fit_stream
from jaxnets.data import Dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int32)
SPEC = TrainSpec(MLP((8,), 2), "softmax_cross_entropy", 2)
GOOD = {"x": X[:8], "y": Y[:8]}


def put(array, value, *where):
    """Copies the array and changes one entry."""
    array = array.copy()
    array[where] = value
    return array


def run(key, data, spec=SPEC, **options):
    return fit_stream(spec, key, data, {"learning_rate": 0.1}, **options)


def third(**changes):
    """Two good batches, and one with changes."""
    return [GOOD, GOOD, GOOD | changes]


def generator(n=3):
    yield from [GOOD] * n


REFUSED = {
    "a number": (3, TypeError, "the stream is a int; it must yield batches"),
    "a text": ("x.npz", TypeError, "the stream is a str"),
    "parts of a data set": (
        {"train": [GOOD], "test": [GOOD]},
        TypeError,
        "the stream is a dict of train, test",
    ),
    "a function of no iterator": (
        lambda: 3,
        TypeError,
        "function of the stream returned a int; it must return an iterator",
    ),
    "rows of an array": (X, TypeError, "batch 1 of epoch 1 is a ndarray; a stream yields dicts"),
    "four arrays": ([(X, Y, Y, Y)], TypeError, "batch 1 of epoch 1 is a tuple; a stream yields"),
    "other columns": (
        [{"image": X, "label": Y}],
        TypeError,
        "batch 1 of epoch 1 has image, label; it must have x, y",
    ),
    "a column too many": (
        [GOOD | {"id": Y[:8]}],
        TypeError,
        "batch 1 of epoch 1 has x, y, id; .*leave out the rest",
    ),
    "single samples": (
        [{"x": X[0], "y": Y[0]}],
        ValueError,
        "y of batch 1 of epoch 1 is a single number; .*put them into batches",
    ),
    "no batch": ([], ValueError, "no batch in epoch 1"),
    "NaN in the first batch": (
        [GOOD | {"x": put(X[:8], np.nan, 3, 1)}],
        ValueError,
        "x of batch 1 of epoch 1 has nan at row 3, column 1",
    ),
    "a generator without steps_per_epoch": (
        generator(),
        ValueError,
        "the stream is an iterator, .*2 epochs.*give steps_per_epoch, or a function",
    ),
    "other features in validation": (
        Dataset([GOOD], {"x": X[:, :2], "y": Y}),
        ValueError,
        r"train samples have shape \(4,\), validation samples \(2,\)",
    ),
    "arrays of different length": (
        {"x": X, "y": Y[:-1]},
        ValueError,
        "train x has 40 samples and train y has 39",
    ),
    "a part of arrays that nothing uses": (
        {"x": X, "y": Y, "id": Y},
        TypeError,
        r"train has \['id'\], which nothing would use",
    ),
    "a label of the last batch of arrays": (
        {"x": X, "y": put(Y, 2, 39)},
        ValueError,
        r"train y\[39\] is 2, but 2 classes",
    ),
    "weights of arrays": (
        {"x": X, "y": Y, "weight": put(np.ones(40), -1, 7)},
        ValueError,
        r"train weight\[7\] is -1.0; weights are 0 or more",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_stream_is_refused_before_anything_compiles(key, compilations, fault):
    data, kind, message = REFUSED[fault]
    before = compilations()
    with pytest.raises(kind, match=message):
        run(key, data)
    assert compilations() - before <= 2  # of splitting the key, by any run


LATER = {
    "other features": (
        third(x=X[:8, :3]),
        r"x of batch 3 of epoch 1 is float32 \(8, 3\); that of the first was float32 \('batch', 4",
    ),
    "another dtype": (third(x=X[:8].astype(np.float64)), "x of batch 3 of epoch 1 is float64"),
    "targets of another shape": (third(y=Y[:8, None]), r"y of batch 3 .* is int32 \(8, 1\)"),
    "weights in one batch only": (third(weight=X[:8, 0] ** 2), "batch 3 .* has x, y, weight"),
    "more targets than samples": (
        third(y=Y[:9]),
        "x of batch 3 of epoch 1 has 8 samples and y of batch 3 of epoch 1 has 9",
    ),
    "NaN": (third(x=put(X[:8], np.nan, 5, 2)), "x of batch 3 of epoch 1 has nan at row 5"),
    "a label out of range": (third(y=put(Y[:8], 2, 4)), r"y of batch 3 of epoch 1\[4\] is 2"),
    "something else": ([GOOD, GOOD, None], "batch 3 of epoch 1 is a NoneType; a stream yields"),
}


@pytest.mark.parametrize("fault", LATER)
def test_a_batch_that_is_not_like_the_first_is_named(key, fault):
    data, message = LATER[fault]
    with pytest.raises(TypeError if fault == "something else" else ValueError, match=message):
        run(key, data)


def test_an_epoch_without_batches_is_named(key):
    """A generator that is used up, behind a function that was meant to make new ones."""
    once = generator()
    with pytest.raises(ValueError, match="no batch in epoch 2: its function must make a new"):
        run(key, lambda: once)


ENDING = {
    "a generator": (lambda: generator(7), "after 3 of 4 batches of epoch 2: an iterator can be"),
    "a generator, at an epoch": (
        lambda: generator(4),
        "after 0 of 4 batches of epoch 2: .* such as lambda: batches()",
    ),
    "a list": (lambda: [GOOD] * 3, "after 3 of 4 batches of epoch 1: lower steps_per_epoch, or"),
    "a function": (lambda: lambda: generator(6), "after 2 of 4 batches of epoch 2: lower"),
}


@pytest.mark.parametrize("fault", ENDING)
def test_a_stream_that_ends_early_is_named(key, fault):
    make, message = ENDING[fault]
    with pytest.raises(ValueError, match=f"the stream ended {message}"):
        run(key, make(), steps_per_epoch=4)


def test_a_bad_row_of_arrays_is_named(key):
    x = put(X, np.nan, 33, 2)
    with pytest.raises(ValueError, match="x of row 33 has nan at row 0, column 2"):
        run(key, {"x": x, "y": Y}, replace(SPEC, batch_size=8))


def test_options_that_do_not_fit(key):
    state = State({}, (), np.int32(3), key)
    for data, options, kind, message in (
        ([GOOD], {"steps_per_epoch": 0}, ValueError, "steps_per_epoch is 0; it must be 1 or more"),
        ([GOOD], {"steps_per_epoch": 2.5}, TypeError, "steps_per_epoch is 2.5; it must be an int"),
        ({"x": X, "y": Y}, {"steps_per_epoch": 5}, ValueError, "an epoch of arrays is a pass"),
        ([GOOD], {"state": state}, ValueError, "to go on from it, give steps_per_epoch"),
        ([GOOD], {"state": {}, "steps_per_epoch": 1}, TypeError, "state is a dict; it must be"),
        ([GOOD], {"state": state, "steps_per_epoch": 1}, ValueError, "another model or optimizer"),
    ):
        with pytest.raises(kind, match=message):
            run(key, data, **options)


def test_a_batch_size_that_the_stream_has_not_is_refused(key):
    with pytest.raises(ValueError, match="batch_size is 16, but the first batch of the stream"):
        run(key, [GOOD], replace(SPEC, batch_size=16))
    with pytest.raises(ValueError, match="batch_size 64 is larger than the 40 training samples"):
        run(key, {"x": X, "y": Y}, replace(SPEC, batch_size=64))


def test_a_state_with_all_epochs_behind_it_is_refused(key):
    state, _ = run(key, [GOOD], steps_per_epoch=1)
    with pytest.raises(ValueError, match="has taken 2 steps, and 2 epochs have 2"):
        run(key, [GOOD], state=state, steps_per_epoch=1)


def test_fit_tells_where_a_stream_belongs(key):
    with pytest.raises(TypeError, match=r"a stream of batches is for jaxnets\.fit_stream"):
        fit(SPEC, key, generator(), {"learning_rate": 0.1})
