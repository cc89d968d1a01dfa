"""The ciphers of DIGEST-MD5 (RFC 2831 section 2.4), which are as old as it is.

Apart from the rest, because importing this loads another library of OpenSSL's: only ``auth-conf`` needs it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher as Algorithm
from cryptography.hazmat.primitives.ciphers import modes

from libcyrus.base.dataclasses import dataclass
from libcyrus.sasl.layer import Limits

try:
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4, TripleDES
except ImportError:
    # before cryptography 43
    from cryptography.hazmat.primitives.ciphers.algorithms import (
        ARC4,
        TripleDES,
    )

BLOCK = 8
"""Bytes: what is padded is padded to a multiple of this."""

Crypt = Callable[[bytes], bytes]


class _Made(Protocol):
    def __call__(self, key: bytes, *, decrypt: bool) -> Crypt: ...


@dataclass(frozen=True, slots=True)
class Cipher:
    """One value of the directive cipher. ``key_bytes`` of H(A1) go into its keys."""

    name: str
    strength: int
    key_bytes: int
    padded: bool
    make: _Made


def offered(limits: Limits) -> tuple[Cipher, ...]:
    """The ciphers that may be used, in the order in which they are told."""
    return tuple(cipher for cipher in CIPHERS if limits.allow(cipher.strength))


def _rc4(key: bytes, *, decrypt: bool) -> Crypt:
    del decrypt
    return Algorithm(ARC4(key), None).encryptor().update


def _des(key: bytes, *, decrypt: bool) -> Crypt:
    return _cbc(_spread(key[:7]) * 3, key[8:], decrypt=decrypt)


def _3des(key: bytes, *, decrypt: bool) -> Crypt:
    first, second = _spread(key[:7]), _spread(key[7:14])
    return _cbc(first + second + first, key[8:], decrypt=decrypt)


def _cbc(key: bytes, start: bytes, *, decrypt: bool) -> Crypt:
    algorithm = Algorithm(TripleDES(key), modes.CBC(start))
    return (algorithm.decryptor() if decrypt else algorithm.encryptor()).update


def _spread(key: bytes) -> bytes:
    """Seven bytes as the eight of a DES key, whose last bits (parity) do not count."""
    bits = int.from_bytes(key, "big")
    return bytes((bits >> shift & 0x7F) << 1 for shift in range(49, -1, -7))


def _works(cipher: Cipher) -> bool:
    """Whether OpenSSL has it: RC4 needs its legacy provider."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            cipher.make(b"\0" * 16, decrypt=False)(b"\0" * BLOCK)
        except UnsupportedAlgorithm:
            return False
        return True


CIPHERS = tuple(
    cipher
    for cipher in (
        Cipher("rc4-40", 40, 5, False, _rc4),
        Cipher("rc4-56", 56, 7, False, _rc4),
        Cipher("rc4", 128, 16, False, _rc4),
        Cipher("des", 55, 16, True, _des),
        Cipher("3des", 112, 16, True, _3des),
    )
    if _works(cipher)
)
"""What there is here, in the original's order. DES has 55 bits of strength in its tables."""
