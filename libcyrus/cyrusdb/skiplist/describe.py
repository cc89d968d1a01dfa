"""The developer's view of a skiplist file, as ``cyr_dbtool FILE skiplist dump`` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from libcyrus.errors import DatabaseCorrupt

from .layout import ADD, COMMIT, DELETE, DUMMY, DUMMY_OFFSET, HEAD, INORDER, WORD, read_record

if TYPE_CHECKING:
    from .file import SkiplistFile

_NAMES = {DUMMY: "DUMMY", INORDER: "INORDER", ADD: "ADD"}


def describe(file: SkiplistFile) -> Iterator[str]:
    """One line for each record in the file's order, and one with its pointers."""
    base, end = file.map, file.size
    offset = DUMMY_OFFSET
    while offset + 4 <= end:
        (kind,) = WORD.unpack_from(base, offset)
        if kind == COMMIT:
            yield f"{offset:04X}: COMMIT "
            offset += 4
        elif kind == DELETE and offset + 8 <= end:
            yield f"{offset:04X}: DELETE offset={HEAD.unpack_from(base, offset)[1]:04X}"
            offset += 8
        else:
            try:
                record = read_record(base, offset, end)
            except DatabaseCorrupt:
                yield f"{offset:04X}: ERROR"
                return
            yield (
                f"{offset:04X}: {_NAMES[kind]} kl={len(record.key)} dl={record.value_size} lvl={record.level}"
            )
            yield "\t" + "".join(f"{pointer:04X} " for pointer in record.pointers)
            offset = record.end
