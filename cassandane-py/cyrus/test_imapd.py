"""imapd under master: what one session sees of another, waiting, TLS, limits, the administrator's notices."""

from __future__ import annotations

import base64
import contextlib
import re
import socket
from pathlib import Path

import pytest

from cassandane.clients import ImapClient
from cassandane.instance import Instance

MESSAGE = b"From: a@example.org\r\nSubject: x\r\n\r\nbody\r\n"


def test_an_append_is_told_to_its_own_session_before_it_is_ok(imap: ImapClient) -> None:
    """RFC 3501 section 6.3.11."""
    imap.ok("SELECT INBOX")
    reply = imap.ok("APPEND INBOX {}", MESSAGE)
    assert reply.untagged == ["1 EXISTS", "1 RECENT"]
    assert re.fullmatch(r"\[APPENDUID \d+ 1\] Completed", reply.text)


def test_a_delivery_is_told_at_noop(instance: Instance, imap: ImapClient) -> None:
    """RFC 3501 section 6.1.2; \\Recent goes to one session only."""
    imap.ok("SELECT INBOX")
    with instance.imap("cassandane") as other:
        other.append("INBOX", MESSAGE)
        assert imap.ok("NOOP").untagged == ["1 EXISTS", "1 RECENT"]
        assert imap.ok("NOOP").untagged == []
        assert "0 RECENT" in other.ok("SELECT INBOX").untagged


def test_an_examined_mailbox_takes_no_recent_flags(instance: Instance, imap: ImapClient) -> None:
    """RFC 3501 section 6.3.2."""
    imap.append("INBOX", MESSAGE)
    with instance.imap("cassandane") as other:
        assert "1 RECENT" in other.ok("EXAMINE INBOX").untagged
    reply = imap.ok("SELECT INBOX")
    assert "1 RECENT" in reply.untagged
    assert reply.text == "[READ-WRITE] Completed"


def test_idle_tells_a_change_at_once(instance: Instance, imap: ImapClient) -> None:
    """RFC 2177."""
    imap.ok("SELECT INBOX")
    imap.send(b"i IDLE\r\n")
    assert imap.line() == b"+ idling"
    with instance.imap("cassandane") as other:
        for number in (1, 2):
            other.append("INBOX", MESSAGE)
            assert imap.line() == b"* %d EXISTS" % number
            assert imap.line() == b"* %d RECENT" % number
    imap.send(b"DONE\r\n")
    assert imap.finish(b"i").text == "Completed"


@pytest.mark.reference
def test_idle_tells_what_the_original_delivers() -> None:
    """No idled, no message between the two: the watch on the index is enough."""
    server = Instance(programs={"lmtp": "reference"}, services=("imap", "lmtp")).start()
    try:
        server.create_user("joe")
        with server.imap("joe") as client, server.lmtp() as lmtp:
            client.ok("SELECT INBOX")
            client.send(b"i IDLE\r\n")
            assert client.line() == b"+ idling"
            for number in (1, 2):
                assert lmtp.deliver(MESSAGE + b"%d\r\n" % number, "joe")[0].startswith("250")
                assert client.line() == b"* %d EXISTS" % number
                assert client.line() == b"* %d RECENT" % number
            client.send(b"DONE\r\n")
            assert client.finish(b"i").status == "OK"
    finally:
        server.stop(check=False)
    server.remove()


def test_idle_ends_with_done_and_nothing_else(imap: ImapClient) -> None:
    imap.send(b"i IDLE\r\n")
    assert imap.line() == b"+ idling"
    imap.send(b"n NOOP\r\n")
    assert imap.finish(b"i").status == "BAD"
    imap.ok("NOOP")


def test_idle_survives_the_deletion_of_the_mailbox(instance: Instance, imap: ImapClient) -> None:
    imap.ok("CREATE gone")
    imap.append("gone", MESSAGE)
    imap.ok("SELECT gone")
    imap.send(b"i IDLE\r\n")
    assert imap.line() == b"+ idling"
    with instance.imap("cassandane") as other:
        other.ok("DELETE gone")
    assert imap.line() == b"* 1 EXPUNGE"
    imap.send(b"DONE\r\n")
    assert imap.finish(b"i").status == "OK"
    imap.ok("SELECT INBOX")


def test_deleting_a_user_ends_the_user_s_sessions(instance: Instance, imap: ImapClient) -> None:
    instance.create_user("other")
    with instance.imap("admin") as admin, instance.imap("other") as other:
        admin.ok("SETACL user/cassandane admin x")
        admin.ok("DELETE user/cassandane")
        with pytest.raises(EOFError):
            while True:
                imap.line()
        other.ok("NOOP")


@pytest.mark.imapd_conf(delete_mode="immediate")
def test_deleting_a_mailbox_at_once_ends_sessions_in_it(instance: Instance, imap: ImapClient) -> None:
    imap.ok("CREATE gone")
    with instance.imap("cassandane") as other, instance.imap("cassandane") as elsewhere:
        other.ok("SELECT gone")
        elsewhere.ok("SELECT INBOX")
        imap.ok("DELETE gone")
        with pytest.raises(EOFError):
            while True:
                other.line()
        elsewhere.ok("NOOP")


@pytest.mark.imapd_conf(imapidlepoll="0")
def test_idle_can_be_switched_off(imap: ImapClient) -> None:
    assert "IDLE" not in imap.ok("CAPABILITY").untagged[0].split()
    assert imap.bad("IDLE").text == "Unrecognized command"


def test_a_readonly_server_lets_nothing_be_written(instance: Instance) -> None:
    instance.stop()
    instance.settings["readonly"] = "yes"
    instance.write_configuration()
    instance.start()
    refusal = "This connection is configured for read-only access"
    with instance.imap("cassandane") as client:
        assert client.ok("SELECT INBOX").text == "[READ-ONLY] Completed"
        for command in ("CREATE x", "APPEND INBOX {1+}\r\nx", "SUBSCRIBE INBOX", "UID STORE 1 FLAGS ()"):
            assert client.no(command).text == refusal


def test_pipelined_commands_are_answered_in_order(imap: ImapClient) -> None:
    """RFC 3501 section 5.5."""
    imap.send(b"x1 NOOP\r\nx2 SELECT INBOX\r\nx3 STATUS INBOX (MESSAGES)\r\nx4 NOOP\r\n")
    assert imap.finish(b"x1").status == "OK"
    assert imap.finish(b"x2").text == "[READ-WRITE] Completed"
    assert imap.finish(b"x3").untagged == ["STATUS INBOX (MESSAGES 0)"]
    assert imap.finish(b"x4").status == "OK"


def test_the_words_of_a_command_may_come_one_octet_at_a_time(imap: ImapClient) -> None:
    for octet in b'a LIST "" {5+}\r\nINBOX\r\n':
        imap.send(bytes([octet]))
    assert imap.finish(b"a").untagged == ['LIST (\\HasNoChildren) "/" INBOX']


def test_a_word_that_is_too_long_ends_the_connection(instance: Instance, imap: ImapClient) -> None:
    instance.allowed_log.append(r"Fatal error: \[TOOBIG\]")
    imap.send(b"a LIST " + b"x" * 140000 + b"\r\n")
    assert imap.line() == b"* BYE [TOOBIG] Word too long"
    assert imap.at_end()


@pytest.mark.imapd_conf(maxmessagesize=100)
def test_a_message_that_is_too_large_is_refused_before_it_is_sent(
    instance: Instance, imap: ImapClient
) -> None:
    """RFC 7889: APPENDLIMIT."""
    instance.allowed_log.append(r"Fatal error: \[TOOBIG\]")
    assert "APPENDLIMIT=100" in imap.ok("CAPABILITY").untagged[0].split()
    imap.send(b"a APPEND INBOX {101}\r\n")
    assert imap.line() == b"a NO [TOOBIG] Message size exceeds fixed limit"
    imap.send(b"b APPEND INBOX {101+}\r\n" + b"x" * 101 + b"\r\n")
    assert imap.line() == b"b NO [TOOBIG] Message size exceeds fixed limit"
    assert imap.line() == b"* BYE [TOOBIG] Message size exceeds fixed limit"
    assert imap.at_end()


def test_an_append_over_quota_is_refused(instance: Instance, imap: ImapClient) -> None:
    """RFC 2087."""
    with instance.imap("admin") as admin:
        admin.ok("SETQUOTA user/cassandane (STORAGE 1 MESSAGE 1)")
    assert imap.no("APPEND INBOX {}", MESSAGE + b"x" * 2000).text == "Over quota"
    imap.append("INBOX", MESSAGE)
    assert imap.no("APPEND INBOX {}", MESSAGE).text == "Over quota"
    assert imap.ok("SELECT INBOX").untagged[0] != "0 EXISTS"
    assert imap.ok("GETQUOTAROOT INBOX").untagged[1] == "QUOTA INBOX (STORAGE 0 1 MESSAGE 1 1)"


def test_several_messages_of_one_append_come_together_or_not_at_all(imap: ImapClient) -> None:
    """RFC 3502."""
    reply = imap.ok("APPEND INBOX {} (\\Seen) {}", MESSAGE, MESSAGE)
    assert reply.text.endswith(" 1:2] Completed")
    assert imap.no("APPEND INBOX {} {}", MESSAGE, b"no message").text == "Message contains invalid header"
    assert imap.ok("STATUS INBOX (MESSAGES UNSEEN)").untagged == ["STATUS INBOX (MESSAGES 2 UNSEEN 1)"]


def test_the_shutdown_file_ends_the_session_of_a_user_but_not_of_an_admin(
    instance: Instance, imap: ImapClient
) -> None:
    with instance.imap("admin") as admin:
        notice = Path(instance.settings["configdirectory"]) / "msg/shutdown"
        notice.write_text("[back at ten\nnot told\n")
        admin.ok("NOOP")
        imap.send(b"a NOOP\r\n")
        lines = []
        with pytest.raises(EOFError):
            while True:
                lines.append(imap.line())
        assert lines[-1] == b"* BYE [ALERT] back at ten"
        admin.ok("NOOP")
    notice.unlink()


def test_the_message_of_the_day_follows_the_greeting(instance: Instance) -> None:
    (Path(instance.settings["configdirectory"]) / "msg/motd").write_text("hello\r\n")
    with ImapClient(("127.0.0.1", instance.ports["imap"])) as client:
        assert client.line() == b"* OK [ALERT] hello"


@pytest.mark.imapd_conf(maxlogins_per_user=1)
def test_too_many_sessions_are_refused(instance: Instance, imap: ImapClient) -> None:
    with instance.imap() as other:
        assert other.no("LOGIN cassandane secret").text == "Too many open connections (1 of 1 for cassandane)"


def test_telemetry_is_kept_where_its_directory_is(instance: Instance) -> None:
    directory = Path(instance.settings["configdirectory"]) / "log/cassandane"
    directory.mkdir()
    directory.chmod(0o777)
    with instance.imap("cassandane") as client:
        client.ok("NOOP")
    text = b"".join(path.read_bytes() for path in directory.iterdir())
    assert b" NOOP" in text
    assert b"OK Completed" in text


def test_a_client_that_hangs_up_leaves_no_message(instance: Instance, imap: ImapClient) -> None:
    other = instance.imap("cassandane")
    other.send(b"a APPEND INBOX {100}\r\n")
    assert other.line().startswith(b"+")
    other.send(b"From: a@b\r\n")
    other.close()
    assert imap.ok("STATUS INBOX (MESSAGES)").untagged == ["STATUS INBOX (MESSAGES 0)"]


def test_starttls_protects_the_rest_and_forgets_what_came_before() -> None:
    """RFC 3501 section 6.2.1."""
    server = Instance(imapd_conf={"allowplaintext": "no"}, services=("imap",), tls=True).start()
    try:
        client = ImapClient(("127.0.0.1", server.ports["imap"]))
        names = client.ok("CAPABILITY").untagged[0].split()
        assert "STARTTLS" in names
        assert "LOGINDISABLED" in names
        assert not [name for name in names if name.startswith("AUTH=")]
        assert client.no("LOGIN admin secret").text == "Login only available under a layer"
        client.send(b"t STARTTLS\r\ninjected NOOP\r\n")
        assert client.line() == b"t OK Begin TLS negotiation now"
        client.start_tls()
        names = client.ok("CAPABILITY").untagged[0].split()
        assert "STARTTLS" not in names
        assert "AUTH=PLAIN" in names
        client.ok("LOGIN admin secret")
        assert client.bad("STARTTLS").text == "Can't Starttls after authentication"
        client.close()
    finally:
        server.stop()
    server.remove()


def test_imaps_begins_with_tls() -> None:
    server = Instance(services=("imaps",), tls=True).start()
    try:
        with server.imap("admin", service="imaps") as client:
            assert "STARTTLS" not in client.ok("CAPABILITY").untagged[0].split()
        with socket.create_connection(("127.0.0.1", server.ports["imaps"])) as plain:
            plain.settimeout(30)
            plain.sendall(b"a NOOP\r\n\r\n\r\n")
            with contextlib.suppress(ConnectionResetError):
                while plain.recv(1000):
                    pass
    finally:
        server.stop()
    server.remove()


def test_authenticate_takes_an_initial_response_or_asks_for_it(instance: Instance) -> None:
    """RFC 4959."""
    response = base64.b64encode(b"\0cassandane\0secret").decode()
    with instance.imap() as client:
        assert client.ok(f"AUTHENTICATE PLAIN {response}").text.startswith("[CAPABILITY IMAP4rev1 ")
    with instance.imap() as client:
        client.send(b"a AUTHENTICATE PLAIN\r\n")
        assert client.line() == b"+ "
        client.send(response.encode() + b"\r\n")
        assert client.finish(b"a").status == "OK"
        client.ok("SELECT INBOX")


def test_an_admin_may_act_for_a_user(instance: Instance) -> None:
    """RFC 4616: the authorization identity."""
    response = base64.b64encode(b"cassandane\0admin\0secret").decode()
    with instance.imap() as client:
        client.ok(f"AUTHENTICATE PLAIN {response}")
        client.ok("SELECT INBOX")
        assert client.no("GETQUOTA INBOX").text == "Permission denied"


def test_imaps_without_a_certificate_is_a_configuration_error(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.allowed_log.append("OpenSSL options not present")
    monkeypatch.setenv("CYRUS_SERVICE", "imap")
    monkeypatch.setenv("CYRUS_ID", "0")
    assert instance.run("imapd", "-X", "-s", check=False).returncode == 78


def test_one_conversation_on_stdin_and_stdout(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CYRUS_SERVICE", "imap")
    monkeypatch.setenv("CYRUS_ID", "0")
    said = instance.run("imapd", "-X", stdin=b"a LOGIN cassandane x\r\nb SELECT INBOX\r\nc LOGOUT\r\n").stdout
    assert b"\r\nb OK [READ-WRITE] Completed\r\n" in said
    assert said.endswith(b"c OK Completed\r\n")
