"""Checkpoints that somebody has changed."""

import hashlib
import json
from pathlib import Path


def files_of(step):
    """Lists the files of a step's directory, the manifest included."""
    return sorted(file for file in step.rglob("*") if file.is_file())


def flip(step):
    """Flips a bit of the first file of the arrays."""
    file = next(f for f in files_of(step / "arrays") if f.stat().st_size)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def manifest_of(step):
    """Reads the manifest of a step's directory."""
    return json.loads((step / "MANIFEST").read_bytes().partition(b"\n")[2])


def write_manifest(step, manifest):
    """Writes a manifest with its own sha256, as one who wants to deceive would."""
    text = json.dumps(manifest).encode()
    (step / "MANIFEST").write_bytes(hashlib.sha256(text).hexdigest().encode() + b"\n" + text)


def vouch(step):
    """Makes the manifest agree with whatever lies in the directory now."""
    manifest = manifest_of(step)
    paths = [p for p in step.rglob("*") if p.name != "MANIFEST"]
    names = {p: p.relative_to(step).as_posix() for p in paths}
    manifest["files"] = {
        name: "directory" if p.is_dir() else hashlib.sha256(p.read_bytes()).hexdigest()
        for p, name in names.items()
    }
    manifest["sizes"] = {n: Path(p).stat().st_size for p, n in names.items() if not p.is_dir()}
    write_manifest(step, manifest)
