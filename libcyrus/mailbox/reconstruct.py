"""Making a mailbox's index agree with the message files that are there.

The files are the truth, the index is corrected: records of missing files are
expunged, files without record get one, derived fields, flags, caches, counters and CRCs are
made right. A file whose uid is above every uid of the index keeps it, any other comes back under a new uid.
Records that are as they should be, nearly all, are looked at in bulk; no object is made for them.

What is found is said line by line in the original's words, to ``say`` and to the log.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from zlib import crc32

from libcyrus import message
from libcyrus import options as opt
from libcyrus.base import files, xlog
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.errors import CyrusError, IoError, MailboxBadFormat, MailboxChecksum
from libcyrus.mailbox import (
    columns,
    header,
    index_header,
    leftovers,
    lifecycle,
    message_files,
    soundness,
    synccrc,
)
from libcyrus.mailbox.failure import storage_error
from libcyrus.mailbox.index_header import IndexHeader
from libcyrus.mailbox.index_record import (
    ARCHIVED,
    CACHE_VERSION,
    EXPUNGED,
    NULL_GUID,
    OFFSET_FLAGS,
    OFFSET_SIZE,
    SNOOZED,
    UNLINKED,
    IndexRecord,
    complete_dates,
)
from libcyrus.mailbox.mailbox import Mailbox
from libcyrus.mailbox.mailstore import MailStore
from libcyrus.mailbox.paths import MailboxPaths
from libcyrus.mailbox.synccrc import ANNOTATION_PREFIX

log = logging.getLogger(__name__)

Say = Callable[[str], None]

_COMPARED = (
    ("internaldate", "internaldate"),
    ("sentdate", "sentdate"),
    ("size", "size"),
    ("header_size", "header_size"),
    ("gmtime", "gmtime"),
    ("savedate", "savedate"),
    ("createdmodseq", "createdmodseq"),
    ("system_flags", "systemflags"),
    ("internal_flags", "internalflags"),
    ("user_flags", "userflags"),
    ("guid", "guid"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """``make_changes`` False only reports. ``stat`` compares file sizes, ``parse`` reads every message.

    A message that is not the one its record was made for is reported; ``guid_rewrite``
    gives it a new uid, ``guid_unlink`` removes it. ``odd_files`` is ``report``, ``remove`` or ``ignore``.
    """

    make_changes: bool = True
    stat: bool = True
    parse: bool = False
    guid_rewrite: bool = False
    guid_unlink: bool = False
    odd_files: str = "report"
    quiet: bool = False


#: see ``message_files``
_File = int


def reconstruct(store: MailStore, name: str, options: Options, say: Say) -> Mailbox:
    """Bring a mailbox in order and return it open, locked exclusively and uncommitted.

    The caller commits, or aborts without ``make_changes``. The owner's namespace lock must be held. Raises
    what ``MailStore.open`` raises when the mailbox can neither be opened nor made anew; NoSpace, IoError.
    """
    if options.make_changes and not options.quiet:
        log.log(xlog.NOTICE, "reconstructing %s", name)
    try:
        mailbox = store.open(name, write=True)
    except (MailboxBadFormat, MailboxChecksum, IoError):
        if not options.make_changes:
            raise
        mailbox = _rescue(store, name, say)
    try:
        _Reconstruction(mailbox, options, say).run()
    except OSError as error:
        mailbox.abort()
        mailbox.close()
        xlog.ioerror(log, "reconstructing mailbox failed", error, mailbox=name)
        raise storage_error(error) from error
    except BaseException:
        mailbox.abort()
        mailbox.close()
        raise
    return mailbox


def _rescue(store: MailStore, name: str, say: Say) -> Mailbox:
    """Open a mailbox after replacing what kept it from opening: ``cyrus.header``, or the index too."""
    entry = store.lookup(name)
    paths = MailboxPaths(store.config, store.rules, entry)
    log.log(xlog.NOTICE, "create new mailbox %s", name)
    if _index_is_sound(paths.index):
        _tell(say, f"{name}: failed to read header file")
        content = header.pack(lifecycle.new_header(store, entry))
        files.replace(paths.header, content)
        mailbox = store.open(name, write=True)
        mailbox.header_changed()
        return mailbox
    _tell(say, f"{name}: failed to read index header")
    options = store.config[opt.mailbox_default_options] | index_header.POP3_NEW_UIDL
    return lifecycle.create(store, entry, options=options)


def _index_is_sound(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            index = index_header.unpack(file.read(index_header.HEADER_SIZE))
            size = os.fstat(file.fileno()).st_size
    except (OSError, CyrusError):
        return False
    return size >= index.end


class _Reconstruction:
    def __init__(self, mailbox: Mailbox, options: Options, say: Say) -> None:
        self._mailbox = mailbox
        self._options = options
        self._say = say
        self._name = mailbox.name
        self._valid_flags = 0
        self._discovered: list[_File] = []
        self._stale_annotations: list[int] = []
        self._virtual: dict[int, list[str]] = {}

    def run(self) -> None:
        mailbox = self._mailbox
        self._check_acl()
        self._check_flag_names()
        if self._options.make_changes:
            leftovers.remove_expunged(mailbox)
        found = deque(message_files.find(mailbox, self._options.odd_files, self._say))
        annotated = deque(sorted(self._annotated().items()))
        last_uid = self._check_records(found, annotated)
        if mailbox.i.last_uid < last_uid:
            log.error(
                "%s last_uid too small %d with highest uid %d, updating",
                self._name, mailbox.i.last_uid, last_uid,
            )  # fmt: skip
            mailbox.dirty()
            mailbox.i.last_uid = last_uid
        last_uid = mailbox.i.last_uid
        self._discovered += [file for file in found if file >> 1 <= last_uid]
        for file in found:
            if file >> 1 > last_uid:
                self._append(file, snoozed=self._snoozed(annotated, file >> 1))
        self._stale_annotations += [uid for uid, _ in annotated]
        for file in self._discovered:
            self._append(file, snoozed=False)
        self._remove_stale_annotations()
        self._recalculate()

    def _tell(self, text: str) -> None:
        _tell(self._say, text)

    # header

    def _check_acl(self) -> None:
        """mailboxes.db is what the servers go by; the header has a copy for the day that it is lost."""
        mailbox = self._mailbox
        old = mailbox.header.acl or ""
        if mailbox.acl != old:
            self._say(f"{self._name}: update header acl from mailboxes.db {old} => {mailbox.acl}")
            mailbox.set_acl(mailbox.acl)

    def _check_flag_names(self) -> None:
        for number, flag in enumerate(self._mailbox.header.flags):
            if flag is None:
                continue
            if header.is_atom(flag):
                self._valid_flags |= 1 << number
                continue
            self._tell(f"{self._name}: bogus flag name {number}:{flag}")
            self._mailbox.header.flags[number] = None
            self._mailbox.header_changed()

    # annotations

    def _annotated(self) -> dict[int, bool]:
        """The uids that have annotations, and whether they are snoozed; notes what belongs in the index."""
        found: dict[int, bool] = {}
        version = self._mailbox.i.minor_version
        for uid, annotation in self._mailbox.annotations.all():
            if not annotation.userid and annotation.value and synccrc.is_virtual(annotation.entry, version):
                word = annotation.entry.removeprefix(ANNOTATION_PREFIX)
                self._virtual.setdefault(uid, []).append(word)
            snoozed = not annotation.userid and annotation.entry == ANNOTATION_PREFIX + "snoozed"
            found[uid] = found.get(uid, False) or snoozed
        return found

    def _snoozed(self, annotated: deque[tuple[int, bool]], uid: int) -> bool:
        """Whether this message is snoozed; uids before it that have annotations are no messages."""
        while annotated and annotated[0][0] < uid:
            self._stale_annotations.append(annotated.popleft()[0])
        return bool(annotated) and annotated[0][0] == uid and annotated.popleft()[1]

    def _remove_stale_annotations(self) -> None:
        for uid in self._stale_annotations:
            self._say(f"removing stale annotations for {uid}")
            log.log(xlog.NOTICE, "removing stale annotations for %d", uid)
            if self._options.make_changes:
                self._mailbox.annotations.remove(uid)

    # records

    def _check_records(self, found: deque[_File], annotated: deque[tuple[int, bool]]) -> int:
        """Compare every record with its file; takes what belongs to records out of ``found``."""
        mailbox = self._mailbox
        last_uid = 0
        for recno, (uid, file, size, doubt) in enumerate(self._expected(), 1):
            if (
                not (doubt or annotated and annotated[0][0] <= uid)
                and found
                and found[0] == file
                and (len(found) == 1 or found[1] > file | 1)
                and self._has_size(file, size)
            ):
                last_uid = uid
                found.popleft()
                continue
            try:
                record = mailbox.record(recno)
            except CyrusError as error:
                log.error("%s failed to read at record %d (%s), wiping", self._name, recno, error)
                mailbox.changes.wipe(recno)
                continue
            if record.uid <= last_uid:
                if record.uid:
                    log.error(
                        "%s out of order uid %d at record %d, wiping", self._name, record.uid, recno
                    )
                mailbox.changes.wipe(recno)
                continue
            last_uid = record.uid
            snoozed = self._snoozed(annotated, record.uid)
            while found and found[0] >> 1 < record.uid:
                self._discovered.append(found.popleft())
            have_file = self._match_file(record, found)
            self._compare(record, have_file=have_file, snoozed=snoozed)
            self._remove_virtual_annotations(record.uid)
        return last_uid

    def _expected(self) -> Iterator[tuple[int, _File, int, int]]:
        """Of every record the uid, the file it should have, the file's size, and whether it is in doubt."""
        mailbox = self._mailbox
        if self._options.parse:
            doubts = bytearray(b"\1") * mailbox.num_records
        else:
            doubts = soundness.doubtful(mailbox, self._valid_flags)
        region, width = mailbox.region, mailbox.i.record_size
        flags = columns.words(region, width, OFFSET_FLAGS)
        uids = columns.uids(region, width)
        keys = [uid << 1 | bool(flag & ARCHIVED) for uid, flag in zip(uids, flags, strict=True)]
        return zip(uids, keys, columns.words(region, width, OFFSET_SIZE), doubts, strict=True)

    def _has_size(self, file: _File, size: int) -> bool:
        return not self._options.stat or message_files.size(message_files.path(self._mailbox, file)) == size

    def _match_file(self, record: IndexRecord, found: deque[_File]) -> bool:
        mailbox = self._mailbox
        have_file = False
        while found and found[0] >> 1 == record.uid:
            is_archived = bool(found.popleft() & 1)
            if have_file:
                path = mailbox.paths.message(record.uid, archived=True)
                self._say(f"Removing duplicate archive file {path}")
                if self._options.make_changes:
                    files.remove(path)
                continue
            have_file = True
            if is_archived != record.archived:
                record.internal_flags ^= ARCHIVED
                what = "archived" if is_archived else "not archived"
                self._say(f"Marking file as {what} {self._name} {record.uid}")
                mailbox.rewrite(record)
        return have_file

    def _compare(self, record: IndexRecord, *, have_file: bool, snoozed: bool) -> None:
        mailbox, options = self._mailbox, self._options
        path = mailbox.message_path(record)
        parse = options.parse
        if have_file and options.stat:
            size = message_files.size(path)
            if size == 0:
                have_file = False
            elif size != record.size:
                parse = True
        if not have_file:
            if not record.unlinked:
                self._tell(f"{self._name} uid {record.uid} not found")
                self._expunge_record(record, path)
            return
        cache: bytes | memoryview | None = self._stored_cache(record)
        repack = cache is None
        old, old_cache = record.copy(), cache
        if parse or repack or not record.internaldate:
            parsed = message.parse_file(path, mailbox.store.parse_options)
            record.sentdate = parsed.sentdate & 0xFFFFFFFF
            record.gmtime = parsed.gmtime & 0xFFFFFFFF
            record.size, record.header_size = parsed.size, parsed.header_size
            cache = parsed.cache_record()
            record.cache_version, record.cache_crc = CACHE_VERSION, crc32(cache)
            record.cache_offset = 0
            if parsed.guid != old.guid and not self._without_guid(old):
                self._guid_mismatch(old)
                return
            if mailbox.i.minor_version < index_header.CACHE_CRC_VERSION:
                # what such an index has no place for cannot be mended
                record.gmtime = old.gmtime
                if cache == old_cache:
                    record.cache_offset, record.cache_crc = old.cache_offset, old.cache_crc
        if not record.size:
            self._tell(f"{self._name} uid {record.uid} failed to parse")
            self._expunge_record(record, path)
            return
        self._complete_dates(record, path)
        self._check_limits(record)
        record.user_flags &= self._valid_flags
        if not record.expunged and bool(record.internal_flags & SNOOZED) != snoozed:
            self._tell(f"{self._name} uid {record.uid} snoozed mismatch")
            record.internal_flags ^= SNOOZED
        matching = self._matches(old, record) and cache == old_cache
        if matching or not options.make_changes or cache is None:
            return
        if repack or not record.cache_offset or record.cache_crc != old.cache_crc:
            before = record.cache_offset
            mailbox.changes.replace_cache(record, bytes(cache))
            line = (
                f"{self._name} rewrote cache for {record.uid} (offset {before} to {record.cache_offset}, "
                f"crc {old.cache_crc} to {record.cache_crc}/{record.cache_crc})"
            )
            self._say(line)
            log.log(xlog.NOTICE, "%s", line)
        mailbox.rewrite(record)

    def _stored_cache(self, record: IndexRecord) -> memoryview | None:
        mailbox = self._mailbox
        if mailbox.i.minor_version >= index_header.CACHE_CRC_VERSION:
            return mailbox.stored_cache(record)
        try:
            return mailbox.cache_files.unchecked(record.cache_offset, archived=record.archived)
        except IoError:
            return None

    def _without_guid(self, record: IndexRecord) -> bool:
        """The record is older than guids, and cannot be compared with the message."""
        return self._mailbox.i.minor_version < index_header.GUID_VERSION and record.guid == NULL_GUID

    def _expunge_record(self, record: IndexRecord, path: str) -> None:
        if not self._options.make_changes:
            return
        files.remove(path)
        record.internal_flags |= EXPUNGED | UNLINKED
        self._mailbox.i.options |= index_header.NEEDS_REPACK
        self._mailbox.rewrite(record)

    def _guid_mismatch(self, record: IndexRecord) -> None:
        """The file is another message than the record was made for."""
        options, prefix = self._options, f"{self._name} uid {record.uid}"
        self._tell(f"{prefix} guid mismatch")
        if not options.make_changes:
            return
        if record.expunged:
            self._tell(f"{prefix} already expunged, unlinking")
        elif options.guid_rewrite:
            self._discovered.append(record.uid << 1 | record.archived)
            self._tell(f"{prefix} marking for uid upgrade")
        elif options.guid_unlink:
            self._tell(f"{prefix} unlinking as requested with -U")
        else:
            self._tell("run reconstruct with -R to fix or -U to remove")
            return
        record.internal_flags |= EXPUNGED | UNLINKED
        self._mailbox.i.options |= index_header.NEEDS_UNLINK
        self._mailbox.rewrite(record)

    def _complete_dates(self, record: IndexRecord, path: str) -> None:
        if not record.internaldate:
            try:
                record.internaldate = int(os.stat(path).st_mtime)
            except OSError:
                record.internaldate = int(time.time())
        complete_dates(record, record.internaldate)

    def _check_limits(self, record: IndexRecord) -> None:
        mailbox = self._mailbox
        if record.modseq > mailbox.i.highestmodseq:
            self._tell(f"{self._name} uid {record.uid} future modseq {record.modseq} found")
            mailbox.dirty()
            mailbox.i.highestmodseq = mailbox.store.counters.set_modseq(
                self._name, record.modseq, mailbox.entry.mbtype
            )
        if record.uid > mailbox.i.last_uid:
            self._tell(f"{self._name} future uid {record.uid} found")
            mailbox.dirty()
            mailbox.i.last_uid = record.uid

    def _matches(self, old: IndexRecord, new: IndexRecord) -> bool:
        wrong = [word for field, word in _COMPARED if getattr(old, field) != getattr(new, field)]
        for word in wrong:
            self._say(f"{self._name} uid {new.uid} mismatch: {word}")
        if wrong:
            log.error("%s uid %d record mismatch, rewriting", self._name, new.uid)
            return False
        return (old.cache_version, old.cache_crc) == (new.cache_version, new.cache_crc)

    def _remove_virtual_annotations(self, uid: int) -> None:
        """What the index record itself keeps must not be an annotation, too."""
        for word in self._virtual.get(uid, ()):
            self._say(f"removing stale {word} for {uid}")
            log.log(xlog.NOTICE, "removing stale %s for %d", word, uid)
            self._mailbox.annotations.forget(uid, ANNOTATION_PREFIX + word)

    # files without record

    def _append(self, file: _File, *, snoozed: bool) -> None:
        mailbox, uid, archived = self._mailbox, file >> 1, bool(file & 1)
        path = message_files.path(mailbox, file)
        if not message_files.size(path):
            self._tell(f"{self._name} uid {uid} not found")
            if self._options.make_changes:
                files.remove(path)
            return
        parsed = message.parse_file(path, mailbox.store.parse_options)
        cache = parsed.cache_record()
        flags = (ARCHIVED if archived else 0) | (SNOOZED if snoozed else 0)
        record = IndexRecord(
            uid=uid,
            internaldate=int(os.stat(path).st_mtime) & 0xFFFFFFFF,
            sentdate=parsed.sentdate & 0xFFFFFFFF,
            gmtime=parsed.gmtime & 0xFFFFFFFF,
            size=parsed.size,
            header_size=parsed.header_size,
            guid=parsed.guid,
            internal_flags=flags,
            cache_version=CACHE_VERSION,
            cache_crc=crc32(cache),
        )
        if uid > mailbox.i.last_uid:
            self._tell(f"{self._name} uid {uid} found - adding")
        else:
            self._tell(f"{self._name} uid {uid} rediscovered - appending")
            record.uid = mailbox.i.last_uid + 1
        if not self._options.make_changes:
            return
        if record.uid != uid:
            os.rename(path, mailbox.message_path(record))
        mailbox.names_changed(archived=archived)
        mailbox.append(record, cache, ignore_limits=True)

    # counters

    def _recalculate(self) -> None:
        mailbox = self._mailbox
        old = replace(mailbox.i)
        mailbox.changes.recalculate()
        self._report_counters(old, mailbox.i)
        if not mailbox.i.uidvalidity:
            if self._options.make_changes:
                mailbox.dirty()
                mailbox.i.uidvalidity = mailbox.store.counters.next_uidvalidity(self._name, int(time.time()))
            log.error("%s: zero uidvalidity", self._name)
        mailbox.store.counters.set_modseq(
            self._name, mailbox.i.highestmodseq, mailbox.entry.mbtype, folder=True
        )

    def _report_counters(self, old: IndexHeader, new: IndexHeader) -> None:
        for field in ("quota_mailbox_used", "quota_annot_used"):
            before, after = getattr(old, field), getattr(new, field)
            if before != after:
                self._tell(f"{self._name} updating {field}: {before} => {after}")
        for field in ("answered", "flagged", "deleted", "exists", "sync_crc", "sync_crc_annot"):
            before, after = getattr(old, field), getattr(new, field)
            if before != after:
                self._tell(f"{self._name}: updating {field} {before} => {after}")


def _tell(say: Say, text: str) -> None:
    say(text)
    log.error("%s", text)
