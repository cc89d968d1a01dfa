"""Where the files of one mailbox are: message files on its partition, metadata where the options put it.

Message files are ``UID.`` (a number and a dot) in the mailbox's directory: ``PARTITION/uuid/A/B/UNIQUEID``,
or below the mailbox's name for the legacy layout.
"""

from __future__ import annotations

from functools import lru_cache

from libcyrus.config import Config
from libcyrus.errors import PartitionUnknown
from libcyrus.mboxname import NameRules, id_path, name_path
from libcyrus.records.mbentry import MboxEntry

STAGE_DIRECTORY = "stage."
"""Where messages on their way into the mailboxes of a partition lie, below its root."""

UNFINISHED = "unfinished"
"""The folder of the configuration directory where ``mboxops`` notes operations that are under way."""

#: metadata kind (as ``metapartition_files`` calls it) and file name
META_FILES = {
    "header": "cyrus.header",
    "index": "cyrus.index",
    "cache": "cyrus.cache",
    "expunge": "cyrus.expunge",
    "squat": "cyrus.squat",
    "annotations": "cyrus.annotations",
    "archivecache": "cyrus.cache",
    "dav": "cyrus.dav",
}


@lru_cache(maxsize=64)
def _roots(config: Config, partition: str) -> tuple[str, str | None, dict[str, str | None]]:
    """Roots of messages, archive and each kind of metadata. It holds for ever, as a Config never changes."""
    root = config.partition_dir(partition) if partition else None
    if root is None:
        raise PartitionUnknown
    meta = {kind: config.metapartition_dir(partition, kind) for kind in META_FILES}
    return root, config.archive_dir(partition), meta


class MailboxPaths:
    """Paths of one mailbox. Raises PartitionUnknown when the configuration does not name its partition."""

    __slots__ = (
        "_entry", "_meta", "_rules", "archive", "cache", "data", "header", "index", "partition", "stage"
    )  # fmt: skip

    def __init__(self, config: Config, rules: NameRules, entry: MboxEntry) -> None:
        self._rules = rules
        self._entry = entry
        self.partition = entry.partition or ""
        root, archive, self._meta = _roots(config, self.partition)
        self.data = self._below(root)
        self.stage = f"{root}/{STAGE_DIRECTORY}"
        self.archive = self._below(archive) if archive is not None else self.data
        self.header = self.meta("header")
        self.index = self.meta("index")
        self.cache = self.meta("cache")

    def meta(self, kind: str) -> str:
        """The metadata file of this kind; its replacement is written to the same path with ``.NEW``."""
        return f"{self.meta_dir(kind)}/{META_FILES[kind]}"

    def meta_dir(self, kind: str) -> str:
        root = self._meta[kind]
        if root is None:
            return self.archive if kind == "archivecache" else self.data
        return self._below(root)

    def message(self, uid: int, *, archived: bool = False) -> str:
        return f"{self.archive if archived else self.data}/{uid}."

    def directories(self) -> list[str]:
        """Every directory that may hold files of the mailbox, each once."""
        found = [self.data, self.archive]
        found += [self.meta_dir(kind) for kind in META_FILES]
        return list(dict.fromkeys(found))

    def _below(self, root: str) -> str:
        uniqueid = self._entry.path_id
        if uniqueid is not None:
            return f"{root}/{id_path(uniqueid)}"
        return name_path(root, self._rules.from_internal(self._entry.name))
