"""The developer's view of a twoskip file, as ``cyr_dbtool FILE twoskip dump`` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from zlib import crc32

from libcyrus.errors import DatabaseCorrupt

from .layout import BLANK, COMMIT, DELETE, DUMMY_OFFSET, RECORD, Record, read_record

if TYPE_CHECKING:
    from .file import TwoskipFile


def describe(file: TwoskipFile, detail: int) -> Iterator[str]:
    """One line for the header, then each record in the file's order; values from detail 3 up."""
    header, base, end = file.header, file.map, file.header.current_size
    yield (
        f"HEADER: v={header.version} fl={header.flags} num={header.num_records} "
        f"sz=({header.current_size:08X}/{header.repack_size:08X})"
    )
    offset = DUMMY_OFFSET
    while offset < end:
        if base[offset : offset + 8] == BLANK:
            yield f"{offset:08X} BLANK"
            offset += 8
            continue
        try:
            record = read_record(base, offset, end)
        except DatabaseCorrupt:
            yield f"{offset:08X} ERROR"
            return
        tail = base[record.key_offset : offset + record.size]
        damage = ""
        if crc32(tail) != record.tail_crc:
            damage = f"ERROR [TAILCRC {record.tail_crc:08X} {crc32(tail):08X}] "
        yield f"{offset:08X} {damage}{_title(record)}"
        if record.type not in (DELETE, COMMIT):
            yield from _pointers(record)
            if detail > 2:
                value = tail[len(record.key) : len(record.key) + record.value_size]
                yield f"\tv=({_printable(value)})"
        offset += record.size


def _title(record: Record) -> str:
    if record.type == DELETE:
        return f"DELETE ptr={record.pointers[0]:08X}"
    if record.type == COMMIT:
        return f"COMMIT start={record.pointers[0]:08X}"
    name = "RECORD" if record.type == RECORD else "DUMMY"
    return (
        f"{name} kl={len(record.key)} dl={record.value_size} lvl={record.level} ({_printable(record.key)})"
    )


def _pointers(record: Record) -> Iterator[str]:
    """Eight to a line, the first line having one."""
    pointers = [f"{pointer:08X} " for pointer in record.pointers]
    yield "\t" + pointers[0]
    for start in range(1, len(pointers), 8):
        yield "\t" + "".join(pointers[start : start + 8])
    if len(pointers) % 8 == 1:
        yield "\t"


def _printable(text: bytes) -> str:
    return text.replace(b"\0", b"-").decode("utf-8", "surrogateescape")
