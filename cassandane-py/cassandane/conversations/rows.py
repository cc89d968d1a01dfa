"""The rows of what imapd can do, and how each shows in what was sent and answered.

``rows.tsv`` has a row a line: kind, item, and the family that shows it (several with commas), or ``-`` and
why no conversation can show it. A row is shown when its command, item or key was sent and accepted, or when
the reply that it names came.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from libcyrus.base.dataclasses import dataclass

if TYPE_CHECKING:
    from cassandane.conversations.servers import Heard

TABLE = Path(__file__).parent / "rows.tsv"


@dataclass(frozen=True)
class Row:
    kind: str
    item: str
    shown_by: tuple[str, ...]
    why_not: str

    def __str__(self) -> str:
        return f"{self.kind} {self.item}"


@functools.cache
def read() -> tuple[Row, ...]:
    found = []
    for line in TABLE.read_text().splitlines():
        kind, item, where = line.split("\t")
        why_not = where[1:].strip() if where.startswith("-") else ""
        families = () if why_not else tuple(name for name in where.split(",") if name)
        found.append(Row(kind, item, families, why_not))
    return tuple(found)


def unseen(family: str, heard: Sequence[Heard]) -> list[str]:
    """The rows that the family is to show and did not."""
    mine = [row for row in read() if family in row.shown_by]
    return [str(row) for row in mine if not any(shown(row, one) for one in heard)]


def shown(row: Row, heard: Heard) -> bool:
    """Whether this exchange shows the row."""
    return _EVIDENCE[row.kind](row.item, heard)


def _sent(pattern: bytes, heard: Heard) -> bool:
    return re.search(pattern, heard.sent, re.IGNORECASE | re.MULTILINE | re.DOTALL) is not None


def _answered(pattern: bytes, heard: Heard) -> bool:
    return any(re.search(pattern, line, re.IGNORECASE | re.DOTALL) for line in heard.lines)


def _accepted(heard: Heard) -> bool:
    return _answered(rb"^\S+ OK", heard)


def _word(item: str) -> bytes:
    """The item as a word of a command."""
    return rb"(?<![\w.+/\\-])" + re.escape(item.encode()) + rb"(?![\w./-])"


def _verb(item: str) -> bytes:
    return rb"^\S+ " + re.escape(item.encode()) + rb"[ \r\n]"


def _command(item: str, heard: Heard) -> bool:
    known = any(re.search(rb"^\S+ (OK|NO|BAD) ", line) for line in heard.lines)
    return _sent(_verb(item), heard) and known and not _answered(rb"BAD (Unrecognized|Please login)", heard)


def _capability(item: str, heard: Heard) -> bool:
    name, hole, _ = item.partition("<")
    end = b"" if hole or item.endswith("*") else rb"(?=[ \]]|$)"
    return _answered(rb"CAPABILITY .*?(?<=[ \]])" + re.escape(name.rstrip("*").encode()) + end, heard)


def _not_supported(item: str, heard: Heard) -> bool:
    asked = _sent(_verb(item), heard) and _answered(rb"^\S+ BAD", heard)
    listed = any(line.startswith(b"* CAPABILITY ") for line in heard.lines)
    return asked or (listed and not _capability(item, heard))


def _fetch_item(item: str, heard: Heard) -> bool:
    name = item.partition("[")[0]
    macro = {"ALL": "ENVELOPE", "FAST": "FLAGS", "FULL": "BODY"}
    peeked = re.sub(r"\.PEEK|\.LINES(\.NOT)?$", "", macro.get(name, name))
    asked = rb"FETCH .*" + _word(name)[: -len(rb"(?![\w./-])")] + (rb"\[" if "[" in item else rb"(?![\w./-])")
    return _sent(asked, heard) and _answered(rb"^\* \d+ FETCH \(.*\b" + re.escape(peeked.encode()), heard)


def _in_command(verb: bytes) -> Callable[[str, Heard], bool]:
    """Sent as a word of a command of this kind that was accepted."""

    def evidence(item: str, heard: Heard) -> bool:
        word = re.sub(r" ?[(<].*", "", item)
        return _sent(verb + rb".*" + _word(word), heard) and _accepted(heard)

    return evidence


def _search_key(item: str, heard: Heard) -> bool:
    if item == "sequence-set":
        return _sent(rb"SEARCH .*\b\d+(:(\d+|\*)|,\d+)", heard) and _accepted(heard)
    return _in_command(rb"SEARCH ")(item, heard)


def _system_flag(item: str, heard: Heard) -> bool:
    return _answered(rb"^\* \d+ FETCH \(.*?FLAGS \([^)]*" + re.escape(item.encode()) + rb"[ )]", heard)


def _append_data(item: str, heard: Heard) -> bool:
    patterns = {
        "flags": rb"APPEND \S+ \(\\",
        "internaldate": rb'APPEND .*"[ \d]\d-\w\w\w-\d{4} [\d:]{8} [+-]\d{4}"',
        "ANNOTATION": rb"APPEND .*ANNOTATION \(",
        "literal": rb"APPEND .*\{\d+\+?\}\r?\n",
        "literal8 ~{n}": rb"APPEND .*~\{\d+\+?\}\r?\n",
        "CATENATE (TEXT|URL)": rb"APPEND .*CATENATE \(.*(TEXT|URL)",
        "multiple messages": rb"APPEND .*\{\d+\+?\}\r?\n.*(?<=[ )])~?\{\d+\+?\}\r?\n",
    }
    return _sent(patterns[item], heard) and _accepted(heard)


def _response_code(item: str, heard: Heard) -> bool:
    return _answered(rb"^\S+ (OK|NO|BAD|BYE|PREAUTH) \[" + re.escape(item.encode()) + rb"[ \]]", heard)


def _code_absent(item: str, heard: Heard) -> bool:
    """Where the RFC asks for the code; the family names such exchanges by asking for just that."""
    return _answered(rb"^\S+ (NO|BAD) ", heard) and not _response_code(item, heard)


def _untagged(item: str, heard: Heard) -> bool:
    if item == "OK/NO/BAD untagged":
        return _answered(rb"^\* (OK|NO|BAD) ", heard)
    return _answered(rb"^\* (\d+ )?" + re.escape(item.encode()) + rb"( |$)", heard)


def _list_attribute(item: str, heard: Heard) -> bool:
    word = item.split()[0].encode()
    return _answered(rb"^\* (LIST|LSUB|XLIST) .*" + re.escape(word), heard)


def _id_field(item: str, heard: Heard) -> bool:
    return _answered(rb'^\* ID \(.*"' + re.escape(item.encode()) + rb'" ', heard)


_EVIDENCE: dict[str, Callable[[str, Heard], bool]] = {
    "capability": _capability,
    "not-supported": _not_supported,
    "command": _command,
    "fetch-item": _fetch_item,
    "fetch-modifier": _in_command(rb"FETCH "),
    "store-item": _in_command(rb"STORE "),
    "store-modifier": _in_command(rb"STORE "),
    "system-flag": _system_flag,
    "search-key": _search_key,
    "search-return-option": _in_command(rb"RETURN \("),
    "sort-key": _in_command(rb"SORT .*\("),
    "thread-algorithm": _in_command(rb"THREAD "),
    "status-item": _in_command(rb"STATUS "),
    "list-selection-option": _in_command(rb"LIST "),
    "list-return-option": _in_command(rb"RETURN "),
    "list-attribute": _list_attribute,
    "select-parameter": _in_command(rb"(SELECT|EXAMINE) .*\("),
    "create-parameter": _in_command(rb"CREATE .*\("),
    "append-data": _append_data,
    "response-code": _response_code,
    "response-code-absent": _code_absent,
    "untagged-response": _untagged,
    "id-field": _id_field,
}
