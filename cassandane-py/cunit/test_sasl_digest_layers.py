"""The security layers of DIGEST-MD5: what is agreed on under which limits, and what they protect from."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm

from libcyrus.config import Config
from libcyrus.errors import LayerBroken
from libcyrus.sasl import (
    Challenge,
    SaslCode,
    SaslError,
    SaslServer,
    SaslSettings,
    Success,
    apop,
    digest_ciphers,
)
from libcyrus.sasl.client import Channel, Login, SaslClient, choose
from libcyrus.sasl.digest_layer import CIPHERS
from libcyrus.sasl.layer import Limits, SecurityLayer
from libcyrus.server.login import Identity, LoginPolicy

JOE = Login("joe", "secret")
STRENGTHS = [1, *sorted(cipher.strength for cipher in CIPHERS)]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("layers") / "users.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        connection.executemany("INSERT INTO users VALUES (?, ?)", [("joe", "secret"), ("admin", "root")])
    connection.close()
    return path


def make(database: Path, *, bits: int = 0, **options: object) -> SaslServer[Identity]:
    extra = {
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(database),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
    }
    options.setdefault("allowplaintext", True)
    config = Config.for_tests(extra=extra, servername="mail.example.org", **options)  # type: ignore[arg-type]
    server = SaslServer(SaslSettings.from_config(config, "imap"), LoginPolicy(config))
    server.bits = bits
    return server


def login(server: SaslServer[Identity], limits: Limits) -> tuple[SecurityLayer | None, SecurityLayer | None]:
    """The layers of the server and of the client."""
    client = SaslClient("DIGEST-MD5", JOE, Channel("imap", "mail.example.org", limits=limits))
    outcome = server.start("DIGEST-MD5", None)
    while isinstance(outcome, Challenge):
        outcome = server.step(client.step(outcome.data))
    client.finish()
    return outcome.layer, client.layer


def pair(database: Path, strength: int) -> tuple[SecurityLayer, SecurityLayer]:
    ours, theirs = login(make(database), Limits(strength, strength))
    assert ours is not None
    assert theirs is not None
    return ours, theirs


@pytest.mark.parametrize("strength", STRENGTHS)
def test_every_layer_carries_both_directions(database: Path, strength: int) -> None:
    ours, theirs = pair(database, strength)
    assert (ours.strength, theirs.strength) == (strength, strength)
    for text in (b"", b"x", b"hello\r\n", bytes(range(256)) * 40, b"y" * 8):
        assert theirs.decode(ours.encode(text)) == text
        assert ours.decode(theirs.encode(text)) == text
    sealed = ours.encode(b"a secret text")
    assert (b"secret" in sealed) == (strength == 1)


def test_rc4_of_our_own_is_the_same(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For an OpenSSL that has none any more. The first is of RFC 6229."""
    stream = digest_ciphers.PlainRc4(bytes(range(1, 6))).update(bytes(16))
    assert stream.hex() == "b2396305f03dc027ccc3524a0a1118a8"
    for size in (0, 1, 300):
        data = bytes(range(256)) * 2
        mine, theirs = digest_ciphers.PlainRc4(b"k" * 16).update, digest_ciphers.rc4(b"k" * 16, decrypt=False)
        assert mine(data[:size]) + mine(data[size:]) == theirs(data)
    monkeypatch.setattr(digest_ciphers, "ARC4", lambda key: key)
    monkeypatch.setattr(digest_ciphers, "Algorithm", _unsupported)
    ours, theirs_too = pair(database, 128)
    assert theirs_too.decode(ours.encode(b"some words")) == b"some words"


def _unsupported(*_: object) -> object:
    raise UnsupportedAlgorithm("none")


@pytest.mark.parametrize("strength", STRENGTHS)
def test_no_buffer_is_longer_than_the_peer_takes(database: Path, strength: int) -> None:
    ours, theirs = pair(database, strength)
    for one, other in ((ours, theirs), (theirs, ours)):
        sent = one.encode(b"z" * 20000)
        first = int.from_bytes(sent[:4], "big")
        assert 4000 < first <= 4092
        assert other.decode(sent) == b"z" * 20000


@pytest.mark.parametrize("strength", STRENGTHS)
def test_what_was_changed_on_its_way_is_refused(database: Path, strength: int) -> None:
    sent = pair(database, strength)[0].encode(b"some words")
    for place in range(4, len(sent)):
        # each time of another exchange: keys are never the same
        ours, theirs = pair(database, strength)
        sent = ours.encode(b"some words")
        changed = sent[:place] + bytes([sent[place] ^ 0x10]) + sent[place + 1 :]
        with pytest.raises(LayerBroken):
            theirs.decode(changed)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_what_is_said_again_left_out_or_turned_round_is_refused(database: Path, strength: int) -> None:
    ours, theirs = pair(database, strength)
    first = ours.encode(b"one")
    assert theirs.decode(first) == b"one"
    with pytest.raises(LayerBroken, match="received 0, expected 1"):
        theirs.decode(first)
    ours, theirs = pair(database, strength)
    ours.encode(b"one")
    with pytest.raises(LayerBroken, match="received 1, expected 0"):
        theirs.decode(ours.encode(b"two"))
    ours, theirs = pair(database, strength)
    with pytest.raises(LayerBroken):
        ours.decode(ours.encode(b"one"))


@pytest.mark.parametrize("size", [0, 1, 15])
def test_what_is_too_short_is_refused(database: Path, size: int) -> None:
    with pytest.raises(LayerBroken, match="at least 16 bytes long"):
        pair(database, 1)[0].decode(size.to_bytes(4, "big") + b"x" * size)


def test_a_layer_begins_only_when_the_server_has_proven_itself(database: Path) -> None:
    server = make(database)
    client = SaslClient("DIGEST-MD5", JOE, Channel("imap", "mail.example.org", limits=Limits(0, 256)))
    challenge = server.start("DIGEST-MD5", None)
    assert isinstance(challenge, Challenge)
    last = server.step(client.step(challenge.data))
    assert isinstance(last, Challenge)
    assert client.layer is None
    with pytest.raises(SaslError):
        client.step(b"rspauth=" + b"0" * 32)
    assert client.layer is None


OFFERED = [
    # minimum, maximum, bits of TLS, what the challenge offers
    (0, 256, 0, "auth,auth-int,auth-conf rc4-40,rc4-56,rc4,des,3des"),
    (0, 0, 0, "auth"),
    (0, 1, 0, "auth,auth-int"),
    (1, 1, 0, "auth-int"),
    (1, 256, 0, "auth-int,auth-conf rc4-40,rc4-56,rc4,des,3des"),
    (0, 55, 0, "auth,auth-int,auth-conf rc4-40,des"),
    (56, 112, 0, "auth-conf rc4-56,3des"),
    (128, 256, 0, "auth-conf rc4"),
    (129, 256, 0, None),
    (128, 127, 0, SaslCode.TOOWEAK),
    (0, 256, 256, "auth"),
    (0, 256, 128, "auth,auth-int,auth-conf rc4-40,rc4-56,rc4,des,3des"),
    (256, 256, 128, "auth-conf rc4"),
    (257, 300, 256, "auth-int,auth-conf rc4-40"),
]


@pytest.mark.parametrize(("minimum", "maximum", "bits", "expected"), OFFERED)
def test_what_is_offered_within_the_limits(
    database: Path, minimum: int, maximum: int, bits: int, expected: str | SaslCode | None
) -> None:
    """As the original offers it; None: not at all."""
    server = make(database, bits=bits, sasl_minimum_layer=minimum, sasl_maximum_layer=maximum)
    if expected is None:
        assert "DIGEST-MD5" not in server.mechanisms()
        expected = SaslCode.TOOWEAK
    else:
        assert "DIGEST-MD5" in server.mechanisms()
    # those without layers of their own are for who needs none on top
    assert ("CRAM-MD5" in server.mechanisms()) == ("PLAIN" in server.mechanisms()) == (minimum <= bits)
    if isinstance(expected, SaslCode):
        with pytest.raises(SaslError) as caught:
            server.start("DIGEST-MD5", None)
        assert caught.value.code is expected
        return
    challenge = server.start("DIGEST-MD5", None)
    assert isinstance(challenge, Challenge)
    qop, _, ciphers = expected.partition(" ")
    assert b'qop="%s"' % qop.encode() in challenge.data
    assert (b'cipher="%s"' % ciphers.encode() in challenge.data) == bool(ciphers)


@pytest.mark.parametrize(
    ("limits", "strength"),
    [(Limits(0, 0), 0), (Limits(0, 1), 1), (Limits(0, 56), 56), (Limits(0, 111), 56), (Limits(0, 255), 128)],
)
def test_the_client_takes_the_strongest(database: Path, limits: Limits, strength: int) -> None:
    ours, theirs = login(make(database), limits)
    assert (ours.strength if ours else 0, theirs.strength if theirs else 0) == (strength, strength)


def test_the_client_insists(database: Path) -> None:
    with pytest.raises(SaslError) as caught:
        login(make(database, sasl_maximum_layer=1), Limits(56, 128))
    assert caught.value.code is SaslCode.TOOWEAK
    strict = Channel("imap", "host", limits=Limits(1, 128))
    with pytest.raises(SaslError) as caught:
        choose(["PLAIN", "CRAM-MD5"], JOE, strict)
    assert caught.value.code is SaslCode.NOMECH
    assert choose(["PLAIN", "DIGEST-MD5"], JOE, strict) == "DIGEST-MD5"


def test_a_layer_that_was_not_offered_is_refused_whoever_asks(database: Path) -> None:
    """Also for a name that nobody has: or that answer would tell."""
    for user in ("joe", "nobody"):
        for wish, code in (
            (b"qop=auth-conf,cipher=rc4", SaslCode.FAIL),
            (b"qop=auth-conf", SaslCode.FAIL),
            (b"qop=auth-x", SaslCode.FAIL),
            (b"qop=auth-int,maxbuf=20", SaslCode.BADAUTH),
            (b"qop=auth,maxbuf=16", SaslCode.BADAUTH),
            (b"qop=auth,maxbuf=16777216", SaslCode.BADAUTH),
            (b"qop=auth,maxbuf=" + b"9" * 2000, SaslCode.BADAUTH),
        ):
            server = make(database, sasl_maximum_layer=56)
            challenge = server.start("DIGEST-MD5", None)
            assert isinstance(challenge, Challenge)
            nonce = challenge.data.split(b'"')[1]
            answer = (
                b'username="%s",realm="mail.example.org",nonce="%s",cnonce="c",nc=00000001,'
                b'digest-uri="imap/x",response=00,%s' % (user.encode(), nonce, wish)
            )
            with pytest.raises(SaslError) as caught:
                server.step(answer)
            assert caught.value.code is code


def test_under_a_layer_the_mechanisms_are_told_again(database: Path) -> None:
    server = make(database)
    before = server.mechanisms()
    login(server, Limits(1, 1))
    assert (server.mechanisms(), server.strength) == (before, 1)
    server.forget()
    assert server.strength == 0
    login(server, Limits())
    assert server.mechanisms() == ()


def test_apop(database: Path) -> None:
    assert make(database, allowapop=False).new_apop_challenge() is None
    server = make(database)
    challenge = server.new_apop_challenge()
    assert challenge is not None
    assert challenge != server.new_apop_challenge()
    assert challenge.startswith(b"<")
    assert challenge.endswith(b"@mail.example.org>")
    rfc = b"<1896.697170952@dbc.mtview.ca.us>"  # RFC 1939 section 7
    apop.check(rfc, b"tanstaaf", b"c4c9334bac560ecc979e58001b3e22fb")
    digest = {password: _apop(challenge, password) for password in (b"secret", b"wrong")}
    done = server.check_apop(challenge, b"joe " + digest[b"secret"])
    assert isinstance(done, Success)
    assert done.userid == "joe"
    for response, code in (
        (b"joe " + digest[b"wrong"], SaslCode.BADAUTH),
        (b"nobody " + digest[b"secret"], SaslCode.NOUSER),
        (b"joe " + digest[b"secret"].upper(), SaslCode.BADPROT),
        (b"joe " + digest[b"secret"] + b"0", SaslCode.BADPROT),
        (b"joe", SaslCode.BADPROT),
        (b" " + digest[b"secret"], SaslCode.FAIL),
    ):
        with pytest.raises(SaslError) as caught:
            server.check_apop(challenge, response)
        assert caught.value.code is code
    again = server.new_apop_challenge()
    assert again is not None
    with pytest.raises(SaslError):
        server.check_apop(again, b"joe " + digest[b"secret"])


def _apop(challenge: bytes, password: bytes) -> bytes:
    return hashlib.md5(challenge + password).hexdigest().encode()
