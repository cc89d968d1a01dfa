"""The canonical form in which text is searched: folded case, decomposed, white space normalised.

Each character becomes its title case, is decomposed fully, compatibility
decompositions included, and loses its diacritics; every kind of white space
is a space. The rules are those of Unicode 7.0, which the original's tables
come from: characters that are newer stay as they are, whatever this Python
knows of them, so that both find the same messages.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from base64 import b85decode
from bisect import bisect_right
from functools import cache
from typing import Final

SKIPDIACRIT: Final = 1 << 0
"""Leave out diacritics (option search_skipdiacrit)."""
SKIPSPACE: Final = 1 << 1
"""Leave out white space (search_whitespace: skip)."""
MERGESPACE: Final = 1 << 2
"""Keep one space of several (search_whitespace: merge)."""
SKIPHTML: Final = 1 << 3
"""Do not search HTML (search_skiphtml)."""
KEEPCASE: Final = 1 << 4
"""Only normalise white space, keep everything else."""
MIME_UTF8: Final = 1 << 6
"""Raw bytes above 127 in headers are UTF-8 (rfc2047_utf8)."""
ESCAPEHTML: Final = 1 << 8
"""With KEEPCASE: write <, > and & as HTML entities."""
KEEPHTML: Final = 1 << 9
"""Search HTML as it is, markup and all."""

# The characters of Unicode 7.0: lengths of gaps and runs in turn, as base-128 numbers, zlib, base 85.
_CHARACTERS: Final = (
    "c-n1LO=w+36!trF=I73xckj!~&r9E5USg7$<mJbh=BGBw3nek75(}EtxCjL;0bK~voua9mf}ypGf<Isp6~T=zREjRdjc&w+q"
    "Fn_PU5eOMQ7EbBzJ~?Dd$}`n=9~MSGiSat_xxqZum#YAOA4c8(EyRcqAP11S8)?qrgO=0JxwVpgq7~ucK}C3eURT2QzT<{V1"
    "lMTtzfu=QT7s`#a0TI0h^B%A}DllO<u-|kTQi--DS;?j8!>mvlcwT2nEYhfRxawz&e`|07<WAIAJOxud<%4c$P4{%d8IKGtL"
    "esVG9OII@ma6t#)usd1WQ!g6fwjK~|O<@#u^v6&~Q~i1^R8BwktKR6yI#$sV)}4SC}FI)=G{VWh~7d?T|O^f!seEXhpc@(td"
    "#QXG@^1l3i^Y{qYEwQX~-aWU!%LJA5y<c&8eym`Vk^_m|*;J{E5q~l30nOHqUE2vT|s}f3A9^ol<-Yu(C&9$79qcpc*-XbzI"
    "DxX8=8K8LyFCl|&$`0fl0+o?dwZdTfD$MV!8%N^as|nR<NCmj*8O-1+^i+E{OO}%U$l|~6QxBG~9d4i$xP>j+)#GXhO+6fD@"
    "H23MKAnSK`Sv|v?oy-{qXX*M!M1x1s1dEsvo}j_H43J}kH<B&ftUxe7$uU?-TsOfk&<b<ypQS0X-Nv+J%do>S;nEEm*~*a;q"
    "0G8&y3ojbqU#VWCDD#>krDeXkjd&k|gL}bc0#rqCof(s?95M5@xR{pd`4+k&>Yow31YAiOw)H{R*mTHm&e*DC?%KVT6;3Yaq"
    "Wh=8nd=g6kCZdH0400GJekf{Ivo(dmjRYqXXOwHTx`nUz^_<RaUuH#kHKs!C;DvK;K`ldto@1+~Go^h9#RdNYqCG@_I8V{Cf"
    "j0-Dbs*WUh5kwnm<X{GmR-T4o&K!t_X*pDtbe?vVM@Rd4t(Z6YTpM%~ne(b*A{haLpJk!}48NcSeaP{i$n`Skh$#?y-2RbZ1"
    "t8*%{p4`FcE%*j~hM~1Da3(5T#wH%lB%jqhf+X2uMHK9$uYj|(OD=yTdY|b2z53Un{D+=VM!RUF2sx9V>2$~x-k$&W$*iofx"
    "V^xmORf`*uA_9BCi&@*O1-2Q@i{esWp19T=9)UP^bw}i20f~W-5ubRp1?TdaQ2bUDGukuW;3uP!;HDw4+(zyjs*Xtju;2PuP"
    "<NY-}Wa_JG&=0-Id!4x9?;@W$ix&%YT*"
    )

# Where our form is not what the Unicode database says.
_SPECIAL: Final = {
    "\t": " ",
    "\n": " ",
    "\v": " ",
    "\f": " ",
    "\r": " ",
    "\u00df": "ss",
    "\u00e6": "ae",
    "\u00f0": "th",
    "\u00fe": "th",
    "\u0153": "oe",
    "\u04a5": "\u041d\u0413",
    "\u04b5": "\u0422\u0426",
    "\u2044": "/",
}

# Stands for a diacritic that was left out: nothing, except that it ends a run of white space. No text
# holds it, since decoding never yields a surrogate.
_LEFT_OUT: Final = "\ud800"

_ASCII_FORM: Final = {code: " " if chr(code) in "\t\n\v\f\r" else chr(code).upper() for code in range(1, 128)}
_ASCII_FORM[0] = ""
_SPACES: Final = re.compile("  +")
_HTML: Final = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;"})


class _Form(dict[int, str]):
    """Code point -> its form, filled as characters are met."""

    def __init__(self, *, skip_diacritics: bool) -> None:
        super().__init__(_ASCII_FORM)
        self._skip_diacritics = skip_diacritics

    def __missing__(self, code: int) -> str:
        form = _decompose(code)
        if self._skip_diacritics:
            form = _without_diacritics(form)
        self[code] = form
        return form


_WITH_DIACRITICS: Final = _Form(skip_diacritics=False)
_WITHOUT_DIACRITICS: Final = _Form(skip_diacritics=True)


def to_form(text: str, flags: int) -> str:
    """The canonical form of ``text`` by the flags above."""
    if flags & KEEPCASE:
        return _keep_case(text, flags)
    if text.isascii():
        text = text.translate(_ASCII_FORM)
        if flags & SKIPSPACE:
            return text.replace(" ", "")
        return _SPACES.sub(" ", text) if flags & MERGESPACE and "  " in text else text
    text = text.replace("\0", "").translate(_WITHOUT_DIACRITICS if flags & SKIPDIACRIT else _WITH_DIACRITICS)
    if flags & SKIPSPACE:
        text = text.replace(" ", "")
    elif flags & MERGESPACE:
        text = _transparent_runs().sub(_one_space, text)
    return text.replace(_LEFT_OUT, "")


def searchable(text: str, flags: int) -> bytes:
    """``to_form`` in UTF-8, as patterns and texts are compared."""
    return to_form(text, flags).encode("utf-8", "replace")


def _keep_case(text: str, flags: int) -> str:
    if flags & ESCAPEHTML:
        text = text.translate(_HTML)
    if flags & SKIPSPACE:
        return re.sub("[ \r\n]", "", text)
    if flags & MERGESPACE:
        return re.sub("[ \r\n](?:\ufffd*[ \r\n])*", _kept_space, text)
    return text


def _kept_space(run: re.Match[str]) -> str:
    return " " + re.sub("[ \r\n]", "", run.group())


def _one_space(run: re.Match[str]) -> str:
    return " " + run.group().replace(" ", "")


def _decompose(code: int) -> str:
    """The full decomposition of a character's title case."""
    char = chr(code)
    if not _known(code):
        return char
    title = char.title()
    if len(title) == 1 and _known(ord(title)):
        char = title
    return _decompose_char(char)


def _decompose_char(char: str) -> str:
    special = _SPECIAL.get(char)
    if special is not None:
        return special
    if char != " " and unicodedata.category(char).startswith("Z"):
        return " "
    decomposition = unicodedata.decomposition(char)
    if not decomposition:
        return char
    if decomposition.startswith("<"):
        decomposition = decomposition.partition("> ")[2]
        if decomposition.startswith("0020 "):
            # a free-standing diacritic stays itself
            return char
    form = "".join([_decompose_char(chr(int(code, 16))) for code in decomposition.split()])
    return form.replace(" ", "") or " " if " " in form else form


def _without_diacritics(form: str) -> str:
    if len(form) == 1:
        return _LEFT_OUT if "\u0300" <= form <= "\u036f" else form
    # in a longer form the original also drops Greek letters, and stored patterns rely on it
    return "".join([char for char in form if not "\u0300" <= char <= "\u03ff"]) or _LEFT_OUT


@cache
def _starts() -> list[int]:
    """Where runs of known characters start and end, in turn."""
    edges: list[int] = []
    edge = number = shift = 0
    for byte in zlib.decompress(b85decode(_CHARACTERS)):
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            edge += number
            edges.append(edge)
            number = shift = 0
    return edges


def _known(code: int) -> bool:
    return bisect_right(_starts(), code) % 2 == 1


@cache
def _transparent_runs() -> re.Pattern[str]:
    """White space with more white space after it, but for characters that do not end a run of it.

    Those are the replacement character and all of a block of 256 in which no
    character is known.
    """
    edges = _starts()
    runs = zip(edges[::2], edges[1::2], strict=True)
    known = {block for start, end in runs for block in range(start >> 8, (end + 0xFF) >> 8)}
    blocks = [block for block in range(0x1100) if block not in known and not 0xD8 <= block < 0xE0]
    chars = "".join(f"{chr(block << 8)}-{chr(block << 8 | 0xFF)}" for block in blocks)
    return re.compile(f" (?:[\ufffd{chars}]* )+")
