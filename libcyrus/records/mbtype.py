"""The type of a mailbox: what kind of objects it holds, and the state flags of its mailboxes.db record.

The number keeps the kind in its low four bits and flags above. On disk (mailboxes.db, cyrus.header) it is a
string: one letter for the kind, then one for each flag.
"""

from __future__ import annotations

EMAIL = 0x0
NETNEWS = 0x1
JMAPSUBMIT = 0x2
JMAPPUSHSUB = 0x3
SIEVE = 0x5
COLLECTION = 0x8
CALENDAR = 0x9
ADDRESSBOOK = 0xA
UNKNOWN = 0xF

REMOTE = 1 << 4
RESERVE = 1 << 5
MOVING = 1 << 6
DELETED = 1 << 7
INTERMEDIATE = 1 << 8
LEGACY_DIRS = 1 << 9

_KINDS = {
    EMAIL: "e", NETNEWS: "n", COLLECTION: "b", CALENDAR: "c", ADDRESSBOOK: "a",
    JMAPSUBMIT: "s", JMAPPUSHSUB: "p", SIEVE: "f",
}  # fmt: skip
_FLAGS = {DELETED: "d", MOVING: "m", REMOTE: "r", RESERVE: "z", INTERMEDIATE: "i", LEGACY_DIRS: "l"}
_FROM_KIND = {letter: kind for kind, letter in _KINDS.items()}
_FROM_FLAG = {letter: flag for flag, letter in _FLAGS.items()} | {"f": SIEVE}

DAV_KINDS = frozenset({COLLECTION, CALENDAR, ADDRESSBOOK})


def kind(mbtype: int) -> int:
    """The kind without flags."""
    return mbtype & 0xF


def format(mbtype: int) -> str:
    """``"e"`` for ordinary mail, ``"ed"`` for the tombstone of one, and so on."""
    return _KINDS.get(mbtype & 0xF, "") + "".join(letter for flag, letter in _FLAGS.items() if mbtype & flag)


def parse(text: str | None) -> int:
    """The number of a string. Old records without a kind letter are mail; raises ValueError on others."""
    if not text:
        return EMAIL
    mbtype = 0
    if text[0] in _FROM_KIND:
        mbtype = _FROM_KIND[text[0]]
        text = text[1:]
    for letter in text:
        if letter not in _FROM_FLAG:
            raise ValueError(f"unknown mailbox flag {letter!r}")
        mbtype |= _FROM_FLAG[letter]
    return mbtype
