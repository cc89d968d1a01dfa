"""FETCH and UID FETCH (RFC 3501 sections 6.4.5 and 6.4.8): the grammar; the answer is in ``fetch_response``.

Beside the RFC's items there are those of older clients: RFC822.PEEK, RFC822.TEXT.PEEK and
RFC822.HEADER.LINES[.NOT] with a list of fields.
"""

from __future__ import annotations

import os
import re
import time

from imap.imapd import annotating, fetch_facts
from imap.imapd.fetch_response import FetchItems, Section, respond
from imap.imapd.parse import LPAREN, RPAREN, SP, MissingArgument, ParseError, Parser
from imap.imapd.response import Bad, No, Ok, Outcome
from imap.imapd.session import Session
from libcyrus import acl
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.errors import CyrusError, UnknownCte

_MACROS = {
    b"ALL": ("flags", "internaldate", "size", "envelope"),
    b"FAST": ("flags", "internaldate", "size"),
    b"FULL": ("flags", "internaldate", "size", "envelope", "body"),
}
_ITEMS = {
    b"FLAGS": ("flags",),
    b"UID": ("uid",),
    b"INTERNALDATE": ("internaldate",),
    b"MODSEQ": ("modseq",),
    b"RFC822.SIZE": ("size",),
    b"ENVELOPE": ("envelope",),
    b"BODYSTRUCTURE": ("bodystructure",),
    b"BODY": ("body",),
    b"RFC822": ("rfc822", "set_seen"),
    b"RFC822.PEEK": ("rfc822",),
    b"RFC822.HEADER": ("rfc822_header",),
    b"RFC822.TEXT": ("rfc822_text", "set_seen"),
    b"RFC822.TEXT.PEEK": ("rfc822_text",),
}
_BODY = re.compile(rb"BODY(?P<peek>\.PEEK)?\[(?P<rest>.*)\Z", re.DOTALL)
_BINARY = re.compile(rb"BINARY(?P<of>\.PEEK|\.SIZE)?\[(?P<rest>.*)\Z", re.DOTALL)
_BINARY_PATH = re.compile(rb"(?:[1-9][0-9]*(?:\.|(?=\])))*\]")
_PATH = re.compile(rb"(?:[1-9][0-9]*(?:\.|(?=[\]HMT])|\Z)|0(?=\]))*")
_PARTIAL = re.compile(rb"<([0-9]+)\.([1-9][0-9]*)>")
_FIELD_NAME = re.compile(rb"[^\x00-\x20:\x80-\xff]+\Z")

_BAD_ANNOTATION = "invalid Annotation"
_MAX_NUMBER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class FetchArgs:
    sequence: str
    items: FetchItems = field(default_factory=FetchItems)


def parse(parser: Parser) -> FetchArgs:
    parser.sp()
    sequence = parser.sequence_argument()
    items = FetchItems()
    word = parser.word()
    in_list = not word and parser.accept(LPAREN)
    if in_list:
        word = parser.word()
    while True:
        _item(parser, word, items, in_list=in_list)
        if not (in_list and parser.accept(SP)):
            break
        word = parser.word()
    if in_list and not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in {full}")
    if parser.accept(SP):
        _modifiers(parser, items)
    if not parser.at_eol():
        raise ParseError("Unexpected extra arguments to {full}")
    parser.eol()
    return FetchArgs(sequence, items)


def run(session: Session, args: FetchArgs, *, by_uid: bool) -> Outcome:
    started = time.process_time()
    view = session.selected()
    items = args.items
    if items.vanished and not (by_uid and session.qresync):
        return Bad(f"Invalid {'UID ' if by_uid else ''}Fetch modifier VANISHED")
    if items.vanished and not items.changedsince:
        return Bad("Missing required argument to UID Fetch")
    if items.modseq:
        session.enable_condstore("MODSEQ fetch")
    items.uid = items.uid or by_uid
    may_mark = items.set_seen and not view.readonly and bool(view.rights & acl.SETSEEN)
    failure: CyrusError | None = None
    try:
        try:
            fetched = respond(session, items, args.sequence, by_uid=by_uid, mark_seen=may_mark)
        except UnknownCte as error:
            failure = error
        session.tell(expunges=by_uid, by_uid=by_uid, refresh=False)
    except CyrusError as error:
        failure = error
    spent = f"({time.process_time() - started:.3f} sec)"
    if failure is not None:
        return No(f"{failure} {spent}")
    if fetched or by_uid:
        return Ok(f"Completed {spent}")
    return No(f"No matching messages {spent}")


def _item(parser: Parser, word: bytes, items: FetchItems, *, in_list: bool) -> None:
    name = word.upper()
    names = _ITEMS.get(name) or (None if in_list else _MACROS.get(name))
    if names is not None:
        for attribute in names:
            setattr(items, attribute, True)
        return
    if name == b"ANNOTATION":
        _annotation(parser, items)
        return
    fact = os.fsdecode(name)
    if fact in fetch_facts.NAMES and (
        parser.limits.conversations or fact not in fetch_facts.OF_CONVERSATIONS
    ):
        items.facts.add(fact)
        if name == b"PREVIEW":
            _preview(parser)
        return
    if name in (b"RFC822.HEADER.LINES", b"RFC822.HEADER.LINES.NOT"):
        _header_lines(parser, name, items)
        return
    binary = _BINARY.match(name)
    if binary is not None:
        _binary_section(name, binary["of"], binary["rest"], items)
        return
    body = _BODY.match(name)
    if body is None:
        raise ParseError("Invalid {full} attribute " + os.fsdecode(name))
    if body["peek"] is None:
        items.set_seen = True
    _section(parser, name, body["rest"], items)


def _annotation(parser: Parser, items: FetchItems) -> None:
    """RFC 5257 section 4.4. What several such items ask for is asked for together."""
    if not (parser.accept(SP) and parser.accept(LPAREN)):
        raise ParseError(_BAD_ANNOTATION)
    entries, attributes = annotating.fetch_data(parser, of_message=True)
    if not parser.accept(RPAREN):
        raise ParseError(_BAD_ANNOTATION)
    items.annotation = True
    items.entries += entries
    items.attributes += attributes


def _preview(parser: Parser) -> None:
    """LAZY (RFC 8970 section 3.1) changes nothing, since what is not stored is not made."""
    start = parser.pos
    if not (parser.accept(SP) and parser.accept(LPAREN)):
        parser.pos = start
        return
    while True:
        word = parser.word()
        if word.upper() != b"LAZY":
            raise ParseError(f"FETCH contains invalid preview modifier ({word.decode('latin-1')})")
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("PREVIEW list not finished.")


def _header_lines(parser: Parser, name: bytes, items: FetchItems) -> None:
    names = _field_names(parser, name)
    if name.endswith(b".NOT"):
        items.header_lines_not += [field.lower() for field in names]
    else:
        items.header_lines += [field.lower() for field in names]


def _section(parser: Parser, item: bytes, rest: bytes, items: FetchItems) -> None:
    """What follows ``BODY[``, as far as it is in the same word."""
    found = _PATH.match(rest)
    assert found is not None
    digits, spec = found[0], rest[found.end() :]
    at_start = not digits or digits.endswith(b".")
    if at_start and spec in (b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"):
        _fields_section(parser, item, rest, digits, items, inverted=spec.endswith(b".NOT"))
        return
    kind = ""
    for word in (b"HEADER", b"TEXT", b"MIME"):
        if spec.startswith(word + b"]") and at_start and (word != b"MIME" or digits):
            kind = word.decode("ascii")
            spec = spec[len(word) :]
            break
    if not spec.startswith(b"]"):
        raise ParseError("Invalid body section")
    name = rest[: len(rest) - len(spec)]
    start, count, label = _partial(spec[1:])
    path = tuple(int(number[:10]) for number in digits.split(b".") if number)
    items.sections.append(Section(b"BODY[%b]%b" % (name, label), path, kind, start, count))


def _binary_section(name: bytes, of: bytes | None, rest: bytes, items: FetchItems) -> None:
    """RFC 3516 section 4.2; ``of`` is what stands behind the word BINARY."""
    items.set_seen = items.set_seen or of is None
    found = _BINARY_PATH.match(rest)
    if found is None:
        raise ParseError("Invalid binary section")
    tail = rest[found.end() :]
    path = tuple(int(number[:10]) for number in found[0][:-1].split(b".") if number)
    if of == b".SIZE":
        if tail:
            raise ParseError("Junk after binary section")
        items.binary_sizes.append(Section(b"BINARY.SIZE[" + found[0], path, ""))
        return
    start, count, label = _partial(tail, junk="Junk after binary section")
    items.binaries.append(Section(b"BINARY[" + found[0] + label, path, "", start, count))


def _fields_section(
    parser: Parser, item: bytes, rest: bytes, digits: bytes, items: FetchItems, *, inverted: bool
) -> None:
    names = _field_names(parser, item)
    tail = parser.word()
    if not tail.startswith(b"]"):
        raise ParseError("Missing required close bracket after {full} " + os.fsdecode(item))
    start, count, label = _partial(tail[1:])
    path = tuple(int(number[:10]) for number in digits.split(b".") if number)
    section = Section(rest, path, "FIELDS", start, count, tuple(names), inverted, b"]" + label)
    items.field_sections.append(section)


def _field_names(parser: Parser, item: bytes) -> list[bytes]:
    about = "{full} " + os.fsdecode(item)
    if not parser.accept(SP):
        raise ParseError("Missing required argument to " + about)
    if not parser.accept(LPAREN):
        raise ParseError("Missing required open parenthesis in " + about)
    names = []
    while True:
        try:
            name = parser.astring()
        except MissingArgument:
            raise ParseError("Invalid field-name in " + about) from None
        if not _FIELD_NAME.match(name):
            raise ParseError("Invalid field-name in " + about)
        names.append(name)
        parser.check_arguments()
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing required close parenthesis in " + about)
    return names


def _partial(text: bytes, *, junk: str = "Junk after body section") -> tuple[int, int, bytes]:
    """``<start.count>``: the two numbers, a count of 0 for none, and how the answer shows it."""
    if not text:
        return 0, 0, b""
    found = _PARTIAL.match(text)
    if found is None:
        raise ParseError("Invalid body partial" if re.match(rb"<[0-9]", text) else junk)
    if found.end() != len(text):
        raise ParseError(junk)
    start = min(int(found[1][:11]), _MAX_NUMBER)
    return start, min(int(found[2][:11]), _MAX_NUMBER), b"<%b>" % found[1]


def _modifiers(parser: Parser, items: FetchItems) -> None:
    """CHANGEDSINCE and VANISHED (RFC 7162 sections 3.1.4.1 and 3.2.6) in the form of RFC 4466."""
    if not parser.accept(LPAREN):
        raise ParseError("Missing required open parenthesis in {full} modifiers")
    while True:
        name = parser.word().upper()
        parser.check_arguments()
        if name == b"CHANGEDSINCE":
            if not parser.accept(SP):
                raise ParseError("Missing required argument to {full} CHANGEDSINCE")
            items.changedsince = parser.modseq()
            if items.changedsince is None:
                raise ParseError("Invalid argument to {full} CHANGEDSINCE")
            items.modseq = True
        elif name == b"VANISHED":
            items.vanished = True
        else:
            raise ParseError("Invalid {full} modifier " + os.fsdecode(name))
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in {full}")
