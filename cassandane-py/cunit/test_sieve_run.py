"""What scripts want done: each command and test, run over a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from imap.lmtpd.sieve.message import ScriptMessage
from sieve.bytecode.program import Program, load
from sieve.compiler import compile_script
from sieve.extensions import Extension
from sieve.parser import Rules
from sieve.run.interpreter import run
from sieve.run.outcomes import (
    Discard,
    Fileinto,
    Keep,
    Outcomes,
    Redirect,
    Reject,
    Snooze,
    Target,
    Vacation,
)

OFFERED = frozenset(Extension) - {Extension.JMAPQUERY, Extension.IMIP}
RULES = Rules(OFFERED, True, 0, 90 * 86400)
HEADER = b"""\
Received: from a by b; Mon, 23 Nov 2026 09:00:00 +0000
Received: from c by d; Mon, 23 Nov 2026 08:00:00 +0000
From: "Bob B." <bob+x@example.com>
To: alice@example.org, list@example.org
Cc: carl@example.net
Subject: Re: =?utf-8?q?sch=C3=B6ne?=
 Gr=?= tests
Date: Mon, 23 Nov 2026 10:30:05 +0130
Message-ID: <m1@x>
X-Tag: one
X-Tag: two
X-Tag: three
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b
"""
BODY = b"""
--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

gr=FC=DFe from here
--b
Content-Type: text/html

<b>bold</b>
--b
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

aGlkZGVu
--b--
"""
ENVELOPE = {b"from": b"bob@example.com", b"to": b"alice@example.org"}


@dataclass
class FakeHost:
    now: int = 1795426205
    extensions: frozenset[Extension] = OFFERED
    notify_methods: Sequence[bytes] = (b"mailto:",)
    mailboxes: set[bytes] = field(default_factory=lambda: {b"INBOX", b"INBOX/have"})
    seen: set[bytes] = field(default_factory=set)
    scripts: dict[bytes, Program] = field(default_factory=dict)
    lines: list[bytes] = field(default_factory=list)

    def resolve(self, target: Target) -> str | None:
        if target.mailboxid == b"id1":
            return "INBOX/have"
        if target.specialuse == rb"\Trash":
            return "INBOX/trash"
        return target.name.decode() or None

    def resolve_keep(self) -> str | None:
        return "INBOX"

    def mailbox_exists(self, name: bytes) -> bool:
        return name in self.mailboxes

    def mailboxid_exists(self, mailboxid: bytes) -> bool:
        return mailboxid == b"id1"

    def specialuse_exists(self, mailbox: bytes | None, uses: Sequence[bytes]) -> bool:
        return mailbox in (None, b"INBOX/have") and list(uses) == [rb"\Trash"]

    def metadata(self, mailbox: bytes | None, entry: bytes) -> bytes | None:
        known = {(b"INBOX", b"/private/comment"): b"mine", (None, b"/shared/comment"): b"all"}
        return known.get((mailbox, entry))

    def environment(self, item: bytes) -> bytes | None:
        return {b"name": b"Cyrus LMTP"}.get(item)

    def include(self, name: bytes, *, is_global: bool) -> Program | None:
        return self.scripts.get(b"global:" + name if is_global else name)

    def list_known(self, name: bytes) -> bool:
        return name == b":addrbook:default"

    def in_list(self, text: bytes, name: bytes) -> bool:
        return text == b"bob@example.com"

    def is_duplicate(self, key: bytes) -> bool:
        return key in self.seen

    def log(self, text: bytes) -> None:
        self.lines.append(text)


def script(text: str) -> Program:
    """With everything required that scripts may require."""
    required = ", ".join(f'"{each.value}"' for each in sorted(OFFERED, key=lambda each: each.value))
    return load(compile_script(f"require [{required}];\n{text}".encode(), RULES))


def message() -> ScriptMessage:
    data = (HEADER + BODY).replace(b"\n", b"\r\n")
    return ScriptMessage(data, data.index(b"\r\n\r\n") + 4, ENVELOPE)


def outcomes_of(text: str, host: FakeHost | None = None, mail: ScriptMessage | None = None) -> Outcomes:
    return run(script(text), mail or message(), host or FakeHost())


def holds(test: str, host: FakeHost | None = None) -> bool:
    found = outcomes_of(f"if {test} {{ discard; }}", host)
    assert found.error is None, found.error
    return isinstance(next(iter(found)), Discard)


@pytest.mark.parametrize(
    "test",
    [
        "true",
        "not false",
        "anyof (false, true)",
        "allof (true, not false)",
        'exists ["From", "x-tag"]',
        "size :over 100",
        "size :under 1K",
        'header "subject" "Re: schöne Gr=?= tests"',
        'header :contains "SUBJECT" "SCHö"',
        'header :matches "subject" "re: * tests"',
        'header :comparator "i;octet" :contains "subject" "schö"',
        'header :index 2 "x-tag" "two"',
        'header :index 1 :last "x-tag" "three"',
        'header :count "eq" :comparator "i;ascii-numeric" "x-tag" "3"',
        'header :value "gt" :comparator "i;octet" "x-tag" "threa"',
        'header :regex "subject" "^Re: sch.ne"',
        'address "from" "bob+x@example.com"',
        'address :localpart "from" "bob+x"',
        'address :user "from" "bob"',
        'address :detail "from" "x"',
        'address :domain "to" "EXAMPLE.org"',
        'address :count "eq" :comparator "i;ascii-numeric" ["to", "cc"] "3"',
        'envelope "from" "bob@example.com"',
        'envelope :list "from" ":addrbook:default"',
        'envelope :domain "to" "example.org"',
        'body :text :contains "grüße"',
        'body :raw :contains "aGlkZGVu"',
        'body :content "application" :contains "hidden"',
        'body :content "text/html" :matches "*<b>*"',
        'body :content ["text"] :contains "bold"',
        'date "date" "year" "2026"',
        'date :originalzone "date" "hour" "10"',
        'date :originalzone "date" "zone" "+0130"',
        'date :zone "+0000" "date" "time" "09:00:05"',
        'date :index 2 :zone "+0000" "received" "hour" "08"',
        'date :value "ge" "date" "date" "2026-11-23"',
        'currentdate :zone "+0000" "date" "2026-11-23"',
        'currentdate :zone "+0000" "weekday" "1"',
        'environment "name" "Cyrus LMTP"',
        'mailboxexists ["INBOX", "none"]',
        'mailboxidexists "id1"',
        'metadata "INBOX" "/private/comment" "mine"',
        'metadataexists "INBOX" ["/private/comment"]',
        'servermetadata "/shared/comment" "all"',
        'servermetadataexists ["/shared/comment"]',
        r'specialuse_exists "\\Trash"',
        r'specialuse_exists "INBOX/have" "\\Trash"',
        'valid_ext_list ":addrbook:default"',
        'valid_notify_method "mailto:a@b"',
        'notify_method_capability "mailto:a@b" "online" "maybe"',
        'ihave ["fileinto", "date"]',
        'string :matches "a.b" "*.*"',
        'string :count "eq" :comparator "i;ascii-numeric" ["a", "", "b"] "2"',
    ],
)
def test_tests_that_hold(test: str) -> None:
    assert holds(test)


@pytest.mark.parametrize(
    "test",
    [
        'exists ["from", "x-none"]',
        'header "subject" "other"',
        'header :index 4 "x-tag" "three"',
        'address :domain "from" "com"',
        'envelope "auth" "bob"',
        'date "x-tag" "year" "2026"',
        'date "x-none" "year" "2026"',
        'environment "none" "x"',
        'mailboxexists "none"',
        'mailboxidexists "id2"',
        'metadata "INBOX" "/private/none" "mine"',
        'metadataexists "INBOX" ["/private/comment", "/private/none"]',
        r'specialuse_exists "none" "\\Trash"',
        'valid_ext_list ":addrbook:other"',
        'valid_notify_method "xmpp:a@b"',
        'notify_method_capability "mailto:a@b" "none" "maybe"',
        'body :text :contains "hidden"',
    ],
)
def test_tests_that_do_not(test: str) -> None:
    assert not holds(test)


def test_without_a_word_the_message_is_kept() -> None:
    assert list(outcomes_of("")) == [Keep("INBOX", (), None)]
    assert list(outcomes_of("stop; discard;")) == [Keep("INBOX", (), None)]


def test_filing() -> None:
    found = list(outcomes_of(r'fileinto :create :flags ["\\Seen", "a b"] "x"; fileinto :copy "y";'))
    assert found == [
        Fileinto("x", Target(b"x", create=True), (rb"\seen", b"a", b"b"), None, True),
        Fileinto("y", Target(b"y"), (), None, False),
    ]
    assert [type(each) for each in outcomes_of('fileinto :copy "x";')] == [Fileinto, Keep]
    text = r'fileinto :mailboxid "id1" "x"; fileinto :specialuse "\\Trash" "y";'
    assert [each.mailbox for each in outcomes_of(text) if isinstance(each, Fileinto)] == [
        "INBOX/have",
        "INBOX/trash",
    ]


def test_two_into_one_mailbox_are_one() -> None:
    found = outcomes_of('fileinto "x"; keep; fileinto :flags "a" "x"; keep;')
    assert [each.flags for each in found if isinstance(each, Fileinto | Keep)] == [(b"a",), ()]
    assert [type(each) for each in outcomes_of('keep; fileinto "INBOX";')] == [Fileinto]


def test_flags() -> None:
    text = r"""
    setflag "\\Deleted"; addflag ["a b", "A"]; removeflag "\\deleted";
    setflag "list" "x y"; removeflag "list" "x"; addflag "list" "z"; removeflag "none" "x";
    if allof (hasflag "a", hasflag :contains "list" "z", hasflag :count "eq"
        :comparator "i;ascii-numeric" "list" "2", not hasflag "x") { fileinto :flags "${list}" "f"; }
    keep;
    """
    assert [each.flags for each in outcomes_of(text) if isinstance(each, Fileinto | Keep)] == [
        (b"y", b"z"),
        (b"a", b"b"),
    ]


def test_redirect() -> None:
    text = 'redirect :copy :notify "NEVER" :ret "FULL" :bytimerelative 60 :bymode "return" :bytrace "a@b.c";'
    assert list(outcomes_of(text)) == [
        Redirect(b"a@b.c", False, "+60;RT", b"NEVER", b"FULL", None, False),
        Keep("INBOX", (), None),
    ]
    found = outcomes_of("".join(f'redirect "a{number}@b.c";' for number in range(101)))
    assert found.error == "too many redirects"


def test_refusing() -> None:
    assert list(outcomes_of('reject "no";')) == [Reject(b"no", False)]
    assert list(outcomes_of('ereject "no";')) == [Reject(b"no", True)]
    assert outcomes_of('keep; reject "no";').error == "[e]Reject can not be used with any other action"
    assert outcomes_of('reject "no"; fileinto "x";').error == "Fileinto can not be used with Reject"
    assert outcomes_of('reject "no"; redirect "a@b.c";').error == "Redirect can not be used with Reject"


def test_variables_and_what_wildcards_left() -> None:
    text = """
    if header :matches "subject" "Re: * *" { set :lower :upperfirst "what" "${2}"; }
    set :length "n" "abc";
    if string :is "${what}${n}" "Gr=?= tests3" { discard; }
    """
    assert isinstance(next(iter(outcomes_of(text))), Discard)


def test_editing_the_header() -> None:
    text = """
    addheader "X-New" "grün"; addheader :last "X-End" "e"; deleteheader :index 2 "x-tag";
    deleteheader :contains "cc" "CARL"; set "name" "Received"; deleteheader "${name}";
    deleteheader :count "gt"
        :comparator "i;ascii-numeric" "to" "5";
    if exists "cc" { stop; }
    if not header "x-tag" "two" { keep; }
    """
    (found,) = outcomes_of(text)
    assert isinstance(found, Keep) and found.edited is not None
    lines = found.edited.split(b"\r\n")
    assert lines[0] == b"X-New: =?UTF-8?Q?gr=C3=BCn?="
    assert lines[-2:] == [b"X-End: e", b""]
    assert [line for line in lines if line.startswith(b"X-Tag")] == [b"X-Tag: one", b"X-Tag: three"]
    assert not any(line.startswith(b"Cc:") for line in lines)
    assert sum(line.startswith(b"Received:") for line in lines) == 2
    failed = outcomes_of('set "name" "a b"; addheader "${name}" "y";')
    assert failed.error == "Invalid header field name in Addheader"


def test_vacation() -> None:
    found = outcomes_of('vacation :seconds 60 :addresses "list@example.org" "away";')
    assert list(found) == [
        Vacation(
            b"bob@example.com", b"alice@example.org", "Auto: Re: schöne Gr=?= tests".encode(), b"away",
            False, 60, None, None, (),
        ),
        Keep("INBOX", (), None),
    ]  # fmt: skip
    text = 'vacation :days 3 :subject "s" :from "x@y.z" :handle "h" :mime :fcc "f" :create :flags "a" "m";'
    (answer, _) = outcomes_of(text)
    assert answer == Vacation(
        b"bob@example.com", b"x@y.z", b"s", b"m", True, 3 * 86400, b"h", Target(b"f", create=True), (b"a",)
    )
    assert outcomes_of('vacation "a"; vacation "b";').error is not None


@pytest.mark.parametrize(
    ("field", "sender"),
    [
        (b"List-Id: x\n", b"bob@example.com"),
        (b"Auto-Submitted: auto-replied\n", b"bob@example.com"),
        (b"Precedence: Bulk\n", b"bob@example.com"),
        (b"X-Ignorevacation: yes\n", b"bob@example.com"),
        (b"", b""),
        (b"", b"alice@example.org"),
        (b"", b"MAILER-DAEMON@x"),
        (b"", b"owner-list@x"),
        (b"", b"list-request@x"),
        (b"", b"mine@example.org"),
    ],
)
def test_nobody_is_answered_who_should_not_be(field: bytes, sender: bytes) -> None:
    data = (field + HEADER + BODY).replace(b"\n", b"\r\n")
    mail = ScriptMessage(data, data.index(b"\r\n\r\n") + 4, {**ENVELOPE, b"from": sender})
    found = outcomes_of('vacation :addresses "mine@example.org" "away";', mail=mail)
    assert [type(each) for each in found] == [Keep]


def test_mail_to_others_is_not_answered() -> None:
    mail = message()
    mail.delete_header(b"to", 0)
    assert [type(each) for each in outcomes_of('vacation "away";', mail=mail)] == [Keep]
    assert [type(each) for each in outcomes_of('vacation :addresses "CARL@example.net" "x";')] == [
        Vacation,
        Keep,
    ]


def test_notifications() -> None:
    found = outcomes_of('notify :from "a@b" :importance "1" :message "${0}m" "mailto:x@y";')
    (one,) = found.notifications
    assert (one.method, one.options, one.priority, one.message) == (b"mailto", (b"x@y",), "high", b"m")


def test_duplicates() -> None:
    host = FakeHost(seen={b":<m1@x>", b"h:one"})
    assert holds("duplicate", host)
    assert holds('duplicate :handle "h" :header "x-tag"', host)
    assert not holds('duplicate :uniqueid "other"', host)
    assert not holds('duplicate :header "x-none"', host)
    found = outcomes_of('if duplicate :uniqueid "other" :seconds 60 { stop; }')
    assert found.tracked == [(b":other", 60)]


def test_snooze() -> None:
    text = r'''snooze :mailbox "INBOX/have" :addflags "a" :removeflags "\\Seen" :weekdays ["1", "2"]
        "10:00:00";'''
    (found,) = outcomes_of(text)
    assert isinstance(found, Snooze)
    assert (found.days, found.times) == (6, (36000,))
    assert (found.addflags, found.removeflags) == ((b"a",), (rb"\seen",))
    assert found.awaken is not None and found.awaken.name == b"INBOX/have"


def test_including() -> None:
    host = FakeHost()
    host.scripts = {
        b"a": script('addflag "a"; return; addflag "b";'),
        b"global:g": script('fileinto "g";'),
        b"stops": script("stop;"),
        b"loop": script('include "loop";'),
    }
    text = 'include "a"; include :once "a"; include :optional "none"; include :global "g"; addflag "c"; keep;'
    filed, kept = outcomes_of(text, host)
    assert isinstance(filed, Fileinto) and isinstance(kept, Keep)
    assert kept.flags == (b"a", b"c")
    assert [type(each) for each in outcomes_of('include "stops"; discard;', host)] == [Keep]
    assert outcomes_of('include "loop";', host).error == "Recursive Include"
    assert outcomes_of('include "none";', host).error == "Include can not load script"


def test_scripts_that_include_each_other_end() -> None:
    host = FakeHost()
    host.scripts = {b"0": script('addflag "x";')}
    for level in range(1, 8):
        host.scripts[b"%d" % level] = script(f'include "{level - 1}";' * 10)
    found = outcomes_of('include "7";', host)
    assert found.error == "script takes too long"


def test_errors_keep_what_was_to_be_told() -> None:
    found = outcomes_of('notify "mailto:a@b"; error "told so"; discard;')
    assert found.error == "told so"
    assert len(found.notifications) == 1


def test_log() -> None:
    host = FakeHost()
    outcomes_of('set "a" "b"; log "x${a}";', host)
    assert host.lines == [b"xb"]
