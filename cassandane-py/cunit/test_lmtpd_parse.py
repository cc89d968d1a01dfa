"""The grammar of LMTP's arguments."""

from __future__ import annotations

import pytest

from imap.lmtpd import command_table, parse
from imap.lmtpd.parse import MailArgs, ParseError, RcptArgs

SYNTAX = "501 5.5.4 Syntax error in parameters"
UNRECOGNIZED = "501 5.5.4 Unrecognized parameters"


def mail(argument: bytes, *, strict: bool = True, maxsize: int = 1000) -> MailArgs | str:
    try:
        return parse.mail(argument, strict=strict, maxsize=maxsize)
    except ParseError as error:
        return str(error)


def rcpt(argument: bytes, *, strict: bool = True) -> RcptArgs | str:
    try:
        return parse.rcpt(argument, strict=strict)
    except ParseError as error:
        return str(error)


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (b"<joe>", "joe"),
        (b"<>", ""),
        (b"<joe@example.org>", "joe@example.org"),
        (b"<joe+folder.sub@example.org>", "joe+folder.sub@example.org"),
        (b"<+shared.folder>", "+shared.folder"),
        (b"<joe@[192.0.2.1]>", "joe@[192.0.2.1]"),
        (b"<@a.example,@b.example:joe@c.example>", "joe@c.example"),
        (b"<@[192.0.2.1]:joe>", "joe"),
        (b'<"joe blow"@example.org>', '"joe blow"@example.org'),
        (b'<"a\\"b@c">', '"a\\"b@c"'),
        (b"<a\\@b@c>", "a\\@b@c"),
        (b"<joe@>", "joe@"),
        (b"<a!b#c$d%e&f'g*h>", "a!b#c$d%e&f'g*h"),
        (b"joe", None),
        (b" <joe>", None),
        (b"<joe", None),
        (b"<joe>x", None),
        (b"<joe blow>", None),
        (b"<joe@exa_mple>", None),
        (b"<joe@[::1]>", None),
        (b"<a,b>", None),
        (b"<a\tb>", None),
        (b"<j\xc3\xb6e>", None),
        (b'<"joe>', None),
        (b"<joe\\>", None),
        (b"<@a.example>", None),
        (b"<@a.example:@b.example>", None),
        (b"<@:joe>", "joe"),
        (b"<<joe>>", None),
    ],
)
def test_paths(path: bytes, address: str | None) -> None:
    result = rcpt(b"TO:" + path)
    assert result == (SYNTAX if address is None else RcptArgs(address))
    sender = mail(b"FROM:" + path)
    assert sender == (SYNTAX if address is None else MailArgs(address))


def test_a_path_that_is_cut_anywhere_is_no_path() -> None:
    whole = b'TO:<@relay.example:"joe blow"+x@example.org>'
    for cut in range(len(whole)):
        assert rcpt(whole[:cut]) == SYNTAX


def test_a_long_line_of_nonsense_takes_no_time() -> None:
    for filler in (b"@a,", b'\\"', b"a@", b"@[1]:", b'"\\'):
        assert rcpt(b"TO:<" + filler * 1500) == SYNTAX


def test_a_lax_server_takes_8bit_local_parts_as_x() -> None:
    assert rcpt(b"TO:<j\xc3\xb6e>", strict=False) == RcptArgs("jXXe")


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (b"", MailArgs("a")),
        (b" BODY=7BIT", MailArgs("a")),
        (b" body=8bitmime SIZE=1000", MailArgs("a", None, 1000)),
        (b" SIZE=0", MailArgs("a")),
        (b" AUTH=joe", MailArgs("a", "joe")),
        (b" AUTH=<>", MailArgs("a")),
        (b" AUTH=<joe>", MailArgs("a", "joe")),
        (b" AUTH=joe+2Bx+3D SIZE=5", MailArgs("a", "joe+x=", 5)),
        (b" SIZE=1001", "552 5.2.3 Message SIZE exceeds fixed maximum message size (1000)"),
        (b" SIZE=" + b"9" * 30, "552 5.2.3 Message SIZE exceeds fixed maximum message size (1000)"),
        (b" SIZE=", "501 5.5.2 SIZE requires a value"),
        (b" SIZE=-1", "501 5.5.2 SIZE requires a value"),
        (b" SIZE=12x", SYNTAX),
        (b" BODY=BINARYMIME", "501 5.5.4 Unrecognized BODY type"),
        (b" BODY=7BITx", SYNTAX),
        (b" RET=FULL", UNRECOGNIZED),
        (b" ", UNRECOGNIZED),
        (b"  SIZE=5", UNRECOGNIZED),
        (b" AUTH=a=b", SYNTAX),
        (b" AUTH=a+2x", SYNTAX),
    ],
)
def test_parameters_of_mail(rest: bytes, expected: MailArgs | str) -> None:
    assert mail(b"from:<a>" + rest) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        (b"TO:<a> IGNOREQUOTA", RcptArgs("a", True)),
        (b"to:<a> ignorequota", RcptArgs("a", True)),
        (b"TO:<a> IGNOREQUOTA IGNOREQUOTA", RcptArgs("a", True)),
        (b"TO:<a> IGNOREQUOTAS", UNRECOGNIZED),
        (b"TO:<a> NOTIFY=NEVER", UNRECOGNIZED),
        (b"TO:<a> ", UNRECOGNIZED),
        (b"FROM:<a>", SYNTAX),
        (b"TO <a>", SYNTAX),
        (b"", SYNTAX),
    ],
)
def test_parameters_of_rcpt(argument: bytes, expected: RcptArgs | str) -> None:
    assert rcpt(argument) == expected


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (b"NOOP", True),
        (b"noop", True),
        (b"NOOP x", False),
        (b"LHLO me", True),
        (b"LHLO ", True),
        (b"LHLO", False),
        (b"VRFY", False),
        (b"DATA x", False),
        (b"EHLO me", False),
        (b"BDAT 1 LAST", False),
        (b"HELP", False),
        (b"", False),
        (b" NOOP", False),
        (b"\xff\x00", False),
    ],
)
def test_commands_stand_alone_or_take_an_argument(line: bytes, known: bool) -> None:
    assert (command_table.find(line) is not None) is known
