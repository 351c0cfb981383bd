"""Pictures from folders: what Pillow has written is read again, and broken ones are named."""

import numpy as np
import pytest

from jaxnets.data import from_arrays, from_folder

Image = pytest.importorskip("PIL.Image", reason="needs the extra [images]")
RNG = np.random.default_rng(0)
ROWS, COLUMNS = 6, 9


def pixels(channels=3):
    return RNG.integers(0, 256, (ROWS, COLUMNS, channels), np.uint8).squeeze()


@pytest.fixture
def root(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_pictures_and_their_classes(root):
    written = {}
    for name, count in (("dog", 3), ("cat", 2)):
        for i in range(count):
            written[root / name / f"{i}.png"] = pixels()
            Image.fromarray(written[root / name / f"{i}.png"]).save(root / name / f"{i}.png")
    (root / "cat" / "notes.txt").write_text("no picture")
    (root / "cat" / ".hidden.png").write_bytes(b"no picture")
    (root / ".git").mkdir()
    (root / "empty").mkdir()
    found = from_folder(root)
    assert found.classes == ["cat", "dog"]
    np.testing.assert_array_equal(found.y, [0, 0, 1, 1, 1])
    assert found.files == sorted(written)
    for path, picture in zip(found.files, found.x, strict=True):
        np.testing.assert_array_equal(picture, written[path])
    data = from_arrays(found.x, found.y, fractions=(0.6, 0.4, 0))
    assert data.train["x"].shape == (3, ROWS, COLUMNS, 3)
    assert data.train["x"].max() <= 1


def put(root, picture, name="cat/a.png", **options):
    other = "dog" if name.startswith("cat") else "cat"
    picture.save(root / name, **options)
    rows, columns = picture.size[1], picture.size[0]
    Image.new("RGB", (columns, rows)).save(root / other / "z.png")


def first(root, **options):
    found = from_folder(root, **options)
    return found.x[next(i for i, path in enumerate(found.files) if path.name != "z.png")]


def test_a_picture_is_turned_as_its_camera_says(root):
    upright = pixels()
    sideways = Image.fromarray(np.ascontiguousarray(np.rot90(upright)))
    exif = Image.Exif()
    exif[0x0112] = 6
    sideways.save(root / "cat" / "a.png", exif=exif)
    Image.fromarray(upright).save(root / "dog" / "z.png")
    np.testing.assert_array_equal(first(root), upright)


def test_a_palette_becomes_colours(root):
    picture = Image.fromarray(pixels()).quantize(8)
    put(root, picture)
    np.testing.assert_array_equal(first(root), np.asarray(picture.convert("RGB")))


def test_what_is_transparent_becomes_white(root):
    colours = pixels(4)
    colours[0, 0, 3], colours[1, 1, 3] = 0, 255
    put(root, Image.fromarray(colours, "RGBA"))
    found = first(root).astype(float)
    alpha = colours[..., 3:] / 255
    np.testing.assert_allclose(found, colours[..., :3] * alpha + 255 * (1 - alpha), atol=1.01)
    np.testing.assert_array_equal(found[0, 0], [255] * 3)
    np.testing.assert_array_equal(found[1, 1], colours[1, 1, :3])


def test_16_bits_are_kept(root):
    levels = RNG.integers(0, 65536, (ROWS, COLUMNS)).astype(np.uint16)
    put(root, Image.fromarray(levels))
    found = first(root, colour="grey")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[..., 0], levels / 65535, atol=1e-6)


@pytest.mark.parametrize("levels", [np.float32(0.5), np.int32(-1), np.int32(65536)])
def test_levels_of_no_known_scale_are_refused(root, levels):
    put(root, Image.fromarray(np.full((ROWS, COLUMNS), levels)), "cat/a.tif")
    with pytest.raises(ValueError, match=r"a\.tif has values from .* whose scale is unknown"):
        from_folder(root)


def test_grey_levels_are_those_of_pillow(root):
    picture = Image.fromarray(pixels())
    put(root, picture)
    found = first(root, colour="grey")
    np.testing.assert_array_equal(found[..., 0], np.asarray(picture.convert("L")))


def test_sizes_become_one_by_scaling_and_cropping(root):
    wide = np.zeros((10, 30, 3), np.uint8)
    wide[:, 10:20] = 200
    Image.fromarray(wide).save(root / "cat" / "a.png")
    Image.new("RGB", (7, 7)).save(root / "dog" / "z.png")
    assert from_folder(root, size=(5, 5)).x.shape == (2, 5, 5, 3)
    inner = first(root, size=(5, 5))[:, 1:4]  # the filter reaches beyond the crop
    np.testing.assert_array_equal(inner, np.full((5, 3, 3), 200))


def test_a_picture_of_another_size_is_named(root):
    for i in range(3):
        Image.new("RGB", (9, 6)).save(root / "cat" / f"{i}.png")
    Image.new("RGB", (8, 6)).save(root / "dog" / "odd.png")
    with pytest.raises(ValueError, match=r"odd\.png has 6 x 8 pixels, 3 others have 6 x 9: give"):
        from_folder(root)


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n", b"text" * 30])
def test_a_broken_picture_is_named(root, content):
    put(root, Image.fromarray(pixels()))
    (root / "dog" / "broken.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.png cannot be read as a picture"):
        from_folder(root)


def test_a_picture_that_ends_early_is_named(root):
    put(root, Image.fromarray(RNG.integers(0, 256, (64, 64, 3), np.uint8)))
    content = (root / "cat" / "a.png").read_bytes()
    (root / "cat" / "a.png").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a\.png cannot be read as a picture"):
        from_folder(root)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda root: from_folder(root / "none"), FileNotFoundError, "none is not a folder"),
        (lambda root: from_folder(root), ValueError, "has 0 subfolders with pictures"),
        (lambda root: from_folder(root, colour="gray"), ValueError, "did you mean 'grey'"),
        (lambda root: from_folder(root, size=(0, 5)), ValueError, "size is 0"),
        (lambda root: from_folder(root, size=(4.5, 5)), TypeError, "size"),
    ],
)
def test_what_cannot_be_read_is_refused(root, call, error, message):
    with pytest.raises(error, match=message):
        call(root)


@pytest.mark.parametrize(
    ("size", "error", "message"),
    [
        (64, TypeError, "size is 64; it must be a list"),
        ((64,), ValueError, "rows and columns"),
        ((64, 32, 3), ValueError, "rows and columns"),
        (np.array([0, 64]), ValueError, "1 or more"),
    ],
)
def test_a_size_that_is_no_pair_is_refused(tmp_path, size, error, message):
    with pytest.raises(error, match=message):
        from_folder(tmp_path, size=size)
