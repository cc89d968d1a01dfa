"""Bytecode as the interpreter runs it: checked, in one form for all versions, immutable.

Decoding is linear in the size of the file, and a Program may be kept as long as its file has the same
identity (device, inode, size, time of change): nothing in it changes and nothing refers to the outside.

Older forms become the newest: ``mark`` is an ``addflag``, days of vacation are seconds, a snooze to a mailbox
id has one, missing arguments are None or empty. ``NULL`` (an empty block) is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from libcyrus.base.dataclasses import dataclass
from sieve.bytecode import actions, conditions
from sieve.bytecode.actions import Action, Fcc
from sieve.bytecode.conditions import Condition, Match
from sieve.bytecode.opcodes import Imip, Include, Modifier, Op, Requires, Tag, TestOp, Weekdays
from sieve.bytecode.reader import Arguments, Comparator, Copy, Instruction, Test, read
from sieve.errors import BytecodeError

_DAY = 86400
_FLAGGED = (rb"\Flagged",)
_MATCHES = frozenset({Tag.IS, Tag.CONTAINS, Tag.MATCHES, Tag.REGEX, Tag.LIST, Tag.COUNT, Tag.VALUE})
_RELATIONS = frozenset({Tag.GT, Tag.GE, Tag.LT, Tag.LE, Tag.EQ, Tag.NE})
_COLLATIONS = frozenset({Tag.ASCIICASEMAP, Tag.OCTET, Tag.ASCIINUMERIC})
_ADDRESS_PARTS = frozenset({Tag.ALL, Tag.LOCALPART, Tag.DOMAIN, Tag.USER, Tag.DETAIL})
_TRANSFORMS = frozenset({Tag.RAW, Tag.TEXT, Tag.CONTENT})
_DATE_PARTS = frozenset(Tag(number) for number in range(Tag.YEAR, Tag.WEEKDAY + 1))
_PRIORITIES = frozenset({Tag.LOW, Tag.NORMAL, Tag.HIGH})
_ZONES = frozenset({Tag.TIMEZONE, Tag.ORIGINALZONE})
_ID_TYPES = frozenset({Tag.HEADER, Tag.UNIQUEID})
_LOCATIONS = frozenset({Tag.PERSONAL, Tag.GLOBAL})
_SIZES = frozenset({Tag.OVER, Tag.UNDER})


@dataclass(frozen=True, slots=True)
class Program:
    """``code`` runs from 0 to its end; only If and Jump lead elsewhere, and only forward."""

    version: int
    variables: bool
    code: tuple[Action, ...]


def load(data: bytes) -> Program:
    """What ``data``, a file of bytecode, says. Raises BytecodeError, BytecodeVersion."""
    code = read(data)
    kept: list[Instruction] = []
    otherwise: dict[int, int] = {}
    numbers: dict[int, int] = {code.words: 0}
    previous = None
    for instruction in code.instructions:
        numbers[instruction.position] = len(kept)
        if previous is not None and previous.op is Op.IF:
            # the jump to the other branch, that an IF has right behind its test
            otherwise[previous.position] = _int(instruction.arguments, "target")
        elif instruction.op is not Op.NULL:
            kept.append(instruction)
        previous = instruction
    numbers[code.words] = len(kept)
    branches = {position: numbers[target] for position, target in otherwise.items()}
    return Program(
        code.version,
        bool(code.requires & Requires.VARIABLES),
        tuple([_action(instruction, numbers, branches) for instruction in kept]),
    )


def _action(instruction: Instruction, numbers: dict[int, int], branches: dict[int, int]) -> Action:
    try:
        if instruction.test is not None:
            return actions.If(_condition(instruction.test), branches[instruction.position])
        if instruction.op is Op.JUMP:
            return actions.Jump(numbers[_int(instruction.arguments, "target")])
        return _ACTIONS[instruction.op](instruction.op, instruction.arguments)
    except BytecodeError as error:
        raise BytecodeError(str(error), instruction.position) from error


def _condition(test: Test) -> Condition:
    if test.op is TestOp.NOT:
        return conditions.Not(_condition(test.tests[0]))
    if test.op is TestOp.ANYOF:
        return conditions.AnyOf(tuple([_condition(each) for each in test.tests]))
    if test.op is TestOp.ALLOF:
        return conditions.AllOf(tuple([_condition(each) for each in test.tests]))
    return _CONDITIONS[test.op](test.arguments)


# arguments; the reader has given each the type of its kind


def _int(arguments: Arguments, name: str) -> int:
    value: Any = arguments.get(name, 0)
    return int(value)


def _text(arguments: Arguments, name: str) -> bytes:
    """A string that must be there."""
    value: Any = arguments.get(name)
    if value is None:
        raise BytecodeError(f"no {name}")
    return bytes(value)


def _maybe(arguments: Arguments, name: str) -> bytes | None:
    value: Any = arguments.get(name)
    return value  # type: ignore[no-any-return]


def _list(arguments: Arguments, name: str) -> tuple[bytes, ...]:
    value: Any = arguments.get(name, ())
    return value  # type: ignore[no-any-return]


def _one_of(number: int, known: frozenset[Tag], what: str) -> Tag:
    if number not in known:
        raise BytecodeError(f"no {what} {number}")
    return Tag(number)


def _tag(arguments: Arguments, name: str, known: frozenset[Tag]) -> Tag:
    return _one_of(_int(arguments, name), known, name)


def _match(arguments: Arguments) -> Match:
    comparator = arguments["comparator"]
    assert isinstance(comparator, Comparator)
    return _matched(comparator.match, comparator.relation, comparator.collation)


def _matched(match: int, relation: int, collation: int) -> Match:
    kind = _one_of(match, _MATCHES, "match type")
    relational = kind is Tag.COUNT or kind is Tag.VALUE
    return Match(
        kind,
        _one_of(relation, _RELATIONS, "relation") if relational else None,
        _one_of(collation, _COLLATIONS, "comparator"),
    )


def _zone(arguments: Arguments) -> tuple[bytes | None, bool]:
    zone: Any = arguments["zone"]
    return zone.offset, _one_of(zone.tag, _ZONES, "zone") is Tag.ORIGINALZONE


def _fcc(arguments: Arguments) -> Fcc | None:
    copy = arguments.get("fcc")
    if not isinstance(copy, Copy):
        return None
    return Fcc(copy.folder, bool(copy.create), copy.flags, copy.specialuse, copy.mailboxid)


# actions


def _fileinto(_op: Op, a: Arguments) -> Action:
    return actions.Fileinto(
        _text(a, "folder"),
        bool(_int(a, "copy")),
        bool(_int(a, "create")),
        _list(a, "flags"),
        _maybe(a, "specialuse"),
        _maybe(a, "mailboxid"),
    )


def _redirect(_op: Op, a: Arguments) -> Action:
    return actions.Redirect(
        _text(a, "address"),
        bool(_int(a, "copy")),
        bool(_int(a, "list")),
        _maybe(a, "bytime"),
        _maybe(a, "bymode"),
        bool(_int(a, "bytrace")),
        _maybe(a, "notify"),
        _maybe(a, "ret"),
    )


def _notify(_op: Op, a: Arguments) -> Action:
    priority = _tag(a, "priority", _PRIORITIES)
    return actions.Notify(
        _text(a, "method"), _maybe(a, "id"), _list(a, "options"), priority, _text(a, "message")
    )


def _enotify(_op: Op, a: Arguments) -> Action:
    priority = _tag(a, "priority", _PRIORITIES)
    return actions.Enotify(
        _text(a, "method"), _maybe(a, "sender"), _list(a, "options"), priority, _text(a, "message")
    )


def _denotify(_op: Op, a: Arguments) -> Action:
    match = _matched(_int(a, "match"), _int(a, "relation"), Tag.ASCIICASEMAP)
    return actions.Denotify(_tag(a, "priority", _PRIORITIES | {Tag.ANY}), match, _maybe(a, "pattern"))


def _vacation(op: Op, a: Arguments) -> Action:
    unit = _DAY if op is Op.VACATION_ORIG else 1
    return actions.Vacation(
        _list(a, "addresses"),
        _maybe(a, "subject"),
        _text(a, "message"),
        _int(a, "seconds") * unit,
        bool(_int(a, "mime")),
        _maybe(a, "sender"),
        _maybe(a, "handle"),
        _fcc(a),
    )


def _include(_op: Op, a: Arguments) -> Action:
    flags = _int(a, "flags")
    location = _one_of(flags & Include.LOCATION, _LOCATIONS, "location")
    return actions.Include(
        _text(a, "script"), location is Tag.GLOBAL, bool(flags & Include.ONCE), bool(flags & Include.OPTIONAL)
    )


def _delete_header(_op: Op, a: Arguments) -> Action:
    return actions.DeleteHeader(_int(a, "index"), _match(a), _text(a, "name"), _list(a, "values"))


def _snooze(_op: Op, a: Arguments) -> Action:
    days = _int(a, "days")
    folder, mailboxid = _maybe(a, "folder"), _maybe(a, "mailboxid")
    if days & Weekdays.IS_ID:
        folder, mailboxid = None, folder
    times: Any = a["times"]
    return actions.Snooze(
        folder,
        mailboxid,
        _maybe(a, "specialuse"),
        bool(_int(a, "create")),
        _list(a, "addflags"),
        _list(a, "removeflags"),
        days & Weekdays.ALL,
        _maybe(a, "tzid"),
        times,
    )


def _imip(_op: Op, a: Arguments) -> Action:
    flags = Imip(_int(a, "flags") & 7)
    return actions.ProcessImip(flags, _maybe(a, "calendarid"), _maybe(a, "outcome"), _maybe(a, "errstr"))


def _variable(a: Arguments) -> bytes:
    return _maybe(a, "variable") or b""


def _keep(_op: Op, a: Arguments) -> Action:
    return actions.Keep(_list(a, "flags"))


def _set_flag(_op: Op, a: Arguments) -> Action:
    return actions.SetFlag(_variable(a), _list(a, "flags"))


def _add_flag(_op: Op, a: Arguments) -> Action:
    return actions.AddFlag(_variable(a), _list(a, "flags"))


def _remove_flag(_op: Op, a: Arguments) -> Action:
    return actions.RemoveFlag(_variable(a), _list(a, "flags"))


_ACTIONS: dict[Op, Callable[[Op, Arguments], Action]] = {
    Op.STOP: lambda _op, _a: actions.Stop(),
    Op.RETURN: lambda _op, _a: actions.Return(),
    Op.KEEP_ORIG: _keep,
    Op.KEEP_COPY: _keep,
    Op.KEEP: _keep,
    Op.DISCARD: lambda _op, _a: actions.Discard(),
    Op.REJECT: lambda _op, a: actions.Reject(_text(a, "reason"), False),
    Op.EREJECT: lambda _op, a: actions.Reject(_text(a, "reason"), True),
    Op.ERROR: lambda _op, a: actions.Error(_text(a, "message")),
    Op.FILEINTO_ORIG: _fileinto,
    Op.FILEINTO_COPY: _fileinto,
    Op.FILEINTO_FLAGS: _fileinto,
    Op.FILEINTO_CREATE: _fileinto,
    Op.FILEINTO_SPECIALUSE: _fileinto,
    Op.FILEINTO: _fileinto,
    Op.REDIRECT_ORIG: _redirect,
    Op.REDIRECT_COPY: _redirect,
    Op.REDIRECT_LIST: _redirect,
    Op.REDIRECT: _redirect,
    Op.MARK: lambda _op, _a: actions.AddFlag(b"", _FLAGGED),
    Op.UNMARK: lambda _op, _a: actions.RemoveFlag(b"", _FLAGGED),
    Op.SETFLAG_ORIG: _set_flag,
    Op.SETFLAG: _set_flag,
    Op.ADDFLAG_ORIG: _add_flag,
    Op.ADDFLAG: _add_flag,
    Op.REMOVEFLAG_ORIG: _remove_flag,
    Op.REMOVEFLAG: _remove_flag,
    Op.NOTIFY: _notify,
    Op.ENOTIFY: _enotify,
    Op.DENOTIFY: _denotify,
    Op.VACATION_ORIG: _vacation,
    Op.VACATION_SEC: _vacation,
    Op.VACATION_FCC_ORIG: _vacation,
    Op.VACATION_FCC_SPLUSE: _vacation,
    Op.VACATION: _vacation,
    Op.INCLUDE: _include,
    Op.SET: lambda _op, a: actions.Set(
        Modifier(_int(a, "modifiers") & 0xFF), _text(a, "variable"), _text(a, "value")
    ),
    Op.ADDHEADER: lambda _op, a: actions.AddHeader(_int(a, "index"), _text(a, "name"), _text(a, "value")),
    Op.DELETEHEADER: _delete_header,
    Op.LOG: lambda _op, a: actions.Log(_text(a, "text")),
    Op.SNOOZE_ORIG: _snooze,
    Op.SNOOZE_TZID: _snooze,
    Op.SNOOZE: _snooze,
    Op.PROCESSIMIP: _imip,
}


# tests


def _address(a: Arguments) -> Condition:
    return conditions.Address(
        _int(a, "index"),
        _match(a),
        _tag(a, "part", _ADDRESS_PARTS),
        _list(a, "headers"),
        _list(a, "patterns"),
    )


def _header(a: Arguments) -> Condition:
    return conditions.Header(_int(a, "index"), _match(a), _list(a, "headers"), _list(a, "patterns"))


def _date(a: Arguments) -> Condition:
    part = _tag(a, "part", _DATE_PARTS)
    return conditions.Date(
        _int(a, "index"), *_zone(a), _match(a), part, _text(a, "header"), _list(a, "patterns")
    )


def _current_date(a: Arguments) -> Condition:
    part = _tag(a, "part", _DATE_PARTS)
    return conditions.CurrentDate(_zone(a)[0], _match(a), part, _list(a, "patterns"))


def _body(a: Arguments) -> Condition:
    transform = _tag(a, "transform", _TRANSFORMS)
    return conditions.Body(_match(a), transform, _int(a, "offset"), _list(a, "types"), _list(a, "patterns"))


def _duplicate(a: Arguments) -> Condition:
    unique = _tag(a, "idtype", _ID_TYPES) is Tag.UNIQUEID
    return conditions.Duplicate(
        unique, _text(a, "idval"), _maybe(a, "handle") or b"", _int(a, "seconds"), bool(_int(a, "last"))
    )


_CONDITIONS: dict[TestOp, Callable[[Arguments], Condition]] = {
    TestOp.FALSE: lambda _a: conditions.Always(False),
    TestOp.TRUE: lambda _a: conditions.Always(True),
    TestOp.EXISTS: lambda a: conditions.Exists(_list(a, "headers")),
    TestOp.SIZE: lambda a: conditions.Size(_tag(a, "relation", _SIZES) is Tag.OVER, _int(a, "size")),
    TestOp.ADDRESS: _address,
    TestOp.ADDRESS_PRE_INDEX: _address,
    TestOp.ENVELOPE: lambda a: conditions.Envelope(
        _match(a), _tag(a, "part", _ADDRESS_PARTS), _list(a, "headers"), _list(a, "patterns")
    ),
    TestOp.HEADER: _header,
    TestOp.HEADER_PRE_INDEX: _header,
    TestOp.BODY: _body,
    TestOp.DATE: _date,
    TestOp.DATE_ORIG: _date,
    TestOp.CURRENTDATE: _current_date,
    TestOp.CURRENTDATE_ORIG: _current_date,
    TestOp.HASFLAG: lambda a: conditions.HasFlag(_match(a), _list(a, "variables"), _list(a, "patterns")),
    TestOp.STRING: lambda a: conditions.String(_match(a), _list(a, "strings"), _list(a, "patterns")),
    TestOp.MAILBOXEXISTS: lambda a: conditions.MailboxExists(_list(a, "names")),
    TestOp.MAILBOXIDEXISTS: lambda a: conditions.MailboxIdExists(_list(a, "ids")),
    TestOp.SPECIALUSEEXISTS: lambda a: conditions.SpecialUseExists(_maybe(a, "mailbox"), _list(a, "uses")),
    TestOp.METADATA: lambda a: conditions.Metadata(
        _match(a), _text(a, "mailbox"), _text(a, "annotation"), _list(a, "patterns")
    ),
    TestOp.SERVERMETADATA: lambda a: conditions.Metadata(
        _match(a), None, _text(a, "annotation"), _list(a, "patterns")
    ),
    TestOp.METADATAEXISTS: lambda a: conditions.MetadataExists(_text(a, "mailbox"), _list(a, "annotations")),
    TestOp.SERVERMETADATAEXISTS: lambda a: conditions.MetadataExists(None, _list(a, "annotations")),
    TestOp.ENVIRONMENT: lambda a: conditions.Environment(_match(a), _text(a, "item"), _list(a, "patterns")),
    TestOp.VALIDEXTLIST: lambda a: conditions.ValidExtList(_list(a, "names")),
    TestOp.VALIDNOTIFYMETHOD: lambda a: conditions.ValidNotifyMethod(_list(a, "uris")),
    TestOp.NOTIFYMETHODCAPABILITY: lambda a: conditions.NotifyMethodCapability(
        _match(a), _text(a, "uri"), _text(a, "capability"), _list(a, "patterns")
    ),
    TestOp.IHAVE: lambda a: conditions.Ihave(_list(a, "names")),
    TestOp.DUPLICATE: _duplicate,
    TestOp.JMAPQUERY: lambda a: conditions.JmapQuery(_text(a, "query")),
}
