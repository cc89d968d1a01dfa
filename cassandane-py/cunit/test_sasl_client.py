"""Our client against our server: every mechanism, and a server that lies."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from libcyrus.config import Config
from libcyrus.sasl import Challenge, SaslCode, SaslError, SaslServer, SaslSettings, Success
from libcyrus.sasl.client import Channel, Login, SaslClient, choose
from libcyrus.sasl.mechanisms import MECHANISMS
from libcyrus.server.login import Identity, LoginPolicy

BOUND = Channel("imap", "mail.example.org", 143, 256, "tls-exporter", b"exported")
CLEAR = Channel("imap", "mail.example.org", 143)
JOE = Login("joe", "s=e,cret", authzid="joe")
ADMIN = Login("admin", 'gr"ün\\', authzid="joe")


@pytest.fixture
def server(tmp_path: Path) -> SaslServer[Identity]:
    path = tmp_path / "users.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        people = [(login.authcid, login.password) for login in (JOE, ADMIN)]
        connection.executemany("INSERT INTO users VALUES (?, ?)", people)
    connection.close()
    options = {
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(path),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
    }
    config = Config.for_tests(
        extra=options, allowplaintext=True, admins="admin", servername="mail.example.org"
    )
    made = SaslServer(SaslSettings.from_config(config, "imap"), LoginPolicy(config))
    made.binding = {"tls-exporter": b"exported"}.get
    return made


def login(server: SaslServer[Identity], client: SaslClient, *, ir: bool) -> Success[Identity]:
    initial = client.start()
    if ir or initial is None:
        outcome = server.start(client.name, initial)
    else:
        assert server.start(client.name, None) == Challenge(b"")
        outcome = server.step(initial)
    while isinstance(outcome, Challenge):
        outcome = server.step(client.step(outcome.data))
    client.finish()
    return outcome


PASSWORDS = [name for name, mechanism in MECHANISMS.items() if mechanism.secret or mechanism.plaintext]
PASSWORDS = [name for name in PASSWORDS if not MECHANISMS[name].token]


@pytest.mark.parametrize("ir", [True, False])
@pytest.mark.parametrize("name", PASSWORDS)
def test_every_mechanism(server: SaslServer[Identity], name: str, ir: bool) -> None:
    assert login(server, SaslClient(name, JOE, BOUND, MECHANISMS), ir=ir).userid == "joe"
    with pytest.raises(SaslError):
        login(server, SaslClient(name, Login("joe", "wrong"), BOUND, MECHANISMS), ir=ir)


@pytest.mark.parametrize("name", [name for name in PASSWORDS if name not in ("LOGIN", "CRAM-MD5")])
def test_acting_for_another(server: SaslServer[Identity], name: str) -> None:
    done = login(server, SaslClient(name, ADMIN, BOUND, MECHANISMS), ir=True)
    assert (done.authcid, done.userid) == ("admin", "joe")


@pytest.mark.parametrize(
    ("offered", "channel", "options", "expected"),
    [
        (["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256"], CLEAR, {}, "SCRAM-SHA-256"),
        (["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], BOUND, {}, "SCRAM-SHA-256-PLUS"),
        (["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], CLEAR, {}, "SCRAM-SHA-256"),
        (["plain", "login"], CLEAR, {}, "PLAIN"),
        (["PLAIN", "CRAM-MD5"], CLEAR, {"wanted": "plain"}, "PLAIN"),
        (["PLAIN"], CLEAR, {"plaintext": False}, None),
        (["PLAIN"], BOUND, {"plaintext": False}, "PLAIN"),
        (["EXTERNAL", "ANONYMOUS", "XOAUTH2"], BOUND, {}, None),
        (["EXTERNAL", "PLAIN"], BOUND, {"wanted": "EXTERNAL"}, "EXTERNAL"),
        (["GSSAPI"], CLEAR, {}, None),
        (["CRAM-MD5", "LOGIN"], CLEAR, {}, "CRAM-MD5"),
        (["CRAM-MD5", "LOGIN"], CLEAR, {"as_another": True}, None),
        (["CRAM-MD5", "PLAIN"], CLEAR, {"as_another": True}, "PLAIN"),
        (["CRAM-MD5", "PLAIN"], CLEAR, {"as_another": True, "wanted": "CRAM-MD5"}, None),
    ],
)
def test_the_strongest_is_chosen(
    offered: list[str], channel: Channel, options: dict[str, object], expected: str | None
) -> None:
    try:
        assert choose(offered, JOE, channel, **options) == expected  # type: ignore[arg-type]
    except SaslError as error:
        assert error.code is SaslCode.NOMECH
        assert expected is None


def test_a_token_chooses_its_mechanism() -> None:
    assert choose(["SCRAM-SHA-1", "XOAUTH2", "OAUTHBEARER"], Login("joe", token="t"), BOUND) == "OAUTHBEARER"


@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "DIGEST-MD5"])
def test_a_server_has_to_prove_itself(server: SaslServer[Identity], name: str) -> None:
    client = SaslClient(name, JOE, BOUND, MECHANISMS)
    outcome = server.start(name, client.start())
    assert isinstance(outcome, Challenge)
    last = server.step(client.step(outcome.data))
    assert isinstance(last, Challenge)
    with pytest.raises(SaslError):
        client.finish()
    with pytest.raises(SaslError):
        client.step(last.data[:-2] + b"xx")


@pytest.mark.parametrize(
    ("name", "challenge"),
    [
        ("SCRAM-SHA-1", b"r=other,s=c2FsdA==,i=4096"),
        ("SCRAM-SHA-1", b"r=,s=c2FsdA==,i=4096"),
        ("SCRAM-SHA-1", b"x"),
        ("DIGEST-MD5", b'nonce="x"'),
        ("DIGEST-MD5", b'nonce="x",algorithm=md5-sess,qop="auth-int"'),
        ("DIGEST-MD5", b'nonce="x'),
    ],
)
def test_a_challenge_that_is_wrong(name: str, challenge: bytes) -> None:
    client = SaslClient(name, JOE, CLEAR)
    client.start()
    with pytest.raises(SaslError) as caught:
        client.step(challenge)
    assert caught.value.code in (SaslCode.BADPROT, SaslCode.FAIL)


def test_a_costly_challenge_is_refused() -> None:
    client = SaslClient("SCRAM-SHA-1", JOE, CLEAR)
    nonce = (client.start() or b"").split(b"r=")[1]
    with pytest.raises(SaslError):
        client.step(b"r=" + nonce + b"x,s=c2FsdA==,i=900000000")


def test_a_name_that_was_taken_away_is_noticed(server: SaslServer[Identity]) -> None:
    """The client could have bound to the channel, and did not see that the server can."""
    with pytest.raises(SaslError):
        login(server, SaslClient("SCRAM-SHA-1", JOE, BOUND, ["SCRAM-SHA-1"]), ir=True)
