"""A list of mailboxes from before 3.6, brought up to date beside the original's ``ctl_cyrusdb -r``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cassandane.instance import Instance, give_away
from libcyrus import cyrusdb, mboxops
from libcyrus.base.dataclasses import replace
from libcyrus.config import Config
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.records import mbtype
from libcyrus.records.annotate import pack_key, unpack_key
from libcyrus.records.mbentry import MboxEntry, pack_name
from libcyrus.records.mboxlist import Mboxlist

pytestmark = pytest.mark.reference

Records = dict[bytes, bytes]


@pytest.fixture
def server() -> Iterator[Instance]:
    instance = Instance(
        imapd_conf={"mailbox_legacy_dirs": "yes", "altnamespace": "no"},
        programs={"imap": "reference"},
        master="reference",
        services=("imap",),
    )
    try:
        instance.start()
        _populate(instance)
        instance.stop()
        _annotate(instance)
        _make_old(instance)
        yield instance
    finally:
        instance.kill()
        instance.remove()


def _populate(server: Instance) -> None:
    with server.imap("admin") as admin:
        for name in ("user/joe", "user/ann", "News", "Info", "Archive"):
            admin.ok(f"CREATE {name}")
    with server.imap("joe") as joe:
        joe.ok("CREATE INBOX/Sent (USE (\\Sent))")
        joe.ok("CREATE INBOX/first")
        joe.ok("RENAME INBOX/first INBOX/second")
        joe.ok('RENAME INBOX/second "INBOX/the third.one"')
        joe.append("INBOX/Sent", b"Subject: kept\r\n\r\nthis\r\n")
    with server.imap("admin") as admin:
        admin.ok("CREATE user/ann/parted")
        admin.ok("SETACL user/ann/parted joe lrs")


def _annotate(server: Instance) -> None:
    store = MailStore(Config.load(server.config, "test"))
    mboxops.write_annotation(store, "News", "/comment", "", b"what is new")
    mboxops.write_annotation(store, "user.joe.Sent", "/comment", "joe", b"mine")
    mboxops.write_annotation(store, "user.joe.Sent", "/comment", "ann", b"hers")
    with store.annotations.transaction() as change:
        change.write("", "/comment", "", b"the server's")
    store.close()


def _make_old(server: Instance) -> None:
    mailboxes = Mboxlist(Config.load(server.config, "test"))
    entries = list(mailboxes.all(tombstones=True, intermediates=True))
    mailboxes.close()
    old: Records = {b"$RACL$S$anyone$News": b""}
    for entry in entries:
        entry = replace(entry, mbtype=entry.mbtype & ~mbtype.LEGACY_DIRS)
        old[entry.name.encode()] = _as_text(entry) if entry.name == "Info" else pack_name(entry, entry.mtime)
    _write(server, "mailboxes.db", old)
    names = {entry.uniqueid: entry.name for entry in entries if not entry.deleted}
    annotations = _read(server, "annotations.db")
    assert len(annotations) == 5
    _write(server, "annotations.db", {_by_name(key, names): data for key, data in annotations.items()})


def _as_text(entry: MboxEntry) -> bytes:
    return f"0 {entry.partition} {entry.acl}".encode()


def _by_name(key: bytes, names: dict[str | None, str]) -> bytes:
    parts = unpack_key(key)
    assert parts is not None
    owner, entry, userid = parts
    return pack_key(names[owner] if owner else "", entry, userid)


def _read(server: Instance, name: str) -> Records:
    with cyrusdb.open_db("twoskip", server.directory / "conf" / name) as db:
        return dict(db.foreach())


def _write(server: Instance, name: str, records: Records, backend: str = "twoskip") -> None:
    path = server.directory / "conf" / name
    path.unlink(missing_ok=True)
    with cyrusdb.open_db(backend, path, create=True) as db, db.transaction() as txn:
        for key, data in records.items():
            txn.store(key, data)
    give_away(path)


@pytest.mark.parametrize("backend", ["twoskip", "skiplist"])
def test_both_upgrade_the_list_and_annotations(server: Instance, backend: str) -> None:
    """``skiplist`` is what versions before 2.4 wrote."""
    old = {name: _read(server, name) for name in ("mailboxes.db", "annotations.db")}
    made: dict[str, tuple[Records, Records]] = {}
    for kind in ("reference", "ours"):
        for name, records in old.items():
            _write(server, name, records, backend)
        assert server.run("ctl_cyrusdb", "-r", kind=kind).returncode == 0
        made[kind] = _without_times(_read(server, "mailboxes.db")), _read(server, "annotations.db")
    assert made["ours"][0] == made["reference"][0]
    assert sum(key.startswith(b"I") for key in made["ours"][0]) == 8
    # the original loses what is said of the server
    of_server = {key for key in made["ours"][1] if key.startswith(b"\0")}
    assert len(of_server) == 1
    assert {key: data for key, data in made["ours"][1].items() if key not in of_server} == made["reference"][
        1
    ]
    assert len(made["reference"][1]) == 4
    assert _read(server, "annotations.db.OLD") == old["annotations.db"]

    # and once only
    assert server.run("ctl_cyrusdb", "-r").returncode == 0
    assert _without_times(_read(server, "mailboxes.db")) == made["ours"][0]
    for path in (server.directory, *server.directory.rglob("*")):
        give_away(path)
    server.start()
    with server.imap("joe") as joe:
        assert any("Sent" in line for line in joe.ok('LIST "" *').untagged)
        joe.ok("SELECT INBOX/Sent")
        assert "this" in str(joe.ok("FETCH 1 BODY[TEXT]"))


def _without_times(records: Records) -> Records:
    return {key: re.sub(rb" M \d+", b"", data) for key, data in records.items()}
