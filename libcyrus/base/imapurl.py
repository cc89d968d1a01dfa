"""IMAP URLs (RFC 5092, with the URLAUTH parts of RFC 4467), as leniently read as the original reads them.

``imap://USER@SERVER/MAILBOX;UIDVALIDITY=n/;UID=n/;SECTION=s/;PARTIAL=n.n;EXPIRE=t;URLAUTH=access:mech:token``,
or from the mailbox on. Parameter names may be in any case, their order is fixed.
"""

from __future__ import annotations

import re
from typing import Final

from libcyrus.base import times
from libcyrus.base.dataclasses import dataclass

_NUMBER: Final = re.compile(rb"[ \t-\r]*([+-]?[0-9]+)")
_HEX: Final = re.compile(rb"%(?=..)([0-9A-Fa-f]{2})?", re.DOTALL)
_SCHEME: Final = b"imap://"
_UNSAFE: Final = frozenset(b' "#%&+:;<=>?@[\\]^`{|}')
_MAX_UNSIGNED: Final = 0xFFFFFFFFFFFFFFFF


class BadImapUrl(ValueError):
    """The text is no IMAP URL."""


@dataclass(slots=True)
class ImapUrl:
    """The parts of a URL; 0 and None for those that it has not.

    ``mailbox`` is in UTF-8 as it stood there, its percent encoding undone, unless ``is_plain``: then it is
    as a client would spell it. ``expire`` is in seconds. ``rump`` is what a token is made for, the URL up to
    the mechanism.
    """

    user: bytes | None = None
    server: bytes | None = None
    mailbox: bytes | None = None
    is_plain: bool = False
    uidvalidity: int = 0
    uid: int = 0
    section: bytes | None = None
    start: int = 0
    count: int = 0
    expire: int = 0
    access: bytes | None = None
    mechanism: bytes | None = None
    token: bytes | None = None
    rump: bytes = b""


def parse(text: bytes) -> ImapUrl:
    """Raises BadImapUrl."""
    url = ImapUrl(rump=text)
    if text.startswith(b"{"):
        # {server}mailbox, of c-client
        server, brace, mailbox = text[1:].partition(b"}")
        if not brace:
            raise BadImapUrl
        url.server, url.mailbox, url.is_plain = server, mailbox, True
        return url
    path = text.removeprefix(b"/")
    if text.startswith(_SCHEME):
        path = _authority(url, text[len(_SCHEME) :])
    mailbox, *parameters = path.split(b";")
    if parameters:
        mailbox = mailbox.removesuffix(b"/")
    _parameters(url, parameters)
    url.mailbox = _decoded(mailbox) if mailbox else None
    return url


def referral(server: str, mechanism: str, mailbox: str) -> str:
    """The URL of a mailbox on another server, where the client logs in by ``mechanism`` or, ``*``, by any."""
    path = "".join(
        chr(octet) if 0x20 <= octet <= 0x7E and octet not in _UNSAFE else f"%{octet:02X}"
        for octet in mailbox.encode("utf-8", "surrogateescape")
    )
    return f"imap://;AUTH={mechanism}@{server}/{path}"


def _authority(url: ImapUrl, rest: bytes) -> bytes:
    """Take in ``user@server/``; what follows."""
    slash, at = rest.find(b"/"), rest.find(b"@")
    if slash < 0:
        raise BadImapUrl
    if at > slash:
        # an address further on is taken for the server
        url.user, url.server = _decoded(rest[:slash]), rest[at + 1 :]
        return rest[slash + 1 : at]
    if at >= 0:
        url.user = _decoded(rest[:at])
    url.server = rest[at + 1 : slash]
    return rest[slash + 1 :]


def _parameters(url: ImapUrl, parameters: list[bytes]) -> None:
    step = 0
    for number, parameter in enumerate(parameters, 1):
        if number < len(parameters):
            parameter = parameter.removesuffix(b"/")
        name, _, value = parameter.partition(b"=")
        name = name.lower()
        if name == b"uidvalidity" and step == 0:
            url.uidvalidity, step = _number(value)[0], 1
        elif name == b"uid" and step <= 1:
            url.uid, step = _number(value)[0], 2
        elif name == b"section" and step == 2:
            url.section, step = value, 3
        elif name == b"partial" and 2 <= step <= 3:
            url.start, rest = _number(value)
            if rest.startswith(b"."):
                url.count, rest = _number(rest[1:])
            step = 4
        elif name == b"expire" and 2 <= step < 5:
            expire = times.from_iso8601(value.removesuffix(b"/").decode("latin-1"))
            if expire is None:
                raise BadImapUrl
            url.expire, step = expire, 5
        elif name == b"urlauth" and 2 <= step < 6:
            _urlauth(url, value)
            if url.mechanism is not None and url.token is None:
                # nothing is read behind a mechanism without token
                return
            step = 6
        else:
            raise BadImapUrl


def _urlauth(url: ImapUrl, value: bytes) -> None:
    url.access, colon, rest = value.partition(b":")
    if not colon:
        return
    url.mechanism, colon, token = rest.partition(b":")
    if colon:
        url.token = token
    url.rump = url.rump[: len(url.rump) - len(value) + len(url.access)]


def _number(text: bytes) -> tuple[int, bytes]:
    """What strtoul reads, and what follows."""
    found = _NUMBER.match(text)
    if found is None or len(found[1]) > 21:
        raise BadImapUrl
    value = int(found[1])
    if abs(value) > _MAX_UNSIGNED:
        raise BadImapUrl
    return value & _MAX_UNSIGNED, text[found.end() :]


def _decoded(text: bytes) -> bytes:
    if b"%" not in text:
        return text

    def octet(found: re.Match[bytes]) -> bytes:
        if found[1] is None:
            raise BadImapUrl
        return bytes.fromhex(found[1].decode("ascii"))

    return _HEX.sub(octet, text).split(b"\0", 1)[0]
