"""APOP (RFC 1939 section 7): POP3's own login by a digest, older than SASL.

The greeting holds a timestamp that never comes again; the client answers with the MD5 of it and the password.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import time

from libcyrus.sasl.codes import SaslCode, SaslError

_RESPONSE = re.compile(rb"(?P<user>.*) (?P<digest>[0-9a-f]{32})", re.DOTALL)


def new_challenge(host: str) -> bytes:
    """The timestamp for one connection's greeting."""
    number = int.from_bytes(os.urandom(8), "big")
    return b"<%d.%d@%s>" % (number, int(time.time()), os.fsencode(host))


def parse(response: bytes) -> tuple[str, bytes]:
    """The user and the digest of the command's argument. Raises SaslError(BADPROT)."""
    found = _RESPONSE.fullmatch(response)
    if found is None:
        raise SaslError(SaslCode.BADPROT, "Bad Digest")
    return os.fsdecode(found["user"]), found["digest"]


def check(challenge: bytes, password: bytes | None, digest: bytes) -> None:
    """Raises SaslError: BADAUTH for a digest that is wrong, NOUSER where there is no password."""
    expected = hashlib.md5(challenge + (password or os.urandom(16)), usedforsecurity=False).hexdigest()
    matches = hmac.compare_digest(expected.encode("ascii"), digest)
    if not password:
        raise SaslError(SaslCode.NOUSER, "could not find password")
    if not matches:
        raise SaslError(SaslCode.BADAUTH, "login incorrect")
