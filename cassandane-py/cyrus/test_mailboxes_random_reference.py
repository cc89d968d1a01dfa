"""Random commands on mailboxes, by several users: each is answered as by the original's imapd."""

from __future__ import annotations

import random
import re

import pytest

from cassandane.clients import ImapClient, Reply
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

STEPS = 150
BOXES = ("a", "b", "a/b", "a/b/c", "a/d", "D", "Inbox", "INBOX", "x y", "e.f", "a/INBOX", "~q", "&AOk-")
SHARED = ("s1", "s1/a", "s2/b/c", "s2", "NEWS")
USERS = ("joe", "ann", "bob")
# how often, and what follows the name
COMMANDS: dict[str, tuple[int, tuple[str, ...]]] = {
    "CREATE": (20, ("", "", "", " (USE (\\Sent))", " (USE (\\Trash \\Junk))", " (USE (\\Bad))")),
    "DELETE": (9, ("",)),
    "RENAME": (10, ("",)),
    "SETACL": (
        10,
        tuple(
            f" {identifier} {rights}"
            for identifier in ("anyone", "ann", "bob", "admin", "-ann", "group:g", "anonymous")
            for rights in ("lrs", "+p", "-r", "lrswipkxtecda", "lra", "x", '""', "lrsz", "d", "lr0")
        ),
    ),
    "DELETEACL": (3, (" anyone", " joe", " ann", " bob")),
    "GETACL": (6, ("",)),
    "MYRIGHTS": (6, ("",)),
    "LISTRIGHTS": (3, (" anyone", " joe", " ann")),
    "SETQUOTA": (3, (" (STORAGE 1000)", " (MESSAGE 3)", " ()", " (STORAGE 1 X-NUM-FOLDERS 5)")),
    "GETQUOTAROOT": (4, ("",)),
    "LIST": (6, ("*", "%", "a%", "*b", "INBOX*", "user/%", "Other*", "Shared Folders/%")),
    "LSUB": (3, ("*", "%", "a%")),
    "SUBSCRIBE": (5, ("",)),
    "UNSUBSCRIBE": (2, ("",)),
    "STATUS": (4, (" (MESSAGES UNSEEN RECENT UIDNEXT)",)),
    "APPEND": (5, (" {}",)),
}


def a_mailbox(chance: random.Random, user: str) -> str:
    if user == "admin":
        below = chance.choice(("", "/" + chance.choice(BOXES)))
        return chance.choice((f"user/{chance.choice(USERS)}{below}", chance.choice(SHARED)))
    kind = chance.random()
    if kind < 0.8:
        return chance.choice(BOXES)
    if kind < 0.9:
        return f"Other Users/{chance.choice(USERS)}/{chance.choice(BOXES)}"
    return f"Shared Folders/{chance.choice(SHARED)}"


def a_step(chance: random.Random) -> tuple[str, str]:
    user = chance.choice(("admin", "joe", "joe", "ann"))
    command = chance.choices(list(COMMANDS), [weight for weight, _ in COMMANDS.values()])[0]
    name, rest = a_mailbox(chance, user), chance.choice(COMMANDS[command][1])
    if command in ("LIST", "LSUB"):
        reference = chance.choice(('""', '""', '"a/"', "INBOX", '"user/"'))
        return user, f'{command} {reference} "{rest}"'
    if command == "RENAME":
        if name.upper() == "INBOX":
            # the original dies of it
            return user, "NOOP"
        rest = f' "{a_mailbox(chance, user)}"'
    return user, f'{command} "{name}"{rest}'


class Side:
    """One of the two servers, with a session of each user; a session that the server ended begins anew."""

    def __init__(self, kind: str, settings: dict[str, str]) -> None:
        self.server = Instance(
            imapd_conf=settings, programs={"imap": kind}, master="reference", services=("imap",)
        ).start()
        self._sessions: dict[str, ImapClient] = {}

    def answer(self, user: str, command: str) -> list[str]:
        literals = [b"Subject: x\r\n\r\nbody\r\n"] * command.count("{}")
        try:
            return _normal(self._session(user).command(command, *literals))
        except (EOFError, OSError):
            # deleting a user ends the user's sessions
            del self._sessions[user]
            return _normal(self._session(user).command(command, *literals))

    def _session(self, user: str) -> ImapClient:
        if user not in self._sessions:
            self._sessions[user] = self.server.imap(user)
        return self._sessions[user]

    def end(self) -> None:
        for session in self._sessions.values():
            session.close()
        self.server.stop()
        self.server.remove()


def _normal(reply: Reply) -> list[str]:
    # the original says "Invalid tag" after an APPEND whose message it did not want
    lines = [line for line in reply.untagged if line != "BAD Invalid tag"]
    lines.append(f"{reply.status} {reply.text}")
    return [
        re.sub(r"MAILBOXID \(\w+\)|UIDVALIDITY \d+|APPENDUID \d+|[\d.]+ secs", "", line) for line in lines
    ]


@pytest.mark.parametrize(
    ("seed", "settings"),
    [
        (1, {}),
        (2, {"mailbox_legacy_dirs": "yes", "hashimapspool": "yes", "reverseacls": "yes"}),
        (3, {"implicit_owner_rights": "lr", "deleteright": "d", "delete_unsubscribe": "yes"}),
    ],
    ids=str,
)
def test_random_commands_are_answered_alike(seed: int, settings: dict[str, str]) -> None:
    chance = random.Random(seed)
    # not delayed, for then the original cannot delete one name twice a second
    settings = {"allowusermoves": "yes", "altnamespace": "yes", "delete_mode": "immediate", **settings}
    theirs, ours = Side("reference", settings), Side("ours", settings)
    try:
        for _ in range(STEPS):
            user, command = a_step(chance)
            wanted = theirs.answer(user, command)
            assert ours.answer(user, command) == wanted, (user, command)
    finally:
        theirs.end()
        ours.end()
