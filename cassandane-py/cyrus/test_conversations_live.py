"""Both servers keep conversations: the same commands leave the same databases, in turns on one spool too."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from libcyrus import cyrusdb
from libcyrus.config import Config
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype as mbtypes

pytestmark = [pytest.mark.reference, pytest.mark.timeout(600)]

SETTINGS = {
    "conversations": "yes",
    "conversations_counted_flags": r"\Draft \Flagged $Label",
    "allowusermoves": "yes",
}
OTHER = {"ours": "reference", "reference": "ours"}
FOLDERS = ("INBOX", "one", "two", "Trash")
FLAGS = (r"\Seen", r"\Flagged", r"\Draft", r"\Answered", r"\Deleted", "$Label", "Own")
STAMP = re.compile(rb"(?<=[0-9a-f] )\d+$")
# in B and F records the modseq of all, then of each folder; at the end of B records createdmodseq
_MODSEQ = re.compile(rb"(^\d \(|\(\d+ (?=\d+ \d+ \d+ \d+\)))\d+|() \d+\)$")
DATE = "01-Jan-2024 10:00:00 +0000"


def text(number: int, *, parent: int = -1, subject: str = "", body: str = "text") -> bytes:
    lines = [
        f"From: {'Ann' if number % 3 else 'Bea'} <{'ann' if number % 3 else 'bea'}@example.org>",
        "To: alice@example.org",
        f"Subject: {subject or f'Matter {number}'}",
        f"Date: Mon, 1 Jan 2024 10:{number % 60:02d}:00 +0000",
        f"Message-ID: <{number}@example.org>",
    ]
    if parent >= 0:
        lines.append(f"References: <{parent}@example.org>")
    return "\r\n".join([*lines, "", f"{body} {number}", ""]).encode()


class Workload:
    """Random commands of one user, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._texts: list[bytes] = []
        self._subjects: list[str] = []
        self._made = 0
        self.extra: list[str] = []

    def message(self) -> bytes:
        """A new one, an answer to one of before, or one of before again."""
        choose = self._random
        number = len(self._texts)
        if self._texts and choose.random() < 0.12:
            return choose.choice(self._texts)
        parent, subject = -1, f"Matter {number}"
        if self._subjects and choose.random() < 0.75:
            parent = choose.randrange(max(0, number - 9), number)
            subject = "Re: " + self._subjects[parent].removeprefix("Re: ")
            if choose.random() < 0.1:
                subject = "Something else"
        self._subjects.append(subject)
        self._texts.append(text(number, parent=parent, subject=subject))
        return self._texts[-1]

    def commands(self, steps: int) -> Iterator[tuple[str, tuple[bytes, ...]]]:
        """A command each, with its literals; an empty mailbox may make it fail, for both servers."""
        choose = self._random
        for _ in range(steps):
            folders = [*FOLDERS, *self.extra]
            kind = choose.choices(
                ("append", "append2", "store", "copy", "move", "expunge", "make", "rename", "delete"),
                (10, 2, 9, 4, 3, 3, 1, 1, 1),
            )[0]
            here, there = choose.choice(folders), choose.choice(folders)
            numbers = f"{choose.randint(1, 4)}:{choose.randint(1, 12)}"
            if kind in ("append", "append2"):
                flags = " ".join(choose.sample(FLAGS, choose.choice((0, 0, 1, 2))))
                literals = [self.message() for _ in range(2 if kind == "append2" else 1)]
                yield f"APPEND {here}" + f' ({flags}) "{DATE}" {{}}' * len(literals), tuple(literals)
                continue
            if kind in ("store", "copy", "move", "expunge"):
                yield f"SELECT {here}", ()
                if kind == "store":
                    sign = choose.choice(("+", "+", "-", ""))
                    flags = " ".join(choose.sample(FLAGS, choose.randint(1, 2)))
                    yield f"STORE {numbers} {sign}FLAGS ({flags})", ()
                elif kind == "expunge":
                    yield "EXPUNGE", ()
                else:
                    yield f"{kind.upper()} {numbers} {there}", ()
                yield "UNSELECT", ()
            elif kind == "make":
                self._made += 1
                self.extra.append(f"new{self._made}")
                yield f"CREATE {self.extra[-1]}", ()
            elif self.extra:
                old = choose.choice(self.extra)
                self.extra.remove(old)
                if kind == "rename":
                    self._made += 1
                    self.extra.append(f"renamed{self._made}")
                    yield f"RENAME {old} {self.extra[-1]}", ()
                else:
                    yield f"DELETE {old}", ()


def play(client: ImapClient, commands: list[tuple[str, tuple[bytes, ...]]]) -> list[str]:
    """Send them; returns the words OK, NO or BAD."""
    return [client.command(line, *literals).status for line, literals in commands]


def picture(server: Instance, user: str, *, modseqs: bool = True) -> dict[str, object]:
    """The user's conversations, counters and indexes, with unique ids and times made the same."""
    store = MailStore(Config.load(server.config, "picture"))
    names: dict[str, str] = {}
    seen: dict[str, object] = {}
    for entry in store.mboxlist.user_tree(user, deleted=True, intermediates=True):
        if entry.uniqueid:
            names[entry.uniqueid] = re.sub(r"\.[0-9A-F]{8}$", ".TIME", entry.name)
    for entry in store.mboxlist.user_tree(user, deleted=True):
        with store.open(entry.name, write=False) as mailbox:
            seen[names[mailbox.uniqueid]] = [
                (r.uid, (r.modseq, r.createdmodseq) if modseqs else (), r.cid, r.system_flags, r.internal_flags, r.user_flags,
                 sorted((a.entry, a.userid, a.value) for a in mailbox.annotations.of(r.uid)))
                for r in mailbox.records(unlinked=False)
            ] + [(mailbox.i.highestmodseq if modseqs else 0, mailbox.i.quota_annot_used)]
    path = store.conversations.path(store.rules.inbox(user))
    records = {}
    known = {name.encode() for name in names.values()}
    with cyrusdb.open_db("skiplist", path) as db:
        for key, data in db.foreach():
            if key[:1] == b"<":
                data = STAMP.sub(b"T", data)
            if key[:1] == b"G":
                # to the system flags the original adds internal ones, of split conversations, when they change
                data = data[:9] + b"--" + data[11:]
            if key[:1] == b"F" or key.startswith(b"$FOLDER"):
                for uniqueid, name in names.items():
                    key = key.replace(uniqueid.encode(), name.encode())
                    data = data.replace(uniqueid.encode(), name.encode())
            if key[:1] == b"F":
                if key[1:] not in known:
                    # of a mailbox that is gone only a modseq is left
                    assert data.endswith(b" 0 0 0 0)")
                    continue
                # the original sometimes forgets emailunseen; ours is what an audit counts
                data = data.rpartition(b" ")[0]
            if not modseqs and key[:1] in b"BF":
                data = _MODSEQ.sub(rb"\1\2", data)
            records[key] = data
    seen["conversations"] = records
    if modseqs:
        seen["counters"] = store.counters.read(store.rules.inbox(user)).modseqs
    splits = store.mboxlist.get(store.rules.inbox(user, "#splitconversations"))
    if splits is not None:
        assert mbtypes.kind(splits.mbtype) == mbtypes.COLLECTION
        seen["splits"] = sorted((a.entry, a.value) for a in store.annotations.find(splits.uniqueid or ""))
    store.close()
    return seen


def audit(server: Instance, *users: str) -> None:
    """Neither program finds anything to complain of."""
    for kind in ("reference", "ours"):
        for user in users:
            done = server.run("ctl_conversationsdb", "-A", "-v", user, kind=kind)
            assert "BROKEN" not in done.stdout.decode("latin-1"), kind


def thrids(server: Instance, kind: str, mailbox: str) -> list[str]:
    """What mbexamine says of the conversations in a mailbox."""
    out = server.run("mbexamine", mailbox, kind=kind).stdout.decode("latin-1")
    return re.findall(r"UID:\d+|THRID: ?\w+|INTERNALFLAGS:.*", out)


@pytest.mark.parametrize(
    ("seed", "more"),
    [
        (1, {"expunge_mode": "delayed", "delete_mode": "delayed"}),
        (2, {"expunge_mode": "immediate", "delete_mode": "immediate"}),
        (3, {"expunge_mode": "semidelayed", "delete_mode": "delayed", "mailbox_legacy_dirs": "yes"}),
        (4, {"expunge_mode": "delayed", "conversations_max_thread": "4"}),
    ],
)
def test_the_same_commands_leave_the_same_conversations(seed, more):
    pictures, answers, examined = {}, {}, {}
    commands = list(Workload(seed).commands(160))
    for kind in ("reference", "ours"):
        server = Instance(imapd_conf=SETTINGS | more)
        server.use(master="ours", programs=kind)
        with ExitStack() as stack:
            stack.callback(server.remove)
            server.start()
            stack.callback(server.stop)
            server.create_user("alice", *FOLDERS[1:])
            with server.imap("alice") as alice:
                answers[kind] = play(alice, commands)
            # the original notes continuations while it appends, we afterwards, and a rename by copying takes it
            # another modseq
            exact = not {"conversations_max_thread", "mailbox_legacy_dirs"} & more.keys()
            pictures[kind] = picture(server, "alice", modseqs=exact)
            examined[kind] = thrids(server, "reference", "user/alice")
            if kind == "ours":
                audit(server, "alice")
    assert answers["ours"] == answers["reference"]
    assert answers["ours"].count("OK") > 150
    for name, theirs in pictures["reference"].items():
        assert pictures["ours"][name] == theirs, name
    assert pictures["ours"].keys() == pictures["reference"].keys()
    assert examined["ours"] == examined["reference"]
