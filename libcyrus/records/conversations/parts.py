"""The parts of a message by GUID of their content, from two items of the cache record.

Part numbers come from the body structure, GUIDs from the section item, whose tables are in the same order.
A multipart has no number, and a part without content (or of an unknown encoding) no GUID.
"""

from __future__ import annotations

from struct import Struct, error
from typing import Any, Final

from libcyrus.errors import MailboxBadFormat
from libcyrus.message.bodystructure import parse_nested

_MESSAGE: Final = b'("MESSAGE" "RFC822"'
_COUNT: Final = Struct(">I")
_WORD: Final = Struct(">16xI")
_TAIL: Final = Struct(">20s8x")
_NO_GUID: Final = bytes(20)


class _Part:
    __slots__ = ("children", "guid", "is_message", "number")

    def __init__(self, number: str) -> None:
        self.number = number
        self.guid = _NO_GUID
        self.is_message = False
        self.children: list[_Part] = []


def find(bodystructure: bytes, section: bytes) -> list[tuple[bytes, str]]:
    """GUID and number of each part. Raises MailboxBadFormat."""
    root = _Part("")
    root.is_message = True
    try:
        if bodystructure.startswith(b'("') and not bodystructure.startswith(_MESSAGE):
            root.children.append(_Part("1"))
            found = root.children
        else:
            found = _number_parts(root, parse_nested(bodystructure))
        _read_guids(root, section)
    except (error, ValueError, IndexError):
        raise MailboxBadFormat from None
    return [(part.guid, part.number) for part in found if part.number and part.guid != _NO_GUID]


def _number_parts(root: _Part, outer: list[Any]) -> list[_Part]:
    """Make the tree below ``root``; returns all parts."""
    top = _Part("")
    root.children.append(top)
    found = []
    # part, its structure, and the number that those below it begin with
    waiting: list[tuple[_Part, list[Any], str]] = [(top, outer[0], "")]
    while waiting:
        part, items, above = waiting.pop()
        found.append(part)
        if isinstance(items[0], list):
            part.number = ""
            for place, item in enumerate(items, 1):
                if not isinstance(item, list) or not item:
                    break
                child = _Part(f"{above}.{place}" if above else f"{place}")
                part.children.append(child)
                waiting.append((child, item, child.number))
            continue
        if not part.number:
            part.number = f"{above}.1" if above else "1"
        if items[0] == b"MESSAGE" and items[1] == b"RFC822":
            part.is_message = True
            child = _Part("")
            part.children.append(child)
            waiting.append((child, items[8], part.number))
    return found


def _read_guids(root: _Part, section: bytes) -> None:
    at = 0
    waiting = [root]
    while waiting and at < len(section):
        part = waiting.pop()
        count = _COUNT.unpack_from(section, at)[0]
        at += _COUNT.size
        if not count:
            continue
        children = part.children
        if part.is_message and children[0].children and not children[0].is_message:
            children = children[0].children
        if count - 1 > len(children):
            raise ValueError("more sections than parts")
        for entry in range(count):
            word = _WORD.unpack_from(section, at)[0]
            at += _WORD.size
            # the charset's name, if there is one
            at += word >> 16
            guid = _TAIL.unpack_from(section, at)[0]
            at += _TAIL.size
            if entry:
                children[entry - 1].guid = guid
        waiting.extend(reversed(children[: count - 1]))
