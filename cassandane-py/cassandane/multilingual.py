"""Mail in many languages, charsets and encodings, well formed and broken, and what to search it for.

Everything comes from a seed. Lines end with CRLF and there are no NULs, so that every server takes the mail.
"""

from __future__ import annotations

import base64
import codecs
import quopri
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

TEXTS = {
    "english": 'The quick brown fox can\'t jump  over "lazy" dogs, naïve façade ﬁnance',
    "german": "Grüße aus Köln, die Straße ist groß; ÄÖÜ äöü ẞ Maßstab",
    "french": "Ça va, l'élève a mangé des œufs à Noël; ŒUVRE çà et là",
    "spanish": "¿Qué tal, señor Muñoz? ¡Adiós! Corazón, pingüino",
    "czech": "Příliš žluťoučký kůň úpěl ďábelské ódy",
    "polish": "Zażółć gęślą jaźń, pchnąć w tę łódź jeża",
    "turkish": "İstanbul'da ığdır şöför çığ, İIıi ğüş",
    "latvian": "Glāžšķūņa rūķīši dzērumā čiepj Baha koncertflīģeļu vākus",
    "russian": "Привет мир, как дела? Съешь ещё этих мягких французских булок",
    "ukrainian": "Щастям б'єш жук їх глицю в фон й ґедзь пріч",
    "greek": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία, Ώρα ελληνικά ΣΊΣΥΦΟΣ ς",
    "hebrew": "שלום עולם דג סקרן שט בים מאוכזב",
    "arabic": "نص حكيم له سر قاطع وذو شأن عظيم مرحبا",
    "thai": "เป็นมนุษย์สุดประเสริฐเลิศคุณค่า ทดสอบ",
    "vietnamese": "Tiếng Việt Nam đẹp lắm; ông già đi chợ sáng nay",
    "japanese": "日本語のテスト メール です。カタカナ ひらがな 半角ｶﾅ",
    "chinese": "中文测试邮件，你好世界。简体字",
    "taiwanese": "中文測試郵件，你好世界。繁體字",
    "korean": "한국어 시험 편지입니다, 안녕하세요 세계",
    "symbols": "①②③ ½ ™ € ℃ Ⅷ ㌔ 😀 🐫 𝔘𝔫𝔦 e\u0301 a\u030a n\u0303o",
}
CODECS = {
    "english": "iso-8859-1 windows-1252 macintosh utf-7 us-ascii",
    "german": "iso-8859-1 iso-8859-15 windows-1252 macintosh cp850 iso-8859-2 utf-16",
    "french": "iso-8859-1 iso-8859-15 windows-1252 cp850 utf-7",
    "spanish": "iso-8859-1 windows-1252 cp850 macintosh",
    "czech": "iso-8859-2 windows-1250 cp852",
    "polish": "iso-8859-2 windows-1250 cp852 iso-8859-16",
    "turkish": "iso-8859-9 windows-1254 cp857",
    "latvian": "iso-8859-4 iso-8859-13 windows-1257",
    "russian": "koi8-r windows-1251 iso-8859-5 cp866 utf-16be",
    "ukrainian": "koi8-u windows-1251",
    "greek": "iso-8859-7 windows-1253",
    "hebrew": "iso-8859-8 windows-1255 iso-8859-8-i",
    "arabic": "iso-8859-6 windows-1256",
    "thai": "tis-620 windows-874 iso-8859-11",
    "vietnamese": "windows-1258",
    "japanese": "iso-2022-jp shift_jis euc-jp windows-31j cp932",
    "chinese": "gb2312 gbk gb18030 hz-gb-2312",
    "taiwanese": "big5 big5-hkscs",
    "korean": "euc-kr ks_c_5601-1987 iso-2022-kr",
    "symbols": "gb18030 utf-16le",
}
# the codec of Python for names that it reads otherwise, or not at all
_PYTHON = {
    "macintosh": "mac_roman", "iso-8859-8-i": "iso-8859-8", "windows-874": "cp874", "windows-31j": "cp932",
    "hz-gb-2312": "hz", "utf-16": "utf-16-be",
}  # fmt: skip
CRLF = b"\r\n"
TO_THE_END = b"This is the rest of the text, which says nothing.\r\n" * 90
"""The original does not look at what it has not converted when a part ends: up to 4096 bytes."""


def codec_of(name: str) -> str:
    return _PYTHON.get(name, name)


def encode(text: str, charset: str) -> bytes:
    return text.encode(codec_of(charset), "replace")


@dataclass(frozen=True)
class Sample:
    """A text as it was written: its language and the charset."""

    text: str
    charset: str

    @property
    def raw(self) -> bytes:
        return encode(self.text, self.charset)


class Writer:
    """Makes mail; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = 0

    def sample(self) -> Sample:
        """A few words in a charset of their language."""
        language = self._random.choice(list(TEXTS))
        charset = self._random.choice(["utf-8", *CODECS[language].split()])
        words = TEXTS[language].split(" ")
        start = self._random.randrange(len(words))
        return Sample(" ".join(words[start : start + self._random.randint(1, 6)]) or words[0], charset)

    # headers

    def encoded_word(self, charset: str, raw: bytes) -> bytes:
        if self._random.random() < 0.5:
            return b"=?%b?%b?%b?=" % (
                charset.encode(),
                self._random.choice([b"B", b"b"]),
                base64.b64encode(raw),
            )
        text = b"".join(
            bytes((byte,)) if chr(byte).isalnum() and byte < 128 else b"_" if byte == 32 else b"=%02X" % byte
            for byte in raw
        )
        return b"=?%b?%b?%b?=" % (charset.encode(), self._random.choice([b"Q", b"q"]), text)

    def unstructured(self) -> bytes:
        """A text for a header, in encoded words that may cut characters, or not encoded at all."""
        sample = self.sample()
        raw = sample.raw
        pieces = [raw]
        if self._random.random() < 0.5 and len(raw) > 3:
            cut = self._random.randrange(1, len(raw))
            pieces = [raw[:cut], raw[cut:]]
        gap = self._random.choice([b" ", b"\r\n ", b"\r\n\t", b"  ", b"", b" plain ", b"\r\n  more "])
        made = gap.join(self.encoded_word(sample.charset, piece) for piece in pieces)
        ways: list[Callable[[], bytes]] = [
            lambda: made, lambda: made, lambda: made, lambda: self._broken(made), lambda: self._raw(sample),
            lambda: b"Re: " + made, lambda: made + b" (was: x)", lambda: made + b"\r\n =?utf-8?q?_end?=",
        ]  # fmt: skip
        return self._random.choice(ways)()

    def _raw(self, sample: Sample) -> bytes:
        """Octets of any kind, but for line ends."""
        return bytes(byte for byte in sample.raw if byte not in b"\r\n\0") or b"x"

    def _broken(self, word: bytes) -> bytes:
        choices: list[Callable[[], bytes]] = [
            lambda: word.replace(b"?=", b"?", 1),
            lambda: word.replace(b"=?", b"=", 1),
            lambda: word.replace(b"?", b"", 1),
            lambda: word.replace(b"=?", b"=?x-unknown-", 1),
            lambda: word.replace(b"?Q?", b"*en?Q?").replace(b"?B?", b"*de?B?"),
            lambda: word.replace(b"?b?", b"?x?").replace(b"?q?", b"?z?"),
            lambda: b"x" + word + b"y" + word,
            lambda: word + word,
            lambda: b'"' + word + b'"',
            lambda: word.replace(b"=", b"= "),
            lambda: word[: self._random.randrange(1, len(word) + 1)],
            lambda: word.replace(b"A", b"!"),
            lambda: word.replace(b"_", b" "),
        ]
        return self._random.choice(choices)()

    def address(self) -> bytes:
        sample = self.sample()
        mailbox = b"u%d@example%d.org" % (self._random.randrange(9), self._random.randrange(3))
        word = self.encoded_word(sample.charset, sample.raw)
        return self._random.choice(
            [b"%b <%b>" % (word, mailbox), b'"%b" <%b>' % (word, mailbox), mailbox + b" (" + word + b")",
             b'"%b" <%b>' % (self._raw(sample).replace(b'"', b"").replace(b"\\", b""), mailbox), mailbox,
             b"Group: %b <%b>, %b;" % (word, mailbox, mailbox)]
        )  # fmt: skip

    def header(self) -> bytes:
        self._number += 1
        fields = [
            b"From: " + self.address(),
            b"Subject: " + self.unstructured(),
            b"Message-ID: <%d@example.org>" % self._number,
            b"Date: Tue, 03 Feb 2015 10:00:00 +0000",
            b"X-Text: " + self.unstructured(),
        ]
        for name in (b"To", b"Cc", b"Bcc"):
            if self._random.random() < 0.6:
                fields.append(
                    name + b": " + b", ".join(self.address() for _ in range(self._random.randint(1, 3)))
                )
        if self._random.random() < 0.3:
            fields.append(b"X-Text: " + self.unstructured())
        return CRLF.join(fields) + CRLF

    # bodies

    def text_part(self) -> bytes:
        """Header fields and content of a text part."""
        sample = self.sample()
        subtype = self._random.choice(["plain", "plain", "html", "enriched", "calendar"])
        text = sample.text
        if subtype == "html":
            text = self._html(text)
        if self._random.random() < 0.3:
            text = text.replace(" ", "\r\n", 1)
        if self._random.random() < 0.2:
            text = text.replace(" ", " \t  ")
        raw = encode(text, sample.charset) + CRLF
        label = sample.charset
        if self._random.random() < 0.1:
            label = self._random.choice(["x-unknown", "", "utf-8", "us-ascii", "iso-8859-1"])
        if label not in ("utf-8", "us-ascii"):
            raw += encode(TO_THE_END.decode(), sample.charset)
        encoding, content = self._encoded(raw)
        fields = []
        if label or self._random.random() < 0.5:
            quote = self._random.choice(['"', ""])
            fields.append(f"Content-Type: text/{subtype}; charset={quote}{label}{quote}")
        if encoding:
            fields.append(f"Content-Transfer-Encoding: {encoding}")
        fields.append("MIME-Version: 1.0")
        return CRLF.join(field.encode() for field in fields) + CRLF + CRLF + content

    def _html(self, text: str) -> str:
        middle = len(text) // 2
        return self._random.choice(
            [
                f"<p>{text}</p>",
                f"{text[:middle]}<b>{text[middle:]}</b>",
                f"<!-- {text} --><i>x</i>",
                f"<style>{text}</style>",
                f'<a href="{text[:8]}">{text}</a>&eacute;&#233;&lt;&amp;',
                f"<p {text}",
            ]
        )

    def _encoded(self, raw: bytes) -> tuple[str, bytes]:
        kind = self._random.choice(
            ["8bit", "", "base64", "base64", "quoted-printable", "quoted-printable", "x-odd"]
        )
        if kind == "base64":
            data = base64.encodebytes(raw).replace(b"\n", CRLF)
            if self._random.random() < 0.3:
                at = self._random.randrange(len(data))
                data = data[:at] + self._random.choice([b"!", b"=", b"\r\n\r\n", b" ", b"-"]) + data[at:]
            return kind, data
        if kind == "quoted-printable":
            data = quopri.encodestring(raw.replace(CRLF, b"\n")).replace(b"\n", CRLF)
            if self._random.random() < 0.3:
                at = self._random.randrange(len(data))
                data = data[:at] + self._random.choice([b"=", b"=\r\n", b" \r\n", b"=ZZ", b"= "]) + data[at:]
            return kind, data + CRLF
        # what is not a text as it is would be no lines
        plain = raw.replace(b"\0", b"").replace(CRLF, b"\n").replace(b"\r", b"").replace(b"\n", CRLF)
        return kind, plain

    def part(self, depth: int) -> bytes:
        """Header fields and content of any part."""
        kind = self._random.random()
        if depth and kind < 0.3:
            return self._multipart(depth)
        if depth and kind < 0.4:
            return b"Content-Type: message/rfc822\r\n\r\n" + self.header() + self.part(depth - 1)
        if kind < 0.5:
            name = self._random.choice(
                [b"application/octet-stream", b"image/png", b"message/delivery-status"]
            )
            return b"Content-Type: %b\r\n\r\n%b\r\n" % (name, self.sample().text.encode())
        return self.text_part()

    def _multipart(self, depth: int) -> bytes:
        self._number += 1
        boundary = b"=_%d" % self._number
        parts = [self.part(depth - 1) for _ in range(self._random.randint(0, 3))]
        lines = [b'Content-Type: multipart/mixed; boundary="%b"\r\nMIME-Version: 1.0\r\n' % boundary]
        lines.append(self.sample().text.encode() + b" (preamble)")
        for content in parts:
            lines += [b"--" + boundary, content]
        if self._random.random() < 0.8:
            lines.append(b"--" + boundary + b"--")
        lines.append(b"...\r\n")
        return CRLF.join(lines)

    def message(self) -> bytes:
        return self.header() + self.part(3)

    # what to look for

    def patterns(self, count: int) -> Iterator[tuple[str, bytes]]:
        """Charset and octets of search strings."""
        for _ in range(count):
            sample = self.sample()
            text = sample.text
            if len(text) > 3 and self._random.random() < 0.8:
                start = self._random.randrange(len(text) - 2)
                text = text[start : start + self._random.randint(2, 7)]
            change: Sequence[Callable[[str], str]] = (str.upper, str.lower, str.title, str, str, str)
            text = self._random.choice(change)(text)
            charset = self._random.choice(["utf-8", sample.charset])
            raw = encode(text, charset)
            if self._random.random() < 0.05:
                charset = self._random.choice(["us-ascii", "iso-8859-1", "utf-8", "koi8-r", "utf-7"])
            if raw and b"\0" not in raw:
                yield charset, raw


for _names in CODECS.values():
    for _name in _names.split():
        codecs.lookup(codec_of(_name))
