# %% [markdown]
# # Your own pictures
#
# Put the pictures of each class into a folder of its own, all of one size: `pictures/cat/1.png`,
# `pictures/dog/1.png`. Reading them needs Pillow: `pip install 'jaxnets[images]'`.
#
# So that this page runs anywhere, we write such folders first, with the small digits that come
# with scikit-learn.

# %%
import tempfile
from pathlib import Path

import jax
import numpy as np
from PIL import Image

import jaxnets as jn
from jaxnets import plots
from jaxnets.augment import shift
from jaxnets.data import from_arrays, from_folder, load
from jaxnets.models import CNN, Activate, Conv, Dense, Flatten, MaxPool

folder = Path(tempfile.mkdtemp())
digits = load("digits", flat=False).train
for number, (pixels, digit) in enumerate(zip(digits["x"], digits["y"], strict=True)):
    place = folder / f"digit {digit}"
    place.mkdir(exist_ok=True)
    Image.fromarray((255 * pixels[..., 0]).astype(np.uint8)).save(place / f"{number}.png")

# %% [markdown]
# ## Reading them
#
# The names of the folders are the classes. Pictures are arrays `[samples, rows, columns,
# channels]`; a grey picture has one channel, a coloured one three.

# %%
pictures = from_folder(folder, colour="grey")
data = from_arrays(pictures.x, pictures.y, fractions=(0.8, 0.1, 0.1), stratify=True)
print(data.train["x"].shape, pictures.classes[:3])

# %% [markdown]
# ## A small convolutional network
#
# A `Conv` looks for 16 small patterns of 3 x 3 pixels everywhere in the picture, `MaxPool` keeps
# how strong each is at its strongest in each 2 x 2 pixels, and a `Dense` layer decides.
#
# `augment` moves each picture by up to one pixel whenever it is used: the network hardly sees the
# same picture twice, and learns that a digit is the same digit wherever it is.

# %%
layers = (Conv(16, 3), Activate("relu"), MaxPool(2), Flatten(), Dense(len(pictures.classes)))
model = CNN(layers)
spec = jn.TrainSpec(
    model,
    "softmax_cross_entropy",
    epochs=20,
    batch_size=32,
    augment=lambda key, x: shift(key, x, 1),
)
state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 3e-3})
print("validation accuracy:", history["valid_accuracy"][-1])

# %% [markdown]
# ## Look at its mistakes
#
# The first thing to do with a trained network: often it is the labels that are wrong.

# %% Test pictures with the network's answer above each, the least certain ones first
outputs = np.asarray(jax.nn.softmax(model.apply(state.params, data.test["x"])))
doubtful = outputs.max(axis=1).argsort()[:8]
canvas, axes = plots.figure(1, 8, size=(1.0, 1.3))
for panel, index in zip(axes[0], doubtful, strict=True):
    said, truth = outputs[index].argmax(), data.test["y"][index]
    panel.imshow(data.test["x"][index, ..., 0], cmap="Greys")
    panel.set_title(f"{said}" if said == truth else f"{said}, not {truth}")
    panel.set_axis_off()
print("right on test pictures:", (outputs.argmax(axis=1) == data.test["y"]).mean())
canvas

# %% [markdown]
# ## What next
#
# `jaxnets.augment` also flips, crops, rotates and mixes pictures. A few thousand large
# photographs are better served by a network that somebody has trained on millions: see
# `published_networks` in [lecture L2](../../README.md), and PyTorch or Keras for fine-tuning one.
