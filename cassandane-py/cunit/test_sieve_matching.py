"""Comparators, match types, regular expressions, variables and dates of Sieve."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sieve.bytecode.opcodes import Modifier, Tag
from sieve.regexes import BadPattern, compile_pattern
from sieve.run import dates, wildcards
from sieve.run.errors import RunError, SieveError
from sieve.run.matching import Matcher
from sieve.run.variables import LONGEST, Variables, modified, valid_flags


@pytest.mark.parametrize(
    ("text", "pattern", "values"),
    [
        (b"abc", b"*?", [b"ab", b"c"]),
        (b"abc", b"?*", [b"a", b"bc"]),
        (b"abc", b"*?*", [b"", b"a", b"bc"]),
        (b"abcabc", b"*c*", [b"ab", b"abc"]),
        (b"abab", b"*ab", [b"ab"]),
        (b"aXbXc", b"a*b?c", [b"X", b"X"]),
        (b"a*b", rb"a\*b", []),
        (b"", b"*", [b""]),
        (b"", b"?", None),
        (b"ab", b"a", None),
        (b"a", b"a\\", None),
        (b"0123456789ab", b"????????????", [b"%d" % digit for digit in range(9)]),
    ],
)
def test_what_wildcards_stand_for(text: bytes, pattern: bytes, values: list[bytes] | None) -> None:
    expected = None if values is None else [text, *values]
    assert wildcards.match(text, pattern, False) == expected


@given(st.text("ab", max_size=8), st.text("ab*?", max_size=6))
def test_wildcards_match_as_lazy_groups_do(text: str, pattern: str) -> None:
    groups = {"*": "(.*?)", "?": "(.)"}
    found = re.fullmatch("".join(groups.get(char, char) for char in pattern), text)
    values = None if found is None else [text.encode(), *(group.encode() for group in found.groups())]
    assert wildcards.match(text.encode(), pattern.encode(), False) == values


def test_wildcards_search_no_way_back() -> None:
    assert wildcards.match(b"a" * 100_000, b"*a" * 50 + b"*b", False) is None


@pytest.mark.parametrize(
    ("match", "collation", "relation", "text", "pattern", "fits"),
    [
        (Tag.IS, Tag.OCTET, None, b"a", b"A", False),
        (Tag.IS, Tag.ASCIICASEMAP, None, b"a", b"A", True),
        (Tag.IS, Tag.ASCIINUMERIC, None, b"007x", b"7", True),
        (Tag.IS, Tag.ASCIINUMERIC, None, b"x", b"y", True),
        (Tag.CONTAINS, Tag.OCTET, None, b"abc", b"b", True),
        (Tag.CONTAINS, Tag.ASCIICASEMAP, None, b"abc", b"B", True),
        (Tag.CONTAINS, Tag.OCTET, None, b"abc", b"", True),
        (Tag.MATCHES, Tag.ASCIICASEMAP, None, b"ABC", b"a?C", True),
        (Tag.REGEX, Tag.ASCIICASEMAP, None, b"ABC", b"^a.c$", True),
        (Tag.REGEX, Tag.OCTET, None, b"ABC", b"^a.c$", False),
        (Tag.VALUE, Tag.ASCIINUMERIC, Tag.GT, b"10", b"9", True),
        (Tag.VALUE, Tag.ASCIINUMERIC, Tag.GT, b"x", b"9", True),
        (Tag.VALUE, Tag.ASCIINUMERIC, Tag.LT, b"9", b"x", True),
        (Tag.VALUE, Tag.OCTET, Tag.GT, b"10", b"9", False),
        (Tag.VALUE, Tag.OCTET, Tag.LE, b"\xc3", b"a", True),
        (Tag.VALUE, Tag.ASCIICASEMAP, Tag.EQ, b"a", b"A", True),
        (Tag.VALUE, Tag.OCTET, Tag.NE, b"a", b"ab", True),
        (Tag.COUNT, Tag.ASCIINUMERIC, Tag.GE, b"2", b"2", True),
    ],
)
def test_comparisons(
    match: Tag, collation: Tag, relation: Tag | None, text: bytes, pattern: bytes, fits: bool
) -> None:
    matcher = Matcher(match, collation, relation, in_list=lambda text, name: False)
    assert matcher(text, [pattern]) is fits
    assert matcher(text, [b"\x01", pattern]) is (fits or matcher(text, [b"\x01"]))


@pytest.mark.parametrize(
    ("match", "collation"),
    [
        (Tag.CONTAINS, Tag.ASCIINUMERIC),
        (Tag.MATCHES, Tag.ASCIINUMERIC),
        (Tag.COUNT, Tag.OCTET),
        (Tag.VALUE, Tag.OCTET),
    ],
)
def test_combinations_that_there_are_not(match: Tag, collation: Tag) -> None:
    with pytest.raises(SieveError):
        Matcher(match, collation, None, in_list=lambda text, name: False)


def test_a_failed_match_forgets_the_one_before() -> None:
    matcher = Matcher(Tag.MATCHES, Tag.OCTET, None, in_list=lambda text, name: False)
    assert matcher(b"ab", [b"a*"])
    assert matcher.found == [b"ab", b"b"]
    assert not matcher(b"b", [b"a*"])
    assert matcher.found == []


@pytest.mark.parametrize(
    ("pattern", "text", "values"),
    [
        (rb"(a)(b)?c", b"xac", [b"ac", b"a", b""]),
        (rb"\Qa.b\E+", b"a.bb", [b"a.bb"]),
        (rb"[[:digit:]]+", b"ab12", [b"12"]),
        (rb"[]a]+", b"x]a", [b"]a"]),
        (rb"[^]a]+", b"]xa", [b"x"]),
        (rb"[[a]+", b"[a", [b"[a"]),
        (rb"a\h+b", b"a \tb", [b"a \tb"]),
        (rb"\x{41}\y", b"Ay", [b"Ay"]),
        (rb"b\Z", b"ab\n", [b"b"]),
        (rb"b\z", b"ab\n", None),
        (rb"\w+", "éab".encode(), [b"ab"]),
        ("é".encode(), "caFÉ é".encode(), ["é".encode()]),
        (rb"^.{2}$", "éa".encode(), ["éa".encode()]),
        (rb"a", b"\xff a", None),
        (rb"(?<year>\d{4})-(\d\d)", b"2026-11", [b"2026-11", b"2026", b"11"]),
    ],
)
def test_regular_expressions_are_those_of_pcre(
    pattern: bytes, text: bytes, values: list[bytes] | None
) -> None:
    found = compile_pattern(pattern, False).search(text)
    assert (found and found[: len(values or ())]) == values
    assert found is None or len(found) == 10


NO_PATTERNS = (b"(", b"[a", b"*a", b"a\\", rb"\x{110000}", b"\xff", b"(?<n", b"x" * 70_000)


@pytest.mark.parametrize("pattern", NO_PATTERNS)
def test_patterns_that_are_none(pattern: bytes) -> None:
    with pytest.raises(BadPattern):
        compile_pattern(pattern, False)


@pytest.mark.parametrize("pattern", [rb"^(([a-z])+.)+[A-Z]([a-z])+$", rb"(a|aa)+\d", rb"(.*)*(.*)*(.*)*x$"])
def test_a_pattern_that_never_ends_gives_up(pattern: bytes) -> None:
    assert compile_pattern(pattern, False).search(b"a" * 5000) is None


def test_variables_stand_in_strings() -> None:
    variables = Variables()
    variables.set(b"Name", b"x y")
    variables.matched = [b"whole", b"one"]
    variables.set_flags(b"list", [b"a", b"b"])
    text = b"${name} ${NAME} ${0} ${01} ${2} ${unknown} ${list} ${a.b} ${-} $name ${name"
    assert variables.expand(text) == b"x y x y whole one   a b ${a.b} ${-} $name ${name"
    # what a variable holds is not looked at again
    variables.set(b"outer", b"${name}")
    assert variables.expand(b"$${outer}") == b"$${name}"


def test_variables_do_not_grow_without_end() -> None:
    variables = Variables()
    variables.set(b"a", b"x" * 1024)
    with pytest.raises(RunError):
        for _ in range(40):
            variables.set(b"a", variables.expand(b"${a}${a}"))
    with pytest.raises(RunError):
        for number in range(LONGEST):
            variables.set(b"v%d" % number, b"x" * (LONGEST // 64))


@pytest.mark.parametrize(
    ("modifiers", "value", "result"),
    [
        (Modifier.LENGTH, "é".encode(), b"2"),
        (Modifier.LOWER, b"AbC", b"abc"),
        (Modifier.UPPER, "aé".encode(), "Aé".encode()),
        (Modifier.LOWER | Modifier.UPPERFIRST, b"juMBlEd", b"Jumbled"),
        (Modifier.LOWERFIRST, b"ABC", b"aBC"),
        (Modifier.QUOTEWILDCARD, rb"a*?\.", rb"a\*\?\\."),
        (Modifier.QUOTEREGEX, rb"a.b+[c]", rb"a\.b\+\[c]"),
        (Modifier.ENCODEURL, b"a b/~\xff", b"a%20b%2F~%FF"),
        (Modifier.QUOTEWILDCARD | Modifier.LENGTH, b"*", b"2"),
        (Modifier.UPPERFIRST, b"", b""),
    ],
)
def test_modifiers(modifiers: int, value: bytes, result: bytes) -> None:
    assert modified(value, modifiers) == result


def test_flags_that_strings_name() -> None:
    words = [b"\\Seen  $A", b"$a \\seen", b"\\Recent", b"b(c", b"", b"d"]
    assert valid_flags(words) == [b"\\seen", b"$A", b"d"]


@pytest.mark.parametrize(
    ("which", "text"),
    [
        (Tag.YEAR, b"2026"),
        (Tag.MONTH, b"11"),
        (Tag.DAY, b"24"),
        (Tag.DATE, b"2026-11-24"),
        (Tag.JULIAN, b"2461369"),
        (Tag.HOUR, b"00"),
        (Tag.MINUTE, b"09"),
        (Tag.SECOND, b"07"),
        (Tag.TIME, b"00:09:07"),
        (Tag.ISO8601, b"2026-11-24T00:09:07Z"),
        (Tag.ZONE, b"+0130"),
        (Tag.WEEKDAY, b"2"),
    ],
)
def test_parts_of_a_date(which: Tag, text: bytes) -> None:
    moment = dates.of_header(b"by x; Mon, 23 Nov 2026 22:39:07 +0000")
    assert moment is not None
    assert dates.part(which, moment, 90) == text


def test_zones() -> None:
    assert dates.zone_offset(b"-0330") == -210
    assert dates.zone_offset(b"GMT") is None
    assert dates.original_offset(b"Mon, 23 Nov 2026 22:39:07 +0200") == 120
    assert dates.original_offset(b"now") is None
    assert dates.part(Tag.ZONE, 0, -90) == b"-0130"
    assert dates.part(Tag.YEAR, 10**18, 0) == b"9999"
