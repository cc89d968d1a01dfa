"""The words of single actions and tests, for ``regenerate``."""

from __future__ import annotations

from typing import Any

from sieve.bytecode.opcodes import Imip, Include, Modifier, Op, Tag, TestOp, Weekdays
from sieve.bytecode.reader import Comparator, Copy, Instruction, Test, Zone
from sieve.errors import BytecodeError
from sieve.extensions import Extension

INDENT = 4
_DAY = 86400


def test_text(test: Test, indent: int, needs: set[Extension]) -> bytes:
    """A test as it stands in a script; lists of tests are folded to ``indent``."""
    if test.op is TestOp.NOT:
        return b"not " + test_text(test.tests[0], indent, needs)
    if test.op is TestOp.ANYOF or test.op is TestOp.ALLOF:
        separator = b",\n" + b" " * indent
        tests = separator.join(test_text(each, indent, needs) for each in test.tests)
        return b"%b (%b)" % (test.op.name.lower().encode(), tests)
    return _plain_test(test, needs).text


def _plain_test(test: Test, needs: set[Extension]) -> _Words:
    a: dict[str, Any] = test.arguments
    names = _LISTS.get(test.op)
    if names is not None:
        keyword, extension = names
        return _words(needs, keyword, *extension).argument(next(iter(a.values())))
    compared = _COMPARED.get(test.op)
    if compared is not None:
        keyword, extension = compared
        words = _words(needs, keyword, *extension).index(a.get("index", 0), Extension.INDEX)
        words.part(a.get("part", Tag.ALL)).comparator(a["comparator"])
        for name, value in a.items():
            if name not in ("index", "comparator", "part") and (name, value) != ("variables", ()):
                words.argument(value)
        return words
    match test.op:
        case TestOp.SIZE:
            return _words(needs, b"size").number(
                b":over" if a["relation"] == Tag.OVER else b":under", a["size"]
            )
        case TestOp.BODY:
            return _body(a, needs)
        case TestOp.DATE | TestOp.DATE_ORIG:
            # the first field is the default, and cannot be told from an index of 1
            index = a["index"] if a["index"] != 1 else 0
            words = _words(needs, b"date", Extension.DATE).index(index, Extension.INDEX)
            return _date(words, a, a["header"])
        case TestOp.CURRENTDATE | TestOp.CURRENTDATE_ORIG:
            return _date(_words(needs, b"currentdate", Extension.DATE), a, None)
        case TestOp.METADATAEXISTS:
            words = _words(needs, b"metadataexists", Extension.MBOXMETADATA)
            return words.argument(a["mailbox"]).argument(a["annotations"])
        case TestOp.SPECIALUSEEXISTS:
            words = _words(needs, b"specialuse_exists", Extension.SPECIAL_USE)
            if a["mailbox"] is not None:
                words.argument(a["mailbox"])
            return words.argument(a["uses"])
        case TestOp.DUPLICATE:
            words = _words(needs, b"duplicate", Extension.DUPLICATE).tag(b":handle", a["handle"] or None)
            words.tag(b":uniqueid" if a["idtype"] == Tag.UNIQUEID else b":header", a["idval"])
            return words.number(b":seconds", a["seconds"]).switch(b":last", a["last"])
        case TestOp.JMAPQUERY:
            return _words(needs, b"jmapquery", Extension.JMAPQUERY).argument(a["query"])
        case _:
            return _words(needs, test.op.name.lower().encode())


def _body(a: dict[str, Any], needs: set[Extension]) -> _Words:
    words = _words(needs, b"body", Extension.BODY).comparator(a["comparator"])
    if a["transform"] == Tag.RAW:
        words.word(b":raw")
    elif a["transform"] == Tag.CONTENT:
        words.word(b":content").argument(a["types"])
    return words.argument(a["patterns"])


def action_text(instruction: Instruction, indent: int, needs: set[Extension]) -> bytes:
    """An action without its ";"; long ones are folded to four more than ``indent``."""
    op = instruction.op
    a: dict[str, Any] = instruction.arguments
    match op:
        case Op.KEEP | Op.KEEP_COPY | Op.KEEP_ORIG:
            words = _words(needs, b"keep").tag(b":flags", a.get("flags"), Extension.IMAP4FLAGS)
        case Op.REJECT:
            words = _words(needs, b"reject", Extension.REJECT).argument(a["reason"])
        case Op.EREJECT:
            words = _words(needs, b"ereject", Extension.EREJECT).argument(a["reason"])
        case Op.ERROR:
            words = _words(needs, b"error", Extension.IHAVE).argument(a["message"])
        case (
            Op.FILEINTO
            | Op.FILEINTO_SPECIALUSE
            | Op.FILEINTO_CREATE
            | Op.FILEINTO_FLAGS
            | Op.FILEINTO_COPY
            | Op.FILEINTO_ORIG
        ):
            words = _words(needs, b"fileinto", Extension.FILEINTO)
            words.switch(b":copy", a.get("copy"), Extension.COPY)
            _filing(words, a).argument(a["folder"])
        case Op.REDIRECT | Op.REDIRECT_LIST | Op.REDIRECT_COPY | Op.REDIRECT_ORIG:
            words = _redirect(_words(needs, b"redirect"), a, indent)
        case Op.MARK | Op.UNMARK:
            words = _words(needs, op.name.lower().encode(), Extension.IMAP4FLAGS)
        case Op.ADDFLAG | Op.SETFLAG | Op.REMOVEFLAG | Op.ADDFLAG_ORIG | Op.SETFLAG_ORIG | Op.REMOVEFLAG_ORIG:
            name = op.name.removesuffix("_ORIG").lower().encode()
            words = _words(needs, name, Extension.IMAP4FLAGS)
            if a.get("variable"):
                words.need(Extension.VARIABLES).argument(a["variable"])
            words.argument(a["flags"])
        case Op.NOTIFY | Op.ENOTIFY:
            words = _notify(_words(needs, b"notify"), op, a)
        case Op.DENOTIFY:
            words = _words(needs, b"denotify", Extension.NOTIFY)
            if a["pattern"] is not None:
                words.comparator(Comparator(a["match"], a["relation"], Tag.ASCIICASEMAP))
                if a["match"] == Tag.IS:
                    words.word(b":is")
                words.argument(a["pattern"])
            if a["priority"] != Tag.ANY:
                words.word(b":" + _word(a["priority"]))
        case Op.VACATION | Op.VACATION_FCC_SPLUSE | Op.VACATION_FCC_ORIG | Op.VACATION_SEC | Op.VACATION_ORIG:
            words = _vacation(_words(needs, b"vacation", Extension.VACATION), op, a, indent)
        case Op.INCLUDE:
            words = _words(needs, b"include", Extension.INCLUDE)
            words.switch(b":global", a["flags"] & Include.LOCATION == Tag.GLOBAL)
            words.switch(b":once", a["flags"] & Include.ONCE)
            words.switch(b":optional", a["flags"] & Include.OPTIONAL).argument(a["script"])
        case Op.RETURN:
            words = _words(needs, b"return", Extension.INCLUDE)
        case Op.SET:
            words = _words(needs, b"set", Extension.VARIABLES)
            for modifier, *extensions in _MODIFIERS:
                word = f":{modifier.name}".lower().encode()
                words.switch(word, a["modifiers"] & modifier, *extensions)
            words.argument(a["variable"]).argument(a["value"])
        case Op.ADDHEADER:
            words = _words(needs, b"addheader", Extension.EDITHEADER).switch(b":last", a["index"] < 0)
            words.argument(a["name"]).argument(a["value"])
        case Op.DELETEHEADER:
            words = _words(needs, b"deleteheader", Extension.EDITHEADER)
            words.index(a["index"]).comparator(a["comparator"]).argument(a["name"])
            if a["values"]:
                words.argument(a["values"])
        case Op.LOG:
            words = _words(needs, b"log", Extension.LOG).argument(a["text"])
        case Op.SNOOZE | Op.SNOOZE_TZID | Op.SNOOZE_ORIG:
            words = _snooze(_words(needs, b"snooze", Extension.SNOOZE), a, indent)
        case Op.PROCESSIMIP:
            words = _words(needs, b"processimip", Extension.IMIP)
            for kind in (Imip.INVITES_ONLY, Imip.UPDATES_ONLY, Imip.DELETE_CANCELED):
                tag = str(kind.name).replace("_", "").lower()
                words.switch(b":" + tag.encode(), a["flags"] & kind)
            for argument in ("calendarid", "outcome", "errstr"):
                words.tag(b":" + argument.encode(), a[argument])
        case _:
            words = _words(needs, op.name.lower().encode())
    return words.text


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


def _words(needs: set[Extension], first: bytes, *more: Extension) -> _Words:
    return _Words(first, needs).need(*more)


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
        words.fold(indent + INDENT)
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
        words.fold(indent + INDENT).tag(b":fcc", copy.folder, Extension.FCC)
        where = {"specialuse": copy.specialuse, "mailboxid": copy.mailboxid}
        _filing(words, {"create": copy.create, "flags": copy.flags, **where})
    words.switch(b":mime", a["mime"])
    message = a["message"] or b""
    if b"\n" not in message:
        words.fold(indent + INDENT)
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
        words.fold(indent + INDENT).word(b":weekdays").word(b"[%b]" % listed)
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
