"""Setting annotations: what may be set, what a value must look like, and how it gets to disk.

All changes of one call are made or none is. They are applied in the original's order, the last named entry
first.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence

from libcyrus import acl
from libcyrus.base import files, times, xlog
from libcyrus.base.dataclasses import dataclass, replace
from libcyrus.errors import (
    AnnotationBadEntry,
    AnnotationBadValue,
    BadParameters,
    IoError,
    MailboxSpecialUse,
    PermissionDenied,
)
from libcyrus.mailbox.annotations import change
from libcyrus.mboxops import AnnotationChanges, validate_specialuse
from libcyrus.records import mbtype as mbtypes
from libcyrus.records.annotate import NAMESPACE, SPECIALUSE
from libcyrus.records.quota import DONT_CARE, Resource

from .computed import OPTIONS, file_path
from .entries import DAV_NAMESPACE, FLAGS, UNDEFINED, Entry, Kind, Scope, Storage
from .fetch import VALUE_PRIVATE, VALUE_SHARED
from .target import Target

log = logging.getLogger(__name__)

_MAX_KEY = 4000
_MAX_ULONG = 0xFFFFFFFFFFFFFFFF
_UINT = re.compile(rb"[ \t\r\n\v\f]*\+?[0-9]+\Z")
_INT = re.compile(rb"[ \t\r\n\v\f]*[+-]?[0-9]+\Z")
# how imapd.conf's switches are told
_SWITCH = re.compile(rb"[01ynft]|o[fn]")
_DEPRECATED = ("content-type.shared", "content-type.priv")


@dataclass(frozen=True, slots=True)
class Setting:
    """What to give an entry: attributes (``value.shared``, ``value.priv``) with values.

    None removes a value, and so does an empty one.
    """

    entry: str
    attributes: Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Planned:
    """A setting that is well formed; the values by attribute."""

    entry: Entry
    name: str
    values: dict[str, bytes | None]

    @property
    def shared(self) -> bytes | None:
        return self.values.get(VALUE_SHARED)

    @property
    def private(self) -> bytes | None:
        return self.values.get(VALUE_PRIVATE)


def plan(target: Target, settings: Sequence[Setting]) -> list[Planned]:
    """The settings, checked and in the order to apply them.

    Raises PermissionDenied for an entry or attribute that cannot be set, AnnotationBadValue.
    """
    planned = []
    for setting in settings:
        entry = _entry(target, setting.entry)
        values: dict[str, bytes | None] = {}
        for attribute, value in setting.attributes:
            if attribute in _DEPRECATED:
                log.warning('annotatemore_store: client used deprecated attribute "%s", ignoring', attribute)
                continue
            if attribute not in (VALUE_SHARED, VALUE_PRIVATE):
                raise PermissionDenied
            if not (entry.shared if attribute == VALUE_SHARED else entry.private):
                raise PermissionDenied
            values[attribute] = _canonical(value, entry.kind) if value else None
        if not entry.proxy_only:
            planned.append(Planned(entry, setting.entry, values))
    planned.reverse()
    return planned


def _entry(target: Target, name: str) -> Entry:
    mailbox = target.mailbox
    is_dav = mailbox is not None and mbtypes.kind(mailbox.entry.mbtype) in mbtypes.DAV_KINDS
    if is_dav and name.startswith(DAV_NAMESPACE):
        return UNDEFINED
    for entry in target.entries:
        if entry.name == name:
            if entry.storage is Storage.COMPUTED:
                raise PermissionDenied
            return entry
    if not target.definitions.allow_undefined or name.startswith(NAMESPACE):
        raise PermissionDenied
    if target.scope is Scope.MESSAGE and name.startswith(FLAGS):
        raise PermissionDenied
    if len(name) > _MAX_KEY:
        raise AnnotationBadEntry
    return UNDEFINED


def _canonical(value: bytes, kind: Kind) -> bytes:
    if kind is Kind.STRING:
        return value
    if kind is Kind.BOOLEAN:
        if value.lower() not in (b"true", b"false"):
            raise AnnotationBadValue
        return value.lower()
    if kind is Kind.UINT:
        if not _UINT.match(value) or int(value[:100]) > _MAX_ULONG:
            raise AnnotationBadValue
    elif not _INT.match(value) or not -(2**63) <= int(value[:100]) < 2**63:
        raise AnnotationBadValue
    return value


def store_server(target: Target, settings: Sequence[Setting]) -> None:
    """Set annotations of the server. Raises what ``plan`` raises, PermissionDenied, IoError."""
    planned = plan(target, settings)
    changed = False
    with target.store.annotations.transaction() as change:
        for one in planned:
            allowed = target.actor.is_admin or VALUE_SHARED not in one.values
            if one.entry.storage is Storage.FILE:
                if not allowed:
                    raise PermissionDenied
                _write_file(file_path(target, one.entry), one.shared)
                continue
            for attribute, value in one.values.items():
                userid = "" if attribute == VALUE_SHARED else target.userid
                if change.lookup("", one.name, userid) == (value or b""):
                    continue
                if not allowed:
                    raise PermissionDenied
                changed |= change.write("", one.name, userid, value or b"")
    if changed:
        target.store.sync_log.annotation("")


def store_mailboxes(target: Target, names: Sequence[str], settings: Sequence[Setting]) -> None:
    """Set annotations of mailboxes (internal names). Of several all are looked at before any is changed.

    Raises what ``plan`` raises, PermissionDenied, QuotaExceeded, MailboxSpecialUse, MailboxHasChildren,
    AnnotationBadEntry, BadParameters for a time that is none, what opening a mailbox raises, IoError.
    """
    if len(names) > 1:
        _check_special_use(target, names, settings)
        for name in names:
            with target.store.open(name, write=True) as mailbox:
                _apply(replace(target, mailbox=mailbox), settings)
                mailbox.abort()
    for name in names:
        with target.store.open(name, write=True) as mailbox:
            _apply(replace(target, mailbox=mailbox), settings).commit()


def _check_special_use(target: Target, names: Sequence[str], settings: Sequence[Setting]) -> None:
    """Two mailboxes of one user cannot have the same use."""
    own = [name for name in names if target.store.rules.from_internal(name).userid == target.userid]
    if len(own) > 1 and any(
        setting.entry == SPECIALUSE and value for setting in settings for _, value in setting.attributes
    ):
        raise MailboxSpecialUse


def _apply(target: Target, settings: Sequence[Setting]) -> _MailboxWork:
    work = _MailboxWork(target)
    for one in plan(target, settings):
        work.apply(one)
    return work


class _MailboxWork:
    """Changes of one mailbox's annotations, gathered before any is written."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._mailbox = target.opened()
        self._changes = AnnotationChanges(self._mailbox)

    def apply(self, one: Planned) -> None:
        may = all(self._may_store(one.entry, attribute) for attribute in one.values)
        match one.entry.storage:
            case Storage.OPTION:
                self._set_option(one, may)
            case Storage.POP3_SHOW_AFTER:
                self._set_show_after(one, may)
            case Storage.SPECIAL_USE:
                self._set_special_use(one, may)
            case Storage.SEARCH_FUZZY_ALWAYS:
                self._set_fuzzy_always(one, may)
            case _:
                self._set(one, may)

    def commit(self) -> None:
        self._changes.commit()

    def _may_store(self, entry: Entry, attribute: str) -> bool:
        if self._target.actor.is_admin:
            return True
        needed = acl.LOOKUP
        if attribute == VALUE_SHARED:
            needed |= acl.READ | acl.WRITE | entry.rights
        return self._target.has_rights(needed)

    def _set(self, one: Planned, may: bool) -> None:
        for attribute in (VALUE_SHARED, VALUE_PRIVATE):
            if attribute in one.values:
                userid = "" if attribute == VALUE_SHARED else self._target.userid
                self._write(one.name, userid, one.values[attribute] or b"", may)

    def _write(self, name: str, userid: str, value: bytes, may: bool) -> None:
        key = self._mailbox.annotation_user(userid)
        old = self._changes.lookup(name, key)
        if old == value:
            return
        if not may:
            raise PermissionDenied
        check_quota(self._target, len(value) - len(old))
        self._changes.set(name, key, value)

    def _set_option(self, one: Planned, may: bool) -> None:
        i, bit = self._mailbox.i, OPTIONS[one.entry.name]
        options = i.options | bit if one.shared == b"true" else i.options & ~bit
        self._set_header("options", options, may)

    def _set_show_after(self, one: Planned, may: bool) -> None:
        when = 0
        if one.shared is not None:
            parsed = times.from_rfc5322(one.shared)
            if parsed is None:
                raise BadParameters
            when = parsed
        self._set_header("pop3_show_after", when, may)

    def _set_header(self, name: str, value: int, may: bool) -> None:
        i = self._mailbox.i
        if getattr(i, name) == value:
            return
        if not may:
            raise PermissionDenied
        self._changes.touch()
        setattr(i, name, value)

    def _set_special_use(self, one: Planned, may: bool) -> None:
        value = b""
        if one.private is not None:
            attributes = os.fsdecode(one.private).split()
            name = self._mailbox.name
            text = validate_specialuse(self._target.store, self._target.userid, attributes, name=name)
            value = os.fsencode(text)
        self._write(one.name, self._target.userid, value, may)

    def _set_fuzzy_always(self, one: Planned, may: bool) -> None:
        if not self._target.store.rules.from_internal(self._mailbox.name).is_inbox:
            raise PermissionDenied
        if one.shared and not _SWITCH.match(one.shared):
            raise AnnotationBadEntry
        self._set(one, may)


def store_message(target: Target, planned: Sequence[Planned]) -> None:
    """Set annotations of a message, whose mailbox is open for writing; to commit is the caller's.

    Only the first one raises the modseq. Raises PermissionDenied, QuotaExceeded; then the caller aborts.
    """
    mailbox, annotations = target.opened(), target.opened().annotations
    silent = False
    for one in planned:
        for attribute in (VALUE_SHARED, VALUE_PRIVATE):
            if attribute not in one.values:
                continue
            value = one.values[attribute] or b""
            userid = "" if attribute == VALUE_SHARED else mailbox.annotation_user(target.userid)
            old = annotations.lookup(target.uid, one.name, userid)
            if old == value:
                continue
            if not _may_store_message(target, one):
                raise PermissionDenied
            check_quota(target, len(value) - len(old))
            change(mailbox, target.uid, one.name, userid, value, old=old, silent=silent)
        silent = True


def _may_store_message(target: Target, one: Planned) -> bool:
    """RFC 5257 section 2.5."""
    if target.actor.is_admin:
        return True
    needed = 0
    for attribute in one.values:
        needed |= acl.ANNOTATEMSG if attribute == VALUE_SHARED else acl.READ
    return target.has_rights(needed)


def check_quota(target: Target, more: int) -> None:
    """Raise QuotaExceeded if the mailbox's quota root has no room for this much more in annotations."""
    root = target.opened().quotaroot
    if root is not None:
        differences = list(DONT_CARE)
        differences[Resource.ANNOTSTORAGE] = more
        target.store.quota.check(root, differences)


def _write_file(path: str, value: bytes | None) -> None:
    try:
        if value is None:
            files.remove(path)
        else:
            files.mkdirs(os.path.dirname(path))
            files.replace(path, value + b"\n", mode=0o644)
    except OSError as error:
        xlog.ioerror(log, "cannot write annotation file", error, filename=path)
        raise IoError from error
