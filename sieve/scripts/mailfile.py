"""A script as a message: the form in which ``#sieve`` holds it.

The subject is the script's name as it is, in UTF-8: the original takes the field literally for the name when
it looks at the message again.
"""

from __future__ import annotations

import hashlib
import re

from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass
from libcyrus.text.headerencoding import encode_header

EXTENSION = ".sieve"
_UNFOLD = re.compile(rb"\r\n[ \t]+")
_SUBJECT = re.compile(rb"^Subject: ?(.*?)\r?$", re.MULTILINE | re.IGNORECASE)
_FILENAME = re.compile(
    rb'^Content-Disposition:.*filename="?([^";\r\n]+)\.sieve"?', re.MULTILINE | re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ScriptMessage:
    """``id`` stays with a script for life; ``contentid`` is the SHA1 of its text."""

    id: str
    name: str
    text: bytes

    @classmethod
    def parse(cls, message: bytes, header_size: int) -> ScriptMessage | None:
        """What a message holds; None for one that is no script."""
        header, text = _UNFOLD.sub(b" ", message[:header_size]), message[header_size:]
        subject, filename = _SUBJECT.search(header), _FILENAME.search(header)
        if subject is None or filename is None:
            return None
        try:
            return cls(filename[1].decode("ascii"), subject[1].decode(), text)
        except UnicodeDecodeError:
            return None

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
