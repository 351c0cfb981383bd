"""What the pictures of data are measured by, and what is taken from them."""

import dataclasses

import jax
import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity, polynomial_kernel

from experiments.images import looking_at_data
from experiments.lab import run
from experiments.words import word_map


def test_nearest_alike_is_what_all_distances_say():
    random = np.random.default_rng(0)
    labels = random.integers(3, size=40)
    for dimensions in (2, 7):
        places = random.normal(size=(40, dimensions)) + labels[:, None]
        found = looking_at_data.nearest_alike(places, labels, 1)
        assert found == pytest.approx(word_map.nearest_alike(places, labels).mean())


def test_chance_is_what_shuffled_labels_give():
    random = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [20, 30, 10])
    x = random.normal(size=(60, 4)) + 1
    found = jax.device_get(looking_at_data._linear_pictures(x, "Gaussian"))
    row = looking_at_data._measure(found | {"tsne": found["pca"]}, x, labels, 1)
    dealt = [looking_at_data.nearest_alike(x, random.permutation(labels), 1) for _ in range(400)]
    assert row["share_chance"] == pytest.approx(np.mean(dealt), abs=0.02)
    assert row["share_tsne"] == row["share_pca"]


def test_the_kernel_by_loops(x64):
    x = np.random.default_rng(2).normal(size=(9, 3))
    squares = np.asarray([[np.sum((a - b) ** 2) for b in x] for a in x])
    expected = np.exp(-squares / np.median(squares))
    np.testing.assert_allclose(looking_at_data.gaussian(x), expected, rtol=1e-12)


def test_the_other_kernels_are_scikit_learns(x64):
    x = np.random.default_rng(5).normal(size=(9, 3))
    for name, theirs in {"polynomial": polynomial_kernel, "cosine": cosine_similarity}.items():
        np.testing.assert_allclose(looking_at_data.KERNELS[name](x), theirs(x), rtol=1e-12)


def test_ten_neighbours_are_those_of_all_distances():
    random = np.random.default_rng(6)
    places, labels = random.normal(size=(40, 2)), random.integers(3, size=40)
    distances = np.linalg.norm(places[:, None] - places[None], axis=-1)
    nearest = np.argsort(distances, axis=1)[:, 1:11]
    expected = np.mean([labels[n] == label for n, label in zip(nearest, labels, strict=True)])
    assert looking_at_data.nearest_alike(places, labels, 10) == pytest.approx(expected)


def test_the_settings_reach_the_pictures(key, monkeypatch):
    """With t-SNE left out: it is asked for the perplexity of the configuration."""
    asked = []

    def place(x, perplexity, seed):
        asked.append(perplexity)
        return x[:, :2]

    monkeypatch.setattr(looking_at_data, "_tsne", place)
    config = dataclasses.replace(
        looking_at_data.SMOKE, kernel="cosine", perplexity=12.0, neighbours=3, subsamples=2
    )
    result = looking_at_data.run(config, key)
    assert asked == [12.0, 12.0]
    picture, labels = result["picture_kernel"], result["labels"]
    assert result["share_kernel"][0] == looking_at_data.nearest_alike(picture, labels, 3)
    assert "nearest 3 other points" in looking_at_data.table(result)


def test_a_far_mean_is_the_first_direction_unless_subtracted(x64):
    x = np.random.default_rng(3).normal(size=(50, 4)) * [1, 2, 3, 4] + [100, 0, 0, 0]
    found = jax.device_get(looking_at_data._linear_pictures(x, "Gaussian"))
    row = looking_at_data._measure(found | {"tsne": found["pca"]}, x, np.arange(50) % 2, 1)
    assert row["cosine"] > 0.999
    assert row["cosine_centred"] < 0.2
    assert row["formula"] < 1e-12
    assert row["linear"] < 1e-9


def test_a_wrong_formula_is_noticed(x64, monkeypatch):
    x = np.random.default_rng(4).normal(size=(20, 4)) + 1
    found = jax.device_get(looking_at_data._linear_pictures(x, "Gaussian"))
    uncentred = {"centred_matrix": found["kernel_matrix"], "linear_kernel": 2 * found["pca"]}
    row = looking_at_data._measure(found | uncentred | {"tsne": found["pca"]}, x, np.arange(20), 1)
    assert row["formula"] > 0.1
    assert row["linear"] == pytest.approx(1)


# What is judged.

JITTER = np.linspace(-0.02, 0.02, 8)


def made_up(data="mnist", **changes):
    shares = {"pca": 0.4, "pca_uncentred": 0.3, "kernel": 0.42, "kernel_uncentred": 0.3}
    values = {f"share_{name}": share for name, share in (shares | {"tsne": 0.85}).items()}
    values |= {"cosine": 0.97, "cosine_centred": 0.1, "formula": 1e-15, "linear": 1e-14} | changes
    wobbles = {"formula": 0, "linear": 0, "share_pca": -1, "share_kernel": 0.5}
    result = {k: v + wobbles.get(k, 1) * JITTER for k, v in values.items()}
    return result | {"data": np.asarray(data), "labels": np.arange(300)}


def failing(result):
    """The parts of claims that are not reproduced."""
    return {
        f"{row['claim']}, {part['part']}"
        for row in run.claims_of("looking_at_data", result)
        for part in row["parts"]
        if part["verdict"] != "reproduced"
    }


CASES = {
    "as claimed": ({}, set()),
    "t-SNE below kernel PCA": ({"share_kernel": 0.9}, {"tsne_is_clearest, over kernel"}),
    "t-SNE below PCA": ({"share_pca": 0.9}, {"tsne_is_clearest, over PCA"}),
    "another first direction": ({"cosine": 0.9}, {"mean_comes_first, not centred"}),
    "the same if centred": ({"cosine_centred": 0.97}, {"mean_comes_first, drop"}),
    "centring spoils PCA": ({"share_pca_uncentred": 0.6}, {"centring_helps, PCA"}),
    "nothing for the kernel": ({"share_kernel_uncentred": 0.42}, {"centring_helps, kernel PCA"}),
    "a wrong formula": ({"formula": 1e-6}, {"kernel_formula, difference"}),
    "another picture": ({"linear": 0.1}, {"pca_is_kernel_pca, difference"}),
}


@pytest.mark.parametrize(("changes", "fail"), CASES.values(), ids=CASES)
def test_claims_can_fail(changes, fail):
    assert failing(made_up(**changes)) == fail


def test_pictures_need_mnist_and_formulas_do_not():
    rows = run.claims_of("looking_at_data", made_up("digits"))
    judged = {row["claim"] for row in rows if row["status"] == "reproduced"}
    assert judged == {"kernel_formula", "pca_is_kernel_pca"}
    assert {row["ours"] for row in rows if row["claim"] not in judged} == {"needs MNIST"}
