"""SASL exchanges spelled out byte by byte: right ones, and every way of getting one wrong.

Nothing of the suite's own SASL is used here, so that both servers are asked by somebody else.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from cassandane.clients import Connection

Answer = bytes | str | Callable[[bytes], bytes]
"""Bytes are sent in base64, text as it is; a function makes them of the challenge."""

HOST = "mail.example.org"


@dataclass(frozen=True)
class Case:
    """``initial`` None: none is sent. ``layered``: success brings a security layer."""

    mechanism: str
    initial: bytes | str | None = None
    answers: Sequence[Answer] = ()
    layered: bool = False


class Talk(Connection):
    """A client of IMAP, LMTP or ManageSieve."""

    def __init__(
        self,
        port: int,
        protocol: str = "imap",
        *,
        tls: bool = False,
        newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    ) -> None:
        super().__init__(("127.0.0.1", port))
        self.protocol = protocol
        if protocol == "sieve":
            self._sieve_lines()
        else:
            self.line()
        if protocol == "lmtp":
            self.capabilities()
        if tls:
            self.send(b"s STARTTLS\r\n" if protocol == "imap" else b"STARTTLS\r\n")
            self.line()
            self.start_tls(newest)
            if protocol == "lmtp":
                self.capabilities()
            elif protocol == "sieve":
                self._sieve_lines()

    def binding(self, kind: str = "tls-unique") -> bytes:
        """The channel's data (RFC 5929); tls-server-end-point for a certificate signed with SHA-256."""
        assert isinstance(self.socket, ssl.SSLSocket)
        if kind == "tls-unique":
            return self.socket.get_channel_binding(kind) or b""
        return hashlib.sha256(self.socket.getpeercert(binary_form=True) or b"").digest()

    def capabilities(self) -> list[str]:
        """What concerns logins: mechanisms in their order, STARTTLS, LOGINDISABLED, SASL-IR."""
        if self.protocol == "imap":
            words = self.lines(b"CAPABILITY")[0].split()
            return [word for word in words if re.match("AUTH=|STARTTLS|LOGINDIS|SASL-IR", word)]
        if self.protocol == "sieve":
            self.send(b"CAPABILITY\r\n")
            return [line for line in self._sieve_lines() if re.match('"(SASL|STARTTLS)"', line)]
        self.send(b"LHLO here\r\n")
        lines = [self.line().decode()]
        while lines[-1][3] == "-":
            lines.append(self.line().decode())
        return [line[4:] for line in lines if re.match("250.(AUTH|STARTTLS)", line)]

    def _sieve_lines(self) -> list[str]:
        lines = [self.line().decode()]
        while not re.match("OK|NO|BYE", lines[-1]):
            lines.append(self.line().decode())
        return lines

    def lines(self, command: bytes) -> list[str]:
        """All that an IMAP command brings, without what is different each time."""
        self.send(b"c " + command + b"\r\n")
        said = [self._tame(self.line())]
        while not said[-1].startswith("c "):
            said.append(self._tame(self.line()))
        return said

    def authenticate(self, case: Case) -> list[str]:
        """``+`` for each challenge (``+ empty`` for one that says nothing), and how it ended."""
        mechanism = case.mechanism.encode()
        match self.protocol:
            case "sieve":
                command = b'AUTHENTICATE "%s"' % mechanism
                if case.initial is not None:
                    command += b" " + _sieve_string(_written(case.initial))
            case protocol:
                command = (b"c AUTHENTICATE " if protocol == "imap" else b"AUTH ") + mechanism
                if case.initial is not None:
                    command += b" " + (_written(case.initial) or b"=")
        self.send(command + b"\r\n")
        answers = list(case.answers)
        said: list[str] = []
        while (challenge := self._challenge(line := self.line())) is not None:
            said.append("+" if challenge else "+ empty")
            answer: Answer = answers.pop(0) if answers else "*"
            if callable(answer):
                answer = answer(challenge)
            response = _written(answer)
            self.send((_sieve_string(response) if self.protocol == "sieve" else response) + b"\r\n")
        return [*said, self._tame(line)]

    def _challenge(self, line: bytes) -> bytes | None:
        """What the server says in this line, None if it is no challenge."""
        begin = {"imap": b"+ ", "lmtp": b"334 ", "sieve": b"{"}[self.protocol]
        if not line.startswith(begin):
            return None
        text = line[len(begin) :]
        if self.protocol == "sieve":
            text = self.read(int(text.rstrip(b"}")))
            self.line()
        return base64.b64decode(text)

    @staticmethod
    def _tame(line: bytes) -> str:
        text = line.decode("latin-1")
        varying = r"(?<=SESSIONID=<)[^>]*|(?<=CAPABILITY )(?!IMAP4rev1 [^\]]*$)[^\]]*|(?<=SASL \")[^\"]*"
        return re.sub(varying, "", text)


def _written(answer: bytes | str) -> bytes:
    return answer.encode("latin-1") if isinstance(answer, str) else base64.b64encode(answer)


def _sieve_string(text: bytes) -> bytes:
    return b'"%s"' % text if len(text) < 1000 else b"{%d+}\r\n%s" % (len(text), text)


def outcome(port: int, protocol: str, case: Case, *, tls: bool = False) -> list[str]:
    """How it ended, on a connection of its own that has to be of use afterwards."""
    talk = Talk(port, protocol, tls=tls)
    try:
        said = talk.authenticate(case)
        if not (case.layered and re.match("c OK|235|OK", said[-1])):
            talk.send(b"z NOOP\r\n" if protocol == "imap" else b"NOOP\r\n")
            said.append(talk.line().decode("latin-1"))
        return said
    finally:
        talk.close()


def cram(user: str = "admin", password: str = "secret") -> Callable[[bytes], bytes]:
    return lambda challenge: b"%s %s" % (
        user.encode(),
        hmac.new(password.encode(), challenge, "md5").hexdigest().encode(),
    )


@dataclass
class Digest:
    """DIGEST-MD5 (RFC 2831 section 2.1.2). ``said`` adds to or replaces directives, None takes one away."""

    service: str
    user: str = "admin"
    password: str = "secret"
    said: dict[str, str | None] = field(default_factory=dict)
    change: Callable[[bytes], bytes] = bytes

    def __call__(self, challenge: bytes) -> bytes:
        nonce = challenge.split(b'nonce="')[1].split(b'"')[0].decode()
        said: dict[str, str | None] = {
            "username": self.user, "realm": HOST, "nonce": nonce, "cnonce": "c", "nc": "00000001",
            "qop": "auth", "digest-uri": f"{self.service}/{HOST}", "charset": "utf-8", **self.said,
        }  # fmt: skip
        secret = hashlib.md5(f"{self.user}:{said['realm'] or ''}:{self.password}".encode()).digest()
        first = b":".join([secret, str(said["nonce"]).encode(), str(said["cnonce"]).encode()])
        if said.get("authzid") is not None:
            first += b":" + str(said["authzid"]).encode()
        second = f"AUTHENTICATE:{said['digest-uri']}"
        if said["qop"] != "auth":
            second += ":" + "0" * 32
        parts = (_md5(first), said["nonce"], said["nc"], said["cnonce"], said["qop"], _md5(second.encode()))
        said.setdefault("response", _md5(":".join(map(str, parts)).encode()))
        bare = {"nc", "qop", "charset", "response", "cipher", "maxbuf"}
        text = ",".join(
            f"{name}={value}" if name in bare else f'{name}="{value}"'
            for name, value in said.items()
            if value is not None
        )
        return self.change(text.encode())


def _md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


@dataclass
class Scram:
    """SCRAM-SHA-256 (RFC 7677). ``later`` is the header as the last message repeats it."""

    user: str = "admin"
    password: str = "secret"
    header: str = "n,,"
    later: str | None = None
    binding: bytes = b""
    nonce: bytes = b"fyko+d2lbbFgONRv9qkxdawL"
    answer_nonce: bytes | None = None
    change: Callable[[bytes], bytes] = bytes

    @property
    def bare(self) -> bytes:
        return b"n=%s,r=%s" % (self.user.encode(), self.nonce)

    def case(self, *more: Answer, plus: bool = False) -> Case:
        name = "SCRAM-SHA-256-PLUS" if plus else "SCRAM-SHA-256"
        return Case(name, self.header.encode() + self.bare, (self.final, *(more or (b"",))))

    def final(self, challenge: bytes) -> bytes:
        told = dict(part.split(b"=", 1) for part in challenge.split(b","))
        salt, iterations = base64.b64decode(told[b"s"]), int(told[b"i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, iterations)
        key = hmac.digest(salted, b"Client Key", "sha256")
        header = self.header if self.later is None else self.later
        without = b"c=%s,r=%s" % (
            base64.b64encode(header.encode() + self.binding),
            told[b"r"] if self.answer_nonce is None else self.answer_nonce,
        )
        signed = b",".join((self.bare, challenge, without))
        signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
        return self.change(without + b",p=" + base64.b64encode(proof))


def cases(service: str) -> dict[str, Case]:
    """Exchanges of every kind, by what they are."""
    return {
        **_plain(), **_login(), **_cram(), **_digest(service), **_scram(),
        "anonymous": Case("ANONYMOUS", b"me@example.org"),
        "external": Case("EXTERNAL", b""),
        "unknown mechanism": Case("NOSUCH"),
        "mechanism in lower case": Case("plain", b"\0admin\0secret"),
    }  # fmt: skip


def _plain() -> dict[str, Case]:
    def plain(text: str) -> Case:
        return Case("PLAIN", text.replace("|", "\0").encode("latin-1"))

    found = {
        name: plain(text)
        for name, text in {
            "right": "|admin|secret", "wrong": "|admin|wrong", "unknown user": "|nobody|secret",
            "no password": "|admin|", "stored password is empty": "|empty|", "no user": "||secret",
            "one NUL": "|admin", "no NUL": "admin", "three NULs": "|admin|secret|",
            "more behind the password": "|admin|secret|x", "long user": "|" + "x" * 300 + "|secret",
            "user too long": "|" + "x" * 1100 + "|secret", "password too long": "|admin|" + "x" * 1100,
            "for oneself": "admin|admin|secret", "for another": "other|cassandane|secret",
            "for an admin": "admin|cassandane|secret", "admin for another": "cassandane|admin|secret",
            "proxy for another": "cassandane|proxy|secret", "admin for nobody": "nosuch|admin|secret",
            "for a bad name": "a/b|admin|secret", "bad name": "|a/b|secret", "control": "|ad\1min|secret",
            "spaces around": "| admin |secret", "space only": "| |secret", "upper case": "|ADMIN|secret",
            "mixed case": "|Mixed|secret", "realm": "|cassandane@example.net|secret",
            "other realm": "|user@elsewhere.org|secret", "percent": "|user%elsewhere.org|secret",
            "anonymous": "|anonymous|secret", "anyone": "|anyone|secret", "denied": "|denied|secret",
            "admin for denied": "denied|admin|secret", "latin-1": "|j\xfcrgen|secret",
            "utf-8": "|j\xc3\xbcrgen|secret", "detail": "|cassandane+x|secret",
            "admin for detail": "cassandane+x|admin|secret", "empty": "",
        }.items()
    }  # fmt: skip
    found |= {
        "when asked": Case("PLAIN", None, (b"\0admin\0secret",)),
        "empty when asked": Case("PLAIN", None, (b"",)),
        "empty line": Case("PLAIN", None, ("",)),
        "cancelled": Case("PLAIN", None, ("*",)),
        "cancelled with more": Case("PLAIN", None, ("*x",)),
        "no base64": Case("PLAIN", "!!!!"),
        "no base64 when asked": Case("PLAIN", None, ("!!!!",)),
        "base64 cut short when asked": Case("PLAIN", None, ("AGFkbWluAHNlY3Jld",)),
        "base64 padded too early": Case("PLAIN", None, ("AGFkbWlu=AHNlY3JldA==",)),
        "long when asked": Case("PLAIN", None, (b"\0admin\0" + b"x" * 15000,)),
    }
    return {f"PLAIN {name}": case for name, case in found.items()}


def _login() -> dict[str, Case]:
    def login(*answers: Answer, initial: bytes | None = None) -> Case:
        return Case("LOGIN", initial, answers)

    found = {
        "right": login(b"admin", b"secret"), "wrong": login(b"admin", b"wrong"),
        "unknown user": login(b"nobody", b"x"), "nothing": login(b"", b""),
        "no password": login(b"admin", b""),
        "user in the command": login(b"secret", initial=b"admin"),
        "nothing in the command": login(b"admin", b"secret", initial=b""),
        "cancelled": login("*"), "cancelled late": login(b"admin", "*"),
        "NUL in the user": login(b"ad\0min", b"secret"), "NUL in the password": login(b"admin", b"sec\0ret"),
        "user too long": login(b"x" * 1100, b"secret"), "password too long": login(b"admin", b"x" * 1100),
        "no base64": login("%%%%"), "no base64 later": login(b"admin", "%%%%"),
    }  # fmt: skip
    return {f"LOGIN {name}": case for name, case in found.items()}


def _cram() -> dict[str, Case]:
    found: dict[str, Answer] = {
        "right": cram(), "wrong": cram(password="x"), "unknown user": cram("nobody"), "empty": b"",
        "no digest": b"admin", "no user": cram(""), "cancelled": "*", "no base64": "====",
        "digest cut short": lambda challenge: cram()(challenge)[:-4],
        "digest in capitals": lambda challenge: b"admin " + cram()(challenge)[6:].upper(),
        "bad name": cram("a/b"), "too long": b"x" * 2000 + b" " + b"0" * 32,
        "another's digest": b"admin 0123456789abcdef0123456789abcdef",
    }  # fmt: skip
    made = {name: Case("CRAM-MD5", None, (answer,)) for name, answer in found.items()}
    made["response in the command"] = Case("CRAM-MD5", b"admin x")
    return {f"CRAM-MD5 {name}": case for name, case in made.items()}


def _digest(service: str) -> dict[str, Case]:
    def digest(
        user: str = "admin", password: str = "secret", change: Callable[[bytes], bytes] = bytes,
        **said: str | None,
    ) -> Digest:  # fmt: skip
        return Digest(service, user, password, {key.replace("_", "-"): said[key] for key in said}, change)

    def without(name: bytes) -> Digest:
        return digest(change=lambda text: text.replace(name + b"=", b"x" + name + b"="))

    found: dict[str, Answer] = {
        "right": digest(), "wrong": digest(password="x"), "unknown user": digest("nobody"),
        "other realm": digest(realm="example.com"), "realm of nobody": digest("nobody", realm="example.net"),
        "no realm": digest(realm=""), "user with realm": digest("cassandane@example.net"),
        "mixed case": digest("Mixed"), "nonce changed": digest(nonce="forged"),
        "later count": digest(nc="00000002"), "count zero": digest(nc="00000000"),
        "no count": digest(nc="zz"),
        "unknown qop": digest(qop="auth-x"), "no cipher": digest(qop="auth-conf"),
        "unknown cipher": digest(qop="auth-conf", cipher="aes"), "layer": digest(qop="auth-int"),
        "private": digest(qop="auth-conf", cipher="rc4-40"),
        "private with DES": digest(qop="auth-conf", cipher="des"),
        "other service": digest(digest_uri="pop/" + HOST), "no service": digest(digest_uri=service),
        "other host": digest(digest_uri=f"{service}/elsewhere"), "charset": digest(charset="latin1"),
        "no charset": digest(charset=None), "maxbuf small": digest(maxbuf="16"),
        "maxbuf large": digest(maxbuf="16777216"), "maxbuf negative": digest(maxbuf="-1"),
        "maxbuf no number": digest(maxbuf="x"), "for another": digest("cassandane", authzid="other"),
        "admin for another": digest(authzid="cassandane"), "for nobody": digest(authzid=""),
        "proxy for another": digest("proxy", authzid="cassandane"), "empty": b"", "no pairs": b"hello",
        "other pairs": b"a=b", "cut short": digest(change=lambda text: text[:-5]),
        "cut in the middle": digest(change=lambda text: text[:100]), "cancelled": "*",
        "too long": digest(change=lambda text: text + b',x="' + b"y" * 4100 + b'"'),
        "realm twice": digest(change=lambda text: text + b',realm="x"'),
        "qop twice": digest(change=lambda text: text + b",qop=auth"),
        "comma behind": digest(change=lambda text: text + b","),
        "unknown directive": digest(change=lambda text: text + b",foo=bar"), "no base64": "&&&&",
        **{f"no {name.decode()}": without(name) for name in (b"username", b"cnonce", b"nonce", b"response")},
    }  # fmt: skip
    layers = ("layer", "private", "private with DES")
    made = {name: Case("DIGEST-MD5", None, (said, b""), name in layers) for name, said in found.items()}
    made["cancelled at the end"] = Case("DIGEST-MD5", None, (digest(), "*"))
    made["more at the end"] = Case("DIGEST-MD5", None, (digest(), b"junk"))
    made["response in the command"] = Case("DIGEST-MD5", b"junk")
    return {f"DIGEST-MD5 {name}": case for name, case in made.items()}


def _scram() -> dict[str, Case]:
    def first(text: bytes, *answers: Answer) -> Case:
        return Case("SCRAM-SHA-256", text, answers)

    found = {
        "right": Scram().case(), "cancelled at the end": Scram().case("*"),
        "more at the end": Scram().case(b"junk"), "wrong": Scram(password="x").case(),
        "admin for another": Scram(header="n,a=cassandane,").case(),
        "for another": Scram("cassandane", header="n,a=other,").case(),
        "for nobody": Scram(header="n,a=,").case(), "could bind": Scram(header="y,,").case(),
        "unknown flag": Scram(header="z,,").case(), "no header": first(Scram().bare),
        "empty": first(b"", "*"),
        "when asked": Case("SCRAM-SHA-256", None, (b"n,," + Scram().bare, Scram().final, b"")),
        "nonce of the client alone": Scram(answer_nonce=Scram().nonce).case(),
        "other nonce": Scram(answer_nonce=b"other").case(), "header changed": Scram(later="y,,").case(),
        "cut short": Scram(change=lambda text: text[:-6]).case(),
        "no proof": Scram(change=lambda text: text.split(b",p=")[0]).case(),
        "nothing for a proof": first(b"n,," + Scram().bare, b""),
        "junk for a proof": first(b"n,," + Scram().bare, b"junk"),
        "said before": first(b"n,,n=admin,r=abcdefgh", b"c=biws,r=abcdefghXXXX,p=dGVzdA=="),
        "needed extension": first(b"n,,m=foo,n=admin,r=abc"), "bad escape": Scram("ad=2Dmin").case(),
        "no user": first(b"n,,n=,r=abc"), "user too long": first(b"n,,n=" + b"x" * 3000 + b",r=abc"),
        "realm": Scram("cassandane@example.net").case(), "NUL": first(b"n,,n=admin\0,r=abc"),
        "cancelled": first(b"n,,n=admin,r=abcdef", "*"), "no base64": first(b"n,,n=admin,r=abcdef", "====="),
    }  # fmt: skip
    return {f"SCRAM {name}": case for name, case in found.items()}
