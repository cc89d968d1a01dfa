"""How running a script fails. The texts are what the original logs."""

from __future__ import annotations


class SieveError(Exception):
    """The script cannot be run to its end; the message is kept instead."""

    text = "Generic Error"

    def __init__(self, text: str | None = None) -> None:
        super().__init__(text or self.text)


class RunError(SieveError):
    """What the script asks for cannot be done."""

    text = "Run error"
