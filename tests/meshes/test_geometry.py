"""Volume, genus, subdivision, distances and marching cubes against closed forms and slow loops."""

import itertools

import numpy as np
import pytest

from jaxnets import meshes, shapes
from jaxnets.meshes import Mesh
from tests.support.solids import box_mesh, joined, octahedron, ring_mesh

HALF = np.asarray([0.5, 0.3, 0.4])
SOLIDS = {"box": box_mesh(HALF), "octahedron": octahedron(), "ring": ring_mesh(0.6, 0.2)}
EACH = pytest.mark.parametrize("mesh", SOLIDS.values(), ids=SOLIDS)


def turned(mesh, rng):
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    rotation *= np.sign(np.linalg.det(rotation))
    return Mesh(mesh.vertices @ rotation.T + rng.normal(size=3), mesh.triangles)


def test_volumes_of_a_box_and_an_octahedron():
    assert meshes.volume(SOLIDS["box"]) == pytest.approx(8 * HALF.prod())
    assert meshes.volume(octahedron()) == pytest.approx(4 / 3)


@EACH
def test_volume_does_not_change_where_a_mesh_is_turned_and_moved(mesh):
    rng = np.random.default_rng(0)
    assert meshes.volume(turned(mesh, rng)) == pytest.approx(meshes.volume(mesh))
    inside_out = Mesh(mesh.vertices, mesh.triangles[:, ::-1])
    assert meshes.volume(inside_out) == pytest.approx(-meshes.volume(mesh))


def test_genus_of_each_piece_the_largest_first():
    assert meshes.genus(SOLIDS["box"]) == (0,)
    assert meshes.genus(SOLIDS["ring"]) == (1,)
    assert meshes.genus(joined(octahedron(), SOLIDS["ring"], [3, 0, 0])) == (1, 0)


def test_pieces_are_the_meshes_that_were_joined():
    ring, small = meshes.components(joined(octahedron(), SOLIDS["ring"], [3, 0, 0]))
    np.testing.assert_allclose(ring.vertices - SOLIDS["ring"].vertices, [[3, 0, 0]] * 288)
    np.testing.assert_array_equal(small.triangles, octahedron().triangles)


def subdivided_by_loops(mesh):
    """Loop's rules, vertex by vertex and edge by edge: places of old and new vertices."""
    vertices, faces = mesh.vertices, [tuple(t) for t in mesh.triangles]
    around = {i: set() for i in range(len(vertices))}
    across = {}
    for face in faces:
        for i in range(3):
            a, b, c = face[i], face[(i + 1) % 3], face[(i + 2) % 3]
            around[a] |= {b, c}
            across.setdefault(frozenset((a, b)), []).append(c)
    old = []
    for i, others in around.items():
        k = len(others)
        beta = (5 / 8 - (3 / 8 + np.cos(2 * np.pi / k) / 4) ** 2) / k
        old.append((1 - k * beta) * vertices[i] + beta * sum(vertices[j] for j in others))
    new = {
        edge: 3 / 8 * sum(vertices[i] for i in edge) + sum(vertices[i] for i in opposite) / 8
        for edge, opposite in across.items()
    }
    return np.array(old), new


@EACH
def test_subdivision_by_loops(mesh):
    old, new = subdivided_by_loops(mesh)
    finer = meshes.subdivide(mesh)
    np.testing.assert_allclose(finer.vertices[: len(old)], old, atol=1e-12)
    assert len(finer.vertices) == len(old) + len(new)
    for coarse, parts in zip(mesh.triangles, np.split(finer.triangles, 4)[3], strict=True):
        edges = [frozenset((coarse[i], coarse[(i + 1) % 3])) for i in range(3)]
        expected = np.array([new[edge] for edge in edges])
        np.testing.assert_allclose(finer.vertices[parts], expected, atol=1e-12)


@EACH
def test_subdivision_keeps_the_genus_and_turns_with_the_mesh(mesh):
    finer = meshes.subdivide(mesh)
    assert len(finer.triangles) == 4 * len(mesh.triangles)
    assert meshes.genus(finer) == meshes.genus(mesh)
    again = meshes.subdivide(turned(mesh, np.random.default_rng(1)))
    expected = turned(finer, np.random.default_rng(1))
    np.testing.assert_allclose(again.vertices, expected.vertices, atol=1e-12)


def distance_by_loops(point, mesh):
    """The least distance over corners, edges and planes, in double precision."""
    best = np.inf
    for a, b, c in mesh.vertices[mesh.triangles]:
        best = min(best, *(np.linalg.norm(point - corner) for corner in (a, b, c)))
        for start, end in ((a, b), (b, c), (c, a)):
            u = np.dot(point - start, end - start) / np.dot(end - start, end - start)
            if 0 <= u <= 1:
                best = min(best, np.linalg.norm(point - start - u * (end - start)))
        plane = np.stack([b - a, c - a], axis=1)
        u, v = np.linalg.lstsq(plane, point - a)[0]
        if min(u, v) >= 0 and u + v <= 1:
            best = min(best, np.linalg.norm(point - a - plane @ [u, v]))
    return best


@EACH
def test_distance_by_loops(x64, mesh):
    mesh = turned(mesh, np.random.default_rng(2))
    middle = mesh.vertices.mean(axis=0)
    points = middle + np.random.default_rng(3).uniform(-1, 1, size=(40, 3))
    expected = [distance_by_loops(point, mesh) for point in points]
    np.testing.assert_allclose(np.abs(meshes.signed_distance(points, mesh)), expected, atol=1e-12)


@pytest.mark.parametrize(("double", "limit"), [(True, 1e-12), (False, 2e-6)])
def test_distance_to_a_box_is_its_closed_form(double, limit, request):
    if double:
        request.getfixturevalue("x64")
    points = np.random.default_rng(4).uniform(-1, 1, size=(500, 3))
    ours = meshes.signed_distance(points, SOLIDS["box"])
    expected = shapes.box(points.astype(ours.dtype), HALF)
    assert (ours < 0).any()
    np.testing.assert_allclose(ours, expected, atol=limit)


def test_distance_ignores_triangles_without_area():
    flat = Mesh(
        np.concatenate([octahedron().vertices, [[0.5, 0, 0.5]]]),
        np.concatenate([octahedron().triangles, [[0, 6, 4], [2, 2, 2]]]),
    )
    points = np.random.default_rng(5).uniform(-1, 1, size=(100, 3))
    expected = meshes.signed_distance(points, octahedron())
    np.testing.assert_allclose(meshes.signed_distance(points, flat), expected, atol=1e-6)


def test_inside_of_a_ring_is_not_its_hole():
    points = np.array([[0, 0, 0], [0.6, 0, 0], [0, -0.6, 0.1], [0.9, 0, 0]])
    signs = np.sign(meshes.signed_distance(points, SOLIDS["ring"]))
    np.testing.assert_array_equal(signs, [1, -1, -1, 1])


def test_points_are_uniform_on_the_surface():
    """Of a box: in each of its triangles by area, and with the mean of a triangle."""
    rng = np.random.default_rng(6)
    points = meshes.surface_points(SOLIDS["box"], 40000, rng)
    np.testing.assert_allclose(shapes.box(points, HALF), 0, atol=1e-6)
    face = np.isclose(points[:, 0], HALF[0])
    share = HALF[1] * HALF[2] / (2 * sum(a * b for a, b in itertools.combinations(HALF, 2)))
    assert face.mean() == pytest.approx(share, abs=0.01)
    np.testing.assert_allclose(points[face].mean(axis=0), [HALF[0], 0, 0], atol=0.01)
    np.testing.assert_allclose(points[face, 1].var(), HALF[1] ** 2 / 3, rtol=0.05)


def test_chamfer_of_equal_and_of_shifted_surfaces():
    rng = np.random.default_rng(7)
    small, large = box_mesh(HALF), box_mesh(HALF + 0.1)
    assert meshes.chamfer(small, small, 500, rng) < 1e-6
    points = meshes.surface_points(large, 2000, rng)
    to_small = np.asarray(shapes.box(points, HALF)).mean()
    assert meshes.chamfer(small, large, 2000, rng) == pytest.approx((0.1 + to_small) / 2, rel=0.02)


ANALYTIC = {
    "sphere": (lambda x: shapes.sphere(x, 0.6), 4 / 3 * np.pi * 0.6**3, (0,)),
    "torus": (lambda x: shapes.torus(x, 0.5, 0.2), 2 * np.pi**2 * 0.5 * 0.2**2, (1,)),
}


@pytest.mark.parametrize("name", ANALYTIC)
def test_marching_cubes_have_the_volume_and_genus_of_the_solid(name):
    f, expected, genus = ANALYTIC[name]
    errors = []
    for n in (24, 48):
        mesh = meshes.march(np.asarray(f(meshes.grid(n))).reshape(n, n, n))
        assert meshes.genus(mesh) == genus
        assert np.abs(f(mesh.vertices.astype(np.float32))).max() < (2 / n) ** 2
        errors.append(1 - meshes.volume(mesh) / expected)
    assert 3 < errors[0] / errors[1] < 5


def test_marching_cubes_scale_with_the_cube_and_close_what_reaches_its_border():
    values = np.asarray(shapes.sphere(meshes.grid(16), 0.6)).reshape(16, 16, 16)
    one, two = meshes.march(values), meshes.march(2 * values, bound=2.0)
    np.testing.assert_allclose(two.vertices, 2 * one.vertices, atol=1e-5)
    assert meshes.genus(meshes.march(values - 0.9)) == (0,)


def test_a_normalised_mesh_fills_its_ball():
    mesh = meshes.normalise(turned(SOLIDS["ring"], np.random.default_rng(8)), 0.9)
    assert np.linalg.norm(mesh.vertices, axis=1).max() == pytest.approx(0.9)
    np.testing.assert_allclose(mesh.vertices.max(axis=0), -mesh.vertices.min(axis=0))
    assert meshes.genus(mesh) == (1,)


OPEN = Mesh(octahedron().vertices, octahedron().triangles[:-1])
TWISTED = Mesh(
    octahedron().vertices, np.vstack([OPEN.triangles, octahedron().triangles[-1:, ::-1]])
)
DOT = Mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))
RNG = np.random.default_rng(0)
BAD = {
    "open genus": (lambda: meshes.genus(OPEN), ValueError, "not closed and oriented: 3 of 21"),
    "open subdivision": (lambda: meshes.subdivide(OPEN), ValueError, "not closed"),
    "twisted": (lambda: meshes.genus(TWISTED), ValueError, "not closed"),
    "flat": (lambda: meshes.as_mesh(np.zeros((3, 2)), [[0, 1, 2]]), ValueError, r"\(3, 2\)"),
    "none": (lambda: meshes.as_mesh(np.zeros((3, 3)), np.zeros((0, 3), int)), ValueError, "0, 3"),
    "beyond": (
        lambda: meshes.as_mesh(np.zeros((3, 3)), [[0, 1, 2], [0, 1, 3]]),
        ValueError,
        r"triangle 1 has the vertices \[0, 1, 3\]; there are 3",
    ),
    "halves": (lambda: meshes.as_mesh(np.zeros((3, 3)), [[0, 1, 1.5]]), TypeError, "integers"),
    "nan": (lambda: meshes.as_mesh([[0, 0, np.nan]], [[0, 0, 0]]), ValueError, "vertices is nan"),
    "points": (lambda: meshes.signed_distance([[0.0, 0]], OPEN), ValueError, r"expected \[n, 3\]"),
    "no points": (lambda: meshes.surface_points(OPEN, 0, RNG), ValueError, "n is 0"),
    "no area": (lambda: meshes.surface_points(DOT, 1, RNG), ValueError, "no area"),
    "no extent": (lambda: meshes.normalise(DOT), ValueError, "no extent"),
    "not a cube": (lambda: meshes.march(np.zeros((4, 4, 5))), ValueError, r"\[n, n, n\]"),
    "no surface": (lambda: meshes.march(np.ones((4, 4, 4))), ValueError, "no surface"),
    "no bound": (lambda: meshes.grid(4, 0.0), ValueError, "bound is 0"),
}


@pytest.mark.parametrize(("call", "error", "message"), BAD.values(), ids=BAD)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("scale", [1.0, 0.01, 100.0])
def test_a_surface_beside_the_border_stays_where_it_is(scale):
    """Values there were raised to a cell, which moved the surface by up to a quarter of one."""
    values = scale * np.asarray(shapes.sphere(meshes.grid(20), 0.97)).reshape(20, 20, 20)
    right = meshes.march(values).vertices[:, 0].max()
    assert right == pytest.approx(0.97, abs=0.01)


def test_pieces_that_share_a_vertex_have_a_genus_each():
    """A vertex that several fans of triangles share counted once: the genus was -1."""
    tetrahedron = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    corner = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    for n in (1, 2, 3):
        vertices, triangles = [corner], [tetrahedron]
        for i in range(1, n):
            vertices.append(corner[1:] + i)
            triangles.append(np.where(tetrahedron > 0, tetrahedron + 3 * i, 0))
        mesh = meshes.as_mesh(np.concatenate(vertices), np.concatenate(triangles))
        assert meshes.genus(mesh) == (0,) * n


def test_a_triangle_that_is_there_twice_is_named():
    mesh = octahedron()
    with pytest.raises(ValueError, match="3 of 27 edges are run through the same way twice"):
        meshes.genus(Mesh(mesh.vertices, np.concatenate([mesh.triangles, mesh.triangles[:1]])))
