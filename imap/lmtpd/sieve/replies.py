"""The mails that delivery sends: answers, refusals, and what is passed on.

Each has a Message-ID of ours that deliver.db remembers, so that a mail that comes back is known.
"""

from __future__ import annotations

import os
import re
from itertools import count

from libcyrus import options as opt
from libcyrus.base import times
from libcyrus.config import Config
from libcyrus.text.headerencoding import encode_body, encode_header
from libcyrus.version import VERSION
from sieve.run.outcomes import Vacation

SIEVE_VERSION = "CMU Sieve 3.0"
_LONGEST_SUBJECT = 69
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_RETURN_PATH = re.compile(rb"(?mi)^return-path:.*\r\n(?:[ \t].*\r\n)*")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_numbers = count()


def new_id(config: Config, now: int) -> bytes:
    return f"<cmu-sieve-{os.getpid()}-{now}-{next(_numbers)}@{config.servername}>".encode()


def vacation(answer: Vacation, original_id: bytes, message_id: bytes, now: int) -> bytes:
    """The answer to a message (RFC 5230 section 5)."""
    subject = encode_header(_CONTROL.split(answer.subject, maxsplit=1)[0])
    fold = b"\r\n" if len(subject) > _LONGEST_SUBJECT else b""
    sender = _one_line(answer.sender)
    lines = [
        b"Message-ID: " + message_id,
        b"Date: " + times.to_rfc5322(now).encode(),
        b"X-Sieve: " + SIEVE_VERSION.encode(),
        b"X-Sieve-Action: vacation",
        b"From: " + (sender if b"<" in sender else b"<" + sender + b">"),
        b"To: <" + answer.to + b">",
        b"Subject:" + fold + b" " + subject,
    ]
    if original_id:
        lines.append(b"In-Reply-To: " + original_id)
    lines += [b"Auto-Submitted: auto-replied (vacation)", b"MIME-Version: 1.0"]
    if not answer.mime:
        lines += [b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit", b""]
    # a MIME entity begins with header fields of its own
    return b"\r\n".join([*lines, _crlf(answer.message), b""])


def rejection(
    config: Config,
    *,
    reason: bytes,
    to: bytes,
    recipient: bytes,
    original_recipient: bytes | None,
    original_id: bytes,
    message: bytes,
    message_id: bytes,
    now: int,
) -> bytes:
    """A refused message on its way back (RFC 5429 section 2.2.1, RFC 8098)."""
    servername = config.servername.encode()
    boundary = b"%d/%b" % (os.getpid(), servername)
    postmaster = (config[opt.postmaster] or "").encode("utf-8", "surrogateescape")
    report = [
        b"Reporting-UA: %b; Cyrus %b/%b" % (servername, VERSION.encode(), SIEVE_VERSION.encode()),
        *([b"Original-Recipient: rfc822; " + original_recipient] if original_recipient else []),
        b"Final-Recipient: rfc822; " + recipient,
        *([b"Original-Message-ID: " + original_id] if original_id else []),
        b"Disposition: automatic-action/MDN-sent-automatically; deleted",
    ]
    lines = [
        b"Message-ID: " + message_id,
        b"Date: " + times.to_rfc5322(now).encode(),
        b"X-Sieve: " + SIEVE_VERSION.encode(),
        b"X-Sieve-Action: reject",
        b"From: Mail Sieve Subsystem <" + postmaster + b">",
        b"To: <" + to + b">",
        b"MIME-Version: 1.0",
        b"Content-Type: multipart/report; report-type=disposition-notification;",
        b'\tboundary="' + boundary + b'"',
        b"Subject: Automatically rejected mail",
        b"Auto-Submitted: auto-replied (rejected)",
        b"",
        b"This is a MIME-encapsulated message",
        b"",
        b"--" + boundary,
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Disposition: inline",
        b"Content-Transfer-Encoding: 8bit",
        b"",
        b"Your message was automatically rejected by Sieve, a mail",
        b"filtering language.",
        b"",
        b"The following reason was given:",
        _crlf(reason),
        b"",
        b"--" + boundary,
        b"Content-Type: message/disposition-notification",
        b"",
        *report,
        b"",
        b"--" + boundary,
        b"Content-Type: message/rfc822",
        b"",
        message,
        b"",
        b"--" + boundary + b"--",
        b"",
    ]
    return b"\r\n".join(lines)


def forward(header: bytes, body: bytes) -> bytes:
    """A message as it is passed on: without the path that it came by."""
    return b"X-Sieve-Action: redirect\r\n" + _RETURN_PATH.sub(b"", header) + body


def lmtp_refusal(reason: bytes) -> tuple[str, ...]:
    """The lines of a refusal by reply code (RFC 5429 section 2.1)."""
    lines = [line for line in re.split(rb"[\r\n]+", encode_body(reason)) if line] or [b""]
    shown = [line.decode("ascii", "replace") for line in lines]
    return (*(f"550-5.7.1 {line}" for line in shown[:-1]), f"550 5.7.1 {shown[-1]}")


def _one_line(value: bytes) -> bytes:
    return _CONTROL.sub(b" ", value)


def _crlf(text: bytes) -> bytes:
    return _LINE_END.sub(b"\r\n", text)
