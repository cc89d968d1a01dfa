"""Outcomes of authentication, with the numbers and words of libsasl2 that clients and logs show."""

from __future__ import annotations

import enum


class SaslCode(enum.IntEnum):
    CONTINUE = 1
    FAIL = -1
    BUFOVER = -3
    NOMECH = -4
    BADPROT = -5
    BADAUTH = -13
    NOAUTHZ = -14
    TOOWEAK = -15
    ENCRYPT = -16
    NOUSER = -20
    UNAVAIL = -24

    @property
    def text(self) -> str:
        return _TEXTS[self]

    @property
    def public(self) -> SaslCode:
        """What the client may know: an unknown user looks like a wrong password."""
        return SaslCode.BADAUTH if self is SaslCode.NOUSER else self

    @property
    def public_text(self) -> str:
        return self.public.text


_TEXTS = {
    SaslCode.CONTINUE: "another step is needed in authentication",
    SaslCode.FAIL: "generic failure",
    SaslCode.BUFOVER: "overflowed buffer",
    SaslCode.NOMECH: "no mechanism available",
    SaslCode.BADPROT: "bad protocol / cancel",
    SaslCode.BADAUTH: "authentication failure",
    SaslCode.NOAUTHZ: "authorization failure",
    SaslCode.TOOWEAK: "mechanism too weak for this user",
    SaslCode.ENCRYPT: "encryption needed to use mechanism",
    SaslCode.NOUSER: "user not found",
    SaslCode.UNAVAIL: "remote authentication server unavailable",
}


class SaslError(Exception):
    """Authentication ended without a user.

    ``detail`` is for the log only; ``userid`` is the canonical name that was tried, where one is known.
    """

    def __init__(self, code: SaslCode, detail: str = "", *, userid: str | None = None) -> None:
        super().__init__(detail or code.text)
        self.code = code
        self.userid = userid

    @property
    def log_text(self) -> str:
        """As ``sasl_errdetail`` words it, for the ``badlogin:`` line, which programs that ban guessers read.

        The number is that of a wrong password for an unknown user too, the text is not.
        """
        return f"SASL({int(self.code.public)}): {self.code.text}: {self.args[0]}"
