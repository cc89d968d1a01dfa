"""Annotations whose values are not in the database: computed, bits of the index header, or small files."""

from __future__ import annotations

import os
from collections.abc import Callable

from libcyrus import acl
from libcyrus.base import times
from libcyrus.mailbox import index_header
from libcyrus.partitions import free_space
from libcyrus.records.annotate import NAMESPACE
from libcyrus.records.counters import VERSION, CounterValues

from .entries import Entry, Scope
from .target import Target

OPTIONS = {
    NAMESPACE + "duplicatedeliver": index_header.DUPDELIVER,
    NAMESPACE + "hasalarms": index_header.HAS_ALARMS,
    NAMESPACE + "pop3newuidl": index_header.POP3_NEW_UIDL,
    NAMESPACE + "sharedseen": index_header.SHAREDSEEN,
}
"""Bits of the index header's options."""

_FILES = {"/motd": "motd", NAMESPACE + "shutdown": "shutdown"}
_LONGEST_LINE = 64 * 1024


def read(target: Target, entry: Entry) -> bytes | None:
    """The value, maybe empty; None when there is nothing to tell."""
    return _READERS[target.scope, entry.name](target)


def file_path(target: Target, entry: Entry) -> str:
    """The file that is the value of this entry."""
    return os.path.join(target.store.config.directory, "msg", _FILES[entry.name])


def _number(value: int) -> bytes:
    return b"%d" % value


def _time(seconds: int) -> bytes:
    return times.to_rfc3501(seconds).encode("ascii") if seconds else b""


def _partition(target: Target) -> bytes | None:
    # who only sees the mailbox may know where it is
    if not (target.actor.is_admin or target.has_rights(acl.LOOKUP)):
        return None
    return os.fsencode(target.opened().partition)


def _lastupdate(target: Target) -> bytes | None:
    try:
        return _time(int(os.stat(target.opened().paths.index).st_mtime))
    except OSError:
        return None


def _option(name: str) -> Callable[[Target], bytes | None]:
    bit = OPTIONS[name]
    return lambda target: b"true" if target.opened().i.options & bit else b"false"


def _synccrcs(target: Target) -> bytes:
    i = target.opened().i
    return b"%d %d" % (i.sync_crc, i.sync_crc_annot)


def _first_line(name: str) -> Callable[[Target], bytes | None]:
    """The first line of a file, without its end."""

    def read_file(target: Target) -> bytes:
        try:
            with open(os.path.join(target.store.config.directory, "msg", name), "rb") as file:
                line = file.readline(_LONGEST_LINE)
        except OSError:
            return b""
        return line.removesuffix(b"\n").removesuffix(b"\r")

    return read_file


def _counters(target: Target) -> CounterValues:
    store = target.store
    return store.counters.read(store.rules.inbox(target.userid))


def _usermodseq(target: Target) -> bytes:
    return _number(_counters(target).modseqs["highest"])


def _usercounters(target: Target) -> bytes:
    values = _counters(target)
    names = (
        "highest", "mail", "caldav", "carddav", "notes",
        "mailfolders", "caldavfolders", "carddavfolders", "notesfolders", "quota", "racl",
    )  # fmt: skip
    # without a file even the version is zero
    version = VERSION if values.generation else 0
    numbers = [version, *(values.modseqs[name] for name in names), values.uidvalidity]
    return " ".join(map(str, numbers)).encode("ascii")


def _freespace(target: Target) -> bytes:
    return _number(free_space(target.store.config).available)


def _freespace_total(target: Target) -> bytes:
    space = free_space(target.store.config)
    return b"%d;%d" % (space.available, space.total)


def _freespace_best(target: Target) -> bytes:
    space = free_space(target.store.config)
    return b"%d;%d" % (space.best_available, space.best_total)


_Reader = Callable[[Target], bytes | None]
_READERS: dict[tuple[Scope, str], _Reader] = {
    (Scope.MAILBOX, NAMESPACE + "annotsize"): lambda target: _number(target.opened().i.quota_annot_used),
    (Scope.MAILBOX, NAMESPACE + "size"): lambda target: _number(target.opened().i.quota_mailbox_used),
    (Scope.MAILBOX, NAMESPACE + "lastupdate"): _lastupdate,
    (Scope.MAILBOX, NAMESPACE + "lastpop"): lambda target: _time(target.opened().i.pop3_last_login),
    (Scope.MAILBOX, NAMESPACE + "foldermodseq"): lambda target: _number(target.opened().entry.foldermodseq),
    (Scope.MAILBOX, NAMESPACE + "partition"): _partition,
    (Scope.MAILBOX, NAMESPACE + "pop3showafter"): lambda target: _time(target.opened().i.pop3_show_after),
    (Scope.MAILBOX, NAMESPACE + "synccrcs"): _synccrcs,
    (Scope.MAILBOX, NAMESPACE + "uniqueid"): lambda target: os.fsencode(target.opened().uniqueid),
    **{(Scope.MAILBOX, name): _option(name) for name in OPTIONS},
    (Scope.SERVER, NAMESPACE + "usermodseq"): _usermodseq,
    (Scope.SERVER, NAMESPACE + "usercounters"): _usercounters,
    (Scope.SERVER, NAMESPACE + "freespace"): _freespace,
    (Scope.SERVER, NAMESPACE + "freespace/total"): _freespace_total,
    (Scope.SERVER, NAMESPACE + "freespace/percent/most"): _freespace_best,
    **{(Scope.SERVER, name): _first_line(file) for name, file in _FILES.items()},
}
