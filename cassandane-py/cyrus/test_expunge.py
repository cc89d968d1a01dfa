"""EXPUNGE, CLOSE and UID EXPUNGE (RFC 3501 sections 6.4.2 and 6.4.3, RFC 4315 section 2.1)."""

from __future__ import annotations

import os

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance, wait_for
from cassandane.messages import message


@pytest.fixture
def five(imap: ImapClient) -> ImapClient:
    """An INBOX with five messages, selected."""
    imap.append("INBOX", *(message(str(number)) for number in range(5)))
    imap.ok("SELECT INBOX")
    return imap


def message_files(instance: Instance) -> list[str]:
    names = [name for _, _, files in os.walk(instance.directory / "spool") for name in files]
    return sorted(name for name in names if name.endswith(".") and name[:-1].isdigit())


def test_expunge_closes_up_numbers_and_keeps_uids(five: ImapClient) -> None:
    """RFC 3501 section 7.4.1."""
    five.ok(r"STORE 2:3,5 +FLAGS.SILENT (\Deleted)")
    reply = five.ok("EXPUNGE")
    assert reply.untagged == ["2 EXPUNGE", "2 EXPUNGE", "3 EXPUNGE"]
    assert reply.text.startswith("[HIGHESTMODSEQ ")
    assert five.ok("UID SEARCH ALL").untagged == ["SEARCH 1 4"]
    assert five.ok("SEARCH ALL").untagged == ["SEARCH 1 2"]
    assert five.ok("EXPUNGE").untagged == []


def test_uid_expunge_spares_what_it_does_not_name(five: ImapClient) -> None:
    five.ok(r"STORE 2:4 +FLAGS.SILENT (\Deleted)")
    assert five.ok("UID EXPUNGE 3:5").untagged == ["3 EXPUNGE", "3 EXPUNGE"]
    assert five.ok("UID SEARCH ALL").untagged == ["SEARCH 1 2 5"]
    assert five.ok("UID SEARCH DELETED").untagged == ["SEARCH 2"]


def test_close_expunges_and_tells_nothing(five: ImapClient) -> None:
    five.ok(r"STORE 1:3 +FLAGS.SILENT (\Deleted)")
    assert five.ok("CLOSE").untagged == []
    assert "2 EXISTS" in five.ok("SELECT INBOX").untagged


def test_unselect_and_examine_spare_everything(five: ImapClient) -> None:
    """RFC 3691; RFC 3501 section 6.4.2: nothing is removed from a mailbox opened by EXAMINE."""
    five.ok(r"STORE 1:3 +FLAGS.SILENT (\Deleted)")
    five.ok("UNSELECT")
    assert "5 EXISTS" in five.ok("EXAMINE INBOX").untagged
    assert five.no("EXPUNGE").text == "Permission denied"
    five.ok("CLOSE")
    assert "5 EXISTS" in five.ok("SELECT INBOX").untagged


def test_other_sessions_learn_of_it_when_numbers_may_change(instance: Instance, five: ImapClient) -> None:
    with instance.imap("cassandane") as other:
        other.ok("SELECT INBOX")
        five.ok(r"STORE 2,4 +FLAGS.SILENT (\Deleted)")
        five.ok("EXPUNGE")
        assert not [line for line in other.ok("FETCH 5 UID").untagged if "EXPUNGE" in line]
        assert other.ok("NOOP").untagged == ["2 EXPUNGE", "3 EXPUNGE"]
        assert other.ok("FETCH 3 UID").untagged == ["3 FETCH (UID 5)"]


@pytest.mark.imapd_conf(expunge_mode="immediate")
def test_files_of_expunged_messages_go(instance: Instance, five: ImapClient) -> None:
    five.ok(r"STORE 1:2 +FLAGS.SILENT (\Deleted)")
    five.ok("EXPUNGE")
    five.ok("UNSELECT")
    wait_for(lambda: message_files(instance) == ["3.", "4.", "5."], "message files stay")


@pytest.mark.imapd_conf(expunge_mode="delayed")
def test_files_of_expunged_messages_stay_until_they_expire(instance: Instance, five: ImapClient) -> None:
    five.ok(r"STORE 1:2 +FLAGS.SILENT (\Deleted)")
    five.ok("EXPUNGE")
    five.ok("UNSELECT")
    assert message_files(instance) == ["1.", "2.", "3.", "4.", "5."]
