"""Comparators (RFC 4790), match types (RFC 5228 section 2.7) and relations (RFC 5231), on octets.

``:matches`` and ``:regex`` know what their wildcards and groups stood for (RFC 5229 section 3.2). As in
the original, they forget what an earlier match left as soon as they are tried.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable

from sieve.bytecode.opcodes import Tag
from sieve.regexes import BadPattern, compile_pattern
from sieve.run import wildcards
from sieve.run.errors import SieveError

Values = list[bytes]
Comparison = Callable[[bytes, bytes], bool]
ListLookup = Callable[[bytes, bytes], bool]
"""Whether a text is in the list of a name (RFC 6134)."""

_DIGITS = re.compile(rb"[0-9]+")
_RELATIONS: dict[Tag, Callable[[int, int], bool]] = {
    Tag.EQ: operator.eq,
    Tag.NE: operator.ne,
    Tag.GT: operator.gt,
    Tag.GE: operator.ge,
    Tag.LT: operator.lt,
    Tag.LE: operator.le,
}


class Matcher:
    """One match type, comparator and relation. ``found`` is filled by matches with wildcards or groups."""

    def __init__(self, match: Tag, collation: Tag, relation: Tag | None, *, in_list: ListLookup) -> None:
        """Raises SieveError for a combination that there is not."""
        self._found: Values | None = None
        self._matches = self._comparison(match, collation, relation, in_list)

    @property
    def found(self) -> Values | None:
        """The match variables after a call; empty after a failed match, None if the type has none."""
        return self._found

    def __call__(self, text: bytes, patterns: Iterable[bytes]) -> bool:
        """Whether any of the patterns fits."""
        return any(self._matches(text, pattern) for pattern in patterns)

    def _comparison(
        self, match: Tag, collation: Tag, relation: Tag | None, in_list: ListLookup
    ) -> Comparison:
        if match == Tag.LIST:
            return self._in_list(in_list)
        numeric = collation == Tag.ASCIINUMERIC
        folded = collation == Tag.ASCIICASEMAP
        if not (numeric or folded or collation == Tag.OCTET):
            raise SieveError
        if match == Tag.IS:
            return _same_number if numeric else _same_folded if folded else operator.eq
        if match == Tag.VALUE or (match == Tag.COUNT and numeric):
            return _related(relation, collation)
        if match == Tag.CONTAINS and not numeric:
            return _contains_folded if folded else operator.contains
        if match == Tag.MATCHES and not numeric:
            return self._wildcards(folded)
        if match == Tag.REGEX and not numeric:
            return self._regex(folded)
        raise SieveError

    def _wildcards(self, ignore_case: bool) -> Comparison:
        def compare(text: bytes, pattern: bytes) -> bool:
            values = wildcards.match(text, pattern, ignore_case)
            self._found = values or []
            return values is not None

        return compare

    def _regex(self, ignore_case: bool) -> Comparison:
        def compare(text: bytes, pattern: bytes) -> bool:
            self._found = []
            try:
                values = compile_pattern(pattern, ignore_case).search(text)
            except BadPattern as error:
                # of a pattern with variables nobody knew before
                raise SieveError("Invalid test") from error
            self._found = values or []
            return values is not None

        return compare

    def _in_list(self, in_list: ListLookup) -> Comparison:
        def compare(text: bytes, name: bytes) -> bool:
            known = in_list(text, name)
            if known:
                self._found = [text]
            return known

        return compare


def _same_folded(text: bytes, pattern: bytes) -> bool:
    return text.upper() == pattern.upper()


def _contains_folded(text: bytes, pattern: bytes) -> bool:
    return pattern.upper() in text.upper()


def _same_number(text: bytes, pattern: bytes) -> bool:
    return _order_numbers(text, pattern) == 0


def _related(relation: Tag | None, collation: Tag) -> Comparison:
    relates = None if relation is None else _RELATIONS.get(relation)
    if relates is None:
        raise SieveError
    order = _ORDERS[collation]

    def compare(text: bytes, pattern: bytes) -> bool:
        return relates(order(text, pattern), 0)

    return compare


def _order_octets(text: bytes, pattern: bytes) -> int:
    """As the original: octets above 127 come before all others."""
    one, other = (bytes(byte ^ 0x80 for byte in side) for side in (text, pattern))
    return (one > other) - (one < other)


def _order_numbers(text: bytes, pattern: bytes) -> int:
    """i;ascii-numeric: what does not begin with a digit is infinite (RFC 4790 section 9.1.1)."""
    one, other = _DIGITS.match(text), _DIGITS.match(pattern)
    if one is None or other is None:
        return (one is None) - (other is None)
    left, right = (found[0].lstrip(b"0") for found in (one, other))
    return _order_octets(left, right) if len(left) == len(right) else len(left) - len(right)


def _order_folded(text: bytes, pattern: bytes) -> int:
    return _order_octets(text.upper(), pattern.upper())


_ORDERS: dict[Tag, Callable[[bytes, bytes], int]] = {
    Tag.OCTET: _order_octets,
    Tag.ASCIICASEMAP: _order_folded,
    Tag.ASCIINUMERIC: _order_numbers,
}
