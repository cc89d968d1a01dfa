"""Bytecode back to a script, as sieved -s prints it.

The script compiles to the same bytecode as long as that came from a compiler of version 0x1F. Its looks are
the original's, which for some actions (redirect, date, quoted strings, empty blocks) writes scripts that
no compiler takes; those are right here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sieve.bytecode.opcodes import Imip, Include, Modifier, Op, Requires, Tag, TestOp, Weekdays
from sieve.bytecode.reader import MAX_NESTING, Code, Comparator, Copy, Instruction, Test, Zone
from sieve.errors import BytecodeError
from sieve.extensions import Extension

_INDENT = 4
_TEST_INDENT = 10
_ELSIF = 3
_LINE = 60
_DAY = 86400
_ORDER = {extension: number for number, extension in enumerate(Extension)}
# the original names this one by its future name
_REQUIRED_AS = {Extension.SNOOZE: "snooze"}


def regenerate(code: Code) -> bytes:
    """Raises BytecodeError where jumps are no "if"."""
    writer = _Writer()
    if code.requires & Requires.VARIABLES:
        writer.needs.add(Extension.VARIABLES)
    writer.block(code.instructions, 0, code.words, 0)
    return _require(writer.needs) + b"".join(writer.lines)


def _require(needs: set[Extension]) -> bytes:
    if not needs:
        return b""
    text, separator, width = b"require [", b"", 0
    for extension in sorted(needs, key=_ORDER.__getitem__):
        if width > _LINE:
            separator, width = b",\n          ", 0
        name = b'%b"%b"' % (separator, _REQUIRED_AS.get(extension, extension.value).encode())
        text += name
        width += len(name)
        separator = b", "
    return text + b"];\n\n"


class _Words:
    """A command on its way: words with their separators, and the extensions they need."""

    def __init__(self, first: bytes, needs: set[Extension]) -> None:
        self.text = first
        self._needs = needs

    def need(self, *extensions: Extension) -> _Words:
        self._needs.update(extensions)
        return self

    def word(self, word: bytes) -> _Words:
        self.text += b" " + word
        return self

    def fold(self, indent: int) -> _Words:
        self.text += b"\n" + b" " * indent
        return self

    def switch(self, tag: bytes, value: Any, *needs: Extension) -> _Words:
        return self.need(*needs).word(tag) if value else self

    def number(self, tag: bytes, value: int) -> _Words:
        return self.word(tag).word(b"%d" % value)

    def argument(self, value: Any) -> _Words:
        """A string or strings that must stand there."""
        return self.word(_string(value) if isinstance(value, bytes) else _strings(value or ()))

    def tag(self, tag: bytes, value: Any, *needs: Extension) -> _Words:
        """A tag with a string or strings, if there are any."""
        if value is None or value == ():
            return self
        return self.need(*needs).word(tag).argument(value)

    def index(self, index: int, *needs: Extension) -> _Words:
        if index:
            self.need(*needs).number(b":index", abs(index)).switch(b":last", index < 0)
        return self

    def part(self, part: int) -> _Words:
        if part in (Tag.USER, Tag.DETAIL):
            self.need(Extension.SUBADDRESS)
        return self if part == Tag.ALL else self.word(b":" + _word(part))

    def comparator(self, comparator: Any) -> _Words:
        assert isinstance(comparator, Comparator)
        match, relation = comparator.match, comparator.relation
        if match != Tag.IS:
            self.word(b":" + _word(match))
        if match == Tag.REGEX:
            self.need(Extension.REGEX)
        elif match == Tag.LIST:
            self.need(Extension.EXTLISTS)
        elif match in (Tag.COUNT, Tag.VALUE):
            self.need(Extension.RELATIONAL).word(b'"%b"' % _word(relation))
        if comparator.collation == Tag.OCTET:
            self.word(b':comparator "i;octet"')
        elif comparator.collation == Tag.ASCIINUMERIC:
            self.need(Extension.NUMERIC).word(b':comparator "i;ascii-numeric"')
        return self


class _Writer:
    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.needs: set[Extension] = set()

    def words(self, first: bytes, *needs: Extension) -> _Words:
        return _Words(first, self.needs).need(*needs)

    def line(self, indent: int, text: bytes) -> None:
        self.lines.append(b" " * indent + text + b"\n")

    def block(self, instructions: Sequence[Instruction], start: int, end: int, indent: int) -> None:
        """The actions from number ``start`` up to position ``end``."""
        if indent > MAX_NESTING * _INDENT:
            raise BytecodeError("blocks nested too deep")
        number = start
        while number < len(instructions) and instructions[number].position < end:
            instruction = instructions[number]
            if instruction.op is Op.IF:
                number = self._if(instructions, number, end, indent)
                continue
            if instruction.op is Op.JUMP:
                raise BytecodeError("jump that is no else", instruction.position)
            if instruction.op is not Op.NULL:
                self.line(indent, self._action(instruction, indent) + b";")
            number += 1

    def _if(self, instructions: Sequence[Instruction], number: int, end: int, indent: int) -> int:
        """An IF with all its branches; gives the number of what follows."""
        keyword, extra = b"if ", 0
        while True:
            test = instructions[number].test
            assert test is not None
            self.line(indent, keyword + self._test(test, indent + _TEST_INDENT + extra) + b" {")
            otherwise = _target(instructions[number + 1], end)
            first, after = number + 2, _number_at(instructions, otherwise, number + 2)
            last = instructions[after - 1]
            if after - 1 < first or last.op is not Op.JUMP or instructions[after - 2].op is Op.IF:
                self.block(instructions, first, otherwise, indent + _INDENT)
                self.line(indent, b"}")
                return after
            # the jump at the end of a block passes over what is there otherwise
            self.block(instructions, first, last.position, indent + _INDENT)
            self.line(indent, b"}")
            finish = _target(last, end)
            following = _number_at(instructions, finish, after)
            if not _is_elsif(instructions, after, finish):
                self.line(indent, b"else {")
                self.block(instructions, after, finish, indent + _INDENT)
                self.line(indent, b"}")
                return following
            keyword, extra, number, end = b"elsif ", _ELSIF, after, finish

    def _test(self, test: Test, indent: int) -> bytes:
        if test.op is TestOp.NOT:
            return b"not " + self._test(test.tests[0], indent)
        if test.op is TestOp.ANYOF or test.op is TestOp.ALLOF:
            separator = b",\n" + b" " * indent
            tests = separator.join(self._test(each, indent) for each in test.tests)
            return b"%b (%b)" % (test.op.name.lower().encode(), tests)
        return self._plain_test(test).text

    def _plain_test(self, test: Test) -> _Words:
        a: dict[str, Any] = test.arguments
        names = _LISTS.get(test.op)
        if names is not None:
            keyword, extension = names
            return self.words(keyword, *extension).argument(next(iter(a.values())))
        compared = _COMPARED.get(test.op)
        if compared is not None:
            keyword, extension = compared
            words = self.words(keyword, *extension).index(a.get("index", 0), Extension.INDEX)
            words.part(a.get("part", Tag.ALL)).comparator(a["comparator"])
            for name, value in a.items():
                if name not in ("index", "comparator", "part") and (name, value) != ("variables", ()):
                    words.argument(value)
            return words
        match test.op:
            case TestOp.SIZE:
                return self.words(b"size").number(
                    b":over" if a["relation"] == Tag.OVER else b":under", a["size"]
                )
            case TestOp.BODY:
                return self._body(a)
            case TestOp.DATE | TestOp.DATE_ORIG:
                # the first field is the default, and cannot be told from an index of 1
                index = a["index"] if a["index"] != 1 else 0
                words = self.words(b"date", Extension.DATE).index(index, Extension.INDEX)
                return _date(words, a, a["header"])
            case TestOp.CURRENTDATE | TestOp.CURRENTDATE_ORIG:
                return _date(self.words(b"currentdate", Extension.DATE), a, None)
            case TestOp.METADATAEXISTS:
                words = self.words(b"metadataexists", Extension.MBOXMETADATA)
                return words.argument(a["mailbox"]).argument(a["annotations"])
            case TestOp.SPECIALUSEEXISTS:
                words = self.words(b"specialuse_exists", Extension.SPECIAL_USE)
                if a["mailbox"] is not None:
                    words.argument(a["mailbox"])
                return words.argument(a["uses"])
            case TestOp.DUPLICATE:
                words = self.words(b"duplicate", Extension.DUPLICATE).tag(b":handle", a["handle"] or None)
                words.tag(b":uniqueid" if a["idtype"] == Tag.UNIQUEID else b":header", a["idval"])
                return words.number(b":seconds", a["seconds"]).switch(b":last", a["last"])
            case TestOp.JMAPQUERY:
                return self.words(b"jmapquery", Extension.JMAPQUERY).argument(a["query"])
            case _:
                return self.words(test.op.name.lower().encode())

    def _body(self, a: dict[str, Any]) -> _Words:
        words = self.words(b"body", Extension.BODY).comparator(a["comparator"])
        if a["transform"] == Tag.RAW:
            words.word(b":raw")
        elif a["transform"] == Tag.CONTENT:
            words.word(b":content").argument(a["types"])
        return words.argument(a["patterns"])

    def _action(self, instruction: Instruction, indent: int) -> bytes:
        op = instruction.op
        a: dict[str, Any] = instruction.arguments
        match op:
            case Op.KEEP | Op.KEEP_COPY | Op.KEEP_ORIG:
                words = self.words(b"keep").tag(b":flags", a.get("flags"), Extension.IMAP4FLAGS)
            case Op.REJECT:
                words = self.words(b"reject", Extension.REJECT).argument(a["reason"])
            case Op.EREJECT:
                words = self.words(b"ereject", Extension.EREJECT).argument(a["reason"])
            case Op.ERROR:
                words = self.words(b"error", Extension.IHAVE).argument(a["message"])
            case (
                Op.FILEINTO
                | Op.FILEINTO_SPECIALUSE
                | Op.FILEINTO_CREATE
                | Op.FILEINTO_FLAGS
                | Op.FILEINTO_COPY
                | Op.FILEINTO_ORIG
            ):
                words = self.words(b"fileinto", Extension.FILEINTO)
                words.switch(b":copy", a.get("copy"), Extension.COPY)
                _filing(words, a).argument(a["folder"])
            case Op.REDIRECT | Op.REDIRECT_LIST | Op.REDIRECT_COPY | Op.REDIRECT_ORIG:
                words = _redirect(self.words(b"redirect"), a, indent)
            case Op.MARK | Op.UNMARK:
                words = self.words(op.name.lower().encode(), Extension.IMAP4FLAGS)
            case (
                Op.ADDFLAG
                | Op.SETFLAG
                | Op.REMOVEFLAG
                | Op.ADDFLAG_ORIG
                | Op.SETFLAG_ORIG
                | Op.REMOVEFLAG_ORIG
            ):
                name = op.name.removesuffix("_ORIG").lower().encode()
                words = self.words(name, Extension.IMAP4FLAGS)
                if a.get("variable"):
                    words.need(Extension.VARIABLES).argument(a["variable"])
                words.argument(a["flags"])
            case Op.NOTIFY | Op.ENOTIFY:
                words = _notify(self.words(b"notify"), op, a)
            case Op.DENOTIFY:
                words = self.words(b"denotify", Extension.NOTIFY)
                if a["pattern"] is not None:
                    words.comparator(Comparator(a["match"], a["relation"], Tag.ASCIICASEMAP))
                    if a["match"] == Tag.IS:
                        words.word(b":is")
                    words.argument(a["pattern"])
                if a["priority"] != Tag.ANY:
                    words.word(b":" + _word(a["priority"]))
            case (
                Op.VACATION
                | Op.VACATION_FCC_SPLUSE
                | Op.VACATION_FCC_ORIG
                | Op.VACATION_SEC
                | Op.VACATION_ORIG
            ):
                words = _vacation(self.words(b"vacation", Extension.VACATION), op, a, indent)
            case Op.INCLUDE:
                words = self.words(b"include", Extension.INCLUDE)
                words.switch(b":global", a["flags"] & Include.LOCATION == Tag.GLOBAL)
                words.switch(b":once", a["flags"] & Include.ONCE)
                words.switch(b":optional", a["flags"] & Include.OPTIONAL).argument(a["script"])
            case Op.RETURN:
                words = self.words(b"return", Extension.INCLUDE)
            case Op.SET:
                words = self.words(b"set", Extension.VARIABLES)
                for modifier, *needs in _MODIFIERS:
                    words.switch(
                        b":" + str(modifier.name).lower().encode(), a["modifiers"] & modifier, *needs
                    )
                words.argument(a["variable"]).argument(a["value"])
            case Op.ADDHEADER:
                words = self.words(b"addheader", Extension.EDITHEADER).switch(b":last", a["index"] < 0)
                words.argument(a["name"]).argument(a["value"])
            case Op.DELETEHEADER:
                words = self.words(b"deleteheader", Extension.EDITHEADER)
                words.index(a["index"]).comparator(a["comparator"]).argument(a["name"])
                if a["values"]:
                    words.argument(a["values"])
            case Op.LOG:
                words = self.words(b"log", Extension.LOG).argument(a["text"])
            case Op.SNOOZE | Op.SNOOZE_TZID | Op.SNOOZE_ORIG:
                words = _snooze(self.words(b"snooze", Extension.SNOOZE), a, indent)
            case Op.PROCESSIMIP:
                words = self.words(b"processimip", Extension.IMIP)
                for kind in (Imip.INVITES_ONLY, Imip.UPDATES_ONLY, Imip.DELETE_CANCELED):
                    tag = str(kind.name).replace("_", "").lower()
                    words.switch(b":" + tag.encode(), a["flags"] & kind)
                for argument in ("calendarid", "outcome", "errstr"):
                    words.tag(b":" + argument.encode(), a[argument])
            case _:
                words = self.words(op.name.lower().encode())
        return words.text


_LISTS: dict[TestOp, tuple[bytes, tuple[Extension, ...]]] = {
    TestOp.EXISTS: (b"exists", ()),
    TestOp.MAILBOXEXISTS: (b"mailboxexists", (Extension.MAILBOX,)),
    TestOp.MAILBOXIDEXISTS: (b"mailboxidexists", (Extension.MAILBOXID,)),
    TestOp.SERVERMETADATAEXISTS: (b"servermetadataexists", (Extension.SERVERMETADATA,)),
    TestOp.VALIDEXTLIST: (b"valid_ext_list", (Extension.EXTLISTS,)),
    TestOp.VALIDNOTIFYMETHOD: (b"valid_notify_method", (Extension.ENOTIFY,)),
    TestOp.IHAVE: (b"ihave", (Extension.IHAVE,)),
}
"""Tests with nothing but a list."""

_COMPARED: dict[TestOp, tuple[bytes, tuple[Extension, ...]]] = {
    TestOp.ADDRESS: (b"address", ()),
    TestOp.ADDRESS_PRE_INDEX: (b"address", ()),
    TestOp.ENVELOPE: (b"envelope", (Extension.ENVELOPE,)),
    TestOp.HEADER: (b"header", ()),
    TestOp.HEADER_PRE_INDEX: (b"header", ()),
    TestOp.HASFLAG: (b"hasflag", (Extension.IMAP4FLAGS,)),
    TestOp.STRING: (b"string", (Extension.VARIABLES,)),
    TestOp.METADATA: (b"metadata", (Extension.MBOXMETADATA,)),
    TestOp.SERVERMETADATA: (b"servermetadata", (Extension.SERVERMETADATA,)),
    TestOp.ENVIRONMENT: (b"environment", (Extension.ENVIRONMENT,)),
    TestOp.NOTIFYMETHODCAPABILITY: (b"notify_method_capability", (Extension.ENOTIFY,)),
}
"""Tests that compare, with the other arguments in the order of the script."""

_MODIFIERS: tuple[tuple[Any, ...], ...] = (
    (Modifier.LOWER,),
    (Modifier.UPPER,),
    (Modifier.LOWERFIRST,),
    (Modifier.UPPERFIRST,),
    (Modifier.QUOTEWILDCARD,),
    (Modifier.QUOTEREGEX, Extension.REGEX),
    (Modifier.ENCODEURL, Extension.ENOTIFY),
    (Modifier.LENGTH,),
)


def _word(number: int) -> bytes:
    try:
        return Tag(number).name.lower().encode()
    except ValueError as error:
        raise BytecodeError(f"no word for {number}") from error


def _quoted(value: bytes) -> bytes:
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _string(value: bytes) -> bytes:
    # only what ends with a line can be written so
    if value.endswith(b"\n"):
        lines = value.split(b"\n")
        return b"text:\n%b.\n" % b"\n".join(b"." + line if line.startswith(b".") else line for line in lines)
    return _quoted(value)


def _strings(values: tuple[bytes, ...]) -> bytes:
    if len(values) == 1:
        return _quoted(values[0])
    return b"[%b]" % b", ".join(map(_quoted, values))


def _filing(words: _Words, a: dict[str, Any]) -> _Words:
    words.switch(b":create", a.get("create"), Extension.MAILBOX)
    words.tag(b":specialuse", a.get("specialuse"), Extension.SPECIAL_USE)
    words.tag(b":mailboxid", a.get("mailboxid"), Extension.MAILBOXID)
    return words.tag(b":flags", a.get("flags"), Extension.IMAP4FLAGS)


def _redirect(words: _Words, a: dict[str, Any], indent: int) -> _Words:
    words.switch(b":copy", a.get("copy"), Extension.COPY).switch(b":list", a.get("list"), Extension.EXTLISTS)
    words.tag(b":notify", a.get("notify"), Extension.REDIRECT_DSN)
    words.tag(b":ret", a.get("ret"), Extension.REDIRECT_DSN)
    time = a.get("bytime")
    if time is not None:
        words.need(Extension.REDIRECT_DELIVERBY)
        if time[:1] == b"+" and time[1:].isdigit():
            words.number(b":bytimerelative", int(time[1:]))
        else:
            words.tag(b":bytimeabsolute", time)
        words.fold(indent + _INDENT)
    words.tag(b":bymode", a.get("bymode"), Extension.REDIRECT_DELIVERBY)
    words.switch(b":bytrace", a.get("bytrace"), Extension.REDIRECT_DELIVERBY)
    return words.argument(a["address"])


def _notify(words: _Words, op: Op, a: dict[str, Any]) -> _Words:
    new = op is Op.ENOTIFY
    if new:
        words.need(Extension.ENOTIFY).tag(b":from", a["sender"])
        if a["priority"] != Tag.NORMAL:
            words.word(b":importance").word(b'"3"' if a["priority"] == Tag.LOW else b'"1"')
    else:
        words.need(Extension.NOTIFY).tag(b":method", a["method"]).tag(b":id", a["id"])
        if a["priority"] != Tag.NORMAL:
            words.word(b":" + _word(a["priority"]))
    words.tag(b":options", a["options"]).tag(b":message", a["message"])
    return words.argument(a["method"]) if new else words


def _vacation(words: _Words, op: Op, a: dict[str, Any], indent: int) -> _Words:
    seconds = a["seconds"] * (_DAY if op is Op.VACATION_ORIG else 1)
    if seconds % _DAY:
        words.need(Extension.VACATION_SECONDS).number(b":seconds", seconds)
    else:
        words.number(b":days", seconds // _DAY)
    words.tag(b":subject", a["subject"]).tag(b":from", a.get("sender")).tag(b":handle", a.get("handle"))
    words.tag(b":addresses", a["addresses"])
    copy = a.get("fcc")
    if isinstance(copy, Copy):
        words.fold(indent + _INDENT).tag(b":fcc", copy.folder, Extension.FCC)
        where = {"specialuse": copy.specialuse, "mailboxid": copy.mailboxid}
        _filing(words, {"create": copy.create, "flags": copy.flags, **where})
    words.switch(b":mime", a["mime"])
    message = a["message"] or b""
    if b"\n" not in message:
        words.fold(indent + _INDENT)
    return words.argument(message)


def _snooze(words: _Words, a: dict[str, Any], indent: int) -> _Words:
    folder, mailboxid = a["folder"], a.get("mailboxid")
    if a["days"] & Weekdays.IS_ID:
        folder, mailboxid = None, folder
    words.tag(b":mailbox", folder).tag(b":mailboxid", mailboxid, Extension.MAILBOXID)
    words.tag(b":specialuse", a.get("specialuse"), Extension.SPECIAL_USE)
    words.switch(b":create", a.get("create"), Extension.MAILBOX)
    words.tag(b":addflags", a["addflags"], Extension.IMAP4FLAGS)
    words.tag(b":removeflags", a["removeflags"], Extension.IMAP4FLAGS)
    days = a["days"] & Weekdays.ALL
    if days != Weekdays.ALL:
        listed = b", ".join(b'"%d"' % day for day in range(7) if days & 1 << day)
        words.fold(indent + _INDENT).word(b":weekdays").word(b"[%b]" % listed)
    words.tag(b":tzid", a.get("tzid"))
    times = [b'"%02d:%02d:%02d"' % (time // 3600, time % 3600 // 60, time % 60) for time in a["times"]]
    return words.word(times[0] if len(times) == 1 else b"[%b]" % b", ".join(times))


def _date(words: _Words, a: dict[str, Any], header: bytes | None) -> _Words:
    zone = a["zone"]
    assert isinstance(zone, Zone)
    words.switch(b":originalzone", zone.tag == Tag.ORIGINALZONE).tag(b":zone", zone.offset)
    words.comparator(a["comparator"])
    if header is not None:
        words.argument(header)
    return words.argument(_word(a["part"])).argument(a["patterns"])


def _target(jump: Instruction, end: int) -> int:
    target: Any = jump.arguments["target"]
    if target > end:
        raise BytecodeError("jump out of its block", jump.position)
    return int(target)


def _number_at(instructions: Sequence[Instruction], position: int, start: int) -> int:
    """The number of the instruction at ``position``, not before number ``start``."""
    low, high = start, len(instructions)
    while low < high:
        middle = (low + high) // 2
        if instructions[middle].position < position:
            low = middle + 1
        else:
            high = middle
    return low


def _is_elsif(instructions: Sequence[Instruction], number: int, end: int) -> bool:
    """Whether one IF fills all from ``number`` to position ``end``."""
    while number < len(instructions) and instructions[number].op is Op.IF:
        otherwise = _target(instructions[number + 1], end)
        after = _number_at(instructions, otherwise, number + 2)
        last = instructions[after - 1]
        if otherwise == end:
            return True
        if after - 1 < number + 2 or last.op is not Op.JUMP or _target(last, end) != end:
            return False
        if instructions[after].op is not Op.IF:
            return True
        number = after
    return False
