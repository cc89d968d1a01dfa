"""SASL mechanisms, password verifiers, canonical userids, and who may act as whom."""

from __future__ import annotations

import base64
import socket
import sqlite3
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from libcyrus.auth import AuthState
from libcyrus.config import Config
from libcyrus.errors import SaslCancel, SaslProtocol
from libcyrus.prot import ProtStream
from libcyrus.sasl import Challenge, SaslCode, SaslError, SaslServer, SaslSettings, Success
from libcyrus.sasl.auxprop import Properties
from libcyrus.sasl.pwcheck import AlwaysTrue, Authdaemond, PasswordCheck, Saslauthd
from libcyrus.sasl.sql import SqliteAuxprop, Statements, expand
from libcyrus.server.login import Identity, LoginPolicy, canonify_userid, exchange, is_anonymous


def config(**options: object) -> Config:
    extra = {key: str(value) for key, value in options.items() if key.startswith("sasl_")}
    plain: dict[str, Any] = {key: value for key, value in options.items() if key not in extra}
    if "sasl_minimum_layer" in extra:
        plain["sasl_minimum_layer"] = int(extra.pop("sasl_minimum_layer"))
    return Config.for_tests(extra=extra, **plain)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "passwords.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT, realm TEXT, userPassword TEXT)")
        connection.executemany(
            "INSERT INTO users VALUES (?, ?, ?)",
            [
                ("joe", "mail.example.org", "secret"),
                ("o'hara", "mail.example.org", "green"),
                ("joe", "example.net", "other"),
                ("empty", "mail.example.org", None),
                ("admin", "mail.example.org", "root"),
            ],
        )
    connection.close()
    return path


SELECT = "SELECT %p FROM users WHERE name = '%u' AND realm = '%r'"


def sqlite(database: Path, select: str = SELECT) -> Properties:
    return Properties([SqliteAuxprop(str(database), Statements(select, "mail.example.org"))])


def sql_options(database: Path) -> dict[str, str]:
    return {
        "sasl_pwcheck_method": "auxprop",
        "sasl_auxprop_plugin": "sql",
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(database),
        "sasl_sql_select": SELECT,
    }


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("%u@%r", "joe@example.net"),
        ("select %p from t where u='%u'", "select userPassword from t where u='joe'"),
        ("100%% %x %v.", "100% %x ."),
        ("%", "%"),
    ],
)
def test_placeholders_of_a_statement(statement: str, expected: str) -> None:
    assert expand(statement, "joe", "example.net") == expected


def test_quotes_of_a_client_cannot_leave_their_string() -> None:
    assert expand("'%u'", "x' OR '1'='1", "r") == "'x'' OR ''1''=''1'"


@pytest.mark.parametrize(
    ("user", "password", "code"),
    [
        ("joe", "secret", None),
        ("joe", "Secret", SaslCode.BADAUTH),
        ("joe", "", SaslCode.BADAUTH),
        ("joe@example.net", "other", None),
        ("joe@example.net", "secret", SaslCode.BADAUTH),
        ("o'hara", "green", None),
        ("nobody", "secret", SaslCode.NOUSER),
        ("empty", "", SaslCode.NOUSER),
        ("' OR 1=1 --", "secret", SaslCode.NOUSER),
    ],
)
def test_sqlite_knows_the_password(database: Path, user: str, password: str, code: SaslCode | None) -> None:
    check = sqlite(database)
    assert _code(lambda: check.verify(user, password)) == code


def test_a_path_may_hold_any_character(database: Path) -> None:
    odd = database.rename(database.with_name("pass word?#%41.db"))
    sqlite(odd).verify("joe", "secret")


def test_a_database_that_cannot_be_read_is_a_failure_and_not_created(tmp_path: Path) -> None:
    check = sqlite(tmp_path / "none.db")
    assert _code(lambda: check.verify("joe", "x")) is SaslCode.FAIL
    assert not (tmp_path / "none.db").exists()


def test_a_statement_that_never_ends_is_stopped(database: Path) -> None:
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n) SELECT max(x) FROM n"
    assert _code(lambda: sqlite(database, endless).verify("joe", "x")) is SaslCode.NOUSER


class FakeSaslauthd(threading.Thread):
    def __init__(self, path: Path, answer: bytes) -> None:
        super().__init__()
        self.answer = answer
        self.request: list[bytes] = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen(1)
        self.start()

    def run(self) -> None:
        with self.listener, self.listener.accept()[0] as peer, peer.makefile("rb") as stream:
            for _ in range(4):
                (length,) = struct.unpack(">H", stream.read(2))
                self.request.append(stream.read(length))
            for byte in self.answer:
                peer.sendall(bytes([byte]))


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"\0\2OK", None),
        (b"\0\2NO", SaslCode.BADAUTH),
        (b"\0\x13NO authentication fa", SaslCode.BADAUTH),
        (b"\0\5O", SaslCode.FAIL),
        (b"", SaslCode.FAIL),
    ],
)
def test_saslauthd_is_asked_in_its_own_protocol(
    tmp_path: Path, answer: bytes, code: SaslCode | None
) -> None:
    daemon = FakeSaslauthd(tmp_path / "mux", answer)
    check = Saslauthd("imap", str(tmp_path / "mux"))
    assert _code(lambda: check.verify("joe@example.net", "pässword")) == code
    daemon.join()
    assert daemon.request == [b"joe", "pässword".encode(), b"imap", b"example.net"]


def test_saslauthd_that_is_not_there_is_a_failure(tmp_path: Path) -> None:
    assert _code(lambda: Saslauthd("imap", str(tmp_path / "mux")).verify("joe", "x")) is SaslCode.FAIL


@pytest.mark.parametrize("beginning", [b"", b"\0", b"\0\2O"])
def test_saslauthd_that_hangs_is_given_up(tmp_path: Path, beginning: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "mux"))
        listener.listen(1)
        check = Saslauthd("imap", str(tmp_path / "mux"), timeout=0.05)
        failed: list[SaslCode | None] = []
        asking = threading.Thread(target=lambda: failed.append(_code(lambda: check.verify("joe", "x"))))
        asking.start()
        with listener.accept()[0] as peer:
            peer.sendall(beginning)
            asking.join()
    assert failed == [SaslCode.FAIL]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"USERNAME=joe\nHOME=/FAIL\n.\n", None),
        (b".\n", None),
        (b"FAIL\n", SaslCode.BADAUTH),
        (b"USERNAME=joe\n", SaslCode.FAIL),
        (b"", SaslCode.FAIL),
        (b"x" * 9000 + b"\n.\n", SaslCode.FAIL),
    ],
)
def test_authdaemond_is_asked_in_its_own_protocol(
    tmp_path: Path, answer: bytes, code: SaslCode | None
) -> None:
    asked: list[bytes] = []

    def serve() -> None:
        with listener.accept()[0] as peer:
            asked.append(peer.recv(1000))
            with suppress(OSError):
                peer.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(1)
        serving = threading.Thread(target=serve)
        serving.start()
        check = Authdaemond("imap", str(tmp_path / "socket"), timeout=5)
        assert _code(lambda: check.verify("joe@example.net", "pässword")) == code
        serving.join()
    body = "imap\nlogin\njoe@example.net\npässword\n".encode()
    assert asked == [b"AUTH %d\n%b\n" % (len(body), body)]


def test_authdaemond_is_not_there_or_not_asked(tmp_path: Path) -> None:
    check = Authdaemond("imap", str(tmp_path / "none"))
    assert _code(lambda: check.verify("joe", "x")) is SaslCode.FAIL
    assert _code(lambda: check.verify("joe", "x\nann")) is SaslCode.BADAUTH


def test_what_saslauthd_would_not_take_is_not_sent(tmp_path: Path) -> None:
    check = Saslauthd("imap", str(tmp_path / "mux"))
    with pytest.raises(SaslError, match="too large"):
        check.verify("joe@" + "x" * 9000, "secret")


def test_verifiers_are_asked_in_order_until_one_agrees(tmp_path: Path, database: Path) -> None:
    sql = sqlite(database)
    both = PasswordCheck([Saslauthd("imap", str(tmp_path / "mux")), sql])
    both.verify("joe", "secret")
    assert _code(lambda: both.verify("joe", "wrong")) is SaslCode.BADAUTH
    PasswordCheck([sql, AlwaysTrue()]).verify("joe", "wrong")
    assert _code(lambda: PasswordCheck([]).verify("joe", "x")) is SaslCode.NOMECH
    assert _code(lambda: both.verify("joe", "x" * 1025)) is SaslCode.BADAUTH


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"sasl_pwcheck_method": "pam"}, SaslCode.NOMECH),
        ({"sasl_pwcheck_method": "auxprop", "sasl_auxprop_plugin": "opendirectory"}, SaslCode.NOMECH),
        ({"sasl_auxprop_plugin": "sql", "sasl_sql_engine": "pgsql"}, SaslCode.NOMECH),
        ({"sasl_sasldb_path": "/nonexistent"}, SaslCode.NOUSER),
        ({"sasl_pwcheck_method": "alwaystrue"}, None),
    ],
)
def test_what_is_not_built_refuses_everybody(options: dict[str, str], code: SaslCode | None) -> None:
    settings = SaslSettings.from_config(config(**options), "imap")
    assert _code(lambda: settings.passwords.verify("joe", "x")) == code


@pytest.mark.parametrize(
    ("options", "bits", "expected"),
    [
        ({"allowplaintext": True}, 0, ("PLAIN", "LOGIN")),
        ({"allowplaintext": False}, 0, ()),
        ({"allowplaintext": False}, 256, ("PLAIN", "LOGIN")),
        ({"allowplaintext": True, "sasl_minimum_layer": 128}, 0, ()),
        ({"allowplaintext": True, "sasl_minimum_layer": 128}, 256, ("PLAIN", "LOGIN")),
        ({"allowplaintext": True, "sasl_mech_list": "login scram-sha-1"}, 0, ("LOGIN",)),
        ({"allowplaintext": True, "sasl_mech_list": "GSSAPI"}, 0, ()),
    ],
)
def test_mechanisms_that_are_announced(
    options: dict[str, object], bits: int, expected: tuple[str, ...]
) -> None:
    server = sasl(config(**options))
    server.bits = bits
    assert server.mechanisms() == expected


def sasl(settings: Config, policy: LoginPolicy | None = None) -> SaslServer[Identity]:
    return SaslServer(SaslSettings.from_config(settings, "imap"), policy or LoginPolicy(settings))


@pytest.fixture
def server(database: Path) -> SaslServer[Identity]:
    options = sql_options(database)
    return sasl(config(allowplaintext=True, admins="admin", servername="mail.example.org", **options))


@pytest.mark.parametrize(
    ("options", "mechanism", "code"),
    [
        ({"allowplaintext": False}, "PLAIN", SaslCode.ENCRYPT),
        ({"allowplaintext": True, "sasl_minimum_layer": 2}, "PLAIN", SaslCode.TOOWEAK),
        ({"allowplaintext": False, "sasl_mech_list": "LOGIN"}, "PLAIN", SaslCode.NOMECH),
    ],
)
def test_why_a_mechanism_may_not_be_used(options: dict[str, object], mechanism: str, code: SaslCode) -> None:
    server = sasl(config(**options))
    assert _code(lambda: server.start(mechanism, b"\0joe\0secret")) is code


def test_plain_with_an_initial_response(server: SaslServer[Identity]) -> None:
    done = server.start("plain", b"\0joe\0secret")
    assert isinstance(done, Success)
    assert (done.authcid, done.userid, done.identity.is_admin) == ("joe", "joe", False)


def test_plain_with_a_challenge(server: SaslServer[Identity]) -> None:
    assert server.start("PLAIN", None) == Challenge(b"")
    assert isinstance(server.step(b"\0joe\0secret"), Success)


@pytest.mark.parametrize("initial", [None, b""])
def test_login_asks_twice(server: SaslServer[Identity], initial: bytes | None) -> None:
    assert server.start("LOGIN", initial) == Challenge(b"Username:")
    assert server.step(b"joe") == Challenge(b"Password:")
    done = server.step(b"secret")
    assert isinstance(done, Success)
    assert done.userid == "joe"


def test_login_takes_the_name_as_initial_response(server: SaslServer[Identity]) -> None:
    assert server.start("LOGIN", b"joe") == Challenge(b"Password:")
    assert isinstance(server.step(b"secret"), Success)


@pytest.mark.parametrize(
    ("mechanism", "response", "code"),
    [
        ("PLAIN", b"\0joe\0wrong", SaslCode.BADAUTH),
        ("PLAIN", b"\0nobody\0wrong", SaslCode.NOUSER),
        ("PLAIN", b"joe", SaslCode.BADPROT),
        ("PLAIN", b"", SaslCode.BADPROT),
        ("PLAIN", b"\0joe\0sec\0ret", SaslCode.BADPROT),
        ("PLAIN", b"\0\xff\0secret", SaslCode.BADAUTH),
        ("PLAIN", b"\0joe\0" + b"x" * 5000, SaslCode.BADAUTH),
        ("PLAIN", b"\0" + b"x" * 1024 + b"\0secret", SaslCode.BUFOVER),
        ("PLAIN", b"\0 \0secret", SaslCode.FAIL),
        ("PLAIN", b"x" * 16385, SaslCode.BADPROT),
        ("LOGIN", b"x" * 1025, SaslCode.BADPROT),
        ("PLAIN", b"\0jo*e\0secret", SaslCode.BADAUTH),
        ("PLAIN", b"admin\0joe\0secret", SaslCode.BADAUTH),
        ("CRAM-MD5", b"", SaslCode.BADPROT),
        ("GSSAPI", b"", SaslCode.NOMECH),
        ("EXTERNAL", b"", SaslCode.NOMECH),
    ],
)
def test_refusals(server: SaslServer[Identity], mechanism: str, response: bytes, code: SaslCode) -> None:
    assert _code(lambda: server.start(mechanism, response)) is code


def test_an_administrator_acts_as_a_user_and_is_none_then(server: SaslServer[Identity]) -> None:
    done = server.start("PLAIN", b"joe\0admin\0root")
    assert isinstance(done, Success)
    identity = done.identity
    assert (identity.authcid, identity.userid) == ("admin", "joe")
    assert (identity.is_admin, identity.is_proxy_admin, identity.authstate.userid) == (False, False, "joe")


def test_the_login_command_checks_the_canonical_name(server: SaslServer[Identity]) -> None:
    assert server.check_password("JOE", "secret").userid == "joe"
    with pytest.raises(SaslError) as caught:
        server.check_password("nobody", "x")
    assert caught.value.log_text == "SASL(-13): user not found: checkpass failed"
    assert caught.value.code.public_text == "authentication failure"


@pytest.mark.parametrize(
    ("mech_list", "offered"),
    [("PLAIN EXTERNAL", ("EXTERNAL", "PLAIN")), ("PLAIN", ("PLAIN",))],
)
def test_external_takes_the_name_in_a_client_certificate_where_it_is_configured(
    database: Path, mech_list: str, offered: tuple[str, ...]
) -> None:
    settings = config(**{**sql_options(database), "sasl_mech_list": mech_list, "admins": "admin"})
    server = sasl(settings, LoginPolicy(settings))
    server.bits = 256
    assert server.mechanisms() == ("PLAIN",)
    server.certified = "Joe"
    assert set(server.mechanisms()) == set(offered)
    if "EXTERNAL" not in offered:
        with pytest.raises(SaslError) as caught:
            server.start("EXTERNAL", b"")
        assert caught.value.code is SaslCode.NOMECH
        return
    done = server.start("EXTERNAL", b"")
    assert isinstance(done, Success)
    assert (done.authcid, done.userid) == ("joe", "joe")
    with pytest.raises(SaslError) as caught:
        sasl_again = sasl(settings, LoginPolicy(settings))
        sasl_again.certified = "joe"
        sasl_again.start("EXTERNAL", b"bob")
    assert caught.value.code is SaslCode.BADAUTH


def test_external_is_the_only_mechanism_of_a_connection_that_vouches(database: Path) -> None:
    settings = config(admins="postman", **sql_options(database))
    server = sasl(settings, LoginPolicy(settings, admins_only=True))
    server.external = "postman"
    assert server.mechanisms() == ("EXTERNAL",)
    assert server.start("EXTERNAL", None) == Challenge(b"")
    done = server.step(b"")
    assert isinstance(done, Success)
    assert done.userid == "postman"


@pytest.mark.parametrize(
    ("options", "user", "expected"),
    [
        ({}, "Joe", "joe"),
        ({"username_tolower": False}, "Joe", "Joe"),
        ({}, "joe@example.net", "joe@example.net"),
        ({}, "Anonymous", "anonymous"),
        ({}, "anybody", "anyone"),
        ({}, "jo/e", None),
        ({}, "j*e", None),
        ({}, "x" * 81, None),
        ({}, "joe%example.net", None),
        ({"virtdomains": "userid"}, "joe%example.net", "joe@example.net"),
        ({"virtdomains": "userid", "defaultdomain": "example.org"}, "joe@Example.ORG", "joe"),
        ({"virtdomains": "userid"}, "anonymous@example.net", "anonymous"),
        ({"virtdomains": "userid"}, "joe", "joe"),
        ({"virtdomains": "on"}, "joe", "joe@here.example"),
        ({"virtdomains": "on", "defaultdomain": "here.example"}, "joe", "joe"),
    ],
)
def test_canonical_userids(options: dict[str, object], user: str, expected: str | None) -> None:
    assert canonify_userid(config(**options), user, local_domain=lambda: "here.example") == expected


def test_the_name_of_an_acl_command_gets_the_domain_of_who_says_it() -> None:
    settings = config(virtdomains="userid")
    assert canonify_userid(settings, "ann", loginid="joe@example.net") == "ann@example.net"
    assert canonify_userid(settings, "ann", loginid="joe") == "ann"


def test_anonymous_in_any_domain() -> None:
    assert is_anonymous(config(), "ANONYMOUS")
    assert not is_anonymous(config(), "anonymous@example.net")
    assert is_anonymous(config(virtdomains="userid"), "anonymous@example.net")


@pytest.mark.parametrize(
    ("options", "authcid", "userid", "code"),
    [
        ({}, "joe", "joe", None),
        ({}, "joe", "ann", SaslCode.BADAUTH),
        ({"admins": "joe"}, "joe", "ann", None),
        ({"proxyservers": "joe"}, "joe", "ann", None),
        ({"loginuseacl": True}, "joe", "ann", None),
        ({"loginuseacl": True}, "joe", "eve", SaslCode.BADAUTH),
        ({}, "joe@example.net", "joe@example.net", SaslCode.BADAUTH),
        ({"loginrealms": "x.org EXAMPLE.net"}, "joe@example.net", "joe@example.net", None),
        ({"virtdomains": "userid"}, "joe@example.net", "joe@example.net", None),
        ({"virtdomains": "userid", "loginrealms": "x.org"}, "joe@a.net", "joe@a.net", SaslCode.BADAUTH),
        ({}, "denied", "denied", SaslCode.NOAUTHZ),
        ({"admins": "denied"}, "denied", "denied", None),
    ],
)
def test_who_may_act_as_whom(
    options: dict[str, object], authcid: str, userid: str, code: SaslCode | None
) -> None:
    def inbox_admin(owner: str, state: AuthState) -> bool:
        return (owner, state.userid) == ("ann", "joe")

    def denied(user: str, service: str) -> str | None:
        return "no" if user == "denied" else None

    policy = LoginPolicy(config(**options), denied=denied, inbox_admin=inbox_admin)
    assert _code(lambda: policy.authorize(authcid, userid)) == code


def test_a_service_for_administrators_lets_nobody_else_in() -> None:
    policy = LoginPolicy(config(admins="admin"), admins_only=True)
    assert policy.authorize("admin", "admin").is_admin
    assert _code(lambda: policy.authorize("joe", "joe")) is SaslCode.BADAUTH


def test_the_magic_plus_is_taken_off_and_kept() -> None:
    policy = LoginPolicy(config(), magic_plus=True)
    assert (policy.canonify("joe+folder"), policy.detail) == ("joe", "+folder")
    policy = LoginPolicy(config(virtdomains="userid"), magic_plus=True)
    assert (policy.canonify("joe+folder@example.net"), policy.detail) == ("joe@example.net", "+folder")


def converse(server: SaslServer[Identity], initial: bytes | None, said: bytes) -> tuple[object, bytes]:
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.sendall(said)
        theirs.shutdown(socket.SHUT_WR)
        stream = ProtStream(ours, timeout=20)
        try:
            outcome: object = exchange(stream, server, "PLAIN", initial, continuation=b"+ ")
        except (SaslError, SaslCancel, SaslProtocol) as error:
            outcome = error
        stream.close()
        return outcome, theirs.recv(1000)


GOOD = base64.b64encode(b"\0joe\0secret")


@pytest.mark.parametrize(
    ("initial", "said", "kind", "sent"),
    [
        (GOOD, b"", Success, b""),
        (None, GOOD + b"\r\n", Success, b"+ \r\n"),
        (None, b"*\r\n", SaslCancel, b"+ \r\n"),
        (None, b"", SaslProtocol, b"+ \r\n"),
        (None, b"\r\n", SaslError, b"+ \r\n"),
        (None, b"!not base64!\r\n", SaslError, b"+ \r\n"),
        (None, b"A" * 30000 + b"\r\n", SaslProtocol, b"+ \r\n"),
        (b"=", b"", SaslError, b""),
        (b"AB", b"", SaslError, b""),
    ],
)
def test_the_exchange_on_the_wire(
    server: SaslServer[Identity], initial: bytes | None, said: bytes, kind: type, sent: bytes
) -> None:
    outcome, reply = converse(server, initial, said)
    assert isinstance(outcome, kind)
    assert reply == sent


def _code(action: Callable[[], object]) -> SaslCode | None:
    try:
        action()
    except SaslError as error:
        return error.code
    return None
