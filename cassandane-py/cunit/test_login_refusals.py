"""What a guesser learns from refusals: nothing. The same words and the same delays for everybody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from imap.imapd import main as imapd
from imap.lmtpd import app as lmtpd_app
from imap.lmtpd import main as lmtpd
from libcyrus import options as opt
from libcyrus.base.signals import Signals
from libcyrus.config import Config
from libcyrus.sasl import SaslError, SaslServer, SaslSettings, scram
from libcyrus.sasl.client import Channel, Login, SaslClient
from libcyrus.sasl.layer import Limits
from libcyrus.sasl.mechanisms import MECHANISMS
from libcyrus.server.connection import Connection
from libcyrus.server.login import LoginPolicy
from libcyrus.server.proc import ProcFile
from libcyrus.server.program import Service

PAUSE = 3
BY_PASSWORD = [
    name
    for name, mechanism in MECHANISMS.items()
    if (mechanism.secret or mechanism.plaintext) and not mechanism.token and not mechanism.binding
]


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Config]:
    path = tmp_path / "users.db"
    keys = scram.keys_from_password("sha256", b"hidden", b"sixteen bytes...", 4096)
    parts = [base64.b64encode(part).decode() for part in (keys.salt, keys.stored, keys.server)]
    stored = "SCRAM-SHA-256$4096:{}${}:{}".format(*parts)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT, authPassword TEXT)")
        people = [("joe", "secret", None), ("admin", "root", None), ("kept", None, stored)]
        connection.executemany("INSERT INTO users VALUES (?, ?, ?)", people)
    connection.close()
    (tmp_path / "spool").mkdir()
    (tmp_path / "conf/proc").mkdir(parents=True)
    extra = {
        "partition-default": str(tmp_path / "spool"),
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(path),
        "sasl_sql_select": "SELECT %p FROM users WHERE name = '%u'",
    }
    return lambda ident, **options: Config.for_tests(
        ident=ident,
        extra=extra,
        configdirectory=str(tmp_path / "conf"),
        defaultpartition="default",
        servername="mail.example.org",
        admins="admin",
        allowplaintext=True,
        failedloginpause=PAUSE,
        **options,
    )


class Conversation:
    """A client of one of our daemons, in this process; ``pauses`` are the delays that were asked for."""

    def __init__(self, config: Config, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self._sock = socket.create_connection(listener.getsockname(), timeout=30)
            ours, _ = listener.accept()
        self._lines = self._sock.makefile("rb")
        self.protocol = protocol
        self.pauses: list[float] = []
        monkeypatch.setattr(time, "sleep", self.pauses.append)
        proc = ProcFile(f"{config[opt.configdirectory]}/proc")
        service = Service(protocol, config, [], [], Signals(), proc)
        serve: Callable[[], None]
        if protocol == "imap":
            process = imapd.init(service)
            serve, self._close = (lambda: imapd.serve(process, Connection(ours))), process.close
        else:
            app = lmtpd_app.build(service)
            app.open()
            serve, self._close = (lambda: lmtpd.serve(app, Connection(ours))), app.close
        self._thread = threading.Thread(target=serve)
        self._thread.start()
        self.line()

    def close(self) -> None:
        self._lines.close()
        self._sock.close()
        self._thread.join()
        self._close()

    def send(self, line: bytes) -> None:
        self._sock.sendall(line + b"\r\n")

    def line(self) -> bytes:
        return self._lines.readline().rstrip(b"\r\n")

    def tagged(self, line: bytes) -> bytes:
        self.send(b"a " + line)
        while not (said := self.line()).startswith(b"a "):
            assert said
        return said

    def authenticate(self, mechanism: str, answer: Callable[[bytes], bytes | None]) -> list[bytes]:
        """What the server says, challenges as ``+``; an ``answer`` of None cancels."""
        verb = b"a AUTHENTICATE " if self.protocol == "imap" else b"AUTH "
        prompt = b"+ " if self.protocol == "imap" else b"334 "
        self.send(verb + mechanism.encode())
        said = []
        while (line := self.line()).startswith(prompt):
            said.append(b"+")
            response = answer(base64.b64decode(line[len(prompt) :]))
            self.send(b"*" if response is None else base64.b64encode(response))
        return [*said, line]


@pytest.fixture(params=["imap", "lmtp"])
def conversation(
    request: pytest.FixtureRequest, config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Conversation]:
    made = Conversation(config(request.param), request.param, monkeypatch)
    yield made
    made.close()


def guess(
    conversation: Conversation, mechanism: str, user: str, password: str
) -> tuple[list[bytes], list[float]]:
    service = conversation.protocol
    client = SaslClient(mechanism, Login(user, password), Channel(service, "mail.example.org"), MECHANISMS)
    initial = client.start()
    held = [initial] if initial is not None else []
    conversation.pauses.clear()
    said = conversation.authenticate(
        mechanism, lambda challenge: held.pop() if held else client.step(challenge)
    )
    return said, conversation.pauses.copy()


@pytest.mark.parametrize("mechanism", BY_PASSWORD)
def test_an_unknown_user_is_refused_like_a_wrong_password(conversation: Conversation, mechanism: str) -> None:
    wrong = guess(conversation, mechanism, "joe", "wrong")
    assert wrong[1] == [PAUSE]
    assert wrong[0][-1] in (b"a NO authentication failure", b"501 5.5.4 undefined error!")
    for user in ("nobody", "kept", "x" * 60, "j\u00f6rg", "admin"):
        assert guess(conversation, mechanism, user, "wrong") == wrong


def test_the_login_command_refuses_alike(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = Conversation(config("imap"), "imap", monkeypatch)
    for user in (b"joe", b"nobody", b"kept"):
        conversation.pauses.clear()
        said = conversation.tagged(b"LOGIN " + user + b" wrong")
        assert said == b"a NO Login failed: authentication failure"
        assert conversation.pauses == [PAUSE]
    conversation.close()


def test_a_password_in_the_clear_costs_time(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of LOGIN only, as in the original; and the user is told."""
    conversation = Conversation(
        config("imap", plaintextloginpause=5, plaintextloginalert="use TLS, please"), "imap", monkeypatch
    )
    assert conversation.tagged(b"LOGIN joe secret").startswith(b"a OK")
    assert conversation.pauses == [5]
    conversation.send(b"b NOOP")
    assert conversation.line() == b"* OK [ALERT] use TLS, please"
    conversation.close()


@pytest.mark.parametrize("mechanism", BY_PASSWORD)
def test_giving_up_costs_nothing(conversation: Conversation, mechanism: str) -> None:
    conversation.authenticate(mechanism, lambda challenge: None)
    assert conversation.pauses == []


def offered(conversation: Conversation) -> list[bytes]:
    if conversation.protocol == "imap":
        conversation.send(b"c CAPABILITY")
        words = conversation.line().split()
        assert conversation.line().startswith(b"c OK")
        return [word for word in words if word.startswith(b"AUTH=")]
    conversation.send(b"LHLO here")
    lines = [conversation.line()]
    while lines[-1][3:4] == b"-":
        lines.append(conversation.line())
    return [line for line in lines if line[4:8] == b"AUTH"]


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "SCRAM-SHA-256"])
def test_giving_up_at_the_end_is_giving_up(conversation: Conversation, mechanism: str) -> None:
    """The client has proven itself, and the server is about to."""
    before = offered(conversation)
    channel = Channel(conversation.protocol, "mail.example.org", limits=Limits(0, 128))
    client = SaslClient(mechanism, Login("admin", "root"), channel, MECHANISMS)
    held = [client.start(), None]

    def answer(challenge: bytes) -> bytes | None:
        if challenge.startswith((b"v=", b"rspauth=")):
            return None
        first = held.pop(0)
        return client.step(challenge) if first is None else first

    *_, said = conversation.authenticate(mechanism, answer)
    assert b"anceled" in said
    assert offered(conversation) == before
    assert guess(conversation, "PLAIN", "admin", "root")[0][-1].startswith((b"a OK", b"235"))


@pytest.mark.parametrize("mechanism", BY_PASSWORD)
def test_nonsense_costs_the_same(conversation: Conversation, mechanism: str) -> None:
    conversation.authenticate(mechanism, lambda challenge: b"\0")
    assert conversation.pauses == [PAUSE]


def work(config: Config, monkeypatch: pytest.MonkeyPatch, user: str) -> list[list[tuple[str, int]]]:
    """The costly derivations in each step of a SCRAM exchange that fails."""
    done: list[tuple[str, int]] = []
    derive = hashlib.pbkdf2_hmac

    def counted(name: str, password: bytes, salt: bytes, iterations: int) -> bytes:
        done.append((name, iterations))
        return derive(name, password, salt, iterations)

    server = SaslServer(SaslSettings.from_config(config, "imap"), LoginPolicy(config))
    client = SaslClient("SCRAM-SHA-256", Login(user, "wrong"), Channel("imap", "mail.example.org"))
    first = client.start()
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    challenge = server.start("SCRAM-SHA-256", first)
    steps = [done.copy()]
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", derive)
    final = client.step(challenge.data or b"")
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    done.clear()
    with pytest.raises(SaslError):
        server.step(final)
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", derive)
    return [*steps, done]


def test_no_user_takes_longer_than_another(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether a password is kept, or keys are, or nothing."""
    expected: list[list[tuple[str, int]]] = [[], [("sha256", 4096)]]
    for user in ("joe", "kept", "nobody"):
        assert work(config("imap"), monkeypatch, user) == expected


def test_secrets_are_compared_in_constant_time(
    config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    compare = hmac.compare_digest

    def seen(one: bytes, other: bytes) -> bool:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", seen)
    for mechanism in BY_PASSWORD:
        settings = SaslSettings.from_config(config("imap"), "imap")
        server = SaslServer(settings, LoginPolicy(config("imap")))
        client = SaslClient(mechanism, Login("joe", "wrong"), Channel("imap", "mail.example.org"), MECHANISMS)
        compared.clear()
        with pytest.raises(SaslError):
            outcome = server.start(mechanism, client.start())
            while True:
                outcome = server.step(client.step(outcome.data or b""))
        assert compared, mechanism
