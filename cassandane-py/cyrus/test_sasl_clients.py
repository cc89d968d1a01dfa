"""Every mechanism with clients of all kinds, the original's, ours and others'; security layers."""

from __future__ import annotations

import imaplib
import signal
from collections.abc import Iterator

import pytest

from cassandane import reference
from cassandane.exchanges import Answer, Case, Digest, Scram, Talk
from cassandane.instance import Instance, program
from cassandane.sasl_server import DAEMONS, PROGRAMS, port, run, running
from libcyrus.backend.connect import Address, open_socket
from libcyrus.backend.dialect import Capabilities, Dialect, Refused
from libcyrus.backend.dialects import DIALECTS
from libcyrus.backend.peer import Peer
from libcyrus.prot import ProtStream
from libcyrus.prot.tls import ClientParameters, client_context
from libcyrus.sasl import SaslError
from libcyrus.sasl.client import Login

pytestmark = pytest.mark.reference

SCRAM = [f"SCRAM-SHA-{size}" for size in ("1", "224", "256", "384", "512")]
SECRET = [*SCRAM, "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"]


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    with running(PROGRAMS, {}) as instance:
        yield instance


# the original's clients with our servers


TESTERS = {"imap": ("imtest", ". logout"), "lmtp": ("lmtptest", "QUIT"), "sieve": ("sivtest", "LOGOUT")}
"""Their names, and how to say goodbye."""


def imtest(
    kind: str, server: Instance, at: str, mechanism: str, password: str, *options: str, protocol: str = "imap"
) -> str:
    """Run a test client of one kind at the servers of another."""
    name, goodbye = TESTERS[protocol]
    return run(
        [
            program(kind, name), "-m", mechanism, "-a", "admin", "-u", "admin", "-w", password,
            "-p", str(port(server, protocol, at)), *options, "127.0.0.1",
        ],
        goodbye + "\r\n",
    ).stdout  # fmt: skip


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("protocol", DAEMONS)
@pytest.mark.parametrize("mechanism", SECRET)
def test_the_originals_clients(server: Instance, mechanism: str, protocol: str, tls: bool) -> None:
    # with TLS the original takes the -PLUS of a SCRAM, and binds
    options = ["-t", ""] if tls else []
    for password, said in (("secret", "Authenticated."), ("wrong", "Authentication failed.")):
        assert said in imtest("reference", server, "ours", mechanism, password, *options, protocol=protocol)


@pytest.mark.parametrize("mechanism", SECRET)
def test_the_originals_cyradm(server: Instance, mechanism: str) -> None:
    def ask(password: str) -> str:
        done = run(
            [
                program("reference", "cyradm"), "--norc", "--user", "admin", "--password", password, "--auth",
                mechanism, "--port", str(port(server, "imap", "ours")), "127.0.0.1",
            ],
            "lm user/other\n",
        )  # fmt: skip
        return done.stdout

    assert "user/other" in ask("secret")
    assert "user/other" not in ask("wrong")


# our clients with the original's servers, and with ours


def connected(server: Instance, protocol: str, kind: str) -> Peer:
    dialect: Dialect = DIALECTS[protocol]("here") if protocol == "lmtp" else DIALECTS[protocol]()  # type: ignore[call-arg]
    sock = open_socket(Address("127.0.0.1", port(server, protocol, kind)), dialect, timeout=30)
    peer = Peer(ProtStream(sock, timeout=30), dialect, "mail.example.org")
    peer.greet()
    return peer


def log_in(
    server: Instance, protocol: str, kind: str, mechanism: str, password: str, *, tls: bool, maximum: int = 0
) -> Peer:
    peer = connected(server, protocol, kind)
    try:
        if tls:
            peer.starttls(client_context(ClientParameters()))
        peer.authenticate(Login("admin", password), wanted=mechanism, maximum=maximum)
    except BaseException:
        peer.close()
        raise
    return peer


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("protocol", DAEMONS)
@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_our_client(server: Instance, kind: str, protocol: str, tls: bool) -> None:
    for mechanism in SECRET:
        peer = log_in(server, protocol, kind, mechanism, "secret", tls=tls)
        peer.logout()
        peer.close()
        with pytest.raises((Refused, SaslError)):
            log_in(server, protocol, kind, mechanism, "wrong", tls=tls)


@pytest.mark.parametrize("mechanism", [name for name in SECRET if name != "LOGIN"])
def test_our_imtest(server: Instance, mechanism: str) -> None:
    said = imtest("ours", server, "reference", mechanism, "secret", "-l", "0")
    assert "Authenticated.\nSecurity strength factor: 0\n" in said


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "SCRAM-SHA-512"])
def test_our_cyradm(server: Instance, mechanism: str) -> None:
    done = run(
        [
            program("ours", "cyradm"), "--norc", "--user", "admin", "--password", "secret",
            "--auth", mechanism, "--port", str(port(server, "imap", "reference")), "127.0.0.1",
        ],
        "lm user/other\n",
    )  # fmt: skip
    assert "user/other" in done.stdout, done.stderr


# security layers


@pytest.mark.parametrize("strength", [1, 40, 55, 56, 128])
def test_layers_between_both_kinds(server: Instance, strength: int) -> None:
    """Without 112: the original's 3DES does not work between its own programs either."""
    for ours, theirs in (("ours", "reference"), ("reference", "ours")):
        said = imtest(ours, server, theirs, "DIGEST-MD5", "secret", "-k", str(strength), "-l", str(strength))
        assert f"Authenticated.\nSecurity strength factor: {strength}\n" in said.replace("\r", "")
        assert "protection) SESSIONID" in said
        assert "WARNING" not in said
        assert ". OK Completed" in said


@pytest.mark.parametrize("kind", ["ours", "reference"])
@pytest.mark.parametrize("strength", [1, 40, 55, 56, 128])
def test_mail_passes_through_a_layer(server: Instance, kind: str, strength: int) -> None:
    """More than one buffer of it, both ways; in our server with compression above the layer."""
    peer = log_in(server, "imap", kind, "DIGEST-MD5", "secret", tls=False, maximum=strength)
    assert peer.strength == strength
    if kind == "ours":
        peer.compress()
    mail = b"Subject: layers\r\n\r\n" + b"".join(b"line %d of many\r\n" % number for number in range(1500))
    peer.stream.write(b"a APPEND user/other {%d+}\r\n" % len(mail) + mail + b"\r\nb SELECT user/other\r\n")
    peer.stream.write(b"c FETCH * BODY.PEEK[]\r\n")
    while not (line := peer.receive()).startswith(b"* ") or b"BODY[]" not in line:
        assert b" NO " not in line
        assert b" BAD " not in line
    assert peer.stream.read(len(mail)) == mail
    while not peer.receive().startswith(b"c OK"):
        pass
    peer.logout()
    peer.close()


@pytest.mark.parametrize("protocol", ["imap", "lmtp"])
def test_what_breaks_a_layer_ends_the_connection_in_the_same_words(server: Instance, protocol: str) -> None:
    """Where the original has words of its own for it, and not those of an earlier fault."""

    def say(kind: str, broken: bytes) -> str:
        talk = Talk(port(server, protocol, kind), protocol)
        digest = Digest(protocol, said={"qop": "auth-int"})
        assert "+" in talk.authenticate(Case("DIGEST-MD5", None, (digest, b"")))
        talk.send(broken)
        said = talk.socket.makefile("rb").read()
        talk.close()
        # without the frame, whose keys are never the same
        return said[4:-16].decode()

    for broken in (b"\0\0\0\x05hello", b"\0\0\0\x10" + b"x" * 16):
        assert say("ours", broken) == say("reference", broken)
    for broken, words in {
        b"\0\0\x10\x01": "encoded packet size too big (4097 > 4096)",
        b"c NOOP\r\n" * 4: "encoded packet size too big (1663061583 > 4096)",
        b"\0\0\0\x10" + b"x" * 10 + b"\0\1\0\0\0\1": "Incorrect Sequence Number: received 1, expected 0",
        b"\0\0\0\x10" + b"x" * 10 + b"\0\1\0\0\0\0": "CMAC doesn't match",
    }.items():
        begin = "decoding error: generic failure; SASL(-1): generic failure: "
        assert say("ours", broken).endswith(f" {begin}{words}\r\n")


@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_a_list_of_mechanisms_that_was_cut_on_its_way_is_noticed(server: Instance, kind: str) -> None:
    """Under the layer, where the true list comes."""
    peer = connected(server, "imap", kind)
    peer.capabilities = Capabilities(mechanisms=("DIGEST-MD5",))
    with pytest.raises(SaslError, match="possible MITM attack"):
        peer.authenticate(Login("admin", "secret"), maximum=128)
    peer.close()


def test_unauthenticate_takes_the_layer_away(server: Instance) -> None:
    peer = log_in(server, "imap", "ours", "DIGEST-MD5", "secret", tls=False, maximum=128)
    peer.stream.write(b"a UNAUTHENTICATE\r\n")
    while not peer.receive().startswith(b"a OK"):
        pass
    peer.stream.unprotect()
    peer.stream.write(b"b LOGIN admin secret\r\n")
    assert b"b OK" in peer.receive()
    peer.close()


# public clients


def test_imaplib(server: Instance) -> None:
    at = port(server, "imap", "ours")
    with imaplib.IMAP4("127.0.0.1", at) as client:
        assert client.login_cram_md5("cassandane", "secret")[0] == "OK"
    with imaplib.IMAP4("127.0.0.1", at) as client, pytest.raises(imaplib.IMAP4.error):
        client.login_cram_md5("cassandane", "wrong")
    with imaplib.IMAP4("127.0.0.1", at) as client:
        assert client.authenticate("PLAIN", lambda _: b"\0cassandane\0secret")[0] == "OK"
    with imaplib.IMAP4("127.0.0.1", at) as client:
        answers = [b"secret", b"cassandane"]
        assert client.authenticate("LOGIN", lambda _: answers.pop())[0] == "OK"
    with imaplib.IMAP4("127.0.0.1", at) as client:
        answers = [b"", Scram().final, b"n,," + Scram().bare]  # type: ignore[list-item]

        def answer(challenge: bytes) -> bytes:
            made: Answer = answers.pop()
            return made(challenge) if callable(made) else made  # type: ignore[return-value]

        assert client.authenticate("SCRAM-SHA-256", answer)[0] == "OK"


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_curl(server: Instance, mechanism: str) -> None:
    def ask(password: str, *options: str) -> int:
        command = [
            reference.program("curl"), "-sS", "--login-options", f"AUTH={mechanism}", *options,
            "-X", "NAMESPACE", "-u", f"cassandane:{password}",
            f"imap://127.0.0.1:{port(server, 'imap', 'ours')}/",
        ]  # fmt: skip
        return run(command).returncode

    assert ask("secret") == ask("secret", "--ssl-reqd", "-k") == 0
    assert ask("wrong") == 67


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_swaks(server: Instance, mechanism: str) -> None:
    def ask(password: str, *options: str) -> int:
        command = [
            reference.program("swaks"), "--server", "127.0.0.1", "--port", str(port(server, "lmtp", "ours")),
            "--protocol", "LMTP", "--auth", mechanism, "--auth-extra", "dmd5-serv-type=lmtp", *options,
            "-au", "admin", "-ap", password, "--quit-after", "AUTH",
        ]  # fmt: skip
        return run(command).returncode

    assert ask("secret", "-tls") == 0
    assert ask("wrong") == 28


GSASL = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]


def gsasl(server: Instance, mechanism: str, password: str, *options: str, typed: str = "") -> int:
    command = [
        reference.program("gsasl"), "--imap", "127.0.0.1", str(port(server, "imap", "ours")), "-m", mechanism,
        "-a", "cassandane", "-z", "cassandane", "-p", password, "--realm", "mail.example.org",
        "--service", "imap", "--hostname", "mail.example.org", *options,
    ]  # fmt: skip
    return run(command, typed).returncode


@pytest.mark.parametrize("mechanism", GSASL)
def test_gsasl(server: Instance, mechanism: str) -> None:
    assert gsasl(server, mechanism, "secret", "--no-starttls") == 0
    assert gsasl(server, mechanism, "wrong", "--no-starttls") == 1


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
def test_gsasl_binds_to_the_exporter_of_tls(server: Instance, mechanism: str) -> None:
    """Which the original does not know (RFC 9266)."""
    assert gsasl(server, mechanism, "secret", "--starttls", "--x509-ca-file=") == 0
    assert gsasl(server, mechanism, "wrong", "--starttls", "--x509-ca-file=") == 1


def test_gsasl_has_integrity(server: Instance) -> None:
    options = ("--no-starttls", "--quality-of-protection=qop-int")
    # it says its own goodbye in the clear, and too late if we were quicker
    ended = gsasl(server, "DIGEST-MD5", "secret", *options, typed=". LOGOUT\r\n")
    assert ended in (0, -signal.SIGPIPE)
