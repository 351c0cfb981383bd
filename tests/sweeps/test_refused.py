"""What a search refuses, before anything compiles: one row per case."""

from dataclasses import dataclass

import jax
import numpy as np
import optax
import pytest
import scipy.stats

from jaxnets import (
    CNN,
    MLP,
    EarlyStopping,
    TrainSpec,
    grid_search,
    halving_search,
    random_search,
)
from jaxnets.data import Dataset
from jaxnets.models import Dense, Flatten

X = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
DATA = Dataset({"x": X, "y": (X[:, 0] > 0).astype(np.int32)})
SPEC = TrainSpec(MLP((4,)), "binary_cross_entropy", 4)
STOPPING = TrainSpec(MLP((4,)), "binary_cross_entropy", 4, stopping=EarlyStopping("train_loss"))
EVERY_SECOND = TrainSpec(MLP((4,)), "binary_cross_entropy", 4, record_every=2)
KEY = jax.random.key(0)
RATES = {"learning_rate": [0.1, 0.2]}


@dataclass(frozen=True)
class Linear:
    """A model with a field of the name of an argument of the optimizer."""

    momentum: float = 0.9

    def init(self, key, x):
        return {"w": jax.numpy.zeros((x.shape[1], 1))}

    def apply(self, params, x):
        return x @ params["w"]


def grid(axes, spec=SPEC, data=DATA, key=KEY, **options):
    return lambda: grid_search(spec, key, data, axes, **options)


def drawn(axes, n=3, **options):
    axes = axes if "learning_rate" in axes else RATES | axes
    return lambda: random_search(SPEC, KEY, DATA, axes, n=n, **options)


def halved(axes=RATES, spec=SPEC, metric="train_loss", **options):
    return lambda: halving_search(spec, KEY, DATA, axes, metric=metric, **options)


BAD = {
    # axes
    "an unknown axis": (grid({"learning_rat": [0.1]}), ValueError, "axis 'learning_rat'; did you"),
    "an axis by another name": (
        grid(RATES | {"hidden": [(4,)]}),
        ValueError,
        "unknown axis 'hidden'; did you mean 'widths'",
    ),
    "an empty axis": (grid(RATES | {"activation": []}), ValueError, "axis 'activation' is empty"),
    "a single value": (grid({"learning_rate": 0.1}), TypeError, "'learning_rate' is 0.1; .* list"),
    "a name instead of a list": (
        grid(RATES | {"activation": "relu"}),
        TypeError,
        "'activation' is 'relu'; it must be a list",
    ),
    "a tuple in a grid": (
        grid(RATES | {"widths": (4, 4)}),
        TypeError,
        r"'widths' is \(4, 4\); it must be a list",
    ),
    "no axes": (grid({}), ValueError, "axes is empty"),
    "axes as a list": (grid([0.1]), TypeError, "axes is .*must be a dict"),
    "a seed as an axis": (grid(RATES | {"seed": [0, 1]}), ValueError, "seeds=3"),
    "an axis that is fixed too": (
        grid(RATES, hparams={"learning_rate": 0.1}),
        ValueError,
        "'learning_rate' is an axis and among the hparams",
    ),
    "fixed numbers as a list": (grid(RATES, hparams=[0.1]), TypeError, "hparams is .*a dict"),
    "an axis of two owners": (
        grid(
            RATES | {"momentum": [0.1]},
            TrainSpec(Linear(), "binary_cross_entropy", 4, optimizer=optax.sgd),
        ),
        ValueError,
        "'momentum' may be of the model or of the optimizer",
    ),
    "a value that cannot be hashed": (
        grid(RATES | {"augment": [{"a": 1}]}),
        TypeError,
        "axis 'augment' has a dict that cannot be hashed",
    ),
    # values
    "an unknown activation": (
        grid(RATES | {"activation": ["tanh", "rellu"], "batch_size": [4]}),
        ValueError,
        "with activation=rellu, batch_size=4: unknown activation 'rellu'; did you mean 'relu'",
    ),
    "a width of 0": (
        grid(RATES | {"widths": [[4], [0]]}),
        ValueError,
        r"with widths=\(0,\): an entry of widths is 0",
    ),
    "a batch larger than the data": (
        grid(RATES | {"batch_size": [4, 9]}),
        ValueError,
        "with batch_size=9: batch_size 9 is larger than the 8",
    ),
    "a rate below 0": (grid({"learning_rate": [0.1, -1.0]}), ValueError, r"learning_rate is -1\.0"),
    "a rate that is a text": (
        grid({"learning_rate": ["0.1"]}),
        TypeError,
        "learning_rate is '0.1'",
    ),
    "a narrow width of 5": (grid(RATES | {"width": [2, 5]}), ValueError, "width is .*1 to 4 units"),
    "a model without the field": (
        grid(
            RATES
            | {"model": {"mlp": MLP((4,)), "cnn": CNN((Flatten(), Dense(1)))}}
            | {"activation": ["relu"]}
        ),
        ValueError,
        "with model=cnn, activation=relu: the model, of CNN, has no field 'activation'",
    ),
    "a number that another optimizer lacks": (
        grid(RATES | {"optimizer": [optax.sgd, optax.adam], "momentum": [0.5]}),
        ValueError,
        "with optimizer=adam, momentum=0.5: unknown hyper-parameter 'momentum'",
    ),
    "an axis without a rate": (
        grid({"activation": ["relu"]}),
        ValueError,
        "missing .*learning_rate",
    ),
    # counts
    "no seeds": (grid(RATES, seeds=0), ValueError, "seeds is 0"),
    "a search in groups of 0": (grid(RATES, group=0), ValueError, "group is 0"),
    "many keys for a search": (grid(RATES, key=jax.random.split(KEY, 2)), TypeError, "key is "),
    # draws
    "no points": (drawn({}, n=0), ValueError, "n is 0"),
    "more points than combinations": (drawn({}, n=3), ValueError, "n is 3, but the axes have 2"),
    "a range that falls": (drawn({"l2": (1, 0)}), ValueError, "first must be below the second"),
    "a range of four": (drawn({"l2": (1, 2, 3, 4)}), ValueError, r"a range is \(low, high\)"),
    "a range of names": (drawn({"activation": ("relu", "tanh")}), TypeError, "an end of axis"),
    "a logarithmic range from 0": (
        drawn({"l2": (0, 1, "log-uniform")}),
        ValueError,
        "a log-uniform range is above 0",
    ),
    "an unknown distribution": (
        drawn({"l2": (0.1, 1, "loguniform")}),
        ValueError,
        "'loguniform'; did you mean 'log-uniform'",
    ),
    "a distribution of vectors": (
        drawn({"l2": scipy.stats.dirichlet([1, 1])}),
        TypeError,
        r"axis 'l2' draws an array of shape \(1, 2\)",
    ),
    "a draw that the optimizer refuses": (
        drawn({"learning_rate": (-2.0, -1.0)}),
        ValueError,
        "learning_rate is -.*above 0",
    ),
    # halving
    "eta of 1": (halved(eta=1), ValueError, "eta is 1; it must be 2 or more"),
    "eta of 2.5": (halved(eta=2.5), TypeError, "eta is 2.5; it must be an integer"),
    "more epochs at first than in all": (halved(min_epochs=5), ValueError, r"at most epochs \(4\)"),
    "epochs at first between two records": (
        halved(spec=EVERY_SECOND, min_epochs=3),
        ValueError,
        r"a multiple of record_every \(2\)",
    ),
    "an unknown metric": (halved(metric="train_los"), ValueError, "did you mean 'train_loss'"),
    "a metric without validation": (halved(metric="valid_loss"), ValueError, "unknown metric"),
    "halving with early stopping": (halved(spec=STOPPING), ValueError, "leave out the stopping"),
    "halving over epochs": (halved(RATES | {"epochs": [2, 4]}), ValueError, "epochs cannot be an"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_refused_before_anything_compiles(compilations, call, error, message):
    jax.clear_caches()
    with pytest.raises(error, match=message):
        call()
    assert compilations() == 0


def test_the_same_search_with_nothing_wrong_compiles(compilations):
    """Otherwise the test above would prove nothing."""
    jax.clear_caches()
    assert len(halved()().table()) == 2
    assert compilations() > 0
