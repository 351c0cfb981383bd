"""`published_networks`: its judges on made-up results, pictures, and a truly trained network."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.images import pictures, published_networks
from experiments.images.published_networks import PHOTOGRAPHS, STEPS
from experiments.lab import run
from experiments.lab.config import configure
from jaxnets.models.published import NETWORKS

SQUEEZENET = Path(__file__).parents[4] / "shared/data/squeezenet/squeezenet10.npz"


WORDS = tuple(PHOTOGRAPHS.values())


def made_up(first=WORDS, flipped=10, noise=0.1, similar=40):
    """Ten photographs, of which four are shown, and 96 filters."""
    counts = [network.parameters for network in NETWORKS.values()]
    flips = np.zeros((10, len(STEPS)), bool)
    flips[:flipped] = True
    similarity = np.where(np.arange(96) < similar, 0.95, 0.2)
    return {
        "names": np.asarray(list(NETWORKS)),
        "counts": np.asarray(counts),
        "pictures": np.asarray(list(PHOTOGRAPHS)),
        "scores": np.zeros((10, 5)),
        "labels": np.asarray([[f"{word}, other words", "b"] for word in first]),
        "similarity": similarity,
        "similarity_noise": np.linspace(0.2, 0.7, 96),
        "judged": np.asarray(2.0),
        "flips": flips,
        "random_flips": np.full((10, len(STEPS)), noise),
    }


def judge(result):
    rows = run.claims_of("published_networks", result)
    return {row["claim"]: [part["verdict"] for part in row["parts"]] for row in rows}


def test_claims_hold_for_good_numbers():
    assert {verdict for parts in judge(made_up()).values() for verdict in parts} == {"reproduced"}


CONTRARY = {
    "another animal": ({"first": ("tabby", *WORDS[1:])}, "reads_pictures", 0),
    "nothing flips": ({"flipped": 0}, "small_steps_flip", 0),
    "noise flips too": ({"noise": 1.0}, "small_steps_flip", 1),
    "no filter is alike": ({"similar": 0}, "filters_are_derivatives", 0),
}


@pytest.mark.parametrize(("changes", "claim", "part"), CONTRARY.values(), ids=CONTRARY)
def test_a_contrary_number_fails_its_part(changes, claim, part):
    assert judge(made_up(**changes))[claim][part] in ("refuted", "inconclusive")


def test_another_count_is_refuted():
    result = made_up()
    result["counts"] = result["counts"] + np.asarray([0, 0, 1, 0, 0, 0])
    assert judge(result)["published_counts"] == [
        *["reproduced"] * 2,
        "refuted",
        *["reproduced"] * 3,
    ]


def test_without_weights_counts_are_judged_alone():
    result = {name: made_up()[name] for name in ("names", "counts")}
    rows = {row["claim"]: row for row in run.claims_of("published_networks", result)}
    assert rows.pop("published_counts")["status"] == "reproduced"
    assert {row["ours"] for row in rows.values()} == {"needs trained weights: WEIGHTS=FILE"}
    assert published_networks.plot(result).axes


def test_pictures_are_cut_to_the_square_in_the_middle():
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 30:70] = [250, 100, 10]
    found = pictures.prepared(picture, "", 16)
    np.testing.assert_array_equal(found, np.broadcast_to([250.0, 100.0, 10.0], (16, 16, 3)))
    blue_first = pictures.prepared(picture, "squeezenet", 16)[0, 0]
    np.testing.assert_allclose(blue_first, [10 - 104, 100 - 117, 250 - 123])
    red = pictures.prepared(picture, "resnet18", 16)[0, 0, 0]
    np.testing.assert_allclose(red, (250 / 255 - 0.485) / 0.229, rtol=1e-5)


def test_a_file_without_a_picture_is_named(tmp_path):
    path = tmp_path / "cat.png"
    with pytest.raises(FileNotFoundError, match=r"cat\.png"):
        pictures.read_picture(str(path))
    path.write_text("meow")
    with pytest.raises(ValueError, match=r"cat\.png cannot be read as a picture"):
        pictures.read_picture(str(path))
    Image.new("L", (3, 2), 7).save(path)
    np.testing.assert_array_equal(pictures.read_picture(str(path)), np.full((2, 3, 3), 7))


@pytest.mark.skipif(not SQUEEZENET.exists(), reason="needs ../shared/data/squeezenet")
def test_a_trained_network_reads_a_picture_from_a_file(tmp_path):
    from skimage import data

    Image.fromarray(data.chelsea()).save(tmp_path / "cat.png")
    settings = [f"weights={SQUEEZENET}", f"image={tmp_path / 'cat.png'}", "draws=2"]
    config = configure(published_networks.Config(), settings)
    result = run.perform("published_networks", config, tmp_path)
    assert result["labels"][0, 0] == "Egyptian cat"
    assert result["scores"].shape == (1, 1000)
    assert "#1 (18.29) Egyptian cat" in published_networks.table(result)
