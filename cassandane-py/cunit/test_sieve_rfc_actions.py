"""Actions: RFCs 3894, 5230, 5232, 5293, 5429, 5435, 5436, 6009, 6131, 6609, 7352, 8580, and snooze.

What differs from the RFCs, as in the original:

- ``keep`` with ``reject`` is an error of the run (RFC 5429 section 2.1 allows a compiler to refuse it).
- ``global`` is no command and there is no namespace ``global`` (RFC 6609 section 3.4): it was never built,
  and variables are shared by all scripts that are included.
- ``removeflag`` looks at the case of keywords, which ``addflag`` does not (RFC 5232 section 2).
- Flags may be kept under a name without "variables" (RFC 5232 section 3 wants an error).
- ``:fcc`` of ``notify`` is taken and nothing is filed (RFC 8580): our notifications are made elsewhere, and
  ``notify_method_capability`` says so.
- A mailto URI is its address; the header fields in it are left out (RFC 5436 section 2.3). The original takes
  all of the URI for an address.
- ``:importance`` is a word of the notification only (RFC 5435 section 3.4).
"""

from __future__ import annotations

import pytest
from cunit.test_sieve_run import FakeHost

from cassandane.sieve_rules import Rule, compiled, holds, result

MAIL = "From: Bob <bob@example.com>\nTo: me@example.com\nSubject: hello there\nX-Event: 42\n"
MAIL += "Delivered-To: one@x\nDelivered-To: bob@example.com\n\ntext\n"
FLAGS = "imap4flags relational comparator-i;ascii-numeric fileinto"
VACATION = "vacation vacation-seconds variables fcc imap4flags mailbox reject"
NOTIFY = "enotify variables envelope fcc"


def _script(section: str, extensions: str, script: str, expected: str, mail: str = MAIL) -> Rule:
    names = ", ".join(f'"{name}"' for name in extensions.split())
    return Rule(section, f"require [{names}];\n{script}", expected, mail, "bob@example.com", "me@example.com")


def _flags(section: str, script: str, expected: str) -> Rule:
    return _script(f"5232/{section}", FLAGS, script, expected)


def _has(section: str, before: str, test: str, expected: bool = True) -> Rule:
    return _flags(section, f'{before} if hasflag {test} {{ fileinto "yes"; stop; }} discard;',
                  f"fileinto yes{_WITH.get(before, '')}" if expected else "discard")  # fmt: skip


_AB = 'setflag "A B";'
_WITH = {_AB: " + A B"}


def _away(section: str, script: str, expected: str, mail: str = MAIL) -> Rule:
    return _script(f"5230/{section}", VACATION, script, expected, mail)


def _edit(section: str, script: str, expected: str) -> Rule:
    return _script(f"5293/{section}", "editheader fileinto index variables", script, expected)


def _notify(section: str, script: str, expected: str) -> Rule:
    return _script(f"5435/{section}", NOTIFY, script, expected)


_AUTO = "vacation bob@example.com me@example.com Auto: hello there; keep"

RULES = [
    # RFC 3894
    _script("3894/3", "copy", 'redirect :copy "a@example.com";', "redirect a@example.com; keep"),
    _script("3894/3", "copy fileinto", 'fileinto :copy "a";', "fileinto a; keep"),
    _script("3894/3", "copy fileinto", 'fileinto :copy "a"; fileinto "b";', "fileinto a; fileinto b"),
    _script("3894/3", "copy fileinto", 'fileinto :copy "incoming"; redirect "a@b.c";',
            "fileinto incoming; redirect a@b.c"),
    _script("3894/3", "copy", 'redirect :copy "a@b.c"; discard;', "redirect a@b.c; discard"),
    _script("3894/2", "fileinto", 'fileinto :copy "a";',
            'refused copy extension MUST be enabled with "require" command'),
    # RFC 5230
    _away("3", 'vacation "I am away";', _AUTO),
    _away("4", 'vacation :addresses ["tjs@example.edu", "ts4z@landru.example.edu"] "away until October 19";',
          _AUTO),
    _away("4.1", 'vacation :days 23 "away";', _AUTO),
    _away("4.1", 'vacation :days 1 :days 2 "x";', "refused duplicate :days tag"),
    _away("4.2", 'vacation "a"; vacation "b";', "error Vacation can not be used with Reject or Vacation"),
    _away("4.3", 'vacation :subject "Gone fishing" "x";',
          "vacation bob@example.com me@example.com Gone fishing; keep"),
    _away("4.3", 'if header :matches "subject" "*" { vacation :subject "Automatic response to: ${1}" "x"; }',
          "vacation bob@example.com me@example.com Automatic response to: hello there; keep"),
    _away("4.3", 'vacation :from "noreply@example.com" "x";',
          "vacation bob@example.com noreply@example.com Auto: hello there; keep"),
    _away("4.3", 'vacation "x";', "vacation bob@example.com me@example.com Automated reply; keep",
          "To: me@example.com\n\n"),
    _away("4.5", 'vacation "x";', "keep", "To: list@example.com\n\n"),
    _away("4.5", 'vacation :addresses "also@me.example" "x";',
          "vacation bob@example.com also@me.example Automated reply; keep", "Bcc: also@me.example\n\n"),
    _away("4.5", 'vacation "x";', "vacation bob@example.com me@example.com Automated reply; keep",
          "Resent-To: me@example.com\n\n"),
    _away("4.6", 'vacation "x";', "keep", "List-Id: <x>\n" + MAIL),
    _away("4.6", 'vacation "x";', "keep", "List-Unsubscribe: <x>\n" + MAIL),
    _away("4.6", 'vacation "x";', "keep", "Auto-Submitted: auto-generated\n" + MAIL),
    _away("4.6", 'vacation "x";', _AUTO, "Auto-Submitted: no\n" + MAIL),
    _away("4.6", 'vacation "x";', "keep", "Precedence: bulk\n" + MAIL),
    _away("4.7", 'vacation "x"; reject "y";', "error [e]Reject can not be used with any other action"),
    _away("4.7", 'reject "y"; vacation "x";', "error Vacation can not be used with Reject or Vacation"),
    _away("4.7", 'vacation "x"; discard;',
        "vacation bob@example.com me@example.com Auto: hello there; discard"),
    _away("4.1", 'vacation;', "refused syntax error"),
    Rule("5230/2", 'vacation "x";', 'refused vacation extension MUST be enabled with "require" command'),
    # RFC 6131
    _script("6131/2", "vacation-seconds", 'vacation :addresses "me@example.com" :seconds 1800 "x";', _AUTO),
    _script("6131/2", "vacation", 'vacation :seconds 1800 "x";',
            'refused vacation-seconds extension MUST be enabled with "require" command'),
    _script("6131/2", "vacation-seconds", 'vacation :days 1 :seconds 1 "x";',
        "refused duplicate :seconds tag"),
    # RFC 8580
    _away("8580/3", 'vacation :fcc "INBOX.Sent" :create :flags ["\\\\Seen"] "x";', _AUTO),
    _script("8580/3", "vacation", 'vacation :fcc "Sent" "x";',
            'refused fcc extension MUST be enabled with "require" command'),
    _away("8580/3", 'vacation :create "x";', "refused :fcc tag is required"),
    _notify("8580/3", 'notify :fcc "INBOX.Sent" :message "m" "mailto:a@b.c";',
            "notify mailto a@b.c normal m; keep"),
    # RFC 5232
    _flags("2", "keep;", "keep"),
    _flags("2", 'setflag ["\\\\Answered $work", "b"]; keep;', "keep + \\answered $work b"),
    _flags("2", 'setflag "A"; addflag "a"; keep;', "keep + A"),
    _flags("2", 'setflag "\\\\Nosuch"; keep;', "keep"),
    _flags("3.1", 'setflag "\\\\Deleted"; fileinto "a";', "fileinto a + \\deleted"),
    _flags("3.1", 'setflag "a"; setflag "b"; keep;', "keep + b"),
    _flags("3.1", 'setflag "a"; setflag ""; keep;', "keep"),
    _flags("3.2", 'addflag ["\\\\Deleted", "\\\\Answered"]; keep;', "keep + \\deleted \\answered"),
    _flags("3.2", 'addflag "\\\\Deleted"; addflag "\\\\Answered"; keep;', "keep + \\deleted \\answered"),
    _flags("3.2", 'addflag "\\\\Deleted \\\\Answered"; keep;', "keep + \\deleted \\answered"),
    _flags("3.3", 'setflag "a b c"; removeflag ["b", "C"]; keep;', "keep + a c"),
    _flags("3.3", 'removeflag "x"; keep;', "keep"),
    _has("4", _AB, '["b", "A"]'),
    _has("4", _AB, ':is "b"'),
    _has("4", _AB, ':is "AB"', False),
    _has("4", _AB, ':contains "B"'),
    _has("4", _AB, ':matches "?"'),
    _has("4", _AB, ':count "ge" :comparator "i;ascii-numeric" "2"'),
    _has("4", _AB, ':count "gt" :comparator "i;ascii-numeric" "2"', False),
    _has("4", "", '"A"', False),
    _flags("5", 'setflag "A"; keep :flags "B C";', "keep + B C"),
    _flags("5", 'keep; addflag "A";', "keep"),
    _flags("5", 'setflag "A"; fileinto "x"; setflag "B"; keep;', "fileinto x + A; keep + B"),
    _flags("5", 'fileinto :flags "\\\\Deleted" "INBOX.From Boss";', "fileinto INBOX.From Boss + \\deleted"),
    _script("5232/2", "imap4flags variables", 'setflag "v" "a"; addflag "v" "b"; keep :flags "${v}";',
            "keep + a b"),
    _script("5232/2", "imap4flags variables", 'setflag "v" "a"; keep;', "keep"),
    _script("5232/3", "imap4flags", 'setflag "v" "a";', "keep"),
    # draft-melnikov-sieve-imapflags
    _script("imapflags", "imapflags", "mark; keep;", "keep + \\flagged"),
    _script("imapflags", "imapflags", 'setflag "a"; mark; unmark; keep;', "keep + a"),
    # RFC 5293
    _edit("4", 'if not header :contains "X-Sieve-Filtered" ["<kim@job.example.com>",'
          ' "<kim@home.example.com>"]'
          ' { addheader "X-Sieve-Filtered" "<kim@job.example.com>"; redirect "kim@home.example.com"; }'
          ' if header "x-sieve-filtered" "<kim@job.example.com>" { fileinto "found"; }',
          "redirect kim@home.example.com; fileinto found"),
    _edit("4", 'addheader "X-A" "1"; addheader "X-A" "2"; if header :index 1 "X-A" "2" { discard; }',
        "discard"),
    _edit("4", 'addheader :last "X-Event" "9"; if header :index 2 "X-Event" "9" { discard; }', "discard"),
    _edit("4", 'addheader "a:b" "x";', "refused header 'a:b': not a valid header"),
    _edit("5", 'deleteheader "subject"; if not exists "subject" { discard; }', "discard"),
    _edit("5", 'deleteheader :index 1 "delivered-to"; if header "delivered-to" "bob@example.com"'
          ' { if not header "delivered-to" "one@x" { discard; } }', "discard"),
    _edit("5", 'deleteheader :index 1 :last "Delivered-To" "bob@example.com";'
          ' if not header "delivered-to" "bob@example.com" { discard; }', "discard"),
    _edit("5", 'deleteheader :index 1 :last "Delivered-To" "one@x"; if header "delivered-to" "one@x"'
          ' { discard; }', "discard"),
    _edit("5", 'deleteheader :contains "Delivered-To" ["one", "two"]; if header "delivered-to" "one@x"'
          ' { discard; }', "keep"),
    _edit("5", 'deleteheader :matches "X-Event" "4?"; if not exists "x-event" { discard; }', "discard"),
    _edit("5", 'deleteheader "x-none"; keep;', "keep"),
    _edit("6", 'deleteheader "Received";', "refused MUST NOT delete Received or Auto-Submitted headers"),
    _edit("6", 'set "n" "Auto-Submitted"; addheader "Auto-Submitted" "x"; deleteheader "${n}";'
          ' if exists "auto-submitted" { discard; }', "discard"),
    # RFC 5429
    _script("5429/2.1", "ereject", 'ereject "I no longer accept mail from this address";',
            "ereject I no longer accept mail from this address"),
    _script("5429/2.2", "reject", 'if size :over 1 { reject text:\nYour message is too big.\nPlease.\n.\n; }',
            "reject Your message is too big.\nPlease.\n"),
    _script("5429/2.4", "reject", 'reject "a"; reject "b";',
            "error [e]Reject can not be used with any other action"),
    _script("5429/2.4", "reject", 'reject "a"; discard;', "reject a; discard"),
    _script("5429/2.4", "reject fileinto", 'fileinto "a"; reject "b";',
            "error [e]Reject can not be used with any other action"),
    _script("5429/2.4", "reject", 'redirect "a@b.c"; reject "b";',
            "error [e]Reject can not be used with any other action"),
    _script("5429/2.5", "reject", 'if address "from" "bob@example.com" { reject "not again"; stop; }',
            "reject not again"),
    _script("5429/2", "reject", 'ereject "x";',
            'refused ereject extension MUST be enabled with "require" command'),
    # RFC 5435 and 5436
    _notify("3", 'notify :importance "1" :message "This is probably very important"'
            ' "mailto:alm@example.com";',
            "notify mailto alm@example.com high This is probably very important; keep"),
    _notify("3.4", 'notify :importance "3" :message "m" "mailto:a@b.c";', "notify mailto a@b.c low m; keep"),
    _notify("3.4", 'notify :message "m" "mailto:a@b.c";', "notify mailto a@b.c normal m; keep"),
    _notify("3.4", 'notify :importance "4" "mailto:a@b.c";',
            'refused invalid importance "4"; refused syntax error'),
    _notify("3.5", 'notify :options ["o=1"] :message "m" "mailto:a@b.c";',
            "notify mailto a@b.c,o=1 normal m; keep"),
    _notify("3.6", 'if header :matches "subject" "*" { notify :message "about ${1}" "mailto:a@b.c"; }',
            "notify mailto a@b.c normal about hello there; keep"),
    _notify("3.7", 'set :encodeurl "b" "a b"; notify :message "m" "mailto:a@b.c?body=${b}";',
            "notify mailto a@b.c normal m; keep"),
    _notify("3.7", 'notify :message "m" "mailto:a%2Bx@b.c?subject=s&cc=d@e.f";',
            "notify mailto a+x@b.c normal m; keep"),
    _notify("3.7", 'notify :message "m" "mailto:a@b.c%0D%0ABcc:d@e.f";',
            "notify mailto a@b.c%0D%0ABcc:d@e.f normal m; keep"),
    _notify("3.7", 'notify :message "m" "mailto:?subject=s&To=%61@b.c";',
            "notify mailto a@b.c normal m; keep"),
    _notify("3.8", 'notify :message "m" "mailto:a@b.c"; discard;', "notify mailto a@b.c normal m; discard"),
    _notify("3.8", 'notify :message "1" "mailto:a@b.c"; notify :message "2" "mailto:a@b.c";',
            "notify mailto a@b.c normal 1; notify mailto a@b.c normal 2; keep"),
    Rule("5435/2", 'notify "mailto:a@b.c";',
             'refused enotify extension MUST be enabled with "require" command'),
    holds("5435/4", "enotify", 'valid_notify_method ["mailto:alm@example.com"]'),
    holds("5435/4", "enotify", 'valid_notify_method ["mailto:a@b.c", "xmpp:tim@example.com?message"]',
          False),
    holds("5435/4", "enotify", 'valid_notify_method ["MAILTO:a@b.c"]'),
    holds("5435/5", "enotify", 'notify_method_capability "mailto:a@b.c" "Online" ["maybe", "yes"]'),
    holds("5435/5", "enotify", 'notify_method_capability "mailto:a@b.c" "online" "yes"', False),
    holds("5435/5", "enotify", 'notify_method_capability "mailto:a@b.c" "nosuch" ""', False),
    holds("8580/4", "enotify", 'notify_method_capability "mailto:a@b.c" "fcc" "no"'),
    # draft-martin-sieve-notify
    _script("notify", "notify", 'notify :method "mailto" :options "a@b.c" :high :message "m";',
            "notify mailto a@b.c high m; keep"),
    _script("notify", "notify", "notify;", "notify default  normal $from$: $subject$; keep"),
    _script("notify", "notify", 'notify :id "one" :message "1"; notify :id "two" :message "2";'
            ' denotify :is "one";', "notify default  normal 2; keep"),
    _script("notify", "notify", 'notify :low :message "1"; notify :message "2"; denotify :low;',
            "notify default  normal 2; keep"),
    _script("notify", "notify", "notify; denotify;", "keep"),
    # RFC 6009
    _script("6009/4", "redirect-dsn", 'redirect :notify "FAILURE" :ret "HDRS" "a@b.c";',
            "redirect a@b.c FAILURE HDRS"),
    _script("6009/4", "redirect-dsn", 'redirect :notify "NEVER,FAILURE" "a@b.c";',
            "refused DSN NOTIFY value 'NEVER' MUST be used by itself"),
    _script("6009/4", "redirect-dsn", 'redirect :ret "NONE" "a@b.c";',
            "refused string 'NONE': not a valid DSN RET value"),
    _script("6009/5", "redirect-deliverby", 'redirect :bytimerelative 600 :bymode "return" :bytrace "a@b.c";',
            "redirect a@b.c +600;RT"),
    _script("6009/5", "redirect-deliverby", 'redirect :bytimeabsolute "2026-11-23T10:00:05Z" "a@b.c";',
            f"redirect a@b.c {1795428005 - FakeHost().now:+d};N"),
    _script("6009/5", "redirect-deliverby", 'redirect :bymode "notify" "a@b.c";',
            "refused :bytimerelative OR :bytimeabsolute tag is required"),
    # RFC 7352
    _script("7352/3", "duplicate", "if duplicate { discard; }", "keep"),
    _script("7352/3", "duplicate", 'if duplicate :header "x-event" { discard; }', "discard"),
    _script("7352/3", "duplicate", 'if duplicate :header "X-None" { discard; }', "keep"),
    _script("7352/3", "duplicate", 'if duplicate :handle "notifier" :header "x-event" { discard; }', "keep"),
    _script("7352/3", "duplicate variables",
            'if header :matches "x-event" "*" { if duplicate :seconds 900 :uniqueid "${1}" { discard; } }',
            "discard"),
    _script("7352/3.1", "duplicate", 'if duplicate :header "a" :uniqueid "b" {}',
            "refused tag :header MUST NOT be used with tag :uniqueid"),
    Rule("7352/3", "if duplicate {}", 'refused duplicate extension MUST be enabled with "require" command'),
    # RFC 6609
    _script("6609/3.2", "include", 'include "files"; discard;', "fileinto x; discard"),
    _script("6609/3.2", "include", 'include :personal "files"; include :once "files";', "fileinto x"),
    _script("6609/3.2", "include", 'include :global "all"; keep;', "discard; keep"),
    _script("6609/3.2", "include", 'include :optional "nosuch"; discard;', "discard"),
    _script("6609/3.2", "include", 'include "nosuch"; discard;', "error Include can not load script"),
    _script("6609/3.2", "include", 'include "self";', "error Recursive Include"),
    _script("6609/3.2", "include", 'include :personal :global "x";',
        "refused tag :personal MUST NOT be used with tag :location"),
    _script("6609/3.2", "include", 'include "../x";', "refused invalid script-name value"),
    _script("6609/3.3", "include", "return; discard;", "keep"),
    _script("6609/3.3", "include", 'include "returns"; discard;', "discard"),
    _script("6609/3.3", "include", 'include "stops"; discard;', "keep"),
    _script("6609/3.4", "include variables fileinto", 'set "v" "told"; include "uses";', "fileinto told"),
    _script("6609/3.4", "include variables", 'global "x";', "refused syntax error"),
    Rule("6609/2", 'include "x";', 'refused include extension MUST be enabled with "require" command'),
    # draft-ietf-extra-sieve-snooze
    _script("snooze", "vnd.cyrus.snooze", 'snooze "08:00:00";', "snooze 28800"),
    _script("snooze", "vnd.cyrus.snooze", 'snooze :weekdays ["1", "5"] ["12:00:00", "08:00:30"];',
            "snooze 28830,43200"),
    _script("snooze", "vnd.cyrus.snooze", "snooze;", "refused syntax error"),
    # vnd.cyrus.log
    _script("log", "vnd.cyrus.log", 'log "text";', "keep"),
]  # fmt: skip


def _host() -> FakeHost:
    scripts = {
        b"files": 'require "fileinto"; fileinto "x";',
        b"global:all": "discard;",
        b"self": 'require "include"; include "self";',
        b"returns": 'require "include"; return; stop;',
        b"stops": "stop;",
        b"uses": 'require ["variables", "fileinto"]; fileinto "${v}";',
    }
    return FakeHost(seen={b":42"}, scripts={name: compiled(text) for name, text in scripts.items()})


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_actions(rule: Rule) -> None:
    assert result(rule, _host()) == rule.expected


def test_what_is_sent_at_most_once() -> None:
    """RFC 5230 section 4.6: never to the null path, oneself, or a program."""
    for sender in ("", "me@example.com", "MAILER-DAEMON@x.org", "owner-l@x.org", "l-request@x.org"):
        rule = Rule("5230/4.6", 'require "vacation"; vacation "x";', "keep", MAIL, sender, "me@example.com")
        assert result(rule, _host()) == rule.expected
