"""A stopped server's mail, saved to be changed and put back, and what two programs left of it compared."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from cassandane.instance import Instance, give_away
from libcyrus.cyrusdb import open_db
from libcyrus.mailbox import index_header, index_record

_TIMES = re.compile(rb"\b(M )\d+")


class SavedSpool:
    """The directories ``conf`` and ``spool`` (and more) of a server, as they were when this was made."""

    def __init__(self, server: Instance, *more: str) -> None:
        self.server = server
        self._names = ("conf", "spool", *more)
        self._saved = server.directory / "saved"
        self._saved.mkdir()
        for name in self._names:
            shutil.copytree(server.directory / name, self._saved / name, symlinks=True)

    def restore(self) -> None:
        for name in self._names:
            shutil.rmtree(self.server.directory / name)
            shutil.copytree(self._saved / name, self.server.directory / name, symlinks=True)
            for directory, _, files in os.walk(self.server.directory / name):
                give_away(Path(directory))
                for file in files:
                    give_away(Path(directory, file))

    def picture(self) -> dict[str, list[str]]:
        """What is on disk, without times of the last change and what else must differ between two runs."""
        seen: dict[str, list[str]] = {}
        base = self.server.directory
        for name in ("mailboxes.db", "annotations.db", "deliver.db"):
            seen[name] = [f"{key!r} {value!r}" for key, value in _records(base / "conf" / name)]
        found = [path for root in self._names[1:] for path in (base / root).rglob("*")]
        files = sorted(path for path in found if path.is_file())
        seen["files"] = [
            # the original often makes it without need
            str(path.relative_to(base)) for path in files if path.name != "cyrus.annotations"
        ]
        for path in files:
            if path.name == "cyrus.index":
                seen[str(path.relative_to(base))] = _index(path.read_bytes())
            if path.name == "cyrus.annotations":
                seen[str(path.relative_to(base))] = [repr(record) for record in _records(path)]
            if path.name == "cyrus.header":
                seen[str(path.relative_to(base))] = [repr(path.read_bytes())]
        return seen


def _records(path: Path) -> Iterator[tuple[bytes, bytes]]:
    database = open_db("twoskip", str(path))
    try:
        for key, value in database.foreach():
            yield key, _TIMES.sub(rb"\1", value)
    finally:
        database.close()


def _index(data: bytes) -> list[str]:
    header = index_header.unpack(data)
    content = [
        f"{name} {getattr(header, name)}"
        for name in (
            "generation_no", "minor_version", "num_records", "last_uid", "quota_mailbox_used", "deleted",
            "answered", "flagged", "unseen", "exists", "options", "highestmodseq", "deletedmodseq",
            "quota_annot_used", "sync_crc_annot",
        )
    ]  # fmt: skip
    content.append(f"first_expunged {bool(header.first_expunged)}")
    for recno in range(header.num_records):
        at = header.start_offset + recno * header.record_size
        record = index_record.unpack(data, at, version=header.minor_version)
        fields = (
            record.uid, record.internaldate, record.sentdate, record.gmtime, record.size, record.system_flags,
            f"{record.internal_flags:x}", record.user_flags, record.modseq, record.createdmodseq, record.cid,
            record.savedate, record.cache_crc, record.guid.hex(),
        )  # fmt: skip
        content.append(" ".join(map(str, fields)))
    return content
