"""RFC 5228, the base of Sieve: its examples and rules, by section.

What differs, as in the original:

- The local part of an address is compared by the comparator alone, so ``i;ascii-casemap`` ignores its case
  (section 2.7.4 leaves that open).
- ``require`` of what is always there (``comparator-i;octet``) is accepted (section 6.1 allows it).
- A redirect to the sender of a message is done; loops end by the database of deliveries (section 4.2).
"""

from __future__ import annotations

import pytest
from cunit.test_sieve_run import FakeHost

from cassandane.sieve_rules import RICH, Rule, holds, result

_FIELDS = """\
Date: Tue, 1 Apr 1997 09:06:31 -0800
From: "Bob B." <bob+x@example.com>
To: alice@example.org, LIST@example.org
Subject: frobnitzm
X-Empty:
X-Star: a*b
X-Folded: one
 two
X-Coded: =?iso-8859-1?q?gr=FC=DFe?=
X-Broken: =?nonsense?q?a?= b

text
"""


def _encoded(text: str, value: str) -> Rule:
    script = f'require ["encoded-character", "fileinto"]; fileinto "{text}";'
    return Rule("2.4.2.4", script, f"fileinto {value}")


def _field(test: str, expected: bool = True, section: str = "2.7.1") -> Rule:
    return holds(section, "comparator-i;ascii-numeric fileinto", test, expected, _FIELDS)


_EXTENDED = """
require ["fileinto"];
if header :is "Sender" "owner-ietf-mta-filters@imc.org" { fileinto "filter"; }
elsif address :DOMAIN :is ["From", "To"] "example.com" { keep; }
elsif anyof (NOT address :all :contains ["To", "Cc", "Bcc"] "me@example.com",
             header :matches "subject" ["*make*money*fast*", "*university*dipl*mas*"]) { fileinto "spam"; }
else { fileinto "personal"; }
"""
_ELSIF = """require "fileinto";
if header :contains "from" "coyote" { discard; }
elsif header :contains ["subject"] ["$$$"] { discard; }
else { fileinto "INBOX"; }
"""

RULES = [
    # section 2: the language
    Rule("2.2", "", "keep"),
    Rule("2.2", "  \t\r\n\n", "keep"),
    Rule("2.3", "if size :over 100k { # this is a comment\n discard; }", "keep"),
    Rule("2.3", "if size :over 100K { /* this is a comment\n this is still a comment */ discard /* this\n"
         " is a comment */ ; /* end */ }", "keep"),
    Rule("2.3", "discard; /* no end", "refused syntax error"),
    holds("2.4.1", "", "size :over 0"),
    holds("2.4.1", "", "size :under 1K"),
    holds("2.4.1", "", "size :over 1M", False),
    Rule("2.4.1", "if size :over 4G {}", "refused number too large 4G"),
    Rule("2.4.1", "if size :over -1 {}", "refused syntax error"),
    Rule("2.4.2", 'require "fileinto"; fileinto "a\\\\b\\"c\\d";', 'fileinto a\\b"cd'),
    Rule("2.4.2", 'require "reject"; reject text:\n..stuffed\nplain\n.\n;', "reject .stuffed\nplain\n"),
    Rule("2.4.2", 'require "reject"; reject "one\ntwo";', "reject one\ntwo"),
    holds("2.4.2.1", "", 'header :contains ["To", "Cc"] ["me@example.com", "acme.example.com"]'),
    holds("2.4.2.1", "", 'header :contains "To" "acme.example.com"'),
    holds("2.4.2.1", "", 'header :contains ["To"] ["acme.example.com"]'),
    Rule("2.4.2.1", 'if header :contains [] "x" {}', "refused syntax error"),
    holds("2.4.2.2", "", 'exists "SUBJECT"'),
    Rule("2.4.2.2", 'if exists "Subject:" { discard; }', "keep"),
    Rule("2.4.2.2", 'if header "Subject:" "x" {}', "refused header 'Subject:': not a valid header"),
    Rule("2.4.2.3", 'redirect "@example.com";', "refused address '@example.com': syntax error"),
    Rule("2.4.2.3", 'redirect "a@example.com, b@example.com";',
         "refused address 'a@example.com, b@example.com': syntax error"),
    _encoded("$${hex:40}", "$@"),
    _encoded("${hex: 40 }", "@"),
    _encoded("${HEX: 40}", "@"),
    _encoded("${hex:40", "${hex:40"),
    _encoded("${hex:400}", "${hex:400}"),
    _encoded("${hex:4${hex:30}}", "${hex:40}"),
    _encoded("${unicode:40}", "@"),
    _encoded("${ unicode:40}", "${ unicode:40}"),
    _encoded("${UNICODE:40}", "@"),
    _encoded("${UnICoDE:0000040}", "@"),
    _encoded("${Unicode:40}", "@"),
    _encoded("${Unicode:Cool}", "${Unicode:Cool}"),
    Rule("2.4.2.4", 'require "encoded-character"; if header "a" "${unicode:200000}" {}',
         "refused invalid unicode encoding: ${unicode:200000}"),
    Rule("2.4.2.4", 'require "encoded-character"; if header "a" "${Unicode:DF01}" {}',
         "refused invalid unicode encoding: ${Unicode:DF01}"),
    holds("2.4.2.4", "encoded-character", 'header :contains "Subject" "$${hex:24 24}"', mail=RICH),
    Rule("2.4.2.4", 'require "fileinto"; fileinto "${hex:40}";', "fileinto ${hex:40}"),
    holds("2.5", "", "not not true"),
    holds("2.6.1", "", 'header :comparator "i;octet" :contains "Subject" "present"'),
    holds("2.6.1", "", 'header :contains :comparator "i;octet" "Subject" "present"'),
    Rule("2.6.2", 'if header :is :contains "a" "b" {}', "refused multiple match-type tags"),
    Rule("2.6.2", 'if header "a" :is "b" {}', "refused syntax error"),
    Rule("2.6.2", 'if header :nosuchtag "a" "b" {}', "refused syntax error"),
    # section 2.7: comparisons
    _field('header :contains "subject" "frob"'),
    _field('header :contains "subject" "nit"'),
    _field('header :contains "subject" "fbm"', False),
    _field('header :contains "subject" ""'),
    _field('header :contains "x-empty" ""'),
    _field('header :contains "x-none" ""', False),
    _field('header :is "x-empty" ""'),
    _field('header :is "x-none" ""', False),
    _field('header "subject" "frobnitzm"'),
    _field('header "subject" "frob"', False),
    _field('header :matches "subject" "frob*"'),
    _field('header :matches "subject" "frob"', False),
    _field('header :matches "subject" "?robnitz?"'),
    _field('header :matches "subject" "?frobnitzm"', False),
    _field('header :matches "x-star" "a\\\\*b"'),
    _field('header :matches "subject" "f\\\\*m"', False),
    _field('header :matches "x-empty" "*"'),
    _field('header :matches "x-none" "*"', False),
    _field('header :is "x-folded" "one two"', section="2.7.2"),
    _field('header :is "x-coded" "grüße"', section="2.7.2"),
    _field('header :contains "x-broken" "b"', section="2.7.2"),
    _field('header :contains "x-coded" "GRÜSSE"', False, "2.7.2"),
    _field('header "subject" "FROBNITZM"', section="2.7.3"),
    _field('header :comparator "i;octet" "subject" "FROBNITZM"', False, "2.7.3"),
    _field('header :comparator "i;ascii-casemap" :is "subject" "FrobNitzM"', section="2.7.3"),
    Rule("2.7.3", 'if header :comparator "i;none" "a" "b" {}',
         'refused unknown comparator-name "i;none"; refused syntax error'),
    Rule("2.7.3", 'if header :contains :comparator "i;octet" "Subject" "MAKE MONEY FAST" { discard; }',
         "keep"),
    _field('address :domain :is "to" "EXAMPLE.ORG"', section="2.7.4"),
    _field('address :localpart :comparator "i;octet" :is "to" "LIST"', section="2.7.4"),
    _field('address :localpart :comparator "i;octet" :is "to" "list"', False, "2.7.4"),
    _field('address :is "from" "bob+x@example.com"', section="2.7.4"),
    _field('address :localpart :is "from" "bob+x"', section="2.7.4"),
    _field('address :contains "from" "Bob B."', False, "2.7.4"),
    # section 2.9: blocks; 2.10: evaluation
    Rule("2.9", "if true { { keep; } }", "refused syntax error"),
    Rule("2.9", "if true { discard; ", "refused syntax error"),
    Rule("2.10.1", 'require "reject"; reject "no"; keep;', "error Keep can not be used with Reject"),
    Rule("2.10.2", "if false { discard; }", "keep"),
    Rule("2.10.2", 'require "fileinto"; fileinto "a";', "fileinto a"),
    Rule("2.10.2", 'redirect "a@example.com";', "redirect a@example.com"),
    Rule("2.10.2", "keep;", "keep"),
    Rule("2.10.2", 'require "fileinto"; fileinto "a"; keep;', "fileinto a; keep"),
    Rule("2.10.3", "keep; keep;", "keep"),
    Rule("2.10.3", 'require "fileinto"; fileinto "a"; fileinto "a";', "fileinto a"),
    Rule("2.10.4", "".join(f'redirect "a{number}@b.c";' for number in range(101)),
         "error too many redirects"),
    Rule("2.10.5", 'require "nosuch"; keep;', 'refused Unsupported feature(s) in "require": "nosuch"'),
    Rule("2.10.5", 'fileinto "a";', 'refused fileinto extension MUST be enabled with "require" command'),
    Rule("2.10.5", "if true {" * 15 + "discard;" + "}" * 15, "discard"),
    holds("2.10.5", "", "not " * 15 + "true", False),
    Rule("2.10.6", 'discard; redirect;', "refused syntax error"),
    Rule("2.10.7", 'require "fileinto"; fileinto "${x}";', "fileinto ${x}"),
    # section 3: control
    Rule("3.1", _ELSIF, "discard"),
    Rule("3.1", _ELSIF, "discard", RICH),
    Rule("3.1", _ELSIF, "fileinto INBOX", _FIELDS),
    Rule("3.1", 'if header :contains ["From"] ["coyote"] { redirect "acm@example.com"; }'
         ' elsif header :contains "Subject" "$$$" { redirect "postmaster@example.com"; }'
         ' else { redirect "field@example.com"; }', "redirect acm@example.com"),
    Rule("3.1", 'if header :contains ["From"] ["coyote"] { redirect "acm@example.com"; }'
         ' elsif header :contains "Subject" "$$$" { redirect "postmaster@example.com"; }'
         ' else { redirect "field@example.com"; }', "redirect postmaster@example.com", RICH),
    Rule("3.1", "else { keep; }", "refused syntax error"),
    Rule("3.1", "elsif true { keep; }", "refused syntax error"),
    Rule("3.1", "if true {} else {} else {}", "refused syntax error"),
    Rule("3.1", "if true keep;", "refused syntax error"),
    Rule("3.2", 'require ["fileinto", "reject"]; require "fileinto"; fileinto "a";', "fileinto a"),
    Rule("3.2", 'keep; require "fileinto";', "refused syntax error"),
    Rule("3.2", "require fileinto;", "refused syntax error"),
    Rule("3.3", "stop; discard;", "keep"),
    Rule("3.3", "discard; stop; keep;", "discard"),
    Rule("3.3", "if true { if true { stop; } } discard;", "keep"),
    # section 4: actions
    Rule("4.1", 'require "fileinto"; if header :contains ["from"] "coyote" { fileinto "INBOX.harassment"; }',
         "fileinto INBOX.harassment"),
    Rule("4.2", 'redirect "bart@example.com";', "redirect bart@example.com"),
    Rule("4.2", 'redirect ["bart@example.com"];', "refused syntax error"),
    Rule("4.3", "if size :under 1M { keep; } else { discard; }", "keep"),
    Rule("4.3", "if not size :under 1M { discard; }", "keep"),
    Rule("4.4", 'if header :contains ["from"] ["coyote@desert.example.org"] { discard; }', "discard"),
    Rule("4.4", "discard; keep;", "discard; keep"),
    Rule("4.4", 'require "fileinto"; discard; fileinto "a";', "discard; fileinto a"),
    # section 5: tests
    holds("5.1", "", 'address :is :all "from" "tim@example.com"', False),
    holds("5.1", "", 'address :is :all "from" "tim@example.com"', mail="From: Tim <tim@example.com>\n\n"),
    holds("5.1", "", 'address ["from", "to"] "roadrunner@acme.example.com"'),
    holds("5.1", "", 'address "from" "b@x"', mail="From: g: a@x, b@x;\n\n"),
    holds("5.1", "", 'address "from" "b@x"', mail="From: a@x (b@x)\n\n", expected=False),
    Rule("5.1", 'if address "subject" "x" {}',
         "refused header 'subject': not a valid header for an address test"),
    holds("5.2", "", "allof (true, true)"),
    holds("5.2", "", "allof (true, false)", False),
    Rule("5.2", "if allof () {}", "refused syntax error"),
    holds("5.3", "", "anyof (false, true)"),
    holds("5.3", "", "anyof (false, false)", False),
    holds("5.4", "envelope", 'envelope :all :is "from" "coyote@desert.example.org"'),
    holds("5.4", "envelope", 'envelope "to" "roadrunner@acme.example.com"'),
    holds("5.4", "envelope", 'envelope :is "from" ""', sender=""),
    holds("5.4", "envelope", 'envelope :localpart :is "from" ""', sender=""),
    holds("5.4", "envelope", 'envelope :domain :is "from" ""', sender=""),
    holds("5.4", "envelope", 'envelope "FROM" "coyote@desert.example.org"'),
    Rule("5.4", 'if envelope "from" "x" {}',
         'refused envelope extension MUST be enabled with "require" command'),
    Rule("5.4", 'require "envelope"; if envelope "size" "x" {}',
         "refused env-part 'size': not a valid part for an envelope test"),
    holds("5.5", "", 'not exists ["From", "Date"]', False),
    holds("5.5", "", 'exists ["From", "X-None"]', False),
    _field('exists "x-empty"', section="5.5"),
    holds("5.6", "", "false", False),
    _field('header :is ["x-none", "subject"] ["x", "frobnitzm"]', section="5.7"),
    _field('header "X-Caffeine" [""]', False, "5.7"),
    holds("5.7", "", 'header :is "X-Caffeine" [""]', mail="X-Caffeine: C8H10N4O2\n\n", expected=False),
    holds("5.7", "", 'header :contains "X-Caffeine" [""]', mail="X-Caffeine: C8H10N4O2\n\n"),
    holds("5.7", "", 'header "subject" "spaced"', mail="Subject:   spaced  \n\n"),
    holds("5.8", "", "not false"),
    holds("5.9", "", "size :over 10", mail="A: b\n\n", expected=False),
    holds("5.9", "", "size :over 8", mail="A: b\n\n", expected=False),
    holds("5.9", "", "size :under 8", mail="A: b\n\n", expected=False),
    holds("5.9", "", "size :under 9", mail="A: b\n\n"),
    holds("5.9", "", "size :over 7", mail="A: b\n\n"),
    Rule("5.9", "if size 100 {}", "refused syntax error"),
    holds("5.10", "", "true"),
    # sections 6 and 9
    Rule("6.1", 'require ["comparator-i;octet", "comparator-i;ascii-casemap"];', "keep"),
    Rule("6.1", 'require "FILEINTO";', 'refused Unsupported feature(s) in "require": "FILEINTO"'),
    Rule("9", _EXTENDED, "fileinto filter", "Sender: owner-ietf-mta-filters@imc.org\n\n"),
    Rule("9", _EXTENDED, "keep", "From: x@Example.com\n\n"),
    Rule("9", _EXTENDED, "fileinto spam", "From: x@y\nTo: me@example.org\n\n"),
    Rule("9", _EXTENDED, "fileinto spam", "Cc: me@example.com.au\nSubject: how to make big money fast!\n\n"),
    Rule("9", _EXTENDED, "fileinto personal", "Cc: me@example.com.au\nSubject: hello\n\n"),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_rfc_5228(rule: Rule) -> None:
    assert result(rule, FakeHost()) == rule.expected
