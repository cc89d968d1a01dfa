"""The ciphers of DIGEST-MD5 (RFC 2831 section 2.4), which are as old as it is.

Apart from the rest, because importing this loads another library of OpenSSL's, which only who has agreed on
``auth-conf`` needs.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher as Algorithm
from cryptography.hazmat.primitives.ciphers import modes

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, TripleDES
except ImportError:
    # before cryptography 43
    from cryptography.hazmat.primitives.ciphers.algorithms import (
        ARC4,
        TripleDES,
    )

Crypt = Callable[[bytes], bytes]
"""Goes on where it stopped: buffers are encrypted as if they were one stream."""


def rc4(key: bytes, *, decrypt: bool) -> Crypt:
    """``key`` has 16 bytes, also where fewer of the session's went into it."""
    del decrypt
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Algorithm(ARC4(key), None).encryptor().update
        except UnsupportedAlgorithm:
            # OpenSSL without its legacy provider
            return PlainRc4(key).update


def des(key: bytes, *, decrypt: bool) -> Crypt:
    """Of the 16 bytes seven are the key, and the last eight where the chain begins."""
    return _cbc(_spread(key[:7]) * 3, key[8:], decrypt=decrypt)


def triple_des(key: bytes, *, decrypt: bool) -> Crypt:
    """With two keys: twice seven bytes, of which six are where the chain begins too."""
    first, second = _spread(key[:7]), _spread(key[7:14])
    return _cbc(first + second + first, key[8:], decrypt=decrypt)


class PlainRc4:
    """RC4 in Python, some 2 MB in a second."""

    def __init__(self, key: bytes) -> None:
        self._box = box = list(range(256))
        self._i = self._j = 0
        j = 0
        for i in range(256):
            j = (j + box[i] + key[i % len(key)]) & 0xFF
            box[i], box[j] = box[j], box[i]

    def update(self, data: bytes) -> bytes:
        box, i, j = self._box, self._i, self._j
        stream = bytearray(len(data))
        for place in range(len(data)):
            i = (i + 1) & 0xFF
            j = (j + box[i]) & 0xFF
            box[i], box[j] = box[j], box[i]
            stream[place] = box[(box[i] + box[j]) & 0xFF]
        self._i, self._j = i, j
        return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


def _cbc(key: bytes, start: bytes, *, decrypt: bool) -> Crypt:
    algorithm = Algorithm(TripleDES(key), modes.CBC(start))
    return (algorithm.decryptor() if decrypt else algorithm.encryptor()).update


def _spread(key: bytes) -> bytes:
    """Seven bytes as the eight of a DES key, whose last bits (parity) do not count."""
    bits = int.from_bytes(key, "big")
    return bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))
