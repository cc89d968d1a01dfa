"""Subjects in the form in which those of one conversation are equal.

Not the base subject of RFC 5256: what is in square brackets goes, then every word that ends in a colon at
the start (in whatever language "Re:" is written), then all white space.
"""

from __future__ import annotations

import re
from typing import Final

_BRACKET: Final = re.compile(rb"[\[\]\\]")
_PREFIX: Final = re.compile(rb"[ \t]*[^ \t\r\n\f]+:")
_SPACE: Final = re.compile(rb"[ \t\r\n]+|\xc2\xa0")
_OLD_PREFIX: Final = re.compile(rb"[ \t]*(?:[A-Za-z0-9]+(?:\[[0-9]+\])?:|\[[^\]]+\])")
_OLD_MARK: Final = re.compile(rb"\[(?:SEC|DLM)=[^\]]")


def normalise(subject: bytes) -> bytes:
    """The form that conversations keep. ``subject`` is decoded to UTF-8."""
    if b"[" in subject or b"]" in subject:
        subject = _without_brackets(subject)
    at = 0
    while found := _PREFIX.match(subject, at):
        at = found.end()
    return _SPACE.sub(b"", subject[at:])


def normalise_as_before(subject: bytes) -> bytes:
    """The form that versions before 3.0 kept, with which the subject of an old conversation may agree.

    It knows prefixes of letters and digits (``Re:``, ``Re[2]:``), brackets at the start, and the security
    marks ``[SEC=...]`` and ``[DLM=...]`` at the end.
    """
    at = 0
    while found := _OLD_PREFIX.match(subject, at):
        at = found.end()
    subject = subject[at:]
    while (rest := subject.rstrip(b" \t")).endswith(b"]"):
        mark = _OLD_MARK.search(rest, rest.rfind(b"]", 0, -1) + 1)
        if mark is None:
            break
        subject = subject[: mark.start()]
    return _SPACE.sub(b"", subject)


def _without_brackets(text: bytes) -> bytes:
    """Remove pairs of brackets from the inside out, then the text before a lone ``]`` and after a lone ``[``.

    A backslash keeps the brackets around it, and whatever is before it from going with a lone ``]``.
    """
    kept: list[bytes] = []
    opened: list[tuple[int, bool]] = []
    at = 0
    for found in _BRACKET.finditer(text):
        kept.append(text[at : found.start()])
        at = found.end()
        mark = found.group()
        if mark == b"]" and opened and opened[-1][1]:
            del kept[opened.pop()[0] :]
            continue
        if mark == b"[":
            opened.append((len(kept), True))
        elif opened:
            # what is not removed stays in the way of the pair around it
            opened[-1] = (opened[-1][0], False)
        kept.append(mark)
    kept.append(text[at:])
    rest = b"".join(kept)
    stop = min((place for place in (rest.find(b"["), rest.find(b"\\")) if place >= 0), default=len(rest))
    rest = rest[rest.rfind(b"]", 0, stop) + 1 :]
    lone = rest.find(b"[", rest.rfind(b"]") + 1)
    return rest if lone < 0 else rest[:lone]
