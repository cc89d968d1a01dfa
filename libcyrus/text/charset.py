"""Charsets by the names mail uses, and their conversion to Unicode.

A name is looked up in a table of the original's own first (mail's iso-8859-1
is really windows-1252), then among ICU's names, which compare by letters and
digits only. Conversion never fails: what is no character becomes U+FFFD.
"""

from __future__ import annotations

import codecs
import re
import zlib
from base64 import b85decode
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Final, NamedTuple

from libcyrus.text import charset_tables, cns11643, mutf7, shifting

REPLACEMENT: Final = "\ufffd"

US_ASCII: Final = "us-ascii"
UTF_8: Final = "utf-8"

_LONGEST_NAME: Final = 59

# Names that mean something else in mail, or that no registry has.
_ALIASES: Final = {
    alias: canonical
    for canonical, aliases in {
        "utf-8": "utf8 unicode-1-1-utf-8",
        "utf-7": "utf7 unicode-1-1-utf-7",
        "IMAP-mailbox-name": "imap-utf-7",
        "us-ascii": "ascii ansi_x3.4-1968 usascii",
        "windows-1252": """iso-8859-1 iso_8859_1 iso_8859-1 iso_8859 iso-8859 8859_1 iso--8859-1 so-8859-1
            en_gb auto unknown unknown-8bit x-unknown x-user-defined x-europa none latin1 iso8859-1 8859-1
            es-windows-1252 display any 1252 cp1252 cp-1252 win-1252""",
        "macintosh": "x-mac-roman mac csmacintosh",
        "iso-8859-1": "646 iso646-us",
        "iso-8859-2": "8859_2",
        "iso-8859-9": "x-mac-turkish",
        "iso-8859-7": "greek-ccitt",
        "iso-8859-8": "iso-8859-8-i",
        "iso-8859-15": "iso8859_15_fdis iso8859-15",
        "iso-8859-11": "tis-620 x-mac-thai",
        "iso-8859-6": "asmo-708",
        "koi8-r": "win-koi8 koi8-r",
        "koi8-u": "koi8-u",
        "iso-2022-jp": "_iso-2022-jp$esc _iso-2022-jp csiso2022jp",
        "ksc5601": "ks_c_5601",
        "windows-1250": "1250 cp1250 win-1250 238",
        "windows-1251": "1251 cp1251 win-1251",
        "windows-1254": "1254 cp1254 win-1254",
        "windows-1255": "1255 cp1255 win-1255",
        "windows-1256": "1256 cp1256 win-1256 win1256",
        "windows-1257": "1257 cp1257 win-1257",
        "windows-1258": "1258 cp1258 win-1258",
        "windows-850": "cp850 cp-850 dos-latin1 msdos-latin1",
        "windows-31j": "cp932 cp-932 win-31j shift_jis",
        "windows-936": "cp936 cp-936 win-936 gbk x-gbk gb2312",
        "big5": "136",
    }.items()
    for alias in aliases.split()
}
_CANONICAL: Final = {canonical.lower(): canonical for canonical in _ALIASES.values()}

# Charsets of ICU that are neither single-byte nor double-byte, and the codec that reads them.
_CODECS: Final = {
    "UTF-8": "utf-8",
    "UTF-16BE": "utf-16-be",
    "UTF-16LE": "utf-16-le",
    "UTF-32BE": "utf-32-be",
    "UTF-32LE": "utf-32-le",
    "gb18030": "gb18030",
    "ISO_2022,locale=ja,version=0": "iso2022_jp_ext",
    "ISO_2022,locale=ja,version=1": "iso2022_jp_ext",
    "ISO_2022,locale=ja,version=2": "iso2022_jp_2",
    "ISO_2022,locale=ja,version=3": "iso2022_jp_ext",
    "ISO_2022,locale=ja,version=4": "iso2022_jp_ext",
}

_OWN: Final = {
    "UTF-7": shifting.decode_utf7,
    "euc-tw-2014": cns11643.decode_euc_tw,
    "ibm-964_P110-1999": cns11643.decode_euc_tw,
    "ISO_2022,locale=ko,version=0": shifting.decode_iso2022_kr,
    "ISO_2022,locale=ko,version=1": shifting.decode_iso2022_kr,
}

# Charsets whose byte order is told by a mark at the start: the codec of the mark, the one without a mark.
_MARKED: Final = {
    "UTF-16": ("utf-16", "utf-16-be"),
    "UTF-16BE,version=1": ("utf-16", "utf-16-be"),
    "UTF-16LE,version=1": ("utf-16", "utf-16-le"),
    "UTF-16,version=1": ("utf-16", "utf-16-be"),
    "UTF-16,version=2": ("utf-16", "utf-16-be"),
    "UTF-32": ("utf-32", "utf-32-be"),
}
_NO_ESCAPE: Final = re.compile(rb"\x1b(?![$(&.NO])")
_NO_SHIFTS: Final = dict.fromkeys([0x0E, 0x0F, 0x1B, *range(0x80, 0xA0)], REPLACEMENT)
_MARKS: Final = (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE)

_SEPARATORS: Final = re.compile(r"[^a-z0-9]")
_LEADING_ZEROS: Final = re.compile(r"(?<![0-9])0+(?=[0-9])")


class Charset(NamedTuple):
    """A charset as some message names it. ``canonical`` is equal for all names of one charset."""

    name: bytes
    canonical: str
    decode: Callable[[bytes], str]


def lookup(name: bytes) -> Charset | None:
    """The charset called ``name``, None if there is no such name."""
    found = _lookup(name[: _LONGEST_NAME * 4])
    return None if found is None else Charset(name, *found)


def load_codecs() -> None:
    """Import every codec that mail may call for, for a process that may not be able to later."""
    marked = [codec for pair in _MARKED.values() for codec in pair]
    others = ("big5", "euc_kr", "utf-16", "utf-16-be")
    for codec in {*_CODECS.values(), *charset_tables.PYTHON_SINGLE.values(), *marked, *others}:
        codecs.lookup(codec)


def known_name(name: bytes) -> bool:
    """Whether ``lookup`` would find the name."""
    return _lookup(name[: _LONGEST_NAME * 4]) is not None


@lru_cache(maxsize=1024)
def _lookup(name: bytes) -> tuple[str, Callable[[bytes], str]] | None:
    lower = name.decode("latin-1").lower() if name.isascii() else ""
    canonical = _ALIASES.get(lower) or _CANONICAL.get(lower)
    if canonical == US_ASCII:
        return US_ASCII, _decode_ascii
    if canonical == UTF_8:
        return UTF_8, decode_utf8
    icu = _icu_name(canonical or name.decode("latin-1"))
    if icu is None:
        return None
    return canonical or icu, _decoder(icu)


def _icu_name(name: str) -> str | None:
    names = _icu_names()
    base, comma, choices = name.partition(",")
    if len(base) > _LONGEST_NAME or not base:
        return None
    found = names.get(_stripped(base))
    if found is None and base.startswith("x-"):
        found = names.get(_stripped(base[2:]))
    if comma:
        # some charsets come in versions, whose names are that of the charset and the choice
        for chosen in (name, f"{found},{choices}"):
            if chosen in names.values():
                return chosen
    return found


def _stripped(name: str) -> str:
    """Letters and digits in lower case, no leading zeros: what ICU compares."""
    return _SEPARATORS.sub("", _LEADING_ZEROS.sub("", name.lower()))


@cache
def _icu_names() -> dict[str, str]:
    names: dict[str, str] = {}
    canonical = ""
    for line in charset_tables.NAMES.splitlines():
        first, *others = line.split(" ")
        if first != "+":
            canonical = first
        for other in others:
            names[other] = canonical
    return names


@cache
def _decoder(icu: str) -> Callable[[bytes], str]:
    if icu == "US-ASCII":
        return _decode_plain_ascii
    if icu == "IMAP-mailbox-name":
        return mutf7.decode_lenient
    if icu == "CESU-8":
        return _decode_cesu8
    if icu in _OWN:
        return _OWN[icu]
    if icu.startswith("ISO_2022,locale=zh"):
        return cns11643.iso2022_cn(_decoder("windows-936-2000"))
    if icu == "HZ":
        return shifting.hz(_decoder("windows-936-2000"))
    if icu in _MARKED:
        return _marked_decoder(*_MARKED[icu])
    codec = _CODECS.get(icu)
    if codec is not None:
        if codec.startswith("iso2022"):
            return shifting.iso2022_jp(_shifting_decoder(codec), _decoder("ibm-943_P15A-2003"))
        return _codec_decoder(codec)
    python = charset_tables.PYTHON_SINGLE.get(icu)
    if python is not None:
        return _codec_decoder(python)
    single = _single_tables().get(icu)
    if single is not None:
        return _single_decoder(single)
    if icu in charset_tables.DOUBLE:
        return _DoubleByte(*charset_tables.DOUBLE[icu]).decode
    # a charset that no mail was ever seen in: its ASCII can be read, if it has any
    return _decode_plain_ascii


def _codec_decoder(codec: str) -> Callable[[bytes], str]:
    decode = codecs.getdecoder(codec)

    def decode_all(data: bytes) -> str:
        return decode(data, "replace")[0]

    return decode_all


def _shifting_decoder(codec: str) -> Callable[[bytes], str]:
    decode = codecs.getdecoder(codec)

    def decode_all(data: bytes) -> str:
        # Python lets through what looks like a shift but is none
        return decode(_NO_ESCAPE.sub(b"\xff", data), "replace")[0].translate(_NO_SHIFTS)

    return decode_all


def _marked_decoder(marked: str, unmarked: str) -> Callable[[bytes], str]:
    def decode_all(data: bytes) -> str:
        return data.decode(marked if data.startswith(_MARKS) else unmarked, "replace")

    return decode_all


def _single_decoder(table: str) -> Callable[[bytes], str]:
    def decode_all(data: bytes) -> str:
        return codecs.charmap_decode(data, "replace", table)[0]

    return decode_all


@cache
def _single_tables() -> dict[str, str]:
    text = zlib.decompress(b85decode(charset_tables.SINGLE_TABLES)).decode("utf-16-be")
    names = charset_tables.SINGLE.split()
    return {name: text[at * 256 : at * 256 + 256] for at, name in enumerate(names)}


def _decode_ascii(data: bytes) -> str:
    return data.decode("ascii", "replace").replace("\0", "")


def _decode_plain_ascii(data: bytes) -> str:
    return data.decode("ascii", "replace")


def _decode_cesu8(data: bytes) -> str:
    try:
        text = data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def decode_utf8(data: bytes) -> str:
    """UTF-8 to text; U+FFFD for every byte sequence that is not a character."""
    return Utf8Decoder().feed(data)


class Utf8Decoder:
    """Reads UTF-8 in pieces; a character may be split between them.

    A sequence cut short by another character gives one U+FFFD, a stray byte
    gives one each. Overlong forms are read as what they spell.
    """

    __slots__ = ("_code", "_left")

    def __init__(self) -> None:
        self._left = 0
        self._code = 0

    def feed(self, data: bytes) -> str:
        """The characters that ``data`` completes; an open one waits for the next call."""
        if not self._left:
            try:
                return data.decode("utf-8")
            except UnicodeDecodeError as error:
                good = data[: error.start].decode("utf-8")
                return good + self._slow(data[error.start :])
        return self._slow(data)

    def _slow(self, data: bytes) -> str:
        out: list[str] = []
        left, code = self._left, self._code
        for byte in data:
            if byte < 0x80:
                if left:
                    out.append(REPLACEMENT)
                    left = 0
                out.append(chr(byte))
            elif byte < 0xC0:
                if not left:
                    out.append(REPLACEMENT)
                    continue
                code = code << 6 | byte & 0x3F
                left -= 1
                if not left:
                    out.append(REPLACEMENT if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF else chr(code))
            else:
                if left and byte < 0xF8:
                    out.append(REPLACEMENT)
                left = 0
                if byte in (0xC0, 0xC1) or byte >= 0xF5:
                    out.append(REPLACEMENT)
                elif byte < 0xE0:
                    left, code = 1, byte & 0x1F
                elif byte < 0xF0:
                    left, code = 2, byte & 0x0F
                else:
                    left, code = 3, byte & 0x07
        self._left, self._code = left, code
        return "".join(out)


class _DoubleByte(dict[bytes, str]):
    """An East Asian charset: codes of one or two bytes, three after 0x8f in the EUC-JP family."""

    def __init__(self, codec: str, packed: str) -> None:
        super().__init__()
        raw = zlib.decompress(b85decode(packed))
        self._decode_code = codecs.getdecoder(codec)
        single = raw[:512].decode("utf-16-be")
        leads, trails = raw[512:768], raw[768:1024]
        self._ascii = single[:128]
        for byte in range(256):
            self[bytes((byte,))] = single[byte]
        code = char = 0
        for at in range(1024, len(raw), 4):
            code = code + int.from_bytes(raw[at : at + 2], "big") & 0xFFFF
            char = char + int.from_bytes(raw[at + 2 : at + 4], "big") & 0xFFFF
            self[code.to_bytes(2, "big")] = chr(char)
        self._trails = trails
        triple = rb"\x8f[\xa1-\xfe]{2}|" if codec == "euc_jp" else b""
        self._codes = re.compile(b"[\\0-\\x7f]+|" + triple + _byte_class(leads) + rb"[\x00-\xff]|[\x80-\xff]")

    def __missing__(self, code: bytes) -> str:
        try:
            char = self._decode_code(code, "strict")[0]
        except UnicodeDecodeError:
            char = ""
        self[code] = char = char if len(char) == 1 else REPLACEMENT
        return char

    def decode(self, data: bytes) -> str:
        """Decode all of ``data``; a code that ends it too early gives U+FFFD."""
        out: list[str] = []
        codes = self._codes
        at = 0
        size = len(data)
        while at < size:
            found = codes.match(data, at)
            assert found is not None
            code = found.group()
            at = found.end()
            if code[0] < 0x80:
                out.append(code.decode("ascii").translate(self._ascii))
                continue
            char = self[code]
            if char == REPLACEMENT and len(code) == 2 and not self._trails[code[1]]:
                # the second byte is no part of it; what a lone first byte gives is the charset's own choice
                at -= 1
                char = self[code[:1]]
            out.append(char)
        return "".join(out)


def _byte_class(flags: bytes) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % byte for byte in range(256) if flags[byte]) + b"]"
