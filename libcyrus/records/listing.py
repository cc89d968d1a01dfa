"""From the names that patterns find to the lines of LIST, LSUB and XLIST: attributes, and which names count.

What RFC 3501, 3348 (CHILDREN) and 5258 (LIST-EXTENDED) leave open is as the original does it. Nothing here
writes to a client, and special uses, STATUS and rights are for the caller to add.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from libcyrus.config import Config
from libcyrus.mboxname import Namespace

from . import mbtype as mbtypes
from .find import Finder, ForeignNames, Found, Viewer
from .hidden import HiddenNames
from .mbentry import MboxEntry
from .mboxlist import Mboxlist
from .subscriptions import Subscriptions


class Attribute(enum.IntFlag):
    """In the order in which the original prints them."""

    NOINFERIORS = 1 << 0
    NOSELECT = 1 << 1
    MARKED = 1 << 2
    UNMARKED = 1 << 3
    NONEXISTENT = 1 << 4
    SUBSCRIBED = 1 << 5
    REMOTE = 1 << 6
    HASCHILDREN = 1 << 7
    HASNOCHILDREN = 1 << 8
    CHILDINFO_SUBSCRIBED = 1 << 9
    """Not an attribute on the wire but the extended data item CHILDINFO."""


_KNOWS_CHILDREN = Attribute.HASCHILDREN | Attribute.HASNOCHILDREN
_SUBSCRIBED = Attribute.SUBSCRIBED | Attribute.CHILDINFO_SUBSCRIBED
_MISSING = Attribute.NONEXISTENT | Attribute.NOSELECT


class Command(enum.Enum):
    LIST = enum.auto()
    LSUB = enum.auto()
    XLIST = enum.auto()
    EXTENDED = enum.auto()
    """LIST with selection or return options, or with several patterns."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the client asked for. ``select_*`` are selection options, ``return_*`` return options."""

    command: Command
    reference: str
    patterns: tuple[str, ...]
    select_subscribed: bool = False
    select_recursivematch: bool = False
    select_deleted: bool = False
    select_intermediates: bool = False
    select_dav: bool = False
    return_subscribed: bool = False
    return_children: bool = False


@dataclass(slots=True)
class Listed:
    """One line. ``entry`` is None for a name that does not exist (a subscription, a level above a name)."""

    extname: str
    attributes: Attribute
    entry: MboxEntry | None


class Listing:
    """Answers LIST for one session; ``foreign`` should live as long as the process."""

    def __init__(
        self,
        config: Config,
        mailboxes: Mboxlist,
        subscriptions: Subscriptions,
        viewer: Viewer,
        foreign: ForeignNames | None = None,
    ) -> None:
        self._mailboxes = mailboxes
        self._subscriptions = subscriptions
        self._viewer = viewer
        self._hidden = HiddenNames(config, mailboxes.rules)
        self._finder = Finder(mailboxes, viewer, foreign)
        self._allow_deleted = viewer.allow_deleted
        self.calls = 0
        """How many names the patterns found: the ``calls`` of the completion text."""

    def lines(self, request: Request, *, ignore_reference: bool = False) -> Iterator[Listed]:
        """The lines in their order. ``ignore_reference`` is option ``ignorereference``."""
        self.calls = 0
        patterns = [
            canonical_pattern(request.reference, pattern, self._viewer.namespace, ignore_reference)
            for pattern in request.patterns
        ]
        for line in self._collect(request, patterns):
            finished = self._finish(line, request)
            if finished is not None:
                yield finished

    def _collect(self, request: Request, patterns: list[str]) -> Iterator[Listed]:
        if request.select_recursivematch:
            return self._recursive(request, patterns)
        if request.select_subscribed:
            return self._subscribed(request, patterns)
        return self._existing(request, patterns)

    def _existing(self, request: Request, patterns: list[str]) -> Iterator[Listed]:
        """LIST without SUBSCRIBED."""
        names: list[str] = []
        if request.return_subscribed and self._viewer.userid is not None:
            names = self._subscriptions.list(self._viewer.userid)
        show_deleted = self._viewer.admin or (request.select_deleted and self._allow_deleted)
        last: Listed | None = None
        for found in self._finder.find(patterns):
            if found is None:
                if last is not None:
                    if not last.attributes & Attribute.HASCHILDREN:
                        last.attributes |= Attribute.HASNOCHILDREN
                    yield _add_subscriptions(last, names)
                last = None
                continue
            if found.name.deleted and not show_deleted:
                continue
            self.calls += 1
            if last is not None:
                if self._is_below(found, last):
                    last.attributes |= Attribute.HASCHILDREN
                elif not last.attributes & Attribute.HASCHILDREN:
                    last.attributes |= Attribute.HASNOCHILDREN
            for line in (*self._missing_ancestors(found, last, request), _line(found)):
                if self._skips(line, request) or self._repeats(line, last):
                    continue
                if last is not None:
                    yield _add_subscriptions(last, names)
                last = line

    def _subscribed(self, request: Request, patterns: list[str]) -> Iterator[Listed]:
        """LSUB, and LIST (SUBSCRIBED) without RECURSIVEMATCH."""
        last: Listed | None = None
        for found in self._finder.find_subscribed(patterns, self._subscriptions):
            if found is None:
                if last is not None and last.attributes & _SUBSCRIBED:
                    yield last
                last = None
                continue
            self.calls += 1
            if last is not None and self._is_below(found, last):
                last.attributes |= Attribute.HASCHILDREN
            if not found.exact and request.command is not Command.LSUB:
                continue
            line = _line(found, attributes=Attribute(0))
            if found.exact:
                line.entry = self._mailboxes.get(found.name.internal)
            if not self._skips(line, request) and not self._repeats(line, last):
                if last is not None and last.attributes & _SUBSCRIBED:
                    yield last
                last = line
            if last is None:
                continue
            if not found.exact:
                last.attributes |= Attribute.CHILDINFO_SUBSCRIBED
                continue
            last.attributes |= Attribute.SUBSCRIBED
            if line.entry is None:
                last.attributes |= Attribute.NONEXISTENT
            if found.category.name == "ALTINBOX":
                last.attributes |= Attribute.NOINFERIORS

    def _recursive(self, request: Request, patterns: list[str]) -> Iterator[Listed]:
        """LIST (SUBSCRIBED RECURSIVEMATCH), RFC 5258 section 3.5."""
        lines: dict[str, Listed] = {}
        for found in self._finder.find_subscribed(patterns, self._subscriptions):
            if found is None:
                continue
            self.calls += 1
            if self._hides(request, None, found.name.internal):
                continue
            line = lines.setdefault(found.extname, Listed(found.extname, Attribute.NONEXISTENT, None))
            if found.exact:
                line.attributes |= Attribute.SUBSCRIBED
                line.entry = self._mailboxes.get(found.name.internal)
                if line.entry is not None:
                    line.attributes &= ~Attribute.NONEXISTENT
            else:
                line.attributes |= Attribute.CHILDINFO_SUBSCRIBED | Attribute.HASCHILDREN
        for name in sorted(lines, key=lambda name: name.encode("utf-8", "surrogateescape")):
            yield lines[name]

    def _is_below(self, found: Found, last: Listed) -> bool:
        """Whether ``found`` says that ``last`` has children."""
        if found.extname.startswith(last.extname + self._viewer.namespace.separator):
            return True
        return not found.exact and found.extname == last.extname

    def _repeats(self, line: Listed, last: Listed | None) -> bool:
        """The same name again, or a level above the last one that comes late."""
        if last is None:
            return False
        return last.extname == line.extname or last.extname.startswith(
            line.extname + self._viewer.namespace.separator
        )

    def _skips(self, line: Listed, request: Request) -> bool:
        if self._viewer.admin:
            return False
        mbtype = line.entry.mbtype if line.entry is not None else mbtypes.EMAIL
        if mbtypes.kind(mbtype) == mbtypes.NETNEWS:
            return True
        if mbtype & mbtypes.INTERMEDIATE and not request.select_intermediates:
            return True
        return self._hides(request, line.entry, self._internal(line))

    def _hides(self, request: Request, entry: MboxEntry | None, internal: str) -> bool:
        """Mailboxes of calendars and the like are not for mail clients."""
        if self._viewer.admin or request.select_dav:
            return False
        return self._hidden.contains(internal, entry.mbtype if entry is not None else mbtypes.EMAIL)

    def _internal(self, line: Listed) -> str:
        if line.entry is not None:
            return line.entry.name
        return self._viewer.namespace.internal(line.extname, self._viewer.userid) or ""

    def _missing_ancestors(self, found: Found, last: Listed | None, request: Request) -> list[Listed]:
        """With VENDOR.FM-INCLUDE-NONEXISTENT: levels above a name that no line has shown, topmost first."""
        if not request.select_intermediates or found.entry is None:
            return []
        if not request.select_dav and mbtypes.kind(found.entry.mbtype) in mbtypes.DAV_KINDS:
            return []
        missing = []
        name = self._viewer.namespace.from_external(found.extname, self._viewer.userid)
        while name is not None and name.boxes:
            name = name.with_boxes(*name.boxes[:-1])
            extname = self._viewer.namespace.to_external(name, self._viewer.userid)
            if extname is None:
                break
            if last is not None and (last.extname == extname or self._below(last.extname, extname)):
                break
            # the original looks the external name up as if it were internal
            entry = self._mailboxes.get_all(extname)
            if entry is not None:
                missing.append(Listed(extname, Attribute.NONEXISTENT, entry))
        return missing[::-1]

    def _below(self, extname: str, above: str) -> bool:
        return extname.startswith(above + self._viewer.namespace.separator)

    def _finish(self, line: Listed, request: Request) -> Listed | None:
        """The attributes as they go out; None for a line that does not."""
        attributes = line.attributes
        if line.entry is not None and line.entry.intermediate:
            attributes |= Attribute.NONEXISTENT
        if attributes & Attribute.NONEXISTENT and request.command is not Command.EXTENDED:
            attributes = attributes & ~Attribute.NONEXISTENT | Attribute.NOSELECT
        if request.return_children and not attributes & _KNOWS_CHILDREN:
            attributes |= self._children(line)
        if attributes & _MISSING and not _worth_showing(attributes, request):
            return None
        if request.command is Command.LSUB:
            if attributes & _SUBSCRIBED == Attribute.CHILDINFO_SUBSCRIBED:
                attributes |= Attribute.NOSELECT | Attribute.HASCHILDREN
            attributes &= ~Attribute.SUBSCRIBED
        if not request.select_recursivematch:
            attributes &= ~Attribute.CHILDINFO_SUBSCRIBED
        if attributes & Attribute.NOINFERIORS:
            attributes &= ~Attribute.HASCHILDREN
        if attributes & Attribute.HASCHILDREN:
            attributes &= ~Attribute.HASNOCHILDREN
        if request.command is Command.EXTENDED:
            if attributes & Attribute.NOINFERIORS:
                attributes &= ~Attribute.HASNOCHILDREN
            if attributes & Attribute.NONEXISTENT:
                attributes &= ~Attribute.NOSELECT
        return Listed(line.extname, attributes, line.entry)

    def _children(self, line: Listed) -> Attribute:
        space = self._viewer.namespace
        if space.alt and line.extname == "INBOX":
            # what is below the INBOX in the tree stands beside it in this view
            return Attribute.HASNOCHILDREN
        if not self._mailboxes.has_children(self._internal(line)):
            return Attribute.HASNOCHILDREN
        self.calls += 1
        return Attribute.HASCHILDREN


def canonical_pattern(reference: str, pattern: str, space: Namespace, ignore_reference: bool) -> str:
    """Reference and pattern put together (RFC 3501 section 6.3.8), separators not doubled."""
    if ignore_reference and not pattern.startswith(space.separator):
        return pattern
    if reference.endswith(space.separator) and pattern.startswith(space.separator):
        reference = reference[:-1]
    return reference + pattern


def _line(found: Found, attributes: Attribute | None = None) -> Listed:
    if attributes is None:
        attributes = Attribute(0)
        if not found.exact:
            attributes = Attribute.HASCHILDREN | Attribute.NONEXISTENT
        elif found.category.name == "ALTINBOX":
            attributes = Attribute.NOINFERIORS
    return Listed(found.extname, attributes, found.entry)


def _add_subscriptions(line: Listed, names: list[str]) -> Listed:
    """Say whether the line's mailbox, or one below it, is among the subscribed ``names`` (internal)."""
    if line.entry is None or not names:
        return line
    mine = line.entry.name
    for name in names:
        if name == mine:
            missing = bool(line.attributes & Attribute.NONEXISTENT)
            line.attributes |= Attribute.CHILDINFO_SUBSCRIBED if missing else Attribute.SUBSCRIBED
        elif name.startswith(mine + "."):
            line.attributes |= Attribute.CHILDINFO_SUBSCRIBED
    return line


def _worth_showing(attributes: Attribute, request: Request) -> bool:
    if request.command is Command.EXTENDED:
        return True
    if request.command is Command.LSUB:
        return bool(attributes & Attribute.CHILDINFO_SUBSCRIBED)
    return bool(attributes & Attribute.HASCHILDREN)
