"""The mail that generated conversations are about: what people send, and what nobody should."""

from __future__ import annotations

import base64
import quopri
import random
from pathlib import Path

from cassandane.instance import Instance
from cassandane.messages import CRLF, corpus
from cassandane.threads import mail

READER = "ann"
"""Whose mailboxes INBOX, Letters and Threads others read, and nobody changes."""

TEXTS = {
    "german": ("Grüße aus Köln, straße  doppelt\tTab", ("utf-8", "iso-8859-1", "windows-1252")),
    "russian": ("Привет мир, как дела", ("utf-8", "koi8-r", "windows-1251")),
    "japanese": ("日本語のテスト メール です", ("utf-8", "iso-2022-jp", "shift_jis", "euc-jp")),
    "chinese": ("中文 测试 邮件", ("utf-8", "gb2312", "gbk")),
    "korean": ("한국어 시험 편지", ("utf-8", "euc-kr")),
    "greek": ("ελληνικά δοκιμή Ώρα", ("utf-8", "iso-8859-7")),
    "french": ("éàçœ ŒUVRE ﬁn ①②", ("utf-8", "iso-8859-15")),
}
FLAGS = ("", r"\Seen", r"\Flagged $X", r"\Answered \Draft", "Work", r"\Deleted $Forwarded", "$Junk $NotJunk")
_PNG = base64.b64encode(bytes(range(256)) * 2).decode()

ODD = (
    b"\r\nno header at all\r\n",
    b"Subject: no body, no date\r\n\r\n",
    b"Subject: ends in its header\r\n",
    b"From: a@b\r\nContent-Type: message/delivery-status\r\nSubject: dsn\r\n\r\n"
    b"Reporting-MTA: dns; hidden\r\n\r\n",
    b"From: a@b\r\nContent-Type: multipart/report; boundary=q\r\nSubject: report\r\nMIME-Version: 1.0\r\n\r\n"
    b"--q\r\n\r\nplainpart\r\n--q\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; hidden"
    b"\r\n\r\n--q--\r\n",
    b"From: a@b\r\nContent-Type: text/html\r\nSubject: html\r\n\r\n<p>para<b>gra</b>ph</p>\r\n",
    b"From: a@b\r\nContent-Type: text/plain; charset=nosuch\r\nSubject: nosuch\r\nX-Empty:\r\nX-Blank: \r\n"
    b"Bcc: hidden@x.org\r\nReferences: <a@b> <c@d>\r\nX-Two: one\r\nX-Two: two\r\n\r\n"
    b"unknowncharset \xe9\r\n",
    b"From: a@b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: x-odd\r\n"
    b'Subject: Re: [list]  two   spaces\r\n \tfolded\r\nMessage-ID: <we"ird%@x>\r\n\r\nodd encoding\r\n',
    # addresses
    b'From: "A \\"quoted\\" name" (comment (nested)) <"local part"@example.org>\r\n'
    b'To: undisclosed-recipients:;\r\n'
    b"Cc: a team: x@example.org, Y <y@example.org>;, <@route,@more:z@example.org>\r\nBcc: ,,\r\n"
    b"Sender: bare\r\nReply-To: <>\r\nSubject: addresses\r\nDate: 1 Jan 70 1:2 EST\r\n\r\nx\r\n",
    b"From: one@example.org\r\nFrom: two@example.org\r\nSubject: first\r\nSubject: second\r\nTo:\r\n"
    b"Date: never\r\nMessage-ID: no brackets\r\nIn-Reply-To: also none\r\n"
    b"X-Spam-score: 5.5\r\nDelivered-To: ann@example.org\r\nList-Id: <dev.example.org>"
    b"\r\n\r\ntwice\r\n",
    b"From: =?utf-8?q?caf=C3=A9?= <c@x.org>\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?= =?utf-8?q?_aus?= =?bad\r\n"
    b"To: =?iso-8859-1?q?=E9?=, \xe9\xe8 <raw@x.org>\r\nDate: Thu, 29 Feb 2024 23:59:60 +1400\r\n\r\n"
    b"8bit\r\n",
    # structures
    b"Subject: one boundary begins as the other\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: multipart/alternative; boundary=bb\r\n\r\n--bb\r\n\r\nin\r\n--bb--\r\n--b--\r\n"
    b"after\r\n",
    b'Subject: digest\r\nMIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=" d e"\r\n\r\n'
    b"pre\r\n-- d e\r\n\r\nSubject: one\r\n\r\n1\r\n-- d e\r\nContent-Type: text/plain\r\n\r\n2\r\n"
    b"-- d e--\r\n",
    b"Subject: no boundary\r\nContent-Type: multipart/mixed\r\n\r\n--x\r\n\r\npart\r\n--x--\r\n",
    b"Subject: no parts\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x--\r\n",
    b"Subject: empty parts\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n--x\r\n\r\n--x\r\n"
    b"\r\n\r\n--x--",
    b'Subject: parameters\r\nContent-Type: text/plain; charset="us-ascii"; name*0="long"; name*1=" name";\r\n'
    b" title*=utf-8''%e2%82%ac; odd=; =value; \"quoted\"=x\r\nContent-Disposition: attachment;\r\n"
    b" filename*=iso-8859-1''caf%e9.txt; size=3\r\nContent-Language: en, de\r\n"
    b"Content-Location: http://x/y\r\n"
    b"Content-ID: <id@x>\r\nContent-Description: a =?utf-8?q?d=C3=A9?=\r\n"
    b"Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==\r\n"
    b"\r\nabc\r\n",
    b"Subject: partial\r\nContent-Type: message/partial; number=1; total=2; id=x\r\n\r\nSubject: in\r\n\r\n"
    b"x\r\n",
    b"Subject: external\r\nContent-Type: message/external-body; access-type=local-file; name=/x\r\n\r\n"
    b"Content-Type: image/gif\r\n\r\n",
    b"Subject: encoded message\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"U3ViamVjdDogaW5uZXINCg0KYm9keQ0K\r\n",
    b"Subject: bad base64\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: BASE64\r\n\r\n"
    b"aGVs*bG8\r\ngd29ybGQ=more\r\n",
    b"Subject: bad qp\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: Quoted-Printable\r\n"
    b"\r\na=3Db=ZZ=4\r\nsoft=\r\nbreak=  \r\ntrailing =20 \r\n=\r\n",
    b"Subject: lone \x0breturn\r\nX-Control: \x01\x02\x7f\r\n\r\na\rb\r\rc\x0cd\r\n",
)  # fmt: skip

REFUSED = (
    b"Subject: a\r\nno colon here\r\n\r\nx\r\n",
    b"Subject: a\r\n: empty name\r\n\r\nx\r\n",
    b" folded from nothing\r\nSubject: a\r\n\r\nx\r\n",
    b"Subject: bare\nnewlines\n\nx\n",
    b"Subject: a\r\n\r\nx\ny\r\n",
    b"Subject: nul\r\n\r\na\0b\r\n",
    b"Sub\xe9ject: a\r\n\r\nx\r\n",
    b"Sub ject: a\r\n\r\nx\r\n",
    b"",
)
"""Messages that no server stores, or only changed."""


def letter(text: str, charset: str, encoding: str) -> bytes:
    """A message whose subject and body are this text."""
    raw = text.encode(charset, "replace")
    word = f"=?{charset}?B?{base64.b64encode(raw).decode()}?="
    if encoding == "base64":
        body = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        body = quopri.encodestring(raw).replace(b"\n", b"\r\n") + b"\r\n"
    else:
        body = raw + b"\r\n"
    head = [
        "From: =?utf-8?Q?J=C3=BCrgen?= <j@x.org>",
        f"Subject: {word}",
        f"X-Info: {word}{CRLF} {word}",
        "Date: Tue, 03 Feb 2015 10:00:00 +0000",
        "MIME-Version: 1.0",
        f"Content-Type: text/plain; charset={charset}",
        f"Content-Transfer-Encoding: {encoding}",
    ]
    return (CRLF.join(head) + CRLF + CRLF).encode("ascii") + body


def letters() -> list[bytes]:
    return [
        letter(text, charset, encoding)
        for text, charsets in TEXTS.values()
        for charset in charsets
        for encoding in ("8bit", "base64", "quoted-printable")
    ]


def nest(depth: int) -> bytes:
    """A message in a message, so many deep, in multiparts by turns."""
    inner = b"Subject: innermost\r\nContent-Type: text/plain; charset=utf-8\r\n\r\ndeep\r\n"
    for level in range(depth):
        head = b"From: n%d@example.org\r\nSubject: level %d\r\nMIME-Version: 1.0\r\n" % (level, level)
        if level % 2:
            inner = head + b"Content-Type: message/rfc822\r\n\r\n" + inner
        else:
            border = b"=_%d" % level
            inner = (
                head + b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n' % border
                + b"--%b\r\n\r\ntext %d\r\n--%b\r\n" % (border, level, border)
                + b"Content-Type: message/rfc822\r\n\r\n"
                + inner + b"\r\n--%b--\r\n" % border
            )  # fmt: skip
    return inner


def newsletter() -> bytes:
    """What programs send: alternatives with inline pictures, attachments, long lines, many references."""
    references = " ".join(f"<{number}.{'x' * 20}@lists.example.org>" for number in range(60))
    text = (
        f"From: News <news@example.org>\r\nTo: list@example.org\r\nSubject: news\r\n"
        f"References: {references}\r\n"
        "Message-ID: <news@example.org>\r\nDate: Fri, 13 Oct 2023 08:00:00 -0700\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="m"; charset=utf-8\r\n\r\n--m\r\n'
        'Content-Type: multipart/related; boundary="r"; type="multipart/alternative"; start="<s>"\r\n\r\n'
        "--r\r\n"
        'Content-Type: multipart/alternative; boundary="a"\r\nContent-ID: <s>\r\n\r\n--a\r\n'
        "Content-Type: text/plain; charset=utf-8; format=flowed\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n"
        "\r\nun caf=C3=A9 =\r\nau lait\r\n--a\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
        f'<html><body>{"long " * 600}<img src="cid:p"></body></html>\r\n--a--\r\n--r\r\n'
        'Content-Type: image/png; name="p.png"\r\nContent-ID: <p>\r\n'
        'Content-Disposition: inline; filename="p.png"'
        f"\r\nContent-Transfer-Encoding: base64\r\n\r\n{_PNG}\r\n--r--\r\n--m\r\n"
        "Content-Type: application/pdf; name=report.pdf\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename=report.pdf\r\n\r\nJVBERi0xLjQ=\r\n--m\r\n"
        "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: 8bit\r\n\r\nraw\r\n--m--\r\n"
    )
    return text.encode()


def threads() -> list[bytes]:
    """Mail in threads, in no good order."""
    made = [mail("a1", "Re: [list] plans"), mail("a2", "AW: plans", refs="a0 a1", day=2)]
    made += [mail(f"a{number}", "plans", reply=f"a{number - 1}", day=number) for number in range(3, 9)]
    made += [mail("c1", "other", refs="a1 a2", day=3), mail("c2", "Fwd: other", day=5), mail("c3", "", day=6)]
    made += [mail("d2", "cycle", refs="d1 d2"), mail("d1", "cycle", refs="d2 d1"), mail("d1", "cycle again")]
    made += [mail("e3", "Re: missing parent", refs="e1 e2", day=9), mail("e4", "(fwd) [a] [b] Re: re: fw: e")]
    made += [mail(f"f{number}", "long", refs=" ".join(f"f{n}" for n in range(number))) for number in range(5)]
    random.Random(5).shuffle(made)
    return made


def whole() -> list[bytes]:
    """The mail in INBOX; what is in charsets of which the original does not find all is in Letters."""
    made = [text for text in corpus(24, largest=2000) if b"iso-8859-1" not in text]
    return [*made, *ODD, nest(3), nest(12), newsletter()]


def fill(server: Instance) -> None:
    """Make READER's mailboxes on a running server, with flags, dates and annotations."""
    source = random.Random(11)
    server.create_user(READER, "Letters", "Threads")
    with server.imap(READER) as client:
        for mailbox, messages in (("INBOX", whole()), ("Letters", letters()), ("Threads", threads())):
            for message in messages:
                date = f'"{source.randint(1, 28):2d}-Mar-20{source.randint(10, 26)} 10:00:00 +0100"'
                client.ok(f"APPEND {mailbox} ({source.choice(FLAGS)}) {date} {{}}", message)
        client.ok("SELECT INBOX")
        client.ok('STORE 1:3 ANNOTATION (/comment (value.priv "mine" value.shared "ours, \\"all\\""))')
        client.ok("STORE 2,4 ANNOTATION (/altsubject (value.priv {}))", "änderung".encode())
        for mailbox in ("INBOX", "Letters", "Threads"):
            client.ok(f"SETACL {mailbox} anyone lrs")
        client.ok("UNSELECT")
    _put_nul(server)


def _put_nul(server: Instance) -> None:
    """A message with NUL, which no server takes any more, but old spools have."""
    for path in Path(server.directory, "spool").rglob("*."):
        text = path.read_bytes() if path.is_file() else b""
        if b"Subject: html\r\n" in text[:200] and b"paragraph" not in text:
            path.write_bytes(text.replace(b"para<b>gra", b"para\0b\0gra"))
