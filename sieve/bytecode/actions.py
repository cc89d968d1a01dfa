"""What a compiled script does, an immutable object for each instruction. ``program`` makes them.

Strings are bytes as the script has them, UTF-8 as a rule; where the script says variables may be used
(``Program.variables``), they stand in them as ``${name}``. None is an argument that was not given. Names of
folders are external names as the user types them, in UTF-8 from version 0x1A on and before that in modified
UTF-7. Branches are numbers of instructions.
"""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass
from sieve.bytecode.conditions import Condition, Match
from sieve.bytecode.opcodes import Imip, Modifier, Tag

Strings = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class If:
    """If the test is true go on with the next instruction, else with number ``otherwise``, a later one."""

    test: Condition
    otherwise: int


@dataclass(frozen=True, slots=True)
class Jump:
    """Go on with number ``target``, a later one; the length of the code is its end."""

    target: int


@dataclass(frozen=True, slots=True)
class Stop:
    pass


@dataclass(frozen=True, slots=True)
class Return:
    """End this script and go on in the one that included it (RFC 6609 section 3.3)."""


@dataclass(frozen=True, slots=True)
class Keep:
    flags: Strings


@dataclass(frozen=True, slots=True)
class Discard:
    pass


@dataclass(frozen=True, slots=True)
class Reject:
    """``extended`` for "ereject" (RFC 5429)."""

    reason: bytes
    extended: bool


@dataclass(frozen=True, slots=True)
class Error:
    """End with a runtime error (RFC 5463 section 5)."""

    message: bytes


@dataclass(frozen=True, slots=True)
class Fileinto:
    folder: bytes
    copy: bool
    create: bool
    flags: Strings
    specialuse: bytes | None
    mailboxid: bytes | None


@dataclass(frozen=True, slots=True)
class Redirect:
    """``is_list``: the address is a list's name; ``bytime``: "+seconds" or an ISO 8601 time (RFC 6009)."""

    address: bytes
    copy: bool
    is_list: bool
    bytime: bytes | None
    bymode: bytes | None
    bytrace: bool
    notify: bytes | None
    ret: bytes | None


@dataclass(frozen=True, slots=True)
class SetFlag:
    """``variable`` is empty for the internal variable (RFC 5232 section 2)."""

    variable: bytes
    flags: Strings


@dataclass(frozen=True, slots=True)
class AddFlag:
    variable: bytes
    flags: Strings


@dataclass(frozen=True, slots=True)
class RemoveFlag:
    variable: bytes
    flags: Strings


@dataclass(frozen=True, slots=True)
class Notify:
    """The draft's notify; ``priority`` is LOW, NORMAL or HIGH."""

    method: bytes
    id: bytes | None
    options: Strings
    priority: Tag
    message: bytes


@dataclass(frozen=True, slots=True)
class Enotify:
    """RFC 5435; ``method`` is a URI."""

    method: bytes
    sender: bytes | None
    options: Strings
    priority: Tag
    message: bytes


@dataclass(frozen=True, slots=True)
class Denotify:
    """``priority`` may be ANY; without a pattern every id matches."""

    priority: Tag
    match: Match
    pattern: bytes | None


@dataclass(frozen=True, slots=True)
class Fcc:
    """Where a copy of what is sent goes (RFC 8580)."""

    folder: bytes
    create: bool
    flags: Strings
    specialuse: bytes | None
    mailboxid: bytes | None


@dataclass(frozen=True, slots=True)
class Vacation:
    addresses: Strings
    subject: bytes | None
    message: bytes
    seconds: int
    mime: bool
    sender: bytes | None
    handle: bytes | None
    fcc: Fcc | None


@dataclass(frozen=True, slots=True)
class Include:
    script: bytes
    is_global: bool
    once: bool
    optional: bool


@dataclass(frozen=True, slots=True)
class Set:
    modifiers: Modifier
    variable: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class AddHeader:
    """``index`` is 1 for the top, -1 for the end of the header."""

    index: int
    name: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class DeleteHeader:
    """``index`` is 0 for all fields of the name, else counted from the top or, negative, from the end."""

    index: int
    match: Match
    name: bytes
    values: Strings


@dataclass(frozen=True, slots=True)
class Log:
    text: bytes


@dataclass(frozen=True, slots=True)
class Snooze:
    """``days`` has bit 0 for Sunday; ``times`` are seconds since midnight, ascending."""

    folder: bytes | None
    mailboxid: bytes | None
    specialuse: bytes | None
    create: bool
    addflags: Strings
    removeflags: Strings
    days: int
    tzid: bytes | None
    times: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ProcessImip:
    flags: Imip
    calendarid: bytes | None
    outcome: bytes | None
    errstr: bytes | None


Action = (
    If | Jump | Stop | Return | Keep | Discard | Reject | Error | Fileinto | Redirect
    | SetFlag | AddFlag | RemoveFlag | Notify | Enotify | Denotify | Vacation | Include
    | Set | AddHeader | DeleteHeader | Log | Snooze | ProcessImip
)  # fmt: skip
