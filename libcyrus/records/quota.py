"""Quota roots: what a tree of mailboxes may use, and what it uses.

The key is the internal name of the root (with virtual domains also ``example.com!``, a whole domain). The
value::

    %(S (used limit) M (used limit) AS (used limit) NF (used limit) SCAN %(MBOX name S n ...) MODSEQ n)

S is storage, M messages, AS annotation storage, NF folders. ``limit`` is absent where there is none; it is in
units (KiB for storage), ``used`` in bytes or pieces. SCAN is there while ``quota -f`` is counting: the new
sums of the mailboxes up to MBOX. Old values ``used limit [M used limit ...]`` are read.
"""

from __future__ import annotations

import enum
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from libcyrus import cyrusdb, dlist
from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.xlog import xsyslog
from libcyrus.config import Config
from libcyrus.cyrusdb import Database, Records
from libcyrus.cyrusdb.quotalegacy import QuotaLegacyDatabase
from libcyrus.errors import (
    CyrusError,
    Fatal,
    MailboxBadFormat,
    QuotaExceeded,
    QuotarootNonexistent,
)
from libcyrus.mboxname import NameRules

from .counters import Counters

log = logging.getLogger(__name__)

FILENAME = "quotas.db"
UNLIMITED = -1


class Resource(enum.IntEnum):
    STORAGE = 0
    MESSAGE = 1
    ANNOTSTORAGE = 2
    NUMFOLDERS = 3


NAMES = ("STORAGE", "MESSAGE", "X-ANNOTATION-STORAGE", "X-NUM-FOLDERS")
"""What IMAP calls the resources, in the order of ``Resource``."""
UNITS = (1024, 1, 1024, 1)
_KEYS = ("S", "M", "AS", "NF")
# what nearly every root looks like
_PLAIN = re.compile(
    rb"%%\(%b MODSEQ (\d+)\)" % b" ".join(rb"%b \((\d+)(?: (-?\d+))?\)" % key.encode() for key in _KEYS)
)
DONT_CARE = (-1, -1, -1, -1)
"""Differences for ``check`` of a resource that is not asked about."""


def resource_by_name(name: str) -> Resource | None:
    return Resource(NAMES.index(name.upper())) if name.upper() in NAMES else None


@dataclass
class Quota:
    """One root; the lists are indexed by ``Resource``."""

    root: str
    used: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    limits: list[int] = field(default_factory=lambda: [UNLIMITED] * 4)
    modseq: int = 0
    scan_mailbox: str | None = None
    scan_used: list[int] = field(default_factory=lambda: [0, 0, 0, 0])

    @classmethod
    def unpack(cls, root: str, data: bytes) -> Quota:
        """Raises MailboxBadFormat."""
        quota = cls(root)
        plain = _PLAIN.fullmatch(data)
        if plain is not None:
            *numbers, modseq = plain.groups()
            quota.used = [int(used) for used in numbers[::2]]
            quota.limits = [UNLIMITED if limit is None else int(limit) for limit in numbers[1::2]]
            quota.modseq = int(modseq)
            return quota
        try:
            if data[:1] == b"%":
                quota._take_dlist(dlist.parse(data))
            else:
                quota._take_words(data.decode("ascii").split())
        except (ValueError, TypeError, AttributeError, LookupError) as error:
            raise MailboxBadFormat from error
        return quota

    def _take_dlist(self, value: Any) -> None:
        for resource, key in enumerate(_KEYS):
            numbers = value.get(key.encode()) or []
            if not isinstance(numbers, list):
                raise TypeError(f"{key} is no list")
            if numbers:
                self.used[resource] = max(0, int(numbers[0]))
            if len(numbers) > 1:
                self.limits[resource] = int(numbers[1])
        scan = value.get(b"SCAN") or {}
        if scan.get(b"MBOX") is not None:
            self.scan_mailbox = scan[b"MBOX"].decode("utf-8", "surrogateescape")
            self.scan_used = [int(scan.get(key.encode()) or 0) for key in _KEYS]
        self.modseq = int(value.get(b"MODSEQ") or 0)

    def _take_words(self, words: list[str]) -> None:
        resource = 0
        while True:
            self.used[resource] = int(words.pop(0))
            self.limits[resource] = int(words.pop(0))
            if words and words[0].lstrip("-").isdigit():
                # sums that an interrupted quota -f of old left behind
                del words[0]
            if not words:
                return
            resource = _KEYS.index(words.pop(0).upper())
            if len(words) < 2:
                raise ValueError("numbers missing")

    def pack(self) -> bytes:
        fields: dict[str, Any] = {
            key: [used] if limit == UNLIMITED else [used, limit]
            for key, used, limit in zip(_KEYS, self.used, self.limits, strict=True)
        }
        if self.scan_mailbox is not None:
            fields["SCAN"] = {"MBOX": self.scan_mailbox, **dict(zip(_KEYS, self.scan_used, strict=True))}
        fields["MODSEQ"] = self.modseq
        return dlist.dump(fields)

    def lacking(self, differences: Sequence[int]) -> Resource | None:
        """The first resource of which this much more would break a limit. Using less is always allowed."""
        for resource, more in zip(Resource, differences, strict=True):
            limit = self.limits[resource]
            if limit >= 0 and more >= 0 and self.used[resource] + more > limit * UNITS[resource]:
                return resource
        return None

    def used_up(self) -> list[bool]:
        """Of which resources nothing is left."""
        limits = zip(self.used, self.limits, UNITS, strict=True)
        return [0 <= limit * unit <= used for used, limit, unit in limits]

    def use(self, differences: Sequence[int]) -> None:
        """Count what was added or freed; never below zero."""
        for resource, more in enumerate(differences):
            if -more > self.used[resource]:
                log.info(
                    'Quota underflow for root %s, resource %s, you may wish to run "quota -f"',
                    self.root, NAMES[resource],
                )  # fmt: skip
                self.used[resource] = 0
            else:
                self.used[resource] += more


MessageUse = Callable[[str], tuple[int, int] | None]


class QuotaWatcher(Protocol):
    """Who is told of limits that are met."""

    def over_quota(self, quota: Quota, resource: int) -> None:
        """Something needed more of the resource than there is."""

    def quota_used(self, before: Sequence[bool], quota: Quota) -> None:
        """Use changed; ``before`` is the ``Quota.used_up`` of before."""


class QuotaDb:
    """The quota database. Opened when first used; Fatal (EX_TEMPFAIL) when that fails.

    ``message_use`` (option ``quota_use_conversations``) gives bytes and number of the distinct messages
    below a root, None where they are not known. ``watcher`` hears of limits.
    """

    def __init__(
        self,
        config: Config,
        counters: Counters,
        path: str | None = None,
        *,
        message_use: MessageUse | None = None,
    ) -> None:
        self._config = config
        self._rules = NameRules.from_config(config)
        self._counters = counters
        self._message_use = message_use
        self.watcher: QuotaWatcher | None = None
        self._path = path or config[opt.quota_db_path] or f"{config.directory}/{FILENAME}"
        self._db: Database | None = None

    @property
    def db(self) -> Database:
        if self._db is None:
            try:
                self._db = cyrusdb.open_db(
                    self._config[opt.quota_db],
                    self._path,
                    create=True,
                    settings=cyrusdb.Settings.from_config(self._config),
                )
            except CyrusError as error:
                log.error("DBERROR: opening %s: %s", self._path, error)
                raise Fatal("can't read quotas file", os.EX_TEMPFAIL) from error
        return self._db

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def find_root(self, name: str) -> str | None:
        """The root that counts mailbox ``name``: its own, the nearest above it, or its domain's."""
        domain, mark, path = name.partition("!") if self._rules.virtdomains else ("", "", name)
        if not mark:
            domain, path = "", name
        prefix = domain + mark
        while path:
            # what was killed while it made a root leaves an empty one, which counts for nothing
            if self.db.fetch(_key(prefix + path)):
                return prefix + path
            path = path.rpartition(".")[0]
        if prefix and self.db.fetch(_key(prefix)):
            return prefix
        return None

    def read(self, root: str) -> Quota:
        """Raises QuotarootNonexistent, MailboxBadFormat."""
        return self._read(self.db, root)

    def get(self, root: str) -> Quota | None:
        try:
            return self.read(root)
        except QuotarootNonexistent:
            return None

    def read_in_force(self, root: str) -> Quota:
        """``read``, with what limits are compared with and users are told as used."""
        quota = self.read(root)
        counted = self._message_use(root) if self._message_use is not None else None
        if counted is not None:
            quota.used[Resource.STORAGE], quota.used[Resource.MESSAGE] = counted
        return quota

    def check(self, root: str, differences: Sequence[int]) -> None:
        """Raise QuotaExceeded if ``root`` exists and has no room for these differences."""
        if any(more >= 0 for more in differences):
            with suppress(QuotarootNonexistent):
                quota = self.read_in_force(root)
                lacking = quota.lacking(differences)
                if lacking is not None:
                    # what another process was just overwriting may have been read half
                    quota = self.read_in_force(root)
                    lacking = quota.lacking(differences)
                if lacking is not None:
                    if self.watcher is not None:
                        self.watcher.over_quota(quota, lacking)
                    raise QuotaExceeded

    def update_used(
        self, root: str, differences: Sequence[int], *, mailbox: str | None = None, silent: bool = False
    ) -> Quota:
        """Count differences in one locked change; returns the new state.

        ``mailbox`` is where they come from: one that a running ``quota -f`` has counted already changes its
        new sums too. ``silent`` keeps the modseq. Raises QuotarootNonexistent.
        """
        return self.update_each(root, [(mailbox, differences)], silent=silent)

    def update_each(
        self, root: str, differences: Iterable[tuple[str | None, Sequence[int]]], *, silent: bool = False
    ) -> Quota:
        """update_used() for several mailboxes in one change."""
        total = [0] * len(Resource)
        try:
            with self.transaction() as change:
                quota = change.read(root)
                before = quota.used_up()
                for mailbox, more in differences:
                    quota.use(more)
                    total = [one + other for one, other in zip(total, more, strict=True)]
                    if (
                        mailbox is not None
                        and quota.scan_mailbox is not None
                        and _key(mailbox) <= _key(quota.scan_mailbox)
                    ):
                        quota.scan_used = [
                            used + new for used, new in zip(quota.scan_used, more, strict=True)
                        ]
                change.write(quota, silent=silent)
        except CyrusError as error:
            log.error(
                "LOSTQUOTA: unable to record change of %d bytes and %d messages in quota %s: %s",
                total[Resource.STORAGE], total[Resource.MESSAGE], root, error,
            )  # fmt: skip
            raise
        if self.watcher is not None and any(before):
            self.watcher.quota_used(before, quota)
        return quota

    @contextmanager
    def transaction(self) -> Iterator[QuotaChange]:
        """Reads and writes that nobody can come between."""
        with self.db.transaction() as txn:
            yield QuotaChange(self, txn)

    def make_lasting(self, root: str) -> None:
        """Have a power cut not take back what was committed of a root that has a file of its own.

        Usage does without this, since being too low after a power cut is no loss. Raises IoError.
        """
        if isinstance(self.db, QuotaLegacyDatabase):
            self.db.make_lasting(_key(root))

    def delete(self, root: str, *, silent: bool = False) -> None:
        """Remove a root; no error if it is gone already."""
        if not root:
            raise QuotarootNonexistent
        self.db.delete(_key(root))
        if not silent and self._rules.from_internal(root).is_user:
            self._counters.next_quotamodseq(root, 0)

    def all(self, prefix: str = "") -> Iterator[Quota]:
        """Every root whose name begins with ``prefix``; unreadable ones are skipped, with a log line."""
        for key, data in self.db.foreach(_key(prefix)):
            root = key.decode("utf-8", "surrogateescape")
            if not data:
                continue
            try:
                yield Quota.unpack(root, data)
            except MailboxBadFormat:
                xsyslog(log, logging.ERROR, "DBERROR: error fetching quota", root=root, value=data)

    def _read(self, records: Records, root: str) -> Quota:
        data = records.fetch(_key(root)) if root else None
        if not data or data[:1] == b"\0":
            raise QuotarootNonexistent
        return Quota.unpack(root, data)


class QuotaChange:
    """An open transaction; made by ``QuotaDb.transaction``."""

    def __init__(self, quotas: QuotaDb, records: Records) -> None:
        self._quotas = quotas
        self._records = records

    def read(self, root: str) -> Quota:
        return self._quotas._read(self._records, root)

    def put(self, quota: Quota) -> None:
        """Store without a new quota modseq: the user whose root it is cannot be found yet."""
        self._records.store(_key(quota.root), quota.pack())

    def write(self, quota: Quota, *, silent: bool = False) -> None:
        """Store; a user's root gets the next quota modseq, or keeps its own with ``silent``."""
        if self._quotas._rules.from_internal(quota.root).is_user:
            counters = self._quotas._counters
            if silent:
                quota.modseq = counters.set_quotamodseq(quota.root, quota.modseq)
            else:
                quota.modseq = counters.next_quotamodseq(quota.root, quota.modseq)
        self._records.store(_key(quota.root), quota.pack())


def _key(root: str) -> bytes:
    return root.encode("utf-8", "surrogateescape")
