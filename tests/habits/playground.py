"""Someone from TensorFlow Playground: circles, a small net, every activation, which is surest?"""

import jax
import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.neural_network import MLPClassifier as Theirs

import jaxnets as jn
from jaxnets.data import from_arrays
from jaxnets.data.toy import TOY

points = TOY["circles"](jax.random.key(0), 400)
data = from_arrays(points["x"], points["y"], seed=1)
spec = jn.TrainSpec(jn.MLP((8, 8), 2), "softmax_cross_entropy", epochs=100, batch_size=10)
axes = {"activation": ["relu", "tanh", "sigmoid", "identity"]}
found = jn.grid_search(
    spec, jax.random.key(2), data, axes, hparams={"learning_rate": 0.03}, seeds=4
)
for row in found.table():
    print(row["activation"], row["valid_accuracy"])
best = found.best("valid_accuracy")

outputs = best.spec.model.apply(best.state.params, data.test["x"])
ours = accuracy_score(data.test["y"], np.asarray(outputs).argmax(axis=1))
theirs = Theirs((8, 8), learning_rate_init=0.03, max_iter=3000, random_state=0).fit(
    data.train["x"], data.train["y"]
)
print(best.choices, ours, theirs.score(data.test["x"], data.test["y"]))
assert best.choices["activation"] != "identity"
assert ours > theirs.score(data.test["x"], data.test["y"]) - 0.05
