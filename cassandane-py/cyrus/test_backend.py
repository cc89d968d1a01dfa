"""Our client side against the original's daemons, and ours: every protocol, with and without TLS."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from cassandane.instance import Instance, give_away
from libcyrus.backend import http_response
from libcyrus.backend.connect import Address, connect, open_socket
from libcyrus.backend.dialect import Refused
from libcyrus.backend.dialects import DIALECTS
from libcyrus.backend.peer import Peer
from libcyrus.backend.xmtp import Lmtp
from libcyrus.config import Config
from libcyrus.errors import BadParameters, ServerUnavailable
from libcyrus.prot import ProtStream
from libcyrus.prot.tls import ClientParameters, TlsContext, TlsError, client_context
from libcyrus.sasl import SaslError
from libcyrus.sasl.client import Login

# what the instance calls the service, by the protocol's name
SERVICES = {
    "imap": "imap", "pop3": "pop3", "nntp": "nntp", "lmtp": "lmtpauth", "sieve": "sieve", "csync": "csync",
    "mupdate": "mupdate", "http": "http",
}  # fmt: skip
USER = Login("cassandane", "secret")
ADMIN = Login("admin", "secret")


def users(instance: Instance) -> dict[str, str]:
    """The options of a place where passwords are, the same for both servers."""
    path = instance.directory / "users.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        connection.executemany(
            "INSERT INTO users VALUES (?, ?)", [(login.authcid, login.password) for login in (USER, ADMIN)]
        )
    connection.close()
    give_away(path)
    return {
        "failedloginpause": "0",
        "sasl_pwcheck_method": "auxprop",
        "sasl_auxprop_plugin": "sql",
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(path),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
    }


def running(instance: Instance) -> Iterator[Instance]:
    mechanisms = instance.settings.pop("sasl_mech_list")
    # only in a Murder httpd tells of its TLS, and lets somebody act for another
    instance.settings |= {
        "httpmodules": "webdav", "http_mupdate_server": "localhost", "http_proxyservers": "admin",
        "http2_mupdate_server": "localhost", "http2_proxyservers": "admin", "http2_tls_required": "yes",
    }  # fmt: skip
    instance.settings |= users(instance) | {
        "sasl_mech_list": mechanisms + " SCRAM-SHA-256 DIGEST-MD5 CRAM-MD5"
    }
    for name in ("conf/sieve", "conf/mupdate"):
        (instance.directory / name).mkdir()
        give_away(instance.directory / name)
    instance.write_configuration()
    instance.start()
    instance.create_user("cassandane")
    yield instance
    instance.stop()
    instance.remove()


@pytest.fixture(scope="module")
def original() -> Iterator[Instance]:
    services = (*SERVICES.values(), "http2")
    programs = dict.fromkeys(services, "reference")
    yield from running(Instance(services=services, programs=programs, master="reference", tls=True))


@pytest.fixture(scope="module")
def ours() -> Iterator[Instance]:
    yield from running(Instance(services=("imap", "imaps", "lmtpauth", "lmtpunix"), tls=True))


@pytest.fixture(scope="module")
def context() -> TlsContext:
    return client_context(ClientParameters())


def dial(instance: Instance, protocol: str) -> Peer:
    dialect = DIALECTS[protocol]()
    port = instance.ports[SERVICES[protocol]]
    sock = open_socket(Address("127.0.0.1", port), dialect, timeout=20)
    peer = Peer(ProtStream(sock, timeout=20), dialect, "mail.example.org", port)
    peer.greet()
    return peer


def go_through(instance: Instance, protocol: str, mechanism: str | None, tls: TlsContext | None) -> None:
    login = ADMIN if protocol in ("lmtp", "csync", "mupdate") else USER
    with closing(dial(instance, protocol)) as peer:
        if tls is not None:
            peer.starttls(tls)
        peer.authenticate(login, wanted=mechanism)
        if tls is None and peer.capabilities.compress:
            peer.compress()
        assert peer.is_alive()
        peer.logout()
        assert not peer.is_alive()
    with closing(dial(instance, protocol)) as peer, pytest.raises(Refused):
        peer.authenticate(Login(login.authcid, "wrong"), wanted=mechanism)


MECHANISMS = [None, "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256"]


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("protocol", SERVICES)
def test_the_originals_daemons(original: Instance, protocol: str, mechanism: str | None) -> None:
    if protocol == "http" and mechanism in ("LOGIN", "CRAM-MD5"):
        with closing(dial(original, protocol)) as peer, pytest.raises(SaslError):
            peer.authenticate(USER, wanted=mechanism)
        return
    go_through(original, protocol, mechanism, None)


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", ["PLAIN", "DIGEST-MD5", "SCRAM-SHA-256"])
def test_whom_one_acts_for_is_said_in_a_header(original: Instance, mechanism: str) -> None:
    with closing(dial(original, "http")) as peer:
        peer.authenticate(Login("admin", "secret", authzid="cassandane"), wanted=mechanism)
    with closing(dial(original, "http")) as peer, pytest.raises(Refused):
        peer.authenticate(Login("cassandane", "secret", authzid="admin"), wanted=mechanism)


@pytest.mark.reference
@pytest.mark.parametrize("protocol", SERVICES)
def test_the_originals_daemons_over_tls(original: Instance, context: TlsContext, protocol: str) -> None:
    go_through(original, protocol, None, context)


def configured(password: str = "secret", **options: Any) -> Config:
    return Config.for_tests(
        proxy_authname="admin", proxy_password=password, servername="localhost", **options
    )


@pytest.mark.reference
def test_a_proxy_comes_to_httpd(original: Instance) -> None:
    """One of the servers wants TLS before anything else, and says so when it is asked how to log in."""
    for service in ("http", "http2"):
        server = f"127.0.0.1:{original.ports[service]}"
        with closing(connect(configured(), server, DIALECTS["http"](), userid="cassandane")) as peer:
            assert (peer.tls is not None) is (service == "http2")
            # the connection stays, and so does the login
            peer.send(b"OPTIONS / HTTP/1.1", b"Host: localhost", b"")
            assert http_response.read(peer).status == 200
            peer.logout()
        with pytest.raises(ServerUnavailable):
            connect(configured("wrong"), server, DIALECTS["http"]())


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("protocol", ["imap", "lmtp"])
def test_our_daemons(ours: Instance, context: TlsContext, protocol: str, mechanism: str | None) -> None:
    go_through(ours, protocol, mechanism, None)
    go_through(ours, protocol, mechanism, context)


def test_a_response_that_does_not_fit_into_the_command(ours: Instance) -> None:
    with closing(dial(ours, "lmtp")) as peer:
        with pytest.raises(Refused):
            peer.authenticate(Login("admin", "x" * 900), wanted="PLAIN")
        peer.authenticate(ADMIN, wanted="PLAIN", initial_response=False)


def test_connecting_as_the_configuration_says(ours: Instance) -> None:
    port = ours.ports["imap"]
    config = configured(proxy_compress=True, force_sasl_client_mech="PLAIN SCRAM-SHA-256")
    with closing(connect(config, f"127.0.0.1:{port}", DIALECTS["imap"](), userid="cassandane")) as peer:
        assert peer.stream.compressed
        peer.logout()
    with closing(connect(config, f"localhost:{ours.ports['imaps']}/tls", DIALECTS["imap"]())) as peer:
        assert peer.tls is not None
    with closing(connect(config, f"localhost:{port}/noauth", DIALECTS["imap"]())) as peer:
        assert peer.capabilities.mechanisms
    with closing(connect(config, str(ours.lmtp_socket), Lmtp("here"))) as peer:
        peer.logout()


def test_tls_is_used_where_no_mechanism_will_do_without(ours: Instance) -> None:
    ours_only = Config.for_tests(
        proxy_authname="admin",
        servername="localhost",
        force_sasl_client_mech="SCRAM-SHA-256-PLUS",
        extra={"localhost_password": "secret"},
    )
    with closing(connect(ours_only, f"localhost:{ours.ports['imap']}", DIALECTS["imap"]())) as peer:
        assert peer.tls is not None


@pytest.mark.parametrize("server", ["127.0.0.1:1", "/no/such/socket"])
def test_a_server_that_is_not_there(server: str) -> None:
    with pytest.raises(ServerUnavailable):
        connect(configured(), server, DIALECTS["imap"]())


def test_a_certificate_can_be_checked(ours: Instance) -> None:
    trusting = client_context(ClientParameters(ca_file=ours.settings["tls_server_cert"], verify=True))
    with closing(dial(ours, "imap")) as peer:
        peer.starttls(trusting)
    with closing(dial(ours, "imap")) as peer, pytest.raises(TlsError):
        peer.starttls(client_context(ClientParameters(verify=True)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail", Address("mail")),
        ("mail:imap", Address("mail", "imap")),
        ("mail:1143/tls/noauth", Address("mail", "1143", tls=True, noauth=True)),
        ("[::1]:143", Address("::1", "143")),
        ("/run/lmtp", Address("localhost", path="/run/lmtp")),
    ],
)
def test_how_a_server_is_written(text: str, expected: Address) -> None:
    assert Address.parse(text) == expected


@pytest.mark.parametrize("text", ["", ":143", "mail:143/ssl", "[::1", "::1"])
def test_what_is_no_server(text: str) -> None:
    with pytest.raises(BadParameters):
        Address.parse(text)
