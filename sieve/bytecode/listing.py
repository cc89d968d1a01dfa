"""Bytecode in words, as sieved(8) prints it: each action with its position, each argument with its name.

The original's texts, byte for byte, for all that its own compiler writes. Where it stumbles over what it
reads (the message of ``error``, header tests of version 7 and before) the argument is shown here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sieve.bytecode.opcodes import (
    REQUIRES_SINCE,
    Imip,
    Include,
    Modifier,
    Op,
    Requires,
    Tag,
    TestOp,
    Weekdays,
)
from sieve.bytecode.reader import Arguments, Code, Comparator, Copy, Instruction, Test, Zone

_DAY = 86400
_SENDER_SINCE = 0x05
_IN_LINE = 5
"""Strings of a list in one line."""

_MATCHES = {
    Tag.IS: b"Is",
    Tag.CONTAINS: b"Contains",
    Tag.MATCHES: b"Matches",
    Tag.REGEX: b"Regex",
    Tag.LIST: b"List",
    Tag.COUNT: b"Count",
    Tag.VALUE: b"Value",
}
_RELATIONS = {
    Tag.GT: b" >",
    Tag.GE: b" >=",
    Tag.LT: b" <",
    Tag.LE: b" <=",
    Tag.NE: b" !=",
    Tag.EQ: b" ==",
}
_COLLATIONS = {
    Tag.OCTET: b" (octet)",
    Tag.ASCIICASEMAP: b" (ascii-casemap)",
    Tag.ASCIINUMERIC: b" (ascii-numeric)",
}


def listing(code: Code) -> Iterator[bytes]:
    """The text of a whole file, in pieces."""
    yield b"Bytecode version: %d\n" % code.version
    if code.version >= REQUIRES_SINCE:
        yield b"Require:%b\n" % (b" Variables" if code.requires & Requires.VARIABLES else b"")
    yield b"\n"
    for instruction in code.instructions:
        yield b"%04d: " % instruction.position
        yield _action(instruction, code.version)
        yield b"\n"
    yield b"full len is: %d\n" % code.words


# arguments


def _string(label: bytes, value: Any) -> bytes:
    if value is None:
        return label + b"({-1}[nil])"
    return b"%b({%d}%b)" % (label, len(value), value)


def _strings(label: bytes, values: Any) -> bytes:
    return _list(label, [_string(b" ", value) for value in values])


def _times(label: bytes, values: Any) -> bytes:
    return _list(
        label, [b" %02d:%02d:%02d" % (time // 3600, time % 3600 // 60, time % 60) for time in values]
    )


def _list(label: bytes, texts: list[bytes]) -> bytes:
    lines = [b"".join(texts[start : start + _IN_LINE]) for start in range(0, len(texts), _IN_LINE)]
    return b"%b{%d} [%b\n\t]" % (label, len(texts), b"".join(b"\n\t\t" + line for line in lines))


def _comparator(comparator: Any) -> bytes:
    assert isinstance(comparator, Comparator)
    match = _name(_MATCHES, comparator.match)
    if comparator.match in (Tag.COUNT, Tag.VALUE):
        match += _name(_RELATIONS, comparator.relation)
    return b" COMPARATOR [ %b%b ]" % (match, _name(_COLLATIONS, comparator.collation))


def _name(names: dict[Tag, bytes], number: int) -> bytes:
    return names.get(number, b"")  # type: ignore[call-overload,no-any-return]


def _word(number: Any) -> bytes:
    """A value that stands for a word of the language."""
    try:
        return Tag(number).name.lower().encode()
    except ValueError:
        return b"(null)"


def _index(a: Arguments) -> bytes:
    index: Any = a.get("index", 0)
    return b" INDEX(%d %b)" % (abs(index), b"[LAST]" if index < 0 else b"") if index else b""


def _zone(zone: Any) -> bytes:
    assert isinstance(zone, Zone)
    return _string(b"ZONE", zone.offset) if zone.tag == Tag.TIMEZONE else b" ZONE(ORIGINAL)"


# tests


def _test(test: Test) -> bytes:
    if test.op is TestOp.NOT:
        return b"NOT " + _test(test.tests[0])
    if test.op is TestOp.ANYOF or test.op is TestOp.ALLOF:
        tests = b"".join(_test(each) + b"\t" for each in test.tests)
        return b"%b({%d}\n\t%b)\n" % (test.op.name.encode(), len(test.tests), tests)
    return _plain_test(test) + b"\n"


def _plain_test(test: Test) -> bytes:
    a: dict[str, Any] = test.arguments
    match test.op:
        case TestOp.FALSE | TestOp.TRUE:
            return test.op.name.encode()
        case TestOp.EXISTS:
            return _strings(b"EXISTS", a["headers"])
        case TestOp.SIZE:
            return b"SIZE %b %d" % (b"over" if a["relation"] == Tag.OVER else b"under", a["size"])
        case TestOp.ADDRESS | TestOp.ADDRESS_PRE_INDEX:
            return b"ADDRESS ADDRPART(%b)%b" % (_word(a["part"]), _index(a)) + _header_test(a)
        case TestOp.ENVELOPE:
            return b"ENVELOPE ADDRPART(%b)" % _word(a["part"]) + _header_test(a)
        case TestOp.HEADER | TestOp.HEADER_PRE_INDEX:
            return b"HEADER" + _index(a) + _header_test(a)
        case TestOp.BODY:
            return b"BODY%b\n\tTRANSFORM(%b) OFFSET(%d)%b%b" % (
                _comparator(a["comparator"]),
                _word(a["transform"]),
                a["offset"],
                _strings(b" CONTENT-TYPES", a["types"]),
                _strings(b" PATTERNS", a["patterns"]),
            )
        case TestOp.DATE | TestOp.DATE_ORIG:
            return b"DATE" + _index(a) + _date_test(a, _string(b" HEADER", a["header"]))
        case TestOp.CURRENTDATE | TestOp.CURRENTDATE_ORIG:
            return b"CURRENTDATE" + _date_test(a, b"")
        case TestOp.HASFLAG:
            return b"HASFLAG" + _compared(a, _strings(b"\n\tVARIABLES", a["variables"]))
        case TestOp.STRING:
            return b"STRING" + _compared(a, _strings(b"\n\tVARIABLES", a["strings"]))
        case TestOp.METADATA:
            names = _string(b"\n\tMAILBOX", a["mailbox"]) + _string(b" ANNOTATION", a["annotation"])
            return b"METADATA" + _compared(a, names)
        case TestOp.SERVERMETADATA:
            return b"SERVERMETADATA" + _compared(a, _string(b"\n\tANNOTATION", a["annotation"]))
        case TestOp.METADATAEXISTS:
            return (
                b"METAEXISTS"
                + _string(b"MAILBOX", a["mailbox"])
                + _strings(b" ANNOTATIONS", a["annotations"])
            )
        case TestOp.SPECIALUSEEXISTS:
            return b"SPECIALUSEEXISTS" + _string(b"MAILBOX", a["mailbox"]) + _strings(b" FLAGS", a["uses"])
        case TestOp.NOTIFYMETHODCAPABILITY:
            names = _string(b"\n\tURI", a["uri"]) + _string(b" CAPABILITY", a["capability"])
            return b"NOTIFYMETHODCAPABILITY" + _compared(a, names, b" KEYS")
        case TestOp.ENVIRONMENT:
            return b"ENVIRONMENT" + _compared(a, _string(b"\n\tITEM", a["item"]), b" KEYS")
        case TestOp.DUPLICATE:
            label = b" UNIQUEID" if a["idtype"] == Tag.UNIQUEID else b" HDRNAME"
            times = b"\n\tSECONDS(%d) LAST(%d)" % (a["seconds"], a["last"])
            return b"DUPLICATE" + _string(label, a["idval"]) + _string(b" HANDLE", a["handle"]) + times
        case TestOp.JMAPQUERY:
            return b"JMAPQUERY" + _string(b" ", a["query"])
        case _:
            # what is left has nothing but a list of names
            return _strings(test.op.name.encode(), next(iter(a.values())))


def _compared(a: dict[str, Any], names: bytes, patterns: bytes = b" PATTERNS") -> bytes:
    return _comparator(a["comparator"]) + names + _strings(patterns, a["patterns"])


def _header_test(a: dict[str, Any]) -> bytes:
    return _compared(a, _strings(b"\n\tHEADERS", a["headers"]))


def _date_test(a: dict[str, Any], header: bytes) -> bytes:
    part = b"\n\tDATEPART(%b)" % _word(a["part"])
    return _zone(a["zone"]) + _compared(a, part + header, b" KEYS")


# actions


def _action(instruction: Instruction, version: int) -> bytes:
    op = instruction.op
    a: dict[str, Any] = instruction.arguments
    match op:
        case Op.KEEP_ORIG:
            return b"KEEP"
        case Op.KEEP | Op.KEEP_COPY:
            return b"KEEP" + _strings(b" FLAGS", a["flags"])
        case Op.REJECT | Op.EREJECT:
            return _string(op.name.encode() + b" ", a["reason"])
        case Op.ERROR:
            return _string(b"ERROR ", a["message"])
        case (
            Op.FILEINTO
            | Op.FILEINTO_SPECIALUSE
            | Op.FILEINTO_CREATE
            | Op.FILEINTO_FLAGS
            | Op.FILEINTO_COPY
            | Op.FILEINTO_ORIG
        ):
            return _fileinto(a)
        case Op.REDIRECT | Op.REDIRECT_LIST | Op.REDIRECT_COPY | Op.REDIRECT_ORIG:
            return _redirect(a)
        case Op.IF:
            assert instruction.test is not None
            return b"IF (ends at %d) " % a["testend"] + _test(instruction.test)
        case Op.ADDFLAG | Op.SETFLAG | Op.REMOVEFLAG:
            variable = _string(b" VARIABLE", a["variable"])
            return op.name.encode() + variable + _strings(b" FLAGS", a["flags"])
        case Op.ADDFLAG_ORIG | Op.SETFLAG_ORIG | Op.REMOVEFLAG_ORIG:
            return op.name.removesuffix("_ORIG").encode() + _strings(b" FLAGS", a["flags"])
        case Op.NOTIFY | Op.ENOTIFY:
            return _notify(op, a)
        case Op.DENOTIFY:
            return _denotify(a)
        case Op.VACATION | Op.VACATION_FCC_SPLUSE | Op.VACATION_FCC_ORIG | Op.VACATION_SEC | Op.VACATION_ORIG:
            return _vacation(op, a, version)
        case Op.JUMP:
            return b"JUMP %d" % a["target"]
        case Op.INCLUDE:
            return _include(a)
        case Op.SET:
            return _set(a)
        case Op.ADDHEADER:
            names = _string(b" NAME", a["name"]) + _string(b" VALUE", a["value"])
            return b"ADDHEADER INDEX(%d)" % a["index"] + names
        case Op.DELETEHEADER:
            names = _string(b"\n\tNAME", a["name"]) + _strings(b" VALUES", a["values"])
            return b"DELETEHEADER INDEX(%d)" % a["index"] + _comparator(a["comparator"]) + names
        case Op.LOG:
            return b"LOG TEXT(%b)" % (b"(null)" if a["text"] is None else a["text"])
        case Op.SNOOZE | Op.SNOOZE_TZID | Op.SNOOZE_ORIG:
            return _snooze(op, a)
        case Op.PROCESSIMIP:
            return _processimip(a)
        case _:
            # what is left has no arguments
            return op.name.encode()


def _fileinto(a: dict[str, Any]) -> bytes:
    text = b"FILEINTO"
    if "copy" in a:
        text += b" COPY(%d)" % a["copy"]
    if "flags" in a:
        text += _strings(b" FLAGS", a["flags"])
    if "create" in a:
        text += b"\n\tCREATE(%d)" % a["create"]
    if "specialuse" in a:
        text += _string(b" SPECIALUSE", a["specialuse"])
    if "mailboxid" in a:
        text += _string(b" MAILBOXID", a["mailboxid"])
    return text + _string(b" FOLDER", a["folder"])


def _redirect(a: dict[str, Any]) -> bytes:
    text = b"REDIRECT"
    if "copy" in a:
        text += b" COPY(%d)" % a["copy"]
    if "list" in a:
        text += b"LIST(%d)" % a["list"]
    if "bytime" in a:
        text += _string(b" BYTIME", a["bytime"]) + _string(b" BYMODE", a["bymode"])
        text += b" BYTRACE(%d)" % a["bytrace"]
        text += _string(b"\n\tDSN-NOTIFY", a["notify"]) + _string(b" DSN-RET", a["ret"])
    return text + _string(b" ADDRESS", a["address"])


def _notify(op: Op, a: dict[str, Any]) -> bytes:
    text = op.name.encode() + b" " + _string(b" METHOD", a["method"])
    if op is Op.ENOTIFY:
        text += b" IMPORTANCE(%d)" % a["priority"] + _string(b" FROM", a["sender"])
    else:
        text += b" PRIORITY(%d)" % a["priority"] + _string(b" ID", a["id"])
    return text + _strings(b" OPTIONS", a["options"]) + _string(b"\n\tMESSAGE", a["message"])


def _denotify(a: dict[str, Any]) -> bytes:
    text = b"DENOTIFY PRIORITY(%d)" % a["priority"]
    if a["pattern"] is None:
        return text
    # no comparator is kept for it
    comparator = _comparator(Comparator(a["match"], a["relation"], 0))
    return text + comparator + _string(b"\n\tPATTERN", a["pattern"])


def _vacation(op: Op, a: dict[str, Any], version: int) -> bytes:
    seconds = a["seconds"] * (_DAY if op is Op.VACATION_ORIG else 1)
    text = b"VACATION" + _strings(b" ADDR", a["addresses"])
    text += _string(b"\n\tSUBJ", a["subject"]) + _string(b"\n\tMESG", a["message"])
    text += b"\n\tSECONDS(%d) MIME(%d)" % (seconds, a["mime"])
    if version >= _SENDER_SINCE:
        text += _string(b" FROM", a["sender"]) + _string(b" HANDLE", a["handle"])
    if "fcc" in a:
        text += _fcc(op, a["fcc"])
    return text


def _fcc(op: Op, copy: Copy | None) -> bytes:
    if copy is None:
        return _string(b"\n\tFCC", None)
    text = _string(b"\n\tFCC", copy.folder) + b" CREATE(%d)" % copy.create + _strings(b" FLAGS", copy.flags)
    if op is not Op.VACATION_FCC_ORIG:
        text += _string(b"\n\tSPECIALUSE", copy.specialuse)
    if op is Op.VACATION:
        text += _string(b" MAILBOXID", copy.mailboxid)
    return text


def _include(a: dict[str, Any]) -> bytes:
    flags = a["flags"]
    where = b"Personal" if flags & Include.LOCATION == Tag.PERSONAL else b"Global"
    switches = (where, bool(flags & Include.ONCE), bool(flags & Include.OPTIONAL))
    return b"INCLUDE LOCATION(%b) ONCE(%d) OPTIONAL(%d)" % switches + _string(b"\n\tSCRIPT", a["script"])


def _set(a: dict[str, Any]) -> bytes:
    def bit(modifier: Modifier) -> bytes:
        name = modifier.name
        assert name is not None
        return b"%b(%d)" % (name.encode(), a["modifiers"] & modifier)

    cases = b" ".join(map(bit, (Modifier.LOWER, Modifier.UPPER, Modifier.LOWERFIRST, Modifier.UPPERFIRST)))
    rest = (Modifier.QUOTEWILDCARD, Modifier.QUOTEREGEX, Modifier.ENCODEURL, Modifier.LENGTH)
    names = _string(b"\n\tVARIABLE", a["variable"]) + _string(b" VALUE", a["value"])
    return b"SET " + cases + b"\n\t" + b" ".join(map(bit, rest)) + names


def _snooze(op: Op, a: dict[str, Any]) -> bytes:
    days = a["days"]
    text = b"SNOOZE"
    if op is Op.SNOOZE:
        text += _string(b" MAILBOX", a["folder"]) + _string(b" MAILBOXID", a["mailboxid"])
        text += _string(b" SPECIALUSE", a["specialuse"]) + b" CREATE(%d)" % a["create"]
    elif op is Op.SNOOZE_TZID:
        text += _string(b" MAILBOXID" if days & Weekdays.IS_ID else b" MAILBOX", a["folder"])
    if op is not Op.SNOOZE_ORIG:
        text += _string(b" TZID", a["tzid"])
    text += _strings(b"\n\tADDFLAGS", a["addflags"]) + _strings(b"\n\tREMOVEFLAGS", a["removeflags"])
    weekdays = b",".join(b" %d" % day for day in range(7) if days & 1 << day)
    return text + b"\n\tWEEKDAYS [%b ]" % weekdays + _times(b"\n\tTIMES", a["times"])


def _processimip(a: dict[str, Any]) -> bytes:
    kinds = (Imip.INVITES_ONLY, Imip.UPDATES_ONLY, Imip.DELETE_CANCELED)
    switches = tuple(bool(a["flags"] & kind) for kind in kinds)
    text = b"PROCESSIMIP INVITESONLY(%d) UPDATESONLY(%d) DELETECANCELED(%d)" % switches
    text += _string(b" CALENDARID", a["calendarid"]) + _string(b" OUTCOME", a["outcome"])
    return text + _string(b" ERRSTR", a["errstr"])
