"""The runs of `hand_pose`, its errors, and its claims about made-up results."""

import numpy as np
import pytest

from experiments.images import hand_pose
from experiments.images.hand_pose import ARMS, FRESH, Config
from experiments.lab import run
from jaxnets.training.batches import FreshGradients, HardestGradients

SEEDS = 8
JITTER = np.linspace(-0.01, 0.01, SEEDS)[:, None]


def test_mining_for_equal_compute_has_as_many_forward_passes():
    config = Config(batch_size=32, candidates=64, updates=3000)
    plain, mining = (hand_pose.updates(config, ARMS[name]) for name in ("plain", "mining_compute"))
    assert plain == 3000
    assert mining * (64 + 3 * 32) == plain * 3 * 32
    assert hand_pose.updates(config, ARMS["mining"]) == plain


@pytest.mark.parametrize("arm", ARMS.values(), ids=ARMS)
@pytest.mark.parametrize("pictures", [1024, FRESH])
def test_an_arm_has_its_updates_its_batches_and_its_dropout(arm, pictures):
    config = Config()
    steps = hand_pose.updates(config, arm)
    spec = hand_pose.spec_of(config, arm, pictures, steps)
    taken = 64 if arm.mines else 32
    per_epoch = 1 if pictures == FRESH else pictures // taken
    assert spec.batch_size == taken
    assert abs(spec.epochs * per_epoch - steps) <= per_epoch / 2
    gradient = spec.value_and_grad
    if pictures == FRESH:
        assert isinstance(gradient, FreshGradients)
        gradient = gradient.value_and_grad
    assert isinstance(gradient, HardestGradients) == arm.mines
    assert spec.model.layers[-2].rate == (config.dropout if arm.drops else 0)


def test_errors_are_distances_of_joints():
    rng = np.random.default_rng(0)
    truth, found = rng.normal(size=(2, 60, 21, 3)).astype(np.float32)
    distances = np.asarray(
        [
            [np.sqrt(sum((f - t) ** 2)) for f, t in zip(*pose, strict=True)]
            for pose in zip(found, truth, strict=True)
        ]
    )
    ours = hand_pose.measured(truth, found)
    assert ours["mean"] == pytest.approx(distances.mean(), rel=1e-5)
    assert ours["tail"] == pytest.approx(np.percentile(distances.mean(axis=1), 95), rel=1e-5)
    assert ours["worst"] == pytest.approx(np.median(distances.max(axis=1)), rel=1e-5)
    same = hand_pose.measured(truth, np.broadcast_to(truth.mean(axis=0), truth.shape))
    assert same["mean"] == pytest.approx(float(same["constant"]), rel=1e-5)


def made_up(**changes):
    """Errors of 0.1 with as little spread as expected; `changes` are factors of arms."""
    result = {"pictures": np.asarray([1024, 8192, FRESH]), "longest": np.asarray(Config.longest)}
    for name in ARMS:
        for measure in ("mean", "tail"):
            factor = np.asarray(changes.get(name, 1.0)) * np.ones(3)
            wiggle = 1 + (JITTER if name == "plain" else -JITTER)
            result[f"{name}_{measure}"] = 0.1 * factor * wiggle
    return result | {"longest_mean": changes.get("longest", 0.05) + 0.1 * JITTER[:, 0]}


def verdicts(result):
    return {row["claim"]: row["status"] for row in run.claims_of("hand_pose", result)}


def test_what_helps_is_reproduced_and_nothing_else():
    found = verdicts(made_up(dropout=[0.9, 1, 1], mining=0.9))
    assert {name for name, status in found.items() if status == "reproduced"} == {
        "dropout_few_pictures",
        "mining_equal_updates",
        "mining_hard_pictures",
        "pose_is_regressed",
    }


def test_mining_must_help_at_every_number_of_pictures():
    found = verdicts(made_up(mining_compute=[0.9, 0.9, 1.1], both=[0.9, 0.9, 0.9]))
    assert found["mining_equal_compute"] != "reproduced"
    assert found["mining_with_dropout"] == "reproduced"


def test_poses_must_be_near_after_all_updates():
    assert verdicts(made_up(longest=0.062))["pose_is_regressed"] != "reproduced"
    fewer = made_up() | {"longest": np.asarray(100)}
    assert verdicts(fewer)["pose_is_regressed"] == "not judged"


def test_the_table_says_what_was_measured():
    result = made_up(dropout=0.5)
    result["constant"] = np.full(SEEDS, 0.27)
    text = hand_pose.table(result)
    assert "of the mean pose 0.2700" in text
    assert "| dropout | 0.0500 ± 0.0003 | 0.0500 ± 0.0003 | 0.0500 ± 0.0003 |" in text
    assert f"plain, drawn on the fly, {Config.longest} updates: 0.0500" in text
