# %% [markdown]
# # Your first network
#
# In ten minutes you train a network that reads handwritten digits, look at how it learned, and
# ask it about pictures it has never seen. You need Python and the package; nothing about JAX.
#
# JAX is a library for arrays, like NumPy, that compiles what you write for the processor at hand.
# Two of its habits show up here: randomness comes from a *key* that you pass on, and a network is
# not an object that changes, but a function and its numbers.

# %%
import jax
import numpy as np

import jaxnets as jn
from jaxnets import plots
from jaxnets.data import load

# %% [markdown]
# ## The data
#
# 1,797 pictures of digits, 8 x 8 pixels each, come with the package. They are in three parts: the
# network learns from `train`, we watch it on `valid`, and `test` is for one last, honest number.
# Each part has `x`, a row of 64 brightnesses for each picture, and `y`, the digit.

# %%
data = load("digits")
print("pictures and pixels:", data.train["x"].shape)
print("the first ten digits:", data.train["y"][:10])

# %% Eight small pictures of handwritten digits, each with its label above it
canvas, axes = plots.figure(1, 8, size=(0.9, 1.1))
for panel, picture, digit in zip(axes[0], data.train["x"], data.train["y"], strict=False):
    panel.imshow(picture.reshape(8, 8), cmap="Greys")
    panel.set_title(str(digit))
    panel.set_axis_off()
canvas

# %% [markdown]
# ## The network
#
# An `MLP`, a multi-layer perceptron: 64 inputs, 32 hidden units, 10 outputs, one for each digit.
# ReLU, which replaces what is negative by 0, stands between the layers.
#
# A `TrainSpec` says what is fixed in a run: the network, what it is to minimise, how often it
# sees all pictures (`epochs`), and how many of them it looks at before each small correction
# (`batch_size`).

# %%
model = jn.MLP((32,), outputs=10, activation="relu")
print(jn.summary(model, data.train["x"][:1]))
spec = jn.TrainSpec(model, "softmax_cross_entropy", epochs=20, batch_size=32)

# %% [markdown]
# ## Training
#
# `key` is where all randomness comes from: the same key gives the same network, bit for bit.
# `fit` returns the `state` of the run, with the network's weights in `state.params`, and its
# `history`.

# %%
key = jax.random.key(0)
state, history = jn.fit(spec, key, data, {"learning_rate": 3e-3})
print("accuracy on pictures it did not learn from:", history["valid_accuracy"][-1])

# %% The loss of the training and of the validation pictures; both fall over twenty epochs
curve, panels = plots.figure()
for part, style in zip(("train", "valid"), plots.styles(), strict=False):
    panels[0, 0].plot(np.arange(1, 21), history[f"{part}_loss"], label=part, **style)
panels[0, 0].set(xlabel="epoch", ylabel="loss", yscale="log")
panels[0, 0].legend()
curve

# %% [markdown]
# ## Asking it
#
# `model.apply(params, x)` computes ten numbers for each picture, the *logits*; the largest of
# them is the network's answer. Softmax turns them into probabilities.

# %%
outputs = model.apply(state.params, data.test["x"])
answers = np.asarray(outputs).argmax(axis=1)
sure = np.asarray(jax.nn.softmax(outputs)).max(axis=1)
print("right on the test pictures:", (answers == data.test["y"]).mean())
print(f"it says {answers[0]} and is {sure[0]:.0%} sure; it is a {data.test['y'][0]}")

# %% [markdown]
# ## What next
#
# Change one thing and run it again: 8 hidden units, `activation="tanh"`, a learning rate of 0.1.
# Or try many at once in [a sweep and its table](sweep.py), or bring [your own
# table](own_table.py).
