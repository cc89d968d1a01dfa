"""TLS as clients live through it: resumption, names, new certificates, broken handshakes."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cassandane.certificates import Authority, Certificate, write
from cassandane.clients import ImapClient, LmtpClient
from cassandane.debian_modules import OnDebianModules
from cassandane.instance import HARDENED, Instance, make_directory, wait_for
from cassandane.tls_scan import gnutls, openssl

INSECURE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
INSECURE.check_hostname = False
INSECURE.verify_mode = ssl.CERT_NONE


@dataclass
class Site:
    """A server of ours whose workers serve one client each, and who certifies it."""

    authority: Authority
    localhost: Certificate
    further: Path
    server: Instance

    def pids(self, pattern: str) -> list[str]:
        """The workers that logged this, in their order."""
        found = (re.search(rf"\[(\d+)\].*{pattern}", line) for line in self.server.log_lines())
        return [one[1] for one in found if one]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(Instance, id="built-in"),
        pytest.param(OnDebianModules, id="debian", marks=[pytest.mark.long, pytest.mark.reference]),
    ],
)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """The module's server, with the OpenSSL of each kind of pyOpenSSL."""
    if request.param is OnDebianModules and (missing := OnDebianModules.missing()):
        pytest.skip(missing)
    directory = make_directory()
    authority = Authority(directory)
    localhost = authority.issue("localhost", kind="rsa", hosts=["localhost"])
    further = directory / "further"
    further.mkdir()
    inside = Authority(further, name="Further Authority")
    inside.path.unlink()
    one = inside.issue("one", hosts=["one.example.org", "ONE.example.net"], file="one")
    whole = inside.issue("any", hosts=["*.example.com"], file="whole")
    # a certificate and its key in one file
    write(whole.path, whole.path.read_bytes() + whole.key_path.read_bytes())
    whole.key_path.unlink()
    write(further / "broken.pem", b"nothing of use\n")
    write(further / "note.txt", b"not looked at\n")
    write(further / "keyless.pem", one.path.read_bytes())
    assert one.key_path.exists()
    settings = {
        **localhost.server_options(), "tls_server_cert_dir": str(further), "imap4_tls_session_timeout": "0",
    }
    services = ("imap", "imaps", "imap2", "imap3", "imap4", "lmtpauth", "lmtps")
    server: Instance = request.param(services=services, tls=True, imapd_conf=settings)
    text = server.cyrus_conf.read_text()
    for name in ("imap", "imaps", "imap2", "imap3"):
        text = re.sub(rf'^(  {name} cmd="[^"]*)"', r'\1 -U 1"', text, flags=re.MULTILINE)
    server.cyrus_conf.write_text(text)
    server.wrapper = HARDENED
    server.start()
    try:
        yield Site(authority, localhost, further, server)
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()
    shutil.rmtree(directory)


# resumption

@pytest.mark.reference
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_a_session_goes_on_in_another_worker(site: Site, tmp_path: Path, service: str, version: str) -> None:
    port, starttls = site.server.ports[service], "imap" if service == "imap" else None
    # the first worker of all makes what the others then have
    openssl(port, version, starttls=starttls)
    kept = tmp_path / "session"
    before = openssl(port, version, "-sess_out", kept, starttls=starttls)
    assert not before.reused
    after = openssl(port, version, "-sess_in", kept, starttls=starttls)
    assert after.reused
    assert (after.protocol, after.cipher) == (before.protocol, before.cipher)
    workers = site.pids(r"starttls: TLSv1\.\d with cipher \S+ \(256/256 bits (?:new|reused)\)")[-2:]
    assert len(set(workers)) == 2
    assert site.server.log_lines()
    assert site.pids(r"bits reused\) no authentication")[-1] == workers[-1]


@pytest.mark.reference
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_gnutls_goes_on_in_another_worker(site: Site, version: str) -> None:
    openssl(site.server.ports["imap2"], starttls="imap")
    priority = f"--priority=NORMAL:-VERS-ALL:+VERS-TLS{version}"
    said = gnutls(site.server.ports["imap2"], "--resume", "--waitresumption", priority, starttls="imap")
    assert "*** This is a resumed session" in said, said
    assert len(set(site.pids("starttls: ")[-2:])) == 2


@pytest.mark.reference
def test_sessions_of_one_service_are_no_good_for_another(site: Site, tmp_path: Path) -> None:
    kept = tmp_path / "session"
    openssl(site.server.ports["imap"], starttls="imap")
    openssl(site.server.ports["imap"], "-sess_out", kept, starttls="imap")
    assert openssl(site.server.ports["imap"], "-sess_in", kept, starttls="imap").reused
    other = openssl(site.server.ports["imap3"], "-sess_in", kept, starttls="imap")
    assert other.ok
    assert not other.reused


@pytest.mark.reference
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_nothing_goes_on_where_sessions_last_no_time(site: Site, tmp_path: Path, version: str) -> None:
    kept = tmp_path / "session"
    port = site.server.ports["imap4"]
    openssl(port, version, "-sess_out", kept, starttls="imap")
    openssl(port, version, "-sess_out", kept, starttls="imap")
    if kept.exists():
        assert not openssl(port, version, "-sess_in", kept, starttls="imap").reused


# names

@pytest.mark.reference
@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("one.example.org", "one"),
        ("One.Example.NET", "one"),
        ("any.example.com", "any"),
        ("a.b.example.com", "localhost"),
        ("example.com", "localhost"),
        ("localhost", "localhost"),
        ("unknown.example.org", "localhost"),
        (None, "localhost"),
    ],
)
def test_the_certificate_is_that_of_the_name_asked_for(site: Site, name: str | None, subject: str) -> None:
    asked = ["-servername", name] if name else ["-noservername"]
    for service, starttls in {"imap": "imap", "imaps": None, "lmtpauth": "lmtp"}.items():
        shown = openssl(site.server.ports[service], *asked, starttls=starttls, say=ENDS[service])
        assert shown.subject == subject, service
    said = "\n".join(site.server.log_lines())
    assert re.search("TLS server engine: tls_server_cert_dir: '.*/broken.pem': ", said)
    assert re.search(
        "engine: tls_server_cert_dir: unable to get private key from '.*/keyless.pem': no start line", said
    )
    assert "note.txt" not in said


ENDS = {"imap": b"a LOGOUT", "imaps": b"a LOGOUT", "lmtpauth": b"QUIT"}


@pytest.mark.reference
def test_a_session_of_a_further_certificate_goes_on(site: Site, tmp_path: Path) -> None:
    kept, port = tmp_path / "session", site.server.ports["imaps"]
    asked = ("-servername", "one.example.org")
    openssl(port, *asked, "-sess_out", kept)
    after = openssl(port, *asked, "-sess_in", kept)
    assert after.reused
    assert after.subject == "one"


def test_a_hello_in_pieces_is_waited_for(site: Site) -> None:
    """The name may come in a later segment: nothing is decided before."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = INSECURE.wrap_bio(incoming, outgoing, server_hostname="one.example.org")
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    hello = outgoing.read()
    with socket.create_connection(("127.0.0.1", site.server.ports["imaps"]), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(hello), 40):
            sock.sendall(hello[start : start + 40])
        while True:
            incoming.write(sock.recv(65536))
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                # the server may ask for another hello, with a key of its curve
                sock.sendall(outgoing.read())
        certificate = session.getpeercert(binary_form=True)
    assert certificate is not None
    assert b"one.example.org" in certificate


# new certificates

@pytest.fixture
def renewable(tmp_path: Path) -> Iterator[tuple[Instance, Authority]]:
    directory = make_directory()
    authority = Authority(directory)
    first = authority.issue("first", file="current")
    server = Instance(services=("imap", "imaps"), tls=True, imapd_conf=first.server_options())
    server.start()
    try:
        yield server, authority
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
    server.remove()
    shutil.rmtree(directory)


def subject(server: Instance, service: str) -> str:
    """The common name that a new connection is shown."""
    with socket.create_connection(("127.0.0.1", server.ports[service]), timeout=30) as sock:
        if service == "imap":
            sock.recv(65536)
            sock.sendall(b"t STARTTLS\r\n")
            assert sock.recv(65536).startswith(b"t OK")
        with INSECURE.wrap_socket(sock) as session:
            shown = session.getpeercert(binary_form=True)
    assert shown is not None
    return next(name for name in ("first", "second", "third") if name.encode() in shown)


def test_sighup_brings_new_certificates_and_spares_live_connections(
    renewable: tuple[Instance, Authority],
) -> None:
    server, authority = renewable
    with server.imap(service="imaps") as live:
        assert subject(server, "imaps") == "first"
        assert subject(server, "imap") == "first"
        authority.issue("second", file="current")
        os.kill(int(server.pidfile.read_text()), signal.SIGHUP)
        for service in ("imaps", "imap"):
            wait_for(
                lambda service=service: subject(server, service) == "second",
                "the old certificate is shown", detail=server.describe,
            )
        live.ok("NOOP")


def test_new_files_are_found_without_being_told(renewable: tuple[Instance, Authority]) -> None:
    """A worker that comes later has them; if they are no good it has those of before."""
    server, authority = renewable
    good = Path(server.settings["tls_server_key"])
    key = good.read_bytes()
    with contextlib.ExitStack() as held:

        def shown() -> str:
            """By a worker that comes when all others are busy."""
            held.enter_context(contextlib.closing(server.imap(service="imaps")))
            return subject(server, "imaps")

        assert shown() == "first"
        write(good, b"half a key\n")
        wait_for(
            lambda: shown() == "first" and "of before stay in use" in "".join(server.log_lines()),
            "nobody looked", detail=server.describe,
        )
        assert f"unable to get private key from '{good}'" in "".join(server.log_lines())
        write(good, key)
        authority.issue("third", file="current")
        wait_for(lambda: shown() == "third", "the old certificate is shown", detail=server.describe)


@pytest.mark.reference
def test_tickets_of_before_a_reload_cost_a_handshake_and_nothing_else(
    renewable: tuple[Instance, Authority], tmp_path: Path
) -> None:
    """Keys end with their pool, so that nobody who gets at a later one can read what was said before."""
    server, _ = renewable
    kept, port = tmp_path / "session", server.ports["imaps"]
    assert openssl(port, "-sess_out", kept).ok
    assert openssl(port, "-sess_in", kept).reused
    os.kill(int(server.pidfile.read_text()), signal.SIGHUP)

    def begun_anew() -> bool:
        shown = openssl(port, "-sess_in", kept)
        assert any(line.startswith("a OK") for line in shown.said), shown.output
        return not shown.reused

    wait_for(begun_anew, "the old keys are still in use", detail=server.describe)


def greeted(server: Instance) -> bool:
    """Whether a new connection to ``imaps`` comes to its greeting."""
    with socket.create_connection(("127.0.0.1", server.ports["imaps"]), timeout=30) as sock:
        try:
            with INSECURE.wrap_socket(sock) as session:
                return session.recv(100).startswith(b"* OK")
        except (ssl.SSLError, ConnectionResetError):
            return False


@pytest.mark.reference
@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_sighup_with_a_broken_key_ends_tls_until_it_is_whole(kind: str) -> None:
    directory = make_directory()
    first = Authority(directory).issue("first")
    services, options = ("imap", "imaps"), first.server_options()
    server = Instance(
        services=services, programs=dict.fromkeys(services, kind), master=kind, imapd_conf=options
    )
    server.start()
    try:
        live = server.imap(service="imaps")
        key = first.key_path.read_bytes()
        write(first.key_path, b"half a key\n")
        os.kill(int(server.pidfile.read_text()), signal.SIGHUP)
        wait_for(lambda: not greeted(server), "the old key is still in use", detail=server.describe)
        for _ in range(2):
            with server.imap() as client:
                assert client.no("STARTTLS").text == "Error initializing TLS"
        live.ok("NOOP")
        write(first.key_path, key)
        wait_for(lambda: greeted(server), "the key is not looked at", detail=server.describe)
        wait_for(
            lambda: server.imap().command("STARTTLS").status == "OK", "the key is not looked at",
            detail=server.describe,
        )
        live.close()
    finally:
        server.stop(check=False)
    server.remove()
    shutil.rmtree(directory)


# what comes in the clear

def test_nothing_said_before_tls_is_heard_in_it(site: Site) -> None:
    """RFC 9051 section 11.1: a command that somebody put behind STARTTLS."""
    for injected in (b"x LOGIN admin secret\r\n", b"x LOGIN admin {6}\r\n", b"x" * 9000 + b" NOOP\r\n" * 900):
        client = ImapClient(("127.0.0.1", site.server.ports["imap4"]))
        client.send(b"t STARTTLS\r\n" + injected)
        assert client.line() == b"t OK Begin TLS negotiation now"
        client.start_tls()
        assert client.ok("NOOP").untagged == []
        assert client.bad("SELECT INBOX").text == "Please login first"
        client.close()


def test_what_is_said_between_starttls_and_tls_ends_the_connection(site: Site) -> None:
    client = ImapClient(("127.0.0.1", site.server.ports["imap4"]))
    client.send(b"t STARTTLS\r\n")
    assert client.line() == b"t OK Begin TLS negotiation now"
    client.send(b"x LOGIN admin secret\r\n")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        client.start_tls()
    client.close()
    lmtp = LmtpClient(("127.0.0.1", site.server.ports["lmtpauth"]))
    assert lmtp.command("STARTTLS").startswith("220 ")
    lmtp.send(b"MAIL FROM:<>\r\n")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        lmtp.start_tls()
    lmtp.close()


def test_lmtp_forgets_what_came_before_tls(site: Site) -> None:
    client = LmtpClient(("127.0.0.1", site.server.ports["lmtpauth"]))
    client.send(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<>\r\n")
    assert client.reply() == "220 Begin TLS negotiation now"
    client.start_tls()
    assert client.command("VRFY joe").startswith("252 ")
    assert client.command("STARTTLS") == "454 4.3.3 Already successfully executed STARTTLS"
    assert "STARTTLS" not in client.command("LHLO again")
    client.close()


def test_starttls_is_a_command_of_its_own(site: Site) -> None:
    client = ImapClient(("127.0.0.1", site.server.ports["imap4"]))
    assert client.bad("STARTTLS now").status == "BAD"
    client.send(b"l LOGIN {12}\r\n")
    assert client.line().startswith(b"+")
    client.send(b"x STARTTLS\r\n secret\r\n")
    assert client.line().startswith(b"l NO")
    client.close()
    client = ImapClient(("127.0.0.1", site.server.ports["imap4"]))
    client.ok("STARTTLS")
    client.start_tls()
    assert client.bad("STARTTLS").text == "Already did a successful Starttls"
    client.ok("LOGIN joe secret")
    assert client.bad("STARTTLS").text == "Can't Starttls after authentication"
    client.close()


def test_lmtps_begins_with_tls(site: Site) -> None:
    address = ("127.0.0.1", site.server.ports["lmtps"])
    with socket.create_connection(address, timeout=30) as sock, INSECURE.wrap_socket(sock) as session:
        assert session.recv(1000).startswith(b"220 mail.example.org")
        session.sendall(b"LHLO me\r\n")
        assert b"STARTTLS" not in session.recv(10000)
    with (
        socket.create_connection(address, timeout=30) as sock,
        contextlib.suppress(ConnectionResetError),
    ):
        sock.sendall(b"LHLO me\r\n\r\n\r\n\r\n")
        assert not sock.recv(1000).startswith(b"2")


# clients that misbehave

def test_rubbish_ends_the_connection(site: Site) -> None:
    for rubbish in (b"\0" * 100_000, b"\x16\x03\x01\xff\xff" + b"x" * 100_000, os.urandom(1_000_000)):
        with socket.create_connection(("127.0.0.1", site.server.ports["imaps"]), timeout=30) as sock:
            try:
                sock.sendall(rubbish)
                while sock.recv(65536):
                    pass
            except (ConnectionResetError, BrokenPipeError):
                pass


def test_a_client_that_never_shakes_hands_does_not_hold_up_the_end() -> None:
    """The worker of a stalled handshake goes when it is told to."""
    server = Instance(services=("imap", "imaps"), tls=True).start()
    with socket.create_connection(("127.0.0.1", server.ports["imaps"])) as silent:
        silent.sendall(b"\x16\x03\x01")
        with server.imap() as other:
            other.send(b"t STARTTLS\r\n")
            other.line()
            server.stop()
    server.remove()


def test_goodbye_is_said_in_tls(site: Site) -> None:
    """Without close_notify a client cannot tell an end from an attack. Half a connection can be used on."""
    address = ("127.0.0.1", site.server.ports["imaps"])
    with (
        socket.create_connection(address, timeout=30) as sock,
        INSECURE.wrap_socket(sock, suppress_ragged_eofs=False) as session,
    ):
        session.sendall(b"a NOOP\r\nb LOGOUT\r\n")
        socket.socket.shutdown(session, socket.SHUT_WR)
        said = b""
        while data := session.recv(65536):
            said += data
    assert b"\r\na OK" in said
    assert b"\r\nb OK" in said
