"""The mechanisms that compare proofs: examples of their RFCs, and a client of each, right and wrong."""

from __future__ import annotations

import base64
import hashlib
import hmac
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pysasl.mechanism import ChallengeResponse, ServerChallenge

from libcyrus.config import Config
from libcyrus.sasl import Challenge, SaslCode, SaslError, SaslServer, SaslSettings, Success, scram
from libcyrus.sasl.digest_md5 import DigestMd5Mechanism
from libcyrus.sasl.mechanisms import SCRAM_HASHES
from libcyrus.server.login import Identity, LoginPolicy

BINDINGS = {"tls-unique": b"finished", "tls-exporter": b"exported", "tls-server-end-point": b"hash"}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sasl") / "users.db"
    keys = scram.keys_from_password("sha256", b"hidden", b"salt", 5000)
    stored = b"$".join(
        (b"SCRAM-SHA-256", b"5000:" + b64(keys.salt), b64(keys.stored) + b":" + b64(keys.server))
    ).decode()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT, realm TEXT, userPassword TEXT, authPassword TEXT)")
        connection.executemany(
            "INSERT INTO users VALUES (?, ?, ?, ?)",
            [
                ("joe", "mail.example.org", "secret", None),
                ("joerg", "mail.example.org", "grün", None),
                ("joe", "example.net", "other", None),
                ("kept", "mail.example.org", None, stored),
                ("broken", "mail.example.org", None, stored[:-3]),
                ("admin", "mail.example.org", "root", None),
            ],
        )
    connection.close()
    return path


@pytest.fixture
def server(database: Path) -> SaslServer[Identity]:
    return make(database)


def make(database: Path, **options: str) -> SaslServer[Identity]:
    extra = {
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(database),
        "sasl_sql_select": "SELECT %p FROM users WHERE name = '%u' AND realm = '%r'",
        **options,
    }
    config = Config.for_tests(
        extra=extra, admins="admin", servername="mail.example.org", virtdomains="userid", allowplaintext=True
    )
    return SaslServer(SaslSettings.from_config(config, "imap", anonymous=True), LoginPolicy(config))


def b64(data: bytes) -> bytes:
    return base64.b64encode(data)


class ScramClient:
    """RFC 5802 section 3, told what to do wrong."""

    def __init__(
        self, mechanism: str, user: str, password: str, *, authzid: str = "", header: str | None = None
    ):
        self.hash = SCRAM_HASHES[mechanism.removesuffix("-PLUS")]
        self.password = password.encode()
        authz = f"a={authzid}" if authzid else ""
        self.header = (f"n,{authz}," if header is None else header).encode()
        self.bare = f"n={user},r=rOprNGfwEbeRWgbNEkqO".encode()
        self.binding = b""
        self.expected = b""

    def first(self) -> bytes:
        return self.header + self.bare

    def final(self, challenge: bytes) -> bytes:
        nonce, salt, iterations = (part[2:] for part in challenge.split(b","))
        salted = hashlib.pbkdf2_hmac(self.hash, self.password, base64.b64decode(salt), int(iterations))
        without = b"c=" + b64(self.header + self.binding) + b",r=" + nonce
        message = b",".join((self.bare, challenge, without))
        client = hmac.digest(salted, b"Client Key", self.hash)
        signature = hmac.digest(hashlib.new(self.hash, client).digest(), message, self.hash)
        self.expected = hmac.digest(hmac.digest(salted, b"Server Key", self.hash), message, self.hash)
        proof = bytes(a ^ b for a, b in zip(client, signature, strict=True))
        return without + b",p=" + b64(proof)


def run(server: SaslServer[Identity], mechanism: str, client: ScramClient) -> Success[Identity]:
    challenge = server.start(mechanism, client.first())
    assert isinstance(challenge, Challenge)
    last = server.step(client.final(challenge.data))
    assert last == Challenge(b"v=" + b64(client.expected))
    done = server.step(b"")
    assert isinstance(done, Success)
    return done


@pytest.mark.parametrize(
    ("name", "bare", "challenge", "final", "answer"),
    [
        (
            "SCRAM-SHA-1",  # RFC 5802 section 5
            b"n=user,r=fyko+d2lbbFgONRv9qkxdawL",
            b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
            b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        ),
        (
            "SCRAM-SHA-256",  # RFC 7677 section 3
            b"n=user,r=rOprNGfwEbeRWgbNEkqO",
            b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
            b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
    ],
)
def test_scram_examples_of_the_rfcs(
    name: str, bare: bytes, challenge: bytes, final: bytes, answer: bytes
) -> None:
    salt = base64.b64decode(challenge.split(b",s=")[1].split(b",")[0])
    keys = scram.keys_from_password(SCRAM_HASHES[name], b"pencil", salt, 4096)
    secret = scram.secret_from_keys(SCRAM_HASHES[name], keys, 4096)
    mechanism = scram.ScramMechanism(
        name, SCRAM_HASHES[name], lambda user: secret, binding=lambda kind: None, plus_offered=False
    )
    said = [ChallengeResponse(b"", b"n,," + bare), ChallengeResponse(challenge, final)]
    credentials, data = mechanism.server_attempt(said)
    assert (credentials.authcid, data) == ("user", answer)


@pytest.mark.parametrize("mechanism", SCRAM_HASHES)
def test_scram_with_every_hash(server: SaslServer[Identity], mechanism: str) -> None:
    assert run(server, mechanism, ScramClient(mechanism, "joe", "secret")).userid == "joe"


@pytest.mark.parametrize("kind", BINDINGS)
def test_scram_bound_to_its_channel(server: SaslServer[Identity], kind: str) -> None:
    assert "SCRAM-SHA-256-PLUS" not in server.mechanisms()
    server.binding = BINDINGS.get
    client = ScramClient("SCRAM-SHA-256-PLUS", "joe", "secret", header=f"p={kind},,")
    client.binding = BINDINGS[kind]
    assert run(server, "SCRAM-SHA-256-PLUS", client).userid == "joe"
    client.binding = b"of another channel"
    assert refusal(lambda: run(server, "SCRAM-SHA-256-PLUS", client)) is SaslCode.BADPROT


def test_scram_with_stored_keys(server: SaslServer[Identity]) -> None:
    assert run(server, "SCRAM-SHA-256", ScramClient("SCRAM-SHA-256", "kept", "hidden")).userid == "kept"
    wrong = ScramClient("SCRAM-SHA-256", "kept", "secret")
    assert refusal(lambda: run(server, "SCRAM-SHA-256", wrong)) is SaslCode.BADAUTH
    # no keys for this hash, and no password to make them of
    other = ScramClient("SCRAM-SHA-1", "kept", "hidden")
    assert refusal(lambda: run(server, "SCRAM-SHA-1", other)) is SaslCode.NOUSER
    broken = ScramClient("SCRAM-SHA-256", "broken", "hidden")
    assert refusal(lambda: run(server, "SCRAM-SHA-256", broken)) is SaslCode.NOUSER


def test_scram_names_and_realms(server: SaslServer[Identity]) -> None:
    assert run(server, "SCRAM-SHA-1", ScramClient("SCRAM-SHA-1", "joerg", "grün")).userid == "joerg"
    done = run(server, "SCRAM-SHA-1", ScramClient("SCRAM-SHA-1", "joe@example.net", "other"))
    assert done.userid == "joe@example.net"
    done = run(server, "SCRAM-SHA-1", ScramClient("SCRAM-SHA-1", "admin", "root", authzid="joe"))
    assert (done.authcid, done.userid) == ("admin", "joe")
    joe = ScramClient("SCRAM-SHA-1", "joe", "secret", authzid="admin")
    assert refusal(lambda: run(server, "SCRAM-SHA-1", joe)) is SaslCode.BADAUTH


def test_scram_tells_nobody_who_has_an_account(server: SaslServer[Identity]) -> None:
    client = ScramClient("SCRAM-SHA-256", "nobody", "secret")
    first, again = (server.start("SCRAM-SHA-256", client.first()) for _ in range(2))
    assert isinstance(first, Challenge)
    assert isinstance(again, Challenge)
    assert first.data.split(b",")[1:] == again.data.split(b",")[1:]
    assert refusal(lambda: server.step(client.final(again.data))) is SaslCode.NOUSER


def test_scram_iterations_are_configured(database: Path) -> None:
    server = make(database, sasl_scram_iteration_counter="9000")
    challenge = server.start("SCRAM-SHA-256", b"n,,n=joe,r=x")
    assert isinstance(challenge, Challenge)
    assert challenge.data.endswith(b",i=9000")


@pytest.mark.parametrize(
    "first",
    [
        b"n",
        b"n,,",
        b"x,,n=joe,r=abc",
        b"n,,m=ext,n=joe,r=abc",
        b"n,,n=joe",
        b"n,,n=joe,r=",
        b"n,,n=jo=e,r=abc",
        b"n,,n=jo\0e,r=abc",
        b"n,,n=\xff,r=abc",
        b"p=tls-unique,,n=joe,r=abc",
        b"n,,n=joe,r=abc,",
        b"n,,n=joe,r=" + b"x" * 2048,
    ],
)
def test_scram_refuses_what_is_not_scram(server: SaslServer[Identity], first: bytes) -> None:
    assert refusal(lambda: server.start("SCRAM-SHA-256", first)) is SaslCode.BADPROT


def test_scram_takes_no_name_for_nobody(server: SaslServer[Identity]) -> None:
    assert refusal(lambda: server.start("SCRAM-SHA-256", b"n,,n=,r=abc")) is SaslCode.FAIL
    assert isinstance(server.start("SCRAM-SHA-256", b"n,a=,n=joe,r=abc"), Challenge)
    server.binding = BINDINGS.get
    for name in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        assert server.start(name, b"") == Challenge(b"")


@pytest.mark.parametrize(
    "change",
    [
        lambda final: b"",
        lambda final: final.replace(b"c=biws", b"c=eSws"),
        lambda final: final.replace(b",r=", b",r=x"),
        lambda final: final[: final.index(b",p=")],
        lambda final: final[:-4],
        lambda final: final + b",x=y",
        lambda final: final.replace(b",p=", b",p=!"),
    ],
)
def test_scram_refuses_a_wrong_last_message(
    server: SaslServer[Identity], change: Callable[[bytes], bytes]
) -> None:
    client = ScramClient("SCRAM-SHA-256", "joe", "secret")
    challenge = server.start("SCRAM-SHA-256", client.first())
    assert isinstance(challenge, Challenge)
    final = change(client.final(challenge.data))
    assert refusal(lambda: server.step(final)) is SaslCode.BADPROT


def test_a_name_that_was_taken_away_is_noticed(server: SaslServer[Identity]) -> None:
    """RFC 5802 section 6: a client that could bind but saw no -PLUS says y."""
    client = ScramClient("SCRAM-SHA-256", "joe", "secret", header="y,,")
    assert run(server, "SCRAM-SHA-256", client).userid == "joe"
    server.binding = BINDINGS.get
    assert refusal(lambda: server.start("SCRAM-SHA-256", client.first())) is SaslCode.BADAUTH


def test_a_conversation_cannot_be_said_again(server: SaslServer[Identity]) -> None:
    client = ScramClient("SCRAM-SHA-256", "joe", "secret")
    challenge = server.start("SCRAM-SHA-256", client.first())
    assert isinstance(challenge, Challenge)
    final = client.final(challenge.data)
    assert isinstance(server.step(final), Challenge)
    server.start("SCRAM-SHA-256", client.first())
    assert refusal(lambda: server.step(final)) is SaslCode.BADPROT


def test_digest_md5_example_of_the_rfc() -> None:
    """RFC 2831 section 4."""
    challenge = (
        b'realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8'
    )
    answer = (
        b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,'
        b'cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",'
        b"response=d388dad90d4bbd760a152321f2143af7,qop=auth"
    )
    mechanism = DigestMd5Mechanism("imap", "elwood.innosoft.com", {"chris": b"secret"}.get)
    credentials, data = mechanism.server_attempt([ChallengeResponse(challenge, answer)])
    assert (credentials.authcid, data) == ("chris", b"rspauth=ea40f60335c427b5527b84dbabcdfffd")
    assert credentials.verify(_Chris())
    with pytest.raises(SaslError):
        mechanism.server_attempt([ChallengeResponse(challenge.replace(b"OA6", b"OA7"), answer)])


class _Chris:
    authcid = "chris"

    def compare_authcid(self, authcid: str) -> bool:
        return authcid == "chris"

    def compare_secret(self, secret: str) -> bool:
        raise AssertionError

    def get_clear_secret(self) -> str | None:
        raise AssertionError


def digest(challenge: bytes, user: str, password: str, **changes: str) -> bytes:
    """RFC 2831 section 2.1.2; a change to the empty text leaves a directive out."""
    nonce = challenge.split(b'nonce="')[1].split(b'"')[0].decode()
    said = {
        "username": user, "realm": "mail.example.org", "nonce": nonce, "cnonce": "c", "nc": "00000001",
        "qop": "auth", "digest-uri": "imap/mail.example.org", "charset": "utf-8",
    } | changes  # fmt: skip
    encoding = "iso-8859-1" if "latin1" not in changes else "utf-8"
    said.pop("latin1", "")
    secret = hashlib.md5(f"{user}:{said['realm']}:{password}".encode(encoding)).digest()
    first = b":".join([secret, nonce.encode(), said["cnonce"].encode()])
    if said.get("authzid"):
        first += b":" + said["authzid"].encode()
    second = hashlib.md5(f"AUTHENTICATE:{said['digest-uri']}".encode()).hexdigest()
    text = f"{hashlib.md5(first).hexdigest()}:{nonce}:{said['nc']}:{said['cnonce']}:{said['qop']}:{second}"
    said["response"] = changes.get("response", hashlib.md5(text.encode()).hexdigest())
    bare = {"nc", "qop", "charset", "response"}
    return ", ".join(
        f"{name}={value}" if name in bare else f'{name}="{value}"' for name, value in said.items() if value
    ).encode()


@pytest.mark.parametrize(
    ("user", "password", "changes", "expected"),
    [
        ("joe", "secret", {}, "joe"),
        ("joerg", "grün", {}, "joerg"),
        ("joerg", "grün", {"latin1": "no"}, "joerg"),
        ("joe", "other", {"realm": "example.net"}, "joe@example.net"),
        ("admin", "root", {"authzid": "joe"}, "joe"),
        ("joe", "secret", {"unknown": "thing"}, "joe"),
        ("joe", "wrong", {}, SaslCode.BADAUTH),
        ("nobody", "secret", {}, SaslCode.NOUSER),
        ("kept", "hidden", {}, SaslCode.NOUSER),
        ("joe", "secret", {"authzid": "admin"}, SaslCode.BADAUTH),
        ("joe", "secret", {"nc": "00000002"}, SaslCode.BADAUTH),
        ("joe", "secret", {"qop": "auth-int"}, SaslCode.BADAUTH),
        ("joe", "secret", {"digest-uri": "smtp/mail.example.org"}, SaslCode.BADAUTH),
        ("joe", "secret", {"charset": "latin1"}, SaslCode.FAIL),
        ("joe", "secret", {"cnonce": ""}, SaslCode.BADAUTH),
        ("joe", "secret", {"nonce": "forged"}, SaslCode.BADAUTH),
        ("joe", "secret", {"realm": 'x",realm="y'}, SaslCode.FAIL),
    ],
)
def test_digest_md5(
    server: SaslServer[Identity], user: str, password: str, changes: dict[str, str], expected: str | SaslCode
) -> None:
    challenge = server.start("DIGEST-MD5", None)
    assert isinstance(challenge, Challenge)
    answer = digest(challenge.data, user, password, **changes)
    if isinstance(expected, SaslCode):
        assert refusal(lambda: server.step(answer)) is expected
        return
    last = server.step(answer)
    assert isinstance(last, Challenge)
    assert last.data.startswith(b"rspauth=")
    done = server.step(b"")
    assert isinstance(done, Success)
    assert done.userid == expected


@pytest.mark.parametrize("answer", [b"", b"=", b'username="joe', b"username=joe,,x", b"a=b\0"])
def test_digest_md5_refuses_what_is_none(server: SaslServer[Identity], answer: bytes) -> None:
    server.start("DIGEST-MD5", None)
    assert refusal(lambda: server.step(answer)) is SaslCode.BADAUTH


@pytest.mark.parametrize(
    ("user", "password", "expected"),
    [("joe", "secret", None), ("joe", "wrong", SaslCode.BADAUTH), ("nobody", "secret", SaslCode.NOUSER)],
)
def test_cram_md5(server: SaslServer[Identity], user: str, password: str, expected: SaslCode | None) -> None:
    challenge = server.start("CRAM-MD5", None)
    assert isinstance(challenge, Challenge)
    answer = f"{user} {hmac.new(password.encode(), challenge.data, 'md5').hexdigest()}".encode()
    assert refusal(lambda: server.step(answer)) is expected


def test_the_server_speaks_first(server: SaslServer[Identity]) -> None:
    assert refusal(lambda: server.start("CRAM-MD5", b"joe x")) is SaslCode.BADPROT
    challenge = server.start("DIGEST-MD5", b"joe x")
    assert isinstance(challenge, Challenge)
    assert challenge.data.startswith(b"nonce=")


def test_challenges_of_cram_md5_cannot_be_told_beforehand(server: SaslServer[Identity]) -> None:
    challenges = [server.start("CRAM-MD5", None).data or b"" for _ in range(50)]
    assert len({challenge.partition(b".")[0] for challenge in challenges}) == 50
    assert all(challenge.endswith(b"@mail.example.org>") for challenge in challenges)


def test_anonymous_is_nobody(server: SaslServer[Identity]) -> None:
    assert server.start("ANONYMOUS", None) == Challenge(b"")
    done = server.step(b"sirhc@example.net")
    assert isinstance(done, Success)
    assert done.userid == "anonymous"
    assert isinstance(server.start("ANONYMOUS", b"\xff" * 300), Success)


@pytest.fixture
def announced(database: Path) -> Iterator[Callable[..., tuple[str, ...]]]:
    def ask(*, secrets: bool = True, anonymous: bool = False, **options: str) -> tuple[str, ...]:
        if secrets:
            options |= {"sasl_sql_engine": "sqlite3", "sasl_sql_database": str(database)}
            options["sasl_sql_select"] = "SELECT 'x'"
        config = Config.for_tests(extra=options, allowplaintext=True)
        server = SaslServer(
            SaslSettings.from_config(config, "imap", anonymous=anonymous), LoginPolicy(config)
        )
        return server.mechanisms()

    yield ask


def test_what_is_announced(announced: Callable[..., tuple[str, ...]]) -> None:
    """In the original's order, or the one that is configured, and nothing that could never work."""
    hashes = tuple(f"SCRAM-SHA-{size}" for size in ("512", "384", "256", "224", "1"))
    assert announced() == (*hashes, "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN")
    assert announced(secrets=False) == ("PLAIN", "LOGIN")
    assert announced(sasl_mech_list="plain SCRAM-SHA-1") == ("PLAIN", "SCRAM-SHA-1")
    assert announced(secrets=False, anonymous=True)[-1] == "ANONYMOUS"


def refusal(action: Callable[[], object]) -> SaslCode | None:
    try:
        action()
    except SaslError as error:
        return error.code
    return None


def test_a_mechanism_asks_for_what_it_needs() -> None:
    with pytest.raises(ServerChallenge):
        DigestMd5Mechanism("imap", "host", lambda user: None).server_attempt([])
