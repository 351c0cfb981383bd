"""Depth images of a jointed hand with the positions of its joints, drawn from a key (row C10).

The camera looks along -z and shows [-1, 1]^2, so that lengths are in halves of its width. A hand
has a wrist and, for each of five fingers, a knuckle, two more joints and a tip; its 20 bones are
capsules. Lecture L4 regresses such vectors of 63 coordinates from depth images of real hands
(Oberweger et al., 2015); of these hands the true positions are known, even of hidden joints.
"""

from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxnets.host import checks

FINGERS = 5
JOINTS = 1 + 4 * FINGERS
"""The wrist is joint 0; finger f has the knuckle 1 + 4 f, then two joints and the tip."""
BONES = np.array(
    [(0 if i == 0 else 4 * f + i, 1 + 4 * f + i) for f in range(FINGERS) for i in range(4)]
)
"""The joints at both ends of each bone, `[20, 2]`; a finger's bone in the palm comes first."""
RADII = np.tile(np.array([0.13, 0.09, 0.085, 0.08]), FINGERS)
"""The radius of the capsule around each bone, `[20]`."""

WRIST = np.array([0.0, -0.62, 0.0])
KNUCKLES = np.array([[0.3, -0.34], [0.22, -0.02], [0.07, 0.03], [-0.08, 0.0], [-0.22, -0.08]])
OUTWARD = np.array([0.85, 0.2, 0.04, -0.1, -0.28])
"""The angle of each straight finger with the y axis, towards x, thumb first."""
LENGTHS = np.array(
    [
        [0.28, 0.22, 0.18],
        [0.32, 0.22, 0.18],
        [0.35, 0.25, 0.19],
        [0.32, 0.23, 0.18],
        [0.25, 0.18, 0.15],
    ]
)
COUPLED = 2 / 3
"""A finger's last joint bends by this share of the one before (Rijpkema and Girard, 1991)."""
BACKGROUND, NEAREST = 0.0, 1.0
BLOCK = 16
"""Pictures drawn at a time, so that a compiler cannot draw a batch again wherever it is used."""
TINY = 1e-12
POSE_PARTS = (1, 2 * FINGERS, FINGERS, 3, 3)
"""How many numbers decide how far all fingers are bent, each of them, its splay, turn and shift."""
POSE_NUMBERS = sum(POSE_PARTS)
DISC_NUMBERS = 3


class Pose(NamedTuple):
    """What moves in a hand; all angles are in radians."""

    flex: Array
    """How far the knuckle and the next joint of each finger are bent, `[fingers, 2]`, 0 or more."""
    splay: Array
    """How far each finger is turned sideways from its place, `[fingers]`."""
    turn: Array
    """Rotations about x, then y, then z, `[3]`."""
    shift: Array
    """`[3]`."""


def draw_pose(key: Array) -> Pose:
    """Draws a pose whose fingers are bent alike, each with a share of its own."""
    return _pose(jax.random.uniform(key, (POSE_NUMBERS,)))


def _pose(numbers: Array) -> Pose:
    """Computes the pose of numbers that are uniform in [0, 1)."""
    curl, own, splay, turn, shift = jnp.split(numbers, np.cumsum(POSE_PARTS[:-1]))
    flex = 0.7 * (curl[None] + own.reshape(FINGERS, 2))
    return Pose(flex, 0.12 * (2 * splay - 1), turn - 0.5, 0.12 * (2 * shift - 1))


def joints_of(pose: Pose) -> Array:
    """Computes the positions of the joints `[21, 3]`.

    A finger moves in the plane of z and its direction u: its bones point along
    `cos(b) u + sin(b) z`, where b adds up the angles by which the joints before are bent.
    """
    bent = jnp.concatenate([pose.flex, COUPLED * pose.flex[:, 1:]], axis=1)
    total, outward = jnp.cumsum(bent, axis=1), (OUTWARD + pose.splay)[:, None]
    along = jnp.cos(total)
    direction = [along * jnp.sin(outward), along * jnp.cos(outward), jnp.sin(total)]
    steps = LENGTHS[..., None] * jnp.stack(direction, axis=-1)
    knuckles = np.pad(KNUCKLES, ((0, 0), (0, 1)))[:, None]
    beyond = knuckles + jnp.cumsum(steps, axis=1)
    fingers = jnp.concatenate([jnp.broadcast_to(knuckles, (FINGERS, 1, 3)), beyond], axis=1)
    hand = jnp.concatenate([WRIST[None], fingers.reshape(-1, 3)])
    return hand @ _rotation(pose.turn).T + pose.shift[None]


def _rotation(turn: Array) -> Array:
    """The matrix `Z Y X` of the rotations about the three axes."""
    (a, b, c), (s, t, u) = jnp.cos(turn), jnp.sin(turn)
    x = jnp.array([[1, 0, 0], [0, a, -s], [0, s, a]])
    y = jnp.array([[b, 0, t], [0, 1, 0], [-t, 0, b]])
    z = jnp.array([[c, -u, 0], [u, c, 0], [0, 0, 1]])
    return z @ y @ x


def pixels(size: int) -> tuple[Array, Array]:
    """Computes x and y at the centres of the pixels, each `[size, size]`, y from top to bottom."""
    across = (jnp.arange(size) + 0.5) * (2 / size) - 1
    return jnp.broadcast_to(across, (size, size)), jnp.broadcast_to(-across[:, None], (size, size))


def surface(joints: Array, size: int) -> Array:
    """Computes the z of the hand at each pixel, the largest of all bones, `[size, size]`.

    It is -inf where no bone is.
    """
    x, y = pixels(size)
    start, end = joints[BONES[:, 0]], joints[BONES[:, 1]]
    capsules = [_capsule(x, y, start[i], end[i], RADII[i]) for i in range(len(BONES))]
    return reduce(jnp.maximum, capsules)


def _capsule(x: Array, y: Array, start: Array, end: Array, radius: float) -> Array:
    """Computes where rays along z enter a capsule, as `[...]` of x and y; -inf where they miss.

    The capsule is made of balls around `start + t d`, t in [0, 1]. Above (x, y) their tops are at
    `z(t) = start_z + t d_z + sqrt(h(t))`, `h(t) = radius^2 - |(x, y) - start - t d|^2` in the
    plane. z is concave, with its maximum at `t = t0 + sqrt(h(t0)) d_z / (|d_xy| |d|)`, where t0 is
    that of the axis' nearest point in the plane; outside [0, 1] it is at the nearer end.
    """
    d, (dx, dy) = end - start, (x - start[0], y - start[1])
    flat = jnp.maximum(d[0] ** 2 + d[1] ** 2, TINY)
    nearest = (dx * d[0] + dy * d[1]) / flat

    def inside(t: Array) -> Array:
        return radius**2 - (dx - t * d[0]) ** 2 - (dy - t * d[1]) ** 2

    lean = d[2] / jnp.sqrt(flat * (flat + d[2] ** 2))
    t = jnp.clip(nearest + jnp.sqrt(jnp.maximum(inside(nearest), 0)) * lean, 0, 1)
    left = inside(t)
    z = start[2] + t * d[2] + jnp.sqrt(jnp.maximum(left, 0))
    return jnp.where(left >= 0, z, -jnp.inf)


def depth_of(z: Array) -> Array:
    """Converts z to what a pixel shows: 0.2 at z = -1, 1 at z = 1, and 0 where nothing is."""
    return jnp.where(jnp.isfinite(z), 0.6 + 0.4 * z, BACKGROUND)


def hands(
    key: Array,
    n: int,
    size: int = 32,
    *,
    noise: float = 0.02,
    lost: float = 0.03,
    occluder: float = 0.2,
) -> dict[str, Array]:
    """Draws depth images of hands `x [n, size, size, 1]`, and their joints `y [n, 63]`.

    It is a pure function and compiles with the sizes static, so that a step of training can draw
    its own batch. `y` has x, y and z of each joint in turn, in halves of the picture's width.

    Args:
        key: decides the poses and what disturbs the pictures.
        n: the number of pictures.
        size: rows and columns of a picture.
        noise: the deviation of the Gaussian noise of every pixel, from 0 to 1.
        lost: the probability that a pixel shows the background, in [0, 1).
        occluder: the largest radius of a disc in front of the hand; 0 for none, at most 1.

    Raises:
        ValueError, TypeError: sizes that are not integers of 1 or more, or another value out of
            range.
    """
    checks.require_count(n, "n")
    checks.require_count(size, "size")
    checks.require_share(lost, "lost")
    for name, value in (("noise", noise), ("occluder", occluder)):
        if not 0 <= checks.as_number(value, name) <= 1:
            raise ValueError(f"{name} is {value}; it must be between 0 and 1")

    def one(drawn: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        numbers, errors, gone = drawn
        joints = joints_of(_pose(numbers[:POSE_NUMBERS]))
        hidden = _disc(numbers[POSE_NUMBERS:], size, occluder)
        depth = jnp.where(hidden, NEAREST, depth_of(surface(joints, size))) + noise * errors
        return jnp.where(gone, BACKGROUND, depth)[..., None], joints.ravel()

    drawn = n if n <= BLOCK else -(-n // BLOCK) * BLOCK  # a smaller last block would compile apart
    numbers_key, noise_key, lost_key = jax.random.split(key, 3)
    numbers = jax.random.uniform(numbers_key, (drawn, POSE_NUMBERS + DISC_NUMBERS))
    errors = jax.random.normal(noise_key, (drawn, size, size))
    gone = jax.random.bernoulli(lost_key, float(lost), errors.shape)
    x, y = lax.map(one, (numbers, errors, gone), batch_size=BLOCK)
    return {"x": x[:n], "y": y[:n]}


def _disc(numbers: Array, size: int, largest: float) -> Array:
    """Computes which pixels a disc hides, `[size, size]`, of numbers that are uniform in [0, 1)."""
    x0, y0, radius = 1.4 * numbers[0] - 0.7, 1.4 * numbers[1] - 0.7, 0.25 + 0.75 * numbers[2]
    x, y = pixels(size)
    return (x - x0) ** 2 + (y - y0) ** 2 < (largest * radius) ** 2
