"""Search programs, which SEARCH, SORT and THREAD share (RFC 3501 section 6.4.4, RFC 4731, RFC 5032)."""

from __future__ import annotations

import enum
import os
import re
import time
from collections.abc import Callable
from typing import Final

from imap.imapd.parse import (
    DQUOTE,
    LBRACE,
    LPAREN,
    RPAREN,
    SP,
    MissingArgument,
    ParseError,
    Parser,
    is_atom,
    is_sequence,
)
from libcyrus.base.dataclasses import dataclass, field
from libcyrus.base.numbers import hundredths
from libcyrus.base.times import MONTHS
from libcyrus.errors import UnrecognizedCharset
from libcyrus.search.expr import (
    MAX_DEPTH,
    All,
    And,
    Annotated,
    Between,
    Contains,
    ConversationFlag,
    ConversationModseq,
    Expr,
    Flag,
    Fuzzy,
    HasFlag,
    HasSavedate,
    Header,
    InFolder,
    Item,
    Keyword,
    Not,
    Number,
    ObjectId,
    Or,
    Sequence,
    SpamScore,
    Text,
    depth,
)
from libcyrus.text import charset

_INVALID = "Invalid Search criteria"
_BAD_NUMBER = "Invalid number in Search command"
_MAX_INT32 = 0x7FFFFFFF
_MAX_INT64 = 0x7FFFFFFFFFFFFFFF
_MAX_KEYS = 10000
"""Keys in one program; operators that are open at the same time are limited to as many."""

_DATE = re.compile(
    rb'(")?([0-9]{1,2})-([A-Za-z]{3})-(?:(19|[2-9][0-9])([0-9])([0-9])|([0-9]{2})(?![0-9]))(?(1)")'
)
_MONTHS = {name.lower().encode("ascii"): number for number, name in enumerate(MONTHS, 1)}


class Return(enum.Flag):
    """The options of RETURN (RFC 4731 section 3.1, RFC 6203 section 4)."""

    NONE = 0
    MIN = enum.auto()
    MAX = enum.auto()
    ALL = enum.auto()
    COUNT = enum.auto()
    RELEVANCY = enum.auto()


_RETURNS: Final = {
    b"min": Return.MIN,
    b"max": Return.MAX,
    b"all": Return.ALL,
    b"count": Return.COUNT,
    b"relevancy": Return.RELEVANCY,
}


@dataclass(frozen=True, slots=True)
class SearchArgs:
    """``returns`` NONE asks for an untagged SEARCH, anything else for an ESEARCH.

    ``modseq`` asks for the highest mod-sequence of what is found (RFC 7162 section 3.1.5).
    """

    program: Expr
    returns: Return = Return.NONE
    modseq: bool = False


class _Kind(enum.Enum):
    AND = enum.auto()
    OR = enum.auto()
    NOT = enum.auto()
    FUZZY = enum.auto()

    @property
    def is_unary(self) -> bool:
        return self in (_Kind.NOT, _Kind.FUZZY)


@dataclass(slots=True)
class _Group:
    """An operator whose operands are being read.

    ``operands`` is flat: those of a group of the same kind inside are among them. ``is_list`` says that the
    group is in parentheses; ``read`` counts what was read of it.
    """

    kind: _Kind
    operands: list[Expr] = field(default_factory=list)
    is_list: bool = False
    read: int = 0

    def take(self, inner: _Group) -> None:
        """Make another group, which is complete, an operand of this one."""
        self.read += 1
        if inner.kind.is_unary or len(inner.operands) != 1 and inner.kind is not self.kind:
            self.operands.append(inner.close())
        else:
            self.operands.extend(inner.operands)

    def close(self) -> Expr:
        operands = self.operands
        if self.kind.is_unary:
            child = operands[0] if len(operands) == 1 else And(tuple(operands))
            if self.kind is _Kind.FUZZY:
                return Fuzzy(child)
            return child.child if isinstance(child, Not) else Not(child)
        if self.kind is _Kind.AND and not operands:
            return All()
        if len(operands) == 1:
            return operands[0]
        return And(tuple(operands)) if self.kind is _Kind.AND else Or(tuple(operands))


def read_return_options(parser: Parser) -> Return:
    """The list behind RETURN and its space (RFC 4731 section 3.1)."""
    if not parser.accept(LPAREN):
        raise ParseError("Missing return options in Search")
    returns = Return.NONE
    while True:
        word = parser.word().lower()
        if not word:
            break
        option = _RETURNS.get(word)
        if option is None:
            raise ParseError(f"Invalid Search return option {os.fsdecode(word)}")
        returns |= option
        if not parser.accept(SP):
            break
    if not parser.accept(RPAREN):
        raise ParseError("Missing close parenthesis in Search")
    return returns or Return.ALL


class SearchProgram:
    """Reads a search program without recursion: clients make long chains of OR.

    SEARCH may begin with RETURN and CHARSET; with ``charset_first`` (SORT, THREAD) there is neither, but the
    name of a charset.
    """

    def __init__(self, parser: Parser, *, charset_first: bool = False) -> None:
        self._parser = parser
        self._charset = charset.lookup(b"us-ascii")
        self._charset_first = charset_first
        self._charset_allowed = self._return_allowed = not charset_first
        self._returns = Return.NONE
        self._word = ""
        self._keys = 0
        self.uses_modseq = False

    def parse(self) -> SearchArgs:
        """Raises ParseError, and LiteralTooLarge."""
        parser = self._parser
        if self._charset_first:
            self._take_charset()
        groups = [_Group(_Kind.AND)]
        while True:
            group = self._criterion(groups)
            if group is None:
                continue
            # what is complete goes into what it belongs to, as far as that is complete by now
            while True:
                top = groups[-1]
                if top.is_list and not top.read and parser.accept(RPAREN):
                    groups.pop()
                    continue
                top.take(group)
                if top.kind.is_unary:
                    group = groups.pop()
                elif top.kind is _Kind.OR:
                    if top.read == 1:
                        if not parser.accept(SP):
                            raise self._missing_argument()
                        break
                    group = groups.pop()
                elif parser.accept(SP):
                    break
                elif not top.is_list:
                    return self._result(top)
                elif parser.accept(RPAREN):
                    group = groups.pop()
                else:
                    raise ParseError("Missing required close paren in Search command")

    def _result(self, group: _Group) -> SearchArgs:
        program = group.close()
        if depth(program) > MAX_DEPTH:
            raise ParseError("Search criteria are nested too deeply")
        return SearchArgs(program, self._returns, self.uses_modseq)

    def _criterion(self, groups: list[_Group]) -> _Group | None:
        """Read one key; None if it opens a group, which is then the last of ``groups``, or sets a charset."""
        parser = self._parser
        self._keys += 1
        if self._keys > _MAX_KEYS:
            raise ParseError("Too many Search criteria")
        word = parser.word().lower()
        self._word = os.fsdecode(word)
        if not word and parser.accept(LPAREN):
            groups.append(_Group(_Kind.AND, is_list=True))
            return None
        operator = _OPERATORS.get(word)
        if operator is not None:
            self._space()
            groups.append(_Group(operator))
            return None
        if word == b"return" and self._return_allowed:
            self._return_allowed = False
            self._charset_allowed = groups[-1].kind is not _Kind.FUZZY
            self._need_no_operand(groups)
            parser.pos += 1
            self._returns = read_return_options(parser)
            return _Group(_Kind.AND)
        if word == b"charset" and self._charset_allowed:
            self._charset_allowed = self._return_allowed = False
            self._need_no_operand(groups)
            self._read_charset()
            return None
        operand = self._key(word)
        self._charset_allowed = self._return_allowed = False
        return _Group(_Kind.AND, [operand])

    def _need_no_operand(self, groups: list[_Group]) -> None:
        """What is no key may stand where none need be; FUZZY means nothing then."""
        while groups[-1].kind is _Kind.FUZZY:
            groups.pop()
        if groups[-1].kind is not _Kind.AND:
            raise ParseError(_INVALID)

    def _key(self, word: bytes) -> Expr:
        simple = _SIMPLE.get(word)
        if simple is not None:
            return simple
        if word[:1].isdigit() or word[:1] == b"*":
            return self._sequence(word, by_uid=False)
        if word == b"annotation":
            return self._annotation()
        read = _WITH_ARGUMENT.get(word)
        if self._parser.limits.conversations:
            simple = _SIMPLE_OF_CONVERSATIONS.get(word)
            if simple is not None:
                return simple
            read = read or _OF_CONVERSATIONS.get(word)
        if read is None:
            raise ParseError(_INVALID)
        self._space()
        return read(self)

    # arguments

    def _missing_argument(self) -> ParseError:
        return ParseError(f"Missing required argument to Search {self._word}")

    def _space(self) -> None:
        if not self._parser.accept(SP):
            raise self._missing_argument()

    def _string(self) -> bytes:
        try:
            value = self._parser.astring()
        except MissingArgument:
            raise self._missing_argument() from None
        self._parser.check_arguments()
        return value

    def _text(self) -> str:
        assert self._charset is not None
        return self._charset.decode(self._string())

    def _sequence(self, word: bytes, *, by_uid: bool) -> Expr:
        if not is_sequence(word):
            raise ParseError(_INVALID)
        return Sequence(word.decode("ascii"), by_uid)

    def uid(self) -> Expr:
        return self._sequence(self._parser.word(), by_uid=True)

    def keyword(self) -> Expr:
        name = self._parser.word()
        if not is_atom(name):
            raise ParseError(f"Invalid flag name {os.fsdecode(name)} in Search command")
        return Keyword(os.fsdecode(name))

    def _annotation(self) -> Expr:
        """RFC 5257 section 4.5."""
        parser = self._parser
        try:
            names = []
            for _ in range(2):
                parser.sp()
                names.append(os.fsdecode(parser.astring()))
            parser.sp()
            entry, attribute = names
            if not entry or attribute not in ("value", "value.shared", "value.priv"):
                raise ParseError(_INVALID)
            value = parser.binary_nstring()
        except MissingArgument:
            raise ParseError(_INVALID) from None
        parser.check_arguments()
        # the empty string means the same as NIL
        return Annotated(entry, attribute, value or None)

    def header(self) -> Expr:
        name = self._string()
        self._space()
        text = self._text()
        item = _HEADER_ITEMS.get(name.lower())
        return Header(name.lower(), text) if item is None else Contains(item, text, exact=True)

    def text_in(self, item: Item) -> Expr:
        return Contains(item, self._text())

    def message_text(self, *, body_only: bool) -> Expr:
        return Text(self._text(), body_only)

    def folder(self) -> Expr:
        """Its name is as the client spells it, for ``named`` to make an internal one of."""
        return InFolder(os.fsdecode(self._string()))

    def spam_score(self) -> int:
        try:
            value = self._parser.astring()
        except MissingArgument:
            raise ParseError(_BAD_NUMBER) from None
        self._parser.check_arguments()
        return hundredths(os.fsdecode(value))

    def conversation_flag(self) -> Expr:
        return ConversationFlag(os.fsdecode(self._parser.word().lower()))

    def conversation_modseq(self) -> Expr:
        value = self._parser.modseq()
        if value is None:
            raise ParseError(_BAD_NUMBER)
        return ConversationModseq(value)

    def number(self) -> int:
        value = self._parser.number(_MAX_INT32)
        if value is None:
            raise ParseError(_BAD_NUMBER)
        return value

    def moment(self) -> int:
        """The time that many seconds ago (RFC 5032)."""
        seconds = self._parser.number(_MAX_INT64)
        if seconds is None:
            raise ParseError("Invalid interval in Search command")
        return int(time.time()) - seconds

    def day(self) -> tuple[int, int]:
        """When a day begins and when the next one does, local time. Days run over into later months."""
        parser = self._parser
        found = _DATE.match(parser.line, parser.pos)
        month = _MONTHS.get(found[3].lower()) if found is not None else None
        if found is None or month is None:
            raise ParseError("Invalid date in Search command")
        parser.pos = found.end()
        year = 1900 + int(found[7]) if found[7] is not None else int(found[4] + found[5] + found[6])
        day = (year, month, int(found[2]))
        return _midnight(*day, 0), _midnight(*day, 24)

    def modseq(self) -> Expr:
        """RFC 7162 section 3.1.5; all flags share a mod-sequence, so it does not matter which is named."""
        parser = self._parser
        if parser.peek() == DQUOTE:
            self._string()
            self._space()
            parser.word()
            self._space()
        value = parser.modseq()
        if value is None:
            raise ParseError(_BAD_NUMBER)
        self.uses_modseq = True
        return Between(Number.MODSEQ, low=value)

    def object_id(self, letter: str, digits: int) -> Expr:
        """EMAILID or THREADID (RFC 8474 section 4): no message has an id that is none."""
        text = os.fsdecode(self._string())
        value = bytes.fromhex(text[1:]) if re.fullmatch(f"{letter}[0-9a-f]{{{digits}}}", text) else b""
        return ObjectId(letter == "M", value) if any(value) else Not(All())

    def cid(self) -> Expr:
        word = os.fsdecode(self._parser.word())
        if not re.fullmatch("[0-9a-f]{16}", word):
            raise ParseError(_BAD_NUMBER)
        return ObjectId(False, bytes.fromhex(word))

    def _read_charset(self) -> None:
        if not self._parser.accept(SP):
            raise ParseError("Missing charset")
        self._take_charset()

    def _take_charset(self) -> None:
        parser = self._parser
        name = b""
        # a literal is no charset, and must be left for the end of the line to be found
        if parser.peek() == DQUOTE:
            try:
                name = parser.astring()
            except MissingArgument:
                name = b""
        elif parser.peek() != LBRACE:
            name = parser.word()
        if not name or not parser.accept(SP):
            raise ParseError("Missing charset")
        self._charset = charset.lookup(name)
        if self._charset is None:
            raise ParseError(str(UnrecognizedCharset()))


def _midnight(year: int, month: int, day: int, hour: int) -> int:
    try:
        return int(time.mktime((year, month, day, hour, 0, 0, 0, 0, -1)))
    except OverflowError:
        return -1


_OPERATORS: Final = {b"or": _Kind.OR, b"not": _Kind.NOT, b"fuzzy": _Kind.FUZZY}

_SIMPLE: Final[dict[bytes, Expr]] = {
    b"all": All(),
    b"answered": HasFlag(Flag.ANSWERED),
    b"deleted": HasFlag(Flag.DELETED),
    b"draft": HasFlag(Flag.DRAFT),
    b"flagged": HasFlag(Flag.FLAGGED),
    b"recent": HasFlag(Flag.RECENT),
    b"seen": HasFlag(Flag.SEEN),
    b"unanswered": Not(HasFlag(Flag.ANSWERED)),
    b"undeleted": Not(HasFlag(Flag.DELETED)),
    b"undraft": Not(HasFlag(Flag.DRAFT)),
    b"unflagged": Not(HasFlag(Flag.FLAGGED)),
    b"unseen": Not(HasFlag(Flag.SEEN)),
    b"savedatesupported": HasSavedate(),
    b"old": Not(HasFlag(Flag.RECENT)),
    b"new": And((HasFlag(Flag.RECENT), Not(HasFlag(Flag.SEEN)))),
}

_WITH_ARGUMENT: Final[dict[bytes, Callable[[SearchProgram], Expr]]] = {
    b"bcc": lambda program: program.text_in(Item.BCC),
    b"cc": lambda program: program.text_in(Item.CC),
    b"from": lambda program: program.text_in(Item.FROM),
    b"subject": lambda program: program.text_in(Item.SUBJECT),
    b"to": lambda program: program.text_in(Item.TO),
    b"body": lambda program: program.message_text(body_only=True),
    b"text": lambda program: program.message_text(body_only=False),
    b"header": SearchProgram.header,
    b"keyword": SearchProgram.keyword,
    b"modseq": SearchProgram.modseq,
    b"emailid": lambda program: program.object_id("M", 24),
    b"threadid": lambda program: program.object_id("T", 16),
    b"cid": SearchProgram.cid,
    b"savedbefore": lambda program: Between(Number.SAVEDATE, high=program.day()[0]),
    b"savedsince": lambda program: Between(Number.SAVEDATE, low=program.day()[0]),
    b"savedon": lambda program: Between(Number.SAVEDATE, *program.day()),
    b"unkeyword": lambda program: Not(program.keyword()),
    b"uid": SearchProgram.uid,
    b"before": lambda program: Between(Number.INTERNALDATE, high=program.day()[0]),
    b"since": lambda program: Between(Number.INTERNALDATE, low=program.day()[0]),
    b"on": lambda program: Between(Number.INTERNALDATE, *program.day()),
    b"older": lambda program: Between(Number.INTERNALDATE, high=program.moment() + 1),
    b"younger": lambda program: Between(Number.INTERNALDATE, low=program.moment()),
    b"sentbefore": lambda program: Between(Number.SENTDATE, high=program.day()[0]),
    b"sentsince": lambda program: Between(Number.SENTDATE, low=program.day()[0]),
    b"senton": lambda program: Between(Number.SENTDATE, *program.day()),
    b"deliveredto": lambda program: program.text_in(Item.DELIVERED_TO),
    b"folder": SearchProgram.folder,
    b"spamabove": lambda program: SpamScore(low=program.spam_score()),
    b"spambelow": lambda program: SpamScore(high=program.spam_score()),
    b"xattachmentbody": lambda program: program.message_text(body_only=False),
    b"xattachmentname": lambda program: program.text_in(Item.ATTACHMENT_NAME),
    b"xcontenttype": lambda program: program.text_in(Item.CONTENT_TYPE),
    b"xlistid": lambda program: program.text_in(Item.LIST_ID),
    b"larger": lambda program: Between(Number.SIZE, low=program.number() + 1),
    b"smaller": lambda program: Between(Number.SIZE, high=program.number()),
}

_SOME_SEEN: Final = ConversationFlag("\\seen")
_NOT_ALL_SEEN: Final = Not(ConversationFlag("\\seen", on_all=True))
_SIMPLE_OF_CONVERSATIONS: Final[dict[bytes, Expr]] = {
    b"convread": _SOME_SEEN,
    b"convseen": _SOME_SEEN,
    b"convunread": _NOT_ALL_SEEN,
    b"convunseen": _NOT_ALL_SEEN,
}
_OF_CONVERSATIONS: Final[dict[bytes, Callable[[SearchProgram], Expr]]] = {
    b"convflag": SearchProgram.conversation_flag,
    b"convmodseq": SearchProgram.conversation_modseq,
}

_HEADER_ITEMS: Final = {
    b"bcc": Item.BCC,
    b"cc": Item.CC,
    b"from": Item.FROM,
    b"message-id": Item.MESSAGE_ID,
    b"subject": Item.SUBJECT,
    b"to": Item.TO,
}
