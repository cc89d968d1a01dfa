"""Which header fields are kept in the cache record, and since which cache version."""

from __future__ import annotations

from typing import Final

NEVER: Final = 0xFFFFFFFF
"""The version of a field that is never cached."""

_LONGEST: Final = 31

# The minimum version of what an X- field or a field with its own rule needs; others need version 1.
_VERSIONS: Final = {
    b"priority": 0,
    b"references": 0,
    b"resent-from": 0,
    b"newsgroups": 0,
    b"followup-to": 0,
    b"x-mailer": 1,
    b"x-trace": 1,
    b"x-ref": 2,
    b"x-priority": 2,
    b"x-msmail-priority": 2,
    b"x-msoesrec": 2,
    b"x-spam-score": 3,
    b"x-resolved-to": 3,
    b"x-delivered-to": 3,
    b"x-mail-from": 3,
    b"x-truedomain-domain": 3,
    b"x-me-message-id": 4,
    b"x-cyrus-session-id": 4,
    b"x-universally-unique-identifier": 6,
    b"x-uniform-type-identifier": 6,
    b"x-apple-base-url": 6,
    b"x-apple-mail-remote-attachments": 6,
    b"reply-to": 7,
    b"sender": 7,
    **dict.fromkeys(
        b"""bcc cc date delivery-date envelope-to from in-reply-to mime-version received return-path
        subject to dkim-signature domainkey-signature domainkey-x509 message-id arc-seal arc-message-signature
        arc-authentication-results authentication-results received-spf archived-at listbox-message-date
        topicbox-message-uuid topicbox-policy-reasoning""".split(),
        NEVER,
    ),
}


def min_version(name: bytes) -> int:
    """The oldest cache version whose records hold field ``name`` (any case), NEVER if none does."""
    if len(name) > _LONGEST:
        return NEVER
    lower = name.lower()
    version = _VERSIONS.get(lower)
    if version is not None:
        return version
    return NEVER if lower.startswith(b"x-") else 1
