"""What SEARCH, SORT, FETCH and STATUS say of conversations, and Cyrus's own search keys.

Both servers serve one spool. Where the original ends instead of answering, what ours answers is said here:

* SEARCH CONVMODSEQ and XATTACHMENTNAME (it has no function for them) and XLISTID (it takes one structure for
  another, and ends or never ends);
* SORT by conversations (it wants the database to be open, which it is not);
* SCAN where the pattern covers the selected mailbox; other mailboxes are not looked into by either server.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

pytestmark = pytest.mark.reference

ATTACHED = (
    b"Subject: att\r\nMessage-ID: <99@x>\r\nMIME-Version: 1.0\r\nX-Spam-Score: -3\r\n"
    b"List-Id: The list <the-list.x.org>\r\nContent-Type: multipart/mixed; boundary=q\r\n\r\n"
    b"--q\r\n\r\nplain\r\n"
    b"--q\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n"
    b"--i\r\nContent-Type: text/html\r\n\r\n<p>x\r\n--i--\r\n"
    b'--q\r\nContent-Type: application/pdf; name="=?utf-8?q?Stra=C3=9Fe?=.pdf"\r\n'
    b"Content-Disposition: attachment; filename*=utf-8''%C3%84pfel.pdf\r\n\r\nattached stuff\r\n--q--\r\n"
)
SAME = (
    r"SEARCH CONVFLAG \Flagged",
    r"SEARCH NOT CONVFLAG \Flagged",
    r"SEARCH CONVFLAG \draft",
    "SEARCH CONVFLAG work",
    r"SEARCH CONVFLAG \Seen",
    r"SEARCH CONVFLAG \SeenInclTrash",
    "SEARCH CONVFLAG none",
    "SEARCH CONVFLAG",
    'SEARCH CONVFLAG "x"',
    "SEARCH CONVSEEN",
    "SEARCH CONVREAD UNSEEN",
    "SEARCH CONVUNSEEN",
    "SEARCH NOT CONVUNREAD",
    "SEARCH OR CONVFLAG work BODY stuff",
    "UID SEARCH RETURN (MIN COUNT) CONVSEEN 2:5",
    "SEARCH CONVMODSEQ x",
    "SEARCH CONVMODSEQ",
    "SEARCH FUZZY SUBJECT x",
    "SEARCH FUZZY SEEN",
    "SEARCH NOT FUZZY BODY x",
    "SEARCH OR ALL FUZZY BODY x",
    "SEARCH OR SEEN FUZZY BODY x",
    "SEARCH NOT ALL FUZZY TEXT x",
    "SEARCH FUZZY (SEEN OR TO x NOT ALL)",
    "SEARCH FUZZY HEADER SUBJECT x",
    "SEARCH FUZZY HEADER X-Foo x",
    "SEARCH RETURN (COUNT) FUZZY HEADER SUBJECT x",
    "SEARCH RETURN (COUNT) FUZZY SUBJECT x",
    "SEARCH FUZZY",
    "SEARCH FUZZY FOO",
    "SEARCH FUZZY FUZZY SEEN",
    "SEARCH FUZZY CHARSET UTF-8 SUBJECT x",
    "SEARCH FUZZY RETURN (ALL) CHARSET UTF-8 FUZZY SEEN",
    "SEARCH FUZZY RETURN (COUNT) SUBJECT x",
    "SEARCH FUZZY XCONTENTTYPE plain",
    "SORT (ARRIVAL) UTF-8 FUZZY SUBJECT x",
    "SORT RETURN (COUNT) (ARRIVAL) UTF-8 FUZZY SUBJECT x",
    "THREAD REFS UTF-8 FUZZY SUBJECT x",
    "THREAD REFS UTF-8 FUZZY ALL",
    "SEARCH XCONTENTTYPE plain",
    "SEARCH XCONTENTTYPE html",
    "SEARCH XCONTENTTYPE multipart/alternative",
    "SEARCH XCONTENTTYPE message",
    "SEARCH XCONTENTTYPE t/p",
    "SEARCH XCONTENTTYPE T/P",
    "SEARCH XCONTENTTYPE pdf",
    'SEARCH XCONTENTTYPE ""',
    'SEARCH XCONTENTTYPE "text plain"',
    "SEARCH XCONTENTTYPE",
    "SEARCH XATTACHMENTBODY stuff",
    "SEARCH XATTACHMENTBODY plain",
    "SEARCH XATTACHMENTBODY",
    "SEARCH XATTACHMENTNAME",
    "SEARCH XLISTID",
    'SEARCH XLISTID ""',
    "SEARCH DELIVEREDTO a1",
    "SEARCH DELIVEREDTO x.org",
    'SEARCH DELIVEREDTO " a1"',
    'SEARCH DELIVEREDTO ""',
    "SEARCH DELIVEREDTO Delivered",
    "SEARCH SPAMABOVE 1",
    "SEARCH SPAMBELOW 1",
    "SEARCH SPAMABOVE 3.5",
    "SEARCH SPAMABOVE -2",
    "SEARCH SPAMBELOW -2",
    'SEARCH SPAMBELOW " 3.5x"',
    "SEARCH SPAMBELOW x",
    "SEARCH SPAMBELOW",
    "SEARCH SPAMABOVE (",
    "SEARCH FOLDER INBOX",
    "SEARCH FOLDER Folder",
    "SEARCH NOT FOLDER Folder SEEN",
    "SEARCH OR FOLDER INBOX SEEN",
    'SEARCH FOLDER "" SEEN',
    "SEARCH FOLDER",
    "SORT (SPAMSCORE) UTF-8 ALL",
    "SORT (REVERSE SPAMSCORE) UTF-8 ALL",
    "SORT (HASCONVFLAG) UTF-8 ALL",
    "SORT (CONVFOO) UTF-8 ALL",
    "FETCH 1:* (MAILBOXES)",
    "UID FETCH 2 (MAILBOXIDS FLAGS)",
    'LIST "" * RETURN (STATUS (XCONVEXISTS XCONVUNSEEN MESSAGES XCONVMODSEQ))',
)
OURS = {
    "SEARCH CONVMODSEQ 1": "SEARCH 1 2 3 4 5 6 7 8 9",
    "SEARCH CONVMODSEQ 9999": "SEARCH",
    "SEARCH XLISTID list": "SEARCH 1 2 3 4 5 6 7 8 9",
    "SEARCH XLISTID list1.x": "SEARCH 1",
    "SEARCH XATTACHMENTNAME stra": "SEARCH 9",
    b"SEARCH CHARSET UTF-8 XATTACHMENTNAME {6+}\r\n\xc3\xa4pfel": "SEARCH 9",
    "SEARCH XATTACHMENTNAME pear": "SEARCH",
    "SORT (CONVEXISTS) UTF-8 ALL": "SORT 7 8 9 1 2 3 4 5 6",
    "SORT (REVERSE CONVSIZE) UTF-8 7:8": "SORT 8 7",
    "SORT (REVERSE HASCONVFLAG Work) UTF-8 ALL": "SORT 3 4 5 6 1 2 7 8 9",
    "SORT (HASCONVFLAG \\flagged) UTF-8 ALL": "SORT 3 4 5 6 7 8 9 1 2",
}
SCANS = (
    'SCAN "" * body',
    'SCAN "" % body',
    'SCAN "" "" body',
    'SCAN "" * ""',
    'SCAN "" "" ""',
    'SCAN "" Fold* {4+}\r\nbody',
    'SCAN "" Deep* body',
    'SCAN "" Deep% ""',
    "SCAN",
    'SCAN ""',
    'SCAN "" %',
    'SCAN "" % ',
    'SCAN "" %  x',
    'SCAN "" % x y',
    'SCAN "" (%) x',
)


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    instance = Instance(
        imapd_conf={"conversations": "yes", "conversations_counted_flags": r"\Draft \Flagged Work"},
        programs={"imap": "reference", "imap2": "ours"},
        master="reference",
        services=("imap", "imap2"),
    ).start()
    instance.create_user("a", "Folder", "Trash", "Deep/Er")
    instance.create_user("b")
    with instance.imap("a") as client:
        # conversations 1-2, 3-6, 7, 8
        for number, thread in enumerate((1, 1, 3, 3, 3, 3, 7, 8), 1):
            field = "X-Delivered-To: a" if number % 2 else "X-Original-Delivered-To: b"
            text = (
                f"Message-ID: <{number}@x>\r\nReferences: <t{thread}@x>\r\nSubject: x\r\n"
                f"{field}{number}@x.org\r\nX-Delivered-To: c{number}@x.org\r\nX-Spam-Score: {number}.5\r\n"
                f"List-Id: <list{number}.x.org>\r\n\r\nbody {number}\r\n"
            )
            # threads without a root that came at the same time are told in the order of a hash table
            client.ok(f'APPEND INBOX "0{number}-Mar-2020 10:00:00 +0000" {{}}', text.encode())
        client.append("INBOX", ATTACHED)
        client.ok("SELECT INBOX")
        client.ok(r"STORE 2 +FLAGS (\Flagged)")
        client.ok(r"STORE 3:4 +FLAGS (\Seen Work)")
        client.ok(r"STORE 7 +FLAGS (\Seen)")
        client.ok("COPY 1:4 Folder")
        client.ok("COPY 5:7 Trash")
        client.ok(r"STORE 5:6 +FLAGS (\Seen)")
        client.ok("SETACL INBOX b lrs")
        client.ok("SETACL Folder b lrs")
    yield instance
    instance.stop(check=False)
    instance.remove()


def answer(client: ImapClient, command: str | bytes) -> tuple[list[str], str, str]:
    reply = client.command(command)
    untagged = [line.partition(") ")[2] if line.startswith("ESEARCH") else line for line in reply.untagged]
    return untagged, reply.status, reply.text.partition(" (")[0] if reply.status == "OK" else reply.text


@pytest.mark.parametrize(("user", "mailbox"), [("a", "INBOX"), ("a", "Folder"), ("b", '"Other Users/a"')])
def test_both_servers_find_the_same(server: Instance, user: str, mailbox: str) -> None:
    with server.imap(user) as original, server.imap(user, service="imap2") as ours:
        for client in (original, ours):
            client.ok(f"EXAMINE {mailbox}")
        differences = [
            (command, *answers)
            for command in (*SAME, f"STATUS {mailbox} (XCONVEXISTS XCONVMODSEQ XCONVUNSEEN SIZE)")
            if len(set(map(repr, answers := [answer(client, command) for client in (original, ours)]))) > 1
        ]
    assert differences == []


def test_what_the_original_cannot_answer(server: Instance) -> None:
    with server.imap("a", service="imap2") as client:
        client.ok("EXAMINE INBOX")
        answers = {command: client.ok(command).untagged for command in OURS}
    assert answers == {command: [line] for command, line in OURS.items()}


def test_a_search_can_be_fuzzy_without_saying_so(server: Instance) -> None:
    """By an annotation of the user's, or because of who the client says it is."""
    entry = "/shared/vendor/cmu/cyrus-imapd/search-fuzzy-always"
    commands = (
        "SEARCH SUBJECT x",
        "SEARCH SEEN",
        "SORT (ARRIVAL) UTF-8 SUBJECT x",
        "SEARCH HEADER SUBJECT x",
        "THREAD REFS UTF-8 SUBJECT x",
    )
    choices = (
        f'SETMETADATA INBOX ({entry} "on")',
        f'SETMETADATA INBOX ({entry} "off")',
        'ID ("os" "iOS")',
        'ID ("os" "other")',
        f"SETMETADATA INBOX ({entry} NIL)",
    )
    with server.imap("a") as original, server.imap("a", service="imap2") as ours:
        pair = (original, ours)
        for client in pair:
            client.ok("EXAMINE INBOX")
        for before in choices:
            assert len({client.command(before).status for client in pair}) == 1
            for command in commands:
                assert answer(original, command) == answer(ours, command), (before, command)


def test_scan_looks_into_the_selected_mailbox(server: Instance) -> None:
    """The original ends where ours answers, so it is asked only while nothing is selected."""
    with server.imap("a") as original, server.imap("a", service="imap2") as ours:
        for command in SCANS:
            assert answer(original, command) == answer(ours, command), command
        assert "SCAN" in ours.ok("CAPABILITY").untagged[0].split()
        ours.ok("EXAMINE INBOX")
        for text, found in (
            ("BODY 8", True),
            ("Body 9", False),
            ("ed stuff", True),
            ("Message-Id: <1@", True),
        ):
            untagged = ours.ok(f'SCAN "" * "{text}"').untagged
            assert untagged == ([r'LIST (\HasNoChildren) "/" INBOX'] if found else []), text
        assert ours.ok('SCAN "" Fold* "body 1"').untagged == []
    with server.imap(service="imap2") as nobody:
        assert nobody.command('SCAN "" * x').text == "Please login first"
