"""Write ENVELOPE, BODY and BODYSTRUCTURE as the cache holds them (RFC 3501 section 7.4.2).

Strings are quoted when they are short and plain, else literals; a part's tree
is written with a list, not the call stack.
"""

from __future__ import annotations

import re
from typing import Final

from libcyrus.message.body import BodyPart, Params
from libcyrus.text.addresses import Address
from libcyrus.text.mimeheader import parse_mimeheader

_LITERAL: Final = re.compile(rb'[\x00\x80-\xff\r\n"%\\]')
_LONGEST_QUOTED: Final = 1023

_NOT_ATEXT: Final = re.compile(rb"[^A-Za-z0-9 \t\n\v\f\r!#$%&'*+\-/=?^_`{|}~]")
_QUOTED_SPECIAL: Final = re.compile(rb'[\\"]')

# What a multipart without parts is shown as, since IMAP has no such thing.
_EMPTY_TEXT: Final = BodyPart()
_EMPTY_TEXT.params = [(b"CHARSET", b"us-ascii")]


def nstring(value: bytes | None) -> bytes:
    """NIL, a quoted string or a literal."""
    if value is None:
        return b"NIL"
    if len(value) > _LONGEST_QUOTED or _LITERAL.search(value):
        return b"{%d}\r\n%b" % (len(value), value)
    return b'"%b"' % value


def address_list(addresses: list[Address]) -> bytes:
    """The list as IMAP address structures, NIL when empty."""
    if not addresses:
        return b"NIL"
    entries = [
        b"(%b %b %b %b)" % (nstring(name), nstring(route), nstring(mailbox), nstring(domain))
        for name, route, mailbox, domain, _ in addresses
    ]
    return b"(%b)" % b"".join(entries)


def search_addresses(addresses: list[Address], *, utf8: bool = False) -> bytes:
    """The list as the cache keeps it for SEARCH and SORT: decoded names in UTF-8, addresses in lower case."""
    out: list[bytes] = []
    comma = False
    for name, route, mailbox, domain, _ in addresses:
        if domain is None:
            if mailbox is None:
                out.append(b";")
                comma = True
                continue
            if comma:
                out.append(b",")
            out.append(parse_mimeheader(mailbox, utf8=utf8) + b":")
            comma = False
            continue
        if comma:
            out.append(b",")
        if name is not None:
            name = parse_mimeheader(name, utf8=utf8)
            if _NOT_ATEXT.search(name):
                name = b'"%b"' % _QUOTED_SPECIAL.sub(rb"\\\g<0>", name)
            out.append(name + b" ")
        out.append(b"<")
        if route is not None:
            out.append(route.lower() + b":")
        out.append(b"%b@%b>" % ((mailbox or b"").lower(), domain.lower()))
        comma = True
    return b"".join(out)


def envelope(part: BodyPart) -> bytes:
    """The envelope of the message whose header ``part`` has."""
    sent_by = address_list(part.addresses("from"))
    return b"(%b %b %b %b %b %b %b %b %b %b)" % (
        nstring(part.string("date")),
        nstring(part.string("subject")),
        sent_by,
        _addresses_or(part, "sender", sent_by),
        _addresses_or(part, "reply-to", sent_by),
        address_list(part.addresses("to")),
        address_list(part.addresses("cc")),
        address_list(part.addresses("bcc")),
        nstring(part.string("in-reply-to")),
        nstring(part.string("message-id")),
    )


def _addresses_or(part: BodyPart, name: str, otherwise: bytes) -> bytes:
    addresses = part.addresses(name)
    return address_list(addresses) if addresses else otherwise


def body_with_places(root: BodyPart) -> bytes:
    """BODYSTRUCTURE in which parts also say where their content is, for ``annotation_callout``."""
    return _write(root, places=True)[1]


def body(root: BodyPart) -> tuple[bytes, bytes]:
    """BODY and BODYSTRUCTURE of the tree, in that order."""
    return _write(root, places=False)


def _write(root: BodyPart, *, places: bool) -> tuple[bytes, bytes]:
    short: list[bytes] = []
    full: list[bytes] = []
    # what is still to be written, last first: a part, or texts that follow its parts
    waiting: list[BodyPart | tuple[bytes, bytes]] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, tuple):
            short.append(item[0])
            full.append(item[1])
            continue
        if item.is_multipart:
            if item.parts:
                short.append(b"(")
                full.append(b"(")
                subtype = nstring(item.subtype)
                tail = (b" %b)" % subtype, b" %b %b %b)" % (subtype, _params(item.params), _tail(item)))
                waiting.append(tail)
                waiting.extend(reversed(item.parts))
                continue
            item = _EMPTY_TEXT
        head = _head(item)
        short.append(head)
        full.append(head)
        if item.is_message:
            start = b" %b " % envelope(item.parts[0])
            short.append(start)
            full.append(start)
            waiting.append(_end(item, places=places))
            waiting.append(item.parts[0])
            continue
        end = _end(item, places=places)
        short.append(end[0])
        full.append(end[1])
    return b"".join(short), b"".join(full)


def _head(part: BodyPart) -> bytes:
    return b"(%b %b %b %b %b %b %d" % (
        nstring(part.type),
        nstring(part.subtype),
        _params(part.params),
        nstring(part.string("content-id")),
        nstring(part.string("content-description")),
        nstring(part.encoding if part.encoding is not None else b"7BIT"),
        part.content_size,
    )


def _end(part: BodyPart, *, places: bool) -> tuple[bytes, bytes]:
    """What follows the common start of a single part, in BODY and in BODYSTRUCTURE."""
    lines = b" %d" % part.content_lines if part.type == b"TEXT" or part.is_message else b""
    place = b" (OFFSET %d HEADERSIZE %d)" % (part.content_offset, part.header_size) if places else b""
    return lines + b")", b"%b %b %b%b)" % (lines, nstring(part.string("content-md5")), _tail(part), place)


def _tail(part: BodyPart) -> bytes:
    """Disposition, language and location, the extension fields all parts end in."""
    if part.disposition is None:
        disposition = b"NIL"
    else:
        disposition = b"(%b %b)" % (nstring(part.disposition), _params(part.disposition_params))
    language = part.language
    return b"%b %b %b" % (
        disposition,
        b"(%b)" % b" ".join(map(nstring, language)) if language else b"NIL",
        nstring(part.string("content-location")),
    )


def _params(params: Params) -> bytes:
    if not params:
        return b"NIL"
    return b"(%b)" % b" ".join([b"%b %b" % (nstring(name), nstring(value)) for name, value in params])
