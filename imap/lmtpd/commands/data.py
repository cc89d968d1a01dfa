"""DATA (RFC 5321 section 4.1.1.4, RFC 2033 section 4.2): take the message, deliver it, answer for each."""

from __future__ import annotations

import logging
import os
import time

from imap.lmtpd import deliver, placing, received
from imap.lmtpd.app import X_SIEVE, Lmtpd
from imap.lmtpd.session import Session, Transaction, Trust
from libcyrus.append import Stage
from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass
from libcyrus.errors import (
    CyrusError,
    MessageBadHeader,
    MessageContainsNull,
    NoSpace,
    PartitionUnknown,
)

log = logging.getLogger(__name__)

_HEADER_OVERLAP = 4


@dataclass(slots=True)
class _Received:
    """What came in. After a ``failure`` of the content or the disk the rest was read and dropped."""

    header: received.Header
    message_id: bytes
    date: bytes
    size: int
    failure: CyrusError | None = None
    disk_failed: bool = False


def run(session: Session, argument: bytes) -> tuple[str, ...]:
    transaction = session.transaction
    if transaction is None or not transaction.recipients:
        return ("503 5.5.1 No recipients",)
    app = session.app
    now = int(time.time())
    try:
        stage = _new_stage(app, transaction, now)
    except CyrusError as error:
        session.transaction = None
        return (f"451 4.3.{_detail(error)} cannot create temporary file: {error}",)
    with stage:
        session.out.line("354 go ahead")
        message = _receive(session, transaction, stage, now)
        session.transaction = None
        return _answer(session, transaction, stage, message, now)


def _answer(
    session: Session, transaction: Transaction, stage: Stage, message: _Received, now: int
) -> tuple[str, ...]:
    app, count = session.app, len(transaction.recipients)
    sid = str(session.session_id)
    limit = app.settings.maxmessagesize
    if limit and message.size > limit:
        text = f"552 5.2.3 Message size ({message.size}) exceeds fixed maximum message size ({limit})"
        return (text,) * count
    if message.failure is None:
        try:
            stage.finish()
        except CyrusError as error:
            message.failure, message.disk_failed = error, True
    failure = message.failure
    if failure is not None and message.disk_failed:
        text = f"451 4.3.{_detail(failure)} cannot copy message to temporary file: {failure}"
        return (text,) * count
    if failure is not None:
        return app.wording.refusal(failure, sid) * count
    delivery = deliver.Delivery(
        placing.Message(
            stage=stage,
            message_id=message.message_id,
            date=message.date,
            internaldate=deliver.internaldate(stage, now),
            session_id=sid,
            summary=_summary(message.header) if app.notifier is not None else "",
        ),
        sender=transaction.return_path,
        authuser=transaction.authuser,
        authstate=transaction.authstate,
        remote=session.client.name_and_address,
    )
    app.store.session_id = sid
    if app.metrics is not None:
        app.metrics.add("received_messages_total")
        app.metrics.add("received_bytes_total", message.size)
        app.metrics.add("received_recipients_total", count)
    lines: list[str] = []
    delivered = 0
    for outcome in deliver.deliver(app, delivery, transaction.recipients):
        delivered += outcome is None
        if outcome is None:
            lines += app.wording.accepted(sid)
        elif isinstance(outcome, deliver.Refused):
            lines += outcome.lines
        else:
            lines += app.wording.refusal(outcome, sid)
    if app.metrics is not None:
        app.metrics.add("transmitted_messages_total")
        app.metrics.add("transmitted_bytes_total", delivered * message.size)
    return tuple(lines)


def _new_stage(app: Lmtpd, transaction: Transaction, now: int) -> Stage:
    """In the partition of the first recipient where one can be made."""
    partitions = dict.fromkeys(recipient.partition for recipient in transaction.recipients)
    failure: CyrusError = PartitionUnknown()
    for partition in partitions:
        try:
            return Stage(app.store, partition, internaldate=now)
        except CyrusError as error:
            failure = error
    raise failure


def _receive(session: Session, transaction: Transaction, stage: Stage, now: int) -> _Received:
    """Read the message to its end, whatever is wrong with it, writing what is right to the stage."""
    app, stream = session.app, session.stream
    header, failure, rest = _read_header(session)
    message = _Received(header, b"", b"", 0, failure)
    added = _trace(session, transaction, now)
    top = [added, header.text]
    if message.failure is None:
        try:
            message.message_id, message.date = _identify(app, header, top, now)
        except CyrusError as error:
            message.failure = error
    limit = app.settings.maxmessagesize
    body = received.Body()
    data = b"".join(top)
    while True:
        message.size += len(data)
        if data and message.failure is None and not (limit and message.size > limit):
            try:
                stage.write(data)
            except CyrusError as error:
                message.failure, message.disk_failed = error, True
        if body.rest is not None:
            break
        data = body.feed(rest or stream.read_some())
        rest = b""
    stream.unread(body.rest)
    if body.contains_null and message.failure is None:
        message.failure = MessageContainsNull()
    return message


def _read_header(session: Session) -> tuple[received.Header, CyrusError | None, bytes]:
    """The header, what is wrong with it, and the bytes behind it that came along."""
    stream, settings = session.stream, session.app.settings
    gathered = bytearray(stream.read_some())
    end = received.header_end(gathered)
    while end < 0:
        if len(gathered) > received.LONGEST_HEADER:
            return received.Header(b""), MessageBadHeader(), bytes(gathered)
        searched = len(gathered)
        gathered += stream.read_some()
        end = received.header_end(gathered, max(0, searched - _HEADER_OVERLAP))
    data = bytes(gathered)
    try:
        header = received.read_header(
            data[:end], reject8bit=settings.reject8bit, munge8bit=settings.munge8bit
        )
        return header, None, data[end:]
    except CyrusError as error:
        return received.Header(b""), error, data[end:]


def _trace(session: Session, transaction: Transaction, now: int) -> bytes:
    """The fields that delivery puts on top of the message."""
    app = session.app
    path = _tame(transaction.return_path)
    if path and "@" not in path:
        path = f"{path}@{app.config.servername}"
    secure = "S" if session.tls_done else ""
    trusted = "A" if session.trust is not Trust.NONE else ""
    parts = [f"from {_tame(session.lhlo_name)} ({session.client.host})"]
    if transaction.authuser:
        bits = session.sasl.strength
        parts.append(f" (authenticated user={_tame(transaction.authuser)} bits={bits})")
    parts.append(f" by {app.settings.received_by} with LMTP{secure}{trusted}")
    if session.stream.tls is not None:
        parts.append(f" ({session.stream.tls.received_info()})")
    parts[-1] += ";"
    parts.append(" " + times.to_rfc5322(now))
    lines = [
        f"Return-Path: <{path}>",
        "Received: " + "\r\n\t".join(parts),
        f"X-Cyrus-Session-Id: {session.session_id}",
        f"X-Sieve: {X_SIEVE}",
        "",
    ]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _tame(text: str) -> str:
    """What a client said, in a form that cannot end the field it is written into."""
    return "".join(character if character >= " " else "?" for character in text)


def _identify(app: Lmtpd, header: received.Header, top: list[bytes], now: int) -> tuple[bytes, bytes]:
    """Message id and date, by which a duplicate is known; fields that the sender left out are added."""
    message_id = header.first(b"message-id")
    if message_id is None:
        count, app.messages_without_id = app.messages_without_id, app.messages_without_id + 1
        text = f"<cmu-lmtpd-{os.getpid()}-{now}-{count}@{app.config.servername}>"
        message_id = text.encode()
        top.append(b"Message-ID: %b\r\n" % message_id)
    elif not message_id:
        raise MessageBadHeader
    date = header.first(b"date")
    if date is None:
        date = times.to_rfc5322(now).encode()
        top.append(b"Date: %b\r\n" % date)
    return message_id, date


def _summary(header: received.Header) -> str:
    """The fields that a notification of new mail carries."""
    lines = [
        f"{name}: {value.decode('utf-8', 'surrogateescape')}\n"
        for name in ("From", "Subject", "To")
        for value in header.values.get(name.lower().encode(), ())
    ]
    return "".join(lines)


def _detail(error: CyrusError) -> str:
    """The last digit of the status code: 1 for a full disk, 2 for any other trouble with it."""
    return "1" if isinstance(error, NoSpace) else "2"
