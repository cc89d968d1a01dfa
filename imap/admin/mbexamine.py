"""mbexamine(8): print what the header, index and cache of mailboxes say.

Differences from the original: with ``-c`` it goes on after a mailbox that has a record without a file;
expunged messages do not count for the number of messages in an index of a version before 12.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator

import click

from libcyrus import message, tool
from libcyrus.base import times
from libcyrus.errors import CyrusError
from libcyrus.mailbox import columns, index_header, index_record
from libcyrus.mailbox.index_record import OFFSET_CACHE_OFFSET, IndexRecord
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mboxname import Namespace
from libcyrus.message.cache import CacheRecord, split
from libcyrus.records.find import Finder, Viewer
from libcyrus.text import charset

_OPTIONS = (
    (index_header.POP3_NEW_UIDL, "POP3_NEW_UIDL"),
    (index_header.SHAREDSEEN, "IMAP_SHAREDSEEN"),
    (index_header.DUPDELIVER, "IMAP_DUPDELIVER"),
    (index_header.HAS_ALARMS, "IMAP_HAS_ALARMS"),
)
_INTERNAL_FLAGS = (
    (index_record.EXPUNGED, "FLAG_INTERNAL_EXPUNGED"),
    (index_record.UNLINKED, "FLAG_INTERNAL_UNLINKED"),
    (index_record.ARCHIVED, "FLAG_INTERNAL_ARCHIVED"),
    (index_record.NEEDS_CLEANUP, "FLAG_INTERNAL_NEEDS_CLEANUP"),
    (index_record.SNOOZED, "FLAG_INTERNAL_SNOOZED"),
)
_SYSTEM_FLAGS = (
    (index_record.SEEN, "FLAG_SEEN"),
    (index_record.DRAFT, "FLAG_DRAFT"),
    (index_record.DELETED, "FLAG_DELETED"),
    (index_record.FLAGGED, "FLAG_FLAGGED"),
    (index_record.ANSWERED, "FLAG_ANSWERED"),
)
#: what is printed of a cache record: word, and place in ``CacheRecord``
_ITEMS = tuple(
    (word, CacheRecord._fields.index(field))
    for word, field in (
        ("Envel", "envelope"),
        ("BdyStr", "bodystructure"),
        ("Body", "body"),
        ("CacHdr", "headers"),
        ("From", "from_"),
        ("To", "to"),
        ("Cc", "cc"),
        ("Bcc", "bcc"),
        ("Subjct", "subject"),
    )
)
_U32 = 0xFFFFFFFF
_LAST = "mbexamine.last"


def _last(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """The last of these options counts."""
    if value:
        context.meta[_LAST] = parameter.name


@click.command("mbexamine")
@tool.config_option
@click.option("-u", "uid", metavar="UID", help="Only the message with this uid.")
@click.option("-s", "seqnum", metavar="SEQNUM", help="Only the message with this number.")
@click.option(
    "-q", "quota", is_flag=True, callback=_last, expose_value=False,
    help="Compare the quota in use with the files' sizes.",
)
@click.option(
    "-c", "compare", is_flag=True, callback=_last, expose_value=False,
    help="Compare the index with the message files.",
)
@click.argument("patterns", metavar="[MAILBOX...]", nargs=-1)
def mbexamine(
    config_file: str | None,
    uid: str | None,
    seqnum: str | None,
    patterns: tuple[str, ...],
) -> int:
    """Print what the header, index and cache of mailboxes say."""
    what = click.get_current_context().meta.get(_LAST)
    if _number(uid) and _number(seqnum):
        raise tool.usage_error()
    # root may be allowed to read them where the Cyrus user is not
    charset.load_codecs()
    wanted = (_number(uid) or _number(seqnum), _number(uid) > 0)

    def work(mailbox: Mailbox) -> None:
        if what == "compare":
            _compare(mailbox)
        elif what == "quota":
            _quota(mailbox)
        else:
            _examine(mailbox, *wanted)

    store = MailStore(tool.begin(config_file, "mbexamine"))
    try:
        for pattern in patterns or ("*",):
            _each(store, pattern, work)
    finally:
        store.close()
    return os.EX_OK


def _each(store: MailStore, pattern: str, work: Callable[[Mailbox], None]) -> None:
    """Do the work for every mailbox the pattern finds; one that cannot be opened ends the pattern."""
    space = Namespace.from_config(store.config, admin=True)
    for name in list(_find(store, space, pattern)):
        _out(f"Examining {space.to_external(name, 'cyrus')}...")
        try:
            mailbox = store.open(name, write=False)
        except CyrusError:
            return
        with mailbox:
            work(mailbox)


def _find(store: MailStore, space: Namespace, pattern: str) -> Iterator[str]:
    for match in Finder(store.mboxlist, Viewer(space, None, None, admin=True)).find([pattern]):
        if match is not None and match.exact and match.entry is not None:
            yield match.entry.name


def _examine(mailbox: Mailbox, wanted: int, by_uid: bool) -> None:
    _print_header(mailbox)
    _out("\n Message Info:\n")
    # the original numbers every message 1
    number = 1
    found = False
    offsets = columns.words(mailbox.region, mailbox.i.record_size, OFFSET_CACHE_OFFSET)
    for record in mailbox.records(expunged=False):
        if wanted and wanted != (record.uid if by_uid else number):
            continue
        found = bool(wanted)
        _print_record(mailbox, record, number, offsets[record.recno] if record.recno < len(offsets) else 0)
        if found:
            break
    if wanted and not found:
        _out("Desired message not found\n")


def _print_header(mailbox: Mailbox) -> None:
    i = mailbox.i
    flags = []
    for flag in mailbox.header.flags:
        if flag is None:
            break
        flags.append(flag)
    options = [word for bit, word in _OPTIONS if i.options & bit] if i.options else ["NONE"]
    _out(" Mailbox Header Info:\n")
    _out(f"  Path to mailbox: {mailbox.paths.data}\n")
    _out(f"  Mailbox ACL: {mailbox.acl}\n")
    _out(f"  Unique ID: {mailbox.uniqueid}\n")
    _out(f"  User Flags: {''.join(flag + ' ' for flag in flags) or '[none]'}\n")
    _out("\n Index Header Info:\n")
    _out(f"  Generation Number: {i.generation_no}\n")
    _out(f"  Minor Version: {i.minor_version}\n")
    _out(f"  Header Size: {i.start_offset} bytes  Record Size: {i.stored_record_size} bytes\n")
    _out(
        f"  Number of Messages: {i.exists}  Mailbox Size: {i.quota_mailbox_used} bytes"
        f"  Annotations Size: {i.quota_annot_used} bytes\n"
    )
    _out(f"  Last Append Date: ({i.last_appenddate}) {time.ctime(i.last_appenddate)}\n")
    _out(f"  UIDValidity: {i.uidvalidity}  Last UID: {i.last_uid}\n")
    _out(f"  Deleted: {i.deleted}  Answered: {i.answered}  Flagged: {i.flagged}\n")
    _out(f"  Mailbox Options:{_words(options)}\n")
    _out(f"  Last POP3 Login: ({i.pop3_last_login}) {time.ctime(i.pop3_last_login)}\n")
    _out(f"  Highest Mod Sequence: {i.highestmodseq}\n")


def _print_record(mailbox: Mailbox, record: IndexRecord, number: int, end: int) -> None:
    """``end`` is where the next cache record begins, probably."""
    version, user = mailbox.i.minor_version, record.user_flags
    text = (
        f"{number:06d}> UID:{record.uid:08d}   INT_DATE:{record.internaldate} SENTDATE:{record.sentdate}"
        f" SAVEDATE:{record.savedate} SIZE:{record.size:<6d}\n"
        f"      > HDRSIZE:{record.header_size:<6d} LASTUPD :{record.last_updated}"
        f" SYSFLAGS:{record.system_flags:08X}      > CACHEVER:{record.cache_version:<2d}"
        + (f" GUID:{record.guid.hex()}" if version >= 7 else "")
        + (f" MODSEQ:{record.modseq}" if version >= 8 else "")
        + (f"  THRID: {record.cid:x}\n" if version >= 13 else "\n")
        + f"      > INTERNALFLAGS:{_flags(record.internal_flags, _INTERNAL_FLAGS)}"
        f"      > SYSTEMFLAGS:{_flags(record.system_flags, _SYSTEM_FLAGS)}\n"
        f"      > USERFLAGS: {user >> 96 & _U32:08X} {user >> 64 & _U32:08X} {user >> 32 & _U32:08X}"
        f" {user & _U32:08X}\n"
    )
    _out(text)
    items = _cache(mailbox, record, end)
    if items is not None:
        _out("".join(f" {word}>{{{len(items[place])}}}{_text(items[place])}\n" for word, place in _ITEMS))


def _flags(bits: int, words: tuple[tuple[int, str], ...]) -> str:
    return "".join(f" {word}" for bit, word in words if bits & bit) if bits else ""


def _quota(mailbox: Mailbox) -> None:
    total = 0
    for record in mailbox.records(expunged=False):
        try:
            size = os.stat(mailbox.message_path(record)).st_size
        except OSError:
            continue
        if size != record.size:
            _out(f"  Message {record.uid} has INCORRECT size in index record\n")
            return
        total += size
    verdict = "CORRECT" if mailbox.i.quota_mailbox_used == total else "INCORRECT"
    _out(f"  Mailbox has {verdict} total quota usage\n")


def _compare(mailbox: Mailbox) -> None:
    """Show, side by side, records and files that are not the same message."""
    try:
        names = os.listdir(mailbox.paths.data)
    except OSError:
        return
    uids = sorted(uid for uid in map(_leading_number, names) if uid is not None)
    _out("\n Mailbox Header Info:\n")
    _out(f"  Path to mailbox: {mailbox.paths.data}\n")
    _out(f"\n{' Index Record Info:':<56s}\t{'Message File Info:'}\n")
    place = 0
    for record in mailbox.records():
        if place == len(uids) or uids[place] > record.uid:
            _print_pair(mailbox, record, 0)
        while place < len(uids) and uids[place] <= record.uid:
            _print_pair(mailbox, record, uids[place])
            place += 1
    for uid in uids[place:]:
        _print_pair(mailbox, None, uid)


def _print_pair(mailbox: Mailbox, record: IndexRecord | None, file_uid: int) -> None:
    parsed = None
    if file_uid:
        try:
            parsed = message.parse_file(
                f"{mailbox.paths.data}/{file_uid}.", mailbox.store.parse_options
            )
        except OSError:
            parsed = None
        if record and parsed and record.uid == file_uid and record.guid == parsed.guid:
            return
    cache = _cache(mailbox, record) if record else None
    file_cache = parsed.cache_items() if parsed else None
    _out(f"  UID: {record.uid if record else file_uid:08d}\n")
    guid = parsed.guid.hex() if parsed else "Failed to parse file"
    _row("GUID", record.guid.hex() if record else "", guid if file_uid else None)
    _row("Size", str(record.size) if record else "", str(parsed.size) if parsed else None)
    _row(
        "Date",
        times.to_rfc5322(record.sentdate) if record else "",
        times.to_rfc5322(parsed.sentdate) if parsed else None,
    )
    _row("From", _cut(cache.from_) if cache else "", _cut(file_cache.from_) if file_cache else None)
    _row("Subj", _cut(cache.subject) if cache else "", _cut(file_cache.subject) if file_cache else None)
    _out("\n")


def _row(word: str, left: str, right: str | None) -> None:
    _out(f"   {word}: {left:<50s}" + (f"\t{right:<50s}\n" if right is not None else "\n"))


def _cache(mailbox: Mailbox, record: IndexRecord, end: int = 0) -> CacheRecord | None:
    try:
        return split(mailbox.cache(record, end=end))
    except (CyrusError, ValueError):
        return None


def _leading_number(name: str) -> int | None:
    """What scanf's %u reads at the start of a file name."""
    digits = name[: len(name) - len(name.lstrip("0123456789"))]
    return int(digits) & 0xFFFFFFFF if digits else None


def _number(text: str | None) -> int:
    """What atoi reads."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))] if text else ""
    return int(digits or "0")


def _words(words: list[str]) -> str:
    return "".join(f" {word}" for word in words)


def _text(item: bytes | memoryview) -> str:
    return bytes(item).decode("utf-8", "surrogateescape")


def _cut(item: bytes | memoryview) -> str:
    return _text(item[:50])


def _out(text: str) -> None:
    sys.stdout.write(text)


main = tool.main(mbexamine)
