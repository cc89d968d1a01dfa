"""The letter of the directory that a user, domain or top-level mailbox is filed under."""

from __future__ import annotations

import os


def hash_letter(name: str, *, full: bool = False) -> str:
    """The letter for ``name``, which has lost its prefix (``user.``) already.

    Usually the first character in lower case, ``q`` if that is no ASCII letter;
    ``full`` (the option ``fulldirhash``) takes a hash over everything before the
    first dot instead, ``A`` to ``W``.
    """
    if not full:
        first = name[:1].lower() if "A" <= name[:1] <= "Z" else name[:1]
        return first if "a" <= first <= "z" else "q"
    number = 0
    for byte in os.fsencode(name.partition(".")[0]):
        number = ((number << 3) ^ (number >> 5) ^ byte) & 0xFFFFFFFF
    return chr(ord("A") + number % 23)
