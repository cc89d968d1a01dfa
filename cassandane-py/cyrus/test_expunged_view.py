"""Selecting with what has been expunged (VENDOR.CMU-INCLUDE-EXPUNGED), and collections of user+dav."""

from __future__ import annotations

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

MESSAGE = b"From: a@b.example\r\nSubject: y\r\n\r\nbody text\r\n"
SELECT = "SELECT INBOX (VENDOR.CMU-INCLUDE-EXPUNGED)"

deleted = pytest.mark.imapd_conf(allowdeleted="yes", expunge_mode="delayed")


@pytest.fixture
def inbox(imap: ImapClient) -> ImapClient:
    """Four messages; the first is seen, the first and third are expunged."""
    imap.append("INBOX", *[MESSAGE] * 4)
    imap.ok("SELECT INBOX")
    imap.ok("STORE 1 +FLAGS (\\Seen)")
    imap.ok("STORE 1,3 +FLAGS (\\Deleted)")
    imap.ok("EXPUNGE")
    imap.ok("UNSELECT")
    return imap


@deleted
def test_what_is_expunged_has_numbers_and_bodies(inbox: ImapClient) -> None:
    told = inbox.ok(SELECT).untagged
    assert "4 EXISTS" in told and "OK [UNSEEN 2] Ok" in told
    assert inbox.ok("FETCH 1:* (UID FLAGS)").untagged == [
        "1 FETCH (FLAGS (\\Deleted \\Expunged \\Seen) UID 1)",
        "2 FETCH (FLAGS () UID 2)",
        "3 FETCH (FLAGS (\\Deleted \\Expunged) UID 3)",
        "4 FETCH (FLAGS () UID 4)",
    ]
    assert "Subject: y" in inbox.ok("FETCH 3 BODY.PEEK[]").untagged[0]
    assert inbox.ok("SEARCH ALL").untagged == ["SEARCH 2 4"]
    assert inbox.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 2)"]


@deleted
def test_a_copy_brings_a_message_back(inbox: ImapClient) -> None:
    inbox.ok(SELECT)
    inbox.ok("CREATE back")
    inbox.ok("UID COPY 1 back")
    inbox.ok("SELECT back")
    assert inbox.ok("FETCH 1 FLAGS").untagged == ["1 FETCH (FLAGS (\\Recent \\Seen))"]


@deleted
def test_nobody_is_told_of_expunges_there(inbox: ImapClient, instance: Instance) -> None:
    inbox.ok(SELECT)
    with instance.imap("cassandane") as other:
        other.ok("SELECT INBOX")
        other.ok("STORE 1 +FLAGS (\\Deleted)")
        other.ok("EXPUNGE")
    assert not inbox.ok("NOOP").grep("EXPUNGE|EXISTS")
    assert inbox.ok("FETCH 2 FLAGS").untagged == ["2 FETCH (FLAGS (\\Deleted \\Expunged))"]
    # nor does it come back
    inbox.ok("STORE 2 -FLAGS (\\Deleted)")
    inbox.ok("SELECT INBOX")
    assert inbox.ok("UID SEARCH ALL").untagged == ["SEARCH 4"]


def test_only_where_the_administrator_allows_it(imap: ImapClient) -> None:
    reply = imap.command(SELECT)
    assert (reply.status, reply.text) == (
        "BAD", "Invalid Select modifier VENDOR.CMU-INCLUDE-EXPUNGED"
    )  # fmt: skip


@pytest.mark.imapd_conf(imapmagicplus="yes")
def test_who_logs_in_for_collections_may_select_them(instance: Instance) -> None:
    with instance.imap("admin") as admin:
        admin.ok('CREATE "user/cassandane/#calendars/x" (TYPE CALENDAR)')
    with instance.imap("cassandane") as client:
        assert client.command('SELECT "#calendars/x"').text == "Invalid mailbox type"
        assert not client.ok('LIST "" *').grep("calendars")
    with instance.imap("cassandane+dav") as client:
        client.ok('SUBSCRIBE "#calendars/x"')
        assert client.ok('LSUB "" *').untagged == ['LSUB () "/" #calendars/x']
        assert not client.ok('RLSUB "" *').untagged
        assert not client.ok('RLIST "" *').grep("calendars")
        assert "0 EXISTS" in client.ok('SELECT "#calendars/x"').untagged
        assert client.ok('LIST "" *').grep("#calendars/x")
