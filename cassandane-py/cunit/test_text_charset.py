"""Charset names and conversion; expected values were asked of the original and of its ICU."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus.text import charset, charset_tables


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        (b"us-ascii", "us-ascii"),
        (b"ANSI_X3.4-1968", "us-ascii"),
        (b"UTF-8", "utf-8"),
        (b"utf8", "utf-8"),
        (b"utf_8", "UTF-8"),
        (b"utf-8,foo", "UTF-8"),
        (b"x-utf-8", "UTF-8"),
        (b"ISO-8859-1", "windows-1252"),
        (b"unknown", "windows-1252"),
        (b"iso-8859-08", "ibm-5012_P100-1999"),
        (b"GB2312", "windows-936"),
        (b"Shift_JIS", "windows-31j"),
        (b"ks_c_5601-1987", "windows-949-2000"),
        (b"iso-2022-jp", "iso-2022-jp"),
        (b"utf-16,version=1", "UTF-16,version=1"),
        (b"\xffutf-16", "UTF-16"),
        (b"", None),
        (b"nosuch", None),
        (b"iso-8859-16", None),
        (b"X-utf-8", None),
        (b"u" * 60, None),
    ],
)
def test_name(name: bytes, canonical: str | None) -> None:
    found = charset.lookup(name)
    assert (None if found is None else found.canonical) == canonical
    assert charset.known_name(name) == (canonical is not None)
    if found is not None:
        assert found.name == name


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        (b"us-ascii", b"a\xe9\0b", "a\ufffdb"),
        (b"utf-7", b"a+AOQ-b+AOQ c+-\\~", "aäbä c+\ufffd\ufffd"),
        (b"utf-7", b"a+\xe6b+AO!x+O", "a\ufffd\ufffdb\ufffd!x\ufffd"),
        (b"utf-7", b"+2D3eAA-", "\U0001f600"),
        (b"iso-2022-kr", b"\x1b$)C\x0e<<0h\x0f x", "세계 x"),
        (b"iso-2022-kr", b"\x0e<<0h\x0f\\\x0e\x0f", "세계₩\ufffd"),
        (b"iso-2022-kr", b"\x0e<\xe1<\n<<<", "\ufffd\ufffd세\ufffd"),
        (b"iso-2022-jp", b"a\x1b$B-!F|zw\x1b(Bb", "a①日焄b"),
        (b"iso-2022-jp", b"\x1b$B<<\n<<\x1b(J\\\x1b(I1", "室\n<<¥ｱ"),
        (b"iso-2022-jp", b"\x1b$B\x1b(Ba\x1b$B<\xe1<<<", "\ufffda\ufffd室\ufffd"),
        (b"euc-tw", b"a\xc4\xa1\xa1\xa3\x8e\xa2\xa1\xab\x8e\xa3\xa1\xa1", "a一、屮\ufffd"),
        (b"euc-tw", b"\xa4\xa1\x8e\x85\xc4", "０\x1a\x85\x1a"),
        (b"iso-2022-cn", b"\x1b$)A\x0e2bJT\x0f x\x1b$)G\x0eD!\x0f", "测试 x一"),
        (b"iso-2022-cn", b"\x1b$*H\x1bN!+\x0e2b\x1b$)A\x0e\x0f\n\x0e", "屮\ufffd2b\ufffd\n\ufffd"),
        (b"hz-gb-2312", b"a~{2bJT~}~~b~\nc~x", "a测试~bc\ufffdx"),
        (b"hz-gb-2312", b"~{~}~{2\xe1\n2b", "\ufffd\ufffd\ufffd测"),
        (b"iso-8859-1", b"\x80\xe9\x81", "€é\x81"),
        (b"iso-8859-15", b"\xa4", "€"),
        (b"koi8-r", b"\xf0\xd2", "Пр"),
        (b"windows-1255", b"\xf9\xec", "של"),
        (b"tis-620", b"\xca\xc7", "สว"),
        (b"macintosh", b"\x8e", "é"),
        (b"cp437", b"\x82\x1a", "é\x1c"),
        (b"shift_jis", b"\x93\xfa\x96{\xb1", "日本ｱ"),
        (b"shift_jis", b"\x93", "\x1a"),
        (b"euc-jp", b"\xc6\xfc\x8e\xb1\x8f\xb0\xa1", "日ｱ丂"),
        (b"iso-2022-jp", b"\x1b$BF|K\\\x1b(B!", "日本!"),
        (b"gb2312", b"\xc4\xe3\x80\xa1", "你€\ufffd"),
        (b"gb18030", b"\xc4\xe3\x81\x30\x89\x38", "你ß"),
        (b"big5", b"\xa7A\xa6n\xf9\xfe", "你好▓"),
        (b"big5", b"\xfa\x40", "\ue000"),
        (b"euc-kr", b"\xbe\xc8\xb3\xe7", "안녕"),
        (b"utf-7", b"+AOk-", "é"),
        (b"utf-16", b"\0a\xff", "a\ufffd"),
        (b"utf-16", b"\xff\xfea\0", "a"),
        (b"imap-utf-7", b"&AOk-&-", "é&"),
        (b"cesu-8", b"\xed\xa0\xbd\xed\xb8\x80", "😀"),
    ],
)
def test_conversion(name: bytes, data: bytes, text: str) -> None:
    found = charset.lookup(name)
    assert found is not None
    assert found.decode(data) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"\xc3(", "\ufffd("),
        (b"\xe0\x80\x80", "\0"),
        (b"\xed\xa0\x80", "\ufffd"),
        (b"\xf4\x90\x80\x80", "\ufffd"),
        (b"\xf5\x80", "\ufffd\ufffd"),
        (b"\x80\xc0\xff", "\ufffd\ufffd\ufffd"),
        (b"\xe2\x82\xc3\xa9", "\ufffdé"),
        (b"\xe2\x82", ""),
    ],
)
def test_broken_utf8(data: bytes, text: str) -> None:
    assert charset.decode_utf8(data) == text


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(0, 40))
def test_utf8_in_two_pieces_is_utf8(data: bytes, cut: int) -> None:
    decoder = charset.Utf8Decoder()
    assert decoder.feed(data[:cut]) + decoder.feed(data[cut:]) == charset.decode_utf8(data)


@settings(deadline=None)
@given(st.binary(max_size=40))
def test_no_bytes_stop_a_conversion(data: bytes) -> None:
    for line in charset_tables.NAMES.splitlines():
        if not line.startswith("+"):
            found = charset.lookup(line.split(" ")[1].encode())
            assert found is not None
            found.decode(data).encode("utf-8", "replace")


@pytest.mark.parametrize("codec", ["koi8-r", "cp932", "euc_jp", "gbk", "euc_kr", "utf-16-le"])
def test_what_python_writes_is_read_back(codec: str) -> None:
    names = {"cp932": b"shift_jis", "gbk": b"gbk", "utf-16-le": b"utf-16le"}
    found = charset.lookup(names.get(codec, codec.replace("_", "-").encode()))
    assert found is not None
    for text in ("plain", "Привет", "日本", "あア"):
        try:
            data = text.encode(codec)
        except UnicodeEncodeError:
            continue
        assert found.decode(data) == text
