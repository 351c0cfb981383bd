"""What a run is, in a few short digests: its spec, key, data and hyper-parameters."""

import hashlib
from collections.abc import Mapping
from copy import copy
from typing import Any

from jaxnets.losses import get_loss
from jaxnets.training.encoding import Encoder
from jaxnets.training.kinds import write
from jaxnets.training.spec import TrainSpec


def fingerprint(spec: TrainSpec, key: Any, data: Any, hparams: Mapping[str, Any]) -> dict[str, str]:
    """Digests a run; equal for the same run in any process, else the entries that differ say why.

    Functions count by their name and source, their defaults, the values that they have closed over
    and the globals that they read; objects by their class and attributes. Where a function lives
    does not count, nor the version of Python that runs it. What belongs to an installed package
    counts by its name. An object or function with a `fingerprint_name`, a text, counts by that
    alone: it is for what cannot be read, and must change whenever the object behaves otherwise.
    Epochs are an entry of their own, since a run may go on to more of them.

    Raises:
        TypeError: something of the spec whose state cannot be read and that has no name, such as a
            random generator, an open file or an object of an extension written in C.
    """
    parts = {"hparams": dict(hparams), "key": key}
    parts["data"] = {"train": data.train, "valid": data.valid}
    any_epochs = copy(spec)
    vars(any_epochs)["epochs"] = spec.record_every
    digest = _digest_of(Encoder(write, strict=True), any_epochs)
    digests = {"spec": digest, "epochs": str(spec.epochs)}
    return digests | {name: _digest(describe(part, name)) for name, part in parts.items()}


def describe(value: Any, place: str = "value") -> str:
    """Writes a value as a text that is the same in every process, see `fingerprint`.

    Raises:
        TypeError: it has something at that place whose state cannot be read.
    """
    return Encoder(write, strict=True).text(value, place)


def state_of(spec: TrainSpec) -> str:
    """Digests what a spec refers to as it is now, for this process alone.

    A compiled program is shared by specs that are equal and in the same state: an object, a global
    or a variable of a closure may have been changed since it was compiled.
    """
    return _digest_of(Encoder(write, strict=False), spec)


def _digest_of(encoder: Encoder, spec: TrainSpec) -> str:
    """Digests a spec, and its loss itself, since a name may be given to another one."""
    loss = encoder.text(get_loss(spec.loss), "spec.loss")
    return _digest(encoder.text(spec, "spec") + loss)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
