"""Tests on addresses, bodies, dates and numbers: RFCs 5173, 5183, 5231, 5233, 5260.

What differs from the RFCs, as in the original:

- ``julian`` is the Julian day, not the modified one of RFC 5260 section 4.2.
- ``:detail`` of an address without one is empty and equals ``""`` (RFC 5233 section 4 wants no match).
- ``:originalzone`` finds no zone in a date with a comment behind it (section 4).
- Dates are not counted: ``date :count`` is false.
"""

from __future__ import annotations

import pytest
from cunit.test_sieve_run import FakeHost

from cassandane.sieve_rules import COYOTE, Rule, holds, result

NUMERIC = 'comparator "i;ascii-numeric"'
RELATIONAL = "relational comparator-i;ascii-numeric envelope"
DATE = "date relational index variables fileinto comparator-i;ascii-numeric"
STOOGES = """\
Received: from a by b; Tue, 1 Apr 1997 09:06:31 -0800
Received: from c by d; Tue, 1 Apr 1997 08:06:31 -0800
Subject: example
To: foo@example.com.invalid, baz@example.com.invalid
CC: qux@example.com.invalid
X-Priority: 4
Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)

text
"""
"""As in RFC 5231 section 9."""
KEN = "From: 5551212#123@example.com\nTo: ken+sieve+more@example.org\n"
KEN += "Cc: ken@example.org, sam+@example.org\n\n"
MISSILE = """\
From: a@example.com
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

MAKE prologue
--outer
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

bWlzc2lsZSBncsO8bg==
--outer
Content-Type: text/html

<p>make <i>money</i> fast</p>
--outer
Content-Type: message/rfc822

Subject: inside
Content-Type: text/plain

coordinates
--outer
Content-Type: audio/mp3

x
--outer--
epilogue
"""


def _count(test: str, expected: bool = True) -> Rule:
    return holds("5231", RELATIONAL, test, expected, STOOGES)


def _body(section: str, test: str, expected: bool = True, mail: str = MISSILE) -> Rule:
    return holds(f"5173/{section}", "body", f"body {test}", expected, mail)


def _part(section: str, test: str, expected: bool = True) -> Rule:
    return holds(f"5233/{section}", "subaddress envelope", test, expected, KEN)


def _date(section: str, test: str, expected: bool = True, mail: str = STOOGES) -> Rule:
    return holds(f"5260/{section}", DATE, test, expected, mail)


_OFFICE_HOURS = (
    'allof (header :contains "subject" "example", date :value "ge" :originalzone "date" "hour" "09", '
    'date :value "lt" :originalzone "date" "hour" "17")'
)

RULES = [
    # RFC 5231
    _count(f'address :count "ge" :{NUMERIC} ["to", "cc"] ["3"]'),
    _count(f'header :count "ge" :{NUMERIC} ["to", "cc"] ["3"]', False),
    _count(f'header :count "eq" :{NUMERIC} ["to", "cc"] ["2"]'),
    _count(f'header :count "lt" :{NUMERIC} ["received"] ["3"]'),
    _count(f'header :count "eq" :{NUMERIC} ["x-none"] ["0"]'),
    _count(f'envelope :count "eq" :{NUMERIC} ["from", "to"] ["2"]'),
    _count(f'header :value "gt" :{NUMERIC} ["x-priority"] ["3"]'),
    _count(f'header :value "lt" :{NUMERIC} ["x-priority"] ["3"]', False),
    _count(f'header :value "gt" :{NUMERIC} "x-none" "3"', False),
    _count('header :value "ge" "subject" "EXAMPLE"'),
    _count('header :value "ne" :comparator "i;octet" "subject" "Example"'),
    _count('address :value "gt" :all ["to"] ["M"]', False),
    _count('address :value "lt" :localpart ["to"] ["M"]'),
    Rule("5231", 'require "relational"; if header :value "xx" "to" "3" {}',
         'refused invalid relational-match "xx"; refused syntax error'),
    # RFC 5233
    _part("4", 'address :user "to" "ken"'),
    _part("4", 'address :detail "to" "sieve+more"'),
    _part("4", 'address :user "from" "5551212#123"'),
    _part("4", 'address :detail "cc" ""'),
    _part("4", 'address :user "cc" "sam"'),
    _part("4", 'address :detail :contains "to" "ieve"'),
    holds("5233/4", "subaddress envelope", 'envelope :detail "to" "mta-filters"', to="ken+mta-filters@x.org"),
    holds("5233/4", "subaddress envelope", 'envelope :user "to" "KEN"', to="ken+mta-filters@x.org"),
    Rule("5233/4", 'if address :detail "to" "x" {}',
         'refused subaddress extension MUST be enabled with "require" command'),
    # RFC 5173
    _body("4", ':raw :contains "MAKE"'),
    _body("4", ':contains "x"', False, "Subject: x\n\n"),
    _body("5.1", ':raw :contains "bWlzc2lsZSBn"'),
    _body("5.1", ':raw :contains "missile"', False),
    _body("5.1", ':raw :contains "epilogue"'),
    _body("5.1", ':raw :contains "From:"', False),
    _body("5.2", ':content "text" :contains ["missile", "coordinates"]'),
    _body("5.2", ':content "text/plain" :contains "grün"'),
    _body("5.2", ':content "text/html" :contains "<i>"'),
    _body("5.2", ':content "TEXT/HTML" :contains "money"'),
    _body("5.2", ':content "text/html" :contains "missile"', False),
    _body("5.2", ':content "audio/mp3" :contains ""'),
    _body("5.2", ':content "image" :contains ""', False),
    _body("5.2", ':content "" :contains "coordinates"'),
    _body("5.2", ':content "text/plain/more" :contains "missile"', False),
    _body("5.2", ':content ["image", "audio"] :contains "x"'),
    _body("5.3", ':text :contains "grün"'),
    _body("5.3", ':text :contains "money"'),
    _body("5.3", ':contains "missile"'),
    _body("5.3", ':text :is "nothing"', False),
    Rule("5173/6", 'require ["body", "variables", "fileinto"]; if string :matches "abc" "a*" {}'
         ' if body :raw :matches "*make*" { fileinto "${1}"; }', "fileinto bc", MISSILE),
    Rule("5173/3", 'if body "x" {}', 'refused body extension MUST be enabled with "require" command'),
    # RFC 5183
    holds("5183/4", "environment", 'environment :matches "name" "Cyrus*"'),
    holds("5183/4", "environment", 'environment "nosuch" ""', False),
    holds("5183/4", "environment", 'environment :contains "vnd.example.item" ""', False),
    Rule("5183/3", 'if environment "name" "x" {}',
         'refused environment extension MUST be enabled with "require" command'),
    # RFC 5260
    _date("4", _OFFICE_HOURS, mail=STOOGES.replace(" (PST)", "")),
    _date("4", _OFFICE_HOURS, False),
    _date("4.1", 'date :zone "+0000" "date" "hour" "17"'),
    _date("4.1", 'date :zone "-0330" "date" "time" "13:36:31"'),
    _date("4.1", 'date :originalzone "date" "zone" "-0800"', mail=STOOGES.replace(" (PST)", "")),
    _date("4.1", 'date :zone "+0100" "date" "zone" "+0100"'),
    _date("4.1", 'date :zone "+0000" "x-none" "year" "1997"', False),
    _date("4.1", 'date :zone "+0000" "subject" "year" "1997"', False),
    _date("4.1", 'date :zone "+0000" "received" "hour" "17"'),
    _date("4.2", 'date :zone "+0000" "date" "year" "1997"'),
    _date("4.2", 'date :zone "+0000" "date" "month" "04"'),
    _date("4.2", 'date :zone "+0000" "date" "day" "01"'),
    _date("4.2", 'date :zone "+0000" "date" "date" "1997-04-01"'),
    _date("4.2", 'date :zone "+0000" "date" "minute" "06"'),
    _date("4.2", 'date :zone "+0000" "date" "second" "31"'),
    _date("4.2", 'date :zone "+0000" "date" "weekday" "2"'),
    _date("4.2", 'date :zone "+0000" "date" "julian" "2450540"'),
    _date("4.2", 'date :zone "+0000" "date" "julian" "50539"', False),
    _date("4.2", 'date :zone "+0000" "date" "iso8601" "1997-04-01T17:06:31Z"'),
    _date("4.2", 'date :zone "+0000" "date" "std11" "Tue, 01 Apr 1997 17:06:31 +0000"'),
    _date("4.2", 'date :zone "+0000" :matches "date" "std11" "*Apr*"'),
    _date("4.3", 'date :zone "+0000" :value "ge" :comparator "i;ascii-numeric" "date" "year" "1996"'),
    _date("5", 'currentdate :zone "+0000" "date" "2026-11-23"'),
    _date("5", 'anyof (currentdate :zone "+0000" :is "weekday" "0", currentdate :is "weekday" "6")', False),
    _date("5", 'allof (currentdate :zone "+0000" :value "ge" "date" "2007-06-30",'
          ' currentdate :value "le" "date" "2007-07-07")', False),
    Rule("5260/5", f'require {str(DATE.split()).replace(chr(39), chr(34))};'
         ' if currentdate :zone "+0000" :matches "month" "*" { set "month" "${1}"; }'
         ' if currentdate :zone "+0000" :matches "year" "*" { set "year" "${1}"; }'
         ' fileinto "${month}-${year}";', "fileinto 11-2026"),
    Rule("5260/3", 'if date "date" "year" "1997" {}',
         'refused date extension MUST be enabled with "require" command'),
    _date("6", 'date :index 1 :zone "+0000" "received" "hour" "17"'),
    _date("6", 'date :index 2 :zone "+0000" "received" "hour" "16"'),
    _date("6", 'date :index 1 :last :zone "+0000" "received" "hour" "16"'),
    _date("6", 'date :index 3 :zone "+0000" "received" "hour" "16"', False),
    _date("6", 'header :index 1 "received" "from a by b; Tue, 1 Apr 1997 09:06:31 -0800"'),
    _date("6", 'header :index 1 :last :contains "received" "from c"'),
    _date("6", 'header :last :index 2 :contains "received" "from a"'),
    _date("6", 'address :index 1 :contains "to" "foo"'),
    Rule("5260/6", 'if header :index 1 "a" "b" {}',
         'refused index extension MUST be enabled with "require" command'),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_tests(rule: Rule) -> None:
    assert result(rule, FakeHost()) == rule.expected


def test_last_needs_an_index() -> None:
    """RFC 5260 section 6."""
    rule = Rule("6", 'require "index"; if header :last "a" "b" {}', "", COYOTE)
    assert result(rule, FakeHost()).startswith("refused")
