"""One mail after the other over one connection (RFC 5321), and what the server's refusals mean.

Every refusal is logged with the reply that was met, and raised as what it means for the mail: by the
enhanced status code (RFC 3463) where the server has these, else by the reply code.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable
from typing import Protocol

from libcyrus.backend.dialect import Capabilities, Lines, Refused, read_reply
from libcyrus.errors import (
    CyrusError,
    IoError,
    MailboxDisabled,
    MailboxNonexistent,
    MessageTooLarge,
    ProtocolError,
    RemoteDenied,
)
from libcyrus.prot.errors import ProtError
from libcyrus.smtp.data import stuffed
from libcyrus.smtp.envelope import Envelope, Mailbox, xtext

log = logging.getLogger(__name__)

_BY_CODE: dict[str, type[CyrusError]] = {
    "421": RemoteDenied,
    "451": RemoteDenied,
    "554": RemoteDenied,
    "450": MailboxDisabled,
    "550": MailboxDisabled,
    "452": MessageTooLarge,
    "552": MessageTooLarge,
    "553": MailboxNonexistent,
}
_BY_STATUS: dict[str, type[CyrusError]] = {
    "1.1": MailboxNonexistent,
    "1.2": MailboxNonexistent,
    "1.3": MailboxNonexistent,
    "3.4": MessageTooLarge,
    "5.3": MailboxDisabled,
    "3.0": RemoteDenied,
}
"""By subject and detail of an enhanced status code, whatever its class."""


class Conversation(Lines, Protocol):
    def write(self, data: bytes) -> None: ...

    def flush(self) -> None: ...


class SmtpClient:
    """A connection that has been greeted and has told its capabilities."""

    def __init__(self, peer: Conversation, capabilities: Capabilities) -> None:
        self._peer = peer
        self._words = {word.split()[0]: word.split()[1:] for word in capabilities.words if word.split()}

    @property
    def largest(self) -> int:
        """Bytes of the largest message that the server takes, 0 if it sets no limit."""
        size = self._words.get("SIZE") or ["0"]
        return int(size[0]) if size[0].isdecimal() and len(size[0]) < 20 else 0

    def send(self, envelope: Envelope, message: bytes) -> None:
        """Returns when the server has taken the message for all recipients; else nothing was sent.

        Raises a CyrusError that says why not.
        """
        if self.largest and self.largest < len(message):
            raise MessageTooLarge
        envelope.check()
        try:
            self._transact(envelope, message)
        except ProtError as error:
            log.error("smtpclient: %s during transaction", error)
            raise IoError from error

    def _transact(self, envelope: Envelope, message: bytes) -> None:
        self._command("MAIL FROM", self._sender(envelope, len(message)))
        notify = {"NOTIFY": envelope.notify} if envelope.notify and "DSN" in self._words else {}
        failure: CyrusError | None = None
        for recipient in envelope.recipients:
            try:
                self._command("RCPT TO", recipient.with_defaults(notify))
            except CyrusError as error:
                failure = failure or error
        if failure is not None:
            # the next mail of this connection begins afresh
            self._command("RSET")
            raise failure
        self._command("DATA", code=b"3")
        self._write(stuffed(io.BytesIO(message).read))
        self._expect("EOT", b"2")

    def _sender(self, envelope: Envelope, size: int) -> Mailbox:
        params: dict[str, str] = {}
        if envelope.auth and "AUTH" in self._words:
            params["AUTH"] = xtext(envelope.auth)
        if envelope.ret and "DSN" in self._words:
            params["RET"] = envelope.ret
        if envelope.by and "DELIVERBY" in self._words:
            params["BY"] = envelope.by
        if size and "SIZE" in self._words:
            params["SIZE"] = str(size)
        return envelope.sender.with_defaults(params)

    def _command(self, command: str, mailbox: Mailbox | None = None, code: bytes = b"2") -> None:
        line = command if mailbox is None else f"{command}:{mailbox.argument()}"
        self._peer.send(line.encode("utf-8", "surrogateescape"))
        self._expect(command, code)

    def _write(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self._peer.write(piece)
        self._peer.flush()

    def _expect(self, command: str, code: bytes) -> None:
        try:
            read_reply(self._peer, code)
        except Refused as refused:
            reply = str(refused)
            log.error(
                "smtpclient: unexpected response to %s: code=%s text=%s", command, reply[:3], reply[4:]
            )
            error = self._meaning(reply)
            log.error("smtpclient: %s during %s", error.text, command)
            raise error from refused

    def _meaning(self, reply: str) -> CyrusError:
        if "ENHANCEDSTATUSCODES" in self._words:
            _, _, detail = reply[4:].split(" ")[0].partition(".")
            return _BY_STATUS.get(detail, ProtocolError)()
        return _BY_CODE.get(reply[:3], ProtocolError)()
