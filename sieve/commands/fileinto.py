"""fileinto: file the message into a mailbox.

RFC 5228 section 4.1 with :copy (RFC 3894), :flags (RFC 5232), :create (RFC 5490), :specialuse (RFC 8579) and
:mailboxid (RFC 9042).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sieve import checks, tags
from sieve.bytecode.opcodes import Op
from sieve.extensions import Extension
from sieve.tree import Action

if TYPE_CHECKING:
    from sieve.parser import Parser

_TAGS: tags.Table = {**tags.COPY, **tags.FLAGS, **tags.FOLDER}


def build(parser: Parser, keyword: str) -> Action:
    parser.need(Extension.FILEINTO)
    slots = parser.tagged(_TAGS)
    folder = parser.string()
    flags = checks.maybe_flags(parser, slots.get("flags"))
    checks.mailbox(parser, folder)
    return Action(
        Op.FILEINTO,
        (
            slots.get("mailboxid"),
            slots.get("specialuse"),
            int("create" in slots),
            flags,
            int("copy" in slots),
            folder,
        ),
    )
