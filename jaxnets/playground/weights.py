"""Weights of the page as npz and JSON, and back in."""

import base64
import binascii
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from jaxnets.models.mlp import layer_names
from jaxnets.playground.config import Config, RefusedError
from jaxnets.playground.problems import FEATURES
from jaxnets.playground.programs import GROUP

MOST_BYTES = 2**25
"""Bytes that an uploaded archive may unpack to."""
MOST_ROWS = 256
Params = dict[str, dict[str, np.ndarray]]


def npz_of(params: Params) -> bytes:
    """Writes arrays such as `hidden_0.weight [networks, out, in]` as a NumPy archive."""
    stream = io.BytesIO()
    arrays: dict[str, Any] = {
        f"{name}.{part}": leaf for name, layer in params.items() for part, leaf in layer.items()
    }
    np.savez(stream, **arrays)
    return stream.getvalue()


def json_of(config: Config, params: Params) -> bytes:
    """Writes the address of the page and its weights as nested lists; NaN becomes null."""
    tree = jax.tree.map(lambda a: nested(shortest(a).tolist()), params)
    return json.dumps({"address": config.address(), "params": tree}, allow_nan=False).encode()


def shortest(array: np.ndarray) -> np.ndarray:
    """Returns float32 numbers as those of float64 that have the fewest digits and read the same."""
    return array.astype(str).astype(np.float64)


def nested(values: Any) -> Any:
    """Replaces what is not finite by None, which JSON can write."""
    if isinstance(values, list):
        return [nested(value) for value in values]
    return values if np.isfinite(values) else None


def read_npz(text: Any) -> Params:
    """Reads an archive that was written with `npz_of`, given in base64.

    Raises:
        RefusedError: not such an archive, damaged, or too large.
    """
    if not isinstance(text, str):
        raise RefusedError("npz is not a text in base64")
    try:
        stream = io.BytesIO(base64.b64decode(text, validate=True))
        with zipfile.ZipFile(stream) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise RefusedError(f"the archive unpacks to more than {MOST_BYTES} bytes")
        with np.load(stream, allow_pickle=False) as arrays:
            found: Params = {}
            for name in arrays.files:
                layer, _, part = name.partition(".")
                found.setdefault(layer, {})[part] = np.asarray(arrays[name], np.float32)
            return found
    except RefusedError:
        raise
    except (
        binascii.Error,
        zipfile.BadZipFile,
        ValueError,
        TypeError,
        EOFError,
        OSError,
        KeyError,
        NotImplementedError,
        zipfile.LargeZipFile,
        RuntimeError,
    ) as error:
        raise RefusedError("the file is not a NumPy archive that this page wrote") from error


def read_tree(tree: Any) -> Params:
    """Reads `{layer: {weight: [...], bias: [...]}}`, as `json_of` writes it.

    Raises:
        RefusedError: other names, or lists that are not arrays of numbers.
    """
    if not isinstance(tree, Mapping) or not all(isinstance(v, Mapping) for v in tree.values()):
        raise RefusedError("params is an object {layer: {weight: [...], bias: [...]}}")
    try:
        return {
            str(name): {str(part): _as_rows(rows) for part, rows in layer.items()}
            for name, layer in tree.items()
        }
    except (ValueError, TypeError, OverflowError) as error:
        raise RefusedError("the weights are not rectangular lists of numbers") from error


def _as_rows(rows: Any) -> np.ndarray:
    array = np.asarray(rows)
    if array.dtype.kind not in "fiu":
        raise TypeError(f"an array of {array.dtype}")
    return array.astype(np.float32)


def places(config: Config) -> dict[str, tuple[int, list[int]]]:
    """Maps each layer to its units and the columns of its inputs in the wide network."""
    columns = [columns_of(config), *(list(range(width)) for width in config.widths)]
    units = (*config.widths, config.outputs)
    names = layer_names(len(config.widths))
    return {name: (out, seen) for name, out, seen in zip(names, units, columns, strict=True)}


def columns_of(config: Config) -> list[int]:
    """Returns which of all features the networks see, by number."""
    return [i for i, name in enumerate(FEATURES) if name in config.features]


def narrowed(config: Config, params: dict[str, dict[str, np.ndarray]]) -> dict[str, Any]:
    """Cuts the weights of a network, or of many, out of the wide ones."""
    return {
        name: {
            "weight": params[name]["weight"][..., :out, columns],
            "bias": params[name]["bias"][..., :out],
        }
        for name, (out, columns) in places(config).items()
    }


def placed(
    config: Config, wide: Any, params: dict[str, Any], group: int, widths: np.ndarray
) -> Any:
    """Returns the weights of a group with those of `params` in their places.

    Those of units beyond a network's own `widths [GROUP, layers]` stay 0.
    """
    at = slice(group * GROUP, (group + 1) * GROUP)
    tree = {
        name: {part: leaf.copy() for part, leaf in layer.items()}
        for name, layer in wide["params"].items()
    }
    for name, (out, columns) in places(config).items():
        for part, rows in params[name].items():
            rows = np.broadcast_to(rows, (config.networks, *rows.shape[1:]))[at]
            if part == "bias":
                tree[name][part][: len(rows), :out] = rows
            else:
                tree[name][part][np.ix_(range(len(rows)), range(out), columns)] = rows
    for layer, width in enumerate(widths.T):
        beyond = np.arange(tree[f"hidden_{layer}"]["bias"].shape[1])[None] >= width[:, None]
        after = layer_names(len(config.widths))[layer + 1]
        tree[f"hidden_{layer}"]["bias"][beyond] = 0
        tree[f"hidden_{layer}"]["weight"][beyond] = 0
        tree[after]["weight"].transpose(0, 2, 1)[beyond] = 0
    return {"params": tree}
