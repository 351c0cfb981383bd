"""Networks as scikit-learn estimators, for pipelines and grid searches.

They are thin wrappers of `jaxnets.fit`: training is one program, compiled once per architecture
and shape of the data; a different learning rate or penalty reuses it. Predictions are computed in
double precision, so that the prediction of a sample does not depend on the other samples.
"""

from jaxnets.estimator.classifier import MLPClassifier as MLPClassifier
from jaxnets.estimator.images import CNNClassifier as CNNClassifier
from jaxnets.estimator.regressor import MLPRegressor as MLPRegressor
