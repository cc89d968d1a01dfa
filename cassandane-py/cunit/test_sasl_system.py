"""The system's libsasl2 in the place of our own mechanisms."""

from __future__ import annotations

import gc
import hashlib
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import TOP
from libcyrus.config import Config
from libcyrus.errors import LayerBroken
from libcyrus.sasl import (
    Challenge,
    SaslCode,
    SaslError,
    SaslServer,
    SaslSettings,
    Success,
    libsasl,
    make_server,
)
from libcyrus.sasl.client import Channel, Login, SaslClient
from libcyrus.sasl.layer import Limits
from libcyrus.sasl.sasldb import Sasldb
from libcyrus.server.login import Identity, LoginPolicy

HOST = "mail.example.org"
ANY = Limits(0, 256)

pytestmark = pytest.mark.reference

Make = Callable[..., SaslServer[Identity]]


@pytest.fixture(scope="module")
def loaded() -> libsasl.System:
    """All plugins: what a first configuration leaves out, no later one can have."""
    reference.preload("libsasl2.so.2")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SASL_PATH", reference.environment()["SASL_PATH"])
        return libsasl.System(Config.for_tests(extra={"sasl_auxprop_plugin": "sasldb"}))


@pytest.fixture
def make(tmp_path: Path, loaded: libsasl.System) -> Iterator[Make]:
    place = Sasldb(str(tmp_path / "sasldb2"), HOST)
    for user, password in (("joe", "secret"), ("admin", "root"), ("o'hara", "grün")):
        place.store(user, "userPassword", password.encode())
    started: list[SaslSettings] = []

    def make(*, bits: int = 0, anonymous: bool = False, **options: object) -> SaslServer[Identity]:
        extra = {
            "sasl_library": "system",
            "sasl_pwcheck_method": "auxprop",
            "sasl_auxprop_plugin": "sasldb",
            "sasl_sasldb_path": str(tmp_path / "sasldb2"),
        }
        settings: dict[str, object] = {"servername": HOST, "admins": "admin", "allowplaintext": True}
        for name, value in options.items():
            if name.startswith("sasl_") and not name.endswith("_layer"):
                extra[name] = str(value)
            else:
                settings[name] = value
        config = Config.for_tests(extra=extra, **settings)  # type: ignore[arg-type]
        started.append(SaslSettings.from_config(config, "imap", anonymous=anonymous))
        server = make_server(started[-1], LoginPolicy(config))
        server.bits = bits
        return server

    yield make
    gc.collect()
    for settings in started:
        if settings.system is not None:
            settings.system.close()


def converse(theirs: SaslClient, ours: SaslServer[Identity]) -> Success[Identity]:
    ours.check_mechanism(theirs.name)
    outcome = ours.start(theirs.name, theirs.start())
    while isinstance(outcome, Challenge):
        outcome = ours.step(theirs.step(outcome.data))
    theirs.finish(outcome.data)
    return outcome


def client(
    name: str,
    user: str = "joe",
    password: str = "secret",
    authzid: str = "",
    *,
    limits: Limits = ANY,
    binding: bytes | None = None,
) -> SaslClient:
    channel = Channel("imap", HOST, binding_kind="tls-unique", binding=binding, limits=limits)
    return SaslClient(name, Login(user, password, authzid), channel)


def code(action: Callable[[], object]) -> SaslCode:
    with pytest.raises(SaslError) as caught:
        action()
    return caught.value.code


def test_its_mechanisms_are_announced(make: Make) -> None:
    assert set(make(sasl_mech_list="PLAIN CRAM-MD5 NONE").mechanisms()) == {"PLAIN", "CRAM-MD5"}
    assert make(sasl_mech_list="PLAIN", allowplaintext=False).mechanisms() == ()
    assert make(sasl_mech_list="PLAIN", allowplaintext=False, bits=256).mechanisms() == ("PLAIN",)
    strong = make(sasl_mech_list="PLAIN CRAM-MD5 DIGEST-MD5", sasl_minimum_layer=56)
    assert strong.mechanisms() == ("DIGEST-MD5",)
    assert "ANONYMOUS" not in make().mechanisms()
    assert "ANONYMOUS" in make(anonymous=True).mechanisms()


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_a_password_logs_in(make: Make, name: str) -> None:
    server = make()
    done = converse(client(name), server)
    assert (done.authcid, done.userid, done.identity.is_admin) == ("joe", "joe", False)
    assert code(lambda: converse(client(name, password="wrong"), make())) is SaslCode.BADAUTH
    assert code(lambda: converse(client(name, user="nobody"), make())) in (SaslCode.NOUSER, SaslCode.BADAUTH)


@pytest.mark.parametrize("name", ["PLAIN", "DIGEST-MD5", "SCRAM-SHA-1"])
def test_a_refusal_says_whose_password_it_was(make: Make, name: str) -> None:
    with pytest.raises(SaslError) as caught:
        converse(client(name, user="JOE", password="wrong"), make())
    assert caught.value.userid == "joe"


def test_names_are_the_policys(make: Make) -> None:
    assert converse(client("PLAIN", user="JOE"), make()).userid == "joe"
    assert converse(client("PLAIN", "o'hara", "grün"), make()).userid == "o'hara"
    assert code(lambda: converse(client("PLAIN", user="jo*e"), make())) is SaslCode.BADAUTH
    too_long = code(lambda: converse(client("PLAIN", user="x" * 300), make()))
    assert too_long in (SaslCode.BUFOVER, SaslCode.BADAUTH)


@pytest.mark.parametrize("name", ["PLAIN", "DIGEST-MD5", "SCRAM-SHA-1"])
def test_who_may_act_as_whom(make: Make, name: str) -> None:
    done = converse(client(name, "admin", "root", "joe"), make())
    assert (done.authcid, done.userid, done.identity.is_proxy_admin) == ("admin", "joe", False)
    with pytest.raises(SaslError) as caught:
        converse(client(name, authzid="admin"), make())
    assert (caught.value.code, caught.value.userid) == (SaslCode.BADAUTH, "admin")


@pytest.mark.parametrize(("limits", "strength"), [(Limits(), 0), (Limits(0, 1), 1), (Limits(0, 256), 128)])
def test_its_layers_protect(make: Make, limits: Limits, strength: int) -> None:
    theirs, ours = client("DIGEST-MD5", limits=limits), make()
    done = converse(theirs, ours)
    assert ours.strength == strength
    if not strength:
        assert done.layer is None
        return
    assert done.layer is not None
    assert theirs.layer is not None
    text = b"a1 SELECT INBOX\r\n" * 3000
    sealed = theirs.layer.encode(text)
    assert b"".join(done.layer.decode(sealed[at : at + 999]) for at in range(0, len(sealed), 999)) == text
    assert theirs.layer.decode(done.layer.encode(text)) == text
    with pytest.raises(LayerBroken):
        done.layer.decode(b"\0\0\0\x20" + b"x" * 32)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 5000])
def test_a_buffer_that_is_too_long_is_refused(make: Make, size: int) -> None:
    layer = converse(client("DIGEST-MD5"), make()).layer
    assert layer is not None
    with pytest.raises(LayerBroken):
        layer.decode(size.to_bytes(4, "big") + b"x" * 6000)


def test_a_channel_is_bound_to(make: Make) -> None:
    ours = make(bits=256)
    ours.binding = lambda _kind: b"the channel"
    assert "SCRAM-SHA-256-PLUS" in ours.mechanisms()
    assert converse(client("SCRAM-SHA-256-PLUS", binding=b"the channel"), ours).userid == "joe"
    ours.forget()
    with pytest.raises(SaslError):
        converse(client("SCRAM-SHA-256-PLUS", binding=b"another"), ours)


def test_the_login_command(make: Make) -> None:
    done = make().check_password("JOE", "secret")
    assert (done.authcid, done.userid) == ("joe", "joe")
    with pytest.raises(SaslError) as caught:
        make().check_password("joe", "wrong")
    assert caught.value.log_text == "SASL(-13): authentication failure: checkpass failed"
    assert code(lambda: make().check_password("nobody", "x")) is SaslCode.NOUSER
    assert code(lambda: make().check_password("joe", "")) is not None


def test_apop(make: Make) -> None:
    server = make(allowapop=True)
    challenge = server.new_apop_challenge()
    assert challenge is not None
    digest = hashlib.md5(challenge + b"secret").hexdigest().encode()
    assert server.check_apop(challenge, b"joe " + digest).userid == "joe"
    assert code(lambda: server.check_apop(challenge, b"joe " + b"0" * 32)) is SaslCode.BADAUTH
    assert make(allowapop=False).new_apop_challenge() is None


@pytest.mark.parametrize("response", [b"", b"x", b"\0\0", b"\0" * 5000, b"n,,n=joe", b"\xff" * 100])
@pytest.mark.parametrize("name", ["PLAIN", "SCRAM-SHA-1", "DIGEST-MD5", "CRAM-MD5", "LOGIN"])
def test_nonsense_is_refused(make: Make, name: str, response: bytes) -> None:
    server = make()
    with pytest.raises(SaslError):
        outcome = server.start(name, None)
        for _ in range(4):
            assert isinstance(outcome, Challenge)
            outcome = server.step(response)


def test_why_a_mechanism_may_not_be_used(make: Make) -> None:
    with pytest.raises(SaslError) as caught:
        make().check_mechanism("NONE")
    assert (caught.value.code, caught.value.args[0]) == (SaslCode.NOMECH, "Couldn't find mech NONE")
    assert code(lambda: make(allowplaintext=False).check_mechanism("PLAIN")) is SaslCode.ENCRYPT
    assert code(lambda: make(sasl_minimum_layer=56).check_mechanism("CRAM-MD5")) is SaslCode.TOOWEAK


def test_an_exception_in_the_policy_is_not_lost(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    server = make()
    monkeypatch.setattr(LoginPolicy, "authorize", fail)
    with pytest.raises(ZeroDivisionError):
        converse(client("PLAIN"), server)
    with pytest.raises(ZeroDivisionError):
        server.check_password("joe", "secret")


def test_a_connection_can_be_used_again(make: Make) -> None:
    server = make()
    for _ in range(3):
        with pytest.raises(SaslError):
            converse(client("PLAIN", password="wrong"), server)
        assert "PLAIN" in server.mechanisms()
        converse(client("SCRAM-SHA-1"), server)
        assert server.mechanisms() == ()
        server.forget()


def test_a_library_that_is_not_there_lets_nobody_in(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(libsasl, "LIBRARY", "libnone.so")
    libsasl.library.cache_clear()
    try:
        server = make()
    finally:
        libsasl.library.cache_clear()
    assert "sasl_library system: libnone.so cannot be used" in caplog.text
    assert server.mechanisms() == ()
    assert code(lambda: server.check_password("joe", "secret")) is SaslCode.NOMECH
    assert make(sasl_library="other").mechanisms() == ()
    assert "sasl_library other: there is no such thing" in caplog.text


def test_a_call_that_does_not_come_back_ends_the_process(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "mux"))
        silent.listen(1)
        text = f"""
from libcyrus.config import Config
from libcyrus.sasl import SaslSettings, libsasl, make_server
from libcyrus.server.login import LoginPolicy
libsasl.MOST_SECONDS = 1
extra = {{"sasl_library": "system", "sasl_pwcheck_method": "saslauthd"}}
config = Config.for_tests(extra=extra | {{"sasl_saslauthd_path": "{tmp_path}/mux"}})
make_server(SaslSettings.from_config(config, "imap"), LoginPolicy(config)).check_password("joe", "any")
"""
        done = subprocess.run(
            [sys.executable, "-c", text], capture_output=True, text=True, timeout=60,
            env=reference.environment() | {"PYTHONPATH": str(TOP)},
        )  # fmt: skip
    assert done.returncode == 1
    assert "Timeout" in done.stderr
    assert "check_password" in done.stderr


def test_where_no_memory_may_be_written_and_executed() -> None:
    """As in a service that systemd has hardened."""
    text = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0):
    sys.exit(77)
from libcyrus.config import Config
from libcyrus.sasl import SaslSettings, make_server
from libcyrus.server.login import LoginPolicy
config = Config.for_tests(extra={"sasl_library": "system", "sasl_pwcheck_method": "alwaystrue"})
server = make_server(SaslSettings.from_config(config, "imap"), LoginPolicy(config))
print(server.check_password("JOE", "any").userid)
"""
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60,
        env=reference.environment() | {"PYTHONPATH": str(TOP)},
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("this kernel cannot forbid it (PR_SET_MDWE)")
    assert done.stdout == "joe\n", done.stderr
