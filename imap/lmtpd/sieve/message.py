"""The message as one script sees it: header fields that may be edited, envelope, decoded parts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from libcyrus.message.body import BodyPart
from libcyrus.message.parser import Parser
from libcyrus.text import charset, transfer
from libcyrus.text.mimeheader import parse_mimeheader

_FIELD = re.compile(rb"([^:\r\n]+):(.*(?:\r\n[ \t].*)*)\r\n|.*\r\n")
_VARIABLE = re.compile(rb"\$(?:(from|env-from|subject|text)|text\[([0-9]{1,9})\])\$", re.IGNORECASE)
_LONGEST_BODY = 64 * 1024 * 1024
"""Bytes of decoded text that tests look at in one message."""


class Field:
    """One header field; ``raw`` is its text with the line end."""

    __slots__ = ("name", "raw", "value")

    def __init__(self, name: bytes, value: bytes, raw: bytes) -> None:
        self.name = name
        self.value = value
        self.raw = raw


class ScriptMessage:
    """``data`` is the whole message as it would be stored; ``envelope`` has from, to and perhaps auth."""

    def __init__(self, data: bytes, header_size: int, envelope: dict[bytes, bytes]) -> None:
        self._data = data
        # the empty line belongs to what is kept when fields change
        end = header_size - 2 if data[max(0, header_size - 4) : header_size] == b"\r\n\r\n" else header_size
        self.original_header = data[:end]
        self.rest = data[end:]
        self._envelope = envelope
        self._fields: list[Field] | None = None
        self._by_name: dict[bytes, list[bytes]] = {}
        self._root: BodyPart | None = None
        self._texts: dict[int, bytes] = {}
        self._text_size = 0

    @property
    def size(self) -> int:
        return len(self._data)

    def header(self, name: bytes) -> Sequence[bytes]:
        name = name.lower()
        known = self._by_name.get(name)
        if known is None:
            known = [field.value for field in self._all() if field.name == name]
            self._by_name[name] = known
        return known

    def header_section(self) -> bytes:
        return b"".join(field.raw for field in self._all())

    def add_header(self, name: bytes, value: bytes, *, last: bool) -> None:
        fields = self._all()
        field = Field(name.lower(), value, b"%b: %b\r\n" % (name, value))
        fields.insert(len(fields) if last else 0, field)
        self._by_name.clear()

    def delete_header(self, name: bytes, number: int) -> None:
        name = name.lower()
        fields = self._all()
        places = [place for place, field in enumerate(fields) if field.name == name]
        if number:
            at = number - 1 if number > 0 else len(places) + number
            places = places[at : at + 1] if 0 <= at < len(places) else []
        for place in reversed(places):
            del fields[place]
        self._by_name.clear()

    def envelope(self, part: bytes) -> bytes | None:
        return self._envelope.get(part)

    def body(self, types: Sequence[bytes]) -> list[bytes]:
        if self._root is None:
            self._root = Parser(self._data, digest=False).run()
        return [self._text(part) for part in _matching(self._root, types)]

    def fill_in(self, template: bytes) -> bytes:
        """A notification with ``$from$``, ``$env-from$``, ``$subject$`` and ``$text[n]$`` filled in."""

        def value(found: re.Match[bytes]) -> bytes:
            name = (found[1] or b"text").lower()
            if name == b"text":
                texts = self.body([b"text"])
                return texts[0][: int(found[2] or 0) or None] if texts else b""
            values = [self.envelope(b"from") or b""] if name == b"env-from" else self.header(name)
            return parse_mimeheader(values[0]) if values else b""

        return _VARIABLE.sub(value, template)

    def _all(self) -> list[Field]:
        if self._fields is None:
            self._fields = [
                Field(
                    (found[1] or b"").rstrip(b" \t").lower(),
                    (found[2] or b"").replace(b"\r\n", b"").lstrip(b" \t"),
                    found[0],
                )
                for found in _FIELD.finditer(self.original_header)
            ]
        return self._fields

    def _text(self, part: BodyPart) -> bytes:
        """The part's content in UTF-8."""
        known = self._texts.get(id(part))
        if known is None:
            content = self._data[part.content_offset : part.content_offset + part.content_size]
            decoded = transfer.decode(content, part.transfer_encoding)
            found = charset.lookup(part.charset or b"us-ascii") or charset.lookup(b"us-ascii")
            assert found is not None
            raw = b"" if decoded is None else bytes(decoded)
            if found.canonical.upper() not in ("US-ASCII", "UTF-8") or not raw.isascii():
                raw = found.decode(raw).encode("utf-8", "replace")
            # what a test compares ends at a NUL, in the original as here
            known = raw.partition(b"\0")[0][: max(0, _LONGEST_BODY - self._text_size)]
            self._text_size += len(known)
            self._texts[id(part)] = known
        return known


def _matching(root: BodyPart, types: Sequence[bytes]) -> Iterator[BodyPart]:
    """The outermost parts of the types, in the order of the message (RFC 5173 section 5.2)."""
    wanted = [tuple(each.upper().partition(b"/")[::2]) for each in types]
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if any(kind in (b"", part.type) and subtype in (b"", part.subtype) for kind, subtype in wanted):
            yield part
        elif part.is_multipart or part.is_message:
            waiting.extend(reversed(part.parts))
