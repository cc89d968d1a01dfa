"""lmtpd and deliver on a running server: what has no counterpart to compare with, or needs a setting."""

from __future__ import annotations

import base64
import os
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.clients import ImapClient, LmtpClient
from cassandane.instance import Instance, give_away, make_directory, wait_for
from cassandane.messages import message
from imap.admin.private_instance import make_certificate


def server_with(**options: str) -> Iterator[Instance]:
    services = ("imap", "lmtp", "lmtpauth", "lmtpunix")
    instance = Instance(imapd_conf=options, services=services, tls=options.pop("tls", "") == "yes")
    try:
        instance.start()
        instance.create_user("cassandane")
        yield instance
    except BaseException:
        instance.stop(check=False)
        raise
    instance.stop()
    instance.remove()


@pytest.fixture
def tls_server() -> Iterator[Instance]:
    yield from server_with(tls="yes", lmtpauth_allowplaintext="no", failedloginpause="0")


def plain(user: str) -> str:
    return base64.b64encode(f"\0{user}\0secret".encode()).decode()


def exists(instance: Instance, folder: str = "INBOX", user: str = "cassandane") -> int:
    with instance.imap(user) as imap:
        return int(imap.ok(f"STATUS {folder} (MESSAGES)").untagged[0].rpartition(" ")[2].rstrip(")"))


def test_tls_then_login_then_mail(tls_server: Instance) -> None:
    """RFC 3207, RFC 4954: clear passwords only under TLS, and the trace field says how the mail came."""
    with tls_server.lmtp(service="lmtpauth") as lmtp:
        assert "250-STARTTLS" in lmtp.lhlo.split("\n")
        assert "AUTH" not in lmtp.lhlo
        assert lmtp.command("STARTTLS") == "220 Begin TLS negotiation now"
        lmtp.start_tls()
        lhlo = lmtp.command("LHLO client.example")
        assert "STARTTLS" not in lhlo
        assert "250-AUTH PLAIN LOGIN" in lhlo.split("\n")
        assert lmtp.command("MAIL FROM:<>") == "430 Authentication required"
        assert lmtp.command(f"AUTH PLAIN {plain('cassandane')}").startswith("501")
        assert lmtp.command(f"AUTH PLAIN {plain('admin')}") == "235 Authenticated!"
        assert lmtp.command("STARTTLS") == "454 4.3.3 Already successfully executed STARTTLS"
        assert lmtp.deliver(message("secure"), "cassandane")[0].startswith("250 2.1.5 Success")
    stored = next((tls_server.directory / "spool").rglob("1."))
    header = stored.read_bytes().partition(b"\r\n\r\n")[0]
    assert re.search(
        rb"with LMTPSA\r\n\t \(version=TLSv1\.3 cipher=TLS_\S+ bits=\d+/\d+ verify=YES\);", header
    )
    assert any("starttls: TLSv1.3 with cipher" in line for line in tls_server.log_lines())
    assert any("badlogin: localhost [127.0.0.1] PLAIN" in line for line in tls_server.log_lines())
    assert any("login: localhost [127.0.0.1] admin PLAIN+TLS" in line for line in tls_server.log_lines())


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
@pytest.mark.parametrize("tls", [(), ("-t", "")])
def test_the_originals_client_logs_in(tls_server: Instance, mechanism: str, tls: tuple[str, ...]) -> None:
    if not tls:
        tls_server.stop()
        tls_server.settings["lmtpauth_allowplaintext"] = "yes"
        tls_server.write_configuration()
        tls_server.start()
    address = ["-p", str(tls_server.ports["lmtpauth"]), "127.0.0.1"]
    login = ["-m", mechanism, "-u", "admin", "-a", "admin", "-w", "secret"]
    done = subprocess.run(
        [reference.program("lmtptest"), *login, *tls, *address],
        input=b"MAIL FROM:<>\r\nQUIT\r\n", capture_output=True, env=reference.environment(), timeout=60,
    )  # fmt: skip
    heard = done.stdout.decode()
    assert "Authenticated." in heard, heard
    assert "250 2.1.0 ok" in heard, heard
    assert ("TLS connection established" in heard) is bool(tls)


def test_a_tls_session_resumes_in_another_worker(tls_server: Instance) -> None:
    """Tickets are sealed with keys that workers inherit; no session database is needed.

    The first client is the reason why there are such keys; its own worker was there before them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def secured(session: ssl.SSLSession | None) -> tuple[LmtpClient, ssl.SSLSocket]:
        client = tls_server.lmtp(service="lmtpauth")
        assert client.command("STARTTLS").startswith("220")
        client.socket = tls = context.wrap_socket(client.socket, session=session)
        # tickets come with the first data after the handshake
        assert client.command("NOOP").startswith("250")
        return client, tls

    reason, _ = secured(None)
    first, first_tls = secured(None)
    second, second_tls = secured(first_tls.session)
    assert (first_tls.session_reused, second_tls.session_reused) == (False, True)
    reason.close()
    first.close()
    second.close()


def test_commands_smuggled_before_tls_are_dropped(tls_server: Instance) -> None:
    """RFC 3207 section 4.2."""
    with tls_server.lmtp(service="lmtpauth") as lmtp:
        lmtp.send(b"STARTTLS\r\nLHLO injected\r\nMAIL FROM:<>\r\n")
        assert lmtp.reply().startswith("220")
        lmtp.start_tls()
        assert lmtp.command("VRFY me").startswith("252")


def test_a_handshake_that_fails_ends_the_connection_and_nothing_else(tls_server: Instance) -> None:
    with tls_server.lmtp(service="lmtpauth") as lmtp:
        assert lmtp.command("STARTTLS").startswith("220")
        lmtp.send(b"MAIL FROM:<>\r\n" * 3)
        assert lmtp.at_end() or b"250" not in lmtp.socket.recv(4096)
    with tls_server.lmtp() as lmtp:
        assert lmtp.deliver(message("after"), "cassandane")[0].startswith("250")


def test_a_client_certificate_is_as_good_as_a_login() -> None:
    """Any certificate that ``tls_client_ca_file`` vouches for; others are refused by the handshake."""
    folder = make_directory()
    (folder / "unknown").mkdir()
    known, unknown = make_certificate(folder), make_certificate(folder / "unknown")
    for server in server_with(tls="yes", tls_client_ca_file=known["tls_server_cert"]):
        for certificate, welcome in ((known, True), (unknown, False)):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.load_cert_chain(certificate["tls_server_cert"], certificate["tls_server_key"])
            with server.lmtp(service="lmtpauth") as lmtp:
                assert lmtp.command("STARTTLS").startswith("220")
                try:
                    lmtp.socket = context.wrap_socket(lmtp.socket)
                    reply = lmtp.command("MAIL FROM:<>")
                except (OSError, EOFError):
                    reply = "refused"
            assert reply == ("250 2.1.0 ok" if welcome else "refused")
    shutil.rmtree(folder)


def test_a_recipient_each_gets_a_reply_also_when_the_message_is_too_large() -> None:
    """RFC 2033 section 4.2: the original answers once here, and keeps the transaction."""
    for instance in server_with(maxmessagesize="2000"):
        instance.create_user("other")
        with instance.lmtp() as lmtp:
            big = message("big") + b"x" * 70 + b"\r\n" + (b"y" * 70 + b"\r\n") * 50
            replies = lmtp.deliver(big, "cassandane", "other")
            assert len(replies) == 2
            assert all(
                re.match(r"552 5\.2\.3 Message size \(\d+\) exceeds fixed maximum", r) for r in replies
            )
            assert lmtp.deliver(message("small"), "cassandane")[0].startswith("250")
        assert exists(instance) == 1
        assert not list((instance.directory / "spool/stage.").iterdir())


def test_a_folder_may_be_found_by_a_similar_name() -> None:
    for instance in server_with(lmtp_fuzzy_mailbox_match="yes"):
        instance.create_user("joe", "My-Lists", "My-Lists/Cyrus_Devel")
        with instance.imap("admin") as admin:
            admin.ok("SETACL user/joe/My-Lists anyone p")
            admin.ok("SETACL user/joe/My-Lists/Cyrus_Devel anyone p")
            admin.ok("CREATE Shared-Box")
            admin.ok("SETACL Shared-Box anyone lrp")
        with instance.lmtp() as lmtp:
            lmtp.deliver(message("deep", "1"), "joe+my_lists/cyrus-devel")
            lmtp.deliver(message("above", "2"), "joe+my_lists/unknown")
            lmtp.deliver(message("none", "3"), "joe+unknown")
            lmtp.deliver(message("shared", "4"), "+shared_box")
        assert exists(instance, "My-Lists/Cyrus_Devel", "joe") == 1
        assert exists(instance, "My-Lists", "joe") == 1
        assert exists(instance, "INBOX", "joe") == 1
        with instance.imap("admin") as admin:
            assert admin.ok("STATUS Shared-Box (MESSAGES)").untagged == ["STATUS Shared-Box (MESSAGES 1)"]


def test_a_missing_inbox_is_made_when_mail_comes_for_it() -> None:
    for instance in server_with(
        autocreate_post="yes", autocreate_quota="500", autocreate_inbox_folders="Sent|Trash"
    ):
        with instance.lmtp() as lmtp:
            assert lmtp.deliver(message("first"), "newcomer")[0].startswith("250")
        assert exists(instance, user="newcomer") == 1
        with instance.imap("newcomer") as imap:
            assert imap.ok("GETQUOTAROOT INBOX").grep(r"STORAGE \d+ 500")
            assert imap.ok('LIST "" Sent').untagged


def test_no_inbox_is_made_without_being_asked_for() -> None:
    for instance in server_with(autocreate_quota="500"):
        with instance.lmtp() as lmtp:
            lmtp.command("MAIL FROM:<>")
            assert lmtp.command("RCPT TO:<newcomer>").startswith("550-Mailbox unknown.")


def test_a_closed_special_use_folder_sends_its_mail_to_the_inbox() -> None:
    for instance in server_with(lmtp_exclude_specialuse="\\Archive"):
        with instance.imap("cassandane") as imap:
            imap.ok("CREATE old (USE (\\Archive))")
            imap.ok("CREATE other")
            imap.ok("SETACL old anyone p")
            imap.ok("SETACL other anyone p")
        with instance.lmtp() as lmtp:
            lmtp.deliver(message("1", "1"), "cassandane+old")
            lmtp.deliver(message("2", "2"), "cassandane+other")
        assert (exists(instance), exists(instance, "old"), exists(instance, "other")) == (1, 0, 1)


def test_a_script_that_is_none_is_named_in_the_log(instance: Instance) -> None:
    uniqueid = _mailbox_id(instance)
    folder = instance.directory / f"conf/sieve/uuid/{uniqueid[0]}/{uniqueid[1]}/{uniqueid}"
    folder.mkdir(parents=True)
    (folder / "defaultbc").symlink_to("script.bc")
    with instance.lmtp() as lmtp:
        # a link that leads nowhere is no script
        assert lmtp.deliver(message("x"), "cassandane")[0].startswith("250")
        (folder / "script.bc").write_bytes(b"CyrSBytecode" + bytes(range(64)))
        assert lmtp.deliver(message("y", "y"), "cassandane")[0].startswith("250")
    assert exists(instance) == 2
    instance.allowed_log.append("can not use sieve script")
    assert sum("can not use sieve script" in line for line in instance.log_lines()) == 1


def _mailbox_id(instance: Instance) -> str:
    with instance.imap("cassandane") as imap:
        found = imap.ok("STATUS INBOX (MAILBOXID)").untagged[0]
    match = re.search(r"MAILBOXID \((\w+)\)", found)
    assert match is not None
    return match[1]


def test_new_mail_is_told_to_notifyd() -> None:
    for instance in server_with(mailnotifier="log"):
        path = instance.directory / "conf/socket/notify"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
            listener.bind(str(path))
            listener.settimeout(30)
            give_away(path)
            with instance.lmtp() as lmtp:
                lmtp.deliver(b"From: a@b\r\nSubject: news\r\nTo: c@d\r\nX: y\r\n\r\nhi\r\n", "cassandane")
            fields = listener.recv(65536).decode().split("\0")
    assert fields == [
        "log",
        "MAIL",
        "",
        "cassandane",
        "INBOX",
        "0",
        "From: a@b\nSubject: news\nTo: c@d\n",
        "",
    ]


def test_a_shutdown_file_turns_clients_away(instance: Instance) -> None:
    notice = instance.directory / "conf/msg/shutdown"
    with instance.lmtp() as lmtp:
        assert lmtp.command("MAIL FROM:<>").startswith("250")
        notice.write_text("moving house\n")
        assert lmtp.command("NOOP").startswith("250")
        assert lmtp.command("RCPT TO:<cassandane>") == "421 4.3.2 moving house"
        assert lmtp.at_end()
    notice.unlink()
    with instance.lmtp() as lmtp:
        assert lmtp.deliver(message("x"), "cassandane")[0].startswith("250")


def test_trusted_conversations_are_kept_while_somebody_wants_them(instance: Instance) -> None:
    folder = instance.directory / "conf/log/postman"
    folder.mkdir()
    give_away(folder)
    with instance.lmtp() as lmtp:
        lmtp.command("NOOP")
        lmtp.command("QUIT")
    (log,) = folder.iterdir()
    assert re.fullmatch(r"lmtp-\d+", log.name)
    text = log.read_bytes()
    assert text.startswith(b"---------- postman ")
    assert re.search(rb"<\d+<NOOP\r\n>\d+>250 2\.0\.0 ok\r\n<\d+<QUIT\r\n>\d+>221 2\.0\.0 bye\r\n", text)


def test_nothing_a_client_says_ends_the_fields_it_is_put_into(instance: Instance) -> None:
    with instance.lmtp() as lmtp:
        lmtp.send(b"LHLO me\rX-A: 1\r\n")
        lmtp.reply()
        assert lmtp.command('MAIL FROM:<"a\rX-B: 1"@c> AUTH=j+0D+0AX-D:+201').startswith("250")
        assert lmtp.command("RCPT TO:<cassandane>").startswith("250")
        assert lmtp.command("DATA").startswith("354")
        lmtp.send(b"Subject: x\r\n\r\nx\r\n.\r\n")
        assert lmtp.reply().startswith("250")
    with instance.imap("cassandane") as imap:
        imap.ok("SELECT INBOX")
        (line,) = imap.ok("FETCH 1 BODY.PEEK[HEADER]").untagged
    assert not re.search(r"[\r\n]X-[ABD]", line)
    assert 'Return-Path: <"a?X-B: 1"@c>\r\n' in line


HOSTILE = {
    "binary": bytes(range(256)) * 40,
    "an endless line": b"x" * 300_000 + b"\r\n",
    "endless nothing": b"\r\n" * 5000,
    "half a command": b"MAIL FROM:<",
    "half a message": b"MAIL FROM:<>\r\nRCPT TO:<cassandane>\r\nDATA\r\nSubject: x\r\n\r\nhalf",
    "half a header": b"MAIL FROM:<>\r\nRCPT TO:<cassandane>\r\nDATA\r\nSubject: x",
    "bytes as a message": b"MAIL FROM:<>\r\nRCPT TO:<cassandane>\r\nDATA\r\n"
    + os.urandom(100_000)
    + b"\r\n.\r\n",
    "auth and away": b"AUTH PLAIN\r\n",
    "tls and away": b"STARTTLS\r\n\x16\x03\x01",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nonsense_leaves_the_server_standing_and_the_mailbox_alone(instance: Instance, name: str) -> None:
    with socket.create_connection(("127.0.0.1", instance.ports["lmtp"]), timeout=30) as sock:
        try:
            sock.sendall(HOSTILE[name])
            sock.shutdown(socket.SHUT_WR)
            while sock.recv(65536):
                pass
        except ConnectionError:
            pass
    assert exists(instance) == 0
    with instance.lmtp() as lmtp:
        assert lmtp.deliver(message("x"), "cassandane")[0].startswith("250")


def test_many_recipients_share_one_file(instance: Instance) -> None:
    names = [f"user{number}" for number in range(12)]
    for name in names:
        instance.create_user(name)
    with instance.lmtp() as lmtp:
        replies = lmtp.deliver(message("all"), *names)
    assert [reply[:9] for reply in replies] == ["250 2.1.5"] * 12
    inodes = {path.stat().st_ino for path in (instance.directory / "spool").rglob("1.")}
    assert len(inodes) == 1
    assert not list((instance.directory / "spool/stage.").iterdir())


def test_a_mailbox_that_cannot_be_written_fails_alone(instance: Instance) -> None:
    """DESIGN section 6: one recipient's trouble is a temporary failure of that recipient."""
    instance.create_user("broken")
    instance.allowed_log.append("IOERROR")
    folder = next(
        path.parent
        for path in (instance.directory / "spool").rglob("cyrus.header")
        if path.parent.name != _mailbox_id(instance)
    )
    (folder / "cyrus.index").write_bytes(b"nonsense")
    with instance.lmtp() as lmtp:
        bad, good = lmtp.deliver(message("x"), "broken", "cassandane")
    assert re.match(r"451 4\.[23]\.0 ", bad), bad
    assert good.startswith("250")
    assert exists(instance) == 1


def test_deliver_hands_messages_over(instance: Instance) -> None:
    text = b"Subject: from a pipe\n\n.dot\nlast line without end"
    assert instance.run("deliver", "-r", "me@example.org", "cassandane", stdin=text).stdout == b""
    with instance.imap("cassandane") as imap:
        imap.ok("SELECT INBOX")
        (line,) = imap.ok("FETCH 1 BODY.PEEK[]").untagged
    assert "Return-Path: <me@example.org>\r\n" in line
    assert line.endswith("\r\n\r\n.dot\r\nlast line without end\r\n)")


@pytest.mark.parametrize(
    ("arguments", "code", "output"),
    [
        (("nobody",), 65, b"nobody: Mailbox does not exist\n"),
        (("cassandane", "nobody"), 65, b"nobody: Mailbox does not exist\n"),
        ((), 64, b""),
        (("-z", "cassandane"), 64, b""),
        (("-F", "x", "cassandane"), 64, b""),
        (("-m", "a", "-m", "b", "cassandane"), 64, b""),
    ],
)
def test_deliver_exits_as_the_reply_says(
    instance: Instance, arguments: tuple[str, ...], code: int, output: bytes
) -> None:
    done = instance.run("deliver", *arguments, stdin=b"Subject: x\n\nx\n", check=False)
    assert (done.returncode, done.stdout) == (code, output)


@pytest.mark.reference
@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_either_deliver_posts_with_the_rights_of_its_user(instance: Instance, kind: str) -> None:
    with instance.imap("admin") as admin:
        admin.ok("CREATE shared")
        admin.ok("SETACL shared anyone l")
        admin.ok("SETACL shared writer lrp")
        admin.ok("SETACL shared admin lr")
    text = b"Subject: x\n\nx\n"
    refused = instance.run("deliver", "-m", "shared", kind=kind, stdin=text, check=False)
    assert (refused.returncode, refused.stdout) == (65, b"+shared: Permission denied\n")
    assert instance.run("deliver", "-a", "writer", "-m", "shared", kind=kind, stdin=text).returncode == 0
    with instance.imap("admin") as admin:
        assert admin.ok("STATUS shared (MESSAGES)").untagged == ["STATUS shared (MESSAGES 1)"]


def test_deliver_relays_a_conversation(instance: Instance) -> None:
    said = b"LHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<cassandane>\r\nDATA\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
    heard = instance.run("deliver", "-l", stdin=said).stdout.decode().split("\r\n")
    assert heard[0].startswith("220 ")
    assert heard[-7:-3] == [heard[-7], "250 2.1.0 ok", "250 2.1.5 ok", "354 go ahead"]
    assert heard[-3].startswith("250 2.1.5 Success")
    assert heard[-2:] == ["221 2.0.0 bye", ""]
    assert exists(instance) == 1


def test_deliver_without_a_server_says_so(instance: Instance) -> None:
    instance.stop()
    for arguments, what in ((("cassandane",), b"couldn't connect to lmtpd"), (("-l",), b"connect failed")):
        done = instance.run("deliver", *arguments, stdin=b"", check=False)
        assert (done.returncode, done.stdout) == (78, b"421 4.3.0 deliver: " + what + b"\r\n")
    instance.start()


def test_a_worker_serves_many_connections_one_after_the_other(instance: Instance) -> None:
    for number in range(5):
        with instance.lmtp() as lmtp:
            assert lmtp.deliver(message(f"{number}", f"{number}"), "cassandane")[0].startswith("250")
            assert lmtp.command("QUIT") == "221 2.0.0 bye"
    wait_for(lambda: exists(instance) == 5, "five messages")


def test_clients_on_the_unix_socket_are_trusted(instance: Instance) -> None:
    with LmtpClient(str(instance.lmtp_socket)) as lmtp:
        assert "250-AUTH EXTERNAL" in lmtp.lhlo.split("\n")
        assert lmtp.deliver(message("x"), "cassandane")[0].startswith("250")
    with ImapClient(("127.0.0.1", instance.ports["imap"])) as imap:
        imap.ok("LOGIN cassandane secret")
        imap.ok("SELECT INBOX")
        assert imap.ok("FETCH 1 BODY.PEEK[HEADER.FIELDS (RECEIVED)]").grep(r"\(\[unix socket\]\)|localhost")
