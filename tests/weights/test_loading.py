"""Arrays of a file as the variables of a network: names, order, shapes, flattened columns."""

import numpy as np
import pytest

from jaxnets import weights
from jaxnets.models import CNN, Activate, BatchNorm, Conv, Dense, Flatten, MaxPool, Parallel

SIDE = 6


def network():
    branches = Parallel(((Conv(2, 1),), (Conv(3, 3, padding="SAME", bias=False), BatchNorm())))
    return CNN((Conv(4, 3), Activate(), branches, MaxPool(2), Flatten(), Dense(5)))


def state(seed=0):
    rng = np.random.default_rng(seed)
    shapes = {
        "a.weight": (4, 3, 3, 3), "a.bias": (4,), "b.weight": (2, 4, 1, 1), "b.bias": (2,),
        "c.weight": (3, 4, 3, 3), "d.weight": (3,), "d.bias": (3,), "d.running_mean": (3,),
        "d.running_var": (3,), "d.num_batches_tracked": (), "e.weight": (5, 20), "e.bias": (5,),
    }  # fmt: skip
    return {name: rng.random(shape).astype(np.float32) for name, shape in shapes.items()}


def slow(arrays, x):
    """The same network in loops, images `[channels, rows, columns]` as PyTorch has them."""

    def convolve(x, weight, bias, pad):
        x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
        k = weight.shape[-1]
        rows, columns = x.shape[1] - k + 1, x.shape[2] - k + 1
        y = np.empty((len(weight), rows, columns))
        for f, i, j in np.ndindex(y.shape):
            y[f, i, j] = (weight[f] * x[:, i : i + k, j : j + k]).sum() + bias[f]
        return y

    x = np.maximum(convolve(x, arrays["a.weight"], arrays["a.bias"], 0), 0)
    one = convolve(x, arrays["b.weight"], arrays["b.bias"], 0)
    two = convolve(x, arrays["c.weight"], np.zeros(3), 1)
    parts = (arrays[f"d.{part}"][:, None, None] for part in ("running_mean", "running_var"))
    mean, var = parts
    two = (two - mean) / np.sqrt(var + 1e-5)
    two = two * arrays["d.weight"][:, None, None] + arrays["d.bias"][:, None, None]
    maps = np.concatenate([one, two])
    pooled = maps.reshape(5, 2, 2, 2, 2).max((2, 4))
    return arrays["e.weight"] @ pooled.reshape(-1) + arrays["e.bias"]


@pytest.mark.parametrize("names", [None, ("a", "b", "c", "d", "e")])
def test_a_network_computes_what_the_file_says(names):
    arrays = state()
    variables = weights.assign(network(), arrays, SIDE, names)
    x = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    found = network().apply(variables, x)
    expected = [slow(arrays, image.transpose(2, 0, 1)) for image in x]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_images_may_have_one_channel():
    arrays = {"c.weight": np.ones((4, 1, 5, 5), np.float32), "c.bias": np.zeros(4, np.float32)}
    variables = weights.assign(CNN((Conv(4, 5),)), arrays, 8, channels=1)
    assert variables["params"]["layers_0"]["kernel"].shape == (5, 5, 1, 4)


def test_a_file_without_order_needs_names(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="does not keep the order of the layers: pass their names"):
        weights.load(network(), tmp_path / "w.safetensors", SIDE)


def test_names_decide_whatever_the_order():
    arrays = dict(reversed(state().items()))
    names = ("a", "b", "c", "d", "e")
    found = weights.assign(network(), arrays, SIDE, names)
    expected = weights.assign(network(), state(), SIDE)
    for one, other in zip(leaves(found), leaves(expected), strict=True):
        np.testing.assert_array_equal(one, other)


def leaves(tree):
    return (
        [leaf for value in tree.values() for leaf in leaves(value)]
        if isinstance(tree, dict)
        else [tree]
    )


WRONG = {
    "another shape": ({"c.weight": np.zeros((3, 4, 1, 1))}, r"'c'.*\(1, 1, 4, 3\).*\(3, 3, 4, 3\)"),
    "another kind": ({"c.weight": np.zeros((3, 4))}, "'c'.*layers_2/branches_1_0"),
    "a bias too many": ({"c.bias": np.zeros(3)}, "'c' of the file has bias too"),
    "a layer too many": ({"f.weight": np.zeros((3, 4))}, "the file has 6 layers, the network 5"),
    "other columns": ({"e.weight": np.zeros((5, 21))}, r"'e'.*\(5, 21\).*\(5, 20\)"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_named_with_both_shapes(changes, message):
    with pytest.raises(ValueError, match=message):
        weights.assign(network(), state() | changes, SIDE)


def test_missing_layers_are_named():
    arrays = {name: value for name, value in state().items() if not name.startswith("b.")}
    with pytest.raises(ValueError, match="lacks b and has nothing besides"):
        weights.assign(network(), arrays, SIDE, ("a", "b", "c", "d", "e"))


def test_auxiliary_classifiers_are_left_out():
    arrays = state() | {"aux1.fc.weight": np.zeros((3, 3)), "aux2.conv.bn.bias": np.zeros(3)}
    weights.assign(network(), arrays, SIDE, ("a", "b", "c", "d", "e"))


def test_an_unknown_network_has_no_names():
    with pytest.raises(ValueError, match="did you mean 'resnet18'"):
        weights.torch_names("resnet-18")
