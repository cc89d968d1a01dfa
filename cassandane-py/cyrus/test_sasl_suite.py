"""What becomes of exchanges, right and wrong, in every daemon that has logins, with every option of logins.

One instance serves all: our daemons and the original's beside each other, with the same users. Pairs of
services with options of their own are there for what options change.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cassandane.exchanges import Answer, Case, Digest, Scram, Talk, cases, cram, outcome
from cassandane.instance import Instance, program
from cassandane.sasl_server import DAEMONS, PROGRAMS, port, run, running

pytestmark = pytest.mark.reference

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


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    programs = dict(PROGRAMS)
    settings: dict[str, str] = {}
    for number, options in enumerate(PAIRS):
        for kind in ("ours", "reference"):
            programs[_service(number, kind)] = kind
            settings |= {f"{_service(number, kind)}_{name}": value for name, value in options.items()}
    with running(programs, settings) as instance:
        yield instance


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
