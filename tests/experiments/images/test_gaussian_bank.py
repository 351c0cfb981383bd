"""The bank of derivatives of a Gaussian, and how filters are compared with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.images import gaussian_bank

ANGLES = [0.0, 0.4, np.pi / 2, 2.5]


def directional(orders, width, at, angle):
    """The derivative of a Gaussian at a point by `jax.grad`, along and across an angle."""

    def value(u, v):
        across = jnp.asarray([-jnp.sin(angle), jnp.cos(angle)])
        along = jnp.asarray([jnp.cos(angle), jnp.sin(angle)])
        return jnp.exp(-jnp.sum((at + u * along + v * across) ** 2) / (2 * width**2))

    for argument, order in enumerate(orders):
        for _ in range(order):
            value = jax.grad(value, argument)
    return value(0.0, 0.0)


@pytest.mark.parametrize("angle", ANGLES)
@pytest.mark.parametrize("orders", gaussian_bank.ORDERS)
def test_members_are_derivatives_of_a_gaussian(orders, angle, x64):
    size, width, centre = 5, 1.3, (1, -0.5)
    found = gaussian_bank.derivative(size, width, centre, angle, orders)
    for row in range(size):
        for column in range(size):
            at = jnp.asarray([column - 2 - centre[1], row - 2 - centre[0]])
            expected = directional(orders, width, at, angle)
            assert found[row, column] == pytest.approx(float(expected), abs=1e-12)


@pytest.mark.parametrize("size", [3, 5, 7])
def test_the_bank_is_normalised_and_complete(size):
    bank = gaussian_bank.bank(size)
    n = len(gaussian_bank.WIDTHS) * len(gaussian_bank.CENTRES)
    np.testing.assert_allclose(np.linalg.norm(bank.filters, axis=1), 1)
    assert [int((bank.orders == order).sum()) for order in range(3)] == [n, 12 * n, 18 * n]
    assert bank.jets.shape == (n, size**2, 6)
    gram = np.swapaxes(bank.jets, 1, 2) @ bank.jets
    np.testing.assert_allclose(gram, np.broadcast_to(np.eye(6), gram.shape), atol=1e-8)


def test_similarity_ignores_scale_sign_and_quarter_turns():
    bank = gaussian_bank.bank(5)
    filters = np.random.default_rng(0).normal(size=(4, 5, 5))
    expected = gaussian_bank.match(filters.reshape(4, 25), bank.filters)[0]
    assert (expected < 0.99).all()
    turned = np.rot90(filters, axes=(1, 2))
    for changed in (-filters, 7 * filters, turned):
        found = gaussian_bank.match(changed.reshape(4, 25), bank.filters)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    moved = filters + 1
    assert (gaussian_bank.match(moved.reshape(4, 25), bank.filters)[0] != expected).all()


def test_similarity_is_the_best_of_all_cosines():
    bank = gaussian_bank.bank(3)
    filters = np.random.default_rng(1).normal(size=(2, 3, 9))
    similarity, member = gaussian_bank.match(filters, bank.filters)
    for place in np.ndindex(2, 3):
        filter_ = filters[place]
        cosines = [abs(filter_ @ other) / np.linalg.norm(filter_) for other in bank.filters]
        assert similarity[place] == pytest.approx(max(cosines))
        assert cosines[member[place]] == pytest.approx(max(cosines))


@pytest.mark.parametrize("orders", gaussian_bank.ORDERS)
def test_derivatives_are_found_and_their_order_named(orders):
    """Also between the bank's widths, orientations and centres."""
    bank = gaussian_bank.bank(7)
    filter_ = gaussian_bank.derivative(7, 1.6, (0.3, -0.2), 0.5, orders).ravel()
    similarity, member = gaussian_bank.match(filter_[None], bank.filters)
    assert 0.9 < similarity[0] < 1
    assert bank.orders[member[0]] == sum(orders)


def test_a_checkerboard_is_not_a_derivative():
    rows, columns = np.indices((5, 5))
    board = (-1.0) ** (rows + columns)
    assert gaussian_bank.match(board.reshape(1, 25), gaussian_bank.bank(5).filters)[0][0] < 0.65


def test_energy_of_combinations_is_one_and_of_noise_six_of_all_dimensions():
    bank = gaussian_bank.bank(5)
    random = np.random.default_rng(2)
    combination = bank.jets[3] @ random.normal(size=6)
    assert gaussian_bank.energy(combination[None], bank.jets)[0] == pytest.approx(1)
    noise = random.normal(size=(20_000, 25))
    for jet in bank.jets[:3]:
        share = gaussian_bank.energy(noise, jet[None])
        assert share.mean() == pytest.approx(6 / 25, abs=5 * share.std() / np.sqrt(20_000))


def test_energy_is_that_of_a_least_squares_fit():
    """And at least the best member's own, since every member is one of the combinations."""
    bank = gaussian_bank.bank(5)
    filters = np.random.default_rng(3).normal(size=(10, 25))
    energy = gaussian_bank.energy(filters, bank.jets)
    assert (energy >= gaussian_bank.match(filters, bank.filters)[0] ** 2 - 1e-12).all()
    shares = []
    for width in gaussian_bank.WIDTHS:
        for centre in gaussian_bank.CENTRES:
            angles = (0, np.pi / 2, np.pi / 4)
            parts = [((0, 0), 0), *(((1, 0), a) for a in angles[:2])]
            parts += [((2, 0), a) for a in angles]
            columns = [
                gaussian_bank.derivative(5, 5 * width, centre, angle, orders).ravel()
                for orders, angle in parts
            ]
            system = np.stack(columns, 1)
            rest = filters.T - system @ np.linalg.lstsq(system, filters.T)[0]
            shares.append(1 - (rest**2).sum(0) / (filters**2).sum(1))
    np.testing.assert_allclose(energy, np.max(shares, axis=0), rtol=1e-8)
