"""Networks saved in a file: equal afterwards, readable by others, and safe where damaged."""

import json
import struct

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxnets as jn
from jaxnets import models, weights
from jaxnets.activations import leaky_relu

FLAT, IMAGES = jnp.ones((2, 5)), jnp.ones((2, 12, 12, 1))
MODELS = {
    "MLP": (jn.MLP((8, 4), 3, "tanh"), FLAT),
    "ResidualMLP": (jn.ResidualMLP((5, 5), 2), FLAT),
    "Highway": (models.Highway(4, 2), FLAT),
    "CNN": (
        jn.CNN(
            (
                models.Conv(4, 3, 1, ((1, 1), (0, 2)), bias=False),
                models.BatchNorm(1e-3),
                models.Activate("relu"),
                models.Parallel(((models.Conv(2, 1),), (models.MaxPool(3, 1, "SAME"),))),
                models.Residual((models.Conv(6, 3, padding="SAME"),)),
                models.Flatten(),
                models.Dropout(0.25),
                models.Dense(3, "lecun"),
            )
        ),
        IMAGES,
    ),
}


@pytest.mark.parametrize(("model", "x"), MODELS.values(), ids=MODELS)
def test_a_network_is_the_same_afterwards(tmp_path, key, model, x):
    params, extra = model.init(key, x), {"classes": ["cat", "dog"], "mean": 0.5}
    jn.save(tmp_path / "net.safetensors", model, params, extra)
    found = jn.load(tmp_path / "net.safetensors")
    assert found.model == model
    assert found.extra == extra
    chex.assert_trees_all_equal(found.params, params)
    np.testing.assert_array_equal(found.model.apply(found.params, x), model.apply(params, x))


def test_a_trained_network_goes_on_predicting(tmp_path, key):
    data = jn.data.load("digits")
    spec = jn.TrainSpec(jn.MLP((16,), 10), "softmax_cross_entropy", 2, 64)
    state, _ = jn.fit(spec, key, data, {"learning_rate": 0.01})
    jn.save(tmp_path / "digits.safetensors", spec.model, state.params)
    model, params, _ = jn.load(tmp_path / "digits.safetensors")
    x = data.test["x"]
    np.testing.assert_array_equal(model.apply(params, x), spec.model.apply(state.params, x))


def test_the_file_is_what_the_format_says(tmp_path, key):
    model = jn.MLP((3,), 2)
    params = model.init(key, FLAT)
    jn.save(tmp_path / "net.safetensors", model, params)
    content = (tmp_path / "net.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    assert (8 + length) % 8 == 0
    header = json.loads(content[8 : 8 + length])
    row = header["params/hidden_0/weight"]
    start, end = row["data_offsets"]
    values = np.frombuffer(content[8 + length :][start:end], "<f4").reshape(row["shape"])
    np.testing.assert_array_equal(values, params["params"]["hidden_0"]["weight"])
    assert header["__metadata__"]["jaxnets"] == jn.__version__
    arrays = weights.read(tmp_path / "net.safetensors")
    assert list(arrays) == [name for name in header if name != "__metadata__"]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16, jnp.int32, jnp.bool_])
def test_types_are_kept(tmp_path, dtype):
    params = {"w": jnp.asarray([[0, 1], [1, 1]], dtype), "none": jnp.zeros((0, 3), dtype)}
    jn.save(tmp_path / "net.safetensors", jn.MLP((3,), 2), params)
    found = jn.load(tmp_path / "net.safetensors").params
    chex.assert_trees_all_equal(found, params)
    assert found["w"].dtype == dtype


class Own(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x)


@pytest.mark.parametrize(
    "model", [Own(), jn.MLP((3,), 2, leaky_relu(0.1))], ids=["own", "function"]
)
def test_a_model_that_no_file_describes_is_given_to_load(tmp_path, key, model):
    params = model.init(key, FLAT)
    jn.save(tmp_path / "net.safetensors", model, params)
    with pytest.raises(ValueError, match=r"does not describe its model: load\(path, model\)"):
        jn.load(tmp_path / "net.safetensors")
    found = jn.load(tmp_path / "net.safetensors", model)
    assert found.model is model
    chex.assert_trees_all_equal(found.params, params)


@pytest.mark.parametrize(
    ("params", "extra", "error", "message"),
    [
        ([jnp.ones(2)], None, TypeError, r"params\[0\] is .*; params are dicts"),
        ({"w": 1.0}, None, TypeError, r"\['w'\] is a float"),
        ({"a/b": jnp.ones(2)}, None, ValueError, "slash"),
        ({"w": jnp.ones(2)}, {"f": len}, TypeError, "extra cannot be written as JSON"),
        ({"w": jnp.ones(2)}, {"mean": np.nan}, TypeError, "extra cannot be written as JSON"),
        ({"w": jnp.ones(2, jnp.complex64)}, None, TypeError, "complex64"),
    ],
)
def test_what_cannot_be_saved_is_named_and_an_older_file_stays(
    tmp_path, params, extra, error, message
):
    path = tmp_path / "net.safetensors"
    jn.save(path, jn.MLP((3,), 2), {"w": jnp.zeros(2)})
    before = path.read_bytes()
    with pytest.raises(error, match=message):
        jn.save(path, jn.MLP((3,), 2), params, extra)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["net.safetensors"]


def test_damaged_files_are_named(tmp_path, key):
    path = tmp_path / "net.safetensors"
    jn.save(path, jn.MLP((3,), 2), jn.MLP((3,), 2).init(key, FLAT))
    content = path.read_bytes()
    for wrong in (b"", content[:4], content[:40], content[:-1], b"\xff" * 64 + content):
        path.write_bytes(wrong)
        with pytest.raises(ValueError, match="not an intact safetensors file"):
            jn.load(path)
    with pytest.raises(FileNotFoundError):
        jn.load(tmp_path / "other.safetensors")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'"format": "1"', b'"format": "2"', "has format 2, from jaxnets .*install a newer one"),
        (b'"format": "1"', b'"fermat": "1"', "not written by jaxnets.save"),
        (b'\\"class\\": \\"MLP\\"', b'\\"class\\": \\"os_\\"', "a model that this version has not"),
        (b'\\"widths\\"', b'\\"width_\\"', "a model that this version has not"),
    ],
)
def test_files_of_others_and_of_the_future_are_refused(tmp_path, key, old, new, message):
    path = tmp_path / "net.safetensors"
    jn.save(path, jn.MLP((3,), 2), jn.MLP((3,), 2).init(key, FLAT))
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    with pytest.raises(ValueError, match=message):
        jn.load(path)


def test_params_of_a_sweep_are_saved_too(tmp_path, key):
    model = jn.MLP((3,), 2)
    stacked = jax.vmap(lambda k: model.init(k, FLAT))(jax.random.split(key, 4))
    jn.save(tmp_path / "nets.safetensors", model, stacked)
    chex.assert_trees_all_equal(jn.load(tmp_path / "nets.safetensors").params, stacked)


@pytest.mark.parametrize("extra", [{"classes": {0: "cat"}}, {0: 1}, {"a": [{"b": {2.5: 1}}]}])
def test_an_extra_with_keys_that_json_would_change_is_refused(tmp_path, extra):
    """They came back as texts."""
    model = jn.MLP((2,), 1)
    params = model.init(jax.random.key(0), jnp.ones((1, 2)))
    with pytest.raises(TypeError, match=r"has the key .*; keys in JSON are texts"):
        jn.save(tmp_path / "net.npz", model, params, extra)
    assert not (tmp_path / "net.npz").exists()
