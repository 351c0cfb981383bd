# %% [markdown]
# # Coming from Keras
#
# The largest difference: a model is not an object that training changes. `fit` returns the
# params, and `apply` takes them.
#
# | in Keras | here |
# | --- | --- |
# | `Sequential([Dense(64, "relu"), Dense(10)])` | `CNN((Dense(64), Activate("relu"), Dense(10)))`, or `MLP((64,), 10)` |
# | `model.compile(optimizer, loss, metrics)` | `TrainSpec(model, loss, epochs, batch_size, optimizer, metrics=...)` |
# | `model.fit(x, y, validation_data=...)` | `fit(spec, key, data, {"learning_rate": 1e-3})` |
# | `history.history["val_loss"]` | `history["valid_loss"]` |
# | `EarlyStopping(restore_best_weights=True)` | `stopping=EarlyStopping("valid_loss")` |
# | `Dropout(0.2)`, `BatchNormalization()` | `Dropout(0.2)`, `BatchNorm()` |
# | `model.predict(x)` | `model.apply(state.params, x)`; of many samples `inference(model, state.params)(x)` |
# | `model.save(path)`, `load_model(path)` | `jn.save(path, model, params)`, `jn.load(path)` |
# | callbacks | `on_record=`, a function `(epoch, metrics)` |
# | `tf.data.Dataset` | `fit_stream(spec, key, batches, hparams)` |
# | `set_random_seed(0)` | `jax.random.key(0)`, passed on |
#
# **Keras is the better choice** for large models: transformers, fine-tuning of pretrained networks,
# mixed precision, and export to phones and browsers. Of that, only the weights of a few published
# networks can be read here.

# %%
import tempfile
from pathlib import Path

import jax
import numpy as np

import jaxnets as jn
from jaxnets import metrics
from jaxnets.data import load
from jaxnets.models import CNN, Activate, Dense, Dropout

data = load("digits")
model = CNN((Dense(64), Activate("relu"), Dropout(0.2), Dense(10)))
print(jn.summary(model, data.train["x"][:1]))

# %% [markdown]
# ## Compile and fit
#
# The loss takes logits, so the network ends without a softmax, as with `from_logits=True`.

# %%
spec = jn.TrainSpec(
    model,
    "softmax_cross_entropy",
    epochs=40,
    batch_size=64,
    optimizer="adam",
    stopping=jn.EarlyStopping("valid_loss", patience=5),
    metrics={"f1": metrics.f1},
)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 3e-3})
print({name: round(float(values[-1]), 3) for name, values in history.items()})

# %% [markdown]
# ## Save and load
#
# A file has the architecture, the params, and what else you give it, such as the names of
# classes.

# %%
path = Path(tempfile.mkdtemp()) / "digits.safetensors"
jn.save(path, model, state.params, {"classes": list("0123456789")})
loaded, params, extra = jn.load(path)
answers = np.asarray(loaded.apply(params, data.test["x"])).argmax(axis=1)
print("test accuracy:", (answers == data.test["y"]).mean(), "classes:", extra["classes"][:3])

# %% [markdown]
# ## What is new to you
#
# Sixty-four networks with sixty-four keys train [in one program](sweep.py), and a run is
# reproducible bit for bit.
