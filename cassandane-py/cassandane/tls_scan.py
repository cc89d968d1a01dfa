"""Scanning the TLS of a server with the programs of OpenSSL and GnuTLS, as a suspicious stranger would."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path

from cassandane import reference

DEADLINE = 60.0
_AGREED = re.compile(r"^(New|Reused), ([^,]+), Cipher is (\S+)$", re.MULTILINE)
_PROTOCOL = re.compile(r"^ +Protocol *: (\S+)$", re.MULTILINE)
_SUBJECT = re.compile(r"^subject=(?:CN = )?(.*)$", re.MULTILINE)
_KEY = re.compile(r"^Server Temp Key: (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Handshake:
    """How one came out: versions, ciphers and subjects are empty if there was none."""

    protocol: str
    cipher: str
    reused: bool
    subject: str
    key: str
    """The group of the key exchange."""
    output: str

    @property
    def ok(self) -> bool:
        return bool(self.protocol)

    @property
    def authorities(self) -> str:
        """Which authorities the server names in its request for a certificate; empty for no request."""
        found = re.search(r"^Acceptable client certificate CA names\n((?:(?!.*:).*\n)*)", self.output, re.M)
        return found[1].strip() if found else ""

    @property
    def alerts(self) -> list[str]:
        """The numbers of the alerts that the server sent; a word for an answer that was no TLS."""
        found = re.findall(r"SSL alert number (\d+)", self.output)
        return found or re.findall(r"wrong version number|Didn't find STARTTLS", self.output)

    @property
    def said(self) -> list[str]:
        """The lines of the conversation that the server wrote."""
        lines = re.compile(r"^(?:\* |\+ ?|[a-z]\d* (?:OK|NO|BAD) |\d{3}[ -]).*$", re.MULTILINE)
        return lines.findall(self.output.replace("\r", ""))


def openssl(
    port: int, *arguments: str | Path, starttls: str | None = None, say: bytes = b"a LOGOUT"
) -> Handshake:
    """What ``openssl s_client`` makes of a server, to which ``say`` is said when there is a session.

    Its lines go out one by one, each after the answer to the one before. The server has to end the
    conversation, so that everything that it sends is seen, tickets included.
    """
    words = [reference.program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof"]
    words += ["-starttls", starttls] if starttls else []
    process = subprocess.Popen(
        [*words, *map(str, arguments)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**reference.environment(), "OPENSSL_CONF": os.devnull},
    )
    assert process.stdin is not None and process.stdout is not None
    watch = threading.Timer(DEADLINE, process.kill)
    watch.start()
    try:
        output = b""
        for line in say.splitlines():
            tag = line.partition(b" ")[0] + b" "
            try:
                process.stdin.write(line + b"\r\n")
                process.stdin.flush()
            except BrokenPipeError:
                break
            for answer in process.stdout:
                output += answer
                if answer.startswith(tag):
                    break
        output += process.stdout.read()
        process.wait()
    finally:
        watch.cancel()
        process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        process.wait()
    return _understand(output.decode(errors="replace"))


def openssl_tool(*arguments: str | Path) -> None:
    """Another command of OpenSSL's program."""
    subprocess.run(
        [reference.program("openssl"), *map(str, arguments)],
        check=True, capture_output=True, timeout=DEADLINE, env=reference.environment(),
    )


def _understand(output: str) -> Handshake:
    agreed = _AGREED.search(output)
    if agreed is None or agreed[2] == "(NONE)":
        return Handshake("", "", False, "", "", output)
    protocol, subject, key = (one.search(output) for one in (_PROTOCOL, _SUBJECT, _KEY))
    return Handshake(
        protocol[1] if protocol else agreed[2],
        agreed[3],
        agreed[1] == "Reused",
        subject[1] if subject else "",
        key[1] if key else "",
        output,
    )


def gnutls(
    port: int, *arguments: str | Path, starttls: str | None = None, say: bytes = b"a LOGOUT\r\n"
) -> str:
    """What ``gnutls-cli`` prints; the server's certificate is believed."""
    words = [reference.program("gnutls-cli"), "--insecure", "-p", str(port), "127.0.0.1"]
    words += [f"--starttls-proto={starttls}"] if starttls else []
    done = subprocess.run(
        [*words, *map(str, arguments)],
        input=say, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE,
        env=reference.environment(),
    )
    return done.stdout.decode(errors="replace")
