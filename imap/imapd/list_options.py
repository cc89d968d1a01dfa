"""The grammar of LIST and what it asks for (RFC 3501, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590)."""

from __future__ import annotations

import enum
import os

from imap.imapd.commands import metadata
from imap.imapd.commands.status import parse_items
from imap.imapd.parse import (
    LITERAL_TOO_LARGE,
    LPAREN,
    RPAREN,
    SP,
    LiteralTooLarge,
    MissingArgument,
    ParseError,
    Parser,
)
from imap.imapd.response import No
from libcyrus.base.dataclasses import dataclass, field

_SYNTAX = "Invalid syntax in List command"


class Select(enum.Flag):
    """Which names are listed."""

    NONE = 0
    SUBSCRIBED = enum.auto()
    REMOTE = enum.auto()
    RECURSIVEMATCH = enum.auto()
    SPECIAL_USE = enum.auto()
    METADATA = enum.auto()
    DAV = enum.auto()
    DELETED = enum.auto()
    NONEXISTENT = enum.auto()


class Return(enum.Flag):
    """What is told of each."""

    NONE = 0
    SUBSCRIBED = enum.auto()
    CHILDREN = enum.auto()
    SPECIAL_USE = enum.auto()
    STATUS = enum.auto()
    MYRIGHTS = enum.auto()
    METADATA = enum.auto()


INCLUDE_DELETED = "vendor.cmu-include-deleted"
BAD_SELECTION = 'Invalid List selection option "{}"'
_SELECTIONS = {
    "subscribed": (Select.SUBSCRIBED, Return.SUBSCRIBED),
    "remote": (Select.REMOTE, Return.NONE),
    "recursivematch": (Select.RECURSIVEMATCH, Return.NONE),
    "special-use": (Select.SPECIAL_USE, Return.SPECIAL_USE),
    "metadata": (Select.METADATA, Return.METADATA),
    "vendor.cmu-dav": (Select.DAV, Return.NONE),
    INCLUDE_DELETED: (Select.DELETED, Return.NONE),
    "vendor.fm-include-nonexistent": (Select.NONEXISTENT, Return.NONE),
}
_RETURNS = {
    "subscribed": Return.SUBSCRIBED,
    "children": Return.CHILDREN,
    "special-use": Return.SPECIAL_USE,
    "status": Return.STATUS,
    "myrights": Return.MYRIGHTS,
    "metadata": Return.METADATA,
}


@dataclass(slots=True)
class ListArgs:
    """``kind`` is the name of the responses; ``extended`` says that the client speaks RFC 5258.

    ``scan`` is the text that messages of a mailbox must hold for it to be told.
    """

    kind: bytes
    returns: Return
    reference: str = ""
    patterns: list[str] = field(default_factory=list)
    extended: bool = False
    select: Select = Select.NONE
    status: frozenset[str] = frozenset()
    metadata_entries: list[str] = field(default_factory=list)
    metadata_options: metadata.Options = field(default_factory=metadata.Options)
    scan: bytes | None = None


def parse(parser: Parser, *, kind: bytes) -> ListArgs | No:
    """LIST or XLIST; a literal that is too large is refused in words of its own."""
    parser.sp()
    returns = Return.CHILDREN if kind == b"LIST" else Return.CHILDREN | Return.SPECIAL_USE
    try:
        return _Reader(parser, ListArgs(kind, returns)).read()
    except LiteralTooLarge:
        return No(f"{LITERAL_TOO_LARGE} in List")


class _Reader:
    def __init__(self, parser: Parser, args: ListArgs) -> None:
        self._parser = parser
        self._args = args

    def read(self) -> ListArgs:
        parser, args = self._parser, self._args
        if parser.accept(LPAREN):
            self._extend()
            self._selection()
            # whatever stands between the list and the name
            parser.pos += 1
        try:
            args.reference = os.fsdecode(parser.astring())
        except MissingArgument:
            raise ParseError("Missing required argument to List: reference name") from None
        if not parser.accept(SP):
            raise ParseError("Missing required argument to List: mailbox pattern")
        if parser.accept(LPAREN):
            self._extend()
            self._patterns()
        else:
            try:
                args.patterns.append(os.fsdecode(parser.astring()))
            except MissingArgument:
                raise ParseError("Missing required argument to List: mailbox pattern") from None
        if parser.accept(SP):
            self._extend()
            self._return()
        if not parser.at_eol():
            raise ParseError("Unexpected extra arguments to List")
        parser.eol()
        return args

    def _extend(self) -> None:
        self._args.extended = True
        self._args.kind = b"LIST"

    def _patterns(self) -> None:
        parser = self._parser
        while True:
            try:
                pattern = os.fsdecode(parser.astring())
            except MissingArgument:
                raise ParseError(_SYNTAX) from None
            parser.check_arguments()
            if pattern:
                self._args.patterns.append(pattern)
            if not parser.accept(SP):
                break
        if not parser.accept(RPAREN):
            raise ParseError(_SYNTAX)

    def _selection(self) -> None:
        parser, args = self._parser, self._args
        if parser.accept(RPAREN):
            return
        while True:
            word = self._word()
            chosen = _SELECTIONS.get(word)
            if chosen is None:
                raise ParseError(BAD_SELECTION.format(word))
            args.select |= chosen[0]
            args.returns |= chosen[1]
            if word == "metadata":
                parser.step()
                args.metadata_options = metadata.parse_options(parser)
            if not parser.accept(SP):
                break
        if not parser.accept(RPAREN):
            raise ParseError("Missing close parenthesis for List selection options")
        if Select.RECURSIVEMATCH in args.select and Select.SUBSCRIBED not in args.select:
            raise ParseError("Invalid combination of selection options")

    def _return(self) -> None:
        parser, args = self._parser, self._args
        word = self._word()
        if word != "return":
            raise ParseError(f'Unexpected extra argument to List: "{word}"')
        if not (parser.accept(SP) and parser.accept(LPAREN)):
            raise ParseError("Missing return argument list")
        if parser.accept(RPAREN):
            return
        while True:
            word = self._word()
            chosen = _RETURNS.get(word)
            if chosen is None:
                raise ParseError(f'Invalid List return option "{word}"')
            args.returns |= chosen
            if chosen is Return.STATUS:
                if not parser.accept(SP):
                    raise ParseError("Bad status string")
                args.status = parse_items(parser)
            elif chosen is Return.METADATA:
                parser.step()
                args.metadata_entries += metadata.parse_entries(parser)
            if not parser.accept(SP):
                break
        if not parser.accept(RPAREN):
            raise ParseError("Missing close parenthesis for List return options")

    def _word(self) -> str:
        word = self._parser.word().lower().decode("latin-1")
        self._parser.check_arguments()
        if not word:
            raise ParseError(_SYNTAX)
        return word
