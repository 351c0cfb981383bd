"""Convolution against loops in NumPy; both operations by platform, refused, and as PyTorch's."""

from functools import partial

import chex
import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import ops
from jaxnets.ops import convolution
from jaxnets.ops import windows as geometry
from jaxnets.ops.windows import windows
from tests.support.windows_by_loops import (
    EACH_PRECISION,
    TOLERANCE,
    Case,
    assert_close,
    cases,
    convolution_by_loops,
    draw_arrays,
    max_pool_by_loops,
)


@EACH_PRECISION
@hypothesis.settings(max_examples=10)
@hypothesis.given(case=cases())
def test_convolution_equals_loops(precision, case):
    """Row C3: outputs and both gradients, full patches and rows of them, short and long axes."""
    at = case.at
    assert (at.outputs, at.pads) == (case.outputs, case.pads)

    @jax.jit
    def forms(x, kernel, g):
        def form(kind):
            return (
                getattr(convolution, f"_forward_{kind}")(x, kernel, at),
                getattr(convolution, f"_input_grad_{kind}")(g, kernel, at),
                getattr(convolution, f"_kernel_grad_{kind}")(x, g, at),
            )

        short = form("cpu")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(geometry, "UNROLLED", 0)
            long = (*short[:1], convolution._input_grad_cpu(g, kernel, at), *short[2:])
        return {"short": short, "long": long, "native": form("native")}

    arrays = draw_arrays(case)
    truth = convolution_by_loops(*arrays, case)
    with jax.enable_x64(precision == "float64"):
        found = forms(*(jnp.asarray(a, precision) for a in arrays))
    for form in found.values():
        chex.assert_type(form, np.dtype(precision))
        assert_close(form, truth, TOLERANCE[precision])


@pytest.mark.parametrize("channels", [4, 5])
@pytest.mark.parametrize("padding", ["SAME", ((2, 0), (1, 3))], ids=str)
def test_the_gradients_are_of_the_outputs(x64, channels, padding):
    """JAX's derivative of `convolve`, and the two functions of the back-propagation by hand."""
    case = Case((2, 6, 5, channels), 3, (3, 2), (2, 1), padding)
    where = {"strides": case.strides, "padding": padding}

    @jax.jit
    def both(x, kernel, g):
        y, back = jax.vjp(partial(ops.convolve, **where), x, kernel)
        by_hand = (
            ops.convolve_input_grad(g, kernel, x.shape, **where),
            ops.convolve_kernel_grad(x, g, case.size, **where),
        )
        return (y, *back(g)), by_hand

    arrays = draw_arrays(case)
    truth = convolution_by_loops(*arrays, case)
    by_jax, by_hand = both(*map(jnp.asarray, arrays))
    assert_close(by_jax, truth, 1e-12)
    assert_close(by_hand, truth[1:], 1e-12)


@pytest.mark.parametrize("outputs", [2, 3, 6, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_windows_that_share_a_patch_are_the_native_form(x64, outputs, stride):
    """One channel: 1 or 2 windows side by side in one row of the product."""
    width = outputs * stride + 2
    case = Case((2, 5, width, 1), 3, (2, 3), (stride, stride), ((0, 0), (0, 0)))
    random = np.random.default_rng(0)
    x, kernel = random.standard_normal(case.shape), random.standard_normal((2, 3, 1, 3))
    at = windows(case.shape, case.size, case.strides, case.padding)
    assert at.outputs[1] == outputs
    assert convolution._neighbours(at) == (1 if outputs % 2 else 2)
    y = convolution._forward_native(x, kernel, at)
    g = jnp.asarray(random.standard_normal(y.shape))
    np.testing.assert_allclose(convolution._forward_cpu(x, jnp.asarray(kernel), at), y, atol=1e-12)
    np.testing.assert_allclose(
        convolution._kernel_grad_cpu(jnp.asarray(x), g, at),
        convolution._kernel_grad_native(jnp.asarray(x), g, at),
        atol=1e-12,
    )


LONG = {"rows": (1, 70, 3, 2), "columns": (1, 3, 70, 2)}


@pytest.mark.parametrize("shape", LONG.values(), ids=LONG)
def test_axes_longer_than_those_unrolled(x64, shape):
    case = Case(shape, 2, (3, 2), (2, 1), "SAME")
    assert max(shape) > geometry.UNROLLED
    x, kernel, g = draw_arrays(case)
    where = {"strides": case.strides, "padding": case.padding}

    @jax.jit
    def gradients(x, kernel, g):
        _, back = jax.vjp(partial(ops.convolve, **where), x, kernel)
        _, back_pool = jax.vjp(partial(ops.max_pool, size=case.size, **where), x)
        return back(g), back_pool(g)

    ours, ours_pool = gradients(*map(jnp.asarray, (x, kernel, g)))
    assert_close(ours, convolution_by_loops(x, kernel, g, case)[1:], 1e-12)
    assert_close(ours_pool, max_pool_by_loops(x, g, case)[1:], 1e-12)


def test_one_number_stands_for_both_axes(key):
    x, kernel = jax.random.normal(key, (1, 7, 7, 2)), jax.random.normal(key, (3, 3, 2, 1))
    for pool in (ops.max_pool, ops.average_pool):
        np.testing.assert_array_equal(pool(x, 3, 2), pool(x, (3, 3), [2, 2]))
        np.testing.assert_array_equal(pool(x, 3), pool(x, (3, 3), (3, 3), "VALID"))
    np.testing.assert_array_equal(
        ops.convolve(x, kernel, 2), ops.convolve(x, kernel, (2, 2), ((0, 0), (0, 0)))
    )


def lowered(f, *arguments, platforms):
    return jax.jit(f).trace(*arguments).lower(lowering_platforms=platforms).as_text()


PLATFORMS = pytest.mark.parametrize(
    ("platform", "native"), [("cuda", True), ("tpu", True), ("rocm", True), ("cpu", False)]
)


@PLATFORMS
def test_only_a_cpu_convolves_by_products(platform, native):
    def energy(x, kernel):
        return jnp.sum(ops.convolve(x, kernel, 2, "SAME") ** 2)

    text = lowered(
        jax.value_and_grad(energy, (0, 1)),
        jnp.ones((2, 6, 6, 3)),
        jnp.ones((3, 3, 3, 4)),
        platforms=(platform,),
    )
    assert text.count("stablehlo.convolution") == (3 if native else 0)
    assert ("stablehlo.dot_general" in text) != native


@PLATFORMS
@pytest.mark.parametrize("pool", [ops.max_pool, ops.average_pool])
def test_only_a_cpu_pools_without_windows(platform, native, pool):
    text = lowered(lambda x: pool(x, 3, 2), jnp.ones((2, 6, 6, 3)), platforms=(platform,))
    assert ("stablehlo.reduce_window" in text) == native


LARGE = (20, 32, 32, 32), (3, 3, 32, 8)
"""Images and kernel, of which the patches have 1.73 million entries."""
WIDE = (8, 16, 16, 128), (7, 7, 128, 128)
"""The same with so many channels that XLA's form is the faster one."""
FEWER = (8, 16, 16, 128), (3, 3, 128, 128)
"""Images and kernel for Winograd's form, which has fewer products."""


@pytest.mark.parametrize(
    ("shapes", "dtype", "native", "loops"),
    [
        (LARGE, jnp.float32, 0, 3),
        (LARGE, jnp.float64, 0, 3),
        (WIDE, jnp.float32, 2, 1),
        (WIDE, jnp.float64, 0, 3),
        (FEWER, jnp.float32, 0, 0),
        (((40, 32, 32, 64), (3, 3, 64, 64)), jnp.float32, 0, 3),
        (((2, 128, 128, 32), (3, 3, 32, 8)), jnp.float32, 2, 1),
        (((4, 32, 32, 32), (3, 3, 32, 8)), jnp.float32, 0, 0),
        (((16, 64, 64, 32), (1, 1, 32, 8)), jnp.float32, 0, 0),
        (((2, 224, 224, 3), (7, 7, 3, 8)), jnp.float32, 1, 2),
        (((2, 224, 224, 3), (7, 7, 3, 64)), jnp.float32, 2, 1),
        (((256, 28, 28, 1), (5, 5, 1, 6)), jnp.float32, 0, 3),
        (((64, 28, 28, 1), (5, 5, 1, 6)), jnp.float32, 0, 0),
        (((1, 56, 56, 3), (7, 7, 3, 8)), jnp.float32, 0, 0),
    ],
)
def test_a_cpu_convolves_large_maps_by_blocks_or_natively(x64, shapes, dtype, native, loops):
    """How many of the three products of a step XLA convolves, and how many loop over blocks."""
    arrays = [jax.ShapeDtypeStruct(shape, dtype) for shape in shapes]
    step = jax.grad(lambda x, kernel: jnp.sum(ops.convolve(x, kernel) ** 2), (0, 1))
    text = lowered(step, *arrays, platforms=("cpu",))
    assert text.count("stablehlo.convolution") == native
    assert text.count("stablehlo.while") == loops


@hypothesis.settings(max_examples=10)
@hypothesis.given(case=cases())
def test_forms_without_a_gradient_equal_loops(case):
    x, kernel, g = draw_arrays(case)
    truth = convolution_by_loops(x, kernel, g, case)[:1]
    for form in (convolution._forward_entire, convolution._forward_one_by_one):
        found = jax.jit(form, static_argnums=2)(jnp.float32(x), jnp.float32(kernel), case.at)
        assert_close([found], truth, TOLERANCE["float32"])


@pytest.mark.parametrize(
    ("shapes", "products", "native", "loop"),
    [
        (((1, 7, 7, 512), (3, 3, 512, 512)), 1, False, False),
        (((1, 56, 56, 64), (3, 3, 64, 64)), 4 + 4, False, False),
        (((1, 56, 56, 64), (3, 3, 64, 8)), 3, False, False),
        (((1, 56, 56, 128), (3, 3, 128, 8)), 0, True, False),
        (((4, 224, 224, 3), (7, 7, 3, 32)), 0, True, True),
        (((4, 224, 224, 3), (7, 7, 3, 8)), 1, False, True),
        (((1, 28, 28, 1), (5, 5, 1, 32)), 1, False, False),
        (((32, 12, 12, 32), (5, 5, 32, 64)), 5, False, True),
    ],
)
def test_large_maps_have_another_form_without_a_gradient(shapes, products, native, loop):
    """A kernel is not cut for few windows, and images of few channels are taken one by one."""
    arrays = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
    convolve = partial(ops.convolve, padding="SAME")
    text = lowered(convolve, *arrays, platforms=("cpu",))
    assert text.count("stablehlo.dot_general") == products
    assert ("stablehlo.convolution" in text, "stablehlo.while" in text) == (native, loop)
    trained = lowered(lambda *a: jax.vjp(convolve, *a)[0], *arrays, platforms=("cpu",))
    training = partial(convolution._forward, at=windows(shapes[0], shapes[1][:2], 1, "SAME"))
    expected = lowered(training, *arrays, platforms=("cpu",))
    for operation in ("dot_general", "convolution", "while"):
        assert trained.count(f"stablehlo.{operation}") == expected.count(f"stablehlo.{operation}")


@pytest.mark.parametrize("shapes", [LARGE, WIDE, FEWER])
def test_large_maps_have_the_values_and_gradients_of_products(x64, key, shapes):
    x, kernel = (jax.random.normal(key, shape) for shape in shapes)
    slope = jax.random.normal(key, ops.convolve(x, kernel).shape)

    def outcome(x, kernel):
        y, back = jax.vjp(ops.convolve, x, kernel)
        return y, *back(slope.astype(y.dtype))

    ours = outcome(x.astype(jnp.float32), kernel.astype(jnp.float32))
    for found, expected in zip(ours, outcome(x, kernel), strict=True):
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, expected, atol=2e-6 * np.abs(expected).max())


def test_a_program_for_two_platforms_has_both_forms():
    text = lowered(
        ops.convolve,
        jnp.ones((2, 6, 6, 3)),
        jnp.ones((3, 3, 3, 4)),
        platforms=("cpu", "cuda"),
    )
    assert "stablehlo.convolution" in text
    assert "stablehlo.dot_general" in text


def test_a_sweep_of_kernels_equals_a_loop(x64, key):
    kernels = jax.random.normal(key, (3, 2, 3, 5, 2))
    images = jax.random.normal(key, (3, 2, 5, 6, 5))

    def losses(x, kernel):
        y = ops.max_pool(ops.convolve(x, kernel, (1, 2), "SAME"), 2, 1)
        return jnp.sum(ops.average_pool(y, 2) ** 3)

    both = jax.value_and_grad(losses, (0, 1))
    one = jax.jit(both)
    for axes in ((0, 0), (None, 0), (0, None)):
        arguments = [
            a[1] if axis is None else a for a, axis in zip((images, kernels), axes, strict=True)
        ]
        swept = jax.jit(jax.vmap(both, axes))(*arguments)
        rows = [
            one(*(a if axis is None else a[i] for a, axis in zip(arguments, axes, strict=True)))
            for i in range(3)
        ]
        rows = jax.tree.map(lambda *a: np.stack(a), *rows)
        chex.assert_trees_all_close(swept, rows, rtol=1e-12, atol=1e-12)


def test_second_derivatives(x64):
    """In reverse mode twice, of a function of degree four in images and kernel together."""
    case = Case((1, 3, 3, 1), 1, (2, 2), (1, 1), "SAME")
    x, kernel, _ = map(jnp.asarray, draw_arrays(case))

    def energy(convolve, flat):
        y = convolve(flat[:9].reshape(x.shape), flat[9:].reshape(kernel.shape))
        return jnp.sum(y**2)

    def native(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, (1, 1), case.pads, dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    at = jnp.concatenate([x.ravel(), kernel.ravel()])
    ours = jax.jacrev(jax.jacrev(partial(energy, partial(ops.convolve, padding="SAME"))))
    truth = jax.hessian(partial(energy, native))
    np.testing.assert_allclose(jax.jit(ours)(at), jax.jit(truth)(at), atol=1e-12)


X = jnp.ones((2, 4, 5, 3))
KERNEL = jnp.ones((2, 2, 3, 4))
REFUSED = {
    "an image without batch": (
        lambda: ops.convolve(X[0], KERNEL),
        ValueError,
        r"expected images \[batch, rows, columns, channels\], x has shape \(4, 5, 3\).*x\[None\]",
    ),
    "images without channels": (
        lambda: ops.max_pool(X[..., 0], 2),
        ValueError,
        r"x has shape \(2, 4, 5\): use x\[\.\.\., None\]",
    ),
    "features": (
        lambda: ops.average_pool(X[:, 0, 0], 2),
        ValueError,
        r"x has shape \(2, 3\)",
    ),
    "channels that are not the kernel's": (
        lambda: ops.convolve(X[..., :2], KERNEL),
        ValueError,
        r"the kernel has shape \(2, 2, 3, 4\), x has shape \(2, 4, 5, 2\)",
    ),
    "a kernel of three axes": (
        lambda: ops.convolve(X, KERNEL[0]),
        ValueError,
        r"expected a kernel \[rows, columns, in, out\].* the kernel has shape \(2, 3, 4\)",
    ),
    "a window taller than the images": (
        lambda: ops.max_pool(X, (5, 1)),
        ValueError,
        r'images of 4 x 5 with padding .* smaller than the window of 5 x 1.*padding="SAME"',
    ),
    "a kernel wider than the images": (
        lambda: ops.convolve(X, jnp.ones((1, 7, 3, 4)), padding=((9, 9), (0, 1))),
        ValueError,
        r"images of 4 x 5 with padding \(\(9, 9\), \(0, 1\)\) are smaller .* 1 x 7",
    ),
    "an unknown padding": (
        lambda: ops.convolve(X, KERNEL, padding="same"),
        ValueError,
        "unknown padding 'same'.*known: VALID, SAME",
    ),
    "stride 0": (
        lambda: ops.convolve(X, KERNEL, 0),
        ValueError,
        "a window's stride is 0; it must be 1 or more",
    ),
    "a pooling's stride 0": (
        lambda: ops.max_pool(X, 2, 0),
        ValueError,
        "a window's stride is 0",
    ),
    "an average's stride 0 to the right": (
        lambda: ops.average_pool(X, 2, (1, 0)),
        ValueError,
        "a window's stride is 0",
    ),
    "half a stride": (
        lambda: ops.convolve(X, KERNEL, (1, 0.5)),
        TypeError,
        "a window's stride is 0.5; it must be an integer",
    ),
    "size 0": (lambda: ops.max_pool(X, 0), ValueError, "a window's size is 0"),
    "size 2.0": (lambda: ops.average_pool(X, 2.0), TypeError, "a window's size is 2.0"),
}


@pytest.mark.parametrize(("call", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


TORCH = {
    "blocks": Case((2, 6, 6, 3), 4, (2, 2), (2, 2), ((0, 0), (0, 0))),
    "remainder": Case((2, 7, 8, 5), 2, (3, 3), (3, 3), ((0, 0), (0, 0))),
    "overlapping": Case((2, 7, 6, 5), 2, (3, 2), (1, 1), ((1, 1), (1, 1))),
    "far apart": Case((1, 8, 9, 1), 6, (2, 3), (3, 4), ((1, 1), (0, 0))),
}


@pytest.mark.parametrize("case", TORCH.values(), ids=TORCH)
def test_equals_pytorch(x64, case):
    """Where pixels tie too; PyTorch has images `[batch, channels, rows, columns]`."""
    torch = pytest.importorskip("torch")
    pads = tuple(low for low, _ in case.pads)
    rest = {"strides": case.strides, "padding": case.padding}
    x, kernel, g = draw_arrays(case, ties=True)
    g_pool = draw_arrays(case, features=case.shape[3])[2]
    functional = torch.nn.functional
    pairs = {
        "convolve": (
            partial(ops.convolve, **rest),
            partial(functional.conv2d, stride=case.strides, padding=pads),
            (x, kernel),
            g,
        ),
        "max": (
            partial(ops.max_pool, size=case.size, **rest),
            lambda x: functional.max_pool2d(x, case.size, case.strides, pads),
            (x,),
            g_pool,
        ),
        "average": (
            partial(ops.average_pool, size=case.size, **rest),
            lambda x: functional.avg_pool2d(x, case.size, case.strides, pads),
            (x,),
            g_pool,
        ),
    }
    to_torch, from_torch = [(0, 3, 1, 2), (3, 2, 0, 1)], [(0, 2, 3, 1), (2, 3, 1, 0)]
    for ours, theirs, arrays, g in pairs.values():
        leaves = [
            torch.tensor(a.transpose(axes), requires_grad=True)
            for a, axes in zip(arrays, to_torch, strict=False)
        ]
        true_y = theirs(*leaves)
        true_y.backward(torch.tensor(g.transpose(to_torch[0])))
        truth = [
            t.grad.numpy().transpose(axes) for t, axes in zip(leaves, from_torch, strict=False)
        ]
        true_y = true_y.detach().numpy().transpose(from_torch[0])
        y, grads = jax.jit(partial(output_and_gradients, ours))(g, *arrays)
        assert_close((y, *grads), (true_y, *truth), 1e-12)


def output_and_gradients(f, g, *arrays):
    y, back = jax.vjp(f, *arrays)
    return y, back(g)
