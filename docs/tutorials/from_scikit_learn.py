# %% [markdown]
# # Coming from scikit-learn
#
# You can stay where you are: `jaxnets.estimator` has networks with `fit`, `predict` and `score`,
# which work in pipelines, cross-validation and searches.
#
# | in scikit-learn | here |
# | --- | --- |
# | `MLPClassifier((100,), learning_rate_init=0.001)` | `MLPClassifier((100,), learning_rate=0.001)` |
# | `max_iter=200` | `epochs=200` |
# | `alpha=1e-4` | `l2`, a penalty on the mean loss that does not shrink with the batch |
# | `early_stopping=True, n_iter_no_change=10` | the same |
# | `random_state=0` | the same |
# | `GridSearchCV(net, grid, cv=5)` | the same, or `SweepSearchCV`, which trains all side by side |
# | - | `dropout`, `class_weight`, `CNNClassifier`, any optimizer of optax |
#
# **scikit-learn is the better choice** if your data is a table of a few thousand rows: its
# forests, boosted trees and linear models train in less time than a network takes to compile,
# need less tuning, and are often more accurate. Choose this package when you train many networks,
# when the network itself is the subject, or when you want to see inside.

# %%
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from jaxnets.estimator import MLPClassifier
from jaxnets.search import SweepSearchCV

x, y = load_wine(return_X_y=True)
net = MLPClassifier((16,), learning_rate=0.01, epochs=60, batch_size=32, random_state=0)
pipeline = make_pipeline(StandardScaler(), net)

# %% [markdown]
# ## A search in one program
#
# Two penalties on five folds are ten networks of the same shape: one program trains them all.

# %%
search = SweepSearchCV(pipeline, {"mlpclassifier__l2": [0, 1e-3]}, cv=5)
search.fit(x, y)
print(search.best_params_, round(search.best_score_, 3))

# %% [markdown]
# ## The honest comparison

# %%
forest = cross_val_score(RandomForestClassifier(random_state=0), x, y, cv=5)
print("a random forest:", forest.mean().round(3))

# %% [markdown]
# ## One step further
#
# The estimators are thin wrappers of `jaxnets.fit`. When you want another loss, metrics as it
# trains, or the params themselves, go on with [your first network](first_network.py).
