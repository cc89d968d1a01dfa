"""Our imtest and the original's, on the same servers with the same command lines: the same words."""

from __future__ import annotations

import base64
import hmac
import os
import re
import signal
import socket
import socketserver
import sqlite3
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cassandane import reference
from cassandane.instance import Instance, give_away, program, wait_for
from imap.client.imtest.arguments import Usage, parse
from libcyrus.sasl import otp

PROGRAMS = {
    "imtest": "imap", "pop3test": "pop3", "nntptest": "nntp", "lmtptest": "lmtpauth", "sivtest": "sieve",
    "mupdatetest": "mupdate", "synctest": "csync",
}  # fmt: skip

WRAPPED = {"imtest": "imaps", "pop3test": "pop3s", "nntptest": "nntps", "httptest": "https"}


@pytest.fixture(scope="module")
def server() -> Iterator[Instance]:
    services = (*PROGRAMS.values(), *WRAPPED.values(), "http")
    programs = dict.fromkeys(services, "reference")
    instance = Instance(services=services, programs=programs, master="reference", tls=True)
    database = instance.directory / "users.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE users (name TEXT, userPassword TEXT)")
        people = [("cassandane", "secret"), ("admin", "secret")]
        connection.executemany("INSERT INTO users VALUES (?, ?)", people)
    connection.close()
    give_away(database)
    instance.settings |= {
        "allowapop": "yes",
        "failedloginpause": "0",
        "httpmodules": "webdav",
        "http_jwt_key_dir": str(instance.directory / "jwt"),
        # only then does httpd tell of its TLS
        "http_mupdate_server": "localhost",
        "http_proxyservers": "admin",
        "sasl_mech_list": "PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-256",
        "sasl_pwcheck_method": "auxprop",
        "sasl_auxprop_plugin": "sql",
        "sasl_sql_engine": "sqlite3",
        "sasl_sql_database": str(database),
        "sasl_sql_select": "SELECT userPassword FROM users WHERE name = '%u'",
    }
    for name in ("conf/sieve", "conf/mupdate", "jwt"):
        (instance.directory / name).mkdir()
        give_away(instance.directory / name)
    key = base64.b64encode(JWT_KEY).decode()
    (instance.directory / "jwt/key").write_text(f"-----BEGIN HMAC KEY-----\n{key}\n-----END HMAC KEY-----\n")
    instance.write_configuration()
    instance.start()
    instance.create_user("cassandane")
    yield instance
    instance.stop()
    instance.remove()


def run(kind: str, name: str, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [program(kind, name), *arguments],
        input=typed.encode(), capture_output=True, timeout=60, env=reference.environment(),
    )  # fmt: skip


def both(server: Instance, name: str, *arguments: str, typed: str = "", service: str | None = None) -> str:
    """What both print, which has to be the same."""
    port = str(server.ports[service or PROGRAMS[name]])
    line = ["-p", port, *arguments, "127.0.0.1"]
    theirs = run("reference", name, *line, typed=typed)
    ours = run("ours", name, *line, typed=typed)
    assert masked(ours) == masked(theirs)
    return ours.stdout.decode()


def masked(done: subprocess.CompletedProcess[bytes]) -> tuple[int, list[str]]:
    text = done.stdout.decode().replace("\r\n", "\n")
    text = re.sub(r"SESSIONID=<[^>]*>", "SESSIONID=<>", text)
    varying = r"\bPID=\d+|<\d+\.\d+@[^>]*>|(?<=APOP cassandane )[0-9a-f]+|(?<=^111 )\d+"
    text = re.sub(varying, "", text, flags=re.M)
    # the original binds to the channel under the plain name
    text = re.sub(r"(?m)^(C: .*SCRAM-SHA-256)-PLUS\b", r"\1", text)
    # what mechanisms say is different each time
    text = re.sub(r"(?m)(^(?:[CS]: )?(?:\+ |334 |383 |28\d )?)[A-Za-z0-9+/]{24,}=*$", r"\1BASE64", text)
    text = re.sub(
        r"(?m)((?:AUTH|SASL|AUTHENTICATE) \"?[A-Z0-9-]+\"?) (?:\{\d+\+?\}|[A-Za-z0-9+/]{16,}=*)$",
        r"\1 BASE64",
        text,
    )
    text = re.sub(r"(?m)^([CS]: )?\{\d+\+?\}$", r"\1{N}", text)
    text = re.sub(r'OK \(SASL "[^"]*"\)', 'OK (SASL "")', text)
    # the original shows a literal without the C: that it has elsewhere
    text = re.sub(r"(?m)^(?:C: )?BASE64$", "BASE64", text)
    return done.returncode, [line for line in text.split("\n") if line]


ADMINS_ONLY = ("lmtptest", "synctest", "mupdatetest")


MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-256"]
# to imtest LOGIN is the command
EACH = [
    (name, mechanism)
    for name in ("imtest", "pop3test", "nntptest", "lmtptest", "synctest")
    for mechanism in MECHANISMS
    if (name, mechanism) != ("imtest", "LOGIN")
]


@pytest.mark.reference
@pytest.mark.parametrize(("name", "mechanism"), EACH)
def test_each_mechanism(server: Instance, name: str, mechanism: str) -> None:
    user = "admin" if name in ADMINS_ONLY else "cassandane"
    said = both(server, name, "-m", mechanism, "-a", user, "-u", user, "-l", "0", "-w", "secret")
    assert "Authenticated." in said
    said = both(server, name, "-m", mechanism, "-a", user, "-u", user, "-l", "0", "-w", "wrong")
    assert "Authentication failed. generic failure" in said


@pytest.mark.reference
@pytest.mark.parametrize("layer", ["1", "128"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_layers_of_digest_md5(server: Instance, name: str, layer: str) -> None:
    user = "admin" if name in ADMINS_ONLY else "cassandane"
    options = ["-m", "DIGEST-MD5", "-a", user, "-u", user, "-l", layer, "-w", "secret"]
    said = both(server, name, *options)
    assert f"Security strength factor: {layer}" in said


CASES = [
    ("imtest", ["-m", "login", "-w", "secret"], "a select inbox\n"),
    ("imtest", ["-m", "login", "-w", "wrong"], ""),
    ("imtest", ["-m", "GSSAPI", "-w", "x"], ""),
    ("imtest", ["-m", "PLAIN", "-i", "-w", "secret"], "a noop\n"),
    ("imtest", ["-m", "PLAIN", "-n", "2", "-w", "secret"], "a noop\n"),
    ("imtest", ["-k", "56", "-l", "56", "-m", "PLAIN", "-w", "secret"], ""),
    ("pop3test", ["-m", "user", "-w", "secret"], "STAT\n"),
    ("pop3test", ["-m", "apop", "-w", "secret"], "STAT\n"),
    ("pop3test", ["-m", "apop", "-w", "wrong"], ""),
    ("nntptest", ["-m", "user", "-w", "secret"], "DATE\n"),
    ("sivtest", ["-m", "PLAIN", "-u", "cassandane", "-w", "secret"], "LISTSCRIPTS\n"),
    ("mupdatetest", ["-m", "PLAIN", "-a", "admin", "-u", "admin", "-w", "secret"], "x noop\n"),
    ("synctest", ["-m", "PLAIN", "-a", "admin", "-w", "wrong"], ""),
    ("sivtest", ["-u", "cassandane", "-l", "0", "-w", "secret"], "NOOP\n"),
    ("sivtest", ["-u", "cassandane", "-m", "DIGEST-MD5", "-l", "0", "-w", "secret"], ""),
    ("imtest", ["-m", "DIGEST-MD5", "-r", "elsewhere", "-l", "0", "-w", "secret"], ""),
    ("imtest", ["-m", "DIGEST-MD5", "-k", "56", "-l", "256", "-w", "secret"], "a noop\n"),
    ("imtest", ["-m", "PLAIN", "-k", "1", "-w", "secret"], ""),
    ("imtest", ["-o", "client_mech_list=PLAIN LOGIN", "-w", "secret"], ""),
    ("pop3test", ["-o", "client_mech_list=PLAIN", "-m", "CRAM-MD5", "-w", "secret"], ""),
    ("pop3test", ["-P", "pop3", "-m", "PLAIN", "-w", "secret"], ""),
    ("nntptest", ["-q", "-m", "PLAIN", "-w", "secret"], "DATE\n"),
    ("mupdatetest", ["-q", "-m", "PLAIN", "-a", "admin", "-u", "admin", "-w", "secret"], "x noop\n"),
    ("synctest", ["-q", "-m", "PLAIN", "-a", "admin", "-u", "admin", "-w", "secret"], ""),
    ("lmtptest", ["-q", "-n", "2", "-m", "PLAIN", "-a", "admin", "-u", "admin", "-w", "secret"], "NOOP\n"),
]


@pytest.mark.reference
@pytest.mark.parametrize(("name", "options", "typed"), CASES)
def test_what_is_said(server: Instance, name: str, options: list[str], typed: str) -> None:
    user = [] if "-a" in options else ["-a", "cassandane"]
    both(server, name, *options, *user, typed=typed)


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_over_tls(server: Instance, mechanism: str) -> None:
    options = ["-m", mechanism, "-a", "cassandane", "-w", "secret"]
    assert "Security strength factor: 256" in both(server, "imtest", "-t", "", *options, typed="a noop\n")
    for name in ("imtest", "pop3test", "nntptest"):
        assert "Authenticated." in both(server, name, "-s", *options, service=WRAPPED[name])


@pytest.mark.reference
@pytest.mark.parametrize("name", [*PROGRAMS, "smtptest", "httptest"])
def test_protocols_without_a_wrapped_form(name: str) -> None:
    """The others take TLS from the first byte."""
    if name not in (*WRAPPED, "smtptest"):
        ours, theirs = (run(kind, name, "-s", "127.0.0.1") for kind in ("ours", "reference"))
        assert (ours.returncode, ours.stderr.rstrip()) == (theirs.returncode, theirs.stderr.rstrip())
        assert b"protocol cannot be SSL-wrapped" in ours.stderr


class _Smtp(socketserver.StreamRequestHandler):
    """A mail transport agent that knows one user, as far as a login goes."""

    def handle(self) -> None:
        self.say(b"220 mail.example.org ESMTP")
        while line := self.rfile.readline().rstrip(b"\r\n"):
            word = line.split()[0].upper()
            if word == b"EHLO":
                tls = [] if isinstance(self.request, ssl.SSLSocket) else [b"250-STARTTLS"]
                self.say(b"250-mail.example.org", *tls, b"250-AUTH PLAIN LOGIN OTP", b"250 8BITMIME")
            elif word == b"STARTTLS":
                self.say(b"220 go ahead")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(*self.server.certificate)  # type: ignore[attr-defined]
                self.request = context.wrap_socket(self.request, server_side=True)
                self.setup()
            elif word == b"AUTH":
                self.log_in(line.split()[1:])
            elif word == b"QUIT":
                self.say(b"221 bye")
                return
            else:
                self.say(b"250 ok")

    def say(self, *lines: bytes) -> None:
        self.wfile.write(b"".join(line + b"\r\n" for line in lines))

    def log_in(self, words: list[bytes]) -> None:
        if words[0] == b"PLAIN":
            parts = base64.b64decode(words[1] if len(words) > 1 else self.asked(b"")).split(b"\0")[1:]
        elif words[0] == b"OTP":
            names = base64.b64decode(words[1]).split(b"\0")
            answer = base64.b64decode(self.asked(b"otp-md5 499 ke1234 ext"))
            right = b"hex:" + otp.password("md5", 499, "ke1234", "a pass-phrase").encode()
            parts = [names[1], b"secret" if answer in (right, b"word:ON THE LIST") else b""]
        elif words[0] != b"LOGIN":
            self.say(b"504 5.5.4 not here")
            return
        else:
            parts = [base64.b64decode(self.asked(question)) for question in (b"Username:", b"Password:")]
        good = parts == [b"cassandane", b"secret"]
        self.say(b"235 2.7.0 welcome" if good else b"535 5.7.8 who are you")

    def asked(self, question: bytes) -> bytes:
        self.say(b"334 " + base64.b64encode(question))
        return self.rfile.readline()


@pytest.fixture(scope="module")
def relay(server: Instance) -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Smtp) as smtp:
        smtp.certificate = (server.settings["tls_server_cert"], server.settings["tls_server_key"])  # type: ignore[attr-defined]
        thread = threading.Thread(target=smtp.serve_forever)
        thread.start()
        yield smtp.server_address[1]
        smtp.shutdown()
        thread.join()


@pytest.mark.reference
@pytest.mark.parametrize(
    "options",
    [
        ["-m", "PLAIN", "-w", "secret"], ["-m", "LOGIN", "-w", "secret"], ["-m", "PLAIN", "-w", "wrong"],
        ["-m", "PLAIN", "-i", "-w", "secret"], ["-t", "", "-w", "secret"],
        ["-m", "PLAIN", "-n", "2", "-w", "secret"], ["-m", "CRAM-MD5", "-w", "secret"],
        ["-m", "NONSENSE", "-w", "secret"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_smtptest(relay: int, options: list[str]) -> None:
    line = ["-p", str(relay), "-a", "cassandane", *options, "127.0.0.1"]
    ours, theirs = (run(kind, "smtptest", *line, typed="NOOP\n") for kind in ("ours", "reference"))
    assert masked(ours) == masked(theirs)
    good = "secret" in options and not {"CRAM-MD5", "NONSENSE"} & set(options)
    assert (b"Authenticated." in ours.stdout) is good


CLOSING = "OPTIONS / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def exchanged(done: subprocess.CompletedProcess[bytes]) -> list[str]:
    """The login of httptest, without pages and what differs each time."""
    text = done.stdout.decode().replace("\r\n", "\n").partition("\nSecurity strength factor: ")
    said = re.sub(r"S: <!DOCTYPE.*?</html>", "", text[0])
    said = re.sub(r'\b(nonce|cnonce|sid|data|response|rspauth)=("[^"]*"|[^ ,\n]*)', r"\1=", said)
    said = re.sub(r"(?m)^S: (Date|Alt-Svc): .*$", "", said.replace("maxbuf=1024,", ""))
    # the original says it in the mechanism too, beside the header
    said = said.replace('authzid="cassandane",', "")
    return [line for line in said.split("\n") if line] + [text[2].partition("\n")[0]]


@pytest.mark.reference
@pytest.mark.parametrize("mechanism", ["basic", "digest", "PLAIN", "DIGEST-MD5", "SCRAM-SHA-256", None])
def test_httptest(server: Instance, mechanism: str | None) -> None:
    chosen = [] if mechanism is None else ["-m", mechanism]
    who = ["-w", "secret", "-a", "admin", "-u", "cassandane"]
    line = ["-p", str(server.ports["http"]), *chosen, *who, "127.0.0.1"]
    theirs = run("reference", "httptest", *line, typed=CLOSING)
    ours = run("ours", "httptest", *line, typed=CLOSING)
    assert exchanged(ours) == exchanged(theirs)
    assert "Authenticated." in exchanged(ours) and ours.returncode == 0
    assert ours.stdout.decode().count("HTTP/1.1 200 OK") == theirs.stdout.decode().count("HTTP/1.1 200 OK")
    assert ours.stdout.endswith(b"Connection closed.\n")
    # here the original loses step with the server
    line[line.index("secret")] = "wrong"
    refused = run("ours", "httptest", *line).stdout.decode()
    assert "Authentication failed. generic failure\nSecurity strength factor: 0\n" in refused
    # and without a logout of its protocol it would wait until the server closes
    assert refused.endswith("Connection closed.\n")


@pytest.mark.parametrize(
    ("options", "typed", "good"),
    [
        (["-c"], "word:ON THE LIST\nNOOP\n", True),
        (["-c"], "word:FROM ANOTHER LIST\nNOOP\n", False),
        (["-c", "-m", "PLAIN", "-w", "secret"], "NOOP\n", True),
        (["-m", "OTP", "-w", "a pass-phrase"], "NOOP\n", True),
        (["-m", "OTP", "-w", "another"], "NOOP\n", False),
    ],
)
def test_one_time_passwords(relay: int, options: list[str], typed: str, good: bool) -> None:
    done = run("ours", "smtptest", "-p", str(relay), "-a", "cassandane", *options, "127.0.0.1", typed=typed)
    said = done.stdout.decode()
    prompt = "Server challenge: otp-md5 499 ke1234 ext\nPlease enter your one-time password: "
    assert (prompt in said) is (options == ["-c"])
    assert ("Authenticated.\n" in said) is good
    # what was typed behind the password is for the server
    assert "250 ok\r\n" in said


JWT_KEY = b"a key of httpd, known to the one who signs tokens"


def token(user: str, key: bytes) -> str:
    """A JSON web token (RFC 7519) signed by HMAC."""

    def encoded(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    text = encoded(b'{"alg":"HS256","typ":"JWT"}') + b"." + encoded(b'{"sub":"%s"}' % user.encode())
    return (text + b"." + encoded(hmac.digest(key, text, "sha256"))).decode()


@pytest.mark.reference
@pytest.mark.parametrize(
    ("key", "said"), [(JWT_KEY, "Authenticated."), (b"another", "Authentication failed.")]
)
def test_httptest_with_a_token(server: Instance, key: bytes, said: str) -> None:
    line = ["-p", str(server.ports["http"]), "-m", "bearer", "-w", token("cassandane", key), "127.0.0.1"]
    done = run("ours", "httptest", *line)
    assert said in done.stdout.decode()
    assert "C: Authorization: Bearer eyJ" in done.stdout.decode()


@pytest.mark.reference
def test_httptest_over_tls(server: Instance) -> None:
    line = ["-p", str(server.ports["http"]), "-t", "", "-m", "basic", "-w", "secret", "-n", "2", "127.0.0.1"]
    done = run("ours", "httptest", "-a", "admin", *line, typed=CLOSING)
    said = done.stdout.decode()
    assert said.count("TLS connection established: TLSv1.") == 2
    assert said.count("Authenticated.\nSecurity strength factor: 256\n") == 2
    theirs = run("reference", "httptest", "-a", "admin", *line, typed=CLOSING)
    assert exchanged(done)[:12] == exchanged(theirs)[:12]
    line = ["-p", str(server.ports["https"]), "-s", "-m", "basic", "-a", "admin", "-w", "secret", "127.0.0.1"]
    done, theirs = (run(kind, "httptest", *line, typed=CLOSING) for kind in ("ours", "reference"))
    assert exchanged(done) == exchanged(theirs)
    assert "Authenticated." in exchanged(done)


@pytest.mark.reference
def test_compression(server: Instance) -> None:
    """The original sees what a server offers after the login only where it offers the same before."""
    port = str(server.ports["imap"])
    said = run("ours", "imtest", "-q", "-m", "PLAIN", "-p", port, "-a", "cassandane", "-w", "secret",
               "127.0.0.1", typed="a noop\n").stdout  # fmt: skip
    assert b"Z01 OK DEFLATE active" in said
    assert b"a OK Completed" in said


@pytest.mark.reference
def test_a_file_is_sent(server: Instance, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"a select inbox\r\nb fetch 1:* flags\r\n")
    said = run("ours", "imtest", "-p", str(server.ports["imap"]), "-m", "login", "-a", "cassandane",
               "-w", "secret", "-f", str(script), "127.0.0.1").stdout  # fmt: skip
    assert b"b fetch 1:* flags\r\n" in said
    assert b"a OK [READ-WRITE]" in said
    assert said.endswith(b"Q01 OK Completed\r\nConnection closed.\n")


@pytest.mark.reference
def test_visitors_at_a_socket_share_the_session(server: Instance, tmp_path: Path) -> None:
    path, pid_file = tmp_path / "socket", tmp_path / "pid"
    line = [program("ours", "imtest"), "-p", str(server.ports["imap"]), "-m", "login", "-a", "cassandane",
            "-w", "secret", "-X", str(path), "-I", str(pid_file), "127.0.0.1"]  # fmt: skip
    assert subprocess.run(line, timeout=60, env=reference.environment()).returncode == 0
    wait_for(path.exists, "imtest did not listen")

    def visit(*lines: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(20)
            visitor.connect(str(path))
            said = b""
            for line in lines:
                visitor.sendall(line)
                tag = line.split()[0]
                while not re.search(rb"(?m)^" + re.escape(tag) + rb" ", said):
                    said += visitor.recv(65536)
            return said

    assert b"a OK" in visit(b"a SELECT INBOX\n")
    # UNSELECT came between
    assert b"b BAD" in visit(b"b FETCH 1 FLAGS\r\n")
    assert b"c OK" in visit(b"c NOOP\n")
    pid = int(pid_file.read_text())
    os.kill(pid, signal.SIGINT)
    wait_for(lambda: not path.exists(), "imtest did not end")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-n", "0", "host"], "failure: number of auth attempts must be > 0\n"),
        (["-P", "gopher", "host"], "failure: unknown protocol\n"),
        (["-x", "a", "-X", "b"], "failure: cannot specify both -X and -x\n"),
        (["-x", "a", "-f", "b"], "failure: cannot pipe a file when using unix domain socket output\n"),
        (["-o", "otp_mda=md5", "host"], "failure: no mechanism here has the option otp_mda\n"),
        (["-p", "1", "127.0.0.1"], "connect: Connection refused\nfailure: Network initialization - "
         "cannot connect to 127.0.0.1:1\n"),
    ],
)  # fmt: skip
def test_mistakes(arguments: list[str], said: str) -> None:
    done = run("ours", "imtest", *arguments)
    assert (done.returncode, done.stderr.decode()) == (1, said)


@pytest.mark.reference
@pytest.mark.parametrize("name", [*PROGRAMS, "smtptest", "httptest"])
def test_usage(name: str) -> None:
    """No option of the original's is missing, nor any that it only has."""
    ours, theirs = (run(kind, name, "-h") for kind in ("ours", "reference"))
    assert ours.returncode == theirs.returncode == 1
    assert ours.stdout.startswith(f"Usage: {name} [options] hostname\n".encode())
    shown = [set(re.findall(r"(?m)^  -([a-zA-Z])", done.stdout.decode())) for done in (ours, theirs)]
    assert shown[1] <= shown[0]


@pytest.mark.parametrize("letter", "cisqvzPpmauwklrfntIoxX")
def test_every_option_is_known(letter: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Those too that are in no help."""
    valued = letter not in "cisqvz"
    with pytest.raises(Usage):
        parse("imtest", [f"-{letter}"] if valued else [f"-{letter}", "-h"])
    said = capsys.readouterr().err
    assert said == (f"imtest: option requires an argument -- '{letter}'\n" if valued else "")
