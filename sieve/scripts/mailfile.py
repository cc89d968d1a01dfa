"""A script as a message: the form in which ``#sieve`` holds it.

The subject is the script's name as it is, in UTF-8: the original takes the field literally for the name when
it looks at the message again.
"""

from __future__ import annotations

import hashlib

from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass
from libcyrus.text.headerencoding import encode_header

EXTENSION = ".sieve"


@dataclass(frozen=True, slots=True)
class ScriptMessage:
    """``id`` stays with a script for life; ``contentid`` is the SHA1 of its text."""

    id: str
    name: str
    text: bytes

    @property
    def contentid(self) -> str:
        return hashlib.sha1(self.text).hexdigest()

    def build(self, userid: str, servername: str, now: int) -> bytes:
        address = f"<{userid}>" if "@" in userid else f"<{userid}@{servername}>"
        header = (
            b"From: " + encode_header(address.encode("utf-8", "surrogateescape")),
            b"Subject: " + self.name.encode(),
            b"Date: " + times.to_rfc5322(now).encode(),
            f"Message-ID: <{self.contentid}@{servername}>".encode(),
            b"Content-Type: application/sieve; charset=utf-8",
            b"Content-Length: %d" % len(self.text),
            f'Content-Disposition: attachment;\r\n\tfilename="{self.id}{EXTENSION}"'.encode(),
            b"MIME-Version: 1.0",
            b"",
        )
        return b"".join(line + b"\r\n" for line in header) + self.text
