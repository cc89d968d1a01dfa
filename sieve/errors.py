"""What is wrong with a script, and with bytecode."""

from __future__ import annotations

from collections.abc import Sequence

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import CyrusError


@dataclass(frozen=True, slots=True)
class ScriptError:
    """One fault: where the parser stood (both from 1, columns in bytes), and its text."""

    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class ScriptErrors(CyrusError):
    """A script that does not compile, with all faults found in one go.

    ``report`` has the original's form, a line each, that ManageSieve clients are told.
    """

    text = "Parse error in Sieve script"

    def __init__(self, errors: Sequence[ScriptError]) -> None:
        super().__init__()
        self.errors = tuple(errors)

    @property
    def report(self) -> str:
        return "".join(f"{error}\r\n" for error in self.errors)


class BytecodeError(CyrusError):
    """Bytes that are no bytecode, or none that can be trusted; ``position`` in words where known."""

    text = "Not a bytecode file"

    def __init__(self, text: str | None = None, position: int | None = None) -> None:
        self.position = position
        super().__init__(text if position is None else f"{text} at {position}")


class BytecodeVersion(BytecodeError):
    """A version that nobody runs any more, or not yet."""

    text = "Incorrect Bytecode Version, please recompile (use sievec)"


class BadScriptName(CyrusError):
    text = "Invalid script name"


class ScriptNonexistent(CyrusError):
    text = "Script does not exist"


class ScriptExists(CyrusError):
    text = "Script already exists."


class ScriptActive(CyrusError):
    """The active script is not deleted."""

    text = "Active script cannot be deleted"


class TooManyScripts(CyrusError):
    """The user has as many as ``sieve_maxscripts``, which is ``limit``."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"You are only allowed {limit} scripts on this server")


class ScriptTooLarge(CyrusError):
    """``limit`` is in bytes (``sieve_maxscriptsize`` is in KiB)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        super().__init__(f"Script size is too large. Max script size is {limit} bytes")
