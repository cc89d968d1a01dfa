"""Metadata on partitions of its own: both servers put, find, move and remove the same files there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cassandane.instance import Instance, give_away
from cassandane.messages import message

pytestmark = [pytest.mark.reference, pytest.mark.timeout(120)]

EVERY = "header index cache expunge squat annotations lock dav archivecache"
LAYOUTS = {
    "everything on the metapartition": {
        "metapartition_files": EVERY, "metapartition-default": "{0}/m1", "metapartition-other": "{0}/m2",
    },
    "legacy": {
        "mailbox_legacy_dirs": "yes", "metapartition_files": EVERY,
        "metapartition-default": "{0}/m1", "metapartition-other": "{0}/m2",
    },
    "some files, some in places of their own": {
        "metapartition_files": "cache annotations", "metapartition-default": "{0}/m1",
        "metadir-header-default": "{0}/m3", "metadir-index-default": "{0}/m4",
        "metadir-cache-other": "{0}/m2",
    },
    "with an archive": {
        "metapartition_files": "index archivecache", "metapartition-default": "{0}/m1",
        "metapartition-other": "{0}/m2", "metadir-archivecache-other": "{0}/m3", "archive_enabled": "yes",
        "archivepartition-default": "{0}/a1", "archivepartition-other": "{0}/a2", "archive_maxsize": "1",
    },
}  # fmt: skip
QUICK = ("everything on the metapartition", "with an archive")
PLACES = ("spool", "other", "m1", "m2", "m3", "m4", "a1", "a2")
LARGE = "x" * 70 + "\r\n"


@pytest.fixture(
    params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in LAYOUTS]
)
def server(request: pytest.FixtureRequest) -> Iterator[Instance]:
    """Our server as ``imap``, the original as ``imap2``."""
    server = Instance(
        imapd_conf={"expunge_mode": "immediate", "delete_mode": "immediate"}, services=("imap", "imap2"),
        programs={"imap": "ours", "imap2": "reference"},
    )  # fmt: skip
    for place in PLACES:
        (server.directory / place).mkdir(exist_ok=True)
        give_away(server.directory / place)
    server.settings["partition-other"] = str(server.directory / "other")
    for option, value in LAYOUTS[request.param].items():
        server.settings[option] = value.format(server.directory)
    server.write_configuration()
    server.start()
    yield server
    server.stop()
    server.remove()


def test_files_are_where_the_other_server_looks(server: Instance) -> None:
    """Four users, worked on by ours, by the original, and by both in turn."""
    ours, theirs = "imap", "imap2"
    orders = {"ours": (ours,), "theirs": (theirs,), "first": (ours, theirs), "second": (theirs, ours)}
    results = {user: scenario(server, user, order) for user, order in orders.items()}
    for user in orders:
        for step, expected in results["theirs"].items():
            assert results[user][step] == expected, (user, step)
    steps = results["theirs"]
    assert any("m1/" in path for path in steps["filled"])
    assert not any("/sub/" in path or "sub." in path for path in steps["sub deleted"])
    assert steps["deleted"] == []


def scenario(server: Instance, user: str, order: tuple[str, ...]) -> dict[str, list[str]]:
    """What files there are after each step; the steps go to the services in turn."""
    found: dict[str, list[str]] = {}
    turns = 0

    def service() -> str:
        nonlocal turns
        turns += 1
        return order[turns % len(order)]

    def step(name: str, who: str, *commands: str) -> None:
        with server.imap(who, service=service()) as client:
            for command in commands:
                client.ok(command)
        found[name] = files(server, user)

    step("created", "admin", f"CREATE user/{user}", f"CREATE user/{user}/sub", f"CREATE user/{user}/sub/deep")
    for folder in ("INBOX", "sub", "sub/deep"):
        with server.imap(user, service=service()) as client:
            for number in range(3):
                client.append(folder, message(f"{folder} {number}", str(number)))
            client.append(folder, message("large", "large") + LARGE.encode() * 40)
    with server.imap(user, service=service()) as client:
        client.ok("SELECT sub")
        client.ok('STORE 1:4 ANNOTATION (/comment (value.shared "abc"))')
    found["filled"] = files(server, user)
    step("expunged", user, "SELECT sub", r"STORE 2 +FLAGS (\Deleted)", "EXPUNGE")
    step("renamed", user, "RENAME sub sub2")
    step("moved", "admin", f"RENAME user/{user}/sub2 user/{user}/sub2 other")
    step("back", "admin", f"RENAME user/{user}/sub2 user/{user}/sub2 default")
    step("named as before", user, "RENAME sub2 sub")
    for folder in ("INBOX", "sub", "sub/deep"):
        with server.imap(user, service=service()) as client:
            client.ok(f"SELECT {folder}")
            shown = "".join(client.ok("FETCH 1:* (UID FLAGS ENVELOPE ANNOTATION (/comment value))").untagged)
            assert shown.count("ENVELOPE") == (3 if folder == "sub" else 4)
            assert shown.count("abc") == (3 if folder == "sub" else 0)
    for kind in ("ours", "reference"):
        said = server.run("reconstruct", "-n", "-G", "-r", f"user/{user}", kind=kind).stdout
        assert said == "".join(f"user/{user}{end}\n" for end in ("", "/sub", "/sub/deep")).encode(), kind
    step("sub deleted", user, "DELETE sub/deep", "DELETE sub")
    step("deleted", "admin", f"SETACL user/{user} admin lrswipkxtecda", f"DELETE user/{user}")
    return found


def files(server: Instance, user: str) -> list[str]:
    """All files of the user's mailboxes, directories by id or by name replaced by the mailbox's name."""
    names = {}
    for place in PLACES:
        for path in (server.directory / place).rglob("cyrus.header"):
            text = path.read_bytes().decode("latin-1")
            name, uniqueid = re.search(r" N (\S+) I (\S+) ", text).groups()  # type: ignore[union-attr]
            names[f"uuid/{uniqueid[0]}/{uniqueid[1]}/{uniqueid}"] = name
    found = []
    for place in PLACES:
        for path in (server.directory / place).rglob("*"):
            if path.is_dir() or path.parent.name == "stage.":
                continue
            below = str(path.parent.relative_to(server.directory / place))
            name = names.get(below, below.replace("/", "."))
            if re.match(rf"user\.{user}(\.|$)", name):
                found.append(f"{place}/{name.replace(user, 'USER')}/{path.name}")
    # the original makes the annotations' database where there are none, too, and leaves archived messages
    # behind when a mailbox moves to another partition
    return sorted(
        path for path in found
        if not path.endswith("cyrus.annotations") and not is_left_behind(path, found)
    )  # fmt: skip


def is_left_behind(path: str, found: list[str]) -> bool:
    archive, mailbox, _ = path.split("/")
    partition = {"a1": "spool", "a2": "other"}.get(archive)
    return partition is not None and f"{partition}/{mailbox}/cyrus.header" not in found
