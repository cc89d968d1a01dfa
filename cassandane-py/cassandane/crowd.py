"""Several sessions at random work in the same mailboxes, each judged by a `legality.View`.

A crowd works either one command at a time, its members taking turns at random, so that a seed says all
that happens; or each member in a thread of its own. In the end all must see what is there.
"""

from __future__ import annotations

import random
import re
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cassandane.clients import ImapClient
from cassandane.instance import Instance
from cassandane.legality import Command, Illegal, Registry, Selection, View, members

MAILBOXES = ("one", "two")
_FLAGS = ("\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$a", "$b", "$c", "$d")
_ITEMS = (
    "FLAGS",
    "UID",
    "INTERNALDATE",
    "RFC822.SIZE",
    "ENVELOPE",
    "BODY[]",
    "BODY.PEEK[HEADER.FIELDS (SUBJECT)]",
)
_RETURNS = ("", "", "RETURN (ALL) ", "RETURN (MIN MAX COUNT ALL) ", "RETURN (MIN MAX) ")
_SHOWN = 80


@dataclass(frozen=True)
class Role:
    """How one member of a crowd behaves. ``enable`` is what it enables; ``places`` names the mailboxes."""

    user: str
    places: Mapping[str, str]
    enable: str = ""
    service: str = "imap"
    examines: bool = False


@dataclass(frozen=True)
class Memory:
    """What a client had when it left: enough to resynchronise."""

    user: str
    mailbox: str
    uidvalidity: int
    modseq: int
    flags: dict[int, frozenset[str]]


@dataclass
class Subjects:
    """A new name for every message."""

    count: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def new(self) -> str:
        with self.lock:
            self.count += 1
            return f"m{self.count}"


class Member:
    """One session: sends commands, shows all that comes back to its view."""

    def __init__(
        self, server: Instance, registry: Registry, subjects: Subjects, role: Role, seed: int
    ) -> None:
        self.role = role
        self.random = random.Random(seed)
        self.view = View(registry, role.user)
        self.client: ImapClient = server.imap(role.user, service=role.service)
        self.memories: list[Memory] = []
        self.done = 0
        self._subjects = subjects
        self._said: deque[str] = deque(maxlen=_SHOWN)
        self._idle: Command | None = None
        self._tags = 0
        if role.enable:
            self.do(Command("ENABLE"), f"ENABLE {role.enable}")

    # the wire

    def do(self, command: Command, text: str) -> str:
        """One command to its end; its status."""
        return self.pipeline([(command, text)])[0]

    def pipeline(self, commands: Sequence[tuple[Command, str]]) -> list[str]:
        """Commands sent at once; their statuses."""
        self._expect_silence()
        data = b""
        for command, text in commands:
            self._tags += 1
            command.tag = f"t{self._tags}"
            self._said.append(f"C: {command.tag} {text}")
            data += f"{command.tag} {text}\r\n".encode("latin-1")
        self.client.send(data)
        return [self._finish(command) for command, _ in commands]

    def _finish(self, command: Command, *, begun: bool = False) -> str:
        if not begun:
            self.view.begin(command)
        while True:
            response = self._response()
            if response.startswith(b"* "):
                self._news(response)
                continue
            tag, _, rest = response.decode("latin-1").partition(" ")
            status, _, text = rest.partition(" ")
            if tag != command.tag:
                raise self._blamed(Illegal(f"{tag} answers {command.tag}"))
            if status == "BAD":
                raise self._blamed(Illegal(f"{status} {text}"))
            try:
                self.view.tagged(status, text)
            except Illegal as error:
                raise self._blamed(error) from None
            self.done += 1
            return status

    def _response(self) -> bytes:
        response = self.client.response()
        self._said.append("S: " + response.decode("latin-1").replace("\r\n", "\\r\\n"))
        return response

    def _news(self, response: bytes) -> None:
        try:
            self.view.untagged(response[2:])
        except Illegal as error:
            raise self._blamed(error) from None

    def _blamed(self, error: Illegal) -> Illegal:
        return Illegal(f"{self.role.user} ({self.role.enable}): {error}\n" + "\n".join(self._said))

    def _expect_silence(self) -> None:
        """Between commands nothing may come."""
        if select.select([self.client.socket], [], [], 0)[0]:
            raise self._blamed(Illegal(f"{self._response()!r} without a command"))

    # idling

    @property
    def idles(self) -> bool:
        return self._idle is not None

    def idle(self) -> None:
        self._expect_silence()
        self._tags += 1
        self._idle = Command("IDLE", tag=f"t{self._tags}")
        self._said.append(f"C: {self._idle.tag} IDLE")
        self.client.send(f"{self._idle.tag} IDLE\r\n".encode("ascii"))
        self.view.begin(self._idle)
        while (response := self._response())[:1] != b"+":
            self._news(response)

    def listen(self, seconds: float) -> None:
        """Take what is told while idling."""
        while select.select([self.client.socket], [], [], seconds)[0]:
            response = self._response()
            self._news(response)
            seconds = 0

    def rouse(self) -> None:
        """End idling."""
        command, self._idle = self._idle, None
        assert command is not None
        self._said.append("C: DONE")
        self.client.send(b"DONE\r\n")
        self._finish(command, begun=True)

    # knowing

    def learn(self) -> None:
        """Ask for the UIDs and flags that are not known."""
        selection = self.view.selected
        if selection is None or selection.complete:
            return
        numbers = [
            number for number, one in enumerate(selection.messages, 1) if one.uid is None or one.flags is None
        ]
        modseq = " MODSEQ" if self.view.condstore else ""
        text = f"FETCH {numbers[0]}:{numbers[-1]} (UID FLAGS{modseq} BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
        self.do(Command("FETCH", sequence=f"{numbers[0]}:{numbers[-1]}"), text)

    def remember(self) -> None:
        """Keep what a client that leaves now would keep."""
        selection = self.view.selected
        if selection is not None and selection.complete and selection.modseq:
            flags = selection.picture()
            memory = Memory(self.role.user, selection.mailbox, selection.uidvalidity, selection.modseq, flags)
            self.memories.append(memory)

    # work

    def work(self) -> None:
        """One random command, or a few."""
        if self.idles:
            self.listen(0)
            if self.random.random() < 0.4:
                self.rouse()
            return
        if self.view.selected is None:
            self.select()
            return
        action = self.random.choices(_ACTIONS, _WEIGHTS)[0]
        action(self)

    def select(self) -> None:
        mailbox = self.random.choice(MAILBOXES)
        name = "EXAMINE" if self.role.examines and self.random.random() < 0.6 else "SELECT"
        command = Command(name, mailbox=mailbox)
        text = f'{name} "{self.role.places[mailbox]}"'
        known = [memory for memory in self.memories if memory.mailbox == mailbox]
        if self.view.qresync and known and self.random.random() < 0.8:
            memory = self.random.choice(known[-3:])
            command.cached = memory.flags
            uids = f" 1:{max(memory.flags, default=0) + 100000}" if self.random.random() < 0.3 else ""
            text += f" (QRESYNC ({memory.uidvalidity} {memory.modseq}{uids}))"
        elif self.role.enable and self.random.random() < 0.3:
            text += " (CONDSTORE)"
            self.view.condstore = True
        assert self.do(command, text) == "OK", text
        if self.random.random() < 0.8:
            self.learn()
            self.remember()

    def leave(self) -> None:
        self.learn()
        self.remember()
        name = self.random.choice(["CLOSE", "UNSELECT"])
        self.do(Command(name), name)

    def _some(self, *, by_uid: bool) -> str:
        """A set of numbers or UIDs, most of them known; what is gone and what never was among the UIDs."""
        selection = self._selection()
        count = len(selection.messages)
        if by_uid:
            known = [one.uid for one in selection.messages if one.uid is not None]
            last = known[-1] if known else 1
            pool = [*known, *known, *range(max(1, last - 5), last + 4)]
            chosen = sorted(self.random.sample(pool, min(len(pool), self.random.randint(1, 4))))
            words = [str(uid) for uid in dict.fromkeys(chosen)]
            if self.random.random() < 0.2 and known:
                words = [f"{self.random.choice(known)}:*"]
            return ",".join(words)
        if not count:
            return ""
        words = [str(self.random.randint(1, count)) for _ in range(self.random.randint(1, 3))]
        if self.random.random() < 0.3:
            low, high = sorted(self.random.randint(1, count) for _ in "ab")
            words = [f"{low}:{high}"]
        elif self.random.random() < 0.1:
            words = [f"{words[0]}:*"]
        return ",".join(words)

    def _selection(self) -> Selection:
        assert self.view.selected is not None
        return self.view.selected

    def _set(self) -> tuple[bool, str]:
        by_uid = self.random.random() < 0.5
        return by_uid, self._some(by_uid=by_uid)

    def _fetch(self) -> tuple[Command, str] | None:
        by_uid, sequence = self._set()
        if not sequence:
            return None
        items = self.random.sample(_ITEMS, self.random.randint(1, 4))
        command = Command("FETCH", by_uid, sequence)
        modifier = ""
        if self.role.enable and self.random.random() < 0.3:
            items.append("MODSEQ")
            self.view.condstore = True
            if self.random.random() < 0.5:
                command.changedsince = self._modseq()
                command.vanished = by_uid and self.view.qresync and self.random.random() < 0.5
                modifier = f" (CHANGEDSINCE {command.changedsince}{' VANISHED' if command.vanished else ''})"
        verb = "UID FETCH" if by_uid else "FETCH"
        return command, f"{verb} {sequence} ({' '.join(items)}){modifier}"

    def _modseq(self) -> int:
        """One that some message has, or nearly."""
        selection = self._selection()
        known = [one.modseq for one in selection.messages if one.modseq]
        return max(1, self.random.choice([*known, selection.modseq or 1]) + self.random.randint(-2, 1))

    def _store(self) -> tuple[Command, str] | None:
        by_uid, sequence = self._set()
        selection = self._selection()
        if not sequence or selection.readonly:
            return None
        operation = self.random.choice(["+", "+", "-", ""])
        flags = self.random.sample(_FLAGS, self.random.randint(1, 2))
        if self.random.random() < 0.05:
            flags.append(f"$k{self.random.randint(1, 20)}")
        silent = self.random.random() < 0.4
        command = Command(
            "STORE", by_uid, sequence, operation=operation, flags=frozenset(flags), silent=silent
        )
        modifier = ""
        if self.role.enable and self.random.random() < 0.3:
            command.unchangedsince = self._modseq()
            modifier = f"(UNCHANGEDSINCE {command.unchangedsince}) "
        verb = "UID STORE" if by_uid else "STORE"
        how = f"{operation}FLAGS{'.SILENT' if silent else ''}"
        return command, f"{verb} {sequence} {modifier}{how} ({' '.join(flags)})"

    def _search(self) -> tuple[Command, str] | None:
        by_uid = self.random.random() < 0.5
        sequence = self._some(by_uid=False) or "1:*"
        keys = [
            "ALL", "UNSEEN", "RECENT", "NEW", "OLD", "DELETED", "UNDELETED", "KEYWORD $a", "UNKEYWORD $b",
            f"UID {self._some(by_uid=True)}", sequence, f"NOT {sequence}", "SUBJECT m", "OR SEEN FLAGGED",
        ]  # fmt: skip
        key = self.random.choice(keys)
        if self.role.enable and self.random.random() < 0.2:
            key += f" MODSEQ {self._modseq()}"
            self.view.condstore = True
        prefix = "UID " if by_uid else ""
        name = self.random.choice(["SEARCH", "SEARCH", "SEARCH", "SORT", "THREAD"])
        if name == "SORT":
            order = self.random.choice(["REVERSE ARRIVAL", "SUBJECT", "MODSEQ"])
            text = f"SORT ({order}) UTF-8 {key}"
        elif name == "THREAD":
            text = f"THREAD {self.random.choice(['REFERENCES', 'ORDEREDSUBJECT'])} UTF-8 {key}"
        else:
            text = f"SEARCH {self.random.choice(_RETURNS)}{key}"
        return Command(name, by_uid), prefix + text

    def several(self) -> None:
        """Commands that leave message numbers alone, sent without waiting (RFC 3501 section 5.5)."""
        kinds = (self._fetch, self._store, self._search)
        made = [self.random.choice(kinds)() for _ in range(self.random.randint(2, 4))]
        commands = [one for one in made if one is not None]
        by_uid = [one for one in commands if one[0].by_uid]
        by_number = [one for one in commands if not one[0].by_uid]
        chosen = by_number or by_uid
        if chosen:
            self.pipeline(chosen)

    def one(self, make: Callable[[], tuple[Command, str] | None]) -> None:
        made = make()
        if made is not None:
            self.do(*made)

    def delete(self) -> None:
        """Mark and expunge."""
        selection = self._selection()
        if selection.readonly:
            return
        sequence = self._some(by_uid=True)
        flags = frozenset(["\\Deleted"])
        store = Command("STORE", True, sequence, operation="+", flags=flags, silent=True)
        self.do(store, f"UID STORE {sequence} +FLAGS.SILENT (\\Deleted)")
        if self.random.random() < 0.5:
            self.do(Command("EXPUNGE", True, sequence), f"UID EXPUNGE {sequence}")
        elif self.random.random() < 0.5:
            self.do(Command("EXPUNGE"), "EXPUNGE")
        if self.random.random() < 0.3:
            self.learn()
            self.remember()

    def transfer(self) -> None:
        by_uid, sequence = self._set()
        if not sequence:
            return
        mailbox = self.random.choice(MAILBOXES)
        name = self.random.choice(["COPY", "MOVE"])
        if name == "MOVE" and self._selection().readonly:
            name = "COPY"
        elif name == "COPY" and len(self._selection().messages) > 60:
            return
        text = f'{name} {sequence} "{self.role.places[mailbox]}"'
        self.do(Command(name, by_uid, sequence, mailbox=mailbox), f"UID {text}" if by_uid else text)

    def append(self) -> None:
        mailbox = self.random.choice(MAILBOXES)
        if len(self._selection().messages) > 60:
            return
        subjects = tuple(self._subjects.new() for _ in range(self.random.choice([1, 1, 1, 3])))
        flags = " ".join(self.random.sample(_FLAGS, self.random.randint(0, 2)))
        parts = ""
        for subject in subjects:
            text = f"From: <a@example.org>\r\nSubject: {subject}\r\n\r\nbody\r\n"
            parts += f" ({flags}) {{{len(text)}+}}\r\n{text}"
        command = Command("APPEND", mailbox=mailbox, subjects=subjects)
        self.do(command, f'APPEND "{self.role.places[mailbox]}"{parts}')

    def look(self) -> None:
        name = self.random.choice(["NOOP", "NOOP", "CHECK"])
        self.do(Command(name), name)
        if self.random.random() < 0.5:
            self.learn()

    def ask(self) -> None:
        mailbox = self.random.choice(MAILBOXES)
        with self.view.registry.lock:
            floor = self.view.registry.highest.get(mailbox, 0)
        text = f'STATUS "{self.role.places[mailbox]}" (MESSAGES RECENT UIDNEXT UNSEEN HIGHESTMODSEQ)'
        self.do(Command("STATUS", floor=floor), text)

    # the end

    def settle(self) -> None:
        """Hear all there is, and know all there is to know."""
        if self.idles:
            self.rouse()
        self.do(Command("NOOP"), "NOOP")
        self.learn()

    def check(self, truth: Mapping[str, Truth]) -> None:
        """Compare the view with the mailbox."""
        selection = self.view.selected
        if selection is None:
            return
        there = truth[selection.mailbox]
        picture = selection.picture()
        if picture != there.flags:
            raise self._blamed(Illegal(f"sees {picture}\nof {there.flags}"))
        if not self.view.condstore:
            return
        for one in selection.messages:
            now = there.modseqs[one.uid or 0]
            if one.modseq not in (0, now):
                raise self._blamed(Illegal(f"UID {one.uid}: modseq {one.modseq} instead of {now}"))


_ACTIONS: list[Callable[[Member], None]] = [
    lambda member: member.one(member._fetch),
    lambda member: member.one(member._store),
    lambda member: member.one(member._search),
    Member.several,
    Member.delete,
    Member.transfer,
    Member.append,
    Member.look,
    Member.ask,
    Member.idle,
    Member.leave,
    Member.select,
]
_WEIGHTS = [6, 6, 5, 4, 3, 3, 4, 3, 1, 2, 1, 1]


@dataclass(frozen=True)
class Truth:
    """A mailbox as a new session sees it."""

    flags: dict[int, frozenset[str]]
    modseqs: dict[int, int]


class Crowd:
    """Members at work. ``shared``: all users have the same \\Seen and \\Recent."""

    def __init__(self, server: Instance, roles: Sequence[Role], seed: int, *, shared: bool = False) -> None:
        self.server = server
        self.seed = seed
        self.registry = Registry(shared)
        subjects = Subjects()
        self.members = [
            Member(server, self.registry, subjects, role, seed * 1000 + place)
            for place, role in enumerate(roles)
        ]

    def __enter__(self) -> Crowd:
        return self

    def __exit__(self, *_: object) -> None:
        for member in self.members:
            member.client.close()

    def take_turns(self, steps: int, *, between: Callable[[int], None] | None = None) -> None:
        """One command at a time; ``between`` is called before each with its number."""
        turn = random.Random(self.seed)
        for step in range(steps):
            if between is not None:
                between(step)
            member = turn.choice(self.members)
            for _ in range(turn.choice([1, 1, 2, 5])):
                member.work()

    def work_at_once(self, seconds: float) -> None:
        """Each in a thread of its own."""
        end = time.monotonic() + seconds
        errors: list[BaseException] = []

        def run(member: Member) -> None:
            try:
                while time.monotonic() < end and not errors:
                    if member.idles:
                        member.listen(member.random.random() * 0.02)
                    member.work()
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run, args=(member,)) for member in self.members]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def check(self) -> None:
        """All views are the truth, and so is what resynchronisation makes of all memories."""
        for member in self.members:
            member.settle()
        truths: dict[str, dict[str, Truth]] = {}
        for member in self.members:
            user = member.role.user
            if user not in truths:
                truths[user] = self._truth(member.role)
            member.check(truths[user])
            member.remember()
            for memory in member.memories:
                self._resynchronise(member.role, memory, truths[user][memory.mailbox])

    def _truth(self, role: Role) -> dict[str, Truth]:
        found = {}
        with self.server.imap(role.user, service=role.service) as client:
            for mailbox in MAILBOXES:
                client.ok(f'EXAMINE "{role.places[mailbox]}"')
                found[mailbox] = _truth(client.command("UID FETCH 1:* (FLAGS MODSEQ)").untagged)
        return found

    def _resynchronise(self, role: Role, memory: Memory, truth: Truth) -> None:
        with self.server.imap(role.user, service=role.service) as client:
            client.ok("ENABLE QRESYNC")
            what = f'"{role.places[memory.mailbox]}" (QRESYNC ({memory.uidvalidity} {memory.modseq}))'
            reply = client.ok(f"EXAMINE {what}")
        news = _truth(reply.grep(r"^\d+ FETCH"))
        gone = [uid for line in reply.grep("^VANISHED") for uid in members(line.split()[-1])]
        flags = {uid: flags for uid, flags in (memory.flags | news.flags).items() if uid not in gone}
        if flags != truth.flags:
            raise Illegal(f"{role.user}: from {memory}\nby {reply}\nto {flags}\ninstead of {truth.flags}")


def _truth(lines: Sequence[str]) -> Truth:
    flags: dict[int, frozenset[str]] = {}
    modseqs: dict[int, int] = {}
    for line in lines:
        found = re.search(r"FETCH \((?=.*UID (\d+))(?=.*MODSEQ \((\d+)\)).*FLAGS \(([^)]*)\)", line)
        if found:
            flags[int(found[1])] = frozenset(found[3].split()) - {"\\Recent"}
            modseqs[int(found[1])] = int(found[2])
    return Truth(flags, modseqs)
