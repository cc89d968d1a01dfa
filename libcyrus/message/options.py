"""What an administrator may choose about parsing; the front ends fill it from imapd.conf."""

from __future__ import annotations

from libcyrus.base.dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """Limits and leniencies of ``message.parse``.

    ``max_header_lines`` (option maxheaderlines): later header lines of an
    entity are counted but not looked at; 0 looks at all. ``boundary_limit``
    (option of that name): open multiparts at once; 0 is no limit.
    ``strict_boundaries`` (rfc2046_strict): a delimiter line that merely starts
    with a boundary counts as it. ``utf8_headers`` (rfc2047_utf8): raw bytes
    above 127 in headers are UTF-8. ``part_limit``: entities in all; what
    follows is content of the last one. 0 is no limit.
    """

    max_header_lines: int = 1000
    boundary_limit: int = 1000
    strict_boundaries: bool = False
    utf8_headers: bool = False
    part_limit: int = 200_000


DEFAULT = ParseOptions()
