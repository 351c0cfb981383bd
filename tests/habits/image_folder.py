"""Someone with a folder of pictures: a subfolder a class, shifted copies, a small CNN."""

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from jaxnets.data import from_arrays, from_folder
from jaxnets.estimator import CNNClassifier

folder = Path(tempfile.mkdtemp())
for i, (image, label) in enumerate(zip(*load_digits(return_X_y=True), strict=True)):
    (folder / f"digit {label}").mkdir(exist_ok=True)
    pixels = Image.fromarray((16 * image.reshape(8, 8)).clip(0, 255).astype(np.uint8))
    pixels.save(folder / f"digit {label}" / f"{i}.png")

pictures = from_folder(folder, colour="grey")
data = from_arrays(pictures.x, pictures.y, stratify=True)
net = CNNClassifier(epochs=15, learning_rate=3e-3, random_state=0)
net.fit(data.train["x"], data.train["y"])
ours = net.score(data.test["x"], data.test["y"])

flat = {part: getattr(data, part)["x"].reshape(-1, 64) for part in ("train", "test")}
theirs = LogisticRegression(max_iter=1000).fit(flat["train"], data.train["y"])
print(pictures.classes, ours, theirs.score(flat["test"], data.test["y"]))
assert ours > theirs.score(flat["test"], data.test["y"]) - 0.005
