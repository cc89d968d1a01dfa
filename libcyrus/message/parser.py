"""Parse a message into its MIME tree in one pass (RFC 5322, RFC 2045, RFC 2046).

Nothing is refused: broken MIME gives the same tree the original computes, for
every offset and size ends up in the cache. Line ends are CRLF; a header ends
at an empty line that is exactly CRLF. Nesting uses a list, not the call stack.
"""

from __future__ import annotations

from collections.abc import Iterator
from mmap import mmap
from typing import Final

from libcyrus.message import cached_headers, fields
from libcyrus.message.body import BodyPart
from libcyrus.message.boundaries import Boundaries
from libcyrus.message.options import DEFAULT, ParseOptions
from libcyrus.text import mimeheader, transfer

Source = bytes | bytearray | memoryview | mmap

# Up to this size a map is read into memory, which is cheaper than searching it in pieces.
_READ_WHOLE: Final = 1 << 20
_CHUNK: Final = 1 << 18

# Every message/rfc822 is digested whole, so that their nesting must have an end.
_NESTED_MESSAGES: Final = 200

_RFC822: Final = (b"MESSAGE", b"RFC822")
_PLAIN: Final = (b"TEXT", b"PLAIN")
_US_ASCII: Final = [(b"CHARSET", b"us-ascii")]


class _FieldNames(dict[bytes, tuple[str | None, bool]]):
    """Field name as spelt -> (key if the parser reads the field, whether the cache keeps it).

    Filled as names are met; names come from strangers, so it is emptied when it grows large.
    """

    def __missing__(self, name: bytes) -> tuple[str | None, bool]:
        if len(self) >= 4096:
            self.clear()
        key = name.decode("latin-1").lower() if name.isascii() else ""
        cached = cached_headers.min_version(name) != cached_headers.NEVER
        known = (key if key in fields.KEYS else None, cached)
        if len(name) <= 64:
            self[name] = known
        return known


_FIELD_NAMES: Final = _FieldNames()


class Parser:
    """The state of one pass: the bytes, the offset, and the boundaries of the open multiparts.

    Without ``digest`` the parts' digests and decoded sizes stay zero.
    """

    def __init__(self, data: Source, options: ParseOptions = DEFAULT, *, digest: bool = True) -> None:
        self.data: bytes | mmap = _searchable(data)
        self.size = len(self.data)
        self.view = memoryview(self.data)
        self.cached_headers = b""
        self.long_headers = 0
        """Entities whose later header lines were not looked at."""
        self.deep_multiparts = 0
        """Multiparts that were not read because too many were open."""
        self._options = options
        self._want_digest = digest
        self._offset = 0
        self._boundaries = Boundaries(strict=options.strict_boundaries)
        self._parts = 0
        self._messages = 0
        self._blank = -1

    def run(self) -> BodyPart:
        """Parse the whole message; the cached header fields are in ``cached_headers`` afterwards."""
        try:
            return self._run()
        finally:
            self.view.release()

    def _run(self) -> BodyPart:
        root, content = self._open(_PLAIN, top=True)
        # Entities still open, innermost last: each waits for its last part to end.
        waiting: list[_Container] = []
        part: BodyPart | None = root
        while part is not None or waiting:
            if part is not None:
                container = self._enter(part) if content else None
                if container is None:
                    part = None
                else:
                    waiting.append(container)
            if not waiting:
                break
            container = waiting[-1]
            if part is None:
                self._part_done(container)
            default = self._next_default(container)
            if default is None:
                waiting.pop()
                self._leave(container)
                part = None
                continue
            part, content = self._open(default)
            container.part.parts.append(part)
        return root

    def _enter(self, part: BodyPart) -> _Container | None:
        """Read a leaf's content, or the preamble of a multipart, and say whether parts follow."""
        if part.is_message:
            if self._messages >= _NESTED_MESSAGES:
                part.parts.append(_absent_message())
                self._content(part)
                return None
            self._messages += 1
            return _Container(part, 0, _PLAIN, None)
        if not part.is_multipart:
            self._content(part)
            return None
        boundary = _boundary(part)
        if boundary is None:
            self._content(part)
            return None
        self._boundaries.push(boundary)
        depth = len(self._boundaries)
        preamble = BodyPart()
        self._measure(preamble)
        default = _RFC822 if part.subtype == b"DIGEST" else _PLAIN
        return _Container(part, depth, default, preamble)

    def _next_default(self, container: _Container) -> tuple[bytes, bytes] | None:
        """The default type of the container's next part, None when it has no more."""
        if container.preamble is None:
            return None if container.part.parts else container.default
        depth = len(self._boundaries)
        limit = self._options.boundary_limit
        if depth == container.depth and (not limit or depth < limit):
            return container.default
        return None

    def _part_done(self, container: _Container) -> None:
        if container.preamble is not None and self._offset == self.size and container.part.parts:
            last = container.part.parts[-1]
            if last.boundary_size == 0:
                # the message ended inside this part, and with it every open multipart
                self._boundaries.close(0)

    def _leave(self, container: _Container) -> None:
        part = container.part
        if container.preamble is None:
            self._leave_message(part)
        else:
            self._leave_multipart(part, container.preamble, container.depth)

    def _leave_message(self, part: BodyPart) -> None:
        self._messages -= 1
        inner = part.parts[0]
        part.content_size = inner.header_size + inner.content_size
        part.content_lines = inner.header_lines + inner.content_lines
        part.boundary_size = inner.boundary_size
        part.boundary_lines = inner.boundary_lines
        self._digest(part)

    def _leave_multipart(self, part: BodyPart, preamble: BodyPart, depth: int) -> None:
        epilogue = BodyPart()
        if len(self._boundaries) == depth - 1:
            self._measure(epilogue)
        else:
            # an enclosing multipart's delimiter came first, and belongs to it
            last = part.parts[-1] if part.parts else preamble
            part.boundary_size = last.boundary_size
            part.boundary_lines = last.boundary_lines
            last.boundary_size = 0
            last.boundary_lines = 0
        size = preamble.content_size + preamble.boundary_size + epilogue.content_size
        lines = preamble.content_lines + preamble.boundary_lines + epilogue.content_lines
        for inner in part.parts:
            size += inner.header_size + inner.content_size + inner.boundary_size
            lines += inner.header_lines + inner.content_lines + inner.boundary_lines
        part.content_size = size
        part.content_lines = lines
        self.deep_multiparts += depth == self._options.boundary_limit
        part.boundary_size += epilogue.boundary_size
        part.boundary_lines += epilogue.boundary_lines

    def _open(self, default: tuple[bytes, bytes], *, top: bool = False) -> tuple[BodyPart, bool]:
        """Read the header of the next entity; False when a delimiter ended it before its content."""
        part = BodyPart()
        self._parts += 1
        text, whole = self._header(part)
        lines = text.count(b"\n")
        part.header_text = text
        part.header_size = len(text)
        part.header_lines = lines
        if text:
            self._scan(part, text, top=top)
        values = part.values
        at = values.get("content-type")
        found = None if at is None else fields.parse_type(text, at)
        if found is not None:
            part.type, part.subtype, part.params = found
        else:
            part.type, part.subtype = default
            if default is _PLAIN:
                part.params = _US_ASCII
        at = values.get("content-transfer-encoding")
        if at is not None:
            part.encoding = fields.parse_encoding(text, at)
        at = values.get("content-disposition")
        if at is not None:
            disposition = fields.parse_disposition(text, at)
            if disposition is not None:
                part.disposition, part.disposition_params = disposition
        if not whole and part.is_message:
            part.parts.append(_absent_message())
        return part, whole

    def _header(self, part: BodyPart) -> tuple[bytes, bool]:
        """Take the header: its text, and whether it ended by itself and not at a delimiter."""
        data = self.data
        start = self._offset
        part.header_offset = start
        if data[start : start + 2] == b"\r\n":
            end = start + 2
        else:
            if self._blank < start:
                found = data.find(b"\n\r\n", start)
                self._blank = self.size if found < 0 else found
            end = min(self._blank + 3, self.size)
        if self._boundaries:
            stop, after = self._delimiter(start, end)
            if stop >= 0:
                return self._cut_header(part, start, stop, after)
        self._offset = part.content_offset = end
        text = data[start:end]
        nul = text.find(b"\0")
        return (text if nul < 0 else text[:nul]), True

    def _cut_header(self, part: BodyPart, start: int, stop: int, after: int) -> tuple[bytes, bool]:
        """The header before the delimiter line that ended it; the line end before that belongs to it."""
        line = self.data[stop:after]
        nul = line.find(b"\0")
        part.boundary_size = len(line) if nul < 0 else nul
        part.boundary_lines = 1
        self._offset = part.content_offset = after
        text = b""
        if stop > start:
            part.boundary_size += 2
            part.boundary_lines += 1
            text = self.data[start : max(stop - 2, start)]
        nul = text.find(b"\0")
        return (text if nul < 0 else text[:nul]), False

    def _scan(self, part: BodyPart, text: bytes, *, top: bool) -> None:
        """Note where the values of the interesting fields start, and keep what the cache keeps."""
        limit = self._options.max_header_lines
        values = part.values
        kept: list[bytes] = []
        names = _FIELD_NAMES
        at = 0
        for number, line in enumerate(text.split(b"\n")):
            if number > limit > 0:
                self.long_headers += 1
                break
            colon = line.find(b":")
            if colon >= 0:
                name = line[:colon]
                key, cached = names[name]
                if key is not None:
                    if key == "received":
                        values.setdefault(key, at + colon + 1)
                    else:
                        values[key] = at + colon + 1
                if cached and top and name[:1] not in (b" ", b"\t") and b"\r" not in name:
                    kept.append(text[at : fields.address_end(text, at)])
                    kept.append(b"\r\n")
            at += len(line) + 1
        if top:
            self.cached_headers = b"".join(kept)

    def _content(self, part: BodyPart) -> None:
        self._measure(part)
        self._digest(part)

    def _measure(self, part: BodyPart) -> None:
        """Take content up to a delimiter of any open multipart, or to the end."""
        start = self._offset
        end = after = self.size
        if self._boundaries:
            stop, after = self._delimiter(start, self.size)
            if stop >= 0:
                end = stop
            else:
                after = self.size
        self._offset = after
        size = end - start
        lines = self._count_lines(start, end)
        if end < self.size:
            part.boundary_size = after - end
            part.boundary_lines = 1
            if lines:
                lines -= 1
                part.boundary_lines = 2
            if size > 1:
                size -= 2
                part.boundary_size += 2
        part.content_size = size
        part.content_lines = lines

    def _count_lines(self, start: int, end: int) -> int:
        data = self.data
        if isinstance(data, bytes):
            return data.count(b"\n", start, end)
        return sum(data[at : min(at + _CHUNK, end)].count(b"\n") for at in range(start, end, _CHUNK))

    def _digest(self, part: BodyPart) -> None:
        """Fill in the SHA-1 and size of the decoded content; they stay zero for an unknown encoding."""
        if not self._want_digest:
            return
        content = self.view[part.content_offset : part.content_offset + part.content_size]
        found = transfer.digest(content, part.transfer_encoding)
        if found is not None:
            part.content_guid, part.decoded_size = found

    def _delimiter(self, start: int, end: int) -> tuple[int, int]:
        """The first delimiter line that starts in [start, end): its start and end, or -1 and 0.

        A closing delimiter ends the multiparts down to its own.
        """
        data = self.data
        boundaries = self._boundaries
        look = boundaries.longest + 6
        limit = self._options.part_limit
        if limit and self._parts >= limit:
            return -1, 0
        at = start if data[start : start + 2] == b"--" else -1
        if at < 0:
            at = self._next_dashes(start, end)
        while 0 <= at < end:
            after = data.find(b"\n", at, self.size) + 1 or self.size
            if boundaries.matches(data[at + 2 : min(after, at + look)]):
                return at, after
            at = self._next_dashes(after - 1, end)
        return -1, 0

    def _next_dashes(self, start: int, end: int) -> int:
        at = self.data.find(b"\n--", start, min(end + 2, self.size))
        return at + 1 if at >= 0 else -1


class _Container:
    """An entity whose parts are being read: a multipart with its preamble, or a message/rfc822."""

    __slots__ = ("default", "depth", "part", "preamble")

    def __init__(
        self, part: BodyPart, depth: int, default: tuple[bytes, bytes], preamble: BodyPart | None
    ) -> None:
        self.part = part
        self.depth = depth
        self.default = default
        self.preamble = preamble


def _searchable(data: Source) -> bytes | mmap:
    """The same bytes as something with ``find``; large maps are not copied."""
    if isinstance(data, memoryview):
        whole = data.obj
        if isinstance(whole, bytes | mmap) and len(whole) == data.nbytes:
            data = whole
    if isinstance(data, bytes):
        return data
    if isinstance(data, mmap) and len(data) > _READ_WHOLE:
        return data
    return data[:] if isinstance(data, mmap) else bytes(data)


def _boundary(part: BodyPart) -> bytes | None:
    for attribute, value in part.params:
        if attribute == b"BOUNDARY":
            return value
        if attribute == b"BOUNDARY*":
            decoded = mimeheader.parse_mimexvalue(value)
            return value if decoded is None else decoded
    return None


def _absent_message() -> BodyPart:
    """The empty message inside a message/rfc822 whose content never came."""
    inner = BodyPart()
    inner.params = _US_ASCII
    return inner


def walk(root: BodyPart) -> Iterator[BodyPart]:
    """Every entity, parents before their parts, in order of appearance."""
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(part.parts))
