"""Users' properties, the secrets among them: what the auxprop plugins of ``sasl_auxprop_plugin`` look up.

``userPassword`` is the clear password, ``authPassword`` stored keys (RFC 5803), which only SCRAM can use,
``cmusaslsecretPLAIN`` a salted digest that old versions of libsasl2 wrote.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence

from libcyrus.sasl.codes import SaslCode, SaslError

log = logging.getLogger(__name__)

PASSWORD = "userPassword"
STORED_KEYS = "authPassword"
PLAIN_DIGEST = "cmusaslsecretPLAIN"

_SALT_SIZE = 16


class Auxprop(ABC):
    """A place where users' properties are kept.

    ``writable``: whether :meth:`store` works there. ``digests``: whether it may hold ``cmusaslsecretPLAIN``.
    """

    writable = False
    digests = False

    @abstractmethod
    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        """The value of a property, None if there is none. Raises SaslError(FAIL, UNAVAIL, BADAUTH)."""

    def store(self, user: str, prop: str, value: bytes) -> None:
        """Set a property, of a new user if need be. Raises SaslError."""
        raise SaslError(SaslCode.NOMECH, "properties cannot be stored here")


class Properties:
    """All the places, asked in their order."""

    def __init__(self, places: Sequence[Auxprop]) -> None:
        self._places = tuple(places)

    def __bool__(self) -> bool:
        return bool(self._places)

    @property
    def writable(self) -> bool:
        """Whether any place takes properties."""
        return any(place.writable for place in self._places)

    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        """The first value found.

        A place that fails lets no later one answer, whose passwords may be old: raises its SaslError.
        """
        for place in self._places:
            value = place.lookup(user, prop)
            if value is not None:
                return value
        return None

    def store(self, user: str, prop: str, value: bytes) -> None:
        """Set a property in every place that takes it. Raises the SaslError of the first that fails."""
        for place in self._places:
            if place.writable:
                place.store(user, prop, value)

    def verify(self, user: str, password: str) -> None:
        """Return if ``password`` is the stored one. Raises SaslError BADAUTH, NOUSER or what lookup does."""
        # brings OpenSSL's library along, which not every service needs
        from hmac import compare_digest

        given = password.encode("utf-8", "surrogateescape")
        stored = self.lookup(user)
        if stored is not None and compare_digest(given, stored):
            return
        digest = Properties([place for place in self._places if place.digests]).lookup(user, PLAIN_DIGEST)
        if digest is not None and compare_digest(_plain_digest(digest[:_SALT_SIZE], given), digest):
            return
        if stored is None and digest is None:
            raise SaslError(SaslCode.NOUSER, "no secret in database")
        raise SaslError(SaslCode.BADAUTH, "checkpass failed")


def _plain_digest(salt: bytes, password: bytes) -> bytes:
    """The value of ``cmusaslsecretPLAIN``: salt, NUL, MD5 of salt, a constant and the password."""
    import hashlib

    return salt + b"\0" + hashlib.md5(salt + b"sasldb" + password, usedforsecurity=False).digest()
