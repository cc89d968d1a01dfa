"""Random work of several users, the same for the same seed, and what it leaves: for comparing two servers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cassandane.clients import ImapClient, Reply
from cassandane.instance import Instance

USERS = ("ann", "bob")
BOXES = ("INBOX", "a", "b", "a/x", "c")
SHARED = "Other Users/ann/a"
FLAGS = (r"\Seen", r"\Flagged", r"\Answered", r"\Deleted", r"\Draft", "$Label", "Odd")
DATE = '" 1-Feb-2024 10:20:30 +0000"'
ENTRY = "/vendor/cmu/cyrus-imapd/comment"


@dataclass(frozen=True)
class Step:
    """A command and its literals, or for the user ``lmtp`` a message and its recipients."""

    user: str
    command: str
    literals: tuple[bytes, ...] = ()

    def __str__(self) -> str:
        return f"{self.user}: {self.command}"


class Steps:
    """An endless supply; ``deliver`` by LMTP too, which makes messages differ in size."""

    def __init__(self, seed: int, *, deliver: bool) -> None:
        self._random = random.Random(seed)
        self._deliver = deliver
        self._made = 0
        self._selected: dict[str, str] = {}

    def __iter__(self) -> Iterator[Step]:
        while True:
            yield from self._some()

    def _some(self) -> Iterator[Step]:
        choose = self._random
        user = choose.choice(USERS)
        box = choose.choice((*BOXES, SHARED)) if user == "bob" else choose.choice(BOXES)
        kind = choose.choices(
            ("append", "multiappend", "deliver", "store", "expunge", "copy", "create", "rename", "delete",
             "subscribe", "acl", "quota", "annotate", "select", "many"),
            (20, 6, 10, 20, 8, 12, 6, 4, 3, 4, 3, 2, 5, 12, 1),
        )[0]  # fmt: skip
        match kind:
            case "append":
                yield Step(user, f'APPEND "{box}" ({self._flags()}) {DATE} {{}}', (self._message(),))
            case "multiappend":
                texts = tuple(self._message() for _ in range(choose.randint(2, 4)))
                parts = " ".join(f"({self._flags()}) {DATE} {{}}" for _ in texts)
                yield Step(user, f'APPEND "{box}" {parts}', texts)
            case "deliver" if self._deliver:
                people = choose.choice((("ann",), ("bob",), ("ann", "bob"), ("ann+a",)))
                yield Step("lmtp", " ".join(people), (self._message(),))
            case "create":
                yield Step(user, f'CREATE "{choose.choice(BOXES[1:])}"')
            case "rename":
                old, new = choose.sample(BOXES[1:], 2)
                yield Step(user, f'RENAME "{old}" "{new}"')
            case "delete":
                yield Step(user, f'DELETE "{choose.choice(BOXES[1:])}"')
            case "subscribe":
                yield Step(user, f'{choose.choice(("SUBSCRIBE", "SUBSCRIBE", "UNSUBSCRIBE"))} "{box}"')
            case "acl":
                rights = choose.choice(("lrs", "lrswi", "lrswitex", "+k", "-x"))
                yield Step("ann", f'SETACL "{choose.choice(BOXES)}" bob {rights}')
            case "quota":
                limits = choose.choice(("STORAGE 100000", "STORAGE 100000 MESSAGE 1000", "X-NUM-FOLDERS 50"))
                root = choose.choice(("user/ann", "user/bob", "user/ann/a"))
                yield Step("admin", f'SETQUOTA "{root}" ({limits})')
            case "annotate":
                value = choose.choice(('"one"', '"another"', "NIL"))
                scope = choose.choice(("private", "shared"))
                yield Step(user, f'SETMETADATA "{box}" (/{scope}{ENTRY} {value})')
            case "many":
                yield Step(user, f'APPEND "{box}" {{}}', (self._message(20_000),))
            case "select" | "deliver":
                yield from self._select(user, box)
            case _:
                # work on what is selected, and select afresh now and then
                if user not in self._selected or choose.random() < 0.3:
                    yield from self._select(user, box)
                yield self._selected_step(user, kind)

    def _select(self, user: str, box: str) -> Iterator[Step]:
        self._selected[user] = box
        yield Step(user, f'SELECT "{box}"')

    def _selected_step(self, user: str, kind: str) -> Step:
        choose = self._random
        by_uid = choose.choice(("", "UID "))
        numbers = self._numbers()
        match kind:
            case "store":
                change = choose.choice(("+FLAGS", "+FLAGS", "-FLAGS", "FLAGS", "+FLAGS.SILENT"))
                if self._selected[user] == SHARED:
                    # replacing takes the owner's \Seen away in the original
                    change = "+FLAGS"
                return Step(user, f"{by_uid}STORE {numbers} {change} ({self._flags()})")
            case "expunge":
                return Step(user, choose.choice(("EXPUNGE", f"UID EXPUNGE {numbers}")))
            case _:
                target = choose.choice((*BOXES, SHARED)) if user == "bob" else choose.choice(BOXES)
                return Step(user, f'{by_uid}{choose.choice(("COPY", "COPY", "MOVE"))} {numbers} "{target}"')

    def _numbers(self) -> str:
        choose = self._random
        low = choose.randint(1, 12)
        return choose.choice((f"{low}", f"{low}:{low + 3}", f"{low},{low + 2}", "1:*"))

    def _flags(self) -> str:
        return " ".join(self._random.sample(FLAGS, self._random.choice((0, 1, 1, 2, 3))))

    def _message(self, size: int = 200) -> bytes:
        self._made += 1
        head = (
            f"From: ann@example.org\r\nTo: bob@example.org\r\nSubject: number {self._made}\r\n"
            f"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\nMessage-ID: <{self._made}@example.org>\r\n\r\n"
        )
        return (head + "word " * self._random.randint(1, size // 5) + "\r\n").encode()


class Side:
    """One server with a session of each user; one that the server ended begins anew."""

    def __init__(self, kind: str, settings: dict[str, str]) -> None:
        self.kind = kind
        self.server = Instance(imapd_conf=settings, services=("imap", "lmtp"), master=kind)
        self.server.use(master=kind, programs=kind)
        self.server.start()
        self.server.create_user("ann", "a", "b")
        self.server.create_user("bob", "a")
        with self.server.imap("ann") as ann:
            ann.ok("SETACL a bob lrswite")
        self._sessions: dict[str, ImapClient] = {}

    def do(self, step: Step) -> str:
        """The status of the answer: whether it was done."""
        if step.user == "lmtp":
            with self.server.lmtp() as lmtp:
                replies = lmtp.deliver(step.literals[0], *step.command.split())
            return " ".join(reply[:3] for reply in replies)
        return self._command(step).status

    def _command(self, step: Step) -> Reply:
        for attempt in (1, 2):
            try:
                if step.user not in self._sessions:
                    self._sessions[step.user] = self.server.imap(step.user)
                return self._sessions[step.user].command(step.command, *step.literals)
            except (EOFError, OSError):
                self._sessions.pop(step.user, None)
                if attempt == 2:
                    raise
        raise AssertionError

    def end_sessions(self) -> None:
        for session in self._sessions.values():
            session.command("LOGOUT")
            session.close()
        self._sessions.clear()

    def end(self) -> None:
        self.end_sessions()
        self.server.stop()
        self.server.remove()

    # what is left

    def state(self, *, sizes: bool) -> dict[str, object]:
        """What the side's own programs say, without times, and with names in place of unique ids.

        Without ``sizes`` also without what depends on the version in the Received field.
        """
        self.end_sessions()
        counted = self.server.run("quota", "-f", "-q", kind=self.kind)
        # roots whose mailboxes are all gone go too
        wrong = [line for line in counted.stderr.decode().splitlines() if not line.endswith(": removed")]
        # the original forgets to count mailboxes for another root when they are renamed out of one's tree
        assert not wrong or self.kind == "reference", (self.kind, wrong)
        entries = json.loads(self._run("ctl_mboxlist", "-d"))
        ids = {entry["I"] if "I" in entry else entry["uniqueid"]: name for name, entry in entries.items()}
        shown: dict[str, object] = {}
        for name, entry in entries.items():
            entry = {key: value for key, value in entry.items() if key not in _RANDOM}
            if "d" in entry["mbtype"]:
                # 3.6.1 forgets the layout of what is deleted, later versions do not
                entry["mbtype"] = entry["mbtype"].replace("l", "")
            shown[f"list {name}"] = entry
        for name in entries:
            if not name.startswith("DELETED"):
                external = name.replace(".", "/")
                shown[f"examine {name}"] = _examined(self._run("mbexamine", external), sizes=sizes)
        if sizes:
            shown["quota"] = sorted(self._run("quota").splitlines())
        for path, backend in self._databases():
            text = self._run("cyr_dbtool", str(path), backend, "show")
            for uniqueid, name in ids.items():
                text = text.replace(uniqueid, f"<{name}>")
            owner = ids.get(path.parent.name, "")
            lines = [line for line in _without_times(text).splitlines() if not _UNKNOWN.match(line)]
            if path.name == "seen.db":
                # up to where messages were recent for somebody; what came in meanwhile may count or not
                lines = [_RECENT_MARK.sub(r"\1 N", line) for line in lines]
            shown[f"{path.name} {owner}"] = sorted(lines)
        spool = self.server.directory / "spool"
        for uniqueid, name in ids.items():
            directory = spool / "uuid" / uniqueid[0] / uniqueid[1] / uniqueid
            if directory.exists():
                shown[f"files {name}"] = sorted(_files(directory))
        return shown

    def _databases(self) -> Iterator[tuple[Path, str]]:
        conf = self.server.directory / "conf"
        # the original makes it before there is anything to write
        if (conf / "annotations.db").exists():
            yield conf / "annotations.db", "twoskip"
        for path in sorted((conf / "user").rglob("*.db")):
            if path.name in ("seen.db", "sub.db"):
                yield path, "twoskip" if path.read_bytes().startswith(b"\xa1\x02\x8b\x0dtwoskip") else "flat"

    def _run(self, program: str, *arguments: str) -> str:
        done = self.server.run(program, *arguments, kind=self.kind)
        assert not done.stderr, (self.kind, program, arguments, done.stderr)
        return done.stdout.decode()


_RANDOM = {"I", "V", "uniqueid", "uidvalidity", "mtime"}
"""Of an entry of mailboxes.db: drawn at random, or the time."""

_UNKNOWN = re.compile(r"[0-9a-z]{24}\t|\x1fVER\x1f|\xffVER")
_RECENT_MARK = re.compile(r"(\t1 TIME) \d+")
"""Records of mailboxes that are in the list no more, and the mark of a file that may be there or not."""

_EXAMINED = re.compile(
    r"(?i)(UniqueID|Path[^:]*|INT_DATE|LAST_UPDATED|SAVEDATE|.*[ _]time|Header.*CRC|UIDVALIDITY|"
    r"Last.*Time|.*CRC.*|changes_epoch|.*EPOCH|First Expunged|Recent Time|Last Repack Time): ?\S+"
)


_SIZES = re.compile(r"((?:Mailbox Size|[ >]SIZE|HDRSIZE|GUID|CACHEOFFSET|THRID) ?: *)\w+(?: bytes)? *")


def _examined(text: str, *, sizes: bool) -> list[str]:
    lines = []
    text = re.sub(r"Unique ID: \w+|.*Last Append Date.*", "", text)
    if not sizes:
        text = re.sub(r"\{\d+\}X-Cyrus-Session-Id: \S+", "SESSION", _SIZES.sub(r"\1-", text))
    for line in text.splitlines():
        if re.search(r"/(?:spool|conf)/", line):
            continue
        lines.append(_without_times(_EXAMINED.sub(r"\1: -", line)))
    return lines


def _without_times(text: str) -> str:
    """Seconds of this decade (seen state, dates of messages)."""
    return re.sub(r"\b1[789]\d{8}\b", "TIME", text)


def _files(directory: Path) -> Iterator[str]:
    # empty annotation databases and a lock's file are made at different moments
    for path in directory.iterdir():
        if path.is_file() and path.name != "cyrus.annotations":
            yield path.name
