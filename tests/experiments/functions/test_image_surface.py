"""`image_surface` against NumPy, Pillow and the slides; its judges on made-up losses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments.functions import image_surface
from experiments.functions.image_surface import NETWORKS, RELU, RESIDUAL, SMALLER, TANH
from jaxnets.models import count_parameters

SLIDES = {"1 x 100": 401, "1 x 125": 501, "2 x 20": 501, "3 x 14": 477, "3 x 15": 541,
          "3 x 19": 837, TANH: 471, RESIDUAL: 581, RELU: 471, SMALLER: 576}  # fmt: skip


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
    temple, flower = image_surface.photographs()
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
    (image,) = image_surface.photographs()
    middles = (np.arange(51) + 0.5) * 100 / 51 - 0.5
    np.testing.assert_allclose(
        image[:, 3:-3], 0.299 * np.tile(middles, (51, 1))[:, 3:-3], atol=0.05
    )


def test_standardise():
    image, deviation = image_surface.standardise(np.asarray([[10.0, 20.0], [30.0, 40.0]]))
    assert image.mean() == pytest.approx(0)
    assert image.var() == pytest.approx(1)
    np.testing.assert_allclose(image * deviation + 25, [[10, 20], [30, 40]])


def test_psnr_by_its_definition():
    rng = np.random.default_rng(0)
    grey = rng.uniform(0, 255, (6, 6))
    image, deviation = image_surface.standardise(grey)
    wrong = image + 0.1 * rng.normal(size=image.shape)
    loss = np.mean((wrong - image) ** 2)
    in_greys = np.mean((wrong * deviation + grey.mean() - grey) ** 2)
    expected = 10 * np.log10(255**2 / in_greys)
    assert image_surface.psnr(loss, deviation) == pytest.approx(expected)


def test_resampling_is_pillows():
    image = np.random.default_rng(0).normal(size=(51, 51)).astype(np.float32)
    cubic = Image.Resampling.BICUBIC
    expected = Image.fromarray(image).resize((24, 24), cubic).resize((51, 51), cubic)
    np.testing.assert_allclose(image_surface.resample(image), np.asarray(expected), atol=1e-4)


def test_record_has_the_surface_of_the_median_start():
    image = np.zeros((2, 2))
    surfaces = np.asarray([3.0, 1.0, 2.0])[:, None, None] * np.ones((1, 2, 2))
    record = image_surface._record("a", surfaces, image)
    np.testing.assert_allclose(record["loss a"], [9, 1, 4])
    np.testing.assert_allclose(record["drawn a"], surfaces[2])


def made_up(**changes):
    """The lecture's own losses on five starts, 24 x 24 at 0.1; a change names a network."""
    jitter = np.exp(np.linspace(-0.02, 0.02, 5))
    result = {"loss temple " + SMALLER: np.asarray([0.1])}
    for name, network in NETWORKS.items():
        for picture, loss in zip(image_surface.PICTURES, network.lecture, strict=False):
            result[f"loss {picture} {name}"] = loss * (jitter if "/" in name else jitter[::-1])
    return result | {f"loss {name}": value * jitter for name, value in changes.items()}


def statuses(result):
    return [claim.judge(result).status for claim in image_surface.CLAIMS]


def test_the_lectures_losses_hold_all_claims():
    assert statuses(made_up()) == ["reproduced"] * 8


CONTRARY = {
    "wider is worse": ({"temple 1 x 100": 0.37}, [0]),
    "widest is no better": ({"temple 1 x 300": 0.365}, [0]),
    "two layers no better": ({"temple 2 x 20": 0.24}, [1, 2]),
    "third layer worse": ({"temple 3 x 14": 0.09}, [2]),
    "third layer as striking": ({"temple 3 x 14": 0.0288, "temple 3 x 15": 0.028,
                                 "temple 3 x 19": 0.027}, [2]),
    "three wide layers worse": ({"temple 3 x 19": 0.08}, [3]),
    "residual no better": ({f"temple {RESIDUAL}": 0.0643}, [4]),
    "residual far better": ({f"temple {RESIDUAL}": 0.03}, [4]),
    "resampling better": ({f"temple {SMALLER}": 0.06}, [5]),
    "ReLU as good": ({f"temple {RELU}": 0.0643}, [6]),
    "ReLU better on the second": ({f"flower {RELU}": 0.019}, [7]),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "failing"), CONTRARY.values(), ids=CONTRARY)
def test_contrary_losses_fail_their_claims_only(changes, failing):
    expected = ["not reproduced" if i in failing else "reproduced" for i in range(8)]
    assert statuses(made_up(**changes)) == expected


def test_claims_on_networks_that_were_not_trained_stay_untested():
    result = made_up()
    del result["loss temple 2 x 20"]
    assert [i for i, status in enumerate(statuses(result)) if status == "not tested"] == [1, 2]


def test_claims_name_the_lectures_losses():
    assert image_surface.CLAIMS[1].lecture == "0.0831, 0.24"
    assert image_surface.CLAIMS[-1].lecture == "0.0195, 0.0721"
