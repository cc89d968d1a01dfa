"""Header fields of one entity: find them, read their values (RFC 5322 section 2.2, RFC 2045, RFC 2231).

All functions take the header text and the position just after the field's
colon. A field ends at a line end that no blank follows.
"""

from __future__ import annotations

import re
from typing import Final

from libcyrus.text import mimeheader

Params = list[tuple[bytes, bytes]]

# Fields the envelope, the body structure or the index record need, by their name in lower case.
KEYS: Final = frozenset(
    """bcc cc content-description content-disposition content-id content-language content-location
    content-md5 content-transfer-encoding content-type date from in-reply-to message-id reply-to received
    references subject sender to x-deliveredinternaldate x-me-message-id""".split()
)

_SPACE: Final = re.compile(rb"(?:[ \t\r\v\f]|\n(?=[ \t]))*")
_COMMENT: Final = re.compile(rb"[^()\\\n\x00]+")
_WORD: Final = re.compile(rb"[^\x00-\x20\x80-\xff()<>@,;:\\\"/\[\]?=]*")
_PLAIN_VALUE: Final = re.compile(rb"[^;(\r\x00-\x08\x0a-\x1f]*")
_SKIP: Final = re.compile(rb"[^;\r\n\x00]*;?")
_QUOTED: Final = re.compile(rb'"((?:[^"\\\r\x00]++|\\[^\r\x00]|\\?\r\n[ \t])*)"')
_QUOTED_FOLD: Final = re.compile(rb"\\([^\x00])|\r\n", re.DOTALL)
_LANGUAGE: Final = re.compile(rb"[A-Za-z\-]*")
_SECTION: Final = re.compile(rb"([^*]*)\*0(\*?)\Z")
_EXTENDED_UNSAFE: Final = re.compile(rb"[\x00-\x20\x7f-\xff*'%()<>@,;:\\\"/\[\]?=]")

# A token may end only where one of these follows; anything else spoils the field.
_AFTER_TYPE: Final = frozenset(b" \t\n\v\f\r/(")
_AFTER_SUBTYPE: Final = frozenset(b" \t\n\v\f\r;(")
_AFTER_ATTRIBUTE: Final = frozenset(b" \t\n\v\f\r=(")
_AFTER_ENCODING: Final = frozenset(b" \t\n\v\f\r(")
_AFTER_LANGUAGE: Final = frozenset(b" \t\n\v\f\r,(")


def field_end(text: bytes, at: int) -> int:
    """Where the field ends, its last line end included; a line end at ``at`` itself is passed over."""
    size = len(text)
    while True:
        at = text.find(b"\n", at + 1)
        if at < 0:
            return size
        if text[at + 1 : at + 2] not in (b" ", b"\t"):
            return at + 1


def address_end(text: bytes, at: int) -> int:
    """Where an address list ends, without the line end."""
    return _trim_end(text, at, field_end(text, at))


def _trim_end(text: bytes, at: int, end: int) -> int:
    if end > at and text[end - 1] == 0x0A:
        end -= 1
        if end > at and text[end - 1] == 0x0D:
            end -= 1
    return end


def parse_string(text: bytes, at: int) -> bytes:
    """The unfolded value: leading blanks and line ends go, the blanks of folds stay."""
    size = len(text)
    while at < size and text[at] in b" \t":
        at += 1
    value = text[at : _trim_end(text, at, field_end(text, at))]
    if b"\n" in value:
        value = value.replace(b"\r\n", b"").replace(b"\n", b"")
    return value


def skip_space(text: bytes, at: int) -> int:
    """Pass white space and comments (RFC 822); -1 when the field ends there."""
    size = len(text)
    while True:
        blank = _SPACE.match(text, at)
        assert blank is not None
        at = blank.end()
        if at >= size or text[at] in b"\n\0":
            return -1
        if text[at] != 0x28:
            return at
        at = _skip_comment(text, at + 1)
        if at < 0:
            return -1


def _skip_comment(text: bytes, at: int) -> int:
    size = len(text)
    depth = 1
    while depth:
        plain = _COMMENT.match(text, at)
        if plain is not None:
            at = plain.end()
        if at >= size:
            return -1
        byte = text[at]
        at += 1
        if byte == 0x28:
            depth += 1
        elif byte == 0x29:
            depth -= 1
        elif byte == 0x5C or byte == 0x0A and text[at : at + 1] in (b" ", b"\t"):
            at += 1
        else:
            return -1
    return at


def _token(text: bytes, at: int, after: frozenset[int]) -> int:
    """The end of the token at ``at``, -1 when a byte that may not follow one follows."""
    word = _WORD.match(text, at)
    assert word is not None
    end = word.end()
    return end if end >= len(text) or text[end] in after or text[end] == 0 else -1


def parse_encoding(text: bytes, at: int) -> bytes | None:
    """Content-Transfer-Encoding in upper case, None if blank or malformed."""
    at = skip_space(text, at)
    if at < 0:
        return None
    end = _token(text, at, _AFTER_ENCODING)
    if end < 0 or skip_space(text, end) >= 0:
        return None
    return text[at:end].upper()


def parse_type(text: bytes, at: int) -> tuple[bytes, bytes, Params] | None:
    """Content-Type as type, subtype and parameters, names in upper case; None if blank or malformed."""
    at = skip_space(text, at)
    if at < 0:
        return None
    recoded = False
    if text.startswith(b"=?", at) and len(text) - at > 2:
        # ancient mailers encode the whole field when a file name is not ASCII
        end = text.find(b"\0", at)
        original = text[at:] if end < 0 else text[at:end]
        decoded = mimeheader.decode_mimeheader(original, mimeheader.KEEPCASE)
        if decoded != original:
            text, at, recoded = decoded, 0, True
    end = _token(text, at, _AFTER_TYPE)
    if end < 0:
        return None
    major = text[at:end]
    at = skip_space(text, end)
    if at < 0 or text[at] != 0x2F:
        return None
    at = skip_space(text, at + 1)
    if at < 0:
        return None
    end = _token(text, at, _AFTER_SUBTYPE)
    if end < 0:
        return None
    minor = text[at:end]
    at = skip_space(text, end)
    params: Params = []
    if at >= 0:
        if text[at] != 0x3B:
            return None
        params = parse_params(text, at + 1)
        if recoded:
            params = [_recode(attribute, value) for attribute, value in params]
    return major.upper(), minor.upper(), params


def _recode(attribute: bytes, value: bytes) -> tuple[bytes, bytes]:
    if attribute and not attribute.endswith(b"*") and not value.isascii():
        value = mimeheader.encode_mimeheader(value)
    return attribute, value


def parse_disposition(text: bytes, at: int) -> tuple[bytes, Params] | None:
    """Content-Disposition and its parameters (RFC 2183), names in upper case; None if blank or malformed."""
    at = skip_space(text, at)
    if at < 0:
        return None
    end = _token(text, at, _AFTER_SUBTYPE)
    if end < 0:
        return None
    disposition = text[at:end].upper()
    at = skip_space(text, end)
    if at < 0:
        return disposition, []
    if text[at] != 0x3B:
        return None
    return disposition, parse_params(text, at + 1)


def parse_language(text: bytes, at: int) -> list[bytes]:
    """The tags of Content-Language in upper case, as far as they are well formed (RFC 3282)."""
    found: list[bytes] = []
    while True:
        at = skip_space(text, at)
        if at < 0:
            return found
        tag = _LANGUAGE.match(text, at)
        assert tag is not None
        end = tag.end()
        if end < len(text) and text[end] not in _AFTER_LANGUAGE and text[end] != 0:
            return found
        after = skip_space(text, end)
        if after >= 0 and text[after] != 0x2C:
            return found
        found.append(text[at:end].upper())
        if after < 0:
            return found
        at = after + 1


def parse_params(text: bytes, at: int) -> Params:
    """The parameters after a semicolon, attributes in upper case, continuations joined (RFC 2231).

    A malformed parameter is passed over to the next semicolon.
    """
    found: Params = []
    while True:
        at = skip_space(text, at)
        if at < 0:
            break
        end = _token(text, at, _AFTER_ATTRIBUTE)
        if end < 0:
            at = _skip(text, _WORD.match(text, at).end())  # type: ignore[union-attr]
            continue
        attribute = text[at:end]
        at = skip_space(text, end)
        if at < 0:
            break
        at += 1
        if text[at - 1] != 0x3D:
            at = _skip(text, at)
            continue
        at = skip_space(text, at)
        if at < 0:
            break
        if text[at] == 0x22:
            quoted = _QUOTED.match(text, at)
            if quoted is None:
                break
            value = quoted.group(1)
            if b"\\" in value or b"\r" in value:
                value = _QUOTED_FOLD.sub(_unquote, value)
            at = quoted.end()
        else:
            start, at = at, _plain_value_end(text, at)
            if at < 0:
                at = _skip(text, -at)
                continue
            value = text[start:at]
        at = skip_space(text, at)
        if at >= 0:
            at += 1
            if text[at - 1] != 0x3B:
                at = _skip(text, at)
                continue
        found.append((attribute.upper(), value))
        if at < 0:
            break
    if len(found) and any(b"*" in attribute for attribute, _ in found):
        return _join_continuations(found)
    return found


def _unquote(escape: re.Match[bytes]) -> bytes:
    return escape.group(1) or b""


def _skip(text: bytes, at: int) -> int:
    rest = _SKIP.match(text, at)
    return at if rest is None else rest.end()


def _plain_value_end(text: bytes, at: int) -> int:
    """The end of an unquoted value without trailing blanks; minus the position of a bad byte."""
    last = at
    while True:
        plain = _PLAIN_VALUE.match(text, at)
        assert plain is not None
        stripped = plain.group().rstrip(b" \t")
        if stripped:
            last = at + len(stripped) - 1
        at = plain.end()
        if at >= len(text) or text[at] in b";(\0":
            break
        if text[at] != 0x0D:
            return -at
        if text[at + 1 : at + 2] != b"\n" or text[at + 2 : at + 3] not in (b" ", b"\t"):
            break
        at += 2
    return last + 1


def _join_continuations(params: Params) -> Params:
    """Join ``name*0``, ``name*1``... in order; one extended section makes the whole extended."""
    joined: list[tuple[bytes, bytes] | None] = list(params)
    # places of every name, the first one last so that it can be popped
    places: dict[bytes, list[int]] = {}
    for place in range(len(params) - 1, -1, -1):
        places.setdefault(params[place][0], []).append(place)
    for place, entry in enumerate(joined):
        first = None if entry is None else _SECTION.match(entry[0])
        if entry is None or first is None:
            continue
        name, extended = first.group(1), bool(first.group(2))
        pieces = [entry[1]]
        for section in range(1, 100):
            taken = _take_section(places, name + b"*%d" % section)
            if taken is None:
                break
            number, is_extended = taken
            value = params[number][1]
            joined[number] = None
            if is_extended and not extended:
                pieces = [b"''", *map(_percent, pieces)]
                extended = True
            elif extended and not is_extended:
                value = _percent(value)
            pieces.append(value)
        joined[place] = (name + b"*" if extended else name, b"".join(pieces))
    return [entry for entry in joined if entry is not None]


def _take_section(places: dict[bytes, list[int]], name: bytes) -> tuple[int, bool] | None:
    """Take the place of the first parameter called ``name`` or ``name*``, and say if it was the latter."""
    simple = places.get(name)
    extended = places.get(name + b"*")
    if extended and (not simple or extended[-1] < simple[-1]):
        return extended.pop(), True
    return (simple.pop(), False) if simple else None


def _percent(value: bytes) -> bytes:
    return _EXTENDED_UNSAFE.sub(lambda unsafe: b"%%%02X" % unsafe.group()[0], value)
