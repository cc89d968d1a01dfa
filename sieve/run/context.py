"""One run of a script: what it works on, what it knows, what came of it."""

from __future__ import annotations

from collections.abc import Iterable

from libcyrus.base.dataclasses import dataclass, field
from sieve.bytecode.program import Program
from sieve.run.host import Host, Message
from sieve.run.outcomes import Outcomes
from sieve.run.variables import Variables


@dataclass(slots=True)
class Context:
    """``program`` is the script that runs just now, one that another includes perhaps."""

    program: Program
    message: Message
    host: Host
    variables: Variables = field(default_factory=Variables)
    outcomes: Outcomes = field(default_factory=Outcomes)
    edited: bool = False
    """Whether the script has changed header fields."""

    def text(self, text: bytes) -> bytes:
        """What a string of the script stands for."""
        return self.variables.expand(text) if self.program.variables else text

    def maybe(self, text: bytes | None) -> bytes | None:
        return None if text is None else self.text(text)

    def texts(self, strings: Iterable[bytes]) -> list[bytes]:
        return [self.text(string) for string in strings]

    def header_if_edited(self) -> bytes | None:
        return self.message.header_section() if self.edited else None
