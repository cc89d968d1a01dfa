"""The one table from errors of the library to LMTP replies (RFC 2033, RFC 3463 status codes)."""

from __future__ import annotations

from libcyrus import errors
from libcyrus.base.dataclasses import dataclass

_USER_UNKNOWN = (
    "550-Mailbox unknown.  Either there is no mailbox associated with this",
    "550-name or you do not have authorization to see it.",
    "550 5.1.1 User unknown",
)

_PLAIN: dict[type[errors.CyrusError], str] = {
    errors.NoSpace: "451 4.3.1",
    errors.MailboxBadFormat: "451 4.2.0",
    errors.MailboxNotSupported: "451 4.2.0",
    errors.MailboxMoved: "451 4.2.1",
    errors.MailboxReserved: "451 4.2.1",
    errors.MailboxDisabled: "451 4.2.1",
    errors.MessageContainsNull: "554 5.6.0",
    errors.MessageContainsNewline: "554 5.6.0",
    errors.MessageContains8Bit: "554 5.6.0",
    errors.MessageBadHeader: "554 5.6.0",
    errors.MessageNoBlankLine: "554 5.6.0",
    errors.BadParameters: "501 5.5.4",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """What the words of a refusal depend on: two options and the current session id."""

    postmaster: str
    over_quota_is_permanent: bool

    def accepted(self, session_id: str) -> tuple[str, ...]:
        return (f"250 2.1.5 Success SESSIONID=<{session_id}>",)

    def refusal(self, error: errors.CyrusError, session_id: str) -> tuple[str, ...]:
        """The lines of the reply to one recipient, without line ends."""
        if isinstance(error, errors.MailboxRemote):
            return (f"451 4.4.3 {error}",)
        if isinstance(error, errors.MailboxNonexistent):
            return _USER_UNKNOWN
        if isinstance(error, errors.PermissionDenied):
            return (
                "550-You do not have permission to post a message to this mailbox.",
                "550-Please contact the owner of this mailbox in order to submit",
                f"550-your message, or {self.postmaster} if you believe you",
                "550-received this message in error.",
                f"550 5.7.1 {error}",
            )
        if isinstance(error, errors.QuotaExceeded):
            code = "552 5.2.2" if self.over_quota_is_permanent else "452 4.2.2"
            return (f"{code} {error} SESSIONID=<{session_id}>",)
        code = next((_PLAIN[kind] for kind in type(error).__mro__ if kind in _PLAIN), "451 4.3.0")
        return (f"{code} {error}",)
