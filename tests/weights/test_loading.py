"""Arrays of a file as the variables of a network: names, order, shapes, flattened columns."""

import numpy as np
import pytest

from jaxnets import weights
from jaxnets.models import (
    CNN,
    Activate,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAverage,
    MaxPool,
    Parallel,
    Residual,
)

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


def test_what_normalises_flattened_maps_is_put_in_order_too():
    """Its channels stayed first while the dense layer's columns were put last: silently wrong."""
    rng = np.random.default_rng(0)
    draw = lambda *shape: rng.normal(size=shape).astype(np.float32)  # noqa: E731
    n = 4 * 4 * 4
    arrays = {
        "0.weight": draw(4, 3, 3, 3),
        "0.bias": draw(4),
        "2.weight": draw(n),
        "2.bias": draw(n),
        "2.running_mean": draw(n),
        "2.running_var": draw(n) ** 2 + 0.1,
        "3.weight": draw(5, n),
        "3.bias": draw(5),
    }
    net = CNN((Conv(4, 3), Flatten(), BatchNorm(), Dense(5)))
    variables = weights.assign(net, arrays, SIDE)
    x = draw(2, SIDE, SIDE, 3)
    first = {"params": {"layers_0": variables["params"]["layers_0"]}}
    maps = np.asarray(CNN((Conv(4, 3),)).apply(first, x)).transpose(0, 3, 1, 2).reshape(2, n)
    scaled = (maps - arrays["2.running_mean"]) / np.sqrt(arrays["2.running_var"] + 1e-5)
    normal = arrays["2.weight"] * scaled + arrays["2.bias"]
    truth = normal @ arrays["3.weight"].T + arrays["3.bias"]
    np.testing.assert_allclose(net.apply(variables, x), truth, rtol=1e-4, atol=1e-4)


def dense(outputs, inputs):
    weight = np.arange(outputs * inputs, dtype=np.float32).reshape(outputs, inputs)
    return {"weight": weight, "bias": np.zeros(outputs, np.float32)}


FLATTENED = {
    "first": ((Flatten(), Dense(5)), {"1": dense(5, SIDE * SIDE * 3)}),
    "behind an average": (
        (Conv(4, 3), GlobalAverage(), Flatten(), Dense(5)),
        {"0": {"weight": np.ones((4, 3, 3, 3)), "bias": np.ones(4)}, "3": dense(5, 4)},
    ),
    "last": ((Conv(4, 3), Flatten()), {"0": {"weight": np.ones((4, 3, 3, 3)), "bias": np.ones(4)}}),
}


@pytest.mark.parametrize("where", FLATTENED)
def test_a_network_may_flatten_anywhere(where):
    layers, groups = FLATTENED[where]
    arrays = {f"{n}.{part}": a for n, group in groups.items() for part, a in group.items()}
    x = np.random.default_rng(1).normal(size=(2, SIDE, SIDE, 3)).astype(np.float32)
    variables = weights.assign(CNN(layers), arrays, SIDE)
    found = CNN(layers).apply(variables, x)
    if where == "first":
        truth = x.transpose(0, 3, 1, 2).reshape(2, -1) @ groups["1"]["weight"].T
        np.testing.assert_allclose(found, truth, rtol=1e-4, atol=1e-2)
    assert np.isfinite(found).all()


def test_a_layer_without_a_weight_is_named():
    arrays = {"conv.kernel": np.ones((3, 3, 3, 4)), "conv.bias": np.ones(4)}
    with pytest.raises(ValueError, match=r"layer 'conv' .* has kernel, bias, but no weight"):
        weights.assign(CNN((Conv(4, 3),)), arrays, SIDE)


def test_layers_within_a_layer_behind_flatten_are_refused():
    net = CNN((Conv(4, 3), Flatten(), Residual((Dense(64),)), Dense(5)))
    with pytest.raises(ValueError, match="layers_2 of the network has layers within"):
        weights.assign(
            net, {"a.weight": np.ones(3), "b.weight": np.ones(3), "c.weight": np.ones(3)}, SIDE
        )
