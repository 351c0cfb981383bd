"""Principal components of samples and of kernels, compared with scikit-learn and with features."""

import jax
import numpy as np
import pytest
from sklearn.decomposition import PCA, KernelPCA
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import KernelCenterer

from jaxnets.analysis import projections


@pytest.fixture
def samples():
    """Far from the origin, of another spread along each axis."""
    random = np.random.default_rng(0)
    return random.normal(size=(12, 5)) * [5, 3, 2, 1, 0.5] + 7


def signed(ours, theirs):
    """Our coordinates `[n, dimensions]` with their signs."""
    return np.asarray(ours) * np.sign(np.sum(np.asarray(ours) * theirs, axis=0))


def test_principal_components_are_scikit_learns(x64, samples):
    ours, theirs = projections.pca(samples, 3), PCA(3, svd_solver="full").fit(samples)
    np.testing.assert_allclose(ours.mean, theirs.mean_)
    np.testing.assert_allclose(ours.variances, theirs.explained_variance_)
    places = theirs.transform(samples)
    np.testing.assert_allclose(signed(projections.project(ours, samples), places), places)
    new = theirs.transform(samples[:4] ** 2)
    np.testing.assert_allclose(signed(projections.project(ours, samples[:4] ** 2), new), new)


@pytest.mark.parametrize("centre", [True, False])
def test_directions_are_eigenvectors_of_the_lectures_sigma(x64, samples, centre):
    phi = samples - samples.mean(axis=0) if centre else samples
    sigma = sum(np.outer(row, row) for row in phi) / (len(phi) - 1)
    found = projections.pca(samples, 5, centre=centre)
    directions, variances = np.asarray(found.directions), np.asarray(found.variances)
    np.testing.assert_allclose(directions @ directions.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(sigma @ directions.T, directions.T * variances, atol=1e-9)
    assert (np.diff(variances) < 0).all()


def test_moving_the_data_changes_only_what_is_not_centred(x64, samples):
    for centre in (True, False):
        one, other = (projections.pca(x, centre=centre) for x in (samples, samples + 100))
        same = np.allclose(np.abs(one.directions), np.abs(other.directions), atol=1e-9)
        assert same == centre


KERNELS = {"rbf": lambda x: rbf_kernel(x, gamma=0.02), "square": lambda x: (x @ x.T / 50) ** 2}


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_kernel_components_are_scikit_learns(x64, samples, kernel):
    matrix = kernel(samples)
    np.testing.assert_allclose(
        projections.centre_kernel(matrix), KernelCenterer().fit_transform(matrix), atol=1e-10
    )
    theirs = KernelPCA(3, kernel="precomputed", eigen_solver="dense").fit_transform(matrix)
    ours = projections.kernel_pca(matrix, 3)
    np.testing.assert_allclose(signed(ours, theirs), theirs, rtol=1e-6, atol=1e-9)


def test_centring_a_kernel_is_centring_its_features(x64, samples):
    """The kernel (x . y)^2 is that of all products of two entries."""
    phi = np.stack([np.outer(row, row).ravel() for row in samples])
    centred = phi - phi.mean(axis=0)
    ours = projections.centre_kernel((samples @ samples.T) ** 2)
    np.testing.assert_allclose(ours, centred @ centred.T, rtol=1e-9, atol=1e-6)
    n = len(samples)
    ones = np.full((n, n), 1 / n)
    kernel = rbf_kernel(samples, gamma=0.02)
    formula = kernel - ones @ kernel - kernel @ ones + ones @ kernel @ ones
    np.testing.assert_allclose(projections.centre_kernel(kernel), formula, atol=1e-14)


@pytest.mark.parametrize("centre", [True, False])
def test_the_linear_kernel_gives_pca(x64, samples, centre):
    places = projections.project(projections.pca(samples, 3, centre=centre), samples)
    ours = projections.kernel_pca(samples @ samples.T, 3, centre=centre)
    np.testing.assert_allclose(signed(ours, places), places, atol=1e-9)


def test_both_compile(samples):
    compiled = jax.jit(projections.pca, static_argnames=("dimensions", "centre"))
    found, eager = compiled(samples, dimensions=2, centre=False), projections.pca(samples)
    assert found.directions.shape == eager.directions.shape == (2, 5)
    assert not found.mean.any()
    places = jax.jit(projections.kernel_pca)(samples @ samples.T)
    assert np.isfinite(places).all()


WRONG = {
    "vector": (projections.pca, np.ones(4), 1, r"\[samples, features\]"),
    "one sample": (projections.pca, np.ones((1, 4)), 1, "2 samples or more"),
    "dimensions": (projections.pca, np.ones((3, 4)), 4, "dimensions is 4; .* has 1 to 3"),
    "none": (projections.pca, np.ones((3, 4)), 0, "dimensions is 0"),
    "kernel": (projections.kernel_pca, np.ones((3, 4)), 1, r"expected \[n, n\]"),
    "kernel dimensions": (projections.kernel_pca, np.eye(3), 4, "3 samples has 1 to 3"),
}


@pytest.mark.parametrize(("function", "x", "dimensions", "message"), WRONG.values(), ids=WRONG)
def test_what_does_not_fit_is_named(function, x, dimensions, message):
    with pytest.raises(ValueError, match=message):
        function(x, dimensions)
