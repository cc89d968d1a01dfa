"""Expiry, as cyr_expire(8) has it done: what is old goes, from every mailbox in turn.

There are five kinds, each walking the mailboxes once: archiving; expiring messages and removing expunged
ones, unused user flags and tombstones; message ids of conversations; deleted mailboxes; marks of delivered
messages. A mailbox that cannot be opened or changed is logged and left for the next time. Between two
mailboxes nothing is locked, and ``poll`` may raise to end the work there.

Annotations of a mailbox (shared values of ``/vendor/cmu/cyrus-imapd/`` and ``expire``, ``archive`` or
``delete``) override the durations asked for; 0 means never. As in Cyrus 3.6, and other than its manual page
says, a mailbox does not inherit them from those above it.

Differences from the original: an ``archive`` or ``delete`` annotation counts for its own mailbox only, not
for those that happen to be visited after it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from struct import Struct

from libcyrus import options as opt
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import CyrusError
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.mailbox import archive, expunge, flagchange, peek
from libcyrus.mailbox.index_record import EXPUNGED
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.conversations import maintenance
from libcyrus.records.duplicate import DuplicateDb
from libcyrus.records.mbentry import MboxEntry

from .checks import Actor
from .delete import delete_at_once, is_delayed

log = logging.getLogger(__name__)

DAY = 86400
_TOMBSTONE_AGE = 7 * DAY
_UNITS = {"d": DAY, "h": 3600, "m": 60, "s": 1}
_FOREVER = 2**31 - 1
_DURATION = re.compile(
    r"[ \t-\r]*([+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})(?:[eE][+-]?\d{1,3})?)?([dhms]?)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked for; ages in seconds, None for what is not.

    ``expunged`` is the age at which expunged messages go, ``duplicates`` that of delivery marks. ``prefix``
    is that of internal names; ``userid`` restricts the work to one user's mailboxes.
    """

    archive: int | None = None
    deleted: int | None = None
    duplicates: int | None = None
    expunged: int | None = None
    userflags: bool = False
    expunge: bool = True
    annotations: bool = True
    conversations: bool = False
    prefix: str = ""
    userid: str | None = None


@dataclass(slots=True)
class Counts:
    """What was done so far."""

    archived: int = 0
    mailboxes: int = 0
    messages: int = 0
    expired: int = 0
    expunged: int = 0
    userflags: int = 0
    deleted: int = 0


def parse_duration(text: str) -> int | None:
    """Seconds, from a number, perhaps with a fraction, and a unit: ``d`` (so without), ``h``, ``m`` or ``s``.

    None for anything else, and for what is negative or empty.
    """
    if not text or text.startswith("-"):
        return None
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    seconds = float(match[1] or 0) * _UNITS[match[2] or "d"]
    return None if seconds < 0 else int(min(seconds, _FOREVER))


class Expirer:
    """One run. ``say`` hears what is done, ``poll`` is called before each mailbox."""

    def __init__(
        self, store: MailStore, plan: Plan, say: Callable[[str], None], poll: Callable[[], None]
    ) -> None:
        self.counts = Counts()
        self._store = store
        self._plan = plan
        self._say = say
        self._poll = poll
        self._expire_at: dict[bytes, int] = {}

    def run(self) -> None:
        """Do everything that the plan asks for. Raises what opening a database raises."""
        self._archive()
        self._expire()
        self._prune_conversations()
        self._delete()
        self._prune_duplicates()

    # archiving

    def _archive(self) -> None:
        age = self._plan.archive
        if age is None or not self._store.config[opt.archive_enabled]:
            return
        before = int(time.time()) - age
        for entry in self._mailboxes():
            own = self._annotation(entry, "archive")
            if own is not None:
                mark = int(time.time()) - own if own else 0
            else:
                mark = before
            found = peek.index(self._store, entry)
            if found is not None and not found.header.exists:
                continue
            try:
                with self._store.open(entry.name, write=True) as mailbox:
                    self.counts.archived += archive.archive(mailbox, mark)
            except CyrusError as error:
                log.warning("unable to archive mailbox %s: %s", entry.name, error)
            self._store.run_cleanup()

    # messages

    def _expire(self) -> None:
        plan, counts = self._plan, self.counts
        if not plan.expunge or plan.expunged is None and plan.duplicates == 0 and not plan.userflags:
            return
        expunge_mark = 0
        if plan.expunged is not None:
            expunge_mark = int(time.time()) - plan.expunged
            days = plan.expunged / DAY
            self._say(f"Expunging deleted messages in mailboxes older than {days:.2f} days\n")
        tombstone_mark = int(time.time()) - _TOMBSTONE_AGE
        for entry in self._mailboxes(tombstones=True):
            if entry.deleted:
                if entry.mtime < tombstone_mark:
                    self._remove_tombstone(entry, tombstone_mark)
                continue
            if self._is_clean(entry, expunge_mark):
                continue
            try:
                mailbox = self._store.open(entry.name, write=True)
            except CyrusError as error:
                log.warning("unable to open mailbox %s: %s", entry.name, error)
                continue
            try:
                with mailbox:
                    self._expire_mailbox(mailbox, expunge_mark)
            except CyrusError as error:
                log.warning("failure expiring %s: %s", entry.name, error)
            self._store.run_cleanup()
        line = (
            f"Expired {counts.expired} and expunged {counts.expunged} out of {counts.messages} messages "
            f"from {counts.mailboxes} mailboxes"
        )
        log.log(NOTICE, "%s", line)
        self._say(f"\n{line}\n")
        if plan.userflags:
            log.log(NOTICE, "Expunged %d user flags", counts.userflags)
            self._say(f"Expunged {counts.userflags} user flags\n")

    def _is_clean(self, entry: MboxEntry, expunge_mark: int) -> bool:
        """Count a mailbox that has nothing to expire, to remove or to be scanned for; False for others."""
        if self._plan.userflags or self._annotation(entry, "expire") is not None:
            return False
        found = peek.index(self._store, entry)
        if found is None or expunge.find_stale(found.region, found.header.record_size, expunge_mark):
            return False
        self._say(f"cleaning up expunged messages in {entry.name}\n")
        self.counts.messages += found.header.num_records
        self.counts.mailboxes += 1
        return True

    def _expire_mailbox(self, mailbox: Mailbox, expunge_mark: int) -> None:
        counts, name = self.counts, mailbox.name
        before = 0
        age = self._annotation(mailbox.entry, "expire")
        if age is not None:
            before = int(time.time()) - age if age else 0
            self._expire_at[name.encode("utf-8", "surrogateescape")] = before
            if age:
                self._say(f"expiring messages in {name} older than {age / DAY:.2f} days\n")
        used = -1
        if age or self._plan.userflags:
            old, used = _old_messages(mailbox, before)
            try:
                counts.expired += expunge.expunge_records(mailbox, old, event=EventType.MESSAGE_EXPIRE)
            except CyrusError as error:
                log.error("failed to expire old messages: %s: %s", name, error)
                mailbox.abort()
        counts.messages += mailbox.num_records
        if self._plan.userflags:
            self._remove_flags(mailbox, used)
        self._say(f"cleaning up expunged messages in {name}\n")
        counts.expunged += expunge.expunge_stale(mailbox, expunge_mark)
        counts.mailboxes += 1

    def _remove_flags(self, mailbox: Mailbox, used: int) -> None:
        """Take out the names of user flags but those in ``used``, where flag n is bit n."""
        for number, name in enumerate(list(mailbox.header.flags)):
            if name is not None and not used >> number & 1:
                # its name goes to disk first, so whatever had the flag must be expunged for good
                mailbox.commit()
                self._say(f"Expunging userflag {number} ({name}) from {mailbox.name}\n")
                mailbox.remove_flag(number)
                self.counts.userflags += 1

    def _remove_tombstone(self, entry: MboxEntry, before: int) -> None:
        store = self._store
        with store.locks.user(store.rules.from_internal(entry.name).userid):
            now = store.mboxlist.get_all(entry.name)
            if now is None or not now.deleted or now.mtime >= before:
                return
            self._say(f"Removing stale tombstone for {entry.name}\n")
            log.log(NOTICE, "Removing stale tombstone for %s", entry.name)
            store.mboxlist.delete(entry.name)

    # conversations

    def _prune_conversations(self) -> None:
        if not self._plan.conversations:
            return
        store = self._store
        age = store.config[opt.conversations_expire_after]
        self._say(f"Removing conversation entries older than {age // DAY:.2f} days\n")
        before = int(time.time()) - age
        done: set[str] = set()
        seen = expired = 0
        for entry in self._mailboxes():
            name = store.rules.from_internal(entry.name)
            if name.userid is None or name.deleted or name.userid in done:
                continue
            done.add(name.userid)
            databases = store.conversations.db
            self._say(f"Pruning conversations from db {databases.path(name.userid)}\n")
            try:
                with store.lock_users(name.userid), databases.open(name.userid) as state:
                    counts = maintenance.prune(state, before)
            except CyrusError as error:
                log.warning("unable to prune conversations of %s: %s", name.userid, error)
                continue
            seen += counts[0]
            expired += counts[1]
        line = f"Expired {expired} entries of {seen} entries seen in {len(done)} conversation databases"
        log.log(NOTICE, "%s", line)
        self._say(f"{line}\n")

    # deleted mailboxes

    def _delete(self) -> None:
        store, age = self._store, self._plan.deleted
        if age is None or not is_delayed(store) or not store.rules.deletedprefix:
            return
        self._say(f"Removing deleted mailboxes older than {age / DAY:.2f} days\n")
        for name in list(self._old_deleted(int(time.time()) - age)):
            self._poll()
            self._say(f"Removing: {name}\n")
            try:
                with store.locks.user(store.rules.from_internal(name).userid):
                    delete_at_once(store, name, Actor(True, None, None), fill_in=False)
            except CyrusError as error:
                log.warning("unable to remove deleted mailbox %s: %s", name, error)
            store.run_cleanup()
            self.counts.deleted += 1
        self._say(f"Removed {self.counts.deleted} deleted mailboxes\n")
        log.log(NOTICE, "Removed %d deleted mailboxes", self.counts.deleted)

    def _old_deleted(self, before: int) -> Iterator[str]:
        for entry in self._mailboxes(intermediates=True):
            when = self._store.rules.from_internal(entry.name).deleted
            if not when:
                continue
            own = self._annotation(entry, "delete")
            if own is not None:
                mark = int(time.time()) - own if own else 0
            else:
                mark = before
            if when <= mark:
                self._say(f"Cleaning up {entry.name}\n")
                yield entry.name

    # the rest

    def _prune_duplicates(self) -> None:
        age = self._plan.duplicates
        if not age:
            return
        duplicates = DuplicateDb(self._store.config)
        try:
            duplicates.prune(age, self._expire_at)
        finally:
            duplicates.close()

    def _mailboxes(self, *, tombstones: bool = False, intermediates: bool = False) -> Iterator[MboxEntry]:
        """The local mailboxes that the plan is about; those of one user with what was deleted of them."""
        plan, mboxlist = self._plan, self._store.mboxlist
        if plan.userid is not None:
            found = mboxlist.user_tree(
                plan.userid, deleted=True, tombstones=tombstones, intermediates=intermediates
            )
        else:
            found = mboxlist.all(plan.prefix, tombstones=tombstones, intermediates=intermediates)
        for entry in found:
            self._poll()
            if not entry.mbtype & mbtypes.REMOTE:
                yield entry

    def _annotation(self, entry: MboxEntry, name: str) -> int | None:
        """A duration that a mailbox has as its own, in seconds."""
        if not self._plan.annotations or not entry.uniqueid:
            return None
        value = self._store.annotations.lookup(entry.uniqueid, NAMESPACE + name)
        return parse_duration(value.decode("latin-1")) if value else None


def _old_messages(mailbox: Mailbox, before: int) -> tuple[list[int], int]:
    """The numbers of records of living messages sent before that time, and the user flags that others have.

    Flag n is bit n of the second.
    """
    old: list[int] = []
    flag_sets: set[bytes] = set()
    # uid, gmtime, flags, user flags
    layout = Struct(f">I16xI8xI16s{mailbox.i.record_size - 52}x")
    for recno, (uid, sent, flags, user) in enumerate(layout.iter_unpack(mailbox.region), 1):
        if flags & EXPUNGED or not uid:
            continue
        if sent < before:
            old.append(recno)
        else:
            flag_sets.add(user)
    used = 0
    for user in flag_sets:
        used |= flagchange.user_number(user)
    return old, used
