"""One transaction that adds messages to a mailbox.

All or nothing: until ``commit`` no reader sees any of the messages, and ``abort``, or a crash, leaves the
mailbox as it was. Syncs of a delivery, in their order: the staged file (once for all
recipients, by ``Stage.finish``); for each mailbox its directory, since that holds the new names, unless the
next sync does that too (see ``changes``); ``cyrus.index``. Links need no sync of
their own, because they name an inode whose content is on disk already. However many
messages one transaction adds, it syncs each of these once.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Protocol, Self

from libcyrus import acl
from libcyrus.append.stage import Stage
from libcyrus.auth import AuthState
from libcyrus.base import files, xlog
from libcyrus.base.seqset import SeqSet
from libcyrus.errors import (
    CyrusError,
    IoError,
    MailboxNonexistent,
    NoSpace,
    PermissionDenied,
    QuotaExceeded,
)
from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.events.mboxevent.params import Param
from libcyrus.mailbox import audit
from libcyrus.mailbox.archive import should_archive
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.index_record import (
    ANSWERED,
    ARCHIVED,
    DELETED,
    DRAFT,
    EXPUNGED,
    FLAGGED,
    SEEN,
    SNOOZED,
    IndexRecord,
)
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.seen import SeenData, SeenDb

log = logging.getLogger(__name__)

# flag in lower case: the right it needs, system flag, internal flag
_FLAGS = {
    "\\answered": (acl.WRITE, ANSWERED, 0),
    "\\deleted": (acl.DELETEMSG, DELETED, 0),
    "\\draft": (acl.WRITE, DRAFT, 0),
    "\\flagged": (acl.WRITE, FLAGGED, 0),
    "\\expunged": (acl.DELETEMSG, 0, EXPUNGED),
    "\\snoozed": (acl.WRITE, 0, SNOOZED),
}


class Arrival(Protocol):
    """Who has something to add to a new message."""

    def placed(self, path: str, flags: Iterable[str]) -> Iterable[str]:
        """The file is there; returns the flags that the message is to have."""

    def recorded(self, mailbox: Mailbox, uid: int) -> None:
        """The message is in the index, not yet committed. What it raises aborts the transaction."""


class Appender:
    """Adds messages to one mailbox, whose index must be locked exclusively.

    A context manager: leaving the block without ``commit`` aborts. ``userid`` is whose \\Seen a ``\\Seen``
    flag sets (empty: the owner's), ``rights`` the mask that decides which flags may be set. ``event`` is the
    type of the events that tell of the messages.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        *,
        userid: str = "",
        rights: int = acl.ALL,
        close: bool = False,
        event: EventType = EventType.CANCELLED,
    ) -> None:
        """With ``close`` the mailbox is closed at the end of the transaction."""
        self.mailbox = mailbox
        self.userid = userid
        self.rights = rights
        self.events = mailbox.store.events
        self._event = event
        self.uids: list[int] = []
        self._close = close
        self._internal_seen = mailbox.internal_seen(userid)
        self._seen = SeqSet()
        self._files: list[str] = []
        self._done = False

    @classmethod
    def open(
        cls,
        store: MailStore,
        name: str,
        *,
        userid: str = "",
        auth: AuthState | None = None,
        need: int = 0,
        quota: Sequence[int] | None = None,
        event: EventType = EventType.CANCELLED,
    ) -> Self:
        """Open a mailbox for one transaction, which closes it.

        ``auth`` must have the rights ``need``; ``quota`` (differences as of ``records.quota``) must fit.
        Raises what ``MailStore.open`` raises, PermissionDenied, or MailboxNonexistent for who may not even
        look it up, QuotaExceeded.
        """
        mailbox = store.open(name, write=True)
        try:
            rights = store.acl_rules.myrights(auth, mailbox.acl) if auth is not None or need else acl.ALL
            check(mailbox, rights, need=need, quota=quota)
        except BaseException:
            mailbox.close()
            raise
        return cls(mailbox, userid=userid, rights=rights, close=True, event=event)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            self.abort()

    @property
    def uidvalidity(self) -> int:
        return self.mailbox.i.uidvalidity

    def append(
        self,
        stage: Stage,
        *,
        flags: Iterable[str] = (),
        internaldate: int = 0,
        savedate: int = 0,
        createdmodseq: int = 0,
        link: bool = True,
        arrival: Arrival | None = None,
    ) -> IndexRecord:
        """Add a staged message; its uid is in the record returned.

        Flags the rights do not allow are left out, as RFC 4314 has it. ``link`` False makes a real copy.
        ``arrival`` may change the flags, and annotates the message.
        Raises NoSpace, IoError, UserFlagsExhausted, InvalidIdentifier, QuotaExceeded (the mailbox has as
        many messages as ``mailbox_maxmessages_email`` allows); the transaction is aborted then.
        """
        event = self.begin_event()
        try:
            record = stage.record()
            record.uid = self.mailbox.i.last_uid + 1
            date = internaldate or stage.internaldate
            # dates before 1970 are kept modulo 2**32, as the original keeps them
            record.internaldate = date & 0xFFFFFFFF
            record.savedate = savedate
            record.createdmodseq = createdmodseq
            self.check_limit()
            if should_archive(self.mailbox, record):
                record.internal_flags |= ARCHIVED
            self.place(record, stage.file_in(self.mailbox.partition), link=link, staged=True)
            if date != stage.internaldate:
                os.utime(self.mailbox.message_path(record), (date, date))
            if arrival is not None:
                flags = arrival.placed(self.mailbox.message_path(record), flags)
            told_flags = self.set_flags(record, flags)
            self.mailbox.append(record, stage.cache_record)
            self.uids.append(record.uid)
            if arrival is not None:
                arrival.recorded(self.mailbox, record.uid)
            if event is not None and self.events is not None:
                if event.wants(Param.FLAG_NAMES):
                    event.add_flags(told_flags)
                self.events.messages.add(event, self.mailbox, record, stage.cache_record)
                self.events.messages.add_content(
                    event, record.size, record.header_size, stage.data
                )
                self.end_event(event)
        except OSError as error:
            self.abort()
            raise _storage_error(error, self.mailbox) from error
        except BaseException:
            self.abort()
            raise
        return record

    def check_limit(self) -> None:
        """Raise QuotaExceeded when the mailbox may not hold another message."""
        limit = self.mailbox.store.message_limit(mbtypes.kind(self.mailbox.entry.mbtype))
        if limit and self.mailbox.i.exists >= limit:
            xlog.xsyslog(
                log, logging.ERROR, "IOERROR: client hit per-mailbox exists limit", mailbox=self.mailbox.name
            )
            raise QuotaExceeded

    def place(self, record: IndexRecord, source: str, *, link: bool, staged: bool = False) -> None:
        """Put a synced file under the name the record calls for. Raises OSError.

        ``staged``: it is that of a stage, which remains until the commit.
        """
        mailbox = self.mailbox
        target = mailbox.message_path(record)
        other = mailbox.paths.message(record.uid, archived=not record.archived)
        if other != target:
            # what a crash left behind must not come back
            files.remove(other)
        if record.archived:
            files.mkdirs_lasting(mailbox.paths.archive)
        linked = files.link_or_copy(source, target, link=link, keep_times=True)
        self._files.append(target)
        mailbox.names_changed(archived=record.archived, staged=staged and linked)

    def begin_event(self) -> MboxEvent | None:
        """An event about what is going to be added, if there shall be one."""
        return self.events.new(self._event) if self.events is not None else None

    def end_event(self, event: MboxEvent) -> None:
        """It was added: tell of it after the commit."""
        if self.events is not None:
            self.events.about(event, self.mailbox, self.userid)
            self.mailbox.changes.tell(event, last=True)

    def set_flags(self, record: IndexRecord, flags: Iterable[str]) -> list[str]:
        """Set the flags that the rights allow; returns those that events tell of."""
        told = []
        for flag in flags:
            name = flag.lower()
            known = _FLAGS.get(name)
            if known is not None:
                needed, system, internal = known
                if self.rights & needed:
                    record.system_flags |= system
                    record.internal_flags |= internal
                    if system:
                        told.append(flag)
            elif name == "\\seen":
                self.set_seen(record)
                told.append(flag)
            elif self.rights & acl.WRITE:
                record.user_flags |= 1 << self.mailbox.create_flag(flag)
                told.append(flag)
        return told

    def set_seen(self, record: IndexRecord) -> None:
        if self._internal_seen:
            record.system_flags |= SEEN
        else:
            self._seen.add(record.uid)

    def commit(self) -> None:
        """Make it lasting, then visible. Raises NoSpace or IoError, with everything undone."""
        if self._done:
            return
        mailbox = self.mailbox
        if self.uids:
            mailbox.i.last_appenddate = int(time.time())
            mailbox.dirty()
        try:
            mailbox.commit()
        except BaseException:
            self.abort()
            raise
        self._done = True
        if self.uids:
            mailbox.changes.announce("APPEND", mailbox.name)
        try:
            if self._seen:
                _add_seen(mailbox, mailbox.seen_user(self.userid), self._seen)
        finally:
            if self._close:
                mailbox.close()

    def abort(self) -> None:
        """Leave the mailbox as it was."""
        if self._done:
            return
        self._done = True
        mailbox = self.mailbox
        try:
            mailbox.abort()
        finally:
            for path in self._files:
                try:
                    if files.remove(path) and mailbox.store.auditlog:
                        audit.unlinked(mailbox, "unlink", int(os.path.basename(path)[:-1]), "ZZ")
                except OSError as error:
                    xlog.ioerror(log, "error unlinking file", error, filename=path)
            if self._close:
                mailbox.close()


def check(mailbox: Mailbox, rights: int, *, need: int = 0, quota: Sequence[int] | None = None) -> None:
    """Raise as ``Appender.open`` when rights or room are missing."""
    if rights & need != need:
        raise PermissionDenied if rights & acl.LOOKUP else MailboxNonexistent
    if quota is not None and mailbox.quotaroot is not None:
        mailbox.store.quota.check(mailbox.quotaroot, quota)


def _add_seen(mailbox: Mailbox, userid: str, uids: SeqSet) -> None:
    """Add to a user's seen database; failing that is logged, for the messages are stored."""
    store = mailbox.store
    try:
        with SeenDb(store.config, store.userstate, userid, create=True) as database:
            old = database.lock_read(mailbox.uniqueid)
            seen = SeqSet.parse(old.uids)
            seen.join(uids)
            database.write(
                mailbox.uniqueid, SeenData(old.lastread, old.lastuid, int(time.time()), str(seen))
            )
        store.sync_log.seen(userid, mailbox.uniqueid)
    except CyrusError as error:
        xlog.xsyslog(
            log, logging.ERROR, "IOERROR: seen_write failed", None,
            userid=userid, uniqueid=mailbox.uniqueid, reason=error,
        )  # fmt: skip


def _storage_error(error: OSError, mailbox: Mailbox) -> NoSpace | IoError:
    xlog.ioerror(log, "creating message file", error, mailbox=mailbox.name)
    return storage_error(error)
