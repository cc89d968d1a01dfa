"""Every mechanism, in every daemon that has logins, with and without TLS, right and wrong.

One instance serves all: our daemons and the original's beside each other, with the same users. Pairs of
services with options of their own are there for what options change.
"""

from __future__ import annotations

import imaplib
import re
import signal
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from cassandane import reference
from cassandane.exchanges import Answer, Case, Digest, Scram, Talk, cases, cram, outcome
from cassandane.instance import Instance, give_away, program
from libcyrus.backend.connect import Address, open_socket
from libcyrus.backend.dialect import Capabilities, Dialect, Refused
from libcyrus.backend.dialects import DIALECTS
from libcyrus.backend.peer import Peer
from libcyrus.prot import ProtStream
from libcyrus.prot.tls import ClientParameters, client_context
from libcyrus.sasl import SaslError
from libcyrus.sasl.client import Login

pytestmark = pytest.mark.reference

DAEMONS = {"imap": "imap", "lmtp": "lmtpauth", "sieve": "sieve"}
"""The services, by their protocols."""

SCRAM = [f"SCRAM-SHA-{size}" for size in ("1", "224", "256", "384", "512")]
SECRET = [*SCRAM, "DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"]
USERS = {
    "cassandane": "secret", "admin": "secret", "proxy": "secret", "other": "secret", "denied": "secret",
    "cassandane@example.net": "secret", "user@elsewhere.org": "secret", "Mixed": "secret", "empty": "",
}  # fmt: skip

LIMITS = [(0, 0), (0, 1), (1, 256), (0, 55), (56, 112), (128, 256), (129, 256), (256, 256), (300, 300)]
OPTIONS = [
    {"loginrealms": "example.net Elsewhere.org"},
    {"proxyservers": "cassandane other"},
    {"admins": "cassandane"},
    {"allowanonymouslogin": "yes"},
    {"allowplaintext": "no"},
    {"username_tolower": "no"},
    {"loginuseacl": "yes"},
    {"imapmagicplus": "yes"},
    {"sasl_mech_list": "plain CRAM-MD5 SCRAM-SHA-1"},
    {"plaintextloginalert": "use TLS, please"},
    {"tls_required": "yes"},
    {"tls_versions": "tls1_2"},
]
PAIRS = [
    *({"sasl_minimum_layer": str(least), "sasl_maximum_layer": str(most)} for least, most in LIMITS),
    *OPTIONS,
]


def _service(number: int, kind: str) -> str:
    return f"imap{100 + number if kind == 'ours' else 200 + number}"


@contextmanager
def running(programs: dict[str, str], settings: dict[str, str]) -> Iterator[Instance]:
    """A server with all the users, and with these services and options; an empty one is left out."""
    instance = Instance(services=tuple(programs), programs=programs, tls=True)
    database = instance.directory / "users.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        connection.executemany("INSERT INTO users VALUES (?, ?)", USERS.items())
    connection.close()
    give_away(database)
    del instance.settings["sasl_mech_list"]
    instance.settings |= {
        "failedloginpause": "0",
        "proxyservers": "proxy",
        "loginrealms": "example.net",
        "sasl_pwcheck_method": "auxprop",
        "sasl_auxprop_plugin": "sql",
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(database),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
        **settings,
    }
    instance.settings = {name: value for name, value in instance.settings.items() if value}
    instance.write_configuration()
    (instance.directory / "conf/sieve").mkdir()
    give_away(instance.directory / "conf/sieve")
    instance.start()
    for user in ("other", "cassandane", "admin"):
        instance.create_user(user)
    with instance.imap("admin") as admin:
        admin.ok("SETACL user/other cassandane lra")
        admin.ok("SETACL user/other admin lrswiptexka")
    instance.run("cyr_deny", "denied")
    yield instance
    instance.stop()
    instance.remove()


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    programs = {
        name + suffix: kind
        for name in DAEMONS.values()
        for suffix, kind in (("", "ours"), ("2", "reference"))
    }
    settings: dict[str, str] = {}
    for number, options in enumerate(PAIRS):
        for kind in ("ours", "reference"):
            programs[_service(number, kind)] = kind
            settings |= {f"{_service(number, kind)}_{name}": value for name, value in options.items()}
    with running(programs, settings) as instance:
        yield instance


def port(server: Instance, protocol: str, kind: str) -> int:
    name = DAEMONS[protocol]
    return server.ports[name if kind == "ours" else name + "2"]


def run(command: list[str], typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, errors="replace", timeout=60,
        env=reference.environment(),
    )  # fmt: skip


# the original's clients with our servers


TESTERS = {"imap": ("imtest", ". logout"), "lmtp": ("lmtptest", "QUIT"), "sieve": ("sivtest", "LOGOUT")}
"""Their names, and how to say goodbye."""


def imtest(
    kind: str, server: Instance, at: str, mechanism: str, password: str, *options: str, protocol: str = "imap"
) -> str:
    """Run a test client of one kind at the servers of another."""
    name, goodbye = TESTERS[protocol]
    return run(
        [
            program(kind, name), "-m", mechanism, "-a", "admin", "-u", "admin", "-w", password,
            "-p", str(port(server, protocol, at)), *options, "127.0.0.1",
        ],
        goodbye + "\r\n",
    ).stdout  # fmt: skip


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("protocol", DAEMONS)
@pytest.mark.parametrize("mechanism", SECRET)
def test_the_originals_clients(server: Instance, mechanism: str, protocol: str, tls: bool) -> None:
    # with TLS the original takes the -PLUS of a SCRAM, and binds
    options = ["-t", ""] if tls else []
    for password, said in (("secret", "Authenticated."), ("wrong", "Authentication failed.")):
        assert said in imtest("reference", server, "ours", mechanism, password, *options, protocol=protocol)


@pytest.mark.parametrize("mechanism", SECRET)
def test_the_originals_cyradm(server: Instance, mechanism: str) -> None:
    def ask(password: str) -> str:
        done = run(
            [
                program("reference", "cyradm"), "--norc", "--user", "admin", "--password", password, "--auth",
                mechanism, "--port", str(port(server, "imap", "ours")), "127.0.0.1",
            ],
            "lm user/other\n",
        )  # fmt: skip
        return done.stdout

    assert "user/other" in ask("secret")
    assert "user/other" not in ask("wrong")


# our clients with the original's servers, and with ours


def connected(server: Instance, protocol: str, kind: str) -> Peer:
    dialect: Dialect = DIALECTS[protocol]("here") if protocol == "lmtp" else DIALECTS[protocol]()  # type: ignore[call-arg]
    sock = open_socket(Address("127.0.0.1", port(server, protocol, kind)), dialect, timeout=30)
    peer = Peer(ProtStream(sock, timeout=30), dialect, "mail.example.org")
    peer.greet()
    return peer


def log_in(
    server: Instance, protocol: str, kind: str, mechanism: str, password: str, *, tls: bool, maximum: int = 0
) -> Peer:
    peer = connected(server, protocol, kind)
    try:
        if tls:
            peer.starttls(client_context(ClientParameters()))
        peer.authenticate(Login("admin", password), wanted=mechanism, maximum=maximum)
    except BaseException:
        peer.close()
        raise
    return peer


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("protocol", DAEMONS)
@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_our_client(server: Instance, kind: str, protocol: str, tls: bool) -> None:
    for mechanism in SECRET:
        peer = log_in(server, protocol, kind, mechanism, "secret", tls=tls)
        peer.logout()
        peer.close()
        with pytest.raises((Refused, SaslError)):
            log_in(server, protocol, kind, mechanism, "wrong", tls=tls)


@pytest.mark.parametrize("mechanism", [name for name in SECRET if name != "LOGIN"])
def test_our_imtest(server: Instance, mechanism: str) -> None:
    said = imtest("ours", server, "reference", mechanism, "secret", "-l", "0")
    assert "Authenticated.\nSecurity strength factor: 0\n" in said


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "SCRAM-SHA-512"])
def test_our_cyradm(server: Instance, mechanism: str) -> None:
    done = run(
        [
            program("ours", "cyradm"), "--norc", "--user", "admin", "--password", "secret",
            "--auth", mechanism, "--port", str(port(server, "imap", "reference")), "127.0.0.1",
        ],
        "lm user/other\n",
    )  # fmt: skip
    assert "user/other" in done.stdout, done.stderr


# security layers


@pytest.mark.parametrize("strength", [1, 40, 55, 56, 128])
def test_layers_between_both_kinds(server: Instance, strength: int) -> None:
    """Without 112: the original's 3DES does not work between its own programs either."""
    for ours, theirs in (("ours", "reference"), ("reference", "ours")):
        said = imtest(ours, server, theirs, "DIGEST-MD5", "secret", "-k", str(strength), "-l", str(strength))
        assert f"Authenticated.\nSecurity strength factor: {strength}\n" in said.replace("\r", "")
        assert "protection) SESSIONID" in said
        assert "WARNING" not in said
        assert ". OK Completed" in said


@pytest.mark.parametrize("kind", ["ours", "reference"])
@pytest.mark.parametrize("strength", [1, 40, 55, 56, 128])
def test_mail_passes_through_a_layer(server: Instance, kind: str, strength: int) -> None:
    """More than one buffer of it, both ways; in our server with compression above the layer."""
    peer = log_in(server, "imap", kind, "DIGEST-MD5", "secret", tls=False, maximum=strength)
    assert peer.strength == strength
    if kind == "ours":
        peer.compress()
    mail = b"Subject: layers\r\n\r\n" + b"".join(b"line %d of many\r\n" % number for number in range(1500))
    peer.stream.write(b"a APPEND user/other {%d+}\r\n" % len(mail) + mail + b"\r\nb SELECT user/other\r\n")
    peer.stream.write(b"c FETCH * BODY.PEEK[]\r\n")
    while not (line := peer.receive()).startswith(b"* ") or b"BODY[]" not in line:
        assert b" NO " not in line
        assert b" BAD " not in line
    assert peer.stream.read(len(mail)) == mail
    while not peer.receive().startswith(b"c OK"):
        pass
    peer.logout()
    peer.close()


@pytest.mark.parametrize("protocol", ["imap", "lmtp"])
def test_what_breaks_a_layer_ends_the_connection_in_the_same_words(server: Instance, protocol: str) -> None:
    """Where the original has words of its own for it, and not those of an earlier fault."""

    def say(kind: str, broken: bytes) -> str:
        talk = Talk(port(server, protocol, kind), protocol)
        digest = Digest(protocol, said={"qop": "auth-int"})
        assert "+" in talk.authenticate(Case("DIGEST-MD5", None, (digest, b"")))
        talk.send(broken)
        said = talk.socket.makefile("rb").read()
        talk.close()
        # without the frame, whose keys are never the same
        return said[4:-16].decode()

    for broken in (b"\0\0\0\x05hello", b"\0\0\0\x10" + b"x" * 16):
        assert say("ours", broken) == say("reference", broken)
    for broken, words in {
        b"\0\0\x10\x01": "encoded packet size too big (4097 > 4096)",
        b"c NOOP\r\n" * 4: "encoded packet size too big (1663061583 > 4096)",
        b"\0\0\0\x10" + b"x" * 10 + b"\0\1\0\0\0\1": "Incorrect Sequence Number: received 1, expected 0",
        b"\0\0\0\x10" + b"x" * 10 + b"\0\1\0\0\0\0": "CMAC doesn't match",
    }.items():
        begin = "decoding error: generic failure; SASL(-1): generic failure: "
        assert say("ours", broken).endswith(f" {begin}{words}\r\n")


@pytest.mark.parametrize("kind", ["ours", "reference"])
def test_a_list_of_mechanisms_that_was_cut_on_its_way_is_noticed(server: Instance, kind: str) -> None:
    """Under the layer, where the true list comes."""
    peer = connected(server, "imap", kind)
    peer.capabilities = Capabilities(mechanisms=("DIGEST-MD5",))
    with pytest.raises(SaslError, match="possible MITM attack"):
        peer.authenticate(Login("admin", "secret"), maximum=128)
    peer.close()


def test_unauthenticate_takes_the_layer_away(server: Instance) -> None:
    peer = log_in(server, "imap", "ours", "DIGEST-MD5", "secret", tls=False, maximum=128)
    peer.stream.write(b"a UNAUTHENTICATE\r\n")
    while not peer.receive().startswith(b"a OK"):
        pass
    peer.stream.unprotect()
    peer.stream.write(b"b LOGIN admin secret\r\n")
    assert b"b OK" in peer.receive()
    peer.close()


# public clients


def test_imaplib(server: Instance) -> None:
    at = port(server, "imap", "ours")
    with imaplib.IMAP4("127.0.0.1", at) as client:
        assert client.login_cram_md5("cassandane", "secret")[0] == "OK"
    with imaplib.IMAP4("127.0.0.1", at) as client, pytest.raises(imaplib.IMAP4.error):
        client.login_cram_md5("cassandane", "wrong")
    with imaplib.IMAP4("127.0.0.1", at) as client:
        assert client.authenticate("PLAIN", lambda _: b"\0cassandane\0secret")[0] == "OK"
    with imaplib.IMAP4("127.0.0.1", at) as client:
        answers = [b"secret", b"cassandane"]
        assert client.authenticate("LOGIN", lambda _: answers.pop())[0] == "OK"
    with imaplib.IMAP4("127.0.0.1", at) as client:
        answers = [b"", Scram().final, b"n,," + Scram().bare]  # type: ignore[list-item]

        def answer(challenge: bytes) -> bytes:
            made: Answer = answers.pop()
            return made(challenge) if callable(made) else made  # type: ignore[return-value]

        assert client.authenticate("SCRAM-SHA-256", answer)[0] == "OK"


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_curl(server: Instance, mechanism: str) -> None:
    def ask(password: str, *options: str) -> int:
        command = [
            reference.program("curl"), "-sS", "--login-options", f"AUTH={mechanism}", *options,
            "-X", "NAMESPACE", "-u", f"cassandane:{password}",
            f"imap://127.0.0.1:{port(server, 'imap', 'ours')}/",
        ]  # fmt: skip
        return run(command).returncode

    assert ask("secret") == ask("secret", "--ssl-reqd", "-k") == 0
    assert ask("wrong") == 67


@pytest.mark.parametrize("mechanism", ["DIGEST-MD5", "CRAM-MD5", "PLAIN", "LOGIN"])
def test_swaks(server: Instance, mechanism: str) -> None:
    def ask(password: str, *options: str) -> int:
        command = [
            reference.program("swaks"), "--server", "127.0.0.1", "--port", str(port(server, "lmtp", "ours")),
            "--protocol", "LMTP", "--auth", mechanism, "--auth-extra", "dmd5-serv-type=lmtp", *options,
            "-au", "admin", "-ap", password, "--quit-after", "AUTH",
        ]  # fmt: skip
        return run(command).returncode

    assert ask("secret", "-tls") == 0
    assert ask("wrong") == 28


GSASL = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]


def gsasl(server: Instance, mechanism: str, password: str, *options: str, typed: str = "") -> int:
    command = [
        reference.program("gsasl"), "--imap", "127.0.0.1", str(port(server, "imap", "ours")), "-m", mechanism,
        "-a", "cassandane", "-z", "cassandane", "-p", password, "--realm", "mail.example.org",
        "--service", "imap", "--hostname", "mail.example.org", *options,
    ]  # fmt: skip
    return run(command, typed).returncode


@pytest.mark.parametrize("mechanism", GSASL)
def test_gsasl(server: Instance, mechanism: str) -> None:
    assert gsasl(server, mechanism, "secret", "--no-starttls") == 0
    assert gsasl(server, mechanism, "wrong", "--no-starttls") == 1


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
def test_gsasl_binds_to_the_exporter_of_tls(server: Instance, mechanism: str) -> None:
    """Which the original does not know (RFC 9266)."""
    assert gsasl(server, mechanism, "secret", "--starttls", "--x509-ca-file=") == 0
    assert gsasl(server, mechanism, "wrong", "--starttls", "--x509-ca-file=") == 1


def test_gsasl_has_integrity(server: Instance) -> None:
    options = ("--no-starttls", "--quality-of-protection=qop-int")
    # it says its own goodbye in the clear, and too late if we were quicker
    ended = gsasl(server, "DIGEST-MD5", "secret", *options, typed=". LOGOUT\r\n")
    assert ended in (0, -signal.SIGPIPE)


# what is refused, and how

@pytest.mark.parametrize("protocol", DAEMONS)
def test_every_exchange_ends_as_with_the_original(server: Instance, protocol: str) -> None:
    ours, theirs = {}, {}
    for name, case in cases(protocol).items():
        ours[name] = outcome(port(server, protocol, "ours"), protocol, case)
        theirs[name] = outcome(port(server, protocol, "reference"), protocol, case)
    assert ours == theirs


UNALIKE = {
    # by our words and the original's; what is said first tells that the exchange went on
    "nonsense instead of a name": (
        Case("PLAIN", "*"), ["c NO another step is needed in authentication"],
        ["+ empty", "c BAD Client canceled authentication"],
    ),
    "an unknown user of SCRAM is not told before the proof": (
        Scram("nobody").case(), ["+", "c NO authentication failure"], ["c NO authentication failure"],
    ),
    "an unknown user of DIGEST-MD5 gets the answer that everybody gets": (
        Case("DIGEST-MD5", None, (Digest("imap", "nobody", said={"qop": "x"}),)),
        ["+", "c NO generic failure"], ["+", "c NO authentication failure"],
    ),
    "an empty password that is stored is nobody's": (
        Case("CRAM-MD5", None, (cram("empty", ""),)),
        ["+", "c NO authentication failure"], ["+", "c NO generic failure"],
    ),
    "a digest with something behind it is none": (
        Case("CRAM-MD5", None, (lambda challenge: cram()(challenge) + b"00",)),
        ["+", "c NO authentication failure"], ["+", "c OK"],
    ),
    "a password does not end at a NUL": (
        Case("LOGIN", None, (b"admin", b"secret\0x")),
        ["+", "+", "c NO authentication failure"], ["+", "+", "c OK"],
    ),
    "no channel is bound to where there is none": (
        Scram(header="p=tls-unique,,").case(), ["c NO bad protocol / cancel"],
        ["+", "c NO bad protocol / cancel"],
    ),
    "a mechanism that is not offered is not begun": (
        Scram(header="p=tls-unique,,").case(plus=True), ["c NO no mechanism available"],
        ["+", "c NO bad protocol / cancel"],
    ),
    "a nonce is not empty": (
        Scram(nonce=b"").case(), ["c NO bad protocol / cancel"], ["+", "+", "c OK"],
    ),
    "a line has an end": (
        Case("PLAIN", None, ("A" * 30000,)), ["+ empty", "c NO Error reading client response: line too long"],
        ["+ empty", "c NO another step is needed in authentication"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNALIKE)
def test_what_ends_in_another_way_and_why(server: Instance, name: str) -> None:
    case, ours, theirs = UNALIKE[name]
    for kind, expected in (("ours", ours), ("reference", theirs)):
        *said, _ = outcome(port(server, "imap", kind), "imap", case)
        assert len(said) == len(expected)
        assert [line[: len(begin)] for line, begin in zip(said, expected, strict=True)] == expected


def test_what_was_heard_cannot_be_said_again(server: Instance) -> None:
    for kind in ("ours", "reference"):
        for made, begin in ((cram(), None), (Digest("imap"), None), (Scram().final, b"n,," + Scram().bare)):
            heard: list[bytes] = []

            def listen(challenge: bytes, made: Answer = made, heard: list[bytes] = heard) -> bytes:
                assert callable(made)
                heard.append(made(challenge))
                return heard[0]

            mechanism = {type(cram()): "CRAM-MD5", Digest: "DIGEST-MD5"}.get(type(made), "")
            mechanism = "SCRAM-SHA-256" if begin else mechanism
            at = port(server, "imap", kind)
            assert " OK " in outcome(at, "imap", Case(mechanism, begin, (listen, b"")))[-2]
            again = outcome(at, "imap", Case(mechanism, begin, (heard[0], b"")))
            assert again[-2] in ("c NO authentication failure", "c NO bad protocol / cancel")


BOUND = {
    "right": Scram(header="p=tls-unique,,"),
    "data of another channel": Scram(header="p=tls-unique,,", binding=b"x" * 12),
    "wrong password": Scram(header="p=tls-unique,,", password="x"),
    "flag says that it cannot": Scram(header="n,,"),
    "flag says that the server cannot": Scram(header="y,,"),
    "flag is changed in the end": Scram(header="p=tls-unique,,", later="n,,"),
    "flag is changed at the start": Scram(header="n,,", later="p=tls-unique,,"),
    "for another": Scram(header="p=tls-unique,a=cassandane,"),
}


@pytest.mark.parametrize("protocol", DAEMONS)
def test_nobody_in_between_can_take_the_binding_away(server: Instance, protocol: str) -> None:
    """Each under the -PLUS name and under the plain one; a client that says y has been lied to."""

    def ask(kind: str, scram: Scram, *, plus: bool) -> list[str]:
        talk = Talk(port(server, protocol, kind), protocol, tls=True)
        try:
            bound = (scram.later or scram.header).startswith("p=")
            binding = scram.binding or (talk.binding() if bound else b"")
            return talk.authenticate(replace(scram, binding=binding).case(plus=plus))
        finally:
            talk.close()

    for name, scram in BOUND.items():
        for plus in (True, False):
            ours, theirs = (ask(kind, scram, plus=plus) for kind in ("ours", "reference"))
            # RFC 5802 section 6 has who says that it cannot bind refused under a -PLUS name
            assert ours[-1] == theirs[-1] or (name, plus) == ("flag says that it cannot", True), (name, plus)
            well = ours[-1].startswith(("c OK", "235", "OK"))
            fine = name in ("right", "for another") or (name == "flag says that it cannot" and not plus)
            assert well == fine, (name, plus)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_version_of_tls_can_be_bound_to(server: Instance, newest: ssl.TLSVersion) -> None:
    """tls-unique in both servers; the certificate in ours, for whoever has nothing better."""
    own = [("ours", "tls-unique"), ("ours", "tls-server-end-point")]
    for kind, binding in (("reference", "tls-unique"), *own):
        for right in (True, False):
            talk = Talk(port(server, "imap", kind), tls=True, newest=newest)
            data = talk.binding(binding)
            data = data if right else data[:-1] + bytes([data[-1] ^ 1])
            said = talk.authenticate(Scram(header=f"p={binding},,", binding=data).case(plus=True))
            talk.close()
            assert said[-1].startswith("c OK") == right, (kind, binding)


RESUMING = [("reference", "TLSv1.2"), ("ours", "TLSv1.2"), ("ours", "TLSv1.3")]


@pytest.mark.parametrize(("client", "version"), RESUMING)
def test_a_resumed_session_is_bound_to_as_well(server: Instance, client: str, version: str) -> None:
    """The original resumes none of TLS 1.3: it looks for one before the server has given it."""
    service = "imap" if version == "TLSv1.3" else _service(PAIRS.index({"tls_versions": "tls1_2"}), "ours")
    before = len(server.log_lines())
    said = run(
        [
            program(client, "imtest"), "-m", "SCRAM-SHA-256", "-a", "admin", "-w", "secret", "-t", "",
            "-n", "3", "-p", str(server.ports[service]), "127.0.0.1",
        ],
        ". logout\r\n",
    ).stdout  # fmt: skip
    assert said.count("Authenticated.") == 3
    logged = [line for line in server.log_lines()[before:] if f" starttls: {version} " in line]
    # the very first session of a server is of a worker that has got its TLS for itself
    assert [" reused" in line for line in logged][2] is True


@pytest.mark.parametrize("tls", [False, True])
def test_what_is_offered_under_which_limits(server: Instance, tls: bool) -> None:
    """The mechanisms of both servers, and what DIGEST-MD5 offers in its challenge."""
    missing = re.compile("AUTH=(GSS|GS2|NTLM|OTP)")
    for number, limits in enumerate(LIMITS):
        seen = []
        for kind in ("ours", "reference"):
            talk = Talk(server.ports[_service(number, kind)], tls=tls)
            offered = [word for word in talk.capabilities() if not missing.match(word)]
            if not any(word.startswith("AUTH=") for word in offered):
                offered = [word for word in offered if word != "SASL-IR"]
            told: list[bytes] = []

            def listen(challenge: bytes, told: list[bytes] = told) -> bytes:
                told.append(challenge)
                return b"x"

            ended = talk.authenticate(Case("DIGEST-MD5", None, (listen,)))
            talk.close()
            layers = re.findall(rb'(?:qop|cipher)="[^"]*"|maxbuf=\d+', told[0]) if told else []
            seen.append((offered, ended, layers))
        assert seen[0] == seen[1], limits


LOGINS = [
    b"cassandane secret", b"cassandane wrong", b"nobody x", b"cassandane@example.net secret",
    b"user@elsewhere.org secret", b"anonymous me@example.org", b"Mixed secret", b"CASSANDANE secret",
    b'" cassandane " secret', b'"" ""', b'cassandane ""', b"denied secret", b"cassandane+x secret",
    b"a/b secret", b"user%elsewhere.org secret", b"anyone secret", b'empty ""', b"x" * 1100 + b" s",
    b"cassandane " + b"x" * 1100,
]  # fmt: skip
CHECKED = [
    "right", "wrong", "unknown user", "for another", "admin for another", "proxy for another", "for an admin",
    "realm", "other realm", "user with realm", "mixed case", "upper case", "detail", "admin for detail",
    "denied", "admin for denied", "anonymous",
]  # fmt: skip
NUMBERS = range(len(LIMITS), len(PAIRS))


def logins(at: int) -> list[object]:
    """What a service says to LOGIN and every mechanism, for themselves and for others."""
    some = {name: case for name, case in cases("imap").items() if name.partition(" ")[2] in CHECKED}
    found: list[object] = []
    for tls in (False, True):
        talk = Talk(at, tls=tls)
        found.append([word for word in talk.capabilities() if not re.match("AUTH=[GN]", word)])
        talk.close()
        for login in LOGINS if not tls else LOGINS[:2]:
            talk = Talk(at, tls=tls)
            found.append((login, *talk.lines(b"LOGIN " + login), *talk.lines(b"NAMESPACE")))
            talk.close()
        names = [name for name in some if not tls or name.endswith(" right")]
        found += [(name, *outcome(at, "imap", some[name], tls=tls)) for name in names]
    return found


@pytest.mark.parametrize("number", NUMBERS, ids=[next(iter(PAIRS[number])) for number in NUMBERS])
def test_each_option_of_logins(server: Instance, number: int) -> None:
    ours, theirs = (logins(server.ports[_service(number, kind)]) for kind in ("ours", "reference"))
    assert ours == theirs


@pytest.mark.long
@pytest.mark.parametrize(
    "settings",
    [
        {"virtdomains": "userid", "defaultdomain": "example.org", "loginrealms": ""},
        {"virtdomains": "userid", "loginrealms": "elsewhere.org", "imapmagicplus": "yes"},
        {"virtdomains": "yes", "loginrealms": ""},
    ],
)
def test_domains_of_users(settings: dict[str, str]) -> None:
    """What no service can have for itself."""
    programs = {"imap": "ours", "imap2": "reference"}
    with running(programs, settings) as instance:
        ours, theirs = (logins(instance.ports[name]) for name in programs)
    assert ours == theirs


def test_anonymous_needs_no_secret(server: Instance) -> None:
    """The original looks for a password of the user anonymous, where passwords are looked up."""
    number = len(LIMITS) + next(n for n, options in enumerate(OPTIONS) if "allowanonymouslogin" in options)
    for trace in (b"me@example.org", b"", b"x" * 300):
        said = outcome(server.ports[_service(number, "ours")], "imap", Case("ANONYMOUS", trace))
        assert said[0].startswith("c OK ")
    assert outcome(port(server, "imap", "ours"), "imap", Case("ANONYMOUS", b""))[0].startswith("c NO ")


DISPROVEN = "authentication failure"
UNKNOWN = "user not found"
LOGGED = {
    "PLAIN wrong": f"(admin) [SASL(-13): {DISPROVEN}: Password verification failed]",
    "PLAIN unknown user": f"(-notset-) [SASL(-13): {UNKNOWN}: Password verification failed]",
    "PLAIN for another": f"(other) [SASL(-13): {DISPROVEN}: user cassandane is not allowed to proxy]",
    "PLAIN other realm": f"(-notset-) [SASL(-13): {UNKNOWN}: Password verification failed]",
    "LOGIN wrong": f"(admin) [SASL(-13): {DISPROVEN}: checkpass failed]",
    "LOGIN unknown user": f"(-notset-) [SASL(-13): {UNKNOWN}: checkpass failed]",
    "CRAM-MD5 wrong": f"(admin) [SASL(-13): {DISPROVEN}: incorrect digest response]",
    "DIGEST-MD5 wrong":
        f"(admin) [SASL(-13): {DISPROVEN}: client response doesn't match what we generated (tried bogus)]",
    "DIGEST-MD5 unknown user": f"(-notset-) [SASL(-13): {UNKNOWN}: unable to canonify user and get auxprops]",
    "SCRAM wrong": f"(admin) [SASL(-13): {DISPROVEN}: StoredKey mismatch]",
}  # fmt: skip


def test_the_log_tells_of_guesses_in_the_originals_words(server: Instance) -> None:
    """Which programs that ban guessers look for: the pattern is that of fail2ban's filter cyrus-imap."""
    every = cases("imap")
    ban = re.compile(
        r"badlogin: [^\[]*\[127\.0\.0\.1\] \S+ .*?"
        r"\[?SASL\(-13\): (authentication failure|user not found): .*\]?$"
    )
    for name, expected in LOGGED.items():
        before = len(server.log_lines())
        outcome(port(server, "imap", "ours"), "imap", every[name])
        (line,) = [line for line in server.log_lines()[before:] if " badlogin: " in line]
        assert line.endswith(f" badlogin: localhost [127.0.0.1] {every[name].mechanism} {expected}")
        assert ban.search(line)
