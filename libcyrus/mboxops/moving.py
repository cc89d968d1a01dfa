"""Giving mailboxes other names or partitions, all of them in one transaction of mailboxes.db.

A mailbox whose directory goes by its unique id only changes its name, in cyrus.header and then in
mailboxes.db. One in the old layout, and one that moves to another partition, is copied first: until the
transaction is committed the old files are the mailbox, afterwards the new ones.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.base.xlog import NOTICE
from libcyrus.errors import CyrusError, MailboxExists, PermissionDenied
from libcyrus.events.mboxevent.event import MboxEvent
from libcyrus.events.mboxevent.kinds import EventType
from libcyrus.events.mboxevent.params import Param
from libcyrus.mailbox import lifecycle
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.mbentry import MboxEntry

from . import checks, relocate
from .checks import Actor
from .notes import Operation
from .setacl import Change

log = logging.getLogger(__name__)

Progress = Callable[[str, str, CyrusError | None], None]


@dataclass(slots=True)
class _Step:
    """One mailbox: what it is, where it goes, and once prepared what it will be."""

    old: MboxEntry
    target: MboxEntry
    acl_changes: Sequence[Change]
    new: MboxEntry | None = None
    modseq: int = 0
    """Of the old name's tombstone."""

    @property
    def is_move(self) -> bool:
        """To another partition, not to another name."""
        return self.old.name == self.target.name

    @property
    def acl(self) -> str | None:
        """The new one, if it changes."""
        return self.acl_changes[-1].acl if self.acl_changes else None

    @property
    def copies(self) -> bool:
        return self.is_move or bool(self.old.mbtype & mbtypes.LEGACY_DIRS and not self.old.intermediate)


class Moving:
    """``plan`` each mailbox, note the ``operation``, then ``carry_out``; the namespace locks are held."""

    def __init__(self, store: MailStore, *, silent: bool = False, with_user: bool = False) -> None:
        """``with_user``: they are all that a user has, and the user gets another name."""
        self._store = store
        self._silent = silent
        self._with_user = with_user
        self._steps: list[_Step] = []
        self._told: tuple[EventType, str, str | None] | None = None
        self._told_behind: Sequence[MboxEvent | None] = ()
        self._events: list[MboxEvent | None] = []
        self._usage = lifecycle.UsageMoves()

    def plan(
        self,
        entry: MboxEntry,
        new: str,
        actor: Actor,
        *,
        partition: str | None = None,
        force_user: bool = False,
        acl_changes: Sequence[Change] = (),
    ) -> None:
        """Rename a mailbox, or move it to ``partition`` when ``new`` is its name, and change its ACL.

        Raises what stands in the way.
        """
        store = self._store
        target = replace(entry, name=new)
        if entry.intermediate:
            checks.creation(store, new, actor, force_user=force_user)
        else:
            checks.may_be_moved(store, entry, actor)
            store.lookup(entry.name)
            if entry.name == new:
                target = _moved(store, entry, actor, partition)
            else:
                checks.renaming(store, entry, store.rules.from_internal(new), actor)
                checks.creation(store, new, actor, force_user=force_user)
                if entry.mbtype & mbtypes.LEGACY_DIRS:
                    chosen = checks.partition(store, store.partitions, new, partition)
                    target = replace(target, partition=chosen)
        self._steps.append(_Step(entry, target, acl_changes))

    def tell(
        self, kind: EventType, name: str, userid: str | None, behind: Sequence[MboxEvent | None] = ()
    ) -> None:
        """Make an event of what happens to the mailbox ``name``, which ``userid`` does.

        It is sent with those of all mailboxes when everything is done; right ``behind`` it go these.
        """
        self._told = kind, name, userid
        self._told_behind = behind

    def operation(
        self,
        kind: str,
        owners: tuple[str | None, ...],
        *,
        names: tuple[str, ...] = (),
        mbtype: int = mbtypes.EMAIL,
        places: tuple[MboxEntry, ...] = (),
        roots: tuple[str, ...] = (),
        made_roots: tuple[str, ...] = (),
        inbox: MboxEntry | None = None,
        heir: str | None = None,
    ) -> Operation:
        """What is to be noted: the steps, and what else the caller will do."""
        store = self._store
        touched: dict[str, None] = dict.fromkeys(names)
        for step in self._steps:
            touched[step.old.name] = touched[step.target.name] = None
            if step.copies:
                places += (step.old, step.target)
        found = dict.fromkeys(roots)
        if any(True for _ in store.quota.all()):
            found |= dict.fromkeys(root for name in touched if (root := store.quota.find_root(name)))
        return Operation(
            kind, owners, places=places, names=tuple(touched), mbtype=mbtypes.kind(mbtype),
            roots=(*found, *made_roots), made_roots=made_roots, inbox=inbox, heir=heir,
        )  # fmt: skip

    def carry_out(self, report: Progress | None = None) -> None:
        """Do it. With ``report`` the failure of one mailbox is told, and leaves the others alone."""
        store = self._store
        done: list[_Step] = []
        for step in self._steps:
            try:
                step.new = self._prepare(step)
            except CyrusError as error:
                if report is None:
                    raise
                report(step.old.name, step.target.name, error)
            else:
                done.append(step)
        with store.mboxlist.transaction() as change:
            for step in done:
                assert step.new is not None
                if not step.is_move:
                    change.update(_tombstone(step.old, step.modseq))
                change.update(step.new)
        self._usage.apply(store, silent=self._silent)
        self._finish(done)
        if report is not None:
            for step in done:
                report(step.old.name, step.target.name, None)
        if store.events is not None:
            store.events.send(*self._events)

    def _prepare(self, step: _Step) -> MboxEntry:
        """All but mailboxes.db; returns the record to come."""
        store, old, target = self._store, step.old, step.target
        if old.intermediate:
            modseq = old.foldermodseq
            if not self._silent:
                # counters that go by the INBOX's id are not yet found under the new name
                modseq = store.counters.next_modseq(
                    old.name if self._with_user else target.name, modseq, old.mbtype, folder=True,
                    delete=bool(store.rules.from_internal(target.name).deleted),
                )  # fmt: skip
            step.modseq = modseq
            return replace(old, name=target.name, foldermodseq=modseq)
        with store.open(old.name, write=True) as mailbox:
            mailbox.silent = self._silent
            if not step.copies:
                self._rename(step, mailbox, mailbox)
                return _entry_of(mailbox, target, step.acl)
            relocate.copy(store, mailbox, target)
            if step.is_move:
                modseq = old.foldermodseq
                if not self._silent:
                    modseq = store.counters.next_modseq(old.name, modseq, old.mbtype, folder=True)
                return replace(_entry_of(mailbox, target, None), foldermodseq=modseq)
            copied = relocate.open_copy(store, target)
            try:
                copied.silent = self._silent
                self._raise_uidvalidity(copied)
                mailbox.conversing.move(copied.conversing)
                self._rename(step, mailbox, copied)
                return _entry_of(copied, target, step.acl)
            finally:
                copied.drop()

    def _rename(self, step: _Step, old: Mailbox, new: Mailbox) -> None:
        """Rename ``new``, which is ``old`` or a copy of it."""
        event = self._event(step, old, new)
        with new.changes.events_held() as held:
            step.modseq = lifecycle.rename_in_place(
                new, step.target.name, self._usage, acl=step.acl, silent=self._silent,
                with_user=self._with_user,
            )  # fmt: skip
        if self._store.events is not None:
            self._note_events(step, new, held, event)

    def _event(self, step: _Step, old: Mailbox, new: Mailbox) -> MboxEvent | None:
        events = self._store.events
        if events is None or self._told is None or self._told[1] != step.old.name:
            return None
        kind, name, userid = self._told
        event = events.new(kind)
        if kind == EventType.MAILBOX_DELETE:
            events.about(event, old, userid, name=name)
        else:
            events.about(event, new, userid, name=step.target.name)
            events.about_old(event, old, name=name)
        return event

    def _note_events(
        self, step: _Step, mailbox: Mailbox, held: list[MboxEvent | None], event: MboxEvent | None
    ) -> None:
        """Rights are told as if they changed one by one, after the name."""
        events = self._store.events
        assert events is not None
        if step.acl_changes:
            for one in held:
                if one is not None:
                    one.put(Param.MAILBOX_ACL, step.old.acl or "")
        self._events += held
        if self._told is not None and self._told[1] == step.old.name:
            self._events += [event, *self._told_behind]
        name = step.target.name
        heir = self._store.rules.from_internal(name).userid
        for who, rights, acl in step.acl_changes:
            self._events.append(events.modseq_changed(mailbox, name=name, acl=acl))
            self._events.append(events.acl_changed(mailbox, who, rights, heir, name=name, acl=acl))

    def _raise_uidvalidity(self, mailbox: Mailbox) -> None:
        """A client that knew another mailbox of that name must see that this is not the one."""
        gone = self._store.mboxlist.get_all(mailbox.name)
        if gone is None or not gone.deleted or gone.uniqueid == mailbox.uniqueid:
            return
        if mailbox.i.uidvalidity <= gone.uidvalidity:
            mailbox.i.uidvalidity = gone.uidvalidity + 1
            mailbox.dirty()

    def _finish(self, done: list[_Step]) -> None:
        store = self._store
        for step in done:
            old, new = step.old, step.new
            assert new is not None
            if old.intermediate:
                continue
            if step.is_move:
                if store.auditlog:
                    log.log(
                        NOTICE,
                        "auditlog: partitionmove sessionid=<%s> mailbox=<%s> uniqueid=<%s> "
                        "oldpart=<%s> newpart=<%s>",
                        store.session_id, old.name, old.uniqueid, old.partition, new.partition,
                    )  # fmt: skip
            else:
                # before the files go, so that a replica never removes the mailbox as one that is gone
                store.sync_log.rename(old.name, new.name)
                store.statuscache.invalidate(old.name)
                log.info("Rename: %s -> %s", old.name, new.name)
            if step.copies:
                if store.auditlog:
                    log.log(
                        NOTICE,
                        "auditlog: rename sessionid=<%s> oldmailbox=<%s> newmailbox=<%s> uniqueid=<%s>",
                        store.session_id, old.name, new.name, new.uniqueid,
                    )  # fmt: skip
                keep = MailboxPaths(store.config, store.rules, new).directories()
                lifecycle.remove_files(store, old, keep=keep)
                if not step.is_move:
                    store.sync_log.append(new.name)
            if store.rules.from_internal(new.name).deleted:
                store.counters.set_modseq(new.name, new.foldermodseq, new.mbtype, delete=True)
        _forget_displaynames(store, [step.old.uniqueid for step in done if not step.is_move])


def _moved(store: MailStore, entry: MboxEntry, actor: Actor, partition: str | None) -> MboxEntry:
    """The place on another partition. Raises PermissionDenied, MailboxExists, PartitionUnknown."""
    if not actor.is_admin:
        raise PermissionDenied
    if partition is None or partition == entry.partition:
        raise MailboxExists
    root = store.partitions.root(partition)
    if MailboxPaths(store.config, store.rules, entry).data.startswith(root + "/"):
        raise MailboxExists
    return replace(entry, partition=partition)


def _tombstone(old: MboxEntry, modseq: int) -> MboxEntry:
    return MboxEntry(
        name=old.name,
        mbtype=old.mbtype | mbtypes.DELETED,
        uniqueid=old.uniqueid,
        uidvalidity=old.uidvalidity,
        createdmodseq=old.createdmodseq,
        foldermodseq=modseq,
    )


def _entry_of(mailbox: Mailbox, target: MboxEntry, acl: str | None) -> MboxEntry:
    return MboxEntry(
        name=target.name,
        mbtype=mailbox.entry.mbtype,
        uniqueid=mailbox.uniqueid,
        partition=target.partition,
        uidvalidity=mailbox.i.uidvalidity,
        createdmodseq=mailbox.i.createdmodseq,
        foldermodseq=mailbox.i.highestmodseq,
        acl=mailbox.acl if acl is None else acl,
    )


def _forget_displaynames(store: MailStore, uniqueids: list[str | None]) -> None:
    """The display name that JMAP keeps for a mailbox is wrong once it is renamed."""
    key = NAMESPACE + "displayname"
    stale = [
        one
        for uniqueid in uniqueids
        if uniqueid
        for one in store.annotations.find(uniqueid, key)
        if one.entry == key
    ]
    if stale:
        with store.annotations.transaction() as change:
            for one in stale:
                change.write(one.owner, one.entry, one.userid, b"")
