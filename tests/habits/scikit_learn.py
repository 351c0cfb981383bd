"""Someone from scikit-learn: a pipeline, a search, scores, beside scikit-learn's own network."""

from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier as Theirs
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jaxnets.estimator import MLPClassifier
from jaxnets.search import SweepSearchCV

x, y = load_wine(return_X_y=True)
net = MLPClassifier((16,), learning_rate=0.01, epochs=60, batch_size=32, random_state=0)
search = SweepSearchCV(make_pipeline(StandardScaler(), net), {"mlpclassifier__l2": [0, 1e-3]}, cv=5)
search.fit(x, y)

theirs = Theirs((16,), learning_rate_init=0.01, max_iter=200, random_state=0)
expected = cross_val_score(make_pipeline(StandardScaler(), theirs), x, y, cv=5).mean()
print(search.best_params_, search.best_score_, expected)
assert search.best_score_ > expected - 0.02
