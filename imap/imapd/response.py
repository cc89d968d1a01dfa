"""The response writer: the one place that spells answers on the wire (RFC 3501 section 7).

Handlers return an `Ok`, `No` or `Bad`; untagged data leaves through methods named for it. Everything is
gathered by the stream and sent together with the tagged line, or when the stream is about to wait for input.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from imap.imapd.parse import is_atom
from libcyrus import acl
from libcyrus.base.dataclasses import dataclass
from libcyrus.base.seqset import SeqSet
from libcyrus.index.updates import FlagUpdate, SelectedView, Updates

COMPLETED = "Completed"

_SYSTEM_FLAGS = b"\\Answered \\Flagged \\Draft \\Deleted \\Seen"
_NOT_QUOTED = re.compile(rb'[\x00\r\n"%\\\x80-\xff]')
_MAX_QUOTED = 1024
_NO_TEXT = {ord(octet): " " for octet in "\r\n\0"}


@dataclass(frozen=True, slots=True)
class Ok:
    """Success; ``code`` is a response code without its brackets."""

    text: str = COMPLETED
    code: str | None = None


@dataclass(frozen=True, slots=True)
class No:
    text: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Bad:
    text: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """The handler has said all there is to say, tagged line included (a connection about to end)."""


Outcome = Ok | No | Bad | Silent


class Writer(Protocol):
    """What the response writer needs of a connection."""

    def write(self, data: bytes) -> object: ...
    def flush(self) -> object: ...


def quoted(value: bytes) -> bytes:
    """A string: quoted if it can be, a literal otherwise."""
    if len(value) >= _MAX_QUOTED or _NOT_QUOTED.search(value):
        return b"{%d}\r\n%b" % (len(value), value)
    return b'"%b"' % value


def nstring(value: bytes | None) -> bytes:
    return b"NIL" if value is None else quoted(value)


def astring(value: bytes | str) -> bytes:
    """An atom if it can be one, else a string."""
    octets = os.fsencode(value) if isinstance(value, str) else value
    if is_atom(octets) and octets != b"NIL":
        return octets
    return quoted(octets)


def list_line(kind: bytes, attributes: str, delimiter: str, name: str) -> bytes:
    """A whole LIST or LSUB response; see ``Responses.list``."""
    words = (kind, attributes.encode("ascii"), delimiter.encode("ascii"), astring(name))
    return b'* %b (%b) "%b" %b\r\n' % words


class Responses:
    """Untagged and tagged answers of one connection."""

    def __init__(self, stream: Writer) -> None:
        self._stream = stream
        self.write = stream.write

    def flush(self) -> None:
        self._stream.flush()

    # conditions

    def ok(self, text: str, code: str | None = None) -> None:
        self.write(b"* OK " + _condition(text, code))

    def no(self, text: str, code: str | None = None) -> None:
        self.write(b"* NO " + _condition(text, code))

    def bad(self, text: str) -> None:
        self.write(b"* BAD " + _condition(text, None))

    def bye(self, text: str, code: str | None = None) -> None:
        self.write(b"* BYE " + _condition(text, code))

    def alert(self, text: str) -> None:
        self.ok(text, "ALERT")

    def tagged(self, tag: bytes, outcome: Outcome) -> None:
        if isinstance(outcome, Silent):
            return
        word = b" OK " if isinstance(outcome, Ok) else b" NO " if isinstance(outcome, No) else b" BAD "
        self.write(tag + word + _condition(outcome.text, outcome.code))

    def continuation(self, text: bytes = b"go ahead") -> None:
        self.write(b"+ %b\r\n" % text)

    def untagged(self, data: bytes) -> None:
        """One untagged response of a kind that has no method: ``data`` is all between ``* `` and CRLF."""
        self.write(b"* %b\r\n" % data)

    # server data

    def capability(self, names: Iterable[str]) -> None:
        self.untagged(b"CAPABILITY " + " ".join(names).encode("ascii"))

    def id(self, pairs: Sequence[tuple[str, str | None]] | None) -> None:
        """The server's ID parameters (RFC 2971 section 3.2); None for NIL."""
        if pairs is None:
            self.untagged(b"ID NIL")
            return
        fields = " ".join(f'"{name}" "{value}"' if value else f'"{name}" NIL' for name, value in pairs)
        self.untagged(b"ID (" + os.fsencode(fields) + b")")

    # mailboxes

    def exists(self, count: int, recent: int) -> None:
        """EXISTS and RECENT, which always come together."""
        self.write(b"* %d EXISTS\r\n* %d RECENT\r\n" % (count, recent))

    def flags(self, view: SelectedView) -> None:
        """FLAGS and PERMANENTFLAGS; what the latter lists depends on the rights (RFC 4314 section 5.1.1)."""
        names = os.fsencode("".join(f" {name}" for name in view.flag_names))
        permanent: list[bytes] = []
        if not view.readonly:
            if view.rights & acl.WRITE:
                permanent.append(b"\\Answered \\Flagged \\Draft")
            if view.rights & acl.DELETEMSG:
                permanent.append(b"\\Deleted")
            if view.rights & acl.SETSEEN:
                permanent.append(b"\\Seen")
            if view.rights & acl.WRITE:
                permanent.extend(os.fsencode(name) for name in view.flag_names)
                if view.can_create_flags:
                    permanent.append(b"\\*")
        self.write(
            b"* FLAGS (%b%b)\r\n* OK [PERMANENTFLAGS (%b)] Ok\r\n"
            % (_SYSTEM_FLAGS, names, b" ".join(permanent))
        )

    def flag_updates(self, updates: Iterable[FlagUpdate], *, by_uid: bool, modseqs: bool) -> None:
        """Untagged FETCHes with FLAGS, and UID or MODSEQ if wanted."""
        for update in updates:
            line = b"* %d FETCH (FLAGS %b" % (update.msgno, update.flags)
            if by_uid:
                line += b" UID %d" % update.uid
            self.write(b"%b MODSEQ (%d))\r\n" % (line, update.modseq) if modseqs else line + b")\r\n")

    def vanished(self, uids: SeqSet, *, earlier: bool = False) -> None:
        """VANISHED (RFC 7162 section 3.2.10); ``earlier`` for what was gone before."""
        if uids:
            words = b"(EARLIER) " if earlier else b""
            self.write(b"* VANISHED %b%b\r\n" % (words, str(uids).encode("ascii")))

    def updates(
        self,
        updates: Updates,
        view: SelectedView,
        *,
        by_uid: bool = False,
        modseqs: bool = False,
        qresync: bool = False,
    ) -> None:
        """News of the selected mailbox, in the order that libcyrus.index.updates gives.

        ``qresync``: the client wants UIDs everywhere.
        """
        if qresync and updates.vanished is not None:
            self.vanished(updates.vanished)
        elif updates.expunged:
            self.write(b"".join(b"* %d EXPUNGE\r\n" % msgno for msgno in updates.expunged))
        if updates.exists is not None:
            self.exists(updates.exists, updates.recent)
        if updates.flag_names_changed:
            self.flags(view)
        if updates.fetches:
            self.flag_updates(updates.fetches, by_uid=by_uid or qresync, modseqs=modseqs)

    def list(self, kind: bytes, attributes: str, delimiter: str, name: str) -> None:
        """LIST or LSUB; ``kind`` is the response's name, ``name`` external."""
        self.write(list_line(kind, attributes, delimiter, name))

    def search(self, numbers: Sequence[int], modseq: int | None = None) -> None:
        """SEARCH with message numbers or UIDs, and the highest mod-sequence (RFC 7162 section 3.1.5)."""
        self._numbers(b"SEARCH", numbers, modseq)

    def sort(self, numbers: Sequence[int], modseq: int | None = None) -> None:
        """SORT with message numbers or UIDs in their order (RFC 5256 section 4)."""
        self._numbers(b"SORT", numbers, modseq)

    def _numbers(self, kind: bytes, numbers: Sequence[int], modseq: int | None) -> None:
        words = "".join([f" {number}" for number in numbers]).encode("ascii")
        self.write(b"* %b%b%b\r\n" % (kind, words, _modseq(modseq)))

    def thread(self, threads: bytes, modseq: int | None = None) -> None:
        """THREAD with the trees as they are packed (RFC 5256 section 4)."""
        self.write(b"* THREAD%b%b%b\r\n" % (b" " if threads else b"", threads, _modseq(modseq)))

    def esearch(self, tag: bytes, results: Iterable[tuple[str, int | str]], *, by_uid: bool) -> None:
        """ESEARCH (RFC 4466 section 2.6.2) with the names and values of what was asked to be returned."""
        values = "".join([f" {name} {value}" for name, value in results])
        indicator = b" UID" if by_uid else b""
        self.write(b'* ESEARCH (TAG "%b")%b%b\r\n' % (tag, indicator, values.encode("ascii")))

    def status(self, name: str, items: Iterable[tuple[str, int | str]]) -> None:
        values = " ".join(f"{item} {value}" for item, value in items)
        self.untagged(b"STATUS %b (%b)" % (astring(name), values.encode("ascii")))

    def namespace(self, groups: Sequence[Sequence[tuple[str, str]]]) -> None:
        """The three groups of (prefix, delimiter), each maybe empty (RFC 2342 section 6)."""
        self.untagged(b"NAMESPACE " + b" ".join(_namespace_group(group) for group in groups))

    # annotations

    def annotation(self, name: str, entry: str, attributes: Iterable[tuple[str, bytes | None]]) -> None:
        """ANNOTATION (draft-daboo-imap-annotatemore): one entry with attributes and values."""
        pairs = b" ".join(
            b"%b %b" % (quoted(os.fsencode(attribute)), nstring(value)) for attribute, value in attributes
        )
        self.untagged(b"ANNOTATION %b %b (%b)" % (astring(name), quoted(os.fsencode(entry)), pairs))

    def metadata(self, name: str, values: Iterable[tuple[bytes, bytes | None]]) -> None:
        """METADATA (RFC 5464 section 4.4.1) with values."""
        pairs = b" ".join(b"%b %b" % (quoted(entry), nstring(value)) for entry, value in values)
        self.untagged(b"METADATA %b (%b)" % (astring(name), pairs))

    # ACL and QUOTA

    def acl(self, name: str, entries: Iterable[tuple[str, str]]) -> None:
        pairs = b"".join(b" %b %b" % (astring(identifier), astring(rights)) for identifier, rights in entries)
        self.untagged(b"ACL %b%b" % (astring(name), pairs))

    def listrights(self, name: str, identifier: str, required: str, optional: Iterable[str]) -> None:
        self.untagged(
            b"LISTRIGHTS %b %b %b%b"
            % (
                astring(name),
                astring(identifier),
                astring(required),
                b"".join(b" " + right.encode("ascii") for right in optional),
            )
        )

    def myrights(self, name: str, rights: str) -> None:
        self.untagged(b"MYRIGHTS %b %b" % (astring(name), astring(rights)))

    def quota(self, root: str, resources: Iterable[tuple[str, int, int]]) -> None:
        """QUOTA: for each limited resource its name, usage and limit, in the protocol's units."""
        triplets = b" ".join(
            b"%b %d %d" % (name.encode("ascii"), used, limit) for name, used, limit in resources
        )
        self.untagged(b"QUOTA %b (%b)" % (astring(root), triplets))

    def quotaroot(self, name: str, roots: Iterable[str]) -> None:
        self.untagged(b"QUOTAROOT %b%b" % (astring(name), b"".join(b" " + astring(root) for root in roots)))


def _condition(text: str, code: str | None) -> bytes:
    """A text may repeat what a client sent in a literal, which must not end the response early."""
    line = f"[{code}] {text}" if code else text
    if "\n" in line or "\r" in line or "\0" in line:
        line = line.translate(_NO_TEXT)
    return os.fsencode(line) + b"\r\n"


def _namespace_group(group: Sequence[tuple[str, str]]) -> bytes:
    if not group:
        return b"NIL"
    return b"(%b)" % b"".join(
        b'("%b" "%b")' % (os.fsencode(prefix), delimiter.encode("ascii")) for prefix, delimiter in group
    )


def _modseq(modseq: int | None) -> bytes:
    return b"" if modseq is None else b" (MODSEQ %d)" % modseq
