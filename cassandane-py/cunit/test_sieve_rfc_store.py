"""Asking and naming mailboxes, lists and extensions: RFCs 5463, 5490, 6134, 8579, 9042.

What differs from the RFCs, as in the original:

- ``mailboxexists`` and ``mailboxidexists`` are true if any of the mailboxes exists; RFC 5490 section 3.1
  and RFC 9042 section 4.1 mean all of them.
"""

from __future__ import annotations

import pytest
from cunit.test_sieve_run import FakeHost

from cassandane.sieve_rules import Rule, holds, result

MAIL = "From: bob@example.com\nTo: alice@example.org\nX-List: bob@example.com\nSubject: s\n\ntext\n"
ID = "mailboxid mailbox special-use fileinto"


def _script(section: str, extensions: str, script: str, expected: str) -> Rule:
    names = ", ".join(f'"{name}"' for name in extensions.split())
    text = f"require [{names}];\n{script}"
    return Rule(section, text, expected, MAIL, "bob@example.com", "alice@example.org")


def _list(section: str, test: str, expected: bool = True) -> Rule:
    return holds(f"6134/{section}", "extlists envelope", test, expected, MAIL, sender="bob@example.com")


RULES = [
    # RFC 5463
    holds("5463/4", "ihave", 'ihave "fileinto"'),
    holds("5463/4", "ihave", 'ihave ["fileinto", "nosuch"]', False),
    holds("5463/4", "ihave", 'ihave "comparator-i;octet"'),
    _script("5463/4", "ihave", 'if ihave "fileinto" { fileinto "x"; } else { discard; }', "fileinto x"),
    _script("5463/4", "ihave", 'if ihave "nosuch" { nosuch "x"; } else { discard; }', "discard"),
    _script("5463/4", "ihave", 'if not ihave "nosuch" { discard; }', "discard"),
    _script("5463/5", "ihave", 'if not ihave "nosuch" { error "nosuch is needed"; } discard;',
            "error nosuch is needed"),
    Rule("5463/3", 'if ihave "fileinto" {}',
             'refused ihave extension MUST be enabled with "require" command'),
    # RFC 5490
    holds("5490/3.1", "mailbox", 'mailboxexists "INBOX"'),
    holds("5490/3.1", "mailbox", 'mailboxexists "nosuch"', False),
    holds("5490/3.1", "mailbox", 'mailboxexists ["nosuch", "INBOX"]'),
    _script("5490/3.2", "mailbox fileinto", 'fileinto :create "Partners";', "fileinto Partners"),
    _script("5490/3.2", "fileinto", 'fileinto :create "Partners";',
            'refused mailbox extension MUST be enabled with "require" command'),
    holds("5490/4.1", "mboxmetadata", 'metadata :is "INBOX" "/private/comment" "mine"'),
    holds("5490/4.1", "mboxmetadata", 'metadata :contains "INBOX" "/private/comment" "IN"'),
    holds("5490/4.1", "mboxmetadata", 'metadata "INBOX" "/private/none" ""', False),
    holds("5490/4.1", "mboxmetadata", 'metadata "nosuch" "/private/comment" "mine"', False),
    holds("5490/4.2", "mboxmetadata", 'metadataexists "INBOX" ["/private/comment"]'),
    holds("5490/4.2", "mboxmetadata", 'metadataexists "INBOX" ["/private/comment", "/private/none"]', False),
    holds("5490/5.1", "servermetadata", 'servermetadata :matches "/shared/comment" "a*"'),
    holds("5490/5.1", "servermetadata", 'servermetadata "/shared/none" ""', False),
    holds("5490/5.2", "servermetadata", 'servermetadataexists ["/shared/comment"]'),
    holds("5490/5.2", "servermetadata", 'servermetadataexists ["/shared/comment", "/shared/none"]', False),
    Rule("5490/4.1", 'if metadata "a" "/private/comment" "c" {}',
         'refused mboxmetadata extension MUST be enabled with "require" command'),
    # RFC 8579
    holds("8579/3.1", "special-use", 'specialuse_exists "\\\\Trash"'),
    holds("8579/3.1", "special-use", 'specialuse_exists ["\\\\Trash", "\\\\Junk"]', False),
    holds("8579/3.1", "special-use", 'specialuse_exists "INBOX/have" "\\\\Trash"'),
    holds("8579/3.1", "special-use", 'specialuse_exists "nosuch" "\\\\Trash"', False),
    _script("8579/4", "special-use fileinto", 'fileinto :specialuse "\\\\Junk" "INBOX/spam";',
            "fileinto INBOX/spam"),
    _script("8579/4", "special-use mailbox fileinto", 'fileinto :specialuse "\\\\Junk" :create "spam";',
            "fileinto spam"),
    # RFC 9042
    _script("9042/4", ID, 'fileinto :mailboxid "F6352ae03-b7f5-463c-896f-d8b48ee3" "INBOX.harassment";',
            "fileinto INBOX.harassment"),
    _script("9042/4.1", ID, 'fileinto :mailboxid "x" :specialuse "\\\\Junk" "y";',
            "refused tag :specialuse MUST NOT be used with tag :mailboxid"),
    holds("9042/4.2", "mailboxid", 'mailboxidexists "id1"'),
    holds("9042/4.2", "mailboxid", 'mailboxidexists "nosuch"', False),
    Rule("9042/3", 'if mailboxidexists "x" {}',
         'refused mailboxid extension MUST be enabled with "require" command'),
    # RFC 6134
    _list("2.2", 'envelope :list "from" ":addrbook:default"'),
    _list("2.2", 'address :list "from" ["nosuch", ":addrbook:default"]'),
    _list("2.2", 'header :list "x-list" ":addrbook:default"'),
    _list("2.2", 'header :list "subject" ":addrbook:default"', False),
    _list("2.2", 'not header :list "x-none" ":addrbook:default"'),
    _list("2.5", 'valid_ext_list [":addrbook:default"]'),
    _list("2.5", 'valid_ext_list [":addrbook:default", "nosuch"]', False),
    _script("6134/2.2", "extlists variables fileinto",
            'if address :list "from" ":addrbook:default" { fileinto "${0}"; }', "fileinto bob@example.com"),
    _script("6134/2.3", "extlists", 'redirect :list ":addrbook:friends";', "redirect :addrbook:friends"),
    Rule("6134/2.1", 'if header :list "a" "b" {}',
         'refused extlists extension MUST be enabled with "require" command'),
]  # fmt: skip


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_store(rule: Rule) -> None:
    assert result(rule, FakeHost()) == rule.expected
