"""The parts of a message as the cache's body structure item has them (RFC 3501 section 7.4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

_TOKEN: Final = re.compile(rb' *(?:(\()|(\))|"([^"]*)"|\{(\d+)\}\r\n|([^ ()"{]+))')

Params = Sequence[tuple[bytes, bytes]]


class Part(NamedTuple):
    """Types, subtypes, dispositions and names of parameters are in capitals. "" for no disposition."""

    type: bytes
    subtype: bytes
    params: Params
    disposition: bytes
    disposition_params: Params


def parse_nested(text: bytes) -> list[Any]:
    """Parenthesized lists as lists, strings as bytes, in a list. ``ValueError`` for anything else."""
    outer: list[Any] = []
    stack = [outer]
    at, end = 0, len(text)
    while at < end:
        token = _TOKEN.match(text, at)
        if token is None:
            raise ValueError("no body structure")
        at = token.end()
        opening, closing, quoted, size, atom = token.groups()
        if opening is not None:
            inner: list[Any] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif closing is not None:
            stack.pop()
            if not stack:
                raise ValueError("a list ends that did not begin")
        elif size is not None:
            stack[-1].append(text[at : at + int(size)])
            at += int(size)
        else:
            stack[-1].append(quoted if atom is None else atom)
    return outer


def parts(item: bytes) -> Iterator[Part]:
    """Every part, multiparts and messages too, each before what is in it. ``ValueError`` for nonsense."""
    waiting = [parse_nested(item)[:1]]
    while waiting:
        bodies = waiting.pop()
        if not bodies:
            continue
        body, *rest = bodies
        if rest:
            waiting.append(rest)
        if not isinstance(body, list) or not body:
            raise ValueError("no body")
        if isinstance(body[0], list):
            inside = 0
            while inside < len(body) and isinstance(body[inside], list):
                inside += 1
            if inside == len(body):
                raise ValueError("multipart without subtype")
            params, disposition = _field(body, inside + 1), _field(body, inside + 2)
            yield _part(b"MULTIPART", body[inside], params, disposition)
            waiting.append(body[:inside])
            continue
        if len(body) < 7:
            raise ValueError("incomplete body")
        # what follows the fields of all: MD5 and disposition, or first the fields of texts and messages
        extension = 7
        if body[0] == b"TEXT":
            extension = 8
        elif body[0] == b"MESSAGE" and body[1] == b"RFC822":
            extension = 10
            if len(body) < 10:
                raise ValueError("incomplete message")
            waiting.append([body[8]])
        yield _part(body[0], body[1], body[2], _field(body, extension + 1))


def _field(body: list[Any], place: int) -> Any:
    return body[place] if place < len(body) else b"NIL"


def _part(type_: Any, subtype: Any, params: Any, disposition: Any) -> Part:
    name, fields = b"", b"NIL"
    if isinstance(disposition, list) and disposition:
        name, fields = disposition[0], _field(disposition, 1)
    if not isinstance(type_, bytes) or not isinstance(subtype, bytes) or not isinstance(name, bytes):
        raise ValueError("no name of a type")
    return Part(type_, subtype, _params(params), name, _params(fields))


def _params(value: Any) -> Params:
    if not isinstance(value, list):
        return ()
    words = [word if isinstance(word, bytes) else b"" for word in value]
    return [(name.upper(), text) for name, text in zip(words[::2], words[1::2], strict=False)]
