"""When, where and with which versions something was measured."""

import os
import platform
from collections.abc import Sequence
from datetime import date
from importlib.metadata import version
from typing import Any

import jax


def place(packages: Sequence[str]) -> dict[str, Any]:
    """Returns today's date, the machine, and the installed versions of these packages."""
    return {
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} x {platform.machine()}, {jax.devices()[0].device_kind}",
        "versions": {package: version(package) for package in packages},
    }
