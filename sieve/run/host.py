"""What an interpreter asks of the program that runs it: about the message, the mail store, the world.

All texts are octets, UTF-8 where they are readable. Nothing here changes anything outside the run but
:meth:`Message.add_header` and :meth:`Message.delete_header`, which change the message as this script sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sieve.bytecode.program import Program
from sieve.extensions import Extension
from sieve.run.outcomes import Target


class Message(Protocol):
    """One message on its way to one recipient."""

    @property
    def size(self) -> int: ...

    def header(self, name: bytes) -> Sequence[bytes]:
        """The values of all fields of a name, unfolded or not, as they stand; names in any case."""

    def header_section(self) -> bytes:
        """All fields and the empty line, as edited so far."""

    def add_header(self, name: bytes, value: bytes, *, last: bool) -> None: ...

    def delete_header(self, name: bytes, number: int) -> None:
        """All fields of a name for 0, else the one of that number, from the end if negative."""

    def envelope(self, part: bytes) -> bytes | None:
        """``from``, ``to`` or ``auth``; None if it is not there."""

    def body(self, types: Sequence[bytes]) -> Sequence[bytes]:
        """The decoded contents of the parts whose types match, empty for any (RFC 5173 section 5.2)."""


class Host(Protocol):
    """Where the script runs, and for whom."""

    now: int
    """The moment at which the script began."""
    extensions: frozenset[Extension]
    """The extensions that scripts may use here."""
    notify_methods: Sequence[bytes]
    """URI schemes with their colon."""

    def resolve(self, target: Target) -> str | None:
        """The mailbox that FILEINTO means, whether it is there or not; None for what cannot be a mailbox."""

    def resolve_keep(self) -> str | None:
        """The mailbox in which the message is kept."""

    def mailbox_exists(self, name: bytes) -> bool: ...

    def mailboxid_exists(self, mailboxid: bytes) -> bool: ...

    def specialuse_exists(self, mailbox: bytes | None, uses: Sequence[bytes]) -> bool: ...

    def metadata(self, mailbox: bytes | None, entry: bytes) -> bytes | None:
        """An annotation of a mailbox, of the server for None; the entry with ``/private`` or ``/shared``."""

    def environment(self, item: bytes) -> bytes | None: ...

    def include(self, name: bytes, *, is_global: bool) -> Program | None:
        """Another script of the user or of all; None if there is none. The same script is the same object."""

    def list_known(self, name: bytes) -> bool: ...

    def in_list(self, text: bytes, name: bytes) -> bool: ...

    def is_duplicate(self, key: bytes) -> bool: ...

    def log(self, text: bytes) -> None: ...
