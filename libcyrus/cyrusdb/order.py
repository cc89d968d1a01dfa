"""The two orders of keys: plain bytes, and mailbox order.

In mailbox order the hierarchy separator ``.`` sorts before everything that a
name may hold, so that children follow their parent at once: ``a``, ``a.b``,
``a-b``. TAB and LF come first of all (they end a key in a flat file), and
count as equal; every other byte keeps its place after them.
"""

from __future__ import annotations


def _table() -> bytes:
    ranked = bytearray(range(256))
    ranked[0x01:0x09] = range(0x03, 0x0B)
    ranked[0x09] = ranked[0x0A] = 0x01
    for byte in range(0x0B, 0x2E):
        ranked[byte] = byte
    ranked[0x2E] = 0x02
    return bytes(ranked)


MAILBOX_ORDER = _table()
"""For ``bytes.translate``: what a key becomes sorts, as plain bytes, in mailbox order."""


def mailbox_order(key: bytes) -> bytes:
    return key.translate(MAILBOX_ORDER)


def byte_order(key: bytes) -> bytes:
    return key
