"""cyrus.header, cyrus.index and cyrus.cache, byte for byte. ``mailbox/`` was written by Cyrus 3.6.1."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libcyrus import message
from libcyrus.errors import CyrusError, IoError, MailboxBadFormat, MailboxChecksum
from libcyrus.mailbox import cache, columns, header, index_header, index_record, synccrc
from libcyrus.mailbox.cache import CacheFile
from libcyrus.mailbox.header import MailboxHeader
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import IndexRecord

GOLDEN = Path(__file__).parent / "mailbox"
INDEX = (GOLDEN / "cyrus.index").read_bytes()
CACHE = (GOLDEN / "cyrus.cache").read_bytes()
HEADER = (GOLDEN / "cyrus.header").read_bytes()

GOLDEN_HEADER = bytes.fromhex(
    "00000000"  # 0   generation_no
    "00000000"  # 4   format
    "00000011"  # 8   minor_version 17
    "000000a0"  # 12  start_offset 160
    "00000070"  # 16  record_size 112
    "00000004"  # 20  num_records
    "6b034a88"  # 24  last_appenddate
    "00000004"  # 28  last_uid
    "0000000000000210"  # 32 quota_mailbox_used
    "00000000"  # 40  pop3_last_login
    "6b034a89"  # 44  uidvalidity
    "00000000"  # 48  deleted
    "00000000"  # 52  answered
    "00000001"  # 56  flagged
    "00000001"  # 60  options: POP3_NEW_UIDL
    "00000000"  # 64  leaked_cache_records
    "0000000000000008"  # 68 highestmodseq
    "0000000000000000"  # 76 deletedmodseq
    "00000003"  # 84  exists
    "6b034a88"  # 88  first_expunged
    "00000000"  # 92  last_repack_time
    "dc0b2514"  # 96  header_file_crc
    "16669399"  # 100 sync_crc
    "00000004"  # 104 recentuid
    "6b034a88"  # 108 recenttime
    "00000000"  # 112 pop3_show_after
    "00000000"  # 116 quota_annot_used
    "15696ab2"  # 120 sync_crc_annot
    "00000002"  # 124 unseen
    "0000000000000001"  # 128 createdmodseq
    "6b034a88"  # 136 changes_epoch
    "00000000000000000000000000000000"  # 140 spares
    "c5b916e6"  # 156 crc
)

u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, 0xFFFFFFFFFFFFFFFF)
records = st.builds(
    IndexRecord,
    uid=u32,
    internaldate=u32,
    sentdate=u32,
    size=u32,
    header_size=u32,
    gmtime=u32,
    cache_offset=st.integers(0, 2**48 - 1),
    last_updated=u32,
    system_flags=st.integers(0, 0xFFFF),
    internal_flags=st.integers(0, 0xFFFF).map(lambda flags: flags << 16),
    user_flags=st.integers(0, 2**128 - 1),
    savedate=u32,
    cache_version=st.integers(0, 0xFFFF),
    guid=st.binary(min_size=20, max_size=20),
    modseq=u64,
    cid=u64,
    createdmodseq=u64,
    cache_crc=u32,
)


def golden_records() -> list[IndexRecord]:
    return [
        index_record.unpack(INDEX, 160 + 112 * place, recno=place + 1) for place in range(4)
    ]


def test_the_golden_header_is_that_of_the_file():
    assert INDEX[:160] == GOLDEN_HEADER


def test_index_header_reads_and_writes_the_same_bytes():
    read = index_header.unpack(INDEX)
    assert (read.minor_version, read.start_offset, read.record_size) == (17, 160, 112)
    assert (read.num_records, read.exists, read.unseen, read.flagged) == (4, 3, 2, 1)
    assert (read.highestmodseq, read.createdmodseq, read.last_uid) == (8, 1, 4)
    assert index_header.pack(read) == GOLDEN_HEADER


def test_index_records_read_and_write_the_same_bytes():
    for record in golden_records():
        start = 160 + 112 * (record.recno - 1)
        assert index_record.pack(record) == INDEX[start : start + 112]


def test_index_records_say_what_the_messages_are():
    first, second, third, fourth = golden_records()
    assert [record.uid for record in golden_records()] == [1, 2, 3, 4]
    assert first.system_flags == index_record.SEEN and first.user_flags == 1
    assert second.system_flags == index_record.FLAGGED and second.user_flags == 1
    assert third.system_flags == index_record.DRAFT and third.user_flags == 2
    assert fourth.expunged and not fourth.unlinked


@pytest.mark.parametrize("uid", [1, 2, 3, 4])
def test_what_follows_from_a_message_equals_the_originals_record(uid):
    record = golden_records()[uid - 1]
    parsed = message.parse((GOLDEN / f"{uid}.").read_bytes())
    assert (parsed.size, parsed.header_size, parsed.guid) == (record.size, record.header_size, record.guid)
    assert (parsed.gmtime or record.internaldate) == record.gmtime
    packed = parsed.cache_record()
    assert CACHE[record.cache_offset : record.cache_offset + len(packed)] == packed
    assert crc32(packed) == record.cache_crc


def test_header_file_reads_and_writes_the_same_bytes():
    read = header.unpack(HEADER)
    assert (read.name, read.uniqueid, read.mbtype) == ("user.gold", "j3lpqny3eyrozj3pzia16kwg", "e")
    assert read.acl == "gold\tlrswipkxtecdan\t"
    assert read.flags == ["Work", "$Label1"]
    assert header.pack(read) == HEADER
    assert header.crc(HEADER) == index_header.unpack(INDEX).header_file_crc


def test_header_file_of_versions_before_3_6_is_read():
    old = header.MAGIC + b"user.joe\t5d1f2e\nWork  $Label1\njoe\tlrs\tanyone\tp\t\n"
    read = header.unpack(old)
    assert (read.quotaroot, read.uniqueid, read.acl) == ("user.joe", "5d1f2e", "joe\tlrs\tanyone\tp\t")
    assert read.flags == ["Work", None, "$Label1"]


def test_header_file_keeps_the_numbers_of_removed_flags():
    value = MailboxHeader("user.a", "id", flags=["A", None, "C", None], acl="", quotaroot="user.a")
    packed = header.pack(value)
    assert packed.endswith(b"Q user.a A %() U (A NIL C))\n")
    assert header.unpack(packed).flags == ["A", None, "C"]


def test_sync_crcs_add_up_to_those_in_the_header():
    flags = synccrc.FlagCrcs(header.unpack(HEADER).flags)
    basic, annot = 0, index_header.SYNC_CRC_ANNOT_START
    for record in golden_records():
        basic ^= synccrc.basic(record, flags)
        annot ^= synccrc.virtual(record, 17)
    read = index_header.unpack(INDEX)
    assert (basic, annot) == (read.sync_crc, read.sync_crc_annot)


def test_counters_add_up_to_those_in_the_header():
    counted = IndexHeader()
    for record in golden_records():
        counted.count(record)
    read = index_header.unpack(INDEX)
    for field in ("exists", "answered", "flagged", "deleted", "unseen", "quota_mailbox_used"):
        assert getattr(counted, field) == getattr(read, field), field
    for record in golden_records():
        counted.uncount(record)
    assert counted.exists == counted.unseen == counted.quota_mailbox_used == 0


def test_every_flipped_bit_of_the_index_header_is_noticed():
    for bit in range(160 * 8):
        damaged = bytearray(GOLDEN_HEADER)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises((MailboxChecksum, MailboxBadFormat)):
            index_header.unpack(bytes(damaged))


def test_every_flipped_bit_of_a_record_is_noticed():
    for bit in range(112 * 8):
        damaged = bytearray(INDEX[160:272])
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(MailboxChecksum):
            index_record.unpack(bytes(damaged))


def test_a_cut_index_is_noticed_at_every_length():
    for length in range(160):
        with pytest.raises(MailboxBadFormat):
            index_header.unpack(INDEX[:length])
    for length in range(112):
        with pytest.raises(MailboxBadFormat):
            index_record.unpack(INDEX[160 : 160 + length])


@pytest.mark.parametrize("version", [0, 5, 11, 18, 0xFFFFFFFF])
def test_other_index_versions_are_refused(version):
    data = bytearray(GOLDEN_HEADER)
    data[8:12] = struct.pack(">I", version)
    data[156:] = struct.pack(">I", crc32(data[:156]))
    with pytest.raises(MailboxBadFormat):
        index_header.unpack(bytes(data))


@pytest.mark.parametrize("offset", [12, 16])
def test_an_impossible_geometry_is_refused(offset):
    data = bytearray(GOLDEN_HEADER)
    data[offset : offset + 4] = bytes(4)
    data[156:] = struct.pack(">I", crc32(data[:156]))
    with pytest.raises(MailboxBadFormat):
        index_header.unpack(bytes(data))


@given(records)
def test_records_survive_packing(record):
    assert index_record.unpack(index_record.pack(record)) == record


@given(records, st.sampled_from([12, 13, 14, 15, 16]))
def test_older_versions_keep_what_they_can(record, version):
    read = index_record.unpack(index_record.pack(record, version), version=version)
    expected = record.copy()
    expected.savedate = record.savedate if version >= 15 else 0
    expected.cid = record.cid if version >= 13 else 0
    expected.createdmodseq = record.createdmodseq if version >= 16 else 0
    assert read == expected


@given(
    st.builds(
        IndexHeader,
        num_records=u32, last_uid=u32, quota_mailbox_used=u64, uidvalidity=u32,
        exists=st.integers(1, 0xFFFFFFFF),
        highestmodseq=st.integers(1, 2**64 - 1), deletedmodseq=u64, unseen=u32, sync_crc=u32,
        sync_crc_annot=u32, quota_annot_used=u32, createdmodseq=u64, changes_epoch=u32,
    )
)  # fmt: skip
def test_headers_survive_packing(value):
    assert index_header.unpack(index_header.pack(value)) == value


def test_columns_equal_the_records():
    region = memoryview(INDEX)[160:]
    wanted = golden_records()
    assert list(columns.uids(region, 112)) == [record.uid for record in wanted]
    assert list(columns.modseqs(region, 112)) == [record.modseq for record in wanted]
    assert list(columns.words(region, 112, index_record.OFFSET_SIZE)) == [r.size for r in wanted]
    assert columns.living_recnos(region, 112) == [1, 2, 3]
    assert [uid for uid, _ in columns.fields(region, 112, ">I28xI")] == [1, 2, 3, 4]
    assert list(columns.uids(memoryview(b""), 112)) == []


def test_cache_records_are_found_and_checked(tmp_path):
    path = tmp_path / "cyrus.cache"
    path.write_bytes(CACHE)
    file = CacheFile(str(path))
    wanted = golden_records()
    for record, follower in zip(wanted, [*wanted[1:], None], strict=True):
        found = file.read(record.cache_offset, record.cache_crc)
        end = follower.cache_offset if follower else len(CACHE)
        assert found == CACHE[record.cache_offset : end]
        assert file.read(record.cache_offset, record.cache_crc, end=end) == found
        assert file.read(record.cache_offset, record.cache_crc, end=end - 4) == found
    with pytest.raises(MailboxChecksum):
        file.read(wanted[0].cache_offset, wanted[0].cache_crc ^ 1)


def test_a_cut_cache_is_noticed_at_every_length():
    record = golden_records()[3]
    for length in range(record.cache_offset, len(CACHE)):
        with pytest.raises(IoError):
            cache.record_length(CACHE, record.cache_offset, length)
    assert cache.record_length(CACHE, record.cache_offset, len(CACHE)) == len(CACHE) - record.cache_offset


@given(st.binary(max_size=80), st.integers(-5, 90))
def test_any_bytes_are_a_record_or_an_error(data, offset):
    try:
        length = cache.record_length(data, offset, len(data))
    except IoError:
        return
    assert offset >= 0 and offset + length <= len(data)


def test_cache_grows_and_can_be_undone(tmp_path):
    path = tmp_path / "cyrus.cache"
    file = CacheFile(str(path))
    item = b"\0\0\0\4abcd" * 10
    first = file.append(item, 7)
    file.settle()
    assert (first, path.read_bytes()[:4]) == (4, b"\0\0\0\7")
    second = file.append(item, 7)
    assert file.read(second, crc32(item)) == item
    file.undo()
    assert path.read_bytes() == b"\0\0\0\7" + item
    assert file.append(item, 7) == second
    file.close()


@given(st.binary(max_size=300))
def test_any_header_file_is_read_or_refused(data):
    try:
        header.unpack(header.MAGIC + data)
    except MailboxBadFormat:
        pass
    with pytest.raises(CyrusError):
        header.unpack(data)


def test_golden_files_are_complete():
    names = ["1.", "2.", "3.", "4.", "cyrus.cache", "cyrus.header", "cyrus.index"]
    assert sorted(os.listdir(GOLDEN)) == [*names, "versions"]
