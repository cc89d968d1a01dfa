"""Conversations record by record: what a server did to its database, ``update_record`` does to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from cassandane import threads
from cassandane.instance import Instance
from libcyrus.config import Config
from libcyrus.mailbox.index_record import SPLITCONVERSATION, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.message.cache import split
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.conversations import Content, Conversations, ConversationsDb, Folder, update_record
from libcyrus.records.counters import Counters
from libcyrus.records.userstate import UserState

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

class QuietCounters(Counters):
    """The reference's own counters are not ours to change."""

    def set_modseq(self, name: str, value: int, *args: object, **kwargs: object) -> int:
        return value


class Known(NamedTuple):
    record: IndexRecord
    content: Content
    basecid: int


class Mirror:
    """Follows the mailboxes of a server that somebody else changes, and keeps conversations of them."""

    def __init__(self, server: Instance, user: str) -> None:
        self.server = server
        self.user = user
        config = Config.load(server.config, "mirror")
        self.store = MailStore(config)
        userstate = UserState(config, self.store.mboxlist)
        self.owner = ConversationsDb(config, userstate, QuietCounters(config, userstate))
        self.path = str(server.directory / f"{user}.conversations")
        self.splits: dict[int, int] = {}
        self.known: dict[str, dict[int, Known]] = {}
        self.names: dict[str, Folder] = {}

    def get(self, cid: int) -> int:
        return self.splits.get(cid, 0)

    def set(self, cid: int, continued: int) -> None:
        self.splits[cid] = continued

    def follow(self) -> None:
        """Take every change since the last call into account, in the order of modseqs."""
        with (
            self.store.lock_users(self.user),
            self.owner.open(self.user, path=self.path, splits=self) as state,
        ):
            found: dict[str, dict[int, Known]] = {}
            highest = {}
            changes: list[tuple[int, Folder, IndexRecord, Content]] = []
            for entry in self.store.mboxlist.user_tree(self.user, deleted=True):
                with self.store.open(entry.name, write=False) as mailbox:
                    if "#" not in entry.name and not entry.name.startswith("DELETED."):
                        folder = Folder(entry.name, mailbox.uniqueid, tuple(mailbox.header.flags))
                        found[folder.uniqueid] = {}
                        self.names[folder.uniqueid] = folder
                        changes += self._changes(mailbox, folder, found[folder.uniqueid])
                    highest[mailbox.uniqueid] = mailbox.i.highestmodseq
            for _, folder, record, content in sorted(changes, key=lambda change: change[0]):
                known = self.known.get(folder.uniqueid, {}).get(record.uid)
                found[folder.uniqueid][record.uid] = self._update(state, folder, known, record, content)
            for uniqueid, records in self.known.items():
                for uid in records.keys() - found.get(uniqueid, {}).keys():
                    if records[uid].record.cid:
                        update_record(state, self.names[uniqueid], records[uid].record, None,
                                      records[uid].content, renumber=False, ignore_limits=True)  # fmt: skip
                if uniqueid not in found:
                    state.rename_folder(uniqueid, None)
            for uniqueid, modseq in highest.items():
                state.raise_modseq(uniqueid, modseq)
            self.known = found

    def _changes(
        self, mailbox: Mailbox, folder: Folder, same: dict[int, Known]
    ) -> Iterator[tuple[int, Folder, IndexRecord, Content]]:
        for record in mailbox.records(unlinked=False):
            old = self.known.get(folder.uniqueid, {}).get(record.uid)
            if old is not None and old.record == record:
                same[record.uid] = old
                continue
            cache = split(bytes(mailbox.cache(record)))
            yield record.modseq, folder, record.copy(), Content(lambda cache=cache: cache)

    def _update(
        self, state: Conversations, folder: Folder, old: Known | None, record: IndexRecord, content: Content
    ) -> Known:
        new = record.copy()
        if old is None:
            new.cid = 0
            new.internal_flags &= ~SPLITCONVERSATION
        assigned = update_record(
            state, folder, old.record if old is not None else None, new, content,
            basecid=old.basecid if old is not None else 0, ignore_limits=old is not None,
        )  # fmt: skip
        assert (assigned.cid, assigned.split) == (record.cid, bool(record.internal_flags & SPLITCONVERSATION))
        return Known(record, content, assigned.basecid)

    def compare(self) -> None:
        self.follow()
        theirs = threads.records(self.owner.path(self.user))
        ours = threads.records(self.path)
        assert ours == theirs


@pytest.fixture(scope="module", params=["reference", "ours"])
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    programs = dict.fromkeys(("imap", "lmtp", "lmtpunix"), request.param)
    server = Instance(imapd_conf=threads.SETTINGS, master=request.param, programs=programs)
    server.start()
    server.create_user("alice", "Drafts", "Trash", "Lists")
    server.create_user("sue", "Drafts")
    yield server
    server.stop()
    server.remove()


def test_every_change_is_counted_as_by_the_original(server: Instance) -> None:
    """Threads, subjects, copies, drafts, Trash, flags, expunged messages; one user's whole database."""
    with server.imap("alice") as alice:
        threads.change_much(server, alice, Mirror(server, "alice").compare)


def test_a_conversation_that_grew_too_long_goes_on_in_another(server: Instance) -> None:
    mirror = Mirror(server, "sue")
    with server.imap("sue") as sue:
        threads.grow(sue, mirror.compare)
    assert len(mirror.splits) == 2
    folder = mirror.store.lookup("user.sue.#splitconversations")
    for cid, continued in mirror.splits.items():
        value = mirror.store.annotations.lookup(folder.uniqueid, f"{NAMESPACE}newcid/{cid:016x}")
        assert value == b"%016x" % continued
