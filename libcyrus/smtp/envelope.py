"""Sender, recipients and the parameters of both (RFC 5321 section 4.1.2)."""

from __future__ import annotations

import logging
import re

from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import PermissionDenied, ProtocolError

log = logging.getLogger(__name__)

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_VALUE = re.compile(r"[!-<>-~]+")
_NOT_XTEXT = re.compile(rb"[^!-*,-<>-~]")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f<>]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address without angle brackets, empty for the null sender; a parameter's value may be None."""

    address: str
    params: tuple[tuple[str, str | None], ...] = ()

    def with_defaults(self, params: dict[str, str]) -> Mailbox:
        """With those of ``params`` that are not there yet."""
        have = {key.upper() for key, _ in self.params}
        more = tuple((key, value) for key, value in params.items() if key not in have)
        return Mailbox(self.address, self.params + more)

    def argument(self) -> str:
        """What follows ``MAIL FROM:`` or ``RCPT TO:``."""
        params = "".join(f" {key}" if value is None else f" {key}={value}" for key, value in self.params)
        return f"<{self.address}>{params}"


@dataclass(frozen=True, slots=True)
class Envelope:
    """The other fields are asked of the server only if it knows how.

    ``auth`` is the user in whose name the mail is sent, ``notify`` and ``ret`` are of RFC 3461 and ``by``
    of RFC 2852.
    """

    sender: Mailbox
    recipients: tuple[Mailbox, ...]
    auth: str | None = None
    notify: str | None = None
    ret: str | None = None
    by: str | None = None

    def check(self) -> None:
        """Raises ProtocolError, or PermissionDenied for an AUTH that somebody else put in."""
        if not self.recipients:
            log.error("smtpclient: envelope missing recipients")
            raise ProtocolError
        for mailbox in (self.sender, *self.recipients):
            if _UNSAFE.search(mailbox.address):
                log.error("smtpclient: invalid address: %r", mailbox.address)
                raise ProtocolError
            _check_params(mailbox)


def xtext(value: str) -> str:
    """As parameters carry what is not plain (RFC 3461 section 4)."""
    data = value.encode("utf-8", "surrogateescape")
    return _NOT_XTEXT.sub(lambda found: b"+%02X" % found[0][0], data).decode("ascii")


def _check_params(mailbox: Mailbox) -> None:
    for key, value in mailbox.params:
        if not _KEYWORD.fullmatch(key):
            log.error('smtpclient: invalid estmp keyword: "%s"', key)
            raise ProtocolError
        if key.upper() == "AUTH":
            log.error("smptclient: rejecting AUTH parameter in envelope")
            raise PermissionDenied
        if value is not None and not _VALUE.fullmatch(value):
            log.error('smtpclient: invalid estmp value: "%s"', value)
            raise ProtocolError
