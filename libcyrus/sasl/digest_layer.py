"""The security layers of DIGEST-MD5 (RFC 2831 sections 2.3 and 2.4): integrity, and confidentiality too.

Kept for old clients; TLS is better. A sealed buffer is the text and its code, both encrypted where that was
agreed on, then a version and a number that counts the buffers of this direction::

    auth-int   text, HMAC(Ki, number, text)[:10],                version (2 bytes), number (4 bytes)
    auth-conf  E(Kc, text, padding, HMAC(Ki, number, text)[:10]), version (2 bytes), number (4 bytes)
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from libcyrus.base.dataclasses import dataclass
from libcyrus.sasl.layer import Limits, SecurityLayer, broken

if TYPE_CHECKING:
    from libcyrus.sasl.digest_ciphers import Crypt

LEAST_MAXBUF, MOST_MAXBUF = 17, 0xFFFFFF
"""What the directive maxbuf may say (RFC 2831 section 2.1.1)."""

_VERSION = b"\0\1"
_CODE = 10
_TAIL = 6
_BLOCK = 8
# of a buffer as the peer counts it: its length, the code, the tail, and what a cipher may pad
INTEGRITY_ROOM = 4 + _CODE + _TAIL
PRIVACY_ROOM = INTEGRITY_ROOM + _BLOCK + 1

_SIGNING = b"Digest session key to %s signing key magic constant"
_SEALING = b"Digest H(A1) to %s sealing key magic constant"
_FROM_CLIENT, _FROM_SERVER = b"client-to-server", b"server-to-client"


@dataclass(frozen=True, slots=True)
class Cipher:
    """One value of the directive cipher. ``key_bytes`` of H(A1) go into its keys."""

    name: str
    strength: int
    key_bytes: int = 16
    padded: bool = False


CIPHERS = (
    Cipher("rc4-40", 40, 5),
    Cipher("rc4-56", 56, 7),
    Cipher("rc4", 128),
    Cipher("des", 55, padded=True),
    Cipher("3des", 112, padded=True),
)
"""In the order in which they are told. The original counts 55 bits for DES."""


def offered(limits: Limits) -> tuple[Cipher, ...]:
    """The ciphers that may be used."""
    return tuple(cipher for cipher in CIPHERS if limits.allow(cipher.strength))


def integrity(session: bytes, *, server: bool, maxbuf: int) -> SecurityLayer:
    """The layer of ``auth-int``.

    ``session`` is H(A1), ``maxbuf`` what the peer takes, which has to be more than ``INTEGRITY_ROOM``.
    """
    sealer = _Sealer(session, None, server=server)
    return SecurityLayer(sealer, strength=1, send_limit=maxbuf - INTEGRITY_ROOM)


def privacy(cipher: Cipher, session: bytes, *, server: bool, maxbuf: int) -> SecurityLayer:
    """The layer of ``auth-conf``; ``maxbuf`` has to be more than ``PRIVACY_ROOM``."""
    sealer = _Sealer(session, cipher, server=server)
    return SecurityLayer(sealer, strength=cipher.strength, send_limit=maxbuf - PRIVACY_ROOM)


class _Sealer:
    def __init__(self, session: bytes, cipher: Cipher | None, *, server: bool) -> None:
        ours, theirs = (_FROM_SERVER, _FROM_CLIENT) if server else (_FROM_CLIENT, _FROM_SERVER)
        self._sign_key = _md5(session + _SIGNING % ours)
        self._check_key = _md5(session + _SIGNING % theirs)
        self._sent = self._received = 0
        self._padded = cipher is not None and cipher.padded
        self._encrypt: Crypt | None = None
        self._decrypt: Crypt | None = None
        if cipher is not None:
            from libcyrus.sasl import digest_ciphers

            make = {"des": digest_ciphers.des, "3des": digest_ciphers.triple_des}.get(
                cipher.name, digest_ciphers.rc4
            )
            start = session[: cipher.key_bytes]
            self._encrypt = make(_md5(start + _SEALING % ours), decrypt=False)
            self._decrypt = make(_md5(start + _SEALING % theirs), decrypt=True)

    def seal(self, data: bytes) -> bytes:
        number = self._sent.to_bytes(4, "big")
        self._sent = (self._sent + 1) & 0xFFFFFFFF
        code = hmac.digest(self._sign_key, number + data, "md5")[:_CODE]
        if self._encrypt is not None:
            missing = _BLOCK - (len(data) + _CODE) % _BLOCK if self._padded else 0
            sealed = self._encrypt(data + bytes([missing]) * missing + code)
        else:
            sealed = data + code
        return sealed + _VERSION + number

    def open(self, sealed: bytes) -> bytes:
        if len(sealed) < _CODE + _TAIL:
            raise broken("DIGEST-MD5 SASL packets must be at least 16 bytes long")
        body, version, number = sealed[:-_TAIL], sealed[-_TAIL:-4], sealed[-4:]
        if version != _VERSION:
            raise broken("Wrong Version")
        if int.from_bytes(number, "big") != self._received:
            said = int.from_bytes(number, "big")
            raise broken(f"Incorrect Sequence Number: received {said}, expected {self._received}")
        self._received = (self._received + 1) & 0xFFFFFFFF
        sound = True
        if self._decrypt is not None:
            if self._padded and len(body) % _BLOCK:
                raise broken("CMAC doesn't match")
            body = self._decrypt(body)
        data, code = body[:-_CODE], body[-_CODE:]
        if self._padded:
            data, sound = _unpadded(data)
        expected = hmac.digest(self._check_key, number + data, "md5")[:_CODE]
        # one word for both faults: nobody shall learn which of them it was
        if not (hmac.compare_digest(expected, code) and sound):
            raise broken("CMAC doesn't match")
        return data


def _unpadded(data: bytes) -> tuple[bytes, bool]:
    """The text, and whether the padding behind it is as it has to be."""
    count = data[-1] if data else 0
    if not 1 <= count <= min(_BLOCK, len(data)):
        return data, False
    return data[:-count], data.endswith(bytes([count]) * count)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
