"""What a server may tell an IMAP session of its mailbox, and the session's view that follows from it.

A `View` is fed every response of one session. It keeps what the client knows of the selected mailbox,
message number to UID, flags and mod-sequence, and raises `Illegal` for a response that contradicts it or
the RFCs: 3501 sections 5.5 and 7.4 for message numbers, 2.3.2 for \\Recent, 7162 for mod-sequences and
VANISHED, 4315 for the UIDs of copies. Views of several sessions share a `Registry`, since some things must
agree between sessions: a UID is one message for ever, a mod-sequence is one state of its flags, \\Recent is
for one session.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

NUMBERED = frozenset({"FETCH", "STORE", "SEARCH", "SORT", "THREAD"})
"""Commands during which message numbers may not change, unless they are UID commands."""

_SYSTEM = frozenset({"\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "\\Seen", "\\Recent"})
_PERSONAL = frozenset({"\\Seen", "\\Recent"})
_TOKEN = re.compile(
    rb'\s*(?:(?P<open>\()|(?P<close>\))|(?P<quoted>"(?:[^"\\]|\\.)*")|~?\{(?P<size>\d+)\}\r\n'
    rb"|(?P<atom>BODY\[(?:[^]\"(]|\((?:[^)\"]|\"(?:[^\"\\]|\\.)*\")*\))*\](?:<\d+>)?|[^\s()\"]+))",
    re.DOTALL,
)
_CODE = re.compile(r"\[([A-Z-]+)(?: ([^\]]*))?\]")


class Illegal(AssertionError):
    """The server told a session what it may not."""


def parse(text: bytes) -> list[Any]:
    """The data of a response: lists for parentheses, bytes for strings, str for all else."""
    whole: list[Any] = []
    stack = [whole]
    at = 0
    while found := _TOKEN.match(text, at):
        at = found.end()
        if found["open"]:
            inner: list[Any] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif found["close"]:
            stack.pop()
        elif found["quoted"]:
            stack[-1].append(found["quoted"][1:-1])
        elif found["size"]:
            stack[-1].append(text[at : at + int(found["size"])])
            at += int(found["size"])
        else:
            stack[-1].append(found["atom"].decode("latin-1"))
    if len(stack) != 1 or text[at:].strip():
        raise Illegal(f"no well-formed response: {text!r}")
    return whole


def members(text: str, last: int = 0) -> list[int]:
    """The numbers of a sequence set, in its order; ``*`` is ``last``."""
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition(":")
        ends = [last if end == "*" else int(end) for end in (low, high or low)]
        found += range(min(ends), max(ends) + 1)
    return found


@dataclass
class Command:
    """One command as sent. ``sequence`` is the set it is about, ``flags`` and ``operation`` what STORE does.

    ``mailbox`` is the one named. ``cached`` is what a client that resynchronises knows: flags by UID.
    ``floor`` is what HIGHESTMODSEQ of STATUS was before.
    """

    name: str
    by_uid: bool = False
    sequence: str = ""
    operation: str = ""
    flags: frozenset[str] = frozenset()
    silent: bool = False
    unchangedsince: int | None = None
    changedsince: int | None = None
    vanished: bool = False
    mailbox: str = ""
    subjects: tuple[str, ...] = ()
    cached: dict[int, frozenset[str]] | None = None
    floor: int = 0
    tag: str = ""

    @property
    def keeps_numbers(self) -> bool:
        return self.name in NUMBERED and not self.by_uid


@dataclass
class Message:
    """What a client knows of one message; None for what it was not told."""

    uid: int | None = None
    flags: frozenset[str] | None = None
    modseq: int = 0
    at_least: int = 0
    recent: bool | None = None
    told_by: Command | None = None


@dataclass
class Registry:
    """What all sessions must agree on. ``shared`` says that all users see the same \\Seen and \\Recent."""

    shared: bool = False
    subjects: dict[tuple[str, int], str] = field(default_factory=dict)
    states: dict[tuple[str, int, int], frozenset[str]] = field(default_factory=dict)
    recent: dict[tuple[str, str, int], object] = field(default_factory=dict)
    gone: dict[str, set[int]] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_message(self, mailbox: str, uid: int, subject: str) -> None:
        with self.lock:
            known = self.subjects.setdefault((mailbox, uid), subject)
        if known != subject:
            raise Illegal(f"UID {uid} of {mailbox} is {subject} and {known}")

    def has_state(self, mailbox: str, uid: int, modseq: int, flags: frozenset[str]) -> None:
        common = flags - _PERSONAL
        with self.lock:
            known = self.states.setdefault((mailbox, uid, modseq), common)
            self.highest[mailbox] = max(self.highest.get(mailbox, 0), modseq)
        if known != common:
            raise Illegal(f"UID {uid} of {mailbox} at modseq {modseq}: {sorted(common)} and {sorted(known)}")

    def is_recent(self, mailbox: str, uid: int, user: str, selection: object) -> None:
        with self.lock:
            first = self.recent.setdefault((mailbox, "" if self.shared else user, uid), selection)
        if first is not selection:
            raise Illegal(f"UID {uid} of {mailbox} is \\Recent in two sessions")

    def is_gone(self, mailbox: str, uids: Iterable[int]) -> None:
        with self.lock:
            self.gone.setdefault(mailbox, set()).update(uids)

    def known_gone(self, mailbox: str) -> set[int]:
        with self.lock:
            return set(self.gone.get(mailbox, ()))


@dataclass
class Selection:
    """One mailbox from SELECT until it is left."""

    mailbox: str
    readonly: bool
    dead: set[int]
    floor: int
    messages: list[Message] = field(default_factory=list)
    keywords: frozenset[str] = frozenset()
    permanent: frozenset[str] = frozenset()
    uidvalidity: int = 0
    uidnext: int = 0
    modseq: int = 0
    earlier: set[int] = field(default_factory=set)

    def place(self, uid: int) -> int | None:
        """The index of the message with this UID."""
        return next((at for at, one in enumerate(self.messages) if one.uid == uid), None)

    @property
    def last_uid(self) -> int:
        return max((one.uid for one in self.messages if one.uid is not None), default=0)

    def picture(self) -> dict[int, frozenset[str]]:
        """Flags by UID of all messages whose both are known."""
        return {one.uid: one.flags for one in self.messages if one.uid is not None and one.flags is not None}

    @property
    def complete(self) -> bool:
        return all(one.uid is not None and one.flags is not None for one in self.messages)


class View:
    """One session's: ``begin`` a command, feed its responses to ``untagged``, its end to ``tagged``."""

    def __init__(self, registry: Registry, user: str) -> None:
        self.registry = registry
        self.user = user
        self.condstore = False
        self.qresync = False
        self.selected: Selection | None = None
        self._next: Selection | None = None
        self._command: Command | None = None
        self._closed = False
        self._copied: list[int] = []
        self._asked: dict[int, Message] = {}
        self._before: set[int] = set()
        self._reported = False

    def begin(self, command: Command) -> None:
        if command.unchangedsince is not None or command.changedsince is not None:
            self.condstore = True
        self._command = command
        self._closed = self._reported = False
        self._copied = []
        self._asked = {}
        if self.selected is not None:
            self._before = {one.uid for one in self.selected.messages if one.uid is not None}
            if command.sequence:
                self._asked = self._targets(command)
        if command.name in ("SELECT", "EXAMINE"):
            with self.registry.lock:
                floor = self.registry.highest.get(command.mailbox, 0)
            dead = self.registry.known_gone(command.mailbox)
            self._next = Selection(command.mailbox, command.name == "EXAMINE", dead, floor)
            if self.selected is None:
                self.selected = self._next

    # responses

    def untagged(self, response: bytes) -> None:
        """One untagged response, without ``* `` and the CRLF at its end."""
        if self._command is None:
            raise Illegal("a response without a command")
        first, _, rest = response.partition(b" ")
        word = first.decode("latin-1").upper()
        if word.isdigit():
            kind, _, rest = rest.partition(b" ")
            self._numbered(int(word), kind.decode("latin-1").upper(), rest)
            return
        if word in ("OK", "NO", "BAD"):
            self._condition(rest.decode("latin-1"))
        elif word == "FLAGS":
            self._in().keywords = frozenset(parse(rest)[0])
        elif word in ("SEARCH", "SORT"):
            self._found(parse(rest))
        elif word == "ESEARCH":
            self._extended(parse(rest))
        elif word == "THREAD":
            self._threads(parse(rest))
        elif word == "VANISHED":
            self._vanished(parse(rest))
        elif word == "STATUS":
            self._status(rest.decode("latin-1"))
        elif word == "ENABLED":
            self.qresync = self.qresync or b"QRESYNC" in rest
            self.condstore = self.condstore or self.qresync or b"CONDSTORE" in rest
        elif word == "BYE" and self._command.name != "LOGOUT":
            raise Illegal(f"BYE {rest!r}")

    def tagged(self, status: str, text: str) -> None:
        """The end of the command."""
        command = self._command
        assert command is not None
        if command.name in ("SELECT", "EXAMINE"):
            self._opened(command, status, text)
        elif command.name in ("CLOSE", "UNSELECT") and status == "OK":
            self.selected = None
        elif command.name == "STORE":
            self._stored(command, status, text)
        for code, value in _CODE.findall(text):
            if code == "COPYUID":
                self._copy(value)
            elif code == "APPENDUID":
                self._append(command, value)
            elif code == "HIGHESTMODSEQ" and self.selected is not None:
                self._reached(int(value))
        if command.name == "MOVE" and status == "OK" and self.selected is not None:
            left = [uid for uid in self._copied if self.selected.place(uid) is not None]
            if left:
                raise Illegal(f"moved, and still here: {left}")
        if command.name in ("SEARCH", "SORT", "THREAD") and status == "OK" and not self._reported:
            raise Illegal("no result")
        self._command = None

    # one response each

    def _numbered(self, number: int, word: str, rest: bytes) -> None:
        selection = self._in()
        command = self._command
        assert command is not None
        messages = selection.messages
        if word == "EXISTS":
            if number < len(messages):
                raise Illegal(f"{number} EXISTS after {len(messages)}")
            messages += [Message() for _ in range(number - len(messages))]
        elif word == "RECENT":
            if number > len(messages):
                raise Illegal(f"{number} RECENT of {len(messages)}")
        elif not 1 <= number <= len(messages):
            raise Illegal(f"{number} {word} of {len(messages)}")
        elif word == "EXPUNGE":
            if command.keeps_numbers:
                raise Illegal(f"EXPUNGE during {command.name}")
            if self.qresync:
                raise Illegal("EXPUNGE to a client of QRESYNC")
            gone = messages.pop(number - 1)
            if gone.uid is not None:
                self.registry.is_gone(selection.mailbox, [gone.uid])
        elif word == "FETCH":
            self._fetched(number, parse(rest)[0])

    def _fetched(self, number: int, data: list[Any]) -> None:
        items = {str(name).upper(): value for name, value in zip(data[::2], data[1::2], strict=True)}
        if len(items) * 2 != len(data):
            raise Illegal(f"an item twice in {data}")
        selection, command = self._in(), self._command
        assert command is not None
        message = selection.messages[number - 1]
        if "UID" in items:
            self._is_uid(number, int(items["UID"]))
        modseq = int(items["MODSEQ"][0]) if "MODSEQ" in items else 0
        if modseq:
            if not self.condstore:
                raise Illegal("MODSEQ to a client that knows none")
            least = max(message.modseq, message.at_least)
            if modseq < least:
                raise Illegal(f"modseq of {number} falls from {least} to {modseq}")
            message.modseq = modseq
        if "FLAGS" in items:
            self._has_flags(number, items["FLAGS"], modseq)
            if command.name != "FETCH":
                if self.condstore and not modseq:
                    raise Illegal("flags told without MODSEQ")
                if self.qresync and "UID" not in items:
                    raise Illegal("flags told without UID")
            message.told_by = command
        for name, value in items.items():
            subject = re.search(rb"(?i)Subject: (\S+)", value) if isinstance(value, bytes) else None
            if name.startswith("BODY[") and subject and message.uid is not None:
                self.registry.is_message(selection.mailbox, message.uid, subject[1].decode("latin-1"))

    def _is_uid(self, number: int, uid: int) -> None:
        selection = self._in()
        message = selection.messages[number - 1]
        if message.uid is not None:
            if message.uid != uid:
                raise Illegal(f"message {number} has UID {uid} and {message.uid}")
            return
        before = [one.uid for one in selection.messages[: number - 1] if one.uid is not None]
        behind = [one.uid for one in selection.messages[number:] if one.uid is not None]
        if (before and before[-1] >= uid) or (behind and behind[0] <= uid):
            raise Illegal(f"message {number} has UID {uid} between {before[-1:]} and {behind[:1]}")
        if uid in selection.dead:
            raise Illegal(f"UID {uid} was told to be gone")
        message.uid = uid
        if message.recent and not selection.readonly:
            self.registry.is_recent(selection.mailbox, uid, self.user, selection)

    def _has_flags(self, number: int, words: list[str], modseq: int) -> None:
        selection = self._in()
        message = selection.messages[number - 1]
        flags = frozenset(words)
        if len(flags) != len(words):
            raise Illegal(f"a flag twice in {words}")
        if unknown := flags - selection.keywords - _SYSTEM:
            raise Illegal(f"{sorted(unknown)} were not in FLAGS")
        recent = "\\Recent" in flags
        if message.recent and not recent:
            raise Illegal(f"message {number} is \\Recent no more")
        if recent and message.recent is None and message.uid is not None and not selection.readonly:
            self.registry.is_recent(selection.mailbox, message.uid, self.user, selection)
        if recent and message.recent is False and not selection.readonly:
            raise Illegal(f"message {number} became \\Recent")
        message.recent = recent
        message.flags = flags - {"\\Recent"}
        if modseq and message.uid is not None:
            self.registry.has_state(selection.mailbox, message.uid, modseq, flags)

    def _vanished(self, data: list[Any]) -> None:
        selection, command = self._in(), self._command
        assert command is not None
        if not self.qresync:
            raise Illegal("VANISHED to a client without QRESYNC")
        uids = members(str(data[-1]))
        if data[0] == ["EARLIER"]:
            if not command.vanished and command.cached is None:
                raise Illegal("VANISHED (EARLIER) that nobody asked for")
            if here := [uid for uid in uids if selection.place(uid) is not None]:
                raise Illegal(f"VANISHED (EARLIER) with messages that have numbers: {here}")
            selection.earlier.update(uids)
        else:
            if command.keeps_numbers:
                raise Illegal(f"VANISHED during {command.name}")
            for uid in uids:
                self._take_out(selection, uid)
        self.registry.is_gone(selection.mailbox, uids)

    @staticmethod
    def _take_out(selection: Selection, uid: int) -> None:
        messages = selection.messages
        place = selection.place(uid)
        if place is None:
            # one of those between its neighbours whose UIDs were not asked for; which one shows when they are
            known = [(at, one.uid) for at, one in enumerate(messages) if one.uid is not None]
            low = max((at for at, other in known if other < uid), default=-1)
            high = min((at for at, other in known if other > uid), default=len(messages))
            if low + 1 == high:
                raise Illegal(f"VANISHED {uid}, which was not here")
            place = low + 1
            for at in range(place, high):
                messages[at] = Message()
        del messages[place]

    def _condition(self, text: str) -> None:
        found = _CODE.match(text)
        if found is None:
            return
        code, value = found[1], found[2] or ""
        if code == "CLOSED":
            if self.selected is None or self._next is None or self._closed:
                raise Illegal("CLOSED, and nothing was selected")
            self._closed = True
            self.selected = self._next
        elif code == "PERMANENTFLAGS":
            self._in().permanent = frozenset(value.strip("()").split())
        elif code == "UIDVALIDITY":
            self._in().uidvalidity = int(value)
        elif code == "UIDNEXT":
            self._in().uidnext = int(value)
        elif code == "HIGHESTMODSEQ":
            self._reached(int(value))
        elif code == "COPYUID":
            self._copy(value)

    def _reached(self, modseq: int) -> None:
        """HIGHESTMODSEQ: no less than anything told of this mailbox before it was selected."""
        selection = self._in()
        if modseq < selection.floor or modseq < selection.modseq:
            raise Illegal(f"HIGHESTMODSEQ {modseq} after {max(selection.floor, selection.modseq)}")
        selection.modseq = modseq

    def _status(self, text: str) -> None:
        found = re.match(r"(.+) \(([^()]*)\)", text)
        assert found is not None and self._command is not None
        values = dict(re.findall(r"(\w+) (\d+)", found[2]))
        if int(values["HIGHESTMODSEQ"]) < self._command.floor:
            raise Illegal(f"STATUS {text} after {self._command.floor}")

    # results

    def _found(self, words: list[Any]) -> None:
        self._exist([int(word) for word in words if not isinstance(word, list)])

    def _exist(self, numbers: list[int], *, once: bool = True) -> None:
        """Numbers or UIDs that a command reports: messages of this view, each once."""
        command, selection = self._command, self._in()
        assert command is not None
        if command.name not in ("SEARCH", "SORT", "THREAD"):
            raise Illegal(f"a result for {command.name}")
        if once and len(set(numbers)) != len(numbers):
            raise Illegal(f"a message twice in {numbers}")
        self._reported = True
        if not command.by_uid:
            if wrong := [number for number in numbers if not 1 <= number <= len(selection.messages)]:
                raise Illegal(f"{wrong} of {len(selection.messages)} messages")
            return
        known = {one.uid for one in selection.messages}
        strange = set(numbers) - known
        unknown = sum(one.uid is None for one in selection.messages)
        if len(strange) > unknown:
            raise Illegal(f"UIDs {sorted(strange)} are not here, only {unknown} could be")

    def _extended(self, data: list[Any]) -> None:
        command = self._command
        assert command is not None
        if data[0] != ["TAG", command.tag.encode("ascii")]:
            raise Illegal(f"ESEARCH of {data[0]} for {command.tag}")
        if ("UID" in data[1:2]) != command.by_uid:
            raise Illegal("ESEARCH of UIDs for numbers, or the reverse")
        rest = data[2:] if command.by_uid else data[1:]
        values = {str(name): value for name, value in zip(rest[::2], rest[1::2], strict=True)}
        numbers = members(values["ALL"]) if "ALL" in values else []
        self._exist(numbers)
        self._exist([int(values[name]) for name in ("MIN", "MAX") if name in values], once=False)
        if "ALL" in values:
            if "COUNT" in values and int(values["COUNT"]) != len(numbers):
                raise Illegal(f"COUNT {values['COUNT']} of {numbers}")
            if "MIN" in values and (int(values["MIN"]), int(values["MAX"])) != (min(numbers), max(numbers)):
                raise Illegal(f"MIN and MAX of {values}")

    def _threads(self, data: list[Any]) -> None:
        self._exist([int(word) for word in _leaves(data)])

    # ends of commands

    def _opened(self, command: Command, status: str, text: str) -> None:
        selection = self._next
        assert selection is not None
        if self.selected is not selection:
            raise Illegal("another mailbox without CLOSED")
        self._next = None
        if status != "OK":
            self.selected = None
            return
        if ("[READ-ONLY]" in text) != selection.readonly:
            raise Illegal(f"{command.name} answered by {text}")
        if command.cached is None:
            return
        known = dict(command.cached)
        for uid in selection.earlier:
            known.pop(uid, None)
        for one in selection.messages:
            if one.uid is not None and one.flags is not None:
                known[one.uid] = one.flags
        count = len(selection.messages)
        if len(known) != count:
            raise Illegal(f"{count} messages, {len(known)} after resynchronisation: {known}")
        for number, uid in enumerate(sorted(known), 1):
            self._is_uid(number, uid)
            selection.messages[number - 1].flags = known[uid]

    def _stored(self, command: Command, status: str, text: str) -> None:
        selection, targets = self._in(), self._asked
        modified: set[int] = set()
        for code, value in _CODE.findall(text):
            if code == "MODIFIED":
                if command.unchangedsince is None:
                    raise Illegal("MODIFIED without UNCHANGEDSINCE")
                modified = set(members(value))
                if not modified <= set(members(command.sequence, self._last(command, max(modified)))):
                    raise Illegal(f"MODIFIED {value}, asked for {command.sequence}")
        since = command.unchangedsince
        if since is not None and status == "OK":
            for number, message in targets.items():
                if number in modified:
                    message.at_least = max(message.at_least, since + 1)
        if command.silent and not self.condstore and status == "OK":
            for message in targets.values():
                if message.flags is not None and message.told_by is not command and not selection.readonly:
                    message.flags = self._after(message.flags, command)
            if command.by_uid:
                # which of those without a known UID were among them only the server knows
                for message in selection.messages:
                    if message.uid is None and message.told_by is not command:
                        message.flags = None

    @staticmethod
    def _after(flags: frozenset[str], command: Command) -> frozenset[str]:
        if command.operation == "+":
            return flags | command.flags
        return flags - command.flags if command.operation == "-" else command.flags

    def _targets(self, command: Command) -> dict[int, Message]:
        """The messages of a sequence set, by what the command calls them."""
        messages = self._in().messages
        if command.by_uid:
            wanted = set(members(command.sequence, self._in().last_uid))
            return {one.uid: one for one in messages if one.uid is not None and one.uid in wanted}
        numbers = set(members(command.sequence, len(messages)))
        return {number: one for number, one in enumerate(messages, 1) if number in numbers}

    def _last(self, command: Command, told: int) -> int:
        """What ``*`` may be: the last message, known before or told by the command itself."""
        return max(self._in().last_uid, told) if command.by_uid else len(self._in().messages)

    def _copy(self, value: str) -> None:
        command, selection = self._command, self._in()
        assert command is not None
        _, source, target = value.split(" ")
        old, new = members(source), members(target)
        if len(old) != len(new) or len(set(old)) != len(old) or new != sorted(set(new)):
            raise Illegal(f"COPYUID {value}")
        if command.by_uid:
            asked = set(members(command.sequence, self._last(command, max(old))))
        else:
            asked = {one.uid for one in self._asked.values() if one.uid is not None}
            # of messages just arrived, or whose UIDs were not asked for, who knows
            asked |= set(old) - self._before
        if strange := set(old) - asked:
            raise Illegal(f"copied {sorted(strange)}, asked for {command.sequence}")
        self._copied = old if command.name == "MOVE" else []
        for was, uid in zip(old, new, strict=True):
            subject = self.registry.subjects.get((selection.mailbox, was))
            if subject is not None:
                self.registry.is_message(command.mailbox, uid, subject)

    def _append(self, command: Command, value: str) -> None:
        uids = members(value.split(" ")[1])
        if len(uids) != len(command.subjects):
            raise Illegal(f"APPENDUID {value} of {len(command.subjects)} messages")
        for uid, subject in zip(uids, command.subjects, strict=True):
            self.registry.is_message(command.mailbox, uid, subject)

    def _in(self) -> Selection:
        if self.selected is None:
            raise Illegal("news of a mailbox, and none is selected")
        return self.selected


def _leaves(data: list[Any]) -> Iterator[str]:
    for one in data:
        if isinstance(one, list):
            if one[:1] != ["MODSEQ"]:
                yield from _leaves(one)
        else:
            yield str(one)
