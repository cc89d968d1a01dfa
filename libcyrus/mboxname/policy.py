"""Which mailbox names may be created: characters, length, reserved words, well-formed modified UTF-7."""

from __future__ import annotations

import re

from libcyrus.errors import MailboxBadName

from .name import MAX_MAILBOX_NAME, NameRules

_GOOD = frozenset(" #$'()*+,-.0123456789:=?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_abcdefghijklmnopqrstuvwxyz~")
_RESERVED = frozenset({"user", "user.anyone", "user.anonymous"})
_BASE64 = {c: n for n, c in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,")}
_SEQUENCE = re.compile(r"&([^-]*)-")


def check(name: str, rules: NameRules) -> None:
    """Raise MailboxBadName for an internal ``name`` that may not come into being.

    Names of the delayed-delete tree pass: their mailboxes were all right before, and the longer name must not
    keep anybody from deleting them.
    """
    if name.startswith("$"):
        # mailboxes.db keeps keys of its own there
        raise MailboxBadName
    if rules.from_internal(name).deleted:
        return
    if len(name.encode("utf-8", "surrogateescape")) > MAX_MAILBOX_NAME:
        raise MailboxBadName
    good = _GOOD
    if "!" in name:
        if not rules.virtdomains:
            raise MailboxBadName
        name = name.partition("!")[2]
        good = _GOOD | {"!"}
    if not name or name[0] in ".~" or name[-1] == "." or ".." in name:
        raise MailboxBadName
    if name in _RESERVED or name.startswith("user.%"):
        raise MailboxBadName
    if not good.issuperset(_without_utf7(name)):
        raise MailboxBadName


def _without_utf7(name: str) -> str:
    """``name`` without its modified UTF-7; raises unless that is the only way to say what it says."""
    if "&" not in name:
        return name
    plain = []
    end = 0
    after_sequence = False
    for found in _SEQUENCE.finditer(name):
        if found.start() > end:
            after_sequence = False
        plain.append(name[end : found.start()])
        encoded = found.group(1)
        if encoded:
            if after_sequence:
                raise MailboxBadName
            _check_base64(encoded)
        after_sequence = bool(encoded)
        end = found.end()
    plain.append(name[end:])
    # an unfinished sequence leaves its & here, which is no good character
    return "".join(plain)


def _check_base64(encoded: str) -> None:
    """Whole 16-bit units, none of them printable as itself, and no stray bits at the end."""
    bits = 0
    held = 0
    for character in encoded:
        value = _BASE64.get(character)
        if value is None:
            raise MailboxBadName
        bits = bits << 6 | value
        held += 6
        if held >= 16:
            held -= 16
            if bits >> held & 0xFF80 == 0:
                raise MailboxBadName
            bits &= (1 << held) - 1
    if held >= 6 or bits:
        raise MailboxBadName
