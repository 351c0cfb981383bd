"""Hands: bones and their surface against closed forms in NumPy, what disturbs by counting."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from jaxnets.data import hands as room
from jaxnets.data.hands import BONES, JOINTS, RADII, draw_pose, hands, joints_of, surface

KEY = jax.random.key(0)
CLEAN = {"noise": 0.0, "lost": 0.0, "occluder": 0.0}
N = 200


@pytest.fixture(scope="module")
def joints():
    return np.asarray(
        jax.jit(jax.vmap(lambda k: joints_of(draw_pose(k))))(jax.random.split(KEY, N))
    )


def test_shapes_and_types():
    drawn = jax.eval_shape(lambda key: hands(key, 3, 8), KEY)
    chex.assert_shape(drawn["x"], (3, 8, 8, 1))
    chex.assert_shape(drawn["y"], (3, 3 * JOINTS))
    chex.assert_type(list(drawn.values()), jnp.float32)


def test_a_key_decides_everything():
    drawn = hands(KEY, 2, 8)
    chex.assert_trees_all_equal(drawn, hands(KEY, 2, 8))
    assert not np.isclose(drawn["y"], hands(jax.random.key(1), 2, 8)["y"]).any()
    assert not np.isclose(drawn["y"][0], drawn["y"][1]).any()


def test_compiled_equals_uncompiled():
    compiled = jax.jit(hands, static_argnums=(1, 2))(KEY, 2, 8)
    chex.assert_trees_all_close(compiled, hands(KEY, 2, 8), atol=1e-5)


def test_bones_are_a_tree_with_the_wrist_as_its_root():
    assert sorted(BONES[:, 1]) == list(range(1, JOINTS))
    assert (BONES[:, 0] < BONES[:, 1]).all()
    assert (BONES[:, 0] == 0).sum() == room.FINGERS


def test_bone_lengths_are_constant(joints):
    lengths = np.linalg.norm(joints[:, BONES[:, 1]] - joints[:, BONES[:, 0]], axis=-1)
    np.testing.assert_allclose(lengths, np.broadcast_to(lengths[0], lengths.shape), atol=1e-6)
    np.testing.assert_allclose(lengths[0].reshape(5, 4)[:, 1:], room.LENGTHS, atol=1e-6)


def test_fingers_bend_one_way_and_stay_in_a_plane(joints):
    """A bone is turned from the one before towards the inner side, by at most 120 degrees."""
    fingers = joints[:, 1:].reshape(N, 5, 4, 3)
    bones = np.diff(fingers, axis=2)
    bones /= np.linalg.norm(bones, axis=-1, keepdims=True)
    across, down = joints[:, 17] - joints[:, 5], joints[:, 0] - joints[:, 9]
    palm = np.cross(across, down)
    palm /= np.linalg.norm(palm, axis=-1, keepdims=True)
    towards = (bones * palm[:, None, None]).sum(-1)
    assert (towards[:, :, 0] > -1e-6).all(), "the first bone leaves the palm on its inner side"
    turns = np.cross(bones[:, :, :-1], bones[:, :, 1:])
    sides = np.cross(bones[:, :, 0], palm[:, None])
    assert ((turns * sides[:, :, None]).sum(-1) >= -1e-6).all()
    assert ((bones[:, :, :-1] * bones[:, :, 1:]).sum(-1) > -0.5).all()
    np.testing.assert_allclose(np.cross(turns[:, :, 0], turns[:, :, 1]), 0, atol=1e-6)


def test_a_flat_hand_is_flat_and_a_fist_is_not():
    still = {"splay": jnp.zeros(5), "turn": jnp.zeros(3), "shift": jnp.zeros(3)}
    flat = joints_of(room.Pose(flex=jnp.zeros((5, 2)), **still))
    np.testing.assert_allclose(flat[:, 2], 0, atol=1e-6)
    fist = np.asarray(joints_of(room.Pose(flex=jnp.full((5, 2), np.pi / 2), **still)))
    np.testing.assert_allclose(fist[2::4, 2], room.LENGTHS[:, 0], atol=1e-6)
    np.testing.assert_allclose(fist[3::4, 2], room.LENGTHS[:, 0], atol=1e-6)


def test_a_hand_turns_and_moves_as_a_rigid_body():
    pose = draw_pose(KEY)
    still = joints_of(pose._replace(turn=jnp.zeros(3), shift=jnp.zeros(3)))
    moved = joints_of(pose)
    about = Rotation.from_euler("xyz", np.asarray(pose.turn))
    np.testing.assert_allclose(moved, about.apply(still) + np.asarray(pose.shift), atol=1e-5)


def entry(x, y, start, end, radius):
    """The largest z at which a vertical ray meets a cylinder's side or a ball at its ends."""
    d = end - start
    found = [-np.inf]
    for centre in (start, end):
        left = radius**2 - (x - centre[0]) ** 2 - (y - centre[1]) ** 2
        if left >= 0:
            found.append(centre[2] + np.sqrt(left))
    # |(p - start) - ((p - start) . d / d . d) d|^2 = radius^2 with p = (x, y, z): quadratic in z.
    axis, origin = d / np.linalg.norm(d), np.array([x, y, 0]) - start
    across, upward = origin - (origin @ axis) * axis, np.array([0, 0, 1]) - axis[2] * axis
    a, b, c = upward @ upward, across @ upward, across @ across - radius**2
    if a > 0 and b * b >= a * c:
        z = (-b + np.sqrt(b * b - a * c)) / a
        if 0 <= (np.array([x, y, z]) - start) @ d <= d @ d:
            found.append(z)
    return max(found)


def test_the_depth_on_a_bone_is_where_a_ray_enters_its_capsule(joints, x64):
    size, ends = 12, joints[4].astype(float)[BONES]
    z = np.asarray(surface(jnp.asarray(joints[4], float), size))
    xs, ys = room.pixels(size)
    for i, j in np.ndindex(size, size):
        x, y = float(xs[i, j]), float(ys[i, j])
        expected = max(entry(x, y, *ends[b], float(RADII[b])) for b in range(len(BONES)))
        assert z[i, j] == pytest.approx(expected, abs=1e-9)
    assert np.isfinite(z).any()
    assert np.isinf(z).any()


def test_a_bone_along_the_ray_shows_its_nearer_ball():
    points = jnp.zeros((JOINTS, 3)).at[2::4, 2].set(-0.5)
    z = surface(points, 11)
    assert z[5, 5] == pytest.approx(RADII.max(), abs=1e-6)
    assert np.isneginf(z[0, 0])


def test_rows_go_down_and_columns_to_the_right():
    """A hand that is moved up and to the left is, in the picture, too."""
    pose = draw_pose(KEY)._replace(turn=jnp.zeros(3))
    middle = []
    for shift in ([0, 0, 0], [-0.25, 0.25, 0]):
        rows, columns = np.nonzero(
            np.isfinite(surface(joints_of(pose._replace(shift=jnp.array(shift))), 32))
        )
        middle.append([rows.mean(), columns.mean()])
    assert np.subtract(*middle) == pytest.approx([4, 4], abs=1.5)


def test_nearer_is_brighter_and_nothing_is_dark():
    shown = room.depth_of(jnp.array([-1.0, 0.0, 1.0, -jnp.inf]))
    assert (np.diff(shown[:3]) > 0).all()
    assert shown[3] == room.BACKGROUND
    assert shown[0] > room.BACKGROUND
    assert shown[2] == pytest.approx(room.NEAREST)


def test_a_clean_picture_is_the_surface():
    drawn = hands(KEY, 2, 8, **CLEAN)
    for x, y in zip(drawn["x"], drawn["y"], strict=True):
        expected = room.depth_of(surface(y.reshape(JOINTS, 3), 8))
        np.testing.assert_allclose(x[..., 0], expected, atol=1e-5)


def test_hands_are_in_the_picture(joints):
    assert np.abs(joints[..., :2]).max() < 1.2
    assert (np.abs(joints[..., :2]) < 1).mean() > 0.99
    assert np.abs(joints[..., 2]).max() < 1


def disturbed(**options):
    clean, found = (np.asarray(hands(KEY, 40, 16, **CLEAN | o)["x"]) for o in ({}, options))
    return clean, found


def test_noise_has_its_deviation():
    clean, found = disturbed(noise=0.05)
    assert (found - clean).std() == pytest.approx(0.05, rel=0.05)
    assert (found - clean).mean() == pytest.approx(0, abs=0.002)


def test_lost_pixels_are_as_many_as_asked_and_dark():
    clean, found = disturbed(lost=0.3)
    hand = clean > 0
    assert set(np.unique(found[found != clean])) == {room.BACKGROUND}
    share = (found[hand] == 0).mean()
    assert share == pytest.approx(0.3, abs=4.5 * np.sqrt(0.21 / hand.sum()))


def test_an_occluder_hides_a_disc_in_front_of_all():
    clean, found = disturbed(occluder=0.5)
    changed = found != clean
    assert set(np.unique(found[changed])) == {room.NEAREST}
    areas = changed.sum(axis=(1, 2, 3)) * (2 / 16) ** 2
    assert areas.max() < np.pi * 0.55**2
    assert areas.min() > 0.5 * np.pi * 0.125**2


@pytest.mark.parametrize(
    ("options", "error", "word"),
    [
        ({"n": 0}, ValueError, "n is 0"),
        ({"n": 2.5}, TypeError, "integer"),
        ({"size": 0}, ValueError, "size is 0"),
        ({"noise": -0.1}, ValueError, "noise is -0.1"),
        ({"noise": np.nan}, ValueError, "noise is nan"),
        ({"lost": 1.0}, ValueError, "lost is 1.0"),
        ({"occluder": 1.5}, ValueError, "occluder is 1.5"),
        ({"occluder": "large"}, TypeError, "occluder"),
    ],
)
def test_impossible_pictures_are_refused(options, error, word):
    with pytest.raises(error, match=word):
        hands(KEY, **{"n": 1, "size": 4} | options)


@pytest.mark.parametrize("n", [1, 15, 16, 17, 40])
def test_a_batch_that_is_no_multiple_of_a_block_has_as_many_pictures(n):
    drawn, more = hands(KEY, n, 8), hands(KEY, 64, 8)
    chex.assert_shape(drawn["x"], (n, 8, 8, 1))
    chex.assert_trees_all_close(drawn, {name: a[:n] for name, a in more.items()}, atol=1e-6)
