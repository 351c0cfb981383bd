"""The attacks on image networks, and what is taken from them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import linprog

from experiments.images import adversarial
from experiments.lab import run
from experiments.shared import image_networks
from jaxnets.losses import get_loss
from jaxnets.models import CNN, Activate, Dense, Flatten

LINEAR = CNN((Flatten(), Dense(3)))


def linear(key, shape=(2, 3, 1)):
    """A linear classifier and one image of each class, far from the edges of the pixel range."""
    x = jax.random.uniform(key, (3, *shape), minval=0.4, maxval=0.6)
    params = LINEAR.init(key, x)
    return params, x, jnp.arange(3), np.asarray(params["params"]["layers_1"]["weight"])


def tanh_network(key):
    x = jax.random.uniform(key, (6, 4, 4, 1))
    model = CNN((Flatten(), Dense(8), Activate("tanh"), Dense(3)))
    return model, model.init(key, x), x, jnp.arange(6) % 3


def signs(key, x):
    return np.asarray(jax.random.rademacher(key, x.shape, x.dtype))


def test_deficit_is_the_cross_entropys_logit():
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(6, 4)), jnp.float32)
    y = jnp.arange(6) % 4
    entropy = get_loss("softmax_cross_entropy").value(outputs, y)
    deficit = adversarial.deficit(outputs, y)
    np.testing.assert_allclose(jnp.log1p(jnp.exp(deficit)), entropy, rtol=1e-5)
    two = adversarial.deficit(jnp.asarray([[3.0, 5.0]]), jnp.asarray([0]))
    np.testing.assert_allclose(two, [2.0], rtol=1e-6)


def test_signs_are_those_of_the_cross_entropy(key):
    model, params, x, y = tanh_network(key)
    loss = get_loss("softmax_cross_entropy").value
    gradient = jax.grad(lambda x: loss(model.apply(params, x), y).sum())(x)
    np.testing.assert_array_equal(adversarial.signs(model, params, x, y), jnp.sign(gradient))


def test_signs_do_not_vanish_where_the_network_is_certain(key):
    """Where a label has 200 nats more than the others, the cross entropy's gradient is 0."""
    params, x, _, weight = linear(key)
    certain = jax.tree.map(lambda a: 1000 * a, params)
    y = LINEAR.apply(certain, x).argmax(-1)
    found = np.asarray(adversarial.signs(LINEAR, certain, x, y)).reshape(3, -1)
    outputs = np.array(LINEAR.apply(certain, x))
    outputs[np.arange(3), y] = -np.inf
    expected = np.sign(weight[outputs.argmax(-1)] - weight[y])
    np.testing.assert_array_equal(found, expected)


def test_one_step_is_the_worst_change_of_a_linear_classifier(key):
    """Of all changes within epsilon, as linear programming finds it for two classes."""
    x = jax.random.uniform(key, (4, 2, 3, 1))  # some pixels within epsilon of 0 or 1
    model = CNN((Flatten(), Dense(2)))
    params = model.init(key, x)
    y, epsilon = jnp.asarray([0, 1, 0, 1]), 0.3
    changed = np.asarray(adversarial.fgsm(model, params, x, y, epsilon)).reshape(4, -1)
    weight = np.asarray(params["params"]["layers_1"]["weight"])
    for image, found, label in zip(np.asarray(x).reshape(4, -1), changed, y, strict=True):
        slope = weight[1 - label] - weight[label]
        low, high = np.maximum(image - epsilon, 0), np.minimum(image + epsilon, 1)
        worst = linprog(-slope, bounds=np.stack([low, high], 1))
        assert slope @ found == pytest.approx(-worst.fun, rel=1e-5)


@pytest.mark.parametrize("attack", adversarial.ATTACKS)
@pytest.mark.parametrize("epsilon", [0.0, 0.05, 0.4])
def test_changes_stay_within_epsilon_and_the_pixel_range(attack, epsilon, key):
    model, params, x, y = tanh_network(key)
    direction = jax.random.rademacher(key, x.shape, x.dtype)
    changed = adversarial.perturb(attack, model, params, x, y, epsilon, direction)
    assert float(jnp.abs(changed - x).max()) == pytest.approx(epsilon, abs=1e-6)
    assert float(changed.min()) >= 0
    assert float(changed.max()) <= 1


def test_projected_steps_reach_the_corner_a_single_step_reaches(key):
    """For two classes on a line between them the direction never changes."""
    x = jax.random.uniform(key, (4, 2, 3, 1))
    model = CNN((Flatten(), Dense(2)))
    params, y = model.init(key, x), jnp.asarray([0, 1, 0, 1])
    single = adversarial.fgsm(model, params, x, y, 0.1)
    np.testing.assert_allclose(adversarial.pgd(model, params, x, y, 0.1), single, atol=1e-6)
    near = adversarial.pgd(model, params, x, y, 0.1, steps=2)
    assert float(jnp.abs(near - x).max()) == pytest.approx(0.05, abs=1e-6)


def test_projected_steps_raise_the_loss_of_a_curved_network_more(key):
    model, params, x, y = tanh_network(key)
    sharp = jax.tree.map(lambda a: 4 * a, params)
    changed = [attack(model, sharp, x, y, 0.3) for attack in (adversarial.fgsm, adversarial.pgd)]
    single, projected = (adversarial.deficit(model.apply(sharp, c), y) for c in changed)
    assert float(projected.mean()) > float(single.mean())


def test_smallest_step_of_a_linear_classifier_in_closed_form(key):
    """The lead of the label over another class, over the sum of |differences of weights|."""
    x = jax.random.uniform(key, (5, 4, 4, 1), minval=0.45, maxval=0.55)
    model = CNN((Flatten(), Dense(2)))
    params = model.init(key, x)
    outputs = np.asarray(model.apply(params, x))
    y, weight = outputs.argmax(-1), np.asarray(params["params"]["layers_1"]["weight"])
    closed = np.ptp(outputs, axis=1) / np.abs(weight[0] - weight[1]).sum()
    assert closed.max() < 0.4
    grid = np.arange(0, 0.45, adversarial.FINE)
    networks = jax.tree.map(lambda a: a[None], params)
    wrong = [
        adversarial._wrong("fgsm", model, networks, np.asarray(x), y, epsilon, signs(key, x)[None])
        for epsilon in grid
    ]
    found = adversarial.first_flips(np.asarray(wrong), grid)[0]
    assert ((found >= closed) & (found <= closed + adversarial.FINE + 1e-6)).all()


def test_first_flips_by_hand():
    wrong = np.asarray([[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0]], bool)
    found = adversarial.first_flips(wrong, np.asarray([0, 0.1, 0.2]))
    np.testing.assert_array_equal(found, [0.2, 0.1, np.nan, np.inf])


@pytest.mark.parametrize("attack", adversarial.ATTACKS)
def test_blocks_change_nothing(attack, monkeypatch, key):
    """More images than fit into one block; the last block is shorter."""
    model, params, x, y = tanh_network(key)
    other = model.init(jax.random.fold_in(key, 1), x)
    networks = jax.tree.map(lambda *a: jnp.stack(a), params, other)
    noise = np.stack([signs(jax.random.fold_in(key, seed), x) for seed in (2, 3)])
    arguments = (attack, model, networks, np.asarray(x), np.asarray(y), 0.1, noise)
    single = adversarial._wrong(*arguments)
    monkeypatch.setattr(adversarial, "BATCH", 4)
    parts = adversarial._wrong(*arguments)
    assert single.shape == (2, 6)
    assert (single[0] != single[1]).any()
    np.testing.assert_array_equal(parts, single)


# What is judged.


def attack_result(shares=None, data="mnist", accuracy=0.98):
    """Made-up flips of 200 digits by 5 networks: a share of the digits, others in each network."""
    result = {"data": np.asarray(data), "epsilons": np.asarray([0, 0.1, 0.3])}
    for i, network in enumerate(adversarial.NETWORKS):
        share = {"random": 0.01, "fgsm": 0.9} | (shares or {}).get(network, {})
        random = np.random.default_rng(i)
        for attack in adversarial.ATTACKS:
            result[f"accuracy_{network}_{attack}"] = np.full((5, 3), accuracy)
        for attack, at in (("fgsm", 0.1), ("random", np.inf)):
            result[f"smallest_{network}_{attack}"] = np.full((5, 200), at)
            flipped = np.tile(np.arange(200) < 200 * share[attack], (5, 1))
            result[f"flips_{network}_{attack}"] = random.permuted(flipped, axis=1)
    return result


def judge(result):
    return {row["claim"]: row for row in run.claims_of("adversarial", result)}


ATTACKED = {
    "as claimed": ({}, ["reproduced", "reproduced"]),
    "no better than random signs": ({"random": 0.9}, ["reproduced", "refuted"]),
    "not most digits": ({"fgsm": 0.2}, ["refuted", "reproduced"]),
    "half of them": ({"fgsm": 0.5}, ["inconclusive", "reproduced"]),
    "nothing": ({"fgsm": 0.0, "random": 0.0}, ["refuted", "refuted"]),
    "exchanged": ({"fgsm": 0.01, "random": 0.9}, ["refuted", "refuted"]),
}


@pytest.mark.parametrize(("share", "expected"), ATTACKED.values(), ids=ATTACKED)
@pytest.mark.parametrize("network", adversarial.NETWORKS)
def test_claims_on_attacks_can_fail(network, share, expected):
    for name, row in judge(attack_result({network: share})).items():
        found = [part["verdict"] for part in row["parts"]]
        assert found == (expected if name == f"{network}_flips" else ["reproduced"] * 2)


def test_attacks_need_mnist_and_networks_that_learned():
    for result in (attack_result(data="digits"), attack_result(accuracy=0.1)):
        assert {row["status"] for row in judge(result).values()} == {"not judged"}


def test_a_median_beyond_the_grid_says_so():
    result = attack_result()
    assert adversarial._median(result, "cnn", "random") == "above 0.3"
    assert adversarial._median(result, "cnn", "fgsm") == "0.100 ± 0.000"
    mixed = np.tile([np.nan, np.nan, 0.1, 0.2, np.inf], (5, 1))
    result["smallest_cnn_fgsm"] = mixed
    assert adversarial._median(result, "cnn", "fgsm") == "0.200 ± 0.000"


def test_pictures_are_of_digits_that_flip(key):
    """The first ones that are classified correctly before the step and wrongly after it."""
    params, x, _, _ = linear(key, (4, 4, 1))
    x = jax.random.uniform(key, (40, 4, 4, 1))
    y = np.array(LINEAR.apply(params, x).argmax(-1))
    y[0] = (y[0] + 1) % 3
    result = adversarial._pictures("cnn", LINEAR, params, x, jnp.asarray(y), signs(key, x), 0.1)
    changed = adversarial.fgsm(LINEAR, params, x, jnp.asarray(y), 0.1)
    after = np.asarray(LINEAR.apply(params, changed).argmax(-1))
    before = np.asarray(LINEAR.apply(params, x).argmax(-1))
    rows = np.flatnonzero((before == y) & (after != y))[: adversarial.SHOWN]
    assert len(rows) == adversarial.SHOWN
    np.testing.assert_array_equal(result["shown_cnn"][:, 0], x[rows, ..., 0])
    np.testing.assert_allclose(result["shown_cnn"][:, 2], changed[rows, ..., 0], rtol=1e-6)
    np.testing.assert_array_equal(result["labels_cnn"][:, :2], np.stack([before, after], 1)[rows])


def test_the_mlp_is_two_layers_of_100_units(key):
    params = image_networks.mlp().init(key, jnp.zeros((1, 28, 28, 1)))
    sizes = jax.tree.map(jnp.size, params)
    assert sum(jax.tree.leaves(sizes)) == 785 * 100 + 101 * 100 + 101 * 10


def test_only_digits_that_were_right_can_flip(monkeypatch):
    monkeypatch.setattr(adversarial, "train", zeros)
    result = adversarial.run(adversarial.SMOKE, jax.random.key(0))
    assert 0 < result["accuracy_cnn_fgsm"][:, 0].mean() < 0.2
    for attack in ("random", "fgsm"):
        assert not result[f"flips_cnn_{attack}"].any()
    assert result["flips_cnn_fgsm"].shape == result["smallest_cnn_fgsm"].shape


def zeros(config, key, data, model, checkpoints=None):
    """Networks that always answer 0, whatever is changed."""
    one = jax.eval_shape(model.init, key, data.train["x"][:1])
    return jax.tree.map(lambda a: jnp.zeros((config.seeds, *a.shape)), one)
