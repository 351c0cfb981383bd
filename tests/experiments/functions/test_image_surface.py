"""`image_surface` against NumPy, Pillow and the slides; its judges on made-up losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.functions import grey_images, image_surface
from experiments.functions.image_surface import NETWORKS, PLAIN, RELU, RESIDUAL, SMALLER, TANH
from experiments.lab import run
from jaxnets.models import count_parameters

SLIDES = {"1 x 100": 401, "1 x 125": 501, "2 x 20": 501, "3 x 14": 477, "3 x 15": 541,
          "3 x 19": 837, TANH: 471, RESIDUAL: 581, PLAIN: 581, RELU: 471, SMALLER: 576}  # fmt: skip


@pytest.mark.parametrize(("name", "weights"), SLIDES.items())
def test_weights_are_those_of_the_slides(name, weights):
    assert image_surface._weights(name) == weights


def test_the_residual_layer_adds_its_input(key):
    """With its own weights at 0 the network is the one without it."""
    x = jax.random.normal(key, (5, 2))
    deep, plain = NETWORKS[RESIDUAL].model, NETWORKS[TANH].model
    params = deep.init(key, x)["params"]
    params["hidden_3"] = jax.tree.map(jnp.zeros_like, params["hidden_3"])
    without = {name: layer for name, layer in params.items() if name != "hidden_3"}
    assert count_parameters(without) == 471
    np.testing.assert_allclose(
        deep.apply({"params": params}, x), plain.apply({"params": without}, x), rtol=1e-6
    )


def test_photographs_are_grey_squares():
    temple, flower = grey_images.photographs()
    for image in (temple, flower):
        assert image.shape == (51, 51)
        assert -20 < image.min() < image.max() < 275  # a cubic filter overshoots
        assert image.std() > 20
    assert abs(np.corrcoef(temple.ravel(), flower.ravel())[0, 1]) < 0.9


def test_photographs_are_cut_from_the_middle(monkeypatch):
    """Of a photograph whose red grows from left to right, constant elsewhere."""
    from sklearn import datasets

    red = np.zeros((100, 300, 3), np.uint8)
    red[..., 0] = np.clip(np.arange(300) - 100, 0, 100)[None]

    class Photographs:
        images = (red,)

    monkeypatch.setattr(datasets, "load_sample_images", Photographs)
    (image,) = grey_images.photographs()
    middles = (np.arange(51) + 0.5) * 100 / 51 - 0.5
    np.testing.assert_allclose(
        image[:, 3:-3], 0.299 * np.tile(middles, (51, 1))[:, 3:-3], atol=0.05
    )


def test_standardise():
    image, deviation = grey_images.standardise(np.asarray([[10.0, 20.0], [30.0, 40.0]]))
    assert image.mean() == pytest.approx(0)
    assert image.var() == pytest.approx(1)
    np.testing.assert_allclose(image * deviation + 25, [[10, 20], [30, 40]])


def test_psnr_by_its_definition():
    rng = np.random.default_rng(0)
    grey = rng.uniform(0, 255, (6, 6))
    image, deviation = grey_images.standardise(grey)
    wrong = image + 0.1 * rng.normal(size=image.shape)
    loss = np.mean((wrong - image) ** 2)
    in_greys = np.mean((wrong * deviation + grey.mean() - grey) ** 2)
    expected = 10 * np.log10(255**2 / in_greys)
    assert grey_images.psnr(loss, deviation) == pytest.approx(expected)


def test_resampling_is_pillows():
    image = np.random.default_rng(0).normal(size=(51, 51)).astype(np.float32)
    cubic = Image.Resampling.BICUBIC
    expected = Image.fromarray(image).resize((24, 24), cubic).resize((51, 51), cubic)
    np.testing.assert_allclose(grey_images.resample(image), np.asarray(expected), atol=1e-4)


def test_record_has_the_surface_of_the_median_start():
    image = np.zeros((2, 2))
    surfaces = np.asarray([3.0, 1.0, 2.0])[:, None, None] * np.ones((1, 2, 2))
    record = image_surface._record("a", surfaces, image)
    np.testing.assert_allclose(record["loss a"], [9, 1, 4])
    np.testing.assert_allclose(record["drawn a"], surfaces[2])


JITTER = np.exp(np.linspace(-0.02, 0.02, 12))


def made_up(**changes):
    """The lecture's own losses on 12 starts, but for a third layer that gains more than a tenth.

    A change names a network.
    """
    result = {"loss temple " + SMALLER: np.asarray([0.1])}
    for name, network in NETWORKS.items():
        for picture, loss in zip(image_surface.PICTURES, network.lecture, strict=False):
            result[f"loss {picture} {name}"] = loss * JITTER
    losses = {"temple 3 x 14": 0.065, f"temple {PLAIN}": 0.0643} | changes
    return result | {f"loss {name}": value * JITTER for name, value in losses.items()}


def failing_of(result):
    rows = run.claims_of("image_surface", result)
    return {row["claim"] for row in rows if row["status"] != "reproduced"}


CONTRARY = {
    "the lecture's": ({}, set()),
    "widest is not better": ({"temple 1 x 300": 0.35}, {"one_layer_more_nodes"}),
    "wider is worse up to the last": ({"temple 1 x 100": 0.4, "temple 1 x 125": 0.45,
                                       "temple 1 x 300": 0.3}, {"one_layer_more_nodes"}),
    "two layers gain a twentieth": ({"temple 1 x 125": 0.0875}, {"two_layers", "third_layer"}),
    "third layer worse": ({"temple 3 x 14": 0.09}, {"third_layer"}),
    "third layer as striking": ({"temple 3 x 14": 0.0288, "temple 3 x 15": 0.026,
                                 "temple 3 x 19": 0.02}, {"third_layer"}),
    "three wide layers worse": ({"temple 3 x 19": 0.08}, {"three_layers_more_nodes"}),
    "residual no better": ({f"temple {RESIDUAL}": 0.0643}, {"residual_layer", "bypass"}),
    "residual far better": ({f"temple {RESIDUAL}": 0.03}, {"residual_layer"}),
    "the fourth layer does it": ({f"temple {PLAIN}": 0.053}, {"bypass"}),
    "resampling better": ({f"temple {SMALLER}": 0.05}, {"weights_beat_resampling"}),
    "resampling as good": ({f"temple {SMALLER}": 0.0643}, set()),
    "ReLU as good": ({f"temple {RELU}": 0.0643}, {"tanh_beats_relu"}),
    "ReLU better on the second": ({f"flower {RELU}": 0.019}, {"tanh_beats_relu_again"}),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_losses_fail_their_claims_only(changes, failing):
    assert failing_of(made_up(**changes)) == failing


def test_networks_that_did_not_learn_are_not_judged():
    """A constant has the loss 1."""
    rows = run.claims_of("image_surface", made_up(**{f"flower {RELU}": 1.05}))
    (row,) = (row for row in rows if row["claim"] == "tanh_beats_relu_again")
    assert row["status"] == "not judged"


def test_claims_on_networks_that_were_not_trained_are_not_judged():
    result = made_up()
    del result["loss temple 2 x 20"]
    rows = run.claims_of("image_surface", result)
    unjudged = {row["claim"]: row["ours"] for row in rows if row["status"] == "not judged"}
    assert unjudged == dict.fromkeys(("two_layers", "third_layer"), "not trained: 2 x 20")


def test_what_a_second_optimiser_found_is_told_with_the_verdict():
    found = {"searched 1 x 125": np.asarray([0.04, 0.03]), "gradient 1 x 125": np.asarray(2e-3)}
    rows = {row["claim"]: row for row in run.claims_of("image_surface", made_up() | found)}
    expected = "Levenberg-Marquardt, best loss: 1 x 125 0.030 (gradient 2e-03)"
    assert rows["two_layers"]["converged"] == expected
    assert rows["tanh_beats_relu"]["converged"] == ""


def test_the_search_trains_on_the_image(key):
    """On an image that one hidden unit can draw."""
    config = image_surface.Config(networks=("1 x 50",), steps=20)
    x = image_surface.evaluate.plane((-1.0, 1.0, -1.0, 1.0), 9)
    image = np.tanh(x[:, 0] - 0.5 * x[:, 1]).reshape(9, 9)
    found = image_surface._search(config, key, "1 x 50", x, image)
    assert found["searched 1 x 50"].shape == (2,)
    assert found["searched 1 x 50"].min() < 1e-3 * image.var()
