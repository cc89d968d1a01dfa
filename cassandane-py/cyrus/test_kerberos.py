"""Kerberos tickets: the original's client on our server, ours on the original's, both with their layers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from cassandane import reference
from cassandane.instance import Instance, program
from cassandane.kerberos import REALM, Realm

pytestmark = pytest.mark.reference

MECHANISMS = ["GSSAPI", "GSS-SPNEGO"]


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    with Realm() as made:
        made.add_user("cassandane")
        made.add_user("admin")
        made.add_service("imap/localhost", made.directory / "keytab")
        yield made


@pytest.fixture(scope="module")
def server(realm: Realm) -> Iterator[Instance]:
    keytab = str(realm.directory / "keytab")
    instance = Instance(
        services=("imap1", "imap2"),
        programs={"imap2": "reference"},
        tls=True,
        imapd_conf={
            "servername": "localhost",
            "sasl_mech_list": "GSSAPI GSS-SPNEGO PLAIN",
            "sasl_keytab": keytab,
            "failedloginpause": "0",
        },
    )
    # the original's plugin takes no notice of sasl_keytab
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**realm.environment, "KRB5_KTNAME": keytab}.items():
            environment.setenv(name, value)
        instance.start()
    with instance.imap("admin", service="imap1") as client:
        client.command("CREATE user/cassandane")
    yield instance
    instance.stop()
    instance.remove()


class Pair(NamedTuple):
    """A client's kind, and the service it talks to."""

    kind: str
    service: str

    def imtest(self, server: Instance, environment: dict[str, str], *options: str) -> str:
        base = reference.environment() if self.kind == "reference" else dict(os.environ)
        done = subprocess.run(
            [program(self.kind, "imtest"), "-p", str(server.ports[self.service]), *options, "localhost"],
            input="a1 SELECT INBOX\r\na2 LOGOUT\r\n",
            capture_output=True, text=True, timeout=60, env=base | environment,
        )  # fmt: skip
        return done.stdout + done.stderr


# the original with itself is not ours to test
PAIRS = pytest.mark.parametrize(
    "pair", [Pair("ours", "imap1"), Pair("reference", "imap1"), Pair("ours", "imap2")], ids="-".join
)


@PAIRS
@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("most", [0, 1, 256])
def test_a_ticket_opens_the_inbox(
    server: Instance, realm: Realm, pair: Pair, mechanism: str, most: int
) -> None:
    said = pair.imtest(server, realm.ticket("cassandane"), "-m", mechanism, "-l", str(most))
    # SPNEGO's context is all or nothing
    strength = 256 if mechanism == "GSS-SPNEGO" and most else most
    assert f"Authenticated.\nSecurity strength factor: {strength}\n" in said
    assert "a1 OK" in said
    assert "a2 OK" in said


@PAIRS
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_under_tls(server: Instance, realm: Realm, pair: Pair, mechanism: str) -> None:
    said = pair.imtest(server, realm.ticket("cassandane"), "-t", "", "-m", mechanism)
    assert "Authenticated." in said
    assert "a1 OK" in said


@PAIRS
@pytest.mark.parametrize(("user", "good"), [("cassandane", False), ("admin", True)])
def test_only_an_administrator_acts_for_another(
    server: Instance, realm: Realm, pair: Pair, user: str, good: bool
) -> None:
    said = pair.imtest(server, realm.ticket(user), "-m", "GSSAPI", "-u", "ann")
    assert ("Authenticated." in said) is good
    assert ("Authentication failed" in said) is not good


@PAIRS
def test_no_ticket_is_no_login(server: Instance, realm: Realm, pair: Pair) -> None:
    said = pair.imtest(server, realm.environment, "-m", "GSSAPI")
    assert "Authenticated." not in said


@PAIRS
def test_cyradm_asks_for_no_password(server: Instance, realm: Realm, pair: Pair) -> None:
    done = subprocess.run(
        [program(pair.kind, "cyradm"), "--norc", "--user", "admin", "--auth", "GSSAPI",
         "--port", str(server.ports[pair.service]), "localhost"],
        input="lm user/cassandane\n", capture_output=True, text=True, timeout=60,
        env=reference.environment() | realm.ticket("admin"),
    )  # fmt: skip
    assert "user/cassandane" in done.stdout, done.stderr
    assert "assword" not in done.stdout + done.stderr


@pytest.mark.parametrize("tls", [False, True])
def test_gsasl(server: Instance, realm: Realm, tls: bool) -> None:
    """GNU SASL, which is nobody's relative."""
    port = server.ports["imap1"]
    authority = f"--x509-ca-file={server.settings['tls_server_cert']}"
    safety = ["--starttls", authority] if tls else ["--no-starttls"]
    done = subprocess.run(
        [reference.program("gsasl"), "--imap", "--connect", f"localhost:{port}", "--mechanism", "GSSAPI",
         "--service", "imap", "--hostname", "localhost", "--authentication-id", "cassandane",
         "--authorization-id", "cassandane", *safety],
        input="a1 NOOP\r\n", capture_output=True, text=True, timeout=60,
        env=reference.environment() | realm.ticket("cassandane"),
    )  # fmt: skip
    assert "Client authentication finished" in done.stderr
    assert f"Success ({'tls' if tls else 'no'} protection)" in done.stdout


def test_curl(server: Instance, realm: Realm) -> None:
    def ask(environment: dict[str, str]) -> int:
        command = [
            reference.program("curl"), "-sS", "--login-options", "AUTH=GSSAPI", "-u", f"cassandane@{REALM}:",
            f"imap://localhost:{server.ports['imap1']}/", "-X", "NAMESPACE",
        ]  # fmt: skip
        environment = reference.environment() | environment
        return subprocess.run(command, capture_output=True, timeout=60, env=environment).returncode

    assert ask(realm.ticket("cassandane")) == 0
    assert ask(realm.environment) != 0


@pytest.fixture(scope="module")
def elsewhere(realm: Realm) -> Iterator[Instance]:
    """Servers for which the realm is not their own; the last two let its users in."""
    keytab = str(realm.directory / "keytab")
    instance = Instance(
        services=("imap1", "imap2", "imap3", "imap4"),
        programs={"imap2": "reference", "imap4": "reference"},
        imapd_conf={
            "servername": "localhost", "sasl_mech_list": "GSSAPI", "sasl_keytab": keytab,
            "failedloginpause": "0", "imap3_loginrealms": "example.org", "imap4_loginrealms": "example.org",
            "admins": "admin@example.org",
        },
    )  # fmt: skip
    realm.add_user("host/name")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**realm.of_another("OTHER.ORG"), "KRB5_KTNAME": keytab}.items():
            environment.setenv(name, value)
        instance.start()
    yield instance
    instance.stop()
    instance.remove()


@pytest.mark.parametrize(
    ("user", "options", "at_home", "let_in"),
    [
        ("cassandane", (), False, True),
        ("admin", ("-u", "bob"), False, True),
        ("cassandane", ("-u", "bob"), False, False),
        ("host/name", (), False, False),
    ],
)
def test_users_of_another_realm(
    elsewhere: Instance, realm: Realm, user: str, options: tuple[str, ...], at_home: bool, let_in: bool
) -> None:
    found = []
    for service in ("imap1", "imap2", "imap3", "imap4"):
        said = Pair("ours", service).imtest(elsewhere, realm.ticket(user), "-m", "GSSAPI", *options)
        assert "A01 OK" in said or "A01 NO authentication failure" in said
        found.append("Authenticated." in said)
    assert found == [at_home, at_home, let_in, let_in]


@pytest.fixture(scope="module")
def web(realm: Realm) -> Iterator[Instance]:
    """The original's httpd, which lists its mechanisms to proxies as Negotiate."""
    keytab = realm.directory / "http-keytab"
    realm.add_service("HTTP/localhost", keytab)
    instance = Instance(
        services=("imap", "http"),
        programs={"http": "reference"},
        tls=True,
        imapd_conf={
            "servername": "localhost", "sasl_mech_list": "GSS-SPNEGO PLAIN", "httpmodules": "webdav",
            "http_mupdate_server": "localhost", "http_proxyservers": "admin",
        },
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**realm.environment, "KRB5_KTNAME": str(keytab)}.items():
            environment.setenv(name, value)
        instance.start()
    instance.create_user("cassandane")
    yield instance
    instance.stop()
    instance.remove()


@pytest.mark.parametrize("options", [(), ("-m", "negotiate"), ("-t", "", "-m", "negotiate")], ids=str)
def test_tickets_go_over_http(web: Instance, realm: Realm, options: tuple[str, ...]) -> None:
    """RFC 4559. Who has no ticket is not even asked for one."""
    found = []
    for environment in (realm.ticket("cassandane"), realm.environment):
        done = subprocess.run(
            [program("ours", "httptest"), "-p", str(web.ports["http"]), "-w", "any", *options, "localhost"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            env=os.environ | environment,
        )  # fmt: skip
        found.append(("Authorization: Negotiate " in done.stdout, "Authenticated.\n" in done.stdout))
    # the server takes any password, by Basic
    assert found == [(True, True), (False, not options)]
