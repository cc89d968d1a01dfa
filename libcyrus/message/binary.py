"""Parts whose transfer encoding is ``binary`` (RFC 3516 section 4.4), made base64 so that they can be stored.

The header field is changed in place, ``base64`` being as long as ``binary``. A multipart or message/rfc822
that calls itself binary gets the field changed too, as the original does it, and its parts by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from mmap import mmap

from libcyrus.message import structure
from libcyrus.message.body import BodyPart
from libcyrus.message.options import DEFAULT, ParseOptions
from libcyrus.text.transfer import encode_base64_body

_BINARY = b"BINARY"
_FIELD = re.compile(rb"^content-transfer-encoding[ \t]*:[^a-z]*binary", re.IGNORECASE | re.MULTILINE)

# 54 octets make a line, so that blocks of this size do not show
_BLOCK = 54 * 4096


def encoded(data: bytes | mmap, options: ParseOptions = DEFAULT) -> Iterator[bytes]:
    """The message in blocks, with its binary parts in base64; memory is bounded whatever the parts' size."""
    waiting = [structure(data, options)]
    at = 0
    while waiting:
        part = waiting.pop()
        waiting.extend(reversed(part.parts))
        if part.encoding != _BINARY:
            continue
        field = _FIELD.search(part.header_text)
        if field is not None:
            end = part.header_offset + field.end()
            yield from _blocks(data, at, end - len(_BINARY))
            yield b"base64"
            at = end
        if _is_leaf(part):
            yield from _blocks(data, at, part.content_offset)
            at = part.content_offset + part.content_size
            for block in _blocks(data, part.content_offset, at):
                yield encode_base64_body(block)
    yield from _blocks(data, at, len(data))


def _is_leaf(part: BodyPart) -> bool:
    if part.is_message:
        return False
    return not part.is_multipart or not (part.parts or any(name == b"BOUNDARY" for name, _ in part.params))


def _blocks(data: bytes | mmap, start: int, end: int) -> Iterator[bytes]:
    for at in range(start, end, _BLOCK):
        yield data[at : min(at + _BLOCK, end)]
