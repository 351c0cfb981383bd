"""A search over hyper-parameters that trains all candidates on all folds side by side.

    search = SweepSearchCV(MLPClassifier(), {"learning_rate": [1e-3, 1e-2], "l2": [0, 1e-4]}, cv=5)
    search.fit(X, y).best_params_

It is scikit-learn's `GridSearchCV` for the estimators of `jaxnets.estimator`, alone or in a
pipeline. First the folds are prepared as they would be, and nothing is trained; then all networks
of one shape train in one program; then they are scored.
"""

from jaxnets.search.cross_validation import SweepSearchCV as SweepSearchCV
