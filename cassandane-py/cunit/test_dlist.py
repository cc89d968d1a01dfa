"""dlists: what the original writes, and that nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libcyrus import dlist
from libcyrus.dlist import DlistError


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (b"atom", b"atom"),
        (b"user\x1fjoe", b"user\x1fjoe"),
        (b"", b'""'),
        (b"NIL", b'"NIL"'),
        (None, b"NIL"),
        (b"del me", b'"del me"'),
        (b"a\x1djoe", b'"a\x1djoe"'),
        (b'a"b', b'{3+}\r\na"b'),
        (b"50%", b"{3+}\r\n50%"),
        (b"caf\xc3\xa9", b"{5+}\r\ncaf\xc3\xa9"),
        (b"a\nb", b"{3+}\r\na\nb"),
        (b"x" * 1024, b"{1024+}\r\n" + b"x" * 1024),
        ([b"a", [b"b"], []], b"(a (b) ())"),
        ({b"k": b"v", b"l": [None]}, b"%(k v l (NIL))"),
    ],
)
def test_values_are_printed_as_the_original_does(value: Any, printed: bytes) -> None:
    assert dlist.dump(value) == printed
    assert dlist.parse(printed) == value


def test_numbers_and_text_can_be_printed() -> None:
    assert dlist.dump({"S": [0, 1000], "N": "é"}) == b"%(S (0 1000) N {2+}\r\n\xc3\xa9)"


@pytest.mark.parametrize("data", [b'"a\\"b"', b'"a\\\\b"', b"{3}\r\nabc", b"a)b", b"a(b"])
def test_forms_that_are_read_only(data: bytes) -> None:
    assert dlist.parse(data) in (b'a"b', b"a\\b", b"abc", b"a)b", b"a(b")


def test_a_key_that_comes_twice_keeps_its_first_value() -> None:
    assert dlist.parse(b"%(a 1 a 2)") == {b"a": b"1"}


def test_a_line_has_a_name_before_its_value() -> None:
    assert dlist.parse_keyed(b"MAILBOX %(N x)") == (b"MAILBOX", {b"N": b"x"})


@pytest.mark.parametrize(
    "data",
    [b"", b"(", b"(a", b"(a b", b"%(a)", b"%(a b", b"%x", b'"abc', b"{3}\r\nab", b"{x}\r\nab", b"{}\r\n",
     b"a b", b"(a)b", b"(" * 200],
)  # fmt: skip
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(DlistError):
        dlist.parse(data)


WHOLE = b'%(T e N "a b" A %(joe lrs -anyone w) H (%(N x M 1)) L {4+}\r\nab"c)'


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_a_record_cut_anywhere_is_refused(cut: int) -> None:
    with pytest.raises(DlistError):
        dlist.parse(WHOLE[:cut])


VALUES = st.recursive(
    st.none() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.binary(min_size=1), inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
def test_what_is_printed_is_read_back(value: Any) -> None:
    # an unquoted NIL as a key reads as no key at all
    assert dlist.parse(dlist.dump(value)) == value


@given(st.binary())
def test_any_bytes_are_a_value_or_refused(data: bytes) -> None:
    try:
        dlist.parse(data)
    except DlistError:
        pass
