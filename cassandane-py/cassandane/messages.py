"""Messages for tests: small ones by hand, many by a fixed seed."""

from __future__ import annotations

import base64
import random
import zlib

CRLF = "\r\n"
DATE = "Mon, 02 Nov 2026 10:20:30 +0100"


def message(subject: str = "A test", body: str = "Hello.", **headers: str) -> bytes:
    """A small plain message with CRLF line ends."""
    fields = {
        "From": "Alice <alice@example.org>",
        "To": "bob@example.org",
        "Subject": subject,
        "Date": DATE,
        "Message-ID": f"<{zlib.crc32((subject + body).encode()):x}@example.org>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}{CRLF}" for name, value in fields.items())
    return (head + CRLF + body + CRLF).encode("utf-8")


def corpus(count: int, *, seed: int = 3501, largest: int = 20_000) -> list[bytes]:
    """``count`` varied MIME messages, the same for the same arguments."""
    source = random.Random(seed)
    return [_any_message(source, number, largest) for number in range(count)]


def _any_message(source: random.Random, number: int, largest: int) -> bytes:
    head = [
        f"Return-Path: <sender{number}@example.org>",
        f"From: {_mailbox(source)}",
        f"To: {', '.join(_mailbox(source) for _ in range(source.randint(1, 4)))}",
        f"Subject: {_subject(source, number)}",
        f"Date: {_date(source)}",
        f"Message-ID: <{number}.{source.getrandbits(40):x}@example.org>",
    ]
    if source.random() < 0.4:
        head.append(f"References: <{number - 1}@example.org> <{number - 2}@example.org>")
    if source.random() < 0.3:
        head.append(f"Cc: {_mailbox(source)}")
    kind = source.choice([_plain, _plain, _alternative, _mixed, _forwarded, _eight_bit, _broken])
    fields, body = kind(source, source.randint(20, largest), 0)
    text = CRLF.join(head + fields) + CRLF + CRLF
    return text.encode("utf-8") + body


def _mailbox(source: random.Random) -> str:
    name = source.choice(["Alice", "Bob B.", '"Quoted, Name"', "=?utf-8?Q?J=C3=BCrgen?=", ""])
    address = f"user{source.randint(1, 40)}@example.{source.choice(['org', 'com', 'net'])}"
    return f"{name} <{address}>" if name else address


def _subject(source: random.Random, number: int) -> str:
    words = source.sample(["budget", "lunch", "report", "meeting", "ärger", "日本語", "Re: plan"], 2)
    text = " ".join(words) + f" {number}"
    if text.isascii() or source.random() < 0.3:
        return text
    return "=?UTF-8?B?" + base64.b64encode(text.encode()).decode() + "?="


def _date(source: random.Random) -> str:
    day = source.choice(["Mon", "Tue", "Wed"])
    return (
        f"{day}, {source.randint(1, 28):02d} {source.choice(['Jan', 'Feb', 'Nov'])} "
        f"{source.randint(1998, 2026)} {source.randint(0, 23):02d}:{source.randint(0, 59):02d}:07 "
        f"{source.choice(['+0000', '-0730', '+0200', 'GMT', 'EST'])}"
    )


_Part = tuple[list[str], bytes]


def _lines(source: random.Random, size: int) -> bytes:
    words = ["lorem", "ipsum", "dolor", "sit", "amet", ".", "From here", "x" * 60]
    out: list[str] = []
    length = 0
    while length < size:
        line = " ".join(source.choices(words, k=source.randint(0, 9)))
        out.append(line)
        length += len(line) + 2
    return CRLF.join(out).encode() + b"\r\n"


def _plain(source: random.Random, size: int, depth: int) -> _Part:
    return ["Content-Type: text/plain; charset=us-ascii"], _lines(source, size)


def _eight_bit(source: random.Random, size: int, depth: int) -> _Part:
    body = _lines(source, size // 2) + "Grüße aus Köln\r\n".encode("latin-1")
    return [
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=iso-8859-1",
        "Content-Transfer-Encoding: 8bit",
    ], body


def _attachment(source: random.Random, size: int, depth: int) -> _Part:
    data = base64.encodebytes(source.randbytes(size * 3 // 4)).replace(b"\n", b"\r\n")
    return [
        'Content-Type: application/octet-stream; name="data.bin"',
        "Content-Transfer-Encoding: base64",
        'Content-Disposition: attachment; filename="data.bin"',
    ], data


def _multipart(source: random.Random, subtype: str, parts: list[_Part], *, closed: bool = True) -> _Part:
    boundary = f"=_{source.getrandbits(48):x}"
    body = b"preamble\r\n" if source.random() < 0.3 else b""
    for fields, content in parts:
        head = CRLF.join(fields) + CRLF + CRLF
        body += b"--" + boundary.encode() + b"\r\n" + head.encode() + content + b"\r\n"
    if closed:
        body += b"--" + boundary.encode() + b"--\r\n"
    return ["MIME-Version: 1.0", f'Content-Type: multipart/{subtype}; boundary="{boundary}"'], body


def _alternative(source: random.Random, size: int, depth: int) -> _Part:
    html = ["Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: quoted-printable"]
    page = b"<html><body><p>gr=C3=BC=C3=9Fe</p></body></html>\r\n"
    return _multipart(source, "alternative", [_plain(source, size // 2, depth), (html, page)])


def _mixed(source: random.Random, size: int, depth: int) -> _Part:
    choices = [_plain, _attachment, _alternative, *([_mixed, _forwarded] if depth < 3 else [])]
    count = source.randint(1, 3)
    parts = [source.choice(choices)(source, size // count, depth + 1) for _ in range(count)]
    return _multipart(source, "mixed", parts)


def _forwarded(source: random.Random, size: int, depth: int) -> _Part:
    fields, body = (_mixed if depth < 2 else _plain)(source, size, depth + 1)
    head = [f"From: {_mailbox(source)}", "Subject: inner", f"Date: {_date(source)}", *fields]
    inner = (CRLF.join(head) + CRLF + CRLF).encode() + body
    return ["Content-Type: message/rfc822"], inner


def _broken(source: random.Random, size: int, depth: int) -> _Part:
    parts = [_plain(source, size // 2, depth), _attachment(source, size // 2, depth)]
    fields, body = _multipart(source, "mixed", parts, closed=False)
    return source.choice([
        (fields, body),
        (["Content-Type: multipart/mixed"], body),
        (["Content-Type: text/plain; charset=", "Content-Transfer-Encoding: base64"], b"!!not base64!!\r\n"),
        (["Content-Type: image/", "X-Odd:", " folded only"], body[:40] + b"\r\n"),
    ])


def with_attachment(size: int, *, seed: int = 7) -> bytes:
    """A multipart message whose base64 attachment takes about ``size`` bytes."""
    source = random.Random(seed + size)
    fields, body = _multipart(source, "mixed", [_plain(source, 200, 0), _attachment(source, size, 0)])
    head = ["From: alice@example.org", "To: bob@example.org", f"Subject: {size} bytes", f"Date: {DATE}"]
    head.append(f"Message-ID: <{size}@example.org>")
    return (CRLF.join(head + fields) + CRLF + CRLF).encode() + body
