"""The text of an HTML document, for searching: no markup, scripts, styles or comments.

A lenient lexer in the manner of the HTML5 tokenizer, which reads anything.
Tags other than those within a line of text leave a space. Unlike the
original's, the lexer knows digits in names (``<h1>``, ``&frac12;``), and
characters beyond 16 bits.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import Final

# Tags inside a phrase: leaving them out does not part two words.
_PHRASING: Final = frozenset(
    """a q cite em strong small mark dfn abbr time progress meter code var samp kbd sub sup span i b bdo ruby
    ins del""".split()
)

# What text can hold: a comment, another declaration, a tag, a broken tag, a character reference.
_MARKUP: Final = re.compile(
    r"""<!-- (?: -?> | .*?--!?> | .*\Z )
      | <! [^>]* >?
      | <(/?) ([A-Za-z][A-Za-z0-9]*+)
        (?: (/?) > | [ \t\r\n/] (?: [^>]*? (/?) > | [^>]*\Z ) | [^>/] | \Z )
      | </ (?: [^A-Za-z] | \Z )
      | <\Z
      | & (?: \#[xX] ([0-9A-Fa-f]*) | \# ([0-9]+) | ([A-Za-z][A-Za-z0-9]*+) ) ;?""",
    re.VERBOSE | re.DOTALL,
)
# Inside a script or style: a tag that may end it, or the character after a stray angle bracket.
_RAW: Final = re.compile(
    r"<(?:/([A-Za-z0-9]*+)(?:/?>|[ \t\r\n/](?:[^>]*>|[^>]*\Z)|.|\Z)|(?=([^/])))", re.DOTALL
)

_REPLACEMENT: Final = "\ufffd"

# Numbers that old pages take from windows-1252.
_COMPATIBLE: Final = dict(
    enumerate(
        "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f"
        "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178",
        0x80,
    )
)


def strip(text: str) -> str:
    """The document's text, white space as it was."""
    out: list[str] = []
    at = 0
    while True:
        markup = _MARKUP.search(text, at)
        if markup is None:
            out.append(text[at:])
            return "".join(out)
        out.append(text[at : markup.start()])
        at = markup.end()
        closing, tag, empty, empty_late, hexadecimal, decimal, name = markup.groups()
        if tag is not None:
            if markup.group()[-1] != ">":
                continue
            lower = tag.lower()
            if lower in ("script", "style"):
                if not closing and not empty and not empty_late:
                    at = _skip_raw(text, at, lower, out)
            elif lower not in _PHRASING:
                out.append(" ")
        else:
            out.append(_reference(hexadecimal, decimal, name))


def _skip_raw(text: str, at: int, wanted: str, out: list[str]) -> int:
    """Pass a script or style up to its end tag."""
    while True:
        end = _RAW.search(text, at)
        if end is None:
            return len(text)
        at = end.end()
        tag, stray = end.groups()
        if stray is not None:
            out.append(stray)
            continue
        if not end.group().endswith(">"):
            continue
        lower = tag.lower()
        if lower == wanted:
            return at
        if lower not in _PHRASING and lower not in ("script", "style"):
            out.append(" ")


def _reference(hexadecimal: str | None, decimal: str | None, name: str | None) -> str:
    if name is not None:
        return html5.get(name + ";", _REPLACEMENT)
    if hexadecimal is not None:
        code = int(hexadecimal[:16] or "0", 16)
    elif decimal is not None:
        code = int(decimal[:20])
    else:
        return ""
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return _REPLACEMENT
    char = _COMPATIBLE.get(code) or chr(code)
    code = ord(char)
    unusable = code <= 8 or code == 0x0B or 0x0E <= code <= 0x1F or 0x7F <= code <= 0x9F
    if unusable or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
        return ""
    return char
