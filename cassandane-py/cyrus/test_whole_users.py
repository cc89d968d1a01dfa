"""Whole mailboxes and users made, renamed, moved and deleted: equal commands leave both spools equal.

Compared are replies, records of mailboxes.db, names of all files, quotas, and what clients see afterwards;
the original's own tools must find nothing to mend.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance, give_away, make_directory

pytestmark = [pytest.mark.reference, pytest.mark.timeout(300)]

BASE = {"altnamespace": "no", "allowusermoves": "yes"}
LEGACY = {"mailbox_legacy_dirs": "yes"}
USUAL: dict[str, dict[str, str]] = {
    "by id": {},
    "by name, at once": {
        **LEGACY, "delete_mode": "immediate", "hashimapspool": "yes", "fulldirhash": "yes",
    },
    "by name, domains": {**LEGACY, "virtdomains": "userid", "hashimapspool": "yes"},
    "dots, another prefix": {"unixhierarchysep": "no", "deletedprefix": "GONE", "reverseacls": "yes"},
    "conversations": {"conversations": "yes"},
}  # fmt: skip
MORE: dict[str, dict[str, str]] = {
    "at once": {"delete_mode": "immediate"},
    "by name": LEGACY,
    "domains": {"virtdomains": "userid", "defaultdomain": "example.com"},
    "lower case": {"username_tolower": "yes"},
    "unsubscribing": {"delete_unsubscribe": "yes", "allowdeleted": "yes"},
    "all domains": {"virtdomains": "yes", "crossdomains": "yes"},
    "metadata elsewhere": {
        "metapartition_files": "header index cache", "metapartition-default": "{}/second",
        "metapartition-two": "{}/third",
    },
    "archive": {"archive_enabled": "yes", "archive_days": "0", "archivepartition-default": "{}/second"},
}  # fmt: skip
TEXT = (
    b"From: a@b.org\r\nSubject: x\r\nMessage-ID: <%d@x>\r\n"
    b"Date: Mon, 1 Jan 2024 10:00:00 +0000\r\n\r\nbody\r\n"
)

BEFORE = """
CREATE user/joe
CREATE user/ann
CREATE user/joe/x
CREATE user/joe/x/y
CREATE user/joe/p/q
CREATE user/dot.ted
CREATE shared
CREATE shared/a/b
SETQUOTA user/joe (STORAGE 10000)
SETQUOTA user/joe/x/y (STORAGE 10000)
SETQUOTA shared (STORAGE 10000)
SETACL user/joe admin lrswipkxtecda
SETACL user/joe/x ann lrswip
SETACL shared joe lrswip
CREATE user/joe/parted two
RENAME user/joe/x user/joe/x two
RENAME user/joe/x user/joe/x two
RENAME user/joe/x user/joe/x nowhere
"""
OWN = """
SUBSCRIBE INBOX/x
SUBSCRIBE INBOX
SUBSCRIBE shared
CREATE INBOX/d
DELETE INBOX/d
CREATE INBOX/d
RENAME INBOX/x INBOX/new/place/z
RENAME INBOX/new INBOX/new/place/z/w
DELETE INBOX/new/place/z/y
"""
MOVES = """
RENAME user/joe user/joseph
RENAME user/ann user/joseph
RENAME user/joseph/p user/ann/p
RENAME shared/a user/ann/sh
SETACL user/dot.ted admin x
DELETE user/dot.ted
CREATE user/dot.ted
CREATE user/UPPER
"""
DOMAINS = """
CREATE user/bob@example.org
CREATE user/bob/s@example.org
SETQUOTA user/bob@example.org (STORAGE 100)
RENAME user/bob@example.org user/rob@example.net
RENAME user/rob@example.net user/rob
SETACL user/rob admin x
DELETE user/rob
"""


@pytest.mark.parametrize("settings", USUAL.values(), ids=USUAL)
def test_both_servers_leave_the_same(settings: dict[str, str]) -> None:
    compare(settings)


@pytest.mark.long
@pytest.mark.parametrize("settings", MORE.values(), ids=MORE)
def test_both_servers_leave_the_same_with_other_settings(settings: dict[str, str]) -> None:
    compare(settings)


def compare(settings: dict[str, str]) -> None:
    theirs, ours = (history(kind, settings) for kind in ("reference", "ours"))
    assert ours.keys() == theirs.keys()
    for what in theirs:
        assert ours[what] == theirs[what], what


def history(kind: str, settings: dict[str, str]) -> dict[str, Any]:
    """Everything that one server does and leaves."""
    directory = make_directory()
    for name in ("two", "second", "third"):
        (directory / name).mkdir()
        give_away(directory / name)
    placed = {key: value.format(directory) for key, value in settings.items()}
    server = Instance(
        directory, imapd_conf={**BASE, "partition-two": f"{directory}/two", **placed}, master=kind,
        programs={"imap": kind}, services=("imap",),
    )  # fmt: skip
    found: dict[str, Any] = {}
    server.start()
    found["replies"] = live(server)
    server.stop(check=kind == "ours")
    found |= {f"{what}, first": value for what, value in left(server).items()}
    server.start()
    with server.imap("admin") as admin:
        found["deletion"] = told(admin, f"DELETE {spelt(server, 'user/joseph')}")
        found["list"] = sorted(
            re.sub(r"\b[0-9A-F]{8}\b", "TIME", line) for line in admin.ok('LIST "" *').untagged
        )
    server.stop(check=kind == "ours")
    found |= {f"{what}, last": value for what, value in left(server).items()}
    server.remove()
    return found


def spelt(server: Instance, words: str) -> str:
    if server.settings.get("unixhierarchysep") != "no":
        return words
    return words.replace(".", "^").replace("/", ".")


def told(client: ImapClient, line: str) -> tuple[str, str, list[str], str]:
    reply = client.command(line)
    lines = [one for one in reply.untagged if "rename" in one or "delete" in one]
    return line, reply.status, lines, "" if reply.status == "OK" else reply.text


def live(server: Instance) -> list[object]:
    said: list[object] = []

    def run(client: ImapClient, script: str) -> None:
        said.extend(told(client, line) for line in spelt(server, script).strip().splitlines())

    with server.imap("admin") as admin:
        run(admin, BEFORE)
    with server.imap("joe") as joe:
        number = 0
        for name in ("INBOX", "INBOX/x", "INBOX/x/y", "INBOX/parted"):
            for _ in range(3):
                number += 1
                joe.append(spelt(server, name), TEXT % number)
        joe.ok(f"SELECT {spelt(server, 'INBOX/x')}")
        joe.ok(r"STORE 2 +FLAGS (\Deleted)")
        joe.ok("EXPUNGE")
        joe.ok("UNSELECT")
        run(joe, OWN)
    with server.imap("ann") as ann:
        ann.ok(f"SELECT {spelt(server, 'user/joe/new/place/z')}")
        ann.ok(r"STORE 1 +FLAGS (\Seen)")
    with server.imap("admin") as admin:
        run(admin, MOVES)
        if server.settings["virtdomains"] != "no":
            run(admin, DOMAINS)
    with server.imap("joseph") as joseph:
        run(joseph, "CREATE INBOX/after")
        for command in ("LIST", "LSUB"):
            said.append(sorted(joseph.ok(f'{command} "" *').untagged))
        for name in ("INBOX", "INBOX/new/place/z", "INBOX/parted"):
            said.append(joseph.ok(f"STATUS {spelt(server, name)} (MESSAGES UNSEEN UIDNEXT)").untagged)
    with server.imap("admin") as admin:
        run(admin, "SETACL user/joseph admin x")
    return said


def left(server: Instance) -> dict[str, Any]:
    """Records and files, with names in place of ids and without times."""
    path = str(server.directory / "conf/mailboxes.db")
    lines = server.run("cyr_dbtool", path, "twoskip", "show", kind="reference").stdout.decode().splitlines()
    names = ids(lines)

    def named(text: str) -> str:
        text = re.sub(r"(?<=[\x1f/])[0-9A-F]{8}\b", "TIME", text)
        return re.sub(r"[0-9a-z]{24}", lambda found: names.get(found[0], found[0]), text)

    records = []
    for line in lines:
        line = re.sub(r" [VM] \d+", "", line)
        if server.settings.get("conversations"):
            # the original counts modseqs that nothing gets
            line = re.sub(r" [CF] \d+", "", line)
        # 3.6.1 forgets the layout of a mailbox that is removed at once
        records.append(named(re.sub(r"\bT (e[di]+)l ", r"T \1 ", line)))
    files = [
        re.sub(r"uuid/./.", "uuid", named(str(path.relative_to(server.directory))))
        for top in ("spool", "two", "second", "third", "conf/user", "conf/quota", "conf/domain", "conf/sieve")
        for path in (server.directory / top).rglob("*")
        if path.is_file() and not is_made_by_the_original(path)
    ]
    repaired = server.run("quota", "-f", "-q", kind="reference")
    checked = server.run("reconstruct", "-n", "-G", kind="reference").stdout
    return {
        "records": sorted(records),
        "files": sorted(files),
        "quotas": json.loads(server.run("quota", "-J", kind="reference").stdout or "{}"),
        "verified": server.run("ctl_mboxlist", "-v").stdout,
        "quotas mended": (repaired.stdout, repaired.stderr),
        "mailboxes mended": [line for line in checked.splitlines() if b"-->" in line],
    }


def is_made_by_the_original(path: Path) -> bool:
    """Empty databases that it opens before it needs them."""
    return path.name in ("dav.db", "cyrus.annotations") or path.suffix in (".dav", ".conversations")


def ids(lines: list[str]) -> dict[str, str]:
    """What mailboxes are called now, or were at last, by unique id."""
    names = {}
    for line in lines:
        found = re.match(r"I(\w{24})\t.*? N (\S+)", line)
        if found is not None:
            names[found[1]] = "<" + re.sub("\x1f[0-9A-F]{8}$", "", found[2]).replace("\x1f", ".") + ">"
    return names
