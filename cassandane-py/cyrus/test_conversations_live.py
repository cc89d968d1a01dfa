"""Both servers keep conversations: the same commands leave the same databases, in turns on one spool too."""

from __future__ import annotations

import os
import random
import re
import threading
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
                (
                    r.uid, (r.modseq, r.createdmodseq) if modseqs else (), r.cid, r.system_flags,
                    r.internal_flags, r.user_flags,
                    sorted((a.entry, a.userid, a.value) for a in mailbox.annotations.of(r.uid)),
                )
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
                # to the system flags of split messages the original adds internal ones when they change
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


def audit(server: Instance, *users: str, alone: bool = True) -> None:
    """Neither program finds anything to complain of.

    But for emailunseen, which the original at times forgets: in its own audit, and when it was at work too.
    (Of skiplist files its audit always approves.)
    """
    for kind in ("reference", "ours"):
        for user in users:
            done = server.run("ctl_conversationsdb", "-A", "-v", user, kind=kind)
            found = re.findall(r"(?m)^(?:REAL|TEMP|ONLY).*", done.stdout.decode("latin-1"))
            strict = alone and kind == "ours"
            if not strict:
                counts = [re.sub(r"^.{6}|\d+\)\"$", "", line) for line in found if ' "F' in line]
                assert counts[::2] == counts[1::2], found
                found = [line for line in found if ' "F' not in line]
            assert found == [], kind
            assert not strict or b"BROKEN" not in done.stdout


def thrids(server: Instance, kind: str, mailbox: str) -> list[str]:
    """What mbexamine says of the conversations in a mailbox."""
    out = server.run("mbexamine", mailbox, kind=kind).stdout.decode("latin-1")
    return re.findall(r"UID:\d+|THRID: ?\w+|INTERNALFLAGS:.*", out)


@pytest.mark.parametrize(
    ("seed", "more"),
    [
        (1, {"expunge_mode": "delayed", "delete_mode": "delayed"}),
        (2, {"expunge_mode": "immediate", "delete_mode": "immediate", "conversations_db": "twoskip"}),
        (3, {"expunge_mode": "semidelayed", "delete_mode": "delayed", "mailbox_legacy_dirs": "yes"}),
        (4, {"expunge_mode": "delayed", "conversations_max_thread": "4"}),
        *(
            pytest.param(seed, {"conversations_db": "twoskip"}, marks=pytest.mark.long)
            for seed in range(5, 13)
        ),
    ],
)
def test_the_same_commands_leave_the_same_conversations(seed: int, more: dict[str, str]) -> None:
    pictures: dict[str, dict[str, object]] = {}
    answers: dict[str, list[str]] = {}
    examined: dict[str, list[str]] = {}
    commands = list(Workload(seed).commands(130))
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
            # the original notes continuations while it appends, we afterwards; renaming by copying takes it
            # another modseq
            exact = not {"conversations_max_thread", "mailbox_legacy_dirs"} & more.keys()
            pictures[kind] = picture(server, "alice", modseqs=exact)
            examined[kind] = thrids(server, "reference", "user/alice")
            if kind == "ours":
                audit(server, "alice")
    assert answers["ours"] == answers["reference"]
    assert answers["ours"].count("OK") > 120
    for name, theirs in pictures["reference"].items():
        assert pictures["ours"][name] == theirs, name
    assert pictures["ours"].keys() == pictures["reference"].keys()
    assert examined["ours"] == examined["reference"]


@pytest.fixture
def servers() -> Iterator[tuple[Instance, Instance]]:
    """One of the original's and one of ours, both started."""
    with ExitStack() as stack:
        made = []
        for kind in ("reference", "ours"):
            server = Instance(imapd_conf=SETTINGS | {"quota_use_conversations": "yes"})
            server.use(master="ours", programs=kind)
            stack.callback(server.remove)
            server.start()
            stack.callback(server.stop, check=False)
            server.create_user("alice", *FOLDERS[1:])
            made.append(server)
        yield made[0], made[1]


def test_both_servers_in_turns() -> None:
    with ExitStack() as stack:
        server = Instance(imapd_conf=SETTINGS)
        stack.callback(server.remove)
        workload = Workload(11)
        for turn in range(4):
            server.use(master="ours", programs=("ours", "reference")[turn % 2])
            server.start()
            try:
                if not turn:
                    server.create_user("alice", *FOLDERS[1:])
                with server.lmtp() as lmtp:
                    assert lmtp.deliver(workload.message(), "alice")[0].startswith("250")
                with server.imap("alice") as alice:
                    play(alice, list(workload.commands(50)))
            finally:
                server.stop()
            audit(server, "alice", alone=turn == 0)


def test_limits_refuse_the_same_copies(servers: tuple[Instance, Instance]) -> None:
    heard = []
    for server in servers:
        server.stop()
        server.settings |= {"conversations_max_guidexists": "4", "conversations_max_guidinfolder": "2"}
        server.write_configuration()
        server.start()
        with server.imap("alice") as alice:
            answers = [alice.command(f'APPEND {folder} "{DATE}" {{}}', text(1)) for folder in
                       ("INBOX", "INBOX", "INBOX", "one", "two", "two")]  # fmt: skip
            alice.ok("SELECT one")
            answers += [alice.command("COPY 1 two"), alice.command("COPY 1 one")]
            answers += [alice.command(f'APPEND one "{DATE}" {{}}', text(2))]
            statuses = [alice.command(f"STATUS {folder} (MESSAGES UIDNEXT)").untagged for folder in FOLDERS]
        refused = [(answer.status, answer.text) for answer in answers if answer.status != "OK"]
        heard.append((refused, statuses))
        audit(server, "alice", alone=False)
    assert heard[1] == heard[0]
    assert heard[1][0]


def test_copies_take_no_room_twice(servers: tuple[Instance, Instance]) -> None:
    heard = []
    for server in servers:
        with server.imap("admin") as admin:
            admin.ok("SETQUOTA user/alice (STORAGE 20 MESSAGE 3)")
        with server.imap("alice") as alice:
            answers = []
            for number in (1, 1, 2, 3, 4):
                answers.append(alice.command(f'APPEND INBOX "{DATE}" {{}}', text(number)).status)
            alice.ok("SELECT INBOX")
            answers.append(alice.command("COPY 1:* one").status)
            answers.append(alice.command("COPY 1:* two").status)
            answers += alice.ok("GETQUOTAROOT one").untagged
        with server.lmtp() as lmtp:
            answers += [reply[:9] for reply in lmtp.deliver(text(1), "alice")]
        with server.imap("admin") as admin:
            answers += admin.ok("GETQUOTA user/alice").untagged
        heard.append(answers)
    assert heard[1] == heard[0]
    assert "NO" in heard[1]


def test_a_user_who_is_renamed_keeps_conversations(servers: tuple[Instance, Instance]) -> None:
    pictures = []
    for server in servers:
        with server.imap("alice") as alice:
            play(alice, list(Workload(21).commands(40)))
        with server.imap("admin") as admin:
            admin.ok("RENAME user/alice user/carol")
        with server.imap("carol") as carol:
            play(carol, list(Workload(22).commands(30)))
        pictures.append(picture(server, "carol", modseqs=False))
    assert pictures[1] == pictures[0]
    audit(servers[1], "carol")


def test_a_mailbox_that_changes_hands_brings_its_messages(servers: tuple[Instance, Instance]) -> None:
    """Where the original leaves them in the conversations of the old owner."""
    server = servers[1]
    server.create_user("bob")
    with server.imap("alice") as alice:
        alice.append("one", text(1), text(2, parent=1, subject="Re: Matter 1"))
        alice.append("two", text(3))
        alice.ok("DELETE two")
    with server.imap("admin") as admin:
        admin.ok("RENAME user/alice/one user/bob/one")
        deleted = admin.ok('LIST "" DELETED/user/alice/*').untagged[0].split()[-1]
        admin.ok(f"RENAME {deleted} user/alice/back")
    audit(server, "alice", "bob")
    for user, emails in (("alice", b"E 1 "), ("bob", b"E 2 ")):
        records = picture(server, user)["conversations"]
        assert isinstance(records, dict)
        assert emails in records[b"Q"]


def lose_a_message(server: Instance, name: str) -> None:
    store = MailStore(Config.load(server.config, "lose"))
    with store.open(name, write=False) as mailbox:
        os.unlink(mailbox.message_path(next(mailbox.records(expunged=False))))
    store.close()


def test_programs_keep_conversations_too(servers: tuple[Instance, Instance]) -> None:
    """Expiry, unexpunge, reconstruct, ipurge and renaming behind the servers' back."""
    pictures = []
    for server, kind in zip(servers, ("reference", "ours"), strict=True):
        server.stop()
        server.settings |= {"expunge_mode": "delayed", "delete_mode": "delayed"}
        server.write_configuration()
        server.start()
        with server.imap("alice") as alice:
            play(alice, list(Workload(31).commands(60)))
            for folder in FOLDERS:
                alice.ok(f"SELECT {folder}")
                alice.ok(r"STORE 1:2 +FLAGS (\Deleted)")
                alice.ok("EXPUNGE")
            alice.ok("COPY 1:* two")
        server.run("unexpunge", "-a", "-d", "user/alice/one", kind=kind)
        server.run("cyr_expire", "-X", "0", "-E", "1", kind=kind)
        lose_a_message(server, "user.alice")
        server.run("reconstruct", "-r", "user/alice", kind=kind)
        server.run("ipurge", "-f", "-d", "0", "user/alice/two", kind=kind)
        with server.imap("alice") as alice:
            play(alice, list(Workload(32).commands(20)))
        pictures.append(picture(server, "alice", modseqs=False))
    audit(servers[1], "alice")
    for name, theirs in pictures[0].items():
        ours = pictures[1][name]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            # the original prunes the message ids of the lowest CID, and keeps those of all that are gone
            ours, theirs = ({k: v for k, v in some.items() if k[:1] != b"<"} for some in (ours, theirs))
        assert ours == theirs, name


def test_mail_for_others_and_again(servers: tuple[Instance, Instance]) -> None:
    """Copies to somebody else's folder begin conversations there; mail delivered twice is stored once."""
    for server in servers:
        server.stop()
        server.settings |= {"duplicatesuppression": "yes"}
        server.write_configuration()
        server.start()
        server.create_user("bob", "shared")
        with server.imap("bob") as bob:
            bob.ok("SETACL shared alice lrswipkxte")
        with server.lmtp() as lmtp:
            for number in (1, 2, 1):
                replies = lmtp.deliver(text(number, parent=1, subject="Re: Matter 1"), "alice", "bob")
                assert all(reply.startswith("250") for reply in replies)
        with server.imap("alice") as alice:
            alice.ok("SELECT INBOX")
            alice.ok('COPY 1:* "Other Users/bob/shared"')
            alice.ok('MOVE 2 "Other Users/bob/shared"')
            assert alice.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 1)"]
        with server.imap("admin") as admin:
            admin.ok("CREATE public")
            admin.ok("SETACL public anyone lrswipkxte")
        with server.imap("alice") as alice:
            alice.append('"Shared Folders/public"', text(5))
    kinds = []
    for server in servers:
        for user in ("alice", "bob"):
            records = picture(server, user, modseqs=False)["conversations"]
            assert isinstance(records, dict)
            kinds.append(sorted((key[:1], len(key)) for key in records))
    assert kinds[2:] == kinds[:2]
    audit(servers[1], "alice", "bob")


@pytest.mark.long
@pytest.mark.parametrize("seed", [41, 42])
def test_a_long_day_ends_with_a_clean_audit(seed: int) -> None:
    """Two sessions and deliveries at once, of both servers, on one user's mailboxes."""
    with ExitStack() as stack:
        server = Instance(
            imapd_conf=SETTINGS | {"conversations_db": "twoskip", "expunge_mode": "immediate"},
            services=("imap", "imap2", "lmtp", "lmtp2"),
            programs={"imap2": "reference", "lmtp2": "reference"} if seed % 2 else {},
        )
        stack.callback(server.remove)
        server.start()
        stack.callback(server.stop, check=False)
        server.create_user("alice", *FOLDERS[1:])
        failures: list[str] = []
        deaths: list[str] = []

        def client(service: str, seed: int) -> None:
            try:
                workload = Workload(seed)
                # these two cannot rename what the other uses
                workload.extra = []
                with server.imap("alice", service=service) as alice:
                    play(alice, list(workload.commands(500)))
            except EOFError as error:
                # the original's imapd may die of another session that renames and deletes, be that its own
                (failures if server.programs[service] == "ours" else deaths).append(f"{service}: {error!r}")
            except BaseException as error:
                failures.append(f"{service}: {error!r}")

        def deliver(service: str, first: int) -> None:
            try:
                with server.lmtp(service=service) as lmtp:
                    for number in range(first, first + 100):
                        subject = "Re: Matter 1"
                        reply = lmtp.deliver(text(number, parent=number // 2, subject=subject), "alice")
                        assert reply[0].startswith("250")
            except BaseException as error:
                failures.append(f"{service}: {error!r}")

        threads = [
            threading.Thread(target=work, args=arguments)
            for work, arguments in (
                (client, ("imap", seed)), (client, ("imap2", seed + 100)),
                (deliver, ("lmtp", 1000)), (deliver, ("lmtp2", 2000)),
            )
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == [], server.describe()
        if not deaths:
            audit(server, "alice", alone=seed % 2 == 0)
