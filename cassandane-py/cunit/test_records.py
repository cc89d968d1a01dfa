"""The databases' records: bytes as the original writes them, older forms, and damage.

The golden values were written by Cyrus 3.6.1 for real mailboxes and deliveries.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest

from libcyrus.config import Config
from libcyrus.errors import MailboxBadFormat, MailboxChecksum, QuotaExceeded, QuotarootNonexistent
from libcyrus.mboxname import NameRules
from libcyrus.records import annotate, mbtype, seen
from libcyrus.records.annotate import AnnotationDb
from libcyrus.records.counters import MODSEQS, Counters, CounterValues
from libcyrus.records.duplicate import DuplicateDb, DuplicateKey
from libcyrus.records.mbentry import FormerName, MboxEntry, pack_id, pack_name, unpack
from libcyrus.records.mboxlist import Mboxlist
from libcyrus.records.quota import DONT_CARE, UNLIMITED, Quota, QuotaDb, Resource
from libcyrus.records.seen import SeenData, SeenDb
from libcyrus.records.statuscache import IndexStatus, SeenStatus, StatusCache
from libcyrus.records.subscriptions import Subscriptions
from libcyrus.records.userdeny import DEFAULT_MESSAGE, Denial, UserDeny
from libcyrus.records.userstate import UserState

RULES = NameRules()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config.for_tests(configdirectory=str(tmp_path), statuscache="yes")


# mailboxes.db


N_INBOX = (
    b"%(T e I y3no4vnyteyslzanqtv1i1da P default V 1795376111 C 1 F 3 M 1795376110 "
    b"A %(joe lrswipkxtecdan ann lrs -anyone w))"
)
I_RENAMED = (
    b"%(T e N user\x1fjoe\x1fDrafts2 P default V 1795376111 C 1 F 2 M 1795376110 A %(joe lrswipkxtecdan) "
    b"H (%(N user\x1fjoe\x1fDrafts M 1795376110 V 1795376111 C 1 F 2 T ed)))"
)
I_DELETED = (
    b'%(T e N "DELETED\x1fuser\x1fjoe\x1fdel me\x1f6B0343EE" P default V 1795376111 C 1 F 2 M 1795376110 '
    b'A %(joe lrswipkxtecdan) H (%(N "user\x1fjoe\x1fdel me" M 1795376110 V 1795376111 C 1 F 2 T ed)))'
)
N_TOMBSTONE = b"%(T ed I qq3envoawcsymx82catxdixp V 1795376111 C 1 F 2 M 1795376110)"


def test_the_record_of_a_mailbox() -> None:
    entry = unpack("user.joe", N_INBOX, RULES)
    assert entry == MboxEntry(
        name="user.joe",
        uniqueid="y3no4vnyteyslzanqtv1i1da",
        partition="default",
        uidvalidity=1795376111,
        createdmodseq=1,
        foldermodseq=3,
        mtime=1795376110,
        acl="joe\tlrswipkxtecdan\tann\tlrs\t-anyone\tw\t",
    )
    assert pack_name(entry, entry.mtime) == N_INBOX
    assert entry.path_id == "y3no4vnyteyslzanqtv1i1da"


@pytest.mark.parametrize(
    ("golden", "name", "former"),
    [
        (I_RENAMED, "user.joe.Drafts2", "user.joe.Drafts"),
        (I_DELETED, "DELETED.user.joe.del me.6B0343EE", "user.joe.del me"),
    ],
)
def test_the_record_of_an_id_keeps_former_names(golden: bytes, name: str, former: str) -> None:
    entry = unpack(None, golden, RULES)
    assert entry.name == name
    assert entry.history == (FormerName(former, 1795376110, 1795376111, 1, 2, mbtype.DELETED),)
    dbname = RULES.from_internal(name).dbname
    assert pack_id(entry, dbname, entry.mtime, RULES) == golden


def test_a_tombstone_has_no_acl() -> None:
    entry = unpack("user.joe.Drafts", N_TOMBSTONE, RULES)
    assert entry.deleted and entry.partition is None and entry.acl == ""
    tombstone = MboxEntry(
        "user.joe.Drafts", mbtype.DELETED, "qq3envoawcsymx82catxdixp", None, None, 1795376111, 1, 2
    )
    assert pack_name(tombstone, 1795376110) == N_TOMBSTONE


def test_text_records_of_older_versions_are_read() -> None:
    entry = unpack("user.joe", b"(uniqueid abc specialuse \\Sent) 0 default joe\tlrs\t", RULES)
    assert (entry.uniqueid, entry.partition, entry.acl) == ("abc", "default", "joe\tlrs\t")
    remote = unpack("user.joe", b"1 back1!part joe\tlrs\t", RULES)
    assert (remote.mbtype, remote.server, remote.partition) == (1, "back1", "part")


@pytest.mark.parametrize("data", [b"", b"%(T e", b"%(T q)", b"%(V x)", b"%(T e))", b"(a", b"%(A x)"])
def test_damaged_records_are_refused(data: bytes) -> None:
    with pytest.raises(MailboxBadFormat):
        unpack("user.joe", data, RULES)


@pytest.mark.parametrize("cut", range(1, len(I_DELETED)))
def test_a_record_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(MailboxBadFormat):
        unpack(None, I_DELETED[:cut], RULES)


def test_mailbox_types_as_letters() -> None:
    assert mbtype.format(mbtype.CALENDAR | mbtype.DELETED | mbtype.LEGACY_DIRS) == "cdl"
    assert mbtype.parse("cdl") == mbtype.CALENDAR | mbtype.DELETED | mbtype.LEGACY_DIRS
    assert mbtype.parse("") == mbtype.EMAIL
    assert mbtype.parse("d") == mbtype.DELETED
    assert mbtype.parse(mbtype.format(mbtype.SIEVE)) == mbtype.SIEVE
    with pytest.raises(ValueError, match="unknown"):
        mbtype.parse("e?")


# counters.db


COUNTERS = {
    "highest": 0x14, "mail": 0x14, "mailfolders": 0x0D, "quota": 0x12, "racl": 0x02, "maildeleted": 0x10,
}  # fmt: skip
GOLDEN_COUNTERS = (
    bytes.fromhex(
        "0000001a"  # 0   generation 26
        "00000009"  # 4   version 9
    )
    + b"".join(COUNTERS.get(name, 0).to_bytes(8) for name in MODSEQS)
    + bytes.fromhex(
        "6b0349e2"  # 288 uidvalidity
        "486ffeac"  # 292 CRC-32
    )
)


def test_counters_read_and_write_the_same_bytes() -> None:
    values = CounterValues.unpack(GOLDEN_COUNTERS)
    assert values.generation == 26
    assert {name: value for name, value in values.modseqs.items() if value} == COUNTERS
    assert values.uidvalidity == 0x6B0349E2
    assert values.pack() == GOLDEN_COUNTERS and len(GOLDEN_COUNTERS) == 296


@pytest.mark.parametrize("place", range(0, 296, 5))
def test_a_flipped_bit_in_the_counters_is_noticed(place: int) -> None:
    damaged = bytearray(GOLDEN_COUNTERS)
    damaged[place] ^= 1
    with pytest.raises((MailboxChecksum, MailboxBadFormat)):
        CounterValues.unpack(bytes(damaged))


@pytest.mark.parametrize(("version", "count"), [(0, 4), (1, 5), (3, 9), (4, 11), (5, 13), (6, 23), (8, 31)])
def test_older_counters_hold_fewer_numbers(version: int, count: int) -> None:
    data = struct.pack(f">II{count}QI", 7, version, *range(1, count + 1), 99)
    data += struct.pack(">I", zlib.crc32(data))
    values = CounterValues.unpack(data)
    assert [values.modseqs[name] for name in MODSEQS[:count]] == list(range(1, count + 1))
    assert (values.generation, values.uidvalidity) == (7, 99)


def make_counters(tmp_path: Path, **options: Any) -> Counters:
    config = Config.for_tests(configdirectory=str(tmp_path), **options)
    mailboxes = Mboxlist(config)
    mailboxes.update(MboxEntry("user.joe", uniqueid="abcdef", partition="default", acl=""))
    return Counters(config, UserState(config, mailboxes))


def test_counters_rise_together_and_live_in_the_user_s_directory(tmp_path: Path) -> None:
    counters = make_counters(tmp_path, conversations="yes")
    assert counters.next_modseq("user.joe", 0) == 1
    assert counters.next_modseq("user.joe.Sent", 10, folder=True) == 11
    assert counters.next_modseq("user.joe.#calendars.x", 0) == 12
    assert counters.set_modseq("user.joe", 5, delete=True) == 12
    assert counters.next_quotamodseq("user.joe", 0) == 13
    assert counters.next_uidvalidity("user.joe", 100) == 101
    assert counters.set_uidvalidity("user.joe", 50) == 50
    values = CounterValues.unpack((tmp_path / "user/uuid/a/b/abcdef/counters.db").read_bytes())
    assert {name: value for name, value in values.modseqs.items() if value} == {
        "highest": 13, "mail": 11, "mailfolders": 11, "caldav": 12, "maildeleted": 5, "quota": 13,
    }  # fmt: skip
    assert (values.uidvalidity, values.generation) == (101, 6)
    counters.next_modseq("shared", 0)
    assert (tmp_path / "shared.counters").exists()


def test_without_conversations_no_file_is_touched(tmp_path: Path) -> None:
    counters = make_counters(tmp_path)
    assert counters.next_modseq("user.joe", 7) == 8
    assert counters.set_modseq("user.joe", 7) == 7
    assert counters.next_uidvalidity("user.joe", 7) == 8
    assert not (tmp_path / "user").exists()


# quota


GOLDEN_QUOTA = b"%(S (658 100) M (2) AS (5) NF (2) MODSEQ 18)"


def test_quota_records() -> None:
    quota = Quota.unpack("user.joe", GOLDEN_QUOTA)
    assert quota.used == [658, 2, 5, 2] and quota.limits == [100, UNLIMITED, UNLIMITED, UNLIMITED]
    assert quota.pack() == GOLDEN_QUOTA
    scanning = b"%(S (1 2) M (0) AS (0) NF (0) SCAN %(MBOX user.joe.x S 1 M 2 AS 3 NF 4) MODSEQ 5)"
    assert Quota.unpack("user.joe", scanning).pack() == scanning


@pytest.mark.parametrize(
    ("text", "used", "limits"),
    [
        (b"123 1000", [123, 0, 0, 0], [1000, -1, -1, -1]),
        (b"123 1000 77 M 5 -1", [123, 5, 0, 0], [1000, -1, -1, -1]),
        (b"1 2 AS 3 4 NF 5 6", [1, 0, 3, 5], [2, -1, 4, 6]),
    ],
)
def test_older_quota_records_are_read(text: bytes, used: list[int], limits: list[int]) -> None:
    quota = Quota.unpack("r", text)
    assert (quota.used, quota.limits) == (used, limits)


@pytest.mark.parametrize("text", [b"", b"1", b"a b", b"1 2 X 3 4", b"1 2 M 3", b"%(S", b"%(S x)"])
def test_damaged_quota_records_are_refused(text: bytes) -> None:
    with pytest.raises(MailboxBadFormat):
        Quota.unpack("r", text)


def test_limits() -> None:
    quota = Quota("r", used=[1000, 5, 0, 0], limits=[1, 5, UNLIMITED, 0])
    assert quota.lacking([24, 0, 999, -1]) is None
    assert quota.lacking([-5000, -1, 0, -1]) is None
    assert quota.lacking([25, 0, 0, -1]) == Resource.STORAGE
    assert quota.lacking([0, 1, 0, -1]) == Resource.MESSAGE
    assert quota.lacking([0, 0, 0, 1]) == Resource.NUMFOLDERS
    quota.use([-2000, 1, 3, 0])
    assert quota.used == [0, 6, 3, 0]


@pytest.mark.parametrize("backend", ["quotalegacy", "twoskip", "flat"])
def test_a_quota_database(tmp_path: Path, backend: str) -> None:
    config = Config.for_tests(configdirectory=str(tmp_path), quota_db=backend)
    quotas = QuotaDb(config, make_counters(tmp_path))
    with quotas.transaction() as change:
        change.write(Quota("user.joe", limits=[1000, UNLIMITED, UNLIMITED, UNLIMITED]))
        change.write(Quota("shared"))
    assert quotas.find_root("user.joe") == quotas.find_root("user.joe.a.b") == "user.joe"
    assert quotas.find_root("user.joey") is None and quotas.find_root("user") is None
    quotas.update_used("user.joe", [500, 1, 0, 0], mailbox="user.joe")
    assert quotas.read("user.joe").used == [500, 1, 0, 0]
    # a user's root counts its changes, a shared one does not
    assert (quotas.read("user.joe").modseq, quotas.read("shared").modseq) == (2, 0)
    one_megabyte = [1024 * 1024, *DONT_CARE[1:]]
    with pytest.raises(QuotaExceeded):
        quotas.check("user.joe", one_megabyte)
    quotas.check("nowhere", one_megabyte)
    assert [quota.root for quota in quotas.all("user.")] == ["user.joe"]
    quotas.delete("user.joe")
    with pytest.raises(QuotarootNonexistent):
        quotas.read("user.joe")
    quotas.close()


def test_mail_that_arrives_during_a_count_is_counted_once(config: Config, tmp_path: Path) -> None:
    quotas = QuotaDb(config, make_counters(tmp_path))
    with quotas.transaction() as change:
        change.write(Quota("user.joe", scan_mailbox="user.joe.b", scan_used=[10, 1, 0, 2]))
    for mailbox in ("user.joe.a", "user.joe.b", "user.joe.c"):
        quotas.update_used("user.joe", [5, 1, 0, 0], mailbox=mailbox)
    quota = quotas.read("user.joe")
    assert quota.used == [15, 3, 0, 0] and quota.scan_used == [20, 3, 0, 2]
    quotas.close()


def test_a_domain_can_be_a_root(tmp_path: Path) -> None:
    config = Config.for_tests(configdirectory=str(tmp_path), virtdomains="userid", quota_db="twoskip")
    quotas = QuotaDb(config, make_counters(tmp_path))
    with quotas.transaction() as change:
        change.write(Quota("e.org!"))
    assert quotas.find_root("e.org!user.joe.x") == "e.org!"
    assert quotas.find_root("user.joe") is None
    quotas.close()


# seen.db


def test_seen_records() -> None:
    golden = b"1 1795377631 2 1795377631 1"
    data = SeenData.unpack(golden)
    assert data == SeenData(1795377631, 2, 1795377631, "1") and data.pack() == golden
    assert SeenData.unpack(b"1 0 0 0 ").uids == ""
    for bad in (b"", b"2 0 0 0 1", b"1 x 0 0", b"1 0 0"):
        with pytest.raises(MailboxBadFormat):
            SeenData.unpack(bad)


def open_state(config: Config) -> UserState:
    mailboxes = Mboxlist(config)
    mailboxes.update(MboxEntry("user.joe", uniqueid="abcdef", partition="default", acl=""))
    return UserState(config, mailboxes)


def test_seen_state_is_durable_when_closed(config: Config, tmp_path: Path) -> None:
    state = open_state(config)
    assert seen.open_existing(config, state, "joe") is None
    with SeenDb(config, state, "joe", create=True) as db:
        assert db.lock_read("m1") == SeenData()
        db.write("m1", SeenData(1, 2, 3, "1:2,5"))
        db.write("m2", SeenData(1, 2, 3, "1,,2"))
    assert (tmp_path / "user/uuid/a/b/abcdef/seen.db").exists()
    with SeenDb(config, state, "joe") as db:
        assert db.read("m1").uids == "1:2,5"
        assert db.read("m2").uids == ""
        db.delete("m2")
    with SeenDb(config, state, "joe") as db:
        assert [uniqueid for uniqueid, _ in db.all()] == ["m1"]


# sub.db


def test_subscriptions(config: Config, tmp_path: Path) -> None:
    subscriptions = Subscriptions(config, open_state(config))
    assert subscriptions.list("joe") == []
    for name in ("user.joe", "user.joe.Drafts2", "shared", "user.joe2.x"):
        subscriptions.add("joe", name)
    subscriptions.remove("joe", "nowhere")
    path = tmp_path / "user/uuid/a/b/abcdef/sub.db"
    assert path.read_bytes() == (
        b"\x1fVER\x1f\t2\nNINBOX\t\nNINBOX\x1fDrafts2\t\nNINBOX2\x1fx\t\nNshared\t\n"
    )
    assert subscriptions.list("joe") == ["user.joe", "user.joe.Drafts2", "user.joe2.x", "shared"]
    subscriptions.remove("joe", "user.joe")
    assert not subscriptions.contains("joe", "user.joe") and subscriptions.contains("joe", "shared")


def test_older_subscriptions_are_rewritten(config: Config, tmp_path: Path) -> None:
    subscriptions = Subscriptions(config, open_state(config))
    path = tmp_path / "user/uuid/a/b/abcdef/sub.db"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"user.joe\t\nuser.joe.A^B\t\n")
    assert subscriptions.list("joe") == ["user.joe", "user.joe.A^B"]
    assert path.read_bytes() == b"\x1fVER\x1f\t2\nNINBOX\t\nNINBOX\x1fA.B\t\n"


# statuscache.db


def test_the_status_cache(config: Config) -> None:
    cache = StatusCache(config)
    status = IndexStatus(2, 3, 1795377632, 1, 658, 1, 20)
    cache.store("user.joe", status, "ann", SeenStatus(0, 1))
    assert cache._db is not None
    assert list(cache._db.foreach()) == [
        (b"user.joe%", b"I 8 (2 3 1795377632 1 658 1 20)"),
        (b"user.joe%%ann", b"S 8 (0 1 20)"),
    ]
    assert cache.index("user.joe") == status
    assert cache.seen("user.joe", "ann", status) == SeenStatus(0, 1)
    newer = IndexStatus(2, 3, 1795377632, 1, 658, 1, 21)
    assert cache.seen("user.joe", "ann", newer) is None
    assert cache.seen("user.joe", "bob", IndexStatus(0, 1, 1, 0, 0, 1, 1)) == SeenStatus(0, 0)
    cache.invalidate("user.joe")
    assert cache.index("user.joe") is None
    cache.close()


@pytest.mark.parametrize("data", [b"I 7 (1 2 3 4 5 6 7)", b"I 8 (1 2 3)", b"I 8 (1 2 3 4 5 6 0)", b"junk"])
def test_a_cached_status_that_is_not_understood_is_none(config: Config, data: bytes) -> None:
    cache = StatusCache(config)
    cache.invalidate("x")
    assert cache._db is not None
    cache._db.store(b"x%", data)
    assert cache.index("x") is None
    cache.close()


# deliver.db


def test_deliveries_are_remembered(config: Config) -> None:
    db = DuplicateDb(config)
    key = DuplicateKey(b"<1@x>", b"k7x5owlsrmjxpsltccm4iao4", b"Mon, 1 Jan 2024 10:00:00 +0000")
    assert db.check(key) == 0
    db.mark(key, 0x6B0349DF, 1)
    assert db._db is not None
    assert list(db._db.foreach()) == [
        (
            b"<1@x>\0k7x5owlsrmjxpsltccm4iao4\0Mon, 1 Jan 2024 10:00:00 +0000\0",
            bytes.fromhex("df49036b000000000100000000000000"),
        )
    ]
    assert db.check(key) == 0x6B0349DF
    assert db.check(DuplicateKey(b"<1@x>", key.to)) == 0
    db.mark(DuplicateKey(b"<1@x>", b".joe.sieve."), 5)
    assert list(db.find(b"<1@")) == [(key, 0x6B0349DF, 1)]
    db._db.store(b"broken", b"x")
    assert db.prune(0, {key.to: 0}) == (3, 2)
    assert list(db.all()) == [(key, 0x6B0349DF, 1)]
    db.close()


# annotations.db


def test_annotation_records() -> None:
    golden_key = b"zu9ryn25hpfizf0mvt9gdrxn\0/specialuse\0[.OwNeR.]\0"
    golden = bytes.fromhex(
        "0000000500000000"  # 0   length 5
        "5c53656e7400"  # 8   value, NUL
        "746578742f706c61696e00"  # 14  text/plain, NUL
        "0000000000000000"  # 25  once a time
        "0000000000000000"  # 33  modseq
        "00"  # 41  flags
    )
    assert annotate.pack_key("zu9ryn25hpfizf0mvt9gdrxn", "/specialuse", "[.OwNeR.]") == golden_key
    assert annotate.unpack_key(golden_key) == ("zu9ryn25hpfizf0mvt9gdrxn", "/specialuse", "[.OwNeR.]")
    assert annotate.pack_value(b"\\Sent") == golden
    assert annotate.unpack_value(golden) == (b"\\Sent", 0, 0)
    with_modseq = annotate.pack_value(b"x", 7, annotate.FLAG_DELETED)
    assert annotate.unpack_value(with_modseq) == (b"", 7, 1)
    # older records end early, a damaged one anywhere
    assert annotate.unpack_value(golden[:14]) == (b"\\Sent", 0, 0)
    for cut in range(len(golden)):
        annotate.unpack_value(golden[:cut])


def test_whose_annotation_it_is(config: Config) -> None:
    db = AnnotationDb(config)
    assert db.lookup("id", "/comment") == b""
    with db.transaction() as change:
        assert change.write("id", "/comment", "", b"shared")
        assert change.write("id", "/comment", db.user_key("user.joe", "joe"), b"owner's")
        assert change.write("id", "/comment", "ann", b"ann's")
        assert not change.write("id", "/comment", "ann", b"ann's")
        change.write("", "/motd", "", b"hello")
    assert db.lookup_mailbox("id", "user.joe", "/comment", "joe") == b"owner's"
    assert db.lookup_masked("id", "user.joe", "/comment", "joe") == b"shared"
    assert db.lookup_masked("id", "user.joe", "/comment", "ann") == b"ann's"
    assert db.lookup_masked("id", "user.joe", "/comment", "bob") == b"shared"
    assert [one.userid for one in db.find("id", "/comm")] == ["", "[.OwNeR.]", "ann"]
    with db.transaction() as change:
        change.write("id", "/comment", "ann", b"")
        change.write("5", "/comment", "", b"x", modseq=3)
        change.put("5", "/comment", "", b"", modseq=4)
    assert [one.userid for one in db.find("id")] == ["", "[.OwNeR.]"]
    assert list(db.find("5")) == [] and [one.modseq for one in db.find("5", tombstones=True)] == [4]
    with db.transaction() as change:
        change.delete_owner("id")
    assert list(db.find("id")) == [] and db.lookup("", "/motd") == b"hello"
    db.close()


# user_deny.db


@pytest.mark.parametrize(
    ("patterns", "service", "denied"),
    [
        ("*", "imap", True),
        ("pop3*,lmtp", "imap", False),
        ("pop3*,lmtp", "pop3s", True),
        ("!imap,*", "imap", False),
        ("!imap,*", "pop3", True),
        ("", "imap", False),
    ],
)
def test_which_services_are_denied(patterns: str, service: str, denied: bool) -> None:
    assert Denial(patterns).applies_to(service) is denied


def test_denied_users(config: Config, tmp_path: Path) -> None:
    db = UserDeny(config)
    assert db.message("joe", "imap") is None
    db.set("joe", "imap", "Go away")
    assert (tmp_path / "user_deny.db").read_bytes() == b"joe\t2\xff\x89imap\xff\x89Go away\n"
    assert db.message("joe", "imap") == "Go away" and db.message("joe", "pop3") is None
    assert Denial.unpack(b"1\tpop3") == Denial("pop3", DEFAULT_MESSAGE)
    with pytest.raises(MailboxBadFormat):
        Denial.unpack(b"3\tx\ty")
    db.delete("joe")
    assert db.message("joe", "imap") is None
    db.close()
