"""The door to all mailboxes of a server, for one process.

``MailStore`` holds the configuration, the databases (opened when first used), the name locks and the
mailboxes that are open. It is made once, after fork, and passed to everything above.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from libcyrus import options as opt
from libcyrus.acl import AclRules
from libcyrus.config import Config
from libcyrus.config.session_id import SessionId
from libcyrus.errors import (
    CyrusError,
    Fatal,
    MailboxLocked,
    MailboxMoved,
    MailboxNonexistent,
    MailboxRemote,
)
from libcyrus.events.sync_log import SyncLog
from libcyrus.mailbox import expunge, index_header, lifecycle
from libcyrus.mailbox.conversing import ConversationStates
from libcyrus.mailbox.header import KnownHeaders
from libcyrus.mailbox.locking import Lock
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.namelock import NameLocks
from libcyrus.mboxname import NameRules
from libcyrus.message import ParseOptions
from libcyrus.partitions import Partitions
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import AnnotationDb
from libcyrus.records.counters import Counters
from libcyrus.records.mbentry import MboxEntry
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.quota import QuotaDb
from libcyrus.records.statuscache import IndexStatus, StatusCache
from libcyrus.records.userstate import UserState

if TYPE_CHECKING:
    from libcyrus.mailbox.telling import Telling

log = logging.getLogger(__name__)


class MailStore:
    """See the module. Not to be shared by processes: make it after fork, ``close`` it at the end."""

    def __init__(self, config: Config) -> None:
        """Raises Fatal (EX_CONFIG) for a configuration whose mailboxes we would damage."""
        if config[opt.object_storage_enabled]:
            raise Fatal("object_storage_enabled: not supported", os.EX_CONFIG)
        if config[opt.sync_rightnow_channel]:
            # who sets it counts on every change being on the replica before it is acknowledged
            raise Fatal("sync_rightnow_channel: not supported", os.EX_CONFIG)
        self.config = config
        self.rules = NameRules.from_config(config)
        self.locks = NameLocks(config, self.rules)
        self.headers = KnownHeaders()
        self.session_id: object = SessionId(config)
        mode = config[opt.expunge_mode]
        self.expunge_at_once = mode in ("immediate", "semidelayed")
        self.repack_at_once = mode == "immediate"
        self.auditlog: bool = config[opt.auditlog]
        self.initial_flags = frozenset((config[opt.mailbox_initial_flags] or "").lower().split())
        self.parse_options = ParseOptions(
            max_header_lines=config[opt.maxheaderlines],
            boundary_limit=config[opt.boundary_limit],
            strict_boundaries=config[opt.rfc2046_strict],
            utf8_headers=config[opt.rfc2047_utf8],
        )
        self.acl_rules = AclRules.from_config(config)
        self._limits = {
            mbtypes.EMAIL: config[opt.mailbox_maxmessages_email],
            mbtypes.CALENDAR: config[opt.mailbox_maxmessages_calendar],
            mbtypes.ADDRESSBOOK: config[opt.mailbox_maxmessages_addressbook],
        }
        self.conversations_on: bool = config[opt.conversations]
        # the original also obeys the second option alone, and then finds nothing used
        self.counts_once: bool = self.conversations_on and config[opt.quota_use_conversations]
        self._statuscache_on: bool = config[opt.statuscache]
        # told the name of each mailbox that changed, by those daemons of which idlers expect it
        self.notifier: Callable[[str], None] | None = None
        # None where the configuration asks for no events, which then cost nothing
        self.events = _telling(self)
        self._open: dict[str, Mailbox] = {}
        self._cleanup: dict[str, None] = {}

    @cached_property
    def mboxlist(self) -> Mboxlist:
        mailboxes = Mboxlist(self.config)
        mailboxes.sessionid = str(self.session_id)
        return mailboxes

    @cached_property
    def partitions(self) -> Partitions:
        """The chooser among partitions counts the choices of this process."""
        return Partitions(self.config)

    @cached_property
    def userstate(self) -> UserState:
        return UserState(self.config, self.mboxlist)

    @cached_property
    def counters(self) -> Counters:
        return Counters(self.config, self.userstate)

    @cached_property
    def quota(self) -> QuotaDb:
        use = self.conversations.message_use if self.counts_once else None
        quotas = QuotaDb(self.config, self.counters, message_use=use)
        quotas.watcher = self.events.quota if self.events is not None else None
        return quotas

    @cached_property
    def annotations(self) -> AnnotationDb:
        """The annotations of mailboxes and of the server; those of messages are with their mailbox."""
        return AnnotationDb(self.config)

    @cached_property
    def conversations(self) -> ConversationStates:
        return ConversationStates(self)

    @cached_property
    def statuscache(self) -> StatusCache:
        return StatusCache(self.config)

    @cached_property
    def sync_log(self) -> SyncLog:
        return SyncLog(self.config)

    # opening

    def open(
        self, name: str | MboxEntry, *, write: bool, exclusive: bool = False, nonblock: bool = False
    ) -> Mailbox:
        """Open a mailbox by internal name or entry, its index locked: shared, or exclusively to ``write``.

        ``exclusive`` (with ``write``) takes the name lock exclusively too, for replacing and removing files;
        ``nonblock`` then raises MailboxLocked instead of waiting. A mailbox already open in this process
        is the same object, counted. Raises MailboxNonexistent, MailboxMoved, MailboxReserved, MailboxLocked
        (its index is locked here already), PartitionUnknown, and what ``Mailbox.lock_index`` raises.
        """
        text = name if isinstance(name, str) else name.name
        mailbox = self._open.get(text)
        if mailbox is not None:
            if exclusive or mailbox.name_locked_exclusively or mailbox.locked is not Lock.NONE:
                raise MailboxLocked
            mailbox.reacquire(write=write)
            mailbox.opened += 1
            return mailbox
        userid = self.rules.from_internal(text).userid
        held = self.locks.holds_user(userid)
        if held is None:
            user_lock = self.locks.acquire_user(userid, exclusive=write)
        elif write and not held.exclusive:
            raise MailboxLocked
        else:
            user_lock = None
        try:
            entry = self.lookup(text) if isinstance(name, str) else usable(name)
            mailbox = Mailbox(self, entry)
            ours, user_lock = user_lock, None
            try:
                mailbox.open_locked(
                    exclusive_name=exclusive, write=write, nonblock=nonblock, user_lock=ours
                )
            except BaseException:
                mailbox.drop()
                raise
        finally:
            if user_lock is not None:
                user_lock.release()
        self._open[text] = mailbox
        return mailbox

    def lookup(self, name: str) -> MboxEntry:
        """The entry of a mailbox that can be opened here. Raises as ``open``."""
        return usable(self.mboxlist.lookup_all(name))

    def make_collection(self, name: str) -> None:
        """Make a folder of a user that holds only annotations, with the ACL and partition of the one above.

        The namespace lock is held exclusively. Raises MailboxNonexistent when there is none above, and what
        ``lifecycle.create`` raises.
        """
        lifecycle.create_below(self, name, mbtypes.COLLECTION).close()

    def is_open(self, name: str) -> Mailbox | None:
        return self._open.get(name)

    def adopt(self, mailbox: Mailbox) -> None:
        """Count a mailbox that was just created as open."""
        self._open[mailbox.name] = mailbox

    def close_mailbox(self, mailbox: Mailbox) -> None:
        """What ``Mailbox.close`` does: commit and unlock; the last user closes the files."""
        if not mailbox.opened:
            return
        try:
            mailbox.unlock_index()
        finally:
            mailbox.opened -= 1
            if not mailbox.opened:
                self._close_last(mailbox)

    def _close_last(self, mailbox: Mailbox) -> None:
        if self._open.get(mailbox.name) is mailbox:
            del self._open[mailbox.name]
        options = mailbox.i.options
        try:
            if options & index_header.MAILBOX_DELETED:
                lifecycle.remove_deleted(mailbox)
            else:
                self.note_cleanup(mailbox)
        finally:
            mailbox.drop()

    @contextmanager
    def lock_users(self, *userids: str | None, shared: Iterable[str | None] = ()) -> Iterator[None]:
        """Hold the namespace locks of several users, taken in an order that cannot deadlock.

        Exclusively, but for those that are only ``shared``. A lock that the process has already serves.
        """
        exclusive = set(userids)
        with ExitStack() as stack:
            for userid in sorted(exclusive.union(shared), key=lambda userid: userid or ""):
                stack.enter_context(self.locks.user(userid, exclusive=userid in exclusive))
            yield

    def message_limit(self, kind: int) -> int:
        """How many messages a mailbox of this kind (``mbtype.kind``) may hold; 0 for no limit."""
        return max(0, self._limits.get(kind, 0))

    # what follows from changes

    def changed(self, mailbox: Mailbox) -> None:
        """Called by a mailbox when it is unlocked after a change."""
        if self.sync_log.enabled:
            self.sync_log.record(*mailbox.changes.take_announcements(), ("MAILBOX", mailbox.name))
        if self.notifier is not None:
            self.notifier(mailbox.name)
        if self._statuscache_on:
            i = mailbox.i
            status = IndexStatus(
                i.exists, i.last_uid + 1, i.uidvalidity, i.options, i.quota_mailbox_used,
                i.createdmodseq, i.highestmodseq,
            )  # fmt: skip
            self.statuscache.store(mailbox.name, status)

    def use_quota(self, root: str, differences: Sequence[int], mailbox: Mailbox) -> None:
        """Add to what a quota root uses. A failure is in the log only, for the mail is stored already."""
        with suppress(CyrusError):
            self.quota.update_used(root, differences, mailbox=mailbox.name, silent=mailbox.silent)

    def annotation_size(self, uniqueid: str) -> int:
        """Bytes of all annotations of a mailbox itself, which count for its quota."""
        return sum(len(annotation.value) for annotation in self.annotations.find(uniqueid))

    def begin_session(self, session_id: object) -> None:
        """Say which session audit lines belong to from now on; its text may change meanwhile."""
        self.session_id = session_id
        if "mboxlist" in self.__dict__:
            self.mboxlist.sessionid = str(session_id)

    def note_cleanup(self, mailbox: Mailbox) -> None:
        """Remember a mailbox that nobody here uses now, if it has something to be cleaned up."""
        if mailbox.i.options & (index_header.NEEDS_REPACK | index_header.NEEDS_UNLINK):
            self._cleanup[mailbox.name] = None

    @property
    def cleanup_due(self) -> bool:
        """Whether ``run_cleanup`` has something to do: a reason to send the reply first."""
        return bool(self._cleanup)

    def run_cleanup(self) -> None:
        """Do what closed mailboxes need: remove files of expunged messages, repack, remove deleted mailboxes.

        Meant for after the reply to a command, and done by ``close``. A mailbox that is in use is left for
        its next user.
        """
        due, self._cleanup = self._cleanup, {}
        for name in due:
            expunge.cleanup(self, name)

    def close(self) -> None:
        """Close everything. Mailboxes still open lose what they had not committed."""
        for mailbox in list(self._open.values()):
            if mailbox.locked is Lock.EXCLUSIVE:
                mailbox.abort()
            mailbox.opened = 1
            mailbox.close()
        self.run_cleanup()
        if self.events is not None:
            self.events.close()
        for name in ("conversations", "statuscache", "annotations", "quota", "mboxlist"):
            database = self.__dict__.pop(name, None)
            if database is not None:
                database.close()


def _telling(store: MailStore) -> Telling | None:
    """Who tells of events; None where the configuration asks for none."""
    if not store.config[opt.event_notifier]:
        return None
    # most servers do without it; where they do not, it was loaded at the start
    from libcyrus.mailbox.telling import Telling

    return Telling(store)


def usable(entry: MboxEntry) -> MboxEntry:
    """The entry, if it is that of a mailbox with files here.

    Raises MailboxNonexistent, MailboxMoved, or MailboxRemote, which is a MailboxMoved.
    """
    if entry.mbtype & (mbtypes.DELETED | mbtypes.INTERMEDIATE):
        raise MailboxNonexistent
    if entry.mbtype & mbtypes.REMOTE:
        raise MailboxRemote(entry.name)
    if entry.mbtype & mbtypes.MOVING:
        raise MailboxMoved(entry.name)
    if not entry.partition:
        raise MailboxNonexistent
    return entry
