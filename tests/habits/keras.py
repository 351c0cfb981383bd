"""Someone from Keras: layers, metrics, early stopping, a saved model; scikit-learn counts."""

import tempfile
from pathlib import Path

import jax
import numpy as np
from sklearn.metrics import accuracy_score, f1_score

import jaxnets as jn
from jaxnets import metrics
from jaxnets.data import load
from jaxnets.models import CNN, Activate, Dense, Dropout

data = load("digits")
model = CNN((Dense(64), Activate("relu"), Dropout(0.2), Dense(10)))
print(jn.summary(model, data.train["x"][:1]))
stopping = jn.EarlyStopping("valid_loss", patience=5)
options = {"optimizer": "adam", "stopping": stopping, "metrics": {"f1": metrics.f1}}
spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=60, batch_size=64, **options)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 3e-3})
best = history["valid_loss"].argmin()

path = Path(tempfile.mkdtemp()) / "digits.safetensors"
jn.save(path, model, state.params, {"classes": list("0123456789")})
model, params, extra = jn.load(path)
predicted = np.asarray(model.apply(params, data.valid["x"])).argmax(axis=1)
y = data.valid["y"]
print(accuracy_score(y, predicted), f1_score(y, predicted, average="macro"))
assert np.isclose(history["valid_accuracy"][best], accuracy_score(y, predicted))
assert np.isclose(history["valid_f1"][best], f1_score(y, predicted, average="macro"))
