"""Event notifications (RFC 5423): ours and the original tell the same of the same commands, byte for byte.

Where the original's text is not what ours is, it is one of these:

* An event without a parameter that its type or ``event_extra_params`` calls for ends the original's process:
  every QuotaExceed, QuotaWithin or QuotaChange about one of the two resources only; flags that are all in
  ``event_exclude_flags``; what is asked for of conversations or counters where there is no mailbox (Login,
  MailboxSubscribe, ...); messageContent in every mode but ``standard``. Ours tells without it, or nothing if
  nothing is left to tell.
* messageContent is in no event of the original's imapd and lmtpd, though they were meant to have it.
* A mailbox that is removed later is still told with its conversations.
* The original does not forget the name that a client gave itself (XMEID) when the next client comes.
* Who replaces the flags of messages in another user's mailbox takes the owner's \\Seen away in the original,
  and tells so.
* Programs other than ipurge and cyr_expire do not know the separator of names in the original, and cut the
  URL's path at it.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from cassandane.events import Server, both
from cassandane.messages import CRLF

_EXTRA = (
    "service timestamp modseq uidnext messages messageSize flagNames vnd.cmu.midset vnd.cmu.unseenMessages "
    "vnd.cmu.envelope bodyStructure vnd.cmu.sessionId clientAddress vnd.fastmail.clientId "
    "vnd.fastmail.sessionId vnd.fastmail.cid vnd.cmu.emailid vnd.cmu.threadid diskUsed vnd.cmu.mailboxACL "
    "vnd.cmu.mbtype vnd.fastmail.jmapEmail"
)
_OF_MAILBOXES = (
    "modseq vnd.fastmail.convExists vnd.fastmail.convUnseen vnd.fastmail.counters vnd.fastmail.jmapStates"
)
_ODD = (
    b'From: =?utf-8?Q?J=C3=BCrgen?= <j@x.org>, "Quoted, Name" <q@x>\r\n'
    b'To: undisclosed: ann@b, "Bob" <bob@c>;, root, <only@addr>\r\nCc: =?iso-8859-1?q?=E9?= <e@x>\r\n'
    b"Reply-To: r@x\r\nSubject: =?utf-8?B?w6l0w6k=?= folded\r\n\t=?utf-8?Q?a_?= =?utf-8?Q?b?=\r\n"
    b"Date: Tue, 3 Feb 2015 10:00:00 -0530 (x)\r\nMessage-ID: <a b@x> <c@d>\r\n"
    b'In-Reply-To: <p@x>, junk <q@x>\r\nReferences: <p@x>\r\n\r\nbody "quoted" \\ \x01\t\x7f\r\n',
    'From: h\u00e9 <a@b>\r\nSubject: raw \u00e9 "q"\r\nMessage-ID: bad\r\nDate: never\r\n\r\nx\r\n'.encode(),
    b"From: h\xe9 <a@b>\r\nSubject: raw \xe9\r\n\r\nx\r\n",
    b"Subject:\r\nFrom:\r\nMessage-Id: <x@y>\r\n\r\n",
)


def letter(number: int) -> bytes:
    head = [
        "From: a <a@b.c>", "To: x@y", "Subject: hello", "Date: Tue, 03 Feb 2015 10:00:00 +0000",
        f"Message-ID: <m{number}@x>",
    ]  # fmt: skip
    return (CRLF.join(head) + CRLF * 2 + "body text" + CRLF).encode()


def session(server: Server) -> None:
    """All that one user does, alone and in other users' mailboxes."""
    admin = server.login("admin")
    admin("CREATE user/joe", "CREATE user/joe/sub", "CREATE user/ann", "CREATE shared", "CREATE deep/er/est")
    admin("SETQUOTA user/joe (STORAGE 100 MESSAGE 60)", "SETQUOTA user/joe (STORAGE 200)")
    admin("SETQUOTA user/joe (STORAGE 0 MESSAGE 0)", "SETQUOTA user/joe (STORAGE 200 MESSAGE 70)")
    admin(
        "SETQUOTA user/joe (STORAGE 200 MESSAGE 70)",
        "SETACL shared anyone lrsp",
        "SETACL shared joe lrswipte",
    )
    admin("SETACL user/joe/sub ann +lr", 'SETACL user/joe/sub ann ""', "DELETEACL user/joe/sub anyone")
    admin.logout()
    joe = server.login("joe")
    joe("SELECT INBOX")
    joe.append(r"INBOX (\Seen \Flagged foo)", letter(1))
    joe.append("INBOX", letter(2), letter(3))
    joe.append("sub", letter(9))
    joe(r"STORE 1:3 +FLAGS (\Deleted \Seen \Answered bar)", r"STORE 1:3 FLAGS (\Draft)")
    joe(r"STORE 1 -FLAGS (\Draft)", r"STORE 1 -FLAGS (\Draft)", r"STORE 1 FLAGS (\Flagged foo)")
    joe(r"STORE 1,2 FLAGS.SILENT (\Seen bar)", "FETCH 1:3 BODY[]", r"STORE 3 +FLAGS (x y \Flagged)")
    joe("UID COPY 1:2 sub", "MOVE 3 sub", r"STORE 1 +FLAGS (\Deleted)", "EXPUNGE", "COPY 1 nowhere")
    joe("CREATE foo", "RENAME foo foo2", "SUBSCRIBE foo2", "UNSUBSCRIBE foo2", "UNSUBSCRIBE nowhere")
    joe("DELETE foo2", r"CREATE special (USE (\Sent))", r"CREATE junk (USE (\Junk))", "CREATE Gr&APw-n+x")
    joe.append("junk", letter(4))
    joe.append("Gr&APw-n+x", letter(4))
    joe("COPY 1 junk", 'SETMETADATA sub (/shared/comment "x")', "SELECT shared", "FETCH 1:* BODY[]")
    joe(r'STORE 1:* ANNOTATION (/comment (value.priv "hi"))')
    joe.logout()
    server.deliver(letter(50), "joe", "ann")
    server.deliver(letter(51), "+shared")
    ann = server.login("ann")
    ann("SELECT shared", "FETCH 1 BODY[]", r"STORE 1 -FLAGS (\Seen)", "UNSELECT")
    ann.logout()
    admin = server.login("admin")
    admin("XMEID admin", "SETACL user/ann admin lrswipkxtecda", "DELETE user/ann", "RENAME shared shared2")
    admin.logout()


def mail(server: Server) -> None:
    """Messages of all kinds."""
    admin = server.login("admin")
    admin("CREATE user/joe", "CREATE user/joe/sub", "CREATE user/joe/Trash")
    admin.logout()
    joe = server.login("joe")
    for message in (letter(1), *_ODD):
        joe.append("INBOX", message)
    joe("SELECT INBOX", r"STORE 1:2 +FLAGS (\Seen)", "FETCH 3 BODY[]", "COPY 1:3 sub", "MOVE 4 Trash")
    joe(r"STORE 1 +FLAGS (\Deleted)", "EXPUNGE", "STORE 1:* +FLAGS ($x)", "CREATE new", "RENAME sub sub2")
    joe("SETACL sub2 ann lr", "DELETE sub2")
    joe.logout()
    server.deliver(_ODD[0], "joe")


_DATES = (
    b"Tue, 3 Feb 2015 10:00:00 -0530", b"31 Dec 9999 23:59:59 -9999", b"1 Jan 10000 00:00 +0000",
    b"3 Feb 15 10:00", b"3 Feb 2015\r\n 10:00:00 EST", b"3 Feb 2015 10:00:00 (c) +0100",
    b"Wed Feb  3 10:00:00 2015", b"3 Feb 2015 25:00:00 +0000", b"29 Feb 2015 10:00 +0060",
    b"3 Feb 69 10:00 z",
)  # fmt: skip
_TEXTS = (
    b"a =?utf-8?q?b?= c", b"=?utf-8?q?a?=\r\n =?utf-8?q?b?=", b"  lead  ", b"tab\there", b"e\xcc\x81",
    b"\xff\xfe",
    b"=?iso-8859-1?B?6Q==?= =?bad?q?x?=", b"fold\r\n\tx\r\n y", b"=?utf-8?Q?e=CC=81?=",
    b"=?utf-8?q?nul=00x?=",
    b"=?us-ascii?q?=E9?=", b"=?utf-8?q?bad=FF?=", b"=?utf-7?q?+AOk-?=",
)  # fmt: skip
_ADDRESSES = (
    b"a@b", b"A B <a@b>", b'"Q \\" x" <q@x>', b"=?utf-8?q?=C3=A9?= <e@x>, x", b"g: a@b, c@d;", b"g:;",
    b"<@r:a@b>",
    b"(c) a@b (c)", b"a@b, , c@d", b"a b c", b"<>", b"x@[1.2.3.4]", b"\xc3\xa9 <a@b>", b"a.b.c <d>",
)  # fmt: skip
_IDS = (
    b"<a@b>", b"a@b", b"<a b@c> <d@e>", b"<a@b>,<c@d>", b"x <a@b> y", b"<>", b"<a@b", b"<\xff@x>",
    b"<a@b>\r\n <c@d>", b"<<a@b>>", b"(c) <a@b>", b" ",
)  # fmt: skip


def headers(server: Server) -> None:
    """Odd headers, by chance, the same ones each time."""
    chance = random.Random(11)
    admin = server.login("admin")
    admin("CREATE user/joe")
    joe = server.login("joe")
    for _ in range(100):
        fields = [(name, chance.choice(_ADDRESSES)) for name in (b"From", b"To", b"Cc", b"Sender", b"Bcc")]
        fields += [(b"Subject", chance.choice(_TEXTS)), (b"Date", chance.choice(_DATES))]
        fields += [(name, chance.choice(_IDS)) for name in (b"Message-ID", b"In-Reply-To")]
        chance.shuffle(fields)
        chosen = fields[: chance.randrange(3, 10)]
        joe.append("INBOX", b"".join(b"%b: %b\r\n" % field for field in chosen) + b"\r\nx\r\n")


def folders(server: Server) -> None:
    """Folders of special uses and flags, for the options that exclude some."""
    admin = server.login("admin")
    admin("CREATE user/joe")
    admin.logout()
    joe = server.login("joe")
    joe(r"CREATE sent (USE (\Sent))", r"CREATE both (USE (\Drafts \Archive))", "CREATE plain")
    for folder in ("INBOX", "sent", "both", "plain"):
        joe.append(rf"{folder} (\Flagged x y)", letter(1))
        joe(f"SELECT {folder}", r"STORE 1 +FLAGS (\Seen \Deleted x z $w)")
        joe(r"STORE 1 -FLAGS (\Seen y \Deleted z)", f"SETACL {folder} ann lr", "UNSELECT")
    joe("SUBSCRIBE both", "DELETE both", "RENAME sent sent2")
    joe.logout()


def sharing(server: Server) -> None:
    """A user in another's mailbox, where each has a seen state."""
    admin = server.login("admin")
    admin("CREATE user/joe", "CREATE user/joe/sub", "CREATE user/ann", "SETACL user/joe/sub ann lrswipte")
    joe, ann = server.login("joe"), server.login("ann")
    joe.append("sub", letter(1), letter(2), letter(3))
    ann('SELECT "Other Users/joe/sub"', "FETCH 1 BODY[]", r"STORE 2 +FLAGS (\Seen \Flagged)")
    joe("SELECT sub", r"STORE 1:3 +FLAGS (\Seen)", r"STORE 2 -FLAGS (\Seen)")
    ann(r"STORE 1:2 -FLAGS (\Seen)", r"STORE 3 +FLAGS (\Deleted \Seen)", "EXPUNGE", "COPY 1:2 INBOX")
    ann("MOVE 1 INBOX", "FETCH 1 BODY[]", r"STORE 1 FLAGS ()", "UNSELECT")
    joe('SETMETADATA sub (/private/comment "x")', 'SETACL sub "bo b" lr', "SETACL sub anyone zz")
    for client in (admin, joe, ann):
        client.logout()


def domains(server: Server) -> None:
    admin = server.login("admin")
    admin("CREATE user/joe@ex.org", "CREATE user/joe", "CREATE sh@ex.org", "CREATE user/j.x@ex.org")
    admin("SETQUOTA user/joe@ex.org (STORAGE 100 MESSAGE 10)", "SETACL user/joe@ex.org bob@ex.org lr")
    admin("SETACL user/joe@ex.org bob lr")
    admin.logout()
    joe = server.login("joe@ex.org")
    joe.append("INBOX", letter(1))
    joe("CREATE x.y", "SUBSCRIBE INBOX", "SELECT INBOX", r"STORE 1 +FLAGS (\Deleted)", "COPY 1 x.y", "CLOSE")
    joe("DELETE x.y", "UNSUBSCRIBE INBOX")
    joe.logout()
    server.deliver(letter(9), "joe@ex.org")


def users(server: Server) -> None:
    """Users and trees that get other names, and are removed."""
    admin = server.login("admin")
    for user in ("joe", "ann"):
        admin(f"CREATE user/{user}", f"CREATE user/{user}/x", f"CREATE user/{user}/x/y")
        admin(f"SETACL user/{user} admin lrswipkxtecda", f"SETQUOTA user/{user} (STORAGE 100 MESSAGE 10)")
    admin("SETACL user/ann/x joe lrs", "RENAME user/ann user/eve", "RENAME user/joe/x user/joe/z")
    admin(
        "DELETE user/joe", "CREATE sh", "CREATE sh/sub", "RENAME sh sh2", "SETACL sh2/sub admin lrswipkxtecda"
    )
    admin("DELETE sh2/sub")
    admin.logout()


def programs(server: Server) -> None:
    admin = server.login("admin")
    admin("CREATE user/joe", "CREATE user/joe/sub")
    admin("SETQUOTA user/joe (STORAGE 1000 MESSAGE 100)")
    joe = server.login("joe")
    joe.append("INBOX", letter(1), letter(2))
    joe.append("sub", letter(1))
    server.run("ipurge", "-f", "-d", "1")
    joe.append("sub", letter(3))
    joe("CREATE gone", "DELETE gone", "SELECT INBOX")
    joe.append(r"INBOX (\Deleted)", letter(5), letter(6))
    joe("EXPUNGE")
    joe.logout()
    admin('SETMETADATA user/joe/sub (/shared/vendor/cmu/cyrus-imapd/expire "1")')
    server.run("unexpunge", "-l", "user/joe")
    server.run("cyr_expire", "-E", "1", "-X", "0", "-D", "0")
    server.run("reconstruct", "user/joe")
    server.run("quota", "-f")
    admin.logout()


def newcomers(server: Server) -> None:
    """Users who get their mailboxes when they first log in, or get mail."""
    joe = server.login("joe")
    joe.logout()
    server.deliver(letter(1), "eve")


@pytest.mark.reference
@pytest.mark.parametrize(
    ("script", "settings"),
    [
        pytest.param(session, {"event_extra_params": _EXTRA}, id="session"),
        pytest.param(
            mail,
            {"event_groups": "message flags mailbox", "event_extra_params": _EXTRA, "conversations": "yes"},
            id="mail",
        ),
        pytest.param(
            mail,
            {
                "event_groups": "message flags mailbox",
                "event_extra_params": _OF_MAILBOXES,
                "conversations": "yes",
                "delete_mode": "immediate",
            },
            id="conversations",
        ),
        pytest.param(
            mail,
            {
                "event_groups": "message flags mailbox",
                "event_extra_params": _OF_MAILBOXES,
            },
            id="no-conversations",
            marks=pytest.mark.long,
        ),
        pytest.param(
            sharing,
            {"event_extra_params": "modseq messages uidnext vnd.cmu.unseenMessages vnd.cmu.midset"},
            id="sharing",
        ),
        pytest.param(
            headers,
            {"event_groups": "message", "event_extra_params": "vnd.fastmail.jmapEmail vnd.cmu.midset"},
            id="headers",
            marks=pytest.mark.long,
        ),
        pytest.param(users, {"allowusermoves": "yes"}, id="users"),
        pytest.param(
            users,
            {"allowusermoves": "yes", "delete_mode": "immediate", "mailbox_legacy_dirs": "yes"},
            id="users-at-once",
            marks=pytest.mark.long,
        ),
        pytest.param(domains, {"virtdomains": "userid"}, id="domains", marks=pytest.mark.long),
        pytest.param(folders, {"event_exclude_flags": r"\Seen x $W"}, id="excluded-flags"),
        pytest.param(
            folders,
            {"event_exclude_specialuse": r"\Sent \Archive"},
            id="excluded-uses",
            marks=pytest.mark.long,
        ),
        pytest.param(folders, {"event_exclude_specialuse": "ALL"}, id="inboxes-only", marks=pytest.mark.long),
        pytest.param(folders, {"delete_mode": "immediate", "delete_unsubscribe": "yes"}, id="at-once"),
        pytest.param(
            session,
            {"mailbox_legacy_dirs": "yes", "expunge_mode": "immediate"},
            id="legacy",
            marks=pytest.mark.long,
        ),
        pytest.param(programs, {"event_extra_params": "service messages modseq"}, id="programs"),
        pytest.param(
            newcomers,
            {
                "autocreate_quota": "100",
                "autocreate_quota_messages": "50",
                "autocreate_post": "yes",
                "autocreate_inbox_folders": "A | B",
                "autocreate_subscribe_folders": "A",
                "autocreate_acl": "A anyone lr",
            },
            id="newcomers",
        ),
    ],
)
def test_both_tell_the_same(script: object, settings: dict[str, str]) -> None:
    assert callable(script)
    ours, original = both(script, settings)
    assert any(isinstance(told, bytes) for told in original)
    assert ours == original


@pytest.mark.reference
@pytest.mark.parametrize("word", ["message", "quota", "flags", "access", "mailbox", "subscription"])
@pytest.mark.long
def test_each_group_alone(word: str) -> None:
    ours, original = both(session, {"event_groups": word})
    assert ours == original


@pytest.fixture
def ours(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that tells all of new messages."""
    settings = {"event_extra_params": "messageContent", **getattr(request, "param", {})}
    server = Server("ours", settings)
    yield server
    server.receiver.close()
    server.instance.stop()
    server.instance.remove()


def told(server: Server) -> list[dict[str, Any]]:
    """The events since the last step."""
    at = max(number for number, one in enumerate(server.told) if isinstance(one, str))
    return [json.loads(one.split(b"\0")[6]) for one in server.told[at + 1 :] if isinstance(one, bytes)]


@pytest.mark.parametrize("ours", [{"event_groups": "quota", "event_extra_params": "modseq"}], indirect=True)
def test_limits_that_are_met_are_told(ours: Server) -> None:
    """RFC 5423 section 4.1; the original ends the session that meets one."""
    root = "imap://mail.example.org/user/joe"
    common = {"uri": root, "pid": 0, "user": "joe", "serverFQDN": "mail.example.org"}
    admin = ours.login("admin")
    admin("CREATE user/joe", "SETQUOTA user/joe (MESSAGE 1)")
    assert told(ours) == [{"event": "QuotaChange", "maxMessages": 1, "messages": 0, **common}]
    joe = ours.login("joe")
    joe.append("INBOX", letter(1))
    assert told(ours) == []

    joe.append("INBOX", letter(2))

    exceeded = {"event": "QuotaExceed", "maxMessages": 1, "messages": 1, **common}
    assert told(ours) == [exceeded]
    joe("SELECT INBOX", r"STORE 1 +FLAGS (\Deleted)", "EXPUNGE")
    assert told(ours) == [{"event": "QuotaWithin", "maxMessages": 1, "messages": 0, **common}]
    admin("SETQUOTA user/joe (STORAGE 0)")
    assert told(ours) == [
        {"event": "QuotaChange", "diskQuota": 0, "maxMessages": -1, "messages": 0, **common}
    ]
    joe.append("INBOX", letter(2))
    assert told(ours) == [{"event": "QuotaExceed", "diskQuota": 0, "diskUsed": 0, **common}]
    admin("SETQUOTA user/joe (STORAGE 10)")
    assert [event["event"] for event in told(ours)] == ["QuotaChange", "QuotaWithin"]
    admin("SETQUOTA user/joe (MESSAGE 0)")
    ours.deliver(letter(4), "joe")
    assert told(ours) == []
    with ours.instance.lmtp() as client, pytest.raises(AssertionError, match="Over quota"):
        client.deliver(letter(5), "joe")
    ours.note("deliver")
    assert told(ours) == [{**exceeded, "maxMessages": 0}]


@pytest.mark.parametrize(
    ("ours", "content"),
    [
        ({}, letter(1).decode()),
        ({"event_content_size": "20"}, None),
        ({"event_content_inclusion_mode": "message", "event_content_size": "20"}, letter(1)[:20].decode()),
        ({"event_content_inclusion_mode": "body"}, "body text\r\n"),
    ],
    indirect=["ours"],
)
def test_new_messages_are_told_with_their_content(ours: Server, content: str | None) -> None:
    """RFC 5423 section 4.1."""
    admin = ours.login("admin")
    admin("CREATE user/joe")
    joe = ours.login("joe")
    joe.append("INBOX", letter(1))
    event = told(ours)[-1]
    assert event["event"] == "MessageAppend"
    assert event.get("messageContent") == content
    if content is not None:
        assert list(event)[-1] == "messageContent"


def test_nothing_is_told_of_what_did_not_come_to_be(ours: Server) -> None:
    admin = ours.login("admin")
    admin("CREATE user/joe", "CREATE user/joe", "DELETE user/nobody", "RENAME user/nobody user/joe2")
    assert told(ours) == []
    joe = ours.login("joe")
    joe("SELECT INBOX", r"STORE 1 +FLAGS (\Seen)", "EXPUNGE", "COPY 1 INBOX", "SUBSCRIBE nowhere")
    assert told(ours) == []
    joe.append("nowhere", letter(1))
    assert told(ours) == []


def test_a_server_without_notifyd_works(ours: Server) -> None:
    ours.receiver.close()
    os.unlink(ours.instance.directory / "conf/socket/notify")
    with ours.instance.imap("admin") as admin:
        admin.ok("CREATE user/joe")
    assert any("NOTIFY(EVENT): unable to sendto() socket" in line for line in ours.instance.log_lines())


@pytest.mark.parametrize(
    ("settings", "command"),
    [
        ({}, "SETQUOTA user/joe (MESSAGE 1)"),
        ({"event_exclude_flags": r"\Flagged"}, r"STORE 1 +FLAGS (\Flagged)"),
        ({"event_extra_params": "vnd.fastmail.counters"}, "SUBSCRIBE user/joe"),
        (
            {"event_extra_params": "messageContent", "event_content_inclusion_mode": "message"},
            "APPEND user/joe {}",
        ),
    ],
)
@pytest.mark.reference
@pytest.mark.long
def test_what_ends_the_original_does_not_end_ours(settings: dict[str, str], command: str) -> None:
    """When this fails the differences in the head of this module are fewer."""
    groups = "message quota flags mailbox subscription"
    for kind in ("ours", "reference"):
        server = Server(kind, {**settings, "event_groups": "mailbox"})
        try:
            with server.instance.imap("admin") as admin:
                admin.ok("CREATE user/joe")
                admin.ok("SETACL user/joe admin lrswipte")
                admin.append("user/joe", letter(1))
            server.instance.stop(check=False)
            server.instance.settings["event_groups"] = groups
            server.instance.write_configuration()
            server.instance.start()
            with server.instance.imap("admin") as admin:
                admin.ok("SELECT user/joe")
                literals = (letter(2),) if "{}" in command else ()
                if kind == "ours":
                    admin.ok(command, *literals)
                else:
                    with pytest.raises(EOFError):
                        admin.command(command, *literals)
        finally:
            server.end()
