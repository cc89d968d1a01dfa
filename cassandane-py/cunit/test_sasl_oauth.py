"""Bearer tokens: signed ones, ones that a server is asked about, and the mechanisms that carry them."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from libcyrus.config import Config
from libcyrus.sasl import Challenge, SaslCode, SaslError, SaslServer, SaslSettings, Success
from libcyrus.server.login import Identity, LoginPolicy

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.json"
    found = [
        json.loads(RSAAlgorithm.to_jwk(RSA.public_key())) | {"kid": "rsa", "alg": "RS256", "use": "sig"},
        json.loads(ECAlgorithm.to_jwk(EC.public_key())) | {"kid": "ec", "use": "sig"},
    ]
    path.write_text(json.dumps({"keys": found}))
    return path


def make(**options: str) -> SaslServer[Identity]:
    config = Config.for_tests(extra=options, admins="admin", allowplaintext=True)
    return SaslServer(SaslSettings.from_config(config, "imap"), LoginPolicy(config))


def signed(keys: Path, **options: str) -> SaslServer[Identity]:
    return make(
        sasl_oauth_keys=str(keys),
        sasl_oauth_issuer="https://id.example.org",
        sasl_oauth_audience="imap mail",
        sasl_oauth_scope="mail",
        **options,
    )


def token(key: Any = RSA, algorithm: str = "RS256", kid: str | None = "rsa", **changes: object) -> str:
    claims = {
        "iss": "https://id.example.org", "aud": ["imap", "x"], "sub": "joe", "scope": "openid mail",
        "exp": int(time.time()) + 300, "email": "joe@example.net",
    } | changes  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def written(header: bytes) -> str:
    return base64.urlsafe_b64encode(header).decode().rstrip("=") + ".e30.AAAA"


def bearer(token: str, authzid: str = "") -> bytes:
    header = f"n,a={authzid}," if authzid else "n,,"
    return f"{header}\1host=mail.example.org\1port=143\1auth=Bearer {token}\1\1".encode()


def xoauth2(token: str, user: str) -> bytes:
    return f"user={user}\1auth=Bearer {token}\1\1".encode()


def test_offered_only_where_tokens_can_be_checked(keys: Path) -> None:
    assert signed(keys).mechanisms() == ("PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2")
    assert make(sasl_oauth_issuer="x").mechanisms() == ("PLAIN", "LOGIN")


@pytest.mark.parametrize(
    "good",
    [
        lambda: token(),
        lambda: token(EC, "ES256", "ec"),
        lambda: token(aud="mail"),
        lambda: token(scope=None, scp=["mail"]),
    ],
)
def test_a_signed_token_is_a_login(keys: Path, good: Callable[[], str]) -> None:
    done = signed(keys).start("OAUTHBEARER", bearer(good()))
    assert isinstance(done, Success)
    assert done.userid == "joe"
    done = signed(keys).start("XOAUTH2", xoauth2(good(), "joe"))
    assert isinstance(done, Success)


def test_the_user_is_in_the_claim_that_is_configured(keys: Path) -> None:
    server = signed(keys, sasl_oauth_user_claim="preferred_username email", sasl_mech_list="OAUTHBEARER")
    with pytest.raises(SaslError, match="cross-realm"):
        server.start("OAUTHBEARER", bearer(token()))
    done = server.start("OAUTHBEARER", bearer(token(preferred_username="ann")))
    assert isinstance(done, Success)
    assert done.userid == "ann"


def test_acting_for_another_is_for_administrators(keys: Path) -> None:
    done = signed(keys).start("OAUTHBEARER", bearer(token(sub="admin"), "joe"))
    assert isinstance(done, Success)
    assert (done.authcid, done.userid) == ("admin", "joe")
    assert refusal(lambda: signed(keys).start("OAUTHBEARER", bearer(token(), "ann"))) is SaslCode.BADAUTH
    assert refusal(lambda: signed(keys).start("XOAUTH2", xoauth2(token(), "ann"))) is SaslCode.BADAUTH


@pytest.mark.parametrize(
    "bad",
    [
        lambda: token(exp=int(time.time()) - 300),
        lambda: token(exp=None),
        lambda: token(nbf=int(time.time()) + 300),
        lambda: token(iss="https://evil.example"),
        lambda: token(aud="web"),
        lambda: token(aud=None),
        lambda: token(aud={"imap": 1}),
        lambda: token(scope="openid"),
        lambda: token(sub=None),
        lambda: token(STRANGER),
        lambda: token(kid="unknown"),
        lambda: token(kid=None),
        lambda: token(EC, "ES256", "rsa"),
        lambda: token("0" * 64, "HS256"),
        lambda: token(None, "none"),
        lambda: token()[:-6] + "AAAAAA",
        lambda: "a.b.c",
        lambda: "x",
        lambda: written(b"[" * 9000),
        lambda: written(b'{"alg":"RS256","kid":' + b"[" * 9000),
        lambda: written(b'{"alg":"RS256","kid":["rsa"]}'),
        lambda: written(b'{"alg":"RS256","kid":' + b"1" * 5000 + b"}"),
        lambda: token(exp=float("inf")),
        lambda: token(nbf=float("inf")),
        lambda: token(exp=[]),
    ],
)
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_a_bad_token_is_refused_after_a_word_about_it(
    keys: Path, mechanism: str, bad: Callable[[], str]
) -> None:
    server = signed(keys)
    response = bearer(bad()) if mechanism == "OAUTHBEARER" else xoauth2(bad(), "joe")
    challenge = server.start(mechanism, response)
    assert isinstance(challenge, Challenge)
    said = json.loads(challenge.data)
    assert (said["status"], said["scope"]) == (
        "invalid_token" if mechanism == "OAUTHBEARER" else "401",
        "mail",
    )
    assert refusal(lambda: server.step(b"\1")) is SaslCode.BADAUTH


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"n,,",
        b"n,,\1\1\1",
        b"x,,\1auth=Bearer x\1\1",
        b"n,,\1auth=Bearer x\1",
        b"n,,\1auth\1\1",
        b"\xff\1\1",
    ],
)
def test_what_cannot_be_read_is_no_token(keys: Path, response: bytes) -> None:
    assert refusal(lambda: signed(keys).start("OAUTHBEARER", response)) is SaslCode.BADPROT


def test_a_key_set_is_read_again_when_it_changes(keys: Path) -> None:
    server = signed(keys)
    assert isinstance(server.start("OAUTHBEARER", bearer(token(STRANGER))), Challenge)
    other = json.loads(RSAAlgorithm.to_jwk(STRANGER.public_key())) | {"kid": "rsa", "alg": "RS256"}
    keys.with_suffix(".new").write_text(json.dumps({"keys": [other]}))
    keys.with_suffix(".new").rename(keys)
    assert isinstance(server.start("OAUTHBEARER", bearer(token(STRANGER))), Success)
    keys.unlink()
    assert refusal(lambda: server.start("OAUTHBEARER", bearer(token()))) is SaslCode.FAIL


class Asked(BaseHTTPRequestHandler):
    answers: ClassVar[dict[str, object]] = {}
    authorization: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.authorization.append(self.headers["Authorization"])
        answer = self.answers.get(parse_qs(body)["token"][0], {"active": False})
        if isinstance(answer, int):
            self.send_response(answer)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            return
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Asked) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/introspect"
        server.shutdown()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"active": True, "sub": "joe"}, None),
        ({"active": True, "sub": "joe", "exp": 1}, SaslCode.BADAUTH),
        ({"active": True}, SaslCode.BADAUTH),
        ({"active": "true", "sub": "joe"}, SaslCode.BADAUTH),
        ({"active": False, "sub": "joe"}, SaslCode.BADAUTH),
        ([], SaslCode.UNAVAIL),
        (b"not json", SaslCode.UNAVAIL),
        (b"[" * 100000, SaslCode.UNAVAIL),
        (500, SaslCode.UNAVAIL),
        (302, SaslCode.UNAVAIL),
    ],
)
def test_a_server_is_asked(issuer: str, answer: object, expected: SaslCode | None) -> None:
    server = make(
        sasl_oauth_introspection_url=issuer,
        sasl_oauth_introspection_client="imap",
        sasl_oauth_introspection_secret="s3cret",
    )
    Asked.answers = {"opaque": answer}

    def login() -> None:
        if isinstance(server.start("OAUTHBEARER", bearer("opaque")), Challenge):
            server.step(b"\1")

    assert refusal(login) is expected
    assert Asked.authorization[-1] == "Basic " + base64.b64encode(b"imap:s3cret").decode()


def test_a_server_that_is_not_there_is_a_failure_of_ours() -> None:
    server = make(sasl_oauth_introspection_url="http://127.0.0.1:1/")
    assert refusal(lambda: server.start("OAUTHBEARER", bearer("opaque"))) is SaslCode.UNAVAIL


def refusal(action: Callable[[], object]) -> SaslCode | None:
    try:
        action()
    except SaslError as error:
        return error.code
    return None
