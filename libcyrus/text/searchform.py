"""The canonical form in which text is searched: folded case, decomposed, white space normalised.

Each character becomes its title case, is decomposed fully, compatibility
decompositions included, and loses its diacritics; every kind of white space
is a space. The rules are those of Unicode 15.0, which the tables of the
original come from (as Debian builds it): characters that are newer stay as
they are, whatever this Python knows of them, so that both find the same.
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

# The characters of Unicode 15.0: lengths of gaps and runs in turn, as base-128 numbers, zlib, base 85.
_CHARACTERS: Final = (
    "c-mD|OKeqD6m{*h&*z?d-o1V8Yv1d8eV>wkpkGU&Ev1qYpq7Y4gMy8QkO-3Kz)5FDVhE9eNc=?;j5v@u^fLiFkQkyeKobXqX"
    "o3cfi4!%B3?@e1=QS9;_nq%Pd+mMJTl?O1+mK-kpoA9{hG;V>%(@zz^ekb4j%C|vigNT3km@GL{0ulE>VY^ZrbOoKzywXb;%"
    "j)_M)4IVEo-G<8L&mKkU(MGuF1<>5pt$rt<3M>Mq9*HR<&_EJ;4YF%VB_&0II+`?uY?dw=Rfx866bS*-}I$CU1M%`#$2WTMU"
    "Vh2Nj~nG-AFTRF$z)RU|i%m19PtIO9o$d9Dw}m>L!7%cP|@<cV9$7~o+HAV*>F^Y#h)BVtD?nKnu5|96#RoAkS=rK;wjr0|w"
    "jE4C-8B&873pm3PH@uq54?5JMyO#}`MH9|Ta<Ely34%&%2rE(^t=G6Ua602@O<!Zr>QtC$a>nx~4(j3;GCT*3>GBW6*$oVk@"
    "s-d9z^Zxt{_zm5gcE6TU3*V9+Zzn%zDXSzF|9?+xsA47DKsE3p4$^Twio<v)OyZXxp=OhtRQd?+n$Q~=sBBl>%(*2O%xc<D`"
    ";l@#W|K_#I$r7XA~Z7X2n&2dE_~roDD%{*j$gOXlS4LWT}7lf3g_95j}^^Wv_{M{y1=Y)TDEZ+s*NH75FD>5pelBe5M>*l(T"
    "c~_BXUbjPMkztP33(&kTmqDZeWnJk@JwK13bVR-Ig>6KT&Dv`nc;7B|Y9%3`UUb5tU#}ga#^O*(G;N2;Hx08jEvWqRp~$^1s"
    "zdvA2m`Yz=crW>lSOx@tMt2lmcR7pCom^Y2nq02R^xjc%l;I@DJxC;KI--6FwW>&;ely5ZyqN@*v?cDB_b`J`sM_J;pk5Ad-"
    "bqT00;jp`Th7<6M<B4CDwHtb2gDRj*nKU1Te%WGITdLTHV(us3J3Na*p$<YL*wPkmpu=ljo!#FZuS1pN<?Ts<UR3txf-WVAN"
    "r5WolQtu@o-&}apKJhek`YFCBJzjX<A-UST%4@sU*f!z$L3q<3<Cnabe7kkm2l~-t_whDcT+}ILw<q0=WF+}%54Ugg4vniKy"
    "EE!k=To|%66?v`9GIYTvbyj){4iZX_tH6(!l9)1G#<vi@k<iFGYG<v#ZIXvCu5(mC6W;>Tqn9fbXn&b`B$#_y%>wsCQk2o1>"
    ";II$n*&{i}M<{M1vePgU>)6oA$AoUN*b;-E&2@Yf)zM^D>XMzCIvUX?y?96Ibyv+&<t@)Jjq*ZlSX@#z#XgHJ@Y9zlXVcVT="
    "<gE^`iFTiu}wYBj7_sqZ}SoRGcIHAEiQDP*LTRyL`tR2%P&b2fPum>u-byIWsUYprF!1DzbtKAeBMa-M%kuMJ)NW)zJh&*3+"
    "`^r!mkZ$;An0sZ)peE"
)

# Gaps and runs of the blocks of 256 code points in which the tables have characters one by one.
_BLOCKS: Final = (
    "0 53 24 2 80 14 42 1 8 1 23 46 9 6 15 3 33 4 2 3 22 7 33 4 9 1 18 12 4 4 1 1 2 3 2 3 1 12 4 1 165 2 15 2"
    " 21 1 28 1 12 3 5 1 18 1 15 1 2780 2 254 1 254 2 254 1"
)

# U+1E030 and up, which Python 3.11 does not know yet: Cyrillic modifier letters.
_CYRILLIC_MODIFIERS: Final = "абвгдежзиклмопрстуфхцчшыэюꚉәіјөүӏабвгдежзиклопсуфхцчшъыґіѕџҫꙑұ"

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
    **{chr(0x1E030 + at): letter for at, letter in enumerate(_CYRILLIC_MODIFIERS)},
}

# Stands for what was left out: it is nothing, except that it ends a run of white space. NULs of the text
# itself are gone before.
_LEFT_OUT: Final = "\0"

_ASCII_FORM: Final = {code: " " if chr(code) in "\t\n\v\f\r" else chr(code).upper() for code in range(1, 128)}
_ASCII_FORM[0] = ""
_NOT_ASCII: Final = re.compile("([^\0-\x7f]+)")
_SPACES: Final = re.compile("  +")
_ASCII_BYTES: Final = bytes(ord(_ASCII_FORM[code] or "\0") for code in range(128)) + bytes(range(128, 256))
_BYTE_SPACES: Final = re.compile(b"  +")
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
        if form != " " and ord(form[-1]) != code and _transparent_runs().match(f" {form[-1]} "):
            # only as itself is the character transparent
            form += _LEFT_OUT
        self[code] = form
        return form


_WITH_DIACRITICS: Final = _Form(skip_diacritics=False)
_WITHOUT_DIACRITICS: Final = _Form(skip_diacritics=True)


def to_form(text: str, flags: int) -> str:
    """The canonical form of ``text`` by the flags above."""
    if flags & KEEPCASE:
        return _keep_case(text, flags)
    if text.isascii():
        return searchable_ascii(text.encode("ascii"), flags).decode("ascii")
    form = _WITHOUT_DIACRITICS if flags & SKIPDIACRIT else _WITH_DIACRITICS
    pieces = _NOT_ASCII.split(text.replace("\0", ""))
    # bytes are translated many times faster than strings
    pieces[::2] = [piece.encode("ascii").translate(_ASCII_BYTES).decode("ascii") for piece in pieces[::2]]
    pieces[1::2] = [piece.translate(form) for piece in pieces[1::2]]
    text = "".join(pieces)
    if flags & SKIPSPACE:
        text = text.replace(" ", "")
    elif flags & MERGESPACE:
        text = _transparent_runs().sub(_one_space, _SPACES.sub(" ", text))
    return text.replace(_LEFT_OUT, "")


def searchable(text: str, flags: int) -> bytes:
    """``to_form`` in UTF-8, as patterns and texts are compared."""
    return to_form(text, flags).encode("utf-8", "replace")


def searchable_ascii(text: bytes, flags: int) -> bytes:
    """The same for text that is all ASCII, several times faster."""
    if flags & KEEPCASE:
        return searchable(text.decode("ascii"), flags)
    text = text.translate(_ASCII_BYTES, b"\0")
    if flags & SKIPSPACE:
        return text.replace(b" ", b"")
    return _BYTE_SPACES.sub(b" ", text) if flags & MERGESPACE and b"  " in text else text


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

    Those are the replacement character and all of a block for which there is no
    table.
    """
    chars = ""
    block = 0
    for at, length in enumerate(map(int, _BLOCKS.split())):
        if length and not at % 2:
            chars += f"{chr(block << 8)}-{chr((block + length << 8) - 1)}"
        block += length
    return re.compile(f" (?:[\ufffd{chars}]* )+")
