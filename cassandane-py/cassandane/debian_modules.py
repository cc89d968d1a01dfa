"""Servers with the pyOpenSSL of Debian's packages, whose OpenSSL is a library of its own.

Ours from the package index has OpenSSL built in, and is some years younger: both must do.
"""

from __future__ import annotations

import sys
from pathlib import Path

from cassandane import reference
from cassandane.instance import Instance, give_away

_PYTHON = (3, 11)
_MODULES = ("OpenSSL", "cryptography", "_cffi_backend.*.so")


class OnDebianModules(Instance):
    """An instance whose programs of ours run with them."""

    @staticmethod
    def missing() -> str | None:
        """Why there can be none here; None if there can."""
        if sys.version_info[:2] != _PYTHON:
            return "Debian's modules are for Python 3.11"
        absent = [name for name in _MODULES if not _find(name)]
        return f"Debian's {absent[0]} is not there" if absent else None

    def environment(self) -> dict[str, str]:
        modules = self.directory / "modules"
        if not modules.exists():
            modules.mkdir()
            for name in _MODULES:
                found = _find(name)
                assert found is not None
                (modules / found.name).symlink_to(found)
            give_away(modules)
        environment = {**reference.environment(), **super().environment()}
        environment["PYTHONPATH"] += f":{modules}"
        return environment


def _find(pattern: str) -> Path | None:
    places = [Path(one) for one in reference.python_environment()["PYTHONPATH"].split(":")]
    return next((path for place in places for path in place.glob(pattern)), None)
