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
from sieve.bytecode import arguments as get
from sieve.bytecode.actions import Action
from sieve.bytecode.conditions import Condition
from sieve.bytecode.opcodes import Imip, Include, Modifier, Op, Requires, Tag, TestOp, Weekdays
from sieve.bytecode.reader import Arguments, Instruction, Test, read
from sieve.errors import BytecodeError

_DAY = 86400
_FLAGGED = (rb"\Flagged",)
_ADDRESS_PARTS = frozenset({Tag.ALL, Tag.LOCALPART, Tag.DOMAIN, Tag.USER, Tag.DETAIL})
_TRANSFORMS = frozenset({Tag.RAW, Tag.TEXT, Tag.CONTENT})
_DATE_PARTS = frozenset(Tag(number) for number in range(Tag.YEAR, Tag.WEEKDAY + 1))
_PRIORITIES = frozenset({Tag.LOW, Tag.NORMAL, Tag.HIGH})
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
            otherwise[previous.position] = get.number(instruction.arguments, "target")
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
            return actions.Jump(numbers[get.number(instruction.arguments, "target")])
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


# actions


def _fileinto(_op: Op, a: Arguments) -> Action:
    return actions.Fileinto(
        get.text(a, "folder"),
        bool(get.number(a, "copy")),
        bool(get.number(a, "create")),
        get.strings(a, "flags"),
        get.maybe(a, "specialuse"),
        get.maybe(a, "mailboxid"),
    )


def _redirect(_op: Op, a: Arguments) -> Action:
    return actions.Redirect(
        get.text(a, "address"),
        bool(get.number(a, "copy")),
        bool(get.number(a, "list")),
        get.maybe(a, "bytime"),
        get.maybe(a, "bymode"),
        bool(get.number(a, "bytrace")),
        get.maybe(a, "notify"),
        get.maybe(a, "ret"),
    )


def _notify(_op: Op, a: Arguments) -> Action:
    priority = get.tag(a, "priority", _PRIORITIES)
    return actions.Notify(
        get.text(a, "method"), get.maybe(a, "id"), get.strings(a, "options"), priority, get.text(a, "message")
    )


def _enotify(_op: Op, a: Arguments) -> Action:
    priority = get.tag(a, "priority", _PRIORITIES)
    return actions.Enotify(
        get.text(a, "method"),
        get.maybe(a, "sender"),
        get.strings(a, "options"),
        priority,
        get.text(a, "message"),
    )


def _denotify(_op: Op, a: Arguments) -> Action:
    match = get.matched(get.number(a, "match"), get.number(a, "relation"), Tag.ASCIICASEMAP)
    return actions.Denotify(get.tag(a, "priority", _PRIORITIES | {Tag.ANY}), match, get.maybe(a, "pattern"))


def _vacation(op: Op, a: Arguments) -> Action:
    unit = _DAY if op is Op.VACATION_ORIG else 1
    return actions.Vacation(
        get.strings(a, "addresses"),
        get.maybe(a, "subject"),
        get.text(a, "message"),
        get.number(a, "seconds") * unit,
        bool(get.number(a, "mime")),
        get.maybe(a, "sender"),
        get.maybe(a, "handle"),
        get.fcc(a),
    )


def _include(_op: Op, a: Arguments) -> Action:
    flags = get.number(a, "flags")
    location = get.one_of(flags & Include.LOCATION, _LOCATIONS, "location")
    return actions.Include(
        get.text(a, "script"),
        location is Tag.GLOBAL,
        bool(flags & Include.ONCE),
        bool(flags & Include.OPTIONAL),
    )


def _delete_header(_op: Op, a: Arguments) -> Action:
    return actions.DeleteHeader(
        get.number(a, "index"), get.match(a), get.text(a, "name"), get.strings(a, "values")
    )


def _snooze(_op: Op, a: Arguments) -> Action:
    days = get.number(a, "days")
    folder, mailboxid = get.maybe(a, "folder"), get.maybe(a, "mailboxid")
    if days & Weekdays.IS_ID:
        folder, mailboxid = None, folder
    times: Any = a["times"]
    return actions.Snooze(
        folder,
        mailboxid,
        get.maybe(a, "specialuse"),
        bool(get.number(a, "create")),
        get.strings(a, "addflags"),
        get.strings(a, "removeflags"),
        days & Weekdays.ALL,
        get.maybe(a, "tzid"),
        times,
    )


def _imip(_op: Op, a: Arguments) -> Action:
    flags = Imip(get.number(a, "flags") & 7)
    return actions.ProcessImip(
        flags, get.maybe(a, "calendarid"), get.maybe(a, "outcome"), get.maybe(a, "errstr")
    )


def _variable(a: Arguments) -> bytes:
    return get.maybe(a, "variable") or b""


def _keep(_op: Op, a: Arguments) -> Action:
    return actions.Keep(get.strings(a, "flags"))


def _set_flag(_op: Op, a: Arguments) -> Action:
    return actions.SetFlag(_variable(a), get.strings(a, "flags"))


def _add_flag(_op: Op, a: Arguments) -> Action:
    return actions.AddFlag(_variable(a), get.strings(a, "flags"))


def _remove_flag(_op: Op, a: Arguments) -> Action:
    return actions.RemoveFlag(_variable(a), get.strings(a, "flags"))


_ACTIONS: dict[Op, Callable[[Op, Arguments], Action]] = {
    Op.STOP: lambda _op, _a: actions.Stop(),
    Op.RETURN: lambda _op, _a: actions.Return(),
    Op.KEEP_ORIG: _keep,
    Op.KEEP_COPY: _keep,
    Op.KEEP: _keep,
    Op.DISCARD: lambda _op, _a: actions.Discard(),
    Op.REJECT: lambda _op, a: actions.Reject(get.text(a, "reason"), False),
    Op.EREJECT: lambda _op, a: actions.Reject(get.text(a, "reason"), True),
    Op.ERROR: lambda _op, a: actions.Error(get.text(a, "message")),
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
        Modifier(get.number(a, "modifiers") & 0xFF), get.text(a, "variable"), get.text(a, "value")
    ),
    Op.ADDHEADER: lambda _op, a: actions.AddHeader(
        get.number(a, "index"), get.text(a, "name"), get.text(a, "value")
    ),
    Op.DELETEHEADER: _delete_header,
    Op.LOG: lambda _op, a: actions.Log(get.text(a, "text")),
    Op.SNOOZE_ORIG: _snooze,
    Op.SNOOZE_TZID: _snooze,
    Op.SNOOZE: _snooze,
    Op.PROCESSIMIP: _imip,
}


# tests


def _address(a: Arguments) -> Condition:
    return conditions.Address(
        get.number(a, "index"),
        get.match(a),
        get.tag(a, "part", _ADDRESS_PARTS),
        get.strings(a, "headers"),
        get.strings(a, "patterns"),
    )


def _header(a: Arguments) -> Condition:
    return conditions.Header(
        get.number(a, "index"), get.match(a), get.strings(a, "headers"), get.strings(a, "patterns")
    )


def _date(a: Arguments) -> Condition:
    part = get.tag(a, "part", _DATE_PARTS)
    return conditions.Date(
        get.number(a, "index"),
        *get.zone(a),
        get.match(a),
        part,
        get.text(a, "header"),
        get.strings(a, "patterns"),
    )


def _current_date(a: Arguments) -> Condition:
    part = get.tag(a, "part", _DATE_PARTS)
    return conditions.CurrentDate(get.zone(a)[0], get.match(a), part, get.strings(a, "patterns"))


def _body(a: Arguments) -> Condition:
    transform = get.tag(a, "transform", _TRANSFORMS)
    return conditions.Body(
        get.match(a), transform, get.number(a, "offset"), get.strings(a, "types"), get.strings(a, "patterns")
    )


def _duplicate(a: Arguments) -> Condition:
    unique = get.tag(a, "idtype", _ID_TYPES) is Tag.UNIQUEID
    return conditions.Duplicate(
        unique,
        get.text(a, "idval"),
        get.maybe(a, "handle") or b"",
        get.number(a, "seconds"),
        bool(get.number(a, "last")),
    )


_CONDITIONS: dict[TestOp, Callable[[Arguments], Condition]] = {
    TestOp.FALSE: lambda _a: conditions.Always(False),
    TestOp.TRUE: lambda _a: conditions.Always(True),
    TestOp.EXISTS: lambda a: conditions.Exists(get.strings(a, "headers")),
    TestOp.SIZE: lambda a: conditions.Size(get.tag(a, "relation", _SIZES) is Tag.OVER, get.number(a, "size")),
    TestOp.ADDRESS: _address,
    TestOp.ADDRESS_PRE_INDEX: _address,
    TestOp.ENVELOPE: lambda a: conditions.Envelope(
        get.match(a),
        get.tag(a, "part", _ADDRESS_PARTS),
        get.strings(a, "headers"),
        get.strings(a, "patterns"),
    ),
    TestOp.HEADER: _header,
    TestOp.HEADER_PRE_INDEX: _header,
    TestOp.BODY: _body,
    TestOp.DATE: _date,
    TestOp.DATE_ORIG: _date,
    TestOp.CURRENTDATE: _current_date,
    TestOp.CURRENTDATE_ORIG: _current_date,
    TestOp.HASFLAG: lambda a: conditions.HasFlag(
        get.match(a), get.strings(a, "variables"), get.strings(a, "patterns")
    ),
    TestOp.STRING: lambda a: conditions.String(
        get.match(a), get.strings(a, "strings"), get.strings(a, "patterns")
    ),
    TestOp.MAILBOXEXISTS: lambda a: conditions.MailboxExists(get.strings(a, "names")),
    TestOp.MAILBOXIDEXISTS: lambda a: conditions.MailboxIdExists(get.strings(a, "ids")),
    TestOp.SPECIALUSEEXISTS: lambda a: conditions.SpecialUseExists(
        get.maybe(a, "mailbox"), get.strings(a, "uses")
    ),
    TestOp.METADATA: lambda a: conditions.Metadata(
        get.match(a), get.text(a, "mailbox"), get.text(a, "annotation"), get.strings(a, "patterns")
    ),
    TestOp.SERVERMETADATA: lambda a: conditions.Metadata(
        get.match(a), None, get.text(a, "annotation"), get.strings(a, "patterns")
    ),
    TestOp.METADATAEXISTS: lambda a: conditions.MetadataExists(
        get.text(a, "mailbox"), get.strings(a, "annotations")
    ),
    TestOp.SERVERMETADATAEXISTS: lambda a: conditions.MetadataExists(None, get.strings(a, "annotations")),
    TestOp.ENVIRONMENT: lambda a: conditions.Environment(
        get.match(a), get.text(a, "item"), get.strings(a, "patterns")
    ),
    TestOp.VALIDEXTLIST: lambda a: conditions.ValidExtList(get.strings(a, "names")),
    TestOp.VALIDNOTIFYMETHOD: lambda a: conditions.ValidNotifyMethod(get.strings(a, "uris")),
    TestOp.NOTIFYMETHODCAPABILITY: lambda a: conditions.NotifyMethodCapability(
        get.match(a), get.text(a, "uri"), get.text(a, "capability"), get.strings(a, "patterns")
    ),
    TestOp.IHAVE: lambda a: conditions.Ihave(get.strings(a, "names")),
    TestOp.DUPLICATE: _duplicate,
    TestOp.JMAPQUERY: lambda a: conditions.JmapQuery(get.text(a, "query")),
}
