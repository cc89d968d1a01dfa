"""The sync log that our daemons write is the one that the original's write."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from cassandane.instance import Instance

pytestmark = pytest.mark.reference

MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"
SETTINGS = {"sync_log": "yes", "allowusermoves": "yes", "expunge_mode": "delayed", "delete_mode": "delayed"}
STEPS: dict[str, list[str]] = {
    "create": ["admin CREATE user/a", "a CREATE Work", "a CREATE Old/Deep"],
    "acl": ["admin SETACL user/a b lrswipkxte"],
    "quota": ["admin SETQUOTA user/a (STORAGE 100)", "admin SETQUOTA user/a (STORAGE 200)"],
    "subscribe": ["a SUBSCRIBE Work", "a UNSUBSCRIBE Work"],
    "append": ["a APPEND"],
    "store": ["a SELECT INBOX", r"a STORE 1 +FLAGS (\Flagged)"],
    "seen": ["b SELECT \"Other Users/a\"", r"b STORE 1 +FLAGS (\Seen)", "b CLOSE"],
    "copy": ["a COPY 1 Work"],
    "move": ["a APPEND", "a MOVE 2 Work"],
    "expunge": [r"a STORE 1 +FLAGS (\Deleted)", "a EXPUNGE", "a CLOSE"],
    "rename": ["a RENAME Work Play"],
    "rename user": ["admin RENAME user/a user/c"],
    "delete": ["admin SETACL user/c/Play admin lrswipkxtea", "admin DELETE user/c/Play"],
    "delete user": ["admin SETACL user/c admin lrswipkxtea", "admin DELETE user/c"],
}


def records_of(kind: str) -> dict[str, set[str]]:
    """The different records after each step; how often one is said does not matter to the reader."""
    server = Instance(imapd_conf=SETTINGS, programs={"imap": kind}, master=kind, services=("imap",))
    server.start()
    try:
        server.create_user("b")
        sessions = {user: server.imap(user) for user in "ab"}
        sessions["admin"] = server.imap("admin")
        path = server.directory / "conf" / "sync" / "log"
        found = {}
        for step, commands in STEPS.items():
            path.unlink(missing_ok=True)
            for command in commands:
                user, _, text = command.partition(" ")
                if text == "APPEND":
                    sessions[user].append("INBOX", MESSAGE)
                else:
                    sessions[user].ok(text)
            text = path.read_text() if path.exists() else ""
            found[step] = {_masked(line) for line in text.splitlines()}
        for session in sessions.values():
            session.close()
        return found
    finally:
        server.stop()
        server.remove()


def _masked(line: str) -> str:
    line = re.sub(r"(?<=\.)[0-9A-F]{8}\b", "TIME", line)
    return re.sub(r"(?<=SEEN b )\S+", "ID", line)


def test_the_same_commands_leave_the_same_records() -> None:
    ours, original = records_of("ours"), records_of("reference")

    assert ours == original
    assert Counter(line.split()[0] for step in ours.values() for line in step).keys() >= {
        "APPEND", "DOUBLEMAILBOX", "MAILBOX", "QUOTA", "RENAME", "SEEN", "SUB", "UNUSER", "USER",
    }  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [["-u", "joe"], ["-U", "joe"], ["-v", "joe"], ["-m", "user.joe"], ["-M", "user.joe"], ["-q", "user.joe"],
     ["-n", "user.joe"], ["-s", "joe", "abc"], ["-b", "joe", "user.joe.Sent Mail"], ["USER joe"],
     [], ["-s", "joe"], [""]],
)  # fmt: skip
def test_cyr_synclog_writes_what_the_original_writes(arguments: list[str]) -> None:
    server = Instance(imapd_conf=SETTINGS, services=())
    try:
        server.write_configuration()
        results = []
        for kind in ("ours", "reference"):
            done = server.run("cyr_synclog", *arguments, kind=kind, check=False)
            path = server.directory / "conf" / "sync" / "log"
            results.append((done.returncode, path.read_text() if path.exists() else None))
            path.unlink(missing_ok=True)
        assert results[0] == results[1]
    finally:
        server.remove()
