"""Messages of every kind that mail has in store, made anew each time and always the same.

``messages()`` gives name and bytes: first one message for each known trap,
then random ones, built from the pieces that real and broken mailers write.
"""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import Iterator

RANDOM_MESSAGES = 130

_FROM = b"From: Joe User <Joe@Example.COM>\r\n"


def messages() -> Iterator[tuple[str, bytes]]:
    """The whole corpus."""
    yield from _TRAPS.items()
    for seed in range(RANDOM_MESSAGES):
        yield f"random-{seed}", random_message(seed)


def random_message(seed: int) -> bytes:
    """The random message of a number; any number does."""
    return _Maker(random.Random(seed)).message()


def _multipart(
    *parts: bytes, boundary: bytes = b"b", subtype: bytes = b"mixed", header: bytes = b""
) -> bytes:
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts)
    return b"%bContent-Type: multipart/%b; boundary=%b\r\n\r\n%b--%b--\r\n" % (
        header,
        subtype,
        boundary,
        body,
        boundary,
    )


def _fields(**fields: bytes) -> bytes:
    lines = b"".join(b"%b: %b\r\n" % (name.replace("_", "-").encode(), text) for name, text in fields.items())
    return lines + b"\r\nbody\r\n"


_ADDRESSES = (
    b"a@b",
    b"<a@b>",
    b"Joe <a@b>, Ann <c@d>",
    b'"Joe, \\"Q\\" User" <joe@example.com>',
    b"joe@example.com (Joe User)",
    b"joe@example.com (Joe (the) \\) User) , b@c",
    b"(comment) joe (c2) @ (c3) example (c4) . com (name)",
    b"Group: a@b, Bee <c@d>;, e@f",
    b"Empty group:;",
    b"Open group: a@b, c@d",
    b"=?utf-8?q?Gr=C3=BCppe?=: =?utf-8?b?w7Y=?= <a@b>;",
    b"<@route1,@route2:joe@example.com>",
    b"<@route1.:joe>",
    b"<@route1 joe@x>",
    b"Joe User joe@example.com",
    b"joe",
    b"<joe>",
    b"Joe <joe>",
    b"joe@",
    b"@example.com",
    b"Joe <@>",
    b"<>",
    b"undisclosed-recipients:;",
    b"a@b; c@d",
    b"a@b c@d",
    b"a@b.",
    b"a@.b..c.",
    b"a@[127.0.0.1]",
    b"a@b@c, d@e",
    b'"unbalanced <a@b>',
    b'"quoted local"@example.com',
    b'joe."middle".user@example.com',
    b'"tab\tand\\\\slash" <a@b>',
    b"J\xc3\xb6 <j\xc3\xb6@ex\xc3\xa4mple.com>",
    b"J\xf6 <j@b>, \xff\xfe <x@y>",
    b"Joe <a@b> trailing, next@x",
    b"Joe <a@b",
    b"Joe <a @ b . c >",
    b"Joe\r\n User\r\n\t<a@b>,\r\n c@d",
    b'"folded\r\n name" <a@b>',
    b"a@b,,, ,c@d,",
    b"Joe (open comment <a@b>",
    b"UPPER <UPPER@EXAMPLE.COM>",
    b"=?iso-8859-1?q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>",
    b'"=?utf-8?q?quoted=2C_word?=" <a@b>',
    b"Name: With: Colons <a@b>",
    b'a.b.c@d.e, "x y"@z, <a.@b>',
    b'control \x01\x7f chars <a@b>, "q\x01\x7f" <c@d>',
    b"semi;colon <a@b>",
    b"Joe <joe%host@example.com>, s/mtp@x, p+lus@y",
)

_SUBJECTS = (
    b"plain",
    b"",
    b"   leading and trailing   ",
    b"=?utf-8?q?h=C3=A9llo?= world",
    b"=?utf-8?q?one?= =?utf-8?q?two?=  =?utf-8?q?three?= four",
    b"=?utf-8?b?aMOpbGxv?=",
    b"=?UTF-8?B?aMOp?= =?UTF-8?B?bGxv?=",
    b"=?utf-8?b?aM?= =?utf-8?b?Op?=",
    b"=?utf-8?q?split=C3?= =?utf-8?q?=A9?=",
    b"=?utf-8?b?w6?= =?utf-8?b?k=?=",
    b"=?iso-8859-1?q?caf=E9_au_lait?=",
    b"=?ISO-8859-15?Q?=A4?= =?windows-1252?q?=80?= =?iso-8859-1?q?=80?=",
    b"=?utf-8*en?q?language?=",
    b"=?unknown-charset?q?x?= after",
    b"=?nosuch?q?x?= =?utf-8?q?y?=",
    b"=?x?q?y?=",
    b"=?utf-8?x?y?=",
    b"=?utf-8?q?no end",
    b"=?utf-8?q?sp ace?=",
    b"=?utf-8?q?trailing ?= x",
    b"=?utf-8?q?a=?b?=",
    b"=?utf-8?q??= empty",
    b"=?utf-8?b??= empty",
    b"a=?utf-8?q?b?=c",
    b"=?koi8-r?b?8NLJ18XU?=",
    b"=?gb2312?b?xOO6ww==?= =?big5?b?p0GmbQ==?= =?shift_jis?b?k/qWew==?=",
    b"=?euc-kr?b?vsiz5w==?= =?euc-jp?b?xvzL3A==?= =?gb18030?b?xOO6ww==?=",
    b"=?iso-2022-jp?b?GyRCRnxLXBsoQg==?= =?iso-2022-jp?b?GyRCRnw=?= =?iso-2022-jp?b?S1wbKEI=?=",
    b"=?utf-7?q?+AOk-?= =?utf-16?b?AGEAYg==?= =?utf-16le?b?YQBiAA==?=",
    b"=?windows-1251?q?=CF=F0=E8=E2=E5=F2?= =?windows-1255?b?+ezl7Q==?= =?windows-874?b?ysfRyrTV?=",
    b"raw 8-bit h\xe9llo",
    b"raw utf-8 h\xc3\xa9llo",
    b'quote " backslash \\ percent %',
    b"folded\r\n line\r\n\tagain",
    b"=?utf-8?q?folded?=\r\n =?utf-8?q?words?=\r\n tail",
    b"=?utf-8?q?nul=00inside?= cut",
    b"=?us-ascii?q?nul=00inside?= =?us-ascii?q?=E9?=",
    b"=?utf-8?q?bad_=C3=28_=E0=80=80_=F5_=ED=A0=80?=",
    b"=?utf-8?b?/////w==?= x",
    b"=?utf-8?b?a!b@c#d?= x",
    b"=?utf-8?q?soft=?= =?utf-8?q?=?=",
    b"=?utf-8?q?=4?= =?utf-8?q?=zz=41?=",
    b"x" * 1023,
    b"x" * 1024,
    b"=?utf-8?q?" + b"x" * 1100 + b"?=",
    b"Re: [list] Fwd: subject (fwd)",
    b"=?utf-8?q?\xc3\xa9?=",
    b"=?latin9?q?=A4?= =?cp437?q?=82?= =?macintosh?q?=8E?= =?viscii?q?=A4?= =?tis-620?q?=A1?=",
    b"=?,?q?x?= =? utf-8?q?x?= =?utf-8,x?q?=C3=A9?= =?x-utf-8?q?=C3=A9?=",
)

_DATES = (
    b"Fri, 6 Nov 2020 10:00:00 +0100",
    b"6 Nov 2020 10:00:00 +0100",
    b"Fri, 06 Nov 20 10:00 GMT",
    b"Fri, 6-Nov-2020 10:00:00 EST",
    b"fri, 6 nov 2020 10:00:00 pdt",
    b"Xyz, 6 Nov 2020 10:00:00 Z",
    b"Friday, 6 Nov 2020 10:00:00 +0000",
    b"Fri 6 Nov 2020 10:00:00 +0000",
    b"Fri, 6 Nov 2020",
    b"Fri, 6 Nov 2020 10:00:00",
    b"Fri, 6 Nov 2020 25:61:61 +9999",
    b"Fri, 31 Feb 2020 10:00:00 -0800 (PST)",
    b"Fri, 6 Nov 1969 10:00:00 +0000",
    b"Thu, 1 Jan 1970 00:00:00 +0100",
    b"Fri, 6 Nov 1899 10:00:00 +0000",
    b"Fri, 6 Nov 69 10:00:00 +0000",
    b"Fri, 6 Nov 70 10:00:00 +0000",
    b"Fri, 6 Nov 120 10:00:00 +0000",
    b"Fri, 6 Nov 2106 06:28:16 +0000",
    b"Fri, 6 Nov 2020 10.00.00 +0100",
    b"Fri, 6 Nov 2020 10:00:00 0100",
    b"Fri, 6 Nov 2020 10:00:00 -01:00",
    b"Fri, 6 Nov 2020 10:00:00 A",
    b"Fri, 6 Nov 2020 10:00:00 m",
    b"Fri, 6 Nov 2020 10:00:00 N",
    b"Fri, 6 Nov 2020 10:00:00 y",
    b"Fri, 6 Nov 2020 10:00:00 +1",
    b"Fri, 6 Nov 2020 10:00:00 UT",
    b"Fri, 6 Nov 2020 10:00:00 CEST",
    b"Fri,6 Nov 2020 10:00:00+0100",
    b"  Fri ,  6  Nov  2020  10:00:00  +0100",
    b"(c) Fri, 6 Nov 2020 10:00:00 +0100",
    b"Fri, 6 (c) Nov 2020 10:00:00 +0100",
    b"Fri, 6 Nov 2020 (c) 10:00:00 +0100",
    b"2020-11-06T10:00:00Z",
    b"Nov 6 2020 10:00:00",
    b"Fri Nov  6 10:00:00 2020",
    b"0 Nov 2020 10:00:00 +0000",
    b"99 Nov 2020 1:2:3 +0000",
    b"Fri, 6 No 2020 10:00:00 +0000",
    b"Fri, 6 Nov 2020 10:00:0x +0000",
    b"Fri, 6 Nov 2020x 10:00:00 +0000",
    b"Fri, 6 Nov 20201 10:00:00 +0000",
    b"Fri, 6 Nov 2020\r\n 10:00:00\r\n +0100",
    b"Fri, 006 Nov 2020 10:00:00 +0000",
    b"Fri, \xe9 6 Nov 2020 10:00:00 +0000",
    b"",
    b"never",
    b"6",
    b"Fri, 6 Nov 2020 10",
    b"Fri, 6 Nov 2020 10:",
    b"Fri, 6 Nov 2020 10:00:00 +",
    b"Fri, 6/Nov/2020 10:00:00 +0200",
    b"Fri, 6Nov2020 10:00:00 +0200",
    b"Fri,, 6 Nov 2020 10:00:00 +0200",
)

_TYPES = (
    b"text/plain",
    b"TEXT/Plain; charset=UTF-8",
    b'text/html; charset="iso-8859-1"',
    b"text/plain; charset=nosuch",
    b"text/plain; charset=utf-8; charset=koi8-r; charset=nosuch",
    b"text/plain; charset=",
    b"text/plain; charset=;format=flowed",
    b"text/plain; charset=; format=flowed; delsp=yes",
    b"text/plain; charset=us-ascii (comment); format=flowed",
    b'text/plain; charset = "us\\-ascii" ; x=y',
    b"text/plain; charset=x-utf-8; name=foo bar.txt ; size=3",
    b"text/plain; charset=utf-8, foo",
    b'text/plain; name="unbalanced',
    b'text/plain; name="a\\"b\\\\c;d"; x=1',
    b'text/plain; name="fol\r\n ded"; x=fol\r\n ded; y=\r\n z',
    b'text/plain; name="back\\\r\n slash"',
    b"text/plain;name*=utf-8''h%C3%A9llo.txt",
    b'text/plain; name*0=one; name*1=two; name*2="thr ee"',
    b"text/plain; name*0*=utf-8''one%20; name*1*=two%20; name*2=\"thr ee%\"",
    b"text/plain; name*1=two; name*0=one; name*3=four",
    b"text/plain; name*0=plain sp; name*1*=ext%20",
    b"text/plain; name*0=a; name*01=b; name*1=c; name*1=d; name*2*=e; x*0=1; X*1=2",
    b"text/plain; " + b"; ".join(b"n*%d=%d" % (n, n) for n in range(103)),
    b"text/plain; =novalue; noequals; a=b; ; ;;c=d",
    b"text/plain; foo bar=baz; x=y",
    b"text/plain; b\xe9d=x; ok=1; v=\xe9\xe8",
    b"text/plain; a=b\x01c; d=e",
    b'text/plain; a="b\x01c"; d=e',
    b"text / plain ; a = b",
    b"text(c)/(d)plain(e);(f)a(g)=(h)b(i);(j)",
    b"text/plain; (open comment; a=b",
    b"text",
    b"text/",
    b"/plain",
    b"text/plain/extra",
    b"text/plain extra",
    b"text/plain charset=utf-8",
    b"t\xe9xt/plain",
    b"",
    b"   ",
    b";",
    b"*/*",
    b"application/octet-stream; name=x.bin",
    b'image/png; name="=?utf-8?q?h=C3=A9?=.png"',
    b"message/partial; id=x; number=1",
    b"message/external-body; access-type=url",
    b"message/delivery-status",
    b"message/global",
    b"model/vrml",
    b"multipart/mixed",
    b"multipart/mixed; boundary=",
    b'multipart/mixed; boundary=""',
    b"multipart/digest; boundary=x",
    b"=?utf-8?q?text/plain=3B_name=3D=22h=C3=A9=22?=",
    b"=?utf-8?q?text/plain?=; name=x",
    b"=?us-ascii?q?application/pdf=3B_name=3D=22a_b=2Epdf=22?=",
)

_DISPOSITIONS = (
    b"attachment",
    b"inline; filename=a.txt",
    b'attachment; filename="a b.txt"; size=10',
    b"attachment; filename*=utf-8'en'h%C3%A9.txt",
    b"attachment; filename*0=a; filename*1=b",
    b"attachment; filename=a b c.txt",
    b"attachment; filename=h\xc3\xa9.txt",
    b"attachment; filename",
    b"attach ment; filename=x",
    b"(c) attachment (d) ; (e) filename = x",
    b"",
    b"; filename=x",
    b"attachment,",
)

_ENCODINGS = (
    b"7bit",
    b"8BIT",
    b"Base64",
    b"quoted-printable",
    b"binary",
    b"x-uuencode",
    b"7-bit",
    b"base64 (comment)",
    b"base64; x",
    b"base64url",
    b"utf-8",
    b"",
    b"quoted\r\n -printable",
    b"quoted-printable\r\n",
    b"b\xe9",
)

_LANGUAGES = (b"en", b"en, de-AT", b"en,,fr", b"(c) en (d), fr", b"en de", b"x_1, en", b",", b"", b"en,")

_CONTENT = (
    b"",
    b"x",
    b"\r\n",
    b"one line\r\n",
    b"no line end",
    b"two\r\nlines\r\n\r\n",
    b"soft=\r\nbreak =3D =C3=A9 _ trail   \r\nline=\r\n",
    b"=",
    b"==\r\n=4=\r\n1=zz=0D=0A",
    b"tab\t\r\nspace \r\n=20\r\n",
    b"x" * 998 + b"\r\n" + b"y" * 1200 + b"=41\r\n",
    b"aGVsbG8gd29ybGQ=\r\n",
    b"aGVsbG8gd29ybGQ",
    b"aGVs\r\nbG8g\r\nd29y\r\nbGQ=\r\n",
    b"aGVsbG8=d29ybGQ=",
    b"aGVs!bG8@#\r\nx===y=z\r\n",
    b"a",
    b"a=b=c==d",
    b"--\r\n-- \r\nsignature\r\n",
    b"--b\r\n",
    b"--bb\r\nx\r\n--b \r\n",
    b"8-bit \xe9\xe8\r\n",
    b"dot\r\n.\r\n..two\r\n",
    b"\r\r\n \r\n",
)


def _traps() -> dict[str, bytes]:
    traps: dict[str, bytes] = {}
    text = b"Content-Type: text/plain; charset=utf-8\r\n\r\ntext\r\n"
    html = b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<b>=C3=A9</b>\r\n"
    data = b"Content-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
    nested = _FROM + b"Subject: inner\r\nTo: x@y\r\n" + text
    mixed = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"

    # many small variants of one field go into one message each, so that a failure names them
    for number, start in enumerate(range(0, len(_ADDRESSES), 5)):
        chosen = (_ADDRESSES[start : start + 5] * 2)[:5]
        names = (b"From", b"To", b"Cc", b"Bcc", b"Reply-To")
        lines = b"".join(b"%b: %b\r\n" % pair for pair in zip(names, chosen, strict=True))
        traps[f"addresses-{number}"] = lines + b"\r\n"
    for number, subject in enumerate(_SUBJECTS):
        traps[f"subject-{number}"] = b"Subject: %b\r\nFrom: %b <a@b>\r\n\r\n" % (subject, subject[:900])
    for number, start in enumerate(range(0, len(_TYPES), 4)):
        parts = [b"Content-Type: %b\r\n\r\nx\r\n" % field for field in _TYPES[start : start + 4]]
        traps[f"types-{number}"] = _multipart(*parts, boundary=b"bound")
    for number, start in enumerate(range(0, len(_DISPOSITIONS), 7)):
        parts = [b"Content-Disposition: %b\r\n\r\n" % field for field in _DISPOSITIONS[start : start + 7]]
        traps[f"dispositions-{number}"] = _multipart(*parts)
    parts = [
        b"Content-Language: %b\r\nContent-MD5: x\r\nContent-Location: y z\r\n\r\n" % tag for tag in _LANGUAGES
    ]
    traps["languages"] = _multipart(*parts)
    for number, encoding in enumerate(_ENCODINGS):
        parts = [b"Content-Transfer-Encoding: %b\r\n\r\n%b" % (encoding, content) for content in _CONTENT]
        traps[f"encoding-{number}"] = _multipart(*parts, boundary=b"boundary")

    traps["empty header"] = b"\r\nbody\r\n"
    traps["only header"] = _FROM + b"Subject: x\r\n"
    traps["only blank"] = b"\r\n"
    traps["repeated"] = (
        b"From: a@b\r\nFrom: c@d\r\nSubject: one\r\nSubject: two\r\n"
        b"Received: x; Fri, 6 Nov 2020 10:00:00 +0100\r\n"
        b"Received: y; Sat, 7 Nov 2020 10:00:00 +0100\r\nDate: one\r\nDate:\r\nContent-Type: text/html\r\n"
        b"Content-Type: nonsense\r\nContent-Transfer-Encoding: base64\r\nContent-Transfer-Encoding:\r\n"
        b"Content-Disposition: inline; a=b\r\nContent-Disposition: bad bad\r\nMessage-ID: <a>\r\n"
        b"Message-Id: <b>\r\n"
        b"To:\r\nTo: x@y\r\nSender:\r\nReply-To: ,\r\n\r\nbody\r\n"
    )
    traps["field names"] = (
        b"FROM: a@b\r\nsUbJeCt: x\r\nSubject : space\r\nX-Mailer: m\r\nX-Other: o\r\nx-priority: 1\r\n"
        b"Priority: 1\r\nReferences: <a>\r\n <b>\r\nIn-Reply-To: <c>\r\nList-Id: l\r\n\tfolded\r\n"
        b"Received-SPF: p\r\n"
        b"A-Field-Name-Of-Thirty-One-Chars: x\r\nA-Field-Name-Of-Thirty-Two-Chars.: y\r\n"
        b"Mime-Version: 1.0\r\n"
        b"Content-Id: <i>\r\nContent-Description: d\r\nNo colon here\r\nSender: s@t\r\nReply-To: r@t\r\n"
        b"DKIM-Signature: v=1\r\nEmpty:\r\nArchived-At: z\r\n\r\nbody\r\n"
    )
    traps["maxheaderlines"] = b"".join(b"X-Mailer: %d\r\n" % n for n in range(999)) + _fields(
        Subject=b"at the limit", To=b"a@b", Cc=b"too@late"
    )
    traps["long lines"] = _fields(
        Subject=b"s " * 3000, To=b", ".join(b"u%d@example.com" % n for n in range(500))
    )
    traps["no body"] = mixed
    traps["no parts"] = mixed + b"preamble only\r\n"
    traps["no parts closed"] = mixed + b"--b--\r\n"
    traps["no boundary"] = b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
    traps["plain multipart"] = _multipart(text, html, data, header=_FROM)
    traps["preamble epilogue"] = mixed + b"pre\r\n\r\n--b\r\n" + text + b"\r\n--b--\r\nepi\r\nlogue"
    traps["unterminated"] = mixed + b"--b\r\n" + text + b"--b\r\n" + html
    traps["unterminated header"] = mixed + b"--b\r\nContent-Type: text/html\r\n"
    traps["header ended by boundary"] = (
        mixed + b"--b\r\nSubject: x\r\nContent-Type: text/html\r\n--b\r\n\r\nx\r\n--b--\r\n"
    )
    traps["boundary at once"] = mixed + b"--b\r\n--b\r\n--b--\r\n"
    traps["message ended by boundary"] = mixed + b"--b\r\nContent-Type: message/rfc822\r\n--b--\r\n"
    traps["multipart ended by boundary"] = (
        mixed + b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n--b\r\n\r\nx\r\n--b--\r\n"
    )
    traps["empty parts"] = mixed + b"--b\r\n\r\n--b\r\n\r\n\r\n--b\r\n\r\nx--b\r\n--b--"
    traps["boundary prefix"] = (
        mixed
        + b"--bc\r\n\r\nnot\r\n--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\ninner\r\n"
        b"--bb--\r\n--b\r\n\r\nouter\r\n--b-- \r\nend\r\n"
    )
    traps["boundary blanks"] = mixed + b"--b \t\r\n\r\nx\r\n--b--x\r\n--b\r\n"
    traps["boundary long"] = _multipart(text, boundary=b"x" * 200)
    traps["boundary quoted"] = (
        b'Content-Type: multipart/mixed; boundary="a b=\\"c"\r\n\r\n--a b="c\r\n\r\nx\r\n--a b="c--\r\n'
    )
    traps["boundary extended"] = (
        b"Content-Type: multipart/mixed; boundary*=utf-8''b%20c\r\n\r\n--b c\r\n\r\nx\r\n--b c--\r\n"
    )
    traps["boundary folded"] = (
        b"Content-Type: multipart/mixed;\r\n boundary*0=ab;\r\n\tboundary*1=cd\r\n\r\n--abcd\r\n"
        b"\r\nx\r\n--abcd--\r\n"
    )
    traps["inner unterminated"] = (
        mixed
        + b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n"
        + text
        + b"--b\r\n"
        + html
        + b"--b--\r\n"
    )
    traps["inner preamble only"] = (
        mixed
        + b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\npre\r\n--b\r\n"
        + html
        + b"--b--\r\n"
    )
    traps["same boundary inside"] = mixed + b"--b\r\n" + mixed + b"--b\r\n\r\nx\r\n--b--\r\n--b--\r\n"
    traps["outer closes all"] = (
        mixed
        + b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\nContent-Type: multipart/mixed; "
        b"boundary=d\r\n\r\n--d\r\n\r\nx\r\n--b--\r\n--c--\r\n"
    )
    traps["message"] = b"Content-Type: message/rfc822\r\n\r\n" + nested
    traps["message empty"] = b"Content-Type: message/rfc822\r\n\r\n"
    traps["message encoded"] = (
        (
            b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + base64.encodebytes(nested)
        )
        .replace(b"\n", b"\r\n")
        .replace(b"\r\r", b"\r")
    )
    traps["messages in message"] = b"Content-Type: message/rfc822\r\n\r\n" * 12 + nested
    traps["message with multipart"] = _multipart(
        text, b"Content-Type: message/rfc822\r\n\r\n" + _multipart(text, data, boundary=b"c", header=_FROM)
    )
    traps["message with empty multipart"] = b"Content-Type: message/rfc822\r\n\r\n" + mixed + b"--b--\r\n"
    traps["multipart of empty multipart"] = (
        mixed
        + b"--b\r\nContent-Type: multipart/mixed\r\n\r\nx\r\n--b\r\nContent-Type: multipart/mixed; boundary=c"
        b"\r\n\r\n--c--\r\n--b--\r\n"
    )
    traps["digest"] = _multipart(b"\r\n" + nested, b"\r\n" + nested, text, subtype=b"digest")
    traps["digest of nothing"] = _multipart(b"", b"\r\n", subtype=b"digest")
    deep = b"Content-Type: text/plain\r\n\r\ndeep\r\n"
    for level in range(60):
        deep = _multipart(deep, boundary=b"level%d" % level)
    traps["deep"] = deep
    traps["deep open"] = b"".join(
        b"Content-Type: multipart/mixed; boundary=l%dl\r\n\r\n--l%dl\r\n" % (n, n) for n in range(1010)
    )
    traps["eight bit header"] = _fields(Subject=b"\xe9\xff", From=b"\xe9 <a@b>", Message_ID=b"<\xe9>")
    traps["dates ended by boundary"] = (
        mixed + b"--b\r\nContent-Type: message/rfc822\r\n\r\nDate: x\r\n--b--\r\n"
    )
    return traps


_TRAPS = _traps()


class _Maker:
    """Builds one message from a random number generator."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def message(self) -> bytes:
        return self._damaged(self._entity(0, top=True))

    def _entity(self, depth: int, *, top: bool = False) -> bytes:
        chance = self._chance
        header = self._header(top=top)
        kind = chance.random()
        if depth < 5 and kind < 0.35:
            return header + self._multipart(depth)
        if depth < 5 and kind < 0.5:
            return header + b"Content-Type: message/rfc822\r\n\r\n" + self._entity(depth + 1, top=True)
        return header + self._leaf()

    def _header(self, *, top: bool) -> bytes:
        chance = self._chance
        fields: list[bytes] = []
        if top:
            fields += [
                b"Date: " + chance.choice(_DATES),
                b"Subject: " + chance.choice(_SUBJECTS),
                b"From: " + chance.choice(_ADDRESSES),
                b"To: " + b", ".join(chance.choices(_ADDRESSES, k=chance.randrange(1, 4))),
                b"Message-ID: <%d@x>" % chance.randrange(10**9),
                b"X-Mailer: " + chance.choice(_SUBJECTS),
                b"Received: by x; " + chance.choice(_DATES),
                b"Cc: " + chance.choice(_ADDRESSES),
                b"Reply-To: " + chance.choice(_ADDRESSES),
                b"In-Reply-To: <x@y>\r\n <z@w>",
            ]
        fields += [
            b"Content-Disposition: " + chance.choice(_DISPOSITIONS),
            b"Content-Language: " + chance.choice(_LANGUAGES),
            b"Content-Description: " + chance.choice(_SUBJECTS),
            b"Content-ID: <%d>" % chance.randrange(1000),
            b"Content-Location: http://x/\r\n y",
        ]
        chance.shuffle(fields)
        kept = fields[: chance.randrange(len(fields) + 1)]
        return b"".join(field + b"\r\n" for field in kept)

    def _multipart(self, depth: int) -> bytes:
        chance = self._chance
        boundary = bytes(chance.choices(b"abAB-=_ 01", k=chance.randrange(1, 6))).strip() or b"x"
        subtype = chance.choice((b"mixed", b"alternative", b"digest", b"related", b"x"))
        out = [b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (subtype, boundary)]
        out.append(chance.choice((b"", b"\r\n", b"preamble\r\n", b"--\r\n")))
        for _ in range(chance.randrange(4)):
            out.append(b"--%b%b\r\n" % (boundary, chance.choice((b"", b"", b" ", b"x"))))
            out.append(self._entity(depth + 1))
            out.append(chance.choice((b"\r\n", b"\r\n", b"")))
        out.append(b"--%b--%b" % (boundary, chance.choice((b"", b"\r\n", b"\r\nepilogue\r\n", b"junk\r\n"))))
        return b"".join(out)

    def _leaf(self) -> bytes:
        chance = self._chance
        out: list[bytes] = []
        if chance.random() < 0.8:
            out.append(b"Content-Type: %b\r\n" % chance.choice(_TYPES))
        if chance.random() < 0.7:
            out.append(b"Content-Transfer-Encoding: %b\r\n" % chance.choice(_ENCODINGS))
        out.append(b"\r\n")
        content = b"".join(chance.choices(_CONTENT, k=chance.randrange(1, 4)))
        how = chance.random()
        if how < 0.2:
            content = base64.encodebytes(content).replace(b"\n", b"\r\n")
        elif how < 0.4:
            content = quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
        out.append(content)
        return b"".join(out)

    def _damaged(self, text: bytes) -> bytes:
        """Now and then something is lost, doubled or moved, but line ends stay CRLF."""
        chance = self._chance
        while chance.random() < 0.3:
            lines = text.split(b"\r\n")
            at = chance.randrange(len(lines))
            how = chance.randrange(4)
            if how == 0:
                del lines[at]
            elif how == 1:
                lines.insert(at, lines[chance.randrange(len(lines))])
            elif how == 2:
                lines[at] = lines[at][: chance.randrange(len(lines[at]) + 1)]
            else:
                lines[at] = lines[at] + chance.choice((b" ", b"\t", b";", b'"', b"(", b"\\", b"=", b"--"))
            text = b"\r\n".join(lines)
        return text
