"""Weight files: four formats give the same bits, and nothing in them is executed."""

import contextlib
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from jaxnets import weights

KINDS = {"f8": "F64", "f4": "F32", "f2": "F16", "i8": "I64", "u1": "U8"}


def arrays():
    rng = np.random.default_rng(0)
    return {
        "second.weight": rng.normal(size=(3, 2)).astype(np.float32),
        "first.weight": rng.normal(size=(2, 3, 4, 5)),
        "first.bias": rng.normal(size=7).astype(np.float16),
        "first.num": np.asarray(7),
        "none": np.zeros((0, 4), np.float32),
    }


def write_safetensors(path, tensors):
    """By the format's definition: the length of the header, the header, all bytes."""
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, value in tensors.items():
        end = len(data) + value.nbytes
        kind = KINDS[value.dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": value.shape, "data_offsets": [len(data), end]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)


def write_torch(path, tensors, **options):
    torch = pytest.importorskip("torch", reason="needs the extra [bench]")
    state = {name: torch.from_numpy(np.array(value)) for name, value in tensors.items()}
    torch.save(state, path, **options)


WRITERS = {
    "npz": ("w.npz", lambda path, tensors: np.savez(path, **tensors)),
    "safetensors": ("w.safetensors", write_safetensors),
    "torch": ("w.pth", write_torch),
    "older torch": (
        "w.pt",
        lambda path, tensors: write_torch(path, tensors, _use_new_zipfile_serialization=False),
    ),
}
EACH = pytest.mark.parametrize("kind", WRITERS)


def written(kind, folder, tensors):
    name, write = WRITERS[kind]
    write(folder / name, tensors)
    return folder / name


@EACH
def test_every_format_gives_the_same_bits_in_the_same_order(kind, tmp_path):
    expected = arrays()
    found = weights.read(written(kind, tmp_path, expected))
    assert list(found) == list(expected)
    for name, value in expected.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_tensors_that_share_numbers_are_read_as_they_look(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra [bench]")
    whole = torch.arange(24.0).reshape(4, 6)
    views = {"columns": whole.T, "part": whole[1:3, ::2], "parameter": torch.nn.Parameter(whole)}
    for options in ({}, {"_use_new_zipfile_serialization": False}):
        torch.save(views, tmp_path / "views.pth", **options)
        found = weights.read(tmp_path / "views.pth")
        for name, value in views.items():
            np.testing.assert_array_equal(found[name], value.detach().numpy())


def test_a_checkpoint_with_a_state_dict_is_read(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra [bench]")
    torch.save({"state_dict": {"w": torch.ones(3)}, "epoch": 3}, tmp_path / "c.pth")
    np.testing.assert_array_equal(weights.read(tmp_path / "c.pth")["w"], np.ones(3))


class Hostile:
    """Unpickled, it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_pickle_is_refused_and_not_executed(zipped, tmp_path):
    trap, path = tmp_path / "trap", tmp_path / "evil.pth"
    content = pickle.dumps({"w": Hostile(trap)}, protocol=2)
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("evil/data.pkl", content)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"evil\.pth: it asks for .*mkdir.*: not loaded"):
        weights.read(path)
    assert not trap.exists()
    pickle.loads(content)
    assert trap.exists(), "the file would have done it"


@EACH
def test_a_file_cut_anywhere_is_refused_or_whole(kind, tmp_path):
    path = written(kind, tmp_path, arrays())
    content = path.read_bytes()
    for end in np.linspace(0, len(content) - 1, 60).astype(int):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match=path.name):
            weights.read(path)


@EACH
def test_a_file_without_its_last_byte_is_refused_even_if_it_ends_with_nothing(kind, tmp_path):
    path = written(kind, tmp_path, {"none": np.zeros((0, 4), np.float32)})
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=path.name):
        weights.read(path)


@EACH
def test_bytes_that_flip_raise_nothing_but_value_errors(kind, tmp_path):
    path, rng = written(kind, tmp_path, arrays()), np.random.default_rng(1)
    content = path.read_bytes()
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            weights.read(path)


def test_what_a_pickle_holds_besides_tensors_is_named(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the extra [bench]")
    torch.save({"w": torch.ones(2), "epoch": 3}, tmp_path / "w.pth")
    with pytest.raises(ValueError, match="'epoch' is a int, not a tensor"):
        weights.read(tmp_path / "w.pth")


def test_other_endings_are_refused(tmp_path):
    (tmp_path / "w.h5").write_bytes(b"")
    with pytest.raises(ValueError, match=r"'\.h5'; weight files end with \.npz, \.safetensors"):
        weights.read(tmp_path / "w.h5")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        weights.read(tmp_path / "nowhere.npz")


def test_an_archive_with_texts_is_refused(tmp_path):
    np.savez(tmp_path / "w.npz", w=np.ones(3), names=np.array(["a"]))
    with pytest.raises(ValueError, match="'names' of <U1; weights are numbers"):
        weights.read(tmp_path / "w.npz")
