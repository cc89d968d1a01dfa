"""The base subject, by which SORT and THREAD compare subjects (RFC 5256 section 2.1).

As in the original, a subject that is only a bracketed text keeps it, ``[Fwd: ...]`` is opened as often as it
is nested, and ``Re[3]:`` counts as three replies.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_SPACE: Final = b" \t\n\v\f\r"
_TRAILER: Final = re.compile(rb"\(fwd\)\Z", re.IGNORECASE)
_REPLY: Final = re.compile(rb"(?:re|fwd|fw)[ \t\n\v\f\r]*(?:\[([^\]]*)\])?[ \t\n\v\f\r]*:", re.IGNORECASE)
_BLOB: Final = re.compile(rb"\[[^\[\]]*\](?!\Z)")
_FORWARDED: Final = re.compile(rb"\[fwd:(.*)\]\Z", re.IGNORECASE | re.DOTALL)
_UPPER: Final = bytes(byte - 32 if 97 <= byte <= 122 else byte for byte in range(256))


class BaseSubject(NamedTuple):
    """``text`` in capitals (ASCII letters only); ``replies`` counts the marks of replies and forwards."""

    text: bytes
    replies: int


def base_subject(subject: bytes) -> BaseSubject:
    """``subject`` is decoded to UTF-8."""
    replies = 0
    while True:
        subject, more = _strip(subject)
        replies += more
        forwarded = _FORWARDED.match(subject)
        if forwarded is None:
            return BaseSubject(subject.translate(_UPPER), replies)
        subject = forwarded[1]
        replies += 1


def _strip(subject: bytes) -> tuple[bytes, int]:
    """Without marks at the end and at the start."""
    replies = 0
    end = len(subject)
    while True:
        end = len(subject[:end].rstrip(_SPACE))
        if not _TRAILER.search(subject, max(0, end - 5), end):
            break
        end -= 5
        replies += 1
    subject = subject[:end]
    at = 0
    while True:
        at = end - len(subject[at:].lstrip(_SPACE))
        reply = _REPLY.match(subject, at)
        if reply is not None:
            replies += _count(reply[1])
            at = reply.end()
            continue
        blob = _BLOB.match(subject, at)
        if blob is None:
            return subject[at:], replies
        at = blob.end()


def _count(blob: bytes | None) -> int:
    """How many replies ``Re[...]`` stands for: what is no number, or too large a one, is one."""
    if not blob or not blob.isdigit() or len(blob) > 9:
        return 1
    return int(blob) or 1
