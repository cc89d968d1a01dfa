"""Hostile input for lmtpd and timsieved: their conversations, and Sieve scripts as text and as bytecode.

Everything follows from a `Random`. A stream is a conversation sent at once: the server need not be waited for
with ManageSieve's literals and LMTP's pipelining, and one that is cut short is what a lost client leaves.
"""

from __future__ import annotations

import base64
import re
from random import Random

from cassandane import sieve_cases
from cassandane.fuzz import Target, mutated, responses
from cassandane.sieve_rules import RULES
from cassandane.sieve_scripts import Writer
from sieve.compiler import compile_script
from sieve.errors import ScriptErrors

_LMTP_LINE = re.compile(rb"[2-5]\d\d[ -][^\x00-\x08\x0a-\x1f\x7f]*")
_STRING = rb'(?:"(?:[^"\\\x00\r\n\x80-\xff]|\\["\\])*"|\{\d+\}\r\n.*)'
_SIEVE_LINE = re.compile(
    rb"(?s:(?:OK|NO|BYE)(?: \((?:[A-Z/-]+(?: " + _STRING + rb")?)\))?(?: " + _STRING + rb")?"
    rb"|" + _STRING + rb"(?: " + _STRING + rb")?(?: ACTIVE)?)"
)
_HEADERS = (
    b"From: a@example.org\r\n", b"Subject: =?utf-8?q?caf=C3=A9?=\r\n", b"Message-ID: <%d@x>\r\n",
    b"Date: Mon, 6 Jan 2020 10:00:00 +0100\r\n", b"To: ann@example.org\r\n", b"Received: x\r\n y\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n", b"Auto-Submitted: no\r\n", b": empty\r\n", b"none\r\n",
    b" folded first\r\n", b"X-\xff: \xfe\r\n", b"Message-ID:\r\n", b"Cc: " + b"a@b, " * 400 + b"c@d\r\n",
)  # fmt: skip
_BODIES = (
    b"text\r\n", b"\r\n", b"", b"..dot\r\n", b"\n.\n", b"\r.\r", b"a\r\n.\r\nNOOP\r\n", b"\0", b"x" * 70000,
    b"bare\nlines\r\r\n", b"--b\r\n\r\nx\r\n--b--\r\n", b"\xff\xfe\x80", b"no end of line",
)  # fmt: skip
_PATHS = (
    b"<ann>", b"<ann+two>", b"<bob@example.org>", b"<@a,@b:ann>", b"<>", b"ann", b'<"ann">', b'<"a\\n\\n">',
    b"<ann+&>", b"<ann+\xc3\xa9>", b"<+two>", b"<shared>", b"<nobody>", b"<ann+" + b"x/" * 600 + b">",
    b"<ann@>", b"<ann@[1.2.3.4]>", b"<a\\\0b>", b"<\xff>", b"< ann>", b"<ann+.>", b"<ann+a..b>", b"<ann+^^>",
    b"<" + b"a" * 2000 + b">", b'<"\0">', b"<+>", b"<@>", b"<ann+%>", b"<postmaster>", b"<ann+two/../three>",
)  # fmt: skip
_PARAMETERS = (
    b" BODY=8BITMIME", b" BODY=x", b" SIZE=5", b" SIZE=99999999999999999999", b" AUTH=<>", b" AUTH=ann",
    b" AUTH=+00", b" AUTH=+C3+A9", b" AUTH=bob+40example.org", b" IGNOREQUOTA", b" x", b" ",
)  # fmt: skip
_SECRETS = (
    b"\0ann\0x", b"\0admin\0x", b"ann\0admin\0x", b"\0\0", b"", b"\0ann", b"\0" * 9,
    b"\0a\xff\0x", b"\0%b\0x" % (b"a" * 9000),
)  # fmt: skip
_NAMES = (
    b'"a"', b'"b"', b'"none"', b'""', b'"a/b"', b'"defaultbc"', b'".."', b"{1+}\r\na", b"{2+}\r\n\xff\xfe",
    b"{1+}\r\n\0", b'"' + b"n" * 1100 + b'"', b"{3+}\r\na\r\n", b"{0+}\r\n", b'"a b"', b"{2+}\r\n\xc3\xa9",
    b'"\\"\\\\"', b"a", b"5", b"{1000000000000+}\r\n", b"{1}\r\na", b'"' + b"n" * 230 + b'"',
)  # fmt: skip


class LmtpTarget(Target):
    """lmtpd: a reply is a number and text on every line."""

    program = "lmtpd"

    def judge(self, said: bytes) -> list[bytes]:
        lines = said.split(b"\r\n")[:-1]
        for line in lines:
            if not _LMTP_LINE.fullmatch(line):
                raise self.broken(f"no reply: {line[:200]!r}")
        return lines


class SieveTarget(Target):
    """timsieved: lines of strings, and those that say how a command ended (RFC 5804 section 4)."""

    program = "timsieved"

    def judge(self, said: bytes) -> list[bytes]:
        found = responses(said)
        for response in found:
            if not _SIEVE_LINE.fullmatch(response):
                raise self.broken(f"no response: {response[:200]!r}")
        return found


def mail(random: Random) -> bytes:
    """A message, often one that is none."""
    if random.random() < 0.5:
        data = sieve_cases.case(random.randrange(1000)).text("ann")
    else:
        head = random.choices(_HEADERS, k=random.randrange(7))
        body = random.choices(_BODIES, k=random.randrange(5))
        data = b"".join(head).replace(b"%d", b"%d" % random.randrange(99)) + b"\r\n" + b"".join(body)
    return mutated(random, data) if random.random() < 0.5 else data


def transaction(random: Random) -> list[bytes]:
    """The lines of one delivery, the message among them."""
    sender = random.choice((b"<x@y.example>", b"<x@y.example>", b"<>", random.choice(_PATHS)))
    lines = [b"MAIL FROM:%b%b\r\n" % (sender, _parameter(random))]
    for _ in range(random.choice((1, 1, 2, 5))):
        path = b"<ann>" if random.random() < 0.6 else random.choice(_PATHS)
        lines.append(b"RCPT TO:%b%b\r\n" % (path, _parameter(random)))
    return [*lines, b"DATA\r\n", mail(random), b"\r\n.\r\n"]


def _parameter(random: Random) -> bytes:
    return random.choice(_PARAMETERS) if random.random() < 0.2 else b""


def lmtp_stream(random: Random) -> bytes:
    """A conversation with lmtpd."""
    lines = [b"LHLO x\r\n"]
    if random.random() < 0.3:
        secret = base64.b64encode(random.choice(_SECRETS))
        lines.append(
            random.choice((b"AUTH PLAIN %b\r\n", b"AUTH PLAIN\r\n%b\r\n", b"AUTH LOGIN %b\r\n*\r\n")) % secret
        )
    for _ in range(random.randrange(1, 4)):
        lines += transaction(random)
        lines.append(
            random.choice((b"", b"RSET\r\n", b"NOOP\r\n", b"VRFY ann\r\n", b"LHLO \xff\0\r\n", b"HELO x\r\n"))
        )
    return _broken(random, [*lines, b"QUIT\r\n"])


def script(random: Random) -> bytes:
    """The text of a Sieve script: right, nearly right, or any octets."""
    kind = random.randrange(5)
    if kind == 0:
        return random.randbytes(random.choice((0, 1, 30, 3000)))
    if kind == 1:
        return sieve_cases.case(random.randrange(10000)).script.encode()
    data = Writer(random).script().encode()
    return (
        mutated(random, data, [b"require [", b"text:\r\na\r\n.\r\n", b"/* ", b"${hex:ff}", b"if not "])
        if kind > 2
        else data
    )


def sieve_command(random: Random) -> bytes:
    """One command of ManageSieve."""
    name, other = random.choice(_NAMES), random.choice(_NAMES)
    made: bytes
    match random.randrange(9):
        case 0 | 1:
            text = script(random)
            made = b"PUTSCRIPT %b {%d+}\r\n%b" % (name, len(text), text)
        case 2:
            text = script(random)
            made = b"CHECKSCRIPT {%d+}\r\n%b" % (len(text), text)
        case 3:
            made = b"RENAMESCRIPT %b %b" % (name, other)
        case 4:
            made = random.choice((b"GETSCRIPT ", b"DELETESCRIPT ", b"SETACTIVE ")) + name
        case 5:
            made = b"HAVESPACE %b %b" % (name, random.choice((b"1", b"99999999", b"9" * 30, b"-1", b"x")))
        case 6:
            secret = base64.b64encode(random.choice(_SECRETS))
            how = random.choice(
                (b'"PLAIN" "%b"', b'"PLAIN"\r\n"%b"', b'"LOGIN" "%b"\r\n{0+}\r\n', b'"X\xff" "%b"')
            )
            made = b"AUTHENTICATE " + how % secret
        case 7:
            made = b"NOOP " + name
        case _:
            made = random.choice(
                (b"LISTSCRIPTS", b"CAPABILITY", b"UNAUTHENTICATE", b"NOOP", b"STARTTLS", b"", b"X")
            )
    return made + b"\r\n"


def sieve_stream(random: Random) -> bytes:
    """A conversation with timsieved, mostly of somebody who has logged in."""
    first = b"" if random.random() < 0.2 else b'AUTHENTICATE "PLAIN" "%b"\r\n' % base64.b64encode(b"\0ann\0x")
    stream = _broken(random, [sieve_command(random) for _ in range(random.randrange(1, 12))])
    return first + stream


def _broken(random: Random, pieces: list[bytes]) -> bytes:
    """The pieces, some of them changed; sometimes the whole, or its end is missing."""
    often = random.choice((0.0, 0.1, 0.5))
    stream = b"".join(mutated(random, one, pieces) if random.random() < often else one for one in pieces)
    if random.random() < 0.1:
        stream = mutated(random, stream, pieces)
    if random.random() < 0.2:
        stream = stream[: random.randrange(len(stream) + 1)]
    return stream


def bytecode(random: Random) -> bytes:
    """A file of bytecode, mostly one in which something was changed."""
    while True:
        try:
            data = compile_script(_compilable(random), RULES)
        except ScriptErrors:
            continue
        break
    for _ in range(random.randrange(4)):
        data = _changed(random, data)
    return mutated(random, data) if random.random() < 0.1 else data


def _compilable(random: Random) -> bytes:
    if random.random() < 0.5:
        return Writer(random).script().encode()
    return sieve_cases.case(random.randrange(10000)).script.encode()


def _changed(random: Random, data: bytes) -> bytes:
    """Bytecode with one number changed: all of it is aligned to four octets."""
    at = random.randrange(12, max(13, len(data)))
    if random.random() < 0.3:
        return data[:at] + random.randbytes(1) + data[at + 1 :]
    at -= at % 4
    value = random.choice(
        (0, 1, 2, 3, 5, 31, 60, 127, 255, 2**31 - 1, 2**31, 2**32 - 1, random.randrange(90))
    )
    return data[:at] + value.to_bytes(4, random.choice(("big", "big", "little"))) + data[at + 4 :]
