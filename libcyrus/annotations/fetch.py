"""Reading annotations: entries and attributes by name or wildcard, and what comes back for them.

Names of attributes are those of the ANNOTATEMORE drafts: ``value.shared``, ``value.priv``, ``size.shared``,
``size.priv``, and ``value`` and ``size`` for both. A private value is the one of who asks. For an entry that
is named, not matched by a wildcard, a value that does not exist is told as None and its size as 0.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

from libcyrus import acl
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.glob import Glob
from libcyrus.records.annotate import Annotation

from . import computed
from .entries import UNDEFINED, Entry, Scope, Storage
from .target import Target

log = logging.getLogger(__name__)

VALUE_SHARED, VALUE_PRIVATE = "value.shared", "value.priv"
SIZE_SHARED, SIZE_PRIVATE = "size.shared", "size.priv"

_ATTRIBUTES = {
    "value": (VALUE_SHARED, VALUE_PRIVATE),
    VALUE_SHARED: (VALUE_SHARED,),
    VALUE_PRIVATE: (VALUE_PRIVATE,),
    "size": (SIZE_SHARED, SIZE_PRIVATE),
    SIZE_SHARED: (SIZE_SHARED,),
    SIZE_PRIVATE: (SIZE_PRIVATE,),
}
_DEPRECATED = tuple(
    name + suffix for name in ("modifiedsince", "content-type") for suffix in ("", ".shared", ".priv")
)
_SHARED = frozenset((VALUE_SHARED, SIZE_SHARED))
_PRIVATE = frozenset((VALUE_PRIVATE, SIZE_PRIVATE))

_IN_DATABASE = (Storage.DATABASE, Storage.SPECIAL_USE, Storage.SEARCH_FUZZY_ALWAYS)

Value = bytes | None


@dataclass(frozen=True, slots=True)
class Found:
    """One entry with the attributes asked for."""

    entry: str
    attributes: list[tuple[str, Value]]


def attributes_named(names: Iterable[str]) -> frozenset[str]:
    """The attributes that these names, which may have wildcards, mean; old ones are logged and ignored."""
    wanted: set[str] = set()
    for name in names:
        glob = Glob(name, ".")
        for known, attributes in _ATTRIBUTES.items():
            if glob.matches(known):
                wanted.update(attributes)
        for known in _DEPRECATED if name != "*" else ():
            if glob.matches(known):
                log.warning('annotatemore_fetch: client used deprecated attribute "%s", ignoring', known)
    return frozenset(wanted)


def fetch(target: Target, names: Iterable[str], wanted: frozenset[str]) -> list[Found]:
    """What there is for entries of these names, with wildcards or without; the last named comes first.

    Entries that the rights of who asks do not cover are left out.
    """
    return Query(target.entries, names, wanted).run(target)


class Query:
    """``fetch`` for many targets of one scope, whose ``entries`` these are."""

    def __init__(self, entries: Sequence[Entry], names: Iterable[str], wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._selected = list(reversed(_select(entries, names))) if wanted else []

    def run(self, target: Target, stored: Sequence[Annotation] | None = None) -> list[Found]:
        """``stored`` is what the database has for the target, if that is known, in its order."""
        output = _Output(self._wanted)
        allowed = target.actor.is_admin or target.scope is Scope.SERVER or _may_fetch(target)
        for entry, name, glob in self._selected:
            if not (allowed or entry.checks_itself):
                continue
            if entry.storage in _IN_DATABASE:
                _from_database(target, name, glob, output, stored)
                continue
            value = computed.read(target, entry)
            if value is not None:
                output.put(name, value or None, shared=entry.shared)
        output.flush()
        return output.found


def _select(entries: Sequence[Entry], names: Iterable[str]) -> list[tuple[Entry, str, Glob | None]]:
    """The entries to read, their names and for names with wildcards the pattern.

    A name that is no known entry's is looked up in the database.
    """
    selected: list[tuple[Entry, str, Glob | None]] = []
    by_name = {entry.name for entry in entries}
    for name in names:
        glob = Glob(name, "/")
        for entry in entries:
            if not entry.proxy_only and glob.matches(entry.name):
                selected.append((entry, entry.name, None))
            if entry.name == name:
                break
        if name not in by_name:
            selected.append((UNDEFINED, name, glob if "*" in name or "%" in name else None))
    return selected


def _may_fetch(target: Target) -> bool:
    """RFC 5464 says little of rights. What is known of the server is no secret."""
    return target.has_rights(acl.READ if target.scope is Scope.MESSAGE else acl.LOOKUP | acl.READ)


def _from_database(
    target: Target, name: str, glob: Glob | None, output: _Output, stored: Iterable[Annotation] | None
) -> None:
    output.begin()
    mailbox = target.mailbox
    if stored is None:
        prefix = name if glob is None else name.split("*")[0].split("%")[0]
        if mailbox is None:
            stored = target.store.annotations.find("", prefix)
        elif target.uid:
            stored = mailbox.annotations.of(target.uid, prefix)
        else:
            stored = target.store.annotations.find(mailbox.uniqueid, prefix)
    me = mailbox.annotation_user(target.userid) if mailbox is not None else target.userid
    for annotation in stored:
        entry = annotation.entry
        if (entry == name if glob is None else glob.matches(entry)) and annotation.userid in ("", me):
            output.put(entry, annotation.value, shared=not annotation.userid)
    if glob is None:
        output.put_missing(name)


@dataclass(slots=True)
class _Output:
    """Gathers attributes, each once, those of one entry together."""

    wanted: frozenset[str]
    found: list[Found] = field(default_factory=list)
    _seen: set[tuple[str, bool]] = field(default_factory=set)
    _got: set[str] = field(default_factory=set)
    _entry: str = ""
    _pending: list[tuple[str, Value]] = field(default_factory=list)

    def begin(self) -> None:
        """Remember from here on which attributes came."""
        self._got.clear()

    def put(self, entry: str, value: Value, *, shared: bool) -> None:
        if entry != self._entry:
            self.flush()
        self._entry = entry
        if (entry, shared) in self._seen:
            return
        self._seen.add((entry, shared))
        names = (VALUE_SHARED, SIZE_SHARED) if shared else (VALUE_PRIVATE, SIZE_PRIVATE)
        for name, content in zip(names, (value, b"%d" % len(value or b"")), strict=True):
            if name in self.wanted:
                self._pending.append((name, content))
                self._got.add(name)

    def put_missing(self, entry: str) -> None:
        """Say of what was asked for and did not come that there is none."""
        if self._got == self.wanted:
            return
        if self.wanted & _PRIVATE and not self._got & _PRIVATE:
            self.put(entry, None, shared=False)
        if self.wanted & _SHARED and not self._got & _SHARED:
            self.put(entry, None, shared=True)
        self.flush()

    def flush(self) -> None:
        """End an entry."""
        if self._pending:
            self.found.append(Found(self._entry, self._pending))
            self._pending = []
