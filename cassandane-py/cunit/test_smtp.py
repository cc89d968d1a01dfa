"""Handing mail to sendmail or an SMTP host: what is said, and what refusals mean."""

from __future__ import annotations

import logging
import socket
import ssl
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from imap.admin.private_instance import make_certificate
from libcyrus import errors
from libcyrus.config import Config
from libcyrus.smtp import submit
from libcyrus.smtp.envelope import Envelope, Mailbox, xtext

MESSAGE = b"Subject: x\r\n\r\n.dot\r\nlast"
GREETING = "220 there\r\n"
WORDS = ("there", "SIZE 1000", "DSN", "DELIVERBY", "AUTH PLAIN")
HELLO = "".join(f"250-{word}\r\n" for word in WORDS) + "250 ENHANCEDSTATUSCODES\r\n"
GOOD = {"MAIL": "250 ok", "RCPT": "250 ok", "DATA": "354 go on", "QUIT": "221 bye", "RSET": "250 ok"}


class Server:
    """An SMTP server for one connection; replies by verb, ``.`` for the end of a message."""

    def __init__(
        self, replies: dict[str, str], hello: str = HELLO, tls: ssl.SSLContext | None = None
    ) -> None:
        self._tls = tls
        self._replies = {**GOOD, ".": "250 queued", **replies}
        self._hello = hello
        self.heard: list[str] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self.listener.accept()
        with connection:
            if self._tls is not None:
                connection = self._secured(connection, self._tls)
            self._converse(connection, GREETING if self._tls is None else "")

    def _secured(self, connection: socket.socket, context: ssl.SSLContext) -> socket.socket:
        """The connection once STARTTLS, which is all that is on offer, has been said."""
        with connection.makefile("rwb", buffering=0) as file:
            file.write(GREETING.encode())
            for line in file:
                self.heard.append(line.decode().rstrip("\r\n"))
                if line.startswith(b"STARTTLS"):
                    file.write(b"220 go on\r\n")
                    break
                file.write(b"250-there\r\n250 STARTTLS\r\n")
        return context.wrap_socket(connection, server_side=True)

    def _converse(self, connection: socket.socket, greeting: str) -> None:
        with connection, connection.makefile("rwb") as file:
            file.write(greeting.encode())
            file.flush()
            in_data = False
            for line in file:
                text = line.decode().rstrip("\r\n")
                self.heard.append(text)
                if in_data and text != ".":
                    continue
                in_data = False
                verb = text.split(" ")[0].split(":")[0]
                if verb == "EHLO":
                    file.write(self._hello.encode())
                else:
                    reply = self._replies.get(text.partition(" ")[2].partition(" ")[0] or verb)
                    reply = reply or self._replies[verb]
                    file.write(reply.encode() + b"\r\n")
                    in_data = reply.startswith("354")
                file.flush()
                if verb == "QUIT":
                    return

    def close(self) -> list[str]:
        self._thread.join(10)
        self.listener.close()
        return self.heard


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Config]:
    def make(**options: str) -> Config:
        path = tmp_path / "imapd.conf"
        defaults = {"configdirectory": str(tmp_path), "defaultpartition": "d", "partition-d": str(tmp_path)}
        path.write_text("".join(f"{key}: {value}\n" for key, value in {**defaults, **options}.items()))
        return Config.load(str(path), "test")

    return make


def host(config: Callable[..., Config], server: Server, **options: str) -> Config:
    return config(smtp_backend="host", smtp_host=f"127.0.0.1:{server.port}", **options)


def test_a_mail_goes_out_with_what_the_server_understands(config: Callable[..., Config]) -> None:
    server = Server({})
    envelope = Envelope(
        Mailbox("a@x.example"),
        (Mailbox("b@x.example", (("NOTIFY", "NEVER"),)), Mailbox("c@x.example")),
        auth="bob=+", notify="FAILURE", ret="HDRS", by="60;R",
    )  # fmt: skip
    with submit.opened(host(config, server)) as client:
        client.send(envelope, MESSAGE)
    assert server.close() == [
        "EHLO localhost",
        "MAIL FROM:<a@x.example> AUTH=bob+3D+2B RET=HDRS BY=60;R SIZE=24",
        "RCPT TO:<b@x.example> NOTIFY=NEVER",
        "RCPT TO:<c@x.example> NOTIFY=FAILURE",
        "DATA",
        *["Subject: x", "", "..dot", "last", "."],
        "QUIT",
    ]


def test_a_plain_server_is_asked_for_nothing_it_lacks(config: Callable[..., Config]) -> None:
    server = Server({}, hello="250 there\r\n")
    envelope = Envelope(Mailbox(""), (Mailbox("b@x"),), auth="bob", notify="NEVER", ret="FULL", by="1;N")
    with submit.opened(host(config, server)) as client:
        client.send(envelope, MESSAGE)
    assert server.close()[1:3] == ["MAIL FROM:<>", "RCPT TO:<b@x>"]


@pytest.mark.parametrize(
    ("hello", "reply", "error"),
    [
        (HELLO, "550 5.1.1 who", errors.MailboxNonexistent),
        (HELLO, "552 5.3.4 big", errors.MessageTooLarge),
        (HELLO, "550 5.5.3 many", errors.MailboxDisabled),
        (HELLO, "451 4.3.0 no", errors.RemoteDenied),
        (HELLO, "550 5.7.1 no", errors.ProtocolError),
        ("250 there\r\n", "421 no", errors.RemoteDenied),
        ("250 there\r\n", "550 no", errors.MailboxDisabled),
        ("250 there\r\n", "452 no", errors.MessageTooLarge),
        ("250 there\r\n", "553 no", errors.MailboxNonexistent),
        ("250 there\r\n", "500 no", errors.ProtocolError),
    ],
)
def test_one_refused_recipient_stops_the_mail(
    config: Callable[..., Config],
    caplog: pytest.LogCaptureFixture,
    hello: str,
    reply: str,
    error: type[errors.CyrusError],
) -> None:
    server = Server({"TO:<b@x>": reply}, hello)
    envelope = Envelope(Mailbox("a@x"), (Mailbox("b@x"), Mailbox("c@x")))
    with submit.opened(host(config, server)) as client, pytest.raises(error):
        client.send(envelope, MESSAGE)
    heard = server.close()
    assert heard[-3:] == ["RCPT TO:<c@x>", "RSET", "QUIT"]
    assert "DATA" not in heard
    line = f"smtpclient: unexpected response to RCPT TO: code={reply[:3]} text={reply[4:]}"
    assert line in caplog.text


@pytest.mark.parametrize("verb", ["MAIL", "DATA", "."])
def test_every_refusal_is_told(config: Callable[..., Config], verb: str) -> None:
    server = Server({"FROM:<a@x>" if verb == "MAIL" else verb: "451 4.3.0 later"})
    with submit.opened(host(config, server)) as client, pytest.raises(errors.RemoteDenied):
        client.send(Envelope(Mailbox("a@x"), (Mailbox("b@x"),)), MESSAGE)
    server.close()


def test_who_refuses_hears_quit(config: Callable[..., Config]) -> None:
    server = Server({"DATA": "451 4.3.0 later"})
    with pytest.raises(errors.RemoteDenied), submit.opened(host(config, server)) as client:
        client.send(Envelope(Mailbox("a@x"), (Mailbox("b@x"),)), MESSAGE)
    assert server.close()[-2:] == ["DATA", "QUIT"]


def test_who_says_nothing_is_not_waited_for(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit, "REPLY", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rwb", buffering=0) as file:
                file.write(GREETING.encode())
                for line in file:
                    if line.startswith(b"EHLO"):
                        file.write(HELLO.encode())

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        way = config(smtp_backend="host", smtp_host=f"127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(errors.IoError), submit.opened(way) as client:
            client.send(Envelope(Mailbox("a@x"), (Mailbox("b@x"),)), MESSAGE)
        thread.join(10)
        assert not thread.is_alive()


def test_a_message_that_is_too_large_is_not_sent(config: Callable[..., Config]) -> None:
    server = Server({})
    with submit.opened(host(config, server)) as client, pytest.raises(errors.MessageTooLarge):
        client.send(Envelope(Mailbox("a@x"), (Mailbox("b@x"),)), b"x" * 1001)
    assert server.close() == ["EHLO localhost", "QUIT"]


@pytest.mark.parametrize(
    ("envelope", "error"),
    [
        (Envelope(Mailbox("a@x"), ()), errors.ProtocolError),
        (Envelope(Mailbox("a@x"), (Mailbox("b@x>\r\nDATA"),)), errors.ProtocolError),
        (Envelope(Mailbox("a@x", (("AUTH", "root"),)), (Mailbox("b@x"),)), errors.PermissionDenied),
        (Envelope(Mailbox("a@x", (("BY", "1 2"),)), (Mailbox("b@x"),)), errors.ProtocolError),
        (Envelope(Mailbox("a@x"), (Mailbox("b@x", (("-x", None),)),)), errors.ProtocolError),
    ],
)
def test_an_envelope_is_checked_first(
    config: Callable[..., Config], envelope: Envelope, error: type[errors.CyrusError]
) -> None:
    server = Server({})
    with submit.opened(host(config, server)) as client, pytest.raises(error):
        client.send(envelope, MESSAGE)
    assert server.close() == ["EHLO localhost", "QUIT"]


def test_login_where_it_is_configured(config: Callable[..., Config]) -> None:
    server = Server({"AUTH": "235 welcome", "PLAIN": "235 welcome"})
    conf = host(config, server, smtp_auth_authname="me", smtp_auth_password="secret")
    with submit.opened(conf) as client:
        client.send(Envelope(Mailbox("a@x"), (Mailbox("b@x"),)), MESSAGE)
    heard = server.close()
    assert heard[1] == "AUTH PLAIN AG1lAHNlY3JldA=="
    assert heard[-1] == "QUIT"


def test_a_login_waits_for_tls_where_it_must(config: Callable[..., Config], tmp_path: Path) -> None:
    options = make_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options["tls_server_cert"], options["tls_server_key"])
    server = Server({"PLAIN": "235 welcome"}, tls=context)
    conf = host(config, server, smtp_auth_authname="me", smtp_auth_password="secret")
    with submit.opened(conf) as client:
        client.send(Envelope(Mailbox("a@x"), (Mailbox("b@x"),)), MESSAGE)
    heard = server.close()
    assert heard[:4] == ["EHLO localhost", "STARTTLS", "EHLO localhost", "AUTH PLAIN AG1lAHNlY3JldA=="]
    assert heard[-1] == "QUIT"


@pytest.mark.parametrize("reply", ["535 5.7.8 no", "454 4.7.0 later"])
def test_a_login_that_fails_sends_nothing(config: Callable[..., Config], reply: str) -> None:
    server = Server({"PLAIN": reply, "AUTH": reply})
    conf = host(config, server, smtp_auth_authname="me", smtp_auth_password="wrong")
    with pytest.raises(errors.CyrusError), submit.opened(conf):
        pass
    assert not any(line.startswith("MAIL") for line in server.close())


def test_nobody_there(config: Callable[..., Config], caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    conf = config(smtp_backend="host", smtp_host=f"127.0.0.1:{port}")
    with pytest.raises(errors.ServerUnavailable), submit.opened(conf):
        pass
    assert f"smptclient_open: can't connect to host: 127.0.0.1:{port}/noauth" in caplog.text


SENDMAIL = """#!/bin/sh
echo "$0 $*" > {log}
printf '220 hi\\r\\n'
while read -r line; do
    echo "$line" >> {log}
    case "$line" in
    EHLO*) printf '250 hi\\r\\n' ;;
    DATA*) printf '354 go\\r\\n' ;;
    MAIL*|RCPT*|.?) printf '250 ok\\r\\n' ;;
    QUIT*) printf '221 bye\\r\\n'; exit 0 ;;
    esac
done
"""


def script(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_sendmail_is_spoken_to_over_its_input(config: Callable[..., Config], tmp_path: Path) -> None:
    heard = tmp_path / "heard"
    conf = config(sendmail=script(tmp_path / "sendmail", SENDMAIL.format(log=heard)))
    with submit.opened(conf) as client:
        for address in ("b@x", "c@x"):
            client.send(Envelope(Mailbox("a@x"), (Mailbox(address),)), MESSAGE)
    lines = [line.rstrip("\r") for line in heard.read_text().split("\n")]
    assert lines[0].endswith(" -bs")
    mails = [["MAIL FROM:<a@x>", f"RCPT TO:<{to}>", "DATA", "Subject: x", "", "..dot", "last", "."]
             for to in ("b@x", "c@x")]  # fmt: skip
    assert lines[1:-1] == ["EHLO localhost", *mails[0], *mails[1], "QUIT"]


@pytest.mark.parametrize("text", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho 421 busy\n", None])
def test_a_sendmail_that_does_not_serve(
    config: Callable[..., Config], tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str | None
) -> None:
    caplog.set_level(logging.ERROR)
    program = tmp_path / "sendmail"
    if text is not None:
        script(program, text)
    with pytest.raises(errors.IoError), submit.opened(config(sendmail=str(program))):
        pass
    assert "smtpclient_open" in caplog.text or "smptclient_open" in caplog.text


def test_a_sendmail_that_dies_in_the_middle(config: Callable[..., Config], tmp_path: Path) -> None:
    text = "#!/bin/sh\nprintf '220 hi\\r\\n'; read x; printf '250 hi\\r\\n'; read x\n"
    conf = config(sendmail=script(tmp_path / "sendmail", text))
    with pytest.raises(errors.IoError), submit.opened(conf) as client:
        client.send(Envelope(Mailbox("a@x"), (Mailbox("b@x"),)), MESSAGE * 100_000)


def test_xtext() -> None:
    assert xtext("a b+c=é") == "a+20b+2Bc+3D+C3+A9"
