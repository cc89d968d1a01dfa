"""LIST patterns and wildmats; both come from strangers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libcyrus.base import wildmat
from libcyrus.base.dirhash import hash_letter
from libcyrus.base.glob import Glob


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "a.b.c", 5),
        ("%", "a.b.c", 1),
        ("%", "abc", 3),
        ("%.%", "a.b.c", 3),
        ("%.%", "a", -1),
        ("a.%", "a.b", 3),
        ("a.%", "a", -1),
        ("a.*", "a.b.c", 5),
        ("*.c", "a.b.c", 5),
        ("*b", "a.b.c", 3),
        ("*b", "ab.b.c", 4),
        ("a*%", "a.b.c", 5),
        ("%*", "a.b", 3),
        ("*b%c", "b.bc", 4),
        ("", "", 0),
        ("", "a", -1),
        ("a+b?c[d]$^\\", "a+b?c[d]$^\\", 11),
        ("a.b", "axb", -1),
        ("INBOX", "inbox", -1),
        ("a", "a.b", 1),
    ],
)
def test_glob(pattern: str, name: str, expected: int) -> None:
    assert Glob(pattern, ".").test(name) == expected
    assert Glob(pattern, ".").matches(name) is (expected == len(name))


def test_glob_with_another_separator_or_any_case() -> None:
    assert Glob("%", "/").test("a.b/c") == 3
    assert Glob("inbox.%", ".", ignore_case=True).matches("INBOX.a")


@given(st.text("ab*%.", max_size=9), st.text("ab.", max_size=12))
def test_glob_is_what_the_plain_expression_says(pattern: str, name: str) -> None:
    plain = "".join({"*": ".*", "%": "[^.]*"}.get(char, re.escape(char)) for char in pattern)
    ends = [end for end in range(len(name) + 1) if end == len(name) or name[end] == "."]
    matching = [end for end in ends if re.fullmatch(plain, name[:end])]
    assert Glob(pattern, ".").test(name) == max(matching, default=-1)


@pytest.mark.parametrize("piece", ["*a", "%a", "*a%a", "*a%b", "%a.", "*%a", "**a%%a"])
def test_a_hostile_pattern_ends(piece: str) -> None:
    """With plain backtracking these would not end before the test's time is up."""
    assert Glob(piece * 30 + "x", ".").test("a" * 490) == -1
    assert Glob(piece * 30 + "x", ".").test("a." * 245) == -1


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("abc", "*", True),
        ("", "*", True),
        ("abc", "a*c", True),
        ("abc", "a?c", True),
        ("abc", "a[a-c]c", True),
        ("abc", "a[^a-c]c", False),
        ("a]c", "a[]]c", True),
        ("a-c", "a[-x]c", True),
        ("abc", "a[]-c]c", True),
        ("a*c", "a\\*c", True),
        ("abc", "a\\*c", False),
        ("abc", "a*b", False),
        ("abcabc", "*abc", True),
        ("abc", "[c-a]bc", False),
        ("abc", "ab", False),
        ("abc", "abcd", False),
        ("abc", "ab[", False),
        ("abc\n", "abc", False),
        ("a", "\\", False),
    ],
)
def test_wildmat(text: str, pattern: str, expected: bool) -> None:
    assert wildmat.matches(text, pattern) is expected


def test_a_hostile_wildmat_ends() -> None:
    assert not wildmat.matches("a" * 2000, "*a" * 40 + "b")
    assert not wildmat.matches("a" * 2000, "*[a-c]?" * 40 + "b")


def test_the_last_pattern_of_a_list_that_matches_decides() -> None:
    wildmats = wildmat.split("imap*,!imaps,@pop3")
    assert wildmats == [
        wildmat.Wildmat("pop3", "@"),
        wildmat.Wildmat("imaps", "!"),
        wildmat.Wildmat("imap*"),
    ]
    assert wildmat.chosen("imap", wildmats) == wildmat.Wildmat("imap*")
    assert wildmat.chosen("imaps", wildmats) == wildmat.Wildmat("imaps", "!")
    assert wildmat.chosen("sieve", wildmats) is None
    assert wildmat.split("a,b", "news")[0].pattern == "news.b"


@pytest.mark.parametrize(
    ("name", "full", "expected"),
    [
        ("joe", False, "j"),
        ("Joe", False, "j"),
        ("1st", False, "q"),
        ("", False, "q"),
        ("äb", False, "q"),
        ("joe", True, "B"),
        ("joe.sub", True, "B"),
        ("", True, "A"),
    ],
)
def test_hash_letters(name: str, full: bool, expected: str) -> None:
    assert hash_letter(name, full=full) == expected
