"""Every database that this suite knows: the original's records are read, and written again to the byte.

One line here for each row of the list of databases that has its place in the suite; ``original.py`` beside
the files made them.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from cassandane.tools import Tools
from libcyrus import cyrusdb
from libcyrus.base.dataclasses import replace
from libcyrus.config import Config
from libcyrus.cyrusdb import Settings
from libcyrus.errors import MailboxBadFormat
from libcyrus.mboxname import NameRules
from libcyrus.records import annotate, mbentry, mboxkey
from libcyrus.records.conversations import layout
from libcyrus.records.conversations.conversation import Conversation
from libcyrus.records.counters import CounterValues
from libcyrus.records.duplicate import DuplicateDb, DuplicateKey
from libcyrus.records.mboxkey import MboxkeyDb
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.quota import Quota
from libcyrus.records.seen import SeenData
from libcyrus.records.statuscache import SeenStatus, StatusCache
from libcyrus.records.subscriptions import Subscriptions
from libcyrus.records.tls_sessions import TlsSessions
from libcyrus.records.userdeny import Denial, UserDeny
from libcyrus.records.userstate import UserState

HERE = Path(__file__).parent / "databases"

# name, file, backend
DATABASES = (
    ("mailboxes.db", "mailboxes.db", "twoskip"),
    ("annotations.db", "annotations.db", "twoskip"),
    ("cyrus.annotations", "cyrus.annotations", "twoskip"),
    ("quotas.db", "quotas.db", "quotalegacy"),
    ("deliver.db", "deliver.db", "twoskip"),
    ("tls_sessions.db", "tls_sessions.db", "twoskip"),
    ("statuscache.db", "statuscache.db", "twoskip"),
    ("user_deny.db", "user_deny.db", "flat"),
    ("conversations.db", "conversations.db", "skiplist"),
    ("seen.db", "seen.db", "twoskip"),
    ("sub.db", "sub.db", "flat"),
    ("mboxkey.db", "mboxkey.db", "twoskip"),
)
NAMES = [name for name, _, _ in DATABASES]

Again = Callable[[bytes, bytes], tuple[bytes, bytes]]


def _annotation(key: bytes, data: bytes) -> tuple[bytes, bytes]:
    parts = annotate.unpack_key(key)
    assert parts is not None
    return annotate.pack_key(*parts), annotate.pack_value(*annotate.unpack_value(data))


def _conversation(key: bytes, data: bytes) -> tuple[bytes, bytes]:
    match key[:1]:
        case b"B":
            return key, Conversation.unpack(data).pack(0)
        case b"<":
            return key, layout.pack_msgid(*layout.unpack_msgid(data))
        case b"Q":
            return key, layout.pack_quota(layout.unpack_quota(data))
        case b"$":
            return key, layout.pack_folders(layout.unpack_folders(data))
        case b"F":
            return key, layout.FolderStatus.unpack(data).pack()
    return key, data


def _delivery(key: bytes, data: bytes) -> tuple[bytes, bytes]:
    parts = DuplicateKey.unpack(key)
    assert parts is not None
    return parts.pack(), data


AGAIN: Mapping[str, Again] = {
    "annotations.db": _annotation,
    "deliver.db": _delivery,
    "user_deny.db": lambda key, data: (key, Denial.unpack(data).pack()),
    "conversations.db": _conversation,
    "seen.db": lambda key, data: (key, SeenData.unpack(data).pack()),
    "mboxkey.db": lambda key, data: (key, mboxkey.pack(mboxkey.unpack(data))),
    "quotas.db": lambda key, data: (key, Quota.unpack(key.decode(), data).pack()),
}


def place(name: str, directory: Path) -> Path:
    """A copy of a database's golden file."""
    path = directory / name
    if name == "quotas.db":
        shutil.copytree(HERE / "quota", directory / "quota")
    else:
        shutil.copy(HERE / name, path)
    return path


@pytest.mark.parametrize(("name", "file", "backend"), DATABASES, ids=NAMES)
def test_files_of_the_original(name: str, file: str, backend: str, tmp_path: Path) -> None:
    with cyrusdb.open_db(backend, place(file, tmp_path)) as database:
        assert database.backend == backend
        database.consistent()
        records = dict(database.foreach())
        assert records
        if again := AGAIN.get(name):
            assert dict(again(key, data) for key, data in records.items()) == records


@pytest.mark.reference
@pytest.mark.parametrize(("name", "file", "backend"), DATABASES, ids=NAMES)
def test_the_original_reads_what_we_write(name: str, file: str, backend: str, tmp_path: Path) -> None:
    """The same records in a file that is all ours."""
    tools = Tools(tmp_path / "tools", "cyr_dbtool")
    old, new = tmp_path / "old", tools.directory / "theirs"
    old.mkdir()
    with cyrusdb.open_db(backend, place(file, old)) as database:
        records = list(database.foreach())
        expected = b"".join(cyrusdb.dump_text(database))
    with cyrusdb.open_db(backend, new / file, create=True) as database:
        for key, data in records:
            database.store(key, data)
    assert tools.theirs([f"@{file}", backend, "show"]) == (0, expected, b"")
    assert tools.theirs([f"@{file}", backend, "consistent"]) == (0, b"Yes, consistent\n", b"")


# what the records mean


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The whole directory of the original's server."""
    conf = tmp_path / "conf"
    conf.mkdir()
    for name in ("mailboxes.db", "annotations.db", "deliver.db", "tls_sessions.db", "statuscache.db",
                 "user_deny.db"):  # fmt: skip
        shutil.copy(HERE / name, conf)
    shutil.copytree(HERE / "quota", conf / "quota")
    (tmp_path / "imapd.conf").write_text(
        f"configdirectory: {conf}\ndefaultpartition: default\npartition-default: {tmp_path}/spool\n"
        "statuscache: yes\nquota_db: quotalegacy\n"
    )
    return Config.load(str(tmp_path / "imapd.conf"), "test")


@pytest.fixture
def state(config: Config) -> UserState:
    mailboxes = Mboxlist(config)
    state = UserState(config, mailboxes)
    directory = Path(state.user_path("joe", None))
    directory.mkdir(parents=True)
    for name in ("seen.db", "sub.db", "mboxkey.db", "counters.db"):
        shutil.copy(HERE / name, directory)
    return state


def test_mailboxes(state: UserState) -> None:
    found = {entry.name: entry for entry in state.mailboxes.all()}
    assert sorted(name for name in found if not name.startswith("DELETED.")) == [
        "shared",
        "user.joe",
        "user.joe.sub",
    ]
    assert (found["user.joe"].acl or "").split("\t")[:2] == ["joe", "lrswipkxtecdan"]
    rules = NameRules.from_config(state.mailboxes.config)
    with cyrusdb.open_db("twoskip", state.mailboxes.path) as database:
        for key, data in database.foreach(b"N"):
            name = rules.from_db(key[1:].decode()).internal
            assert mbentry.unpack(name, data, rules).name == name


def test_deliveries(config: Config) -> None:
    deliveries = DuplicateDb(config)
    found = list(deliveries.find(b"<1@"))
    deliveries.close()
    ((key, when, uid),) = found
    assert (key.id, key.date, uid) == (b"<1@example.org>", b"Sun, 1 Nov 2026 10:00:00 +0000", 2)
    assert when > 1_700_000_000
    assert re.fullmatch(rb"[0-9a-z]{24}", key.to)


def test_denials(config: Config) -> None:
    denials = UserDeny(config)
    assert denials.message("ann", "pop3") == "not now"
    assert denials.message("ann", "imap") is None
    assert denials.message("joe", "imap") == "Access to this service has been blocked"
    assert denials.message("bob", "imap") is None
    denials.close()


def test_status(config: Config) -> None:
    cache = StatusCache(config)
    index = cache.index("shared")
    assert index is not None
    assert (index.messages, index.uidnext) == (2, 3)
    assert cache.seen("shared", "joe", index) == SeenStatus(recent=0, unseen=1)
    assert cache.seen("shared", "joe", replace(index, highestmodseq=99)) is None
    cache.close()
    with cyrusdb.open_db("twoskip", f"{config.directory}/statuscache.db") as database:
        for key in (b"shared%", b"shared%%joe"):
            database.store(key, (database.fetch(key) or b"").replace(b" 8 ", b" 7 "))
    assert cache.index("shared") is None
    assert cache.seen("shared", "joe", index) is None
    cache.close()


def test_seen(state: UserState) -> None:
    with cyrusdb.open_db("twoskip", state.user_path("joe", "seen")) as database:
        ((key, data),) = database.foreach()
    seen = SeenData.unpack(data)
    assert (seen.lastuid, seen.uids) == (2, "1")
    shared = state.mailboxes.lookup("shared")
    assert key.decode() == shared.uniqueid
    with pytest.raises(MailboxBadFormat):
        SeenData.unpack(b"2" + data[1:])


def test_subscriptions(config: Config, state: UserState) -> None:
    assert Subscriptions(config, state).list("joe") == ["user.joe", "user.joe.sub", "shared"]


def test_keys(config: Config, state: UserState) -> None:
    with MboxkeyDb(config, state, "joe") as keys:
        secret = keys.read("user.joe")
        assert secret is not None
        assert len(secret) == 16
        assert keys.read("user.joe.sub") is None
        keys.write("user.joe.sub", b"another")
        keys.write("user.joe", None)
    with MboxkeyDb(config, state, "joe") as keys:
        assert (keys.read("user.joe"), keys.lock_read("user.joe.sub")) == (None, b"another")
    with pytest.raises(MailboxBadFormat):
        mboxkey.unpack(b"\0\2key")
    mboxkey.delete_all(state, "joe")
    assert mboxkey.open_existing(config, state, "joe") is None
    mboxkey.delete_all(state, "joe")


def test_counters() -> None:
    data = (HERE / "counters.db").read_bytes()
    assert CounterValues.unpack(data).pack() == data


def test_tls_sessions(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    with cyrusdb.open_db("twoskip", f"{config.directory}/tls_sessions.db") as database:
        ((session_id, data),) = database.foreach()
    expire = int.from_bytes(data[:8], "little")
    sessions = TlsSessions(config)
    monkeypatch.setattr(time, "time", lambda: float(expire))
    assert sessions.fetch(session_id) == data[8:]
    assert data[8:9] == b"\x30"
    assert sessions.store(b"other", b"\x30\0", expire + 10)
    assert sessions.prune() == (2, 0)
    monkeypatch.setattr(time, "time", lambda: float(expire + 1))
    assert sessions.fetch(session_id) is None
    assert sessions.store(b"third", b"\x30\0", expire)
    assert sessions.prune() == (2, 1)
    assert sessions.fetch(b"other") == b"\x30\0"
    sessions.remove(b"other")
    assert sessions.fetch(b"other") is None
    sessions.close()


def test_quotas(config: Config) -> None:
    settings = Settings.from_config(config)
    with cyrusdb.open_db("quotalegacy", f"{config.directory}/quotas.db", settings=settings) as database:
        ((root, data),) = database.foreach()
    assert root == b"user.joe"
    assert b"1000" in data
