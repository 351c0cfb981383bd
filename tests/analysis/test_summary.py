"""Summaries against closed forms, published numbers and Flax."""

from itertools import pairwise

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import CNN, MLP, models, summary
from jaxnets.models.published import NETWORKS

IMAGE = jnp.ones((1, 28, 28, 1))


def test_an_mlp_has_the_parameters_and_operations_of_its_products():
    found = summary(MLP((16, 8), 3, "relu"), jnp.ones((10, 4)))
    widths = (4, 16, 8, 3)
    pairs = list(pairwise(widths))
    assert found.parameters == sum(a * b + b for a, b in pairs)
    products = 10 * sum(2 * a * b for a, b in pairs)
    assert products <= found.operations <= products + 10 * 2 * sum(widths[1:])
    assert found.layers[0].outputs == (10, 3)
    assert sum(layer.parameters for layer in found.layers[1:]) == found.parameters


def test_lenet_has_the_shapes_and_parameters_of_its_paper():
    found = summary(models.lenet5(), IMAGE)
    shapes = [layer.outputs[1:] for layer in found.layers if layer.kind in ("Conv", "Dense")]
    assert shapes == [(28, 28, 6), (10, 10, 16), (120,), (84,), (10,)]
    assert found.parameters == 61_706


@pytest.mark.parametrize(("name", "macs"), [("resnet18", 1.81e9), ("squeezenet", 0.82e9)])
def test_published_networks_have_the_published_operations(name, macs):
    """Multiply-adds as the zoo of PyTorch lists them, two operations each."""
    side = 224
    found = summary(NETWORKS[name].build(), jnp.ones((1, side, side, 3)))
    assert found.parameters == NETWORKS[name].parameters
    assert found.operations == pytest.approx(2 * macs, rel=0.05)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_convolution_has_the_operations_of_its_formula(dtype):
    """On zeros around the images too, though a CPU takes 16 products for 36."""
    net = CNN((models.Conv(32, 3, padding="SAME", bias=False),))
    found = summary(net, jnp.ones((8, 8, 8, 32), dtype))
    assert found.operations == pytest.approx(2 * 8 * 8 * 8 * 32 * 9 * 32, rel=1e-3)


def test_layers_within_layers_have_their_place():
    net = CNN((models.Residual((models.Conv(1, 3, padding="SAME"),)), models.Flatten()))
    names = [layer.name for layer in summary(net, IMAGE).layers]
    assert names == ["", "layers_0/layers_0", "layers_0", "layers_1"]


class Own(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool = True):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(6)(x))
        return nn.Dense(2)(x)


def test_a_flax_module_is_as_flax_tabulates_it():
    found = summary(Own(), jnp.ones((3, 4)))
    assert (found.parameters, found.statistics) == (4 * 6 + 6 + 12 + 6 * 2 + 2, 12)
    rows = nn.summary._get_module_table(Own(), None, True, False, False)(
        jax.random.key(0), jnp.ones((3, 4)), train=False
    )
    assert {"/".join(row.path): row.outputs.shape for row in rows} == {
        layer.name: layer.outputs for layer in found.layers
    }


class Plain:
    def init(self, key, x):
        return {"w": jnp.zeros((x.shape[1], 2))}

    def apply(self, params, x):
        return x @ params["w"]


def test_a_plain_model_is_one_layer():
    found = summary(Plain(), np.ones((5, 3), np.float32))
    assert [tuple(layer) for layer in found.layers] == [("", "Plain", (5, 2), 6)]
    assert found.operations == pytest.approx(2 * 5 * 3 * 2, rel=0.2)


def test_the_table_is_aligned_and_sums_up():
    lines = str(summary(MLP((16,), 3), jnp.ones((1, 4)))).splitlines()
    assert lines[0].split() == ["layer", "kind", "outputs", "parameters"]
    assert len({len(line) for line in lines[:-1]}) == 1
    assert lines[-1].startswith("131 parameters, ")


def test_samples_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="images"):
        summary(models.lenet5(), jnp.ones((2, 5)))


def test_the_layers_of_a_scan_all_count():
    """Highway's layers are one scan, of which XLA counts one step, also of one within another."""
    width, batch = 16, 8
    found = {
        depth: summary(models.Highway(width, depth, 4), jnp.ones((batch, 12))).operations
        for depth in (1, 2, 5)
    }
    one = found[2] - found[1]
    products = 2 * 2 * batch * width**2
    assert products <= one <= products + 40 * batch * width
    assert found[5] == pytest.approx(found[1] + 4 * one, rel=1e-6)

    operations = summary(Nested(), jnp.ones((batch, 12))).operations
    assert operations == pytest.approx(15 * 2 * batch * 12**2, rel=0.1)


class Nested(nn.Module):
    """Five times three products by one matrix."""

    @nn.compact
    def __call__(self, x):
        weight = self.param("weight", nn.initializers.ones, (12, 12))

        def product(h, _):
            return h @ weight, None

        def three(h, _):
            return jax.lax.scan(product, h, None, 3)

        return jax.lax.scan(three, x, None, 5)[0]
