"""Whatever octets a peer sends: an exchange ends with a login or a SaslError, a layer with LayerBroken."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libcyrus.config import Config
from libcyrus.errors import LayerBroken
from libcyrus.sasl import Challenge, SaslError, SaslServer, SaslSettings
from libcyrus.sasl.client import Channel, Login, SaslClient
from libcyrus.sasl.digest_layer import CIPHERS, integrity, privacy
from libcyrus.sasl.layer import Limits
from libcyrus.sasl.mechanisms import MECHANISMS
from libcyrus.server.login import Identity, LoginPolicy

CHANNEL = Channel("imap", "host", 143, 0, "tls-unique", b"finished", Limits(0, 128))
NAMES = [name for name, found in MECHANISMS.items() if not (found.token or found.ticket or found.certified)]
SIGNS = [b"\0", b",", b"=", b'"', b"\\", b" ", b"\xff\xfe", b"\xc3\xbc", b"\xed\xa0\x80", b"x" * 2000]
PIECES = st.one_of(st.binary(max_size=3), st.sampled_from(SIGNS))


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], SaslServer[Identity]]:
    path = tmp_path_factory.mktemp("sasl") / "users.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        connection.execute("INSERT INTO users VALUES ('joe', 'secret')")
    connection.close()
    extra = {
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(path),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
        "sasl_scram_iteration_counter": "1",
    }
    config = Config.for_tests(extra=extra, allowplaintext=True)
    made = SaslSettings.from_config(config, "imap", anonymous=True)

    def server() -> SaslServer[Identity]:
        new = SaslServer(made, LoginPolicy(config))
        new.binding = {"tls-unique": b"finished"}.get
        return new

    return server


@st.composite
def changes(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    """Something put in, at a place where something may be taken away."""
    what, place, fewer = draw(PIECES), draw(st.floats(0, 1)), draw(st.integers(0, 6))

    def change(text: bytes) -> bytes:
        at = int(place * len(text))
        return text[:at] + what + text[at + fewer :]

    return change


@settings(max_examples=400, deadline=None)
@given(
    name=st.sampled_from(NAMES),
    user=st.sampled_from(["joe", "nobody", "j\u00f6e", ""]),
    early=st.booleans(),
    how=st.lists(changes(), min_size=1, max_size=4),
)
def test_any_answers(
    make: Callable[[], SaslServer[Identity]],
    name: str,
    user: str,
    early: bool,
    how: list[Callable[[bytes], bytes]],
) -> None:
    server, client = make(), SaslClient(name, Login(user, "secret"), CHANNEL, MECHANISMS)
    steps = iter(how)

    def changed(text: bytes) -> bytes:
        return next(steps, bytes)(text)

    initial = client.start()
    held = [] if initial is None or early else [initial]
    try:
        outcome = server.start(name, changed(initial) if initial is not None and early else None)
        while isinstance(outcome, Challenge):
            try:
                answer = held.pop() if held else client.step(outcome.data)
            except SaslError:
                answer = b"junk"
            outcome = server.step(changed(answer))
    except SaslError:
        return
    assert outcome.userid in ("joe", "anonymous")


@settings(max_examples=300, deadline=None)
@given(
    cipher=st.sampled_from([None, *CIPHERS]),
    texts=st.lists(st.binary(max_size=60), max_size=3),
    how=changes(),
    cut=st.integers(0, 200),
)
def test_any_buffers(cipher: object, texts: list[bytes], how: Callable[[bytes], bytes], cut: int) -> None:
    """What comes out, up to the fault, is what went in."""
    ours, theirs = (
        integrity(b"k" * 16, server=side, maxbuf=100) if cipher is None
        else privacy(cipher, b"k" * 16, server=side, maxbuf=100)  # type: ignore[arg-type]
        for side in (True, False)
    )  # fmt: skip
    sent = how(b"".join(map(ours.encode, texts)))
    read = b""
    try:
        read += theirs.decode(sent[:cut])
        read += theirs.decode(sent[cut:])
    except LayerBroken:
        pass
    assert b"".join(texts).startswith(read)
