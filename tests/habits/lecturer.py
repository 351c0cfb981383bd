"""A lecturer: back-propagation by hand beside scikit-learn's, curves with bands for a slide."""

import tempfile
from pathlib import Path

import jax
import numpy as np
from sklearn.neural_network import MLPClassifier as Theirs

import jaxnets as jn
from jaxnets import backprop, plots
from jaxnets.data import load

data, model, key = load("digits"), jn.MLP((16,), 10, "tanh"), jax.random.key(0)
objective = jn.Objective(model, "softmax_cross_entropy")
params = model.init(key, data.train["x"][:1])
(loss, _), grads = backprop.value_and_grad(objective, has_aux=True)(params, data.train)

net = Theirs((16,), activation="tanh", alpha=0, solver="sgd", batch_size=len(data.train["x"]))
net.set_params(learning_rate_init=1.0, momentum=0.0)
net.partial_fit(data.train["x"], data.train["y"], classes=range(10))
for i, layer in enumerate(params["params"][name] for name in ("hidden_0", "output")):
    net.coefs_[i][...], net.intercepts_[i][...] = layer["weight"].T, layer["bias"]
net.partial_fit(data.train["x"], data.train["y"])  # one step of gradient descent, at rate 1
for i, name in enumerate(("hidden_0", "output")):
    step = params["params"][name]["weight"].T - net.coefs_[i]
    np.testing.assert_allclose(grads["params"][name]["weight"].T, step, atol=1e-6)

spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=20, batch_size=32, optimizer="sgd")
axes = {"learning_rate": [0.01, 0.1, 1.0]}
found = jn.grid_search(spec, key, data, axes, seeds=8)
canvas, panels = plots.figure(1, 1)
labels = [row["learning_rate"] for row in found.table()]
plots.curves(panels[0, 0], found.history["valid_loss"], labels)
canvas.savefig(Path(tempfile.mkdtemp()) / "slide.svg")
print(loss, net.loss_curve_[-1])
assert np.isclose(loss, net.loss_curve_[-1], rtol=1e-5)
