"""The programs of the GPU's rows, lowered for CUDA on a machine that has none.

They have XLA's own convolutions instead of the forms for CPUs, one loop over the steps, donated
buffers, nothing that calls the host, and the precision that their row is called by.
"""

import importlib
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxnets as jn
from benchmarks import gpu
from jaxnets.data import Dataset
from jaxnets.training.loop import begin


def for_cuda(function, *arguments):
    return export.export(function, platforms=["cuda"])(*arguments).mlir_module()


def for_cpu(function, *arguments):
    return export.export(function, platforms=["cpu"])(*arguments).mlir_module()


def operations(text, name):
    """The lines of an operation, without those that say where it comes from."""
    return [line for line in text.splitlines() if f"stablehlo.{name}" in line]


def epoch(network, precision):
    """The program of a network's epoch, and its abstract arguments."""
    from benchmarks.cnn import SHAPES, own_model

    model, setting = gpu.in_precision(precision, own_model(network))
    spec = jn.TrainSpec(model, "softmax_cross_entropy", 1, gpu.BATCH)
    x = jax.ShapeDtypeStruct((10 * gpu.BATCH, *SHAPES[network]), jnp.float32)
    data = Dataset({"x": x, "y": jax.ShapeDtypeStruct(x.shape[:1], jnp.int32)}, None, None)
    hparams, key = {"learning_rate": 1e-3}, jax.eval_shape(jax.random.key, 0)
    first = jax.eval_shape(lambda key, x: begin(spec, key, x, hparams, False), key, x)
    carry, order_key = first
    arguments = carry, data, order_key, jax.ShapeDtypeStruct((), jnp.int32)
    return gpu.epoch_program(spec, hparams), arguments, setting


@pytest.fixture(scope="module")
def programs():
    found = {}
    for precision in gpu.PRECISIONS:
        program, arguments, setting = epoch("small", precision)
        with setting:
            found[precision] = for_cuda(program, *arguments)
    return found


def test_no_form_for_cpus_is_left(programs):
    """On a CPU convolutions are products of patches, which have several axes; here none have."""
    text = programs["float32"]
    assert len(operations(text, "convolution")) >= 5  # two forward, three backward
    widths = [re.findall(r"tensor<([\dx]+)xf32>", at) for at in operations(text, "dot_general")]
    assert widths
    assert all(shape.count("x") == 1 for shapes in widths for shape in shapes)
    program, arguments, _ = epoch("small", "float32")
    assert len(operations(for_cpu(program, *arguments), "convolution")) < 5


def test_pooling_is_a_window_of_xla(programs):
    assert len(operations(programs["float32"], "reduce_window")) >= 2


@pytest.mark.parametrize("precision", gpu.PRECISIONS)
def test_the_epoch_is_one_loop_without_the_host(programs, precision):
    """The loops are those of the steps, of the epochs within a call, and of the order's cipher."""
    text = programs[precision]
    assert "custom_call" not in text
    assert 1 <= len(operations(text, "while")) <= 3
    steps = [at for at in operations(text, "convolution") if "128x28x28x1x" in at]
    assert len(steps) <= 3, "the network occurs once: its steps are a loop, not copies"


@pytest.mark.parametrize("network", ["small", "wide"])
def test_the_carry_is_donated(network):
    """Params, moments, sums and history: every buffer of the carry becomes one of the result."""
    program, arguments, _ = epoch(network, "float32")
    text = for_cuda(program, *arguments)
    leaves = len(jax.tree.leaves(arguments[0]))
    given = len(re.findall(r"tf\.aliasing_output|jax\.buffer_donor", text))
    assert given >= leaves - 2  # the key is data without a use


def test_each_row_has_its_precision(programs):
    for name, word in (("float32", "HIGHEST"), ("TF32", "HIGH")):
        lines = [*operations(programs[name], "convolution"), *operations(programs[name], "dot_g")]
        assert lines
        assert all(re.search(rf"\b{word}\b", line) for line in lines)
        assert not any("bf16" in line for line in lines)
    half = programs["bfloat16"]
    lines = [*operations(half, "convolution"), *operations(half, "dot_general")]
    assert all("bf16" in line and "xf32>" not in line for line in lines)


def recorded(monkeypatch, module, train):
    """The arguments of the last call of a module's `_advance`, and the function itself."""
    module, calls = importlib.import_module(module), []
    inner = module._advance

    def record(*arguments):
        calls.append([jax.tree.map(lambda a: a, argument) for argument in arguments])
        return inner(*arguments)

    monkeypatch.setattr(module, "_advance", record)
    train()
    return inner, calls[-1]


def test_a_sweep_of_one_group_is_one_vectorised_loop(monkeypatch):
    """What `sweep` runs on a GPU: products over all networks at once, no loop over networks."""
    n = 64
    x = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    data = Dataset({"x": x, "y": (x[:, 0] > 0).astype(np.int32)}, None)
    spec = jn.TrainSpec(jn.MLP((10,)), "binary_cross_entropy", 3, record_every=3)
    keys = jax.random.split(jax.random.key(0), n)

    def train():
        jn.sweep(spec, keys, data, {"learning_rate": 1e-2}, group=n)

    advance, arguments = recorded(monkeypatch, "jaxnets.training.sweep", train)
    text = for_cuda(advance, *arguments)
    assert "custom_call" not in text.replace("@Sharding", "")
    products = operations(text, "dot_general")
    assert products
    share = n // len(jax.devices())
    assert all(f"tensor<{share}x" in line for line in products)


def test_a_step_of_cbow_needs_no_host_and_donates_its_tables(monkeypatch):
    from jaxnets.text.corpus import Corpus
    from jaxnets.text.vocabulary import Vocabulary
    from jaxnets.word2vec import Word2Vec
    from jaxnets.word2vec import train as train_vectors

    ids = np.random.default_rng(0).integers(0, 50, 5_000).astype(np.int32)
    words = tuple(f"w{i}" for i in range(50))
    corpus = Corpus(ids, Vocabulary(words, np.bincount(ids, minlength=50)))

    def train():
        train_vectors(Word2Vec(epochs=1), jax.random.key(0), corpus)

    advance, arguments = recorded(monkeypatch, "jaxnets.word2vec.train", train)
    shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype), arguments[2])
    arguments[2] = shapes  # its buffers were donated
    text = for_cuda(advance, *arguments)
    assert "custom_call" not in text
    assert len(re.findall(r"tf\.aliasing_output|jax\.buffer_donor", text)) == len(shapes)


def test_without_a_gpu_it_says_so():
    if jax.default_backend() == "gpu":
        pytest.skip("this machine has a GPU")
    with pytest.raises(ValueError, match="no GPU: JAX finds only cpu"):
        gpu.main([])


def test_the_rows_are_those_of_the_issue():
    names = [build().name for build in gpu.RACES]
    assert {"gpu-mnist", "gpu-sweep-1024", "gpu-sweep-16384", "gpu-cnn", "gpu-cbow"} <= set(names)


@pytest.mark.parametrize("network", ["small", "wide"])
def test_the_arithmetic_is_that_of_the_layers(network):
    """Two operations a weight and place where its kernel lies, three passes."""
    from benchmarks.cnn import SHAPES, own_model

    x = np.zeros((1, *SHAPES[network]), np.float32)
    model = own_model(network)
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    maps = jax.eval_shape(lambda params: model.apply(params, x, method="maps"), params)
    total = 0
    for name, layer in params["params"].items():
        places = maps[int(name.partition("_")[2])].shape[1:-1]
        weights = layer["kernel"] if "kernel" in layer else layer["weight"]
        total += 6 * weights.size * int(np.prod(places))
    assert gpu.CNN_FLOPS[network] == pytest.approx(total, rel=0.01)


def test_half_precision_trains_float32_params():
    model = gpu.HalfPrecision(jn.MLP((10,)))
    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    data = Dataset({"x": x, "y": (x[:, 0] > 0).astype(np.int32)}, None)
    spec = jn.TrainSpec(model, "binary_cross_entropy", 40, record_every=40)
    state, history = jn.fit(spec, jax.random.key(0), data, {"learning_rate": 0.1})
    assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {jnp.dtype("float32")}
    assert history["train_loss"][-1] < 0.3
