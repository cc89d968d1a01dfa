"""The client side of LMTP (RFC 2033): one transaction, and what became of each recipient."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence

from libcyrus import errors
from libcyrus.base.dataclasses import dataclass
from libcyrus.prot import ProtError, ProtStream
from libcyrus.smtp.data import stuffed
from libcyrus.smtp.envelope import xtext

LONGEST_REPLY = 8192
MOST_LINES = 1000


class Result(enum.Enum):
    GOOD = enum.auto()
    TEMPORARY = enum.auto()
    PERMANENT = enum.auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole reply: its code, and its last line without the line end."""

    code: int
    text: str

    @property
    def result(self) -> Result:
        match self.code // 100:
            case 2:
                return Result.GOOD
            case 5:
                return Result.PERMANENT
            case _:
                return Result.TEMPORARY


@dataclass(slots=True)
class Addressee:
    """A recipient and, after the transaction, its result; ``error`` says why in the library's terms."""

    address: str
    ignorequota: bool = False
    result: Result = Result.TEMPORARY
    error: errors.CyrusError | None = None


class Client:
    """A connection that has greeted. Raises ProtError when it breaks, ProtocolError when it is no LMTP."""

    def __init__(self, stream: ProtStream, name: str) -> None:
        self._stream = stream
        self.capabilities: dict[str, str] = {}
        if self.reply().code != 220:
            raise errors.ProtocolError
        self.send(f"LHLO {name}")
        for line in self._lines():
            word, _, argument = line[4:].partition(" ")
            self.capabilities[word.upper()] = argument
            if line[:3] != "250":
                raise errors.ProtocolError

    def send(self, line: str) -> None:
        data = line.encode("utf-8", "surrogateescape")
        if b"\r" in data or b"\n" in data:
            raise errors.BadParameters
        self._stream.write(data + b"\r\n")

    def reply(self) -> Reply:
        *_, last = self._lines()
        code = last[:3]
        if len(code) != 3 or not code.isdigit() or not code.isascii():
            raise errors.ProtocolError
        return Reply(int(code), last)

    def command(self, line: str) -> Reply:
        self.send(line)
        return self.reply()

    def quit(self) -> None:
        """Say goodbye; what the server makes of it does not matter any more."""
        try:
            self.command("QUIT")
        except (ProtError, errors.ProtocolError):
            pass

    def transact(
        self,
        sender: str,
        recipients: Sequence[Addressee],
        read: Callable[[int], bytes],
        *,
        authuser: str | None = None,
    ) -> None:
        """Send one message, read piece by piece from ``read``, and fill in the recipients' results."""
        try:
            failure = self._transact(sender, recipients, read, authuser)
        except (ProtError, errors.ProtocolError):
            failure = Reply(400, "")
        if failure is not None:
            for recipient in recipients:
                recipient.result = failure.result
                recipient.error = (
                    errors.ProtocolError() if failure.result is Result.PERMANENT else errors.Again()
                )

    def _transact(
        self, sender: str, recipients: Sequence[Addressee], read: Callable[[int], bytes], authuser: str | None
    ) -> Reply | None:
        """None when every recipient has its own result, else the reply that ended it for all."""
        reply = self.command("RSET")
        if reply.result is not Result.GOOD:
            return reply
        mail = f"MAIL FROM:{sender}" if sender.startswith("<") else f"MAIL FROM:<{sender}>"
        if "AUTH" in self.capabilities:
            mail += f" AUTH={xtext(authuser) if authuser else '<>'}"
        reply = self.command(mail)
        if reply.result is not Result.GOOD:
            return reply
        for recipient in recipients:
            line = f"RCPT TO:<{recipient.address}>"
            if recipient.ignorequota and "IGNOREQUOTA" in self.capabilities:
                line += " IGNOREQUOTA"
            _note(recipient, self.command(line))
        accepted = [recipient for recipient in recipients if recipient.result is Result.GOOD]
        if not accepted:
            return None
        reply = self.command("DATA")
        if reply.code != 354:
            return reply if reply.code // 100 in (4, 5) else Reply(400, "")
        for piece in stuffed(read):
            self._stream.write(piece)
        for recipient in accepted:
            _note(recipient, self.reply())
        return None

    def _lines(self) -> Iterator[str]:
        """The lines of one reply, at most a thousand."""
        for _ in range(MOST_LINES):
            line = self._stream.readline(LONGEST_REPLY).decode("utf-8", "replace").rstrip("\r\n")
            yield line
            if line[3:4] != "-":
                return
        raise errors.ProtocolError


def _note(recipient: Addressee, reply: Reply) -> None:
    recipient.result = reply.result
    recipient.error = None if reply.result is Result.GOOD else meaning(reply)


def meaning(reply: Reply) -> errors.CyrusError:
    """Which refusal of ours a reply of an lmtpd stands for."""
    status = reply.text[4:9]
    match reply.code:
        case 451 if status.startswith("4.3.1"):
            return errors.NoSpace()
        case 451 if status.startswith("4.2.1"):
            return errors.MailboxMoved()
        case 451 if status.startswith("4.2"):
            return errors.MailboxBadFormat()
        case 451:
            return errors.IoError()
        case 452:
            return errors.QuotaExceeded()
        case 550 if status.startswith("5.1"):
            return errors.MailboxNonexistent()
        case 550:
            return errors.PermissionDenied()
        case 552 if status.startswith("5.3") or status == "5.2.3":
            return errors.MessageTooLarge()
        case 552:
            return errors.QuotaExceeded()
        case 554:
            return errors.MessageBadHeader()
    return errors.ProtocolError() if reply.result is Result.PERMANENT else errors.Again()
