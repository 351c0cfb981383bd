"""Labels and samples of the classical functions, called directly and under jit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.classical import (
    CLASSIFIERS,
    adaboost,
    knn,
    linear_predict,
    linear_svm,
    logistic_regression,
    perceptron,
    signs,
)
from tests.reports.test_samples_and_labels import KEY

LINE = np.arange(10.0)[:, None] - 4.5
SIDE = (LINE[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    ("y", "message"),
    [(2 * SIDE - 1, r"y\[0\] is -1"), (SIDE + 1, r"y\[5\] is 2"), (SIDE[:, None], r"y\.ravel\(\)")],
)
def test_case_34_unchecked_classical_labels(y, message):
    for train, options in (
        (perceptron, {"max_epochs": 50}),
        (logistic_regression, {"steps": 9}),
        (linear_svm, {"l2": 1e-3}),
        (adaboost, {"directions": np.eye(1)}),
    ):
        with pytest.raises(ValueError, match=message):
            train(LINE, y, **options)
        assert np.mean(linear_predict(perceptron(LINE, SIDE, max_epochs=50)[0], LINE) != SIDE) == 0


def test_the_test_set_of_the_perceptron_is_checked_too():
    with pytest.raises(ValueError, match=r"y_test\[0\] is -1"):
        perceptron(LINE, SIDE, max_epochs=2, x_test=LINE, y_test=2 * SIDE - 1)


def test_classical_functions_work_under_jit_and_vmap():
    y = np.stack([SIDE, 1 - SIDE])
    train = jax.vmap(lambda y: perceptron(LINE, y, max_epochs=50)[0])
    for params in (train(y), jax.jit(train)(y.astype(np.uint8))):
        found = jax.vmap(linear_predict, (0, None))(params, LINE)
        np.testing.assert_array_equal(found, y)
    with pytest.raises(ValueError, match="class labels are"):
        jax.jit(lambda y: perceptron(LINE, y, max_epochs=5))(SIDE[:, None])


def test_baselines_and_signs_refuse_what_would_broadcast_or_count_as_another_class():
    with pytest.raises(ValueError, match="ravel"):
        knn(LINE, SIDE[:, None])
    with pytest.raises(ValueError, match="labels have 2"):
        signs([1, 2])


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_learn_from_any_label_type(name):
    truth = CLASSIFIERS[name].fit(KEY, LINE, SIDE)
    for dtype in (np.uint8, np.uint64, np.bool_):
        params = CLASSIFIERS[name].fit(KEY, LINE, SIDE.astype(dtype))
        for x in (LINE, LINE.tolist(), jnp.asarray(LINE, jnp.bfloat16)):
            np.testing.assert_array_equal(
                CLASSIFIERS[name].predict(params, x), CLASSIFIERS[name].predict(truth, LINE)
            )
