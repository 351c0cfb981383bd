"""Someone with one rare class: weights as scikit-learn's, F1, and what they are good for."""

import jax
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import balanced_accuracy_score, f1_score
from sklearn.utils.class_weight import compute_sample_weight

import jaxnets as jn
from jaxnets import metrics
from jaxnets.data import class_weights, from_arrays

x, y = make_classification(3000, 10, n_informative=4, weights=[0.95], random_state=0)
np.testing.assert_allclose(class_weights(y), compute_sample_weight("balanced", y), rtol=1e-6)

model, scores = jn.MLP((16,), 2, "relu"), {}
for name, weight in (("as they are", None), ("balanced", class_weights(y))):
    parts = {} if weight is None else {"weight": weight}
    data = from_arrays(x, y, stratify=True, **parts)
    spec = jn.TrainSpec(model, "softmax_cross_entropy", 30, 64, metrics={"f1": metrics.f1})
    state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 3e-3})
    outputs, labels = np.asarray(model.apply(state.params, data.valid["x"])), data.valid["y"]
    options = {"average": "macro", "sample_weight": data.valid.get("weight")}
    expected = f1_score(labels, outputs.argmax(axis=1), **options)
    assert np.isclose(history["valid_f1"][-1], expected)
    predicted = np.asarray(model.apply(state.params, data.test["x"])).argmax(axis=1)
    scores[name] = balanced_accuracy_score(data.test["y"], predicted)
print(scores)
assert scores["balanced"] > scores["as they are"]
