"""The site's own annotations: the file ``annotation_definitions``.

One line an annotation, ``#`` begins a comment line::

    ENTRY, SCOPE, TYPE, PROXYTYPES, ATTRIBUTES, RIGHTS

SCOPE is ``server``, ``mailbox`` or ``message``, TYPE ``string``, ``boolean``, ``uint`` or ``int``, PROXYTYPES
``backend``, ``proxy`` or ``proxy_and_backend``, ATTRIBUTES are ``value.shared``, ``value.priv`` or ``value``
for both, RIGHTS what a user needs, beside the usual, to set a shared value of a mailbox. A line that makes no
sense is logged and left out.
"""

from __future__ import annotations

import logging
import re

from libcyrus import options as opt
from libcyrus.acl import AclRules
from libcyrus.base.dataclasses import dataclass
from libcyrus.config import Config
from libcyrus.records.annotate import NAMESPACE

from . import entries
from .entries import Entry, Kind, Scope

log = logging.getLogger(__name__)

_LONGEST_LINE = 1023
_MOST_ERRORS = 63
_SPACE = " \t\r\n\v\f"
_SCOPES = {scope.value: scope for scope in Scope}
_KINDS = {kind.value: kind for kind in Kind}
_PROXY_ONLY, _BACKEND = 1, 2
_PROXY_TYPES = {"proxy": _PROXY_ONLY, "backend": _BACKEND, "proxy_and_backend": _PROXY_ONLY | _BACKEND}
_SHARED, _PRIVATE, _IGNORED, _DEPRECATED = 1, 2, 4, 8
_DEPRECATED_TEXT = "deprecated attribute names such as content-type or modified-since (ignoring)"
_ATTRIBUTES = {
    "value": _SHARED | _PRIVATE,
    "value.shared": _SHARED,
    "value.priv": _PRIVATE,
    "size": _IGNORED,
    "size.shared": _IGNORED,
    "size.priv": _IGNORED,
    **{
        name + suffix: _DEPRECATED
        for name in ("modifiedsince", "content-type")
        for suffix in ("", ".shared", ".priv")
    },
}


@dataclass(frozen=True, slots=True)
class Definitions:
    """All annotations that are known here, by scope, built in ones first."""

    by_scope: dict[Scope, tuple[Entry, ...]]
    allow_undefined: bool = False

    @classmethod
    def from_config(cls, config: Config) -> Definitions:
        """Reads the file, if one is set; that it cannot be read is logged."""
        found: list[tuple[Scope, Entry]] = []
        path = config[opt.annotation_definitions]
        if path:
            try:
                with open(path, encoding="utf-8", errors="surrogateescape") as file:
                    found = _Reader(path, AclRules.from_config(config)).read(file.read())
            except OSError as error:
                log.error("%s: could not open annotation definition file: %s", path, error.strerror)
        builtin = {
            Scope.SERVER: entries.SERVER,
            Scope.MAILBOX: entries.MAILBOX,
            Scope.MESSAGE: entries.MESSAGE,
        }
        return cls(
            {
                scope: known + tuple(entry for where, entry in found if where is scope)
                for scope, known in builtin.items()
            },
            config[opt.annotation_allow_undefined],
        )


class _Invalid(Exception):
    """What is wrong with a line; ``near`` is where."""

    def __init__(self, text: str, near: str = "", offset: int = 0) -> None:
        super().__init__(text)
        self.near = near
        self.offset = offset


class _Reader:
    def __init__(self, path: str, rules: AclRules) -> None:
        self._path = path
        self._rules = rules
        self._errors = 0
        self._warned = False

    def read(self, text: str) -> list[tuple[Scope, Entry]]:
        found = []
        for number, line in enumerate(_lines(text), 1):
            content = line.lstrip(_SPACE)
            if not content or content.startswith("#"):
                continue
            try:
                found.append(self._line(number, line))
            except _Invalid as error:
                self._complain(number, error)
        return found

    def _complain(self, number: int, error: _Invalid) -> None:
        self._errors += 1
        if self._errors > _MOST_ERRORS:
            return
        near = f", at or near '{error.near}'" if error.near else ""
        log.error("%s:%d:%d:error: %s%s", self._path, number, error.offset, error, near)

    def _line(self, number: int, line: str) -> tuple[Scope, Entry]:
        fields = _Fields(line)
        name = fields.next(".-_/:")
        if name.startswith(NAMESPACE):
            raise fields.invalid(f"annotation under {NAMESPACE}")
        name = name.lower()
        scope = _SCOPES.get(fields.next(".-_/").lower())
        if scope is None:
            raise fields.invalid("invalid annotation scope")
        if scope is Scope.MESSAGE and name.startswith(entries.FLAGS):
            # RFC 5257 section 4.2 keeps these for itself
            fields.near = name
            raise fields.invalid("message entry under /flags/")
        kind = _KINDS.get(fields.next("").lower())
        if kind is None:
            raise fields.invalid("invalid annotation type")
        proxy = fields.words(_PROXY_TYPES, "invalid annotation proxy type")
        attributes = fields.words(_ATTRIBUTES, "invalid annotation attributes")
        if attributes & _DEPRECATED and not self._warned:
            self._warned = True
            self._complain(number, fields.invalid(_DEPRECATED_TEXT))
            fields.near = ""
        rights = self._rules.parse(fields.next(""))
        fields.end()
        entry = Entry(
            name,
            kind,
            shared=bool(attributes & _SHARED),
            private=bool(attributes & _PRIVATE),
            rights=rights,
            proxy_only=proxy == _PROXY_ONLY,
        )
        return scope, entry


class _Fields:
    """The fields of one line, one after the other. Errors name the column where the last one begins."""

    def __init__(self, line: str) -> None:
        self._fields = re.finditer(r"[ \t\r\n\v\f]*([^,]*)(?:,|\Z)", line)
        self._left = line.count(",") + 1
        self._offset = 0
        self._token = ""
        self.near = ""

    def next(self, extra: str) -> str:
        """The next field, of letters, digits and ``extra`` characters. Raises _Invalid."""
        if not self._step():
            raise self.invalid("invalid annotation attributes")
        bad = re.search(f"[^A-Za-z0-9{re.escape(extra)}]", self._token)
        if bad is not None:
            self.near = self._token[bad.start() :]
            raise self.invalid("invalid character")
        self.near = self._token
        return self._token

    def _step(self) -> bool:
        """Go to the next field, if there is one."""
        if not self._left:
            self._offset = 0
            return False
        self._left -= 1
        found = next(self._fields)
        self._offset = found.start(1)
        self._token = found[1].rstrip(_SPACE)
        return True

    def words(self, known: dict[str, int], text: str) -> int:
        """A field of words separated by spaces, as the OR of what they mean. Raises _Invalid."""
        result = 0
        for word in self.next(".-_/ ").split():
            self.near = word
            if word.lower() not in known:
                raise self.invalid(text)
            result |= known[word.lower()]
        return result

    def end(self) -> None:
        if self._step():
            raise self.invalid("junk at end of line")

    def invalid(self, text: str) -> _Invalid:
        return _Invalid(text, self.near, self._offset)


def _lines(text: str) -> list[str]:
    """The lines; one that is too long continues as another, as it always did."""
    lines = []
    for line in text.split("\n"):
        while len(line) > _LONGEST_LINE:
            lines.append(line[:_LONGEST_LINE])
            line = line[_LONGEST_LINE:]
        lines.append(line)
    return lines
