"""Classical classifiers as pure functions, and their table `CLASSIFIERS` (rows A1-A8).

Each algorithm is `(x, y, ...) -> (params, history)`, works under `jit` and `vmap`, and takes
what `fit` takes: floats or uint8 pixels `[samples, features]` and class indices `[samples]`, which
are 0 or 1 except for the scikit-learn baselines. Data are checked on the host.
"""

from jaxnets.classical.boosting import (
    adaboost,
    adaboost_predict,
    adaboost_staged,
    adaboost_votes,
    even_directions,
    random_directions,
)
from jaxnets.classical.logistic import (
    logistic_gradient,
    logistic_loss,
    logistic_probabilities,
    logistic_regression,
)
from jaxnets.classical.perceptrons import max_margin, perceptron, perceptron_bound, perceptron_gd
from jaxnets.classical.svm import linear_svm, linear_svm_loss
from jaxnets.classical.table import CLASSIFIERS, Classifier, knn, rbf_svm
from jaxnets.classical.threshold import (
    AND,
    NOT,
    OR,
    linear_predict,
    signs,
    threshold_network,
    threshold_unit,
    truth_table_network,
)

__all__ = [
    "AND",
    "CLASSIFIERS",
    "NOT",
    "OR",
    "Classifier",
    "adaboost",
    "adaboost_predict",
    "adaboost_staged",
    "adaboost_votes",
    "even_directions",
    "knn",
    "linear_predict",
    "linear_svm",
    "linear_svm_loss",
    "logistic_gradient",
    "logistic_loss",
    "logistic_probabilities",
    "logistic_regression",
    "max_margin",
    "perceptron",
    "perceptron_bound",
    "perceptron_gd",
    "random_directions",
    "rbf_svm",
    "signs",
    "threshold_network",
    "threshold_unit",
    "truth_table_network",
]
