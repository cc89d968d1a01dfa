"""Users' properties, the secrets among them: what the auxprop plugins of ``sasl_auxprop_plugin`` look up.

``userPassword`` is the clear password, ``authPassword`` stored keys (RFC 5803), which only SCRAM can use.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from libcyrus.sasl.codes import SaslCode, SaslError

PASSWORD = "userPassword"
STORED_KEYS = "authPassword"


class Auxprop(ABC):
    """A place where users' properties are kept, and a verifier of passwords by them."""

    @abstractmethod
    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        """The value of a property, None if there is none. Raises SaslError(FAIL) if the place fails."""

    def verify(self, user: str, password: str) -> None:
        """Return if ``password`` is the stored one. Raises SaslError BADAUTH, NOUSER or FAIL."""
        # brings OpenSSL's library along, which not every service needs
        from hmac import compare_digest

        stored = self.lookup(user)
        if stored is None:
            raise SaslError(SaslCode.NOUSER, "no secret in database")
        if not compare_digest(password.encode("utf-8", "surrogateescape"), stored):
            raise SaslError(SaslCode.BADAUTH, "checkpass failed")


class Properties:
    """All the places, asked in their order."""

    def __init__(self, places: Sequence[Auxprop]) -> None:
        self._places = tuple(places)

    def __bool__(self) -> bool:
        return bool(self._places)

    def lookup(self, user: str, prop: str = PASSWORD) -> bytes | None:
        """The first value found. Raises SaslError(FAIL) if none is and a place failed."""
        failure: SaslError | None = None
        for place in self._places:
            try:
                value = place.lookup(user, prop)
            except SaslError as error:
                failure = error
                continue
            if value is not None:
                return value
        if failure is not None:
            raise failure
        return None
