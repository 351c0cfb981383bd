"""Someone with a CSV file: columns of words and numbers, standardised, beside a linear model."""

import tempfile
from pathlib import Path

import jax
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

import jaxnets as jn
from jaxnets.data import from_arrays, from_csv, standardise

rng = np.random.default_rng(0)
age, town = rng.uniform(18, 80, 2000).round(), rng.choice(["Rome", "Oslo", "Bern"], 2000)
chance = 1 / (1 + np.exp(-((age - 45) / 8) * np.where(town == "Oslo", -1, 1)))
bought = np.where(rng.uniform(size=2000) < chance, "yes", "no")
path = Path(tempfile.mkdtemp()) / "customers.csv"
lines = map("{},{},{}".format, age, town, bought)
path.write_text("\n".join(["age,town,bought", *lines]))

table = from_csv(path, target="bought")
data = standardise(from_arrays(table.x, table.y, stratify=True))
stopping = jn.EarlyStopping("valid_loss", patience=10)
spec = jn.TrainSpec(jn.MLP((16,), 2), "softmax_cross_entropy", 200, 64, stopping=stopping)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 0.01})

outputs = spec.model.apply(state.params, data.test["x"])
ours = log_loss(data.test["y"], jax.nn.softmax(outputs))
linear = LogisticRegression().fit(data.train["x"], data.train["y"])
theirs = log_loss(data.test["y"], linear.predict_proba(data.test["x"]))
print(table.features, table.classes, ours, theirs)
assert ours < theirs - 0.1  # age counts the other way in Oslo, which no linear model can say
