"""Every word of Sieve stands in the tables of rules, or has a reason why not.

Words are extensions, commands, tests, match types and arguments. What is refused by name has its rules here:
extensions of other RFCs that are known and not supported, and what waits for calendars and JMAP.
"""

from __future__ import annotations

import re

import pytest
from cunit import (
    test_sieve_rfc_5228,
    test_sieve_rfc_5229,
    test_sieve_rfc_5260,
    test_sieve_rfc_actions,
    test_sieve_rfc_store,
)
from cunit.test_sieve_run import FakeHost

from cassandane.sieve_rules import Rule, result

_WAITS = "waits for calendars and JMAP, refused until then"
EXTENSIONS = (
    "encoded-character comparator-i;octet comparator-i;ascii-casemap comparator-i;ascii-numeric fileinto "
    "reject ereject vacation vacation-seconds notify enotify include editheader vnd.cyrus.snooze envelope "
    "environment body imap4flags imapflags date index ihave mailbox mboxmetadata servermetadata duplicate "
    "relational regex extlists subaddress copy variables redirect-deliverby redirect-dsn special-use fcc "
    "mailboxid vnd.cyrus.log"
).split()
REFUSED = (
    "spamtest spamtestplus virustest enclose extracttext foreverypart mime replace envelope-deliverby "
    "envelope-dsn convert imapsieve vnd.cyrus.imip vnd.cyrus.jmapquery"
).split()
WORDS = {
    "control": "require if elsif else stop include return global error",
    "action": (
        "keep discard fileinto redirect reject ereject vacation notify denotify setflag addflag removeflag "
        "mark unmark addheader deleteheader set snooze processimip log"
    ),
    "test": (
        "address allof anyof envelope exists false header not size true body environment string hasflag date "
        "currentdate valid_notify_method notify_method_capability ihave mailboxexists metadata "
        "metadataexists servermetadata servermetadataexists valid_ext_list duplicate specialuse_exists "
        "mailboxidexists jmapquery"
    ),
    "match-type": ":is :contains :matches :regex :count :value :list",
}
ARGUMENTS = {
    "keep": ":flags",
    "fileinto": ":copy :flags :create :specialuse :mailboxid",
    "redirect": ":copy :list :bytimerelative :bytimeabsolute :bymode :bytrace :notify :ret",
    "vacation": (
        ":days :seconds :subject :from :addresses :mime :handle :fcc :create :flags :specialuse :mailboxid"
    ),
    "notify": ":from :importance :options :message :fcc :method :id :low :normal :high",
    "addheader": ":last",
    "deleteheader": ":index :last :contains :matches",
    "set": ":lower :upper :lowerfirst :upperfirst :quotewildcard :quoteregex :length :encodeurl",
    "snooze": ":mailbox :mailboxid :addflags :removeflags :weekdays :tzid :specialuse :create",
    "address": ":all :localpart :domain :user :detail :index :last",
    "header": ":index :last",
    "size": ":over :under",
    "body": ":raw :text :content",
    "date": ":zone :originalzone :index :last",
    "currentdate": ":zone",
    "duplicate": ":handle :header :uniqueid :seconds :last",
}
REASONS = {"processimip": _WAITS, "jmapquery": _WAITS}
_ROWS = 117
_AUTO = (
    "vacation coyote@desert.example.org roadrunner@acme.example.com Auto: I have a present for you; keep"
)

RULES = [
    Rule("words", 'require "vacation-seconds"; vacation :addresses "me@x" :mime :handle "h" "x";', _AUTO),
    Rule("words", 'require ["vacation", "fcc", "special-use", "mailbox"];'
         ' vacation :fcc "f" :specialuse "\\\\Sent" :create "x";', _AUTO),
    Rule("words", 'require ["vacation", "fcc", "mailboxid"]; vacation :fcc "f" :mailboxid "id1" "x";', _AUTO),
    Rule("words", 'require "enotify"; notify :from "a@b.c" :message "m" "mailto:x@y.z";',
         "notify mailto x@y.z normal m; keep"),
    Rule("words", 'require "notify"; notify :normal :message "m";', "notify default  normal m; keep"),
    Rule("words", 'require ["vnd.cyrus.snooze", "imap4flags", "mailbox", "special-use"];'
         ' snooze :mailbox "m" :create :specialuse "\\\\Trash" :addflags "a" :removeflags "b"'
         ' :tzid "Europe/Vienna" "08:00:00";', "snooze 28800"),
    Rule("words", 'require ["vnd.cyrus.snooze", "mailboxid"]; snooze :mailboxid "id1" "08:00:00";',
         "snooze 28800"),
    Rule("words", 'require ["date", "index"]; if date :index 1 :last :zone "+0000" "date" "year" "1997"'
         " { discard; }", "discard"),
    Rule("words", 'require "duplicate"; if duplicate :last :seconds 60 { discard; }', "keep"),
    Rule("words", 'require "index"; if address :index 1 :last "from" "coyote@desert.example.org"'
         " { discard; }", "discard"),
]  # fmt: skip
_TABLES = (
    test_sieve_rfc_5228.RULES,
    test_sieve_rfc_5229.RULES,
    test_sieve_rfc_5260.RULES,
    test_sieve_rfc_actions.RULES,
    test_sieve_rfc_store.RULES,
    RULES,
)
_COMPILED = [
    rule.script for table in _TABLES for rule in table if not rule.expected.startswith("refused")
] + ["global"]  # refused, and said so in the table of actions


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_words(rule: Rule) -> None:
    assert result(rule, FakeHost()) == rule.expected


@pytest.mark.parametrize("name", EXTENSIONS)
def test_extensions_have_rules(name: str) -> None:
    assert any(f'"{name}"' in text for text in _COMPILED)


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_are_refused(name: str) -> None:
    expected = f'refused Unsupported feature(s) in "require": "{name}"'
    assert result(Rule("6.1", f'require "{name}";', expected), FakeHost()) == expected


@pytest.mark.parametrize(("kind", "words"), WORDS.items())
def test_words_have_rules(kind: str, words: str) -> None:
    without = [
        word
        for word in words.split()
        if word not in REASONS and not any(_word(word).search(text) for text in _COMPILED)
    ]
    assert not without


@pytest.mark.parametrize(("command", "arguments"), ARGUMENTS.items())
def test_arguments_have_rules(command: str, arguments: str) -> None:
    # an argument stands behind its command, before the next one
    found = [
        piece
        for text in _COMPILED
        for piece in re.findall(rf"(?<![\w:\"]){command}\b([^;{{]*)", text, re.IGNORECASE)
    ]
    assert not [each for each in arguments.split() if not any(_word(each).search(piece) for piece in found)]


@pytest.mark.parametrize("script", ['processimip;', 'if jmapquery text:\n{}\n.\n {}'])
def test_what_waits_is_refused(script: str) -> None:
    assert result(Rule("", script, ""), FakeHost()).startswith("refused")


def test_no_row_is_forgotten() -> None:
    words = sum(len(each.split()) for each in WORDS.values())
    assert len(EXTENSIONS) + len(REFUSED) + words == _ROWS


def _word(word: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w:.\"-]){re.escape(word)}(?![\w.\"-])", re.IGNORECASE)
