"""GSSAPI and GSS-SPNEGO between our client and our server, in a Kerberos realm of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane.kerberos import Realm
from libcyrus.base.dataclasses import replace
from libcyrus.config import Config
from libcyrus.errors import LayerBroken
from libcyrus.sasl import Challenge, SaslCode, SaslError, SaslServer, SaslSettings, Success, gss
from libcyrus.sasl.client import Channel, Login, SaslClient, choose
from libcyrus.sasl.layer import Limits
from libcyrus.server.login import Identity, LoginPolicy

pytestmark = pytest.mark.reference

HOST = "mail.example.org"
ANY = Limits(0, 256)
BOTH = ["GSSAPI", "GSS-SPNEGO"]


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    with Realm() as made:
        made.add_user("ann")
        made.add_user("admin")
        made.add_service(f"imap/{HOST}", made.directory / "keytab")
        yield made


@pytest.fixture(autouse=True)
def ticket(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    become(realm, "ann", monkeypatch)


def become(realm: Realm, user: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in realm.ticket(user).items():
        monkeypatch.setenv(name, value)


def server(
    realm: Realm, *, bits: int = 0, least: int = 0, most: int = 256, **sasl: str
) -> SaslServer[Identity]:
    extra = {"sasl_keytab": str(realm.directory / "keytab")} | sasl
    config = Config.for_tests(
        extra=extra, servername=HOST, admins="admin", sasl_minimum_layer=least, sasl_maximum_layer=most
    )
    made = SaslServer(SaslSettings.from_config(config, "imap"), LoginPolicy(config))
    made.bits = bits
    return made


def client(name: str, login: Login | None = None, **channel: object) -> SaslClient:
    wanted = replace(Channel("imap", HOST, limits=ANY), **channel)
    return SaslClient(name, login or Login(), wanted)


def converse(theirs: SaslClient, ours: SaslServer[Identity]) -> Success[Identity]:
    outcome = ours.start(theirs.name, theirs.start())
    while isinstance(outcome, Challenge):
        outcome = ours.step(theirs.step(outcome.data))
    theirs.finish()
    return outcome


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize(
    ("limits", "strength"), [(Limits(0, 256), 256), (Limits(0, 1), 1), (Limits(0, 0), 0), (Limits(1, 56), 1)]
)
def test_a_ticket_is_a_login(realm: Realm, name: str, limits: Limits, strength: int) -> None:
    if name == "GSS-SPNEGO" and strength:
        # whose context is all or nothing
        strength = 256
    theirs, ours = client(name, limits=limits), server(realm)
    done = converse(theirs, ours)
    assert (done.authcid, done.userid) == ("ann", "ann")
    assert ours.strength == strength
    if not strength:
        assert theirs.layer is done.layer is None
        return
    assert theirs.layer is not None
    assert done.layer is not None
    assert theirs.layer.strength == done.layer.strength == strength
    text = b"a1 SELECT INBOX\r\n" * 3000
    sealed = theirs.layer.encode(text)
    assert (b"SELECT" in sealed) is (strength == 1)
    assert b"".join(done.layer.decode(sealed[at : at + 1000]) for at in range(0, len(sealed), 1000)) == text
    assert theirs.layer.decode(done.layer.encode(text)) == text


@pytest.mark.parametrize("change", ["flip", "twice", "junk", "huge"])
@pytest.mark.parametrize("name", BOTH)
def test_a_layer_that_was_tampered_with_is_noticed(realm: Realm, name: str, change: str) -> None:
    theirs = client(name)
    layer = converse(theirs, server(realm)).layer
    assert layer is not None
    assert theirs.layer is not None
    sealed = theirs.layer.encode(b"a1 NOOP\r\n")
    if change == "flip":
        sealed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    elif change == "twice":
        sealed += sealed
    elif change == "junk":
        sealed = b"\0\0\0\x04junk"
    else:
        sealed = b"\xff" * 8
    with pytest.raises(LayerBroken):
        layer.decode(sealed)


def test_under_tls_there_is_no_second_layer(realm: Realm) -> None:
    ours = server(realm, bits=256)
    assert converse(client("GSSAPI", limits=Limits.beside(256, minimum=0, maximum=256)), ours).layer is None


def test_what_the_server_demands(realm: Realm) -> None:
    ours = server(realm, least=56)
    assert ours.mechanisms() == ("GSS-SPNEGO", "GSSAPI")
    with pytest.raises(SaslError) as caught:
        converse(client("GSSAPI", limits=Limits(0, 1)), ours)
    assert caught.value.code is SaslCode.TOOWEAK
    layer = converse(client("GSSAPI"), server(realm, least=56)).layer
    assert layer is not None
    assert layer.strength == 256


def test_a_server_that_allows_less(realm: Realm) -> None:
    for most, strength in ((128, 1), (0, 0)):
        layer = converse(client("GSSAPI"), server(realm, most=most)).layer
        assert (layer.strength if layer else 0) == strength


def test_only_an_administrator_acts_for_another(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SaslError) as caught:
        converse(client("GSSAPI", Login(authzid="bob")), server(realm))
    assert caught.value.code is SaslCode.BADAUTH
    assert converse(client("GSSAPI", Login(authzid="ann")), server(realm)).userid == "ann"
    become(realm, "admin", monkeypatch)
    done = converse(client("GSSAPI", Login(authzid="bob")), server(realm))
    assert (done.authcid, done.userid) == ("admin", "bob")


@pytest.mark.parametrize("name", BOTH)
def test_a_context_is_bound_to_its_channel(realm: Realm, name: str) -> None:
    def bound(ours: bytes | None, theirs: bytes | None) -> Success[Identity]:
        made = server(realm, bits=256)
        made.binding = lambda kind: ours if kind == "tls-unique" else b"other"
        return converse(client(name, bits=256, unique=theirs, limits=Limits()), made)

    for ours, theirs in ((b"x", b"x"), (b"x", None), (None, b"x")):
        assert bound(ours, theirs).userid == "ann"
    with pytest.raises(SaslError) as caught:
        bound(b"x", b"y")
    assert caught.value.code is SaslCode.BADAUTH


def test_what_was_said_once_is_not_taken_again(realm: Realm) -> None:
    said = client("GSSAPI").start()
    assert said is not None
    assert isinstance(server(realm).start("GSSAPI", said), Challenge)
    with pytest.raises(SaslError) as caught:
        server(realm).start("GSSAPI", said)
    assert caught.value.code is SaslCode.BADAUTH
    assert caught.value.log_text.endswith(": GSSAPI Failure: gss_accept_sec_context")


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("token", [b"", b"junk", b"\x60" * 5000, b"\x60\x82\xff\xff"])
def test_nonsense_is_refused(realm: Realm, name: str, token: bytes) -> None:
    with pytest.raises(SaslError) as caught:
        server(realm).start(name, token)
        # SPNEGO answers nothing with a hint
        assert (name, token) == ("GSS-SPNEGO", b"")
        raise SaslError(SaslCode.BADAUTH)
    assert caught.value.code is SaslCode.BADAUTH


@pytest.mark.parametrize("answer", [b"", b"junk", b"\1\0\0\0"])
def test_a_choice_that_is_not_wrapped_is_refused(realm: Realm, answer: bytes) -> None:
    theirs, ours = client("GSSAPI"), server(realm)
    outcome = ours.start("GSSAPI", theirs.start())
    assert isinstance(outcome, Challenge)
    outcome = ours.step(theirs.step(outcome.data))
    assert isinstance(outcome, Challenge)
    with pytest.raises(SaslError) as caught:
        ours.step(answer)
    assert caught.value.code is SaslCode.FAIL


def test_the_server_does_not_guess_what_follows(realm: Realm) -> None:
    theirs, ours = client("GSSAPI"), server(realm)
    outcome = ours.start("GSSAPI", theirs.start())
    assert isinstance(outcome, Challenge)
    with pytest.raises(SaslError) as caught:
        ours.step(b"too early")
    assert caught.value.code is SaslCode.BADAUTH


def test_offered_only_where_there_is_a_key(
    realm: Realm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keytab = str(realm.directory / "keytab")
    assert server(realm).mechanisms() == ("GSS-SPNEGO", "GSSAPI")
    assert server(realm, sasl_keytab="/nonexistent").mechanisms() == ()
    assert "Could not find keytab file: /nonexistent: No such file or directory" in caplog.text
    assert server(realm, sasl_keytab=f"FILE:{keytab}", sasl_mech_list="gssapi").mechanisms() == ("GSSAPI",)
    # without the setting: where Kerberos itself finds keys
    config = Config.for_tests(extra={"sasl_mech_list": "GSSAPI"}, servername=HOST)
    assert SaslSettings.from_config(config, "imap").mechanisms == ()
    assert "GSSAPI cannot be offered: " in caplog.text
    monkeypatch.setenv("KRB5_KTNAME", keytab)
    assert SaslSettings.from_config(config, "imap").mechanisms != ()
    assert SaslSettings.from_config(config, "pop").mechanisms == ()


def test_a_library_that_is_not_there_is_said_so(
    realm: Realm, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gss, "LIBRARY", "libnone.so")
    gss.library.cache_clear()
    try:
        assert server(realm).mechanisms() == ()
        assert "libnone.so cannot be used" in caplog.text
        with pytest.raises(SaslError, match=r"libnone\.so"):
            client("GSSAPI")
    finally:
        gss.library.cache_clear()


def test_what_a_client_chooses(realm: Realm) -> None:
    channel = Channel("imap", HOST, limits=ANY)
    offered = ["PLAIN", "GSSAPI", "GSS-SPNEGO"]
    assert choose(offered, Login("ann"), channel) == "GSS-SPNEGO"
    # which tells nobody whom to act for
    assert choose(offered, Login("ann", authzid="bob"), channel) == "GSSAPI"
    with pytest.raises(SaslError):
        choose(offered, Login("ann", authzid="bob"), channel, wanted="GSS-SPNEGO", as_another=True)


def test_a_client_without_a_ticket(realm: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = Channel("imap", HOST, limits=ANY)
    assert choose(["GSSAPI", "PLAIN"], Login("ann"), channel) == "GSSAPI"
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{realm.directory}/none")
    assert choose(["GSSAPI", "PLAIN"], Login("ann"), channel) == "PLAIN"
    assert choose(["GSSAPI", "PLAIN"], Login("ann"), channel, wanted="GSSAPI") == "GSSAPI"
    with pytest.raises(SaslError, match="GSSAPI Error: .*tickets|cache|credential"):
        client("GSSAPI").start()


def test_a_client_meets_no_other_service(realm: Realm, tmp_path: Path) -> None:
    other = tmp_path / "keytab"
    realm.add_service("imap/other.example.org", other)
    theirs = client("GSSAPI", host="other.example.org")
    with pytest.raises(SaslError) as caught:
        converse(theirs, server(realm))
    assert caught.value.code is SaslCode.BADAUTH
